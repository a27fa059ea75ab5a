#include "codegen/ops/concat.h"

#include "codegen/ops/key_views.h"
#include "codegen/ops/ragged.h"

namespace tailor::codegen::ops {

using namespace concat;
Expected<tile::Program> concat(const Key& key) {
  TAILOR_RETURN_IF_ERROR(validate(key));
  const KeyViews views(key);
  const auto extent = [&](Symbol s) { return views.extent(s); };
  tile::Builder b{std::string(entry_symbol(key.op()))};
  const auto part = [&](Symbol address, Symbol rows, Symbol row, Symbol dim) {
    return b.view(views.vectors(address, tile::Role::kRead, {extent(rows)}, {row}, dim, kHeadDim));
  };
  const tile::ViewId a = part(kA, kARows, kARowStride, kADimStride);
  const tile::ViewId cu_a = b.view(views.index_array(kCuA, tile::Extent::of(views.name(kBatch), 1)));
  const tile::ViewId second = part(kB, kBRows, kBRowStride, kBDimStride);
  const tile::ViewId cu_b = b.view(views.index_array(kCuB, tile::Extent::of(views.name(kBatch), 1)));
  const tile::ViewId out =
      b.view(views.vectors(kOut, tile::Role::kWrite, {extent(kRows)}, {kOutRowStride}, kOutDimStride, kHeadDim));
  b.status(views.status(kStatusWord));

  b.each("q", extent(kBatch), [&](tile::ValueId q) {
    load_bounds(b, cu_a, q, extent(kARows));
    load_bounds(b, cu_b, q, extent(kBRows));
  });

  part_rows(b, extent(kARows), cu_a, cu_b, Part::kFirst, extent(kRows),
            [&](tile::ValueId row, tile::ValueId place) { b.copy(out, {place}, a, {row}); });
  part_rows(b, extent(kBRows), cu_b, cu_a, Part::kSecond, extent(kRows),
            [&](tile::ValueId row, tile::ValueId place) { b.copy(out, {place}, second, {row}); });
  return b.finish();
}

}  // namespace tailor::codegen::ops
