// Other orders, shapes and element sizes of guarded layouts; declared in guarded_algebra.h.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/guarded_algebra.h"
#include "codegen/layout/guards.h"

namespace tailor::codegen::layout {
namespace {

using integer::Checked;
using Layout = GuardedAffineLayout;

Status unknown_dim(std::string_view name) {
  return invalid_argument(fmt::format("dimension {} does not exist in the layout", name));
}

std::string extents_text(const std::vector<Dim>& dims) {
  std::vector<std::string> texts;
  for (const Dim& dim : dims) texts.push_back(fmt::format("{}: {}", dim.name, dim.extent.to_string()));
  return fmt::format("({})", fmt::join(texts, ", "));
}

// The boundaries inside a list of extents: products of the leading ones. Only the last extent may be parametric.
Expected<std::vector<int64_t>> boundaries(const std::vector<AffineExpr>& extents, std::string_view what) {
  std::vector<int64_t> result;
  Checked place = 1;
  for (size_t k = 0; k + 1 < extents.size(); ++k) {
    if (!extents[k].is_constant()) {
      return unsupported(
          fmt::format("reshape: extent {} of {} is parametric; only the slowest may be", extents[k].to_string(), what));
    }
    place *= extents[k].constant();
    if (!place.ok()) return integer::overflow_error("the size of a shape");
    result.push_back(place.value());
  }
  return result;
}

Expected<AffineExpr> size_of(const std::vector<AffineExpr>& extents, const std::vector<int64_t>& inner) {
  if (extents.empty()) return AffineExpr(1);
  return extents.back().scale(inner.empty() ? 1 : inner.back());
}

// Divisor chain 1 = P_0 | P_1 | … of both lists of boundaries, or which two break it.
Expected<std::vector<int64_t>> chain(const std::vector<int64_t>& old_bounds, const std::vector<int64_t>& new_bounds) {
  std::vector<int64_t> places{1};
  places.insert(places.end(), old_bounds.begin(), old_bounds.end());
  places.insert(places.end(), new_bounds.begin(), new_bounds.end());
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  for (size_t i = 0; i + 1 < places.size(); ++i) {
    if (places[i + 1] % places[i] == 0) continue;
    const bool first_is_old = std::find(old_bounds.begin(), old_bounds.end(), places[i]) != old_bounds.end();
    return invalid_argument(fmt::format(
        "reshape: the layout turns at index {}, a new dimension ends at index {}, and neither divides the "
        "other: diag({}, {}) is not its own Smith form",
        first_is_old ? places[i] : places[i + 1], first_is_old ? places[i + 1] : places[i], places[i], places[i + 1]));
  }
  return places;
}

// The layout with `from` merged as far as it merges: what is left of `from`, fastest first, has a boundary between each
// two.
struct Runs {
  Layout layout;
  std::vector<std::string> names;
  std::vector<AffineExpr> extents;
};

Expected<Runs> merge_runs(const Layout& layout, const std::vector<std::string>& from) {
  DimsAndPieces merged{layout.dims(), layout.pieces()};
  const auto position = [&](std::string_view name) {
    const auto found =
        std::find_if(merged.dims.begin(), merged.dims.end(), [&](const Dim& d) { return d.name == name; });
    return static_cast<size_t>(found - merged.dims.begin());
  };
  Runs result;
  for (const std::string& name : from) {
    const size_t dim = position(name);
    if (dim == merged.dims.size()) return unknown_dim(name);
    if (merged.dims[dim].extent == AffineExpr(1)) {
      TAILOR_RETURN_IF_ERROR(drop_dim(merged, dim));
    } else if (!result.names.empty() && can_merge(merged, dim, position(result.names.back()))) {
      TAILOR_RETURN_IF_ERROR(merge_dims(merged, dim, position(result.names.back())));
    } else {
      result.names.push_back(name);
    }
  }
  for (const std::string& name : result.names) result.extents.push_back(merged.dims[position(name)].extent);
  TAILOR_ASSIGN_OR_RETURN(result.layout, Layout::of_pieces(std::move(merged.dims), layout.outputs(),
                                                           std::move(merged.pieces), layout.parameters()));
  return result;
}

// One digit of the common refinement: a dimension of the result, `place` times of which go to the run.
struct Digit {
  Dim dim;
  std::optional<size_t> run;  // none for an extent of 1
  int64_t place = 1;
};

// The digits of each new dimension. Digit i covers indices from places[i] to places[i + 1], the last one up to the end.
std::vector<std::vector<Digit>> refine(const std::vector<int64_t>& places, const std::vector<int64_t>& old_bounds,
                                       const std::vector<AffineExpr>& old_extents,
                                       const std::vector<int64_t>& new_bounds,
                                       const std::vector<AffineExpr>& new_extents, const std::vector<Dim>& to,
                                       std::set<std::string>& taken) {
  std::vector<std::vector<Digit>> result(to.size());
  size_t next = 0;
  for (size_t k = 0; k < to.size(); ++k) {
    const size_t begin = next;
    if (k < new_bounds.size()) {
      while (next < places.size() && places[next] < new_bounds[k]) ++next;
    } else if (k < new_extents.size()) {
      next = places.size();
    }
    if (begin == next || old_extents.empty()) {
      result[k].push_back({to[k], std::nullopt, 0});
      continue;
    }
    for (size_t i = begin; i < next; ++i) {
      size_t run = 0;
      while (run < old_bounds.size() && old_bounds[run] <= places[i]) ++run;
      const bool ends_with_new = places[i] == (new_bounds.empty() ? 1 : new_bounds.back());
      AffineExpr extent = i + 1 < places.size() ? AffineExpr(places[i + 1] / places[i])
                          : ends_with_new       ? new_extents.back()
                                                : old_extents.back();
      std::string name =
          next - begin == 1 ? to[k].name : fresh_name(fmt::format("{}_{}", to[k].name, i - begin), taken);
      result[k].push_back(
          {{std::move(name), std::move(extent)}, run, places[i] / (run == 0 ? 1 : old_bounds[run - 1])});
    }
  }
  return result;
}

// The exact quotient; nullopt unless the facts show that n divides the value.
std::optional<AffineExpr> exact_quotient(const AffineExpr& value, int64_t n, const Facts& facts) {
  const integer::Residue known = value.abstract([&](std::string_view name) { return facts.of(name); });
  if (!(integer::floor_mod(known, n) == integer::Residue::constant(0))) return std::nullopt;
  auto quotient = AffineExpr::floor_of(value, n);
  if (!quotient.ok()) return std::nullopt;
  return std::move(*quotient);
}

}  // namespace

Expected<Layout> permute(const Layout& layout, const std::vector<std::string>& order) {
  if (order.size() != layout.rank()) {
    return invalid_argument(fmt::format("permutation ({}) has {} names; the layout has {} dimensions",
                                        fmt::join(order, ", "), order.size(), layout.rank()));
  }
  AffineMap map{{}, integer::Matrix(layout.rank(), layout.rank()), std::vector<AffineExpr>(layout.rank())};
  for (size_t k = 0; k < order.size(); ++k) {
    const std::optional<size_t> dim = layout.find_dim(order[k]);
    if (!dim) return unknown_dim(order[k]);
    map.dims.push_back(layout.dims()[*dim]);
    map.c.at(*dim, k) = 1;
  }
  return layout.compose(map);
}

Expected<Layout> flip(const Layout& layout, std::string_view dim) {
  const std::optional<size_t> index = layout.find_dim(dim);
  if (!index) return unknown_dim(dim);
  AffineMap map{layout.dims(), integer::Matrix::identity(layout.rank()), std::vector<AffineExpr>(layout.rank())};
  map.c.at(*index, *index) = -1;
  TAILOR_ASSIGN_OR_RETURN(map.d[*index], layout.dims()[*index].extent.subtract(AffineExpr(1)));
  return layout.compose(map);
}

Expected<Layout> dice(const Layout& layout, const std::vector<std::string>& dims) {
  for (const std::string& name : dims) {
    if (!layout.find_dim(name)) return unknown_dim(name);
  }
  Layout result = layout;
  for (const Dim& dim : layout.dims()) {
    if (std::find(dims.begin(), dims.end(), dim.name) != dims.end()) continue;
    TAILOR_ASSIGN_OR_RETURN(result, result.slice(dim.name, AffineExpr(0)));
  }
  return result;
}

Expected<Arranged> reshape(const Layout& given, const std::vector<std::string>& from, const std::vector<Dim>& to,
                           const Facts& facts) {
  TAILOR_ASSIGN_OR_RETURN(const Layout layout, bind_exact(given, facts));
  TAILOR_ASSIGN_OR_RETURN(const Runs runs, merge_runs(layout, from));
  std::vector<AffineExpr> extents;
  for (const Dim& dim : to) extents.push_back(dim.extent);
  // Trailing extents of 1 hide no parametric one before them.
  while (extents.size() > 1 && extents.back() == AffineExpr(1)) extents.pop_back();
  TAILOR_ASSIGN_OR_RETURN(const std::vector<int64_t> old_bounds, boundaries(runs.extents, "the layout"));
  TAILOR_ASSIGN_OR_RETURN(const std::vector<int64_t> new_bounds, boundaries(extents, "the new shape"));
  TAILOR_ASSIGN_OR_RETURN(const AffineExpr old_size, size_of(runs.extents, old_bounds));
  TAILOR_ASSIGN_OR_RETURN(const AffineExpr new_size, size_of(extents, new_bounds));
  if (!(old_size == new_size)) {
    return invalid_argument(fmt::format("reshape of ({}) to {}: the sizes are {} and {}; they must be equal",
                                        fmt::join(from, ", "), extents_text(to), old_size.to_string(),
                                        new_size.to_string()));
  }
  std::set<std::string> taken(layout.parameters().begin(), layout.parameters().end());
  for (const Dim& dim : to) taken.insert(dim.name);
  std::vector<Dim> others;
  for (const Dim& dim : runs.layout.dims()) {
    if (std::find(runs.names.begin(), runs.names.end(), dim.name) != runs.names.end()) continue;
    taken.insert(dim.name);
    others.push_back(dim);
  }
  std::vector<std::vector<Digit>> digits;
  const bool empty = new_size.is_zero();
  if (empty) {
    for (const Dim& dim : to) digits.push_back({{dim, std::nullopt, 0}});
  } else {
    TAILOR_ASSIGN_OR_RETURN(const std::vector<int64_t> places, chain(old_bounds, new_bounds));
    digits = refine(places, old_bounds, runs.extents, new_bounds, extents, to, taken);
  }
  for (const Dim& dim : others) digits.push_back({{dim, std::nullopt, 0}});

  // Old coordinates from the digits.
  Arranged result;
  std::vector<Dim> dims;
  Piece map{{}, std::vector<std::vector<AffineExpr>>(runs.layout.rank()), std::vector<AffineExpr>(runs.layout.rank())};
  for (const std::vector<Digit>& mode : digits) {
    result.modes.emplace_back();
    for (const Digit& digit : mode) {
      result.modes.back().push_back(dims.size());
      dims.push_back(digit.dim);
      const bool other = result.modes.size() > to.size();
      for (size_t k = 0; k < runs.layout.rank(); ++k) {
        const std::string& old = runs.layout.dims()[k].name;
        const bool its_run = digit.run && runs.names[*digit.run] == old;
        map.a[k].emplace_back(its_run ? digit.place : other && digit.dim.name == old ? 1 : 0);
      }
    }
  }
  TAILOR_ASSIGN_OR_RETURN(const Layout coordinates, Layout::of_pieces(dims, runs.layout.rank(), {std::move(map)}));
  std::vector<Piece> pieces;
  const Ranges ranges = ranges_of(coordinates.dims(), facts);
  for (const Piece& old : runs.layout.pieces()) {
    if (empty) break;
    TAILOR_ASSIGN_OR_RETURN(
        std::optional<Piece> piece,
        composed_piece(runs.layout, old, coordinates, coordinates.pieces()[0], ranges, /*with_bounds=*/false));
    if (piece) pieces.push_back(std::move(*piece));
  }
  TAILOR_ASSIGN_OR_RETURN(result.layout,
                          Layout::of_pieces(std::move(dims), layout.outputs(), std::move(pieces), layout.parameters()));
  return result;
}

namespace {

// Strides of dimensions of extent 1, which lead nowhere, made 0.
Expected<Layout> without_idle_strides(Layout layout) {
  std::vector<Piece> pieces = layout.pieces();
  for (Piece& piece : pieces) {
    for (size_t k = 0; k < layout.rank(); ++k) {
      if (layout.dims()[k].extent == AffineExpr(1)) piece.a[0][k] = AffineExpr(0);
    }
  }
  return Layout::of_pieces(layout.dims(), 1, std::move(pieces), layout.parameters());
}

}  // namespace

Expected<Layout> upcast(const Layout& given, int64_t n, const Facts& facts) {
  if (n < 1) return invalid_argument(fmt::format("upcast by {}; the ratio must be at least 1", n));
  if (given.outputs() != 1) {
    return invalid_argument(fmt::format("upcast of a layout with {} outputs; it needs one", given.outputs()));
  }
  TAILOR_ASSIGN_OR_RETURN(Layout layout, bind_exact(given, facts));
  TAILOR_ASSIGN_OR_RETURN(layout, without_idle_strides(std::move(layout)));
  // Dimension k keeps every keep-th point, the same in each piece: x = keep * x', and x < extent is x' < ceil(extent /
  // keep), so no bound is left to guard.
  std::vector<Dim> dims = layout.dims();
  Piece kept{{}, std::vector<std::vector<AffineExpr>>(layout.rank()), std::vector<AffineExpr>(layout.rank())};
  for (size_t k = 0; k < layout.rank(); ++k) {
    std::optional<int64_t> keep;
    for (const Piece& piece : layout.pieces()) {
      const AffineExpr& stride = piece.a[0][k];
      int64_t step = 1;
      if (!exact_quotient(stride, n, facts)) {
        const int64_t size = stride.is_constant() && stride.constant() != INT64_MIN ? std::abs(stride.constant()) : 0;
        if (size == 0 || n % size != 0) {
          return invalid_argument(
              fmt::format("upcast by {}: stride {} of {} neither divides it nor is known to be a "
                          "multiple",
                          n, stride.to_string(), dims[k].name));
        }
        step = n / size;
      }
      if (keep && *keep != step) {
        return invalid_argument(
            fmt::format("upcast by {}: the strides of {} in different pieces keep every {}-th and every {}-th point", n,
                        dims[k].name, *keep, step));
      }
      keep = step;
    }
    const int64_t step = keep.value_or(1);
    kept.a[k].resize(layout.rank());
    kept.a[k][k] = AffineExpr(step);
    TAILOR_ASSIGN_OR_RETURN(AffineExpr rounded, dims[k].extent.add(AffineExpr(step - 1)));
    TAILOR_ASSIGN_OR_RETURN(dims[k].extent, AffineExpr::floor_of(rounded, step));
  }
  TAILOR_ASSIGN_OR_RETURN(const Layout firsts, Layout::of_pieces(std::move(dims), layout.rank(), {std::move(kept)}));
  std::vector<Piece> pieces;
  const Ranges ranges = ranges_of(firsts.dims(), facts);
  for (const Piece& old : layout.pieces()) {
    TAILOR_ASSIGN_OR_RETURN(std::optional<Piece> piece,
                            composed_piece(layout, old, firsts, firsts.pieces()[0], ranges, /*with_bounds=*/false));
    if (!piece) continue;
    for (AffineExpr& entry : piece->a[0]) entry = *exact_quotient(entry, n, facts);
    const std::optional<AffineExpr> offset = exact_quotient(piece->b[0], n, facts);
    if (!offset) {
      return invalid_argument(
          fmt::format("upcast by {}: the offset {} is not known to be a multiple of it", n, piece->b[0].to_string()));
    }
    piece->b[0] = *offset;
    pieces.push_back(std::move(*piece));
  }
  return Layout::of_pieces(firsts.dims(), 1, std::move(pieces), layout.parameters());
}

namespace {

// The dimension of a downcast that takes the parts of an element: one of stride 1 everywhere, of extent 1 (whose stride
// leads nowhere) where there is no longer one.
std::optional<size_t> part_taker(const Layout& layout) {
  const AffineExpr one(1);
  std::optional<size_t> short_unit, short_any;
  for (size_t k = 0; k < layout.rank(); ++k) {
    const bool is_short = layout.dims()[k].extent == one;
    const bool is_unit = std::all_of(layout.pieces().begin(), layout.pieces().end(),
                                     [&](const Piece& piece) { return piece.a[0][k] == one; });
    if (is_unit && !is_short) return k;
    if (is_unit && !short_unit) short_unit = k;
    if (is_short && !short_any) short_any = k;
  }
  return short_unit ? short_unit : short_any;
}

}  // namespace

Expected<Layout> downcast(const Layout& layout, int64_t n) {
  if (n < 1) return invalid_argument(fmt::format("downcast by {}; the ratio must be at least 1", n));
  if (layout.outputs() != 1) {
    return invalid_argument(fmt::format("downcast of a layout with {} outputs; it needs one", layout.outputs()));
  }
  const std::optional<size_t> unit = part_taker(layout);
  std::vector<Dim> dims = layout.dims();
  std::map<std::string, AffineExpr, std::less<>> image;
  if (unit) {  // x' = n x + part, so x = floor(x' / n)
    TAILOR_ASSIGN_OR_RETURN(dims[*unit].extent, dims[*unit].extent.scale(n));
    TAILOR_ASSIGN_OR_RETURN(image[dims[*unit].name], AffineExpr::floor_of(AffineExpr::symbol(dims[*unit].name), n));
  } else {
    std::set<std::string> taken = names_in(layout);
    dims.insert(dims.begin(), {fresh_name("part", taken), AffineExpr(n)});
  }
  std::vector<Piece> pieces = layout.pieces();
  for (Piece& piece : pieces) {
    for (Constraint& constraint : piece.guard) {
      TAILOR_ASSIGN_OR_RETURN(constraint, constraint.substitute(image));
    }
    for (AffineExpr& entry : piece.a[0]) {
      TAILOR_ASSIGN_OR_RETURN(entry, entry.scale(n));
    }
    TAILOR_ASSIGN_OR_RETURN(piece.b[0], piece.b[0].scale(n));
    if (unit) {
      piece.a[0][*unit] = AffineExpr(1);
    } else {
      piece.a[0].insert(piece.a[0].begin(), AffineExpr(1));
    }
  }
  return Layout::of_pieces(std::move(dims), 1, std::move(pieces), layout.parameters());
}

}  // namespace tailor::codegen::layout
