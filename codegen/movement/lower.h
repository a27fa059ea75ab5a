// Lowers a tile program to a kernel: who moves what, in which order, with which instructions. Nothing is left to decide
// after this.
//
// In every rows loop a block owns a contiguous chunk of rows; a group of L threads moves a row at a time, the groups of
// a block step through its chunk:
//
//   chunk = max(rows_per_block, ceil(rows / (sm_count * occupancy)))     of each loop
//   grid  = min(ceil(rows / rows_per_block), sm_count * occupancy)       rows of the longest loop
//   row   = ctaid * chunk + tid / L,  + rows_per_block each time, while row < min((ctaid + 1) * chunk, rows)
//
// Where rows come in runs (row_runs.h) a block is a warp, `row` goes from run to run and tid / L through a run; then at
// least max(rows_per_block, min(ceil(2 * rows / sm_count), least_rows)) takes the place of rows_per_block in the chunk
// and the grid.
//
// Row arithmetic is unsigned: ctaid * chunk < rows + grid < 2^32 and the step adds at most 256. A `search` is binary
// once per thread, at its first row, and advances by one segment at a time from there; `check` becomes one or two
// comparisons (those that earlier checks imply are dropped), `resolve` a magic multiplication.
//
// Before: a program that tile::verify accepts, made from the same key. After: a program that kernel::verify accepts; in
// the tail lowering no access carries a guard; every address is that of the tile program's view, whatever the device
// arrays hold. Thread-safety: pure. Errors: kUnsupported (see plan_rows.h), kInternal when a pass breaks its promise.
#pragma once

#include "codegen/kernel/ir.h"
#include "codegen/movement/plan_rows.h"
#include "codegen/tile/tile.h"
#include "runtime/bucket/facts.h"
#include "runtime/bucket/key.h"
#include "runtime/ops/launch_plan.h"
#include "tailor/status.h"

namespace tailor::codegen::movement {

struct Lowered {
  kernel::Program program;
  LaunchPlan plan;
  FactSet premises;  // follow from facts_of(key); no stronger than what the code uses
  RowPlan rows;
};

Expected<Lowered> lower(const tile::Program& program, const Key& key);

}  // namespace tailor::codegen::movement
