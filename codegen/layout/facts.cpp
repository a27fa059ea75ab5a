#include "codegen/layout/facts.h"

#include <fmt/format.h>

#include "codegen/layout/text.h"

namespace tailor::codegen::layout {

using integer::Residue;

Status Facts::add(const std::string& parameter, const Residue& value) {
  if (!text::is_valid_name(parameter)) {
    return invalid_argument(fmt::format("parameter name '{}' is not a name (letters, digits, '_', '.')", parameter));
  }
  Residue known = of(parameter);
  std::optional<Residue> both = integer::meet(known, value);
  if (!both) {
    return invalid_argument(fmt::format("facts on {} contradict: {} and {}", parameter, integer::to_string(known),
                                        integer::to_string(value)));
  }
  residues_[parameter] = *both;
  return {};
}

Status Facts::exact(const std::string& parameter, int64_t value) { return add(parameter, Residue::constant(value)); }

Status Facts::range(const std::string& parameter, int64_t lo, int64_t hi) {
  if (lo > hi) return invalid_argument(fmt::format("range of {} is [{}, {}]; it must not be empty", parameter, lo, hi));
  return add(parameter, Residue::between(lo, hi));
}

Status Facts::residue(const std::string& parameter, int64_t modulus, int64_t remainder) {
  if (modulus < 1)
    return invalid_argument(fmt::format("modulus of {} is {}; it must be at least 1", parameter, modulus));
  return add(parameter, Residue::congruent(modulus, remainder));
}

Status Facts::divisible(const std::string& parameter, int64_t divisor) { return residue(parameter, divisor, 0); }

Status Facts::constrain(const Constraint& constraint) {
  Residue value = constraint.expr.abstract([this](std::string_view name) { return of(name); });
  bool impossible = constraint.relation == Relation::kZero ? !value.contains(0) : value.hi < 0;
  if (impossible) {
    return invalid_argument(fmt::format("constraint {} contradicts the facts: its left side is {}",
                                        constraint.to_string(), integer::to_string(value)));
  }
  constraints_.push_back(constraint);
  return {};
}

Status Facts::constrain(std::string_view text) {
  TAILOR_ASSIGN_OR_RETURN(Constraint constraint, Constraint::parse(text));
  return constrain(constraint);
}

Residue Facts::of(std::string_view parameter) const {
  auto found = residues_.find(parameter);
  return found == residues_.end() ? Residue::top() : found->second;
}

std::vector<Constraint> Facts::as_constraints() const {
  std::vector<Constraint> result = constraints_;
  // Each form below has coefficients that cannot overflow: single symbols, and shifts by finite bounds of either sign.
  auto push = [&result](Expected<AffineExpr> expr, Relation relation) {
    if (expr.ok()) result.push_back({std::move(expr).value(), relation});
  };
  for (const auto& [name, value] : residues_) {
    AffineExpr symbol = AffineExpr::symbol(name);
    if (value.is_constant()) {
      push(symbol.subtract(AffineExpr(value.remainder)), Relation::kZero);
      continue;
    }
    if (value.modulus > 1) {  // name - remainder = modulus * floor((name - remainder) / modulus)
      auto shifted = symbol.subtract(AffineExpr(value.remainder));
      if (shifted.ok()) push(AffineExpr::mod_of(*shifted, value.modulus), Relation::kZero);
    }
    if (value.lo != Residue::kMinusInfinity) push(symbol.subtract(AffineExpr(value.lo)), Relation::kNonNegative);
    if (value.hi != Residue::kPlusInfinity) push(AffineExpr(value.hi).subtract(symbol), Relation::kNonNegative);
  }
  return result;
}

}  // namespace tailor::codegen::layout
