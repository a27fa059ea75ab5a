#include "codegen/layout/eval.h"

#include <charconv>
#include <cstdint>
#include <exception>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "codegen/layout/composed_layout.h"
#include "codegen/layout/coordinates.h"
#include "codegen/layout/explain_request.h"
#include "codegen/layout/linear_layout.h"
#include "codegen/layout/notation_reader.h"
#include "codegen/layout/reshape.h"
#include "codegen/layout/tiling.h"

namespace tailor::codegen::layout {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxModes = 64;
constexpr int64_t kMaxValues = 4096;
constexpr size_t kMaxReason = 300;  // of an error that repeats what it read

Expected<ComposedLayout> bounded(ComposedLayout layout, std::string_view member) {
  const size_t modes = layout.layout().leaves().size();
  if (modes <= kMaxModes) return layout;
  return invalid_argument(fmt::format("\"{}\" has {} modes; at most {} are evaluated", member, modes, kMaxModes));
}

bool beyond_int64(const Json& number) {
  return number.is_number_unsigned() && number.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX);
}

// The members of one question, read on demand; remembers which were, and whether one could not be.
class Question {
 public:
  explicit Question(const Json& json) : json_(json) {}

  bool has(const char* member) const { return json_.contains(member); }
  bool unreadable() const { return unreadable_; }

  // What the operation has no use for is not passed over: somebody meant something by it.
  Status check_all_read(std::string_view op) const {
    for (const auto& [name, value] : json_.items()) {
      if (read_.contains(name)) continue;
      unreadable_ = true;
      return invalid_argument(fmt::format("\"{}\" is no member that {} takes; here it takes \"{}\"", name.substr(0, 40),
                                          op, fmt::join(read_, "\", \"")));
    }
    return {};
  }

  Expected<std::string> text(const char* member) const { return noted(read_text(member)); }
  // A number, or a string that holds one.
  Expected<int64_t> number(const char* member) const { return noted(read_number(member)); }
  Expected<ComposedLayout> layout(const char* member) const { return noted(read_layout(member)); }
  Expected<StridedLayout> strided(const char* member) const { return noted(read_strided(member)); }
  Expected<Tiler> tiler(const char* member) const { return noted(read_tiler(member)); }
  Expected<Coordinate> coordinate(const char* member) const { return noted(read_coordinate(member)); }
  // The extents of a shape's top-level modes.
  Expected<std::vector<int64_t>> extents(const char* member) const { return noted(read_extents(member)); }
  // "{lane: 32, warp: 4}"
  Expected<std::vector<std::pair<std::string, int64_t>>> sizes(const char* member) const {
    return noted(read_sizes(member));
  }
  Expected<LinearLayout> linear(const char* member) const { return noted(read_linear(member)); }

 private:
  template <class T>
  Expected<T> noted(Expected<T> result) const {
    unreadable_ = unreadable_ || !result.ok();
    return result;
  }

