// One piece of a layout read as runs of contiguous elements. Private to codegen/layout.
//
// Threads: pure functions. Errors: kInvalidArgument for overflow and sizes, as vector_width.h.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "codegen/layout/vector_width.h"

namespace tailor::codegen::layout {

// x <= e with e over parameters: the dimension's index and e + 1, the extent that the guard leaves. nullopt for others.
std::optional<std::pair<size_t, AffineExpr>> shortened_dim(const GuardedAffineLayout& layout, const Constraint& guard);

// What is known of min(a, b).
integer::Residue smaller(const integer::Residue& a, const integer::Residue& b);

struct PieceAccess {
  std::string run;                              // "j", "i*j"; empty when no dimension is contiguous
  AccessLayout access;                          // outer dimensions and the length of a run
  std::optional<integer::Residue> whole_bytes;  // where a guard shortens the run: its length where the guard does not
  std::optional<integer::Residue> edge_bytes;   // bite, and where it does
  std::vector<Constraint> run_edges;            // guards that shorten the run as a whole
  std::vector<Constraint> cuts;                 // guards that mention the run in another way: elements need a test each
  std::vector<Constraint> per_run;              // guards that hold for a whole run or not at all
  std::vector<AffineExpr> lengths;              // extents over parameters, in elements, that make the run's length vary
  std::string short_run;                        // which stride ends the run, and which would continue it
};

// `layout`: one output, one piece.
Expected<PieceAccess> piece_access(const GuardedAffineLayout& layout, BaseAlignment base, int64_t elem_bytes,
                                   const Facts& facts);

}  // namespace tailor::codegen::layout
