// Oracle: the copy carried out byte by byte. Every plan must move each byte of the row to its place, touch nothing
// else, keep every access aligned for all bases and strides the facts allow, and be the widest that does.
#include "codegen/layout/vector_width.h"

#include <limits>
#include <map>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::layout {
namespace {

using integer::Residue;

// Concrete numbers for one admissible world: a base and a value for each stride.
struct World {
  int64_t base = 0;
  std::vector<int64_t> outer;
  std::vector<int64_t> within;
};

int64_t pick(const Stride& stride, int64_t factor) {
  return stride.is_constant() ? stride.value : stride.divisor * factor;
}

World make_world(const CopySide& side, std::mt19937_64& rng) {
  World world;
  world.base = side.base.residue + side.base.modulus * static_cast<int64_t>(rng() % 64 + 64);
  for (const OuterDim& dim : side.outer) world.outer.push_back(pick(dim.stride, static_cast<int64_t>(rng() % 16) + 1));
  for (const Stride& stride : side.within) world.within.push_back(pick(stride, static_cast<int64_t>(rng() % 16) + 40));
  return world;
}

// Byte address of the row's start for random outer indices.
int64_t row_start(const CopySide& side, const World& world, int64_t elem, std::mt19937_64& rng) {
  int64_t address = world.base;
  for (size_t i = 0; i < side.outer.size(); ++i) {
    int64_t extent = side.outer[i].extent;
    int64_t index = extent < 0 ? static_cast<int64_t>(rng() % 7)
                               : (extent <= 1 ? 0 : static_cast<int64_t>(rng() % static_cast<uint64_t>(extent)));
    address += index * world.outer[i] * elem;
  }
  return address;
}

std::map<int64_t, int64_t> reference_copy(const CopySpace& space, const World& src, const World& dst, int64_t src_row,
                                          int64_t dst_row, int64_t elem) {
  std::map<int64_t, int64_t> moved;  // dst byte -> src byte
  int64_t total = 1;
  for (const SpaceDim& dim : space.dims) total *= dim.extent;
  for (int64_t index = 0; index < total; ++index) {
    int64_t rest = index, s = src_row, d = dst_row;
    for (size_t i = space.dims.size(); i-- > 0;) {
      int64_t x = rest % space.dims[i].extent;
      rest /= space.dims[i].extent;
      s += x * src.within[i] * elem;
      d += x * dst.within[i] * elem;
    }
    for (int64_t byte = 0; byte < elem; ++byte) moved[d + byte] = s + byte;
  }
  return moved;
}

// A symbolic digit of the plan takes the world's value of the dimension of the same name.
int64_t digit_stride(const Stride& planned, const std::string& name, const CopySpace& space, const World& world) {
  if (planned.is_constant()) return planned.value;
  for (size_t i = 0; i < space.dims.size(); ++i) {
    if (space.dims[i].name == name) return world.within[i];
  }
  ADD_FAILURE() << "no dimension " << name;
  return 0;
}

struct Executed {
  std::map<int64_t, int64_t> moved;
  bool aligned = true;
  bool written_once = true;
};

Executed execute(const CopyShape& plan, const CopySpace& space, const World& src, const World& dst, int64_t src_row,
                 int64_t dst_row, int64_t elem) {
  Executed result;
  auto access = [&](int64_t s, int64_t d, int64_t width) {
    result.aligned = result.aligned && s % width == 0 && d % width == 0;
    for (int64_t byte = 0; byte < width; ++byte) {
      result.written_once = result.moved.emplace(d + byte, s + byte).second && result.written_once;
    }
  };
  for (int64_t run = 0; run < plan.runs; ++run) {
    int64_t rest = run, s = src_row + plan.src_start * elem, d = dst_row + plan.dst_start * elem;
    for (size_t i = plan.run_dims.size(); i-- > 0;) {
      const RunDim& digit = plan.run_dims[i];
      int64_t x = rest % digit.extent;
      rest /= digit.extent;
      s += x * digit_stride(digit.src_stride, digit.name, space, src) * elem;
      d += x * digit_stride(digit.dst_stride, digit.name, space, dst) * elem;
    }
    for (int64_t v = 0; v < plan.vectors_per_run; ++v) {
      access(s + v * plan.vector_bytes, d + v * plan.vector_bytes, plan.vector_bytes);
    }
    for (const TailPiece& piece : plan.tail) access(s + piece.offset, d + piece.offset, piece.width);
  }
  return result;
}

// A destination whose rows do not overlap: within strides dominate one another from the innermost outwards, in some
// order.
struct Case {
  CopySpace space;
  CopySide src, dst;
  int64_t elem = 1;
};

Case random_case(std::mt19937_64& rng) {
  Case c;
  c.elem = int64_t{1} << (rng() % 4);
  size_t rank = rng() % 4;
  const int64_t extents[] = {1, 2, 3, 4, 5, 7, 8, 13, 16, 20};
  for (size_t i = 0; i < rank; ++i) c.space.dims.push_back({fmt::format("x{}", i), extents[rng() % 10]});
  auto side = [&](const std::string& name) {
    CopySide s;
    s.operand = name;
    s.base.modulus = c.elem * (int64_t{1} << (rng() % 5));
    s.base.residue = rng() % 4 == 0 ? c.elem * static_cast<int64_t>(rng() % 4) : 0;
    s.base.residue %= s.base.modulus;
    s.within.resize(rank);
    int64_t next = 1;
    for (size_t i = rank; i-- > 0;) {
      bool symbolic = rng() % 8 == 0 && i == 0;
      // Symbols take values >= 40 * divisor; the extents below them span less than that for the divisor chosen.
      s.within[i] = symbolic ? Stride::symbolic("s_" + name, integer::ceil_div(next, 40) * (int64_t{1} << rng() % 3))
                             : Stride::constant(next);
      next *= c.space.dims[i].extent;
      if (rng() % 3 == 0) next += static_cast<int64_t>(rng() % 9);
    }
    if (rng() % 2 == 0)
      s.outer.push_back({"row", Stride::constant(static_cast<int64_t>(rng() % 50)), OuterDim::kUnknownExtent});
    if (rng() % 2 == 0)
      s.outer.push_back(
          {"page", Stride::symbolic("p_" + name, int64_t{1} << rng() % 5), static_cast<int64_t>(rng() % 4)});
    return s;
  };
  c.src = side("src");
  c.dst = side("dst");
  // Dimensions that both sides, or one of them, walk backwards.
  for (size_t i = 0; i < rank; ++i) {
    const uint64_t backwards = rng() % 6;
    if (backwards > 2 || !c.src.within[i].is_constant() || !c.dst.within[i].is_constant()) continue;
    if (backwards != 1) c.src.within[i].value *= -1;
    if (backwards != 2) c.dst.within[i].value *= -1;
  }
  return c;
}

TEST(PlanCopy, MovesEveryByteOnceWithAlignedAccesses) {
  std::mt19937_64 rng(21);
  for (int i = 0; i < 4000; ++i) {
    Case c = random_case(rng);
    auto plan = plan_copy(c.space, c.src, c.dst, c.elem);
    if (!plan.ok()) continue;  // a base residue below the element; tested by name below
    for (int k = 0; k < 3; ++k) {
      World src = make_world(c.src, rng);
      World dst = make_world(c.dst, rng);
      int64_t src_row = row_start(c.src, src, c.elem, rng);
      int64_t dst_row = row_start(c.dst, dst, c.elem, rng);
      Executed got = execute(*plan, c.space, src, dst, src_row, dst_row, c.elem);
      ASSERT_TRUE(got.aligned) << plan->reason;
      ASSERT_TRUE(got.written_once);
      ASSERT_EQ(got.moved, reference_copy(c.space, src, dst, src_row, dst_row, c.elem)) << plan->reason;
    }
    ASSERT_LE(plan->vector_bytes, 16);
    ASSERT_GE(plan->vector_bytes, c.elem);
    ASSERT_FALSE(plan->reason.empty());
  }
}

TEST(PlanCopy, TheNextWiderVectorIsMisalignedSomewhereOrDoesNotFit) {
  std::mt19937_64 rng(22);
  int narrower = 0;
  for (int i = 0; i < 1500; ++i) {
    Case c = random_case(rng);
    auto plan = plan_copy(c.space, c.src, c.dst, c.elem);
    if (!plan.ok() || plan->runs == 0 || plan->vector_bytes == 16) continue;
    int64_t wider = 2 * plan->vector_bytes;
    if (plan->run_bytes < wider) continue;
    ++narrower;
    CopyShape forced = *plan;
    forced.vector_bytes = wider;
    forced.vectors_per_run = plan->run_bytes / wider;
    forced.tail.clear();
    bool broken = false;
    for (int k = 0; k < 400 && !broken; ++k) {
      World src = make_world(c.src, rng);
      World dst = make_world(c.dst, rng);
      broken = !execute(forced, c.space, src, dst, row_start(c.src, src, c.elem, rng),
                        row_start(c.dst, dst, c.elem, rng), c.elem)
                    .aligned;
    }
    EXPECT_TRUE(broken) << plan->reason;
  }
  EXPECT_GT(narrower, 200);
}

CopySide simple(const std::string& name, std::vector<Stride> within, BaseAlignment base = {16, 0}) {
  return {name, base, {}, std::move(within)};
}

TEST(PlanCopy, PagedGatherRowIsOneRunOfFullVectors) {
  CopySpace space{{{"h", 8}, {"d", 80}}};
  CopySide src{"pages",
               {16, 0},
               {{"page", Stride::symbolic("stride_p", 8)}, {"slot", Stride::constant(640)}},
               {Stride::constant(80), Stride::constant(1)}};
  CopySide dst{"out", {16, 0}, {{"t", Stride::constant(640)}}, {Stride::constant(80), Stride::constant(1)}};
  auto plan = plan_copy(space, src, dst, 2);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->runs, 1);
  EXPECT_EQ(plan->run_bytes, 1280);
  EXPECT_TRUE(plan->run_dims.empty());
  EXPECT_EQ(plan->vector_bytes, 16);
  EXPECT_EQ(plan->vectors_per_run, 80);
  EXPECT_TRUE(plan->tail.empty());
  // Weaker knowledge of the page stride narrows the vector, and the reason says what to promise.
  src.outer[0].stride.divisor = 2;
  plan = plan_copy(space, src, dst, 2);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->vector_bytes, 4);
  EXPECT_NE(plan->reason.find("the fact that stride_p is a multiple of 4 elements would allow 8"), std::string::npos)
      << plan->reason;
  Facts facts;
  ASSERT_TRUE(facts.divisible("stride_p", 8).ok());
  plan = plan_copy(space, src, dst, 2, facts);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->vector_bytes, 16);
}

