// What is known of an integer: its residue class and its range, as one abstract value.
//
// Worked example: the host promises M % 128 = 17 and M <= 1000, i.e. M in {17, 145, ..., 913}.  Then
//     Residue m = meet(Residue::congruent(128, 17), Residue::between(0, 1000));   // modulus 128, remainder 17, [17,
//     913] m * 4        -> modulus 512, remainder 68,  [68, 3652]     (known alignment: 4) m mod 64     -> the constant
//     17                            (64 divides 128) m div 128    -> modulus 1, [0, 7]
// Every operation is sound: the result contains op(x) for every x of the operand. Values are mathematical integers; a
// bound of kMinusInfinity or kPlusInfinity means none is known, and bounds saturate there instead of wrapping.
//
// Ownership: value types. Threads: pure functions. Errors: the meet of contradicting facts is empty (nullopt).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace tailor::codegen::integer {

struct Residue {
  static constexpr int64_t kMinusInfinity = std::numeric_limits<int64_t>::min();
  static constexpr int64_t kPlusInfinity = std::numeric_limits<int64_t>::max();

  // Invariant: modulus 0 means the single value `remainder` (= lo = hi); otherwise 0 <= remainder < modulus and finite
  // bounds are themselves congruent to the remainder.
  int64_t modulus = 1;
  int64_t remainder = 0;
  int64_t lo = kMinusInfinity;
  int64_t hi = kPlusInfinity;

  static Residue top() { return {}; }
  static Residue constant(int64_t value) { return {0, value, value, value}; }
  // modulus >= 1; the remainder is reduced.
  static Residue congruent(int64_t modulus, int64_t remainder);
  static Residue multiple_of(int64_t divisor) { return congruent(divisor, 0); }
  // lo <= hi required; use kMinusInfinity / kPlusInfinity for an open end.
  static Residue between(int64_t lo, int64_t hi);

  bool is_constant() const { return modulus == 0; }
  bool contains(int64_t value) const;
  // Largest g that is known to divide the value; 0 when the value is the constant 0.
  int64_t known_divisor() const;
  // Largest power of two known to divide the value, at most `cap` (a power of two); `cap` for the constant 0.
  int64_t known_alignment(int64_t cap) const;

  friend bool operator==(const Residue&, const Residue&) = default;
};

Residue operator+(const Residue& a, const Residue& b);
Residue operator-(const Residue& a, const Residue& b);
Residue operator-(const Residue& a);
Residue operator*(const Residue& a, const Residue& b);
Residue operator*(const Residue& a, int64_t factor);
// floor(a / divisor) and a - divisor * floor(a / divisor); divisor >= 1.
Residue floor_div(const Residue& a, int64_t divisor);
Residue floor_mod(const Residue& a, int64_t divisor);
// All values of both; nullopt when there is none. A class whose modulus would overflow keeps the stronger of the two.
std::optional<Residue> meet(const Residue& a, const Residue& b);
// A value of either.
Residue join(const Residue& a, const Residue& b);

// "17 mod 128 in [17, 913]", "= 5", "0 mod 4", "any"
std::string to_string(const Residue& value);

}  // namespace tailor::codegen::integer
