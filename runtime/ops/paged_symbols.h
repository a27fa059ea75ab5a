// Symbols of the paged operations: paged_gather, paged_append, append_rope. See runtime/ops/symbol.h.
#pragma once

#include "runtime/ops/symbol.h"

namespace tailor {

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

// The symbols of PagedAppend come first, with the same numbers.
#define TAILOR_APPEND_ROPE_SYMBOLS(X)                                                    \
  TAILOR_APPEND_SYMBOLS(X)                                                               \
  X(kRotaryDim, "rotary_dim", kStatic, kNeither, "R, dimensions that are rotated")       \
  X(kTableBytes, "table_bytes", kStatic, kNeither, "bytes of an element of cos and sin") \
  X(kCos, "cos", kBucket, kSource, "address of the cosines, [P_max, R/2]")               \
  X(kSin, "sin", kBucket, kSource, "address of the sines")                               \
  X(kMaxPositions, "max_positions", kLaunch, kNeither, "P_max, rows of cos")             \
  X(kCosRowStride, "cos_row_stride", kBucket, kSource, "bytes between rows of cos")      \
  X(kSinRowStride, "sin_row_stride", kBucket, kSource, "bytes between rows of sin")

TAILOR_SYMBOLS(gather, TAILOR_GATHER_SYMBOLS)
TAILOR_SYMBOLS(append, TAILOR_APPEND_SYMBOLS)
TAILOR_SYMBOLS(append_rope, TAILOR_APPEND_ROPE_SYMBOLS)

}  // namespace tailor
