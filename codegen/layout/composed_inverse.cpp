// The algebra of composed_layout.h: collisions, inverses, complement, null space, common vectors.
#include <algorithm>
#include <bit>
#include <numeric>
#include <unordered_map>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/composed_detail.h"
#include "codegen/layout/composed_layout.h"
#include "codegen/layout/reshape.h"

namespace tailor::codegen::layout {
namespace {

using detail::refuse;
using detail::width_of;
using integer::Checked;
using integer::F2Map;

constexpr int64_t kEnumerationLimit = 1 << 20;

// A word that two words share as image, for a factor without inverse.
Status no_inverse(const ComposedLayout& layout, const F2Map& factor) {
  const std::vector<uint64_t> kernel = factor.kernel();
  return refuse("inverse", layout,
                kernel.empty()
                    ? std::string("the xor factor takes words beyond its bits to the same word")
                    : fmt::format("the xor factor takes the words 0 and {} to the same word", kernel.front()));
}

// The lowest bits that neither are moved by the factor nor receive another.
int untouched_bits(const F2Map& factor) {
  uint64_t touched = 0;
  for (int j = 0; j < factor.input_bits(); ++j) {
    const uint64_t moved = factor.columns()[static_cast<size_t>(j)] ^ (uint64_t{1} << j);
    if (moved == 0) continue;
    touched |= moved | uint64_t{1} << j;
  }
  return touched == 0 ? integer::kF2Bits : std::countr_zero(touched);
}

}  // namespace

Expected<std::optional<Collision>> find_collision(const ComposedLayout& layout) {
  if (!layout.has_factor() || layout.factor().inverse_extended()) {
    TAILOR_ASSIGN_OR_RETURN(std::optional<Collision> collision, find_collision(layout.layout()));
    if (collision) {
      TAILOR_ASSIGN_OR_RETURN(collision->value, layout.evaluate(collision->first));
    }
    return collision;
  }
  if (auto linear = linear_over_f2(layout); linear.ok()) {
    const std::vector<uint64_t> kernel = linear->kernel();
    if (kernel.empty()) return std::optional<Collision>{};
    // The map is of the index without its modes of extent 1, which is the index.
    return std::optional<Collision>(Collision{0, static_cast<int64_t>(kernel.back()), 0});
  }
  TAILOR_ASSIGN_OR_RETURN(std::vector<int64_t> values, layout.values(kEnumerationLimit));
  std::unordered_map<int64_t, int64_t> seen;
  for (size_t i = 0; i < values.size(); ++i) {
    auto [place, fresh] = seen.emplace(values[i], static_cast<int64_t>(i));
    if (!fresh) return std::optional<Collision>(Collision{place->second, static_cast<int64_t>(i), values[i]});
  }
  return std::optional<Collision>{};
}

Expected<ComposedLayout> left_inverse(const ComposedLayout& layout) {
  if (layout.is_strided()) {
    TAILOR_ASSIGN_OR_RETURN(StridedLayout inverse, left_inverse(layout.layout()));
    return ComposedLayout(std::move(inverse));
  }
  TAILOR_ASSIGN_OR_RETURN(std::optional<Collision> collision, find_collision(layout));
  if (collision) {
    return refuse("left inverse", layout,
                  fmt::format("none exists, indices {} and {} both have the value {}", collision->first,
                              collision->second, collision->value));
  }
  if (auto linear = linear_over_f2(layout); linear.ok()) {
    // Words outside the image go wherever elimination sends them: the inverse of the map made onto by unit vectors.
    std::vector<uint64_t> generators = linear->columns();
    const int bits = linear->output_bits();
    for (int j = 0; j < bits; ++j) {
      generators.push_back(uint64_t{1} << j);
      TAILOR_ASSIGN_OR_RETURN(F2Map larger, F2Map::create(generators));
      if (!larger.is_injective()) generators.pop_back();
    }
    TAILOR_ASSIGN_OR_RETURN(F2Map all, F2Map::create(std::move(generators)));
    const auto inverse = all.right_inverse(bits);
    if (!inverse) return internal_error("generators of all words do not generate them");
    std::vector<uint64_t> columns = inverse->columns();
    const uint64_t kept = (uint64_t{1} << linear->input_bits()) - 1;
    for (uint64_t& column : columns) column &= kept;
    TAILOR_ASSIGN_OR_RETURN(F2Map projected, F2Map::create(std::move(columns)));
    return from_f2(projected);
  }
  TAILOR_ASSIGN_OR_RETURN(StridedLayout inner, left_inverse(layout.layout()));
  TAILOR_ASSIGN_OR_RETURN(StridedLayout flat, coalesce(inner));
  const bool identity = !flat.root().group && flat.root().stride == 1;
  if (!layout.has_factor()) {
    // i = inner(y - offset) for values y >= offset: representable where inner has one mode.
    if (!flat.root().group && flat.root().extent > 1) {
      const Checked end = Checked(layout.offset()) + flat.root().extent;
      const Checked shifted = Checked(layout.offset()) * -flat.root().stride;
      if (layout.offset() > 0 && end.ok() && shifted.ok()) {
        TAILOR_ASSIGN_OR_RETURN(StridedLayout longer, StridedLayout::leaf(end.value(), flat.root().stride));
        return ComposedLayout::create({}, shifted.value(), std::move(longer));
      }
    }
    return refuse("left inverse", layout, "subtracting the offset would borrow between the digits of the inverse");
  }
  if (!identity || layout.offset() != 0) {
    return refuse("left inverse", layout,
                  "it exists as a function, but the inverse of an xor factor followed by this strided part is neither "
                  "linear over F2 nor an xor factor after a strided layout");
  }
  const auto inverse = layout.factor().inverse_extended();
  if (!inverse) return no_inverse(layout, layout.factor());
  TAILOR_ASSIGN_OR_RETURN(StridedLayout words, StridedLayout::leaf(layout.cosize(), 1));
  return ComposedLayout::create(*inverse, 0, std::move(words));
}

Expected<ComposedLayout> right_inverse(const ComposedLayout& layout) {
  if (layout.is_strided()) {
    TAILOR_ASSIGN_OR_RETURN(StridedLayout inverse, right_inverse(layout.layout()));
    return ComposedLayout(std::move(inverse));
  }
  if (layout.size() == 0) return refuse("right inverse", layout, "an extent is 0; it must be at least 1");
  if (auto linear = linear_over_f2(layout); linear.ok()) {
    int bits = 0;  // the words below 2^bits are all reached
    while (linear->right_inverse(bits + 1)) ++bits;
    return from_f2(*linear->right_inverse(bits));
  }
  // Not linear: the values below 2^k that the factor keeps among themselves, behind the strided part's inverse.
  const auto inverse = layout.factor().inverse_extended();
  if (!inverse) return no_inverse(layout, layout.factor());
  if (layout.offset() != 0) {
    if (layout.offset() > 0 && !layout.has_factor()) {
      return refuse("right inverse", layout, fmt::format("no index has a value below the offset {}", layout.offset()));
    }
    return refuse("right inverse", layout, "subtracting the offset would borrow between the digits of the inverse");
  }
  TAILOR_ASSIGN_OR_RETURN(StridedLayout inner, right_inverse(layout.layout()));
  int bits = 0;
  for (int k = 1; (int64_t{1} << k) <= inner.size() && k < integer::kF2Bits; ++k) {
    bool kept = true;
    for (int j = 0; j < k; ++j) kept = kept && width_of(inverse->apply_extended(uint64_t{1} << j)) <= k;
    if (kept) bits = k;
  }
  TAILOR_ASSIGN_OR_RETURN(StridedLayout words, StridedLayout::leaf(int64_t{1} << bits, 1));
  TAILOR_ASSIGN_OR_RETURN(StridedLayout front, composition(inner, words));
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout swizzled, ComposedLayout::create(*inverse, 0, std::move(words)));
  return composition(ComposedLayout(std::move(front)), swizzled);
}

