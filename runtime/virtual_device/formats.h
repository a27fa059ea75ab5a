// Narrow floating-point formats by bits: f16, bf16, e4m3, e5m2, and correctly rounded encoding of any exact value.
//
// Internal linkage per compilation, as lanes.h. PTX ISA 5.2.3; NaN results are PTX's canonical ones (all ones but
// sign).
#pragma once

#include <cmath>

#include "runtime/virtual_device/lanes.h"

namespace tailor::virtual_device::TAILOR_LANES {
namespace {

enum class Rounding : uint8_t { kNearestEven, kZero, kDown, kUp, kNearestAway };

struct Format {
  int mantissa;  // stored bits
  int bias;
  uint64_t max;   // code of the largest finite value
  uint64_t over;  // code of what lies beyond: infinity, or NaN where there is none
  int sign;       // bit of the sign
};
constexpr Format kFormatF16 = {10, 15, 0x7BFF, 0x7C00, 15};
constexpr Format kFormatBF16 = {7, 127, 0x7F7F, 0x7F80, 15};
constexpr Format kFormatF32 = {23, 127, 0x7F7FFFFF, 0x7F800000, 31};
constexpr Format kFormatF64 = {52, 1023, 0x7FEFFFFFFFFFFFFF, 0x7FF0000000000000, 63};
constexpr Format kFormatE4M3 = {3, 7, 0x7E, 0x7F, 7};
constexpr Format kFormatE5M2 = {2, 15, 0x7B, 0x7C, 7};

// The code of ±magnitude · 2^exponent, rounded once. `odd`: the true value lies a little above `magnitude` (sticky
// bit).
inline uint64_t encode(bool negative, uint64_t magnitude, int exponent, const Format& f, Rounding mode) {
  const uint64_t sign = negative ? uint64_t{1} << f.sign : 0;
  if (magnitude == 0) return sign;
  const int zeros = std::countl_zero(magnitude);
  magnitude <<= zeros;                    // value = magnitude · 2^(exponent - zeros), top bit set
  const int top = exponent - zeros + 63;  // exponent of the leading bit
  const int lowest = 1 - f.bias;
  int drop = 63 - f.mantissa + (top < lowest ? lowest - top : 0);
  bool half, below;
  uint64_t kept;
  if (drop > 64) {
    kept = 0, half = false, below = true;
  } else if (drop == 64) {
    kept = 0, half = magnitude >> 63, below = (magnitude << 1) != 0;
  } else {
    kept = magnitude >> drop;
    half = (magnitude >> (drop - 1)) & 1;
    below = (magnitude & ((uint64_t{1} << (drop - 1)) - 1)) != 0;
  }
  bool up = false;
  switch (mode) {
    case Rounding::kNearestEven:
      up = half && (below || (kept & 1));
      break;
    case Rounding::kNearestAway:
      up = half;
      break;
    case Rounding::kZero:
      break;
    case Rounding::kDown:
      up = negative && (half || below);
      break;
    case Rounding::kUp:
      up = !negative && (half || below);
      break;
  }
  kept += up;
  // A normal value's leading bit adds one to the exponent field, a carry one more.
  uint64_t code = top < lowest ? kept : (static_cast<uint64_t>(top + f.bias - 1) << f.mantissa) + kept;
  if (code > f.max) {
    const bool to_max =
        mode == Rounding::kZero || (mode == Rounding::kDown && !negative) || (mode == Rounding::kUp && negative);
    code = to_max ? f.max : f.over;
  }
  return sign | code;
}

struct Split64 {
  bool negative;
  uint64_t magnitude;
  int exponent;  // value = magnitude · 2^exponent
};
inline Split64 split(double v) {
  const uint64_t bits = std::bit_cast<uint64_t>(v);
  const int field = static_cast<int>((bits >> 52) & 0x7FF);
  const uint64_t fraction = bits & ((uint64_t{1} << 52) - 1);
  return {(bits >> 63) != 0, field == 0 ? fraction : fraction | (uint64_t{1} << 52), (field == 0 ? 1 : field) - 1075};
}
// A double to `f`; NaN gives the all-ones code without sign, infinity what lies beyond the largest value.
inline uint64_t encode(double v, const Format& f, Rounding mode) {
  if (v != v) return (uint64_t{1} << f.sign) - 1;
  const Split64 s = split(v);
  if (std::isinf(v)) return (s.negative ? uint64_t{1} << f.sign : 0) | f.over;
  return encode(s.negative, s.magnitude, s.exponent, f, mode);
}

inline float half_to_float(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16;
  uint32_t bits = static_cast<uint32_t>(h & 0x7FFF) << 13;
  const uint32_t exponent = bits & 0x0F800000u;
  bits += uint32_t{112} << 23;
  const float subnormal = std::bit_cast<float>(bits + (1u << 23)) - std::bit_cast<float>(uint32_t{113} << 23);
  bits = exponent == 0x0F800000u ? bits + (uint32_t{112} << 23)
         : exponent == 0         ? std::bit_cast<uint32_t>(subnormal)
                                 : bits;
  return std::bit_cast<float>(bits | sign);
}
inline uint16_t float_to_half(float v) {
  uint32_t bits = std::bit_cast<uint32_t>(v);
  const uint32_t sign = (bits >> 16) & 0x8000;
  bits &= 0x7FFFFFFFu;
  if (bits > 0x7F800000u) return 0x7FFF;
  // Subnormal results: adding 0.5 aligns the fraction so that the hardware rounds it.
  const float aligned = std::bit_cast<float>(bits) + std::bit_cast<float>(uint32_t{126} << 23);
  const uint32_t subnormal = std::bit_cast<uint32_t>(aligned) - (uint32_t{126} << 23);
  const uint32_t normal = (bits - (uint32_t{112} << 23) + 0xFFF + ((bits >> 13) & 1)) >> 13;
  const uint32_t r = bits >= (uint32_t{143} << 23) ? 0x7C00u : bits < (uint32_t{113} << 23) ? subnormal : normal;
  return static_cast<uint16_t>(r | sign);
}
inline float bfloat_to_float(uint16_t b) { return std::bit_cast<float>(static_cast<uint32_t>(b) << 16); }
inline uint16_t float_to_bfloat(float v) {
  const uint32_t bits = std::bit_cast<uint32_t>(v);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return 0x7FFF;
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}
inline double e4m3_to_double(uint8_t c) {
  const int e = (c >> 3) & 15, m = c & 7;
  if (e == 15 && m == 7) return std::nan("");
  const double v = e == 0 ? std::ldexp(m, -9) : std::ldexp(8 + m, e - 10);
  return c & 0x80 ? -v : v;
}
inline double e5m2_to_double(uint8_t c) { return half_to_float(static_cast<uint16_t>(c << 8)); }

// The two 16-bit formats as traits of the packed handlers.
struct F16 {
  static constexpr const Format& kFormat = kFormatF16;
  static constexpr uint16_t kOne = 0x3C00;
  static float load(uint16_t v) { return half_to_float(v); }
  static uint16_t store(float v) { return float_to_half(v); }
};
struct BF16 {
  static constexpr const Format& kFormat = kFormatBF16;
  static constexpr uint16_t kOne = 0x3F80;
  static float load(uint16_t v) { return bfloat_to_float(v); }
  static uint16_t store(float v) { return float_to_bfloat(v); }
};

}  // namespace
}  // namespace tailor::virtual_device::TAILOR_LANES
