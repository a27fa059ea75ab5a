#include "codegen/ops/scatter_rows.h"

#include "codegen/ops/key_views.h"

namespace tailor::codegen::ops {

using namespace scatter_rows;
using tile::constant;
using tile::Relation;
using tile::term;

Expected<tile::Program> scatter_rows(const Key& key) {
  TAILOR_RETURN_IF_ERROR(validate(key));
  const KeyViews views(key);
  const auto extent = [&](Symbol s) { return views.extent(s); };
  tile::Builder b{std::string(entry_symbol(key.op()))};
  const tile::ViewId source = b.view(
      views.vectors(kSource, tile::Role::kRead, {extent(kRows)}, {kSourceRowStride}, kSourceDimStride, kHeadDim));
  const tile::ViewId index = b.view(views.index_array(kIndex, extent(kRows), views.index_bytes()));
  const tile::ViewId target = b.view(views.vectors(kTarget, tile::Role::kWrite, {extent(kTargetRows)},
                                                   {kTargetRowStride}, kTargetDimStride, kHeadDim));
  b.status(views.status(kStatusWord));

  b.rows("row", extent(kRows), [&](tile::ValueId row) {
    const auto to = b.load("to", index, {row});
    b.check({constant(0), term(to.value), term(extent(kTargetRows))}, {Relation::kLessEqual, Relation::kLess},
            DeviceFault::kRowIndexRange, row);
    b.copy(target, {to.value}, source, {row});
  });
  return b.finish();
}

}  // namespace tailor::codegen::ops
