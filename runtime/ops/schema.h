// The schema: what a key asserts about the symbols of its operation, and every operation's symbol table.
//
//   facts_of(paged_gather … head_dim=128 target_align_log2=4)
//     head_dim == 128, packed % 16 == 0, row_stride % 16 == 0, 0 <= rows <= 2^31 - 1, …
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "runtime/bucket/facts.h"
#include "runtime/bucket/key.h"
#include "runtime/ops/copy_symbols.h"
#include "runtime/ops/paged_symbols.h"
#include "runtime/ops/ragged_symbols.h"
#include "runtime/ops/row_symbols.h"
#include "tailor/ops.h"

namespace tailor {

inline constexpr int kMaxSymbols = 48;

// Bumped whenever the meaning of a symbol, a key field or a fact changes; part of every key.
inline constexpr uint64_t kSchemaVersion = 3;

// Bytes up to which the run of a copy is exact in the key, and the bytes in which a longer one is dealt out.
inline constexpr int64_t kExactRunBytes = 2048, kRunPieceBytes = 512;
inline constexpr int kMaxOuterRank = 8;

// The symbol table of an operation, indexed by symbol.
std::span<const SymbolSpec> symbols_of(OpId op);

// Everything a key asserts about the symbols of its operation: exact static values, one divisibility per side for its
// address and its strides, contiguity as exact strides, residues of extents, and 0 <= x for extents and strides (but
// for the strides of a copy's source, which may be negative). A kernel's premises are a subset of these. Strides whose
// extent is 1 are not constrained by the bucket function and are therefore normalised to 0 in the Problem, which every
// divisibility fact admits.
FactSet facts_of(const Key& key);

}  // namespace tailor
