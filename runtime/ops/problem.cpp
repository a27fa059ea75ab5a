#include "runtime/ops/problem.h"

#include <algorithm>
#include <bit>
#include <limits>

#include <fmt/format.h>

#include "runtime/bucket/key_space.h"
#include "runtime/bucket/modular.h"
#include "runtime/ops/overlap.h"

namespace tailor {
namespace {

constexpr int64_t kExtentLimit = int64_t{1} << 31;  // kernels hold extents in int32
constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();

// An operand that passed its own checks.
struct Operand {
  const char* name = "";
  const Tensor* tensor = nullptr;
  int64_t element = 0;  // bytes
  bool empty = false;   // some extent is 0
  uint64_t begin = 0;   // bytes it may touch: [begin, end); begin == end when empty
  uint64_t end = 0;

  uint64_t bytes() const { return end - begin; }
  int64_t extent(int dim) const { return tensor->shape[dim]; }
  // Bytes between neighbours; 0 where there are none.
  int64_t stride(int dim) const { return !empty && extent(dim) > 1 ? tensor->stride[dim] * element : 0; }
};

std::string shape_text(const Tensor& t) {
  std::string text;
  for (int d = 0; d < t.rank; ++d) text += fmt::format("{}{}:{}", d ? ", " : "", t.shape[d], t.stride[d]);
  return text;
}

bool ranges_meet(const Operand& a, const Operand& b) { return a.begin < b.end && b.begin < a.end; }

// Where H and D, and for pools the slot, stand in a shape.
struct Dims {
  int slot, head, dim;
};
constexpr Dims kRowDims{-1, 1, 2};  // [N, H, D]

struct RowShape {
  int64_t heads = 0, head_dim = 0, page_size = 0;
  bool empty() const { return heads == 0 || head_dim == 0; }
};

// The rules, one function each: true, or false with `status` set. The order of calls is the order in which violations
// are reported. A Status is built on failure only: this runs on every launch.
class Validator {
 public:
  // Rank, dtype, extents, strides, byte range, address.
  template <int kRank>
  bool tensor(Operand& o, const char* name, const Tensor& t) {
    o.name = name;
    o.tensor = &t;
    if (t.rank != kRank) [[unlikely]]
      return bad_value(name, "rank", t.rank, fmt_rank(kRank));
    o.element = element_bytes(t.dtype);
    if (o.element == 0) [[unlikely]] {
      return bad_value(name, "dtype", static_cast<int64_t>(t.dtype), "it is no known element type");
    }
    int64_t last = 0;  // elements from the first to the last
    bool beyond = false;
    for (int d = 0; d < kRank; ++d) {
      const int64_t extent = t.shape[d];
      if (static_cast<uint64_t>(extent) >= static_cast<uint64_t>(kExtentLimit)) [[unlikely]] {
        return bad_dimension(name, "shape", d, extent, "an extent must be in [0, 2^31)");
      }
      o.empty |= extent == 0;
      const int64_t stride = extent == 1 ? 0 : t.stride[d];
      int64_t step = 0;
      beyond |=
          stride < 0 || __builtin_mul_overflow(extent - 1, stride, &step) || __builtin_add_overflow(last, step, &last);
    }
    if (o.empty) return true;
    int64_t bytes = 0, end = 0;
    beyond |= last == kInt64Max || __builtin_mul_overflow(last + 1, o.element, &bytes) ||
              t.address > static_cast<uint64_t>(kInt64Max) ||
              __builtin_add_overflow(static_cast<int64_t>(t.address), bytes, &end);
    if (beyond || t.address == 0 || (t.address & static_cast<uint64_t>(o.element - 1)) != 0) [[unlikely]] {
      return bad_place(o);
    }
    o.begin = t.address;
    o.end = static_cast<uint64_t>(end);
    return true;
  }

  // An operand of indices: int32 and, along its last dimension, dense.
  template <int kRank>
  bool indices(Operand& o, const char* name, const Tensor& t) {
    if (!tensor<kRank>(o, name, t)) [[unlikely]]
      return false;
    if (t.dtype != DType::kInt32) [[unlikely]]
      return bad_index_type(o);
    if (!o.empty && t.shape[kRank - 1] > 1 && t.stride[kRank - 1] != 1) [[unlikely]] {
      return bad_dimension(name, "stride", kRank - 1, t.stride[kRank - 1], "it must be 1");
    }
    return true;
  }

