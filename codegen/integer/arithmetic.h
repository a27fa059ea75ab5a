// Checked 64-bit integers and the number theory of layouts: gcd, Bézout, lcm, floor division, CRT, 2-adic valuation.
//
// Worked example: Checked accumulates like an int64_t and remembers the first overflow,
//     Checked sum = 0;
//     for (...) sum += Checked(a[i]) * b[i];
//     if (!sum.ok()) return overflow_error("dot product");
// so that inner loops carry no branches on errors and nothing ever wraps silently.
//
// Ownership: value types. Threads: pure functions. Errors: overflow is kInvalidArgument at the caller's boundary.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tailor/status.h"

namespace tailor::codegen::integer {

class Checked {
 public:
  constexpr Checked() = default;
  constexpr Checked(int64_t value) : value_(value) {}  // NOLINT: integers read as checked integers

  constexpr bool ok() const { return !overflow_; }
  constexpr int64_t value() const { return value_; }  // meaningful when ok()

  constexpr Checked& operator+=(Checked b) {
    overflow_ = __builtin_add_overflow(value_, b.value_, &value_) || overflow_ || b.overflow_;
    return *this;
  }
  constexpr Checked& operator-=(Checked b) {
    overflow_ = __builtin_sub_overflow(value_, b.value_, &value_) || overflow_ || b.overflow_;
    return *this;
  }
  constexpr Checked& operator*=(Checked b) {
    overflow_ = __builtin_mul_overflow(value_, b.value_, &value_) || overflow_ || b.overflow_;
    return *this;
  }
  friend constexpr Checked operator+(Checked a, Checked b) { return a += b; }
  friend constexpr Checked operator-(Checked a, Checked b) { return a -= b; }
  friend constexpr Checked operator*(Checked a, Checked b) { return a *= b; }
  friend constexpr Checked operator-(Checked a) { return Checked(0) -= a; }

 private:
  int64_t value_ = 0;
  bool overflow_ = false;
};

// "<what> overflows 64-bit integers", kInvalidArgument.
Status overflow_error(std::string_view what);

Expected<int64_t> checked_add(int64_t a, int64_t b);
Expected<int64_t> checked_sub(int64_t a, int64_t b);
Expected<int64_t> checked_mul(int64_t a, int64_t b);

// |a| as unsigned, right for INT64_MIN too.
constexpr uint64_t magnitude(int64_t a) { return a < 0 ? ~static_cast<uint64_t>(a) + 1 : static_cast<uint64_t>(a); }

// gcd(0, 0) = 0. gcd of signed arguments is that of their magnitudes; only gcd(INT64_MIN, 0 or INT64_MIN) = 2^63 would
// not fit, and is returned as 2^62 (still a common divisor).
uint64_t gcd(uint64_t a, uint64_t b);
int64_t gcd(int64_t a, int64_t b);
inline int64_t gcd(int a, int b) { return gcd(static_cast<int64_t>(a), static_cast<int64_t>(b)); }

// g = x*a + y*b, g = gcd(a, b) >= 0, |x| <= max(1, |b/g|), |y| <= max(1, |a/g|). a, b != INT64_MIN.
struct Bezout {
  int64_t g = 0;
  int64_t x = 0;
  int64_t y = 0;
};
Bezout xgcd(int64_t a, int64_t b);

// Non-negative; 0 when either is 0.
Expected<int64_t> lcm(int64_t a, int64_t b);

// Rounding towards minus infinity; b != 0, and not INT64_MIN / -1.
constexpr int64_t floor_div(int64_t a, int64_t b) {
  int64_t q = a / b;
  return (a % b != 0 && ((a < 0) != (b < 0))) ? q - 1 : q;
}
// a - b*floor_div(a, b): in [0, b) for b > 0.
constexpr int64_t floor_mod(int64_t a, int64_t b) {
  int64_t r = a % b;
  return (r != 0 && ((r < 0) != (b < 0))) ? r + b : r;
}
constexpr int64_t ceil_div(int64_t a, int64_t b) {
  int64_t q = a / b;
  return (a % b != 0 && ((a < 0) == (b < 0))) ? q + 1 : q;
}

constexpr bool is_pow2(uint64_t a) { return a != 0 && (a & (a - 1)) == 0; }
// Exponent of the largest power of two that divides a; 64 for a = 0.
constexpr int pow2_valuation(int64_t a) { return a == 0 ? 64 : __builtin_ctzll(static_cast<uint64_t>(a)); }

// x ≡ r1 (mod m1) and x ≡ r2 (mod m2), moduli >= 1: the class (modulus lcm, remainder in [0, lcm)). nullopt when they
// contradict; kInvalidArgument when the lcm overflows.
struct ResidueClass {
  int64_t modulus = 1;
  int64_t remainder = 0;
  friend bool operator==(const ResidueClass&, const ResidueClass&) = default;
};
Expected<std::optional<ResidueClass>> crt(ResidueClass a, ResidueClass b);

}  // namespace tailor::codegen::integer
