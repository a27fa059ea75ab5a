// The algebra of strided_layout.h.
#include <algorithm>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/strided_layout.h"

namespace tailor::codegen::layout {
namespace {

using integer::Checked;

constexpr int64_t kEnumerationLimit = 1 << 20;

Status refuse_empty(const StridedLayout& layout, std::string_view operation) {
  return invalid_argument(
      fmt::format("{} of {}: an extent is 0; it must be at least 1", operation, layout.to_string()));
}

// Leaves with extent 1 dropped and contiguous neighbours merged; empty for the constant layout.
std::vector<Mode> merged_leaves(const StridedLayout& layout) {
  std::vector<Mode> result;
  for (const Mode& leaf : layout.leaves()) {
    if (leaf.extent == 1) continue;
    if (!result.empty()) {
      Mode& last = result.back();
      Checked next = Checked(last.extent) * last.stride;
      if (next.ok() && next.value() == leaf.stride) {
        last.extent *= leaf.extent;  // at most the size, which fits
        continue;
      }
    }
    result.push_back(leaf);
  }
  return result;
}

Expected<StridedLayout> from_leaves(std::vector<Mode> leaves) {
  if (leaves.empty()) return StridedLayout();
  if (leaves.size() == 1) return StridedLayout::create(std::move(leaves.front()));
  return StridedLayout::create(Mode::of(std::move(leaves)));
}

// A as composition sees it: its modes in order, the last one without end. A trailing mode of extent 1 still says with
// which stride the layout continues.
std::vector<Mode> endless_leaves(const StridedLayout& a) {
  std::vector<Mode> leaves = a.leaves();
  if (leaves.empty()) return {Mode::leaf(1, 0)};
  Mode last = leaves.back();
  leaves.pop_back();
  std::vector<Mode> result;
  if (!leaves.empty()) {
    auto front = StridedLayout::create(Mode::of(std::move(leaves)));
    if (front.ok()) result = merged_leaves(*front);
  }
  if (!result.empty()) {
    Checked next = Checked(result.back().extent) * result.back().stride;
    if (next.ok() && next.value() == last.stride) {
      result.back().extent *= std::max<int64_t>(last.extent, 1);
      return result;
    }
  }
  result.push_back(last);
  return result;
}

// One composition: the digits of A that B's leaves already use, so that a carry between leaves is seen.
class Composer {
 public:
  Composer(const StridedLayout& a, const StridedLayout& b)
      : a_(a), b_(b), modes_(endless_leaves(a)), used_(modes_.size(), 0) {}

  Expected<Mode> compose(const Mode& mode) {
    if (!mode.group) return compose_leaf(mode);
    std::vector<Mode> result;
    for (const Mode& child : mode.modes) {
      TAILOR_ASSIGN_OR_RETURN(Mode composed, compose(child));
      result.push_back(std::move(composed));
    }
    return Mode::of(std::move(result));
  }

 private:
  Status refuse(const Mode& leaf, std::string_view why) const {
    return invalid_argument(fmt::format("composition of {} with {}: mode {}:{} {}", a_.to_string(), b_.to_string(),
                                        leaf.extent, leaf.stride, why));
  }

  // A leaf s:d walks A's digits: it first skips the modes that d steps over whole, then fills what is left of each
  // mode.
  Expected<Mode> compose_leaf(const Mode& leaf) {
    if (leaf.stride == 0 || leaf.extent == 0) return Mode::leaf(leaf.extent, 0);
    if (leaf.extent == 1) return single_point(leaf);
    if (leaf.stride < 0 && modes_.size() > 1)
      return refuse(leaf, "has a negative stride, which leaves the first mode below 0");
    int64_t rest = leaf.extent;
    int64_t step = leaf.stride;
    std::vector<Mode> parts;
    for (size_t i = 0; i < modes_.size(); ++i) {
      bool last = i + 1 == modes_.size();
      int64_t extent = modes_[i].extent;
      if (!last && step >= extent) {
        if (step % extent != 0) {
          return refuse(leaf, fmt::format("steps {} over a mode of extent {}; it must be a multiple of it, or below it",
                                          step, extent));
        }
        step /= extent;
        continue;
      }
      int64_t room = last ? rest : (extent - 1) / step + 1;
      int64_t taken = std::min(rest, room);
      Checked stride = Checked(step) * modes_[i].stride;
      if (!stride.ok()) return integer::overflow_error("a stride of the composition");
      parts.push_back(Mode::leaf(taken, stride.value()));
      TAILOR_RETURN_IF_ERROR(use_digit(i, leaf, taken, step));
      if (taken == rest) break;
      if (extent % step != 0 || rest % taken != 0) {
        return refuse(leaf,
                      fmt::format("crosses a mode of extent {} in steps of {} after {} of {} points; the steps must "
                                  "divide the extent, and the points be a multiple of {}",
                                  extent, step, taken, rest, taken));
      }
      rest /= taken;
      step = 1;
    }
    return parts.size() == 1 ? parts.front() : Mode::of(std::move(parts));
  }

