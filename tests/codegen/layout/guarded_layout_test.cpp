// Oracle: brute-force enumeration of every point for small parameters.
#include <functional>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "codegen/layout/isl_bridge.h"
#include "codegen/layout/layout.h"

namespace tailor::codegen::layout {
namespace {

using Layout = GuardedAffineLayout;
using Value = std::optional<std::vector<int64_t>>;

Layout parse(std::string_view text) {
  auto layout = Layout::parse(text);
  EXPECT_TRUE(layout.ok()) << text << "\n" << layout.status().to_string();
  return layout.ok() ? *layout : Layout();
}

Layout take(Expected<Layout> layout) {
  EXPECT_TRUE(layout.ok()) << layout.status().to_string();
  return layout.ok() ? *layout : Layout();
}

Value at(const Layout& layout, const std::vector<int64_t>& point, const Assignment& parameters = {}) {
  auto value = layout.evaluate(point, parameters);
  EXPECT_TRUE(value.ok()) << value.status().to_string();
  return value.ok() ? *value : Value{};
}

Value one(int64_t value) { return std::vector<int64_t>{value}; }

// Every point of a box around the domain, one beyond each end, so that being outside is tested too.
void for_each_point(const std::vector<int64_t>& extents,
                    const std::function<void(const std::vector<int64_t>&)>& visit) {
  std::vector<int64_t> point(extents.size(), -1);
  while (true) {
    visit(point);
    size_t i = 0;
    while (i < point.size() && point[i] == extents[i]) point[i++] = -1;
    if (i == point.size()) return;
    ++point[i];
  }
}

const char kRagged[] =
    "layout [n] (i: n + 5, j: 8) -> 1 {\n"
    "  when -i + n - 1 >= 0: (8*i + j);\n"
    "  when i - n >= 0: (12*i + j - 4*n);\n"
    "}\n";

TEST(GuardedLayout, WorkedExampleOfTheHeader) {
  Layout layout = parse(kRagged);
  EXPECT_EQ(layout.to_string(), kRagged);
  Assignment n{{"n", 3}};
  EXPECT_EQ(at(layout, {2, 7}, n), one(23));
  EXPECT_EQ(at(layout, {3, 0}, n), one(24));
  EXPECT_EQ(at(layout, {8, 0}, n), std::nullopt);
  EXPECT_EQ(at(layout, {0, 8}, n), std::nullopt);
  EXPECT_EQ(at(layout, {0, -1}, n), std::nullopt);
}

TEST(GuardedLayout, ConcatenateBuildsTheWorkedExample) {
  Layout first = parse("layout [n] (i: n, j: 8) -> 1 { : (8*i + j); }");
  Layout second = parse("layout [n] (i: 5, j: 8) -> 1 { : (12*i + j + 8*n); }");
  Layout both = take(first.concatenate(second, "i"));
  EXPECT_EQ(both, parse(kRagged));
  EXPECT_EQ(*check_disjoint(both), Verdict::kProved);
  // Three in a row, one of them empty.
  Layout three = take(take(both.concatenate(parse("layout [] (i: 0, j: 8) -> 1 { : (j); }"), "i"))
                          .concatenate(parse("layout [] (i: 2, j: 8) -> 1 { : (1000 + 8*i + j); }"), "i"));
  for (int64_t n = 0; n <= 4; ++n) {
    for_each_point({n + 7, 8}, [&](const std::vector<int64_t>& p) {
      Value want;
      if (p[0] >= 0 && p[0] < n + 7 && p[1] >= 0 && p[1] < 8) {
        int64_t i = p[0];
        want = std::vector<int64_t>{i < n       ? 8 * i + p[1]
                                    : i < n + 5 ? 12 * (i - n) + p[1] + 8 * n
                                                : 1000 + 8 * (i - n - 5) + p[1]};
      }
      EXPECT_EQ(at(three, p, {{"n", n}}), want);
    });
  }
}

TEST(GuardedLayout, TextFormPrintsAndParsesBack) {
  for (std::string_view text : {
           "layout [] () -> 0 { }",
           "layout [] () -> 1 { : (5); }",
           "layout [s, base] (i: 7, j: 3) -> 2 { : (s*i - 2*j + base, -j); }",
           "layout [s] (i: 7) -> 1 { : (-s*i + floor((s + 1) / 2)); }",
           "layout [s] (i: s + 1) -> 1 { : ((2*s + 3)*i - s); }",
           "layout [n] (i: 64, t: n) -> 1 { when 64*t + i < n and (i mod 4) = 0: (i); when 64*t + i >= n: (0); }",
       }) {
    Layout layout = parse(text);
    EXPECT_EQ(parse(layout.to_string()), layout) << layout.to_string();
  }
  // Symbolic strides evaluate.
  EXPECT_EQ(at(parse("layout [s] (i: s + 1) -> 1 { : (i*(2*s + 3) - s); }"), {2}, {{"s", 5}}), one(21));
}

TEST(GuardedLayout, BadTextNamesPosition) {
  for (std::string_view text : {"layout", "layout [n (i: 4) -> 1 { : (i); }", "layout [] (i: 4) -> 1 { : (i) }",
                                "layout [] (i: 4) -> 1 { : (i; }", "layout [] (i: 4) -> 1 { when i: (i); }",
                                "layout [] (when: 4) -> 1 { : (0); }", "layout [] (i: 4) -> 1 { : (i*i); }",
                                "layout [] (i: 4) -> 1 { : (i); } x"}) {
    auto layout = Layout::parse(text);
    ASSERT_FALSE(layout.ok()) << text;
    EXPECT_NE(layout.status().message().find("position"), std::string::npos) << layout.status().message();
  }
  // Well-formed, but meaningless.
  EXPECT_FALSE(Layout::parse("layout [] (i: 4) -> 1 { : (n*i); }").ok());
  EXPECT_FALSE(Layout::parse("layout [i] (i: 4) -> 1 { : (i); }").ok());
  EXPECT_FALSE(Layout::parse("layout [] (i: 4, j: i) -> 1 { : (i); }").ok());
  EXPECT_FALSE(Layout::parse("layout [] (i: 4) -> 2 { : (i); }").ok());
  EXPECT_FALSE(Layout::parse("layout [] (i: 0 - 4) -> 1 { : (i); }").ok());
  EXPECT_EQ(Layout::parse("layout [] (i: 4) -> 1 { : (floor(i / 2)); }").status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(Layout::parse("layout [n, m] (i: 4) -> 1 { : (i + n*(m + 1)); }").ok(), false);
}

TEST(GuardedLayout, OverflowIsAStatus) {
  Layout layout = parse("layout [s] (i: 4) -> 1 { : (s*i + 9223372036854775807); }");
  EXPECT_TRUE(layout.evaluate({1}, {{"s", 0}}).ok());
  EXPECT_EQ(layout.evaluate({1}, {{"s", 1}}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(layout.evaluate({3}, {{"s", INT64_MAX}}).ok());
  EXPECT_FALSE(layout.evaluate({1}, {}).ok());     // no value for s
  EXPECT_FALSE(layout.evaluate({1, 2}, {}).ok());  // wrong rank
}

// Random two-piece layout over up to 3 small dimensions, cut by a random plane.
Layout random_layout(std::mt19937_64& rng, size_t rank) {
  std::vector<Dim> dims;
  AffineExpr plane(static_cast<int64_t>(rng() % 7) - 3);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t extents[] = {0, 1, 2, 3, 4, 5};
    dims.push_back({fmt::format("x{}", i), AffineExpr(extents[1 + rng() % 5 - (rng() % 20 == 0 ? 1 : 0)])});
    plane = *plane.add(*AffineExpr::symbol(dims.back().name).scale(static_cast<int64_t>(rng() % 5) - 2));
  }
  std::vector<Piece> pieces;
  size_t count = rng() % 2 + 1;
  for (size_t p = 0; p < count; ++p) {
    Piece piece;
    piece.a.emplace_back();
    for (size_t i = 0; i < rank; ++i) piece.a[0].push_back(AffineExpr(static_cast<int64_t>(rng() % 13) - 6));
    piece.b.push_back(AffineExpr(static_cast<int64_t>(rng() % 20)));
    if (count == 2) {
      AffineExpr side = p == 0 ? plane : *plane.scale(-1)->subtract(AffineExpr(1));
      piece.guard.push_back(Constraint::non_negative(side));
    }
    pieces.push_back(std::move(piece));
  }
  return take(Layout::create({}, dims, 1, std::move(pieces)));
}

std::vector<int64_t> extents_of(const Layout& layout) {
  std::vector<int64_t> extents;
  for (const Dim& dim : layout.dims()) extents.push_back(dim.extent.constant());
  return extents;
}

TEST(GuardedLayout, ComposeEqualsEvaluationAfterTheMap) {
  std::mt19937_64 rng(41);
  for (int i = 0; i < 600; ++i) {
    Layout layout = random_layout(rng, 1 + rng() % 3);
    AffineMap map;
    size_t rank = rng() % 3;
    for (size_t j = 0; j < rank; ++j)
      map.dims.push_back({fmt::format("y{}", j), AffineExpr(static_cast<int64_t>(rng() % 6))});
    map.c = integer::Matrix(layout.rank(), rank);
    for (size_t k = 0; k < layout.rank(); ++k) {
      for (size_t j = 0; j < rank; ++j) map.c.at(k, j) = static_cast<int64_t>(rng() % 5) - 2;
      map.d.emplace_back(static_cast<int64_t>(rng() % 5) - 1);
    }
    Layout composed = take(layout.compose(map));
    for_each_point(extents_of(composed), [&](const std::vector<int64_t>& y) {
      Value want;
      bool inside = true;
      for (size_t j = 0; j < rank; ++j) inside = inside && y[j] >= 0 && y[j] < map.dims[j].extent.constant();
      if (inside) {
        std::vector<int64_t> x = *map.c.multiply(y);
        for (size_t k = 0; k < x.size(); ++k) x[k] += map.d[k].constant();
        want = at(layout, x);
      }
      ASSERT_EQ(at(composed, y), want) << layout.to_string() << composed.to_string();
    });
  }
}

TEST(GuardedLayout, SliceOffsetIntersectAgreeWithEnumeration) {
  std::mt19937_64 rng(42);
  for (int i = 0; i < 600; ++i) {
    Layout layout = random_layout(rng, 2);
    int64_t v = static_cast<int64_t>(rng() % 7) - 1;
    Layout sliced = take(layout.slice("x0", AffineExpr(v)));
    for_each_point({extents_of(layout)[1]}, [&](const std::vector<int64_t>& p) {
      ASSERT_EQ(at(sliced, p), at(layout, {v, p[0]})) << layout.to_string() << sliced.to_string();
    });
    Layout shifted = take(layout.domain_offset("x1", AffineExpr(v)));
    for_each_point(extents_of(shifted), [&](const std::vector<int64_t>& p) {
      Value want = p[1] < 0 ? Value{} : at(layout, {p[0], p[1] + v});
      ASSERT_EQ(at(shifted, p), want) << layout.to_string() << shifted.to_string();
    });
    Constraint even = *Constraint::parse("(x0 + x1) mod 2 = 0");
    Layout cut = take(layout.intersect({even}));
    for_each_point(extents_of(layout), [&](const std::vector<int64_t>& p) {
      ASSERT_EQ(at(cut, p), (p[0] + p[1]) % 2 == 0 ? at(layout, p) : Value{});
    });
  }
  Layout layout = parse("layout [] (i: 4) -> 1 { : (i); }");
  EXPECT_FALSE(layout.slice("k", AffineExpr(0)).ok());
  EXPECT_FALSE(layout.intersect({*Constraint::parse("i < 3"), *Constraint::parse("1 = 0")})->pieces().size() != 0);
}

TEST(GuardedLayout, CoalesceKeepsEveryValueAndMergesWhatIsContiguous) {
  std::mt19937_64 rng(43);
  int merged = 0;
  for (int i = 0; i < 1500; ++i) {
    // Strides drawn so that neighbours are often contiguous.
    size_t rank = 1 + rng() % 4;
    std::vector<Dim> dims;
    std::vector<AffineExpr> strides(rank);
    std::vector<int64_t> extents(rank);
    for (size_t k = 0; k < rank; ++k) extents[k] = static_cast<int64_t>(rng() % 5);
    for (size_t k = 0; k < rank; ++k) dims.push_back({fmt::format("x{}", k), AffineExpr(extents[k])});
    int64_t next = static_cast<int64_t>(rng() % 3) - 1;
    for (size_t k = rank; k-- > 0;) {
      strides[k] = AffineExpr(next);
      next *= extents[k];
      if (rng() % 3 == 0) next += static_cast<int64_t>(rng() % 3);
    }
    Layout layout = take(Layout::strided(dims, strides, AffineExpr(3)));
    Layout flat = take(layout.coalesce());
    // Values in lexicographic order (slowest dimension first) are the same sequence.
    auto values = [](const Layout& l) {
      std::vector<int64_t> e = extents_of(l), sequence;
      int64_t total = 1;
      for (int64_t x : e) total *= x;
      for (int64_t index = 0; index < total; ++index) {
        std::vector<int64_t> p(e.size());
        int64_t rest = index;
        for (size_t k = e.size(); k-- > 0;) {
          p[k] = rest % e[k];
          rest /= e[k];
        }
        sequence.push_back((*at(l, p))[0]);
      }
      return sequence;
    };
    ASSERT_EQ(values(layout), values(flat)) << layout.to_string() << flat.to_string();
    if (flat.rank() < layout.rank()) ++merged;
    // Nothing left to merge.
    ASSERT_EQ(take(flat.coalesce()), flat);
  }
  EXPECT_GT(merged, 500);
}

TEST(GuardedLayout, CoalesceRespectsGuardsPiecesAndSymbols) {
  EXPECT_EQ(take(parse("layout [n] (i: n, j: 8) -> 1 { when n - 8*i - j > 0: (8*i + j); }").coalesce()),
            parse("layout [n] (j: 8*n) -> 1 { when n - j > 0: (j); }"));
  for (std::string_view kept : {
           "layout [n] (i: 4, j: 8) -> 1 { when n - 8*i > 0: (8*i + j); }",         // guard on i alone
           "layout [] (i: 4, j: 8) -> 1 { when (8*i + j) mod 3 = 0: (8*i + j); }",  // inside mod
           "layout [s] (i: 4, j: 8) -> 1 { : (s*i + j); }",                         // s may not be 8
           "layout [n] (i: 4, j: n) -> 1 { : (8*i + j); }",                         // n may not be 8
           "layout [] (i: 4, j: 8) -> 2 { : (8*i + j, i); }",                       // the second output
       }) {
    EXPECT_EQ(take(parse(kept).coalesce()), parse(kept)) << kept;
  }
  // Symbolic but provably contiguous.
  EXPECT_EQ(take(parse("layout [s] (i: 4, j: 8) -> 1 { : (8*s*i + s*j); }").coalesce()),
            parse("layout [s] (j: 32) -> 1 { : (s*j); }"));
}

TEST(GuardedLayout, PageBindsAPageOfThePoolToAParameter) {
  Layout pool = parse("layout [P] (p: P, slot: 24, h: 8, d: 80) -> 1 { : (15360*p + 640*slot + 80*h + d); }");
  Facts facts;
  ASSERT_TRUE(facts.range("P", 1, 100).ok());
  auto paged = pool.page("p", "page_base", facts);
  ASSERT_TRUE(paged.ok());
  EXPECT_EQ(paged->layout.to_string(),
            "layout [page_base] (slot: 24, h: 8, d: 80) -> 1 {\n  : (640*slot + 80*h + d + page_base);\n}\n");
  EXPECT_EQ(paged->base_fact.modulus, 15360);
  EXPECT_EQ(paged->base_fact.hi, 99 * 15360);
  for (int64_t p : {0, 1, 57, 99}) {
    EXPECT_TRUE(paged->base_fact.contains(15360 * p));
    EXPECT_EQ(at(paged->layout, {3, 2, 1}, {{"page_base", 15360 * p}}), at(pool, {p, 3, 2, 1}, {{"P", 100}}));
  }
  // A symbolic page stride of known divisibility.
  Layout symbolic = parse("layout [P, s] (p: P, slot: 24) -> 1 { : (s*p + 640*slot); }");
  ASSERT_TRUE(facts.divisible("s", 64).ok());
  auto with_symbol = symbolic.page("p", "page_base", facts);
  ASSERT_TRUE(with_symbol.ok());
  EXPECT_EQ(with_symbol->base_fact.known_alignment(4096), 64);
  EXPECT_FALSE(pool.page("q", "b").ok());
  EXPECT_EQ(parse("layout [] (p: 4) -> 1 { when p > 1: (p); }").page("p", "b").status().code(),
            StatusCode::kUnsupported);
}

TEST(GuardedLayout, BindReplacesAParameterEverywhere) {
  Layout layout = parse(kRagged);
  Layout bound = take(layout.bind("n", AffineExpr(3)));
  EXPECT_TRUE(bound.parameters().empty());
  for_each_point({8, 8}, [&](const std::vector<int64_t>& p) { EXPECT_EQ(at(bound, p), at(layout, p, {{"n", 3}})); });
}

// The isl map denotes the same function as evaluation does, and equality of layouts is decided.
TEST(IslBridge, EqualityFollowsTheFunctionNotTheForm) {
  Layout split =
      parse("layout [n] (i: 8, j: 4) -> 1 { when i - 4 >= 0: (4*i + j + n); when -i + 3 >= 0: (4*i + j + n); }");
  Layout whole = parse("layout [n] (i: 8, j: 4) -> 1 { : (4*i + j + n); }");
  Layout other = parse("layout [n] (i: 8, j: 4) -> 1 { : (4*i + j + 1); }");
  EXPECT_EQ(*equal_by_isl(split, whole), Verdict::kProved);
  EXPECT_EQ(*equal_by_isl(other, whole), Verdict::kRefuted);
  EXPECT_EQ(*equal_by_isl(split, whole, {}, 10), Verdict::kUnknown);
  EXPECT_EQ(equal_by_isl(parse("layout [s] (i: 4) -> 1 { : (s*i); }"), parse("layout [] (i: 4) -> 1 { : (i); }"))
                .status()
                .code(),
            StatusCode::kUnsupported);
  EXPECT_EQ(to_isl_set(whole), "[n] -> { [i, j] : 0 <= i < 8 and 0 <= j < 4 }");
  EXPECT_EQ(*check_disjoint(parse("layout [n] (i: 8) -> 1 { when i < n: (i); when i > 3: (0); }")), Verdict::kRefuted);
}

// symbol * coordinate is not Presburger arithmetic; an exact fact makes it a constant.
TEST(IslBridge, SymbolicStridesAreBoundByExactFactsOrRefused) {
  Layout symbolic = parse("layout [s, n] (i: n, j: 8) -> 1 { when i < n: (2*s*i + j); }");
  Layout constant = parse("layout [n] (i: n, j: 8) -> 1 { : (16*i + j); }");
  const Status refused = to_isl_map(symbolic).status();
  EXPECT_EQ(refused.code(), StatusCode::kUnsupported);
  EXPECT_NE(refused.message().find("stride 2*s of i is symbolic"), std::string::npos) << refused.message();
  EXPECT_NE(refused.message().find("Presburger"), std::string::npos) << refused.message();
  Facts facts;
  ASSERT_TRUE(facts.range("s", 8, 9).ok());
  EXPECT_FALSE(equal_by_isl(symbolic, constant, facts).ok()) << "a range is not an exact value";
  ASSERT_TRUE(facts.residue("s", 2, 0).ok());  // 8 and nothing else
  EXPECT_EQ(*equal_by_isl(symbolic, constant, facts), Verdict::kProved);
  EXPECT_EQ(*to_isl_map(symbolic, facts),
            "[n] -> { [i, j] -> [0 + 16*i + 1*j] : 0 <= i < 0 + 1*n and 0 <= j < 8 and -1 - 1*i + 1*n >= 0 }");
  // The other facts count as well: equal for n = 3 only.
  Layout three = parse("layout [] (i: 3, j: 8) -> 1 { : (16*i + j); }");
  EXPECT_EQ(*equal_by_isl(symbolic, three, facts), Verdict::kRefuted);
  ASSERT_TRUE(facts.constrain("n = 3").ok());
  EXPECT_EQ(*equal_by_isl(symbolic, three, facts), Verdict::kProved);
}

TEST(IslBridge, OperationsAgreeWithIslOnRandomLayouts) {
  std::mt19937_64 rng(44);
  for (int i = 0; i < 60; ++i) {
    Layout layout = random_layout(rng, 2);
    // Shifting forth and back is the identity as far as isl is concerned.
    Layout there = take(layout.domain_offset("x0", AffineExpr(-2)));
    Layout back = take(there.domain_offset("x0", AffineExpr(2)));
    EXPECT_EQ(*equal_by_isl(layout, back), Verdict::kProved) << layout.to_string() << back.to_string();
    EXPECT_EQ(*check_disjoint(layout), Verdict::kProved);
    // A piecewise layout cut along a plane and put together again is itself.
    Layout low = take(layout.intersect({*Constraint::parse("x0 <= x1")}));
    Layout high = take(layout.intersect({*Constraint::parse("x0 > x1")}));
    std::vector<Piece> pieces = low.pieces();
    pieces.insert(pieces.end(), high.pieces().begin(), high.pieces().end());
    EXPECT_EQ(*equal_by_isl(layout, take(Layout::create({}, layout.dims(), 1, pieces))), Verdict::kProved);
  }
}

}  // namespace
}  // namespace tailor::codegen::layout
