// What is known at a point of a program: atoms with their ranges, and polynomial facts `p >= 0`; and what follows.
//
// Worked example. Under 0 <= page < pool_pages (a branch taken), page_stride >= 0 and the host's invariant
//     2^31 - 2 - (pool_pages - 1)*page_stride - 2046 >= 0          (an operand spans at most 2^31 bytes)
// the question  2^32 - 1 - page*page_stride >= 0  is answered by
//     - page*page_stride  >=  - (pool_pages - 1)*page_stride       the fact  pool_pages - 1 - page >= 0  times
//     page_stride
//     - (pool_pages - 1)*page_stride  >=  2048 - 2^31              the invariant
// `shows` searches such certificates: it adds non-negative multiples of facts (a fact may be multiplied by atoms that
// are not negative) until intervals decide. For integers p >= 0 follows from k*p + (k - 1) >= 0. "No" means "not
// shown".
//
// An atom stands for a mathematical integer. The value of an instruction of width w is a polynomial p with
// bits = p mod 2^w; `as_unsigned` and `as_signed` give the integer that the bits denote where p can be shown to be it.
//
// An atom with a definition is that function of other atoms everywhere, also where the instruction it stands for is not
// reached; so a lemma (`define`) must hold of the function, and what follows from where the instruction stands, a range
// or a residue too, is assumed and forgotten with the branch.
//
// Facts are scoped: forget(mark()) drops what was assumed in between. Ownership: value type; names point into the
// program and the schema, which must outlive it. Thread-safety: none.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/kernel/ir.h"
#include "codegen/prove/polynomial.h"

namespace tailor::codegen::prove {

// name, meaning
#define TAILOR_ATOM_KINDS(X)                                                                 \
  X(kSymbol, "a host value of the operation's schema")                                       \
  X(kHost, "a number that the launch plan computes, or one of the device")                   \
  X(kThread, "thread or block index")                                                        \
  X(kLoad, "what a load returned: any value of its type")                                    \
  X(kLoop, "a value carried by a loop, at the start of some iteration")                      \
  X(kSelect, "one of two polynomials, by a predicate")                                       \
  X(kQuotient, "floor of a polynomial by a constant")                                        \
  X(kRemainder, "the remainder of that division")                                            \
  X(kMulHigh, "the high half of a product by a constant")                                    \
  X(kRatio, "floor of a polynomial by another, at least 1")                                  \
  X(kReciprocal, "the high half of twice a polynomial by the host's multiplier for another") \
  X(kMin, "the smaller of two polynomials")                                                  \
  X(kMax, "the larger of two polynomials")                                                   \
  X(kNamed, "a polynomial, equal to it")                                                     \
  X(kBitwise, "and, or, xor of two polynomials")                                             \
  X(kBits, "a polynomial modulo 2^w, read as signed")                                        \
  X(kOpaque, "anything")

enum class AtomKind : uint8_t {
#define X(name, meaning) name,
  TAILOR_ATOM_KINDS(X)
#undef X
};

using PredicateId = uint32_t;
inline constexpr PredicateId kNoPredicate = ~uint32_t{0};

// a = number * q + r for quotients and remainders; predicate ? a : b; min(a, b); floor(a * number / 2^w); floor(a / b);
// a mod number; a op b where number is the kernel::Op.
struct Definition {
  Polynomial a, b;
  Wide number = 0;
  PredicateId predicate = kNoPredicate;
  Atom quotient = 0, remainder = 0;
};

inline constexpr Wide kInfinity = Wide{1} << 110;

struct Range {
  Wide lo = -kInfinity, hi = kInfinity;
};

struct AtomInfo {
  AtomKind kind = AtomKind::kOpaque;
  std::string_view name;               // empty where a definition says more
  Range range;                         // where it was made; now: Knowledge::range
  int64_t modulus = 1, remainder = 0;  // as known now
  int definition = -1;
  std::vector<Atom> parents;  // beside the definition, what the value depends on
};

// A pred value.
struct Predicate {
  enum class Kind : uint8_t { kConstant, kCompare, kAnd, kOr, kNot, kOpaque };
  Kind kind = Kind::kOpaque;
  bool value = false;  // kConstant
  kernel::Compare relation = kernel::Compare::kEq;
  int width = 32;
  Polynomial a, b;                                 // kCompare
  PredicateId x = kNoPredicate, y = kNoPredicate;  // kAnd, kOr, kNot
  std::vector<Atom> parents;                       // kOpaque
};

class Knowledge {
 public:
  // ---- atoms and predicates
  Atom add(AtomInfo info);
  Atom add(AtomInfo info, Definition definition);
  const AtomInfo& info(Atom a) const { return atoms_[a]; }
  AtomInfo& info(Atom a) { return atoms_[a]; }
  const Definition* definition(Atom a) const {
    return atoms_[a].definition < 0 ? nullptr : &definitions_[static_cast<size_t>(atoms_[a].definition)];
  }
  size_t atom_count() const { return atoms_.size(); }
  PredicateId add(Predicate predicate);
  const Predicate& predicate(PredicateId p) const { return predicates_[p]; }

