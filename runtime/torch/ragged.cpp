// pack, unpack, gather_rows, scatter_rows, concat, split, ragged_transpose.
//
// Each operator is one function over a Call that both of its forms use.
#include <fmt/format.h>
#include <torch/csrc/stable/tensor.h>

#include "runtime/torch/element_bits.h"
#include "runtime/torch/operators.h"

namespace tailor::pytorch {
namespace {

void run_pack(Call& call, const TorchTensor& padded, const TorchTensor& cu_seqlens, const TorchTensor& packed,
              bool check) {
  Pack op;
  op.padded = call.padded("padded", padded);
  op.cu_seqlens = call.indices("cu_seqlens", cu_seqlens);
  call.same_dtype("packed", packed, "padded", padded);
  op.packed = call.rows("packed", packed, Access::kWrite);
  call.launch(op, check);
}

void run_unpack(Call& call, const TorchTensor& packed, const TorchTensor& cu_seqlens, const TorchTensor& padded,
                double fill, bool check) {
  Unpack op;
  op.packed = call.rows("packed", packed);
  op.cu_seqlens = call.indices("cu_seqlens", cu_seqlens);
  call.same_dtype("padded", padded, "packed", packed);
  op.padded = call.padded("padded", padded, Access::kWrite);
  const std::optional<uint64_t> bits = element_bits(fill, padded.scalar_type());
  if (!bits) raise("unpack", fmt::format("fill is {}; it must be a value of packed.dtype", fill));
  op.fill = *bits;
  call.launch(op, check);
}

void run_gather_rows(Call& call, const TorchTensor& source, const TorchTensor& index, const TorchTensor& target,
                     bool check) {
  GatherRows op;
  op.source = call.rows("source", source);
  op.index = call.indices("index", index, true);
  call.same_dtype("target", target, "source", source);
  op.target = call.rows("target", target, Access::kWrite);
  call.launch(op, check);
}

void run_concat(Call& call, const TorchTensor& a, const TorchTensor& cu_a, const TorchTensor& b,
                const TorchTensor& cu_b, const TorchTensor& out, bool check) {
  Concat op;
  op.a = call.rows("a", a);
  op.cu_a = call.indices("cu_a", cu_a);
  call.same_dtype("b", b, "a", a);
  op.b = call.rows("b", b);
  op.cu_b = call.indices("cu_b", cu_b);
  call.same_dtype("out", out, "a", a);
  op.out = call.rows("out", out, Access::kWrite);
  call.launch(op, check);
}

void run_split(Call& call, const TorchTensor& packed, const TorchTensor& cu_a, const TorchTensor& a,
               const TorchTensor& cu_b, const TorchTensor& b, bool check) {
  Split op;
  op.packed = call.rows("packed", packed);
  op.cu_a = call.indices("cu_a", cu_a);
  call.same_dtype("a", a, "packed", packed);
  op.a = call.rows("a", a, Access::kWrite);
  op.cu_b = call.indices("cu_b", cu_b);
  call.same_dtype("b", b, "packed", packed);
  op.b = call.rows("b", b, Access::kWrite);
  call.launch(op, check);
}

void run_ragged_transpose(Call& call, const TorchTensor& source, const TorchTensor& cu_seqlens,
                          const TorchTensor& target, int64_t length_multiple, bool check) {
  RaggedTranspose op;
  op.source = call.rows("source", source);
  op.cu_seqlens = call.indices("cu_seqlens", cu_seqlens);
  call.same_dtype("target", target, "source", source);
  op.target = call.operand("target", target, Access::kWrite);
  op.length_multiple = length_multiple;
  call.launch(op, check);
}

}  // namespace

TorchTensor pack(const TorchTensor& padded, const TorchTensor& cu_seqlens, int64_t rows, bool check) {
  Call call("pack", "padded", padded);
  call.rank_at_least("padded", padded, 2);
  TorchTensor packed = call.empty("rows", {rows}, padded, 2);
  run_pack(call, padded, cu_seqlens, packed, check);
  return packed;
}
void pack_into(const TorchTensor& padded, const TorchTensor& cu_seqlens, const TorchTensor& packed, bool check) {
  Call call("pack", "padded", padded);
  run_pack(call, padded, cu_seqlens, packed, check);
}

TorchTensor unpack(const TorchTensor& packed, const TorchTensor& cu_seqlens, int64_t padded_length, double fill,
                   bool check) {
  Call call("unpack", "packed", packed);
  call.rank_at_least("packed", packed, 1);
  call.rank_is("cu_seqlens", cu_seqlens, 1);
  if (cu_seqlens.size(0) == 0) raise("unpack", "cu_seqlens.shape[0] is 0; it must be at least 1");
  TorchTensor padded = call.empty("padded_length", {cu_seqlens.size(0) - 1, padded_length}, packed, 1);
  run_unpack(call, packed, cu_seqlens, padded, fill, check);
  return padded;
}
void unpack_into(const TorchTensor& packed, const TorchTensor& cu_seqlens, const TorchTensor& padded, double fill,
                 bool check) {
  Call call("unpack", "packed", packed);
  run_unpack(call, packed, cu_seqlens, padded, fill, check);
}

TorchTensor gather_rows(const TorchTensor& source, const TorchTensor& index, bool check) {
  Call call("gather_rows", "source", source);
  call.rank_at_least("source", source, 1);
  call.rank_is("index", index, 1);
  TorchTensor target = call.empty("index.shape[0]", {index.size(0)}, source, 1);
  run_gather_rows(call, source, index, target, check);
  return target;
}
void gather_rows_into(const TorchTensor& source, const TorchTensor& index, const TorchTensor& target, bool check) {
  Call call("gather_rows", "source", source);
  run_gather_rows(call, source, index, target, check);
}

void scatter_rows(const TorchTensor& source, const TorchTensor& index, const TorchTensor& target, bool unique,
                  bool check) {
  Call call("scatter_rows", "source", source);
  ScatterRows op;
  op.source = call.rows("source", source);
  op.index = call.indices("index", index, true);
  call.same_dtype("target", target, "source", source);
  op.target = call.rows("target", target, Access::kWrite);
  op.unique = unique;
  call.launch(op, check);
}

TorchTensor concat(const TorchTensor& a, const TorchTensor& cu_a, const TorchTensor& b, const TorchTensor& cu_b,
                   bool check) {
  Call call("concat", "a", a);
  call.rank_at_least("a", a, 1);
  call.rank_at_least("b", b, 1);
  TorchTensor out = call.empty("rows", {a.size(0) + b.size(0)}, a, 1);
  run_concat(call, a, cu_a, b, cu_b, out, check);
  return out;
}
void concat_into(const TorchTensor& a, const TorchTensor& cu_a, const TorchTensor& b, const TorchTensor& cu_b,
                 const TorchTensor& out, bool check) {
  Call call("concat", "a", a);
  run_concat(call, a, cu_a, b, cu_b, out, check);
}

std::tuple<TorchTensor, TorchTensor> split(const TorchTensor& packed, const TorchTensor& cu_a, const TorchTensor& cu_b,
                                           int64_t rows_a, bool check) {
  Call call("split", "packed", packed);
  call.rank_at_least("packed", packed, 1);
  if (rows_a > packed.size(0)) {
    raise("split", fmt::format("rows_a is {}; it must not exceed packed.shape[0] ({})", rows_a, packed.size(0)));
  }
  TorchTensor a = call.empty("rows_a", {rows_a}, packed, 1);
  TorchTensor b = call.empty("rows of b", {packed.size(0) - rows_a}, packed, 1);
  run_split(call, packed, cu_a, a, cu_b, b, check);
  return {a, b};
}
void split_into(const TorchTensor& packed, const TorchTensor& cu_a, const TorchTensor& a, const TorchTensor& cu_b,
                const TorchTensor& b, bool check) {
  Call call("split", "packed", packed);
  run_split(call, packed, cu_a, a, cu_b, b, check);
}

TorchTensor ragged_transpose(const TorchTensor& source, const TorchTensor& cu_seqlens, int64_t length_multiple,
                             bool check) {
  Call call("ragged_transpose", "source", source);
  call.rank_at_least("source", source, 1);
  TorchTensor target = call.empty("source", {source.numel()});
  run_ragged_transpose(call, source, cu_seqlens, target, length_multiple, check);
  return target;
}
void ragged_transpose_into(const TorchTensor& source, const TorchTensor& cu_seqlens, const TorchTensor& target,
                           int64_t length_multiple, bool check) {
  Call call("ragged_transpose", "source", source);
  run_ragged_transpose(call, source, cu_seqlens, target, length_multiple, check);
}

}  // namespace tailor::pytorch
