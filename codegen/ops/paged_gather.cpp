#include "codegen/ops/paged_gather.h"

#include "codegen/ops/key_views.h"

namespace tailor::codegen::ops {

using namespace gather;
using tile::constant;
using tile::Relation;
using tile::symbol;
using tile::term;

Expected<tile::Program> paged_gather(const Key& key) {
  TAILOR_RETURN_IF_ERROR(validate(key));
  const KeyViews views(key);
  const auto extent = [&](Symbol s) { return views.extent(s); };
  tile::Builder b{std::string(entry_symbol(OpId::kPagedGather))};
  const tile::ViewId pages =
      b.view(views.rows(kPages, tile::Role::kRead, {extent(kPoolPages), extent(kPageSize)},
                        {{kPageStride, kSlotStride}, kSourceHeadStride, kSourceDimStride}, kHeads, kHeadDim));
  const tile::ViewId table = b.view(views.index_table(kBlockTable, extent(kBatch), extent(kMaxPages), kTableStride));
  const tile::ViewId lengths = b.view(views.index_array(kSeqLens, extent(kBatch)));
  const tile::ViewId offsets = b.view(views.index_array(kCuSeqlens, tile::Extent::of(views.name(kBatch), 1)));
  const tile::ViewId packed = b.view(views.rows(kPacked, tile::Role::kWrite, {extent(kRows)},
                                                {{kRowStride}, kTargetHeadStride, kTargetDimStride}, kHeads, kHeadDim));
  b.status(views.status(kStatusWord));

  b.each("q", extent(kBatch), [&](tile::ValueId q) {
    const auto first = b.load("first", offsets, {q});
    const auto last = b.load("last", offsets, {b.add("next", q, 1)});
    b.check({constant(0), term(first.value), term(last.value), symbol(views.name(kRows))},
            {Relation::kLessEqual, Relation::kLessEqual, Relation::kLessEqual}, DeviceFault::kCuSeqlensRange, q);
    const auto length = b.sub("length", last.value, first.value);
    const auto declared = b.load("declared", lengths, {q});
    b.check({term(length), term(declared.value)}, {Relation::kEqual}, DeviceFault::kSeqLenMismatch, q);
  });

  b.rows("row", extent(kRows), [&](tile::ValueId row) {
    const auto segment = b.search(offsets, row);
    b.check({constant(0), term(segment.begin), term(row), term(segment.end)},
            {Relation::kLessEqual, Relation::kLessEqual, Relation::kLess});
    const auto t = b.sub("t", row, segment.begin);
    const auto length = b.load("length", lengths, {segment.index});
    b.check({term(t), term(length.value)}, {Relation::kLess}, DeviceFault::kSeqLenMismatch, segment.index);
    const auto place = b.resolve(t, extent(kPageSize));
    b.check({term(place.column), symbol(views.name(kMaxPages))}, {Relation::kLess}, DeviceFault::kBlockTableColumn,
            row);
    const auto page = b.load("page", table, {segment.index, place.column});
    b.check({constant(0), term(page.value), symbol(views.name(kPoolPages))}, {Relation::kLessEqual, Relation::kLess},
            DeviceFault::kPageIndexRange, row);
    b.copy(packed, {row}, pages, {page.value, place.slot});
  });
  return b.finish();
}

}  // namespace tailor::codegen::ops
