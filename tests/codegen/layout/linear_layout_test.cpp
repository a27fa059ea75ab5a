// Oracles: enumeration, and the identities that linear layouts keep (product, composition, inverse), with bases written
// out as literals.
#include "codegen/layout/linear_layout.h"

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "random_layouts.h"

namespace tailor::codegen::layout {
namespace {

LinearLayout make(std::vector<LinearInput> inputs, std::vector<LinearOutput> outputs) {
  auto layout = LinearLayout::create(std::move(inputs), std::move(outputs));
  EXPECT_TRUE(layout.ok()) << layout.status().message();
  return layout.ok() ? *layout : LinearLayout();
}

// Every input coordinate in order, the first dimension fastest.
std::vector<std::vector<int64_t>> coordinates_of(const LinearLayout& layout) {
  std::vector<std::vector<int64_t>> all{{}};
  for (size_t k = 0; k < layout.inputs().size(); ++k) {
    std::vector<std::vector<int64_t>> more;
    for (int64_t x = 0; x < layout.input_size(k); ++x) {
      for (std::vector<int64_t> c : all) {
        c.push_back(x);
        more.push_back(std::move(c));
      }
    }
    all = std::move(more);
  }
  return all;
}

LinearLayout random_linear(std::mt19937_64& rng, const std::vector<std::pair<std::string, int>>& inputs,
                           const std::vector<LinearOutput>& outputs) {
  std::vector<LinearInput> made;
  for (const auto& [name, bits] : inputs) {
    LinearInput input{name, {}};
    for (int i = 0; i < bits; ++i) {
      std::vector<int64_t> base;
      for (const LinearOutput& output : outputs)
        base.push_back(static_cast<int64_t>(rng() % static_cast<uint64_t>(output.size)));
      input.bases.push_back(base);
    }
    made.push_back(input);
  }
  return make(made, outputs);
}

TEST(LinearLayout, BlockedEncodingIsLanesThenWarps) {
  // 16 elements, one per thread, 4 lanes, 4 warps.
  const LinearLayout layout = make({{"register", {}}, {"lane", {{1}, {2}}}, {"warp", {{4}, {8}}}}, {{"dim0", 16}});
  for (int64_t lane = 0; lane < 4; ++lane) {
    for (int64_t warp = 0; warp < 4; ++warp) {
      EXPECT_EQ(*layout.apply({0, lane, warp}), std::vector<int64_t>{lane + 4 * warp});
    }
  }
  EXPECT_TRUE(layout.is_invertible());
  EXPECT_EQ(layout.to_layout()->to_string(), "16:1");
  EXPECT_EQ(layout.to_string(), "{register:; lane: (1) (2); warp: (4) (8)} -> {dim0: 16}");
}

TEST(LinearLayout, ApplyIsXorOfBases) {
  std::mt19937_64 rng(431);
  for (int i = 0; i < 500; ++i) {
    const LinearLayout layout = random_linear(rng, {{"a", 2}, {"b", 3}}, {{"x", 4}, {"y", 8}});
    std::set<std::vector<int64_t>> image;
    for (const auto& c : coordinates_of(layout)) {
      std::vector<int64_t> expected{0, 0};
      for (size_t k = 0; k < c.size(); ++k) {
        for (size_t bit = 0; bit < layout.inputs()[k].bases.size(); ++bit) {
          if (((c[k] >> bit) & 1) == 0) continue;
          for (size_t o = 0; o < 2; ++o) expected[o] ^= layout.inputs()[k].bases[bit][o];
        }
      }
      ASSERT_EQ(*layout.apply(c), expected);
      image.insert(expected);
    }
    EXPECT_EQ(layout.is_surjective(), image.size() == 32);
    EXPECT_EQ(layout.is_injective(), image.size() == 32);
    // One owner per output once the free bits are held at 0.
    const std::vector<int64_t> free = layout.free_variable_masks();
    std::multiset<std::vector<int64_t>> owned;
    for (const auto& c : coordinates_of(layout)) {
      if ((c[0] & free[0]) == 0 && (c[1] & free[1]) == 0) owned.insert(*layout.apply(c));
    }
    EXPECT_EQ(owned.size(), image.size());
    EXPECT_EQ(std::set<std::vector<int64_t>>(owned.begin(), owned.end()), image);
  }
}

TEST(LinearLayout, ProductsOfIdentitiesAndZeros) {
  const auto id = [](int64_t n, const char* in, const char* out) { return *LinearLayout::identity(n, in, out); };
  EXPECT_EQ(*id(4, "in", "out").product(id(8, "in", "out")), id(32, "in", "out"));
  EXPECT_EQ(*id(4, "in", "out").product(*LinearLayout::zeros(2, "in", "out")),
            make({{"in", {{1}, {2}, {0}}}}, {{"out", 4}}));
  EXPECT_EQ(*LinearLayout::zeros(2, "in", "out")->product(id(4, "in", "out")),
            make({{"in", {{0}, {1}, {2}}}}, {{"out", 4}}));
  EXPECT_EQ(*id(4, "i1", "o1").product(id(8, "i2", "o2")),
            make({{"i1", {{1, 0}, {2, 0}}}, {"i2", {{0, 1}, {0, 2}, {0, 4}}}}, {{"o1", 4}, {"o2", 8}}));
  EXPECT_EQ(*id(4, "in", "o1").product(id(8, "in", "o2")),
            make({{"in", {{1, 0}, {2, 0}, {0, 1}, {0, 2}, {0, 4}}}}, {{"o1", 4}, {"o2", 8}}));
  EXPECT_EQ(*id(1, "in", "out").product(id(4, "in", "out")), id(4, "in", "out")) << "1 is neutral";
  std::mt19937_64 rng(432);
  for (int i = 0; i < 200; ++i) {
    const LinearLayout a = random_linear(rng, {{"p", 2}}, {{"x", 4}});
    const LinearLayout b = random_linear(rng, {{"p", 1}, {"q", 2}}, {{"x", 2}, {"y", 4}});
    const LinearLayout c = random_linear(rng, {{"q", 1}}, {{"y", 8}});
    EXPECT_EQ(*a.product(*b.product(c)), *a.product(b)->product(c)) << "associative";
  }
}

TEST(LinearLayout, CompositionIsApplicationInTurn) {
  std::mt19937_64 rng(433);
  for (int i = 0; i < 300; ++i) {
    const LinearLayout inner = random_linear(rng, {{"a", 2}, {"b", 2}}, {{"x", 4}, {"y", 8}});
    const LinearLayout outer = random_linear(rng, {{"x", 2}, {"y", 3}}, {{"u", 2}, {"v", 16}});
    const LinearLayout both = *inner.compose(outer);
    for (const auto& c : coordinates_of(inner)) ASSERT_EQ(*both.apply(c), *outer.apply(*inner.apply(c)));
  }
  const LinearLayout x = *LinearLayout::identity(8, "i", "x");
  EXPECT_FALSE(x.compose(*LinearLayout::identity(4, "x", "z")).ok()) << "the input is too small";
  EXPECT_FALSE(x.compose(*LinearLayout::identity(8, "y", "z")).ok()) << "names differ";
}

TEST(LinearLayout, InversesUndoAndRefusalsNameTwoInputs) {
  std::mt19937_64 rng(434);
  int inverted = 0;
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    const LinearLayout layout = random_linear(rng, {{"a", 2}, {"b", 2}}, {{"x", 4}, {"y", 4}});
    const auto inverse = layout.invert();
    ASSERT_EQ(inverse.ok(), layout.is_invertible());
    if (!inverse.ok()) {
      ++refused;
      EXPECT_NE(inverse.status().message().find("none exists"), std::string::npos);
      continue;
    }
    ++inverted;
    for (const auto& c : coordinates_of(layout)) ASSERT_EQ(*inverse->apply(*layout.apply(c)), c);
    EXPECT_EQ(*inverse->invert(), layout);
    const LinearLayout other = random_linear(rng, {{"t", 3}}, {{"x", 4}, {"y", 4}});
    const LinearLayout between = *other.invert_and_compose(layout);
    EXPECT_EQ(*between.compose(layout), other) << "other = layout ∘ between";
  }
  EXPECT_GT(inverted, 300);
  EXPECT_GT(refused, 300);
  const auto broadcast = make({{"lane", {{1}, {0}}}}, {{"x", 2}}).invert();
  ASSERT_FALSE(broadcast.ok());
  EXPECT_NE(broadcast.status().message().find("the inputs lane=0 and lane=2 have the same output"), std::string::npos)
      << broadcast.status().message();
  const LinearLayout back = *make({{"lane", {{1}, {0}}}}, {{"x", 2}}).pseudoinvert();
  EXPECT_EQ(*back.apply({1}), std::vector<int64_t>{1});
}

TEST(LinearLayout, ImportedAndExportedLayoutsHaveTheSameValues) {
  std::mt19937_64 rng(435);
  for (int i = 0; i < 1000; ++i) {
    const LinearLayout layout = random_linear(rng, {{"a", 3}, {"b", 3}}, {{"x", 8}, {"y", 8}});
    const ComposedLayout composed = *layout.to_layout();
    const auto all = coordinates_of(layout);
    for (size_t k = 0; k < all.size(); ++k) {
      const std::vector<int64_t> out = *layout.apply(all[k]);
      ASSERT_EQ(*composed.evaluate(static_cast<int64_t>(k)), out[0] + 8 * out[1]) << composed.to_string();
    }
    const LinearLayout again = *LinearLayout::from_layout(composed, {{"a", 8}, {"b", 8}}, "z");
    EXPECT_EQ(again.flat(), layout.flat());
  }
  RandomLayouts random{std::mt19937_64(436)};
  int imported = 0;
  for (int i = 0; i < 2000; ++i) {
    const ComposedLayout layout = random.composed(true);
    const auto linear = LinearLayout::from_layout(layout, {{"i", layout.size()}}, "o");
    if (!linear.ok()) continue;
    ++imported;
    for (int64_t k = 0; k < layout.size(); ++k) ASSERT_EQ((*linear->apply({k}))[0], *layout.evaluate(k));
  }
  EXPECT_GT(imported, 500);
}

LinearLayout L(std::string_view text) {
  auto layout = LinearLayout::parse(text);
  EXPECT_TRUE(layout.ok()) << text << ": " << layout.status().message();
  return layout.ok() ? *layout : LinearLayout();
}

TEST(LinearLayout, TextPrintsAndParsesBack) {
  for (const char* text :
       {"{} -> {}", "{register:; lane: (1) (2); warp: (4) (8)} -> {dim0: 16}",
        "{register: (0,1) (0,2); lane: (1,0)} -> {dim0: 2, dim1: 4}", "{a: () ()} -> {}", "{a:} -> {x: 1, y: 8}"}) {
    EXPECT_EQ(L(text).to_string(), text);
  }
  EXPECT_EQ(L(" { lane :(1)( 2 ) ; warp:(4) }->{ dim0:8 } "), L("{lane: (1) (2); warp: (4)} -> {dim0: 8}"));
  std::mt19937_64 rng(437);
  for (int i = 0; i < 500; ++i) {
    const LinearLayout layout = random_linear(rng, {{"a", static_cast<int>(rng() % 4)}, {"b.c", 2}, {"d_1", 0}},
                                              {{"x", int64_t{1} << rng() % 5}, {"y", 8}});
    EXPECT_EQ(L(layout.to_string()), layout) << layout.to_string();
  }
}

TEST(LinearLayout, TextErrorsNamePositionAndToken) {
  for (auto [bad, part] : {std::pair{"", "position 0: expected '{', found the end"},
                           {"{lane (1)} -> {x: 2}", "position 6: expected ':', found '(1)} -> {x: '"},
                           {"{lane: (1 2)} -> {x: 2}", "position 10: expected ',' or ')', found '2)} -> {x: 2'"},
                           {"{lane: (1,)} -> {x: 2}", "position 10: expected an integer"},
                           {"{lane: (-1)} -> {x: 2}", "position 8: expected an integer"},
                           {"{lane: (1), warp: (1)} -> {x: 2}", "expected '(', ';' or '}'"},
                           {"{lane: (1)} {x: 2}", "position 12: expected '->'"},
                           {"{lane: (1)} -> {x: 2; y: 2}", "expected ',' or '}'"},
                           {"{lane: (1)} -> {x: two}", "position 19: expected an integer"},
                           {"{1: (1)} -> {x: 2}", "position 1: expected a name"},
                           {"{mod: (1)} -> {x: 2}", "not a keyword"},
                           {"{lane: (1)} -> {x: 2} o 8:1", "position 22: expected the end"},
                           {"{lane: (99999999999999999999)} -> {x: 2}", "at most 9223372036854775807"},
                           {"{lane: (1)} -> {x: 3}", "size 3; it must be a power of two"},
                           {"{lane: (2)} -> {x: 2}", "must be in [0, 2)"},
                           {"{lane: (1,1)} -> {x: 2}", "has 2 coordinates, there are 1 outputs"},
                           {"{lane: (1); lane: (1)} -> {x: 2}", "appears twice"}}) {
    const auto layout = LinearLayout::parse(bad);
    ASSERT_FALSE(layout.ok()) << bad;
    EXPECT_NE(layout.status().message().find(part), std::string::npos) << bad << ": " << layout.status().message();
  }
  EXPECT_FALSE(LinearLayout::create({{"a b", {}}}, {}).ok()) << "such a name would not parse back";
}

// Identities of Triton's linear layouts, both sides read by the importer.
TEST(LinearLayout, IdentitiesOfTritonHoldThroughTheImporter) {
  // identity1D, zeros1D, strided1D
  EXPECT_EQ(*LinearLayout::identity(8, "in", "out"), L("{in: (1) (2) (4)} -> {out: 8}"));
  EXPECT_EQ(*LinearLayout::zeros(8, "in", "out"), L("{in: (0) (0) (0)} -> {out: 1}"));
  EXPECT_EQ(*LinearLayout::zeros(4, "in", "out", 4), L("{in: (0) (0)} -> {out: 4}"));
  EXPECT_EQ(*LinearLayout::strided(4, 8, "in", "out"), L("{in: (8) (16)} -> {out: 32}"));
  for (int64_t x = 0; x < 4; ++x) {
    EXPECT_EQ(*LinearLayout::strided(4, 8, "in", "out")->apply({x}), std::vector<int64_t>{8 * x});
  }
  EXPECT_FALSE(LinearLayout::strided(4, 3, "in", "out").ok());
  // The blocked encoding of 16 elements over 4 lanes and 4 warps (LinearLayoutConversions): lanes, then warps.
  const LinearLayout blocked = L("{register:; lane: (1) (2); warp: (4) (8); block:} -> {dim0: 16}");
  EXPECT_EQ(*LinearLayout::identity(4, "lane", "dim0")->product(*LinearLayout::identity(4, "warp", "dim0")),
            *blocked.sublayout({"lane", "warp"}, {"dim0"}));
  // L(a xor b) = L(a) xor L(b), composition is associative, C of invertAndCompose solves A = B ∘ C, a product is
  // divided by either factor, and sublayouts of a product are its factors.
  std::mt19937_64 rng(438);
  int solved = 0;
  for (int i = 0; i < 300; ++i) {
    const LinearLayout a = L(random_linear(rng, {{"p", 2}, {"q", 2}}, {{"x", 4}, {"y", 8}}).to_string());
    for (int k = 0; k < 20; ++k) {
      const std::vector<int64_t> u{static_cast<int64_t>(rng() % 4), static_cast<int64_t>(rng() % 4)};
      const std::vector<int64_t> v{static_cast<int64_t>(rng() % 4), static_cast<int64_t>(rng() % 4)};
      std::vector<int64_t> sum = *a.apply(u);
      for (size_t o = 0; o < 2; ++o) sum[o] ^= (*a.apply(v))[o];
      ASSERT_EQ(*a.apply({u[0] ^ v[0], u[1] ^ v[1]}), sum);
    }
    const LinearLayout b = L(random_linear(rng, {{"x", 2}, {"y", 3}}, {{"u", 4}, {"v", 4}}).to_string());
    const LinearLayout c = L(random_linear(rng, {{"u", 2}, {"v", 2}}, {{"w", 16}}).to_string());
    EXPECT_EQ(*a.compose(b)->compose(c), *a.compose(*b.compose(c)));
    const LinearLayout target = L(random_linear(rng, {{"lane", 3}}, {{"u", 4}, {"v", 4}}).to_string());
    if (const auto between = target.invert_and_compose(b); between.ok()) {
      ++solved;
      EXPECT_EQ(*between->compose(b), target);
    }
    const LinearLayout f = random_linear(rng, {{"p", 1}, {"q", 2}}, {{"x", 2}, {"y", 4}});
    const LinearLayout g = random_linear(rng, {{"p", 2}, {"q", 1}}, {{"x", 4}, {"y", 2}});
    const LinearLayout both = *f.product(g);
    EXPECT_EQ(*both.divide_left(f), g);
    EXPECT_EQ(*both.divide_right(g), f);
    std::vector<LinearInput> inputs = both.inputs();
    inputs[0].bases[0][1] ^= 4;  // a bit of g's, in a base of f's
    EXPECT_FALSE(make(inputs, both.outputs()).divide_left(f).ok());
    const LinearLayout h = random_linear(rng, {{"r", 2}}, {{"z", 4}});
    EXPECT_EQ(*f.product(h)->sublayout({"r"}, {"z"}), h);
    EXPECT_EQ(*f.product(h)->sublayout({"p", "q"}, {"x", "y"}), f);
  }
  EXPECT_GT(solved, 100);
  // divideLeft's own examples: what is not a product is refused.
  EXPECT_FALSE(L("{in: (1) (3)} -> {out: 4}").divide_left(*LinearLayout::identity(2, "in", "out")).ok());
  EXPECT_FALSE(L("{in: (1)} -> {out: 2}").divide_left(*LinearLayout::identity(4, "in", "out")).ok());
  EXPECT_FALSE(L("{in: (1)} -> {out: 2}").sublayout({"in", "other"}, {"out"}).ok());
  // Free variables: bits whose change changes nothing.
  EXPECT_EQ(L("{lane: (1) (0); warp: (2) (2)} -> {x: 4}").free_variable_masks(), (std::vector<int64_t>{2, 2}));
  // A surjection has a section.
  const LinearLayout wide = L("{lane: (1) (1) (2)} -> {x: 4}");
  EXPECT_EQ(*wide.pseudoinvert()->compose(wide), L("{x: (1) (2)} -> {x: 4}"));
}

// Swizzled layouts come back in the notation they were written in; what is not strided has an xor factor.
TEST(LinearLayout, ImportsKeepTheNormalFormOfTheFactor) {
  for (const char* text : {"Sw<3,4,3> o (8,128):(128,1)", "Sw<2,0,3> o 64:1", "Sw<3,3,3> o (8,8,8):(64,8,1)",
                           "(4,8):(8,1)", "Xor<1,3,5> o (2,2,2):(4,1,2)", "Sw<1,0,2> o (2,2,2):(4,0,1)"}) {
    const ComposedLayout layout = *ComposedLayout::parse(text);
    const LinearLayout linear = *LinearLayout::from_layout(layout, {{"i", layout.size()}}, "o");
    const ComposedLayout back = *L(linear.to_string()).to_layout();
    EXPECT_EQ(*back.values(), *layout.values()) << text;
    EXPECT_EQ(back.factor(), layout.factor()) << text << " -> " << back.to_string();
    // In normal form: the map determines the text.
    EXPECT_EQ(LinearLayout::from_layout(back, {{"i", layout.size()}}, "o")->to_layout()->to_string(), back.to_string());
  }
  EXPECT_EQ(L("{lane: (3) (1)} -> {x: 4}").to_layout()->to_string(), "Sw<1,0,1> o (2,2):(2,1)");
  EXPECT_EQ(L("{lane: (2) (3)} -> {x: 4}").to_layout()->to_string(), "Xor<2,3> o 4:1") << "both images end at bit 1";
}

TEST(LinearLayout, RefusesWhatIsNotLinear) {
  const auto import = [](const char* text) {
    const ComposedLayout layout = *ComposedLayout::parse(text);
    return LinearLayout::from_layout(layout, {{"i", 4}, {"j", 4}}, "o").status().message();
  };
  EXPECT_NE(import("(4,3):(1,4)").find("extent 3 is not a power of two"), std::string::npos);
  EXPECT_NE(import("(4,4):(1,5)").find("their xor is"), std::string::npos) << "padded rows have no linear layout";
  EXPECT_NE(import("1 o 16:2").find("has the value 1"), std::string::npos);
  EXPECT_NE(import("8:1").find("2^4 points"), std::string::npos);
  EXPECT_FALSE(LinearLayout::create({{"a", {{8}}}}, {{"x", 8}}).ok());
  EXPECT_FALSE(LinearLayout::create({{"a", {{-1}}}}, {{"x", 8}}).ok());
  EXPECT_FALSE(LinearLayout::create({{"a", {{1, 1}}}}, {{"x", 8}}).ok());
  EXPECT_FALSE(LinearLayout::create({{"a", {}}, {"a", {}}}, {}).ok());
  EXPECT_FALSE(LinearLayout::create({}, {{"x", 6}}).ok());
  EXPECT_FALSE(LinearLayout::create({}, {{"x", int64_t{1} << 40}, {"y", int64_t{1} << 40}}).ok());
  EXPECT_FALSE(LinearLayout::identity(2147483647, "i", "o").ok());
  EXPECT_TRUE(LinearLayout::create({}, {}).ok());
}

}  // namespace
}  // namespace tailor::codegen::layout
