// Runs the `tailor` binary of this build and keeps what it said. For end-to-end tests; no shell in between.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace tailor::cli {

struct Outcome {
  int exit_code = -1;  // 128 + signal if a signal ended it
  std::string out, err;

  // stdout as JSON; a discarded value if it is none.
  nlohmann::json json() const { return nlohmann::json::parse(out, nullptr, false); }
};

struct CommandLine {
  std::vector<std::string> arguments;
  std::map<std::string, std::string> set;  // environment variables on top of this process's
  std::vector<std::string> unset;
  std::string stdout_path;  // where stdout goes, if not into Outcome::out
};

Outcome run_tailor(const CommandLine& line);
inline Outcome run_tailor(std::vector<std::string> arguments) {
  return run_tailor(CommandLine{std::move(arguments), {}, {}, {}});
}

// A folder of its own, removed with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::filesystem::path path() const { return path_; }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// "NVRTC", "nvJitLink" … as `tailor doctor` sees it.
bool has_part(const std::string& name);

}  // namespace tailor::cli
