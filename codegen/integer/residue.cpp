#include "codegen/integer/residue.h"

#include <algorithm>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::integer {
namespace {

using I128 = __int128;

constexpr int64_t kMin = Residue::kMinusInfinity;
constexpr int64_t kMax = Residue::kPlusInfinity;

// Finite results outside (kMin, kMax) saturate to "unknown": a lower bound to minus infinity, an upper to plus
// infinity.
int64_t saturate_lo(I128 value) {
  if (value <= kMin) return kMin;
  return value >= kMax ? kMax - 1 : static_cast<int64_t>(value);
}
int64_t saturate_hi(I128 value) {
  if (value >= kMax) return kMax;
  return value <= kMin ? kMin + 1 : static_cast<int64_t>(value);
}

int64_t reduce(I128 value, int64_t modulus) {
  I128 r = value % modulus;
  return static_cast<int64_t>(r < 0 ? r + modulus : r);
}

// Restores the invariant: bounds congruent to the remainder, a single value becomes a constant. modulus >= 1 here.
// When the tightened range is empty the untightened one is kept (only possible for values that do not exist).
Residue normalise(int64_t modulus, I128 remainder, int64_t lo, int64_t hi) {
  Residue result;
  result.modulus = modulus;
  result.remainder = reduce(remainder, modulus);
  I128 low = lo;
  I128 high = hi;
  if (lo != kMin) low += reduce(static_cast<I128>(result.remainder) - low, modulus);
  if (hi != kMax) high -= reduce(high - result.remainder, modulus);
  bool lo_finite = lo != kMin;
  bool hi_finite = hi != kMax;
  if (lo_finite && hi_finite && low == high && low > kMin && low < kMax) {
    return Residue::constant(static_cast<int64_t>(low));
  }
  if (lo_finite && hi_finite && low > high) {
    result.lo = lo;
    result.hi = hi;
    return result;
  }
  result.lo = lo_finite ? saturate_lo(low) : kMin;
  result.hi = hi_finite ? saturate_hi(high) : kMax;
  return result;
}

// modulus given as a 128-bit divisor of which any divisor is sound; `fallback` divides it and fits.
int64_t fitting_modulus(I128 modulus, int64_t fallback) {
  return modulus <= kMax ? static_cast<int64_t>(modulus) : fallback;
}

I128 gcd128(I128 a, I128 b) {
  if (a < 0) a = -a;
  if (b < 0) b = -b;
  while (b != 0) {
    I128 r = a % b;
    a = b;
    b = r;
  }
  return a;
}

}  // namespace

Residue Residue::congruent(int64_t modulus, int64_t remainder) {
  return normalise(std::max<int64_t>(modulus, 1), remainder, kMin, kMax);
}

Residue Residue::between(int64_t lo, int64_t hi) { return normalise(1, 0, lo, hi); }

bool Residue::contains(int64_t value) const {
  if (modulus == 0) return value == remainder;
  return (lo == kMin || value >= lo) && (hi == kMax || value <= hi) && reduce(value, modulus) == remainder;
}

int64_t Residue::known_divisor() const { return gcd(modulus, remainder); }

int64_t Residue::known_alignment(int64_t cap) const {
  int64_t divisor = known_divisor();
  if (divisor == 0) return cap;
  return std::min(cap, int64_t{1} << std::min(pow2_valuation(divisor), 62));
}

Residue operator+(const Residue& a, const Residue& b) {
  I128 remainder = static_cast<I128>(a.remainder) + b.remainder;
  int64_t lo = a.lo == kMin || b.lo == kMin ? kMin : saturate_lo(static_cast<I128>(a.lo) + b.lo);
  int64_t hi = a.hi == kMax || b.hi == kMax ? kMax : saturate_hi(static_cast<I128>(a.hi) + b.hi);
  if (a.is_constant() && b.is_constant()) {
    if (remainder > kMin && remainder < kMax) return Residue::constant(static_cast<int64_t>(remainder));
    return normalise(1, 0, lo, hi);
  }
  return normalise(gcd(a.modulus, b.modulus), remainder, lo, hi);
}

Residue operator-(const Residue& a) {
  if (a.is_constant() && a.remainder != kMin) return Residue::constant(-a.remainder);
  return normalise(std::max<int64_t>(a.modulus, 1), -static_cast<I128>(a.remainder),
                   a.hi == kMax ? kMin : saturate_lo(-static_cast<I128>(a.hi)),
                   a.lo == kMin ? kMax : saturate_hi(-static_cast<I128>(a.lo)));
}

Residue operator-(const Residue& a, const Residue& b) { return a + (-b); }

Residue operator*(const Residue& a, int64_t factor) {
  if (factor == 0) return Residue::constant(0);
  if (a.is_constant()) {
    I128 product = static_cast<I128>(a.remainder) * factor;
    if (product > kMin && product < kMax) return Residue::constant(static_cast<int64_t>(product));
    int64_t size = gcd(factor, int64_t{0});
    return normalise(std::max<int64_t>(size, 1), product, product < 0 ? kMin : kMax - 1, product < 0 ? kMin + 1 : kMax);
  }
  int64_t size = gcd(factor, int64_t{0});
  int64_t modulus = fitting_modulus(static_cast<I128>(a.modulus) * size, std::max(a.modulus, size));
  I128 remainder = static_cast<I128>(a.remainder) * factor;
  I128 low = static_cast<I128>(factor > 0 ? a.lo : a.hi) * factor;
  I128 high = static_cast<I128>(factor > 0 ? a.hi : a.lo) * factor;
  bool low_open = factor > 0 ? a.lo == kMin : a.hi == kMax;
  bool high_open = factor > 0 ? a.hi == kMax : a.lo == kMin;
  return normalise(modulus, remainder, low_open ? kMin : saturate_lo(low), high_open ? kMax : saturate_hi(high));
}

