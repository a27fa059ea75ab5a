// Launch plans: evaluation against a recursive evaluator over trees, validation of what comes from disk.
#include "runtime/ops/launch_plan.h"

#include <functional>
#include <limits>
#include <memory>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tailor {
namespace {

using ::testing::HasSubstr;

PlanTerm constant(int64_t v) { return {PlanOp::kConstant, v}; }
PlanTerm symbol(int64_t s) { return {PlanOp::kSymbol, s}; }
PlanTerm op(PlanOp o) { return {o, 0}; }

LaunchPlan good_plan() {
  LaunchPlan plan;
  // min(ceil_div(rows, 8), mul(sm_count, occupancy))
  plan.grid[0] = {
      symbol(1),        constant(8),     op(PlanOp::kCeilDiv), op(PlanOp::kSmCount), op(PlanOp::kBlocksPerSm),
      op(PlanOp::kMul), op(PlanOp::kMin)};
  plan.grid[1] = plan.grid[2] = {constant(1)};
  plan.block = {128, 2, 1};
  plan.parameters = {{0, 8, {symbol(0)}}, {8, 4, {symbol(1)}}, {16, 8, {constant(-1)}}};
  return plan;
}

// A random expression tree: its postfix form and its value, computed on the way.
struct Tree {
  PlanExpression postfix;
  __int128 value = 0;
  int depth = 1;
};

Tree random_tree(std::mt19937& rng, std::span<const int64_t> symbols, const DeviceNumbers& device, int height) {
  const auto leaf = [&](bool divisor) -> Tree {
    switch (divisor ? rng() % 3 : rng() % 4) {
      case 0: {
        const int64_t v = static_cast<int64_t>(rng() % 100) + (divisor ? 1 : -20);
        return {{constant(v)}, v, 1};
      }
      case 1:
        return {{op(PlanOp::kSmCount)}, device.sm_count, 1};
      case 2:
        return {{op(PlanOp::kBlocksPerSm)}, device.blocks_per_sm, 1};
      default: {
        const size_t s = rng() % symbols.size();
        return {{symbol(static_cast<int64_t>(s))}, symbols[s], 1};
      }
    }
  };
  if (height == 0 || rng() % 4 == 0) return leaf(false);
  constexpr PlanOp kOps[] = {PlanOp::kAdd,     PlanOp::kSub, PlanOp::kMul, PlanOp::kFloorDiv,
                             PlanOp::kCeilDiv, PlanOp::kMin, PlanOp::kMax};
  const PlanOp o = kOps[rng() % std::size(kOps)];
  const bool divides = o == PlanOp::kFloorDiv || o == PlanOp::kCeilDiv;
  const Tree a = random_tree(rng, symbols, device, height - 1);
  const Tree b = divides ? leaf(true) : random_tree(rng, symbols, device, height - 1);
  Tree t;
  t.postfix = a.postfix;
  t.postfix.insert(t.postfix.end(), b.postfix.begin(), b.postfix.end());
  t.postfix.push_back(op(o));
  t.depth = std::max(a.depth, b.depth + 1);
  const auto floor_quotient = [&](__int128 n) {
    __int128 q = n / b.value;
    while (q * b.value > n) --q;
    return q;
  };
  switch (o) {
    case PlanOp::kAdd:
      t.value = a.value + b.value;
      break;
    case PlanOp::kSub:
      t.value = a.value - b.value;
      break;
    case PlanOp::kMul:
      t.value = a.value * b.value;
      break;
    case PlanOp::kFloorDiv:
      t.value = floor_quotient(a.value);
      break;
    case PlanOp::kCeilDiv:
      t.value = -floor_quotient(-a.value);
      break;
    case PlanOp::kMin:
      t.value = a.value < b.value ? a.value : b.value;
      break;
    default:
      t.value = a.value > b.value ? a.value : b.value;
      break;
  }
  return t;
}

TEST(LaunchPlan, EvaluatesWhatTheTreeSays) {
  std::mt19937 rng(17);
  const int64_t symbols[] = {0, 1, -7, 4096, 77};
  const DeviceNumbers device{132, 16};
  int large = 0;
  for (int round = 0; round < 20000; ++round) {
    const Tree tree = random_tree(rng, symbols, device, 4);
    LaunchPlan plan = good_plan();
    plan.grid[0] = tree.postfix;
    const bool fits = tree.postfix.size() <= static_cast<size_t>(kMaxPlanTerms) && tree.depth <= kMaxPlanStack;
    ASSERT_EQ(validate(plan, 5).ok(), fits) << validate(plan, 5).message();
    if (!fits) continue;
    large += tree.postfix.size() > 8;
    ASSERT_EQ(evaluate(tree.postfix, symbols, device), static_cast<int64_t>(tree.value)) << round;
  }
  EXPECT_GT(large, 1000);
}

TEST(LaunchPlan, ExtremesAreDefined) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  const int64_t symbols[] = {kMin, -1};
  const DeviceNumbers none{0, 0};  // counted as 1
  for (const PlanOp o : {PlanOp::kAdd, PlanOp::kSub, PlanOp::kMul}) {
    const PlanExpression e = {symbol(0), symbol(1), op(o)};
    static_cast<void>(evaluate(e, symbols, none));
  }
  EXPECT_EQ(evaluate(PlanExpression{symbol(0), op(PlanOp::kSmCount), op(PlanOp::kCeilDiv)}, symbols, none), kMin);
}

