// Operands of the size of a small server, valid as they stand, for tests that break one thing at a time.
#pragma once

#include <utility>

#include "tailor/ops.h"

namespace tailor::testing {

inline constexpr uint64_t kBase = 0x7f0000000000, kApart = 0x10000000;
constexpr uint64_t at(int i) { return kBase + static_cast<uint64_t>(i) * kApart; }

// B = 4, max_pages = 8, P = 64, page_size = 16, H = 8, D = 128, bf16.
inline PagedGather gather_operands() {
  PagedGather op;
  op.pages = Tensor::dense(at(0), DType::kBFloat16, {64, 16, 8, 128});
  op.block_table = Tensor::dense(at(1), DType::kInt32, {4, 8});
  op.seq_lens = Tensor::dense(at(2), DType::kInt32, {4});
  op.cu_seqlens = Tensor::dense(at(3), DType::kInt32, {5});
  op.packed = Tensor::dense(at(4), DType::kBFloat16, {300, 8, 128});
  op.status_word = at(5);
  return op;
}

inline PagedAppend append_operands() {
  PagedAppend op;
  op.k = Tensor::dense(at(0), DType::kBFloat16, {40, 8, 128});
  op.v = Tensor::dense(at(1), DType::kBFloat16, {40, 8, 128});
  op.batch_index = Tensor::dense(at(2), DType::kInt32, {40});
  op.position = Tensor::dense(at(3), DType::kInt32, {40});
  op.k_pages = Tensor::dense(at(4), DType::kBFloat16, {64, 16, 8, 128});
  op.v_pages = Tensor::dense(at(5), DType::kBFloat16, {64, 16, 8, 128});
  op.block_table = Tensor::dense(at(6), DType::kInt32, {4, 8});
  op.status_word = at(7);
  return op;
}

// B = 4, Lmax = 32, N = 100, D = 96, f16.
inline Pack pack_operands() {
  Pack op;
  op.padded = Tensor::dense(at(0), DType::kFloat16, {4, 32, 96});
  op.cu_seqlens = Tensor::dense(at(1), DType::kInt32, {5});
  op.packed = Tensor::dense(at(2), DType::kFloat16, {100, 96});
  op.status_word = at(3);
  return op;
}
inline Unpack unpack_operands() {
  Unpack op;
  op.packed = Tensor::dense(at(0), DType::kFloat16, {100, 96});
  op.cu_seqlens = Tensor::dense(at(1), DType::kInt32, {5});
  op.padded = Tensor::dense(at(2), DType::kFloat16, {4, 32, 96});
  op.padded.stride[0] = 40 * 96;
  op.fill = 0x3c00;
  op.status_word = at(3);
  return op;
}

// N = 40, R = 64, D = 96, f32, int64 indices.
inline GatherRows gather_rows_operands() {
  GatherRows op;
  op.source = Tensor::dense(at(0), DType::kFloat32, {64, 96});
  op.index = Tensor::dense(at(1), DType::kInt64, {40});
  op.target = Tensor::dense(at(2), DType::kFloat32, {40, 96});
  op.status_word = at(3);
  return op;
}
inline ScatterRows scatter_rows_operands() {
  ScatterRows op;
  op.source = Tensor::dense(at(0), DType::kFloat32, {40, 96});
  op.index = Tensor::dense(at(1), DType::kInt64, {40});
  op.target = Tensor::dense(at(2), DType::kFloat32, {64, 96});
  op.status_word = at(3);
  return op;
}

// B = 4, NA = 30, NB = 20, N = 50, D = 96, bf16.
inline Concat concat_operands() {
  Concat op;
  op.a = Tensor::dense(at(0), DType::kBFloat16, {30, 96});
  op.cu_a = Tensor::dense(at(1), DType::kInt32, {5});
  op.b = Tensor::dense(at(2), DType::kBFloat16, {20, 96});
  op.cu_b = Tensor::dense(at(3), DType::kInt32, {5});
  op.out = Tensor::dense(at(4), DType::kBFloat16, {50, 96});
  op.status_word = at(5);
  return op;
}
inline Split split_operands() {
  Split op;
  op.packed = Tensor::dense(at(0), DType::kBFloat16, {50, 96});
  op.cu_a = Tensor::dense(at(1), DType::kInt32, {5});
  op.a = Tensor::dense(at(2), DType::kBFloat16, {30, 96});
  op.cu_b = Tensor::dense(at(3), DType::kInt32, {5});
  op.b = Tensor::dense(at(4), DType::kBFloat16, {20, 96});
  op.status_word = at(5);
  return op;
}

inline Convert convert_operands() {
  Convert op;
  op.source = Tensor::dense(at(0), DType::kBFloat16, {40, 96});
  op.target = Tensor::dense(at(1), DType::kFloat8E4M3, {40, 96});
  op.scale = Tensor::dense(at(2), DType::kFloat32, {1});
  return op;
}

// As append_operands, with R = 64 and 128 positions.
inline AppendRope append_rope_operands() {
  const PagedAppend append = append_operands();
  AppendRope op;
  op.k = append.k;
  op.v = append.v;
  op.batch_index = append.batch_index;
  op.position = append.position;
  op.k_pages = append.k_pages;
  op.v_pages = append.v_pages;
  op.block_table = append.block_table;
  op.cos = Tensor::dense(at(8), DType::kFloat32, {128, 32});
  op.sin = Tensor::dense(at(9), DType::kFloat32, {128, 32});
  op.status_word = append.status_word;
  return op;
}

inline RaggedTranspose ragged_transpose_operands() {
  RaggedTranspose op;
  op.source = Tensor::dense(at(0), DType::kFloat16, {100, 96});
  op.cu_seqlens = Tensor::dense(at(1), DType::kInt32, {5});
  op.target = Tensor::dense(at(2), DType::kFloat16, {9600});
  op.length_multiple = 4;
  op.status_word = at(3);
  return op;
}

// [12, 10, 64] f32 to its permutation (1, 0, 2).
inline StridedCopy copy_operands() {
  StridedCopy op;
  op.source = Tensor::dense(at(0), DType::kFloat32, {12, 10, 64});
  op.target = Tensor::dense(at(1), DType::kFloat32, {10, 12, 64});
  std::swap(op.target.shape[0], op.target.shape[1]);
  std::swap(op.target.stride[0], op.target.stride[1]);
  return op;
}

template <class Op>
Op good_operands();
#define TAILOR_GOOD_OPERANDS(Type, function) \
  template <>                                \
  inline Type good_operands<Type>() {        \
    return function();                       \
  }
TAILOR_GOOD_OPERANDS(PagedGather, gather_operands)
TAILOR_GOOD_OPERANDS(PagedAppend, append_operands)
TAILOR_GOOD_OPERANDS(Pack, pack_operands)
TAILOR_GOOD_OPERANDS(Unpack, unpack_operands)
TAILOR_GOOD_OPERANDS(GatherRows, gather_rows_operands)
TAILOR_GOOD_OPERANDS(ScatterRows, scatter_rows_operands)
TAILOR_GOOD_OPERANDS(Concat, concat_operands)
TAILOR_GOOD_OPERANDS(Split, split_operands)
TAILOR_GOOD_OPERANDS(Convert, convert_operands)
TAILOR_GOOD_OPERANDS(AppendRope, append_rope_operands)
TAILOR_GOOD_OPERANDS(RaggedTranspose, ragged_transpose_operands)
TAILOR_GOOD_OPERANDS(StridedCopy, copy_operands)
#undef TAILOR_GOOD_OPERANDS

}  // namespace tailor::testing
