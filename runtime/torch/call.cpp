#include "runtime/torch/call.h"

#include <optional>
#include <stdexcept>
#include <vector>

#include <fmt/format.h>
#include <torch/csrc/stable/device.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

namespace tailor::pytorch {
namespace {

using torch::headeronly::DeviceType;
using torch::headeronly::Layout;
using torch::headeronly::ScalarType;

// torch's element types: name in headers, name in Python, what Tailor takes it for.
#define TAILOR_TORCH_DTYPES(X)                    \
  X(Byte, "uint8", kUInt8)                        \
  X(Char, "int8", kInt8)                          \
  X(Bool, "bool", kUInt8)                         \
  X(Float8_e4m3fn, "float8_e4m3fn", kFloat8E4M3)  \
  X(Float8_e5m2, "float8_e5m2", kFloat8E5M2)      \
  X(Float8_e4m3fnuz, "float8_e4m3fnuz", kUInt8)   \
  X(Float8_e5m2fnuz, "float8_e5m2fnuz", kUInt8)   \
  X(Float8_e8m0fnu, "float8_e8m0fnu", kUInt8)     \
  X(Float4_e2m1fn_x2, "float4_e2m1fn_x2", kUInt8) \
  X(Half, "float16", kFloat16)                    \
  X(BFloat16, "bfloat16", kBFloat16)              \
  X(Short, "int16", kInt16)                       \
  X(UInt16, "uint16", kInt16)                     \
  X(Float, "float32", kFloat32)                   \
  X(Int, "int32", kInt32)                         \
  X(UInt32, "uint32", kInt32)                     \
  X(ComplexHalf, "complex32", kInt32)             \
  X(Double, "float64", kFloat64)                  \
  X(Long, "int64", kInt64)                        \
  X(UInt64, "uint64", kInt64)                     \
  X(ComplexFloat, "complex64", kInt64)

std::optional<DType> dtype_of(ScalarType type) {
  switch (type) {
#define X(name, text, dtype) \
  case ScalarType::name:     \
    return DType::dtype;
    TAILOR_TORCH_DTYPES(X)
#undef X
    default:
      return std::nullopt;
  }
}

const char* text_of(ScalarType type) {
  switch (type) {
#define X(name, text, dtype) \
  case ScalarType::name:     \
    return "torch." text;
    TAILOR_TORCH_DTYPES(X)
#undef X
    default:
      return torch::headeronly::toString(type);
  }
}

std::string device_text(const TorchTensor& tensor) {
  const torch::stable::Device device = tensor.device();
  if (device.type() == DeviceType::CPU) return "cpu";
  if (device.type() == DeviceType::CUDA) return fmt::format("cuda:{}", device.index());
  return "of another type";
}

std::string dims_text(torch::headeronly::IntHeaderOnlyArrayRef dims) {
  std::string text = "(";
  for (size_t d = 0; d < dims.size(); ++d) text += fmt::format("{}{}", d ? ", " : "", dims[d]);
  return text + ")";
}

}  // namespace

void raise(std::string_view op, std::string_view message) {
  throw std::runtime_error(fmt::format("tailor::{}: {}", op, message));
}

void raise_if_error(std::string_view op, const Status& status) {
  if (status.ok()) [[likely]]
    return;
  raise(op, status.code() == StatusCode::kInvalidArgument ? status.message() : status.to_string());
}

Call::Call(const char* op, const char* first_name, const TorchTensor& first)
    : op_(op), first_name_(first_name), first_(first) {
  const torch::stable::Device device = first.device();
  switch (device.type()) {
    case DeviceType::CPU:
      break;
    case DeviceType::CUDA:
      device_.ordinal = device.index();
      break;
    default:
      fail(first_name, "its device is neither a CPU nor a CUDA device");
  }
  Expected<Runtime*> runtime = runtime_of(device_);
  raise_if_error(op, runtime.status());
  runtime_ = *runtime;
  if (!device_.cpu()) stream_ = torch::stable::accelerator::getCurrentStream(device_.ordinal).nativeHandle();
}

void Call::fail(const char* name, const std::string& what) const { raise(op_, fmt::format("{}: {}", name, what)); }

TorchTensor Call::empty(const char* name, std::initializer_list<int64_t> leading) const {
  return empty(name, leading, first_, first_.sizes().size());
}
TorchTensor Call::empty(const char* name, std::initializer_list<int64_t> leading, const TorchTensor& like,
                        size_t from) const {
  std::vector<int64_t> shape(leading);
  for (const int64_t extent : shape) {
    if (extent < 0) raise(op_, fmt::format("{} is {}; it must not be negative", name, extent));
  }
  const auto sizes = like.sizes();
  for (size_t d = from; d < sizes.size(); ++d) shape.push_back(sizes[d]);
  return torch::stable::new_empty(first_, {shape.data(), shape.size()});
}

Tensor Call::operand(const char* name, const TorchTensor& tensor, Access access) {
  if (tensor.layout() != Layout::Strided) fail(name, "its layout must be torch.strided");
  const torch::stable::Device device = tensor.device(), wanted = first_.device();
  if (device.type() != wanted.type() || device.index() != wanted.index()) {
    fail(name, fmt::format("its device is {}; it must be that of {} ({})", device_text(tensor), first_name_,
                           device_text(first_)));
  }
  const std::optional<DType> dtype = dtype_of(tensor.scalar_type());
  if (!dtype) fail(name, fmt::format("elements of {} cannot be moved", text_of(tensor.scalar_type())));
  const auto sizes = tensor.sizes(), strides = tensor.strides();
  if (sizes.size() > static_cast<size_t>(kMaxRank)) {
    fail(name, fmt::format("it has {} dimensions; at most {} are supported", sizes.size(), kMaxRank));
  }
  Tensor operand;
  operand.dtype = *dtype;
  operand.rank = static_cast<int>(sizes.size());
  bool empty = false;
  for (int d = 0; d < operand.rank; ++d) {
    operand.shape[d] = sizes[d];
    operand.stride[d] = strides[d];
    empty |= sizes[d] == 0;
  }
  if (empty) return operand;
  const void* data = access == Access::kWrite ? tensor.mutable_data_ptr() : tensor.const_data_ptr();
  operand.address = reinterpret_cast<uint64_t>(data);
  if (device_.cpu()) {
    int64_t storage_bytes = 0;
    STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_storage_size(tensor.get(), &storage_bytes));
    const auto offset = static_cast<uint64_t>(tensor.storage_offset()) * static_cast<uint64_t>(element_bytes(*dtype));
    ranges_.add(operand.address - offset, static_cast<uint64_t>(storage_bytes), access == Access::kWrite);
  }
  return operand;
}

