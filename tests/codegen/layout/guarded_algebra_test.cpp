// Composition, complement, divisions, products, shapes and casts of guarded layouts. Oracle: enumeration for every
// value of the parameter, and the strided algebra (which is held to CuTe) where both answer.
#include "codegen/layout/guarded_algebra.h"

#include <set>

#include "codegen/layout/coordinates.h"
#include "codegen/layout/isl_bridge.h"
#include "codegen/layout/reshape.h"
#include "codegen/layout/tiling.h"
#include "random_guarded.h"
#include "random_layouts.h"

namespace tailor::codegen::layout {
namespace {

using Layout = GuardedAffineLayout;
using Value = std::optional<int64_t>;

Layout parse(std::string_view text) {
  auto layout = Layout::parse(text);
  EXPECT_TRUE(layout.ok()) << text << "\n" << layout.status().to_string();
  return layout.ok() ? *layout : Layout();
}

template <class T>
T take(Expected<T> value) {
  EXPECT_TRUE(value.ok()) << value.status().to_string();
  return value.ok() ? std::move(*value) : T();
}

Facts small_n() {
  Facts facts;
  EXPECT_TRUE(facts.range("n", 0, 6).ok());
  return facts;
}

Layout guarded(const StridedLayout& layout) { return take(layout.to_guarded()); }

StridedLayout leaf(int64_t extent, int64_t stride) { return take(StridedLayout::leaf(extent, stride)); }

// First outputs in colexicographic order (dimension 0 fastest), nullopt where undefined.
std::vector<Value> sequence(const Layout& layout, const Assignment& n = {}) {
  std::vector<int64_t> extents;
  int64_t total = 1;
  for (const Dim& dim : layout.dims()) {
    extents.push_back(std::max<int64_t>(*dim.extent.evaluate(n), 0));
    total *= extents.back();
  }
  std::vector<Value> values;
  for (int64_t index = 0; index < total; ++index) {
    Point point;
    for (int64_t rest = index; int64_t extent : extents) {
      point.push_back(rest % extent);
      rest /= extent;
    }
    const auto value = layout.evaluate(point, n);
    EXPECT_TRUE(value.ok()) << value.status().message();
    values.push_back(value.ok() && *value ? Value((**value)[0]) : Value{});
  }
  return values;
}

std::vector<Value> values_of(const StridedLayout& layout) {
  std::vector<Value> values;
  for (int64_t v : take(layout.values())) values.emplace_back(v);
  return values;
}

// Small random tilers: a few leaves, mostly compact.
StridedLayout random_tiler(RandomGuarded& random) {
  std::vector<Mode> modes;
  int64_t next = 1;
  for (int64_t k = 1 + random.below(2); k-- > 0;) {
    const int64_t extent = 1 + random.below(4);
    if (random.one_in(3)) next *= 1 + random.below(3);
    modes.push_back(Mode::leaf(extent, next));
    next *= extent;
  }
  return take(StridedLayout::create(modes.size() == 1 ? modes[0] : Mode::of(modes)));
}

TEST(GuardedComposition, EqualsEvaluationOneAfterTheOther) {
  RandomGuarded random{std::mt19937_64(601)};
  const Facts facts = small_n();
  for (int i = 0; i < 3000; ++i) {
    const Layout a = random.layout({.outputs = 1 + random.rng() % 2});
    Layout b = random.layout({.max_rank = 2, .outputs = a.rank()});
    std::vector<Piece> pieces = b.pieces();
    for (Piece& piece : pieces) {  // small coordinates, so that many are inside
      for (auto& row : piece.a) {
        for (AffineExpr& entry : row) entry = AffineExpr(random.below(4) - 1);
      }
      for (AffineExpr& entry : piece.b) entry = AffineExpr(random.below(3));
    }
    b = take(Layout::of_pieces(b.dims(), b.outputs(), pieces));
    const Layout both = take(composition(a, b, facts));
    for (int64_t n = 0; n <= 6; n += 2) {
      const auto of_b = table_of(b, {{"n", n}});
      const auto found = table_of(both, {{"n", n}});
      size_t inside = 0;
      for (const auto& [x, y] : of_b) {
        const auto want = a.evaluate(y, {{"n", n}});
        ASSERT_TRUE(want.ok());
        if (*want) ++inside;
        ASSERT_EQ(found.count(x), want->has_value() ? 1u : 0u) << a.to_string() << b.to_string() << both.to_string();
        if (*want) {
          ASSERT_EQ(found.at(x), **want);
        }
      }
      ASSERT_EQ(found.size(), inside);
    }
  }
  EXPECT_FALSE(
      composition(parse("layout [] (i: 4) -> 1 { : (i); }"), parse("layout [] (i: 4) -> 2 { : (i, i); }")).ok());
  EXPECT_EQ(composition(parse("layout [] (i: 4) -> 1 { : (i); }"), parse("layout [s] (i: 4) -> 1 { : (s*i); }"))
                .status()
                .code(),
            StatusCode::kUnsupported);
  // A parametric stride on the outside stays.
  EXPECT_EQ(
      take(composition(parse("layout [s] (i: 8) -> 1 { : (s*i); }"), parse("layout [] (k: 4) -> 1 { : (2*k); }"))),
      parse("layout [s] (k: 4) -> 1 { : (2*s*k); }"));
}

TEST(GuardedComplement, IsDisjointForEveryParameterAndEqualsTheStridedOne) {
  RandomGuarded random{std::mt19937_64(602)};
  const Facts facts = small_n();
  int strided = 0;
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    const Layout layout =
        random.layout({.max_rank = 2, .parametric = i % 2 == 0, .guarded = i % 4 < 2, .compact = i % 3 != 0});
    const AffineExpr bound = random.one_in(4) ? *AffineExpr::parse("9*n + 4") : AffineExpr(random.below(120));
    const auto rest = complement(layout, bound, facts);
    if (!rest.ok()) {
      ++refused;
      continue;
    }
    for (int64_t n = 0; n <= 6; n += 3) {
      std::set<int64_t> image;
      for (const auto& [x, y] : table_of(layout, {{"n", n}})) image.insert(y[0]);
      std::map<int64_t, int64_t> owner;  // value -> the rest that reaches it
      for (const auto& [j, r] : table_of(*rest, {{"n", n}})) {
        for (int64_t y : image) {
          const auto [place, fresh] = owner.emplace(y + r[0], r[0]);
          ASSERT_TRUE(fresh) << layout.to_string() << rest->to_string() << y + r[0];
        }
      }
      ASSERT_EQ(
          *rest->evaluate(Point(rest->rank(), 0), {{"n", n}}),
          (rest->dims().empty() || *rest->dims().back().extent.evaluate({{"n", n}}) > 0 ? std::optional<Point>(Point{0})
                                                                                        : std::nullopt));
    }
  }
  EXPECT_LT(refused, 300);
  RandomLayouts layouts{std::mt19937_64(603)};
  for (int i = 0; i < 3000; ++i) {
    const StridedLayout layout = layouts.layout(i % 4 == 0);
    const int64_t bound = layouts.below(500);
    const auto wanted = complement(layout, bound);
    if (!wanted.ok()) continue;
    ++strided;
    ASSERT_EQ(sequence(take(complement(guarded(layout), AffineExpr(bound)))), values_of(*wanted))
        << layout.to_string() << " " << bound;
  }
  EXPECT_GT(strided, 2000);
}

TEST(GuardedComplement, WorkedExamples) {
  const auto text = [](std::string_view layout, const std::optional<AffineExpr>& bound, const Facts& facts = {}) {
    const auto made = complement(parse(layout), bound, facts);
    return made.ok() ? made->to_string() : made.status().message();
  };
  EXPECT_EQ(text("layout [] (i: 2, j: 4) -> 1 { : (i + 6*j); }", AffineExpr(24)),
            "layout [] (r0: 3) -> 1 {\n  : (2*r0);\n}\n");
  EXPECT_EQ(text("layout [] (i: 4) -> 1 { when i < 3: (-2*i); }", *AffineExpr::parse("8*m")),
            "layout [m] (r0: 2, r1: m) -> 1 {\n  : (r0 + 8*r1);\n}\n");
  EXPECT_EQ(text("layout [n] (i: n, j: 3) -> 1 { : (8*i + j); }", std::nullopt),
            "layout [] (r0: 2) -> 1 {\n  : (3*r0);\n}\n");
  EXPECT_NE(text("layout [n] (i: n, j: 3) -> 1 { : (8*i + j); }", AffineExpr(100)).find("is not affine"),
            std::string::npos);
  EXPECT_NE(text("layout [n] (i: n) -> 1 { when i < 3: (i); when i >= 3: (2*i); }", AffineExpr(100)).find("ranges of"),
            std::string::npos);
}

// The divided layout has at (tile, rest) the value at tile + rest; together they reach every point once.
TEST(GuardedDivide, AgreesWithEnumerationInEveryArrangement) {
  RandomGuarded random{std::mt19937_64(604)};
  const Facts facts = small_n();
  for (int i = 0; i < 1500; ++i) {
    const Layout layout = random.layout({.max_rank = 2});
    std::vector<DimTiler> tilers;
    for (const Dim& dim : layout.dims()) {
      if (random.one_in(4)) continue;
      tilers.push_back({dim.name, guarded(random_tiler(random))});
    }
    const Arranged logical = take(divide(layout, tilers, Arrangement::kLogical, facts));
    for (int64_t n = 0; n <= 6; n += 3) {
      const Assignment at{{"n", n}};
      std::map<int64_t, int64_t> want;
      std::map<int64_t, int64_t> found;
      for (const auto& [x, y] : table_of(layout, at)) ++want[y[0]];
      for (const auto& [x, y] : table_of(logical.layout, at)) ++found[y[0]];
      ASSERT_EQ(found, want) << layout.to_string() << logical.layout.to_string();
      for (const Arrangement arrangement : {Arrangement::kZipped, Arrangement::kTiled, Arrangement::kFlat}) {
        const Arranged other = take(divide(layout, tilers, arrangement, facts));
        size_t dims = 0;
        for (const auto& mode : other.modes) dims += mode.size();
        ASSERT_EQ(dims, other.layout.rank());
        std::vector<std::string> order;
        for (const Dim& dim : logical.layout.dims()) order.push_back(dim.name);
        ASSERT_EQ(table_of(take(permute(other.layout, order)), at), table_of(logical.layout, at));
      }
      // Digit by digit.
      for (const auto& [digits, y] : table_of(logical.layout, at)) {
        Point x(layout.rank(), 0);
        for (size_t k = 0; k < layout.rank(); ++k) {
          const DimTiler* tiler = nullptr;
          for (const DimTiler& t : tilers) tiler = t.dim == layout.dims()[k].name ? &t : tiler;
          const std::vector<size_t>& mode = logical.modes[k];
          if (tiler == nullptr) {
            x[k] = digits[mode[0]];
            continue;
          }
          Point tile;
          Point rest;
          for (size_t i : mode) (tile.size() < tiler->tile.rank() ? tile : rest).push_back(digits[i]);
          const Layout others = take(complement(tiler->tile, layout.dims()[k].extent, facts));
          x[k] = (**tiler->tile.evaluate(tile, at))[0] + (**others.evaluate(rest, at))[0];
        }
        ASSERT_EQ(**layout.evaluate(x, at), y);
      }
    }
  }
}

TEST(GuardedDivide, EqualsTheStridedDivisionsWhereTheyAreDefined) {
  RandomLayouts random{std::mt19937_64(605)};
  int compared = 0;
  for (int i = 0; i < 3000; ++i) {
    const StridedLayout strided = random.layout(false);
    std::vector<Mode> modes = strided.root().group ? strided.root().modes : std::vector<Mode>{strided.root()};
    bool flat = true;
    for (const Mode& mode : modes) flat = flat && !mode.group;
    if (!flat) continue;
    Tiler tiler;
    tiler.by_mode = true;
    std::vector<DimTiler> tilers;
    for (size_t k = 0; k < modes.size(); ++k) {
      tiler.layouts.push_back(leaf(1 + random.below(4), 1 + random.below(3)));
      tilers.push_back({fmt::format("m{}", k), guarded(tiler.layouts.back())});
    }
    const std::pair<Arrangement, Expected<StridedLayout>> all[] = {
        {Arrangement::kLogical, logical_divide(take(StridedLayout::create(Mode::of(modes))), tiler)},
        {Arrangement::kZipped, zipped_divide(take(StridedLayout::create(Mode::of(modes))), tiler)},
        {Arrangement::kTiled, tiled_divide(take(StridedLayout::create(Mode::of(modes))), tiler)},
        {Arrangement::kFlat, flat_divide(take(StridedLayout::create(Mode::of(modes))), tiler)}};
    for (const auto& [arrangement, wanted] : all) {
      if (!wanted.ok()) continue;
      const Arranged divided = take(divide(guarded(strided), tilers, arrangement));
      const std::vector<Value> found = sequence(divided.layout);
      const std::vector<Value> values = values_of(*wanted);
      ASSERT_EQ(found.size(), values.size()) << divided.layout.to_string() << wanted->to_string();
      for (size_t k = 0; k < found.size(); ++k) {
        if (found[k]) {
          ASSERT_EQ(found[k], values[k]) << divided.layout.to_string() << wanted->to_string();
        }
      }
      ++compared;
    }
  }
  EXPECT_GT(compared, 2000);
}

TEST(GuardedDivide, WorkedExampleOfTheHeader) {
  const Arranged tiles = take(divide(parse("layout [n] (i: n, j: 37) -> 1 { : (40*i + j); }"),
                                     {{"i", guarded(leaf(4, 1))}, {"j", guarded(leaf(16, 1))}}, Arrangement::kZipped));
  EXPECT_EQ(tiles.layout.to_string(),
            "layout [n] (i_tile: 4, j_tile: 16, i_rest: floor((n + 3) / 4), j_rest: 3) -> 1 {\n"
            "  when -4*i_rest - i_tile + n - 1 >= 0 and -16*j_rest - j_tile + 36 >= 0: "
            "(40*i_tile + j_tile + 160*i_rest + 16*j_rest);\n}\n");
  EXPECT_EQ(tiles.modes, (std::vector<std::vector<size_t>>{{0, 1}, {2, 3}}));
  // A divisible extent leaves no guard.
  EXPECT_TRUE(take(divide(parse("layout [s] (i: 32, j: 37) -> 1 { : (s*i + j); }"), {{"i", guarded(leaf(8, 1))}},
                          Arrangement::kFlat))
                  .layout.pieces()[0]
                  .guard.empty());
  const Layout layout = parse("layout [] (i: 4) -> 1 { : (i); }");
  EXPECT_FALSE(divide(layout, {{"k", guarded(leaf(2, 1))}}, Arrangement::kFlat).ok());
  EXPECT_FALSE(divide(layout, {{"i", guarded(leaf(2, 1))}}, Arrangement::kRaked).ok());
}

TEST(GuardedProduct, RepeatsAreDisjointAndMoveTheBlockWhole) {
  RandomGuarded random{std::mt19937_64(606)};
  const Facts facts = small_n();
  int made = 0;
  for (int i = 0; i < 1500; ++i) {
    const Layout block = random.layout({.max_rank = 2, .compact = i % 3 != 0});
    const Layout tiler = i % 2 == 0 ? guarded(random_tiler(random)) : random.layout({.max_rank = 1, .compact = true});
    const auto logical = product(block, tiler, Arrangement::kLogical, facts);
    if (!logical.ok()) {
      ASSERT_EQ(logical.status().code(), StatusCode::kUnsupported) << logical.status().message();
      continue;
    }
    ++made;
    for (int64_t n = 0; n <= 6; n += 3) {
      const Assignment at{{"n", n}};
      const auto of_block = table_of(block, at);
      const auto all = table_of(logical->layout, at);
      ASSERT_EQ(all.size(), of_block.size() * table_of(tiler, at).size());
      std::map<Point, int64_t> shift;  // of a repeat, the same for every point of the block
      std::map<int64_t, int64_t> owner;
      for (const auto& [x, y] : all) {
        const Point in_block(x.begin(), x.begin() + static_cast<ptrdiff_t>(block.rank()));
        const Point repeat(x.begin() + static_cast<ptrdiff_t>(block.rank()), x.end());
        const int64_t moved = y[0] - of_block.at(in_block)[0];
        ASSERT_EQ(shift.emplace(repeat, moved).first->second, moved);
        ASSERT_EQ(owner.emplace(y[0], moved).first->second, moved)
            << block.to_string() << tiler.to_string() << logical->layout.to_string();
      }
      std::set<int64_t> shifts;
      std::set<int64_t> steps;
      for (const auto& [t, s] : shift) shifts.insert(s);
      for (const auto& [t, s] : table_of(tiler, at)) steps.insert(s[0]);
      if (!of_block.empty()) {
        ASSERT_EQ(shifts.size(), steps.size()) << "different steps are different repeats";
      }
      std::vector<std::string> order;
      for (const Dim& dim : logical->layout.dims()) order.push_back(dim.name);
      for (const Arrangement arrangement : {Arrangement::kBlocked, Arrangement::kRaked, Arrangement::kFlat}) {
        const Arranged other = take(product(block, tiler, arrangement, facts));
        ASSERT_EQ(table_of(take(permute(other.layout, order)), at), all);
      }
    }
  }
  EXPECT_GT(made, 1200);
}

TEST(GuardedProduct, EqualsTheStridedProducts) {
  RandomLayouts random{std::mt19937_64(607), 64};
  int compared = 0;
  for (int i = 0; i < 4000; ++i) {
    const StridedLayout block = random.layout(false);
    const StridedLayout tiler = random.layout(false);
    const std::pair<Arrangement, Expected<StridedLayout>> all[] = {
        {Arrangement::kLogical, logical_product(block, tiler)},
        {Arrangement::kZipped, zipped_product(block, Tiler::of(tiler))},
        {Arrangement::kTiled, tiled_product(block, Tiler::of(tiler))},
        {Arrangement::kFlat, flat_product(block, Tiler::of(tiler))},
        {Arrangement::kBlocked, blocked_product(block, tiler)},
        {Arrangement::kRaked, raked_product(block, tiler)}};
    const bool flat = block.depth() <= 1 && tiler.depth() <= 1;
    for (const auto& [arrangement, wanted] : all) {
      const bool interleaved = arrangement == Arrangement::kBlocked || arrangement == Arrangement::kRaked;
      if (!wanted.ok() || (interleaved && !flat)) continue;
      const auto found = product(guarded(block), guarded(tiler), arrangement);
      ASSERT_TRUE(found.ok()) << found.status().message();
      std::vector<Value> values = sequence(found->layout);
      if (found->layout.pieces().size() == 1 && found->layout.pieces()[0].guard.empty()) {
        ASSERT_EQ(values, values_of(*wanted)) << found->layout.to_string() << wanted->to_string();
        ++compared;
      } else {  // digits that do not divide an extent are under a guard; what is defined is the same set
        std::erase(values, Value{});
        std::vector<Value> expected = values_of(*wanted);
        std::sort(values.begin(), values.end());
        std::sort(expected.begin(), expected.end());
        ASSERT_EQ(values, expected) << found->layout.to_string() << wanted->to_string();
      }
    }
  }
  EXPECT_GT(compared, 4000);
}

TEST(GuardedProduct, ParametersStay) {
  // A block of n rows, repeated three times behind itself; the step is parametric.
  const Arranged three = take(product(parse("layout [n] (i: n, j: 8) -> 1 { : (8*i + j); }"),
                                      parse("layout [] (t: 3) -> 1 { : (t); }"), Arrangement::kBlocked));
  EXPECT_EQ(three.layout.to_string(), "layout [n] (i: n, t: 3, j: 8) -> 1 {\n  : (8*i + 8*n*t + j);\n}\n");
  EXPECT_EQ(three.modes, (std::vector<std::vector<size_t>>{{0, 1}, {2}}));
  // A parametric number of repeats into the gaps of a block.
  const Arranged into_gaps = take(product(parse("layout [] (i: 2, j: 2) -> 1 { : (4*i + j); }"),
                                          parse("layout [m] (i: 2*m) -> 1 { : (i); }"), Arrangement::kLogical));
  EXPECT_EQ(into_gaps.layout.to_string(),
            "layout [m] (i: 2, j: 2, i_2_0: 2, i_2_1: m) -> 1 {\n  : (4*i + j + 2*i_2_0 + 8*i_2_1);\n}\n");
}

TEST(GuardedShapes, PermuteFlipDiceAgreeWithEnumeration) {
  RandomGuarded random{std::mt19937_64(608)};
  for (int i = 0; i < 2000; ++i) {
    const Layout layout = random.layout({.outputs = 1 + random.rng() % 2});
    const auto k = static_cast<size_t>(random.below(static_cast<int64_t>(layout.rank())));
    const std::string name = layout.dims()[k].name;
    const Layout flipped = take(flip(layout, name));
    std::vector<std::string> reversed;
    for (size_t d = layout.rank(); d-- > 0;) reversed.push_back(layout.dims()[d].name);
    const Layout turned = take(permute(layout, reversed));
    const Layout only = take(dice(layout, {name}));
    for (int64_t n = 0; n <= 6; n += 3) {
      const Assignment at{{"n", n}};
      const int64_t extent = *layout.dims()[k].extent.evaluate(at);
      std::map<Point, Point> want;
      std::map<Point, Point> want_turned;
      std::map<Point, Point> want_diced;
      for (const auto& [x, y] : table_of(layout, at)) {
        Point moved = x;
        moved[k] = extent - 1 - x[k];
        want[moved] = y;
        want_turned[Point(x.rbegin(), x.rend())] = y;
        Point others = x;
        others.erase(others.begin() + static_cast<ptrdiff_t>(k));
        if (std::all_of(others.begin(), others.end(), [](int64_t v) { return v == 0; })) want_diced[{x[k]}] = y;
      }
      ASSERT_EQ(table_of(flipped, at), want) << layout.to_string() << flipped.to_string();
      ASSERT_EQ(table_of(turned, at), want_turned);
      ASSERT_EQ(table_of(only, at), want_diced);
    }
    ASSERT_EQ(take(flip(take(flip(flipped, name)), name)), flipped) << layout.to_string();
  }
  const Layout layout = parse("layout [] (i: 4) -> 1 { : (i); }");
  EXPECT_FALSE(flip(layout, "k").ok());
  EXPECT_FALSE(dice(layout, {"k"}).ok());
  EXPECT_FALSE(permute(layout, {}).ok());
  EXPECT_FALSE(permute(layout, {"k"}).ok());
}

TEST(GuardedReshape, KeepsTheSequenceAndIsLegalWhenTheStridedOneIs) {
  RandomLayouts random{std::mt19937_64(609), 48};
  int legal = 0;
  int illegal = 0;
  for (int i = 0; i < 4000; ++i) {
    const StridedLayout layout = random.layout(i % 3 == 0);
    std::vector<Mode> modes;
    std::vector<Dim> to;
    int64_t rest = layout.size();
    while (rest > 1 || modes.empty()) {
      std::vector<int64_t> divisors{1};
      for (int64_t d = 2; d <= rest; ++d) {
        if (rest % d == 0) divisors.push_back(d);
      }
      const int64_t extent =
          rest == 1 ? 1 : divisors[static_cast<size_t>(random.below(static_cast<int64_t>(divisors.size())))];
      modes.push_back(Mode::leaf(extent, 0));
      to.push_back({fmt::format("z{}", to.size()), AffineExpr(extent)});
      rest /= extent;
    }
    const Layout old = guarded(layout);
    std::vector<std::string> from;
    for (const Dim& dim : old.dims()) from.push_back(dim.name);
    const auto wanted = reshape(layout, Mode::of(modes));
    const auto found = reshape(old, from, to);
    ASSERT_EQ(found.ok(), wanted.ok()) << layout.to_string() << " " << found.status().message();
    if (found.ok()) {
      ++legal;
      ASSERT_EQ(sequence(found->layout), values_of(layout)) << layout.to_string() << found->layout.to_string();
      ASSERT_EQ(found->modes.size(), to.size());
      for (size_t k = 0; k < to.size(); ++k) {
        int64_t size = 1;
        for (size_t d : found->modes[k]) size *= found->layout.dims()[d].extent.constant();
        ASSERT_EQ(size, modes[k].extent);
      }
    } else {
      ++illegal;
    }
  }
  EXPECT_GT(legal, 1000);
  EXPECT_GT(illegal, 200);
}

TEST(GuardedReshape, GuardsAndParametersComeAlong) {
  RandomGuarded random{std::mt19937_64(610)};
  int made = 0;
  for (int i = 0; i < 3000; ++i) {
    const Layout layout = random.layout({.min_rank = 2, .max_rank = 3, .compact = i % 2 == 0});
    // The first two dimensions as others of the same size; the last of them may be parametric.
    const AffineExpr& fast = layout.dims()[0].extent;
    const AffineExpr& slow = layout.dims()[1].extent;
    if (!fast.is_constant()) continue;
    std::vector<Dim> to;
    if (slow.is_constant()) {
      const int64_t size = fast.constant() * slow.constant();
      const int64_t inner = 1 + random.below(6);
      if (size % inner != 0) continue;
      to = {{"u", AffineExpr(inner)}, {"v", AffineExpr(size / inner)}};
    } else {
      to = {{"u", *slow.scale(fast.constant())}};
    }
    const auto made_shape = reshape(layout, {"x0", "x1"}, to);
    if (!made_shape.ok()) continue;
    ++made;
    for (int64_t n = 0; n <= 6; n += 2) {
      ASSERT_EQ(sequence(made_shape->layout, {{"n", n}}), sequence(layout, {{"n", n}}))
          << layout.to_string() << made_shape->layout.to_string();
    }
  }
  EXPECT_GT(made, 700);
  const Layout rows = parse("layout [n] (j: 6, i: n) -> 1 { when n - i > 2: (6*i + j); }");
  // The guard turns at 6, although the strides merge.
  EXPECT_EQ(
      take(reshape(rows, {"j", "i"}, {{"u", AffineExpr(2)}, {"v", *AffineExpr::parse("3*n")}})).layout.to_string(),
      "layout [n] (u: 2, v_0: 3, v_1: n) -> 1 {\n  when n - v_1 - 3 >= 0: (u + 2*v_0 + 6*v_1);\n}\n");
  const auto refused = reshape(rows, {"j", "i"}, {{"u", AffineExpr(4)}, {"v", *AffineExpr::parse("n + n")}});
  EXPECT_NE(refused.status().message().find("sizes are 6*n and 8*n"), std::string::npos) << refused.status().message();
  const auto chain = reshape(parse("layout [] (j: 6, i: 4) -> 1 { : (j + 8*i); }"), {"j", "i"},
                             {{"u", AffineExpr(4)}, {"v", AffineExpr(6)}});
  EXPECT_NE(chain.status().message().find("turns at index 6, a new dimension ends at index 4"), std::string::npos)
      << chain.status().message();
  EXPECT_FALSE(reshape(rows, {"k"}, {}).ok());
  EXPECT_FALSE(reshape(rows, {"i", "j"}, {{"u", *AffineExpr::parse("6*n")}}).ok());
}

TEST(GuardedCasts, AgreeWithEnumeration) {
  RandomGuarded random{std::mt19937_64(611)};
  int narrowed = 0;
  int widened = 0;
  for (int i = 0; i < 3000; ++i) {
    Layout layout = random.layout({.max_rank = 2, .compact = i % 2 == 0});
    const int64_t n = 1 + random.below(6);
    const Layout narrow = take(downcast(layout, n));
    ++narrowed;
    for (int64_t p = 0; p <= 6; p += 3) {
      std::map<int64_t, int64_t> want;
      for (const auto& [x, y] : table_of(layout, {{"n", p}})) {
        for (int64_t part = 0; part < n; ++part) ++want[n * y[0] + part];
      }
      std::map<int64_t, int64_t> found;
      for (const auto& [x, y] : table_of(narrow, {{"n", p}})) ++found[y[0]];
      ASSERT_EQ(found, want) << layout.to_string() << narrow.to_string();
    }
    const auto wide = upcast(layout, n);
    if (!wide.ok()) continue;
    ++widened;
    for (int64_t p = 0; p <= 6; p += 3) {
      const Assignment at{{"n", p}};
      // The first part of each element, by the strides.
      Point keep(layout.rank(), 1);
      for (size_t k = 0; k < layout.rank(); ++k) {
        for (const Piece& piece : layout.pieces()) {
          const int64_t stride = std::abs(piece.a[0][k].constant());
          const bool walked = layout.dims()[k].extent != AffineExpr(1);
          if (walked && stride % n != 0) keep[k] = n / stride;
        }
      }
      std::map<Point, Point> want;
      for (const auto& [x, y] : table_of(layout, at)) {
        Point element = x;
        bool first = true;
        for (size_t k = 0; k < x.size(); ++k) {
          first = first && x[k] % keep[k] == 0;
          element[k] /= keep[k];
        }
        if (first) want[element] = {y[0] / n};
      }
      ASSERT_EQ(table_of(*wide, at), want) << layout.to_string() << wide->to_string();
    }
  }
  EXPECT_GT(narrowed, 2000);
  EXPECT_GT(widened, 400);
  Facts facts;
  ASSERT_TRUE(facts.divisible("s", 8).ok());
  ASSERT_TRUE(facts.divisible("base", 4).ok());
  EXPECT_EQ(
      take(upcast(parse("layout [s, base] (i: 4, j: 8) -> 1 { when i < 3: (s*i + j + base); }"), 4, facts)).to_string(),
      "layout [s, base] (i: 4, j: 2) -> 1 {\n  when -i + 2 >= 0: (floor((s) / 4)*i + j + floor((base) / 4));\n}\n");
  EXPECT_FALSE(upcast(parse("layout [s] (i: 4) -> 1 { : (s*i); }"), 4).ok());
  EXPECT_FALSE(upcast(parse("layout [] (i: 4) -> 1 { : (4*i + 2); }"), 4).ok());
  EXPECT_FALSE(upcast(parse("layout [] (i: 4) -> 1 { : (i); }"), 0).ok());
  EXPECT_FALSE(downcast(parse("layout [] (i: 4) -> 1 { : (i); }"), 0).ok());
}

TEST(GuardedCasts, EqualTheStridedOnes) {
  RandomLayouts random{std::mt19937_64(612)};
  int compared = 0;
  for (int i = 0; i < 3000; ++i) {
    const StridedLayout layout = random.layout(i % 3 == 0);
    const int64_t n = 1 + random.below(8);
    const auto wide = upcast(ComposedLayout(layout), n);
    const auto found = upcast(guarded(layout), n);
    ASSERT_EQ(found.ok(), wide.ok()) << layout.to_string() << " " << n;
    if (wide.ok()) {
      ASSERT_EQ(sequence(*found), values_of(wide->layout())) << layout.to_string() << " " << n;
    }
    const auto narrow = downcast(ComposedLayout(layout), n);
    if (!narrow.ok()) continue;
    ASSERT_EQ(sequence(take(downcast(guarded(layout), n))), values_of(narrow->layout()));
    ++compared;
  }
  EXPECT_GT(compared, 800);
}

// Extents around 2^31: compared by isl, since they cannot be listed.
TEST(GuardedAlgebra, HoldsNearTwoToTheThirtyOne) {
  for (int64_t extent : {(int64_t{1} << 31) - 1, int64_t{1} << 31, (int64_t{1} << 31) + 1}) {
    const Layout layout = parse(fmt::format("layout [n] (i: {}) -> 1 {{ when i < n: (3*i - 7); }}", extent));
    const Arranged tiles = take(divide(layout, {{"i", guarded(leaf(1024, 1))}}, Arrangement::kFlat));
    const Layout by_hand = parse(fmt::format(
        "layout [n] (t: 1024, r: {}) -> 1 {{ when 1024*r + t < n and 1024*r + t < {}: (3072*r + 3*t - 7); }}",
        (extent + 1023) / 1024, extent));
    EXPECT_EQ(take(equal_by_isl(tiles.layout, by_hand)), Verdict::kProved) << tiles.layout.to_string();
    EXPECT_EQ(take(equal_by_isl(take(flip(take(flip(layout, "i")), "i")), layout)), Verdict::kProved);
    EXPECT_EQ(take(equal_by_isl(take(take(upcast(take(downcast(layout, 5)), 5)).coalesce()), layout)),
              Verdict::kProved);
  }
  const Layout large = parse("layout [] (i: 4611686018427387904) -> 1 { : (2*i); }");
  EXPECT_FALSE(complement(large, AffineExpr(1)).ok());
  EXPECT_FALSE(downcast(parse("layout [] (i: 4611686018427387904) -> 1 { : (i); }"), 4).ok());
}

}  // namespace
}  // namespace tailor::codegen::layout