  bool extent(const Operand& o, int dim, int64_t wanted, const char* what) {
    return o.extent(dim) == wanted || bad_extent(o, dim, wanted, what);
  }
  bool same_dtype(const Operand& o, const Operand& reference) {
    return o.tensor->dtype == reference.tensor->dtype || bad_dtype(o, reference);
  }

  // No two elements of a written operand share a place. Strides that nest in the order given are the usual case.
  bool write_once(const Operand& o) {
    if (o.empty) return true;
    const Tensor& t = *o.tensor;
    int64_t span = 0;
    for (int d = t.rank - 1; d >= 0; --d) {
      if (t.shape[d] == 1) continue;
      if (t.stride[d] <= span) [[unlikely]]
        return write_once_searched(o);
      span += (t.shape[d] - 1) * t.stride[d];
    }
    return true;
  }

  bool apart(const Operand& written, std::initializer_list<const Operand*> others) {
    for (const Operand* other : others) {
      if (ranges_meet(written, *other)) [[unlikely]]
        return overlap(written, *other);
    }
    return true;
  }

  // k_pages and v_pages, each disjoint in itself and of one shape: with equal strides they are the two halves of one
  // tensor with one more dimension, of extent 2, and the exact test of that decides.
  bool pools_apart(const Operand& k, const Operand& v) {
    if (!ranges_meet(k, v)) return true;
    std::array<StridedDim, kMaxRank + 1> dims;
    const int rank = k.tensor->rank;
    for (int d = 0; d < rank; ++d) {
      if (k.stride(d) != v.stride(d)) return overlap(v, k);
      dims[d] = {k.extent(d), k.tensor->stride[d]};
    }
    const int64_t gap = static_cast<int64_t>(std::max(k.begin, v.begin) - std::min(k.begin, v.begin));
    if (gap % k.element != 0) return overlap(v, k);
    dims[rank] = {2, gap / k.element};
    return self_overlap({dims.data(), static_cast<size_t>(rank + 1)}) == Overlap::kDisjoint || overlap(v, k);
  }

  // The status word as an operand of 8 bytes; empty when there is none.
  bool status_word(Operand& o, Tensor& storage, uint64_t address) {
    storage.address = address;
    o = {"status_word", &storage, 8, address == 0, address, address};
    if (address == 0) return true;
    if (address % 8 != 0 || address > static_cast<uint64_t>(kInt64Max) - 8) [[unlikely]]
      return bad_place(o);
    o.end = address + 8;
    return true;
  }

  bool pool_dims(PageLayout layout, Dims& dims) {
    switch (layout) {
      case PageLayout::kSlotMajor:
        dims = {1, 2, 3};
        return true;
      case PageLayout::kHeadMajor:
        dims = {2, 1, 3};
        return true;
    }
    return bad_layout(layout);
  }

  bool row_shape(const Operand& pool, const Dims& dims, RowShape& shape) {
    shape = {pool.extent(dims.head), pool.extent(dims.dim), pool.extent(dims.slot)};
    if (shape.page_size == 0) [[unlikely]] {
      return bad_dimension(pool.name, "shape", dims.slot, 0, "a page must hold at least one token");
    }
    if (shape.heads * shape.head_dim >= kExtentLimit) [[unlikely]] {
      return bad_value(pool.name, "row", shape.heads * shape.head_dim, "the elements of a row must be below 2^31");
    }
    return true;
  }

  Status take() { return std::move(status_); }

