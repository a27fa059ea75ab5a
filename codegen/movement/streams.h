// The accesses of a row, by width: what plan_rows deals to lanes and CopyRows emits.
//
// A *stream* is the accesses of one width of one node: the body (vectors_per_run per run), that of a single run, or one
// tail piece (one per run). E.g. 8 runs of 74 bytes at 4-byte steps: a body of 8 * 18 accesses of 4 bytes, digits
// (vector 18, h 8), and a tail of 8 accesses of 2 bytes at offset 72, digits (h 8).
//
// Thread-safety: pure functions. Errors: kInvalidArgument from plan_copy; kUnsupported for a padded row of 2^31
// vectors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/layout/vector_width.h"
#include "codegen/tile/tile.h"
#include "tailor/status.h"
#include "tailor/types.h"

namespace tailor::codegen::movement {

// One digit of the linear access index of a stream, fastest first.
struct Digit {
  std::string name;
  int64_t radix = 1;
  int64_t padded = 1;           // == radix, except under pow2-mask
  tile::Stride source, target;  // bytes per step
  tile::Stride table = tile::Stride::constant(0);
};

// Widths and offsets are those of the side with the larger elements; the other's are `ratio` times smaller.
struct Stream {
  int64_t width = 0;   // bytes per access
  int64_t offset = 0;  // bytes from the start of a run
  int64_t count = 0;   // accesses per row
  int64_t padded_count = 0;
  std::vector<Digit> digits;  // product of radices == count
  bool is_body = true;
  int64_t source_ratio = 1, target_ratio = 1, table_ratio = 1;
  // Where the stream's elements begin in the row, beside the offset.
  tile::Stride source_start = tile::Stride::constant(0), target_start = tile::Stride::constant(0);
  // Rotating: an access has the first elements of pairs, another one, so many bytes on, has the second; or one access
  // has both, by turns. The tables are read at the same index.
  bool rotates = false, together = false;
  tile::Stride source_apart = tile::Stride::constant(0), target_apart = tile::Stride::constant(0);

  int64_t source_width() const { return width / source_ratio; }
  int64_t target_width() const { return width / target_ratio; }
  int64_t table_width() const { return width / table_ratio; }
  int loads() const { return !rotates ? 1 : together ? 3 : 4; }  // of one access index
};

// Strides as plan_copy counts them, in elements, and back.
layout::Stride in_elements(const tile::Stride& stride, int64_t element);
tile::Stride in_bytes(const layout::Stride& stride, int64_t element);

tile::Stride times(tile::Stride stride, int64_t factor);

// A view as one side of a copy of its trailing [H, D], as if its elements had `unit` bytes, a multiple of what they
// have: n elements are aligned in units just when they are in bytes.
layout::CopySide side_of(const tile::View& view, int64_t unit);

// Completes a stream of `per_run` accesses in each of the runs that the digits number.
Status complete(Stream& stream, int64_t per_run, const std::vector<Digit>& runs, Lowering lowering);

// The streams of a copy of the trailing [H, D], elements of one size or of two.
struct RowStreams {
  layout::CopyShape shape;
  std::vector<Stream> streams;
};
Expected<RowStreams> copy_streams(const tile::View& source, const tile::View& target, Lowering lowering);

}  // namespace tailor::codegen::movement
