// What the ragged operations share: segments of rows by offsets [batch + 1].
//
// Thread-safety: pure functions of the builder they append to. Errors: none.
#pragma once

#include <functional>

#include "codegen/tile/tile.h"

namespace tailor::codegen::ops {

// offsets[s] and offsets[s + 1], shown to satisfy 0 <= begin <= end <= rows; a sequence that does not is reported.
struct Bounds {
  tile::ValueId begin, end;
};
Bounds load_bounds(tile::Builder& b, tile::ViewId offsets, tile::ValueId sequence, const tile::Extent& rows);

// The segment of a row: begin <= row < end. Must come first in its loop.
tile::Builder::Segment find_segment(tile::Builder& b, tile::ViewId offsets, tile::ValueId row);

// Ends the iteration unless length <= longest; reports the sequence.
void check_length(tile::Builder& b, tile::ValueId length, const tile::Extent& longest, tile::ValueId sequence);

// A loop over the rows of one of two parts whose sequences are joined pairwise: `move` gets a row and its place among
// the joined rows. A row of the first part stands behind the earlier sequences of the second (`other` at its sequence),
// one of the second also behind its own first half (`other` at the next).
enum class Part { kFirst, kSecond };
void part_rows(tile::Builder& b, const tile::Extent& rows, tile::ViewId offsets, tile::ViewId other, Part part,
               const tile::Extent& joined_rows,
               const std::function<void(tile::ValueId row, tile::ValueId place)>& move);

}  // namespace tailor::codegen::ops
