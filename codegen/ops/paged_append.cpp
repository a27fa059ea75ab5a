#include "codegen/ops/paged_append.h"

#include "codegen/ops/key_views.h"

namespace tailor::codegen::ops {

using namespace append;
using tile::constant;
using tile::Relation;
using tile::symbol;
using tile::term;

Expected<tile::Program> paged_append(const Key& key) {
  TAILOR_RETURN_IF_ERROR(validate(key));
  const KeyViews views(key);
  const auto extent = [&](Symbol s) { return views.extent(s); };
  tile::Builder b{std::string(entry_symbol(OpId::kPagedAppend))};
  const auto new_rows = [&](Symbol address, Symbol row, Symbol head, Symbol dim) {
    return b.view(views.rows(address, tile::Role::kRead, {extent(kRows)}, {{row}, head, dim}, kHeads, kHeadDim));
  };
  const auto pool = [&](Symbol address, Symbol page, Symbol slot, Symbol head, Symbol dim) {
    return b.view(views.rows(address, tile::Role::kWrite, {extent(kPoolPages), extent(kPageSize)},
                             {{page, slot}, head, dim}, kHeads, kHeadDim));
  };
  const tile::ViewId k = new_rows(kK, kKRowStride, kKHeadStride, kKDimStride);
  const tile::ViewId v = new_rows(kV, kVRowStride, kVHeadStride, kVDimStride);
  const tile::ViewId batch_index = b.view(views.index_array(kBatchIndex, extent(kRows)));
  const tile::ViewId position = b.view(views.index_array(kPosition, extent(kRows)));
  const tile::ViewId k_pages = pool(kKPages, kKPageStride, kKSlotStride, kKPagesHeadStride, kKPagesDimStride);
  const tile::ViewId v_pages = pool(kVPages, kVPageStride, kVSlotStride, kVPagesHeadStride, kVPagesDimStride);
  const tile::ViewId table = b.view(views.index_table(kBlockTable, extent(kBatch), extent(kMaxPages), kTableStride));
  b.status(views.name(kStatusWord));

  b.rows("row", extent(kRows), [&](tile::ValueId row) {
    const auto sequence = b.load("sequence", batch_index, {row});
    const auto at = b.load("at", position, {row});
    b.check({constant(0), term(sequence.value), symbol(views.name(kBatch))}, {Relation::kLessEqual, Relation::kLess},
            DeviceFault::kBatchIndexRange, row);
    b.check({constant(0), term(at.value)}, {Relation::kLessEqual}, DeviceFault::kPositionRange, row);
    const auto place = b.resolve(at.value, views.page_size());
    b.check({term(place.column), symbol(views.name(kMaxPages))}, {Relation::kLess}, DeviceFault::kBlockTableColumn,
            row);
    const auto page = b.load("page", table, {sequence.value, place.column});
    b.check({constant(0), term(page.value), symbol(views.name(kPoolPages))}, {Relation::kLessEqual, Relation::kLess},
            DeviceFault::kPageIndexRange, row);
    b.copy(k_pages, {page.value, place.slot}, k, {row});
    b.copy(v_pages, {page.value, place.slot}, v, {row});
  });
  return b.finish();
}

}  // namespace tailor::codegen::ops
