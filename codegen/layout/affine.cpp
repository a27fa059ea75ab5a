#include "codegen/layout/affine.h"

#include <algorithm>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/text.h"

namespace tailor::codegen::layout {

using integer::Checked;
using integer::Residue;

std::strong_ordering Atom::compare(const Atom& other) const {
  // Plain symbols come before floor terms.
  if (is_floor() != other.is_floor()) return is_floor() ? std::strong_ordering::greater : std::strong_ordering::less;
  if (!is_floor()) return symbol.compare(other.symbol) <=> 0;
  if (numerator != other.numerator) {
    if (auto order = numerator->compare(*other.numerator); order != 0) return order;
  }
  return denominator <=> other.denominator;
}

std::strong_ordering AffineExpr::compare(const AffineExpr& other) const {
  size_t common = std::min(terms_.size(), other.terms_.size());
  for (size_t i = 0; i < common; ++i) {
    if (auto order = terms_[i].atom.compare(other.terms_[i].atom); order != 0) return order;
    if (auto order = terms_[i].coefficient <=> other.terms_[i].coefficient; order != 0) return order;
  }
  if (auto order = terms_.size() <=> other.terms_.size(); order != 0) return order;
  return constant_ <=> other.constant_;
}

AffineExpr AffineExpr::symbol(std::string name) {
  AffineExpr result;
  result.terms_.push_back({1, Atom{std::move(name), nullptr, 1}});
  return result;
}

Status AffineExpr::accumulate(int64_t coefficient, const Atom& atom) {
  if (coefficient == 0) return {};
  auto position = std::lower_bound(terms_.begin(), terms_.end(), atom,
                                   [](const Term& term, const Atom& value) { return term.atom < value; });
  if (position == terms_.end() || !(position->atom == atom)) {
    terms_.insert(position, {coefficient, atom});
    return {};
  }
  Checked sum = Checked(position->coefficient) + coefficient;
  if (!sum.ok()) return integer::overflow_error(fmt::format("a coefficient of {}", atom.symbol));
  if (sum.value() == 0) {
    terms_.erase(position);
  } else {
    position->coefficient = sum.value();
  }
  return {};
}

// floor((d*q + r) / d) = q + floor(r / d) with r reduced term by term to [0, d); a common factor g of d = g*e and of
// r's coefficients divides out, because floor((g*s + c) / (g*e)) = floor((s + floor(c / g)) / e) for integer s.
Expected<AffineExpr> AffineExpr::floor_of(const AffineExpr& numerator, int64_t denominator) {
  if (denominator < 1)
    return invalid_argument(fmt::format("floor denominator is {}; it must be at least 1", denominator));
  if (denominator == 1) return numerator;
  AffineExpr whole(integer::floor_div(numerator.constant_, denominator));
  AffineExpr rest(integer::floor_mod(numerator.constant_, denominator));
  int64_t common = denominator;
  for (const Term& term : numerator.terms_) {
    TAILOR_RETURN_IF_ERROR(whole.accumulate(integer::floor_div(term.coefficient, denominator), term.atom));
    int64_t reduced = integer::floor_mod(term.coefficient, denominator);
    TAILOR_RETURN_IF_ERROR(rest.accumulate(reduced, term.atom));
    common = integer::gcd(common, reduced);
  }
  if (rest.is_constant()) return whole;  // 0 <= rest < denominator
  for (Term& term : rest.terms_) term.coefficient /= common;
  rest.constant_ /= common;
  Atom atom{{}, std::make_shared<const AffineExpr>(std::move(rest)), denominator / common};
  if (atom.denominator == 1) return whole.add(*atom.numerator);
  TAILOR_RETURN_IF_ERROR(whole.accumulate(1, atom));
  return whole;
}

Expected<AffineExpr> AffineExpr::mod_of(const AffineExpr& value, int64_t modulus) {
  TAILOR_ASSIGN_OR_RETURN(AffineExpr quotient, floor_of(value, modulus));
  TAILOR_ASSIGN_OR_RETURN(AffineExpr multiple, quotient.scale(modulus));
  return value.subtract(multiple);
}

Expected<AffineExpr> AffineExpr::parse(std::string_view text) {
  text::Scanner scanner(text);
  TAILOR_ASSIGN_OR_RETURN(AffineExpr result, text::parse_affine(scanner));
  if (!scanner.at_end()) return scanner.error("the end");
  return result;
}

bool AffineExpr::has_floor() const {
  return std::any_of(terms_.begin(), terms_.end(), [](const Term& term) { return term.atom.is_floor(); });
}

int64_t AffineExpr::coefficient(std::string_view symbol) const {
  for (const Term& term : terms_) {
    if (!term.atom.is_floor() && term.atom.symbol == symbol) return term.coefficient;
  }
  return 0;
}

std::set<std::string> AffineExpr::symbols() const {
  std::set<std::string> result;
  for (const Term& term : terms_) {
    if (term.atom.is_floor()) {
      result.merge(term.atom.numerator->symbols());
    } else {
      result.insert(term.atom.symbol);
    }
  }
  return result;
}

bool AffineExpr::depends_on(std::string_view symbol) const {
  return std::any_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    return term.atom.is_floor() ? term.atom.numerator->depends_on(symbol) : term.atom.symbol == symbol;
  });
}