Tensor Call::merged(const char* name, const TorchTensor& tensor, Access access, int from) {
  Tensor t = operand(name, tensor, access);
  rank_at_least(name, tensor, from);
  int64_t extent = 1, stride = 1;
  bool empty = false;
  for (int d = t.rank; d-- > from;) empty |= t.shape[d] == 0;
  for (int d = t.rank; d-- > from && !empty;) {
    if (t.shape[d] == 1) continue;
    if (extent == 1) {
      stride = t.stride[d];
    } else if (t.stride[d] != stride * extent) {
      fail(name, fmt::format("its dimensions from {} on cannot be viewed as one (shape {}, strides {}); make it "
                             "contiguous first",
                             from, dims_text(tensor.sizes()), dims_text(tensor.strides())));
    }
    extent *= t.shape[d];
  }
  t.rank = from + 1;
  t.shape[from] = empty ? 0 : extent;
  t.stride[from] = stride;
  return t;
}

Tensor Call::rows(const char* name, const TorchTensor& tensor, Access access) {
  return merged(name, tensor, access, 1);
}
Tensor Call::padded(const char* name, const TorchTensor& tensor, Access access) {
  return merged(name, tensor, access, 2);
}

Tensor Call::indices(const char* name, const TorchTensor& tensor, bool or_int64) {
  const ScalarType type = tensor.scalar_type();
  if (type != ScalarType::Int && !(or_int64 && type == ScalarType::Long)) {
    raise(op_, fmt::format("{}.dtype is {}; it must be torch.int32{}", name, text_of(type),
                           or_int64 ? " or torch.int64" : ""));
  }
  return operand(name, tensor);
}

void Call::same_dtype(const char* name, const TorchTensor& tensor, const char* reference_name,
                      const TorchTensor& reference) const {
  const ScalarType type = tensor.scalar_type(), wanted = reference.scalar_type();
  if (type == wanted) return;
  raise(op_, fmt::format("{}.dtype is {}; it must equal that of {} ({})", name, text_of(type), reference_name,
                         text_of(wanted)));
}

uint64_t Call::attach_status(TorchTensor& status) {
  constexpr std::array<int64_t, 1> kOne{1};
  status = torch::stable::new_zeros(first_, {kOne.data(), kOne.size()}, ScalarType::Long);
  return operand("status", status, Access::kWrite).address;
}

void Call::raise_if_broken(const TorchTensor& status) const {
  int64_t word = 0;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_item_int64(status.get(), &word));
  const DeviceFaultReport fault = decode_status_word(static_cast<uint64_t>(word));
  if (fault.kind == DeviceFault::kNone) return;
  raise(op_, fmt::format("{} (index {}); the rows concerned were not moved", to_string(fault.kind), fault.index));
}

void Call::rank_at_least(const char* name, const TorchTensor& tensor, int64_t rank) const {
  if (tensor.dim() < rank) raise(op_, fmt::format("{}.rank is {}; it must be at least {}", name, tensor.dim(), rank));
}
void Call::rank_is(const char* name, const TorchTensor& tensor, int64_t rank) const {
  if (tensor.dim() != rank) raise(op_, fmt::format("{}.rank is {}; it must be {}", name, tensor.dim(), rank));
}

PageLayout Call::page_layout(std::string_view text) const {
  if (text == "nhd") return PageLayout::kSlotMajor;
  if (text == "hnd") return PageLayout::kHeadMajor;
  raise(op_, fmt::format("layout is \"{}\"; it must be \"nhd\" or \"hnd\"", text));
}

}  // namespace tailor::pytorch
