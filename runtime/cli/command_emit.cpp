// tailor emit OP --what=STAGE and tailor buckets OP: kernels and keys, without a device.
#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "runtime/cli/exit_code.h"
#include "runtime/cli/static_key.h"
#include "runtime/dispatch/generator_loader.h"

namespace tailor::cli {
namespace {

struct EmitOptions {
  KeyFlags key;
  Stage stage = Stage::kKernel;
  std::string output;
  bool json = false;
};

std::optional<Stage> parse_stage(std::string_view s) {
#define X(name, text) \
  if (s == text) return Stage::name;
  TAILOR_STAGES(X)
#undef X
  return std::nullopt;
}

std::string_view name_of(Stage stage) {
  switch (stage) {
#define X(name, text) \
  case Stage::name:   \
    return text;
    TAILOR_STAGES(X)
#undef X
  }
  return "unknown";
}

std::string stage_names() {
  std::string list;
#define X(name, text) list += (list.empty() ? "" : ", ") + std::string(text);
  TAILOR_STAGES(X)
#undef X
  return list;
}

Expected<std::string> show(const Key& key, Stage stage, const Invocation& invocation) {
  if (stage == Stage::kKey) return to_string(key) + "\n";  // needs no code generator
  TAILOR_ASSIGN_OR_RETURN(const auto generator,
                          load_generator("", {library_folders(invocation.environment, invocation.executable)}));
  return generator->show(key, stage);
}

// The obligations as a table: claim, verdict, access, operand and what it is; then the statement and how it was decided.
std::string proof_table(const Json& obligations) {
  size_t operand = 7, what = 4, open = 0;
  for (const Json& o : obligations) {
    operand = std::max(operand, o["operand"].get_ref<const std::string&>().size());
    what = std::max(what, o["what"].get_ref<const std::string&>().size());
  }
  std::string text = fmt::format("{:<9} {:<8} {:>6}  {:<{}}  {:<{}}  statement [method]\n", "claim", "verdict", "access",
                                 "operand", operand, "what", what);
  for (const Json& o : obligations) {
    const auto field = [&](const char* name) -> const std::string& { return o[name].get_ref<const std::string&>(); };
    const int access = o["access"].get<int>();
    text += fmt::format("{:<9} {:<8} {:>6}  {:<{}}  {:<{}}  {} [{}]\n", field("claim"), field("verdict"),
                        access == 0 ? "" : std::to_string(access), field("operand"), operand, field("what"), what,
                        field("statement"), field("method"));
    if (!field("counterexample").empty()) text += fmt::format("  counterexample: {}\n", field("counterexample"));
    if (field("verdict") != "proved") ++open;
  }
  return text + fmt::format("{} obligations, {} not proved\n", obligations.size(), open);
}

int emit(const EmitOptions& options, const Invocation& invocation) {
  const bool binary = options.stage == Stage::kCubin;
  if (binary && options.output.empty() && (options.json || isatty(STDOUT_FILENO))) {
    return fail(invalid_argument("--what=cubin gives bytes; name a file with -o"), options.json);
  }
  auto key = static_key(options.key);
  if (!key.ok()) return fail(key.status(), options.json);
  auto text = show(*key, options.stage, invocation);
  if (!text.ok()) return fail(text.status(), options.json);
  Json obligations;
  if (options.stage == Stage::kProof) {
    obligations = Json::parse(*text);
    text = proof_table(obligations);
  }
  Status written;
  if (!options.json || !options.output.empty()) written = write_output(*text, options.output);
  if (written.ok() && options.json) {
    Json report{{"key", to_string(*key)}, {"what", name_of(options.stage)}, {"bytes", text->size()}};
    if (options.stage == Stage::kProof) report["obligations"] = std::move(obligations);
    if (options.output.empty()) {
      report["text"] = *text;
    } else {
      report["file"] = options.output;
    }
    written = print_report(report, true);
  }
  return written.ok() ? kExitOk : fail(written, false);
}

int buckets(const StaticFlags& flags, bool as_json) {
  const auto configuration = static_configuration(flags);
  if (!configuration.ok()) return fail(configuration.status(), as_json);
  const auto keys = enumerate_keys(*configuration);
  if (!keys.ok()) return fail(keys.status(), as_json);
  Json list = Json::array();
  std::string text = fmt::format("# {} keys\n", keys->size());
  for (const Key& key : *keys) {
    list.push_back(to_string(key));
    text += to_string(key) + "\n";
  }
  const Json report{{"op", flags.op}, {"count", keys->size()}, {"keys", std::move(list)}};
  const Status printed = as_json ? print_report(report, true) : write_output(text, "");
  return printed.ok() ? kExitOk : fail(printed, false);
}

}  // namespace

void add_emit(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<EmitOptions>();
  add_key_flags(app, options->key);
  add_choice(app, "--what", options->stage, parse_stage, stage_names(), "the stage", name_of(options->stage));
  app.add_option("-o,--output", options->output, "write there instead of to stdout")->type_name("FILE");
  add_json_flag(app, options->json);
  app.callback(
      [options, &invocation] { invocation.action = [options, &invocation] { return emit(*options, invocation); }; });
}

void add_buckets(CLI::App& app, Invocation& invocation) {
  struct Options {
    StaticFlags flags;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  add_static_flags(app, options->flags);
  add_json_flag(app, options->json);
  app.callback(
      [options, &invocation] { invocation.action = [options] { return buckets(options->flags, options->json); }; });
}

}  // namespace tailor::cli
