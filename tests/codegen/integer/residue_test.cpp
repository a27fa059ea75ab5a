// Oracle: enumeration of the concretisation over a window. Soundness: op(x, y) lies in op(X, Y) for all x in X, y in Y.
#include "codegen/integer/residue.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::integer {
namespace {

constexpr int64_t kWindow = 60;

std::vector<int64_t> members(const Residue& r, int64_t window = kWindow) {
  std::vector<int64_t> result;
  for (int64_t x = -window; x <= window; ++x) {
    if (r.contains(x)) result.push_back(x);
  }
  return result;
}

std::vector<Residue> samples() {
  std::mt19937_64 rng(7);
  std::vector<Residue> result{Residue::top(), Residue::constant(0), Residue::constant(-5), Residue::constant(12)};
  for (int i = 0; i < 60; ++i) {
    int64_t m = 1 + static_cast<int64_t>(rng() % 12);
    Residue value = Residue::congruent(m, static_cast<int64_t>(rng() % 12));
    int64_t lo = static_cast<int64_t>(rng() % 40) - 25;
    int64_t hi = lo + static_cast<int64_t>(rng() % 30);
    Residue range = Residue::top();
    switch (rng() % 4) {
      case 0:
        range = Residue::between(lo, hi);
        break;
      case 1:
        range = Residue::between(lo, Residue::kPlusInfinity);
        break;
      case 2:
        range = Residue::between(Residue::kMinusInfinity, hi);
        break;
      default:
        break;
    }
    if (auto both = meet(value, range)) result.push_back(*both);
  }
  return result;
}

TEST(Residue, BinaryOperationsAreSound) {
  for (const Residue& a : samples()) {
    for (const Residue& b : samples()) {
      Residue sum = a + b, difference = a - b, product = a * b, either = join(a, b);
      std::optional<Residue> both = meet(a, b);
      for (int64_t x : members(a)) {
        EXPECT_TRUE(either.contains(x)) << to_string(a) << " join " << to_string(b) << " misses " << x;
        if (b.contains(x)) {
          EXPECT_TRUE(both && both->contains(x)) << to_string(a) << " meet " << to_string(b) << " " << x;
        }
        for (int64_t y : members(b, 20)) {
          ASSERT_TRUE(sum.contains(x + y)) << to_string(a) << " + " << to_string(b) << " = " << to_string(sum);
          ASSERT_TRUE(difference.contains(x - y)) << to_string(a) << " - " << to_string(b);
          ASSERT_TRUE(product.contains(x * y)) << to_string(a) << " * " << to_string(b) << " = " << to_string(product);
        }
      }
    }
  }
}

TEST(Residue, MeetHasNoMemberOutsideBoth) {
  for (const Residue& a : samples()) {
    for (const Residue& b : samples()) {
      std::optional<Residue> both = meet(a, b);
      if (!both) continue;
      for (int64_t x : members(*both)) EXPECT_TRUE(a.contains(x) && b.contains(x));
    }
  }
}

TEST(Residue, OperationsWithConstantsAreSound) {
  for (const Residue& a : samples()) {
    for (int64_t c = 1; c <= 16; ++c) {
      Residue quotient = floor_div(a, c), rest = floor_mod(a, c), scaled = a * c, negated = a * -c;
      for (int64_t x : members(a)) {
        ASSERT_TRUE(quotient.contains(floor_div(x, c))) << to_string(a) << " div " << c << " = " << to_string(quotient);
        ASSERT_TRUE(rest.contains(floor_mod(x, c))) << to_string(a) << " mod " << c << " = " << to_string(rest);
        ASSERT_TRUE(scaled.contains(x * c));
        ASSERT_TRUE(negated.contains(-x * c));
      }
    }
  }
}

TEST(Residue, ConstantFactorsAndDividingModuliLoseNothing) {
  for (int64_t m = 1; m <= 12; ++m) {
    for (int64_t r = 0; r < m; ++r) {
      Residue a = Residue::congruent(m, r);
      for (int64_t c = 1; c <= 6; ++c) {
        EXPECT_EQ((a * c).modulus, m * c);
        if (m % c == 0) {
          EXPECT_EQ(floor_mod(a, c), Residue::constant(r % c));
          EXPECT_EQ(floor_div(a, c).modulus, m / c);
        }
      }
    }
  }
}

TEST(Residue, WorkedExampleOfTheHeader) {
  Residue m = *meet(Residue::congruent(128, 17), Residue::between(0, 1000));
  EXPECT_EQ(m.lo, 17);
  EXPECT_EQ(m.hi, 913);
  Residue bytes = m * 4;
  EXPECT_EQ(bytes.modulus, 512);
  EXPECT_EQ(bytes.remainder, 68);
  EXPECT_EQ(bytes.known_alignment(16), 4);
  EXPECT_EQ(floor_mod(m, 64), Residue::constant(17));
  EXPECT_EQ(floor_div(m, 128), Residue::between(0, 7));
  EXPECT_EQ(to_string(m), "17 mod 128 in [17, 913]");
  EXPECT_FALSE(meet(Residue::congruent(4, 1), Residue::congruent(2, 0)));
  EXPECT_FALSE(meet(Residue::congruent(100, 50), Residue::between(51, 149)));
}

TEST(Residue, NothingWrapsAtTheEdges) {
  const int64_t big = INT64_MAX - 1;
  const Residue edges[] = {Residue::constant(big),
                           Residue::constant(-big),
                           Residue::constant(INT64_MIN),
                           Residue::between(big - 5, big),
                           Residue::between(-big, -big + 5),
                           Residue::congruent(big, 3),
                           Residue::top()};
  for (const Residue& a : edges) {
    for (const Residue& b : edges) {
      // Two's complement would wrap; the abstract value must still contain what the true result is, or be unbounded
      // there.
      Residue sum = a + b;
      Residue product = a * b;
      EXPECT_LE(sum.lo, sum.hi);
      EXPECT_LE(product.lo, product.hi);
      EXPECT_GE(sum.modulus, 0);
      EXPECT_GE(product.modulus, 0);
      (void)(a - b);
      (void)join(a, b);
      (void)meet(a, b);
    }
    (void)(-a);
    (void)(a * INT64_MIN);
    (void)floor_div(a, INT64_MAX);
    (void)floor_mod(a, INT64_MAX);
  }
  EXPECT_EQ((Residue::constant(big) + Residue::constant(big)).hi, Residue::kPlusInfinity);
}

}  // namespace
}  // namespace tailor::codegen::integer