TEST(PlanCopy, HeadMajorPagesGiveOneRunPerHead) {
  // [P, H, page_size, D] with page_size 24: stride of h is 24*80, the row is 8 runs.
  CopySpace space{{{"h", 8}, {"d", 80}}};
  CopySide src{"pages",
               {16, 0},
               {{"page", Stride::symbolic("stride_p", 8)}, {"slot", Stride::constant(80)}},
               {Stride::constant(24 * 80), Stride::constant(1)}};
  CopySide dst{"out", {16, 0}, {{"t", Stride::constant(640)}}, {Stride::constant(80), Stride::constant(1)}};
  auto plan = plan_copy(space, src, dst, 2);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->runs, 8);
  EXPECT_EQ(plan->run_bytes, 160);
  ASSERT_EQ(plan->run_dims.size(), 1u);
  EXPECT_EQ(plan->run_dims[0].src_stride, Stride::constant(1920));
  EXPECT_EQ(plan->run_dims[0].dst_stride, Stride::constant(80));
  EXPECT_EQ(plan->vector_bytes, 16);
  EXPECT_EQ(plan->vectors_per_run, 10);
}

TEST(PlanCopy, OddRowsSayWhichStrideStoppedThem) {
  CopySpace space{{{"h", 8}, {"d", 37}}};
  auto plan = plan_copy(space, simple("pages", {Stride::constant(37), Stride::constant(1)}),
                        simple("out", {Stride::constant(40), Stride::constant(1)}), 2);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->vector_bytes, 2);
  EXPECT_EQ(plan->vectors_per_run, 37);
  EXPECT_EQ(plan->reason,
            "vector 2: stride of h in pages is 37 elements = 74 bytes, a multiple of 2 but not of 4; padding it to a "
            "multiple of 2 elements would allow 4");
}

