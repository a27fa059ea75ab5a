// convert as a tile program: target[i] = cast(f32(source[i]) * scale), or without a scale, as the key says.
//
// Thread-safety: pure. Errors: those of operations.h.
#pragma once

#include "codegen/tile/tile.h"
#include "runtime/bucket/key.h"
#include "tailor/status.h"

namespace tailor::codegen::ops {

Expected<tile::Program> convert(const Key& key);

}  // namespace tailor::codegen::ops
