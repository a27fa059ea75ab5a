// Operands of the size of a small server, valid as they stand, for tests that break one thing at a time.
#pragma once

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

}  // namespace tailor::testing
