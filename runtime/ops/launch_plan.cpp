#include "runtime/ops/launch_plan.h"

#include <algorithm>
#include <bit>
#include <string_view>

#include <fmt/format.h>

namespace tailor {
namespace {

constexpr uint32_t kMaxBlockThreads = 1024;         // CUDA C++ Programming Guide, technical specifications
constexpr uint32_t kMaxDynamicShared = 227 * 1024;  // per block with opt-in, compute capability 9.0

struct OpInfo {
  std::string_view text;
  int pops;
};

constexpr OpInfo kOps[] = {
#define X(name, text, pops) {text, pops},
    TAILOR_PLAN_OPS(X)
#undef X
};
constexpr size_t kOpCount = std::size(kOps);

bool known(PlanOp op) { return static_cast<size_t>(op) < kOpCount; }
const OpInfo& info(PlanOp op) { return kOps[static_cast<size_t>(op)]; }

// Two's complement without undefined behaviour.
int64_t wrap(uint64_t x) { return static_cast<int64_t>(x); }

int64_t apply(PlanOp op, int64_t a, int64_t b) {
  const auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
  switch (op) {
    case PlanOp::kAdd:
      return wrap(ua + ub);
    case PlanOp::kSub:
      return wrap(ua - ub);
    case PlanOp::kMul:
      return wrap(ua * ub);
    case PlanOp::kFloorDiv:
      return a / b - (a % b < 0);
    case PlanOp::kCeilDiv:
      return a / b + (a % b > 0);
    case PlanOp::kMin:
      return std::min(a, b);
    case PlanOp::kMax:
      return std::max(a, b);
    default:
      return 0;
  }
}

int magic_shift(int64_t divisor) { return std::bit_width(static_cast<uint64_t>(divisor - 1)); }

int64_t apply(PlanOp op, int64_t a) {
  const int64_t d = std::clamp<int64_t>(a, 1, (int64_t{1} << 31) - 1);
  const int l = magic_shift(d);
  if (op == PlanOp::kMagicShift) return l;
  return static_cast<int64_t>(((uint64_t{1} << (31 + l)) + static_cast<uint64_t>(d - 1)) / static_cast<uint64_t>(d));
}

Status check_expression(std::span<const PlanTerm> expression, int symbol_count, std::string_view what) {
  const auto refuse = [&](std::string_view rule) {
    return invalid_argument(fmt::format("launch plan: {}: {}", what, rule));
  };
  if (expression.empty()) return refuse("the expression is empty");
  if (expression.size() > static_cast<size_t>(kMaxPlanTerms)) {
    return refuse(fmt::format("it has {} terms; at most {} are allowed", expression.size(), kMaxPlanTerms));
  }
  // positive[i]: stack slot i is, whatever the symbols are.
  std::array<bool, kMaxPlanStack> positive{};
  int depth = 0;
  for (const PlanTerm& term : expression) {
    if (!known(term.op)) return refuse(fmt::format("unknown operation {}", static_cast<int>(term.op)));
    if (info(term.op).pops == 0) {
      if (depth == kMaxPlanStack) return refuse(fmt::format("it needs more than {} stack slots", kMaxPlanStack));
      if (term.op == PlanOp::kSymbol && (term.operand < 0 || term.operand >= symbol_count)) {
        return refuse(fmt::format("symbol {} is not one of the operation's {}", term.operand, symbol_count));
      }
      positive[depth++] = term.op == PlanOp::kConstant ? term.operand > 0 : term.op != PlanOp::kSymbol;
    } else {
      if (depth < info(term.op).pops) return refuse(fmt::format("{} lacks an operand", info(term.op).text));
      const bool divides = term.op == PlanOp::kFloorDiv || term.op == PlanOp::kCeilDiv;
      if (divides && !positive[depth - 1]) {
        return refuse("a divisor must be a positive constant, sm_count, occupancy, or a maximum with one of these");
      }
      const bool last = positive[depth - 1];
      depth -= info(term.op).pops - 1;
      const bool first = positive[depth - 1];
      positive[depth - 1] = (term.op == PlanOp::kMax && (first || last)) || (term.op == PlanOp::kMin && first && last);
    }
    if (term.op != PlanOp::kConstant && term.op != PlanOp::kSymbol && term.operand != 0) {
      return refuse(fmt::format("{} has the operand {}; it must be 0", info(term.op).text, term.operand));
    }
  }
  if (depth != 1) return refuse(fmt::format("it leaves {} values; it must leave one", depth));
  return {};
}

std::string expression_text(std::span<const PlanTerm> expression, std::span<const std::string_view> names) {
  std::vector<std::string> stack;
  for (const PlanTerm& term : expression) {
    if (!known(term.op)) return "malformed";
    const OpInfo& op = info(term.op);
    if (term.op == PlanOp::kConstant) {
      stack.push_back(std::to_string(term.operand));
    } else if (term.op == PlanOp::kSymbol) {
      const bool named = term.operand >= 0 && static_cast<size_t>(term.operand) < names.size();
      stack.push_back(named ? std::string(names[static_cast<size_t>(term.operand)])
                            : fmt::format("symbol#{}", term.operand));
    } else if (op.pops == 0) {
      stack.emplace_back(op.text);
    } else if (op.pops == 1) {
      if (stack.empty()) return "malformed";
      stack.back() = fmt::format("{}({})", op.text, stack.back());
    } else {
      if (stack.size() < 2) return "malformed";
      std::string right = std::move(stack.back());
      stack.pop_back();
      stack.back() = fmt::format("{}({}, {})", op.text, stack.back(), right);
    }
  }
  return stack.size() == 1 ? stack.front() : "malformed";
}

}  // namespace

int64_t evaluate(std::span<const PlanTerm> expression, std::span<const int64_t> symbols, const DeviceNumbers& device) {
  std::array<int64_t, kMaxPlanStack> stack;
  int depth = 0;
  for (const PlanTerm& term : expression) {
    switch (term.op) {
      case PlanOp::kConstant:
        stack[depth++] = term.operand;
        break;
      case PlanOp::kSymbol:
        stack[depth++] = symbols[static_cast<size_t>(term.operand)];
        break;
      case PlanOp::kSmCount:
        stack[depth++] = std::max<int64_t>(device.sm_count, 1);
        break;
      case PlanOp::kBlocksPerSm:
        stack[depth++] = std::max<int64_t>(device.blocks_per_sm, 1);
        break;
      case PlanOp::kMagicMultiplier:
      case PlanOp::kMagicShift:
        stack[depth - 1] = apply(term.op, stack[depth - 1]);
        break;
      default:
        --depth;
        stack[depth - 1] = apply(term.op, stack[depth - 1], stack[depth]);
        break;
    }
  }
  return stack[0];
}

Status validate(const LaunchPlan& plan, int symbol_count) {
  uint64_t threads = 1;
  for (int d = 0; d < 3; ++d) {
    TAILOR_RETURN_IF_ERROR(check_expression(plan.grid[d], symbol_count, fmt::format("grid[{}]", d)));
    if (plan.block[d] == 0 || plan.block[d] > kMaxBlockThreads) {
      return invalid_argument(
          fmt::format("launch plan: block[{}] is {}; it must be in [1, {}]", d, plan.block[d], kMaxBlockThreads));
    }
    threads *= plan.block[d];
  }
  if (threads > kMaxBlockThreads) {
    return invalid_argument(
        fmt::format("launch plan: a block has {} threads; at most {} are allowed", threads, kMaxBlockThreads));
  }
  if (plan.dynamic_shared_bytes > kMaxDynamicShared) {
    return invalid_argument(fmt::format("launch plan: dynamic_shared_bytes is {}; at most {} are allowed",
                                        plan.dynamic_shared_bytes, kMaxDynamicShared));
  }
  if (plan.parameters.size() > static_cast<size_t>(kMaxPlanParameters)) {
    return invalid_argument(fmt::format("launch plan: it has {} parameters; at most {} are allowed",
                                        plan.parameters.size(), kMaxPlanParameters));
  }
  int end = 0;
  for (size_t i = 0; i < plan.parameters.size(); ++i) {
    const PlanParameter& p = plan.parameters[i];
    const auto refuse = [&](std::string_view rule) {
      return invalid_argument(
          fmt::format("launch plan: parameter {} has offset {} and width {}; {}", i, p.offset, p.width, rule));
    };
    if (p.width != 4 && p.width != 8) return refuse("the width must be 4 or 8 bytes");
    if (p.offset % p.width != 0) return refuse("the offset must be a multiple of the width");
    if (p.offset < end) return refuse(fmt::format("it must not begin before the previous one ends ({})", end));
    end = p.offset + p.width;
    if (end > kMaxParameterBytes) return refuse(fmt::format("it must end within {} bytes", kMaxParameterBytes));
    TAILOR_RETURN_IF_ERROR(check_expression(p.value, symbol_count, fmt::format("parameter {}", i)));
  }
  return {};
}

std::string to_string(const LaunchPlan& plan, std::span<const std::string_view> names) {
  std::string text = "grid";
  for (const PlanExpression& g : plan.grid) text += ' ' + expression_text(g, names);
  text += fmt::format("\nblock {} {} {}\n", plan.block[0], plan.block[1], plan.block[2]);
  text += fmt::format("dynamic_shared {}\n", plan.dynamic_shared_bytes);
  for (const PlanParameter& p : plan.parameters) {
    text += fmt::format("parameter +{} {} bytes = {}\n", p.offset, p.width, expression_text(p.value, names));
  }
  return text;
}

}  // namespace tailor
