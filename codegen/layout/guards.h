// What guards and pieces of a layout allow by intervals alone. Private to this folder.
//
// Worked example: with 0 <= i <= 7 and n in [9, 100], tidy_guard drops "n - i - 1 >= 0" (always true), keeps
// "n - 8*i >= 0", and answers nullopt for "-i - 1 >= 0" (never true).
//
// Ownership: values. Threads: pure functions. Errors: overflow is kInvalidArgument.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/layout/layout.h"

namespace tailor::codegen::layout {

using Ranges = std::function<integer::Residue(std::string_view)>;

// Each dimension in [0, extent), each parameter as the facts have it. Keeps references to both.
Ranges ranges_of(const std::vector<Dim>& dims, const Facts& facts);
// Removes what always holds and repeats; nullopt when a constraint can never hold.
std::optional<std::vector<Constraint>> tidy_guard(const std::vector<Constraint>& guard, const Ranges& ranges);

struct DimsAndPieces {
  std::vector<Dim> dims;
  std::vector<Piece> pieces;
};

// The dimension goes, its coordinate being 0.
Status drop_dim(DimsAndPieces& layout, size_t dim);
// Can (slow, fast) become z = e*slow + fast everywhere, e the constant extent of fast? A_slow = e * A_fast in every
// piece, and guards hold them only as that combination.
bool can_merge(const DimsAndPieces& layout, size_t slow, size_t fast);
// Does so: z takes the name of fast. Requires can_merge.
Status merge_dims(DimsAndPieces& layout, size_t slow, size_t fast);

// `stem`, or the first of stem_2, stem_3, … that is not taken; takes it.
std::string fresh_name(const std::string& stem, std::set<std::string>& taken);
// Names of dimensions and parameters.
std::set<std::string> names_in(const GuardedAffineLayout& layout);

// left * right; kUnsupported when both are symbolic.
Expected<AffineExpr> multiply(const AffineExpr& left, const AffineExpr& right);
// a + scale * b
Expected<AffineExpr> sum_of(const AffineExpr& a, const AffineExpr& b, int64_t scale = 1);
// One piece of a ∘ b, from one piece of each; nullopt when their guards exclude each other. `ranges` are those of b's
// dimensions. Without bounds the caller knows that b stays in a's domain.
Expected<std::optional<Piece>> composed_piece(const GuardedAffineLayout& a, const Piece& of_a,
                                              const GuardedAffineLayout& b, const Piece& of_b, const Ranges& ranges,
                                              bool with_bounds = true);
// Parameters with an exact value in the facts replaced by it.
Expected<GuardedAffineLayout> bind_exact(const GuardedAffineLayout& layout, const Facts& facts);

}  // namespace tailor::codegen::layout