TEST(PlanCopy, TailIsStraightLine) {
  CopySpace space{{{"d", 31}}};
  auto plan = plan_copy(space, simple("a", {Stride::constant(1)}), simple("b", {Stride::constant(1)}), 1);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->vector_bytes, 16);
  EXPECT_EQ(plan->vectors_per_run, 1);
  EXPECT_EQ(plan->tail, (std::vector<TailPiece>{{16, 8}, {24, 4}, {28, 2}, {30, 1}}));
}

TEST(PlanCopy, ZeroNegativeAndTransposedStrides) {
  CopySpace space{{{"i", 4}, {"j", 6}}};
  // Broadcast source: no common contiguous dimension, one element at a time.
  auto plan = plan_copy(space, simple("a", {Stride::constant(0), Stride::constant(0)}),
                        simple("b", {Stride::constant(6), Stride::constant(1)}), 4);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->runs, 24);
  EXPECT_EQ(plan->vector_bytes, 4);
  // Reversed: never a run.
  plan = plan_copy(space, simple("a", {Stride::constant(-6), Stride::constant(-1)}),
                   simple("b", {Stride::constant(6), Stride::constant(1)}), 4);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->run_bytes, 4);
  // Both transposed the same way: the run follows the common contiguous dimension i, then j.
  plan = plan_copy(space, simple("a", {Stride::constant(1), Stride::constant(4)}),
                   simple("b", {Stride::constant(1), Stride::constant(4)}), 4);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->runs, 1);
  EXPECT_EQ(plan->run_bytes, 96);
}

