// What the JSON of this folder (eval.h, explain.h, draw.h) shares: bounds on hostile text, members with their rules,
// layouts in either notation, facts as text. Private to codegen/layout.
//
// Threads: pure functions. Errors: kInvalidArgument naming the member, its value and the rule.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "codegen/integer/f2.h"
#include "codegen/layout/facts.h"
#include "codegen/layout/layout.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

// Text that may be given to the JSON library: at most 1 MiB, 64 levels (its copies and prints recurse) and 4096 colons
// (its ordered objects take time quadratic in their members).
Status check_json_text(std::string_view text);

// Finds a name that some object of a JSON text gives twice, of which the JSON library would keep one.
//
//     RepeatedMember repeated;
//     json = Json::parse(text, repeated.callback<Json>(), …);
//     if (repeated.found()) return repeated.status("the line");
class RepeatedMember {
 public:
  template <class Json>
  typename Json::parser_callback_t callback() {
    return [this](int, typename Json::parse_event_t event, Json& parsed) {
      if (event == Json::parse_event_t::object_start) names_.emplace_back();
      if (event == Json::parse_event_t::object_end) names_.pop_back();
      if (event == Json::parse_event_t::key && !names_.back().insert(parsed.template get<std::string>()).second) {
        name_ = parsed.template get<std::string>();
      }
      return true;
    };
  }
  bool found() const { return name_.has_value(); }
  // kInvalidArgument: "the line gives 'a' twice".
  Status status(std::string_view what) const;

 private:
  std::vector<std::set<std::string>> names_;  // of the objects that are open, outermost first
  std::optional<std::string> name_;
};

// One JSON object. Members other than the allowed ones, and repeated ones, are an error; null counts as absent.
class Request {
 public:
  static Expected<Request> parse(std::string_view json, const std::vector<std::string_view>& allowed);

  bool has(std::string_view name) const { return find(name) != nullptr; }
  // nullptr when absent.
  const nlohmann::json* find(std::string_view name) const;
  Expected<int64_t> integer(std::string_view name, int64_t absent, int64_t lo, int64_t hi) const;
  Expected<std::string> text(std::string_view name, const std::string& absent) const;
  // A string or a list of strings.
  Expected<std::vector<std::string>> texts(std::string_view name) const;

 private:
  nlohmann::json object_;
};

// A layout in either notation: "layout [M] (i: M) -> 1 {…}", or CuTe's "(8,8):(8,1)" and "Sw<3,4,3> o …", whose leaves
// become the dimensions m0, m1, … with m0 fastest.
struct AnyLayout {
  GuardedAffineLayout guarded;
  std::optional<integer::F2Map> factor;  // applied to the value
  std::string factor_text;               // "Sw<3,4,3>"
  std::vector<size_t> mode_leaves;       // CuTe: leaves of each top-level mode; empty for the guarded notation
};
Expected<AnyLayout> parse_any_layout(std::string_view text);

// "M % 128 = 17", "M mod 8 = 0", "M = 5", "M <= 4096", or any affine comparison.
Status add_fact(Facts& facts, std::string_view text);

}  // namespace tailor::codegen::layout