  Expected<std::string> read_text(const char* member) const {
    if (!has(member)) return invalid_argument(fmt::format("\"{}\" is missing", member));
    read_.insert(member);
    const Json& value = json_[member];
    if (value.is_number_integer()) return value.dump();
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number()) {
      return invalid_argument(
          fmt::format("\"{}\" is {}; it must be a string or an integer of 64 bits", member, value.dump()));
    }
    return invalid_argument(fmt::format("\"{}\" must be a string", member));
  }

  Expected<int64_t> read_number(const char* member) const {
    TAILOR_ASSIGN_OR_RETURN(std::string digits, text(member));
    int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc() && end == digits.data() + digits.size()) return value;
    return invalid_argument(
        fmt::format("\"{}\" is {}; it must be an integer of 64 bits", member, digits.substr(0, 40)));
  }

  Expected<ComposedLayout> read_layout(const char* member) const {
    TAILOR_ASSIGN_OR_RETURN(std::string notation, text(member));
    auto layout = ComposedLayout::parse(notation);
    if (!layout.ok()) return invalid_argument(fmt::format("\"{}\": {}", member, layout.status().message()));
    return bounded(std::move(*layout), member);
  }

  Expected<StridedLayout> read_strided(const char* member) const {
    TAILOR_ASSIGN_OR_RETURN(ComposedLayout layout, this->layout(member));
    if (layout.is_strided()) return layout.layout();
    return invalid_argument(fmt::format("\"{}\" is {}; this operation needs a layout without xor factor and offset",
                                        member, layout.to_string()));
  }

  Expected<Tiler> read_tiler(const char* member) const {
    TAILOR_ASSIGN_OR_RETURN(std::string notation, text(member));
    auto tiler = Tiler::parse(notation);
    if (!tiler.ok()) return invalid_argument(fmt::format("\"{}\": {}", member, tiler.status().message()));
    size_t modes = 0;
    for (const StridedLayout& layout : tiler->layouts) modes += layout.leaves().size();
    if (modes > kMaxModes) {
      return invalid_argument(fmt::format("\"{}\" has {} modes; at most {} are evaluated", member, modes, kMaxModes));
    }
    return tiler;
  }

  Expected<Coordinate> read_coordinate(const char* member) const {
    TAILOR_ASSIGN_OR_RETURN(std::string notation, text(member));
    auto coordinate = parse_coordinate(notation);
    if (!coordinate.ok()) return invalid_argument(fmt::format("\"{}\": {}", member, coordinate.status().message()));
    return coordinate;
  }

  Expected<std::vector<int64_t>> read_extents(const char* member) const {
    TAILOR_ASSIGN_OR_RETURN(StridedLayout shape, strided(member));
    std::vector<int64_t> result;
    const Mode& root = shape.root();
    for (const Mode& mode : root.group ? root.modes : std::vector<Mode>{root}) {
      TAILOR_ASSIGN_OR_RETURN(StridedLayout part, StridedLayout::create(mode));
      result.push_back(part.size());
    }
    return result;
  }

  Expected<std::vector<std::pair<std::string, int64_t>>> read_sizes(const char* member) const {
    TAILOR_ASSIGN_OR_RETURN(std::string notation, text(member));
    // The outputs of a linear layout are written like this.
    auto named = LinearLayout::parse("{} -> " + notation);
    if (!named.ok()) {
      return invalid_argument(fmt::format("\"{}\" is '{}'; it must be sizes, \"{{lane: 32, warp: 4}}\", powers of two",
                                          member, notation.substr(0, 40)));
    }
    std::vector<std::pair<std::string, int64_t>> result;
    for (const LinearOutput& dim : named->outputs()) result.emplace_back(dim.name, dim.size);
    return result;
  }

  Expected<LinearLayout> read_linear(const char* member) const {
    const Json empty;
    const Json& value = has(member) ? json_[member] : empty;
    read_.insert(member);
    if (value.is_string()) {
      auto layout = LinearLayout::parse(value.get<std::string>());
      if (!layout.ok()) return invalid_argument(fmt::format("\"{}\": {}", member, layout.status().message()));
      return layout;
    }
    if (!value.is_object() || !value.contains("in") || !value.contains("out") || !value["in"].is_object() ||
        !value["out"].is_object()) {
      return invalid_argument(
          fmt::format("\"{}\" must be a linear layout, \"{{lane: (1) (2)}} -> {{dim0: 4}}\" or "
                      "{{\"in\":{{\"lane\":[[1],[2]]}},\"out\":{{\"dim0\":4}}}}",
                      member));
    }
    std::vector<LinearInput> inputs;
    for (const auto& [name, bases] : value["in"].items()) {
      LinearInput input{name, {}};
      if (!bases.is_array()) return invalid_argument(fmt::format("the bases of '{}' must be an array of arrays", name));
      for (const Json& base : bases) {
        std::vector<int64_t> coordinates;
        for (const Json& coordinate : base) {
          if (!coordinate.is_number_integer() || beyond_int64(coordinate))
            return invalid_argument(fmt::format("the bases of '{}' must be arrays of integers", name));
          coordinates.push_back(coordinate.get<int64_t>());
        }
        input.bases.push_back(std::move(coordinates));
      }
      inputs.push_back(std::move(input));
    }
    std::vector<LinearOutput> outputs;
    for (const auto& [name, size] : value["out"].items()) {
      if (!size.is_number_integer() || beyond_int64(size))
        return invalid_argument(fmt::format("the size of '{}' must be an integer", name));
      outputs.push_back({name, size.get<int64_t>()});
    }
    return LinearLayout::create(std::move(inputs), std::move(outputs));
  }

  const Json& json_;
  mutable std::set<std::string, std::less<>> read_;
  mutable bool unreadable_ = false;
};

