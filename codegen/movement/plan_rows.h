// Decides how rows are moved, before any code is emitted: vector width and tail of each copy (codegen/layout), lanes
// per row and accesses per lane.
//
// Example: [H, D] = [8, 128] of 2 bytes, one run of 2048 bytes, vectors of 16: V = 128 vectors per row. The tail
// lowering takes L = 16 lanes and 8 waves (V = L * 8): wave i of lane l moves vector l + 16 i, no access needs a guard.
//
// A *stream* is the accesses of one width of one copy: the body (vectors_per_run per run) or one tail piece (one per
// run). A *wave* is one access per lane of a stream. A stream of `count` accesses takes count / L full waves and, when
// L does not divide it, one more with
//   tail       `count % L` lanes, under one lane test for all of them;
//   guarded    a predicate `v < count` (on every wave, the full ones too);
//   pow2-mask  a predicate per digit, the digits being padded to powers of two.
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

inline constexpr int kMaxBlockThreads = 256;
inline constexpr int kMaxInFlight = 8;       // vectors a thread holds between its loads and its stores
inline constexpr int kMaxHoistedWaves = 16;  // more than this and offsets are decoded in a loop over waves

// One digit of the linear access index of a stream, fastest first.
struct Digit {
  std::string name;
  int64_t radix = 1;
  int64_t padded = 1;           // == radix, except under pow2-mask
  tile::Stride source, target;  // bytes per step
};

struct Stream {
  int64_t width = 0;   // bytes per access
  int64_t offset = 0;  // bytes from the start of a run
  int64_t count = 0;   // accesses per row
  int64_t padded_count = 0;
  std::vector<Digit> digits;  // product of radices == count
  bool is_body = true;
};

struct CopyPlan {
  tile::Node copy;
  layout::CopyShape shape;
  std::vector<Stream> streams;
  bool same_geometry(const CopyPlan& other) const;  // equal streams but for symbols
};

struct ThreadMap {
  int lanes = 1;           // threads per row
  int rows_per_block = 1;  // rows in flight per block
  std::string why;
  int block() const { return lanes * rows_per_block; }
  int64_t full_waves(const Stream& s, Lowering lowering) const;
  int64_t remainder(const Stream& s) const { return s.count % lanes; }
};

struct RowPlan {
  Lowering lowering = Lowering::kTail;
  std::vector<CopyPlan> copies;  // in program order
  ThreadMap threads;
};

// Plans every copy of the rows loop.
Expected<RowPlan> plan_rows(const tile::Program& program, const tile::Node& rows, Lowering lowering);

// The lanes of the tail lowering for a row of V vectors in runs of `vectors_per_run`, `copies` copies per row (exposed
// for tests): the divisor of V whose rows cost the fewest instructions and sectors, or 32 and a remainder.
int choose_lanes(int64_t vectors, int64_t vectors_per_run, int64_t vector_bytes, int copies);

}  // namespace tailor::codegen::movement
