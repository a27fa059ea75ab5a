// The algebra of guarded layouts beside inverses: composition, complement, divisions, products, and other shapes and
// element sizes, with parameters.
//
// Worked example. A tensor of n rows and 37 columns, cut into tiles of 4 rows and 16 columns:
//     A = layout [n] (i: n, j: 37) -> 1 { : (40*i + j); }
//     divide(A, {{"i", 4:1}, {"j", 16:1}}, zipped) =
//       layout [n] (i_tile: 4, j_tile: 16, i_rest: floor((n + 3) / 4), j_rest: 3) -> 1 {
//         when -4*i_rest - i_tile + n - 1 >= 0 and -16*j_rest - j_tile + 36 >= 0:
//           (40*i_tile + j_tile + 160*i_rest + 16*j_rest); }
// with the modes ((i_tile, j_tile), (i_rest, j_rest)).
//
// Dimensions are flat here; `Arranged` says which of them form a mode. In a mode, and wherever several dimensions are
// listed as one, the first runs fastest, as in CuTe and as StridedLayout::to_guarded writes them.
//
// Compared with CuTe: equal to strided_layout.h, tiling.h, reshape.h and coordinates.h on every input that those admit.
// Where CuTe refuses or is undefined:
//   * a tile that does not divide its extent: CuTe's result reads past the end, here the guard 0 <= i < extent stays
//   * composition across a stride that does not divide: CuTe refuses; here pieces under guards, as far as they suffice
//   * complement of guarded layouts: that of the layout without its guards, of negative strides: that of their
//     magnitudes, of overlapping strides or several pieces: that of the interval which they span
//   * downcast without a stride of 1: a new dimension for the parts
//   * parametric extents; parametric strides where nothing has to be divided by them
// All of this is integer arithmetic on the pieces; none of it calls isl.
//
// Ownership: values. Threads: pure functions. Errors: kInvalidArgument with the reason; kUnsupported where the result
// would not be affine (the message names the term).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/layout/digit_layout.h"
#include "codegen/layout/facts.h"
#include "codegen/layout/layout.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

// A layout and the dimensions that form each of its modes, fastest first.
struct Arranged {
  GuardedAffineLayout layout;
  std::vector<std::vector<size_t>> modes;  // positions in layout.dims(), every one once
};

// a ∘ b, a's coordinates being b's outputs: x ↦ a(b(x)), undefined where b leaves a's domain.
Expected<GuardedAffineLayout> composition(const GuardedAffineLayout& a, const GuardedAffineLayout& b,
                                          const Facts& facts = {});

// R, injective, with R(0) = 0, and A(x) + R(j) = A(x') + R(j') only for j = j': the gaps between A's strides, and
// copies of the whole up to `bound` (none: gaps only). Dimensions r0, r1, ….
Expected<GuardedAffineLayout> complement(const GuardedAffineLayout& layout, const std::optional<AffineExpr>& bound,
                                         const Facts& facts = {});

// name, text, modes of a division by tilers of i and j (rests of other dimensions follow), modes of a product
#define TAILOR_ARRANGEMENTS(X)                                                                 \
  X(kLogical, "logical", "((i_tile, i_rest), (j_tile, j_rest))", "((block…), (repeats…))")     \
  X(kZipped, "zipped", "((i_tile, j_tile), (i_rest, j_rest))", "((block…), (repeats…))")       \
  X(kTiled, "tiled", "((i_tile, j_tile), i_rest, j_rest)", "((block…), repeat, repeat, …)")    \
  X(kFlat, "flat", "(i_tile, j_tile, i_rest, j_rest)", "(block, block, …, repeat, repeat, …)") \
  X(kBlocked, "blocked", "refused", "((block, repeat), (block, repeat), …)")                   \
  X(kRaked, "raked", "refused", "((repeat, block), (repeat, block), …)")

enum class Arrangement : uint8_t {
#define X(name, text, division, product) name,
  TAILOR_ARRANGEMENTS(X)
#undef X
};

std::string_view to_string(Arrangement arrangement);

// A dimension and the layout (one output) that picks its tile: i = tile(i_tile) + complement(tile, extent)(i_rest).
struct DimTiler {
  std::string dim;
  GuardedAffineLayout tile;
};
// composition(layout, tiles and their complements); what sticks out of an extent is guarded away.
Expected<Arranged> divide(const GuardedAffineLayout& layout, const std::vector<DimTiler>& tilers,
                          Arrangement arrangement, const Facts& facts = {});
// x, t ↦ block(x) + R(tiler(t)), R the complement of the block without end. Dimensions of the tiler that have a name of
// the block's get a new one.
Expected<Arranged> product(const GuardedAffineLayout& block, const GuardedAffineLayout& tiler, Arrangement arrangement,
                           const Facts& facts = {});

// The dimensions in the order of `order`, which names all of them.
Expected<GuardedAffineLayout> permute(const GuardedAffineLayout& layout, const std::vector<std::string>& order);
// x becomes extent - 1 - x.
Expected<GuardedAffineLayout> flip(const GuardedAffineLayout& layout, std::string_view dim);
// The named dimensions, every other coordinate being 0 (slice keeps the others and fixes the named).
Expected<GuardedAffineLayout> dice(const GuardedAffineLayout& layout, const std::vector<std::string>& dims);

// The dimensions `from` (fastest first) as the dimensions `to` (fastest first) of the same size: the same values in the
// same order. A new dimension which crosses a boundary of the old ones is listed as its digits k_0, k_1, … and is one
// mode of the result.
// Legal exactly when all boundaries, products of leading extents of both sides, form a chain under divisibility (each
// diag(P, Q) is its own Smith form up to order); old dimensions that merge, strides and guards considered, have no
// boundary between them. Only the slowest extents may be parametric.
Expected<Arranged> reshape(const GuardedAffineLayout& layout, const std::vector<std::string>& from,
                           const std::vector<Dim>& to, const Facts& facts = {});

// One output, elements n times as large: values are divided by n, a dimension with a stride d below n that divides it
// keeps every (n / d)-th point; an element is in the domain when its first part is. Offsets and other strides must be
// multiples of n, parametric ones by the facts.
Expected<GuardedAffineLayout> upcast(const GuardedAffineLayout& layout, int64_t n, const Facts& facts = {});
// One output, elements n times as small: the dimension of stride 1 grows n-fold; without one, a dimension `part` of
// extent n comes first.
Expected<GuardedAffineLayout> downcast(const GuardedAffineLayout& layout, int64_t n);

}  // namespace tailor::codegen::layout
