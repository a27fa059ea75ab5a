#include "codegen/layout/reshape.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::layout {
namespace {

using integer::Checked;
using integer::F2Map;

std::vector<Mode> without_ones(const StridedLayout& flat) {
  std::vector<Mode> leaves = flat.leaves();
  std::erase_if(leaves, [](const Mode& leaf) { return leaf.extent == 1; });
  return leaves;
}

std::string shape_text(const Mode& shape) {
  auto layout = StridedLayout::create(shape);
  if (!layout.ok()) return "a shape";
  const std::string text = layout->to_string();
  return text.substr(0, text.find(':'));
}

// Hands out the digits of a coalesced layout from the fastest on.
class DigitReader {
 public:
  DigitReader(const StridedLayout& whole, std::vector<Mode> leaves) : whole_(whole), leaves_(std::move(leaves)) {}

  // The next `extent` points as one leaf or a group of leaves.
  Expected<Mode> take(int64_t extent) {
    if (extent == 1) return Mode::leaf(1, 0);
    std::vector<Mode> digits;
    int64_t wanted = extent;
    while (wanted > 1) {
      Mode& leaf = leaves_[next_];  // the sizes agree, so there is one
      const int64_t part = std::min(wanted, leaf.extent);
      if (wanted % part != 0 || leaf.extent % part != 0) return broken(extent, leaf.extent, wanted);
      digits.push_back(Mode::leaf(part, leaf.stride));
      wanted /= part;
      place_ *= part;
      leaf.extent /= part;
      if (leaf.extent == 1) {
        ++next_;
      } else {
        leaf.stride *= part;  // a point of the layout, so it fits
      }
    }
    return digits.size() == 1 ? digits.front() : Mode::of(std::move(digits));
  }

 private:
  Status broken(int64_t extent, int64_t left, int64_t wanted) const {
    const int64_t boundary = place_ * left;  // the layout's
    const int64_t end = place_ * wanted;     // the new mode's
    const int64_t step = std::min(boundary, end);
    std::string reason = fmt::format(
        "the layout turns at index {}, a new mode of extent {} ends at index {}, and neither "
        "divides the other",
        boundary, extent, end);
    const auto before = whole_.evaluate(step - 1);
    const auto after = whole_.evaluate(step);
    if (before.ok() && after.ok()) {
      reason += fmt::format("; indices {} and {} have the values {} and {}", step - 1, step, *before, *after);
    }
    return invalid_argument(reason);
  }

  const StridedLayout& whole_;
  std::vector<Mode> leaves_;
  size_t next_ = 0;
  int64_t place_ = 1;
};

Expected<Mode> fill(const Mode& shape, DigitReader& digits) {
  if (!shape.group) return digits.take(shape.extent);
  std::vector<Mode> modes;
  for (const Mode& child : shape.modes) {
    TAILOR_ASSIGN_OR_RETURN(Mode mode, fill(child, digits));
    modes.push_back(std::move(mode));
  }
  return Mode::of(std::move(modes));
}

Expected<Mode> each_leaf(const Mode& mode, const auto& change) {
  if (!mode.group) return change(mode);
  std::vector<Mode> modes;
  for (const Mode& child : mode.modes) {
    TAILOR_ASSIGN_OR_RETURN(Mode changed, each_leaf(child, change));
    modes.push_back(std::move(changed));
  }
  return Mode::of(std::move(modes));
}

Status refuse(std::string_view operation, const ComposedLayout& layout, int64_t n, std::string_view why) {
  return invalid_argument(fmt::format("{} of {} by {}: {}", operation, layout.to_string(), n, why));
}

// The leaf of a downcast that takes the parts of an element: the one of stride 1. The stride of an extent of 1 leads
// nowhere, so such a leaf counts only where no other one is there, and then whatever its stride. leaves.size(): none,
// or several.
size_t part_taker(const std::vector<Mode>& leaves) {
  const auto find = [&](const auto& wanted) {
    return static_cast<size_t>(std::find_if(leaves.begin(), leaves.end(), wanted) - leaves.begin());
  };
  const auto long_unit = [](const Mode& leaf) { return leaf.extent != 1 && leaf.stride == 1; };
  const auto count = std::count_if(leaves.begin(), leaves.end(), long_unit);
  if (count == 1) return find(long_unit);
  if (count > 1) return leaves.size();
  const size_t unit = find([](const Mode& leaf) { return leaf.extent == 1 && leaf.stride == 1; });
  return unit < leaves.size() ? unit : find([](const Mode& leaf) { return leaf.extent == 1; });
}

// log2 of n, where an xor factor is at stake.
Expected<int> shift_of(std::string_view operation, const ComposedLayout& layout, int64_t n) {
  if (!integer::is_pow2(static_cast<uint64_t>(n)) || n > int64_t{1} << 30) {
    return refuse(operation, layout, n, "an xor factor acts on bits; the ratio must be a power of two, at most 2^30");
  }
  return std::countr_zero(static_cast<uint64_t>(n));
}

}  // namespace

