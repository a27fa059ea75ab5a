#include "codegen/tile/tile.h"

#include <algorithm>

#include <fmt/format.h>

namespace tailor::codegen::tile {

std::string_view to_string(Op op) {
  switch (op) {
#define X(name, text, results, memory, meaning) \
  case Op::name:                                \
    return text;
    TAILOR_TILE_OPS(X)
#undef X
  }
  return "?";
}

int result_count(Op op) {
  switch (op) {
#define X(name, text, results, memory, meaning) \
  case Op::name:                                \
    return results;
    TAILOR_TILE_OPS(X)
#undef X
  }
  return 0;
}

bool is_memory(Op op) {
  switch (op) {
#define X(name, text, results, memory, meaning) \
  case Op::name:                                \
    return memory;
    TAILOR_TILE_OPS(X)
#undef X
  }
  return false;
}

bool is_loop(Op op) { return op == Op::kEach || op == Op::kRows; }
bool is_mover(Op op) { return op == Op::kCopy || op == Op::kFill || op == Op::kConvert || op == Op::kRotate; }

std::string_view to_string(Relation relation) {
  switch (relation) {
#define X(name, text)  \
  case Relation::name: \
    return text;
    TAILOR_TILE_RELATIONS(X)
#undef X
  }
  return "?";
}

std::string_view to_string(Role role) {
  switch (role) {
#define X(name, text) \
  case Role::name:    \
    return text;
    TAILOR_TILE_ROLES(X)
#undef X
  }
  return "?";
}

std::string_view fault_name(DeviceFault fault) {
  switch (fault) {
    case DeviceFault::kNone:
      return "None";
#define X(code, name, text) \
  case DeviceFault::name:   \
    return std::string_view(#name).substr(1);
      TAILOR_DEVICE_FAULTS(X)
#undef X
  }
  return "?";
}

std::optional<DeviceFault> parse_fault(std::string_view text) {
#define X(code, name, meaning) \
  if (text == fault_name(DeviceFault::name)) return DeviceFault::name;
  TAILOR_DEVICE_FAULTS(X)
#undef X
  return std::nullopt;
}

ViewId Program::find_view(std::string_view name) const {
  for (ViewId i = 0; i < views_.size(); ++i) {
    if (views_[i].name == name) return i;
  }
  return kNone;
}

ViewId Builder::view(View view) {
  program_.views_.push_back(std::move(view));
  return static_cast<ViewId>(program_.views_.size() - 1);
}

ValueId Builder::value(std::string name, Type type) {
  const auto taken = [&](const std::string& candidate) {
    return std::any_of(program_.values_.begin(), program_.values_.end(),
                       [&](const auto& v) { return v.name == candidate; });
  };
  std::string unique = name;
  for (int i = 1; taken(unique); ++i) unique = fmt::format("{}{}", name, i);
  program_.values_.push_back({std::move(unique), type});
  return static_cast<ValueId>(program_.values_.size() - 1);
}

void Builder::append(Node node) { (open_.empty() ? program_.body_ : *open_.back()).push_back(std::move(node)); }

std::vector<Node> Builder::nested(const std::function<void()>& body) {
  std::vector<Node> nodes;
  open_.push_back(&nodes);
  body();
  open_.pop_back();
  return nodes;
}

ValueId Builder::token(std::string name) {
  Node node;
  node.op = Op::kToken;
  node.results = {value(std::move(name), Type::kToken)};
  append(node);
  return node.results[0];
}

ValueId Builder::join(std::vector<ValueId> tokens) {
  Node node;
  node.op = Op::kJoin;
  node.operands = std::move(tokens);
  node.results = {value("joined", Type::kToken)};
  append(node);
  return node.results[0];
}

Builder::Loaded Builder::load(std::string name, ViewId view, std::vector<ValueId> indices, ValueId after) {
  Node node;
  node.op = Op::kLoad;
  node.view = view;
  node.indices = std::move(indices);
  node.after = after;
  const Loaded loaded{value(std::move(name), Type::kScalar), value("m", Type::kToken)};
  node.results = {loaded.value, loaded.token};
  append(std::move(node));
  return loaded;
}

Builder::Segment Builder::search(ViewId offsets, ValueId row, ValueId after) {
  Node node;
  node.op = Op::kSearch;
  node.view = offsets;
  node.operands = {row};
  node.after = after;
  const Segment segment{value("s", Type::kScalar), value("begin", Type::kScalar), value("end", Type::kScalar),
                        value("m", Type::kToken)};
  node.results = {segment.index, segment.begin, segment.end, segment.token};
  append(std::move(node));
  return segment;
}

ValueId Builder::add(std::string name, ValueId a, int64_t constant) {
  Node node;
  node.op = Op::kAdd;
  node.operands = {a};
  node.immediate = constant;
  node.results = {value(std::move(name), Type::kScalar)};
  append(node);
  return node.results[0];
}

ValueId Builder::sub(std::string name, ValueId a, ValueId b) {
  Node node;
  node.op = Op::kSub;
  node.operands = {a, b};
  node.results = {value(std::move(name), Type::kScalar)};
  append(node);
  return node.results[0];
}

Builder::Place Builder::resolve(std::string quotient, std::string remainder, ValueId position, Extent divisor) {
  Node node;
  node.op = Op::kResolve;
  node.operands = {position};
  node.extent = std::move(divisor);
  const Place place{value(std::move(quotient), Type::kScalar), value(std::move(remainder), Type::kScalar)};
  node.results = {place.column, place.slot};
  append(std::move(node));
  return place;
}

ValueId Builder::sum(std::string name, ValueId a, ValueId b, Extent below, DeviceFault fault, ValueId fault_index) {
  Node node;
  node.op = Op::kSum;
  node.operands = {a, b};
  node.extent = std::move(below);
  report(node, fault, fault_index);
  node.results = {value(std::move(name), Type::kScalar)};
  append(node);
  return node.results[0];
}

void Builder::report(Node& node, DeviceFault fault, ValueId fault_index) const {
  if (program_.status_.empty()) return;
  node.fault = fault;
  node.fault_index = fault_index;
}

void Builder::check(std::vector<Term> chain, std::vector<Relation> relations, DeviceFault fault, ValueId fault_index) {
  Node node;
  node.op = Op::kCheck;
  node.chain = std::move(chain);
  node.relations = std::move(relations);
  report(node, fault, fault_index);
  append(std::move(node));
}

ValueId Builder::copy(ViewId target, std::vector<ValueId> target_indices, ViewId source,
                      std::vector<ValueId> source_indices, ValueId after) {
  Node node;
  node.op = Op::kCopy;
  node.view = target;
  node.indices = std::move(target_indices);
  node.source = source;
  node.source_indices = std::move(source_indices);
  node.after = after;
  node.results = {value("m", Type::kToken)};
  append(node);
  return node.results[0];
}

ValueId Builder::transpose(ViewId target, ValueId begin, ValueId end, ViewId source, ValueId row, int64_t group,
                           ValueId after) {
  Node node;
  node.immediate = group;
  node.op = Op::kTranspose;
  node.view = target;
  node.indices = {begin, end};
  node.source = source;
  node.source_indices = {row};
  node.after = after;
  node.results = {value("m", Type::kToken)};
  append(node);
  return node.results[0];
}

ValueId Builder::convert(ViewId target, std::vector<ValueId> target_indices, ViewId source,
                         std::vector<ValueId> source_indices, std::vector<ViewId> scale, ValueId after) {
  Node node;
  node.op = Op::kConvert;
  node.view = target;
  node.indices = std::move(target_indices);
  node.source = source;
  node.source_indices = std::move(source_indices);
  node.tables = std::move(scale);
  node.after = after;
  node.results = {value("m", Type::kToken)};
  append(node);
  return node.results[0];
}

ValueId Builder::rotate(ViewId target, std::vector<ValueId> target_indices, ViewId source,
                        std::vector<ValueId> source_indices, std::vector<ViewId> cos_sin, ValueId position,
                        RopeStyle style, ValueId after) {
  Node node;
  node.op = Op::kRotate;
  node.view = target;
  node.indices = std::move(target_indices);
  node.source = source;
  node.source_indices = std::move(source_indices);
  node.tables = std::move(cos_sin);
  node.table_indices = {position};
  node.style = style;
  node.after = after;
  node.results = {value("m", Type::kToken)};
  append(node);
  return node.results[0];
}

ValueId Builder::fill(ViewId target, std::vector<ValueId> target_indices, std::string bits, ValueId after) {
  Node node;
  node.op = Op::kFill;
  node.view = target;
  node.indices = std::move(target_indices);
  node.extent = Extent::of(std::move(bits));
  node.after = after;
  node.results = {value("m", Type::kToken)};
  append(node);
  return node.results[0];
}

void Builder::when(std::vector<Term> chain, std::vector<Relation> relations, const std::function<void()>& body,
                   const std::function<void()>& otherwise) {
  Node node;
  node.op = Op::kWhen;
  node.chain = std::move(chain);
  node.relations = std::move(relations);
  node.body = nested(body);
  node.otherwise = nested(otherwise);
  append(std::move(node));
}

void Builder::each(std::string name, Extent extent, const std::function<void(ValueId)>& body) {
  if (!program_.status_.empty()) loop(Op::kEach, std::move(name), std::move(extent), body);
}

void Builder::rows(std::string name, Extent extent, const std::function<void(ValueId)>& body) {
  loop(Op::kRows, std::move(name), std::move(extent), body);
}

void Builder::loop(Op op, std::string name, Extent extent, const std::function<void(ValueId)>& body) {
  Node node;
  node.op = op;
  node.extent = std::move(extent);
  node.results = {value(std::move(name), Type::kScalar)};
  node.body = nested([&] { body(node.results[0]); });
  append(std::move(node));
}

}  // namespace tailor::codegen::tile