Expected<AffineExpr> AffineExpr::add(const AffineExpr& other) const {
  AffineExpr result = *this;
  Checked sum = Checked(constant_) + other.constant_;
  if (!sum.ok()) return integer::overflow_error("a constant term");
  result.constant_ = sum.value();
  for (const Term& term : other.terms_) TAILOR_RETURN_IF_ERROR(result.accumulate(term.coefficient, term.atom));
  return result;
}

Expected<AffineExpr> AffineExpr::subtract(const AffineExpr& other) const {
  TAILOR_ASSIGN_OR_RETURN(AffineExpr negated, other.scale(-1));
  return add(negated);
}

Expected<AffineExpr> AffineExpr::scale(int64_t factor) const {
  if (factor == 0) return AffineExpr();
  AffineExpr result = *this;
  Checked constant = Checked(constant_) * factor;
  bool ok = constant.ok();
  result.constant_ = constant.value();
  for (Term& term : result.terms_) {
    Checked product = Checked(term.coefficient) * factor;
    ok = ok && product.ok();
    term.coefficient = product.value();
  }
  if (!ok) return integer::overflow_error(fmt::format("({}) * {}", to_string(), factor));
  return result;
}

Expected<AffineExpr> AffineExpr::substitute(const std::map<std::string, AffineExpr, std::less<>>& replacements) const {
  AffineExpr result(constant_);
  for (const Term& term : terms_) {
    if (term.atom.is_floor()) {
      TAILOR_ASSIGN_OR_RETURN(AffineExpr numerator, term.atom.numerator->substitute(replacements));
      TAILOR_ASSIGN_OR_RETURN(AffineExpr quotient, floor_of(numerator, term.atom.denominator));
      TAILOR_ASSIGN_OR_RETURN(quotient, quotient.scale(term.coefficient));
      TAILOR_ASSIGN_OR_RETURN(result, result.add(quotient));
    } else if (auto found = replacements.find(term.atom.symbol); found != replacements.end()) {
      TAILOR_ASSIGN_OR_RETURN(AffineExpr scaled, found->second.scale(term.coefficient));
      TAILOR_ASSIGN_OR_RETURN(result, result.add(scaled));
    } else {
      TAILOR_RETURN_IF_ERROR(result.accumulate(term.coefficient, term.atom));
    }
  }
  return result;
}

Expected<int64_t> AffineExpr::evaluate(const Assignment& values) const {
  Checked sum = constant_;
  for (const Term& term : terms_) {
    if (term.atom.is_floor()) {
      TAILOR_ASSIGN_OR_RETURN(int64_t numerator, term.atom.numerator->evaluate(values));
      sum += Checked(term.coefficient) * integer::floor_div(numerator, term.atom.denominator);
    } else {
      auto found = values.find(term.atom.symbol);
      if (found == values.end()) {
        return invalid_argument(fmt::format("symbol {} has no value in {}", term.atom.symbol, to_string()));
      }
      sum += Checked(term.coefficient) * found->second;
    }
  }
  if (!sum.ok()) return integer::overflow_error(fmt::format("the value of {}", to_string()));
  return sum.value();
}

Residue AffineExpr::abstract(const std::function<Residue(std::string_view)>& of) const {
  Residue sum = Residue::constant(constant_);
  for (const Term& term : terms_) {
    Residue value = term.atom.is_floor() ? integer::floor_div(term.atom.numerator->abstract(of), term.atom.denominator)
                                         : of(term.atom.symbol);
    sum = sum + value * term.coefficient;
  }
  return sum;
}

std::string AffineExpr::to_string() const {
  std::string text;
  auto append = [&](int64_t coefficient, const std::string& atom) {
    bool negative = coefficient < 0;
    text += text.empty() ? (negative ? "-" : "") : (negative ? " - " : " + ");
    uint64_t size = integer::magnitude(coefficient);
    if (atom.empty()) {
      text += fmt::to_string(size);
    } else {
      text += size == 1 ? atom : fmt::format("{}*{}", size, atom);
    }
  };
  for (const Term& term : terms_) {
    append(term.coefficient, term.atom.is_floor() ? fmt::format("floor(({}) / {})", term.atom.numerator->to_string(),
                                                                term.atom.denominator)
                                                  : term.atom.symbol);
  }
  if (constant_ != 0 || terms_.empty()) append(constant_, {});
  return text;
}

Expected<Constraint> Constraint::parse(std::string_view text) {
  text::Scanner scanner(text);
  TAILOR_ASSIGN_OR_RETURN(Constraint result, text::parse_constraint(scanner));
  if (!scanner.at_end()) return scanner.error("the end");
  return result;
}

Expected<bool> Constraint::holds(const Assignment& values) const {
  TAILOR_ASSIGN_OR_RETURN(int64_t value, expr.evaluate(values));
  return relation == Relation::kZero ? value == 0 : value >= 0;
}

Expected<Constraint> Constraint::substitute(const std::map<std::string, AffineExpr, std::less<>>& replacements) const {
  TAILOR_ASSIGN_OR_RETURN(AffineExpr replaced, expr.substitute(replacements));
  return Constraint{std::move(replaced), relation};
}

std::string Constraint::to_string() const {
  return fmt::format("{} {} 0", expr.to_string(), relation == Relation::kZero ? "=" : ">=");
}

}  // namespace tailor::codegen::layout
