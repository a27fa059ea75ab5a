#include "codegen/integer/mixed_radix.h"

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::integer {
namespace {

// Branch-free advance, per digit i with step digit s_i (carry_i comes from digit i - 1; digit 0 has none):
//   add s_i (when not 0), add carry (when one can come): d += s_i + carry
//   compare with the radix, subtract it under the predicate (when a carry can leave: never from the last digit)
int count_advance(const std::vector<uint64_t>& radices, const std::vector<uint64_t>& step_digits) {
  int instructions = 0;
  bool carry_in = false;
  for (size_t i = 0; i < radices.size(); ++i) {
    bool adds = step_digits[i] != 0;
    if (!adds && !carry_in) continue;
    instructions += (adds ? 1 : 0) + (carry_in ? 1 : 0);
    bool carry_out = i + 1 < radices.size();
    if (carry_out) instructions += 2;
    carry_in = carry_out;
  }
  return instructions;
}

}  // namespace

std::string_view to_string(DecodeMethod method) {
  switch (method) {
#define X(name, text, meaning) \
  case DecodeMethod::name:     \
    return text;
    TAILOR_DECODE_METHODS(X)
#undef X
  }
  return "unknown";
}

int MixedRadixPlan::instructions() const {
  switch (method) {
    case DecodeMethod::kMagic:
      return magic_instructions;
    case DecodeMethod::kCarryChain:
      return carry_chain_instructions.value_or(0);
    case DecodeMethod::kIncrement:
      return increment_instructions.value_or(0);
  }
  return 0;
}

std::vector<uint64_t> MixedRadixPlan::decode(uint64_t index) const {
  std::vector<uint64_t> digits(radices.size(), 0);
  uint64_t x = index;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].last) {
      digits[i] = x;
      break;
    }
    uint64_t q = steps[i].division.quotient(x);
    digits[i] = x - q * steps[i].radix;
    x = q;
  }
  return digits;
}

std::vector<uint64_t> MixedRadixPlan::advance(std::vector<uint64_t> digits) const {
  uint64_t carry = 0;
  for (size_t i = 0; i < radices.size(); ++i) {
    digits[i] += step_digits[i] + carry;
    carry = 0;
    if (i + 1 < radices.size() && digits[i] >= radices[i]) {
      digits[i] -= radices[i];
      carry = 1;
    }
  }
  return digits;
}

Expected<MixedRadixPlan> plan_decode(std::vector<uint64_t> radices, uint64_t bound, int width,
                                     std::optional<uint64_t> step) {
  if (radices.empty()) return invalid_argument("mixed-radix decode has no radices; it needs at least 1");
  for (size_t i = 0; i < radices.size(); ++i) {
    if (radices[i] == 0) return invalid_argument(fmt::format("radix[{}] is 0; it must be at least 1", i));
  }
  MixedRadixPlan plan;
  plan.width = width;
  plan.bound = bound;
  uint64_t x_bound = bound;
  for (size_t i = 0; i < radices.size(); ++i) {
    DecodeStep decode;
    decode.radix = radices[i];
    decode.bound = x_bound;
    TAILOR_ASSIGN_OR_RETURN(decode.division, magic_division(radices[i], x_bound, width));
    decode.last = i + 1 == radices.size() || decode.division.kind == MagicKind::kZero;
    if (!decode.last) {
      // Radix 1: the digit is 0 and the quotient is x; a power of two needs shift and mask; else mulhi… and mad.
      decode.instructions = radices[i] == 1 ? 0 : decode.division.instructions + 1;
      x_bound /= radices[i];
    }
    plan.magic_instructions += decode.instructions;
    bool last = decode.last;
    plan.steps.push_back(std::move(decode));
    if (last) break;
  }
  if (step) {
    uint64_t rest = *step;
    for (size_t i = 0; i + 1 < radices.size(); ++i) {
      plan.step_digits.push_back(rest % radices[i]);
      rest /= radices[i];
    }
    plan.step_digits.push_back(rest);
    int cost = count_advance(radices, plan.step_digits);
    plan.carry_chain_instructions = cost;
    if (radices.size() == 1 || *step < radices[0]) plan.increment_instructions = cost;
    if (cost < plan.magic_instructions) {
      plan.method = plan.increment_instructions ? DecodeMethod::kIncrement : DecodeMethod::kCarryChain;
    }
  }
  plan.radices = std::move(radices);
  return plan;
}

}  // namespace tailor::codegen::integer
