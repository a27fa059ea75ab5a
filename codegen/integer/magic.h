// Exact unsigned division by a constant without a divide instruction, with the inequality that proves it.
//
// Worked example: n / 3 for 32-bit n <= 1000.  With k = 32 and m = ceil(2^32 / 3) = 1431655766 the rounding error is
// e = m*3 - 2^32 = 2.  The largest dividend with n mod 3 = 2 is n_c = 998, and e * n_c = 1996 < 2^32, so
// floor(n * m / 2^32) = floor(n / 3) for every n <= 1000: one multiply-high, no shift, no fix-up.  For n <= 2^32 - 1
// the same m fails (2 * 4294967294 >= 2^32) and k = 33 is needed: m = 2863311531, e = 1, n_c = 4294967294 < 2^33.
//
// Criterion (Granlund & Montgomery 1994, theorem 4.2; the sharp form with n_c is in Warren, Hacker's Delight, 10-9):
// with e = m*d - 2^k >= 0 and n_c the largest n <= bound with n mod d = d - 1,
//     floor(n*m / 2^k) = floor(n/d) for all 0 <= n <= bound   if and only if   e * n_c < 2^k        (bound >= d).
//
// Ownership: value types. Threads: pure functions. Errors: kInvalidArgument for a zero divisor, a width other than 32
// or 64, or a bound that does not fit the width.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tailor/status.h"

namespace tailor::codegen::integer {

// name, text, the instruction sequence that computes q from n (all operations unsigned, `width` bits, wrapping).
#define TAILOR_MAGIC_KINDS(X)                                                                                         \
  X(kZero, "zero", "q = 0                                            (bound < divisor)")                              \
  X(kShift, "shift", "q = n >> shift                                   (divisor = 2^shift; shift 0 is the identity)") \
  X(kMulHigh, "mulhi", "q = mulhi(n >> pre_shift, multiplier) >> shift")                                              \
  X(kMulHighAdd, "mulhi-add", "t = mulhi(n, multiplier); q = (((n - t) >> 1) + t) >> (shift - 1)")

enum class MagicKind : uint8_t {
#define X(name, text, meaning) name,
  TAILOR_MAGIC_KINDS(X)
#undef X
};

std::string_view to_string(MagicKind kind);

// What was shown: e * n_c < 2^k, in numbers. For kMulHigh with a pre-shift the numbers are those of the odd problem
// (n >> pre_shift) / (divisor >> pre_shift).
struct MagicProof {
  uint64_t error = 0;      // e = m * d - 2^k
  uint64_t critical = 0;   // n_c
  int exponent = 0;        // k
  std::string inequality;  // "2 * 998 = 1996 < 2^32 = 4294967296", or why none is needed
};

struct MagicDivision {
  MagicKind kind = MagicKind::kShift;
  int width = 32;  // 32 or 64: bits of dividend and multiplier
  uint64_t divisor = 1;
  uint64_t bound = 0;       // largest dividend, inclusive, that the proof covers
  uint64_t multiplier = 0;  // kMulHigh: m; kMulHighAdd: m - 2^width; otherwise 0
  int pre_shift = 0;        // kMulHigh only
  int shift = 0;            // kShift: log2(divisor); kMulHigh: k - width; kMulHighAdd: k - width, at least 1
  int instructions = 0;     // of the sequence above
  MagicProof proof;

  // The sequence as a device executes it; equals n / divisor for n <= bound.
  uint64_t quotient(uint64_t n) const;
};

// The cheapest sequence by instruction count: zero, shift, one mulhi (without, then with shifts), mulhi with add.
Expected<MagicDivision> magic_division(uint64_t divisor, uint64_t bound, int width);

// Re-verifies the criterion for floor(n * m / 2^exponent) = floor(n / d) on 0 <= n <= bound, where
// m = multiplier + (multiplier_has_high_bit ? 2^width : 0). Exact for any values (no 128-bit wrap). It knows nothing of
// how the numbers were found.
bool check_magic(uint64_t d, uint64_t bound, uint64_t multiplier, int exponent, bool multiplier_has_high_bit = false,
                 int width = 64);

// Re-verifies a whole record: kind, shifts, instruction count and, through check_magic, the criterion.
Status check_magic(const MagicDivision& division);

// "n / 3, n <= 1000: mulhi(n, 1431655766)   [2 * 998 = 1996 < 2^32]"
std::string to_string(const MagicDivision& division);

}  // namespace tailor::codegen::integer
