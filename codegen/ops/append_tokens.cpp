#include "codegen/ops/append_tokens.h"

namespace tailor::codegen::ops {

using namespace append;
using tile::constant;
using tile::Relation;
using tile::term;

AppendTokens::AppendTokens(const Key& key, std::optional<DType> type)
    : views_(key), builder_(std::string(entry_symbol(key.op()))) {
  const auto add = [&](tile::View view) {
    return builder_.view(type ? KeyViews::typed(std::move(view), *type) : std::move(view));
  };
  const auto new_rows = [&](Symbol address, Symbol row, Symbol head, Symbol dim) {
    return add(views_.rows(address, tile::Role::kRead, {views_.extent(kRows)}, {{row}, head, dim}, kHeads, kHeadDim));
  };
  const auto pool = [&](Symbol address, Symbol page, Symbol slot, Symbol head, Symbol dim) {
    return add(views_.rows(address, tile::Role::kWrite, {views_.extent(kPoolPages), views_.extent(kPageSize)},
                           {{page, slot}, head, dim}, kHeads, kHeadDim));
  };
  k_ = new_rows(kK, kKRowStride, kKHeadStride, kKDimStride);
  v_ = new_rows(kV, kVRowStride, kVHeadStride, kVDimStride);
  k_pages_ = pool(kKPages, kKPageStride, kKSlotStride, kKPagesHeadStride, kKPagesDimStride);
  v_pages_ = pool(kVPages, kVPageStride, kVSlotStride, kVPagesHeadStride, kVPagesDimStride);
}

tile::Program AppendTokens::finish(const std::function<void(const Token&)>& move) {
  tile::Builder& b = builder_;
  const auto extent = [&](Symbol s) { return views_.extent(s); };
  const tile::ViewId batch_index = b.view(views_.index_array(kBatchIndex, extent(kRows)));
  const tile::ViewId position = b.view(views_.index_array(kPosition, extent(kRows)));
  const tile::ViewId table = b.view(views_.index_table(kBlockTable, extent(kBatch), extent(kMaxPages), kTableStride));
  b.status(views_.status(kStatusWord));

  b.rows("row", extent(kRows), [&](tile::ValueId row) {
    const auto sequence = b.load("sequence", batch_index, {row});
    const auto at = b.load("at", position, {row});
    b.check({constant(0), term(sequence.value), term(extent(kBatch))}, {Relation::kLessEqual, Relation::kLess},
            DeviceFault::kBatchIndexRange, row);
    b.check({constant(0), term(at.value)}, {Relation::kLessEqual}, DeviceFault::kPositionRange, row);
    const auto place = b.resolve(at.value, extent(kPageSize));
    b.check({term(place.column), term(extent(kMaxPages))}, {Relation::kLess}, DeviceFault::kBlockTableColumn, row);
    const auto page = b.load("page", table, {sequence.value, place.column});
    b.check({constant(0), term(page.value), term(extent(kPoolPages))}, {Relation::kLessEqual, Relation::kLess},
            DeviceFault::kPageIndexRange, row);
    move({row, at.value, page.value, place.slot});
  });
  return b.finish();
}

}  // namespace tailor::codegen::ops
