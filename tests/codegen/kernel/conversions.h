// Programs of one conversion, and the f32 that decide whether it is right.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "codegen/kernel/ir.h"

namespace tailor::codegen::kernel::testing {

// Every value of f16 and its neighbours, which hold every value and tie of the 8-bit formats; of every exponent of f32
// the ends, the ties of both formats with their neighbours, and some at random. A multiple of 2048.
std::vector<uint32_t> f32_inputs();

// (out, in: ptr), blocks of 256: thread t converts element t of `in`, 1 or 2 values, to element t of `out`.
Program decode_program(Format format, int lanes);
Program encode_program(Format format, int lanes);

}  // namespace tailor::codegen::kernel::testing
