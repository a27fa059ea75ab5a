// Quasi-affine maps as guarded affine layouts over mixed-radix digits of their coordinates.
//
// Worked example. Elements at addresses y = 8*i + j with i < 3, j < 4 are found back by y ↦ (floor(y / 8), y mod 8) on
// y mod 8 < 4. A piece holds A y + b and no floor, so y is written as digits, y = 8*y0_1 + y0_0 with y0_0 < 8:
//
//     layout [] (y0_0: 8, y0_1: 3) -> 2 { when -y0_0 + 3 >= 0: (y0_1, y0_0); }
//
// CuTe does the same with (8,3):(…): the shape of an inverse lists digits. A floor over several digits that takes few
// values, floor((y0_0 + y1_0) / 2), becomes one piece per value instead, under the guard that says so.
//
// Ownership: values. Threads: pure functions. Errors: kUnsupported, naming the floor term, when neither works: it takes
// more than kMaxPieces values.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "codegen/layout/layout.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

inline constexpr size_t kMaxPieces = 1024;

// Guard and outputs over dimensions and parameters, floor terms allowed in both.
struct QuasiPiece {
  std::vector<Constraint> guard;
  std::vector<AffineExpr> outputs;
};

struct DigitLayout {
  GuardedAffineLayout layout;  // over the digits; those of one coordinate stand together, the fastest first
  AffineMap coordinates;       // coordinate = C digits + d: the places of the digits, and where counting starts
  std::vector<std::vector<size_t>> digits;  // of each coordinate, as positions in layout.dims()

  // The value at the coordinates (not digits); nullopt outside the domain.
  Expected<std::optional<std::vector<int64_t>>> evaluate(const std::vector<int64_t>& coordinates,
                                                         const Assignment& parameters = {}) const;
};

// Dimension k runs from base[k] (over parameters; empty: 0) for dims[k].extent points.
Expected<DigitLayout> digit_layout(const std::vector<Dim>& dims, size_t outputs, std::vector<QuasiPiece> pieces,
                                   const std::vector<AffineExpr>& base = {}, const Facts& facts = {});

}  // namespace tailor::codegen::layout