namespace {

// A strided layout with the same set of values, counted from the offset; complement asks for no more than this set.
Expected<StridedLayout> same_values(const ComposedLayout& layout) {
  if (!layout.has_factor()) return layout.layout();
  if (const auto linear = linear_over_f2(layout); linear.ok()) {
    // The span of the columns by its reduced basis, which the span determines.
    std::vector<uint64_t> basis;
    for (uint64_t column : linear->columns()) {
      for (uint64_t b : basis) column = std::min(column, column ^ b);
      if (column == 0) continue;
      for (uint64_t& b : basis) b = std::min(b, b ^ column);
      basis.push_back(column);
    }
    std::sort(basis.begin(), basis.end());
    TAILOR_ASSIGN_OR_RETURN(F2Map span, F2Map::create(basis));
    TAILOR_ASSIGN_OR_RETURN(ComposedLayout strided, from_f2(span));
    if (strided.is_strided()) return strided.layout();
    for (size_t i = 0; i < basis.size(); ++i) {
      for (size_t j = i + 1; j < basis.size(); ++j) {
        if ((basis[i] & basis[j]) == 0) continue;
        return refuse("complement", layout,
                      fmt::format("its values are not those of a strided layout: {} and {} are values, their sum {} is "
                                  "not",
                                  basis[i], basis[j], basis[i] + basis[j]));
      }
    }
  }
  // Not linear: the values are those of the strided part where the factor permutes them.
  TAILOR_ASSIGN_OR_RETURN(std::vector<int64_t> before, layout.layout().values(kEnumerationLimit));
  TAILOR_ASSIGN_OR_RETURN(std::vector<int64_t> after, layout.values(kEnumerationLimit));
  std::sort(before.begin(), before.end());
  std::sort(after.begin(), after.end());
  const int64_t shift = after.empty() ? 0 : after.front() - before.front();
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] + shift == after[i]) continue;
    return refuse("complement", layout,
                  fmt::format("the factor does not permute the values of {}: {} is where {} would be",
                              layout.layout().to_string(), after[i], before[i] + shift));
  }
  return layout.layout();
}

}  // namespace

