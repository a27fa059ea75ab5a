// The search is sound: what it shows holds at every point of a small box where the facts hold.
#include "codegen/prove/knowledge.h"

#include <random>

#include <gtest/gtest.h>

#include "codegen/prove/evaluate.h"

namespace tailor::codegen::prove {
namespace {

constexpr int kAtoms = 3;

struct Box {
  int lo[kAtoms], hi[kAtoms];
};

Wide at(const Polynomial& p, const std::vector<Atom>& atoms, const int* x) {
  Wide sum = 0;
  for (const Term& t : p.terms()) {
    Wide product = t.coefficient;
    for (int i = 0; i < t.monomial.degree(); ++i) {
      for (int k = 0; k < kAtoms; ++k) {
        if (t.monomial.factor(i) == atoms[k]) product *= x[k];
      }
    }
    sum += product;
  }
  return sum;
}

template <class F>
void for_each_point(const Box& box, const F& f) {
  int x[kAtoms];
  for (x[0] = box.lo[0]; x[0] <= box.hi[0]; ++x[0]) {
    for (x[1] = box.lo[1]; x[1] <= box.hi[1]; ++x[1]) {
      for (x[2] = box.lo[2]; x[2] <= box.hi[2]; ++x[2]) f(x);
    }
  }
}

class RandomFacts {
 public:
  explicit RandomFacts(uint32_t seed) : random_(seed) {}
  int pick(int lo, int hi) { return std::uniform_int_distribution<int>(lo, hi)(random_); }

  Box box() {
    Box b;
    for (int k = 0; k < kAtoms; ++k) {
      b.lo[k] = pick(-3, 2);
      b.hi[k] = b.lo[k] + pick(0, 5);
    }
    return b;
  }
  // A sum of up to three monomials of degree at most two, and a constant.
  Polynomial polynomial(const std::vector<Atom>& atoms) {
    Polynomial p(pick(-6, 6));
    for (int n = pick(1, 3); n > 0; --n) {
      Polynomial product(pick(-3, 3));
      for (int d = pick(1, 2); d > 0; --d) product = product * Polynomial::atom(atoms[pick(0, kAtoms - 1)]);
      p = p + product;
    }
    return p;
  }

