// Elements of one type as elements of another, a vector at a time: what a `convert` of the tile program does between
// its loads and its stores.
//
//   four bf16 in 8 bytes, scaled, as four e4m3:   unpack b32, b32 -> decode, decode -> fmul x 4 -> encode, encode ->
//   pack
//
// Thread-safety: pure functions of the builder they append to. Errors: none; types are those that tile::verify accepts.
#pragma once

#include <vector>

#include "codegen/kernel/ir.h"
#include "tailor/types.h"

namespace tailor::codegen::movement {

// The f32 that `bits` of whole elements hold, the lowest first; exact.
std::vector<kernel::Value> decode_elements(kernel::Builder& b, kernel::Value bits, DType type);
// Rounds to the type; the bits of all elements, the lowest first.
kernel::Value encode_elements(kernel::Builder& b, const std::vector<kernel::Value>& values, DType type);

// A missing scale multiplies nothing.
kernel::Value convert(kernel::Builder& b, kernel::Value bits, DType from, DType to, kernel::Value scale);

}  // namespace tailor::codegen::movement
