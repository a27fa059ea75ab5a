// Moves rows into columns through shared memory: the rows of segments (tile.h, `transpose`)
//
//   target[begin * D + d * (end - begin) + (row - begin)] = source[row, d]      for the segment [begin, end) of the row
//
// and copies of rows that are contiguous in the source, while in the target neighbouring rows are.
//
// A block takes 64 rows and 128 bytes of each at a time. It reads them along the rows in vectors, keeps them in shared
// memory, and writes them down the columns: neighbouring lanes hold neighbouring rows, G of them each, so that their
// stores lie side by side. G > 1 needs the promise that begin and end are multiples of G (tile.h, `transpose`).
//
// With granules of g = max(4, element) bytes, n = 128 / g of them to a row, the granule c of the row r lies at
//
//   128 * r + g * (c xor (r mod n) xor k * (r / n)),    k = granules of the columns that a warp reads at once
//
// which is conflict-free both ways (tests/codegen/movement/transpose_test.cpp counts it by the bank model). Reading, a
// warp has one granule column of rows r = G * l + i for a fixed i: their low bits differ above G, k fits below it.
// Writing, it has all granules of 1, 2 or 4 neighbouring rows.
//
// `tail`: full and last tiles are told apart by branches that whole warps or blocks take, and no access carries a
// predicate. `guarded` and `pow2-mask`: vectors that divide the row, and a predicate on every access.
//
// Before: of a `transpose`, the loop's search comes first in its body and the transpose last; a copy's loop has no
// search. Barriers stand where the whole block passes. Ownership: refers to the program and the plan, which must
// outlive it. Thread-safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "codegen/movement/code.h"
#include "codegen/movement/operands.h"
#include "codegen/movement/plan_rows.h"
#include "codegen/tile/tile.h"

namespace tailor::codegen::movement {

class TransposeRows {
 public:
  // `loop`: index into the program's body; `tid` in [0, 256).
  TransposeRows(const RowPlan& plan, const Operands& operands, size_t loop, Value tid);

  // Rows [first, end) of the loop, both the same in all threads of the block; not entered when there are none.
  // `reporting`: true where faults are to be reported; missing: nowhere.
  void run(Code& code, Value first, Value end, Value reporting);

 private:
  // Threads of the block, for a tile of 128 bytes per row.
  struct Reader {
    Value row, column_bytes;  // of the thread's first vector
    Value place;              // in shared memory
  };
  struct Writer {
    Value row, column;  // the first of its G rows; its first column
    Value place;
  };
  // The pieces of a row's last tile after its whole vectors.
  struct Piece {
    int offset = 0, width = 0;
  };

  bool guarded() const { return lowering_ != Lowering::kTail; }
  int lanes_per_row() const { return TransposePlan::kTileBytes / plan_.vector; }
  int passes() const { return TransposePlan::kTileRows * lanes_per_row() / kMaxBlockThreads; }
  int rows_per_pass() const { return kMaxBlockThreads / lanes_per_row(); }
  // Columns that a block writes at once.
  int columns_per_step() const { return kMaxBlockThreads * plan_.group / TransposePlan::kTileRows; }
  std::vector<Piece> pieces(int64_t bytes) const;

  bool segments() const { return plan_.node.op == tile::Op::kTranspose; }
  void hoist(Code& code);
  void run_segments(Code& code, Value first, Value end, Value reporter);
  void run_copies(Code& code, Value first, Value end, Value reporter);
  // Every tile of the rows from one on: `tile` gets the first column in bytes (index type) and how many bytes.
  void columns(Code& code, const std::function<void(Code&, Value column, int64_t bytes)>& tile);

  // Into shared memory, `bytes` of each row from `column` (bytes, index type) on.
  void read(Code& code, Value first, Value end, Value column, int64_t bytes);
  void read_rows(Code& code, Value first, Value column, int64_t bytes, Value limit);
  void read_copies(Code& code, Value first, Value end, Value column, int64_t bytes);
  // Vectors and pieces of a row behind lane tests; `put` does one.
  void lanes(Code& code, int64_t bytes, const std::function<void(Code&, int width, int offset)>& put);
  Value load(Code& code, Value row_start, Value column, int pass, int width, int offset, Value guard) const;
  void keep(Code& code, Value vector, int width, int pass, int offset);
  Value in_row(Code& code, Value bytes) const;

  // Out of it: `start` is the byte offset in the target of the thread's first row, `scale` that from one column to the
  // next, per `unit` bytes of an element.
  void write(Code& code, Value start, Value scale, int unit, Value column, int64_t bytes);
  void write_columns(Code& code, Value from, Value scale, int unit, int first, int count, Value column);
  Value gather_rows(Code& code, int column) const;  // G elements of one column

  const TransposePlan& plan_;
  Lowering lowering_;
  const Operands& operands_;
  const tile::Program& program_;
  const tile::Node& loop_;
  Value tid_;
  Value shared_;
  Reader reader_;
  Writer writer_;
};

}  // namespace tailor::codegen::movement
