// split as a tile program, the inverse of concat: row r of a in sequence s comes from packed[r + cu_b[s]], row r of b
// from packed[r + cu_a[s + 1]].
//
// Thread-safety: pure. Errors: those of operations.h.
#pragma once

#include "codegen/tile/tile.h"
#include "runtime/bucket/key.h"
#include "tailor/status.h"

namespace tailor::codegen::ops {

Expected<tile::Program> split(const Key& key);

}  // namespace tailor::codegen::ops