 private:
  std::mt19937 random_;
};

std::vector<Atom> add_atoms(Knowledge& knowledge, const Box& box) {
  std::vector<Atom> atoms;
  for (int k = 0; k < kAtoms; ++k) {
    AtomInfo info;
    info.kind = AtomKind::kSymbol;
    info.name = "x";
    info.range = {box.lo[k], box.hi[k]};
    atoms.push_back(knowledge.add(std::move(info)));
  }
  return atoms;
}

TEST(Knowledge, WhatIsShownHoldsWhereverTheFactsDo) {
  int shown = 0, refuted = 0;
  for (uint32_t seed = 0; seed < 4000; ++seed) {
    RandomFacts draw(seed);
    const Box box = draw.box();
    Knowledge knowledge;
    const std::vector<Atom> atoms = add_atoms(knowledge, box);
    std::vector<Polynomial> facts;
    for (int n = draw.pick(0, 3); n > 0; --n) facts.push_back(draw.polynomial(atoms));
    for (const Polynomial& fact : facts) knowledge.assume(fact);
    const Polynomial question = draw.polynomial(atoms);
    const bool answer = knowledge.shows(question);
    bool holds = true;
    for_each_point(box, [&](const int* x) {
      for (const Polynomial& fact : facts) {
        if (at(fact, atoms, x) < 0) return;
      }
      holds = holds && at(question, atoms, x) >= 0;
    });
    if (answer) {
      EXPECT_TRUE(holds) << "seed " << seed << ": " << knowledge.to_string(question) << " >= 0";
    }
    shown += answer;
    refuted += !holds;
  }
  EXPECT_GT(shown, 500);  // the search is of use
  EXPECT_GT(refuted, 500);
}

TEST(Knowledge, ForgettingBringsBackWhatWasKnown) {
  for (uint32_t seed = 0; seed < 500; ++seed) {
    RandomFacts draw(seed);
    Knowledge knowledge;
    const std::vector<Atom> atoms = add_atoms(knowledge, draw.box());
    const Polynomial question = draw.polynomial(atoms);
    knowledge.assume(draw.polynomial(atoms));
    const bool before = knowledge.shows(question);
    const Range range = knowledge.range(question);
    const Knowledge::Mark mark = knowledge.mark();
    for (int n = 0; n < 3; ++n) knowledge.assume(draw.polynomial(atoms));
    knowledge.shows(question);
    knowledge.forget(mark);
    EXPECT_EQ(knowledge.shows(question), before);
    EXPECT_TRUE(knowledge.range(question).lo == range.lo && knowledge.range(question).hi == range.hi);
  }
}

// floor and mod of random linear polynomials, with the facts that their division brings.
TEST(Knowledge, DivisionIsTheFloorAtEveryPoint) {
  for (uint32_t seed = 0; seed < 500; ++seed) {
    RandomFacts draw(seed);
    const Box box = draw.box();
    Knowledge knowledge;
    const std::vector<Atom> atoms = add_atoms(knowledge, box);
    Polynomial n(draw.pick(-20, 20));
    for (Atom a : atoms) n = n + Polynomial::atom(a).times({}, draw.pick(-9, 9));
    const int d = draw.pick(1, 7), e = draw.pick(1, 4);
    const Knowledge::Division first = knowledge.divide(n, d);
    const Knowledge::Division second = knowledge.divide(first.quotient, e);
    Evaluation evaluation(knowledge);
    for_each_point(box, [&](const int* x) {
      evaluation.clear();
      for (int k = 0; k < kAtoms; ++k) evaluation.set(atoms[k], x[k]);
      const auto value = static_cast<int64_t>(*evaluation.value(n));
      const auto floor = [](int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); };
      EXPECT_EQ(static_cast<int64_t>(*evaluation.value(first.quotient)), floor(value, d));
      EXPECT_EQ(static_cast<int64_t>(*evaluation.value(first.remainder)), value - d * floor(value, d));
      EXPECT_EQ(static_cast<int64_t>(*evaluation.value(second.quotient)), floor(floor(value, d), e));
    });
    EXPECT_TRUE(knowledge.shows(first.remainder));
    EXPECT_TRUE(knowledge.shows(Polynomial(d - 1) - first.remainder));
    EXPECT_TRUE(knowledge.shows(n - first.quotient.times({}, d)));
  }
}

// A comparison of machine integers says of the integers what it says, and no more: over the values at which 32-bit
// comparisons turn.
TEST(Knowledge, ComparisonsAreThoseOfTheMachine) {
  const int64_t values[] = {-(int64_t{1} << 31), -(int64_t{1} << 31) + 1, -2, -1, 0, 1, 2, (int64_t{1} << 31) - 1};
  const kernel::Compare relations[] = {
#define X(name, text) kernel::Compare::name,
      TAILOR_KERNEL_COMPARES(X)
#undef X
  };
  for (const kernel::Compare relation : relations) {
    for (const bool holds : {true, false}) {
      for (const int64_t low : values) {
        for (const int64_t high : values) {
          if (low > high) continue;
          for (const int64_t other : values) {
            Knowledge knowledge;
            AtomInfo info;
            info.kind = AtomKind::kLoad;
            info.range = {low, high};
            const Atom x = knowledge.add(std::move(info));
            Predicate p;
            p.kind = Predicate::Kind::kCompare;
            p.relation = relation;
            p.a = Polynomial::atom(x);
            p.b = Polynomial(other);
            const PredicateId id = knowledge.add(std::move(p));
            Evaluation evaluation(knowledge);
            const Knowledge::Mark mark = knowledge.mark();
            const bool decided = knowledge.shows_quickly(id, holds);
            knowledge.assume(id, holds);
            for (const int64_t value : values) {
              if (value < low || value > high) continue;
              evaluation.clear();
              evaluation.set(x, value);
              const bool is = *evaluation.value(id);
              if (decided) {
                EXPECT_EQ(is, holds);
              }
              if (is != holds) continue;
              EXPECT_FALSE(knowledge.unreachable());
              const Range r = knowledge.range(Polynomial::atom(x));
              EXPECT_TRUE(r.lo <= value && value <= r.hi) << to_string(relation) << " " << holds << " " << value
                                                          << " of [" << low << ", " << high << "] with " << other;
            }
            knowledge.forget(mark);
          }
        }
      }
    }
  }
}

TEST(Polynomial, ArithmeticIsThatOfItsValues) {
  for (uint32_t seed = 0; seed < 500; ++seed) {
    RandomFacts draw(seed);
    const Box box = draw.box();
    Knowledge knowledge;
    const std::vector<Atom> atoms = add_atoms(knowledge, box);
    const Polynomial p = draw.polynomial(atoms), q = draw.polynomial(atoms);
    const Polynomial swapped = p.substitute(atoms[0], q);
    for_each_point(box, [&](const int* x) {
      const Wide a = at(p, atoms, x), b = at(q, atoms, x);
      EXPECT_TRUE(at(p + q, atoms, x) == a + b);
      EXPECT_TRUE(at(p - q, atoms, x) == a - b);
      EXPECT_TRUE(at(p * q, atoms, x) == a * b);
      const int y[kAtoms] = {static_cast<int>(b), x[1], x[2]};
      EXPECT_TRUE(at(swapped, atoms, x) == at(p, atoms, y));
      const Range r = knowledge.range(p);
      EXPECT_TRUE(r.lo <= a && a <= r.hi);
    });
  }
}

TEST(Polynomial, FiveFactorsAreTooMany) {
  Polynomial p(1);
  for (int i = 0; i < 4; ++i) p = p * Polynomial::atom(1);
  EXPECT_FALSE(p.is_broken());
  EXPECT_TRUE((p * Polynomial::atom(2)).is_broken());
  EXPECT_TRUE((p * Polynomial::atom(2) + Polynomial(1)).is_broken());
  EXPECT_TRUE(Polynomial(kCoefficientLimit / 2).times({}, 3).is_broken());
}

}  // namespace
}  // namespace tailor::codegen::prove
