// paged_gather, paged_append, append_rope: validation, symbols and facts.
#include <bit>

#include <fmt/format.h>

#include "runtime/bucket/key_domain.h"
#include "runtime/ops/operation.h"
#include "runtime/ops/validator.h"

namespace tailor {
namespace {

void gather_facts(FactWriter& facts) {
  using namespace gather;
  facts.exact(kPageSize, KeyField::kPageSize);
  facts.exact(kHeads, KeyField::kHeads);
  facts.exact(kHeadDim, KeyField::kHeadDim);
  facts.exact(kElementBytes, facts.element());
  facts.extents({kRows, kBatch, kPoolPages, kMaxPages});
  facts.addresses({kBlockTable, kSeqLens, kCuSeqlens}, 4);
  facts.status_word(kStatusWord);
  facts.strides({kTableStride}, 1);
  facts.source({kPages}, {kPageStride, kSlotStride}, {kSourceHeadStride}, {kSourceDimStride});
  facts.target({kPacked}, {kRowStride}, {kTargetHeadStride}, {kTargetDimStride});
}

void append_facts(FactWriter& facts) {
  using namespace append;
  facts.exact(kPageSize, KeyField::kPageSize);
  facts.exact(kHeads, KeyField::kHeads);
  facts.exact(kHeadDim, KeyField::kHeadDim);
  facts.exact(kElementBytes, facts.element());
  facts.extents({kRows, kBatch, kPoolPages, kMaxPages});
  facts.addresses({kBlockTable, kBatchIndex, kPosition}, 4);
  facts.status_word(kStatusWord);
  facts.strides({kTableStride}, 1);
  facts.source({kK, kV}, {kKRowStride, kVRowStride}, {kKHeadStride, kVHeadStride}, {kKDimStride, kVDimStride});
  facts.target({kKPages, kVPages}, {kKPageStride, kKSlotStride, kVPageStride, kVSlotStride},
               {kKPagesHeadStride, kVPagesHeadStride}, {kKPagesDimStride, kVPagesDimStride});
}

// Elements of cos and sin are never smaller than those of k, so their own size may divide more than the side's
// alignment.
void append_rope_facts(FactWriter& facts) {
  using namespace append_rope;
  append_facts(facts);
  const int64_t table = element_bytes(static_cast<DType>(facts.value(KeyField::kTargetType)));
  const int64_t align = std::max(table, int64_t{1} << facts.value(KeyField::kSourceAlignLog2));
  facts.exact(kRotaryDim, KeyField::kRotaryDim);
  facts.exact(kTableBytes, table);
  facts.addresses({kCos, kSin}, align);
  facts.extents({kMaxPositions});
  facts.strides({kCosRowStride, kSinRowStride}, align);
}

void set_statics(Problem& problem, const RowShape& shape, int64_t element) {
  problem.element_log2 = static_cast<uint8_t>(std::countr_zero(static_cast<uint64_t>(element)));
  problem.page_size = shape.page_size;
  problem.heads = shape.heads;
  problem.head_dim = shape.head_dim;
}

// What an append with rotation has in common with one without.
struct AppendOperands {
  Operand k, v, batch_index, position, k_pages, v_pages, table, status;
  Operand cos, sin;  // empty without rotation
  Tensor status_storage;
  Dims dims{};
  RowShape shape;
};

template <class Op>
bool check_append(const Op& op, AppendOperands& o, Validator& check) {
  if (!(check.pool_dims(op.layout, o.dims) && check.tensor<4>(o.k_pages, "k_pages", op.k_pages) &&
        check.row_shape(o.k_pages, o.dims, o.shape) && check.tensor<4>(o.v_pages, "v_pages", op.v_pages) &&
        check.tensor<3>(o.k, "k", op.k) && check.tensor<3>(o.v, "v", op.v) &&
        check.indices<1>(o.batch_index, "batch_index", op.batch_index) &&
        check.indices<1>(o.position, "position", op.position) &&
        check.indices<2>(o.table, "block_table", op.block_table) &&
        check.status_word(o.status, o.status_storage, op.status_word))) [[unlikely]] {
    return false;
  }
  const int64_t rows = o.k.extent(0);
  if (!(check.same_dtype(o.v_pages, o.k_pages) && check.same_dtype(o.k, o.k_pages) && check.same_dtype(o.v, o.k_pages)))
      [[unlikely]] {
    return false;
  }
  for (int d = 0; d < 4; ++d) {
    if (!check.extent(o.v_pages, d, o.k_pages.extent(d), "that of k_pages")) [[unlikely]]
      return false;
  }
  return check.extent(o.k, 1, o.shape.heads, "H of k_pages") &&
         check.extent(o.k, 2, o.shape.head_dim, "D of k_pages") && check.extent(o.v, 0, rows, "k.shape[0]") &&
         check.extent(o.v, 1, o.shape.heads, "H of k_pages") &&
         check.extent(o.v, 2, o.shape.head_dim, "D of k_pages") && check.extent(o.batch_index, 0, rows, "k.shape[0]") &&
         check.extent(o.position, 0, rows, "k.shape[0]") && check.write_once(o.k_pages) &&
         check.write_once(o.v_pages) &&
         check.apart(o.k_pages, {&o.k, &o.v, &o.batch_index, &o.position, &o.table, &o.status}) &&
         check.apart(o.v_pages, {&o.k, &o.v, &o.batch_index, &o.position, &o.table, &o.status}) &&
         check.apart(o.status, {&o.k, &o.v, &o.batch_index, &o.position, &o.table}) &&
         check.pools_apart(o.k_pages, o.v_pages);
}

void set_append(const AppendOperands& o, OpId op, Problem& problem) {
  using namespace append;
  const RowShape& shape = o.shape;
  const int64_t element = o.k_pages.element, rows = o.k.extent(0);
  const RowStrides k_row = row_strides(o.k, kRowDims, shape), v_row = row_strides(o.v, kRowDims, shape);
  const RowStrides k_slot = row_strides(o.k_pages, o.dims, shape), v_slot = row_strides(o.v_pages, o.dims, shape);
  problem.op = op;
  problem.empty = rows == 0 || shape.empty();
  problem.index64 =
      needs_index64({&o.k, &o.v, &o.batch_index, &o.position, &o.k_pages, &o.v_pages, &o.table, &o.cos, &o.sin}, rows,
                    shape, element);
  problem.source_contiguity = std::max(contiguity_of(k_row, shape, element), contiguity_of(v_row, shape, element));
  problem.target_contiguity = std::max(contiguity_of(k_slot, shape, element), contiguity_of(v_slot, shape, element));
  problem.source_align_log2 =
      align_log2(o.k.begin | o.v.begin | static_cast<uint64_t>(o.k.stride(0) | o.v.stride(0)) |
                 inner_bits(problem.source_contiguity, k_row) | inner_bits(problem.source_contiguity, v_row));
  problem.target_align_log2 =
      align_log2(o.k_pages.begin | o.v_pages.begin |
                 static_cast<uint64_t>(o.k_pages.stride(0) | o.k_pages.stride(o.dims.slot) | o.v_pages.stride(0) |
                                       o.v_pages.stride(o.dims.slot)) |
                 inner_bits(problem.target_contiguity, k_slot) | inner_bits(problem.target_contiguity, v_slot));
  set_statics(problem, shape, element);

  auto& s = problem.values;
  s[kPageSize] = shape.page_size;
  s[kHeads] = shape.heads;
  s[kHeadDim] = shape.head_dim;
  s[kElementBytes] = element;
  s[kK] = o.k.address();
  s[kV] = o.v.address();
  s[kBatchIndex] = o.batch_index.address();
  s[kPosition] = o.position.address();
  s[kKPages] = o.k_pages.address();
  s[kVPages] = o.v_pages.address();
  s[kBlockTable] = o.table.address();
  s[kStatusWord] = o.status.address();
  problem.reports = o.status.address() != 0;
  s[kRows] = rows;
  s[kBatch] = o.table.extent(0);
  s[kPoolPages] = o.k_pages.extent(0);
  s[kMaxPages] = o.table.extent(1);
  s[kTableStride] = o.table.stride(0) / 4;
  s[kKRowStride] = o.k.stride(0);
  s[kKHeadStride] = k_row.head;
  s[kKDimStride] = k_row.dim;
  s[kVRowStride] = o.v.stride(0);
  s[kVHeadStride] = v_row.head;
  s[kVDimStride] = v_row.dim;
  s[kKPageStride] = o.k_pages.stride(0);
  s[kKSlotStride] = o.k_pages.stride(o.dims.slot);
  s[kKPagesHeadStride] = k_slot.head;
  s[kKPagesDimStride] = k_slot.dim;
  s[kVPageStride] = o.v_pages.stride(0);
  s[kVSlotStride] = o.v_pages.stride(o.dims.slot);
  s[kVPagesHeadStride] = v_slot.head;
  s[kVPagesDimStride] = v_slot.dim;
}

// cos and sin: [P_max, R/2] of one type, rows dense, R <= D, apart from what is written.
bool check_rotation(const AppendRope& op, AppendOperands& o, Validator& check) {
  if (op.style != RopeStyle::kHalves && op.style != RopeStyle::kInterleaved) [[unlikely]] {
    return check.refuse(
        fmt::format("style is {}; it must be kHalves (0) or kInterleaved (1)", static_cast<int>(op.style)));
  }
  if (!rotatable(op.k.dtype)) [[unlikely]] {
    return check.refuse(fmt::format("k.dtype is {}; it must be f32, f16 or bf16", to_string(op.k.dtype)));
  }
  if (!(check.tensor<2>(o.cos, "cos", op.cos) && check.tensor<2>(o.sin, "sin", op.sin))) [[unlikely]]
    return false;
  if (op.cos.dtype != DType::kFloat32 && op.cos.dtype != op.k.dtype) [[unlikely]] {
    return check.refuse(fmt::format("cos.dtype is {}; it must be f32 or that of k ({})", to_string(op.cos.dtype),
                                    to_string(op.k.dtype)));
  }
  if (!(check.same_dtype(o.sin, o.cos) && check.extent(o.sin, 0, o.cos.extent(0), "cos.shape[0]") &&
        check.extent(o.sin, 1, o.cos.extent(1), "cos.shape[1]") && check.dense_rows(o.cos) && check.dense_rows(o.sin)))
      [[unlikely]] {
    return false;
  }
  const int64_t half = o.cos.extent(1), head_dim = o.shape.head_dim;
  if (2 * half > head_dim || (half == 0 && !o.shape.empty())) [[unlikely]] {
    return check.refuse(fmt::format(
        "cos.shape[1] is {}; it must be in [1, D / 2], half the rotated dimensions of a head of {}", half, head_dim));
  }
  return check.apart(o.k_pages, {&o.cos, &o.sin}) && check.apart(o.v_pages, {&o.cos, &o.sin}) &&
         check.apart(o.status, {&o.cos, &o.sin});
}

}  // namespace

template <>
const Operation& operation_of<PagedGather>() {
  static constexpr Operation kOperation{gather::kSymbols, gather_facts};
  return kOperation;
}
template <>
const Operation& operation_of<PagedAppend>() {
  static constexpr Operation kOperation{append::kSymbols, append_facts};
  return kOperation;
}
template <>
const Operation& operation_of<AppendRope>() {
  static constexpr Operation kOperation{append_rope::kSymbols, append_rope_facts};
  return kOperation;
}

Status fill_problem(const PagedGather& op, Problem& problem) {
  using namespace gather;
  Operand pages, table, lens, cu, packed, status;
  Tensor status_storage;
  Dims dims{};
  RowShape shape;
  Validator check;
  if (!(check.pool_dims(op.layout, dims) && check.tensor<4>(pages, "pages", op.pages) &&
        check.row_shape(pages, dims, shape) && check.indices<2>(table, "block_table", op.block_table) &&
        check.indices<1>(lens, "seq_lens", op.seq_lens) && check.indices<1>(cu, "cu_seqlens", op.cu_seqlens) &&
        check.tensor<3>(packed, "packed", op.packed) && check.status_word(status, status_storage, op.status_word)))
      [[unlikely]] {
    return check.take();
  }
  const int64_t batch = table.extent(0), rows = packed.extent(0);
  if (!(check.extent(lens, 0, batch, "block_table.shape[0]") &&
        check.extent(cu, 0, batch + 1, "block_table.shape[0] + 1") && check.same_dtype(packed, pages) &&
        check.extent(packed, 1, shape.heads, "H of pages") && check.extent(packed, 2, shape.head_dim, "D of pages") &&
        check.write_once(packed) && check.apart(packed, {&pages, &table, &lens, &cu, &status}) &&
        check.apart(status, {&pages, &table, &lens, &cu}))) [[unlikely]] {
    return check.take();
  }

  const int64_t element = pages.element;
  const RowStrides source = row_strides(pages, dims, shape), target = row_strides(packed, kRowDims, shape);
  const int64_t page_stride = pages.stride(0), slot_stride = pages.stride(dims.slot), row_stride = packed.stride(0);
  problem.op = OpId::kPagedGather;
  problem.empty = rows == 0 || batch == 0 || shape.empty();
  problem.index64 = needs_index64({&pages, &table, &lens, &cu, &packed}, rows, shape, element);
  problem.source_contiguity = contiguity_of(source, shape, element);
  problem.target_contiguity = contiguity_of(target, shape, element);
  problem.source_align_log2 = align_log2(pages.begin | static_cast<uint64_t>(page_stride | slot_stride) |
                                         inner_bits(problem.source_contiguity, source));
  problem.target_align_log2 =
      align_log2(packed.begin | static_cast<uint64_t>(row_stride) | inner_bits(problem.target_contiguity, target));
  set_statics(problem, shape, element);

  auto& v = problem.values;
  v[kPageSize] = shape.page_size;
  v[kHeads] = shape.heads;
  v[kHeadDim] = shape.head_dim;
  v[kElementBytes] = element;
  v[kPages] = static_cast<int64_t>(pages.begin);
  v[kBlockTable] = static_cast<int64_t>(table.begin);
  v[kSeqLens] = static_cast<int64_t>(lens.begin);
  v[kCuSeqlens] = static_cast<int64_t>(cu.begin);
  v[kPacked] = static_cast<int64_t>(packed.begin);
  v[kStatusWord] = static_cast<int64_t>(op.status_word);
  problem.reports = op.status_word != 0;
  v[kRows] = rows;
  v[kBatch] = batch;
  v[kPoolPages] = pages.extent(0);
  v[kMaxPages] = table.extent(1);
  v[kTableStride] = table.stride(0) / 4;
  v[kPageStride] = page_stride;
  v[kSlotStride] = slot_stride;
  v[kSourceHeadStride] = source.head;
  v[kSourceDimStride] = source.dim;
  v[kRowStride] = row_stride;
  v[kTargetHeadStride] = target.head;
  v[kTargetDimStride] = target.dim;
  return {};
}

Status fill_problem(const PagedAppend& op, Problem& problem) {
  AppendOperands operands;
  Validator check;
  if (!check_append(op, operands, check)) [[unlikely]]
    return check.take();
  set_append(operands, OpId::kPagedAppend, problem);
  return {};
}

Status fill_problem(const AppendRope& op, Problem& problem) {
  using namespace append_rope;
  static_assert(static_cast<int>(kVPagesDimStride) == static_cast<int>(append::kVPagesDimStride));
  AppendOperands o;
  Validator check;
  if (!(check_append(op, o, check) && check_rotation(op, o, check))) [[unlikely]]
    return check.take();
  set_append(o, OpId::kAppendRope, problem);
  problem.source_type = op.k.dtype;
  problem.target_type = op.cos.dtype;
  problem.variant = static_cast<uint8_t>(op.style);
  problem.rotary_dim = 2 * o.cos.extent(1);
  const int64_t cos_stride = o.cos.stride(0), sin_stride = o.sin.stride(0);
  problem.source_align_log2 =
      std::min(problem.source_align_log2,
               align_log2(o.cos.begin | o.sin.begin | static_cast<uint64_t>(cos_stride | sin_stride)));
  auto& v = problem.values;
  v[kRotaryDim] = problem.rotary_dim;
  v[kTableBytes] = o.cos.element;
  v[kCos] = o.cos.address();
  v[kSin] = o.sin.address();
  v[kMaxPositions] = o.cos.extent(0);
  v[kCosRowStride] = cos_stride;
  v[kSinRowStride] = sin_stride;
  return {};
}

}  // namespace tailor
