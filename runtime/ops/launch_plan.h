// The launch plan: how to launch a kernel, as data. Made by codegen, stored in the cache, evaluated by the dispatcher
// without any code generation.
//
// Expressions are postfix over the Problem's symbols and a few device numbers, evaluated on a fixed stack.
//
// magic_multiplier(d) = m = ceil(2^(31+l) / d) and magic_shift(d) = l = ceil(log2 d) let a kernel divide by a d in
// [1, 2^31) that is known at launch: for n in [0, 2^31), floor(n / d) = mulhi_u32(2n, m) >> l, where mulhi_u32 is the
// upper half of a 32-bit product. For m = (2^(31+l) + e) / d with 0 <= e < d <= 2^l, so n e < 2^(31+l) and the error
// n e / (2^(31+l) d) stays below 1/d; and 2^(l-1) < d makes m < 2^32. A d outside that range counts as its nearest end.
// Thread-safety: immutable after construction.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tailor/status.h"

namespace tailor {

// code, text, pops, pushes are all 1
#define TAILOR_PLAN_OPS(X)                   \
  X(kConstant, "const", 0)                   \
  X(kSymbol, "symbol", 0)                    \
  X(kSmCount, "sm_count", 0)                 \
  X(kBlocksPerSm, "occupancy", 0)            \
  X(kAdd, "add", 2)                          \
  X(kSub, "sub", 2)                          \
  X(kMul, "mul", 2)                          \
  X(kFloorDiv, "floor_div", 2)               \
  X(kCeilDiv, "ceil_div", 2)                 \
  X(kMin, "min", 2)                          \
  X(kMax, "max", 2)                          \
  X(kMagicMultiplier, "magic_multiplier", 1) \
  X(kMagicShift, "magic_shift", 1)

enum class PlanOp : uint8_t {
#define X(name, text, pops) name,
  TAILOR_PLAN_OPS(X)
#undef X
};

struct PlanTerm {
  PlanOp op = PlanOp::kConstant;
  int64_t operand = 0;  // kConstant: the value; kSymbol: the symbol; otherwise 0
  friend bool operator==(const PlanTerm&, const PlanTerm&) = default;
};

inline constexpr int kMaxPlanStack = 8;
inline constexpr int kMaxPlanTerms = 32;
inline constexpr int kMaxPlanParameters = 64;
inline constexpr int kMaxParameterBytes = 512;

using PlanExpression = std::vector<PlanTerm>;  // postfix; leaves exactly one value

struct PlanParameter {
  uint16_t offset = 0;  // bytes into the parameter block
  uint8_t width = 8;    // 4 or 8 bytes
  PlanExpression value;
  friend bool operator==(const PlanParameter&, const PlanParameter&) = default;
};

struct LaunchPlan {
  std::array<PlanExpression, 3> grid;      // blocks; any of them 0 means: do not launch
  std::array<uint32_t, 3> block{1, 1, 1};  // threads
  uint32_t dynamic_shared_bytes = 0;
  std::vector<PlanParameter> parameters;  // in kernel parameter order
  friend bool operator==(const LaunchPlan&, const LaunchPlan&) = default;
};

struct DeviceNumbers {
  int64_t sm_count = 1;
  int64_t blocks_per_sm = 1;  // occupancy of this kernel with this block and shared size
};

// Postfix evaluation in int64. Division by zero and stack errors cannot happen in a plan that `validate` accepted
// (divisors are positive constants, kSmCount or kBlocksPerSm); sums and products wrap, which validation of the
// Problem's extents keeps from happening in a plan of ours. Does not allocate.
int64_t evaluate(std::span<const PlanTerm> expression, std::span<const int64_t> symbols, const DeviceNumbers& device);

// ok if every expression is well formed (stack depth, symbols < symbol_count, divisors), parameters are naturally
// aligned and in increasing order inside kMaxParameterBytes, block is 1 … 1024 threads. Plans come from disk: nothing
// is assumed.
Status validate(const LaunchPlan& plan, int symbol_count);

// Text form, e.g. "min(ceil_div(rows, 8), mul(sm_count, 16))"; for `tailor emit --what=plan`.
std::string to_string(const LaunchPlan& plan, std::span<const std::string_view> symbol_names);

}  // namespace tailor
