#include "runtime/ops/overlap.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "runtime/bucket/modular.h"

namespace tailor {
namespace {

// Search for d_0 … d_{k-1}, |d_i| <= n_i - 1, with Σ d_i s_i = target. Dimensions are in increasing order of stride;
// the last two steps are closed forms, the others enumerate what the spans allow.
class DifferenceSearch {
 public:
  DifferenceSearch(std::span<const StridedDim> dims) : dims_(dims) {
    for (size_t i = 0; i < dims.size(); ++i) {
      span_[i + 1] = span_[i] + (dims[i].extent - 1) * dims[i].stride;
      gcd_[i + 1] = std::gcd(gcd_[i], dims[i].stride);
    }
  }

  Overlap run() {
    const size_t rank = dims_.size();
    // More elements than multiples of the gcd inside the span: two of them must coincide.
    Wide elements = 1;
    for (const StridedDim& d : dims_) {
      elements *= d.extent;
      if (elements > static_cast<Wide>(span_[rank]) / gcd_[rank] + 1) return Overlap::kOverlapping;
    }
    if (rank >= 2 && lowest_pair_overlaps()) return Overlap::kOverlapping;
    // The highest non-zero component may be taken positive, since -d is a solution with d.
    for (size_t top = 2; top < rank; ++top) {
      const int64_t most = std::min(dims_[top].extent - 1, span_[top] / dims_[top].stride);
      for (int64_t d = 1; d <= most; ++d) {
        if (reachable(top, -static_cast<Wide>(d) * dims_[top].stride)) return Overlap::kOverlapping;
        if (steps_left_ <= 0) return Overlap::kUnknown;
      }
    }
    return Overlap::kDisjoint;
  }

 private:
  // d_0 s_0 = d_1 s_1 has the smallest solution (s_1 / g, s_0 / g).
  bool lowest_pair_overlaps() const {
    return dims_[1].stride / gcd_[2] <= dims_[0].extent - 1 && dims_[0].stride / gcd_[2] <= dims_[1].extent - 1;
  }

  // count >= 2.
  bool reachable(size_t count, Wide target) {
    --steps_left_;
    if (target > span_[count] || -target > span_[count]) return false;
    if (target % gcd_[count] != 0) return false;
    const StridedDim& last = dims_[count - 1];
    const Wide below = span_[count - 1];
    const Wide low = std::max<Wide>(ceil_div(target - below, last.stride), -(last.extent - 1));
    const Wide high = std::min<Wide>(floor_div(target + below, last.stride), last.extent - 1);
    if (count == 2) return pair_reachable(target, low, high);
    for (Wide d = low; d <= high && steps_left_ > 0; ++d) {
      if (reachable(count - 1, target - d * last.stride)) return true;
    }
    return false;
  }

  // d_0 s_0 + d_1 s_1 = target with d_1 in [low, high], which already bounds d_0:
  // d_1 ≡ (target / g) (s_1 / g)^-1 (mod s_0 / g).
  bool pair_reachable(Wide target, Wide low, Wide high) const {
    const int64_t g = gcd_[2], modulus = dims_[0].stride / g;
    const Wide inverse = inverse_mod(dims_[1].stride / g, modulus);
    const int64_t residue = floor_mod(floor_mod(target / g, modulus) * inverse, modulus);
    return low + floor_mod(residue - low, modulus) <= high;
  }

  std::span<const StridedDim> dims_;
  std::array<int64_t, kMaxOverlapRank + 1> span_{};  // span_[k] = Σ_{i<k} (n_i - 1) s_i
  std::array<int64_t, kMaxOverlapRank + 1> gcd_{};
  int64_t steps_left_ = int64_t{1} << 16;
};

}  // namespace

Overlap self_overlap(std::span<const StridedDim> dims) {
  std::array<StridedDim, kMaxOverlapRank> sorted;
  size_t rank = 0;
  for (const StridedDim& d : dims) {
    if (d.extent == 0) return Overlap::kDisjoint;
    if (d.extent == 1) continue;
    size_t at = rank++;
    for (; at > 0 && sorted[at - 1].stride > d.stride; --at) sorted[at] = sorted[at - 1];
    sorted[at] = d;
  }
  int64_t span = 0;
  bool nested = true;
  for (size_t i = 0; i < rank; ++i) {
    if (sorted[i].stride == 0) return Overlap::kOverlapping;
    nested &= sorted[i].stride > span;
    span += (sorted[i].extent - 1) * sorted[i].stride;
  }
  if (nested) return Overlap::kDisjoint;
  return DifferenceSearch({sorted.data(), rank}).run();
}

}  // namespace tailor