int64_t of_symbol(PlanOp o, int64_t value) {
  const PlanTerm terms[] = {symbol(0), op(o)};
  return evaluate(terms, std::span(&value, 1), {});
}

// mulhi_u32(2n, m) >> l for the n at which an error would show first: the last of each class n mod d, and both ends.
void expect_divides(int64_t d) {
  const int64_t m = of_symbol(PlanOp::kMagicMultiplier, d), l = of_symbol(PlanOp::kMagicShift, d);
  ASSERT_LT(m, int64_t{1} << 32) << d;
  ASSERT_TRUE(l >= 0 && l < 32) << d;
  constexpr int64_t kLast = (int64_t{1} << 31) - 1;
  const auto quotient = [&](int64_t n) {
    return static_cast<int64_t>((static_cast<uint64_t>(2 * n) * static_cast<uint64_t>(m) >> 32) >> l);
  };
  const int64_t last_multiple = kLast / d * d;
  for (int64_t n : {int64_t{0}, int64_t{1}, d - 1, d, d + 1, kLast, last_multiple, last_multiple - 1, kLast / 2 / d * d,
                    kLast / 2 / d * d + d - 1}) {
    if (n >= 0 && n <= kLast) {
      ASSERT_EQ(quotient(n), n / d) << n << " / " << d;
    }
  }
}

TEST(MagicDivision, IsExactForEveryDivisor) {
  for (int64_t d = 1; d <= 1 << 17; ++d) expect_divides(d);
  for (int bit = 1; bit < 31; ++bit) {
    for (int64_t off = -2; off <= 2; ++off) {
      if (const int64_t d = (int64_t{1} << bit) + off; d >= 1) expect_divides(d);
    }
  }
  std::mt19937_64 rng(5);
  for (int round = 0; round < 200000; ++round) {
    expect_divides(static_cast<int64_t>(rng() >> (33 + rng() % 31)) | 1);
    expect_divides(std::max<int64_t>(1, static_cast<int64_t>(rng() >> (33 + rng() % 31))));
  }
  expect_divides((int64_t{1} << 31) - 1);
}

// Every n of a long stretch at either end of the range: the whole quotient, not only its edges.
TEST(MagicDivision, IsExactForEveryDividendOfAStretch) {
  for (const int64_t d : {int64_t{3}, int64_t{7}, int64_t{641}, int64_t{65537}, (int64_t{1} << 30) + 1}) {
    const auto m = static_cast<uint64_t>(of_symbol(PlanOp::kMagicMultiplier, d));
    const int64_t l = of_symbol(PlanOp::kMagicShift, d);
    constexpr uint64_t kStretch = uint64_t{1} << 21;
    for (const uint64_t first : {uint64_t{0}, (uint64_t{1} << 31) - kStretch}) {
      uint64_t quotient = first / static_cast<uint64_t>(d), remainder = first % static_cast<uint64_t>(d), wrong = 0;
      for (uint64_t n = first; n < first + kStretch; ++n) {
        wrong += ((2 * n * m >> 32) >> l) != quotient;
        if (++remainder == static_cast<uint64_t>(d)) remainder = 0, ++quotient;
      }
      EXPECT_EQ(wrong, 0u) << d;
    }
  }
}

TEST(MagicDivision, DivisorsOutsideTheirRangeCountAsItsEnds) {
  for (PlanOp o : {PlanOp::kMagicMultiplier, PlanOp::kMagicShift}) {
    for (int64_t d : {int64_t{0}, int64_t{-1}, std::numeric_limits<int64_t>::min()}) {
      EXPECT_EQ(of_symbol(o, d), of_symbol(o, 1));
    }
    for (int64_t d : {int64_t{1} << 31, std::numeric_limits<int64_t>::max()}) {
      EXPECT_EQ(of_symbol(o, d), of_symbol(o, (int64_t{1} << 31) - 1));
    }
  }
  EXPECT_EQ(of_symbol(PlanOp::kMagicMultiplier, 1), int64_t{1} << 31);
  EXPECT_EQ(of_symbol(PlanOp::kMagicShift, 1), 0);
  EXPECT_EQ(of_symbol(PlanOp::kMagicShift, 64), 6);
  EXPECT_EQ(of_symbol(PlanOp::kMagicShift, 65), 7);
}

