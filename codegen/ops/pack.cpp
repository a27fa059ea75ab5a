#include "codegen/ops/pack.h"

#include "codegen/ops/key_views.h"
#include "codegen/ops/ragged.h"

namespace tailor::codegen::ops {

using namespace pack;
using tile::Relation;
using tile::term;

Expected<tile::Program> pack(const Key& key) {
  TAILOR_RETURN_IF_ERROR(validate(key));
  const KeyViews views(key);
  const auto extent = [&](Symbol s) { return views.extent(s); };
  tile::Builder b{std::string(entry_symbol(key.op()))};
  const tile::ViewId padded =
      b.view(views.vectors(kPadded, tile::Role::kRead, {extent(kBatch), extent(kPaddedRows)},
                           {kPaddedSequenceStride, kPaddedRowStride}, kPaddedDimStride, kHeadDim));
  const tile::ViewId offsets = b.view(views.index_array(kCuSeqlens, tile::Extent::of(views.name(kBatch), 1)));
  const tile::ViewId packed = b.view(
      views.vectors(kPacked, tile::Role::kWrite, {extent(kRows)}, {kPackedRowStride}, kPackedDimStride, kHeadDim));
  b.status(views.status(kStatusWord));

  b.each("q", extent(kBatch), [&](tile::ValueId q) {
    const Bounds bounds = load_bounds(b, offsets, q, extent(kRows));
    check_length(b, b.sub("length", bounds.end, bounds.begin), extent(kPaddedRows), q);
  });

  b.rows("row", extent(kRows), [&](tile::ValueId row) {
    const auto segment = find_segment(b, offsets, row);
    const auto t = b.sub("t", row, segment.begin);
    b.check({term(t), term(extent(kPaddedRows))}, {Relation::kLess}, DeviceFault::kSegmentTooLong, segment.index);
    b.copy(packed, {row}, padded, {segment.index, t});
  });
  return b.finish();
}

}  // namespace tailor::codegen::ops
