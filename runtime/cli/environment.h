// The environment of the process: the only place of the command that reads it.
//
// Precedence is flag, then environment, then default. Thread-safety: read once, in main; a value afterwards.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tailor::cli {

// member, variable, what it does
#define TAILOR_ENVIRONMENT_VARIABLES(X)                                                                              \
  X(cache_dir, "TAILOR_CACHE_DIR", "root of the disk cache, instead of XDG_CACHE_HOME/tailor or HOME/.cache/tailor") \
  X(library_path, "TAILOR_LIBRARY_PATH", "folders to look for NVRTC and nvJitLink in first, separated by ':'")       \
  X(xdg_cache_home, "XDG_CACHE_HOME", "the user's cache folder")                                                     \
  X(home, "HOME", "the user's home, for the default cache folder")

struct Environment {
#define X(member, variable, what) std::string member;  // empty: unset
  TAILOR_ENVIRONMENT_VARIABLES(X)
#undef X
};

Environment read_environment();

// Variables of this process that begin with TAILOR_ and are not in the table: a misspelt setting would do nothing.
std::vector<std::string> unknown_variables();

// "a:b" -> {"a", "b"}; empty parts are dropped.
std::vector<std::string> split_path_list(std::string_view list);

// Folders in which NVRTC and nvJitLink may lie, best first: those of TAILOR_LIBRARY_PATH, then what the PyPI wheels of
// scripts/test leave in <folder of the executable>/../venv/lib/python3*/site-packages/nvidia/*/lib.
std::vector<std::string> library_folders(const Environment& environment, const std::filesystem::path& executable);

// Where this executable lies; empty if the system does not say.
std::filesystem::path executable_path();

}  // namespace tailor::cli
