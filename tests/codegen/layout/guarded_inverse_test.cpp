// Inverses and common vectors of guarded layouts. Oracle: enumeration for every value of the parameter; the digits path
// and the isl path against each other; CuTe's strided left inverse.
#include "codegen/layout/guarded_inverse.h"

#include <set>

#include "codegen/layout/strided_layout.h"
#include "random_guarded.h"
#include "random_layouts.h"

namespace tailor::codegen::layout {
namespace {

using Layout = GuardedAffineLayout;

Layout parse(std::string_view text) {
  auto layout = Layout::parse(text);
  EXPECT_TRUE(layout.ok()) << text << "\n" << layout.status().to_string();
  return layout.ok() ? *layout : Layout();
}

Facts small_n() {
  Facts facts;
  EXPECT_TRUE(facts.range("n", 0, 6).ok());
  return facts;
}

// Image point -> the domain points that have it.
std::map<Point, std::vector<Point>> preimages(const Layout& layout, const Assignment& n) {
  std::map<Point, std::vector<Point>> result;
  for (const auto& [point, value] : table_of(layout, n)) result[value].push_back(point);
  return result;
}

// G is defined exactly on the image (looked at 3 beyond each end, too) and picks `wanted` there.
void expect_inverse(const DigitLayout& inverse, const Layout& layout, const Assignment& n) {
  const auto image = preimages(layout, n);
  int64_t low = 0;
  int64_t high = 0;
  for (const auto& [y, points] : image) {
    for (int64_t v : y) {
      low = std::min(low, v);
      high = std::max(high, v);
    }
    const auto x = inverse.evaluate(y, n);
    ASSERT_TRUE(x.ok()) << x.status().message();
    ASSERT_TRUE(x->has_value()) << layout.to_string() << inverse.layout.to_string() << fmt::format("y = {}", y[0]);
    ASSERT_EQ(**x, points.front()) << layout.to_string() << inverse.layout.to_string();
  }
  const int64_t step = 1 + (high - low) / 97;  // a prime number of them, so that every residue is met
  for (int64_t v = low - 3; v <= high + 3; v += step) {
    const Point y(layout.outputs(), v);
    if (image.count(y) != 0) continue;
    const auto x = inverse.evaluate(y, n);
    ASSERT_TRUE(x.ok()) << x.status().message();
    ASSERT_FALSE(x->has_value()) << layout.to_string() << inverse.layout.to_string() << v;
  }
  if (layout.outputs() == 1) return;
  for (const auto& [y, points] : image) {  // neighbours of the image
    for (size_t o = 0; o < y.size(); ++o) {
      Point near = y;
      ++near[o];
      if (image.count(near) != 0) continue;
      ASSERT_FALSE(inverse.evaluate(near, n)->has_value());
    }
  }
}

TEST(GuardedInverse, WorkedExamplesOfTheHeader) {
  const Layout rows = parse("layout [n] (i: 40, j: 100) -> 1 { when n - 100*i - j - 1 >= 0: (128*i + j); }");
  const auto inverse = left_inverse(rows);
  ASSERT_TRUE(inverse.ok()) << inverse.status().message();
  EXPECT_EQ(inverse->layout.to_string(),
            "layout [n] (y0_0: 128, y0_1: 40) -> 2 {\n"
            "  when -y0_0 + 99 >= 0 and n - y0_0 - 100*y0_1 - 1 >= 0: (y0_1, y0_0);\n"
            "}\n");
  const auto none = left_inverse(parse("layout [] (i: 4, j: 3) -> 1 { : (2*i + 4*j); }"));
  EXPECT_EQ(none.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(none.status().message().find("both have the value ("), std::string::npos) << none.status().message();
}

// Bounds the few layouts whose lexicographic minimum has hundreds of cases: an answer of "unknown" is right, too.
constexpr uint64_t kQuota = 30'000;

// Both inverses, either path, for every n that the facts admit.
TEST(GuardedInverse, AgreesWithEnumeration) {
  RandomGuarded random{std::mt19937_64(501)};
  const Facts facts = small_n();
  int left = 0;
  int right = 0;
  int refused = 0;
  int unknown = 0;
  for (int i = 0; i < 700; ++i) {
    RandomGuarded::Options options;
    options.compact = i % 4 != 0;
    options.max_rank = i % 20 == 0 ? 3 : 1 + i % 2;
    options.outputs = i % 7 == 0 && options.max_rank < 3 ? 2 : 1;
    const Layout layout = random.layout(options);
    const auto l = left_inverse(layout, facts, kQuota);
    const auto r = right_inverse(layout, facts, kQuota);
    bool injective = true;
    for (int64_t n = 0; n <= 6; ++n) {
      for (const auto& [y, points] : preimages(layout, {{"n", n}})) injective = injective && points.size() == 1;
    }
    for (const auto* inverse : {&l, &r}) {
      if (inverse->ok()) {
        for (int64_t n = 0; n <= 6; ++n) ASSERT_NO_FATAL_FAILURE(expect_inverse(**inverse, layout, {{"n", n}}));
      }
    }
    if (l.ok()) {
      ASSERT_TRUE(injective) << layout.to_string();
      ++left;
    } else if (l.status().code() == StatusCode::kInvalidArgument) {
      ASSERT_FALSE(injective) << l.status().message();
      ++refused;
    } else {
      ++unknown;
    }
    if (r.ok()) ++right;
    const auto collision = find_collision(layout, facts);
    ASSERT_TRUE(collision.ok()) << collision.status().message();
    ASSERT_EQ(collision->has_value(), !injective) << layout.to_string();
    if (*collision) {
      ASSERT_NE((*collision)->first, (*collision)->second);
      ASSERT_EQ(*layout.evaluate((*collision)->first, (*collision)->parameters),
                *layout.evaluate((*collision)->second, (*collision)->parameters));
      ASSERT_TRUE(layout.evaluate((*collision)->first, (*collision)->parameters)->has_value());
    }
  }
  EXPECT_LT(unknown, 40);
  EXPECT_GT(left, 500);
  EXPECT_GT(right, 600);
  EXPECT_GT(refused, 40);
}

TEST(GuardedInverse, DigitsAndIslAgree) {
  RandomGuarded random{std::mt19937_64(502)};
  const Facts facts = small_n();
  int compared = 0;
  for (int i = 0; i < 500; ++i) {
    RandomGuarded::Options options;
    options.compact = true;
    options.max_rank = 2;
    const Layout layout = random.layout(options);
    const auto digits = inverse_by_digits(layout, facts);
    ASSERT_TRUE(digits.ok()) << digits.status().message();
    if (!*digits) continue;
    for (const InverseKind kind : {InverseKind::kLeft, InverseKind::kRight}) {
      const auto by_isl = inverse_by_isl(layout, kind, {}, facts);
      if (!by_isl.ok()) {
        ASSERT_EQ(by_isl.status().code(), StatusCode::kUnsupported) << by_isl.status().message();
        continue;
      }
      ++compared;
      for (int64_t n = 0; n <= 6; ++n) {
        for (int64_t y = -12; y < 120; ++y) {
          ASSERT_EQ(*(*digits)->evaluate({y}, {{"n", n}}), *by_isl->evaluate({y}, {{"n", n}}))
              << layout.to_string() << (*digits)->layout.to_string() << by_isl->layout.to_string() << y << " " << n;
        }
      }
    }
  }
  EXPECT_GT(compared, 200);
}

TEST(GuardedInverse, EqualsTheStridedLeftInverseOnTheImage) {
  RandomLayouts random{std::mt19937_64(503)};
  int compared = 0;
  for (int i = 0; i < 3000; ++i) {
    const StridedLayout layout = random.layout(i % 4 == 0);
    const auto strided = left_inverse(layout);
    if (!strided.ok()) continue;
    const Layout guarded = *layout.to_guarded();
    const auto inverse = inverse_by_digits(guarded);
    ASSERT_TRUE(inverse.ok());
    if (!*inverse) continue;
    ++compared;
    for (int64_t index = 0; index < layout.size(); ++index) {
      const auto point = (*inverse)->evaluate({*layout.evaluate(index)});
      ASSERT_TRUE(point.ok() && point->has_value());
      int64_t place = 1;
      int64_t found = 0;
      for (size_t k = 0; k < guarded.rank(); ++k) {
        found += place * (**point)[k];
        place *= guarded.dims()[k].extent.constant();
      }
      ASSERT_EQ(found, *strided->evaluate(*layout.evaluate(index))) << layout.to_string();
      ASSERT_EQ(found, index);
    }
  }
  EXPECT_GT(compared, 1000);
}

// Extents around 2^31, negative strides and offsets, at sampled points.
TEST(GuardedInverse, HoldsNearTwoToTheThirtyOne) {
  std::mt19937_64 rng(504);
  const int64_t big = int64_t{1} << 31;
  for (int64_t e0 : {int64_t{1}, int64_t{97}, big - 1, big, big + 1}) {
    for (int64_t e1 : {int64_t{2}, big - 1, big, big + 1}) {
      for (int64_t sign : {1, -1}) {
        const auto layout = Layout::parse(fmt::format(
            "layout [n] (i: {}, j: {}) -> 1 {{ when n - i >= 0: ({}*i + {}*j - 5); }}", e1, e0, e0 + 3, sign));
        ASSERT_TRUE(layout.ok());
        const auto inverse = left_inverse(*layout);
        ASSERT_TRUE(inverse.ok()) << inverse.status().message();
        const Assignment n{{"n", e1 / 2}};
        for (int k = 0; k < 60; ++k) {
          const Point x{static_cast<int64_t>(rng() % static_cast<uint64_t>(e1)),
                        static_cast<int64_t>(rng() % static_cast<uint64_t>(e0))};
          const auto y = layout->evaluate(x, n);
          ASSERT_TRUE(y.ok());
          ASSERT_EQ(y->has_value(), x[0] <= e1 / 2);
          if (*y) {
            ASSERT_EQ(**inverse->evaluate(**y, n), x);
          }
        }
      }
    }
  }
  const auto overflow = left_inverse(parse("layout [] (i: 4611686018427387904, j: 4) -> 1 { : (-4*i + j); }"));
  EXPECT_FALSE(overflow.ok());
}

TEST(GuardedInverse, OntoAnExtentOrTheValueThatIsMissed) {
  const Layout ragged = parse("layout [n] (i: n, j: 4) -> 1 { : (5*i + j); }");
  const auto short_range = right_inverse_onto(ragged, {AffineExpr(4)}, [] {
    Facts facts;
    EXPECT_TRUE(facts.range("n", 1, 100).ok());
    return facts;
  }());
  ASSERT_TRUE(short_range.ok()) << short_range.status().message();
  for (int64_t y = -1; y < 7; ++y) EXPECT_EQ(short_range->evaluate({y}, {{"n", 2}})->has_value(), 0 <= y && y < 4);
  const auto missed = right_inverse_onto(ragged, {AffineExpr(5)});
  EXPECT_FALSE(missed.ok());
  EXPECT_NE(missed.status().message().find("no point has the value"), std::string::npos) << missed.status().message();
  EXPECT_FALSE(right_inverse_onto(ragged, {}).ok());
  EXPECT_FALSE(right_inverse_onto(ragged, {AffineExpr::symbol("q")}).ok());
}

TEST(GuardedInverse, RefusesWithAReason) {
  const auto symbolic = left_inverse(parse("layout [s] (i: 4, j: 8) -> 1 { : (s*i + j); }"));
  EXPECT_EQ(symbolic.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(symbolic.status().message().find("stride s of i"), std::string::npos) << symbolic.status().message();
  Facts exact;
  ASSERT_TRUE(exact.exact("s", 8).ok());
  EXPECT_TRUE(left_inverse(parse("layout [s] (i: 4, j: 8) -> 1 { : (s*i + j); }"), exact).ok());
  // Coprime strides over unbounded extents: floor((3*y + …) / 7) takes as many values as there are points.
  const auto quota = inverse_by_isl(parse("layout [n] (i: n, j: n) -> 1 { when i < j: (3*i + 7*j); }"),
                                    InverseKind::kLeft, {}, {}, 50);
  EXPECT_EQ(quota.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(quota.status().message().find("quota of 50 operations"), std::string::npos) << quota.status().message();
}

TEST(MaxCommonVector, AgreesWithEnumerationAndBothPaths) {
  RandomGuarded random{std::mt19937_64(505)};
  const Facts facts = small_n();
  int longer_than_one = 0;
  int fast = 0;
  for (int i = 0; i < 500; ++i) {
    RandomGuarded::Options options;
    options.compact = true;
    options.max_rank = 2;
    options.parametric = i % 2 == 0;
    options.guarded = i % 4 < 2;
    const Layout a = random.layout(options);
    Layout b = a;
    if (i % 3 != 0) {  // other strides and offset over the same dimensions
      Piece piece = a.pieces()[0];
      piece.b[0] = AffineExpr(random.one_in(4) ? 1 : 0);
      if (random.one_in(3)) piece.a[0][0] = AffineExpr(random.below(6));
      b = *Layout::of_pieces(a.dims(), 1, {piece});
    }
    const auto n = max_common_vector(a, b, facts);
    ASSERT_TRUE(n.ok()) << n.status().message();
    int64_t expected = INT64_MAX;
    for (int64_t p = 0; p <= 6; ++p) {
      std::set<int64_t> common;
      const auto of_b = table_of(b, {{"n", p}});
      for (const auto& [x, value] : table_of(a, {{"n", p}})) {
        if (auto found = of_b.find(x); found != of_b.end() && found->second == value) common.insert(value[0]);
      }
      int64_t length = 0;
      while (common.count(length) != 0) ++length;
      expected = std::min(expected, length);
    }
    ASSERT_EQ(*n, expected) << a.to_string() << b.to_string();
    ASSERT_EQ(*max_common_vector_by_isl(a, b, facts), expected);
    if (*n > 1) ++longer_than_one;
    if (a.is_plain_strided() && b.is_plain_strided()) ++fast;
  }
  EXPECT_GT(longer_than_one, 40);
  EXPECT_GT(fast, 100);
  EXPECT_FALSE(
      max_common_vector(parse("layout [] (i: 4) -> 1 { : (i); }"), parse("layout [] () -> 1 { : (0); }")).ok());
}

}  // namespace
}  // namespace tailor::codegen::layout
