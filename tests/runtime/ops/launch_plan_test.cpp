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
