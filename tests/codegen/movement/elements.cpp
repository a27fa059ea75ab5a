#include "tests/codegen/movement/elements.h"

#include <bit>
#include <cmath>

#include "tests/codegen/kernel/storage_formats.h"

namespace tailor::test {
namespace {

using codegen::kernel::Format;
using namespace codegen::kernel::testing;

Format format_of(DType type) {
  return type == DType::kFloat16      ? Format::kF16
         : type == DType::kBFloat16   ? Format::kBF16
         : type == DType::kFloat8E4M3 ? Format::kE4M3
                                      : Format::kE5M2;
}

uint32_t canonical(float value) { return std::isnan(value) ? kCanonicalNan : std::bit_cast<uint32_t>(value); }

}  // namespace

uint32_t decode_element(DType type, uint32_t bits) {
  return type == DType::kFloat32 ? bits : decode_bits(format_of(type), bits);
}

uint32_t encode_element(DType type, uint32_t f32) {
  return type == DType::kFloat32 ? f32 : encode_bits(format_of(type), f32);
}

// Volatile, so that no two operations become one.
uint32_t multiply(uint32_t a, uint32_t b) {
  volatile float product = std::bit_cast<float>(a) * std::bit_cast<float>(b);
  return canonical(product);
}

uint32_t add(uint32_t a, uint32_t b) {
  volatile float sum = std::bit_cast<float>(a) + std::bit_cast<float>(b);
  return canonical(sum);
}

uint32_t subtract(uint32_t a, uint32_t b) {
  volatile float difference = std::bit_cast<float>(a) - std::bit_cast<float>(b);
  return canonical(difference);
}

uint32_t random_element(DType type, std::mt19937& random) {
  const auto any = static_cast<uint32_t>(random());
  const uint32_t mask = type == DType::kFloat32 ? ~uint32_t{0} : (uint32_t{1} << 8 * element_bytes(type)) - 1;
  if (random() % 4 == 0) return any & mask;
  const float small =
      std::ldexp(static_cast<float>(static_cast<int32_t>(any)), -31 + static_cast<int>(random() % 20) - 8);
  return encode_element(type, std::bit_cast<uint32_t>(small));
}

}  // namespace tailor::test