Json answer_of(const ComposedLayout& layout) {
  Json answer{{"ok", true}, {"layout", layout.to_string()}, {"size", layout.size()}, {"cosize", layout.cosize()}};
  if (auto values = layout.values(kMaxValues); values.ok()) answer["values"] = *values;
  return answer;
}

Json answer_of(const StridedLayout& layout) { return answer_of(ComposedLayout(layout)); }

template <class T>
Expected<Json> answered(const Expected<T>& result) {
  if (!result.ok()) return result.status();
  return answer_of(*result);
}

Expected<Json> linear_answer(const Expected<LinearLayout>& result) {
  if (!result.ok()) return result.status();
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout layout, result->to_layout());
  Json answer = answer_of(layout);
  answer["linear"] = result->to_string();
  answer["surjective"] = result->is_surjective();
  answer["injective"] = result->is_injective();
  return answer;
}

// An operation on the strided part: the factor and the offset come after it and stay.
template <class Operation>
Expected<Json> lifted(const Question& question, Operation operation) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout a, question.layout("a"));
  TAILOR_ASSIGN_OR_RETURN(StridedLayout changed, operation(a.layout()));
  return answered(ComposedLayout::create(a.factor(), a.offset(), std::move(changed)));
}

using Tiling = Expected<StridedLayout> (*)(const StridedLayout&, const Tiler&);

Expected<Json> tiled(const Question& question, Tiling tiling) {
  TAILOR_ASSIGN_OR_RETURN(Tiler tiler, question.tiler("b"));
  return lifted(question, [&](const StridedLayout& a) { return tiling(a, tiler); });
}

Expected<Json> multiplied(const Question& question,
                          Expected<StridedLayout> (*product)(const StridedLayout&, const StridedLayout&)) {
  TAILOR_ASSIGN_OR_RETURN(StridedLayout b, question.strided("b"));
  return lifted(question, [&](const StridedLayout& a) { return product(a, b); });
}

