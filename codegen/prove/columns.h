// Stores down the columns of a segment: where a transpose of segments [begin, end) of rows puts a row.
//
//   target[begin*D + d*(end - begin) + (row - begin)]   for d < D, elements of e bytes
//
// Lemma. Let segments be disjoint, and a store at (row, d) write the elements of the rows row … row + G - 1, where
// begin <= row and row + G <= end, and begin and row are multiples of G. For a segment the map (d, row - begin) ->
// d*(end - begin) + (row - begin) is one to one between [0, D) x [0, end - begin) and [0, D*(end - begin)), and the
// segments' ranges [begin*D, end*D) are disjoint: stores of different columns, or of rows at least G apart, touch
// different bytes.
//
// E.g. offset = 128*begin + 2*(row - begin) + (2*column + 256)*(end - begin), rows of 128 bytes, elements of 2: the
// row, and the bytes 2*column + 256 from the start of a row to its element.
//
// Thread-safety: none. Errors: none; nullopt when the offset is not of this form, or a condition is not shown here.
#pragma once

#include <optional>

#include "codegen/prove/host.h"

namespace tailor::codegen::prove {

struct Column {
  Polynomial row;     // the first that the store writes
  Polynomial offset;  // bytes from the start of a row to the element
  int64_t rows = 1;   // G
  Polynomial begin, end;
};

// Of a store of `width` bytes at `offset`, under what is known where it stands.
std::optional<Column> find_column(const Operand& operand, const Polynomial& offset, int width, Knowledge& knowledge);

}  // namespace tailor::codegen::prove
