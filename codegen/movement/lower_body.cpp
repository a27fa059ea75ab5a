#include "codegen/movement/lower_body.h"

#include <fmt/format.h>

namespace tailor::codegen::movement {

using kernel::Compare;
using kernel::kNoValue;
using kernel::Op;

void LowerBody::run(Code& code, const tile::Node& loop, Value index, const Segment& found) {
  code.builder().set_name(index, program_.name_of(loop.results[0]));
  known_.learn_index(loop.results[0], loop.extent);
  scalars_[loop.results[0]] = index;
  found_ = found;
  nodes(code, loop.body, 0);
}

Value LowerBody::run(Code& code, const tile::Node& loop, Value index, const Segment& found,
                     const std::vector<bool>& advances, Value most) {
  code.builder().set_name(index, program_.name_of(loop.results[0]));
  known_.learn_index(loop.results[0], loop.extent);
  scalars_[loop.results[0]] = index;
  found_ = found;
  advances_ = &advances;
  run_ = most;
  return nodes(code, loop.body, 0)[0];
}

std::vector<Value> LowerBody::values(const std::vector<tile::ValueId>& ids) const {
  std::vector<Value> result;
  for (tile::ValueId id : ids) result.push_back(scalars_[id]);
  return result;
}

Value LowerBody::value(Code& code, const tile::Term& term) const {
  return term.value != tile::kNone ? scalars_[term.value] : operands_.extent(code, term.extent);
}

LowerBody::Values LowerBody::nodes(Code& code, const std::vector<tile::Node>& body, size_t at) {
  for (; at < body.size(); ++at) {
    const tile::Node& node = body[at];
    if (tile::is_mover(node.op) || node.op == tile::Op::kTranspose) {
      at = move_(code, body, at, scalars_, run_);
      continue;
    }
    if (node.op == tile::Op::kWhen) {
      choose(code, node);
      return {};
    }
    scalar(code, node);
    const Value holds = condition(code, node);
    known_.learn(program_, node);
    if (holds.id != kNoValue) return go_on_if(code, holds, body, at);
    narrow(code, node);
  }
  return taken();
}

// Where the node succeeds, for how many rows from here on: what advances stays below its bounds.
void LowerBody::narrow(Code& code, const tile::Node& node) {
  if (!advances_) return;
  const auto grows = [&](tile::ValueId v) { return v != tile::kNone && (*advances_)[v]; };
  const auto to = [&](Value room) { run_ = code.binary(Op::kMinU, run_, room); };
  if (node.op == tile::Op::kResolve && grows(node.results[1])) {
    to(code.sub(code.i32(*node.extent.exact), scalars_[node.results[1]]));
  }
  if (node.op != tile::Op::kCheck) return;
  for (size_t i = 0; i < node.relations.size(); ++i) {
    if (!grows(node.chain[i].value)) continue;
    const Value room = code.sub(value(code, node.chain[i + 1]), scalars_[node.chain[i].value]);
    to(node.relations[i] == tile::Relation::kLess ? room : code.add_constant(room, 1));
  }
}

// What advances and was too large stays too large; what was too small is it for as many rows as it lacks.
Value LowerBody::length_of_failure(Code& code, const tile::Node& node) const {
  const auto grows = [&](const tile::Term& t) { return t.value != tile::kNone && (*advances_)[t.value]; };
  Value small_enough{}, lacking{};
  for (size_t i = 0; i < node.relations.size(); ++i) {
    const tile::Term &a = node.chain[i], &b = node.chain[i + 1];
    if (grows(b)) lacking = code.sub(value(code, a), value(code, b));
    if (!grows(a)) continue;
    const Compare below = node.relations[i] == tile::Relation::kLess ? Compare::kSlt : Compare::kSle;
    small_enough = code.both(small_enough, code.compare(below, value(code, a), value(code, b)));
  }
  if (lacking.id == kNoValue) return run_;
  const Value some = code.binary(Op::kMinU, run_, code.binary(Op::kMaxS, lacking, code.i32(1)));
  return small_enough.id == kNoValue ? some : code.builder().select(small_enough, some, run_);
}

void LowerBody::scalar(Code& code, const tile::Node& node) {
  const auto operand = [&](size_t k) { return scalars_[node.operands[k]]; };
  const auto define = [&](size_t k, Value v) { scalars_[node.results[k]] = v; };
  switch (node.op) {
    case tile::Op::kLoad: {
      if (scalars_[node.results[0]].id != kNoValue) break;
      std::string indices;
      for (tile::ValueId index : node.indices) indices += (indices.empty() ? "" : ", ") + program_.name_of(index);
      define(0, operands_.load(code, node.view, values(node.indices), fmt::format("entry [{}]", indices)));
      code.builder().set_name(scalars_[node.results[0]], program_.name_of(node.results[0]));
      break;
    }
    case tile::Op::kSearch:
      define(0, found_.index);
      define(1, found_.begin);
      define(2, found_.end);
      break;
    case tile::Op::kAdd:
      define(0, code.add_constant(operand(0), node.immediate));
      break;
    case tile::Op::kSub:
      define(0, code.sub(operand(0), operand(1)));
      break;
    case tile::Op::kSum:
      define(0, code.add(operand(0), operand(1)));
      break;
    case tile::Op::kResolve: {
      const Operands::Division d = operands_.divide(code, operand(0), node.extent);
      define(0, d.quotient);
      define(1, d.remainder);
      break;
    }
    case tile::Op::kToken:
    case tile::Op::kJoin:
    case tile::Op::kCheck:
    case tile::Op::kWhen:
    case tile::Op::kCopy:
    case tile::Op::kFill:
    case tile::Op::kConvert:
    case tile::Op::kRotate:
    case tile::Op::kTranspose:
    case tile::Op::kEach:
    case tile::Op::kRows:
      break;
  }
}

Value LowerBody::condition(Code& code, const tile::Node& node) {
  if (node.op == tile::Op::kCheck) return chain(code, node);
  if (node.op == tile::Op::kSum) {
    return code.compare(Compare::kUlt, scalars_[node.results[0]], operands_.extent(code, node.extent));
  }
  return {};
}

// The comparisons of a chain that are not known already; missing if all are. 0 <= x < y and 0 <= x <= y with 0 <= y
// known are one unsigned comparison.
Value LowerBody::chain(Code& code, const tile::Node& node) {
  const auto is_zero = [](const tile::Term& t) { return t.value == tile::kNone && t.extent.exact == int64_t{0}; };
  Value all{};
  for (size_t i = 0; i < node.relations.size(); ++i) {
    const tile::Term &a = node.chain[i], &b = node.chain[i + 1];
    if (known_.shows(a, node.relations[i], b)) continue;
    const tile::Relation relation = node.relations[i];
    const bool joins = relation == tile::Relation::kLessEqual && is_zero(a) && i + 1 < node.relations.size() &&
                       node.relations[i + 1] != tile::Relation::kEqual &&
                       known_.shows(tile::constant(0), tile::Relation::kLessEqual, node.chain[i + 2]);
    Value holds;
    if (joins) {
      const Compare unsigned_ = node.relations[i + 1] == tile::Relation::kLess ? Compare::kUlt : Compare::kUle;
      holds = code.compare(unsigned_, value(code, b), value(code, node.chain[i + 2]));
      ++i;
    } else if (relation == tile::Relation::kEqual) {
      holds = code.compare(Compare::kEq, value(code, a), value(code, b));
    } else if (is_zero(a)) {
      const Compare above = relation == tile::Relation::kLess ? Compare::kSgt : Compare::kSge;
      holds = code.compare(above, value(code, b), value(code, a));
    } else {
      const Compare below = relation == tile::Relation::kLess ? Compare::kSlt : Compare::kSle;
      holds = code.compare(below, value(code, a), value(code, b));
    }
    all = code.both(all, holds);
  }
  return all;
}

LowerBody::Values LowerBody::go_on_if(Code& code, Value holds, const std::vector<tile::Node>& body, size_t at) {
  kernel::Builder& b = code.builder();
  const tile::Node& node = body[at];
  const Value before = run_;
  const auto then = [&] {
    Code inner = code.child();
    narrow(inner, node);
    return nodes(inner, body, at + 1);
  };
  if (node.fault == DeviceFault::kNone && !advances_) {
    b.if_then(holds, [&] { then(); });
    return {};
  }
  return b.if_else(holds, then, [&] {
    run_ = before;
    Code inner = code.child();
    if (node.fault != DeviceFault::kNone) report(inner, node);
    return advances_ ? Values{length_of_failure(inner, node)} : Values{};
  });
}

void LowerBody::choose(Code& code, const tile::Node& when) {
  const Value holds = chain(code, when);
  const auto side = [&](bool taken) {
    Code inner = code.child();
    const size_t mark = known_.mark();
    if (taken) known_.learn(program_, when);
    nodes(inner, taken ? when.body : when.otherwise, 0);
    known_.forget(mark);
    return Values{};
  };
  if (holds.id == kNoValue) {
    side(true);
  } else {
    code.builder().if_else(
        holds, [&] { return side(true); }, [&] { return side(false); });
  }
}

void LowerBody::report(Code& code, const tile::Node& node) {
  kernel::Builder& b = code.builder();
  const auto write = [&] {
    const Value index = b.zero_extend(scalars_[node.fault_index]);
    const Value place = b.sub(b.i64(kStatusIndexLimit), index);
    const Value shifted = b.binary(Op::kShl, place, b.i64(8));
    const Value word = b.bit_or(shifted, b.i64(static_cast<int64_t>(node.fault)));
    b.atomic_max_u64(operands_.parameter(program_.status()), word,
                     {program_.status(), std::string(tile::fault_name(node.fault)), 8, false});
  };
  if (reporter_.id == kNoValue) return write();
  b.if_then(reporter_, write);
}

}  // namespace tailor::codegen::movement
