// Rotating rows: the streams of a `rotate` of the tile program, and what it computes between its loads and its stores.
//
// The first R = 2 * half elements of a head are `half` pairs. An access has n of them:
//   halves         elements i … i + n - 1, and the same R/2 further on, with cos and sin at i: four loads, two stores
//   interleaved    elements 2i … 2(i + n) - 1 at once where both sides are dense and aligned to pairs: three loads, one
//                  store; otherwise one pair as two elements
// Pairs never run from one head into the next, since cos and sin begin anew. Elements from R on are copied.
//
// Thread-safety: pure functions. Errors: those of streams.h.
#pragma once

#include <vector>

#include "codegen/kernel/ir.h"
#include "codegen/movement/streams.h"
#include "codegen/tile/tile.h"
#include "tailor/status.h"
#include "tailor/types.h"

namespace tailor::codegen::movement {

Expected<RowStreams> rotate_streams(const tile::Program& program, const tile::Node& rotate, Lowering lowering);

// Bits to store, given bits loaded: first and second elements (x2 missing: by turns in x1), cosines, sines. As many
// results as elements were given.
struct RotateTypes {
  DType element, table;
};
std::vector<kernel::Value> rotate(kernel::Builder& b, kernel::Value x1, kernel::Value x2, kernel::Value cos,
                                  kernel::Value sin, RotateTypes types);

}  // namespace tailor::codegen::movement
