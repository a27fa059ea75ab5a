// Single faults planted into a lowered program, by seed.
#pragma once

#include <optional>
#include <random>
#include <string>

#include "codegen/kernel/ir.h"

namespace tailor::codegen::prove::testing {

// name, text: what one fault does
#define TAILOR_MUTATIONS(X)                                                              \
  X(kConstant, "constant off by one, doubled, halved or with a bit flipped")             \
  X(kCompare, "comparison with another relation")                                        \
  X(kSwap, "operands of a comparison, difference, shift, selection or minimum swapped")  \
  X(kOperand, "operand replaced by another value of its type")                           \
  X(kOp, "operation replaced by another")                                                \
  X(kDrop, "half of a conjunction, or a guard, dropped")                                 \
  X(kWidth, "accesses of a vector widened or narrowed")

enum class Mutation : uint8_t {
#define X(name, text) name,
  TAILOR_MUTATIONS(X)
#undef X
};
std::string_view to_string(Mutation mutation);
inline constexpr int kMutationCount = 0
#define X(name, text) +1
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
