#include "codegen/layout/discharge.h"

#include <algorithm>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::layout {
namespace {

using integer::Residue;

Expected<std::vector<Constraint>> bounds_of(const std::vector<Dim>& dims) {
  std::vector<Constraint> bounds;
  for (const Dim& dim : dims) {
    AffineExpr x = AffineExpr::symbol(dim.name);
    bounds.push_back(Constraint::non_negative(x));
    TAILOR_ASSIGN_OR_RETURN(AffineExpr room, dim.extent.subtract(x));
    TAILOR_ASSIGN_OR_RETURN(room, room.subtract(AffineExpr(1)));
    bounds.push_back(Constraint::non_negative(std::move(room)));
  }
  return bounds;
}

// The smallest value of an affine guard over the box of the inner dimensions, as an expression in the others; nullopt
// when an inner dimension is inside a floor term.
Expected<std::optional<AffineExpr>> minimum_over(const AffineExpr& expr, const std::vector<Dim>& inner) {
  std::map<std::string, AffineExpr, std::less<>> worst;
  for (const Dim& dim : inner) {
    for (const Term& term : expr.terms()) {
      if (term.atom.is_floor() && term.atom.numerator->depends_on(dim.name)) return std::optional<AffineExpr>{};
    }
    bool at_last = expr.coefficient(dim.name) < 0;
    worst[dim.name] = AffineExpr(at_last ? std::max<int64_t>(dim.extent.constant() - 1, 0) : 0);
  }
  TAILOR_ASSIGN_OR_RETURN(AffineExpr result, expr.substitute(worst));
  return std::optional<AffineExpr>(std::move(result));
}

// expr < 0
Expected<Constraint> negated(const AffineExpr& expr) {
  TAILOR_ASSIGN_OR_RETURN(AffineExpr opposite, expr.scale(-1));
  TAILOR_ASSIGN_OR_RETURN(opposite, opposite.subtract(AffineExpr(1)));
  return Constraint::non_negative(std::move(opposite));
}

Expected<GuardedAffineLayout> with_pieces(const GuardedAffineLayout& layout, std::vector<Piece> pieces) {
  return GuardedAffineLayout::create(layout.parameters(), layout.dims(), layout.outputs(), std::move(pieces));
}

// Proved guards dropped, refuted pieces dropped; one report per guard where they are asked for.
Expected<GuardedAffineLayout> without_decided(const GuardedAffineLayout& layout, const Facts& facts, uint64_t quota,
                                              std::vector<GuardReport>* reports) {
  std::vector<Piece> pieces;
  for (size_t p = 0; p < layout.pieces().size(); ++p) {
    Piece piece = layout.pieces()[p];
    std::vector<Constraint> open;  // every guard once, less those proved
    for (const Constraint& constraint : piece.guard) {
      if (std::find(open.begin(), open.end(), constraint) == open.end()) open.push_back(constraint);
    }
    bool unreachable = false;
    for (const Constraint& constraint : piece.guard) {
      std::vector<Constraint> others;
      for (const Constraint& other : open) {
        if (!(other == constraint)) others.push_back(other);
      }
      TAILOR_ASSIGN_OR_RETURN(Verdict verdict, implies_on_domain(facts, layout.dims(), others, constraint, quota));
      if (reports != nullptr) reports->push_back({p, constraint, verdict, {}, {}});
      if (verdict == Verdict::kProved) open = std::move(others);
      unreachable = unreachable || verdict == Verdict::kRefuted;
    }
    if (unreachable) continue;
    piece.guard = std::move(open);
    pieces.push_back(std::move(piece));
  }
  return with_pieces(layout, std::move(pieces));
}

// Dimensions of constant extent that are bound in the threads and occur in a guard.
std::set<std::string> inner_dimensions(const GuardedAffineLayout& layout, const Bindings& bindings) {
  std::set<std::string> inner;
  for (const Dim& dim : layout.dims()) {
    if (!dim.extent.is_constant() || bindings.of_dimension(dim.name) < BindingTime::kThread) continue;
    for (const Piece& piece : layout.pieces()) {
      for (const Constraint& guard : piece.guard) {
        if (guard.expr.depends_on(dim.name)) inner.insert(dim.name);
      }
    }
  }
  return inner;
}

}  // namespace

Verdict implies_by_residues(const Facts& facts, const std::vector<Dim>& dims, const Constraint& constraint) {
  auto of_parameter = [&facts](std::string_view name) { return facts.of(name); };
  auto of = [&](std::string_view name) {
    for (const Dim& dim : dims) {
      if (dim.name != name) continue;
      int64_t extent = dim.extent.abstract(of_parameter).hi;
      if (extent == Residue::kPlusInfinity) return Residue::between(0, extent);
      return Residue::between(0, std::max<int64_t>(extent - 1, 0));
    }
    return facts.of(name);
  };
  Residue value = constraint.expr.abstract(of);
  if (constraint.relation == Relation::kNonNegative) {
    if (value.lo >= 0) return Verdict::kProved;
    if (value.hi < 0) return Verdict::kRefuted;
    return Verdict::kUnknown;
  }
  if (value == Residue::constant(0)) return Verdict::kProved;
  return value.contains(0) ? Verdict::kUnknown : Verdict::kRefuted;
}

