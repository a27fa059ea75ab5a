// Oracle: direct evaluation. Text forms must parse back to the same value.
#include "codegen/layout/affine.h"

#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/facts.h"

namespace tailor::codegen::layout {
namespace {

using integer::Residue;

AffineExpr expr(std::string_view text) {
  auto parsed = AffineExpr::parse(text);
  EXPECT_TRUE(parsed.ok()) << text << ": " << parsed.status().to_string();
  return parsed.ok() ? *parsed : AffineExpr();
}

// A random expression together with a function that computes it independently of AffineExpr.
struct Reference {
  AffineExpr expr;
  std::function<int64_t(const Assignment&)> value;
};

Reference random_expr(std::mt19937_64& rng, int depth) {
  switch (rng() % (depth == 0 ? 2 : 6)) {
    case 0: {
      int64_t c = static_cast<int64_t>(rng() % 21) - 10;
      return {AffineExpr(c), [c](const Assignment&) { return c; }};
    }
    case 1: {
      std::string name(1, static_cast<char>('a' + rng() % 3));
      return {AffineExpr::symbol(name), [name](const Assignment& v) { return v.at(name); }};
    }
    case 2: {
      Reference l = random_expr(rng, depth - 1), r = random_expr(rng, depth - 1);
      return {*l.expr.add(r.expr), [=](const Assignment& v) { return l.value(v) + r.value(v); }};
    }
    case 3: {
      Reference l = random_expr(rng, depth - 1);
      int64_t c = static_cast<int64_t>(rng() % 9) - 4;
      return {*l.expr.scale(c), [=](const Assignment& v) { return c * l.value(v); }};
    }
    case 4: {
      Reference l = random_expr(rng, depth - 1);
      int64_t c = static_cast<int64_t>(rng() % 6) + 1;
      return {*AffineExpr::floor_of(l.expr, c), [=](const Assignment& v) { return integer::floor_div(l.value(v), c); }};
    }
    default: {
      Reference l = random_expr(rng, depth - 1);
      int64_t c = static_cast<int64_t>(rng() % 6) + 1;
      return {*AffineExpr::mod_of(l.expr, c), [=](const Assignment& v) { return integer::floor_mod(l.value(v), c); }};
    }
  }
}

TEST(AffineExpr, NormalisationKeepsTheValueAndPrintsBack) {
  std::mt19937_64 rng(31);
  for (int i = 0; i < 3000; ++i) {
    Reference r = random_expr(rng, 4);
    EXPECT_EQ(expr(r.expr.to_string()), r.expr) << r.expr.to_string();
    for (int k = 0; k < 8; ++k) {
      Assignment v{{"a", static_cast<int64_t>(rng() % 41) - 20},
                   {"b", static_cast<int64_t>(rng() % 41) - 20},
                   {"c", static_cast<int64_t>(rng() % 41) - 20}};
      EXPECT_EQ(*r.expr.evaluate(v), r.value(v)) << r.expr.to_string();
      // Abstract evaluation is sound.
      Residue abstract = r.expr.abstract([&](std::string_view name) {
        int64_t x = v.find(name)->second;
        return k % 2 == 0 ? Residue::constant(x) : *meet(Residue::congruent(3, x), Residue::between(-20, 20));
      });
      EXPECT_TRUE(abstract.contains(r.value(v))) << r.expr.to_string() << " " << to_string(abstract);
    }
  }
}

TEST(AffineExpr, SubstitutionCommutesWithEvaluation) {
  std::mt19937_64 rng(32);
  for (int i = 0; i < 1000; ++i) {
    Reference r = random_expr(rng, 3), a = random_expr(rng, 2), b = random_expr(rng, 2);
    auto substituted = r.expr.substitute({{"a", a.expr}, {"b", b.expr}});
    ASSERT_TRUE(substituted.ok());
    Assignment v{{"a", static_cast<int64_t>(rng() % 21) - 10}, {"b", static_cast<int64_t>(rng() % 21) - 10}, {"c", 3}};
    Assignment inner{{"a", a.value(v)}, {"b", b.value(v)}, {"c", 3}};
    EXPECT_EQ(*substituted->evaluate(v), r.value(inner));
  }
}

TEST(AffineExpr, CanonicalFormMakesEqualExpressionsEqual) {
  EXPECT_EQ(expr("i + j"), expr("j + i"));
  EXPECT_EQ(expr("2*(i + 3) - i"), expr("i + 6"));
  EXPECT_EQ(expr("floor((4*i + 6) / 4)"), expr("i + 1"));
  EXPECT_EQ(expr("floor((2*i + 3) / 4)"), expr("floor((i + 1) / 2)"));
  EXPECT_EQ(expr("(8*i + 5) mod 8"), expr("5"));
  EXPECT_EQ(expr("i mod 8 + 8*floor(i / 8)"), expr("i"));
  EXPECT_EQ(expr("i - i").to_string(), "0");
  EXPECT_EQ(expr("-3*i + 7 - floor((j + i)/2)").to_string(), "-3*i - floor((i + j) / 2) + 7");
}

TEST(AffineExpr, ParseErrorsNamePositionAndToken) {
  for (std::string_view text :
       {"", "3 +", "i * j", "floor(i / 0)", "i mod 0", "(i", "i)", "when", "99999999999999999999", "i + $"}) {
    auto parsed = AffineExpr::parse(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_NE(parsed.status().message().find("position"), std::string::npos) << parsed.status().message();
  }
  EXPECT_FALSE(AffineExpr::parse(std::string(100000, '(')).ok());
  EXPECT_FALSE(AffineExpr::parse("9223372036854775807 + 1").ok());
  EXPECT_FALSE(AffineExpr::parse("4611686018427387904 * (2*i)").ok());
}

TEST(Constraint, ComparisonsReadAsIntegersDo) {
  Assignment v{{"i", 3}, {"n", 4}};
  for (auto [text, holds] : {std::pair{"i < n", true},
                             {"i <= n", true},
                             {"n < i", false},
                             {"i >= 4", false},
                             {"i > 2", true},
                             {"i + 1 = n", true}}) {
    auto constraint = Constraint::parse(text);
    ASSERT_TRUE(constraint.ok());
    EXPECT_EQ(*constraint->holds(v), holds) << text;
    EXPECT_EQ(*Constraint::parse(constraint->to_string()), *constraint);
  }
  EXPECT_FALSE(Constraint::parse("i + 1").ok());
  EXPECT_FALSE(Constraint::parse("i < n < 3").ok());
}

TEST(Facts, ContradictionsAreRefusedAndLeaveTheFactsAlone) {
  Facts facts;
  ASSERT_TRUE(facts.residue("M", 128, 17).ok());
  ASSERT_TRUE(facts.range("M", 0, 4096).ok());
  EXPECT_EQ(to_string(facts.of("M")), "17 mod 128 in [17, 3985]");
  EXPECT_EQ(facts.divisible("M", 2).code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(facts.exact("M", 18).ok());
  EXPECT_FALSE(facts.range("M", 5, 4).ok());
  EXPECT_FALSE(facts.constrain("M <= 16").ok());
  EXPECT_FALSE(facts.residue("M", 0, 0).ok());
  EXPECT_FALSE(facts.exact("not a name", 1).ok());
  EXPECT_EQ(to_string(facts.of("M")), "17 mod 128 in [17, 3985]");
  EXPECT_TRUE(facts.exact("M", 145).ok());
  // The constraints that isl gets hold exactly on the members.
  Facts only;
  ASSERT_TRUE(only.residue("x", 6, 4).ok() && only.range("x", -10, 30).ok());
  for (int64_t x = -20; x <= 40; ++x) {
    bool all = true;
    for (const Constraint& c : only.as_constraints()) all = all && *c.holds({{"x", x}});
    EXPECT_EQ(all, only.of("x").contains(x)) << x;
  }
}

}  // namespace
}  // namespace tailor::codegen::layout
