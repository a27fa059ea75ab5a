// Decoding a linear index into digits, with the cheapest exact instruction sequence.
//
// Worked example: radices {3, 8, 5} (fastest first) and index <= 119.  index = d0 + 3*d1 + 24*d2:
//     q0 = index / 3   mulhi      d0 = index - 3*q0      one multiply-subtract
//     d1 = q0 & 7      and        d2 = q0 >> 3           shift; 119 / 24 < 5, so the last digit needs no remainder
// Inside a loop that adds a constant step to the index, the digits of the step can be added instead and carries
// propagated (compare, conditional subtract, conditional add); the plan counts all of them and takes the smallest.
//
// Ownership: value types. Threads: pure functions. Errors: kInvalidArgument (zero radix, width, bound, no radices).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/integer/magic.h"
#include "tailor/status.h"

namespace tailor::codegen::integer {

// name, text, meaning
#define TAILOR_DECODE_METHODS(X)                                                                          \
  X(kMagic, "magic", "divide by each radix with a magic multiply; needs no earlier digits")               \
  X(kCarryChain, "carry-chain", "add the digits of a constant step to the earlier digits, carry upwards") \
  X(kIncrement, "increment", "the step is below the first radix: only digit 0 is added to, the rest carry")

enum class DecodeMethod : uint8_t {
#define X(name, text, meaning) name,
  TAILOR_DECODE_METHODS(X)
#undef X
};

std::string_view to_string(DecodeMethod method);

// One step of the magic decode, fastest digit first. With x the running quotient (x = index before step 0):
//   division.kind == kZero:  digit = x, and every later digit is 0
//   last:                    digit = x                       (no division: x < radix already, or the top digit takes
//   all) otherwise:               q = division(x); digit = x - q * radix (x & (radix - 1) for a power of two); x = q
struct DecodeStep {
  uint64_t radix = 1;
  uint64_t bound = 0;      // largest x that reaches this step
  bool last = false;       // the remaining quotient is the digit; later steps do not exist
  MagicDivision division;  // meaningless when last
  int instructions = 0;    // division plus remainder
};

struct MixedRadixPlan {
  int width = 32;
  std::vector<uint64_t> radices;  // fastest first
  uint64_t bound = 0;
  DecodeMethod method = DecodeMethod::kMagic;
  std::vector<DecodeStep> steps;      // the magic decode; always filled (the first iteration of a loop needs it)
  std::vector<uint64_t> step_digits;  // digits of the step, when one was given
  int magic_instructions = 0;
  std::optional<int> carry_chain_instructions;  // per iteration; set when a step was given
  std::optional<int> increment_instructions;    // per iteration; set when the step is below the first radix

  int instructions() const;  // of the chosen method
  // The decode as the device does it by the magic steps; the digits of an index <= bound.
  std::vector<uint64_t> decode(uint64_t index) const;
  // The digits of index + step from those of index as the carry chain does it (index + step <= bound).
  std::vector<uint64_t> advance(std::vector<uint64_t> digits) const;
};

// `bound` is the largest index, inclusive. The slowest digit takes whatever remains, so its radix may be smaller than
// the index needs only if the caller wants that. `step`: the constant by which a loop advances the index, if any.
Expected<MixedRadixPlan> plan_decode(std::vector<uint64_t> radices, uint64_t bound, int width,
                                     std::optional<uint64_t> step = std::nullopt);

}  // namespace tailor::codegen::integer
