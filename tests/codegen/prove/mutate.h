// Single faults planted into a lowered program, by seed.
#pragma once

#include <optional>
#include <random>
#include <string>

#include "codegen/kernel/ir.h"

namespace tailor::codegen::prove::testing {

// name, text, what one fault does
#define TAILOR_MUTATIONS(X)                                                                        \
  X(kConstant, "constant", "off by one, doubled, halved or with a bit flipped")                    \
  X(kCompare, "comparison", "another relation")                                                    \
  X(kSwap, "swap", "operands of a comparison, difference, shift or selection the other way round") \
  X(kOperand, "operand", "another value of its type")                                              \
  X(kOp, "operation", "another operation on the same operands")                                    \
  X(kDrop, "drop", "half of a conjunction, or a guard, left out")                                  \
  X(kWidth, "width", "a load and the stores of its value twice or half as wide")

enum class Mutation : uint8_t {
#define X(name, text, meaning) name,
  TAILOR_MUTATIONS(X)
#undef X
};
std::string_view to_string(Mutation mutation);
inline constexpr int kMutationCount = 0
#define X(name, text, meaning) +1
    TAILOR_MUTATIONS(X)
#undef X
    ;

struct Mutant {
  kernel::Program program;
  Mutation mutation = Mutation::kConstant;
  std::string text;  // "%t4 = const i32 256  ->  257"
};

// One fault at a random place; nullopt when the place drawn has no such fault. The result differs from the program and
// may not verify.
std::optional<Mutant> mutate(const kernel::Program& program, Mutation mutation, std::mt19937& random);

}  // namespace tailor::codegen::prove::testing
