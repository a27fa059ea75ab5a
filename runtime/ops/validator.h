// The rules that operands obey, one function each, shared by the operations. Private to runtime/ops.
//
//   Validator check;
//   if (!(check.tensor<2>(source, "source", op.source) && check.write_once(target))) return check.take();
//
// A rule is true, or false with a Status set: naming operand, value and rule. The order of calls is the order in which
// violations are reported. A Status is built on failure only: this runs on every launch, without allocation.
// Ownership: Operand refers to the caller's Tensor. Thread-safety: one thread per Validator.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>

#include "runtime/bucket/key_space.h"
#include "runtime/bucket/modular.h"
#include "runtime/ops/overlap.h"
#include "runtime/ops/problem.h"
#include "tailor/status.h"
#include "tailor/types.h"

namespace tailor {

inline constexpr int64_t kExtentLimit = int64_t{1} << 31;  // kernels hold extents in int32
inline constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();

// An operand that passed its own checks.
struct Operand {
  const char* name = "";
  const Tensor* tensor = nullptr;
  int64_t element = 0;  // bytes
  bool empty = false;   // some extent is 0
  uint64_t begin = 0;   // bytes it may touch: [begin, end); begin == end when empty
  uint64_t end = 0;

  uint64_t bytes() const { return end - begin; }
  int64_t address() const { return static_cast<int64_t>(begin); }
  int64_t extent(int dim) const { return tensor->shape[dim]; }
  // Bytes between neighbours; 0 where there are none.
  int64_t stride(int dim) const { return !empty && extent(dim) > 1 ? tensor->stride[dim] * element : 0; }
  bool meets(const Operand& other) const { return begin < other.end && other.begin < end; }
};

// Where H and D, and for pools the slot, stand in a shape.
struct Dims {
  int slot, head, dim;
};
inline constexpr Dims kRowDims{-1, 1, 2};  // [N, H, D]

struct RowShape {
  int64_t heads = 0, head_dim = 0, page_size = 0;
  bool empty() const { return heads == 0 || head_dim == 0; }
};

class Validator {
 public:
  // Rank, dtype, extents, strides, byte range, address.
  template <int kRank>
  bool tensor(Operand& o, const char* name, const Tensor& t) {
    o.name = name;
    o.tensor = &t;
    if (t.rank != kRank) [[unlikely]]
      return bad_value(name, "rank", t.rank, rank_rule(kRank));
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

  // An operand of indices: int32 (or int64 where that is allowed) and, along its last dimension, dense.
  template <int kRank>
  bool indices(Operand& o, const char* name, const Tensor& t, bool wide = false) {
    if (!tensor<kRank>(o, name, t)) [[unlikely]]
      return false;
    if (t.dtype != DType::kInt32 && !(wide && t.dtype == DType::kInt64)) [[unlikely]]
      return bad_index_type(o, wide);
    return dense_rows(o);
  }

  // Rank 1, stride 1, and an extent that need not be below 2^31.
  bool dense(Operand& o, const char* name, const Tensor& t);

  // Rank 1 … 5 and strides of any sign. begin and end bound the bytes; the address may lie between them.
  bool strided(Operand& o, const char* name, const Tensor& t);

  bool extent(const Operand& o, int dim, int64_t wanted, const char* what) {
    return o.extent(dim) == wanted || bad_extent(o, dim, wanted, what);
  }
  bool same_dtype(const Operand& o, const Operand& reference) {
    return o.tensor->dtype == reference.tensor->dtype || bad_dtype(o, reference);
  }

  // Elements along the last dimension are neighbours.
  bool dense_rows(const Operand& o) {
    const int last = o.tensor->rank - 1;
    if (o.empty || o.extent(last) == 1 || o.tensor->stride[last] == 1) return true;
    return bad_dimension(o.name, "stride", last, o.tensor->stride[last], "it must be 1");
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
      if (written.meets(*other)) [[unlikely]]
        return overlap(written, *other, kApartRule);
    }
    return true;
  }

  // k_pages and v_pages, each disjoint in itself and of one shape: with equal strides they are the two halves of one
  // tensor with one more dimension, of extent 2, and the exact test of that decides.
  bool pools_apart(const Operand& k, const Operand& v) { return !k.meets(v) || interleaved(k, v); }

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

  // For rules of one operation.
  [[gnu::cold, gnu::noinline]] bool refuse(std::string message);

  Status take() { return std::move(status_); }

