#include "codegen/movement/search.h"

namespace tailor::codegen::movement {

using kernel::Compare;
using kernel::Op;
using Values = kernel::Builder::Values;

Value SegmentSearch::segments(Code& code) const {
  return operands_.extent(code, {operands_.program().views()[search_.view].dims[0].extent.symbol, 0, {}});
}

// The last s in [0, segments) with offsets[s] <= row, if offsets do not decrease; some s in [0, segments) always:
// low < middle < high holds whatever is loaded.
Segment SegmentSearch::find(Code& code, Value row) const {
  kernel::Builder& b = code.builder();
  const Value one = code.i32(1);
  const Values found = b.while_loop(
      {code.i32(0), segments(code)},
      [&](const Values& at) {
        return std::pair{b.compare(Compare::kUgt, b.sub(at[1], at[0]), one), at};
      },
      [&](const Values& at) {
        Code inner = code.child();
        const Value middle = inner.binary(Op::kShrU, inner.add(at[0], at[1]), inner.i32(1));  // sum < 2^32
        const Value offset = load(inner, middle, "offsets[middle]");
        const Value left = b.compare(Compare::kSle, offset, row);
        return Values{b.select(left, middle, at[0]), b.select(left, at[1], middle)};
      });
  b.set_name(found[0], "segment");
  return {found[0], load(code, found[0], "offsets[s]"), load(code, code.add_constant(found[0], 1), "offsets[s + 1]"),
          entries(code, found[0])};
}

// Moves on while the row lies at or beyond the end and there is a next segment.
Segment SegmentSearch::advance(Code& code, Value row, const Segment& from) const {
  kernel::Builder& b = code.builder();
  const Value count = segments(code);
  Values init{from.index, from.begin, from.end};
  init.insert(init.end(), from.entries.begin(), from.entries.end());
  const Values found = b.while_loop(
      init,
      [&](const Values& at) {
        Code inner = code.child();
        const Value beyond = b.compare(Compare::kSge, row, at[2]);
        const Value more = b.compare(Compare::kSlt, inner.add_constant(at[0], 1), count);
        return std::pair{b.bit_and(beyond, more), at};
      },
      [&](const Values& at) {
        Code inner = code.child();
        const Value next = inner.add_constant(at[0], 1);
        Values on{next, at[2], load(inner, inner.add_constant(next, 1), "offsets[s + 2]")};
        const std::vector<Value> own = entries(inner, next);
        on.insert(on.end(), own.begin(), own.end());
        return on;
      });
  return {found[0], found[1], found[2], {found.begin() + 3, found.end()}};
}

std::vector<Value> SegmentSearch::entries(Code& code, Value segment) const {
  std::vector<Value> values;
  for (const tile::Node* node : with_) {
    values.push_back(operands_.load(code, node->view, {segment}, "entry [s]"));
    code.builder().set_name(values.back(), operands_.program().name_of(node->results[0]));
  }
  return values;
}

}  // namespace tailor::codegen::movement
