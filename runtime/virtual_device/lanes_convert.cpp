// cvt (PTX ISA 9.7.9.21): typed fast paths, and one general handler for every other pair of types.
#include <limits>

#include "runtime/virtual_device/formats.h"

namespace tailor::virtual_device::TAILOR_LANES {
namespace {

// Values below 32 bits are written sign- or zero-extended, since the destination register may be wider than the type.
template <class D>
inline Stored<D> extend(D v) {
  if constexpr (std::is_signed_v<D> && sizeof(D) < 4) return static_cast<uint32_t>(static_cast<int32_t>(v));
  return static_cast<Stored<D>>(v);
}
template <class D, class S>
void int_to_int(ExecContext& x, const Op& op, uint32_t mask) {
  const auto* a = slot<Stored<S>>(x, op.a);
  for_lanes<Stored<D>>(slot<Stored<D>>(x, op.d), mask,
                       [=](uint32_t l) { return extend<D>(static_cast<D>(static_cast<S>(a[l]))); });
}
template <class S>
void int_to_f32(ExecContext& x, const Op& op, uint32_t mask) {
  const auto* a = slot<uint32_t>(x, op.a);
  for_lanes<float>(slot<uint32_t>(x, op.d), mask, [=](uint32_t l) { return static_cast<float>(static_cast<S>(a[l])); });
}
// Toward zero, clamped, NaN to 0.
template <class D>
void f32_to_int(ExecContext& x, const Op& op, uint32_t mask) {
  const auto* a = slot<uint32_t>(x, op.a);
  constexpr float kLow = std::is_signed_v<D> ? -2147483648.0f : 0.0f;
  constexpr float kHigh = std::is_signed_v<D> ? 2147483648.0f : 4294967296.0f;
  for_lanes<D>(slot<uint32_t>(x, op.d), mask, [=](uint32_t l) {
    const float v = unpack<float>(a[l]);
    const bool inside = v > kLow && v < kHigh;
    const D middle = static_cast<D>(inside ? v : 0.0f);
    return inside       ? middle
           : v >= kHigh ? std::numeric_limits<D>::max()
           : v <= kLow  ? std::numeric_limits<D>::min()
                        : D{0};
  });
}
void f32_to_f64(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t* a = slot<uint32_t>(x, op.a);
  for_lanes<double>(slot<uint64_t>(x, op.d), mask,
                    [=](uint32_t l) { return static_cast<double>(unpack<float>(a[l])); });
}
// A NaN of f16 becomes the canonical one, as in cuda_fp16.hpp; one of bf16, whose bits are an f32's, keeps its bits.
template <class H>
void half_to_f32(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t* a = slot<uint32_t>(x, op.a);
  for_lanes<float>(slot<uint32_t>(x, op.d), mask, [=](uint32_t l) {
    const float v = H::load(static_cast<uint16_t>(a[l]));
    return std::is_same_v<H, BF16> || v == v ? v : std::bit_cast<float>(0x7FFFFFFFu);
  });
}
template <class H>
void f32_to_half(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t* a = slot<uint32_t>(x, op.a);
  for_lanes<uint32_t>(slot<uint32_t>(x, op.d), mask,
                      [=](uint32_t l) { return uint32_t{H::store(unpack<float>(a[l]))}; });
}
// d = {high: a, low: b}.
template <class H>
void f32_pair_to_half2(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t* a = slot<uint32_t>(x, op.a);
  const uint32_t* b = slot<uint32_t>(x, op.b);
  for_lanes<uint32_t>(slot<uint32_t>(x, op.d), mask, [=](uint32_t l) {
    return (uint32_t{H::store(unpack<float>(a[l]))} << 16) | H::store(unpack<float>(b[l]));
  });
}

// The general path. Op::imm: destination type, source type, rounding (RoundingCode), switches.
enum RoundingCode : uint32_t { kNone, kRn, kRz, kRm, kRp, kRni, kRzi, kRmi, kRpi, kRna };
constexpr uint32_t kSatfinite = 1, kRelu = 2, kWideSource = 4, kWideDestination = 8;

struct Value {
  bool real;
  __int128 whole;
  double number;
};

inline Rounding rounding_of(uint32_t code) {
  switch (code) {
    case kRz:
      return Rounding::kZero;
    case kRm:
      return Rounding::kDown;
    case kRp:
      return Rounding::kUp;
    case kRna:
      return Rounding::kNearestAway;
    default:
      return Rounding::kNearestEven;
  }
}
inline Value load(ptx::Type type, uint64_t bits, bool ftz) {
  using T = ptx::Type;
  const auto whole = [](__int128 v) { return Value{false, v, 0}; };
  const auto real = [](double v) { return Value{true, 0, v}; };
  switch (type) {
    case T::kU8:
    case T::kB8:
      return whole(static_cast<uint8_t>(bits));
    case T::kS8:
      return whole(static_cast<int8_t>(bits));
    case T::kU16:
    case T::kB16:
      return whole(static_cast<uint16_t>(bits));
    case T::kS16:
      return whole(static_cast<int16_t>(bits));
    case T::kU32:
    case T::kB32:
      return whole(static_cast<uint32_t>(bits));
    case T::kS32:
      return whole(static_cast<int32_t>(bits));
    case T::kU64:
    case T::kB64:
      return whole(bits);
    case T::kS64:
      return whole(static_cast<int64_t>(bits));
    case T::kF16:
      return real(half_to_float(static_cast<uint16_t>(bits)));
    case T::kBF16:
      return real(bfloat_to_float(static_cast<uint16_t>(bits)));
    case T::kF64:
      return real(std::bit_cast<double>(bits));
    default: {
      const uint32_t word = static_cast<uint32_t>(bits);
      return real(std::bit_cast<float>(ftz && (word & 0x7F800000u) == 0 ? word & 0x80000000u : word));
    }
  }
}
inline const Format& format_of(ptx::Type type) {
  using T = ptx::Type;
  switch (type) {
    case T::kF16:
    case T::kF16x2:
      return kFormatF16;
    case T::kBF16:
    case T::kBF16x2:
      return kFormatBF16;
    case T::kF64:
      return kFormatF64;
    case T::kE4M3x2:
      return kFormatE4M3;
    case T::kE5M2x2:
      return kFormatE5M2;
    default:
      return kFormatF32;
  }
}
inline double round_to_integer(double v, uint32_t code) {
  switch (code) {
    case kRzi:
      return std::trunc(v);
    case kRmi:
      return std::floor(v);
    case kRpi:
      return std::ceil(v);
    case kRni:
      return std::nearbyint(v);
    default:
      return v;
  }
}
inline uint64_t to_float_code(Value v, ptx::Type type, uint32_t code, uint32_t switches, bool sat, bool ftz) {
  const Format& f = format_of(type);
  if (!v.real) {
    const bool negative = v.whole < 0;
    return encode(negative, static_cast<uint64_t>(negative ? -v.whole : v.whole), 0, f, rounding_of(code));
  }
  double n = round_to_integer(v.number, code);
  if (sat) n = n > 0 ? (n < 1 ? n : 1.0) : 0.0;
  if ((switches & kRelu) && n < 0) n = 0;
  if ((switches & kRelu) && n == 0) n = 0.0;
  if (n != n && f.sign == 63) return std::bit_cast<uint64_t>(n);
  uint64_t bits;
  if (switches & kSatfinite) {
    // Beyond the largest value, infinity included, clamps.
    bits = encode(n, f, rounding_of(code));
    const uint64_t sign = uint64_t{1} << f.sign;
    if (n == n && (bits & ~sign) > f.max) bits = (bits & sign) | f.max;
    if (n != n) bits = 0x7F;
    if (n != n && f.sign == 15) bits = 0x7FFF;
  } else {
    bits = encode(n, f, rounding_of(code));
  }
  if (type == ptx::Type::kTF32) {
    // tf32 keeps 10 fraction bits of an f32.
    const Format tf32 = {10, 127, 0x3FBFF, 0x3FC00, 18};
    bits = encode(n, tf32, rounding_of(code)) << 13;
    if (n != n) bits = 0x7FFFFFFF;
  }
  if (ftz && type == ptx::Type::kF32 && (bits & 0x7F800000u) == 0) bits &= 0x80000000u;
  return bits;
}
inline uint64_t to_int_code(Value v, ptx::Type type, uint32_t code, bool sat, bool source_is_f64) {
  using T = ptx::Type;
  const bool is_signed = type == T::kS8 || type == T::kS16 || type == T::kS32 || type == T::kS64;
  const int bits = type == T::kU8 || type == T::kS8 || type == T::kB8      ? 8
                   : type == T::kU16 || type == T::kS16 || type == T::kB16 ? 16
                   : type == T::kU64 || type == T::kS64 || type == T::kB64 ? 64
                                                                           : 32;
  const __int128 low = is_signed ? -(__int128{1} << (bits - 1)) : 0;
  const __int128 high = (__int128{1} << (is_signed ? bits - 1 : bits)) - 1;
  __int128 whole = v.whole;
  if (v.real) {
    const double n = round_to_integer(v.number, code == kNone ? static_cast<uint32_t>(kRzi) : code);
    if (n != n) {
      // PTX ISA: 0 unless either side is 64 bits wide, then the top bit.
      whole = bits == 64 || source_is_f64 ? (is_signed ? low : __int128{1} << (bits - 1)) : 0;
    } else if (n >= 18446744073709551616.0) {
      whole = high;
    } else if (n <= -9223372036854775808.0) {
      whole = low;
    } else {
      whole = static_cast<__int128>(n);
      whole = whole < low ? low : whole > high ? high : whole;
    }
  } else if (sat) {
    whole = whole < low ? low : whole > high ? high : whole;
  }
  const uint64_t word = static_cast<uint64_t>(whole);
  if (bits == 64) return word;
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  const bool negative = is_signed && ((word >> (bits - 1)) & 1);
  return negative ? word | ~mask : word & mask;
}

struct General {
  ptx::Type to, from;
  uint32_t code, switches;
  bool sat, ftz;
  explicit General(const Op& op)
      : to(static_cast<ptx::Type>(op.imm & 0xFF)),
        from(static_cast<ptx::Type>((op.imm >> 8) & 0xFF)),
        code((op.imm >> 16) & 0xFF),
        switches(op.imm >> 24),
        sat(op.flags & kSat),
        ftz(op.flags & kFtz) {}
};
inline uint64_t read_lane(const ExecContext& x, uint32_t at, uint32_t l, bool wide) {
  return wide ? slot<uint64_t>(x, at)[l] : slot<uint32_t>(x, at)[l];
}
void convert(ExecContext& x, const Op& op, uint32_t mask) {
  const General g(op);
  const bool to_real = g.to == ptx::Type::kF16 || g.to == ptx::Type::kBF16 || g.to == ptx::Type::kF32 ||
                       g.to == ptx::Type::kF64 || g.to == ptx::Type::kTF32;
  uint64_t result[kLanes];
  for (uint32_t l = 0; l < kLanes; ++l) {
    const Value v = load(g.from, read_lane(x, op.a, l, g.switches & kWideSource), g.ftz);
    result[l] = to_real ? to_float_code(v, g.to, g.code, g.switches, g.sat, g.ftz)
                        : to_int_code(v, g.to, g.code, g.sat, g.from == ptx::Type::kF64);
  }
  if (g.switches & kWideDestination) {
    for_lanes<uint64_t>(slot<uint64_t>(x, op.d), mask, [&](uint32_t l) { return result[l]; });
  } else {
    for_lanes<uint32_t>(slot<uint32_t>(x, op.d), mask, [&](uint32_t l) { return static_cast<uint32_t>(result[l]); });
  }
}
// Two values of `from` (a: high, b: low) to a packed pair of 8 or 16 bits each.
void convert_pair(ExecContext& x, const Op& op, uint32_t mask) {
  const General g(op);
  const uint32_t* a = slot<uint32_t>(x, op.a);
  const uint32_t* b = slot<uint32_t>(x, op.b);
  const int shift = format_of(g.to).sign + 1;
  uint32_t result[kLanes];
  for (uint32_t l = 0; l < kLanes; ++l) {
    const auto part = [&](uint32_t bits) {
      return static_cast<uint32_t>(to_float_code(load(g.from, bits, g.ftz), g.to, g.code, g.switches, g.sat, g.ftz));
    };
    result[l] = (part(a[l]) << shift) | part(b[l]);
  }
  for_lanes<uint32_t>(slot<uint32_t>(x, op.d), mask, [&](uint32_t l) { return result[l]; });
}
// A packed f16x2 to packed 8-bit floats, and packed 8-bit floats to f16x2 (exact).
void half2_to_fp8(ExecContext& x, const Op& op, uint32_t mask) {
  const General g(op);
  const uint32_t* a = slot<uint32_t>(x, op.a);
  uint32_t result[kLanes];
  for (uint32_t l = 0; l < kLanes; ++l) {
    const auto part = [&](uint32_t bits) {
      const Value v = {true, 0, half_to_float(static_cast<uint16_t>(bits))};
      return static_cast<uint32_t>(to_float_code(v, g.to, g.code, g.switches, g.sat, g.ftz));
    };
    result[l] = (part(a[l] >> 16) << 8) | part(a[l]);
  }
  for_lanes<uint32_t>(slot<uint32_t>(x, op.d), mask, [&](uint32_t l) { return result[l]; });
}
void fp8_to_half2(ExecContext& x, const Op& op, uint32_t mask) {
  const General g(op);
  const uint32_t* a = slot<uint32_t>(x, op.a);
  uint32_t result[kLanes];
  for (uint32_t l = 0; l < kLanes; ++l) {
    const auto part = [&](uint32_t bits) {
      const auto byte = static_cast<uint8_t>(bits);
      const double v = g.from == ptx::Type::kE4M3x2 ? e4m3_to_double(byte) : e5m2_to_double(byte);
      return static_cast<uint32_t>(to_float_code({true, 0, v}, ptx::Type::kF16, kRn, g.switches, false, false));
    };
    result[l] = (part(a[l] >> 8) << 16) | part(a[l]);
  }
  for_lanes<uint32_t>(slot<uint32_t>(x, op.d), mask, [&](uint32_t l) { return result[l]; });
}

#define FROM(to, D)                                                                            \
  {"cvt." to ".u8", int_to_int<D, uint8_t>}, {"cvt." to ".s8", int_to_int<D, int8_t>},         \
      {"cvt." to ".u16", int_to_int<D, uint16_t>}, {"cvt." to ".s16", int_to_int<D, int16_t>}, \
      {"cvt." to ".u32", int_to_int<D, uint32_t>}, {"cvt." to ".s32", int_to_int<D, int32_t>}, \
      {"cvt." to ".u64", int_to_int<D, uint64_t>}, {                                           \
    "cvt." to ".s64", int_to_int<D, int64_t>                                                   \
  }

const LaneEntry kEntries[] = {
    FROM("u8", uint8_t),
    FROM("s8", int8_t),
    FROM("u16", uint16_t),
    FROM("s16", int16_t),
    FROM("u32", uint32_t),
    FROM("s32", int32_t),
    FROM("u64", uint64_t),
    FROM("s64", int64_t),
    {"cvt.rn.f32.s32", int_to_f32<int32_t>},
    {"cvt.rn.f32.u32", int_to_f32<uint32_t>},
    {"cvt.rzi.s32.f32", f32_to_int<int32_t>},
    {"cvt.rzi.u32.f32", f32_to_int<uint32_t>},
    {"cvt.f64.f32", f32_to_f64},
    {"cvt.f32.f16", half_to_f32<F16>},
    {"cvt.f32.bf16", half_to_f32<BF16>},
    {"cvt.rn.f16.f32", f32_to_half<F16>},
    {"cvt.rn.bf16.f32", f32_to_half<BF16>},
    {"cvt.rn.f16x2.f32", f32_pair_to_half2<F16>},
    {"cvt.rn.bf16x2.f32", f32_pair_to_half2<BF16>},
    {"convert", convert},
    {"convert_pair", convert_pair},
    {"half2_to_fp8", half2_to_fp8},
    {"fp8_to_half2", fp8_to_half2},
};

}  // namespace

extern const LaneEntries convert_entries;
const LaneEntries convert_entries = {kEntries, sizeof(kEntries) / sizeof(kEntries[0])};

}  // namespace tailor::virtual_device::TAILOR_LANES
