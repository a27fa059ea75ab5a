// Number formats in double arithmetic with one explicit rounding: the oracle of everything that computes.
//
//   encode(kFloat8E4M3, 19.0) == 0x5a (20): 19 lies half way between 18 and 20, and 20 has the even significand
//
// Shares nothing with the code under test. Thread-safety: pure functions.
#pragma once

#include <cstdint>

#include "tailor/types.h"

namespace tailor::truth {

// Exact. `type`: f32, f16, bf16, fp8_e4m3 or fp8_e5m2.
double decode(DType type, uint64_t bits);

// Rounds to nearest even. fp8 saturates to its largest finite value, the others overflow to infinity; a NaN is some
// NaN.
uint64_t encode(DType type, double value);

// The same as a value: rounded to f32.
double round_to_f32(double value);

bool is_nan(DType type, uint64_t bits);

}  // namespace tailor::truth
