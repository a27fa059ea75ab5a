// Polynomials over the integers: what the value of an index expression is, in terms of atoms (thread, parameters,
// loads, loop variables, quotients).
//
// Worked example: the offset of row `slot` of page `page`, lane `lane`, second wave:
//     page*page_stride + slot*slot_stride + 16*lane + 128
// has the terms {page·page_stride: 1, slot·slot_stride: 1, lane: 16, 1: 128}. A monomial is at most four atoms.
//
// A coefficient beyond 2^96 or a fifth factor makes a polynomial `broken`; so is whatever is computed from it, and
// nothing is ever shown of a broken one. Ownership: value types. Thread-safety: values.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace tailor::codegen::prove {

__extension__ using Wide = __int128;

inline constexpr Wide kCoefficientLimit = Wide{1} << 96;

// An index into Knowledge's atoms, from 1; 0 is none.
using Atom = uint16_t;

// A product of atoms, largest first, in the 16-bit fields of a word; 0 is the empty product.
struct Monomial {
  uint64_t fields = 0;

  static Monomial of(Atom a) { return {a}; }
  bool is_one() const { return fields == 0; }
  int degree() const;
  Atom factor(int i) const { return static_cast<Atom>(fields >> (16 * i)); }
  bool has(Atom a) const;
  friend bool operator==(Monomial, Monomial) = default;
  friend auto operator<=>(Monomial, Monomial) = default;
};

// False when the product has more than four factors.
bool multiply(Monomial a, Monomial b, Monomial& product);
// True if b divides a; then quotient * b = a.
bool divide(Monomial a, Monomial b, Monomial& quotient);

struct Term {
  Monomial monomial;
  Wide coefficient = 0;
  friend bool operator==(const Term&, const Term&) = default;
};

class Polynomial {
 public:
  Polynomial() = default;
  Polynomial(Wide constant) {  // NOLINT: constants are polynomials
    if (constant != 0) terms_.push_back({{}, constant});
  }
  static Polynomial atom(Atom a) { return term(Monomial::of(a), 1); }
  static Polynomial term(Monomial m, Wide coefficient) {
    Polynomial p;
    if (coefficient != 0) p.terms_.push_back({m, coefficient});
    return p;
  }
  static Polynomial broken() {
    Polynomial p;
    p.broken_ = true;
    return p;
  }

  bool is_broken() const { return broken_; }
  bool is_zero() const { return terms_.empty() && !broken_; }
  bool is_constant() const {
    return !broken_ && (terms_.empty() || (terms_.size() == 1 && terms_[0].monomial.is_one()));
  }
  Wide constant() const { return !terms_.empty() && terms_[0].monomial.is_one() ? terms_[0].coefficient : 0; }
  Wide coefficient(Monomial m) const;
  bool has(Atom a) const;
  // The atom, when the polynomial is one; 0 otherwise.
  Atom as_atom() const;
  const std::vector<Term>& terms() const { return terms_; }  // by monomial, none zero

  friend Polynomial operator+(const Polynomial& a, const Polynomial& b) { return combine(a, 1, b, 1); }
  friend Polynomial operator-(const Polynomial& a, const Polynomial& b) { return combine(a, 1, b, -1); }
  friend Polynomial operator*(const Polynomial& a, const Polynomial& b);
  friend bool operator==(const Polynomial&, const Polynomial&) = default;
  // x·a + y·b
  static Polynomial combine(const Polynomial& a, Wide x, const Polynomial& b, Wide y);
  Polynomial times(Monomial m, Wide factor) const;
  // `a` replaced by `value`.
  Polynomial substitute(Atom a, const Polynomial& value) const;
  // The terms that satisfy `keep`.
  template <class F>
  Polynomial filter(const F& keep) const {
    Polynomial p;
    p.broken_ = broken_;
    for (const Term& t : terms_) {
      if (keep(t)) p.terms_.push_back(t);
    }
    return p;
  }

 private:
  std::vector<Term> terms_;
  bool broken_ = false;
};

std::string to_string(Wide value);

}  // namespace tailor::codegen::prove