TEST(PlanCopy, RunsThatBothSidesWalkBackwardsAreWalkedForwards) {
  // The last element's address decides: 99 elements of 2 bytes before the base.
  const CopySpace space{{{"d", 100}}};
  auto plan = plan_copy(space, simple("a", {Stride::constant(-1)}), simple("b", {Stride::constant(-1)}), 2);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->runs, 1);
  EXPECT_EQ(plan->run_bytes, 200);
  EXPECT_EQ(plan->src_start, -99);
  EXPECT_EQ(plan->dst_start, -99);
  EXPECT_EQ(plan->vector_bytes, 2);
  EXPECT_EQ(
      plan->reason,
      "vector 2: base of a is 10 mod 16 bytes where the copy starts, 99 elements before element 0, a multiple of 2 "
      "but not of 4; aligning it to 4 bytes would allow 4; and base of b is 10 mod 16 bytes where the copy starts, "
      "99 elements before element 0, a multiple of 2 but not of 4; aligning it to 4 bytes would allow 4");
  const BaseAlignment end{16, 6};
  plan = plan_copy(space, simple("a", {Stride::constant(-1)}, end), simple("b", {Stride::constant(-1)}, end), 2);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->vector_bytes, 16);
  EXPECT_EQ(plan->tail, (std::vector<TailPiece>{{192, 8}}));
  // Rows and elements backwards: one run. Rows alone, of a padded destination: runs in the other order.
  const CopySpace two{{{"i", 4}, {"j", 8}}};
  plan = plan_copy(two, simple("a", {Stride::constant(-8), Stride::constant(-1)}, {16, 14}),
                   simple("b", {Stride::constant(-8), Stride::constant(-1)}, {16, 14}), 2);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->run_bytes, 64);
  EXPECT_EQ(plan->vector_bytes, 16);
  plan = plan_copy(two, simple("a", {Stride::constant(-8), Stride::constant(1)}),
                   simple("b", {Stride::constant(-16), Stride::constant(1)}), 2);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->src_start, -24);
  EXPECT_EQ(plan->dst_start, -48);
  ASSERT_EQ(plan->run_dims.size(), 1u);
  EXPECT_EQ(plan->run_dims[0].src_stride, Stride::constant(8));
  EXPECT_EQ(plan->run_dims[0].dst_stride, Stride::constant(16));
  EXPECT_EQ(plan->vector_bytes, 16);
  // Against each other: no vector, and the reason says so.
  plan = plan_copy(space, simple("a", {Stride::constant(-1)}), simple("b", {Stride::constant(1)}), 2);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->src_start, 0);
  EXPECT_EQ(plan->run_bytes, 2);
  EXPECT_NE(plan->reason.find("d runs backwards in a and forwards in b, which no vector does"), std::string::npos)
      << plan->reason;
  const int64_t least = std::numeric_limits<int64_t>::min();
  EXPECT_FALSE(
      plan_copy(space, simple("a", {Stride::constant(least)}), simple("b", {Stride::constant(least)}), 2).ok());
  EXPECT_FALSE(
      plan_copy(space, simple("a", {Stride::constant(least / 2)}), simple("b", {Stride::constant(-1)}), 2).ok());
}