 private:
  bool fail(std::string message) {
    status_ = invalid_argument(std::move(message));
    return false;
  }
  static std::string_view fmt_rank(int rank) {
    constexpr std::string_view kTexts[] = {"", "it must be 1", "it must be 2", "it must be 3", "it must be 4"};
    return kTexts[rank];
  }
  [[gnu::cold, gnu::noinline]] bool bad_dimension(const char* name, const char* what, int dim, int64_t value,
                                                  std::string_view rule) {
    return fail(fmt::format("{}.{}[{}] is {}; {}", name, what, dim, value, rule));
  }
  [[gnu::cold, gnu::noinline]] bool bad_value(const char* name, const char* what, int64_t value,
                                              std::string_view rule) {
    return fail(fmt::format("{}.{} is {}; {}", name, what, value, rule));
  }
  [[gnu::cold, gnu::noinline]] bool bad_extent(const Operand& o, int dim, int64_t wanted, const char* what) {
    return bad_dimension(o.name, "shape", dim, o.extent(dim), fmt::format("it must equal {} ({})", what, wanted));
  }
  [[gnu::cold, gnu::noinline]] bool bad_index_type(const Operand& o) {
    return fail(fmt::format("{}.dtype is {}; it must be i32", o.name, to_string(o.tensor->dtype)));
  }
  [[gnu::cold, gnu::noinline]] bool bad_dtype(const Operand& o, const Operand& reference) {
    return fail(fmt::format("{}.dtype is {}; it must equal that of {} ({})", o.name, to_string(o.tensor->dtype),
                            reference.name, to_string(reference.tensor->dtype)));
  }
  [[gnu::cold, gnu::noinline]] bool bad_layout(PageLayout layout) {
    return fail(fmt::format("layout is {}; it must be kSlotMajor (0) or kHeadMajor (1)", static_cast<int>(layout)));
  }
  // Strides or address are wrong: finds out which.
  [[gnu::cold, gnu::noinline]] bool bad_place(const Operand& o) {
    const Tensor& t = *o.tensor;
    for (int d = 0; d < t.rank; ++d) {
      if (t.shape[d] != 1 && t.stride[d] < 0) {
        return bad_dimension(o.name, "stride", d, t.stride[d], "a stride must not be negative");
      }
    }
    const char* rule = "the byte range that shape and stride span from it must end below 2^63";
    if (t.address == 0) rule = "a null pointer is allowed for empty operands only";
    if (t.address % static_cast<uint64_t>(o.element) != 0) rule = "it must be a multiple of the element size";
    return fail(fmt::format("{}.address is {:#x} (element of {} bytes); {}", o.name, t.address, o.element, rule));
  }
  [[gnu::noinline]] bool write_once_searched(const Operand& o) {
    const Tensor& t = *o.tensor;
    std::array<StridedDim, kMaxRank> dims;
    for (int d = 0; d < t.rank; ++d) dims[d] = {t.shape[d], t.stride[d]};
    switch (self_overlap({dims.data(), static_cast<size_t>(t.rank)})) {
      case Overlap::kDisjoint:
        return true;
      case Overlap::kOverlapping:
        return fail(fmt::format(
            "{} (extent:stride {}) names some element twice; the elements of a written operand must not overlap",
            o.name, shape_text(t)));
      case Overlap::kUnknown:
        break;
    }
    return fail(
        fmt::format("{} (extent:stride {}) could not be shown free of overlap; choose strides each of which exceeds "
                    "the span of the smaller ones",
                    o.name, shape_text(t)));
  }
  [[gnu::cold, gnu::noinline]] bool overlap(const Operand& written, const Operand& other) {
    return fail(fmt::format("{} [{:#x}, {:#x}) overlaps {} [{:#x}, {:#x}); a written operand must be apart",
                            written.name, written.begin, written.end, other.name, other.begin, other.end));
  }

