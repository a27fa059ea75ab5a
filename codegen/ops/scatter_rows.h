// scatter_rows as a tile program: target[index[i]] = source[i].
//
// Thread-safety: pure. Errors: those of operations.h.
#pragma once

#include "codegen/tile/tile.h"
#include "runtime/bucket/key.h"
#include "tailor/status.h"

namespace tailor::codegen::ops {

Expected<tile::Program> scatter_rows(const Key& key);

}  // namespace tailor::codegen::ops
