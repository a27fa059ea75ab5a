// Random valid operands of every operation: small extents with many 0s, 1s and primes, permuted and padded strides,
// misaligned bases. Seeded, the same under every compiler.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "runtime/bucket/key_space.h"
#include "runtime/ops/problem.h"
#include "tailor/ops.h"

namespace tailor::testing {

class OperandGenerator {
 public:
  explicit OperandGenerator(uint32_t seed) : rng_(seed) {}

  int64_t pick(int64_t lo, int64_t hi) {
    return lo + static_cast<int64_t>(rng_() % static_cast<uint64_t>(hi - lo + 1));
  }
  bool one_in(int n) { return pick(1, n) == 1; }
  template <class T>
  T any_of(std::initializer_list<T> choices) {
    return choices.begin()[pick(0, static_cast<int64_t>(choices.size()) - 1)];
  }

  DType dtype() { return any_of({DType::kUInt8, DType::kBFloat16, DType::kFloat32, DType::kInt64}); }
  int64_t extent() { return one_in(4) ? 1 : pick(1, 9); }
  int64_t row() { return one_in(6) ? 1 : pick(1, 40); }

  // Laid out in a random order of its dimensions with random padding; if not written, rarely a dimension of stride 0.
  Tensor tensor(uint64_t base, DType dtype, const std::vector<int64_t>& shape, bool written);

 private:
  std::mt19937_64 rng_;
};

// Operands that make_problem takes; empty ones now and then.
#define X(name, Operands) void randomize(OperandGenerator& g, Operands& op);
TAILOR_OPERANDS(X)
#undef X

// The configuration whose key space holds the problem's key.
StaticConfiguration configuration_of(const Problem& problem, Arch arch, Emitter emitter, Lowering lowering);

}  // namespace tailor::testing