TEST(PlanCopy, DegenerateSpaces) {
  auto one = plan_copy({}, simple("a", {}), simple("b", {}), 8);
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->runs, 1);
  EXPECT_EQ(one->run_bytes, 8);
  auto none = plan_copy({{{"i", 0}, {"j", 5}}}, simple("a", {Stride::constant(5), Stride::constant(1)}),
                        simple("b", {Stride::constant(5), Stride::constant(1)}), 8);
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->runs, 0);
  EXPECT_TRUE(none->tail.empty());
}

TEST(PlanCopy, BadInputNamesThingValueAndRule) {
  CopySpace space{{{"d", 8}}};
  auto fails = [&](const Expected<CopyShape>& plan, const std::string& part) {
    ASSERT_FALSE(plan.ok());
    EXPECT_EQ(plan.status().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(plan.status().message().find(part), std::string::npos) << plan.status().to_string();
  };
  CopySide good = simple("out", {Stride::constant(1)});
  fails(plan_copy(space, simple("pages", {Stride::constant(1)}, {2, 0}), good, 4), "base of pages is 0 mod 2 bytes");
  fails(plan_copy(space, simple("pages", {Stride::constant(1)}, {16, 6}), good, 4), "6 mod 16");
  fails(plan_copy(space, good, simple("x", {}), 4), "x has 0 strides");
  fails(plan_copy(space, good, good, 3), "element size is 3");
  fails(plan_copy(space, good, good, 4, {}, 2), "largest vector is 2");
  fails(plan_copy({{{"d", -1}}}, good, good, 4), "extent of d is -1");
  fails(plan_copy({{{"d", INT64_MAX}}}, good, good, 4), "overflows");
  fails(plan_copy({{{"d", 8}, {"e", 2}}}, simple("a", {Stride::constant(INT64_MAX), Stride::constant(1)}),
                  simple("b", {Stride::constant(2), Stride::constant(1)}), 4),
        "overflows");
  fails(plan_copy(space, simple("a", {Stride::symbolic("s", 0)}), good, 4), "divisor of stride s is 0");
}

// From a pool layout with a page bound by a block table to the same plan as by hand.
TEST(PlanCopy, GuardedLayoutsOfPagedGatherGiveTheSamePlan) {
  auto pool = GuardedAffineLayout::parse(
      "layout [P, stride_p] (p: P, slot: 24, h: 8, d: 80) -> 1 { : (stride_p*p + 640*slot + 80*h + d); }");
  auto packed = GuardedAffineLayout::parse("layout [T] (t: T, h: 8, d: 80) -> 1 { : (640*t + 80*h + d); }");
  ASSERT_TRUE(pool.ok() && packed.ok());
  Facts facts;
  ASSERT_TRUE(facts.divisible("stride_p", 8).ok() && facts.range("P", 1, 4096).ok());
  auto paged = pool->page("p", "page_base", facts);
  ASSERT_TRUE(paged.ok());
  ASSERT_TRUE(facts.add("page_base", paged->base_fact).ok());
  auto src = row_access("pages", paged->layout, {"h", "d"}, {16, 0}, 2, facts);
  auto dst = row_access("out", *packed, {"h", "d"}, {16, 0}, 2, facts);
  ASSERT_TRUE(src.ok() && dst.ok()) << src.status().to_string();
  EXPECT_EQ(src->side.base.modulus, 16);
  auto plan = plan_copy(src->space, src->side, dst->side, 2, facts);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->runs, 1);
  EXPECT_EQ(plan->vector_bytes, 16);
  // Without the page bound, as a dimension of symbolic stride: the same.
  src = row_access("pages", *pool, {"h", "d"}, {16, 0}, 2, facts);
  ASSERT_TRUE(src.ok());
  EXPECT_EQ(src->side.outer[0].stride, Stride::symbolic("stride_p", 8));
  EXPECT_EQ(plan_copy(src->space, src->side, dst->side, 2, facts)->vector_bytes, 16);
  EXPECT_FALSE(row_access("pages", *pool, {"x"}, {16, 0}, 2).ok());
  EXPECT_FALSE(row_access("pages", *pool, {"p"}, {16, 0}, 2).ok());
}

