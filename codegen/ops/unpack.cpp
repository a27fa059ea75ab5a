#include "codegen/ops/unpack.h"

#include "codegen/ops/key_views.h"
#include "codegen/ops/ragged.h"

namespace tailor::codegen::ops {

using namespace unpack;
using tile::constant;
using tile::Relation;
using tile::term;

Expected<tile::Program> unpack(const Key& key) {
  TAILOR_RETURN_IF_ERROR(validate(key));
  const KeyViews views(key);
  const auto extent = [&](Symbol s) { return views.extent(s); };
  tile::Builder b{std::string(entry_symbol(key.op()))};
  const tile::ViewId packed = b.view(
      views.vectors(kPacked, tile::Role::kRead, {extent(kRows)}, {kPackedRowStride}, kPackedDimStride, kHeadDim));
  const tile::ViewId offsets = b.view(views.index_array(kCuSeqlens, tile::Extent::of(views.name(kBatch), 1)));
  const tile::ViewId padded =
      b.view(views.vectors(kPadded, tile::Role::kWrite, {extent(kBatch), extent(kPaddedRows)},
                           {kPaddedSequenceStride, kPaddedRowStride}, kPaddedDimStride, kHeadDim));
  b.status(views.status(kStatusWord));

  b.rows("slot", extent(kSlots), [&](tile::ValueId slot) {
    const auto place = b.resolve("s", "t", slot, extent(kPaddedRows));
    b.check({constant(0), term(place.column), term(extent(kBatch))}, {Relation::kLessEqual, Relation::kLess});
    b.check({constant(0), term(place.slot), term(extent(kPaddedRows))}, {Relation::kLessEqual, Relation::kLess});
    const Bounds bounds = load_bounds(b, offsets, place.column, extent(kRows));
    const auto length = b.sub("length", bounds.end, bounds.begin);
    check_length(b, length, extent(kPaddedRows), place.column);
    b.when(
        {term(place.slot), term(length)}, {Relation::kLess},
        [&] {
          const auto row = b.sum("row", bounds.begin, place.slot, extent(kRows));
          b.copy(padded, {place.column, place.slot}, packed, {row});
        },
        [&] {
          b.fill(padded, {place.column, place.slot}, views.name(kFill));
        });
  });
  return b.finish();
}

}  // namespace tailor::codegen::ops
