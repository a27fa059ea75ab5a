#include "runtime/dispatch/generator_loader.h"

#include <vector>

#include <dlfcn.h>
#include <fmt/format.h>

namespace tailor {
namespace {

constexpr const char* kLibrary = "libtailor_codegen.so";

std::string own_folder() {
  Dl_info info{};
  if (!dladdr(reinterpret_cast<void*>(&own_folder), &info) || !info.dli_fname) return "";
  const std::string path = info.dli_fname;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::vector<std::string> candidates(const std::string& library_path) {
  if (!library_path.empty()) return {library_path};
  std::vector<std::string> paths;
  if (const std::string folder = own_folder(); !folder.empty()) {
    paths.push_back(fmt::format("{}/{}", folder, kLibrary));
    paths.push_back(fmt::format("{}/../lib/{}", folder, kLibrary));
  }
  paths.emplace_back(kLibrary);
  return paths;
}

struct Symbol {
  void* address = nullptr;
  std::string path;  // of the library that has it
};

// A C function of the first candidate that opens. The library is never closed.
Expected<Symbol> find_symbol(const std::string& library_path, const char* name) {
  std::string tried;
  for (const std::string& path : candidates(library_path)) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      const char* why = dlerror();
      tried += fmt::format("{}{}", tried.empty() ? "" : "; ", why ? why : path.c_str());
      continue;
    }
    void* address = dlsym(library, name);
    if (!address) return unavailable(fmt::format("{} does not export {}", path, name));
    return Symbol{address, path};
  }
  return unavailable(
      fmt::format("the code generator could not be loaded: {}. Build {} (target tailor_codegen), give its path, or "
                  "serve from a cache that holds every key",
                  tried, kLibrary));
}

}  // namespace

Expected<std::shared_ptr<KernelGenerator>> load_generator(const std::string& library_path,
                                                          const GeneratorOptions& options) {
  TAILOR_ASSIGN_OR_RETURN(const Symbol symbol, find_symbol(library_path, kCreateGeneratorSymbol));
  const auto create = reinterpret_cast<CreateGeneratorFunction>(symbol.address);
  std::shared_ptr<KernelGenerator> generator(create(kGeneratorInterface, options));
  if (!generator) {
    return unavailable(
        fmt::format("{} is of another build than libtailor (interface {} was asked for) or ran out of "
                    "memory; build both together",
                    symbol.path, kGeneratorInterface));
  }
  return generator;
}

Expected<std::unique_ptr<LayoutTool>> load_layout_tool() {
  TAILOR_ASSIGN_OR_RETURN(const Symbol symbol, find_symbol("", kCreateLayoutToolSymbol));
  std::unique_ptr<LayoutTool> tool(reinterpret_cast<CreateLayoutToolFunction>(symbol.address)());
  if (!tool) return unavailable(fmt::format("{} could not start the layout engine", symbol.path));
  return tool;
}

Expected<std::shared_ptr<KernelGenerator>> GeneratorSource::get() {
  const std::lock_guard lock(mutex_);
  if (!generator_) {
    TAILOR_ASSIGN_OR_RETURN(generator_, load_generator(library_path_, options_));
  }
  return generator_;
}

}  // namespace tailor
