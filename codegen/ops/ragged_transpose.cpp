#include "codegen/ops/ragged_transpose.h"

#include <algorithm>

#include "codegen/ops/key_views.h"
#include "codegen/ops/ragged.h"

namespace tailor::codegen::ops {

using namespace ragged_transpose;
using tile::constant;
using tile::Relation;
using tile::term;

namespace {

// Ends the iteration unless the offset is a multiple of `group`; reports the sequence.
void check_multiple(tile::Builder& b, tile::ValueId offset, int64_t group, tile::ValueId sequence) {
  if (group == 1) return;
  const auto place = b.resolve("groups", "rest", offset, tile::Extent::constant(group));
  b.check({term(place.slot), constant(0)}, {Relation::kEqual}, DeviceFault::kLengthMultiple, sequence);
}

}  // namespace

Expected<tile::Program> ragged_transpose(const Key& key) {
  TAILOR_RETURN_IF_ERROR(validate(key));
  const KeyViews views(key);
  const auto extent = [&](Symbol s) { return views.extent(s); };
  tile::Builder b{std::string(entry_symbol(key.op()))};
  const tile::ViewId source = b.view(
      views.vectors(kSource, tile::Role::kRead, {extent(kRows)}, {kSourceRowStride}, kSourceDimStride, kHeadDim));
  const tile::ViewId offsets = b.view(views.index_array(kCuSeqlens, tile::Extent::of(views.name(kBatch), 1)));
  const tile::ViewId target = b.view(views.dense_vectors(kTarget, tile::Role::kWrite, extent(kRows), kHeadDim));
  b.status(views.status(kStatusWord));
  // Rows of one store: what the promise and the target's alignment allow, at most 16 bytes.
  const int64_t group = std::min({int64_t{1} << key.get(KeyField::kLengthMultipleLog2),
                                  (int64_t{1} << key.get(KeyField::kTargetAlignLog2)) / views.element_bytes()});

  b.each("q", extent(kBatch), [&](tile::ValueId q) {
    const Bounds bounds = load_bounds(b, offsets, q, extent(kRows));
    check_multiple(b, bounds.begin, group, q);
    check_multiple(b, bounds.end, group, q);
  });

  b.rows("row", extent(kRows), [&](tile::ValueId row) {
    const auto segment = find_segment(b, offsets, row);
    b.check({term(segment.end), term(extent(kRows))}, {Relation::kLessEqual}, DeviceFault::kCuSeqlensRange,
            segment.index);
    check_multiple(b, segment.begin, group, segment.index);
    check_multiple(b, segment.end, group, segment.index);
    b.transpose(target, segment.begin, segment.end, source, row, group);
  });
  return b.finish();
}

}  // namespace tailor::codegen::ops
