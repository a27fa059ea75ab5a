#include "runtime/torch/element_bits.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <torch/headeronly/util/BFloat16.h>
#include <torch/headeronly/util/Float8_e4m3fn.h>
#include <torch/headeronly/util/Float8_e4m3fnuz.h>
#include <torch/headeronly/util/Float8_e5m2.h>
#include <torch/headeronly/util/Float8_e5m2fnuz.h>
#include <torch/headeronly/util/Half.h>

namespace tailor::pytorch {
namespace {

using torch::headeronly::ScalarType;

template <class T>
uint64_t bits_of(const T& element) {
  uint64_t bits = 0;
  std::memcpy(&bits, &element, sizeof(T));
  return bits;
}

// [min, max + 1) of T, whose ends a double holds exactly.
template <class T>
std::optional<uint64_t> integer_bits(double value) {
  constexpr double kEnd = 2.0 * static_cast<double>(std::numeric_limits<T>::max() / 2 + 1);
  if (!(value >= static_cast<double>(std::numeric_limits<T>::min()) && value < kEnd) || value != std::trunc(value)) {
    return std::nullopt;
  }
  return bits_of(static_cast<T>(value));
}

}  // namespace

std::optional<uint64_t> element_bits(double value, ScalarType type) {
  const auto single = static_cast<float>(value);
  switch (type) {
    case ScalarType::Byte:
      return integer_bits<uint8_t>(value);
    case ScalarType::Char:
      return integer_bits<int8_t>(value);
    case ScalarType::Short:
      return integer_bits<int16_t>(value);
    case ScalarType::UInt16:
      return integer_bits<uint16_t>(value);
    case ScalarType::Int:
      return integer_bits<int32_t>(value);
    case ScalarType::UInt32:
      return integer_bits<uint32_t>(value);
    case ScalarType::Long:
      return integer_bits<int64_t>(value);
    case ScalarType::UInt64:
      return integer_bits<uint64_t>(value);
    case ScalarType::Bool:
      return value == 0 || value == 1 ? integer_bits<uint8_t>(value) : std::nullopt;
    case ScalarType::Float:
      return bits_of(single);
    case ScalarType::Double:
      return bits_of(value);
    case ScalarType::Half:
    case ScalarType::ComplexHalf:
      return bits_of(c10::Half(single));
    case ScalarType::BFloat16:
      return bits_of(c10::BFloat16(single));
    case ScalarType::ComplexFloat:
      return bits_of(single);
    case ScalarType::Float8_e4m3fn:
      return bits_of(c10::Float8_e4m3fn(single));
    case ScalarType::Float8_e4m3fnuz:
      return bits_of(c10::Float8_e4m3fnuz(single));
    case ScalarType::Float8_e5m2:
      return bits_of(c10::Float8_e5m2(single));
    case ScalarType::Float8_e5m2fnuz:
      return bits_of(c10::Float8_e5m2fnuz(single));
    default:
      return std::nullopt;
  }
}

}  // namespace tailor::pytorch
