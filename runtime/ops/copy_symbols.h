// Symbols of copy. See runtime/ops/symbol.h.
#pragma once

#include "runtime/ops/symbol.h"

namespace tailor {

// name, text, binding, side, meaning
#define TAILOR_COPY_SYMBOLS(X)                                                                                       \
  X(kHeads, "heads", kStatic, kNeither, "1")                                                                         \
  X(kHeadDim, "head_dim", kBucket, kNeither,                                                                         \
    "elements of a run along the target's finest dimension; 1 when transposed")                                      \
  X(kElementBytes, "element_bytes", kStatic, kNeither, "1, 2, 4 or 8")                                               \
  X(kSource, "source", kBucket, kSource, "address of the source's first element")                                    \
  X(kTarget, "target", kBucket, kTarget, "address of the target's first element")                                    \
  X(kRows, "rows", kLaunch, kNeither, "runs, or matrices when transposed: the product of the outer extents")         \
  X(kPieces, "pieces", kLaunch, kNeither,                                                                            \
    "whole pieces: of 512 bytes of a run of more than 2048 bytes, or of 64 columns of a matrix; otherwise 0")        \
  X(kRest, "rest", kBucket, kNeither, "elements of a run, or columns, after its whole pieces")                       \
  X(kPieceRows, "piece_rows", kLaunch, kNeither, "rows * pieces * matrix_rows")                                      \
  X(kRestRows, "rest_rows", kLaunch, kNeither, "rows * matrix_rows, 0 where there is no rest")                       \
  X(kRestElements, "rest_elements", kLaunch, kNeither, "rest_rows * rest")                                           \
  X(kSourceRest, "source_rest", kBucket, kSource, "address of the first rest, read")                                 \
  X(kTargetRest, "target_rest", kBucket, kTarget, "address of the first rest, written")                              \
  X(kSourceDimStride, "source_dim_stride", kBucket, kSource, "bytes between elements of a run, read")                \
  X(kTargetDimStride, "target_dim_stride", kBucket, kTarget, "bytes between elements of a run, written")             \
  X(kMatrixRows, "matrix_rows", kLaunch, kNeither,                                                                   \
    "M, transposed: the extent along which the target is contiguous; otherwise 1")                                   \
  X(kMatrixColumns, "matrix_columns", kBucket, kNeither,                                                             \
    "N, transposed: the extent along which the source is contiguous; otherwise 1")                                   \
  X(kSourceMatrixStride, "source_matrix_stride", kBucket, kSource, "bytes between neighbours along M, read")         \
  X(kTargetMatrixStride, "target_matrix_stride", kBucket, kTarget, "bytes between neighbours along N, written")      \
  X(kExtent0, "extent0", kLaunch, kNeither, "outer extent 0, outermost first; 1 beyond the outer rank")              \
  X(kExtent1, "extent1", kLaunch, kNeither, "outer extent 1, outermost first; 1 beyond the outer rank")              \
  X(kExtent2, "extent2", kLaunch, kNeither, "outer extent 2, outermost first; 1 beyond the outer rank")              \
  X(kExtent3, "extent3", kLaunch, kNeither, "outer extent 3, outermost first; 1 beyond the outer rank")              \
  X(kExtent4, "extent4", kLaunch, kNeither, "outer extent 4, outermost first; 1 beyond the outer rank")              \
  X(kExtent5, "extent5", kLaunch, kNeither, "outer extent 5, outermost first; 1 beyond the outer rank")              \
  X(kExtent6, "extent6", kLaunch, kNeither, "outer extent 6, outermost first; 1 beyond the outer rank")              \
  X(kExtent7, "extent7", kLaunch, kNeither, "outer extent 7, outermost first; 1 beyond the outer rank")              \
  X(kSourceStride0, "source_stride0", kBucket, kSource, "bytes between neighbours along outer dimension 0, read")    \
  X(kSourceStride1, "source_stride1", kBucket, kSource, "bytes between neighbours along outer dimension 1, read")    \
  X(kSourceStride2, "source_stride2", kBucket, kSource, "bytes between neighbours along outer dimension 2, read")    \
  X(kSourceStride3, "source_stride3", kBucket, kSource, "bytes between neighbours along outer dimension 3, read")    \
  X(kSourceStride4, "source_stride4", kBucket, kSource, "bytes between neighbours along outer dimension 4, read")    \
  X(kSourceStride5, "source_stride5", kBucket, kSource, "bytes between neighbours along outer dimension 5, read")    \
  X(kSourceStride6, "source_stride6", kBucket, kSource, "bytes between neighbours along outer dimension 6, read")    \
  X(kSourceStride7, "source_stride7", kBucket, kSource, "bytes between neighbours along outer dimension 7, read")    \
  X(kTargetStride0, "target_stride0", kBucket, kTarget, "bytes between neighbours along outer dimension 0, written") \
  X(kTargetStride1, "target_stride1", kBucket, kTarget, "bytes between neighbours along outer dimension 1, written") \
  X(kTargetStride2, "target_stride2", kBucket, kTarget, "bytes between neighbours along outer dimension 2, written") \
  X(kTargetStride3, "target_stride3", kBucket, kTarget, "bytes between neighbours along outer dimension 3, written") \
  X(kTargetStride4, "target_stride4", kBucket, kTarget, "bytes between neighbours along outer dimension 4, written") \
  X(kTargetStride5, "target_stride5", kBucket, kTarget, "bytes between neighbours along outer dimension 5, written") \
  X(kTargetStride6, "target_stride6", kBucket, kTarget, "bytes between neighbours along outer dimension 6, written") \
  X(kTargetStride7, "target_stride7", kBucket, kTarget, "bytes between neighbours along outer dimension 7, written")

TAILOR_SYMBOLS(copy, TAILOR_COPY_SYMBOLS)

namespace copy {

inline constexpr uint16_t kOuterExtents[] = {kExtent0, kExtent1, kExtent2, kExtent3,
                                             kExtent4, kExtent5, kExtent6, kExtent7};
inline constexpr uint16_t kPieceFactors[] = {kRows, kPieces, kMatrixRows};
inline constexpr uint16_t kRestRowFactors[] = {kRows, kMatrixRows};
inline constexpr uint16_t kRestElementFactors[] = {kRows, kRest, kMatrixRows};
inline constexpr SymbolProduct kProducts[] = {{kRows, kOuterExtents},
                                              {kPieceRows, kPieceFactors},
                                              {kRestRows, kRestRowFactors, kRest},
                                              {kRestElements, kRestElementFactors}};

}  // namespace copy

}  // namespace tailor
