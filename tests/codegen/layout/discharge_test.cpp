// Oracle: enumeration of every point and parameter value that the facts allow, in a window; isl against the fast path.
#include "codegen/layout/discharge.h"

#include <random>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::layout {
namespace {

using Layout = GuardedAffineLayout;

Layout parse(std::string_view text) {
  auto layout = Layout::parse(text);
  EXPECT_TRUE(layout.ok()) << layout.status().to_string();
  return layout.ok() ? *layout : Layout();
}

Constraint constraint(std::string_view text) {
  auto parsed = Constraint::parse(text);
  EXPECT_TRUE(parsed.ok()) << parsed.status().to_string();
  return *parsed;
}

const char kRows[] = "layout [M, T] (t: T, r: 128) -> 1 { when M - 128*t - r - 1 >= 0: (128*t + r); }";

TEST(Discharge, AlignedRowsNeedNoGuard) {
  Facts facts;
  ASSERT_TRUE(facts.residue("M", 128, 0).ok() && facts.range("M", 128, 4096).ok() && facts.constrain("128*T = M").ok());
  auto result = discharge(parse(kRows), facts);
  ASSERT_TRUE(result.ok()) << result.status().to_string();
  ASSERT_EQ(result->guards.size(), 1u);
  EXPECT_EQ(result->guards[0].verdict, Verdict::kProved);
  EXPECT_TRUE(result->unconditional());
}

TEST(Discharge, RaggedRowsKeepTheirGuardAndSayWhatItDependsOn) {
  Facts facts;
  ASSERT_TRUE(facts.residue("M", 128, 17).ok() && facts.range("M", 17, 4096).ok() &&
              facts.constrain("T = floor((M + 127) / 128)").ok());
  auto result = discharge(parse(kRows), facts);
  ASSERT_TRUE(result.ok()) << result.status().to_string();
  EXPECT_EQ(result->guards[0].verdict, Verdict::kResidual);
  EXPECT_EQ(result->guards[0].depends_on, (std::set<std::string>{"M", "r", "t"}));
  EXPECT_FALSE(result->unconditional());
  // Body and fringe partition the piece for every M.
  auto split = split_body_fringe(result->layout, {"r"});
  ASSERT_TRUE(split.ok());
  EXPECT_EQ(split->body.to_string(),
            "layout [M, T] (t: T, r: 128) -> 1 {\n  when M - 128*t - 128 >= 0: (128*t + r);\n}\n");
  for (int64_t m : {17, 145, 401}) {
    Assignment values{{"M", m}, {"T", integer::ceil_div(m, 128)}};
    for (int64_t t = 0; t < values["T"]; ++t) {
      for (int64_t r = 0; r < 128; ++r) {
        auto whole = *result->layout.evaluate({t, r}, values);
        auto body = *split->body.evaluate({t, r}, values);
        auto fringe = *split->fringe.evaluate({t, r}, values);
        EXPECT_FALSE(body && fringe);
        EXPECT_EQ(body ? body : fringe, whole);
        EXPECT_EQ(body.has_value(), 128 * t + 128 <= m);
      }
    }
  }
  // In the fringe the residue fixes the row count: r < 17 follows from t being the last tile.
  Facts last = facts;
  ASSERT_TRUE(last.constrain("128*t + 17 = M").ok());
  EXPECT_EQ(*implies(last, constraint("M - 128*t = 17")), Verdict::kProved);
}

TEST(Discharge, RefutedPiecesVanish) {
  Layout layout = parse(
      "layout [n] (i: 8) -> 1 { when n > 100: (i); when n <= 100 and i < n: (2*i); when n <= 100 and i >= n: (0); }");
  Facts facts;
  ASSERT_TRUE(facts.range("n", 0, 50).ok());
  auto result = discharge(layout, facts);
  ASSERT_TRUE(result.ok()) << result.status().to_string();
  EXPECT_EQ(result->layout.pieces().size(), 2u);
  EXPECT_EQ(result->guards[0].verdict, Verdict::kRefuted);
  EXPECT_EQ(result->guards[1].verdict, Verdict::kProved);
  EXPECT_EQ(result->guards[2].verdict, Verdict::kResidual);
  ASSERT_TRUE(facts.range("n", 8, 50).ok());
  result = discharge(layout, facts);
  ASSERT_TRUE(result.ok()) << result.status().to_string();
  EXPECT_EQ(result->layout.to_string(), "layout [n] (i: 8) -> 1 {\n  : (2*i);\n}\n");
}

TEST(Discharge, GuardsThatFollowFromEachOtherLeaveOne) {
  auto result = discharge(parse("layout [n] (i: 64) -> 1 { when i < n and i < n + 1 and i < n: (i); }"), {});
  ASSERT_TRUE(result.ok()) << result.status().to_string();
  ASSERT_EQ(result->layout.pieces().size(), 1u);
  EXPECT_EQ(result->layout.pieces()[0].guard.size(), 1u);
}

// Discharge never changes the function where the facts hold.
TEST(Discharge, KeepsTheFunctionUnderTheFacts) {
  std::mt19937_64 rng(51);
  for (int i = 0; i < 120; ++i) {
    auto number = [&](int64_t span) {
      return static_cast<int64_t>(rng() % static_cast<uint64_t>(2 * span + 1)) - span;
    };
    std::string cut = fmt::format("{}*i + {}*j + {}*n + {}", number(3), number(3), number(2), number(12));
    std::string other = fmt::format("floor((i + {}*n) / {}) + {}", number(2), 1 + rng() % 4, number(3));
    Layout layout = parse(
        fmt::format("layout [n] (i: 6, j: 5) -> 1 {{ when {0} >= 0 and {1} >= 0: (i + 6*j); when {0} < 0: (j + n); }}",
                    cut, other));
    Facts facts;
    int64_t modulus = 1 + static_cast<int64_t>(rng() % 6);
    ASSERT_TRUE(facts.residue("n", modulus, static_cast<int64_t>(rng() % 6)).ok());
    ASSERT_TRUE(facts.range("n", -9, 9).ok());
    auto result = discharge(layout, facts);
    ASSERT_TRUE(result.ok()) << result.status().to_string();
    auto split = split_body_fringe(result->layout, {"i", "j"});
    ASSERT_TRUE(split.ok());
    for (int64_t n = -9; n <= 9; ++n) {
      if (!facts.of("n").contains(n)) continue;
      Assignment values{{"n", n}};
      for (int64_t x = 0; x < 6; ++x) {
        for (int64_t y = 0; y < 5; ++y) {
          auto want = *layout.evaluate({x, y}, values);
          ASSERT_EQ(*result->layout.evaluate({x, y}, values), want) << layout.to_string() << result->layout.to_string();
          auto body = *split->body.evaluate({x, y}, values);
          auto fringe = *split->fringe.evaluate({x, y}, values);
          ASSERT_FALSE(body && fringe);
          ASSERT_EQ(body ? body : fringe, want) << split->body.to_string() << split->fringe.to_string();
        }
      }
    }
  }
}

// Verdicts against enumeration, and the residue path against isl wherever it speaks.
TEST(Implies, VerdictsAreRightAndTheFastPathAgreesWithIsl) {
  std::mt19937_64 rng(52);
  int by_residues = 0;
  int seen[4] = {0, 0, 0, 0};
  for (int i = 0; i < 400; ++i) {
    auto number = [&](int64_t span) {
      return static_cast<int64_t>(rng() % static_cast<uint64_t>(2 * span + 1)) - span;
    };
    Facts facts;
    ASSERT_TRUE(facts.residue("a", 1 + static_cast<int64_t>(rng() % 5), static_cast<int64_t>(rng() % 5)).ok());
    ASSERT_TRUE(facts.range("a", -12, 12).ok());
    ASSERT_TRUE(facts.residue("b", 1 + static_cast<int64_t>(rng() % 5), static_cast<int64_t>(rng() % 5)).ok());
    ASSERT_TRUE(facts.range("b", -12, 12).ok());
    std::string left = rng() % 3 == 0
                           ? fmt::format("{}*((a + {}*b) mod {}) + {}", number(2), number(2), 1 + rng() % 6, number(6))
                           : fmt::format("{}*a + {}*b + {}", number(3), number(3), number(40));
    Constraint c = constraint(left + (rng() % 3 == 0 ? " = 0" : " >= 0"));
    bool all = true;
    bool any = false;
    for (int64_t a = -12; a <= 12; ++a) {
      for (int64_t b = -12; b <= 12; ++b) {
        if (!facts.of("a").contains(a) || !facts.of("b").contains(b)) continue;
        bool holds = *c.holds({{"a", a}, {"b", b}});
        all = all && holds;
        any = any || holds;
      }
    }
    Verdict want = all ? Verdict::kProved : any ? Verdict::kResidual : Verdict::kRefuted;
    ++seen[static_cast<int>(want)];
    ASSERT_EQ(*implies(facts, c), want) << c.to_string() << " a " << to_string(facts.of("a")) << " b "
                                        << to_string(facts.of("b"));
    ASSERT_EQ(*decide_by_isl(facts.as_constraints(), c), want);
    Verdict fast = implies_by_residues(facts, {}, c);
    if (fast != Verdict::kUnknown) {
      ++by_residues;
      ASSERT_EQ(fast, want);
    }
  }
  EXPECT_GT(by_residues, 60);
  for (Verdict v : {Verdict::kProved, Verdict::kRefuted, Verdict::kResidual}) EXPECT_GT(seen[static_cast<int>(v)], 20);
}

// A question isl needs many steps for: a knapsack equality over many variables with coprime coefficients.
std::vector<Constraint> hard_conjunction() {
  std::vector<Constraint> result;
  std::string sum = "0";
  const int64_t weights[] = {12223, 12224, 36674, 61119, 85569, 111, 97, 1009};
  for (size_t i = 0; i < 8; ++i) {
    result.push_back(constraint(fmt::format("x{} >= 0", i)));
    result.push_back(constraint(fmt::format("x{} <= 1000", i)));
    sum += fmt::format(" + {}*x{}", weights[i] * 2, i);
  }
  result.push_back(constraint(sum + " = 89643481"));
  return result;
}

TEST(IslQuota, SpentQuotaIsUnknownNeverAGuess) {
  EXPECT_EQ(*decide_by_isl(hard_conjunction(), constraint("x0 >= 5"), 50), Verdict::kUnknown);
  EXPECT_EQ(*decide_empty_by_isl(hard_conjunction(), 50), Verdict::kUnknown);
  EXPECT_EQ(sample_by_isl(hard_conjunction(), 50).status().code(), StatusCode::kUnavailable);
  // The odd total of even weights is impossible; with room isl says so.
  EXPECT_EQ(*decide_empty_by_isl(hard_conjunction()), Verdict::kRefuted);
  // Discharge keeps the guard it could not decide.
  Layout layout = parse("layout [n, m] (i: 64) -> 1 { when i + 3*n + 5*m >= 4 and 2*n - 7*m + i >= 1: (i); }");
  auto result = discharge(layout, {}, 1);
  ASSERT_TRUE(result.ok()) << result.status().to_string();
  EXPECT_EQ(result->layout, layout);
  EXPECT_EQ(result->guards[0].verdict, Verdict::kUnknown);
}

TEST(IslBridge, SamplesSatisfyTheConjunction) {
  std::vector<Constraint> conjunction{constraint("7*a + 11*b = 100"), constraint("a >= 0"), constraint("b >= 0"),
                                      constraint("(a + b) mod 2 = 0")};
  auto sample = sample_by_isl(conjunction);
  ASSERT_TRUE(sample.ok() && sample->has_value());
  for (const Constraint& c : conjunction) EXPECT_TRUE(*c.holds(**sample));
  conjunction.push_back(constraint("a <= 7"));
  sample = sample_by_isl(conjunction);
  ASSERT_TRUE(sample.ok());
  EXPECT_FALSE(sample->has_value());
}

TEST(IslBridge, ContextsOfThreadsAreTheirOwn) {
  std::vector<std::thread> threads;
  std::vector<int> right(4, 0);
  for (size_t t = 0; t < right.size(); ++t) {
    threads.emplace_back([&right, t] {
      for (int i = 0; i < 50; ++i) {
        Facts facts;
        if (!facts.residue("n", 7, static_cast<int64_t>(t)).ok()) continue;
        auto verdict = decide_by_isl(facts.as_constraints(), constraint(fmt::format("n mod 7 = {}", t)));
        if (verdict.ok() && *verdict == Verdict::kProved) ++right[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, (std::vector<int>(4, 50)));
}

TEST(Split, InnerDimensionsMustExistAndBeConstant) {
  EXPECT_FALSE(split_body_fringe(parse(kRows), {"x"}).ok());
  EXPECT_FALSE(split_body_fringe(parse(kRows), {"t"}).ok());
}

}  // namespace
}  // namespace tailor::codegen::layout
