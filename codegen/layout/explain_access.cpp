#include "codegen/layout/explain_access.h"

#include <algorithm>

#include <fmt/format.h>

namespace tailor::codegen::layout {
namespace {

using integer::Residue;

Residue abstract(const AffineExpr& expr, const Facts& facts) {
  return expr.abstract([&facts](std::string_view name) { return facts.of(name); });
}

bool is(const Residue& known, int64_t value) { return known.is_constant() && known.remainder == value; }

std::string value_of(const AffineExpr& expr, const Residue& known) {
  return known.is_constant() ? fmt::to_string(known.remainder) : expr.to_string();
}

}  // namespace

std::optional<std::pair<size_t, AffineExpr>> shortened_dim(const GuardedAffineLayout& layout, const Constraint& guard) {
  if (guard.relation != Relation::kNonNegative) return std::nullopt;
  std::optional<size_t> found;
  for (size_t i = 0; i < layout.rank(); ++i) {
    if (!guard.expr.depends_on(layout.dims()[i].name)) continue;
    if (found || guard.expr.coefficient(layout.dims()[i].name) != -1) return std::nullopt;
    found = i;
  }
  if (!found) return std::nullopt;
  const std::string& name = layout.dims()[*found].name;
  auto edge = guard.expr.add(AffineExpr::symbol(name));
  if (!edge.ok() || edge->depends_on(name)) return std::nullopt;
  auto extent = edge->add(AffineExpr(1));
  if (!extent.ok()) return std::nullopt;
  return std::pair{*found, *extent};
}

Residue smaller(const Residue& a, const Residue& b) {
  if (a.hi <= b.lo) return a;
  if (b.hi <= a.lo) return b;
  const Residue either = integer::join(a, b);
  return integer::meet(either, Residue::between(std::min(a.lo, b.lo), std::min(a.hi, b.hi))).value_or(either);
}

Expected<PieceAccess> piece_access(const GuardedAffineLayout& layout, BaseAlignment base, int64_t elem_bytes,
                                   const Facts& facts) {
  const Piece& piece = layout.pieces()[0];
  PieceAccess result;
  result.access.operand = "the layout";
  const Residue start = Residue::congruent(base.modulus, base.residue) + abstract(piece.b[0], facts) * elem_bytes;
  result.access.base = {start.modulus, start.remainder};

  std::vector<Residue> extents;
  std::vector<Residue> strides;
  for (size_t i = 0; i < layout.rank(); ++i) {
    extents.push_back(abstract(layout.dims()[i].extent, facts));
    strides.push_back(abstract(piece.a[0][i], facts));
  }
  // Guards that only shorten a dimension make it a dimension of that extent.
  std::vector<std::optional<size_t>> shortens;
  std::vector<std::optional<std::pair<Residue, Residue>>> ends(layout.rank());  // whole, edge
  std::vector<std::vector<AffineExpr>> edges(layout.rank());                    // that are not constants
  for (const Constraint& guard : piece.guard) {
    const auto shortened = shortened_dim(layout, guard);
    shortens.push_back(shortened ? std::optional(shortened->first) : std::nullopt);
    if (!shortened) continue;
    const Residue edge = abstract(shortened->second, facts);
    if (!edge.is_constant()) edges[shortened->first].push_back(shortened->second);
    auto& end = ends[shortened->first];
    // Of several edges only the values together are known.
    end = end ? std::pair{end->first, integer::join(end->second, edge)} : std::pair{extents[shortened->first], edge};
    extents[shortened->first] = smaller(extents[shortened->first], edge);
  }

  // The run: dimensions whose stride is the number of elements so far; the last may have an extent that varies.
  std::vector<bool> in_run(layout.rank(), false);
  Residue run = Residue::constant(1);
  for (bool grown = true; grown && run.is_constant();) {
    grown = false;
    for (size_t i = 0; i < layout.rank() && !grown; ++i) {
      if (in_run[i] || is(extents[i], 1) || !is(strides[i], run.remainder)) continue;
      in_run[i] = grown = true;
      if (!extents[i].is_constant()) {
        if (!abstract(layout.dims()[i].extent, facts).is_constant()) result.lengths.push_back(layout.dims()[i].extent);
        result.lengths.insert(result.lengths.end(), edges[i].begin(), edges[i].end());
      }
      if (ends[i] && !extents[i].is_constant()) {
        result.whole_bytes = run * ends[i]->first * elem_bytes;
        result.edge_bytes = run * ends[i]->second * elem_bytes;
      }
      run = run * extents[i];
      result.run = result.run.empty() ? layout.dims()[i].name : layout.dims()[i].name + "*" + result.run;
    }
  }
  // Extents are not negative, whatever the facts leave open.
  run = integer::meet(run, Residue::between(0, Residue::kPlusInfinity)).value_or(Residue::constant(0));
  result.access.run_bytes = run * elem_bytes;
  if (static_cast<__int128>(run.lo) * elem_bytes > INT64_MAX) {
    return invalid_argument(
        fmt::format("the run of {} has at least {} elements of {} bytes; its bytes overflow 64-bit "
                    "integers",
                    result.run, run.lo, elem_bytes));
  }

  for (size_t i = 0; i < layout.rank(); ++i) {
    if (in_run[i] || is(extents[i], 1)) continue;
    const Dim& dim = layout.dims()[i];
    const AffineExpr& entry = piece.a[0][i];
    const bool single = entry.constant() == 0 && entry.terms().size() == 1 && entry.terms()[0].coefficient == 1 &&
                        !entry.terms()[0].atom.is_floor();
    OuterDim outer{dim.name, Stride::constant(strides[i].remainder), OuterDim::kUnknownExtent};
    if (!strides[i].is_constant()) {
      outer.stride = Stride::symbolic(single ? entry.terms()[0].atom.symbol : fmt::format("({})", entry.to_string()),
                                      std::max<int64_t>(1, strides[i].known_divisor()));
    }
    if (extents[i].is_constant()) outer.extent = std::max<int64_t>(0, extents[i].remainder);
    result.access.outer.push_back(std::move(outer));
    if (run.is_constant() && result.short_run.empty()) {
      result.short_run = fmt::format("the run ends because the stride of {} is {}; {} would continue it", dim.name,
                                     value_of(entry, strides[i]), run.remainder);
    }
  }
  for (size_t g = 0; g < piece.guard.size(); ++g) {
    const Constraint& guard = piece.guard[g];
    bool mentions_run = false;
    for (size_t i = 0; i < layout.rank(); ++i) {
      mentions_run = mentions_run || (in_run[i] && guard.expr.depends_on(layout.dims()[i].name));
    }
    if (shortens[g] && in_run[*shortens[g]]) {
      result.run_edges.push_back(guard);
    } else if (mentions_run) {
      result.cuts.push_back(guard);
    } else {
      result.per_run.push_back(guard);
    }
  }
  return result;
}

}  // namespace tailor::codegen::layout
