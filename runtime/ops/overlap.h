// Does a strided tensor name some element twice?
//
// Element x is at Σ x_i s_i, 0 <= x_i < n_i. Two different elements share a place iff some non-zero difference d with
// |d_i| <= n_i - 1 has Σ d_i s_i = 0.
//
//   extents (4, 8), strides (8, 1)   disjoint: sorted by stride, each stride exceeds the span of the smaller ones
//   extents (3, 2), strides (2, 3)   disjoint all the same (0 2 4 3 5 7): found by the exact search
//   extents (4, 2), strides (2, 3)?  d = (3, -2) is out of range, so disjoint; extents (4, 3) overlap at 6
//
// Pure functions, no allocation. The nested case costs a few nanoseconds; the search is bounded and says kUnknown when
// its budget ends, which no layout made by permuting, slicing or padding a dense tensor reaches.
#pragma once

#include <cstdint>
#include <span>

namespace tailor {

struct StridedDim {
  int64_t extent = 1;  // >= 0
  int64_t stride = 0;  // >= 0
};

enum class Overlap : uint8_t { kDisjoint, kOverlapping, kUnknown };

inline constexpr int kMaxOverlapRank = 6;

// dims.size() <= kMaxOverlapRank and Σ (n_i - 1) s_i <= INT64_MAX: the caller has checked the byte range.
Overlap self_overlap(std::span<const StridedDim> dims);

}  // namespace tailor
