// Oracle: enumeration of every point and parameter value that the facts allow, in a window; isl against the fast path.
#include "codegen/layout/discharge.h"

#include <algorithm>
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

TEST(Binding, AGuardIsDecidedWithTheLatestOfItsSymbols) {
  const Layout layout = parse(
      "layout [D, M, P, n] (page: n, r: 128, one: 1) -> 1 { when D - 8 >= 0 and M - D >= 0 and P - M >= 0 and "
      "M - r >= 0 and M - page >= 0 and D - one >= 0: (128*page + r); }");
  Facts facts;
  ASSERT_TRUE(facts.exact("D", 8).ok());
  Bindings bindings{{{"M", BindingTime::kBucket}, {"page", BindingTime::kDevice}}};
  auto result = discharge(layout, facts, bindings);
  ASSERT_TRUE(result.ok()) << result.status().to_string();
  std::vector<BindingTime> times;
  for (const GuardReport& guard : result->guards) times.push_back(guard.binding);
  EXPECT_EQ(times, (std::vector<BindingTime>{BindingTime::kStatic, BindingTime::kBucket, BindingTime::kLaunch,
                                             BindingTime::kThread, BindingTime::kDevice, BindingTime::kStatic}));
  // r is gone from the body's tests; page, whose extent is not constant, is not.
  EXPECT_EQ(result->inner, (std::set<std::string>{"r"}));
  EXPECT_EQ(result->decided, BindingTime::kDevice);
  // A page bound by the host is a uniform branch.
  bindings.times["page"] = BindingTime::kLaunch;
  EXPECT_EQ(discharge(layout, facts, bindings)->decided, BindingTime::kLaunch);
  for (const char* text : {"static", "bucket", "launch", "thread", "device"}) {
    EXPECT_EQ(to_string(*find_binding_time(text)), text);
  }
  EXPECT_FALSE(find_binding_time("later").has_value());
}

// The latest, by its definition, over random guards.
TEST(Binding, IsTheMaximumOverTheSymbolsThatAreNotFixed) {
  std::mt19937_64 rng(53);
  for (int i = 0; i < 300; ++i) {
    Bindings bindings;
    Facts facts;
    BindingTime latest = BindingTime::kStatic;
    std::string sum = "1";
    for (const char* name : {"a", "b", "c", "x", "y"}) {
      const bool dimension = name[0] >= 'x';
      const auto time = static_cast<BindingTime>(rng() % 5);
      const bool named = rng() % 2 == 0;
      if (named) bindings.times[name] = time;
      const bool fixed = !dimension && rng() % 4 == 0;
      ASSERT_TRUE(!fixed || facts.exact(name, static_cast<int64_t>(rng() % 9)).ok());
      if (rng() % 2 == 0) continue;
      sum += rng() % 2 == 0 ? fmt::format(" + 2*{}", name) : fmt::format(" - floor(({} + 1) / 3)", name);
      const BindingTime own = named ? time : dimension ? BindingTime::kThread : BindingTime::kLaunch;
      if (!fixed) latest = std::max(latest, own);
    }
    const std::vector<Dim> dims{{"x", AffineExpr(4)}, {"y", AffineExpr::symbol("m")}};
    EXPECT_EQ(binding_of(*AffineExpr::parse(sum), dims, facts, bindings), latest) << sum;
  }
}

// The split of a discharge: disjoint, together the layout, and the body is where the guard holds for every thread.
TEST(Discharge, TheBodyIsWhereTheGuardsHoldForAllInnerPoints) {
  std::mt19937_64 rng(54);
  int bodies = 0;
  int fringes = 0;
  for (int i = 0; i < 150; ++i) {
    auto number = [&](int64_t span) {
      return static_cast<int64_t>(rng() % static_cast<uint64_t>(2 * span + 1)) - span;
    };
    const Layout layout = parse(fmt::format(
        "layout [n] (t: 3, i: 4, j: 5) -> 1 {{ when {}*t + {}*i + {}*j + {}*n + {} >= 0 and {}*i - j + n + {} >= 0: "
        "(i + 6*j); }}",
        number(3), number(3), number(3), number(2), number(12), number(2), number(6)));
    Facts facts;
    ASSERT_TRUE(facts.range("n", -8, 8).ok() && facts.residue("n", 2, static_cast<int64_t>(rng() % 2)).ok());
    const bool launch_tiles = rng() % 2 == 0;
    Bindings bindings;
    if (launch_tiles) bindings.times["t"] = BindingTime::kLaunch;
    auto result = discharge(layout, facts, bindings);
    ASSERT_TRUE(result.ok()) << result.status().to_string();
    EXPECT_EQ(result->inner.contains("t") && launch_tiles, false);
    for (const Piece& piece : result->split.body.pieces()) {
      for (const Constraint& test : piece.guard) {
        for (const std::string& name : result->inner) EXPECT_FALSE(test.expr.depends_on(name));
      }
    }
    int64_t in_body = 0;
    int64_t in_fringe = 0;
    for (int64_t n = -8; n <= 8; ++n) {
      if (!facts.of("n").contains(n)) continue;
      const Assignment values{{"n", n}};
      const auto holds = [&](int64_t t, int64_t a, int64_t b) {
        return layout.evaluate({t, a, b}, values)->has_value();
      };
      for (int64_t t = 0; t < 3; ++t) {
        for (int64_t a = 0; a < 4; ++a) {
          for (int64_t b = 0; b < 5; ++b) {
            const auto want = *layout.evaluate({t, a, b}, values);
            const auto body = *result->split.body.evaluate({t, a, b}, values);
            const auto fringe = *result->split.fringe.evaluate({t, a, b}, values);
            ASSERT_FALSE(body && fringe);
            ASSERT_EQ(body ? body : fringe, want);
            // All points that differ from this one in inner dimensions only.
            bool throughout = want.has_value();
            const auto varies = [&](const char* name) { return result->inner.contains(name); };
            for (int64_t u = varies("t") ? 0 : t; u <= (varies("t") ? 2 : t); ++u) {
              for (int64_t x = varies("i") ? 0 : a; x <= (varies("i") ? 3 : a); ++x) {
                for (int64_t y = varies("j") ? 0 : b; y <= (varies("j") ? 4 : b); ++y) {
                  throughout = throughout && holds(u, x, y);
                }
              }
            }
            ASSERT_EQ(body.has_value(), throughout) << layout.to_string() << result->split.body.to_string();
            in_body += body.has_value() ? 1 : 0;
            in_fringe += fringe.has_value() ? 1 : 0;
          }
        }
      }
    }
    // Without a point under the facts there is no piece.
    EXPECT_EQ(result->split.body.pieces().empty(), in_body == 0) << result->split.body.to_string();
    EXPECT_EQ(result->split.fringe.pieces().empty(), in_fringe == 0) << result->split.fringe.to_string();
    bodies += in_body != 0 ? 1 : 0;
    fringes += in_fringe != 0 ? 1 : 0;
    EXPECT_EQ(result->decided.has_value(),
              std::any_of(result->split.body.pieces().begin(), result->split.body.pieces().end(),
                          [](const Piece& p) { return !p.guard.empty(); }));
  }
  EXPECT_GT(bodies, 40);
  EXPECT_GT(fringes, 50);
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
  auto result = discharge(layout, {}, {}, 1);
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