Expected<StridedLayout> reshape(const StridedLayout& layout, const Mode& shape) {
  TAILOR_ASSIGN_OR_RETURN(StridedLayout target, StridedLayout::create(shape));
  if (target.size() != layout.size()) {
    return invalid_argument(fmt::format("reshape of {} to {}: the sizes are {} and {}; they must be equal",
                                        layout.to_string(), shape_text(shape), layout.size(), target.size()));
  }
  if (layout.size() == 0) {
    TAILOR_ASSIGN_OR_RETURN(
        Mode empty, each_leaf(shape, [](const Mode& leaf) -> Expected<Mode> { return Mode::leaf(leaf.extent, 0); }));
    return StridedLayout::create(std::move(empty));
  }
  TAILOR_ASSIGN_OR_RETURN(StridedLayout flat, coalesce(layout));
  DigitReader digits(layout, without_ones(flat));
  auto root = fill(shape, digits);
  if (!root.ok()) {
    return invalid_argument(
        fmt::format("reshape of {} to {}: {}", layout.to_string(), shape_text(shape), root.status().message()));
  }
  return StridedLayout::create(std::move(*root));
}

Expected<ComposedLayout> reshape(const ComposedLayout& layout, const Mode& shape) {
  TAILOR_ASSIGN_OR_RETURN(StridedLayout strided, reshape(layout.layout(), shape));
  return ComposedLayout::create(layout.factor(), layout.offset(), std::move(strided));
}

Expected<ComposedLayout> upcast(const ComposedLayout& layout, int64_t n) {
  if (n < 1) return refuse("upcast", layout, n, "the ratio must be at least 1");
  auto change = [&](const Mode& leaf) -> Expected<Mode> {
    if (leaf.stride == 0) return leaf;
    const int64_t stride = std::abs(leaf.stride);
    if (stride % n != 0 && n % stride != 0) {
      if (leaf.extent == 1) return Mode::leaf(1, 0);
      return refuse("upcast", layout, n, fmt::format("stride {} neither divides it nor is a multiple", leaf.stride));
    }
    const int64_t extent = integer::ceil_div(leaf.extent, integer::ceil_div(n, stride));
    return Mode::leaf(extent, (leaf.stride < 0 ? -1 : 1) * integer::ceil_div(stride, n));
  };
  TAILOR_ASSIGN_OR_RETURN(Mode root, each_leaf(layout.layout().root(), change));
  TAILOR_ASSIGN_OR_RETURN(StridedLayout strided, StridedLayout::create(std::move(root)));
  if (layout.offset() % n != 0) {
    return refuse("upcast", layout, n, fmt::format("the offset {} is not a multiple of it", layout.offset()));
  }
  if (!layout.has_factor()) return ComposedLayout::create({}, layout.offset() / n, std::move(strided));
  TAILOR_ASSIGN_OR_RETURN(int shift, shift_of("upcast", layout, n));
  std::vector<uint64_t> columns;
  for (int j = 0; j < layout.factor().input_bits(); ++j) {
    const uint64_t column = layout.factor().columns()[static_cast<size_t>(j)];
    if (j >= shift) {
      columns.push_back(column >> shift);
    } else if (column >> shift != 0) {
      return refuse("upcast", layout, n,
                    fmt::format("the xor factor moves bit {} up to {}, so parts of one new element would go to several",
                                uint64_t{1} << j, column));
    }
  }
  TAILOR_ASSIGN_OR_RETURN(F2Map factor, F2Map::create(std::move(columns)));
  return ComposedLayout::create(std::move(factor), layout.offset() / n, std::move(strided));
}

