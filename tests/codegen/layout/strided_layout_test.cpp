// Oracles: enumeration of the defining property of every operation on thousands of random hierarchical layouts, and the
// worked examples that CuTe publishes (media/docs/cpp/cute/02_layout_algebra.md in CUTLASS) as literals.
#include "codegen/layout/strided_layout.h"

#include <functional>
#include <random>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "codegen/layout/cute_notation.h"
#include "codegen/layout/isl_bridge.h"

namespace tailor::codegen::layout {
namespace {

StridedLayout L(std::string_view text) {
  auto layout = parse_cute(text);
  EXPECT_TRUE(layout.ok()) << text << ": " << layout.status().to_string();
  return layout.ok() ? *layout : StridedLayout();
}

std::string text(const Expected<StridedLayout>& layout) {
  return layout.ok() ? layout->to_string() : layout.status().to_string();
}

std::vector<int64_t> values(const StridedLayout& layout) { return *layout.values(); }

// The last mode goes on without end, as CuTe's does: what composition means by A beyond its size.
int64_t endless(const StridedLayout& a, int64_t index) {
  std::vector<Mode> leaves = a.leaves();
  int64_t value = 0;
  for (size_t i = 0; i < leaves.size(); ++i) {
    bool last = i + 1 == leaves.size();
    value += (last ? index : index % leaves[i].extent) * leaves[i].stride;
    index /= leaves[i].extent;
  }
  return value;
}

Mode random_mode(std::mt19937_64& rng, int depth, int64_t& next, bool wild) {
  if (depth > 0 && rng() % 3 == 0) {
    std::vector<Mode> modes;
    for (size_t n = 1 + rng() % 3; n-- > 0;) modes.push_back(random_mode(rng, depth - 1, next, wild));
    return Mode::of(std::move(modes));
  }
  const int64_t extents[] = {1, 2, 3, 4, 5, 6, 8};
  int64_t extent = extents[rng() % 7];
  int64_t stride = next;
  if (wild && rng() % 3 == 0) stride = static_cast<int64_t>(rng() % 13);
  if (wild && rng() % 12 == 0) stride = -stride;
  next *= extent;
  if (rng() % 4 == 0) next *= 1 + static_cast<int64_t>(rng() % 3);
  return Mode::leaf(extent, stride);
}

StridedLayout random_layout(std::mt19937_64& rng, bool wild, int64_t limit = 600) {
  while (true) {
    std::vector<Mode> modes;
    int64_t next = rng() % 3 == 0 ? 1 + static_cast<int64_t>(rng() % 4) : 1;
    for (size_t n = 1 + rng() % 3; n-- > 0;) modes.push_back(random_mode(rng, 2, next, wild));
    std::shuffle(modes.begin(), modes.end(), rng);
    auto layout = StridedLayout::create(modes.size() == 1 && rng() % 2 == 0 ? modes[0] : Mode::of(modes));
    if (layout.ok() && layout->size() <= limit) return *layout;
  }
}

// Does `fine` refine `coarse`: the same hierarchy, where a leaf may have become a group of the same size?
bool refines(const Mode& coarse, const Mode& fine) {
  if (!coarse.group) {
    auto layout = StridedLayout::create(fine);
    return layout.ok() && layout->size() == coarse.extent;
  }
  if (!fine.group || fine.modes.size() != coarse.modes.size()) return false;
  for (size_t i = 0; i < coarse.modes.size(); ++i) {
    if (!refines(coarse.modes[i], fine.modes[i])) return false;
  }
  return true;
}

TEST(CuteNotation, PrintsAndParsesBack) {
  std::mt19937_64 rng(61);
  for (int i = 0; i < 2000; ++i) {
    StridedLayout layout = random_layout(rng, true);
    EXPECT_EQ(L(layout.to_string()), layout) << layout.to_string();
  }
  EXPECT_EQ(L("(_4,(_2,_3)):(_1,(_4,_8))").to_string(), "(4,(2,3)):(1,(4,8))");
  EXPECT_EQ(L(" ( 4 , 2 ) : ( 1 , -4 ) ").to_string(), "(4,2):(1,-4)");
  EXPECT_EQ(L("(4,(1,3))").to_string(), "(4,(1,3)):(1,(0,4))");
  EXPECT_EQ(L("7").to_string(), "7:1");
  EXPECT_EQ(L("(4):(1)").to_string(), "(4):(1)");
  EXPECT_EQ(parse_cute_tilers("<3:3,(2,4):(1,8)>")->size(), 2u);
}

TEST(CuteNotation, ErrorsNamePositionAndExpectation) {
  for (auto [bad, part] : {std::pair{"(4,2:1", "position 4: expected ',' or ')', found ':'"},
                           {"", "position 0: expected an integer or '(', found the end"},
                           {"4:1)", "position 3: expected the end"},
                           {"(4,2):(1)", "same hierarchy"},
                           {"(4,2):7", "same hierarchy"},
                           {"-4:1", "must not be negative"},
                           {"99999999999999999999:1", "64 bits"},
                           {"4:-9223372036854775808", "overflows"},
                           {"(4294967296,4294967296):(1,1)", "overflows"},
                           {"(3,3):(4611686018427387904,1)", "overflows"},
                           {"(9223372036854775807,9223372036854775807)", "overflows"}}) {
    auto layout = parse_cute(bad);
    ASSERT_FALSE(layout.ok()) << bad;
    EXPECT_EQ(layout.status().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(layout.status().message().find(part), std::string::npos) << bad << ": " << layout.status().message();
  }
  EXPECT_FALSE(parse_cute(std::string(100000, '(')).ok());
  EXPECT_FALSE(parse_cute_tilers("<3:1").ok());
}

TEST(StridedLayout, EvaluateListsValuesInColexicographicOrder) {
  StridedLayout layout = L("(2,(2,2)):(4,(2,1))");
  EXPECT_EQ(values(layout), (std::vector<int64_t>{0, 4, 2, 6, 1, 5, 3, 7}));
  EXPECT_EQ(layout.cosize(), 8);
  EXPECT_FALSE(layout.evaluate(8).ok());
  EXPECT_FALSE(layout.evaluate(-1).ok());
  std::mt19937_64 rng(62);
  for (int i = 0; i < 500; ++i) {
    StridedLayout random = random_layout(rng, true);
    std::vector<int64_t> all = values(random);
    ASSERT_EQ(static_cast<int64_t>(all.size()), random.size());
    auto guarded = random.to_guarded();
    ASSERT_TRUE(guarded.ok());
    int64_t top = 0;
    for (int64_t k = 0; k < random.size(); ++k) {
      ASSERT_EQ(*random.evaluate(k), all[static_cast<size_t>(k)]);
      ASSERT_EQ(endless(random, k), all[static_cast<size_t>(k)]);
      std::vector<int64_t> point;
      int64_t rest = k;
      for (const Mode& leaf : random.leaves()) {
        point.push_back(rest % leaf.extent);
        rest /= leaf.extent;
      }
      ASSERT_EQ((**guarded->evaluate(point))[0], all[static_cast<size_t>(k)]);
      top = std::max(top, all[static_cast<size_t>(k)]);
    }
    ASSERT_GE(random.cosize(), top + 1);
  }
  EXPECT_EQ(L("(0,3):(1,5)").size(), 0);
  EXPECT_TRUE(values(L("(0,3):(1,5)")).empty());
  EXPECT_FALSE(L("(4096,4096)").values(100).ok());
}

TEST(Algebra, WorkedExamplesOfCute) {
  EXPECT_EQ(text(coalesce(L("(2,(1,6)):(1,(6,2))"))), "12:1");
  EXPECT_EQ(text(composition(L("(6,2):(8,2)"), L("(4,3):(3,1)"))), "((2,2),3):((24,2),8)");
  EXPECT_EQ(text(composition(L("20:2"), L("(5,4):(4,1)"))), "(5,4):(8,2)");
  EXPECT_EQ(text(composition(L("(10,2):(16,4)"), L("(5,4):(1,5)"))), "(5,(2,2)):(16,(80,4))");
  EXPECT_EQ(text(complement(L("4:1"), 24)), "6:4");
  EXPECT_EQ(text(complement(L("6:4"), 24)), "4:1");
  EXPECT_EQ(text(complement(L("(4,6):(1,4)"), 24)), "1:0");
  EXPECT_EQ(text(complement(L("4:2"), 24)), "(2,3):(1,8)");
  EXPECT_EQ(text(complement(L("(2,4):(1,6)"), 24)), "3:2");
  EXPECT_EQ(text(complement(L("(2,2):(1,6)"), 24)), "(3,2):(2,12)");
  EXPECT_EQ(text(logical_divide(L("(4,2,3):(2,1,8)"), L("4:2"))), "((2,2),(2,3)):((4,1),(2,8))");
  EXPECT_EQ(text(logical_product(L("(2,2):(4,1)"), L("6:1"))), "((2,2),(2,3)):((4,1),(2,8))");
  EXPECT_EQ(text(left_inverse(L("(4,8):(1,5)"))), "(5,8):(1,4)");
  EXPECT_EQ(text(left_inverse(L("4:2"))), "(2,4):(0,1)");
  EXPECT_EQ(text(right_inverse(L("(4,8):(8,1)"))), "(8,4):(4,1)");
  EXPECT_EQ(text(right_inverse(L("4:2"))), "1:0");
  // By mode: ((TileM,RestM), (TileN,RestN)) and ((TileM,TileN),(RestM,RestN)).
  auto tilers = *parse_cute_tilers("<3:3,(2,4):(1,8)>");
  EXPECT_EQ(text(logical_divide(L("(9,(4,8)):(59,(13,1))"), tilers)),
            "((3,3),((2,4),(2,2))):((177,59),((13,2),(26,1)))");
  EXPECT_EQ(text(zipped_divide(L("(9,(4,8)):(59,(13,1))"), tilers)),
            "((3,(2,4)),(3,(2,2))):((177,(13,2)),(59,(26,1)))");
}

TEST(Algebra, CoalesceKeepsTheFunctionWithTheFewestModes) {
  std::mt19937_64 rng(63);
  for (int i = 0; i < 3000; ++i) {
    StridedLayout layout = random_layout(rng, i % 2 == 0);
    auto flat = coalesce(layout);
    ASSERT_TRUE(flat.ok());
    ASSERT_EQ(values(*flat), values(layout)) << layout.to_string();
    ASSERT_LE(flat->depth(), 1u);
    std::vector<Mode> leaves = flat->leaves();
    for (size_t k = 1; k < leaves.size(); ++k) ASSERT_NE(leaves[k].stride, leaves[k - 1].stride * leaves[k - 1].extent);
  }
}

TEST(Algebra, CompositionIsExactWheneverItIsGiven) {
  std::mt19937_64 rng(64);
  int given = 0;
  int refused = 0;
  for (int i = 0; i < 8000; ++i) {
    StridedLayout a = random_layout(rng, i % 2 == 0);
    StridedLayout b = random_layout(rng, i % 4 == 0, 100);
    auto r = composition(a, b);
    if (!r.ok()) {
      ++refused;
      continue;
    }
    ++given;
    ASSERT_TRUE(refines(b.root(), r->root())) << a.to_string() << " o " << b.to_string() << " = " << r->to_string();
    for (int64_t k = 0; k < b.size(); ++k) {
      int64_t index = *b.evaluate(k);
      if (index < 0) continue;  // a negative stride of B alone; A has no value there
      ASSERT_EQ(*r->evaluate(k), endless(a, index))
          << a.to_string() << " o " << b.to_string() << " = " << r->to_string();
    }
  }
  EXPECT_GT(given, 2000);
  EXPECT_GT(refused, 200);
}

// A refusal is right when no layout of B's shape has the values: for one-mode B the values tell.
TEST(Algebra, CompositionRefusesOnlyWhatItsConditionsForbid) {
  int given = 0;
  for (int64_t n0 = 1; n0 <= 6; ++n0) {
    for (int64_t n1 = 1; n1 <= 4; ++n1) {
      StridedLayout a = *StridedLayout::create(Mode::of({Mode::leaf(n0, 7), Mode::leaf(n1, 100)}));
      for (int64_t s = 1; s <= 12; ++s) {
        for (int64_t d = 0; d <= 12; ++d) {
          auto r = composition(a, *StridedLayout::leaf(s, d));
          bool whole = n0 == 1 || d == 0 || s == 1 || d % n0 == 0;  // steps over the first mode
          bool inside = (s - 1) * d < n0;                           // never leaves it
          bool nested =
              d > 0 && n0 % d == 0 && s % std::max<int64_t>(n0 / std::max<int64_t>(d, 1), 1) == 0;  // fills it
          ASSERT_EQ(r.ok(), whole || inside || nested) << a.to_string() << " o " << s << ":" << d << " " << text(r);
          given += r.ok() ? 1 : 0;
        }
      }
    }
  }
  EXPECT_GT(given, 1000);
  // Each mode alone is fine, together they carry: CuTe's result is not the composition there.
  auto carry = composition(L("(4,2):(1,10)"), L("(2,2):(3,1)"));
  ASSERT_FALSE(carry.ok());
  EXPECT_NE(carry.status().message().find("carry"), std::string::npos);
}

TEST(Algebra, ComplementIsOrderedDisjointAndReachesTheBound) {
  std::mt19937_64 rng(65);
  int given = 0;
  for (int i = 0; i < 4000; ++i) {
    StridedLayout a = random_layout(rng, i % 3 == 0, 200);
    int64_t bound = static_cast<int64_t>(rng() % 400);
    auto r = complement(a, bound);
    std::set<int64_t> distinct;
    for (int64_t v : values(a)) distinct.insert(v);
    if (!r.ok()) continue;
    ++given;
    std::vector<int64_t> rest = values(*r);
    std::set<int64_t> sums;
    for (size_t k = 0; k < rest.size(); ++k) {
      if (k != 0) {
        ASSERT_LT(rest[k - 1], rest[k]);
      }
      for (int64_t v : distinct) ASSERT_TRUE(sums.insert(v + rest[k]).second) << a.to_string() << " " << r->to_string();
    }
    // Past the last stride the repeats follow each other without a gap until the bound is covered, and stop there.
    int64_t covered = 1;
    for (const Mode& leaf : coalesce(a)->leaves()) covered = std::max(covered, leaf.extent * leaf.stride);
    ASSERT_GE(rest.back() + covered, bound) << a.to_string() << " " << r->to_string();
    ASSERT_LT(rest.back(), bound + covered) << a.to_string() << " " << r->to_string();
  }
  EXPECT_GT(given, 1500);
  EXPECT_NE(text(complement(L("(4,4):(1,2)"), 32)).find("overlaps"), std::string::npos);
  EXPECT_FALSE(complement(L("4:-1"), 8).ok());
  EXPECT_FALSE(complement(L("0:1"), 8).ok());
  // Compact layouts: complement fills [0, bound) exactly.
  for (int64_t n : {1, 2, 3, 5, 8}) {
    for (int64_t m : {1, 2, 3, 7}) {
      auto r = complement(*StridedLayout::leaf(n, m), n * m * 3);
      ASSERT_TRUE(r.ok());
      EXPECT_EQ(r->size() * n, n * m * 3);
    }
  }
}

TEST(Algebra, InversesInvert) {
  std::mt19937_64 rng(66);
  int left = 0;
  int refused = 0;
  for (int i = 0; i < 6000; ++i) {
    StridedLayout a = random_layout(rng, i % 2 == 0, 300);
    auto right = right_inverse(a);
    ASSERT_TRUE(right.ok());
    for (int64_t k = 0; k < right->size(); ++k) {
      ASSERT_EQ(*a.evaluate(*right->evaluate(k)), k) << a.to_string() << " right inverse " << right->to_string();
    }
    std::vector<int64_t> all = values(a);
    std::set<int64_t> distinct(all.begin(), all.end());
    bool injective = distinct.size() == all.size();
    auto collision = find_collision(a);
    ASSERT_TRUE(collision.ok());
    ASSERT_EQ(collision->has_value(), !injective) << a.to_string();
    if (*collision) {
      ASSERT_NE((*collision)->first, (*collision)->second);
      ASSERT_EQ(*a.evaluate((*collision)->first), (*collision)->value);
      ASSERT_EQ(*a.evaluate((*collision)->second), (*collision)->value);
    }
    auto inverse = left_inverse(a);
    if (!inverse.ok()) {
      ++refused;
      continue;
    }
    ++left;
    ASSERT_TRUE(injective);
    for (int64_t k = 0; k < a.size(); ++k) {
      ASSERT_EQ(*inverse->evaluate(all[static_cast<size_t>(k)]), k)
          << a.to_string() << " left inverse " << inverse->to_string();
    }
  }
  EXPECT_GT(left, 1500);
  EXPECT_GT(refused, 500);
  EXPECT_EQ(text(left_inverse(L("(4,2):(1,2)"))).find("none exists, indices 2 and 4 both have the value 2") ==
                std::string::npos,
            false);
}

// The facts' count: every injective two-mode layout that satisfies the divisibility condition gets a right answer.
TEST(Algebra, LeftInverseOfEveryAdmissibleTwoModeLayout) {
  int admissible = 0;
  for (int64_t s0 = 2; s0 <= 6; ++s0) {
    for (int64_t s1 = 2; s1 <= 6; ++s1) {
      for (int64_t d0 = 1; d0 <= 12; ++d0) {
        for (int64_t d1 = 1; d1 <= 12; ++d1) {
          StridedLayout a = *StridedLayout::create(Mode::of({Mode::leaf(s0, d0), Mode::leaf(s1, d1)}));
          std::vector<int64_t> all = values(a);
          if (std::set<int64_t>(all.begin(), all.end()).size() != all.size()) continue;
          if (std::max(d0, d1) % std::min(d0, d1) != 0) continue;
          ++admissible;
          auto inverse = left_inverse(a);
          ASSERT_TRUE(inverse.ok()) << a.to_string() << " " << text(inverse);
          for (size_t k = 0; k < all.size(); ++k) ASSERT_EQ(*inverse->evaluate(all[k]), static_cast<int64_t>(k));
        }
      }
    }
  }
  EXPECT_GE(admissible, 710);
}

TEST(Algebra, DivideGathersTheTileAndProductRepeatsTheBlock) {
  std::mt19937_64 rng(67);
  int divided = 0;
  int multiplied = 0;
  for (int i = 0; i < 6000; ++i) {
    StridedLayout a = random_layout(rng, false, 200);
    StridedLayout t = random_layout(rng, false, 16);
    auto quotient = logical_divide(a, t);
    if (quotient.ok()) {
      ++divided;
      ASSERT_EQ(quotient->rank(), 2u);
      ASSERT_EQ(text(zipped_divide(a, t)), quotient->to_string());
      // The first mode is A∘T, and together they visit A at T(i) + R(j).
      StridedLayout rest = *complement(t, a.size());
      for (int64_t j = 0; j < rest.size(); ++j) {
        for (int64_t k = 0; k < t.size(); ++k) {
          ASSERT_EQ(*quotient->evaluate(k + t.size() * j), endless(a, *t.evaluate(k) + *rest.evaluate(j)))
              << a.to_string() << " / " << t.to_string() << " = " << quotient->to_string();
        }
      }
    }
    auto product = logical_product(t, a);
    if (product.ok()) {
      ++multiplied;
      ASSERT_EQ(product->rank(), 2u);
      ASSERT_EQ(product->root().modes[0], t.root());
      // The blocks do not overlap when A is injective.
      auto collision = find_collision(a);
      auto block = find_collision(t);
      if (!*collision && !*block) {
        ASSERT_FALSE(find_collision(*product)->has_value()) << product->to_string();
      }
    }
  }
  EXPECT_GT(divided, 500);
  EXPECT_GT(multiplied, 500);
}

TEST(Algebra, MaxCommonVectorIsTheLongestCommonPrefix) {
  std::mt19937_64 rng(68);
  int longer = 0;
  for (int i = 0; i < 4000; ++i) {
    StridedLayout a = random_layout(rng, false, 300);
    StridedLayout b = random_layout(rng, false, 300);
    if (i % 2 == 0) b = *StridedLayout::create(Mode::of({a.leaves().front(), b.root()}));
    auto n = max_common_vector(a, b);
    ASSERT_TRUE(n.ok()) << n.status().to_string();
    StridedLayout inverse = *right_inverse(b);
    int64_t want = 1;
    while (want < inverse.size() && endless(a, *inverse.evaluate(want)) == want) ++want;
    if (*inverse.evaluate(want - 1) >= a.size())
      continue;  // beyond A's size the two only have to agree with CuTe's extension
    ASSERT_EQ(*n, want) << a.to_string() << " with " << b.to_string();
    longer += *n > 1 ? 1 : 0;
  }
  EXPECT_GT(longer, 500);
  EXPECT_EQ(*max_common_vector(L("(4,8):(1,4)"), L("(4,8):(1,8)")), 4);
  EXPECT_EQ(*max_common_vector(L("(4,8):(1,4)"), L("(4,8):(1,4)")), 32);
  EXPECT_EQ(*max_common_vector(L("(4,8):(8,1)"), L("(4,8):(1,4)")), 1);
}

// The fast path and isl denote the same function: coalesce as a composition with the flattened index, decided by isl.
TEST(Algebra, IslAgreesWithCoalesceOnCompactPairs) {
  std::mt19937_64 rng(69);
  for (int i = 0; i < 60; ++i) {
    int64_t n0 = 1 + static_cast<int64_t>(rng() % 9), n1 = 1 + static_cast<int64_t>(rng() % 9),
            d = 1 + static_cast<int64_t>(rng() % 5);
    StridedLayout two = *StridedLayout::create(Mode::of({Mode::leaf(n0, d), Mode::leaf(n1, d * n0)}));
    auto one = coalesce(two)->to_guarded();
    auto wide = two.to_guarded();
    ASSERT_TRUE(one.ok() && wide.ok());
    if (one->rank() != 1 || n0 == 1 || n1 == 1) continue;
    // one ∘ (m0, m1 ↦ m0 + n0*m1)
    AffineMap flatten{wide->dims(), integer::Matrix{{1, n0}}, {AffineExpr(0)}};
    auto composed = one->compose(flatten);
    ASSERT_TRUE(composed.ok());
    EXPECT_EQ(*equal_by_isl(*composed, *wide), Verdict::kProved);
  }
}

// An operation that enumerates where it should calculate would run into the test's time-out.
TEST(Algebra, OperationsOnHugeLayoutsDoNotEnumerate) {
  StridedLayout huge = L("(2147483647,1024,65536):(1,2147483648,2199023255552)");
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(coalesce(huge).ok());
    ASSERT_TRUE(composition(huge, L("(2147483647,4):(1,2147483647)")).ok());
    ASSERT_TRUE(right_inverse(huge).ok());
    ASSERT_TRUE(complement(L("2147483648:4"), int64_t{1} << 60).ok());
    ASSERT_TRUE(left_inverse(L("(2147483648,2147483647):(1,2147483648)")).ok());
    ASSERT_TRUE(max_common_vector(L("(2147483648,1024)"), L("(2147483648,1024)")).ok());
  }
}

}  // namespace
}  // namespace tailor::codegen::layout
