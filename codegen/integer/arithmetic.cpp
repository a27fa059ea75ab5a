#include "codegen/integer/arithmetic.h"

#include <fmt/format.h>

namespace tailor::codegen::integer {

Status overflow_error(std::string_view what) {
  return invalid_argument(fmt::format("{} overflows 64-bit integers", what));
}

Expected<int64_t> checked_add(int64_t a, int64_t b) {
  Checked c = Checked(a) + b;
  if (!c.ok()) return overflow_error(fmt::format("{} + {}", a, b));
  return c.value();
}

Expected<int64_t> checked_sub(int64_t a, int64_t b) {
  Checked c = Checked(a) - b;
  if (!c.ok()) return overflow_error(fmt::format("{} - {}", a, b));
  return c.value();
}

Expected<int64_t> checked_mul(int64_t a, int64_t b) {
  Checked c = Checked(a) * b;
  if (!c.ok()) return overflow_error(fmt::format("{} * {}", a, b));
  return c.value();
}

uint64_t gcd(uint64_t a, uint64_t b) {
  while (b != 0) {
    uint64_t r = a % b;
    a = b;
    b = r;
  }
  return a;
}

int64_t gcd(int64_t a, int64_t b) {
  uint64_t g = gcd(magnitude(a), magnitude(b));
  return g > static_cast<uint64_t>(INT64_MAX) ? int64_t{1} << 62 : static_cast<int64_t>(g);
}

Bezout xgcd(int64_t a, int64_t b) {
  // Invariants: r0 = x0*a + y0*b and r1 = x1*a + y1*b; the cofactors stay below max(|a|, |b|) / g.
  int64_t r0 = a, x0 = 1, y0 = 0;
  int64_t r1 = b, x1 = 0, y1 = 1;
  while (r1 != 0) {
    int64_t q = r0 / r1;
    int64_t r2 = r0 - q * r1;
    r0 = r1;
    r1 = r2;
    if (r1 == 0) {  // the next cofactors are ±b/g, ±a/g; computing them would serve nothing
      x0 = x1;
      y0 = y1;
      break;
    }
    int64_t x2 = x0 - q * x1;
    int64_t y2 = y0 - q * y1;
    x0 = x1;
    x1 = x2;
    y0 = y1;
    y1 = y2;
  }
  if (r0 < 0) return {-r0, -x0, -y0};
  return {r0, x0, y0};
}

Expected<int64_t> lcm(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return int64_t{0};
  uint64_t result = 0;
  uint64_t quotient = magnitude(a) / gcd(magnitude(a), magnitude(b));
  if (__builtin_mul_overflow(quotient, magnitude(b), &result) || result > static_cast<uint64_t>(INT64_MAX)) {
    return overflow_error(fmt::format("lcm({}, {})", a, b));
  }
  return static_cast<int64_t>(result);
}

Expected<std::optional<ResidueClass>> crt(ResidueClass a, ResidueClass b) {
  if (a.modulus < 1 || b.modulus < 1) {
    return invalid_argument(fmt::format("crt moduli are {} and {}; both must be at least 1", a.modulus, b.modulus));
  }
  Bezout bezout = xgcd(a.modulus, b.modulus);
  // x = r1 + m1*t with m1*t ≡ r2 - r1 (mod m2); t = (r2 - r1)/g * x mod m2/g. All products fit 128 bits.
  __int128 difference = static_cast<__int128>(b.remainder) - a.remainder;
  if (difference % bezout.g != 0) return std::optional<ResidueClass>{};
  TAILOR_ASSIGN_OR_RETURN(int64_t modulus, lcm(a.modulus, b.modulus));
  int64_t step = b.modulus / bezout.g;
  __int128 t = (difference / bezout.g % step) * bezout.x % step;
  __int128 x = (a.remainder + t * a.modulus) % modulus;
  if (x < 0) x += modulus;
  return std::optional<ResidueClass>(ResidueClass{modulus, static_cast<int64_t>(x)});
}

}  // namespace tailor::codegen::integer
