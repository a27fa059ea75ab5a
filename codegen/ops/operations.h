// The operations as tile programs. Adding an operation means one file pair like those here, and its line in
// TAILOR_OPS (tailor/ops.h) and build_tile below.
//
// Thread-safety: pure functions. Errors: kInvalidArgument for a key that `validate` refuses or a fact that is missing.
#pragma once

#include "codegen/tile/tile.h"
#include "runtime/bucket/key.h"
#include "tailor/status.h"

namespace tailor::codegen::ops {

// The tile program of the key's operation; verified by the caller (tile::verify).
Expected<tile::Program> build_tile(const Key& key);

}  // namespace tailor::codegen::ops
