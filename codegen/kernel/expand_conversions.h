// Replaces conversions that an architecture has no instruction for by integer and f32 operations with equal results.
//
// Before: a program that verifies. After: it verifies, does the same, and holds no decode or encode of e4m3 and e5m2
// when `arch` is below sm_89, where PTX's cvt of these formats begins (ISA 9.7.9.21). Nothing else changes; accesses
// keep their ids, and where there is nothing to replace the program is returned as it is.
//
// Method, for a format of m fraction bits and exponent bias b:
//   decode e4m3   its exponent and fraction in the places of an f32's are x · 2^(7 - 127), subnormals included; times
//   2^120. decode e5m2   its byte is the high one of an f16. encode        normal: |x|'s bits, rounded to nearest even
//   at bit 23 - m, less the difference of the biases;
//                 subnormal: |x| + 2^(24 - b - m) rounds to a multiple of the smallest subnormal, 2^(1 - b - m), and
//                 its bits less those of that constant count these; then the largest value is the limit.
//
// Thread-safety: a pure function.
#pragma once

#include "codegen/kernel/ir.h"
#include "tailor/types.h"

namespace tailor::codegen::kernel {

Program expand_conversions(const Program& program, Arch arch);

}  // namespace tailor::codegen::kernel
