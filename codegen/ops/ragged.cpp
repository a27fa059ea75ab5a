#include "codegen/ops/ragged.h"

namespace tailor::codegen::ops {

using tile::constant;
using tile::Relation;
using tile::term;

Bounds load_bounds(tile::Builder& b, tile::ViewId offsets, tile::ValueId sequence, const tile::Extent& rows) {
  const auto begin = b.load("begin", offsets, {sequence});
  const auto end = b.load("end", offsets, {b.add("next", sequence, 1)});
  b.check({constant(0), term(begin.value), term(end.value), term(rows)},
          {Relation::kLessEqual, Relation::kLessEqual, Relation::kLessEqual}, DeviceFault::kCuSeqlensRange, sequence);
  return {begin.value, end.value};
}

tile::Builder::Segment find_segment(tile::Builder& b, tile::ViewId offsets, tile::ValueId row) {
  const auto segment = b.search(offsets, row);
  b.check({constant(0), term(segment.begin), term(row), term(segment.end)},
          {Relation::kLessEqual, Relation::kLessEqual, Relation::kLess});
  return segment;
}

void check_length(tile::Builder& b, tile::ValueId length, const tile::Extent& longest, tile::ValueId sequence) {
  b.check({term(length), term(longest)}, {Relation::kLessEqual}, DeviceFault::kSegmentTooLong, sequence);
}

void part_rows(tile::Builder& b, const tile::Extent& rows, tile::ViewId offsets, tile::ViewId other, Part part,
               const tile::Extent& joined_rows,
               const std::function<void(tile::ValueId row, tile::ValueId place)>& move) {
  b.rows("row", rows, [&](tile::ValueId row) {
    const auto segment = find_segment(b, offsets, row);
    const tile::ValueId at = part == Part::kFirst ? segment.index : b.add("next", segment.index, 1);
    const auto before = b.load("before", other, {at});
    b.check({constant(0), term(before.value)}, {Relation::kLessEqual}, DeviceFault::kCuSeqlensRange, segment.index);
    move(row, b.sum("place", row, before.value, joined_rows, DeviceFault::kConcatRow, row));
  });
}

}  // namespace tailor::codegen::ops