 private:
  bool fail(std::string message) { return refuse(std::move(message)); }
  static std::string_view rank_rule(int rank);
  [[gnu::cold, gnu::noinline]] bool bad_dimension(const char* name, const char* what, int dim, int64_t value,
                                                  std::string_view rule);
  [[gnu::cold, gnu::noinline]] bool bad_value(const char* name, const char* what, int64_t value, std::string_view rule);
  [[gnu::cold, gnu::noinline]] bool bad_extent(const Operand& o, int dim, int64_t wanted, const char* what);
  [[gnu::cold, gnu::noinline]] bool bad_index_type(const Operand& o, bool wide);
  [[gnu::cold, gnu::noinline]] bool bad_dtype(const Operand& o, const Operand& reference);
  [[gnu::cold, gnu::noinline]] bool bad_layout(PageLayout layout);
  // Strides or address are wrong: finds out which.
  [[gnu::cold, gnu::noinline]] bool bad_place(const Operand& o);
  [[gnu::noinline]] bool write_once_searched(const Operand& o);
  [[gnu::noinline]] bool interleaved(const Operand& k, const Operand& v);
  [[gnu::cold, gnu::noinline]] bool overlap(const Operand& written, const Operand& other, std::string_view rule);

  static constexpr std::string_view kApartRule =
      "these are the byte ranges that the operands span; what is written must lie apart from them, and views that "
      "interleave without sharing a byte are refused too";

  Status status_;
};

// Byte strides of a row's elements. An empty operand is dense.
struct RowStrides {
  int64_t head = 0, dim = 0;
};

inline RowStrides row_strides(const Operand& o, const Dims& dims, const RowShape& shape) {
  if (o.empty) {
    return {shape.heads > 1 ? shape.head_dim * o.element : 0, shape.head_dim > 1 ? o.element : 0};
  }
  return {o.stride(dims.head), o.stride(dims.dim)};
}

inline RowContiguity contiguity_of(const RowStrides& s, const RowShape& shape, int64_t element) {
  if (shape.head_dim > 1 && s.dim != element) return RowContiguity::kNone;
  if (shape.heads > 1 && s.head != shape.head_dim * element) return RowContiguity::kHead;
  return RowContiguity::kRow;
}

// The largest power of two that divides every number or-ed into `bits`, as an exponent, at most kMaxAlignLog2.
inline uint8_t align_log2(uint64_t bits) {
  return static_cast<uint8_t>(std::countr_zero(bits | uint64_t{1} << kMaxAlignLog2));
}

inline uint64_t inner_bits(RowContiguity contiguity, const RowStrides& s) {
  uint64_t bits = 0;
  if (contiguity != RowContiguity::kRow) bits |= static_cast<uint64_t>(s.head);
  if (contiguity == RowContiguity::kNone) bits |= static_cast<uint64_t>(s.dim);
  return bits;
}

inline bool beyond_int32(const Operand& o) { return o.bytes() > static_cast<uint64_t>(kExtentLimit); }

inline bool needs_index64(std::initializer_list<const Operand*> operands, int64_t rows, const RowShape& shape,
                          int64_t element) {
  // rows < 2^31 and row bytes < 2^34 leave no room for overflow beyond 2^65; the test is made in 128 bits.
  bool wide = static_cast<Wide>(rows) * (shape.heads * shape.head_dim * element) >= kExtentLimit;
  for (const Operand* o : operands) wide |= beyond_int32(*o);
  return wide;
}

// One side of rows [N, D] or [B, Lmax, D]: its operands share the weakest contiguity and alignment.
struct FlatSide {
  RowContiguity contiguity = RowContiguity::kRow;
  uint8_t align_log2 = 0;
};

// Bytes between the elements of such a row. An empty operand is dense.
inline int64_t flat_stride(const Operand& o, int64_t head_dim) {
  if (o.empty) return head_dim > 1 ? o.element : 0;
  return o.stride(o.tensor->rank - 1);
}

inline FlatSide flat_side(std::initializer_list<const Operand*> operands, int64_t head_dim) {
  FlatSide side;
  uint64_t bits = 0, dims = 0;
  for (const Operand* o : operands) {
    const int64_t dim = flat_stride(*o, head_dim);
    bits |= o->begin;
    for (int d = 0; d + 1 < o->tensor->rank; ++d) bits |= static_cast<uint64_t>(o->stride(d));
    dims |= static_cast<uint64_t>(dim);
    if (head_dim > 1 && dim != o->element) side.contiguity = RowContiguity::kNone;
  }
  if (side.contiguity == RowContiguity::kNone) bits |= dims;
  side.align_log2 = align_log2(bits);
  return side;
}

// What every operation on such rows says of its two sides. `element` is that of the source.
inline void set_flat_rows(Problem& problem, OpId op, int64_t head_dim, int64_t element, const FlatSide& source,
                          const FlatSide& target) {
  problem.op = op;
  problem.head_dim = head_dim;
  problem.element_log2 = static_cast<uint8_t>(std::countr_zero(static_cast<uint64_t>(element)));
  problem.source_contiguity = source.contiguity;
  problem.target_contiguity = target.contiguity;
  problem.source_align_log2 = source.align_log2;
  problem.target_align_log2 = target.align_log2;
}

}  // namespace tailor
