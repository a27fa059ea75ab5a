// Decides how rows are moved, before any code is emitted: vector width and tail of each copy (codegen/layout), lanes
// per row and accesses per lane.
//
// Example: [H, D] = [8, 128] of 2 bytes, one run of 2048 bytes, vectors of 16: V = 128 vectors per row. The tail
// lowering takes L = 16 lanes and 8 waves (V = L * 8): wave i of lane l moves vector l + 16 i, no access needs a guard.
//
// A *wave* is one access per lane of a stream (streams.h). A stream of `count` accesses takes count / L full waves and,
// when L does not divide it, one more with
//   tail       `count % L` lanes, under one lane test for all of them;
//   guarded    a predicate `v < count` (on every wave, the full ones too);
//   pow2-mask  a predicate per digit, the digits being padded to powers of two.
//
// Thread-safety: pure functions. Errors: those of streams.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "codegen/layout/vector_width.h"
#include "codegen/movement/streams.h"
#include "codegen/tile/tile.h"
#include "tailor/status.h"
#include "tailor/types.h"

namespace tailor::codegen::movement {

inline constexpr int kMaxBlockThreads = 256;
inline constexpr int kMaxInFlight = 8;       // vectors a thread holds between its loads and its stores
inline constexpr int kMaxHoistedWaves = 16;  // more than this and offsets are decoded in a loop over waves

// How one node moves rows: a copy, a conversion, or a fill, whose streams are those of a copy of its target onto
// itself.
struct CopyPlan {
  tile::Node copy;
  size_t loop = 0;  // index into the program's body
  layout::CopyShape shape;
  std::vector<Stream> streams;
  bool same_geometry(const CopyPlan& other) const;  // equal streams but for symbols
};

// How a loop transposes its rows (transpose_rows.h).
struct TransposePlan {
  static constexpr int kTileRows = 64, kTileBytes = 128;
  tile::Node node;
  size_t loop = 0;
  int element = 1;        // bytes
  int vector = 1;         // bytes of a read
  int64_t row_bytes = 0;  // D elements
  int group = 1;          // rows of one store
  int granule() const { return element > 4 ? element : 4; }
  // The k of transpose_rows.h: a warp reads group / 2 columns at once, one if that is none.
  int turn() const { return std::max(1, group / 2 * element / granule()); }
};

struct ThreadMap {
  int lanes = 1;           // threads per row
  int rows_per_block = 1;  // rows in flight per block
  std::string why;
  // The least rows that a block gets where there are many; rows_per_block where there are few (launch.h).
  int64_t least_rows = 1;
  int block() const { return lanes * rows_per_block; }
  int64_t full_waves(const Stream& s, Lowering lowering) const;
  int64_t remainder(const Stream& s) const { return s.count % lanes; }
};

// A loop whose rows are moved in runs, a warp a block (row_runs.h).
struct RunPlan {
  std::vector<bool> advances;  // by ValueId
  int rows_at_once = 1;        // that a group of lanes has between its loads and its stores
};

struct RowPlan {
  Lowering lowering = Lowering::kTail;
  std::vector<CopyPlan> copies;  // in program order, of all rows loops
  std::vector<TransposePlan> transposes;
  std::optional<RunPlan> runs;  // of the only rows loop there is
  ThreadMap threads;
  const TransposePlan* transpose_of(size_t loop) const;  // null: the loop moves its rows otherwise
};

// Plans every node that moves rows, of every rows loop. All loops of a kernel share one division of the block.
Expected<RowPlan> plan_rows(const tile::Program& program, Lowering lowering);

// The lanes of the tail lowering for a row of V vectors in runs of `vectors_per_run`, `copies` copies per row (exposed
// for tests): the divisor of V whose rows cost the fewest instructions and sectors, or 32 and a remainder.
int choose_lanes(int64_t vectors, int64_t vectors_per_run, int64_t vector_bytes, int copies);

// The same for rows that are moved in runs: a power of two, so that a warp has 32 / L groups.
int choose_run_lanes(int64_t vectors, int64_t vectors_per_run, int64_t vector_bytes, int copies);

}  // namespace tailor::codegen::movement