// One function per operation of the table, under its name.
namespace operation {

Expected<Json> evaluate(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout a, q.layout("a"));
  Json answer = answer_of(a);
  if (q.has("b")) {
    TAILOR_ASSIGN_OR_RETURN(Coordinate at, q.coordinate("b"));
    TAILOR_ASSIGN_OR_RETURN(answer["value"], evaluate_at(a, at));
  }
  return answer;
}
Expected<Json> coalesce(const Question& q) {
  return lifted(q, [](const StridedLayout& a) { return layout::coalesce(a); });
}
Expected<Json> composition(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout a, q.layout("a"));
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout b, q.layout("b"));
  return answered(layout::composition(a, b));
}
Expected<Json> complement(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout a, q.layout("a"));
  TAILOR_ASSIGN_OR_RETURN(int64_t bound, q.number("b"));
  return answered(layout::complement(a, bound));
}
Expected<Json> right_inverse(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout a, q.layout("a"));
  return answered(layout::right_inverse(a));
}
Expected<Json> left_inverse(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout a, q.layout("a"));
  return answered(layout::left_inverse(a));
}
Expected<Json> logical_divide(const Question& q) { return tiled(q, layout::logical_divide); }
Expected<Json> zipped_divide(const Question& q) { return tiled(q, layout::zipped_divide); }
Expected<Json> tiled_divide(const Question& q) { return tiled(q, layout::tiled_divide); }
Expected<Json> flat_divide(const Question& q) { return tiled(q, layout::flat_divide); }
Expected<Json> logical_product(const Question& q) { return tiled(q, layout::logical_product); }
Expected<Json> zipped_product(const Question& q) { return tiled(q, layout::zipped_product); }
Expected<Json> tiled_product(const Question& q) { return tiled(q, layout::tiled_product); }
Expected<Json> flat_product(const Question& q) { return tiled(q, layout::flat_product); }
Expected<Json> blocked_product(const Question& q) { return multiplied(q, layout::blocked_product); }
Expected<Json> raked_product(const Question& q) { return multiplied(q, layout::raked_product); }
Expected<Json> tile_to_shape(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(std::vector<int64_t> shape, q.extents("b"));
  std::vector<int64_t> order;
  if (q.has("order")) {
    TAILOR_ASSIGN_OR_RETURN(order, q.extents("order"));
  }
  return lifted(q, [&](const StridedLayout& a) { return layout::tile_to_shape(a, shape, order); });
}
Expected<Json> max_common_vector(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout a, q.layout("a"));
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout b, q.layout("b"));
  TAILOR_ASSIGN_OR_RETURN(int64_t n, layout::max_common_vector(a, b));
  TAILOR_ASSIGN_OR_RETURN(StridedLayout vector, StridedLayout::leaf(n, 1));
  Json answer = answer_of(vector);
  answer["vector"] = n;
  return answer;
}
Expected<Json> slice(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout a, q.layout("a"));
  TAILOR_ASSIGN_OR_RETURN(Coordinate at, q.coordinate("b"));
  return answered(layout::slice(a, at));
}
Expected<Json> dice(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout a, q.layout("a"));
  TAILOR_ASSIGN_OR_RETURN(Coordinate at, q.coordinate("b"));
  return answered(layout::dice(a, at));
}
Expected<Json> domain_offset(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout a, q.layout("a"));
  TAILOR_ASSIGN_OR_RETURN(Coordinate at, q.coordinate("b"));
  return answered(layout::domain_offset(a, at));
}
Expected<Json> flip(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout a, q.layout("a"));
  TAILOR_ASSIGN_OR_RETURN(int64_t mode, q.number("b"));
  if (mode < 0) return invalid_argument(fmt::format("\"b\" is {}; modes are counted from 0", mode));
  return answered(layout::flip(a, static_cast<size_t>(mode)));
}
Expected<Json> reshape(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(StridedLayout shape, q.strided("b"));
  return lifted(q, [&](const StridedLayout& a) { return layout::reshape(a, shape.root()); });
}
Expected<Json> upcast(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout a, q.layout("a"));
  TAILOR_ASSIGN_OR_RETURN(int64_t n, q.number("b"));
  return answered(layout::upcast(a, n));
}
Expected<Json> downcast(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout a, q.layout("a"));
  TAILOR_ASSIGN_OR_RETURN(int64_t n, q.number("b"));
  return answered(layout::downcast(a, n));
}
Expected<Json> recast(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout a, q.layout("a"));
  TAILOR_ASSIGN_OR_RETURN(int64_t from, q.number("from"));
  TAILOR_ASSIGN_OR_RETURN(int64_t to, q.number("to"));
  return answered(layout::recast(a, from, to));
}
Expected<Json> filter(const Question& q) {
  return lifted(q, [](const StridedLayout& a) { return layout::filter(a); });
}
Expected<Json> nullspace(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout a, q.layout("a"));
  return answered(layout::nullspace(a));
}
Expected<Json> decay(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout a, q.layout("a"));
  return answered(layout::decay(a));
}
Expected<Json> from_linear(const Question& q) { return linear_answer(q.linear("a")); }
Expected<Json> to_linear(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout a, q.layout("a"));
  std::vector<std::pair<std::string, int64_t>> inputs{{"index", a.size()}};
  if (q.has("b")) {
    TAILOR_ASSIGN_OR_RETURN(inputs, q.sizes("b"));
  }
  return linear_answer(LinearLayout::from_layout(a, inputs, "value"));
}
Expected<Json> linear_invert(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(LinearLayout a, q.linear("a"));
  return linear_answer(a.invert());
}
Expected<Json> linear_compose(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(LinearLayout a, q.linear("a"));
  TAILOR_ASSIGN_OR_RETURN(LinearLayout b, q.linear("b"));
  return linear_answer(a.compose(b));
}
Expected<Json> linear_product(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(LinearLayout a, q.linear("a"));
  TAILOR_ASSIGN_OR_RETURN(LinearLayout b, q.linear("b"));
  return linear_answer(a.product(b));
}
Expected<Json> linear_divide_left(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(LinearLayout a, q.linear("a"));
  TAILOR_ASSIGN_OR_RETURN(LinearLayout b, q.linear("b"));
  return linear_answer(a.divide_left(b));
}
Expected<Json> linear_divide_right(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(LinearLayout a, q.linear("a"));
  TAILOR_ASSIGN_OR_RETURN(LinearLayout b, q.linear("b"));
  return linear_answer(a.divide_right(b));
}
Expected<Json> linear_invert_and_compose(const Question& q) {
  TAILOR_ASSIGN_OR_RETURN(LinearLayout a, q.linear("a"));
  TAILOR_ASSIGN_OR_RETURN(LinearLayout b, q.linear("b"));
  return linear_answer(a.invert_and_compose(b));
}

}  // namespace operation

