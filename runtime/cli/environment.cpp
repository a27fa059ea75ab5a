#include "runtime/cli/environment.h"

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include <unistd.h>

namespace tailor::cli {
namespace fs = std::filesystem;
namespace {

// Folders directly under `parent` whose name begins with `prefix`, in the order of their names. Faults mean none.
std::vector<fs::path> children(const fs::path& parent, std::string_view prefix) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(parent, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->path().filename().string().starts_with(prefix) && it->is_directory(ignored)) found.push_back(it->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

Environment read_environment() {
  const auto get = [](const char* variable) {
    const char* value = std::getenv(variable);
    return std::string(value ? value : "");
  };
  Environment environment;
#define X(member, variable, what) environment.member = get(variable);
  TAILOR_ENVIRONMENT_VARIABLES(X)
#undef X
  return environment;
}

std::vector<std::string> unknown_variables() {
  std::vector<std::string> unknown;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    if (!name.starts_with("TAILOR_")) continue;
#define X(member, variable, what) \
  if (name == variable) continue;
    TAILOR_ENVIRONMENT_VARIABLES(X)
#undef X
    unknown.emplace_back(name);
  }
  return unknown;
}

std::vector<std::string> split_path_list(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    const size_t colon = list.find(':');
    if (colon != 0) parts.emplace_back(list.substr(0, colon));
    list.remove_prefix(colon == std::string_view::npos ? list.size() : colon + 1);
  }
  return parts;
}

std::vector<std::string> library_folders(const Environment& environment, const fs::path& executable) {
  std::vector<std::string> folders = split_path_list(environment.library_path);
  if (executable.empty()) return folders;
  const fs::path venv = executable.parent_path().parent_path() / "venv" / "lib";
  for (const fs::path& python : children(venv, "python3")) {
    for (const fs::path& package : children(python / "site-packages" / "nvidia", "")) {
      std::error_code ignored;
      if (fs::is_directory(package / "lib", ignored)) folders.push_back((package / "lib").string());
    }
  }
  return folders;
}

fs::path executable_path() {
  std::error_code error;
  fs::path path = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path() : path;
}

}  // namespace tailor::cli