TEST(VectorWidth, TailFollowsFromTheResidueOfTheRunLength) {
  // Runs of 2*M bytes with M % 128 = 17: 34 mod 256.
  AccessLayout access{"x", {16, 0}, {{"row", Stride::constant(64)}}, Residue::congruent(256, 34)};
  auto width = vector_width(access, 2);
  ASSERT_TRUE(width.ok());
  EXPECT_EQ(width->vector_bytes, 16);
  EXPECT_FALSE(width->vectors_per_run.has_value());
  EXPECT_TRUE(width->tail_known);
  EXPECT_EQ(width->tail, (std::vector<TailPiece>{{0, 2}}));
  access.run_bytes = Residue::multiple_of(2);
  width = vector_width(access, 2);
  ASSERT_TRUE(width.ok());
  EXPECT_FALSE(width->tail_known);
  EXPECT_NE(width->tail_reason.find("the residue of it mod 16 would fix the tail"), std::string::npos);
  access.run_bytes = Residue::constant(6);
  width = vector_width(access, 2);
  ASSERT_TRUE(width.ok());
  EXPECT_EQ(width->vector_bytes, 4);
  EXPECT_EQ(width->row_alignment, 16);
  EXPECT_EQ(width->tail, (std::vector<TailPiece>{{0, 2}}));
  access.run_bytes = Residue::constant(7);
  EXPECT_FALSE(vector_width(access, 2).ok());
}

TEST(VectorWidth, IsTheWidestForEveryAdmissibleRow) {
  std::mt19937_64 rng(23);
  for (int i = 0; i < 3000; ++i) {
    int64_t elem = int64_t{1} << (rng() % 4);
    AccessLayout access{"x", {elem << (rng() % 4), 0}, {}, Residue::constant(elem * static_cast<int64_t>(rng() % 40))};
    for (size_t d = rng() % 3; d-- > 0;)
      access.outer.push_back({"r", Stride::constant(static_cast<int64_t>(rng() % 33) - 16)});
    auto width = vector_width(access, elem);
    ASSERT_TRUE(width.ok());
    // The lattice of row starts: all small combinations, for both parities of the base.
    auto aligned = [&](int64_t w) {
      for (int64_t k = 0; k < 2; ++k) {
        int64_t base = access.base.modulus * (k == 0 ? 64 : 65);
        if (base % w != 0) return false;
        for (const OuterDim& dim : access.outer) {
          if ((dim.stride.value * elem) % w != 0) return false;
        }
      }
      return true;
    };
    EXPECT_TRUE(aligned(width->vector_bytes));
    int64_t wider = 2 * width->vector_bytes;
    if (wider <= 16 && wider <= access.run_bytes.remainder) {
      EXPECT_FALSE(aligned(wider)) << width->reason;
    }
    int64_t covered = *width->vectors_per_run * width->vector_bytes;
    for (const TailPiece& piece : width->tail) covered += piece.width;
    EXPECT_EQ(covered, access.run_bytes.remainder);
  }
}

}  // namespace
}  // namespace tailor::codegen::layout
