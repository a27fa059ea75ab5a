#include "codegen/layout/guarded_algebra.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/guards.h"
#include "codegen/layout/strided_layout.h"

namespace tailor::codegen::layout {
namespace {

using integer::Checked;
using integer::Residue;
using Layout = GuardedAffineLayout;
using Replacements = std::map<std::string, AffineExpr, std::less<>>;

Status need_one_output(std::string_view operation, const Layout& layout) {
  if (layout.outputs() == 1) return {};
  return invalid_argument(fmt::format("{} of a layout with {} outputs; it needs one", operation, layout.outputs()));
}

// The layout with its dimensions renamed; the new names must not occur in it, but for those that stay.
Expected<Layout> renamed(const Layout& layout, const std::vector<std::string>& names) {
  Replacements replacements;
  std::vector<Dim> dims = layout.dims();
  for (size_t i = 0; i < dims.size(); ++i) {
    replacements[dims[i].name] = AffineExpr::symbol(names[i]);
    dims[i].name = names[i];
  }
  std::vector<Piece> pieces = layout.pieces();
  for (Piece& piece : pieces) {
    for (Constraint& constraint : piece.guard) {
      TAILOR_ASSIGN_OR_RETURN(constraint, constraint.substitute(replacements));
    }
  }
  return Layout::of_pieces(std::move(dims), layout.outputs(), std::move(pieces), layout.parameters());
}

enum class Join { kSum, kStack };

// (x, t) ↦ a(x) + b(t), or (a(x), b(t)). Their dimensions have different names.
Expected<Layout> join(const Layout& a, const Layout& b, Join how) {
  std::vector<Dim> dims = a.dims();
  dims.insert(dims.end(), b.dims().begin(), b.dims().end());
  std::vector<Piece> pieces;
  for (const Piece& left : a.pieces()) {
    for (const Piece& right : b.pieces()) {
      Piece piece = left;
      piece.guard.insert(piece.guard.end(), right.guard.begin(), right.guard.end());
      for (auto& row : piece.a) row.resize(dims.size());
      for (size_t o = 0; o < b.outputs(); ++o) {
        if (how == Join::kStack) {
          std::vector<AffineExpr> row(a.rank());
          row.insert(row.end(), right.a[o].begin(), right.a[o].end());
          piece.a.push_back(std::move(row));
          piece.b.push_back(right.b[o]);
        } else {
          std::copy(right.a[o].begin(), right.a[o].end(), piece.a[o].begin() + static_cast<ptrdiff_t>(a.rank()));
          TAILOR_ASSIGN_OR_RETURN(piece.b[o], piece.b[o].add(right.b[o]));
        }
      }
      pieces.push_back(std::move(piece));
    }
  }
  std::vector<std::string> known = a.parameters();
  known.insert(known.end(), b.parameters().begin(), b.parameters().end());
  const size_t outputs = how == Join::kStack ? a.outputs() + b.outputs() : a.outputs();
  return Layout::of_pieces(std::move(dims), outputs, std::move(pieces), known);
}

// What complement finds: gaps (extent : stride), and the stride of copies of the whole, which may be parametric.
struct Gaps {
  std::vector<Mode> gaps;
  AffineExpr whole = 1;
  std::optional<int64_t> whole_at_most = 1;  // by the facts
};

int64_t magnitude_of(int64_t stride) { return stride < 0 ? -stride : stride; }

// One piece whose strides leave room for what the smaller ones span; nullopt when they overlap.
Expected<std::optional<Gaps>> gaps_between(const Layout& layout, const Ranges& ranges) {
  std::optional<Gaps> none;
  if (layout.pieces().size() != 1) return none;
  std::vector<std::pair<int64_t, size_t>> strides;
  for (size_t i = 0; i < layout.rank(); ++i) {
    const AffineExpr& stride = layout.pieces()[0].a[0][i];
    if (stride.is_zero() || layout.dims()[i].extent == AffineExpr(1)) continue;
    if (!stride.is_constant() || stride.constant() == INT64_MIN) return none;
    strides.emplace_back(magnitude_of(stride.constant()), i);
  }
  std::sort(strides.begin(), strides.end());
  Gaps result;
  for (const auto& [stride, dim] : strides) {
    if (!result.whole_at_most || stride < *result.whole_at_most) return none;
    const int64_t room = stride / *result.whole_at_most;
    if (room > 1) result.gaps.push_back(Mode::leaf(room, *result.whole_at_most));
    const AffineExpr& extent = layout.dims()[dim].extent;
    TAILOR_ASSIGN_OR_RETURN(result.whole, extent.scale(stride));
    const Residue points = extent.abstract(ranges);
    const Checked covered = Checked(stride) * std::max<int64_t>(points.hi, 1);
    result.whole_at_most.reset();
    if (points.hi != Residue::kPlusInfinity && covered.ok()) result.whole_at_most = covered.value();
    if (extent.is_constant() && extent.constant() == 0) result.whole = stride;
  }
  return std::optional<Gaps>(std::move(result));
}

// The interval that all values of the layout lie in.
Expected<Gaps> span_of(const Layout& layout, const Ranges& ranges) {
  std::optional<Residue> values;
  for (const Piece& piece : layout.pieces()) {
    Residue value = piece.b[0].abstract(ranges);
    for (size_t i = 0; i < layout.rank(); ++i) {
      value = value + piece.a[0][i].abstract(ranges) * ranges(layout.dims()[i].name);
    }
    values = values ? integer::join(*values, value) : value;
  }
  if (!values) return Gaps{};
  const Checked span = Checked(values->hi) - values->lo + 1;
  if (values->lo == Residue::kMinusInfinity || values->hi == Residue::kPlusInfinity || !span.ok()) {
    return unsupported(fmt::format(
        "complement of {}: its strides do not nest, and no finite interval is known to hold its values; ranges of its "
        "parameters in the facts would give one",
        layout.to_string()));
  }
  return Gaps{{}, AffineExpr(span.value()), span.value()};
}

Expected<Gaps> gaps_of(const Layout& layout, const Facts& facts) {
  TAILOR_RETURN_IF_ERROR(need_one_output("complement", layout));
  const Ranges ranges = ranges_of(layout.dims(), facts);
  TAILOR_ASSIGN_OR_RETURN(std::optional<Gaps> gaps, gaps_between(layout, ranges));
  if (gaps) return std::move(*gaps);
  return span_of(layout, ranges);
}

// The dimensions in the order in which the modes list them.
Expected<Arranged> arranged(const Layout& layout, std::vector<std::vector<size_t>> modes) {
  std::vector<std::string> order;
  for (std::vector<size_t>& mode : modes) {
    for (size_t& dim : mode) {
      order.push_back(layout.dims()[dim].name);
      dim = order.size() - 1;
    }
  }
  TAILOR_ASSIGN_OR_RETURN(Layout permuted, permute(layout, order));
  return Arranged{std::move(permuted), std::move(modes)};
}

// Modes of what is divided: `rest` of a dimension without a tiler is the dimension.
std::vector<std::vector<size_t>> modes_of_division(const std::vector<std::vector<size_t>>& tiles,
                                                   const std::vector<std::vector<size_t>>& rests,
                                                   const std::vector<bool>& tiled, Arrangement arrangement) {
  std::vector<std::vector<size_t>> modes;
  const auto append = [](std::vector<size_t>& to, const std::vector<size_t>& more) {
    to.insert(to.end(), more.begin(), more.end());
  };
  if (arrangement == Arrangement::kLogical) {
    for (size_t k = 0; k < tiles.size(); ++k) {
      modes.push_back(tiles[k]);
      append(modes.back(), rests[k]);
    }
    return modes;
  }
  std::vector<size_t> all_tiles;
  std::vector<size_t> all_rests;
  for (size_t k = 0; k < tiles.size(); ++k) {
    append(all_tiles, tiles[k]);
    append(all_rests, rests[k]);
  }
  if (arrangement == Arrangement::kFlat) {
    for (size_t k = 0; k < tiles.size(); ++k) {
      if (tiled[k]) modes.push_back(tiles[k]);
    }
  } else {
    modes.push_back(all_tiles);
  }
  if (arrangement == Arrangement::kZipped) {
    modes.push_back(all_rests);
  } else {
    modes.insert(modes.end(), rests.begin(), rests.end());
  }
  return modes;
}

// q ↦ the q-th point of the complement without end, after the tiler: digits of q at the gaps, the rest in whole copies.
Expected<DigitLayout> repeats_of(const Layout& tiler, const Gaps& gaps, const Facts& facts) {
  DigitLayout result;
  if (gaps.gaps.empty()) {
    std::vector<Piece> pieces = tiler.pieces();
    for (Piece& piece : pieces) {
      for (AffineExpr& entry : piece.a[0]) {
        TAILOR_ASSIGN_OR_RETURN(entry, multiply(entry, gaps.whole));
      }
      TAILOR_ASSIGN_OR_RETURN(piece.b[0], multiply(piece.b[0], gaps.whole));
    }
    TAILOR_ASSIGN_OR_RETURN(result.layout, Layout::of_pieces(tiler.dims(), 1, std::move(pieces), tiler.parameters()));
    for (size_t k = 0; k < tiler.rank(); ++k) result.digits.push_back({k});
    return result;
  }
  if (!gaps.whole_at_most) {
    return unsupported(fmt::format(
        "product: repeats step {}, and behind gaps that has to be a constant; a range of its parameters in the facts "
        "would give one",
        gaps.whole.to_string()));
  }
  std::vector<QuasiPiece> pieces;
  for (const Piece& piece : tiler.pieces()) {
    AffineExpr rest = piece.b[0];
    for (size_t k = 0; k < tiler.rank(); ++k) {
      const AffineExpr& entry = piece.a[0][k];
      if (!entry.is_constant()) {
        return unsupported(
            fmt::format("product: the repeats fill gaps, which takes digits of ({})*{}; a product of a "
                        "parameter and a coordinate has none that are affine",
                        entry.to_string(), tiler.dims()[k].name));
      }
      TAILOR_ASSIGN_OR_RETURN(rest, sum_of(rest, AffineExpr::symbol(tiler.dims()[k].name), entry.constant()));
    }
    AffineExpr value;
    for (const Mode& gap : gaps.gaps) {
      TAILOR_ASSIGN_OR_RETURN(const AffineExpr digit, AffineExpr::mod_of(rest, gap.extent));
      TAILOR_ASSIGN_OR_RETURN(value, sum_of(value, digit, gap.stride));
      TAILOR_ASSIGN_OR_RETURN(rest, AffineExpr::floor_of(rest, gap.extent));
    }
    TAILOR_ASSIGN_OR_RETURN(value, sum_of(value, rest, *gaps.whole_at_most));
    pieces.push_back({piece.guard, {std::move(value)}});
  }
  return digit_layout(tiler.dims(), 1, std::move(pieces), {}, facts);
}

}  // namespace

std::string_view to_string(Arrangement arrangement) {
  switch (arrangement) {
#define X(name, text, division, product) \
  case Arrangement::name:                \
    return text;
    TAILOR_ARRANGEMENTS(X)
#undef X
  }
  return "unknown";
}

Expected<Layout> composition(const Layout& a, const Layout& b, const Facts& facts) {
  if (a.rank() != b.outputs()) {
    return invalid_argument(fmt::format("composition of a layout of rank {} with one of {} outputs; they must agree",
                                        a.rank(), b.outputs()));
  }
  const Ranges ranges = ranges_of(b.dims(), facts);
  std::vector<Piece> pieces;
  for (const Piece& of_b : b.pieces()) {
    for (const Piece& of_a : a.pieces()) {
      TAILOR_ASSIGN_OR_RETURN(std::optional<Piece> piece, composed_piece(a, of_a, b, of_b, ranges));
      if (piece) pieces.push_back(std::move(*piece));
    }
  }
  return Layout::of_pieces(b.dims(), a.outputs(), std::move(pieces), a.parameters());
}

Expected<Layout> complement(const Layout& given, const std::optional<AffineExpr>& bound, const Facts& facts) {
  TAILOR_ASSIGN_OR_RETURN(const Layout layout, bind_exact(given, facts));
  TAILOR_ASSIGN_OR_RETURN(const Gaps gaps, gaps_of(layout, facts));
  std::set<std::string> taken(layout.parameters().begin(), layout.parameters().end());
  if (bound) taken.merge(bound->symbols());
  std::vector<Dim> dims;
  std::vector<AffineExpr> strides;
  const auto push = [&](AffineExpr extent, int64_t stride) {
    dims.push_back({fresh_name(fmt::format("r{}", dims.size()), taken), std::move(extent)});
    strides.emplace_back(stride);
  };
  for (const Mode& gap : gaps.gaps) push(AffineExpr(gap.extent), gap.stride);
  if (bound) {
    if (!gaps.whole_at_most) {
      return unsupported(fmt::format(
          "complement: the number of copies, ({}) / ({}), is not affine; a range of its parameters in the facts would "
          "do",
          bound->to_string(), gaps.whole.to_string()));
    }
    const int64_t whole = *gaps.whole_at_most;
    TAILOR_ASSIGN_OR_RETURN(AffineExpr copies, bound->add(AffineExpr(whole - 1)));
    TAILOR_ASSIGN_OR_RETURN(copies, AffineExpr::floor_of(copies, whole));
    // One copy, the point 0, needs no dimension.
    const bool one = copies.abstract([&](std::string_view name) { return facts.of(name); }).hi <= 1;
    if (!one) push(std::move(copies), whole);
  }
  return Layout::strided(std::move(dims), std::move(strides));
}

Expected<Arranged> divide(const Layout& given, const std::vector<DimTiler>& tilers, Arrangement arrangement,
                          const Facts& facts) {
  if (arrangement == Arrangement::kBlocked || arrangement == Arrangement::kRaked) {
    return invalid_argument(
        fmt::format("a division cannot be {}; that is an arrangement of products", to_string(arrangement)));
  }
  TAILOR_ASSIGN_OR_RETURN(const Layout layout, bind_exact(given, facts));
  std::vector<const Layout*> tile_of(layout.rank(), nullptr);
  for (const DimTiler& tiler : tilers) {
    const std::optional<size_t> dim = layout.find_dim(tiler.dim);
    if (!dim) return invalid_argument(fmt::format("dimension {} does not exist in the layout", tiler.dim));
    if (tile_of[*dim] != nullptr) return invalid_argument(fmt::format("{} has two tilers", tiler.dim));
    TAILOR_RETURN_IF_ERROR(need_one_output("division by a tiler", tiler.tile));
    tile_of[*dim] = &tiler.tile;
  }
  // Coordinate by coordinate: i = tile + rest.
  std::set<std::string> taken = names_in(layout);
  TAILOR_ASSIGN_OR_RETURN(Layout coordinates, Layout::create({}, {}, 0, {Piece{}}));
  std::vector<std::vector<size_t>> tiles(layout.rank());
  std::vector<std::vector<size_t>> rests(layout.rank());
  for (size_t k = 0; k < layout.rank(); ++k) {
    const Dim& dim = layout.dims()[k];
    Layout coordinate;
    if (tile_of[k] == nullptr) {
      TAILOR_ASSIGN_OR_RETURN(coordinate, Layout::strided({dim}, {AffineExpr(1)}));
    } else {
      TAILOR_ASSIGN_OR_RETURN(Layout tile, bind_exact(*tile_of[k], facts));
      TAILOR_ASSIGN_OR_RETURN(Layout rest, complement(tile, dim.extent, facts));
      taken.insert(tile.parameters().begin(), tile.parameters().end());
      const auto named = [&](const Layout& part, std::string_view what) {
        std::vector<std::string> names;
        for (size_t i = 0; i < part.rank(); ++i) {
          names.push_back(fresh_name(
              part.rank() == 1 ? fmt::format("{}_{}", dim.name, what) : fmt::format("{}_{}{}", dim.name, what, i),
              taken));
        }
        return renamed(part, names);
      };
      TAILOR_ASSIGN_OR_RETURN(tile, named(tile, "tile"));
      TAILOR_ASSIGN_OR_RETURN(rest, named(rest, "rest"));
      for (size_t i = 0; i < tile.rank(); ++i) tiles[k].push_back(coordinates.rank() + i);
      TAILOR_ASSIGN_OR_RETURN(coordinate, join(tile, rest, Join::kSum));
    }
    for (size_t i = tiles[k].size(); i < coordinate.rank(); ++i) rests[k].push_back(coordinates.rank() + i);
    TAILOR_ASSIGN_OR_RETURN(coordinates, join(coordinates, coordinate, Join::kStack));
  }
  TAILOR_ASSIGN_OR_RETURN(const Layout divided, composition(layout, coordinates, facts));
  std::vector<bool> tiled;
  for (const Layout* tile : tile_of) tiled.push_back(tile != nullptr);
  return arranged(divided, modes_of_division(tiles, rests, tiled, arrangement));
}

Expected<Arranged> product(const Layout& given, const Layout& given_tiler, Arrangement arrangement,
                           const Facts& facts) {
  TAILOR_RETURN_IF_ERROR(need_one_output("product", given));
  TAILOR_RETURN_IF_ERROR(need_one_output("product by a tiler", given_tiler));
  TAILOR_ASSIGN_OR_RETURN(const Layout block, bind_exact(given, facts));
  TAILOR_ASSIGN_OR_RETURN(Layout tiler, bind_exact(given_tiler, facts));
  std::set<std::string> taken = names_in(block);
  taken.insert(tiler.parameters().begin(), tiler.parameters().end());
  std::vector<std::string> names;
  for (const Dim& dim : tiler.dims()) names.push_back(fresh_name(dim.name, taken));
  TAILOR_ASSIGN_OR_RETURN(tiler, renamed(tiler, names));
  TAILOR_ASSIGN_OR_RETURN(const Gaps gaps, gaps_of(block, facts));
  TAILOR_ASSIGN_OR_RETURN(const DigitLayout repeats, repeats_of(tiler, gaps, facts));
  // Digits may have got names of the block's.
  names.clear();
  taken = names_in(block);
  taken.insert(repeats.layout.parameters().begin(), repeats.layout.parameters().end());
  for (const Dim& dim : repeats.layout.dims()) names.push_back(fresh_name(dim.name, taken));
  TAILOR_ASSIGN_OR_RETURN(const Layout behind, renamed(repeats.layout, names));
  TAILOR_ASSIGN_OR_RETURN(const Layout both, join(block, behind, Join::kSum));

  std::vector<std::vector<size_t>> of_block(block.rank());
  std::vector<std::vector<size_t>> of_repeats = repeats.digits;
  for (size_t k = 0; k < block.rank(); ++k) of_block[k] = {k};
  for (std::vector<size_t>& mode : of_repeats) {
    for (size_t& dim : mode) dim += block.rank();
  }
  const auto flattened = [](const std::vector<std::vector<size_t>>& modes) {
    std::vector<size_t> flat;
    for (const std::vector<size_t>& mode : modes) flat.insert(flat.end(), mode.begin(), mode.end());
    return flat;
  };
  std::vector<std::vector<size_t>> modes;
  if (arrangement == Arrangement::kBlocked || arrangement == Arrangement::kRaked) {
    const size_t rank = std::max(of_block.size(), of_repeats.size());
    of_block.resize(rank);
    of_repeats.resize(rank);
    for (size_t k = 0; k < rank; ++k) {
      const bool blocked = arrangement == Arrangement::kBlocked;
      modes.push_back(
          flattened(blocked ? std::vector{of_block[k], of_repeats[k]} : std::vector{of_repeats[k], of_block[k]}));
    }
  } else if (arrangement == Arrangement::kFlat) {
    modes = of_block;
    modes.insert(modes.end(), of_repeats.begin(), of_repeats.end());
  } else {
    modes.push_back(flattened(of_block));
    if (arrangement == Arrangement::kTiled) {
      modes.insert(modes.end(), of_repeats.begin(), of_repeats.end());
    } else {
      modes.push_back(flattened(of_repeats));
    }
  }
  return arranged(both, std::move(modes));
}

}  // namespace tailor::codegen::layout
