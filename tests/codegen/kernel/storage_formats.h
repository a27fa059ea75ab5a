// What decode and encode of the lowered program mean, by enumeration: a table of the values of every code, and the
// nearest entry. Shares no code with the expansion, the emitters or the virtual device.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>

#include "codegen/kernel/ir.h"

namespace tailor::codegen::kernel::testing {

inline constexpr uint32_t kCanonicalNan = 0x7fffffff;

// Bits of an f32.
uint32_t decode_bits(Format format, uint32_t code);
uint32_t encode_bits(Format format, uint32_t f32);

}  // namespace tailor::codegen::kernel::testing
