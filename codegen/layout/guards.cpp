#include "codegen/layout/guards.h"

#include <algorithm>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::layout {

using integer::Residue;

Ranges ranges_of(const std::vector<Dim>& dims, const Facts& facts) {
  return [&dims, &facts](std::string_view name) {
    for (const Dim& dim : dims) {
      if (dim.name != name) continue;
      const Residue extent = dim.extent.abstract([&facts](std::string_view parameter) { return facts.of(parameter); });
      const int64_t last =
          extent.hi == Residue::kPlusInfinity ? Residue::kPlusInfinity : std::max<int64_t>(extent.hi, 1) - 1;
      return Residue::between(0, last);
    }
    return facts.of(name);
  };
}

std::optional<std::vector<Constraint>> tidy_guard(const std::vector<Constraint>& guard, const Ranges& ranges) {
  std::vector<Constraint> result;
  for (const Constraint& constraint : guard) {
    const Residue value = constraint.expr.abstract(ranges);
    if (constraint.relation == Relation::kZero) {
      if (!value.contains(0)) return std::nullopt;
      if (value.is_constant()) continue;
    } else {
      if (value.hi < 0) return std::nullopt;
      if (value.lo >= 0) continue;
    }
    if (std::find(result.begin(), result.end(), constraint) == result.end()) result.push_back(constraint);
  }
  return result;
}

Status drop_dim(DimsAndPieces& layout, size_t dim) {
  const std::string name = layout.dims[dim].name;
  layout.dims.erase(layout.dims.begin() + static_cast<ptrdiff_t>(dim));
  for (Piece& piece : layout.pieces) {
    for (Constraint& constraint : piece.guard) {
      TAILOR_ASSIGN_OR_RETURN(constraint, constraint.substitute({{name, AffineExpr(0)}}));
    }
    for (auto& row : piece.a) row.erase(row.begin() + static_cast<ptrdiff_t>(dim));
  }
  return {};
}

bool can_merge(const DimsAndPieces& layout, size_t slow, size_t fast) {
  const std::vector<Dim>& dims = layout.dims;
  if (!dims[fast].extent.is_constant()) return false;
  const int64_t e = dims[fast].extent.constant();
  for (const Piece& piece : layout.pieces) {
    for (const auto& row : piece.a) {
      auto scaled = row[fast].scale(e);
      if (!scaled.ok() || !(*scaled == row[slow])) return false;
    }
    for (const Constraint& constraint : piece.guard) {
      const int64_t c_fast = constraint.expr.coefficient(dims[fast].name);
      auto c_slow = integer::checked_mul(c_fast, e);
      if (!c_slow.ok() || *c_slow != constraint.expr.coefficient(dims[slow].name)) return false;
      for (const Term& term : constraint.expr.terms()) {
        if (!term.atom.is_floor()) continue;
        if (term.atom.numerator->depends_on(dims[slow].name) || term.atom.numerator->depends_on(dims[fast].name)) {
          return false;
        }
      }
    }
  }
  return true;
}

Status merge_dims(DimsAndPieces& layout, size_t slow, size_t fast) {
  const int64_t e = layout.dims[fast].extent.constant();
  TAILOR_ASSIGN_OR_RETURN(layout.dims[fast].extent, layout.dims[slow].extent.scale(e));
  return drop_dim(layout, slow);
}

std::string fresh_name(const std::string& stem, std::set<std::string>& taken) {
  std::string name = stem;
  for (int n = 2; !taken.insert(name).second; ++n) name = fmt::format("{}_{}", stem, n);
  return name;
}

std::set<std::string> names_in(const GuardedAffineLayout& layout) {
  std::set<std::string> names(layout.parameters().begin(), layout.parameters().end());
  for (const Dim& dim : layout.dims()) names.insert(dim.name);
  return names;
}

Expected<AffineExpr> multiply(const AffineExpr& left, const AffineExpr& right) {
  if (left.is_constant()) return right.scale(left.constant());
  if (right.is_constant()) return left.scale(right.constant());
  return unsupported(
      fmt::format("product ({})*({}) of two symbolic terms is not affine", left.to_string(), right.to_string()));
}

Expected<AffineExpr> sum_of(const AffineExpr& a, const AffineExpr& b, int64_t scale) {
  TAILOR_ASSIGN_OR_RETURN(const AffineExpr scaled, b.scale(scale));
  return a.add(scaled);
}

Expected<std::optional<Piece>> composed_piece(const GuardedAffineLayout& a, const Piece& of_a,
                                              const GuardedAffineLayout& b, const Piece& of_b, const Ranges& ranges,
                                              bool with_bounds) {
  std::map<std::string, AffineExpr, std::less<>> image;
  std::vector<Constraint> guard = of_b.guard;
  for (size_t k = 0; k < a.rank(); ++k) {
    const Dim& dim = a.dims()[k];
    AffineExpr value = of_b.b[k];
    for (size_t j = 0; j < b.rank(); ++j) {
      const AffineExpr& entry = of_b.a[k][j];
      if (!entry.is_constant()) {
        return unsupported(
            fmt::format("composition: coordinate {} is ({})*{}, and a guard 0 <= {} < {} on a product "
                        "of a parameter and a coordinate is not affine",
                        dim.name, entry.to_string(), b.dims()[j].name, dim.name, dim.extent.to_string()));
      }
      TAILOR_ASSIGN_OR_RETURN(value, sum_of(value, AffineExpr::symbol(b.dims()[j].name), entry.constant()));
    }
    if (with_bounds) {
      guard.push_back(Constraint::non_negative(value));
      TAILOR_ASSIGN_OR_RETURN(AffineExpr room, dim.extent.subtract(value));
      TAILOR_ASSIGN_OR_RETURN(room, room.subtract(AffineExpr(1)));
      guard.push_back(Constraint::non_negative(std::move(room)));
    }
    image[dim.name] = std::move(value);
  }
  for (const Constraint& constraint : of_a.guard) {
    TAILOR_ASSIGN_OR_RETURN(Constraint replaced, constraint.substitute(image));
    guard.push_back(std::move(replaced));
  }
  auto tidied = tidy_guard(guard, ranges);
  if (!tidied) return std::optional<Piece>{};
  Piece piece;
  piece.guard = std::move(*tidied);
  for (size_t o = 0; o < a.outputs(); ++o) {
    AffineExpr offset = of_a.b[o];
    std::vector<AffineExpr> row(b.rank());
    for (size_t k = 0; k < a.rank(); ++k) {
      if (of_a.a[o][k].is_zero()) continue;
      TAILOR_ASSIGN_OR_RETURN(const AffineExpr shift, multiply(of_a.a[o][k], of_b.b[k]));
      TAILOR_ASSIGN_OR_RETURN(offset, offset.add(shift));
      for (size_t j = 0; j < b.rank(); ++j) {
        TAILOR_ASSIGN_OR_RETURN(row[j], sum_of(row[j], of_a.a[o][k], of_b.a[k][j].constant()));
      }
    }
    piece.a.push_back(std::move(row));
    piece.b.push_back(std::move(offset));
  }
  return std::optional<Piece>(std::move(piece));
}

Expected<GuardedAffineLayout> bind_exact(const GuardedAffineLayout& layout, const Facts& facts) {
  GuardedAffineLayout result = layout;
  for (const std::string& parameter : layout.parameters()) {
    const Residue value = facts.of(parameter);
    if (!value.is_constant()) continue;
    TAILOR_ASSIGN_OR_RETURN(result, result.bind(parameter, AffineExpr(value.remainder)));
  }
  return result;
}

}  // namespace tailor::codegen::layout