  Status status_;
};

// Byte strides of a row's elements. An empty operand is dense.
struct RowStrides {
  int64_t head = 0, dim = 0;
};

RowStrides row_strides(const Operand& o, const Dims& dims, const RowShape& shape) {
  if (o.empty) {
    return {shape.heads > 1 ? shape.head_dim * o.element : 0, shape.head_dim > 1 ? o.element : 0};
  }
  return {o.stride(dims.head), o.stride(dims.dim)};
}

RowContiguity contiguity_of(const RowStrides& s, const RowShape& shape, int64_t element) {
  if (shape.head_dim > 1 && s.dim != element) return RowContiguity::kNone;
  if (shape.heads > 1 && s.head != shape.head_dim * element) return RowContiguity::kHead;
  return RowContiguity::kRow;
}

// The largest power of two that divides every number or-ed into `bits`, as an exponent, at most kMaxAlignLog2.
uint8_t align_log2(uint64_t bits) {
  return static_cast<uint8_t>(std::countr_zero(bits | uint64_t{1} << kMaxAlignLog2));
}

uint64_t inner_bits(RowContiguity contiguity, const RowStrides& s) {
  uint64_t bits = 0;
  if (contiguity != RowContiguity::kRow) bits |= static_cast<uint64_t>(s.head);
  if (contiguity == RowContiguity::kNone) bits |= static_cast<uint64_t>(s.dim);
  return bits;
}

bool beyond_int32(const Operand& o) { return o.bytes() > static_cast<uint64_t>(kExtentLimit); }

bool needs_index64(std::initializer_list<const Operand*> operands, int64_t rows, const RowShape& shape,
                   int64_t element) {
  // rows < 2^31 and row bytes < 2^34 leave no room for overflow beyond 2^65; the test is made in 128 bits.
  bool wide = static_cast<Wide>(rows) * (shape.heads * shape.head_dim * element) >= kExtentLimit;
  for (const Operand* o : operands) wide |= beyond_int32(*o);
  return wide;
}

}  // namespace

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
  using namespace append;
  Operand k, v, batch_index, position, k_pages, v_pages, table, status;
  Tensor status_storage;
  Dims dims{};
  RowShape shape;
  Validator check;
  if (!(check.pool_dims(op.layout, dims) && check.tensor<4>(k_pages, "k_pages", op.k_pages) &&
        check.row_shape(k_pages, dims, shape) && check.tensor<4>(v_pages, "v_pages", op.v_pages) &&
        check.tensor<3>(k, "k", op.k) && check.tensor<3>(v, "v", op.v) &&
        check.indices<1>(batch_index, "batch_index", op.batch_index) &&
        check.indices<1>(position, "position", op.position) && check.indices<2>(table, "block_table", op.block_table) &&
        check.status_word(status, status_storage, op.status_word))) [[unlikely]] {
    return check.take();
  }
  const int64_t rows = k.extent(0);
  if (!(check.same_dtype(v_pages, k_pages) && check.same_dtype(k, k_pages) && check.same_dtype(v, k_pages)))
      [[unlikely]] {
    return check.take();
  }
  for (int d = 0; d < 4; ++d) {
    if (!check.extent(v_pages, d, k_pages.extent(d), "that of k_pages")) [[unlikely]]
      return check.take();
  }
  if (!(check.extent(k, 1, shape.heads, "H of k_pages") && check.extent(k, 2, shape.head_dim, "D of k_pages") &&
        check.extent(v, 0, rows, "k.shape[0]") && check.extent(v, 1, shape.heads, "H of k_pages") &&
        check.extent(v, 2, shape.head_dim, "D of k_pages") && check.extent(batch_index, 0, rows, "k.shape[0]") &&
        check.extent(position, 0, rows, "k.shape[0]") && check.write_once(k_pages) && check.write_once(v_pages) &&
        check.apart(k_pages, {&k, &v, &batch_index, &position, &table, &status}) &&
        check.apart(v_pages, {&k, &v, &batch_index, &position, &table, &status}) &&
        check.apart(status, {&k, &v, &batch_index, &position, &table}) && check.pools_apart(k_pages, v_pages)))
      [[unlikely]] {
    return check.take();
  }

  const int64_t element = k_pages.element;
  const RowStrides k_row = row_strides(k, kRowDims, shape), v_row = row_strides(v, kRowDims, shape);
  const RowStrides k_slot = row_strides(k_pages, dims, shape), v_slot = row_strides(v_pages, dims, shape);
  problem.op = OpId::kPagedAppend;
  problem.empty = rows == 0 || shape.empty();
  problem.index64 = needs_index64({&k, &v, &batch_index, &position, &k_pages, &v_pages, &table}, rows, shape, element);
  problem.source_contiguity = std::max(contiguity_of(k_row, shape, element), contiguity_of(v_row, shape, element));
  problem.target_contiguity = std::max(contiguity_of(k_slot, shape, element), contiguity_of(v_slot, shape, element));
  problem.source_align_log2 =
      align_log2(k.begin | v.begin | static_cast<uint64_t>(k.stride(0) | v.stride(0)) |
                 inner_bits(problem.source_contiguity, k_row) | inner_bits(problem.source_contiguity, v_row));
  problem.target_align_log2 =
      align_log2(k_pages.begin | v_pages.begin |
                 static_cast<uint64_t>(k_pages.stride(0) | k_pages.stride(dims.slot) | v_pages.stride(0) |
                                       v_pages.stride(dims.slot)) |
                 inner_bits(problem.target_contiguity, k_slot) | inner_bits(problem.target_contiguity, v_slot));

