// unpack as a tile program: padded[s, t] = t < length of s ? packed[cu_seqlens[s] + t] : fill.
//
// Thread-safety: pure. Errors: those of operations.h.
#pragma once

#include "codegen/tile/tile.h"
#include "runtime/bucket/key.h"
#include "tailor/status.h"

namespace tailor::codegen::ops {

Expected<tile::Program> unpack(const Key& key);

}  // namespace tailor::codegen::ops
