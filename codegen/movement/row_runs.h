// Rows that follow one another through one page: found once, moved together.
//
// The body of a rows loop often finds the same for many rows in a row. In
//
//   rows %row in rows {
//     %s, %begin, %end = search @cu_seqlens for %row
//     check 0 <= %begin <= %row < %end else skip
//     %t = sub %row, %begin
//     %length = load @seq_lens[%s]
//     check %t < %length else SeqLenMismatch at %s
//     %column, %slot = resolve %t by page_size = 16
//     …
//     copy @packed[%row] <- @pages[%page, %slot]
//   }
//
// %row, %t and %slot *advance*: they grow by one from row to row. Everything else, and the outcome of every check,
// stays the same for the next
//   run = min(end of the block's rows - row, end - row, length - t, page_size - slot)
// rows. So a warp takes the body once for a run, and its groups of L lanes move the rows  r = group, group + 32 / L, …
// < run  of it. A check that fails fails for the run as known so far; one of a lower bound on what advances may hold
// for the next row, so it fails for one.
//
// Thread-safety: pure functions. Errors: none.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "codegen/tile/tile.h"

namespace tailor::codegen::movement {

struct RowRuns {
  std::vector<bool> advances;  // by ValueId
  int64_t page = 0;            // the longest run
};

// Nothing where the rows of `loop` do not come in runs: where something is loaded by the row, or no page of at least
// `kLeastPage` rows bounds them.
inline constexpr int64_t kLeastPage = 4;
std::optional<RowRuns> row_runs(const tile::Program& program, const tile::Node& loop);

}  // namespace tailor::codegen::movement