  auto& s = problem.values;
  s[kPageSize] = shape.page_size;
  s[kHeads] = shape.heads;
  s[kHeadDim] = shape.head_dim;
  s[kElementBytes] = element;
  s[kK] = static_cast<int64_t>(k.begin);
  s[kV] = static_cast<int64_t>(v.begin);
  s[kBatchIndex] = static_cast<int64_t>(batch_index.begin);
  s[kPosition] = static_cast<int64_t>(position.begin);
  s[kKPages] = static_cast<int64_t>(k_pages.begin);
  s[kVPages] = static_cast<int64_t>(v_pages.begin);
  s[kBlockTable] = static_cast<int64_t>(table.begin);
  s[kStatusWord] = static_cast<int64_t>(op.status_word);
  s[kRows] = rows;
  s[kBatch] = table.extent(0);
  s[kPoolPages] = k_pages.extent(0);
  s[kMaxPages] = table.extent(1);
  s[kTableStride] = table.stride(0) / 4;
  s[kKRowStride] = k.stride(0);
  s[kKHeadStride] = k_row.head;
  s[kKDimStride] = k_row.dim;
  s[kVRowStride] = v.stride(0);
  s[kVHeadStride] = v_row.head;
  s[kVDimStride] = v_row.dim;
  s[kKPageStride] = k_pages.stride(0);
  s[kKSlotStride] = k_pages.stride(dims.slot);
  s[kKPagesHeadStride] = k_slot.head;
  s[kKPagesDimStride] = k_slot.dim;
  s[kVPageStride] = v_pages.stride(0);
  s[kVSlotStride] = v_pages.stride(dims.slot);
  s[kVPagesHeadStride] = v_slot.head;
  s[kVPagesDimStride] = v_slot.dim;
  return {};
}

namespace {

template <class Op>
Expected<Problem> problem_of(const Op& operands) {
  Problem problem;
  TAILOR_RETURN_IF_ERROR(fill_problem(operands, problem));
  return problem;
}

}  // namespace

Expected<Problem> make_problem(const PagedGather& operands) { return problem_of(operands); }
Expected<Problem> make_problem(const PagedAppend& operands) { return problem_of(operands); }

Key make_key(const Problem& problem, Arch arch, Emitter emitter, Lowering lowering) {
  // Page size, heads, head_dim and element size are the first symbols of both operations.
  static_assert(static_cast<int>(gather::kPageSize) == static_cast<int>(append::kPageSize) &&
                static_cast<int>(gather::kHeads) == static_cast<int>(append::kHeads) &&
                static_cast<int>(gather::kHeadDim) == static_cast<int>(append::kHeadDim) &&
                static_cast<int>(gather::kElementBytes) == static_cast<int>(append::kElementBytes));
  const auto value = [&](gather::Symbol s) { return static_cast<uint64_t>(problem.values[s]); };
  Key key;
  key.set(KeyField::kOp, static_cast<uint64_t>(problem.op));
  key.set(KeyField::kSchemaVersion, kSchemaVersion);
  key.set(KeyField::kArch, static_cast<uint64_t>(arch));
  key.set(KeyField::kEmitter, static_cast<uint64_t>(emitter));
  key.set(KeyField::kLowering, static_cast<uint64_t>(lowering));
  key.set(KeyField::kElementLog2, static_cast<uint64_t>(std::countr_zero(value(gather::kElementBytes))));
  key.set(KeyField::kIndex64, problem.index64);
  key.set(KeyField::kSourceContiguity, static_cast<uint64_t>(problem.source_contiguity));
  key.set(KeyField::kTargetContiguity, static_cast<uint64_t>(problem.target_contiguity));
  key.set(KeyField::kSourceAlignLog2, problem.source_align_log2);
  key.set(KeyField::kTargetAlignLog2, problem.target_align_log2);
  key.set(KeyField::kPageSize, value(gather::kPageSize));
  key.set(KeyField::kHeads, value(gather::kHeads));
  key.set(KeyField::kHeadDim, value(gather::kHeadDim));
  return canonical_form(key);
}

}  // namespace tailor
