#include "codegen/compile/library.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

namespace tailor::codegen::compile {
namespace {

// Majors whose interface the declarations in nvrtc.cpp and nvjitlink.cpp match, newest first.
constexpr const char* kSuffixes[] = {".so.13", ".so.12", ".so"};
constexpr const char* kToolkitFolders[] = {
    "/usr/local/cuda/lib64",    "/usr/local/cuda/targets/x86_64-linux/lib",
    "/usr/local/cuda-13/lib64", "/usr/local/cuda-12/lib64",
    "/opt/cuda/lib64",
};

// The file that dlopen resolved a bare name to.
std::string resolved_path(void* handle, const std::string& name, const char* any_symbol) {
  Dl_info info{};
  void* address = dlsym(handle, any_symbol);
  if (address && dladdr(address, &info) && info.dli_fname) return info.dli_fname;
  return name;
}

}  // namespace

Library::Library(Library&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)), path_(std::move(other.path_)) {}

Library& Library::operator=(Library&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(path_, other.path_);
  return *this;
}

Library::~Library() {
  if (handle_) dlclose(handle_);
}

Library Library::open(std::string_view stem, const std::vector<std::string>& folders, bool search_system,
                      std::string& tried) {
  Library library;
  std::string failures;
  std::vector<std::string> searched;
  // RTLD_NODELETE: the compilers keep thread-local state whose destructors outlive a dlclose.
  auto attempt = [&](const std::string& path, bool is_file) {
    struct stat unused;
    if (is_file && stat(path.c_str(), &unused) != 0) return false;
    library.handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library.handle_) {
      const char* error = dlerror();
      if (is_file) failures += fmt::format("; {}", error ? error : path);
      return false;
    }
    library.path_ = path;
    return true;
  };
  auto in_folder = [&](std::string folder) {
    while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
    searched.push_back(folder);
    for (const char* suffix : kSuffixes)
      if (attempt(fmt::format("{}/lib{}{}", folder, stem, suffix), true)) return true;
    return false;
  };

  for (const std::string& folder : folders)
    if (!folder.empty() && in_folder(folder)) return library;
  if (search_system) {
    searched.push_back("the loader's path");
    for (const char* suffix : kSuffixes) {
      if (!attempt(fmt::format("lib{}{}", stem, suffix), false)) continue;
      library.path_ =
          resolved_path(library.handle_, library.path_, stem == "nvrtc" ? "nvrtcVersion" : "nvJitLinkVersion");
      return library;
    }
    for (const char* folder : kToolkitFolders)
      if (in_folder(folder)) return library;
  }
  tried = fmt::format("lib{}{{.so.13,.so.12,.so}} was not found in {}{}", stem,
                      searched.empty() ? "any folder (none was given)" : fmt::format("{}", fmt::join(searched, ", ")),
                      failures);
  return library;
}

void Library::open_companions(std::string_view prefix) const {
  const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
  std::error_code error;
  for (std::filesystem::directory_iterator file(folder, error), end; !error && file != end; file.increment(error)) {
    if (!file->path().filename().string().starts_with(prefix)) continue;
    // What does not open is left to the compiler's own error message.
    dlopen(file->path().c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  }
}

void* Library::raw_symbol(const std::string& name) const { return handle_ ? dlsym(handle_, name.c_str()) : nullptr; }

}  // namespace tailor::codegen::compile
