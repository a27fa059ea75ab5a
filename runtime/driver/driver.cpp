#include "runtime/driver/driver.h"

#include <vector>

#include <dlfcn.h>
#include <fmt/format.h>

namespace tailor {
namespace {

std::string loader_message() {
  const char* text = dlerror();
  return text ? text : "no reason given";
}

Expected<const DriverTable*> fill_from_libcuda() {
  constexpr const char* kLibrary = "libcuda.so.1";
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (!library) return unavailable(fmt::format("{} could not be opened: {}", kLibrary, loader_message()));
  static DriverTable table;
  table.name = "cuda";
#define X(member, symbol, parameters)                                                             \
  table.member = reinterpret_cast<decltype(table.member)>(dlsym(library, #symbol));               \
  if (!table.member) {                                                                            \
    dlclose(library);                                                                             \
    return unavailable(fmt::format("{} has no {}; a newer driver is needed", kLibrary, #symbol)); \
  }
  TAILOR_DRIVER_FUNCTIONS(X)
#undef X
  return &table;
}

// The folder of the shared object or executable that contains this function, or "".
std::string own_folder() {
  Dl_info info{};
  if (!dladdr(reinterpret_cast<void*>(&own_folder), &info) || !info.dli_fname) return "";
  const std::string path = info.dli_fname;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

}  // namespace

Expected<const DriverTable*> open_cuda_driver() {
  static const Expected<const DriverTable*> opened = fill_from_libcuda();
  return opened;
}

Expected<const DriverTable*> open_virtual_driver(const std::string& library_path) {
  constexpr const char* kLibrary = "libtailor_virtual.so";
  constexpr const char* kEntry = "tailor_virtual_driver_table";
  std::vector<std::string> candidates;
  if (!library_path.empty()) {
    candidates = {library_path};
  } else {
    if (const std::string folder = own_folder(); !folder.empty()) {
      candidates.push_back(folder + "/" + kLibrary);
      candidates.push_back(folder + "/../lib/" + kLibrary);
    }
    candidates.emplace_back(kLibrary);
  }
  std::string tried;
  for (const std::string& candidate : candidates) {
    void* library = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      tried += (tried.empty() ? "" : "; ") + loader_message();
      continue;
    }
    using Entry = const DriverTable* (*)(size_t table_bytes);
    const auto entry = reinterpret_cast<Entry>(dlsym(library, kEntry));
    if (!entry) return unavailable(fmt::format("{} does not export {}", candidate, kEntry));
    const DriverTable* table = entry(sizeof(DriverTable));
    if (!table) {
      return unavailable(
          fmt::format("{} was built for another driver table than this {}-byte one", candidate, sizeof(DriverTable)));
    }
    return table;
  }
  return unavailable(fmt::format("the virtual device could not be opened: {}", tried));
}

Status check(const DriverTable& driver, cu::CUresult result, std::string_view what) {
  if (result == cu::CUDA_SUCCESS) return {};
  const char* name = nullptr;
  const char* text = nullptr;
  driver.cuGetErrorName(result, &name);
  driver.cuGetErrorString(result, &text);
  return driver_error(fmt::format("{}: {} ({}): {}", what, name ? name : "unnamed error", static_cast<int>(result),
                                  text ? text : "no text"));
}

}  // namespace tailor