TEST(MagicDivision, ValidatesAndPrints) {
  LaunchPlan plan = good_plan();
  plan.parameters[1].value = {symbol(1), op(PlanOp::kMagicMultiplier)};
  EXPECT_TRUE(validate(plan, 2).ok()) << validate(plan, 2).message();
  const std::string_view names[] = {"pages", "rows"};
  EXPECT_THAT(to_string(plan, names), HasSubstr("parameter +8 4 bytes = magic_multiplier(rows)\n"));
  plan.parameters[1].value = {op(PlanOp::kMagicShift)};
  EXPECT_THAT(validate(plan, 2).message(), HasSubstr("magic_shift lacks an operand"));
  plan.parameters[1].value = {constant(9), symbol(1), op(PlanOp::kMagicShift), op(PlanOp::kFloorDiv)};
  EXPECT_THAT(validate(plan, 2).message(), HasSubstr("a divisor must be")) << "a shift may be 0";
  EXPECT_THAT(to_string(plan, names), HasSubstr("floor_div(9, magic_shift(rows))"));
}

TEST(LaunchPlan, TextIsInfix) {
  const std::string_view names[] = {"k", "rows"};
  EXPECT_EQ(to_string(good_plan(), names),
            "grid min(ceil_div(rows, 8), mul(sm_count, occupancy)) 1 1\n"
            "block 128 2 1\n"
            "dynamic_shared 0\n"
            "parameter +0 8 bytes = k\n"
            "parameter +8 4 bytes = rows\n"
            "parameter +16 8 bytes = -1\n");
}

TEST(LaunchPlan, ValidateRefusesByRule) {
  ASSERT_TRUE(validate(good_plan(), 2).ok());
  struct Case {
    const char* expected;
    std::function<void(LaunchPlan&)> spoil;
  };
  const Case cases[] = {
      {"grid[1]: the expression is empty", [](auto& p) { p.grid[1].clear(); }},
      {"it leaves 2 values",
       [](auto& p) {
         p.grid[0] = {constant(1), constant(2)};
       }},
      {"add lacks an operand",
       [](auto& p) {
         p.grid[0] = {constant(1), op(PlanOp::kAdd)};
       }},
      {"add lacks an operand",
       [](auto& p) {
         p.grid[0] = {op(PlanOp::kAdd), constant(1)};
       }},
      {"symbol 2 is not one", [](auto& p) { p.grid[0] = {symbol(2)}; }},
      {"symbol -1 is not one", [](auto& p) { p.parameters[0].value = {symbol(-1)}; }},
      {"unknown operation 200", [](auto& p) { p.grid[0] = {op(static_cast<PlanOp>(200))}; }},
      {"a divisor must be",
       [](auto& p) {
         p.grid[0] = {symbol(0), constant(0), op(PlanOp::kFloorDiv)};
       }},
      {"a divisor must be",
       [](auto& p) {
         p.grid[0] = {symbol(0), symbol(1), op(PlanOp::kCeilDiv)};
       }},
      {"a divisor must be",
       [](auto& p) {
         p.grid[0] = {constant(8), constant(3), constant(3), op(PlanOp::kSub), op(PlanOp::kFloorDiv)};
       }},
      {"sm_count has the operand 3",
       [](auto& p) {
         p.grid[0] = {{PlanOp::kSmCount, 3}};
       }},
      {"stack slots",
       [](auto& p) {
         p.grid[0].assign(kMaxPlanStack + 1, constant(1));
         p.grid[0].insert(p.grid[0].end(), kMaxPlanStack, op(PlanOp::kAdd));
       }},
      {"at most 32",
       [](auto& p) {
         p.grid[0] = {constant(1)};
         while (p.grid[0].size() <= 32) p.grid[0].insert(p.grid[0].end(), {constant(1), op(PlanOp::kAdd)});
       }},
      {"block[2] is 0", [](auto& p) { p.block[2] = 0; }},
      {"block[0] is 4294967295", [](auto& p) { p.block[0] = 0xffffffff; }},
      {"a block has 2048 threads",
       [](auto& p) {
         p.block = {1024, 2, 1};
       }},
      {"dynamic_shared_bytes is 1000000", [](auto& p) { p.dynamic_shared_bytes = 1000000; }},
      {"65 parameters", [](auto& p) { p.parameters.resize(65); }},
      {"width 3", [](auto& p) { p.parameters[0].width = 3; }},
      {"multiple of the width", [](auto& p) { p.parameters[2].offset = 12; }},
      {"before the previous one ends (8)", [](auto& p) { p.parameters[1].offset = 4; }},
      {"within 512 bytes", [](auto& p) { p.parameters[2].offset = 512; }},
      {"parameter 1: the expression is empty", [](auto& p) { p.parameters[1].value.clear(); }},
  };
  for (const Case& c : cases) {
    LaunchPlan plan = good_plan();
    c.spoil(plan);
    const Status s = validate(plan, 2);
    EXPECT_FALSE(s.ok()) << c.expected;
    EXPECT_THAT(s.message(), HasSubstr(c.expected));
  }
}

}  // namespace
}  // namespace tailor
