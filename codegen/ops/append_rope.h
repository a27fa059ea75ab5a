// append_rope as a tile program: paged_append, with k rotated by the angles of its position on the way.
//
// Thread-safety: pure. Errors: those of operations.h.
#pragma once

#include "codegen/tile/tile.h"
#include "runtime/bucket/key.h"
#include "tailor/status.h"

namespace tailor::codegen::ops {

Expected<tile::Program> append_rope(const Key& key);

}  // namespace tailor::codegen::ops
