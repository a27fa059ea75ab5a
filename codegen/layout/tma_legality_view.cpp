// A guarded affine layout as the global side of a tensor map; declared in tma_legality.h.
#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/explain_access.h"
#include "codegen/layout/tma_legality.h"

namespace tailor::codegen::layout {
namespace {

using integer::Residue;

constexpr int64_t kMaxRank = 5;

struct Builder {
  TmaView view;
  int64_t alignment = 16;  // of address and strides, in bytes; 32 with interleave 32B

  void require(bool holds, TmaRule rule, const std::string& value) {
    if (!holds) view.broken.push_back({rule, fmt::format("{}; {}", value, rule_text(rule))});
  }
};

Residue abstract(const AffineExpr& expr, const Facts& facts) {
  return expr.abstract([&facts](std::string_view name) { return facts.of(name); });
}

std::string value_of(const Residue& known) {
  return known.is_constant() ? fmt::to_string(known.remainder) : "known as " + integer::to_string(known);
}

void check_axis(size_t index, const TmaAxis& axis, int64_t elem_bytes, Builder& out) {
  const std::string extent = fmt::format("extent of {} is {}", axis.name, value_of(axis.extent));
  constexpr int64_t kMaxExtent = int64_t{1} << 32;
  const bool extent_known = axis.extent.lo >= 1 && axis.extent.hi <= kMaxExtent;
  out.require(extent_known, TmaRule::kDimRange,
              extent + (axis.extent.is_constant()
                            ? ""
                            : fmt::format(" (a fact 1 <= extent <= 2^32 of {} would settle it)", axis.name)));
  if (index == 0) return;
  std::string stride = fmt::format("stride of {} is {} bytes", axis.name, value_of(axis.stride));
  if (axis.stride.known_divisor() % out.alignment != 0 && !axis.stride.is_constant()) {
    stride += fmt::format(" (the fact that it is a multiple of {} elements would settle it)",
                          std::max<int64_t>(1, out.alignment / elem_bytes));
  }
  const bool multiple = axis.stride.known_divisor() % out.alignment == 0;
  out.require(multiple, out.alignment == 16 ? TmaRule::kStrideMultiple : TmaRule::kStrideMultiple32, stride);
  if (axis.stride.is_constant()) {
    out.require(axis.stride.remainder >= 0, TmaRule::kLayoutStrideSign, stride);
    out.require(axis.stride.remainder < int64_t{1} << 40, TmaRule::kStrideRange, stride);
  }
}

Expected<TmaView> make_view(const GuardedAffineLayout& given, BaseAlignment base, int64_t elem_bytes,
                            const Facts& facts, int64_t alignment) {
  if (elem_bytes != 1 && elem_bytes != 2 && elem_bytes != 4 && elem_bytes != 8) {
    return invalid_argument(fmt::format("element size is {} bytes; a tensor map has 1, 2, 4 or 8", elem_bytes));
  }
  if (base.modulus < 1) {
    return invalid_argument(fmt::format("base modulus is {}; it must be at least 1 byte", base.modulus));
  }
  Builder out;
  out.alignment = alignment;
  out.require(given.outputs() == 1 && given.pieces().size() == 1, TmaRule::kLayoutPieces,
              fmt::format("the layout has {} pieces and {} outputs", given.pieces().size(), given.outputs()));
  if (!out.view.broken.empty()) return out.view;
  GuardedAffineLayout layout = given;
  if (given.rank() > kMaxRank) {
    TAILOR_ASSIGN_OR_RETURN(layout, given.coalesce());
  }
  const Piece& piece = layout.pieces()[0];

  const Residue start = Residue::congruent(base.modulus, base.residue) + abstract(piece.b[0], facts) * elem_bytes;
  out.require(start.known_divisor() % alignment == 0,
              alignment == 16 ? TmaRule::kAddressAlignment : TmaRule::kAddressAlignment32,
              fmt::format("the address is {} bytes", integer::to_string(start)));

  std::vector<Residue> extents;
  for (const Dim& dim : layout.dims()) extents.push_back(abstract(dim.extent, facts));
  for (const Constraint& guard : piece.guard) {
    const auto shortened = shortened_dim(layout, guard);
    out.require(shortened.has_value(), TmaRule::kLayoutGuard, fmt::format("the guard is {}", guard.to_string()));
    if (shortened) {
      Residue& extent = extents[shortened->first];
      extent = smaller(extent, abstract(shortened->second, facts));
    }
  }

  int inner = 0;
  for (size_t i = 0; i < layout.rank(); ++i) {
    if (extents[i].is_constant() && extents[i].remainder == 1) continue;
    const Residue elements = abstract(piece.a[0][i], facts);
    const bool unit = elements.is_constant() && elements.remainder == 1;
    inner += unit ? 1 : 0;
    TmaAxis axis{layout.dims()[i].name, extents[i], elements * elem_bytes};
    if (unit && inner == 1) {
      out.view.axes.insert(out.view.axes.begin(), std::move(axis));
    } else {
      out.view.axes.push_back(std::move(axis));
    }
  }
  std::string strides;
  for (const TmaAxis& axis : out.view.axes) {
    strides += fmt::format("{}{} of {}", strides.empty() ? "" : ", ", value_of(axis.stride), axis.name);
  }
  out.require(inner == 1 || out.view.axes.empty(), TmaRule::kLayoutInnerStride,
              fmt::format("{} dimensions have stride 1 (bytes: {})", inner, strides));
  out.require(out.view.axes.size() <= static_cast<size_t>(kMaxRank), TmaRule::kRank,
              fmt::format("{} dimensions are left", out.view.axes.size()));
  if (inner >= 1) {
    const auto key = [](const TmaAxis& axis) {
      return axis.stride.is_constant() ? axis.stride.remainder : Residue::kPlusInfinity;
    };
    std::stable_sort(out.view.axes.begin() + 1, out.view.axes.end(),
                     [&key](const TmaAxis& a, const TmaAxis& b) { return key(a) < key(b); });
  }
  for (size_t i = 0; i < out.view.axes.size(); ++i)
    check_axis(inner >= 1 ? i : i + 1, out.view.axes[i], elem_bytes, out);
  return out.view;
}

// The box, format and rank rules alone: a map of the same rank whose address, dimensions and strides break none.
std::vector<TmaViolation> box_rules(const TmaLayoutQuestion& question, size_t rank) {
  TmaTiled map;
  map.element = question.element;
  map.rank = static_cast<int64_t>(rank);
  map.dims.assign(rank, 128);
  map.strides.assign(rank == 0 ? 0 : rank - 1, 128);
  map.box = question.box;
  map.element_strides = question.element_strides;
  if (map.element_strides.empty()) map.element_strides.assign(rank, 1);
  map.format = question.format;
  return tma_legality(map);
}

}  // namespace

Expected<TmaView> tma_view(const GuardedAffineLayout& layout, BaseAlignment base, int64_t elem_bytes,
                           const Facts& facts) {
  return make_view(layout, base, elem_bytes, facts, 16);
}

Expected<std::vector<TmaViolation>> tma_legality(const GuardedAffineLayout& layout, const TmaLayoutQuestion& question,
                                                 const Facts& facts) {
  const int64_t bits = element_bits(question.element);
  if (bits < 8) {
    return invalid_argument(
        fmt::format("element {} is packed; a layout counts whole elements", to_string(question.element)));
  }
  const int64_t alignment = question.format.interleave == TmaInterleave::k32B ? 32 : 16;
  TAILOR_ASSIGN_OR_RETURN(TmaView view, make_view(layout, question.base, bits / 8, facts, alignment));
  std::vector<TmaViolation> broken = std::move(view.broken);
  // Without axes there is no rank that the lists could be held against.
  const bool one_piece = broken.empty() || broken[0].rule != TmaRule::kLayoutPieces;
  if (one_piece) {
    for (TmaViolation& violation : box_rules(question, view.axes.size())) {
      const bool known = violation.rule == TmaRule::kRank && view.axes.size() > static_cast<size_t>(kMaxRank);
      if (!known) broken.push_back(std::move(violation));
    }
  }
  return broken;
}

}  // namespace tailor::codegen::layout
