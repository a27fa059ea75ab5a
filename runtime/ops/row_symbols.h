// Symbols of the row operations: gather_rows, scatter_rows, convert. See runtime/ops/symbol.h.
#pragma once

#include "runtime/ops/symbol.h"

namespace tailor {

// name, text, binding, side, meaning
#define TAILOR_GATHER_ROWS_SYMBOLS(X)                                                                     \
  X(kHeads, "heads", kStatic, kNeither, "1")                                                              \
  X(kHeadDim, "head_dim", kStatic, kNeither, "D")                                                         \
  X(kElementBytes, "element_bytes", kStatic, kNeither, "1, 2, 4 or 8")                                    \
  X(kSource, "source", kBucket, kSource, "address of the rows read, [R, D]")                              \
  X(kIndex, "index", kLaunch, kNeither, "address of int32 or int64 [N]")                                  \
  X(kTarget, "target", kBucket, kTarget, "address of the rows written, [N, D]")                           \
  X(kStatusWord, "status_word", kLaunch, kNeither, "address of the 64-bit status word, or 0")             \
  X(kRows, "rows", kLaunch, kNeither, "N, entries of index")                                              \
  X(kSourceRows, "source_rows", kLaunch, kNeither, "R, rows of source")                                   \
  X(kSourceRowStride, "source_row_stride", kBucket, kSource, "bytes between rows of source")              \
  X(kSourceDimStride, "source_dim_stride", kBucket, kSource, "bytes between elements of a row of source") \
  X(kTargetRowStride, "target_row_stride", kBucket, kTarget, "bytes between rows of target")              \
  X(kTargetDimStride, "target_dim_stride", kBucket, kTarget, "bytes between elements of a row of target")

#define TAILOR_SCATTER_ROWS_SYMBOLS(X)                                                                    \
  X(kHeads, "heads", kStatic, kNeither, "1")                                                              \
  X(kHeadDim, "head_dim", kStatic, kNeither, "D")                                                         \
  X(kElementBytes, "element_bytes", kStatic, kNeither, "1, 2, 4 or 8")                                    \
  X(kSource, "source", kBucket, kSource, "address of the rows read, [N, D]")                              \
  X(kIndex, "index", kLaunch, kNeither, "address of int32 or int64 [N]")                                  \
  X(kTarget, "target", kBucket, kTarget, "address of the rows written, [R, D]")                           \
  X(kStatusWord, "status_word", kLaunch, kNeither, "address of the 64-bit status word, or 0")             \
  X(kRows, "rows", kLaunch, kNeither, "N, entries of index")                                              \
  X(kTargetRows, "target_rows", kLaunch, kNeither, "R, rows of target")                                   \
  X(kSourceRowStride, "source_row_stride", kBucket, kSource, "bytes between rows of source")              \
  X(kSourceDimStride, "source_dim_stride", kBucket, kSource, "bytes between elements of a row of source") \
  X(kTargetRowStride, "target_row_stride", kBucket, kTarget, "bytes between rows of target")              \
  X(kTargetDimStride, "target_dim_stride", kBucket, kTarget, "bytes between elements of a row of target")

#define TAILOR_CONVERT_SYMBOLS(X)                                                                         \
  X(kHeads, "heads", kStatic, kNeither, "1")                                                              \
  X(kHeadDim, "head_dim", kStatic, kNeither, "D")                                                         \
  X(kElementBytes, "element_bytes", kStatic, kNeither, "bytes of an element of source")                   \
  X(kTargetElementBytes, "target_element_bytes", kStatic, kNeither, "bytes of an element of target")      \
  X(kSource, "source", kBucket, kSource, "address of the rows read, [N, D]")                              \
  X(kTarget, "target", kBucket, kTarget, "address of the rows written, [N, D]")                           \
  X(kScale, "scale", kLaunch, kNeither, "address of one f32, or 0")                                       \
  X(kRows, "rows", kLaunch, kNeither, "N")                                                                \
  X(kSourceRowStride, "source_row_stride", kBucket, kSource, "bytes between rows of source")              \
  X(kSourceDimStride, "source_dim_stride", kBucket, kSource, "bytes between elements of a row of source") \
  X(kTargetRowStride, "target_row_stride", kBucket, kTarget, "bytes between rows of target")              \
  X(kTargetDimStride, "target_dim_stride", kBucket, kTarget, "bytes between elements of a row of target")

TAILOR_SYMBOLS(gather_rows, TAILOR_GATHER_ROWS_SYMBOLS)
TAILOR_SYMBOLS(scatter_rows, TAILOR_SCATTER_ROWS_SYMBOLS)
TAILOR_SYMBOLS(convert, TAILOR_CONVERT_SYMBOLS)

}  // namespace tailor
