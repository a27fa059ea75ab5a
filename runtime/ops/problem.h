// A validated launch: the symbols of one operation, as numbers. Made by `make_problem`, which is the only place where
// operands are validated, and read by the bucket function, the launch plan and nothing else.
//
// No allocation unless an error message is built. Thread-safety: values.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "runtime/bucket/key.h"
#include "runtime/ops/schema.h"
#include "tailor/ops.h"
#include "tailor/status.h"

namespace tailor {

struct Problem {
  OpId op{};
  bool empty = false;  // nothing to move: validated, and then not launched
  bool index64 = false;
  RowContiguity source_contiguity{}, target_contiguity{};
  uint8_t source_align_log2 = 0, target_align_log2 = 0;  // bytes, clamped to 16 = 2^4
  std::array<int64_t, kMaxSymbols> values{};             // indexed by the operation's Symbol

  std::span<const int64_t> symbols() const { return values; }
};

// Checks every rule of tailor/ops.h and of DESIGN "Problem": ranks, dtypes, extents, overflow of byte ranges, alignment
// of bases to their element, strides, internal overlap of what is written, overlap between operands (pages may not
// overlap what they are read into, and so on). Errors name operand, value and rule.
Expected<Problem> make_problem(const PagedGather& operands);
Expected<Problem> make_problem(const PagedAppend& operands);

// Pure; no allocation.
Key make_key(const Problem& problem, Arch arch, Emitter emitter, Lowering lowering);

}  // namespace tailor
