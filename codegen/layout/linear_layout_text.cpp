// The text form of linear_layout.h.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/layout/linear_layout.h"
#include "codegen/layout/text.h"

namespace tailor::codegen::layout {
namespace {

// '(' (integer (',' integer)*)? ')'
Expected<std::vector<int64_t>> parse_base(text::Scanner& scanner) {
  std::vector<int64_t> base;
  if (scanner.accept(")")) return base;
  do {
    TAILOR_ASSIGN_OR_RETURN(int64_t coordinate, scanner.integer());
    base.push_back(coordinate);
  } while (scanner.accept(","));
  if (!scanner.accept(")")) return scanner.error("',' or ')'");
  return base;
}

}  // namespace

Expected<LinearLayout> LinearLayout::parse(std::string_view words) {
  text::Scanner scanner(words);
  std::vector<LinearInput> inputs;
  std::vector<LinearOutput> outputs;
  TAILOR_RETURN_IF_ERROR(scanner.expect("{"));
  if (!scanner.accept("}")) {
    do {
      LinearInput input;
      TAILOR_ASSIGN_OR_RETURN(input.name, scanner.identifier());
      TAILOR_RETURN_IF_ERROR(scanner.expect(":"));
      while (scanner.accept("(")) {
        TAILOR_ASSIGN_OR_RETURN(std::vector<int64_t> base, parse_base(scanner));
        input.bases.push_back(std::move(base));
      }
      inputs.push_back(std::move(input));
    } while (scanner.accept(";"));
    if (!scanner.accept("}")) return scanner.error("'(', ';' or '}'");
  }
  TAILOR_RETURN_IF_ERROR(scanner.expect("->"));
  TAILOR_RETURN_IF_ERROR(scanner.expect("{"));
  if (!scanner.accept("}")) {
    do {
      LinearOutput output;
      TAILOR_ASSIGN_OR_RETURN(output.name, scanner.identifier());
      TAILOR_RETURN_IF_ERROR(scanner.expect(":"));
      TAILOR_ASSIGN_OR_RETURN(output.size, scanner.integer());
      outputs.push_back(std::move(output));
    } while (scanner.accept(","));
    if (!scanner.accept("}")) return scanner.error("',' or '}'");
  }
  if (!scanner.at_end()) return scanner.error("the end");
  return create(std::move(inputs), std::move(outputs));
}

std::string LinearLayout::to_string() const {
  std::string text = "{";
  for (const LinearInput& input : inputs_) {
    text += text.size() == 1 ? "" : "; ";
    text += input.name + ":";
    for (const auto& base : input.bases) text += fmt::format(" ({})", fmt::join(base, ","));
  }
  text += "} -> {";
  bool first = true;
  for (const LinearOutput& output : outputs_) {
    text += fmt::format("{}{}: {}", first ? "" : ", ", output.name, output.size);
    first = false;
  }
  return text + "}";
}

}  // namespace tailor::codegen::layout
