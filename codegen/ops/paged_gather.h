// paged_gather as a tile program: packed[cu_seqlens[s] + t] = pages[block_table[s, t / page_size], t % page_size].
//
// Thread-safety: pure. Errors: those of operations.h.
#pragma once

#include "codegen/tile/tile.h"
#include "runtime/bucket/key.h"
#include "tailor/status.h"

namespace tailor::codegen::ops {

Expected<tile::Program> paged_gather(const Key& key);

}  // namespace tailor::codegen::ops
