#include "command_line.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tailor::cli {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> environment_of(const CommandLine& line) {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('='));
    if (!line.set.contains(name) && std::count(line.unset.begin(), line.unset.end(), name) == 0) {
      environment.push_back(text);
    }
  }
  for (const auto& [name, value] : line.set) environment.push_back(name + "=" + value);
  return environment;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

Outcome run_tailor(const CommandLine& line) {
  const TemporaryFolder folder;
  const std::string out = line.stdout_path.empty() ? folder / "out" : line.stdout_path, err = folder / "err";
  std::vector<std::string> arguments{TAILOR_COMMAND};
  arguments.insert(arguments.end(), line.arguments.begin(), line.arguments.end());
  std::vector<std::string> environment = environment_of(line);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t child = 0;
  const int error =
      posix_spawn(&child, TAILOR_COMMAND, &actions, nullptr, pointers(arguments).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  Outcome outcome;
  if (error != 0) {
    ADD_FAILURE() << TAILOR_COMMAND << " cannot be run";
    return outcome;
  }
  int status = 0;
  waitpid(child, &status, 0);
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (line.stdout_path.empty()) outcome.out = read_file(out);
  outcome.err = read_file(err);
  return outcome;
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::path(testing::TempDir()) / "tailor_cli_XXXXXX").string();
  if (mkdtemp(name.data())) path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

bool has_part(const std::string& name) {
  static const nlohmann::json parts = run_tailor({"doctor", "--json"}).json()["parts"];
  return std::any_of(parts.begin(), parts.end(),
                     [&](const nlohmann::json& part) { return part["part"] == name && part["found"] == true; });
}

}  // namespace tailor::cli
