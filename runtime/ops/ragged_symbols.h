// Symbols of the ragged operations: pack, unpack, concat, split, ragged_transpose. See runtime/ops/symbol.h.
#pragma once

#include "runtime/ops/symbol.h"

namespace tailor {

// name, text, binding, side, meaning
#define TAILOR_PACK_SYMBOLS(X)                                                                              \
  X(kHeads, "heads", kStatic, kNeither, "1")                                                                \
  X(kHeadDim, "head_dim", kStatic, kNeither, "D")                                                           \
  X(kElementBytes, "element_bytes", kStatic, kNeither, "1, 2, 4 or 8")                                      \
  X(kPadded, "padded", kBucket, kSource, "address of the padded rows, [B, Lmax, D]")                        \
  X(kCuSeqlens, "cu_seqlens", kLaunch, kNeither, "address of int32 [B + 1]")                                \
  X(kPacked, "packed", kBucket, kTarget, "address of the packed rows, [N, D]")                              \
  X(kStatusWord, "status_word", kLaunch, kNeither, "address of the 64-bit status word, or 0")               \
  X(kRows, "rows", kLaunch, kNeither, "N, rows of packed")                                                  \
  X(kBatch, "batch", kLaunch, kNeither, "B")                                                                \
  X(kPaddedRows, "padded_rows", kLaunch, kNeither, "Lmax, rows of a padded sequence")                       \
  X(kPaddedSequenceStride, "padded_sequence_stride", kBucket, kSource, "bytes between sequences of padded") \
  X(kPaddedRowStride, "padded_row_stride", kBucket, kSource, "bytes between rows of padded")                \
  X(kPaddedDimStride, "padded_dim_stride", kBucket, kSource, "bytes between elements of a row of padded")   \
  X(kPackedRowStride, "packed_row_stride", kBucket, kTarget, "bytes between rows of packed")                \
  X(kPackedDimStride, "packed_dim_stride", kBucket, kTarget, "bytes between elements of a row of packed")

#define TAILOR_UNPACK_SYMBOLS(X)                                                                            \
  X(kHeads, "heads", kStatic, kNeither, "1")                                                                \
  X(kHeadDim, "head_dim", kStatic, kNeither, "D")                                                           \
  X(kElementBytes, "element_bytes", kStatic, kNeither, "1, 2, 4 or 8")                                      \
  X(kPacked, "packed", kBucket, kSource, "address of the packed rows, [N, D]")                              \
  X(kCuSeqlens, "cu_seqlens", kLaunch, kNeither, "address of int32 [B + 1]")                                \
  X(kPadded, "padded", kBucket, kTarget, "address of the padded rows, [B, Lmax, D]")                        \
  X(kStatusWord, "status_word", kLaunch, kNeither, "address of the 64-bit status word, or 0")               \
  X(kRows, "rows", kLaunch, kNeither, "N, rows of packed")                                                  \
  X(kBatch, "batch", kLaunch, kNeither, "B")                                                                \
  X(kPaddedRows, "padded_rows", kLaunch, kNeither, "Lmax, rows of a padded sequence")                       \
  X(kSlots, "slots", kLaunch, kNeither, "B * Lmax, rows of padded over all sequences")                      \
  X(kFill, "fill", kLaunch, kNeither, "bits of the filling element, repeated to 8 bytes")                   \
  X(kPackedRowStride, "packed_row_stride", kBucket, kSource, "bytes between rows of packed")                \
  X(kPackedDimStride, "packed_dim_stride", kBucket, kSource, "bytes between elements of a row of packed")   \
  X(kPaddedSequenceStride, "padded_sequence_stride", kBucket, kTarget, "bytes between sequences of padded") \
  X(kPaddedRowStride, "padded_row_stride", kBucket, kTarget, "bytes between rows of padded")                \
  X(kPaddedDimStride, "padded_dim_stride", kBucket, kTarget, "bytes between elements of a row of padded")

#define TAILOR_CONCAT_SYMBOLS(X)                                                              \
  X(kHeads, "heads", kStatic, kNeither, "1")                                                  \
  X(kHeadDim, "head_dim", kStatic, kNeither, "D")                                             \
  X(kElementBytes, "element_bytes", kStatic, kNeither, "1, 2, 4 or 8")                        \
  X(kA, "a", kBucket, kSource, "address of the first parts, [NA, D]")                         \
  X(kCuA, "cu_a", kLaunch, kNeither, "address of int32 [B + 1]")                              \
  X(kB, "b", kBucket, kSource, "address of the second parts, [NB, D]")                        \
  X(kCuB, "cu_b", kLaunch, kNeither, "address of int32 [B + 1]")                              \
  X(kOut, "out", kBucket, kTarget, "address of the joined rows, [N, D]")                      \
  X(kStatusWord, "status_word", kLaunch, kNeither, "address of the 64-bit status word, or 0") \
  X(kARows, "a_rows", kLaunch, kNeither, "NA, rows of a")                                     \
  X(kBRows, "b_rows", kLaunch, kNeither, "NB, rows of b")                                     \
  X(kRows, "rows", kLaunch, kNeither, "N, rows of out")                                       \
  X(kBatch, "batch", kLaunch, kNeither, "B")                                                  \
  X(kARowStride, "a_row_stride", kBucket, kSource, "bytes between rows of a")                 \
  X(kADimStride, "a_dim_stride", kBucket, kSource, "bytes between elements of a row of a")    \
  X(kBRowStride, "b_row_stride", kBucket, kSource, "bytes between rows of b")                 \
  X(kBDimStride, "b_dim_stride", kBucket, kSource, "bytes between elements of a row of b")    \
  X(kOutRowStride, "out_row_stride", kBucket, kTarget, "bytes between rows of out")           \
  X(kOutDimStride, "out_dim_stride", kBucket, kTarget, "bytes between elements of a row of out")

#define TAILOR_SPLIT_SYMBOLS(X)                                                                           \
  X(kHeads, "heads", kStatic, kNeither, "1")                                                              \
  X(kHeadDim, "head_dim", kStatic, kNeither, "D")                                                         \
  X(kElementBytes, "element_bytes", kStatic, kNeither, "1, 2, 4 or 8")                                    \
  X(kPacked, "packed", kBucket, kSource, "address of the joined rows, [N, D]")                            \
  X(kCuA, "cu_a", kLaunch, kNeither, "address of int32 [B + 1]")                                          \
  X(kA, "a", kBucket, kTarget, "address of the first parts, [NA, D]")                                     \
  X(kCuB, "cu_b", kLaunch, kNeither, "address of int32 [B + 1]")                                          \
  X(kB, "b", kBucket, kTarget, "address of the second parts, [NB, D]")                                    \
  X(kStatusWord, "status_word", kLaunch, kNeither, "address of the 64-bit status word, or 0")             \
  X(kARows, "a_rows", kLaunch, kNeither, "NA, rows of a")                                                 \
  X(kBRows, "b_rows", kLaunch, kNeither, "NB, rows of b")                                                 \
  X(kRows, "rows", kLaunch, kNeither, "N, rows of packed")                                                \
  X(kBatch, "batch", kLaunch, kNeither, "B")                                                              \
  X(kPackedRowStride, "packed_row_stride", kBucket, kSource, "bytes between rows of packed")              \
  X(kPackedDimStride, "packed_dim_stride", kBucket, kSource, "bytes between elements of a row of packed") \
  X(kARowStride, "a_row_stride", kBucket, kTarget, "bytes between rows of a")                             \
  X(kADimStride, "a_dim_stride", kBucket, kTarget, "bytes between elements of a row of a")                \
  X(kBRowStride, "b_row_stride", kBucket, kTarget, "bytes between rows of b")                             \
  X(kBDimStride, "b_dim_stride", kBucket, kTarget, "bytes between elements of a row of b")

#define TAILOR_RAGGED_TRANSPOSE_SYMBOLS(X)                                                             \
  X(kHeads, "heads", kStatic, kNeither, "1")                                                           \
  X(kHeadDim, "head_dim", kStatic, kNeither, "D")                                                      \
  X(kElementBytes, "element_bytes", kStatic, kNeither, "1, 2, 4 or 8")                                 \
  X(kSource, "source", kBucket, kSource, "address of the rows, [N, D]")                                \
  X(kCuSeqlens, "cu_seqlens", kLaunch, kNeither, "address of int32 [B + 1]")                           \
  X(kTarget, "target", kBucket, kTarget, "address of the transposed sequences")                        \
  X(kStatusWord, "status_word", kLaunch, kNeither, "address of the 64-bit status word, or 0")          \
  X(kRows, "rows", kLaunch, kNeither, "N, rows of source")                                             \
  X(kBatch, "batch", kLaunch, kNeither, "B")                                                           \
  X(kTargetElements, "target_elements", kLaunch, kNeither, "N * D, elements of target")                \
  X(kLengthMultiple, "length_multiple", kStatic, kNeither, "a power of two that divides every offset") \
  X(kSourceRowStride, "source_row_stride", kBucket, kSource, "bytes between rows of source")           \
  X(kSourceDimStride, "source_dim_stride", kBucket, kSource, "bytes between elements of a row of source")

TAILOR_SYMBOLS(pack, TAILOR_PACK_SYMBOLS)
TAILOR_SYMBOLS(unpack, TAILOR_UNPACK_SYMBOLS)
TAILOR_SYMBOLS(concat, TAILOR_CONCAT_SYMBOLS)
TAILOR_SYMBOLS(split, TAILOR_SPLIT_SYMBOLS)
TAILOR_SYMBOLS(ragged_transpose, TAILOR_RAGGED_TRANSPOSE_SYMBOLS)

namespace unpack {
inline constexpr uint16_t kSlotFactors[] = {kBatch, kPaddedRows};
inline constexpr SymbolProduct kProducts[] = {{kSlots, kSlotFactors}};
}  // namespace unpack

}  // namespace tailor
