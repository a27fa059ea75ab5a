// copy as a tile program: the elements of a strided source into a strided target, both in their joint normal form
// (runtime/ops/normalize_copy.h).
//
// Runs of at most 2048 bytes are rows of one loop. Longer runs, and matrices that are contiguous along different
// dimensions, are moved in whole pieces (512 bytes of a run, 64 columns of a matrix) by one loop and in rests by a
// second one, so that both are of one exact size: the rest where the key knows its residue, otherwise one element.
//
// Thread-safety: pure. Errors: those of operations.h.
#pragma once

#include "codegen/tile/tile.h"
#include "runtime/bucket/key.h"
#include "tailor/status.h"

namespace tailor::codegen::ops {

Expected<tile::Program> copy(const Key& key);

}  // namespace tailor::codegen::ops