Expected<ComposedLayout> downcast(const ComposedLayout& layout, int64_t n) {
  if (n < 1) return refuse("downcast", layout, n, "the ratio must be at least 1");
  if (n == 1) return layout;
  const std::vector<Mode> leaves = layout.layout().leaves();
  for (const Mode& leaf : leaves) {
    if (leaf.stride == -1 && leaf.extent != 1) {
      return refuse("downcast", layout, n, "stride -1 walks the parts of an element backwards");
    }
  }
  const size_t taker = part_taker(leaves);
  if (taker == leaves.size()) {
    const auto units = std::count_if(leaves.begin(), leaves.end(),
                                     [](const Mode& leaf) { return leaf.extent != 1 && leaf.stride == 1; });
    return refuse("downcast", layout, n,
                  fmt::format("it has {} modes of stride 1; one has to take the parts of an element", units));
  }
  size_t at = 0;
  auto change = [&](const Mode& leaf) -> Expected<Mode> {
    const bool takes = at++ == taker;
    const Checked grown = Checked(takes ? leaf.extent : leaf.stride) * n;
    if (!grown.ok()) {
      if (leaf.extent == 1) return Mode::leaf(1, 0);
      return integer::overflow_error("a mode of the downcast");
    }
    return takes ? Mode::leaf(grown.value(), 1) : Mode::leaf(leaf.extent, grown.value());
  };
  TAILOR_ASSIGN_OR_RETURN(Mode root, each_leaf(layout.layout().root(), change));
  TAILOR_ASSIGN_OR_RETURN(StridedLayout strided, StridedLayout::create(std::move(root)));
  const Checked offset = Checked(layout.offset()) * n;
  if (!offset.ok()) return integer::overflow_error("the offset of the downcast");
  if (!layout.has_factor()) return ComposedLayout::create({}, offset.value(), std::move(strided));
  TAILOR_ASSIGN_OR_RETURN(int shift, shift_of("downcast", layout, n));
  std::vector<uint64_t> columns = F2Map::identity(shift).columns();
  for (uint64_t column : layout.factor().columns()) {
    if (std::bit_width(column) + static_cast<size_t>(shift) > static_cast<size_t>(integer::kF2Bits)) {
      return integer::overflow_error("the xor factor of the downcast");
    }
    columns.push_back(column << shift);
  }
  TAILOR_ASSIGN_OR_RETURN(F2Map factor, F2Map::create(std::move(columns)));
  return ComposedLayout::create(std::move(factor), offset.value(), std::move(strided));
}

Expected<ComposedLayout> recast(const ComposedLayout& layout, int64_t old_bits, int64_t new_bits) {
  if (old_bits < 1 || new_bits < 1) {
    return invalid_argument(fmt::format("recast from {} to {} bits; both must be at least 1", old_bits, new_bits));
  }
  const int64_t common = std::gcd(old_bits, new_bits);
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout wide, upcast(layout, new_bits / common));
  return downcast(wide, old_bits / common);
}

Expected<StridedLayout> filter(const StridedLayout& layout) {
  if (layout.size() == 0) {
    return invalid_argument(fmt::format("filter of {}: an extent is 0; it must be at least 1", layout.to_string()));
  }
  std::vector<Mode> kept = layout.leaves();
  std::erase_if(kept, [](const Mode& leaf) { return leaf.stride == 0; });
  TAILOR_ASSIGN_OR_RETURN(StridedLayout rest, StridedLayout::create(Mode::of(std::move(kept))));
  return coalesce(rest);
}

Expected<StridedLayout> nullspace(const StridedLayout& layout) {
  if (layout.size() == 0) {
    return invalid_argument(fmt::format("nullspace of {}: an extent is 0; it must be at least 1", layout.to_string()));
  }
  std::vector<Mode> modes;
  int64_t place = 1;
  for (const Mode& leaf : layout.leaves()) {
    if (leaf.stride == 0) modes.push_back(Mode::leaf(leaf.extent, place));
    place *= leaf.extent;  // at most the size
  }
  if (modes.empty()) return StridedLayout();
  if (modes.size() == 1) return StridedLayout::create(std::move(modes.front()));
  return StridedLayout::create(Mode::of(std::move(modes)));
}

}  // namespace tailor::codegen::layout
