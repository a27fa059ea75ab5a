#include "runtime/ops/normalize_copy.h"

#include <algorithm>
#include <numeric>

namespace tailor {
namespace {

constexpr int64_t kExtentLimit = int64_t{1} << 31;

// One side's dimensions, finest first, without extents of 1 and with neighbours merged that lie as one.
struct SideDims {
  int rank = 0;
  std::array<int64_t, kMaxRank> extent{}, stride{};

  explicit SideDims(const Tensor& t) {
    for (int d = t.rank; d-- > 0;) {
      if (t.shape[d] == 1) continue;
      const auto last = static_cast<size_t>(rank - 1);
      int64_t next = 0;
      if (rank > 0 && !__builtin_mul_overflow(stride[last], extent[last], &next) && next == t.stride[d]) {
        extent[last] *= t.shape[d];
        continue;
      }
      extent[static_cast<size_t>(rank)] = t.shape[d];
      stride[static_cast<size_t>(rank)] = t.stride[d];
      ++rank;
    }
  }
};

bool append(NormalizedCopy& copy, const CopyDim& dim) {
  if (copy.rank == kMaxCopyRank) return false;
  copy.dims[static_cast<size_t>(copy.rank++)] = dim;
  return true;
}

// Appends a dimension, finest part first, in pieces below 2^31: factors that the source's extents, of which its own is
// made, have in common with it.
bool append_pieces(NormalizedCopy& copy, CopyDim dim, const Tensor& source) {
  while (dim.extent >= kExtentLimit) {
    int64_t piece = 1, rest = dim.extent;
    for (int d = source.rank; d-- > 0;) {
      const int64_t factor = std::gcd(rest, source.shape[d]);
      if (factor * piece >= kExtentLimit) continue;
      piece *= factor;
      rest /= factor;
    }
    if (piece == 1 || !append(copy, {piece, dim.source_stride, dim.target_stride})) return false;
    dim = {rest, dim.source_stride * piece, dim.target_stride * piece};
  }
  return dim.extent == 1 || append(copy, dim);
}

NormalizeResult refine(const Tensor& source, const Tensor& target, NormalizedCopy& copy) {
  SideDims s(source), t(target);
  for (size_t i = 0, j = 0; i < static_cast<size_t>(s.rank) && j < static_cast<size_t>(t.rank);) {
    const int64_t common = std::min(s.extent[i], t.extent[j]);
    if (s.extent[i] % common != 0 || t.extent[j] % common != 0) {
      copy.dims[0] = {s.extent[i], t.extent[j], 0};
      return NormalizeResult::kNoRefinement;
    }
    if (!append_pieces(copy, {common, s.stride[i], t.stride[j]}, source)) return NormalizeResult::kTooLarge;
    const auto advance = [common](SideDims& side, size_t& at) {
      side.extent[at] /= common;
      if (side.extent[at] == 1) {
        ++at;
      } else {
        side.stride[at] *= common;
      }
    };
    advance(s, i);
    advance(t, j);
  }
  return NormalizeResult::kOk;
}

void flip(NormalizedCopy& copy) {
  for (CopyDim& dim : std::span(copy.dims).first(static_cast<size_t>(copy.rank))) {
    if (dim.target_stride > 0) continue;
    copy.source_offset += (dim.extent - 1) * dim.source_stride;
    copy.target_offset += (dim.extent - 1) * dim.target_stride;
    dim.source_stride = -dim.source_stride;
    dim.target_stride = -dim.target_stride;
  }
}

void merge(NormalizedCopy& copy) {
  int rank = 0;
  for (int d = 0; d < copy.rank; ++d) {
    const CopyDim& inner = copy.dims[static_cast<size_t>(d)];
    if (rank > 0) {
      CopyDim& outer = copy.dims[static_cast<size_t>(rank - 1)];
      if (outer.extent * inner.extent < kExtentLimit && outer.target_stride == inner.extent * inner.target_stride &&
          outer.source_stride == inner.extent * inner.source_stride) {
        outer = {outer.extent * inner.extent, inner.source_stride, inner.target_stride};
        continue;
      }
    }
    copy.dims[static_cast<size_t>(rank++)] = inner;
  }
  copy.rank = rank;
}

void choose_mode(NormalizedCopy& copy) {
  if (copy.rank == 0) return;  // one element
  const CopyDim& finest = copy.dims[static_cast<size_t>(copy.rank - 1)];
  if (finest.target_stride == 1 && finest.source_stride == 1) return;
  copy.mode = CopyMode::kElements;
  if (finest.target_stride != 1) return;
  for (int d = copy.rank - 1; d-- > 0;) {
    if (copy.dims[static_cast<size_t>(d)].source_stride != 1) continue;
    copy.mode = CopyMode::kTransposed;
    copy.columns_dim = d;
    return;
  }
}

}  // namespace

NormalizeResult normalize_copy(const Tensor& source, const Tensor& target, NormalizedCopy& copy) {
  copy = {};
  if (const NormalizeResult refined = refine(source, target, copy); refined != NormalizeResult::kOk) return refined;
  flip(copy);
  std::sort(copy.dims.begin(), copy.dims.begin() + copy.rank,
            [](const CopyDim& a, const CopyDim& b) { return a.target_stride > b.target_stride; });
  merge(copy);
  choose_mode(copy);
  return NormalizeResult::kOk;
}

}  // namespace tailor
