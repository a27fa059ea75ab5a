// Rows and coverage: each row is taken once, and each byte of its target is written once. By factors (product lemma):
//
//   rows      (block, group, iteration) <-> rows, for every lane                                            row_loop.h
//   within    The place of a store is a tuple: indices of the row (equal for all stores of the row, free of the lane)
//             and a place in the row that depends on the lane and on loops of constant trip count alone. The latter are
//             enumerated: every byte of a row exactly once, under the lane tests and guards on the way.
// Stores under different checks are taken apart: each set writes whole rows, and a check that one passes the other
// fails. Different rows have different places: the indices tell the row (it is one of them, or they are its quotients
// and remainders) and are as many as there are rows, or they were loaded and the caller promised it; a store down a
// column of a segment: columns.h. Conditions that are the same for all lanes of a row (the checks of device data) are
// counted in the statement: a row that fails one is not written at all. One that asks nothing of device data must hold,
// or what fails it is written by another set.
//
// Example: 2048 bytes per row, 16 lanes: store k of lane l writes [256*k + 16*l, + 16) for k < 8: each byte once.
//
// Ownership: refers to its arguments, which must outlive it. Thread-safety: none. Errors: none; what is not understood
// is unknown.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codegen/prove/columns.h"
#include "codegen/prove/execute.h"
#include "codegen/prove/prove.h"

namespace tailor::codegen::prove {

// A store to device memory, as the walk saw it.
struct StoreRecord {
  uint16_t access = 0;
  int operand = -1;
  int width = 0;
  Polynomial offset;
  bool exact = false;   // no part of the offset wraps
  bool placed = false;  // every index of the offset lies in its extent
  std::optional<Column> column;
  std::vector<PathStep> path;
  PredicateId guard = kNoPredicate;
  int loop = -1;
};

// Appends two obligations per operand that is written and loop over rows that writes it.
void prove_coverage(const Subject& subject, const Host& host, Knowledge& knowledge, const Execution& execution,
                    const std::vector<StoreRecord>& stores, bool explain, std::vector<Obligation>& out);

}  // namespace tailor::codegen::prove