  // floor(n / d) and n - d*floor(n / d), d > 0. What d divides is taken out, and what lies in [0, d) is left over.
  struct Division {
    Polynomial quotient, remainder;
  };
  // `not_negative`: n is known not to be, here.
  Division divide(const Polynomial& n, Wide d, bool not_negative = false);
  // n as the remainder of a division that was made before, if it is one: n - d*floor(n / d).
  Polynomial fold_remainder(Polynomial p) const;

  // From now on product = rest*factor, none of them negative.
  void define_product(const Polynomial& product, const Polynomial& rest, const Polynomial& factor);
  Polynomial product_of(const Polynomial& rest, const Polynomial& factor) const;
  // Where 0 <= n < rest*factor for a product: both are at least 1.
  void learn_factors(const Polynomial& n, const Polynomial& factor);
  // floor(n / d), 0 <= n < 2^31 and d >= 1 here: d*q <= n < d*q + d, and q < rest where n < rest*d is a product.
  Polynomial ratio(const Polynomial& n, const Polynomial& d);

  // An atom that is equal to p, which is not negative here; the same for the same p.
  Atom name(const Polynomial& p);

  // ---- facts
  void assume(Polynomial p);                                      // p >= 0, until forgotten
  void define(Polynomial p) { lemmas_.push_back(std::move(p)); }  // p >= 0 wherever its atoms exist
  void assume(PredicateId p, bool holds);
  void tighten(Atom a, Wide lo, Wide hi);                          // lo <= a <= hi, until forgotten
  void learn_residue(Atom a, int64_t modulus, int64_t remainder);  // a = remainder (mod modulus), until forgotten
  bool shows(const Polynomial& p);                                 // p >= 0
  bool same(PredicateId p, PredicateId q) const;                   // made in the same way of the same values
  // How long a search may take: facts in a row, polynomials visited, selections split (before anything else is tried).
  struct Effort {
    int depth, quota, splits;
    bool split_first;
  };
  static constexpr Effort kQuick{4, 40, 0, false}, kInductive{5, 60, 3, true}, kThorough{14, 300, 3, false};
  bool shows(const Polynomial& p, const Effort& effort);
  bool shows_quickly(const Polynomial& p) { return shows(p, kQuick); }
  bool shows_quickly(PredicateId p, bool holds);
  bool is_mentioned(Atom a) const;  // is anything assumed of it?
  bool shows_multiple(const Polynomial& p, int64_t of) const;
  Range range(const Polynomial& p) const;
  bool unreachable() const { return unreachable_ > 0; }
  // Facts of the last successful `shows`, besides intervals.
  int facts_used() const { return facts_used_; }

  // The integer that w bits equal to p mod 2^w denote, where that is known to be p (or a constant).
  std::optional<Polynomial> as_unsigned(const Polynomial& p, int width);
  std::optional<Polynomial> as_signed(const Polynomial& p, int width);

  struct Mark {
    size_t facts, trail;
    uint64_t state;
  };
  Mark mark() const { return {facts_.size(), trail_.size(), state_}; }
  void forget(Mark m);

  // Forgets atoms too: for a walk that is made again.
  struct Checkpoint {
    size_t atoms, definitions, predicates, lemmas, divisions, named, ratios;
    Mark facts;
  };
  Checkpoint checkpoint() const;
  void rewind(const Checkpoint& c);

  std::string to_string(const Polynomial& p) const;
  std::string to_string(PredicateId p) const;
  std::string name(Atom a) const;

 private:
  struct Change {
    Atom atom = 0;  // 0: the point became unreachable
    Range before = {};
    int64_t modulus = 1, remainder = 0;
  };
  Range range(Monomial m) const;
  Polynomial rounded(const Polynomial& p) const;
  Wide known_divisor(Atom a, int64_t of) const;
  void changed() { state_ = ++states_; }
  bool is_below(const Polynomial& n, const Polynomial& bound) const;
  bool search(const Polynomial& p, int depth, int& quota, int used);
  bool pay_for(const Polynomial& p, const Term& term, Wide least, int depth, int& quota, int used);
  bool split(const Polynomial& p, const Effort& effort);
  void assume_less(const Polynomial& a, const Polynomial& b, Wide gap) { assume(b - a - Polynomial(gap)); }
  void assume_unsigned(const Polynomial& a, const Polynomial& b, bool strict, int width);
  void assume_compare(const Predicate& p, kernel::Compare relation);

  std::vector<AtomInfo> atoms_{AtomInfo{}};
  std::vector<Range> ranges_{Range{}};
  std::vector<Definition> definitions_;
  std::vector<Predicate> predicates_;
  std::vector<int> divisions_;  // of definitions_
  std::vector<Atom> named_, ratios_;
  struct Product {
    Polynomial product, rest, factor;
  };
  std::vector<Product> products_;
  std::vector<Polynomial> lemmas_, facts_;
  std::vector<Change> trail_;
  uint64_t state_ = 0, states_ = 0;  // a number for what is assumed; forget() brings the old one back
  struct Answer {
    Polynomial question;
    bool shown;
    int facts;
  };
  std::vector<Answer> answers_;  // in state answers_state_
  uint64_t answers_state_ = 0;
  int unreachable_ = 0;
  int facts_used_ = 0;
  bool cut_short_ = false;  // the search met its depth or quota
};

}  // namespace tailor::codegen::prove
