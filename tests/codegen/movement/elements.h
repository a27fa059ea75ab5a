// Floating-point elements as bits: what a conversion must give, by the tables of the kernel tests.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <random>

#include "tailor/types.h"

namespace tailor::test {

// Bits of an f32 from those of an element, and back.
uint32_t decode_element(DType type, uint32_t bits);
uint32_t encode_element(DType type, uint32_t f32);

// One rounding each; the result of an invalid operation, and of any on a NaN, is 0x7fffffff.
uint32_t multiply(uint32_t a, uint32_t b);
uint32_t add(uint32_t a, uint32_t b);
uint32_t subtract(uint32_t a, uint32_t b);

// Bits of an element: mostly of values that the smaller formats can hold, sometimes any.
uint32_t random_element(DType type, std::mt19937& random);

}  // namespace tailor::test
