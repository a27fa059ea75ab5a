// paged_append as a tile program: pages[block_table[batch_index[i], position[i] / page_size], position[i] % page_size]
// = new[i], for keys and values.
//
// Thread-safety: pure. Errors: those of operations.h.
#pragma once

#include "codegen/tile/tile.h"
#include "runtime/bucket/key.h"
#include "tailor/status.h"

namespace tailor::codegen::ops {

Expected<tile::Program> paged_append(const Key& key);

}  // namespace tailor::codegen::ops