  // Extent 1: only index 0 occurs; the stride shown is what A does for one step, as CuTe shows it.
  Expected<Mode> single_point(const Mode& leaf) {
    int64_t step = leaf.stride;
    for (size_t i = 0; i + 1 < modes_.size(); ++i)
      step = integer::ceil_div(step, std::max<int64_t>(modes_[i].extent, 1));
    Checked stride = Checked(step) * modes_.back().stride;
    if (!stride.ok()) return integer::overflow_error("a stride of the composition");
    return Mode::leaf(1, stride.value());
  }

  Status use_digit(size_t i, const Mode& leaf, int64_t taken, int64_t step) {
    if (i + 1 == modes_.size()) return {};  // no end, no carry
    used_[i] += (taken - 1) * step;         // each term is below the extent, and a sum at or above it is refused
    if (used_[i] < modes_[i].extent) return {};
    return refuse(leaf,
                  fmt::format("together with the modes before it reaches digit {} of a mode of extent {}, and would "
                              "carry into the next",
                              used_[i], modes_[i].extent));
  }

  const StridedLayout& a_;
  const StridedLayout& b_;
  std::vector<Mode> modes_;
  std::vector<int64_t> used_;  // largest value of each of A's digits so far
};

// Leaves by ascending stride, with the place value of each in the index.
struct SortedLeaf {
  Mode leaf;
  int64_t place = 1;
};

std::vector<SortedLeaf> sorted_by_stride(const std::vector<Mode>& leaves) {
  std::vector<SortedLeaf> result;
  int64_t place = 1;
  for (const Mode& leaf : leaves) {
    result.push_back({leaf, place});
    place *= leaf.extent;  // at most the size
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const SortedLeaf& x, const SortedLeaf& y) { return x.leaf.stride < y.leaf.stride; });
  return result;
}

}  // namespace

Expected<StridedLayout> coalesce(const StridedLayout& layout) {
  if (layout.size() == 0) return refuse_empty(layout, "coalesce");
  return from_leaves(merged_leaves(layout));
}

Expected<StridedLayout> composition(const StridedLayout& a, const StridedLayout& b) {
  if (a.size() == 0) return refuse_empty(a, "composition");
  Composer composer(a, b);
  TAILOR_ASSIGN_OR_RETURN(Mode root, composer.compose(b.root()));
  return StridedLayout::create(std::move(root));
}

// Between two neighbouring strides (sorted) the gap stride / (extent * stride below) is free; after the last one as
// much as the bound asks for.
Expected<StridedLayout> complement(const StridedLayout& layout, int64_t cosize_bound) {
  if (layout.size() == 0) return refuse_empty(layout, "complement");
  if (cosize_bound < 0)
    return invalid_argument(fmt::format("complement bound is {}; it must not be negative", cosize_bound));
  std::vector<Mode> filtered;
  for (const Mode& leaf : merged_leaves(layout)) {
    if (leaf.stride < 0) {
      return invalid_argument(fmt::format("complement of {}: stride {} is negative", layout.to_string(), leaf.stride));
    }
    if (leaf.stride != 0) filtered.push_back(leaf);
  }
  std::vector<Mode> result;
  int64_t covered = 1;  // [0, covered) is tiled by what came so far
  for (const SortedLeaf& sorted : sorted_by_stride(filtered)) {
    const Mode& leaf = sorted.leaf;
    if (leaf.stride < covered) {
      return invalid_argument(
          fmt::format("complement of {}: stride {} overlaps the {} values below it; the layout must be "
                      "injective and its strides nested",
                      layout.to_string(), leaf.stride, covered));
    }
    result.push_back(Mode::leaf(leaf.stride / covered, covered));
    Checked next = Checked(leaf.stride) * leaf.extent;
    if (!next.ok()) return integer::overflow_error("the span of the complement");
    covered = next.value();
  }
  result.push_back(Mode::leaf(std::max<int64_t>(integer::ceil_div(cosize_bound, covered), 1), covered));
  TAILOR_ASSIGN_OR_RETURN(StridedLayout whole, StridedLayout::create(Mode::of(std::move(result))));
  return coalesce(whole);
}

