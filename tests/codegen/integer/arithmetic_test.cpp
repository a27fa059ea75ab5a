// Oracles: 128-bit arithmetic and enumeration; the edges of int64_t by hand.
#include "codegen/integer/arithmetic.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tailor::codegen::integer {
namespace {

constexpr int64_t kMin = INT64_MIN;
constexpr int64_t kMax = INT64_MAX;

TEST(Checked, OverflowIsRememberedThroughLaterOperations) {
  EXPECT_TRUE((Checked(kMax) + 0).ok());
  EXPECT_FALSE((Checked(kMax) + 1).ok());
  EXPECT_FALSE(((Checked(kMax) + 1) * 0 + 5).ok());
  EXPECT_FALSE((-Checked(kMin)).ok());
  EXPECT_FALSE((Checked(kMin) * -1).ok());
  EXPECT_FALSE((Checked(0) - kMin).ok());
  EXPECT_EQ((Checked(-1) - kMax).value(), kMin);
  EXPECT_EQ(checked_mul(kMin, 2).status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(checked_add(kMax, 1).status().message().find("9223372036854775807 + 1"), std::string::npos);
}

RC_GTEST_PROP(Arithmetic, CheckedAgreesWith128Bits, (int64_t a, int64_t b)) {
  auto agrees = [](Expected<int64_t> got, __int128 want) {
    bool fits = want >= kMin && want <= kMax;
    return got.ok() == fits && (!fits || *got == static_cast<int64_t>(want));
  };
  RC_ASSERT(agrees(checked_add(a, b), static_cast<__int128>(a) + b));
  RC_ASSERT(agrees(checked_sub(a, b), static_cast<__int128>(a) - b));
  RC_ASSERT(agrees(checked_mul(a, b), static_cast<__int128>(a) * b));
}

RC_GTEST_PROP(Arithmetic, BezoutHoldsWithSmallCofactors, (int64_t a, int64_t b)) {
  RC_PRE(a != kMin && b != kMin);
  Bezout bezout = xgcd(a, b);
  RC_ASSERT(bezout.g == gcd(a, b));
  RC_ASSERT(static_cast<__int128>(bezout.x) * a + static_cast<__int128>(bezout.y) * b == bezout.g);
  if (bezout.g != 0) {
    RC_ASSERT(magnitude(bezout.x) <= std::max<uint64_t>(1, magnitude(b / bezout.g)));
    RC_ASSERT(magnitude(bezout.y) <= std::max<uint64_t>(1, magnitude(a / bezout.g)));
  }
}

TEST(Arithmetic, BezoutAtTheEdges) {
  for (int64_t a : {kMax, -kMax, kMax - 1, int64_t{1}, int64_t{0}, int64_t{-1}}) {
    for (int64_t b : {kMax, -kMax, kMax - 1, int64_t{1}, int64_t{0}, int64_t{-1}}) {
      Bezout bezout = xgcd(a, b);
      EXPECT_EQ(bezout.g, gcd(a, b));
      EXPECT_TRUE(static_cast<__int128>(bezout.x) * a + static_cast<__int128>(bezout.y) * b == bezout.g)
          << a << " " << b;
    }
  }
  EXPECT_EQ(gcd(int64_t{0}, int64_t{0}), 0);
  EXPECT_EQ(gcd(kMin, int64_t{6}), 2);
}

TEST(Arithmetic, GcdLcmAndFloorAgreeWithEnumeration) {
  for (int64_t a = -40; a <= 40; ++a) {
    for (int64_t b = -40; b <= 40; ++b) {
      int64_t g = 0;
      for (int64_t d = 1; d <= 40; ++d) {
        if (a % d == 0 && b % d == 0) g = d;
      }
      if (a == 0 && b == 0) g = 0;
      EXPECT_EQ(gcd(a, b), g);
      EXPECT_EQ(*lcm(a, b), a == 0 || b == 0 ? 0 : std::abs(a * b) / g);
      if (b == 0) continue;
      int64_t q = floor_div(a, b);
      int64_t r = floor_mod(a, b);
      EXPECT_EQ(q * b + r, a);
      EXPECT_TRUE(b > 0 ? r >= 0 && r < b : r <= 0 && r > b);
      EXPECT_EQ(ceil_div(a, b), -floor_div(-a, b));
    }
  }
  EXPECT_FALSE(lcm(kMax, kMax - 1).ok());
  EXPECT_FALSE(lcm(kMin, 1).ok());
  EXPECT_EQ(floor_div(kMin, 2), kMin / 2);
  EXPECT_EQ(floor_mod(kMin, 3), 1);  // -2^63 = 3k + 1 because 2^63 = 2 (mod 3)
  EXPECT_EQ(pow2_valuation(0), 64);
  EXPECT_EQ(pow2_valuation(-48), 4);
  EXPECT_EQ(pow2_valuation(kMin), 63);
}

TEST(Arithmetic, CrtAgreesWithEnumeration) {
  for (int64_t m1 = 1; m1 <= 14; ++m1) {
    for (int64_t m2 = 1; m2 <= 14; ++m2) {
      for (int64_t r1 = 0; r1 < m1; ++r1) {
        for (int64_t r2 = 0; r2 < m2; ++r2) {
          std::optional<int64_t> first;
          for (int64_t x = 0; x < m1 * m2 && !first; ++x) {
            if (x % m1 == r1 && x % m2 == r2) first = x;
          }
          auto got = crt({m1, r1}, {m2, r2});
          ASSERT_TRUE(got.ok());
          ASSERT_EQ(got->has_value(), first.has_value());
          if (first) {
            EXPECT_EQ(**got, (ResidueClass{*lcm(m1, m2), *first}));
          }
        }
      }
    }
  }
}

TEST(Arithmetic, CrtNearTheLimitDoesNotWrap) {
  int64_t p = 3037000493;  // primes near 2^31.5
  int64_t q = 3037000453;
  auto got = crt({p, p - 1}, {q, q - 1});
  ASSERT_TRUE(got.ok() && got->has_value());
  EXPECT_EQ((*got)->modulus, p * q);
  EXPECT_EQ((*got)->remainder, p * q - 1);
  EXPECT_FALSE(crt({kMax, 0}, {kMax - 1, 0}).ok());
  EXPECT_FALSE(crt({0, 0}, {3, 0}).ok());
}

}  // namespace
}  // namespace tailor::codegen::integer