Expected<StridedLayout> complement(const ComposedLayout& layout, int64_t cosize_bound) {
  if (layout.size() == 0) return refuse("complement", layout, "an extent is 0; it must be at least 1");
  TAILOR_ASSIGN_OR_RETURN(StridedLayout values, same_values(layout));
  return complement(values, cosize_bound);
}

Expected<ComposedLayout> nullspace(const ComposedLayout& layout) {
  if (layout.size() == 0) return refuse("nullspace", layout, "an extent is 0; it must be at least 1");
  if (!layout.has_factor() || layout.factor().inverse_extended()) {
    TAILOR_ASSIGN_OR_RETURN(StridedLayout strided, nullspace(layout.layout()));
    return ComposedLayout(std::move(strided));
  }
  const auto linear = linear_over_f2(layout);
  if (!linear.ok()) {
    return refuse("nullspace", layout,
                  "its xor factor has no inverse, so that indices of one value need not be a layout: " +
                      linear.status().message());
  }
  std::vector<uint64_t> kernel = linear->kernel();
  std::reverse(kernel.begin(), kernel.end());
  TAILOR_ASSIGN_OR_RETURN(F2Map indices, F2Map::create(std::move(kernel)));
  return from_f2(indices);
}

Expected<int64_t> max_common_vector(const ComposedLayout& a, const ComposedLayout& b) {
  TAILOR_ASSIGN_OR_RETURN(int64_t strided, max_common_vector(a.layout(), b.layout()));
  if (a.factor() == b.factor() && a.offset() == b.offset()) return strided;
  for (const ComposedLayout* side : {&a, &b}) {
    if (!side->has_factor()) continue;
    const int64_t run = int64_t{1} << std::min(untouched_bits(side->factor()), integer::kF2Bits - 1);
    strided = std::min(strided, std::gcd(run, side->offset()));
  }
  return strided;
}

}  // namespace tailor::codegen::layout