Expected<StridedLayout> right_inverse(const StridedLayout& layout) {
  if (layout.size() == 0) return refuse_empty(layout, "right inverse");
  std::vector<Mode> result;
  int64_t next = 1;
  for (const SortedLeaf& sorted : sorted_by_stride(merged_leaves(layout))) {
    if (sorted.leaf.stride != next) continue;
    result.push_back(Mode::leaf(sorted.leaf.extent, sorted.place));
    next *= sorted.leaf.extent;  // at most the size
  }
  TAILOR_ASSIGN_OR_RETURN(StridedLayout whole, StridedLayout::create(Mode::of(std::move(result))));
  return coalesce(whole);
}

Expected<std::optional<Collision>> find_collision(const StridedLayout& layout) {
  if (layout.size() <= 1) return std::optional<Collision>{};
  std::vector<SortedLeaf> sorted = sorted_by_stride(merged_leaves(layout));
  bool nested = true;  // each stride exceeds all that lies below it: injective
  Checked below = 0;
  for (const SortedLeaf& s : sorted) {
    if (s.leaf.stride == 0) return std::optional<Collision>(Collision{0, s.place, 0});
    nested = nested && s.leaf.stride > 0 && below.ok() && s.leaf.stride > below.value();
    below += Checked(s.leaf.extent - 1) * s.leaf.stride;
  }
  if (nested) return std::optional<Collision>{};
  TAILOR_ASSIGN_OR_RETURN(std::vector<int64_t> values, layout.values(kEnumerationLimit));
  std::unordered_map<int64_t, int64_t> seen;
  for (size_t i = 0; i < values.size(); ++i) {
    auto [place, fresh] = seen.emplace(values[i], static_cast<int64_t>(i));
    if (!fresh) return std::optional<Collision>(Collision{place->second, static_cast<int64_t>(i), values[i]});
  }
  return std::optional<Collision>{};
}

// An address a = Σ x_i d_i with d_i | d_{i+1} and x_i < d_{i+1} / d_i has x_i as a mixed-radix digit: radix d_{i+1} /
// d_i at place d_i. Mapping digit i to place_i gives back the index.
Expected<StridedLayout> left_inverse(const StridedLayout& layout) {
  if (layout.size() == 0) return refuse_empty(layout, "left inverse");
  std::vector<SortedLeaf> sorted = sorted_by_stride(merged_leaves(layout));
  if (sorted.empty()) return StridedLayout();
  auto refuse = [&](std::string_view why) {
    return invalid_argument(fmt::format("left inverse of {}: {}", layout.to_string(), why));
  };
  if (sorted.front().leaf.stride < 0) return refuse(fmt::format("stride {} is negative", sorted.front().leaf.stride));
  TAILOR_ASSIGN_OR_RETURN(std::optional<Collision> collision, find_collision(layout));
  if (collision) {
    return refuse(fmt::format("none exists, indices {} and {} both have the value {}", collision->first,
                              collision->second, collision->value));
  }
  std::vector<Mode> result;
  int64_t covered = 1;
  int64_t place = 0;  // what the digits below the first stride map to
  for (const SortedLeaf& s : sorted) {
    if (s.leaf.stride % covered != 0) {
      return refuse(fmt::format("stride {} is not a multiple of stride {}, so the addresses have no mixed-radix digits",
                                s.leaf.stride, covered));
    }
    result.push_back(Mode::leaf(s.leaf.stride / covered, place));
    covered = s.leaf.stride;
    place = s.place;
  }
  result.push_back(Mode::leaf(sorted.back().leaf.extent, place));
  TAILOR_ASSIGN_OR_RETURN(StridedLayout whole, StridedLayout::create(Mode::of(std::move(result))));
  return coalesce(whole);
}

