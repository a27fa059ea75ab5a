// The `tailor` command: parses, runs one verb, and turns everything that can go wrong into a message and an exit code.
#include <algorithm>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "runtime/cli/command.h"
#include "runtime/cli/exit_code.h"
#include "runtime/cli/flags.h"

namespace tailor::cli {

int fail(const Status& status, bool as_json) {
  say_error(status.message());
  if (as_json) {
    const Json report{{"verified", false},
                      {"error", {{"code", to_string(status.code())}, {"message", status.message()}}}};
    if (const Status printed = print_report(report, true); !printed.ok()) say_error(printed.message());
  }
  return exit_code(status);
}

namespace {

std::string footer() {
  std::string text = "Exit codes:\n";
#define X(name, code, meaning) text += fmt::format("  {:<20} {}\n", code, meaning);
  TAILOR_EXIT_CODES(X)
#undef X
  text += "Environment:\n";
#define X(member, variable, what) text += fmt::format("  {:<20} {}\n", variable, what);
  TAILOR_ENVIRONMENT_VARIABLES(X)
#undef X
  text.pop_back();
  return text;
}

int run_command(int argc, char** argv) {
  Invocation invocation{read_environment(), executable_path(), {}};
  CLI::App app("Kernels cut to the shape of ragged inference, made at launch time");
  app.name("tailor");
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Print the help of every verb");
  app.footer(footer());
#define X(add, verb, description) add(*app.add_subcommand(verb, description), invocation);
  TAILOR_VERBS(X)
#undef X
  require_integers(app);
  show_defaults(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    // CLI11 asks for a subcommand before it looks at words that are none.
    const bool required = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
    const std::vector<std::string> words = required ? app.remaining(true) : std::vector<std::string>{};
    const std::string message =
        words.empty() ? error.what() : fmt::format("{}; '{}' is none", error.what(), words.front());
    // What was parsed so far says nothing about words that were not reached.
    const bool as_json = std::find(argv + 1, argv + argc, std::string_view("--json")) != argv + argc;
    const int code = fail(invalid_argument(message), as_json);
    say_info("--help lists what there is");
    return code;
  }
  for (const std::string& name : unknown_variables()) {
    say_warning(fmt::format("the environment variable {} is none that is read; --help lists them", name));
  }
  return invocation.action();
}

}  // namespace
}  // namespace tailor::cli

int main(int argc, char** argv) {
  try {
    return tailor::cli::run_command(argc, argv);
  } catch (const std::exception& error) {
    tailor::cli::say_error(std::string("failed: ") + error.what());
  } catch (...) {
    tailor::cli::say_error("failed for a reason that has no name");
  }
  return tailor::cli::kExitFailed;
}