Residue operator*(const Residue& a, const Residue& b) {
  if (a.is_constant()) return b * a.remainder;
  if (b.is_constant()) return a * b.remainder;
  // (m1 k + r1)(m2 l + r2) = r1 r2 (mod gcd(m1 m2, m1 r2, m2 r1))
  I128 g = gcd128(gcd128(static_cast<I128>(a.modulus) * b.modulus, static_cast<I128>(a.modulus) * b.remainder),
                  static_cast<I128>(b.modulus) * a.remainder);
  // Any divisor of g is sound; both gcd(m1, r1) and gcd(m2, r2) divide it, and so does their larger.
  int64_t modulus = fitting_modulus(g, std::max(a.known_divisor(), b.known_divisor()));
  int64_t lo = kMin;
  int64_t hi = kMax;
  if (a.lo != kMin && a.hi != kMax && b.lo != kMin && b.hi != kMax) {
    const I128 corners[] = {static_cast<I128>(a.lo) * b.lo, static_cast<I128>(a.lo) * b.hi,
                            static_cast<I128>(a.hi) * b.lo, static_cast<I128>(a.hi) * b.hi};
    lo = saturate_lo(*std::min_element(std::begin(corners), std::end(corners)));
    hi = saturate_hi(*std::max_element(std::begin(corners), std::end(corners)));
  } else if (a.lo >= 0 && b.lo >= 0) {
    lo = saturate_lo(static_cast<I128>(a.lo) * b.lo);
  }
  return normalise(modulus, static_cast<I128>(a.remainder) * b.remainder, lo, hi);
}

Residue floor_div(const Residue& a, int64_t divisor) {
  if (divisor <= 1) return a;
  if (a.is_constant()) return Residue::constant(floor_div(a.remainder, divisor));
  int64_t lo = a.lo == kMin ? kMin : floor_div(a.lo, divisor);
  int64_t hi = a.hi == kMax ? kMax : floor_div(a.hi, divisor);
  if (a.modulus % divisor != 0) return normalise(1, 0, lo, hi);
  return normalise(a.modulus / divisor, floor_div(a.remainder, divisor), lo, hi);
}

Residue floor_mod(const Residue& a, int64_t divisor) {
  if (divisor <= 1) return Residue::constant(0);
  if (a.is_constant()) return Residue::constant(floor_mod(a.remainder, divisor));
  if (a.lo != kMin && a.hi != kMax && floor_div(a.lo, divisor) == floor_div(a.hi, divisor)) {
    // One block: the subtrahend is a constant, and the class survives.
    I128 base = static_cast<I128>(floor_div(a.lo, divisor)) * divisor;
    return normalise(a.modulus, a.remainder - base, static_cast<int64_t>(a.lo - base),
                     static_cast<int64_t>(a.hi - base));
  }
  return normalise(gcd(a.modulus, divisor), a.remainder, 0, divisor - 1);
}

std::optional<Residue> meet(const Residue& a, const Residue& b) {
  if (a.is_constant()) return b.contains(a.remainder) ? std::optional<Residue>(a) : std::nullopt;
  if (b.is_constant()) return a.contains(b.remainder) ? std::optional<Residue>(b) : std::nullopt;
  int64_t modulus = a.modulus >= b.modulus ? a.modulus : b.modulus;
  int64_t remainder = a.modulus >= b.modulus ? a.remainder : b.remainder;
  if ((static_cast<I128>(a.remainder) - b.remainder) % gcd(a.modulus, b.modulus) != 0) return std::nullopt;
  auto combined = crt({a.modulus, a.remainder}, {b.modulus, b.remainder});
  if (combined.ok() && combined->has_value()) {
    modulus = (*combined)->modulus;
    remainder = (*combined)->remainder;
  }
  int64_t lo = std::max(a.lo, b.lo);
  int64_t hi = std::min(a.hi, b.hi);
  if (lo > hi) return std::nullopt;
  if (lo != kMin && hi != kMax) {  // the first member at or above lo
    I128 first = static_cast<I128>(lo) + reduce(static_cast<I128>(remainder) - lo, modulus);
    if (first > hi) return std::nullopt;
  }
  return normalise(modulus, remainder, lo, hi);
}

Residue join(const Residue& a, const Residue& b) {
  if (a == b) return a;
  I128 difference = static_cast<I128>(a.remainder) - b.remainder;
  I128 g = gcd128(gcd128(a.modulus, b.modulus), difference);
  int64_t modulus = g == 0 ? 1 : fitting_modulus(g, 1);
  return normalise(modulus, a.remainder, std::min(a.lo, b.lo), std::max(a.hi, b.hi));
}

std::string to_string(const Residue& value) {
  if (value.is_constant()) return fmt::format("= {}", value.remainder);
  std::string text = value.modulus == 1 ? "" : fmt::format("{} mod {}", value.remainder, value.modulus);
  if (value.lo != kMin || value.hi != kMax) {
    if (!text.empty()) text += " ";
    text += fmt::format("in [{}, {}]", value.lo == kMin ? "-inf" : fmt::to_string(value.lo),
                        value.hi == kMax ? "inf" : fmt::to_string(value.hi));
  }
  return text.empty() ? "any" : text;
}

}  // namespace tailor::codegen::integer