Expected<StridedLayout> logical_divide(const StridedLayout& layout, const StridedLayout& tiler) {
  TAILOR_ASSIGN_OR_RETURN(StridedLayout rest, complement(tiler, layout.size()));
  TAILOR_ASSIGN_OR_RETURN(StridedLayout both, StridedLayout::create(Mode::of({tiler.root(), rest.root()})));
  return composition(layout, both);
}

Expected<StridedLayout> zipped_divide(const StridedLayout& layout, const StridedLayout& tiler) {
  return logical_divide(layout, tiler);
}

Expected<StridedLayout> logical_product(const StridedLayout& block, const StridedLayout& tiler) {
  Checked bound = Checked(block.size()) * tiler.cosize();
  if (!bound.ok()) return integer::overflow_error("size(block) * cosize(tiler)");
  TAILOR_ASSIGN_OR_RETURN(StridedLayout rest, complement(block, bound.value()));
  TAILOR_ASSIGN_OR_RETURN(StridedLayout repeats, composition(rest, tiler));
  return StridedLayout::create(Mode::of({block.root(), repeats.root()}));
}

Expected<int64_t> max_common_vector(const StridedLayout& a, const StridedLayout& b) {
  if (a.size() == 0) return refuse_empty(a, "max common vector");
  TAILOR_ASSIGN_OR_RETURN(StridedLayout inverse, right_inverse(b));
  if (Expected<StridedLayout> composed = composition(a, inverse); composed.ok()) {
    std::vector<Mode> leaves = merged_leaves(*composed);
    return !leaves.empty() && leaves.front().stride == 1 ? leaves.front().extent : int64_t{1};
  }
  // Refused as a layout; the common prefix still exists and is counted.
  int64_t n = 1;
  int64_t limit = std::min({a.size(), inverse.size(), kEnumerationLimit});
  while (n < limit) {
    TAILOR_ASSIGN_OR_RETURN(int64_t index, inverse.evaluate(n));
    if (index >= a.size()) break;
    TAILOR_ASSIGN_OR_RETURN(int64_t value, a.evaluate(index));
    if (value != n) break;
    ++n;
  }
  return n;
}

namespace {

Expected<std::vector<StridedLayout>> divide_modes(const StridedLayout& layout,
                                                  const std::vector<StridedLayout>& tilers) {
  if (tilers.size() > layout.rank()) {
    return invalid_argument(fmt::format("{} tilers for {} of rank {}; there may be one per mode", tilers.size(),
                                        layout.to_string(), layout.rank()));
  }
  std::vector<StridedLayout> result;
  for (size_t k = 0; k < layout.rank(); ++k) {
    TAILOR_ASSIGN_OR_RETURN(StridedLayout mode,
                            StridedLayout::create(layout.root().group ? layout.root().modes[k] : layout.root()));
    if (k < tilers.size()) {
      TAILOR_ASSIGN_OR_RETURN(mode, logical_divide(mode, tilers[k]));
    }
    result.push_back(std::move(mode));
  }
  return result;
}

}  // namespace

Expected<StridedLayout> logical_divide(const StridedLayout& layout, const std::vector<StridedLayout>& tilers) {
  TAILOR_ASSIGN_OR_RETURN(std::vector<StridedLayout> divided, divide_modes(layout, tilers));
  std::vector<Mode> modes;
  for (const StridedLayout& mode : divided) modes.push_back(mode.root());
  return StridedLayout::create(Mode::of(std::move(modes)));
}

Expected<StridedLayout> zipped_divide(const StridedLayout& layout, const std::vector<StridedLayout>& tilers) {
  TAILOR_ASSIGN_OR_RETURN(std::vector<StridedLayout> divided, divide_modes(layout, tilers));
  std::vector<Mode> tiles;
  std::vector<Mode> rests;
  for (size_t k = 0; k < divided.size(); ++k) {
    if (k < tilers.size()) {
      tiles.push_back(divided[k].root().modes[0]);
      rests.push_back(divided[k].root().modes[1]);
    } else {
      rests.push_back(divided[k].root());
    }
  }
  return StridedLayout::create(Mode::of({Mode::of(std::move(tiles)), Mode::of(std::move(rests))}));
}

}  // namespace tailor::codegen::layout
