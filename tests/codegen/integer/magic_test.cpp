// Oracle: the machine's own division. Exhaustive for small bounds, near every quotient boundary and at the extremes for
// 32 and 64 bits; the criterion against a direct check of every dividend.
#include "codegen/integer/magic.h"

#include <random>

#include <gtest/gtest.h>

namespace tailor::codegen::integer {
namespace {

MagicDivision make(uint64_t d, uint64_t bound, int width) {
  auto division = magic_division(d, bound, width);
  EXPECT_TRUE(division.ok()) << division.status().to_string();
  EXPECT_TRUE(check_magic(*division).ok()) << check_magic(*division).to_string();
  return *division;
}

// The dividends where a wrong multiplier shows first: just below and at multiples of d, and the ends.
void expect_right_at_boundaries(const MagicDivision& m, std::mt19937_64& rng) {
  auto check = [&](uint64_t n) {
    if (n <= m.bound) {
      ASSERT_EQ(m.quotient(n), n / m.divisor) << to_string(m) << " at " << n;
    }
  };
  uint64_t last = m.bound / m.divisor;
  for (uint64_t k : {uint64_t{0}, uint64_t{1}, uint64_t{2}, last / 2, last - 1, last}) {
    uint64_t multiple = k * m.divisor;
    for (uint64_t delta = 0; delta < 3; ++delta) {
      check(multiple + delta);
      if (multiple >= delta) check(multiple - delta);
    }
  }
  for (uint64_t delta = 0; delta < 4 && delta <= m.bound; ++delta) check(m.bound - delta);
  for (int i = 0; i < 8; ++i) {
    uint64_t n = m.bound == ~uint64_t{0} ? rng() : rng() % (m.bound + 1);
    check(n);
    check(n / m.divisor * m.divisor);
    check(n / m.divisor * m.divisor + m.divisor - 1);
  }
}

TEST(Magic, ExactForEveryDividendOfSmallBounds) {
  for (int width : {32, 64}) {
    for (uint64_t d = 1; d <= 130; ++d) {
      for (uint64_t bound : {uint64_t{0}, uint64_t{1}, d - 1, d, d + 1, uint64_t{777}, uint64_t{2048}}) {
        MagicDivision m = make(d, bound, width);
        for (uint64_t n = 0; n <= bound; ++n) ASSERT_EQ(m.quotient(n), n / d) << to_string(m) << " at " << n;
      }
    }
  }
}

TEST(Magic, EveryDivisorUpTo4096AtFullWidth) {
  std::mt19937_64 rng(1);
  for (int width : {32, 64}) {
    uint64_t max = width == 32 ? UINT32_MAX : UINT64_MAX;
    for (uint64_t d = 1; d <= 4096; ++d) expect_right_at_boundaries(make(d, max, width), rng);
  }
}

TEST(Magic, RandomAndExtremeDivisorsAndBounds) {
  std::mt19937_64 rng(2);
  for (int width : {32, 64}) {
    uint64_t max = width == 32 ? UINT32_MAX : UINT64_MAX;
    for (int i = 0; i < 40000; ++i) {
      uint64_t d = (rng() >> (rng() % static_cast<uint64_t>(width))) & max;
      uint64_t bound = (rng() >> (rng() % static_cast<uint64_t>(width))) & max;
      if (i % 5 == 0) d = max - rng() % 5;
      if (i % 7 == 0) d = (uint64_t{1} << (rng() % static_cast<uint64_t>(width))) + rng() % 3 - 1;
      if (i % 3 == 0) bound = max - rng() % 3;
      if (d == 0 || d > max) continue;
      expect_right_at_boundaries(make(d, bound, width), rng);
    }
  }
}

// The criterion is exact: it accepts (m, k) if and only if every dividend comes out right.
TEST(Magic, CriterionIsNecessaryAndSufficient) {
  int accepted = 0;
  int refused = 0;
  for (uint64_t d = 1; d <= 12; ++d) {
    for (uint64_t bound = 0; bound <= 70; ++bound) {
      for (int k = 0; k <= 8; ++k) {
        uint64_t centre = (uint64_t{1} << k) / d;
        for (uint64_t m = centre; m <= centre + 3; ++m) {
          bool all = true;
          for (uint64_t n = 0; n <= bound && all; ++n) all = ((n * m) >> k) == n / d;
          ASSERT_EQ(check_magic(d, bound, m, k), all) << d << " " << bound << " " << m << " 2^" << k;
          ++(all ? accepted : refused);
        }
      }
    }
  }
  EXPECT_GT(accepted, 1000);
  EXPECT_GT(refused, 1000);
}

TEST(Magic, PrefersTheCheapestSequence) {
  EXPECT_EQ(make(1, 100, 32).instructions, 0);
  EXPECT_EQ(make(16, UINT32_MAX, 32).kind, MagicKind::kShift);
  EXPECT_EQ(make(100, 99, 32).kind, MagicKind::kZero);
  // 7 needs a 33-bit multiplier at full width, one multiply for a bounded dividend, and a pre-shift helps 14 and 28.
  EXPECT_EQ(make(7, UINT32_MAX, 32).kind, MagicKind::kMulHighAdd);
  EXPECT_EQ(make(7, 1 << 20, 32).kind, MagicKind::kMulHigh);
  EXPECT_EQ(make(7, 1 << 20, 32).instructions, 1);
  EXPECT_EQ(make(14, UINT32_MAX, 32).kind, MagicKind::kMulHigh);
  EXPECT_EQ(make(14, UINT32_MAX, 32).pre_shift, 1);
  EXPECT_EQ(make(7, UINT64_MAX, 64).kind, MagicKind::kMulHighAdd);
  // The worked example of the header.
  MagicDivision third = make(3, 1000, 32);
  EXPECT_EQ(third.multiplier, 1431655766u);
  EXPECT_EQ(third.shift, 0);
  EXPECT_EQ(third.proof.error, 2u);
  EXPECT_EQ(third.proof.critical, 998u);
  EXPECT_EQ(third.proof.inequality, "2 * 998 = 1996 < 2^32");
  EXPECT_EQ(make(3, UINT32_MAX, 32).multiplier, 2863311531u);
}

TEST(Magic, CheckRefusesATamperedRecord) {
  for (uint64_t d : {3u, 7u, 10u, 14u, 641u}) {
    for (uint64_t bound : {uint64_t{100000}, uint64_t{UINT32_MAX}}) {
      MagicDivision good = make(d, bound, 32);
      MagicDivision bad = good;
      bad.multiplier -= 1;  // rounds down: wrong at n = d
      EXPECT_FALSE(check_magic(bad).ok());
      bad = good;
      bad.shift += 1;
      EXPECT_FALSE(check_magic(bad).ok());
      bad = good;
      bad.divisor += 1;
      EXPECT_FALSE(check_magic(bad).ok());
      bad = good;
      bad.instructions += 1;
      EXPECT_FALSE(check_magic(bad).ok());
    }
  }
  MagicDivision narrow = make(3, 1000, 32);
  narrow.bound = UINT32_MAX;  // the proof does not reach so far
  EXPECT_FALSE(check_magic(narrow).ok());
}

TEST(Magic, BadArgumentsNameTheValue) {
  EXPECT_EQ(magic_division(0, 10, 32).status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(magic_division(3, uint64_t{1} << 32, 32).status().message().find("4294967296"), std::string::npos);
  EXPECT_NE(magic_division(3, 10, 16).status().message().find("16"), std::string::npos);
}

}  // namespace
}  // namespace tailor::codegen::integer
