#include "tests/runtime/operations/formats.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tailor::truth {
namespace {

// IEEE 754 binary32 and binary16; bfloat16; OCP "8-bit Floating Point Specification" (E4M3 has one NaN pattern per sign
// and no infinity).
struct Format {
  int exponent_bits, fraction_bits;
  uint64_t largest_finite;  // bits
  bool infinity, saturates;
};

Format format_of(DType type) {
  switch (type) {
    case DType::kFloat16:
      return {5, 10, 0x7bff, true, false};
    case DType::kBFloat16:
      return {8, 7, 0x7f7f, true, false};
    case DType::kFloat8E4M3:
      return {4, 3, 0x7e, false, true};
    case DType::kFloat8E5M2:
      return {5, 2, 0x7b, true, true};
    default:
      return {8, 23, 0x7f7fffff, true, false};
  }
}

int least_exponent(const Format& f) { return 2 - (1 << (f.exponent_bits - 1)); }
uint64_t sign_bit(const Format& f) { return uint64_t{1} << (f.exponent_bits + f.fraction_bits); }

}  // namespace

double decode(DType type, uint64_t bits) {
  const Format f = format_of(type);
  const double sign = bits & sign_bit(f) ? -1.0 : 1.0;
  const uint64_t magnitude = bits & (sign_bit(f) - 1);
  if (magnitude > f.largest_finite) {
    if (f.infinity && magnitude == f.largest_finite + 1) return sign * std::numeric_limits<double>::infinity();
    return std::numeric_limits<double>::quiet_NaN();
  }
  const uint64_t field = magnitude >> f.fraction_bits;
  const uint64_t fraction = magnitude & ((uint64_t{1} << f.fraction_bits) - 1);
  const int exponent = least_exponent(f) + static_cast<int>(field) - (field == 0 ? 0 : 1);
  const uint64_t significand = fraction + (field == 0 ? 0 : uint64_t{1} << f.fraction_bits);
  return sign * std::ldexp(static_cast<double>(significand), exponent - f.fraction_bits);
}

uint64_t encode(DType type, double value) {
  const Format f = format_of(type);
  const uint64_t sign = std::signbit(value) ? sign_bit(f) : 0;
  if (std::isnan(value)) return sign_bit(f) - 1;
  const uint64_t overflow = f.saturates ? f.largest_finite : f.largest_finite + 1;
  if (std::isinf(value)) return sign | overflow;
  if (value == 0) return sign;
  int exponent = 0;
  std::frexp(value, &exponent);  // |value| in [2^(exponent - 1), 2^exponent)
  const int unit = std::max(exponent - 1, least_exponent(f)) - f.fraction_bits;
  // At most 2^(fraction_bits + 1); the scaling is exact and nearbyint rounds halves to even.
  const auto significand = static_cast<uint64_t>(std::nearbyint(std::ldexp(std::fabs(value), -unit)));
  const int above = unit + f.fraction_bits - least_exponent(f);
  if (above >= 1 << f.exponent_bits) return sign | overflow;
  // A significand of 2^(fraction_bits + 1) carries into the exponent by itself.
  const uint64_t bits = (static_cast<uint64_t>(above) << f.fraction_bits) + significand;
  return sign | (bits > f.largest_finite ? overflow : bits);
}

double round_to_f32(double value) { return decode(DType::kFloat32, encode(DType::kFloat32, value)); }

bool is_nan(DType type, uint64_t bits) { return std::isnan(decode(type, bits)); }

}  // namespace tailor::truth
