// convert, copy.
#include <fmt/format.h>
#include <torch/csrc/stable/ops.h>

#include "runtime/torch/operators.h"

namespace tailor::pytorch {
namespace {

// A tensor without dimensions has one element.
Tensor at_least(int rank, Tensor t) {
  while (t.rank < rank) {
    t.shape[t.rank] = t.stride[t.rank] = 1;
    ++t.rank;
  }
  return t;
}

Tensor convert_rows(Call& call, const char* name, const TorchTensor& tensor, Access access) {
  return tensor.dim() == 0 ? at_least(2, call.operand(name, tensor, access)) : call.rows(name, tensor, access);
}

void run_convert(Call& call, const TorchTensor& source, const TorchTensor& target,
                 const std::optional<TorchTensor>& scale) {
  Convert op;
  op.source = convert_rows(call, "source", source, Access::kRead);
  op.target = convert_rows(call, "target", target, Access::kWrite);
  if (scale) {
    if (scale->numel() != 1) raise("convert", fmt::format("scale has {} elements; it must have 1", scale->numel()));
    op.scale = call.operand("scale", *scale);
    op.scale.rank = 0;
    op.scale = at_least(1, op.scale);
  }
  call.launch(op);
}

// Reversed along dimension d: the same elements from the last on.
void reverse(const char* operation, Tensor& t, int64_t d) {
  if (d < -t.rank || d >= t.rank) {
    raise(operation, fmt::format("flip names dimension {}; it must lie in [{}, {})", d, -t.rank, t.rank));
  }
  if (d < 0) d += t.rank;
  if (t.address == 0) return;  // no elements
  t.address += static_cast<uint64_t>((t.shape[d] - 1) * t.stride[d] * element_bytes(t.dtype));
  t.stride[d] = -t.stride[d];
}

void run_copy(const char* operation, const TorchTensor& source, const TorchTensor& target,
              const std::vector<int64_t>& flip) {
  Call call(operation, "source", source);
  StridedCopy op;
  op.source = call.operand("source", source);
  for (const int64_t d : flip) reverse(operation, op.source, d);
  op.source = at_least(1, op.source);
  call.same_dtype("target", target, "source", source);
  op.target = at_least(1, call.operand("target", target, Access::kWrite));
  call.launch(op);
}

}  // namespace

TorchTensor convert(const TorchTensor& source, torch::headeronly::ScalarType dtype, std::optional<TorchTensor> scale) {
  Call call("convert", "source", source);
  TorchTensor target = torch::stable::new_empty(source, source.sizes(), dtype);
  run_convert(call, source, target, scale);
  return target;
}
void convert_into(const TorchTensor& source, const TorchTensor& target, std::optional<TorchTensor> scale) {
  Call call("convert", "source", source);
  run_convert(call, source, target, scale);
}

TorchTensor copy(const TorchTensor& source, std::vector<int64_t> flip) {
  TorchTensor target = torch::stable::new_empty(source, source.sizes());
  run_copy("copy", source, target, flip);
  return target;
}
void copy_into(const TorchTensor& target, const TorchTensor& source, std::vector<int64_t> flip) {
  run_copy("copy_", source, target, flip);
}

}  // namespace tailor::pytorch
