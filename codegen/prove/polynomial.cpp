#include "codegen/prove/polynomial.h"

#include <algorithm>

namespace tailor::codegen::prove {

int Monomial::degree() const {
  int n = 0;
  for (uint64_t f = fields; f != 0; f >>= 16) ++n;
  return n;
}

bool Monomial::has(Atom a) const {
  for (uint64_t f = fields; f != 0; f >>= 16) {
    if (static_cast<Atom>(f) == a) return true;
  }
  return false;
}

// Merges two words of fields that fall from the lowest field up.
bool multiply(Monomial a, Monomial b, Monomial& product) {
  uint64_t x = a.fields, y = b.fields, result = 0;
  for (int shift = 0; x != 0 || y != 0; shift += 16) {
    if (shift == 64) return false;
    uint64_t& from = static_cast<Atom>(x) >= static_cast<Atom>(y) ? x : y;
    result |= static_cast<uint64_t>(static_cast<Atom>(from)) << shift;
    from >>= 16;
  }
  product.fields = result;
  return true;
}

bool divide(Monomial a, Monomial b, Monomial& quotient) {
  uint64_t x = a.fields, y = b.fields, result = 0;
  int shift = 0;
  while (x != 0) {
    const Atom f = static_cast<Atom>(x);
    if (f == static_cast<Atom>(y)) {
      y >>= 16;
    } else {
      result |= static_cast<uint64_t>(f) << shift;
      shift += 16;
    }
    x >>= 16;
  }
  quotient.fields = result;
  return y == 0;
}

Wide Polynomial::coefficient(Monomial m) const {
  const auto at =
      std::lower_bound(terms_.begin(), terms_.end(), m, [](const Term& t, Monomial x) { return t.monomial < x; });
  return at != terms_.end() && at->monomial == m ? at->coefficient : 0;
}

bool Polynomial::has(Atom a) const {
  return std::any_of(terms_.begin(), terms_.end(), [&](const Term& t) { return t.monomial.has(a); });
}

Atom Polynomial::as_atom() const {
  if (broken_ || terms_.size() != 1 || terms_[0].coefficient != 1 || terms_[0].monomial.degree() != 1) return 0;
  return terms_[0].monomial.factor(0);
}

namespace {

bool within_limit(Wide c) { return -kCoefficientLimit < c && c < kCoefficientLimit; }

bool scaled(Wide c, Wide by, Wide& result) { return !__builtin_mul_overflow(c, by, &result) && within_limit(result); }

}  // namespace

Polynomial Polynomial::combine(const Polynomial& a, Wide x, const Polynomial& b, Wide y) {
  Polynomial result;
  if (a.broken_ || b.broken_) return broken();
  result.terms_.reserve(a.terms_.size() + b.terms_.size());
  size_t i = 0, j = 0;
  while (i < a.terms_.size() || j < b.terms_.size()) {
    const bool from_a = j == b.terms_.size() || (i < a.terms_.size() && !(b.terms_[j].monomial < a.terms_[i].monomial));
    const bool from_b = i == a.terms_.size() || (j < b.terms_.size() && !(a.terms_[i].monomial < b.terms_[j].monomial));
    Wide left = 0, right = 0;
    const Monomial m = from_a ? a.terms_[i].monomial : b.terms_[j].monomial;
    if (from_a && !scaled(a.terms_[i++].coefficient, x, left)) return broken();
    if (from_b && !scaled(b.terms_[j++].coefficient, y, right)) return broken();
    const Wide sum = left + right;
    if (!within_limit(sum)) return broken();
    if (sum != 0) result.terms_.push_back({m, sum});
  }
  return result;
}

Polynomial Polynomial::times(Monomial m, Wide factor) const {
  if (broken_) return broken();
  if (factor == 0) return {};
  Polynomial result;
  result.terms_.reserve(terms_.size());
  for (const Term& t : terms_) {
    Term product;
    if (!multiply(t.monomial, m, product.monomial) || !scaled(t.coefficient, factor, product.coefficient)) {
      return broken();
    }
    result.terms_.push_back(product);
  }
  if (!m.is_one()) {  // merging factors may change the order of monomials
    std::sort(result.terms_.begin(), result.terms_.end(),
              [](const Term& a, const Term& b) { return a.monomial < b.monomial; });
  }
  return result;
}

Polynomial operator*(const Polynomial& a, const Polynomial& b) {
  if (a.broken_ || b.broken_) return Polynomial::broken();
  const Polynomial& small = a.terms_.size() < b.terms_.size() ? a : b;
  const Polynomial& large = a.terms_.size() < b.terms_.size() ? b : a;
  Polynomial result;
  for (const Term& t : small.terms_) result = result + large.times(t.monomial, t.coefficient);
  return result;
}

Polynomial Polynomial::substitute(Atom a, const Polynomial& value) const {
  if (broken_ || !has(a)) return *this;
  Polynomial result;
  for (const Term& t : terms_) {
    Monomial rest = t.monomial;
    int power = 0;
    for (; rest.has(a); ++power) divide(rest, Monomial::of(a), rest);
    Polynomial product = term(rest, t.coefficient);
    for (int i = 0; i < power; ++i) product = product * value;
    result = result + product;
  }
  return result;
}

std::string to_string(Wide value) {
  if (value == 0) return "0";
  std::string digits;
  const bool negative = value < 0;
  for (; value != 0; value /= 10)
    digits += static_cast<char>('0' + static_cast<int>(negative ? -(value % 10) : value % 10));
  if (negative) digits += '-';
  std::reverse(digits.begin(), digits.end());
  return digits;
}

}  // namespace tailor::codegen::prove
