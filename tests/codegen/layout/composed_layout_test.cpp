// Oracle: enumeration. Every operation is held to its defining property at every index, refusals to their
// counterexamples.
#include "codegen/layout/composed_layout.h"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "codegen/layout/coordinates.h"
#include "random_layouts.h"

namespace tailor::codegen::layout {
namespace {

ComposedLayout C(std::string_view text) {
  auto layout = ComposedLayout::parse(text);
  EXPECT_TRUE(layout.ok()) << text << ": " << layout.status().to_string();
  return layout.ok() ? *layout : ComposedLayout();
}

// The definition, straight from the bits.
int64_t swizzled(int64_t x, const Swizzle& s) {
  const int64_t mask = ((int64_t{1} << s.bits) - 1) << (s.base + std::max(s.shift, 0));
  return s.shift >= 0 ? x ^ ((x & mask) >> s.shift) : x ^ ((x & mask) << -s.shift);
}

// A beyond its size, as composition reads it: the last mode goes on without end.
int64_t endless(const ComposedLayout& a, int64_t index) {
  const std::vector<Mode> leaves = a.layout().leaves();
  int64_t value = a.offset();
  for (size_t i = 0; i < leaves.size(); ++i) {
    const bool last = i + 1 == leaves.size();
    value += (last ? index : index % leaves[i].extent) * leaves[i].stride;
    index /= leaves[i].extent;
  }
  return a.has_factor() ? static_cast<int64_t>(a.factor().apply_extended(static_cast<uint64_t>(value))) : value;
}

TEST(Swizzle, IsItsFormulaItsOwnInverseAndPrintsBack) {
  for (int b = 0; b <= 4; ++b) {
    for (int m = 0; m <= 4; ++m) {
      for (int s = -5; s <= 5; ++s) {
        auto swizzle = Swizzle::create(b, m, s);
        ASSERT_EQ(swizzle.ok(), std::abs(s) >= b) << b << " " << m << " " << s;
        if (!swizzle.ok()) continue;
        const integer::F2Map map = swizzle->map();
        for (int64_t x = 0; x < 1 << 14; x += 1 + x / 50) {
          const auto image = static_cast<int64_t>(map.apply_extended(static_cast<uint64_t>(x)));
          ASSERT_EQ(image, swizzled(x, *swizzle));
          ASSERT_EQ(swizzled(image, *swizzle), x);
        }
        const auto back = as_swizzle(map);
        ASSERT_TRUE(back.has_value());
        EXPECT_EQ(back->map(), map);
        if (b > 0) {
          EXPECT_EQ(*back, *swizzle);
        }
      }
    }
  }
  EXPECT_FALSE(Swizzle::create(3, 4, 2).ok());
  EXPECT_FALSE(Swizzle::create(3, 50, 10).ok());
  EXPECT_FALSE(Swizzle::create(-1, 0, 3).ok());
}

// The shared-memory swizzles of tensor maps, as functions of the byte address.
TEST(Swizzle, TensorMapModesAreTheseXors) {
  for (int64_t a = 0; a < 4096; ++a) {
    const auto apply = [a](const Swizzle& s) {
      return static_cast<int64_t>(s.map().apply_extended(static_cast<uint64_t>(a)));
    };
    EXPECT_EQ(apply({1, 4, 3}), a ^ ((a >> 3) & 0x10));  // 32 bytes
    EXPECT_EQ(apply({2, 4, 3}), a ^ ((a >> 3) & 0x30));  // 64 bytes
    EXPECT_EQ(apply({3, 4, 3}), a ^ ((a >> 3) & 0x70));  // 128 bytes
  }
}

TEST(ComposedLayout, PrintsAndParsesBack) {
  EXPECT_EQ(C("Sw<3,4,3> o _0 o (_8,_8):(_8,_1)").to_string(), "Sw<3,4,3> o (8,8):(8,1)");
  EXPECT_EQ(C("Swizzle<3,4,3> o 5 o 8:1").to_string(), "Sw<3,4,3> o 5 o 8:1");
  EXPECT_EQ(C("-3 o (4,2)").to_string(), "-3 o (4,2):(1,4)");
  EXPECT_EQ(C("Sw<2,0,2> o Sw<2,0,2> o 16:1").to_string(), "16:1") << "a swizzle twice is none";
  EXPECT_EQ(C("Sw<1,0,2> o Sw<1,1,2> o 16:1").to_string(), "Sw<2,0,2> o 16:1") << "two bits, one after the other";
  EXPECT_EQ(C("Xor<1,3> o 4:1").to_string(), "Sw<1,0,1> o 4:1");
  EXPECT_EQ(C("Xor<2,1> o 4:1").to_string(), "Xor<2,1> o 4:1");
  RandomLayouts random{std::mt19937_64(411)};
  for (int i = 0; i < 3000; ++i) {
    const ComposedLayout layout = random.composed(i % 2 == 0);
    EXPECT_EQ(C(layout.to_string()), layout) << layout.to_string();
  }
}

TEST(ComposedLayout, ErrorsNamePositionAndRule) {
  for (auto [bad, part] : {std::pair{"Sw<3,4> o 8:1", "three integers B, M, S"},
                           {"Sw<3,4,3 o 8:1", "expected '>', found 'o'"},
                           {"Sw<3,4,3> 8:1", "expected 'o' after a swizzle, found '8'"},
                           {"Sw<3,4,2> o 8:1", "|S| must be at least B"},
                           {"Sw<3,4,3> o -1 o 8:1", "the value -1 meets an xor"},
                           {"Sw<3,4,3> o 8:-1", "must not be negative"},
                           {"Sw<1,0,1> o 3:4611686018427387000", "must be below 2^62"},
                           {"Sw<1,0,1> o 2:4611686018427387904", "must be below 2^62"},
                           {"9223372036854775807 o 2:1", "overflows"},
                           {"Xor<-1> o 8:1", "negative"},
                           {"Xor<4611686018427387904> o 8:1", "below 2^62"},
                           {"Sw<3,4,99999999999> o 8:1", "at most 62"},
                           {"Sw<3,4,3> o", "expected an integer or '(', found the end"},
                           {"5 o 6 o 8:1", "expected the end, found 'o'"}}) {
    auto layout = ComposedLayout::parse(bad);
    ASSERT_FALSE(layout.ok()) << bad;
    EXPECT_NE(layout.status().message().find(part), std::string::npos) << bad << ": " << layout.status().message();
  }
}

TEST(ComposedLayout, ValuesAreTheDefinitionAndCosizeBoundsThem) {
  RandomLayouts random{std::mt19937_64(412)};
  for (int i = 0; i < 3000; ++i) {
    const ComposedLayout layout = random.composed(false);
    const std::vector<int64_t> values = *layout.values();
    int64_t largest = -1;
    for (int64_t k = 0; k < layout.size(); ++k) {
      const int64_t sum = layout.offset() + *layout.layout().evaluate(k);
      const int64_t expected =
          layout.has_factor() ? static_cast<int64_t>(layout.factor().apply_extended(static_cast<uint64_t>(sum))) : sum;
      ASSERT_EQ(values[static_cast<size_t>(k)], expected);
      ASSERT_EQ(*layout.evaluate(k), expected);
      largest = std::max(largest, expected);
    }
    if (!layout.is_strided()) {
      EXPECT_EQ(layout.cosize(), std::max<int64_t>(largest + 1, 0)) << layout.to_string();
    }
    EXPECT_FALSE(layout.evaluate(layout.size()).ok());
  }
  EXPECT_EQ(C("Sw<1,0,1> o 3:1").cosize(), 4) << "the xor leaves the range of the layout";
  EXPECT_GE(C("Sw<1,0,1> o 2147483647:1").cosize(), 2147483647);
  EXPECT_EQ(C("Sw<3,4,3> o 0:1").cosize(), 0);
}

TEST(ComposedLayout, CompositionIsApplicationInTurn) {
  RandomLayouts random{std::mt19937_64(413)};
  int made = 0;
  int through = 0;
  for (int i = 0; i < 20000; ++i) {
    const bool pow2 = i % 3 != 0;
    const ComposedLayout a = random.composed(pow2);
    ComposedLayout b = random.composed(pow2);
    if (i % 2 == 0) b = *ComposedLayout::create(b.factor(), 0, *StridedLayout::leaf(a.size(), 1));
    const auto both = composition(a, b);
    if (!both.ok()) continue;
    ++made;
    through += b.has_factor() && a.layout().leaves().size() > 1 ? 1 : 0;
    ASSERT_EQ(both->size(), b.size());
    for (int64_t k = 0; k < b.size(); ++k) {
      const int64_t inner = *b.evaluate(k);
      ASSERT_EQ(*both->evaluate(k), inner < 0 ? *both->evaluate(k) : endless(a, inner))
          << a.to_string() << " after " << b.to_string() << " = " << both->to_string() << " at " << k;
    }
  }
  EXPECT_GT(made, 3000);
  EXPECT_GT(through, 300);
}

// An offset that comes to stand between two factors: by enumeration the result is right, and a refusal means that no
// single offset before the inner factor does.
TEST(ComposedLayout, OffsetsPassAnInnerFactorWhereThatIsExact) {
  EXPECT_EQ(composition(C("Sw<3,4,3> o 1024 o 1024:1"), C("Sw<1,0,3> o 1024:1"))->to_string(),
            "Xor<1,2,4,9,16,32,64,144,288,576> o 1024 o 1024:1")
      << "aligned above the bits that move";
  EXPECT_EQ(composition(C("Sw<1,0,4> o 5 o 64:1"), C("Sw<1,3,1> o (4,2):(16,8)"))->to_string(),
            "Xor<1,2,4,8,25> o 5 o (4,2):(16,8)")
      << "below them, without a carry";
  RandomLayouts random{std::mt19937_64(418)};
  int passed = 0;
  int refused = 0;
  int missed = 0;
  for (int i = 0; i < 6000; ++i) {
    const int64_t offset = 1 + random.below(int64_t{1} << (1 + i % 7));
    const auto a = ComposedLayout::create(random.swizzle(6).map(), offset, *StridedLayout::leaf(128, 1));
    const auto b = ComposedLayout::create(random.swizzle(6).map(), random.rng() % 2 == 0 ? 0 : random.below(32),
                                          random.layout(false, true));
    if (!a.ok() || !b.ok() || b->cosize() > 128) continue;
    const auto both = composition(*a, *b);
    if (both.ok()) {
      ++passed;
      for (int64_t k = 0; k < b->size(); ++k) ASSERT_EQ(*both->evaluate(k), endless(*a, *b->evaluate(k)));
      continue;
    }
    if (both.status().message().find("between two xor factors") == std::string::npos) continue;
    ++refused;
    // offset + X(y) = X(u + y) has no solution u: try them all.
    const ComposedLayout inner = *composition(ComposedLayout(a->layout()), *b);
    for (int64_t u = -256; u < 512; ++u) {
      bool right = true;
      for (int64_t k = 0; right && k < b->size(); ++k) {
        const int64_t y = inner.offset() + *inner.layout().evaluate(k);
        right = u + y >= 0 && offset + *inner.evaluate(k) ==
                                  static_cast<int64_t>(inner.factor().apply_extended(static_cast<uint64_t>(u + y)));
      }
      missed += right ? 1 : 0;
    }
  }
  EXPECT_GT(passed, 500);
  EXPECT_GT(refused, 100);
  EXPECT_EQ(missed, 0) << "a refusal where one offset is right";
}

TEST(ComposedLayout, ComplementFillsTheGapsOfTheValues) {
  RandomLayouts random{std::mt19937_64(419)};
  int made = 0;
  int refused = 0;
  for (int i = 0; i < 6000; ++i) {
    const ComposedLayout layout = random.composed(i % 3 != 0);
    const auto rest = complement(layout, 256);
    if (!rest.ok()) {
      ++refused;
      continue;
    }
    made += layout.has_factor() ? 1 : 0;
    const std::vector<int64_t> repeats = *rest->values();
    ASSERT_TRUE(std::is_sorted(repeats.begin(), repeats.end()));
    const std::vector<int64_t> given = *layout.values();
    std::set<int64_t> sums;
    for (int64_t value : std::set<int64_t>(given.begin(), given.end())) {
      for (int64_t repeat : repeats) {
        ASSERT_TRUE(sums.insert(value + repeat).second) << layout.to_string() << " and " << rest->to_string();
      }
    }
  }
  EXPECT_GT(made, 500);
  EXPECT_GT(refused, 100);
  EXPECT_EQ(complement(C("Sw<3,4,3> o (8,128):(128,1)"), 4096)->to_string(), "4:1024");
  EXPECT_EQ(complement(C("Sw<1,0,1> o 12:1"), 48)->to_string(), "4:12");
  EXPECT_EQ(complement(C("Xor<3> o 2:1"), 8)->to_string(), complement(C("2:3"), 8)->to_string()) << "the values 0, 3";
  EXPECT_NE(complement(C("Xor<3,6> o 4:1"), 16).status().message().find("their sum"), std::string::npos);
}

TEST(ComposedLayout, NullspaceIsWhereTheValueStaysAndDiceKeepsTheFactor) {
  RandomLayouts random{std::mt19937_64(420)};
  int larger = 0;
  for (int i = 0; i < 6000; ++i) {
    const ComposedLayout layout = random.composed(i % 3 != 0);
    const auto null = nullspace(layout);
    if (!null.ok()) continue;
    const std::vector<int64_t> values = *layout.values();
    std::set<int64_t> indices;
    for (int64_t k = 0; k < null->size(); ++k) {
      const int64_t index = *null->evaluate(k);
      ASSERT_EQ(values.at(static_cast<size_t>(index)), values[0]) << layout.to_string() << " " << null->to_string();
      indices.insert(index);
    }
    ASSERT_EQ(static_cast<int64_t>(indices.size()), null->size()) << "no index twice";
    if (!layout.has_factor() || layout.factor().inverse_extended() || !linear_over_f2(layout).ok()) continue;
    // All of them, where the layout is linear.
    ASSERT_EQ(std::count(values.begin(), values.end(), values[0]), null->size()) << layout.to_string();
    larger += null->size() > 1 ? 1 : 0;
  }
  EXPECT_GT(larger, 50);
  const ComposedLayout layout = C("Sw<3,4,3> o 3 o (8,(4,32)):(128,(1,4))");
  const auto part = dice(layout, *parse_coordinate("(_,(1,1))"));
  ASSERT_TRUE(part.ok());
  EXPECT_EQ(part->size(), 128);
  for (int64_t k = 0; k < 128; ++k) EXPECT_EQ(*part->evaluate(k), *layout.evaluate(8 * k));
}

TEST(ComposedLayout, CompositionRefusesWithAReason) {
  for (auto [a, b, part] : {std::tuple{"8:1", "Sw<1,0,3> o 16:1", "leaves the domain"},
                            {"(3,4):(4,1)", "Sw<1,0,2> o 12:1", "has to pass through a layout"},
                            {"(4,4):(1,3)", "Sw<1,0,2> o 16:1", "their xor is"},
                            {"(3,4):(4,1)", "Sw<1,0,3> o 12:1", "leaves the domain"},
                            {"(2,4):(1,10)", "1 o 4:1", "carries"},
                            {"Sw<1,0,1> o 1 o 4:1", "Sw<1,0,1> o 4:1", "between two xor factors"}}) {
    const auto both = composition(C(a), C(b));
    ASSERT_FALSE(both.ok()) << a << " " << b << " " << both->to_string();
    EXPECT_EQ(both.status().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(both.status().message().find(part), std::string::npos) << both.status().message();
  }
}

TEST(ComposedLayout, LinearFormIsLinearAndRefusalsAreTrue) {
  RandomLayouts random{std::mt19937_64(414)};
  int linear = 0;
  for (int i = 0; i < 5000; ++i) {
    const ComposedLayout layout = random.composed(i % 4 != 0);
    const auto map = linear_over_f2(layout);
    const std::vector<int64_t> values = *layout.values();
    bool is_linear = (values.size() & (values.size() - 1)) == 0 && values[0] == 0;
    for (size_t x = 0; is_linear && x < values.size(); ++x) {
      for (size_t y = 1; is_linear && y < values.size(); y *= 2) is_linear = values[x ^ y] == (values[x] ^ values[y]);
    }
    if (map.ok()) {
      ++linear;
      ASSERT_TRUE(is_linear) << layout.to_string();
      for (size_t x = 0; x < values.size(); ++x)
        ASSERT_EQ(static_cast<int64_t>(map->apply(x)), values[x]) << layout.to_string();
      const ComposedLayout back = *from_f2(*map);
      EXPECT_EQ(*back.values(), values) << layout.to_string() << " " << back.to_string();
    } else if (layout.is_strided() && *std::min_element(values.begin(), values.end()) >= 0) {
      EXPECT_FALSE(is_linear) << layout.to_string() << ": " << map.status().message();
    }
  }
  EXPECT_GT(linear, 500);
}

TEST(ComposedLayout, InversesUndoAndRefusalsHaveTrueCounterexamples) {
  RandomLayouts random{std::mt19937_64(415)};
  int left = 0;
  int right = 0;
  for (int i = 0; i < 12000; ++i) {
    const ComposedLayout layout = random.composed(i % 3 != 0);
    const std::vector<int64_t> values = *layout.values();
    const auto collision = find_collision(layout);
    ASSERT_TRUE(collision.ok());
    const bool injective = std::set<int64_t>(values.begin(), values.end()).size() == values.size();
    ASSERT_EQ(!collision->has_value(), injective) << layout.to_string();
    if (*collision) {
      EXPECT_NE((*collision)->first, (*collision)->second);
      EXPECT_EQ(values[static_cast<size_t>((*collision)->first)], (*collision)->value) << layout.to_string();
      EXPECT_EQ(values[static_cast<size_t>((*collision)->second)], (*collision)->value) << layout.to_string();
    }
    if (const auto inverse = left_inverse(layout); inverse.ok()) {
      ++left;
      ASSERT_TRUE(injective) << layout.to_string();
      for (size_t k = 0; k < values.size(); ++k) {
        const auto back = inverse->evaluate(values[k]);
        ASSERT_TRUE(back.ok()) << layout.to_string() << " -> " << inverse->to_string() << " at " << values[k];
        ASSERT_EQ(*back, static_cast<int64_t>(k)) << layout.to_string() << " -> " << inverse->to_string();
      }
    }
    if (const auto inverse = right_inverse(layout); inverse.ok()) {
      ++right;
      for (int64_t k = 0; k < inverse->size(); ++k) {
        const auto index = inverse->evaluate(k);
        ASSERT_TRUE(index.ok() && *index >= 0 && *index < layout.size()) << layout.to_string();
        ASSERT_EQ(values[static_cast<size_t>(*index)], k) << layout.to_string() << " -> " << inverse->to_string();
      }
    }
  }
  EXPECT_GT(left, 2000);
  EXPECT_GT(right, 2000);
  EXPECT_EQ(right_inverse(C("Sw<3,4,3> o 1024:1"))->to_string(), "Sw<3,4,3> o 1024:1");
  EXPECT_EQ(left_inverse(C("Sw<3,4,3> o (8,128):(128,1)"))->size(), 1024);
  const auto none = left_inverse(C("Xor<1,1> o 4:1"));
  ASSERT_FALSE(none.ok());
  EXPECT_NE(none.status().message().find("indices 0 and 3 both have the value 0"), std::string::npos)
      << none.status().message();
}

TEST(ComposedLayout, DecayKeepsTheValues) {
  RandomLayouts random{std::mt19937_64(416)};
  int decayed = 0;
  for (int i = 0; i < 5000; ++i) {
    const ComposedLayout layout = random.composed(true);
    const auto plain = decay(layout);
    if (!plain.ok()) continue;
    decayed += layout.has_factor() ? 1 : 0;
    EXPECT_FALSE(plain->has_factor());
    EXPECT_EQ(*plain->values(), *layout.values()) << layout.to_string() << " -> " << plain->to_string();
  }
  EXPECT_GT(decayed, 500);
  EXPECT_EQ(decay(C("Sw<3,4,3> o (8,8):(8,1)"))->to_string(), "(8,8):(8,1)");
  EXPECT_EQ(decay(C("Sw<3,0,3> o 24 o 8:1"))->to_string(), "27 o (4,2):(-1,4)") << "bits 0 and 1 of row 3 are set";
  EXPECT_FALSE(decay(C("Sw<2,0,2> o 16:1")).ok());
}

// n elements at once: wherever the common order starts a group of n, both layouts keep it in one piece.
TEST(ComposedLayout, CommonVectorsAreNotTorn) {
  RandomLayouts random{std::mt19937_64(417)};
  int wide = 0;
  for (int i = 0; i < 4000; ++i) {
    const StridedLayout base = random.layout(false, true);
    const ComposedLayout a = *ComposedLayout::create(random.swizzle(7).map(), 0, base);
    const auto n = max_common_vector(a, ComposedLayout(base));
    ASSERT_TRUE(n.ok());
    const auto inverse = right_inverse(base);
    wide += *n > 1 ? 1 : 0;
    for (int64_t start = 0; start + *n <= inverse->size(); start += *n) {
      const int64_t first = *a.evaluate(*inverse->evaluate(start));
      for (int64_t k = 1; k < *n; ++k) {
        ASSERT_EQ(*a.evaluate(*inverse->evaluate(start + k)), first + k) << a.to_string() << " " << *n;
      }
    }
  }
  EXPECT_GT(wide, 500);
}

}  // namespace
}  // namespace tailor::codegen::layout
