// A strided copy in its normal form: one list of dimensions for both sides.
//
//   source [4, 6] strides (6, 1)  →  target [6, 4] strides (-8, 1): reshaped and flipped
//     merged     source 24:1                     target 6:-8, 4:1
//     refined    6: source 4, target -8          4: source 1, target 1
//     flipped    6: source -4, target 8          source from element 20, target from 5 * -8 = -40
//     mode       rows: runs of 4 elements
//
// Elements are paired in row-major order of each side's own shape. Steps: dimensions of extent 1 go; neighbours of one
// side that lie as one merge; the two shapes are cut at each other's boundaries (their common refinement: from the
// finest dimension outwards, the smaller extent must divide the larger one); dimensions along which the target runs
// backwards are flipped on both sides; they are sorted by target stride, the finest last; neighbours that lie as one on
// both sides merge, as long as extents stay below 2^31.
//
// Pure functions, no allocation. Thread-safety: values.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "runtime/bucket/key.h"
#include "tailor/types.h"

namespace tailor {

struct CopyDim {
  int64_t extent = 1;                            // 2 … 2^31 - 1
  int64_t source_stride = 0, target_stride = 0;  // elements; that of the target is positive
  friend bool operator==(const CopyDim&, const CopyDim&) = default;
};

// Two shapes of up to 5 dimensions cut each other into at most 9.
inline constexpr int kMaxCopyRank = 2 * kMaxRank - 1;

struct NormalizedCopy {
  int rank = 0;
  std::array<CopyDim, kMaxCopyRank> dims{};      // target strides decrease
  int64_t source_offset = 0, target_offset = 0;  // elements from the operand's address to where the dims begin

  CopyMode mode = CopyMode::kRows;
  // kTransposed: the dimension along which the source is contiguous, N; M is the last one. Otherwise -1.
  int columns_dim = -1;
};

enum class NormalizeResult : uint8_t {
  kOk,
  kNoRefinement,  // an extent of one shape does not divide the other's
  kTooLarge,      // more than kMaxCopyRank dimensions of fewer than 2^31 elements each
};

// Requires: ranks 1 … 5, extents of at least 1 and below 2^31, equal numbers of elements, below 2^63; byte ranges that
// do not overflow; target strides without overlap. On kNoRefinement `dims[0].extent` and `dims[0].source_stride` hold
// the two extents, source and target, that do not divide each other.
NormalizeResult normalize_copy(const Tensor& source, const Tensor& target, NormalizedCopy& copy);

}  // namespace tailor