Expected<Verdict> implies_on_domain(const Facts& facts, const std::vector<Dim>& dims,
                                    const std::vector<Constraint>& context, const Constraint& constraint,
                                    uint64_t quota) {
  Verdict fast = implies_by_residues(facts, dims, constraint);
  if (fast != Verdict::kUnknown) return fast;
  TAILOR_ASSIGN_OR_RETURN(std::vector<Constraint> all, bounds_of(dims));
  std::vector<Constraint> known = facts.as_constraints();
  all.insert(all.end(), known.begin(), known.end());
  all.insert(all.end(), context.begin(), context.end());
  return decide_by_isl(all, constraint, quota);
}

Expected<Verdict> implies(const Facts& facts, const Constraint& constraint, uint64_t quota) {
  return implies_on_domain(facts, {}, {}, constraint, quota);
}

bool DischargeResult::unconditional() const {
  return std::all_of(layout.pieces().begin(), layout.pieces().end(),
                     [](const Piece& piece) { return piece.guard.empty(); });
}

Expected<DischargeResult> discharge(const GuardedAffineLayout& layout, const Facts& facts, const Bindings& bindings,
                                    uint64_t quota) {
  DischargeResult result;
  TAILOR_ASSIGN_OR_RETURN(result.layout, without_decided(layout, facts, quota, &result.guards));
  for (GuardReport& guard : result.guards) {
    guard.depends_on = guard.constraint.expr.symbols();
    guard.binding = binding_of(guard.constraint.expr, layout.dims(), facts, bindings);
  }
  result.inner = inner_dimensions(result.layout, bindings);
  TAILOR_ASSIGN_OR_RETURN(result.split, split_body_fringe(result.layout, result.inner));
  TAILOR_ASSIGN_OR_RETURN(result.split.body, without_decided(result.split.body, facts, quota, nullptr));
  TAILOR_ASSIGN_OR_RETURN(result.split.fringe, without_decided(result.split.fringe, facts, quota, nullptr));
  for (const Piece& piece : result.split.body.pieces()) {
    for (const Constraint& test : piece.guard) {
      const BindingTime time = binding_of(test.expr, layout.dims(), facts, bindings);
      result.decided = std::max(result.decided.value_or(time), time);
    }
  }
  return result;
}

// With guards g_1 … g_n over inner dimensions and m_k the minimum of g_k, the fringe is the disjoint union over k of
// m_1 >= 0, …, m_{k-1} >= 0, m_k < 0 (and every g still holding); the body is all m_k >= 0.
Expected<BodyAndFringe> split_body_fringe(const GuardedAffineLayout& layout, const std::set<std::string>& inner_dims) {
  std::vector<Dim> inner;
  for (const std::string& name : inner_dims) {
    std::optional<size_t> index = layout.find_dim(name);
    if (!index) return invalid_argument(fmt::format("inner dimension {} does not exist in the layout", name));
    const Dim& dim = layout.dims()[*index];
    if (!dim.extent.is_constant()) {
      return invalid_argument(
          fmt::format("inner dimension {} has the extent {}; it must be constant", name, dim.extent.to_string()));
    }
    inner.push_back(dim);
  }
  std::vector<Piece> body;
  std::vector<Piece> fringe;
  for (const Piece& piece : layout.pieces()) {
    std::vector<Constraint> outer_guard;
    std::vector<Constraint> inner_guard;
    std::vector<AffineExpr> minima;
    bool splittable = true;
    for (const Constraint& constraint : piece.guard) {
      bool mentions =
          std::any_of(inner.begin(), inner.end(), [&](const Dim& dim) { return constraint.expr.depends_on(dim.name); });
      if (!mentions) {
        outer_guard.push_back(constraint);
        continue;
      }
      inner_guard.push_back(constraint);
      if (constraint.relation == Relation::kZero) {
        splittable = false;
        continue;
      }
      TAILOR_ASSIGN_OR_RETURN(std::optional<AffineExpr> minimum, minimum_over(constraint.expr, inner));
      splittable = splittable && minimum.has_value();
      if (minimum) minima.push_back(std::move(*minimum));
    }
    if (!splittable) {
      fringe.push_back(piece);
      continue;
    }
    Piece whole = piece;
    whole.guard = outer_guard;
    for (size_t k = 0; k < minima.size(); ++k) {
      Piece part = whole;  // outer guards and m_1 … m_{k-1} >= 0
      TAILOR_ASSIGN_OR_RETURN(Constraint below, negated(minima[k]));
      part.guard.push_back(std::move(below));
      part.guard.insert(part.guard.end(), inner_guard.begin() + static_cast<ptrdiff_t>(k), inner_guard.end());
      fringe.push_back(std::move(part));
      whole.guard.push_back(Constraint::non_negative(minima[k]));
    }
    body.push_back(std::move(whole));
  }
  BodyAndFringe result;
  TAILOR_ASSIGN_OR_RETURN(result.body, with_pieces(layout, std::move(body)));
  TAILOR_ASSIGN_OR_RETURN(result.fringe, with_pieces(layout, std::move(fringe)));
  return result;
}

}  // namespace tailor::codegen::layout
