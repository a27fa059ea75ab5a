// The symbols of each operation and their binding times: one table per operation, from which the validator, the bucket
// function, the launch plan, the documentation and `tailor buckets` are made.
//
// A symbol is one int64 host value: an extent, a stride, an address. Strides are in BYTES here (the public API has them
// in elements) except table_stride, which counts int32 entries.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "runtime/bucket/facts.h"
#include "runtime/bucket/key.h"
#include "tailor/ops.h"

namespace tailor {

enum class Binding : uint8_t {
  kStatic,  // exact in the key; a constant of the code
  kBucket,  // a coarsened fact in the key (divisibility, contiguity); the exact value is a parameter
  kLaunch,  // exact host value; a parameter
};

// Address alignment and stride divisibility are facts of a whole side: every symbol of the side shares one power of
// two, the smallest of its members', because the code depends on nothing finer.
enum class Side : uint8_t { kNeither, kSource, kTarget };

struct SymbolSpec {
  std::string_view name;
  Binding binding;
  Side side;
  std::string_view meaning;
};

// name, text, binding, side, meaning
#define TAILOR_GATHER_SYMBOLS(X)                                                                      \
  X(kPageSize, "page_size", kStatic, kNeither, "tokens per page")                                     \
  X(kHeads, "heads", kStatic, kNeither, "H")                                                          \
  X(kHeadDim, "head_dim", kStatic, kNeither, "D")                                                     \
  X(kElementBytes, "element_bytes", kStatic, kNeither, "1, 2, 4 or 8")                                \
  X(kPages, "pages", kBucket, kSource, "address of the page pool")                                    \
  X(kBlockTable, "block_table", kLaunch, kNeither, "address of int32 [B, max_pages]")                 \
  X(kSeqLens, "seq_lens", kLaunch, kNeither, "address of int32 [B]")                                  \
  X(kCuSeqlens, "cu_seqlens", kLaunch, kNeither, "address of int32 [B + 1]")                          \
  X(kPacked, "packed", kBucket, kTarget, "address of the packed rows")                                \
  X(kStatusWord, "status_word", kLaunch, kNeither, "address of the 64-bit status word, or 0")         \
  X(kRows, "rows", kLaunch, kNeither, "N, rows that packed can hold")                                 \
  X(kBatch, "batch", kLaunch, kNeither, "B")                                                          \
  X(kPoolPages, "pool_pages", kLaunch, kNeither, "P")                                                 \
  X(kMaxPages, "max_pages", kLaunch, kNeither, "columns of block_table")                              \
  X(kTableStride, "table_stride", kLaunch, kNeither, "int32 entries between rows of block_table")     \
  X(kPageStride, "page_stride", kBucket, kSource, "bytes between pages")                              \
  X(kSlotStride, "slot_stride", kBucket, kSource, "bytes between tokens of a page")                   \
  X(kSourceHeadStride, "source_head_stride", kBucket, kSource, "bytes between heads of a page")       \
  X(kSourceDimStride, "source_dim_stride", kBucket, kSource, "bytes between elements of a head")      \
  X(kRowStride, "row_stride", kBucket, kTarget, "bytes between packed rows")                          \
  X(kTargetHeadStride, "target_head_stride", kBucket, kTarget, "bytes between heads of a packed row") \
  X(kTargetDimStride, "target_dim_stride", kBucket, kTarget, "bytes between elements of a packed head")

#define TAILOR_APPEND_SYMBOLS(X)                                                                   \
  X(kPageSize, "page_size", kStatic, kNeither, "tokens per page")                                  \
  X(kHeads, "heads", kStatic, kNeither, "H")                                                       \
  X(kHeadDim, "head_dim", kStatic, kNeither, "D")                                                  \
  X(kElementBytes, "element_bytes", kStatic, kNeither, "1, 2, 4 or 8")                             \
  X(kK, "k", kBucket, kSource, "address of the new keys")                                          \
  X(kV, "v", kBucket, kSource, "address of the new values")                                        \
  X(kBatchIndex, "batch_index", kLaunch, kNeither, "address of int32 [T]")                         \
  X(kPosition, "position", kLaunch, kNeither, "address of int32 [T]")                              \
  X(kKPages, "k_pages", kBucket, kTarget, "address of the key pool")                               \
  X(kVPages, "v_pages", kBucket, kTarget, "address of the value pool")                             \
  X(kBlockTable, "block_table", kLaunch, kNeither, "address of int32 [B, max_pages]")              \
  X(kStatusWord, "status_word", kLaunch, kNeither, "address of the 64-bit status word, or 0")      \
  X(kRows, "rows", kLaunch, kNeither, "T, new tokens")                                             \
  X(kBatch, "batch", kLaunch, kNeither, "B")                                                       \
  X(kPoolPages, "pool_pages", kLaunch, kNeither, "P")                                              \
  X(kMaxPages, "max_pages", kLaunch, kNeither, "columns of block_table")                           \
  X(kTableStride, "table_stride", kLaunch, kNeither, "int32 entries between rows of block_table")  \
  X(kKRowStride, "k_row_stride", kBucket, kSource, "bytes between rows of k")                      \
  X(kKHeadStride, "k_head_stride", kBucket, kSource, "bytes between heads of k")                   \
  X(kKDimStride, "k_dim_stride", kBucket, kSource, "bytes between elements of k")                  \
  X(kVRowStride, "v_row_stride", kBucket, kSource, "bytes between rows of v")                      \
  X(kVHeadStride, "v_head_stride", kBucket, kSource, "bytes between heads of v")                   \
  X(kVDimStride, "v_dim_stride", kBucket, kSource, "bytes between elements of v")                  \
  X(kKPageStride, "k_page_stride", kBucket, kTarget, "bytes between pages of k_pages")             \
  X(kKSlotStride, "k_slot_stride", kBucket, kTarget, "bytes between tokens of a page of k_pages")  \
  X(kKPagesHeadStride, "k_pages_head_stride", kBucket, kTarget, "bytes between heads of k_pages")  \
  X(kKPagesDimStride, "k_pages_dim_stride", kBucket, kTarget, "bytes between elements of k_pages") \
  X(kVPageStride, "v_page_stride", kBucket, kTarget, "bytes between pages of v_pages")             \
  X(kVSlotStride, "v_slot_stride", kBucket, kTarget, "bytes between tokens of a page of v_pages")  \
  X(kVPagesHeadStride, "v_pages_head_stride", kBucket, kTarget, "bytes between heads of v_pages")  \
  X(kVPagesDimStride, "v_pages_dim_stride", kBucket, kTarget, "bytes between elements of v_pages")

namespace gather {
enum Symbol : uint16_t {
#define X(name, text, binding, side, meaning) name,
  TAILOR_GATHER_SYMBOLS(X)
#undef X
      kSymbolCount
};
}  // namespace gather
namespace append {
enum Symbol : uint16_t {
#define X(name, text, binding, side, meaning) name,
  TAILOR_APPEND_SYMBOLS(X)
#undef X
      kSymbolCount
};
}  // namespace append

inline constexpr int kMaxSymbols = 32;
static_assert(static_cast<int>(gather::kSymbolCount) <= kMaxSymbols &&
              static_cast<int>(append::kSymbolCount) <= kMaxSymbols);

// Bumped whenever the meaning of a symbol, a key field or a fact changes; part of every key.
inline constexpr uint64_t kSchemaVersion = 1;

// The symbol table of an operation, indexed by symbol.
std::span<const SymbolSpec> symbols_of(OpId op);

// Everything a key asserts about the symbols of its operation: exact static values, one divisibility per side for its
// address and its strides, contiguity as exact strides, and 0 <= x for extents and strides. A kernel's premises are a
// subset of these. Strides whose extent is 1 are not constrained by the bucket function and are therefore normalised to
// 0 in the Problem, which every divisibility fact admits.
FactSet facts_of(const Key& key);

}  // namespace tailor
