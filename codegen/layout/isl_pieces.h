// Layouts to isl maps and isl maps back to quasi-affine pieces. Private to this folder.
//
// Worked example: (i: 3, j: 4) -> 8*i + j is read as { [x0, x1] -> [8x0 + x1] : 0 <= x0 < 3 and 0 <= x1 < 4 }; the
// reverse of that map comes back as one piece over y0: 0 <= y0 mod 8 <= 3, 0 <= floor(y0 / 8) <= 2,
// (floor(y0 / 8), y0 - 8*floor(y0 / 8)).
//
// Ownership: results belong to the caller and must go before their Context. Threads: each with its own Context.
// Errors: kUnsupported for a symbolic stride (symbol times coordinate is not Presburger arithmetic); kUnavailable when
// the quota is spent; kInvalidArgument for what isl rejects or what leaves 64 bits.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codegen/layout/digit_layout.h"
#include "codegen/layout/isl_context.h"
#include "codegen/layout/layout.h"

namespace tailor::codegen::layout::isl {

// Parameters of the layouts and of the facts as p0, p1, …
Names parameter_names(std::initializer_list<const GuardedAffineLayout*> layouts, const Facts& facts);
// "[p0] -> { [x0] -> [8*x0] : 0 <= x0 < p0 }" with the given names for every symbol.
Expected<std::string> map_text(const GuardedAffineLayout& layout, std::string_view parameter_tuple, const Names& names);
// { x ↦ A x + b } on the domain, dimensions as x0, x1, …, under what the facts say of the parameters.
Expected<Map> read_layout(const Context& ctx, const GuardedAffineLayout& layout, const Names& parameters,
                          const Facts& facts);
Expected<Set> read_facts(const Context& ctx, const Names& parameters, const Facts& facts);

// isl's names back to ours: parameters by name, dimensions by position.
struct Symbols {
  std::map<std::string, std::string, std::less<>> parameters;  // "p0" -> n
  std::vector<std::string> dims;
};
Symbols symbols_of(const Names& parameters, std::vector<std::string> dims);

// On its domain the value of aff, which is integral there.
Expected<AffineExpr> read_aff(isl_aff* aff, const Symbols& symbols);
// The function that a single-valued map is, piece by piece; guards are relative to `context`.
Expected<std::vector<QuasiPiece>> pieces_of(const Context& ctx, const Map& map, const Set& context,
                                            const Symbols& symbols);
// Affine bounds of the set's coordinates over the parameters: base <= y < base + extent at every point, exact where the
// true bounds are affine, else the first that holds of: 0 (below), a case of the true bound, a constant by the facts.
struct Box {
  std::vector<AffineExpr> base;
  std::vector<Dim> dims;  // named as symbols.dims
};
Expected<Box> box_of(const Context& ctx, const Set& set, const Symbols& symbols, const Facts& facts);
// The box as a set in the space of `set`.
Expected<Set> read_box(const Context& ctx, const Box& box, const Names& parameters);

// A point of the set with its parameters.
struct Sample {
  std::vector<int64_t> point;
  Assignment parameters;
};
Expected<std::optional<Sample>> sample(const Context& ctx, Set set, const Symbols& symbols);

}  // namespace tailor::codegen::layout::isl
