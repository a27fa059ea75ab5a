// Vocabulary shared by every public header: element types, architectures, emitters, lowerings, tensors.
//
// Thread-safety: plain value types.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tailor {

// name, printed name, bytes per element
#define TAILOR_DTYPES(X)        \
  X(kUInt8, "u8", 1)            \
  X(kInt8, "i8", 1)             \
  X(kFloat8E4M3, "fp8_e4m3", 1) \
  X(kFloat8E5M2, "fp8_e5m2", 1) \
  X(kFloat16, "f16", 2)         \
  X(kBFloat16, "bf16", 2)       \
  X(kInt16, "i16", 2)           \
  X(kFloat32, "f32", 4)         \
  X(kInt32, "i32", 4)           \
  X(kFloat64, "f64", 8)         \
  X(kInt64, "i64", 8)

// name, printed name (the full target string handed to every compiler), major, minor of the compute capability
#define TAILOR_ARCHS(X)   \
  X(kSm80, "sm_80", 8, 0) \
  X(kSm90a, "sm_90a", 9, 0)

// name, printed name, what it is
#define TAILOR_EMITTERS(X)                                    \
  X(kLlvm, "llvm", "LLVM NVPTX -> PTX -> nvJitLink -> cubin") \
  X(kNvrtc, "nvrtc", "CUDA C++ -> NVRTC -> PTX and cubin")

// name, printed name, what it does with the guards of a row's tail
#define TAILOR_LOWERINGS(X)                                                                   \
  X(kPow2Mask, "pow2-mask", "pad the row to a power of two of vectors and mask every access") \
  X(kGuarded, "guarded", "exact extents, one predicate on every vector access")               \
  X(kTail, "tail", "guards discharged under the facts: body without predicates, straight-line tail")

enum class DType : uint8_t {
#define X(name, text, bytes) name,
  TAILOR_DTYPES(X)
#undef X
};
enum class Arch : uint8_t {
#define X(name, text, major, minor) name,
  TAILOR_ARCHS(X)
#undef X
};
enum class Emitter : uint8_t {
#define X(name, text, what) name,
  TAILOR_EMITTERS(X)
#undef X
};
enum class Lowering : uint8_t {
#define X(name, text, what) name,
  TAILOR_LOWERINGS(X)
#undef X
};

#define X1(name, text, a) \
  case Enum::name:        \
    return text;
#define X2(name, text, a, b) \
  case Enum::name:           \
    return text;
constexpr std::string_view to_string(DType value) {
  using Enum = DType;
  switch (value) { TAILOR_DTYPES(X1) }
  return "unknown";
}
constexpr std::string_view to_string(Arch value) {
  using Enum = Arch;
  switch (value) { TAILOR_ARCHS(X2) }
  return "unknown";
}
constexpr std::string_view to_string(Emitter value) {
  using Enum = Emitter;
  switch (value) { TAILOR_EMITTERS(X1) }
  return "unknown";
}
constexpr std::string_view to_string(Lowering value) {
  using Enum = Lowering;
  switch (value) { TAILOR_LOWERINGS(X1) }
  return "unknown";
}
#undef X1
#undef X2

// Bytes of one element; 0 for a value outside the enumeration.
constexpr int element_bytes(DType dtype) {
  switch (dtype) {
#define X(name, text, bytes) \
  case DType::name:          \
    return bytes;
    TAILOR_DTYPES(X)
#undef X
  }
  return 0;
}

#define X1(name, text, a) \
  if (text == s) return Enum::name;
#define X2(name, text, a, b) \
  if (text == s) return Enum::name;
constexpr std::optional<DType> parse_dtype(std::string_view s) {
  using Enum = DType;
  TAILOR_DTYPES(X1) return std::nullopt;
}
constexpr std::optional<Arch> parse_arch(std::string_view s) {
  using Enum = Arch;
  TAILOR_ARCHS(X2) return std::nullopt;
}
constexpr std::optional<Emitter> parse_emitter(std::string_view s) {
  using Enum = Emitter;
  TAILOR_EMITTERS(X1) return std::nullopt;
}
constexpr std::optional<Lowering> parse_lowering(std::string_view s) {
  using Enum = Lowering;
  TAILOR_LOWERINGS(X1) return std::nullopt;
}
#undef X1
#undef X2

inline constexpr int kMaxRank = 5;

// A strided view of device memory. Does not own what it points to.
struct Tensor {
  uint64_t address = 0;  // device address of element [0, …, 0]
  DType dtype = DType::kUInt8;
  int rank = 0;                            // 0 … kMaxRank
  std::array<int64_t, kMaxRank> shape{};   // elements per dimension, outermost first
  std::array<int64_t, kMaxRank> stride{};  // elements between neighbours of a dimension

  // Row-major strides for `shape`. Extents are not checked here; validation of a launch does that.
  static constexpr Tensor dense(uint64_t address, DType dtype, std::initializer_list<int64_t> shape) {
    Tensor t{address, dtype, static_cast<int>(shape.size()), {}, {}};
    int i = 0;
    for (int64_t extent : shape) t.shape[i++] = extent;
    uint64_t stride = 1;  // unsigned: an absurd shape must not be undefined behaviour before it is refused
    for (int d = t.rank; d-- > 0;) {
      t.stride[d] = static_cast<int64_t>(stride);
      stride *= static_cast<uint64_t>(t.shape[d]);
    }
    return t;
  }
};

}  // namespace tailor
