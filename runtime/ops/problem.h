// A validated launch: the symbols of one operation, as numbers, and what its key says. Made by `make_problem`, which is
// the only place where operands are validated, and read by the bucket function, the launch plan and nothing else.
//
// No allocation unless an error message is built. Thread-safety: values.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "runtime/bucket/key.h"
#include "runtime/bucket/learned_residues.h"
#include "runtime/ops/schema.h"
#include "tailor/ops.h"
#include "tailor/status.h"

namespace tailor {

struct Problem {
  OpId op{};
  bool empty = false;    // nothing to move: validated, and then not launched
  bool reports = false;  // there is a status word
  bool index64 = false;  // a byte offset into some operand, or rows * bytes of a row, may reach 2^31
  RowContiguity source_contiguity{}, target_contiguity{};
  uint8_t source_align_log2 = 0, target_align_log2 = 0;  // bytes, clamped to 16 = 2^4
  uint8_t element_log2 = 0;
  DType source_type{}, target_type{};  // of operations that compute
  uint8_t index_log2 = 2;
  uint8_t variant = 0;
  uint8_t outer_rank = 0;
  uint8_t length_multiple_log2 = 0;
  // The exact residue; the key carries it if it is common or learned. Negative: there is none.
  int16_t columns_residue = -1;
  int64_t page_size = 0, heads = 1, head_dim = 0, rotary_dim = 0;  // as the key's fields
  std::array<int64_t, kMaxSymbols> values{};                       // indexed by the operation's Symbol

  std::span<const int64_t> symbols() const { return values; }
};

// Checks every rule of tailor/ops.h and of DESIGN "Problem": ranks, dtypes, extents, overflow of byte ranges, alignment
// of bases to their element, strides, internal overlap of what is written, overlap between operands (pages may not
// overlap what they are read into, and so on). Errors name operand, value and rule.
//
// An operand with an extent of 0 is touched by nothing: its address and strides are not looked at, and its symbols are
// those of a dense tensor at address 0. k_pages and v_pages may interleave (one [P, 2, …] allocation) as long as no
// element is shared.
//
// fill_problem does it in storage of the caller, a fresh Problem, which is meaningful on ok only: for the launch path.
#define X(name, Operands)                                   \
  Expected<Problem> make_problem(const Operands& operands); \
  Status fill_problem(const Operands& operands, Problem& problem);
TAILOR_OPERANDS(X)
#undef X

// The canonical key (runtime/bucket/key_space.h) of a problem. Pure, given what `learned` (may be null) holds; no
// allocation. Of an empty problem, which is never launched, the key has no meaning.
Key make_key(const Problem& problem, Arch arch, Emitter emitter, Lowering lowering,
             const LearnedResidues* learned = nullptr);

// The kind of columns_residue of a problem that has one.
constexpr ResidueKind columns_residue_kind(const Problem& problem) {
  return static_cast<CopyMode>(problem.variant) == CopyMode::kTransposed ? ResidueKind::kMatrixColumns
                                                                         : ResidueKind::kRunBytes;
}

}  // namespace tailor
