// Divisions, products, coordinates, reshapes and casts. Oracles: what CuTe computes (cute_results.txt,
// cute_swizzle_results.txt) and enumeration of the defining property.
#include <fstream>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "codegen/integer/normal_forms.h"
#include "codegen/layout/coordinates.h"
#include "codegen/layout/cute_notation.h"
#include "codegen/layout/eval.h"
#include "codegen/layout/reshape.h"
#include "codegen/layout/tiling.h"
#include "random_layouts.h"

namespace tailor::codegen::layout {
namespace {

StridedLayout L(std::string_view text) {
  auto layout = parse_cute(text);
  EXPECT_TRUE(layout.ok()) << text << ": " << layout.status().to_string();
  return layout.ok() ? *layout : StridedLayout();
}

Coordinate at(std::string_view text) {
  auto coordinate = parse_coordinate(text);
  EXPECT_TRUE(coordinate.ok()) << text << ": " << coordinate.status().to_string();
  return coordinate.ok() ? *coordinate : Coordinate();
}

template <class Layout>
std::vector<int64_t> values_of(const Layout& layout) {
  return *layout.values();
}

template <class T>
std::string text(const Expected<T>& layout) {
  return layout.ok() ? layout->to_string() : layout.status().to_string();
}

struct Row {
  std::string op, a, b, result;
};

std::vector<Row> rows_of(const std::string& file) {
  std::ifstream in(std::string(TAILOR_SOURCE_DIR) + "/tests/codegen/layout/" + file);
  std::vector<Row> rows;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream fields(line);
    Row row;
    std::getline(fields, row.op, '|');
    std::getline(fields, row.a, '|');
    std::getline(fields, row.b, '|');
    std::getline(fields, row.result);
    rows.push_back(row);
  }
  return rows;
}

nlohmann::json ask(const Row& row) {
  nlohmann::json question{{"op", row.op}, {"a", row.a}};
  const size_t order = row.b.find(';');
  if (!row.b.empty()) question["b"] = row.b.substr(0, order);
  if (order != std::string::npos) question["order"] = row.b.substr(order + 1);
  return nlohmann::json::parse(evaluate_line(question.dump()));
}

TEST(AgainstCute, LayoutsAreTheSame) {
  const std::vector<Row> rows = rows_of("cute_results.txt");
  ASSERT_GT(rows.size(), 300u);
  for (const Row& row : rows) {
    const nlohmann::json answer = ask(row);
    std::string layout = answer.value("layout", answer.value("reason", ""));
    if (const size_t offset = layout.rfind(" o "); row.op == "slice" && offset != std::string::npos)
      layout = layout.substr(offset + 3);
    EXPECT_EQ(layout, row.result) << row.op << " " << row.a << " " << row.b;
  }
}

TEST(AgainstCute, SwizzledValuesAreTheSame) {
  const std::vector<Row> rows = rows_of("cute_swizzle_results.txt");
  ASSERT_GT(rows.size(), 40u);
  for (const Row& row : rows) {
    const nlohmann::json answer = ask(row);
    std::string found = answer.value("reason", "");
    if (answer.contains("vector")) {
      found = answer["vector"].dump();
    } else {
      for (const auto& value : answer["values"]) {
        if (!found.empty()) found += ' ';
        found += value.dump();
      }
    }
    EXPECT_EQ(found, row.result) << row.op << " " << row.a << " " << row.b << " " << answer.value("layout", "");
  }
}

TEST(Tiling, EveryArrangementHoldsTheValuesOfTheLogicalOne) {
  RandomLayouts random{std::mt19937_64(421)};
  int divided = 0;
  int multiplied = 0;
  for (int i = 0; i < 6000; ++i) {
    const StridedLayout a = random.layout(i % 4 == 0);
    const Tiler tiler = Tiler::of(random.layout(false));
    if (const auto logical = logical_divide(a, tiler); logical.ok()) {
      ++divided;
      const std::vector<int64_t> values = *logical->values();
      for (const auto& other : {zipped_divide(a, tiler), tiled_divide(a, tiler), flat_divide(a, tiler)}) {
        ASSERT_TRUE(other.ok());
        EXPECT_EQ(*other->values(), values) << a.to_string() << " " << tiler.layouts[0].to_string();
      }
    }
    if (const auto logical = logical_product(a, tiler); logical.ok()) {
      ++multiplied;
      const std::vector<int64_t> values = *logical->values();
      const std::vector<int64_t> block = *a.values();
      for (size_t k = 0; k < values.size(); ++k) {
        ASSERT_EQ(values[k] - values[k / block.size() * block.size()], block[k % block.size()]);
      }
      for (const auto& other : {zipped_product(a, tiler), tiled_product(a, tiler), flat_product(a, tiler)}) {
        ASSERT_TRUE(other.ok());
        EXPECT_EQ(*other->values(), values);
      }
    }
  }
  EXPECT_GT(divided, 500);
  EXPECT_GT(multiplied, 300);
}

// At the coordinate ((b_0,r_0),(b_1,r_1),…) blocked and raked products have the value of the block at b plus that of
// the repeats at r.
TEST(Tiling, BlockedAndRakedProductsInterleaveBlockAndRepeats) {
  RandomLayouts random{std::mt19937_64(422), 64};
  int made = 0;
  for (int i = 0; i < 6000; ++i) {
    const StridedLayout block = random.layout(false);
    const StridedLayout tiler = random.layout(false);
    const auto blocked = blocked_product(block, tiler);
    const auto raked = raked_product(block, tiler);
    ASSERT_EQ(blocked.ok(), raked.ok());
    if (!blocked.ok()) continue;
    ++made;
    std::set<int64_t> seen;
    for (int64_t v : values_of(*blocked)) seen.insert(v);
    if (!*find_collision(block) && !*find_collision(tiler)) {
      EXPECT_EQ(static_cast<int64_t>(seen.size()), blocked->size()) << "repeats of an injective block are disjoint";
    }
    std::set<int64_t> other;
    for (int64_t v : values_of(*raked)) other.insert(v);
    EXPECT_EQ(seen, other);
    for (size_t k = 0; k < blocked->rank(); ++k) {
      const Mode& b = blocked->root().modes[k];
      const Mode& r = raked->root().modes[k];
      EXPECT_EQ(b.modes[0], r.modes[1]);
      EXPECT_EQ(b.modes[1], r.modes[0]);
      const Mode one = Mode::leaf(1, 0);
      const Mode& expected = k < block.rank() ? (block.root().group ? block.root().modes[k] : block.root()) : one;
      EXPECT_EQ(b.modes[0], expected) << block.to_string() << " " << tiler.to_string();
    }
  }
  EXPECT_GT(made, 300);
}

TEST(Tiling, RefusesWithAReason) {
  EXPECT_NE(text(tile_to_shape(L("(4,2):(1,4)"), {6, 4})).find("must divide the target extent 6"), std::string::npos);
  EXPECT_NE(text(tile_to_shape(L("(4,2):(1,4)"), {8})).find("at least its rank"), std::string::npos);
  EXPECT_NE(text(tile_to_shape(L("4:1"), {4611686018427387904, 4})).find("overflows"), std::string::npos);
  EXPECT_FALSE(tile_to_shape(L("4:1"), {8, 2}, {1}).ok());
  EXPECT_NE(text(logical_product(L("4:1"), *Tiler::parse("<2:1,3:1>"))).find("one per mode"), std::string::npos);
  EXPECT_FALSE(blocked_product(L("0:1"), L("4:1")).ok());
  EXPECT_FALSE(blocked_product(L("(2,2):(1,1)"), L("4:1")).ok());
  EXPECT_FALSE(Tiler::parse("<4:1").ok());
  EXPECT_FALSE(Tiler::parse("").ok());
}

// A random coordinate for a mode, and the free and fixed parts of an index as it picks them.
Coordinate random_coordinate(RandomLayouts& random, const Mode& mode, bool may_be_free) {
  Coordinate result;
  const auto whole = StridedLayout::create(mode);
  if (may_be_free && random.rng() % 3 == 0) {
    result.free = true;
  } else if (mode.group && random.rng() % 2 == 0) {
    result.group = true;
    for (const Mode& child : mode.modes) result.items.push_back(random_coordinate(random, child, may_be_free));
  } else {
    result.value = random.below(whole->size());
  }
  return result;
}

// Every index of the mode that agrees with the coordinate, in order.
std::vector<int64_t> matching(const Mode& mode, const Coordinate& coordinate) {
  const int64_t size = StridedLayout::create(mode)->size();
  std::vector<int64_t> result;
  if (coordinate.free) {
    for (int64_t i = 0; i < size; ++i) result.push_back(i);
  } else if (!coordinate.group) {
    result.push_back(coordinate.value);
  } else {
    result.push_back(0);
    int64_t place = 1;
    for (size_t k = 0; k < mode.modes.size(); ++k) {
      std::vector<int64_t> more;
      for (int64_t high : matching(mode.modes[k], coordinate.items[k])) {
        for (int64_t low : result) more.push_back(low + place * high);
      }
      result = more;
      place *= StridedLayout::create(mode.modes[k])->size();
    }
  }
  return result;
}

TEST(Coordinates, SlicesHoldTheMatchingIndicesInOrder) {
  RandomLayouts random{std::mt19937_64(423)};
  for (int i = 0; i < 6000; ++i) {
    const ComposedLayout layout = random.composed(false);
    const Coordinate coordinate = random_coordinate(random, layout.layout().root(), true);
    const auto cut = slice(layout, coordinate);
    ASSERT_TRUE(cut.ok()) << cut.status().message();
    std::vector<int64_t> expected;
    for (int64_t index : matching(layout.layout().root(), coordinate)) expected.push_back(*layout.evaluate(index));
    EXPECT_EQ(*cut->values(), expected) << layout.to_string() << " -> " << cut->to_string();
    const auto rest = dice(layout.layout(), coordinate);
    ASSERT_TRUE(rest.ok());
    EXPECT_EQ(rest->size() * cut->size(), layout.size());
    const Coordinate point = random_coordinate(random, layout.layout().root(), false);
    const int64_t index = matching(layout.layout().root(), point)[0];
    EXPECT_EQ(*evaluate_at(layout, point), *layout.evaluate(index));
    if (const auto moved = domain_offset(layout, point); moved.ok()) {
      EXPECT_EQ(*moved->evaluate(0), *layout.evaluate(index));
      EXPECT_EQ(moved->layout(), layout.layout());
    }
  }
}

TEST(Coordinates, FlipReversesOneModeAndTwiceIsNothing) {
  RandomLayouts random{std::mt19937_64(424)};
  for (int i = 0; i < 4000; ++i) {
    const ComposedLayout layout = random.composed(false);
    const auto mode = static_cast<size_t>(random.below(static_cast<int64_t>(layout.layout().rank())));
    const auto flipped = flip(layout, mode);
    ASSERT_TRUE(flipped.ok()) << flipped.status().message();
    EXPECT_EQ(*flip(*flipped, mode), layout);
    int64_t place = 1;
    const Mode& root = layout.layout().root();
    for (size_t k = 0; k < mode; ++k) place *= StridedLayout::create(root.modes[k])->size();
    const int64_t extent = StridedLayout::create(root.group ? root.modes[mode] : root)->size();
    for (int64_t index = 0; index < layout.size(); ++index) {
      const int64_t x = index / place % extent;
      ASSERT_EQ(*flipped->evaluate(index), *layout.evaluate(index + (extent - 1 - 2 * x) * place));
    }
  }
  EXPECT_EQ(text(flip(L("(3,(2,3)):(3,(12,1))"), 0)), "6 o (3,(2,3)):(-3,(12,1))");
}

TEST(Coordinates, RefusesWithAReason) {
  const ComposedLayout layout = L("(3,(2,3)):(3,(12,1))");
  for (auto [bad, part] : {std::pair{"(3,_)", "index 3 is outside"},
                           {"(-1,_)", "index -1 is outside"},
                           {"(_,_,_)", "3 entries where the layout has 2 modes"},
                           {"((_,_),_)", "where the layout has 0 modes"}}) {
    EXPECT_NE(text(slice(layout, at(bad))).find(part), std::string::npos) << text(slice(layout, at(bad)));
  }
  EXPECT_FALSE(evaluate_at(layout, at("(1,_)")).ok());
  EXPECT_FALSE(domain_offset(layout, at("_")).ok());
  EXPECT_FALSE(flip(layout, 2).ok());
  for (const char* bad : {"", "(1", "(1,,2)", "_x", "(1,2)3", "99999999999999999999"})
    EXPECT_FALSE(parse_coordinate(bad).ok()) << bad;
  EXPECT_EQ(text(slice(layout, at("(_,(1,_))"))), "12 o (3,3):(3,1)");
  EXPECT_EQ(text(slice(L("0:1"), at("_"))), "0:1");
}

// All ways to split an extent into ordered factors above 1.
std::vector<std::vector<int64_t>> factorizations(int64_t n) {
  std::vector<std::vector<int64_t>> result;
  if (n == 1) return {{}};
  for (int64_t f = 2; f <= n; ++f) {
    if (n % f != 0) continue;
    for (std::vector<int64_t> rest : factorizations(n / f)) {
      rest.insert(rest.begin(), f);
      result.push_back(rest);
    }
  }
  return result;
}

// Is there any refinement of the shape with strides of the same values? Strides can only be the values at unit digits.
bool some_refinement_works(const std::vector<int64_t>& values, const std::vector<int64_t>& shape) {
  std::function<bool(size_t, std::vector<Mode>, int64_t)> search = [&](size_t k, std::vector<Mode> leaves,
                                                                       int64_t place) {
    if (k == shape.size()) return *StridedLayout::create(Mode::of(leaves))->values() == values;
    for (const std::vector<int64_t>& factors : factorizations(shape[k])) {
      std::vector<Mode> more = leaves;
      int64_t next = place;
      for (int64_t f : factors) {
        more.push_back(Mode::leaf(f, values[static_cast<size_t>(next)] - values[0]));
        next *= f;
      }
      if (search(k + 1, more, next)) return true;
    }
    return false;
  };
  return search(0, {}, 1);
}

TEST(Reshape, ExistsExactlyWhereSomeRefinementHasTheValues) {
  RandomLayouts random{std::mt19937_64(425), 48};
  int legal = 0;
  int illegal = 0;
  for (int i = 0; i < 4000; ++i) {
    const StridedLayout layout = random.layout(i % 3 == 0);
    // A random ordered factorization as the target.
    std::vector<int64_t> shape;
    for (int64_t rest = layout.size(); rest > 1;) {
      std::vector<int64_t> divisors;
      for (int64_t d = 2; d <= rest; ++d) {
        if (rest % d == 0) divisors.push_back(d);
      }
      shape.push_back(divisors[static_cast<size_t>(random.below(static_cast<int64_t>(divisors.size())))]);
      rest /= shape.back();
    }
    std::vector<Mode> modes;
    for (int64_t extent : shape) modes.push_back(Mode::leaf(extent, 0));
    const std::vector<int64_t> values = *layout.values();
    const auto reshaped = reshape(layout, Mode::of(modes));
    if (reshaped.ok()) {
      ++legal;
      EXPECT_EQ(*reshaped->values(), values) << layout.to_string() << " -> " << reshaped->to_string();
      for (size_t k = 0; k < shape.size(); ++k)
        EXPECT_EQ(StridedLayout::create(reshaped->root().modes[k])->size(), shape[k]);
    } else {
      ++illegal;
      EXPECT_FALSE(some_refinement_works(values, shape)) << reshaped.status().message();
    }
  }
  EXPECT_GT(legal, 1000);
  EXPECT_GT(illegal, 200);
}

// diag(P, Q) is its own Smith form up to order for every boundary P of the layout and Q of the shape.
bool smith_form_allows(const StridedLayout& layout, const std::vector<int64_t>& shape) {
  int64_t p = 1;
  for (const Mode& leaf : coalesce(layout)->leaves()) {
    p *= leaf.extent;
    int64_t q = 1;
    for (int64_t extent : shape) {
      q *= extent;
      const auto form = integer::smith_normal_form({{p, 0}, {0, q}});
      if (form->factors != std::vector<int64_t>{std::min(p, q), std::max(p, q)}) return false;
    }
  }
  return true;
}

TEST(Reshape, IsLegalExactlyWhereTheSmithFormsSayIt) {
  RandomLayouts random{std::mt19937_64(429), 4000};
  int legal = 0;
  for (int i = 0; i < 4000; ++i) {
    const StridedLayout layout = random.layout(i % 3 == 0);
    std::vector<int64_t> shape{1};
    for (const Mode& leaf : random.layout(false).leaves()) shape.push_back(std::gcd(leaf.extent * 6, layout.size()));
    for (size_t k = 0, rest = static_cast<size_t>(layout.size()); k < shape.size(); ++k) {
      shape[k] = std::gcd(shape[k], static_cast<int64_t>(rest));
      rest /= static_cast<size_t>(shape[k]);
      if (k + 1 == shape.size()) shape[k] *= static_cast<int64_t>(rest);
    }
    std::vector<Mode> modes;
    for (int64_t extent : shape) modes.push_back(Mode::leaf(extent, 0));
    const auto reshaped = reshape(layout, Mode::of(modes));
    EXPECT_EQ(reshaped.ok(), smith_form_allows(layout, shape)) << text(reshaped);
    legal += reshaped.ok() ? 1 : 0;
  }
  EXPECT_GT(legal, 500);
  EXPECT_LT(legal, 3900);
}

// Extents of 0, 1, primes, and around 2^31: held at sampled indices, since the layouts cannot be listed.
TEST(LargeExtents, OperationsHoldAtSampledIndices) {
  const int64_t extents[] = {0, 1, 2, 7, 97, 65537, (int64_t{1} << 31) - 1, int64_t{1} << 31, (int64_t{1} << 31) + 1};
  std::mt19937_64 rng(430);
  for (int64_t e0 : extents) {
    for (int64_t e1 : extents) {
      for (int64_t sign : {1, -1}) {
        const auto made = StridedLayout::create(Mode::of({Mode::leaf(e0, sign), Mode::leaf(e1, e0)}));
        if (!made.ok()) continue;
        const ComposedLayout layout = *made;
        const auto flipped = flip(layout, 0);
        const auto reshaped = reshape(*made, Mode::of({Mode::leaf(1, 0), Mode::leaf(e0, 0), Mode::leaf(e1, 0)}));
        ASSERT_TRUE(flipped.ok() && reshaped.ok()) << text(reshaped);
        for (int i = 0; i < 50 && layout.size() > 0; ++i) {
          const int64_t x = static_cast<int64_t>(rng() % static_cast<uint64_t>(e0));
          const int64_t y = static_cast<int64_t>(rng() % static_cast<uint64_t>(e1));
          const int64_t index = x + e0 * y;
          const int64_t value = sign * x + e0 * y;
          ASSERT_EQ(*layout.evaluate(index), value);
          ASSERT_EQ(*flipped->evaluate(index), sign * (e0 - 1 - x) + e0 * y);
          ASSERT_EQ(*reshaped->evaluate(index), value);
          ASSERT_EQ(*evaluate_at(layout, at(fmt::format("({},{})", x, y))), value);
          ASSERT_EQ(*slice(layout, at(fmt::format("(_,{})", y)))->evaluate(x), value);
          ASSERT_EQ(*slice(layout, at(fmt::format("({},_)", x)))->evaluate(y), value);
          if (const auto narrow = downcast(layout, 3); narrow.ok() && sign == 1) {
            ASSERT_EQ(*narrow->evaluate(3 * index + 2), 3 * value + 2);
          }
        }
      }
    }
  }
}

TEST(Reshape, WorkedExamples) {
  EXPECT_EQ(text(reshape(L("(4,6):(1,8)"), L("(2,12)").root())), "(2,(2,6)):(1,(2,8))");
  const std::string refused = text(reshape(L("(4,6):(1,8)"), L("(6,4)").root()));
  EXPECT_NE(refused.find("indices 3 and 4 have the values 3 and 8"), std::string::npos) << refused;
  EXPECT_EQ(text(reshape(L("(37,2147483647):(1,37)"), L("(2147483647,37)").root())), "(2147483647,37):(1,2147483647)");
  EXPECT_NE(text(reshape(L("8:1"), L("9").root())).find("sizes are 8 and 9"), std::string::npos);
  EXPECT_EQ(text(reshape(L("(0,3):(1,4)"), L("(3,0)").root())), "(3,0):(0,0)");
  EXPECT_EQ(text(reshape(ComposedLayout(L("1:0")), L("(1,1)").root())), "(1,1):(0,0)");
  EXPECT_FALSE(reshape(L("(2,3):(5,7)"), L("(3,2)").root()).ok());
}

// The values of the wider elements are those of the narrower ones divided; each part of an element is there.
TEST(Casts, DowncastListsThePartsAndUpcastUndoesIt) {
  RandomLayouts random{std::mt19937_64(426)};
  int cast = 0;
  for (int i = 0; i < 6000; ++i) {
    const ComposedLayout layout = random.composed(i % 2 == 0);
    const int64_t n = layout.has_factor() ? int64_t{1} << (1 + random.below(3)) : 2 + random.below(6);
    const auto narrow = downcast(layout, n);
    if (!narrow.ok()) continue;
    ++cast;
    std::multiset<int64_t> expected;
    for (int64_t v : values_of(layout)) {
      for (int64_t part = 0; part < n; ++part) expected.insert(v * n + part);
    }
    const std::vector<int64_t> found = *narrow->values();
    EXPECT_EQ(std::multiset<int64_t>(found.begin(), found.end()), expected) << layout.to_string() << " " << n;
    const auto wide = upcast(*narrow, n);
    ASSERT_TRUE(wide.ok()) << narrow->to_string() << " " << n << ": " << wide.status().message();
    EXPECT_EQ(*wide->values(), *layout.values()) << layout.to_string() << " -> " << wide->to_string();
    EXPECT_EQ(text(recast(layout, 8 * n, 8)), narrow->to_string());
  }
  EXPECT_GT(cast, 1000);
}

TEST(Casts, UpcastReachesTheSameElements) {
  RandomLayouts random{std::mt19937_64(427)};
  int cast = 0;
  for (int i = 0; i < 8000; ++i) {
    const ComposedLayout layout = random.composed(true);
    const int64_t n = int64_t{1} << (1 + random.below(2));
    const auto wide = upcast(layout, n);
    if (!wide.ok()) continue;
    // Modes below n may only merge whole elements.
    int64_t within = 1;
    bool whole = true;
    for (const Mode& leaf : layout.layout().leaves()) {
      whole = whole && leaf.stride >= 0 && (leaf.stride == 0 || leaf.stride >= n || leaf.extent * leaf.stride % n == 0);
      if (leaf.stride > 0 && leaf.stride < n && leaf.extent > 1) within *= 2;
    }
    if (!whole || within > 2) continue;
    ++cast;
    std::set<int64_t> expected;
    for (int64_t v : values_of(layout)) expected.insert(v / n);
    const std::vector<int64_t> found = *wide->values();
    EXPECT_EQ(std::set<int64_t>(found.begin(), found.end()), expected) << layout.to_string() << " / " << n;
  }
  EXPECT_GT(cast, 1000);
}

// The stride of a mode of extent 1 is never walked: whatever it is, a cast gives the parts, or the elements, of the
// same layout without the mode.
TEST(Casts, StridesOfExtentOneDecideNothing) {
  int narrowed = 0, widened = 0;
  for (const char* others : {"(4):(1)", "(4,2):(1,8)", "(3):(6)", "(2,4):(12,1)", "(2):(-6)"}) {
    const StridedLayout plain = L(others);
    for (const int64_t stride : {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{3}, int64_t{5}, int64_t{7}, INT64_MAX}) {
      for (const bool first : {false, true}) {
        std::vector<Mode> modes = plain.root().modes;
        modes.insert(first ? modes.begin() : modes.end(), Mode::leaf(1, stride));
        const ComposedLayout layout(*StridedLayout::create(Mode::of(std::move(modes))));
        for (const int64_t n : {2, 3, 6}) {
          std::multiset<int64_t> parts;
          for (int64_t v : values_of(plain)) {
            for (int64_t part = 0; part < n; ++part) parts.insert(v * n + part);
          }
          const auto narrow = downcast(layout, n);
          ASSERT_TRUE(narrow.ok()) << layout.to_string() << " " << n << ": " << narrow.status().message();
          const std::vector<int64_t> found = *narrow->values();
          EXPECT_EQ(std::multiset<int64_t>(found.begin(), found.end()), parts) << layout.to_string() << " by " << n;
          ++narrowed;
          const auto wide = upcast(layout, n), wanted = upcast(ComposedLayout(plain), n);
          ASSERT_EQ(wide.ok(), wanted.ok()) << layout.to_string() << " " << n;
          if (!wide.ok()) continue;
          EXPECT_EQ(*wide->values(), *wanted->values()) << layout.to_string() << " by " << n;
          ++widened;
        }
      }
    }
  }
  EXPECT_GT(narrowed, 100);
  EXPECT_GT(widened, 50);
  EXPECT_EQ(text(recast(L("1:8"), 16, 8)), "2:1");
  EXPECT_EQ(text(recast(L("(1,4):(5,2)"), 8, 16)), "(1,4):(0,1)");
}

TEST(Casts, RefuseWithAReason) {
  EXPECT_NE(text(upcast(L("(8,4):(1,6)"), 4)).find("neither divides"), std::string::npos);
  EXPECT_NE(text(downcast(L("(4,4):(2,8)"), 2)).find("0 modes of stride 1"), std::string::npos);
  EXPECT_NE(text(downcast(L("4:-1"), 2)).find("backwards"), std::string::npos);
  EXPECT_FALSE(upcast(L("4:1"), 0).ok());
  EXPECT_FALSE(downcast(L("(2,4):(4611686018427387904,1)"), 4).ok());
  EXPECT_NE(text(upcast(*ComposedLayout::parse("Sw<2,0,-3> o 32:1"), 2)).find("moves bit 1 up"), std::string::npos);
  EXPECT_NE(text(upcast(*ComposedLayout::parse("Sw<1,4,3> o 96:1"), 3)).find("power of two"), std::string::npos);
  EXPECT_NE(text(upcast(*ComposedLayout::parse("3 o 8:1"), 2)).find("offset 3"), std::string::npos);
}

TEST(Filter, AndNullspaceSplitTheSize) {
  RandomLayouts random{std::mt19937_64(428)};
  for (int i = 0; i < 4000; ++i) {
    const StridedLayout layout = random.layout(true);
    const StridedLayout kept = *filter(layout);
    const StridedLayout zeros = *nullspace(layout);
    EXPECT_EQ(kept.size() * zeros.size(), layout.size()) << layout.to_string();
    for (int64_t index : values_of(zeros)) EXPECT_EQ(*layout.evaluate(index), 0);
    std::set<int64_t> all;
    std::set<int64_t> once;
    for (int64_t v : values_of(layout)) all.insert(v);
    for (int64_t v : values_of(kept)) once.insert(v);
    EXPECT_EQ(all, once);
  }
  EXPECT_FALSE(filter(L("0:1")).ok());
}

}  // namespace
}  // namespace tailor::codegen::layout
