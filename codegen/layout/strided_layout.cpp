#include "codegen/layout/strided_layout.h"

#include <algorithm>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::layout {
namespace {

using integer::Checked;

void collect_leaves(const Mode& mode, std::vector<Mode>& leaves) {
  if (!mode.group) {
    leaves.push_back(mode);
    return;
  }
  for (const Mode& child : mode.modes) collect_leaves(child, leaves);
}

size_t depth_of(const Mode& mode) {
  if (!mode.group) return 0;
  size_t deepest = 0;
  for (const Mode& child : mode.modes) deepest = std::max(deepest, depth_of(child));
  return deepest + 1;
}

void print(const Mode& mode, bool shape, std::string& text) {
  if (!mode.group) {
    text += fmt::to_string(shape ? mode.extent : mode.stride);
    return;
  }
  text += '(';
  for (size_t i = 0; i < mode.modes.size(); ++i) {
    if (i != 0) text += ',';
    print(mode.modes[i], shape, text);
  }
  text += ')';
}

}  // namespace

Expected<StridedLayout> StridedLayout::create(Mode root) {
  StridedLayout layout;
  layout.root_ = std::move(root);
  Checked size = 1;
  Checked span = 1;
  bool empty = false;
  for (const Mode& leaf : layout.leaves()) {
    if (leaf.extent < 0) {
      return invalid_argument(
          fmt::format("extent {} in {}; extents must not be negative", leaf.extent, layout.to_string()));
    }
    if (leaf.stride == INT64_MIN) return integer::overflow_error("a stride");
    empty = empty || leaf.extent == 0;
    if (leaf.extent == 0) continue;
    size *= leaf.extent;
    span += Checked(leaf.extent - 1) * (leaf.stride < 0 ? -leaf.stride : leaf.stride);
  }
  if (!size.ok()) return integer::overflow_error("the size of " + layout.to_string());
  if (!span.ok()) return integer::overflow_error("the span of " + layout.to_string());
  layout.size_ = empty ? 0 : size.value();
  layout.cosize_ = empty ? 0 : span.value();
  return layout;
}

size_t StridedLayout::depth() const { return depth_of(root_); }

std::vector<Mode> StridedLayout::leaves() const {
  std::vector<Mode> result;
  collect_leaves(root_, result);
  return result;
}

Expected<int64_t> StridedLayout::evaluate(int64_t index) const {
  if (index < 0 || index >= size_) {
    return invalid_argument(fmt::format("index {} is outside {} of size {}", index, to_string(), size_));
  }
  int64_t value = 0;  // |value| < cosize, which fits
  for (const Mode& leaf : leaves()) {
    value += index % leaf.extent * leaf.stride;
    index /= leaf.extent;
  }
  return value;
}

Expected<std::vector<int64_t>> StridedLayout::values(int64_t limit) const {
  if (size_ > limit)
    return invalid_argument(fmt::format("{} has {} values; at most {} are listed", to_string(), size_, limit));
  std::vector<int64_t> result;
  if (size_ == 0) return result;
  result.reserve(static_cast<size_t>(size_));
  result.push_back(0);
  // Each leaf repeats what is there, shifted by its stride.
  for (const Mode& leaf : leaves()) {
    size_t block = result.size();
    for (int64_t x = 1; x < leaf.extent; ++x) {
      for (size_t i = 0; i < block; ++i) result.push_back(result[i] + x * leaf.stride);
    }
  }
  return result;
}

Expected<GuardedAffineLayout> StridedLayout::to_guarded() const {
  std::vector<Dim> dims;
  std::vector<AffineExpr> strides;
  for (const Mode& leaf : leaves()) {
    dims.push_back({fmt::format("m{}", dims.size()), AffineExpr(leaf.extent)});
    strides.emplace_back(leaf.stride);
  }
  return GuardedAffineLayout::strided(std::move(dims), std::move(strides));
}

std::string StridedLayout::to_string() const {
  std::string text;
  print(root_, true, text);
  text += ':';
  print(root_, false, text);
  return text;
}

}  // namespace tailor::codegen::layout
