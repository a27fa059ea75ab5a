// ragged_transpose as a tile program: target[cu_seqlens[s] * D + d * L_s + t] = source[cu_seqlens[s] + t, d].
//
// Thread-safety: pure. Errors: those of operations.h.
#pragma once

#include "codegen/tile/tile.h"
#include "runtime/bucket/key.h"
#include "tailor/status.h"

namespace tailor::codegen::ops {

Expected<tile::Program> ragged_transpose(const Key& key);

}  // namespace tailor::codegen::ops
