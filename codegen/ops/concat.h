// concat as a tile program: row r of a in sequence s goes to out[r + cu_b[s]], row r of b to out[r + cu_a[s + 1]].
//
// Thread-safety: pure. Errors: those of operations.h.
#pragma once

#include "codegen/tile/tile.h"
#include "runtime/bucket/key.h"
#include "tailor/status.h"

namespace tailor::codegen::ops {

Expected<tile::Program> concat(const Key& key);

}  // namespace tailor::codegen::ops
