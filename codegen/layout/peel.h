// Copying a row whose ends are not aligned: peeled heads and tails, or aligned loads and byte permutes, whichever takes
// fewer instructions when both are written out and counted.
//
// Worked example: 64 bytes, source 3 mod 16, destination 0 mod 16. Both sides are never aligned together to more than
// one byte, so copying directly takes 64 loads and 64 stores. When whole aligned blocks that hold some byte of the row
// may be read, 5 loads of 16 bytes, 16 permutes (prmt, two registers into one word) and 4 stores of 16 bytes do it: 25.
// Where both sides are 3 mod 16, peeling wins: 1 + 4 + 8 bytes of head, three vectors of 16, and a tail of 2 + 1.
//
// This is an analysis: plan_peel writes the plan out, counts it and explains it; code generation takes its widths from
// vector_width.h and may use these plans later.
//
// What a plan promises: executed step by step it leaves dst[0, bytes) = src[0, bytes); every access is aligned to its
// own width for every address that the alignments allow; stores touch the row alone; loads touch the row alone, or,
// with `may_read_blocks`, aligned blocks of at most max_vector_bytes of which at least one byte is in the row.
//
// Ownership: value types. Threads: pure functions. Errors: kInvalidArgument (more than kMaxPeelBytes bytes, an
// alignment that is no power of two, a vector that is none of 1, 2, 4, 8, 16).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/layout/vector_width.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

constexpr int64_t kMaxPeelBytes = 4096;

// What one instruction of each kind costs; the default counts issue slots.
struct InstructionCosts {
  int64_t load = 1;
  int64_t store = 1;
  int64_t permute = 1;
  int64_t move = 1;
};

struct PeelRequest {
  int64_t bytes = 0;
  BaseAlignment src;  // the address of the row's first byte; modulus a power of two
  BaseAlignment dst;
  int64_t max_vector_bytes = 16;
  bool may_read_blocks = false;
  InstructionCosts costs;
};

enum class PeelKind : uint8_t { kLoad, kPermute, kMove, kStore };

// Registers hold 4 bytes, numbered from 0, each written once. A load or store of fewer than 4 bytes uses the low bytes
// of one register; wider ones use width / 4 registers that lie side by side.
struct PeelStep {
  PeelKind kind = PeelKind::kLoad;
  int64_t offset = 0;          // load, store: bytes from the row's first byte; loads may start before it
  int64_t width = 0;           // load, store
  std::vector<int> registers;  // load: written; store: read; permute: {result, a, b}; move: {result, source}
  uint32_t selector = 0;       // permute: byte i of the result is byte (selector >> 4i) & 7 of (a, b), as PTX prmt
};

enum class PeelStrategy : uint8_t { kDirect, kPermuteExact, kPermuteBlocks };
std::string_view to_string(PeelStrategy strategy);

struct PeelPlan {
  PeelStrategy strategy = PeelStrategy::kDirect;
  std::vector<PeelStep> steps;
  int64_t loads = 0;
  int64_t stores = 0;
  int64_t permutes = 0;
  int64_t moves = 0;  // words that must change register to stand side by side for a wide store
  int64_t cost = 0;
  int64_t direct_cost = 0;  // the cheapest plan without permutes
  int64_t candidates = 0;   // plans written out and counted
  std::string explanation;
};

Expected<PeelPlan> plan_peel(const PeelRequest& request);

// [0, bytes) in aligned powers of two, widest that the alignment and `max_width` allow, left to right: a head that
// grows, a body, a tail that shrinks. alignment {16, 3}, 64 bytes -> 1 4 8 16 16 16 2 1.
std::vector<TailPiece> peel(int64_t bytes, BaseAlignment alignment, int64_t max_width);

}  // namespace tailor::codegen::layout