std::string known_operations() {
  std::string list;
#define X(name, b) list += (list.empty() ? "" : ", ") + std::string(#name);
  TAILOR_LAYOUT_OPERATIONS(X)
#undef X
  return list;
}

using Operation = Expected<Json> (*)(const Question&);

Operation find_operation(std::string_view op) {
#define X(name, b) \
  if (op == #name) return operation::name;
  TAILOR_LAYOUT_OPERATIONS(X)
#undef X
  return nullptr;
}

// Sets `refused` once the question is understood: then it is the operation that has no answer.
Expected<Json> answer(std::string_view line, bool& refused) {
  TAILOR_RETURN_IF_ERROR(check_json_text(line));
  if (line.find_first_not_of(" \t\r\n") == std::string_view::npos) return invalid_argument("the line is blank");
  RepeatedMember repeated;
  const Json json = Json::parse(line, repeated.callback<Json>());
  if (repeated.found()) return repeated.status("the line");
  if (!json.is_object()) return invalid_argument("the line must be a JSON object");
  const Question question(json);
  TAILOR_ASSIGN_OR_RETURN(std::string op, question.text("op"));
  const Operation operation = find_operation(op);
  if (operation == nullptr) {
    return invalid_argument(fmt::format("\"op\" is '{}'; it must be one of {}", op.substr(0, 40), known_operations()));
  }
  Expected<Json> result = operation(question);
  if (result.ok()) TAILOR_RETURN_IF_ERROR(question.check_all_read(op));
  refused = !result.ok() && !question.unreadable();
  return result;
}

std::string printed(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string refusal(std::string_view reason, bool refused) {
  return printed(Json{{"ok", false}, {"reason", std::string(reason)}, {"fault", refused ? "operation" : "question"}});
}

}  // namespace

std::string evaluate_line(std::string_view json_line) {
  bool refused = false;
  try {
    const Expected<Json> result = answer(json_line, refused);
    return result.ok() ? printed(*result) : refusal(result.status().message(), refused);
  } catch (const Json::parse_error& error) {
    return refusal(fmt::format("not JSON: {}", std::string_view(error.what()).substr(0, kMaxReason)), false);
  } catch (const std::exception& error) {
    return refusal(
        fmt::format("the question could not be answered: {}", std::string_view(error.what()).substr(0, kMaxReason)),
        true);
  }
}

}  // namespace tailor::codegen::layout
