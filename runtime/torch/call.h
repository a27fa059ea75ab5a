// One call of a torch.ops.tailor.* operator: torch tensors in, a launch out.
//
//   Call call("gather_rows", "source", source);          // device and stream of the operands
//   GatherRows op;
//   op.source = call.rows("source", source);
//   …
//   call.launch(op, check);
//
// Ownership: a Call lives on the stack of its operator and borrows the tensors. Threads: one. Errors: at this boundary,
// and nowhere else in Tailor, they are exceptions, since that is what torch takes: std::runtime_error (RuntimeError in
// Python) with "tailor::<operator>: <argument>.<property> is <value>; <rule>". Nothing was launched then.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include <torch/csrc/stable/tensor_struct.h>

#include "runtime/torch/host_memory.h"
#include "runtime/torch/runtimes.h"
#include "tailor/ops.h"
#include "tailor/runtime.h"

namespace tailor::pytorch {

using TorchTensor = torch::stable::Tensor;

// Throws "tailor::<operator>: <message>".
[[noreturn]] void raise(std::string_view op, std::string_view message);
void raise_if_error(std::string_view op, const Status& status);

enum class Access : uint8_t { kRead, kWrite };

class Call {
 public:
  // `first` decides the device that every operand must be on.
  Call(const char* op, const char* first_name, const TorchTensor& first);

  // The tensor as an operand: strided, on the device, of at most 5 dimensions and 1, 2, 4 or 8 bytes per element.
  // Element types that Tailor only moves are represented by the integer of their width.
  Tensor operand(const char* name, const TorchTensor& tensor, Access access = Access::kRead);
  // [N, …] as [N, D]: the dimensions after the first as one, which their strides must allow. [N] is [N, 1].
  Tensor rows(const char* name, const TorchTensor& tensor, Access access = Access::kRead);
  // [B, L, …] as [B, L, D].
  Tensor padded(const char* name, const TorchTensor& tensor, Access access = Access::kRead);
  // Index data: int32, or int64 where the operator takes both.
  Tensor indices(const char* name, const TorchTensor& tensor, bool or_int64 = false);

  // A fresh tensor of the first operand's device and dtype: `leading` extents, none of which may be negative (blamed
  // on `name`), then those of `like` from dimension `from` on.
  TorchTensor empty(const char* name, std::initializer_list<int64_t> leading) const;
  TorchTensor empty(const char* name, std::initializer_list<int64_t> leading, const TorchTensor& like,
                    size_t from) const;

  void rank_at_least(const char* name, const TorchTensor& tensor, int64_t rank) const;
  void rank_is(const char* name, const TorchTensor& tensor, int64_t rank) const;

  // "nhd" or "hnd".
  PageLayout page_layout(std::string_view text) const;

  // The Runtime does not know torch's element types: two of one width may be one to it.
  void same_dtype(const char* name, const TorchTensor& tensor, const char* reference_name,
                  const TorchTensor& reference) const;

  // Launches on the current stream. With `check`, waits for it and raises if a promise about device data was broken;
  // the rows concerned were then left as they are.
  template <class Operands>
  void launch(Operands& operands, bool check) {
    TorchTensor status;  // undefined unless asked for
    if (check) operands.status_word = attach_status(status);
    launch(static_cast<const Operands&>(operands));
    if (check) raise_if_broken(status);
  }
  template <class Operands>
  void launch(const Operands& operands) {
    const LaunchOptions options{.stream = stream_};
    raise_if_error(op_, device_.cpu() ? with_host_memory(ranges_, [&] { return runtime_->launch(operands, options); })
                                      : runtime_->launch(operands, options));
  }

 private:
  // "<name>: <what>"
  [[noreturn]] void fail(const char* name, const std::string& what) const;
  // Dimensions [from, rank) as one.
  Tensor merged(const char* name, const TorchTensor& tensor, Access access, int from);
  uint64_t attach_status(TorchTensor& status);
  void raise_if_broken(const TorchTensor& status) const;

  const char* op_;
  const char* first_name_;
  const TorchTensor& first_;
  DeviceIndex device_;
  Runtime* runtime_ = nullptr;
  void* stream_ = nullptr;
  HostRanges ranges_;  // CPU only
};

}  // namespace tailor::pytorch
