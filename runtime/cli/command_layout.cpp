// tailor layout eval | explain | draw: questions to the layout engine. They go through libtailor_codegen, so
// that the command itself knows nothing of layouts.
#include <array>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "runtime/cli/command.h"
#include "runtime/cli/exit_code.h"
#include "runtime/cli/flags.h"
#include "runtime/dispatch/generator_loader.h"
#include "runtime/ops/layout_tool.h"

namespace tailor::cli {
namespace {

// The engine refuses lines that are longer than 1 MiB; what is read beyond that is dropped here.
constexpr size_t kMaxLine = (size_t{1} << 20) + 1;

// The next line of `input` without its end; lines beyond kMaxLine are cut there. False at the end.
bool next_line(std::FILE* input, std::string& line) {
  line.clear();
  int c = 0;
  while ((c = std::getc(input)) != EOF && c != '\n') {
    if (line.size() < kMaxLine) line += static_cast<char>(c);
  }
  return c != EOF || !line.empty();
}

std::string answer_text(const std::string& answer) {
  const Json json = Json::parse(answer, nullptr, false);
  return json.is_discarded() ? answer + "\n" : to_text(json) + "\n";
}

// Every line of stdin gets one answer, in order, at once.
int answer_lines(LayoutTool& tool, bool as_json) {
  std::string line;
  while (next_line(stdin, line)) {
    const std::string answer = tool.evaluate_line(line);
    if (const Status written = write_output(as_json ? answer + "\n" : answer_text(answer), ""); !written.ok())
      return fail(written, false);
  }
  if (std::ferror(stdin) != 0) return fail(io_error("stdin cannot be read"), false);
  return kExitOk;
}

struct EvalOptions {
  std::vector<std::string> words;  // op, a, b
  bool json = false;
};

int eval(const EvalOptions& options) {
  auto tool = load_layout_tool();
  if (!tool.ok()) return fail(tool.status(), options.json);
  if (options.words.empty()) return answer_lines(**tool, options.json);
  constexpr std::array<const char*, 3> members{"op", "a", "b"};
  Json question;
  for (size_t k = 0; k < options.words.size(); ++k) question[members.at(k)] = options.words[k];
  const std::string answer = (*tool)->evaluate_line(question.dump(-1, ' ', false, Json::error_handler_t::replace));
  const Json json = Json::parse(answer, nullptr, false);
  if (!json.is_object()) return fail(internal_error("the layout engine answered " + answer), options.json);
  const bool answered = json.value("ok", false);
  if (!answered && json.value("fault", "") == "question") {
    return fail(invalid_argument(json.value("reason", answer)), options.json);
  }
  if (!answered) say_error(json.value("reason", answer));
  if (!answered && !options.json) return kExitFailed;
  const Status written = write_output(options.json ? answer + "\n" : to_text(json), "");
  if (!written.ok()) return fail(written, false);
  return answered ? kExitOk : kExitFailed;
}

// What explain and draw ask: a layout and members of their requests.
struct RequestOptions {
  std::string layout;
  std::vector<std::string> members;  // NAME=VALUE
  std::vector<std::string> facts;
  std::string output;
  bool json = false;
};

// "element_bytes=2" is a number, "facts=[\"D = 80\"]" a list, anything that is not JSON a string.
Expected<std::string> request(const RequestOptions& options) {
  Json json;
  if (options.layout.starts_with('{')) {
    json = Json::parse(options.layout, nullptr, false);
    if (!json.is_object()) return invalid_argument("the request starts like a JSON object but is none");
  } else {
    json["layout"] = options.layout;
  }
  for (const std::string& member : options.members) {
    const size_t equals = member.find('=');
    if (equals == std::string::npos || equals == 0)
      return invalid_argument(fmt::format("--set {}: it must be NAME=VALUE", member));
    const std::string value = member.substr(equals + 1);
    Json parsed = Json::parse(value, nullptr, false);
    json[member.substr(0, equals)] = parsed.is_discarded() ? Json(value) : std::move(parsed);
  }
  if (!options.facts.empty() && json.contains("facts") && !json["facts"].is_array())
    return invalid_argument("\"facts\" must be a list of strings");
  for (const std::string& fact : options.facts) json["facts"].push_back(fact);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

int explain(const RequestOptions& options) {
  auto tool = load_layout_tool();
  if (!tool.ok()) return fail(tool.status(), options.json);
  const auto question = request(options);
  if (!question.ok()) return fail(question.status(), options.json);
  const auto answer = (*tool)->explain(*question);
  if (!answer.ok()) return fail(answer.status(), options.json);
  const Json json = Json::parse(*answer, nullptr, false);
  const Status written = json.is_discarded() ? write_output(*answer, "") : print_report(json, options.json);
  return written.ok() ? kExitOk : fail(written, false);
}

int draw(const RequestOptions& options) {
  auto tool = load_layout_tool();
  if (!tool.ok()) return fail(tool.status(), false);
  const auto question = request(options);
  if (!question.ok()) return fail(question.status(), false);
  const auto picture = (*tool)->draw(*question);
  if (!picture.ok()) return fail(picture.status(), false);
  const Status written = write_output(*picture, options.output);
  return written.ok() ? kExitOk : fail(written, false);
}

void add_eval(CLI::App& app, Invocation& invocation) {
  CLI::App& eval_app = *app.add_subcommand(
      "eval", "Answer one question (OP A [B]), or one JSON line of stdin after the other: {\"op\":…,\"a\":…,\"b\":…}");
  auto options = std::make_shared<EvalOptions>();
  eval_app
      .add_option("question", options->words, "operation and its layouts, e.g. composition '(6,2):(8,2)' '(4,3):(3,1)'")
      ->expected(0, 3)
      ->type_name("OP A B");
  add_json_flag(eval_app, options->json);
  eval_app.callback([options, &invocation] { invocation.action = [options] { return eval(*options); }; });
}

std::shared_ptr<RequestOptions> add_request(CLI::App& app, const char* members) {
  auto options = std::make_shared<RequestOptions>();
  app.add_option("layout", options->layout, "a layout, or the whole request as a JSON object")->required();
  app.add_option("--set", options->members, members)->type_name("NAME=VALUE")->allow_extra_args(false);
  return options;
}

}  // namespace

void add_layout(CLI::App& app, Invocation& invocation) {
  app.require_subcommand(1);
  add_eval(app, invocation);

  CLI::App& explain_app = *app.add_subcommand("explain", "Vector width, tails, guards, TMA legality, and why");
  auto question = add_request(explain_app, "element_bytes, base_align, base_residue, max_vector_bytes");
  explain_app.add_option("--fact", question->facts, "what holds of a symbol, e.g. 'D = 80'")
      ->type_name("FACT")
      ->allow_extra_args(false);
  add_json_flag(explain_app, question->json);
  explain_app.callback([question, &invocation] { invocation.action = [question] { return explain(*question); }; });

  CLI::App& draw_app = *app.add_subcommand("draw", "A picture of a layout as SVG");
  auto picture = add_request(draw_app, "a member of the request, as codegen/layout/draw.h lists them");
  draw_app.add_option("-o,--output", picture->output, "write there instead of to stdout")->type_name("FILE");
  draw_app.callback([picture, &invocation] { invocation.action = [picture] { return draw(*picture); }; });
}

}  // namespace tailor::cli
