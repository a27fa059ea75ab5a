// Random problems of every operation with what must stand in every operand afterwards, by brute force.
//
// Extents are 0, 1, primes, and around multiples of tiles and vectors; strides are permuted, with gaps, 0 where nothing
// is written; bases are misaligned. Expectations follow the formulas of tailor/ops.h element by element, from the
// operands' memory. The same seed gives the same problem under every compiler. Threads: one.
#pragma once

#include <functional>
#include <list>
#include <optional>
#include <set>
#include <string>

#include "tailor/runtime.h"
#include "tests/runtime/operations/operand.h"

namespace tailor::truth {

// name, text, meaning
#define TAILOR_TRUTH_KINDS(X)                                                                    \
  X(kHonest, "honest", "device data keep every promise")                                         \
  X(kHostile, "hostile", "device data break promises: what a kernel must skip, and must report") \
  X(kWide, "wide", "strides of gigabytes, so that byte offsets cross 2^31 and 2^32")

enum class Kind : uint8_t {
#define X(name, text, meaning) name,
  TAILOR_TRUTH_KINDS(X)
#undef X
};

struct Problem {
  std::list<Operand> operands;
  std::function<Status(Runtime& runtime, const LaunchOptions& options)> launch;

  Operand* status = nullptr;       // one of the operands, unless the launch has no status word
  std::set<uint64_t> words = {0};  // that it may hold; empty: any fault
  bool open = false;               // it may hold 0 or any fault
};

// ((2^48 - 1 - index) << 8 | kind)
uint64_t status_word(DeviceFault fault, int64_t index);

void make_problem(OpId op, Kind kind, uint32_t seed, Problem& problem);

}  // namespace tailor::truth
