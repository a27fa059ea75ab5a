// pack as a tile program: packed[cu_seqlens[s] + t] = padded[s, t].
//
// Thread-safety: pure. Errors: those of operations.h.
#pragma once

#include "codegen/tile/tile.h"
#include "runtime/bucket/key.h"
#include "tailor/status.h"

namespace tailor::codegen::ops {

Expected<tile::Program> pack(const Key& key);

}  // namespace tailor::codegen::ops
