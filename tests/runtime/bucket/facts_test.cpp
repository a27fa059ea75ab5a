// Fact logic against its definition: enumeration of the integers that satisfy the facts.
#include "runtime/bucket/facts.h"

#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace tailor {
namespace {

constexpr int64_t kMin = std::numeric_limits<int64_t>::min(), kMax = std::numeric_limits<int64_t>::max();

Fact random_fact(std::mt19937& rng) {
  const auto pick = [&](int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(rng); };
  switch (pick(0, 3)) {
    case 0:
      return Fact::exact(0, pick(-20, 20));
    case 1:
      return Fact::divisible(0, pick(1, 12));
    case 2: {
      const int64_t m = pick(1, 12);
      return Fact::residue(0, m, pick(0, m - 1));
    }
    default: {
      const int64_t lo = pick(-60, 60);
      return Fact::range(0, lo, lo + pick(-3, 50));
    }
  }
}

// With a range among the known facts the set is finite and enumeration decides: what is claimed must hold, of a set
// that is not empty (an empty one implies everything, which is not claimed).
TEST(Implies, ClaimsOnlyWhatEnumerationConfirms) {
  std::mt19937 rng(1);
  int shown = 0, refuted = 0, residue_shown = 0;
  for (int round = 0; round < 60000; ++round) {
    const int64_t lo = static_cast<int64_t>(rng() % 60) - 30;
    FactSet known = {Fact::range(0, lo, lo + static_cast<int64_t>(rng() % 400))};
    for (unsigned i = rng() % 4; i > 0; --i) known.push_back(random_fact(rng));
    const Fact wanted = random_fact(rng);
    bool all = true, any = false;
    for (int64_t x = -100; x <= 500; ++x) {
      const int64_t values[] = {x};
      bool in = true;
      for (const Fact& f : known) in &= holds(f, values);
      any |= in;
      all &= !in || holds(wanted, values);
    }
    const bool claimed = implies(known, wanted);
    if (claimed) {
      ASSERT_TRUE(any && all) << round << " " << to_string(wanted, "x");
    }
    shown += claimed;
    refuted += !all;
    residue_shown += claimed && wanted.kind == FactKind::kResidue;
  }
  EXPECT_GT(shown, 500);
  EXPECT_GT(residue_shown, 50);
  EXPECT_GT(refuted, 10000);
}

// Without bounds a residue class is infinite and its implications are exactly the coarser classes.
TEST(Implies, ResidueClassesExactly) {
  for (int64_t m = 1; m <= 24; ++m) {
    for (int64_t r = 0; r < m; ++r) {
      const FactSet known = {Fact::residue(3, m, r)};
      for (int64_t d = 1; d <= 24; ++d) {
        EXPECT_EQ(implies(known, Fact::divisible(3, d)), m % d == 0 && r % d == 0) << m << " " << r << " " << d;
        for (int64_t s = 0; s < d; ++s) {
          EXPECT_EQ(implies(known, Fact::residue(3, d, s)), m % d == 0 && r % d == s);
        }
      }
    }
  }
}

TEST(Implies, JoinsCoprimeModuli) {
  const FactSet known = {Fact::residue(0, 9, 4), Fact::residue(0, 16, 12), Fact::divisible(0, 5)};
  // The one x in [0, 720) with these residues, by search.
  int64_t x = 0;
  while (x % 9 != 4 || x % 16 != 12 || x % 5 != 0) ++x;
  EXPECT_TRUE(implies(known, Fact::residue(0, 720, x)));
  EXPECT_FALSE(implies(known, Fact::residue(0, 1440, x)));
  EXPECT_FALSE(implies(known, Fact::residue(0, 720, (x + 1) % 720)));
}

TEST(Implies, BoundsArePulledOntoTheResidueClass) {
  const FactSet known = {Fact::range(0, 1, 31), Fact::divisible(0, 16)};
  EXPECT_TRUE(implies(known, Fact::exact(0, 16)));
  EXPECT_TRUE(implies(known, Fact::range(0, 16, 16)));
  EXPECT_FALSE(implies(known, Fact::exact(0, 0)));
}

TEST(Implies, OtherSymbolsSayNothing) {
  EXPECT_FALSE(implies(FactSet{Fact::exact(1, 16)}, Fact::divisible(2, 16)));
  EXPECT_TRUE(implies(FactSet{}, Fact::divisible(2, 1)));
  EXPECT_TRUE(implies(FactSet{}, Fact::range(2, kMin, kMax)));
  EXPECT_FALSE(implies(FactSet{}, Fact::range(2, 0, kMax)));
}

// Premises come from disk: a malformed one is never shown.
TEST(Implies, MalformedFactsAreNeverShown) {
  const FactSet known = {Fact::exact(0, 0)};
  EXPECT_FALSE(implies(known, Fact::divisible(0, 0)));
  EXPECT_FALSE(implies(known, Fact::divisible(0, -4)));
  EXPECT_FALSE(implies(known, Fact::residue(0, 4, 4)));
  EXPECT_FALSE(implies(known, Fact::residue(0, 0, 0)));
  EXPECT_FALSE(implies(known, Fact{0, static_cast<FactKind>(9), 0, 0}));
  EXPECT_FALSE(implies(FactSet{Fact::divisible(0, 0)}, Fact::divisible(0, 1)));
}

TEST(Implies, ExtremesDoNotOverflow) {
  EXPECT_TRUE(implies(FactSet{Fact::exact(0, kMin)}, Fact::divisible(0, 2)));
  EXPECT_TRUE(implies(FactSet{Fact::range(0, kMin, kMax)}, Fact::range(0, kMin, kMax)));
  EXPECT_TRUE(implies(FactSet{Fact::divisible(0, kMax)}, Fact::divisible(0, kMax)));
  EXPECT_FALSE(implies(FactSet{Fact::divisible(0, kMax), Fact::divisible(0, kMax - 1)}, Fact::exact(0, 0)));
  EXPECT_TRUE(implies(FactSet{Fact::residue(0, kMax, kMax - 1), Fact::range(0, 0, kMax)}, Fact::exact(0, kMax - 1)));
}

TEST(Holds, OfAMissingValueIsFalse) {
  const int64_t values[] = {16};
  EXPECT_TRUE(holds(Fact::divisible(0, 16), values));
  EXPECT_FALSE(holds(Fact::divisible(1, 1), values));
}

TEST(FactText, NamesTheSymbol) {
  EXPECT_EQ(to_string(Fact::exact(0, 128), "head_dim"), "head_dim == 128");
  EXPECT_EQ(to_string(Fact::divisible(0, 16), "page_stride"), "page_stride % 16 == 0");
  EXPECT_EQ(to_string(Fact::residue(0, 128, 17), "T"), "T % 128 == 17");
  EXPECT_EQ(to_string(Fact::range(0, 0, 4095), "rows"), "0 <= rows <= 4095");
}

}  // namespace
}  // namespace tailor
