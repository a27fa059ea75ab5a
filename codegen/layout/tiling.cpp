#include "codegen/layout/tiling.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/cute_notation.h"

namespace tailor::codegen::layout {
namespace {

using integer::Checked;

std::vector<Mode> top_modes(const StridedLayout& layout) {
  return layout.root().group ? layout.root().modes : std::vector<Mode>{layout.root()};
}

// A group of one mode stays a group, as in CuTe.
void unpack(const Mode& mode, std::vector<Mode>& modes) {
  if (mode.group && mode.modes.size() != 1) {
    modes.insert(modes.end(), mode.modes.begin(), mode.modes.end());
  } else {
    modes.push_back(mode);
  }
}

// ((first…), (second…)) with the second, or both, unpacked.
Expected<StridedLayout> unzip(const Expected<StridedLayout>& zipped, bool unpack_first) {
  if (!zipped.ok()) return zipped.status();
  std::vector<Mode> modes;
  if (unpack_first) {
    unpack(zipped->root().modes[0], modes);
  } else {
    modes.push_back(zipped->root().modes[0]);
  }
  unpack(zipped->root().modes[1], modes);
  return StridedLayout::create(Mode::of(std::move(modes)));
}

// The block and its repeats with equal rank, as the two modes of the result.
Expected<StridedLayout> product_of_equal_rank(const StridedLayout& block, const StridedLayout& tiler) {
  const size_t rank = std::max(block.rank(), tiler.rank());
  auto padded = [rank](const StridedLayout& layout) {
    std::vector<Mode> modes = top_modes(layout);
    modes.resize(rank, Mode::leaf(1, 0));
    return StridedLayout::create(Mode::of(std::move(modes)));
  };
  TAILOR_ASSIGN_OR_RETURN(StridedLayout padded_block, padded(block));
  TAILOR_ASSIGN_OR_RETURN(StridedLayout padded_tiler, padded(tiler));
  return logical_product(padded_block, padded_tiler);
}

Expected<StridedLayout> interleave(const StridedLayout& product, size_t fast, size_t slow) {
  const std::vector<Mode>& parts = product.root().modes;
  std::vector<Mode> modes;
  for (size_t k = 0; k < parts[fast].modes.size(); ++k) {
    modes.push_back(Mode::of({parts[fast].modes[k], parts[slow].modes[k]}));
  }
  return StridedLayout::create(Mode::of(std::move(modes)));
}

// Compact strides of `shape`, the mode with the smallest rank in `order` fastest; extents of 1 get stride 0.
Expected<StridedLayout> ordered(const std::vector<int64_t>& shape, const std::vector<int64_t>& order) {
  std::vector<size_t> sequence(shape.size());
  std::iota(sequence.begin(), sequence.end(), size_t{0});
  if (!order.empty()) {
    std::stable_sort(sequence.begin(), sequence.end(), [&](size_t a, size_t b) { return order[a] < order[b]; });
  }
  std::vector<Mode> modes(shape.size());
  Checked next = 1;
  for (size_t k : sequence) {
    modes[k] = Mode::leaf(shape[k], shape[k] == 1 ? 0 : next.value());
    next *= shape[k];
  }
  if (!next.ok()) return integer::overflow_error("the size of the target shape");
  return StridedLayout::create(Mode::of(std::move(modes)));
}

}  // namespace

Expected<Tiler> Tiler::parse(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t");
  if (start != std::string_view::npos && text[start] == '<') {
    TAILOR_ASSIGN_OR_RETURN(std::vector<StridedLayout> tilers, parse_cute_tilers(text));
    return Tiler{std::move(tilers), true};
  }
  TAILOR_ASSIGN_OR_RETURN(StridedLayout layout, parse_cute(text));
  return Tiler::of(std::move(layout));
}

Expected<StridedLayout> logical_product(const StridedLayout& block, const std::vector<StridedLayout>& tilers) {
  if (tilers.size() > block.rank()) {
    return invalid_argument(fmt::format("{} tilers for {} of rank {}; there may be one per mode", tilers.size(),
                                        block.to_string(), block.rank()));
  }
  std::vector<Mode> modes = top_modes(block);
  for (size_t k = 0; k < tilers.size(); ++k) {
    TAILOR_ASSIGN_OR_RETURN(StridedLayout mode, StridedLayout::create(modes[k]));
    TAILOR_ASSIGN_OR_RETURN(StridedLayout product, logical_product(mode, tilers[k]));
    modes[k] = product.root();
  }
  return StridedLayout::create(Mode::of(std::move(modes)));
}

Expected<StridedLayout> logical_divide(const StridedLayout& layout, const Tiler& tiler) {
  return tiler.by_mode ? logical_divide(layout, tiler.layouts) : logical_divide(layout, tiler.layouts.front());
}

Expected<StridedLayout> logical_product(const StridedLayout& block, const Tiler& tiler) {
  return tiler.by_mode ? logical_product(block, tiler.layouts) : logical_product(block, tiler.layouts.front());
}

Expected<StridedLayout> zipped_divide(const StridedLayout& layout, const Tiler& tiler) {
  return tiler.by_mode ? zipped_divide(layout, tiler.layouts) : zipped_divide(layout, tiler.layouts.front());
}

Expected<StridedLayout> zipped_product(const StridedLayout& block, const Tiler& tiler) {
  TAILOR_ASSIGN_OR_RETURN(StridedLayout product, logical_product(block, tiler));
  if (!tiler.by_mode) return product;
  std::vector<Mode> tiles;
  std::vector<Mode> rests;
  for (size_t k = 0; k < product.rank(); ++k) {
    const Mode& mode = product.root().modes[k];
    if (k < tiler.layouts.size()) {
      tiles.push_back(mode.modes[0]);
      rests.push_back(mode.modes[1]);
    } else {
      rests.push_back(mode);
    }
  }
  return StridedLayout::create(Mode::of({Mode::of(std::move(tiles)), Mode::of(std::move(rests))}));
}

Expected<StridedLayout> tiled_divide(const StridedLayout& layout, const Tiler& tiler) {
  return unzip(zipped_divide(layout, tiler), false);
}

Expected<StridedLayout> tiled_product(const StridedLayout& block, const Tiler& tiler) {
  return unzip(zipped_product(block, tiler), false);
}

Expected<StridedLayout> flat_divide(const StridedLayout& layout, const Tiler& tiler) {
  return unzip(zipped_divide(layout, tiler), true);
}

Expected<StridedLayout> flat_product(const StridedLayout& block, const Tiler& tiler) {
  return unzip(zipped_product(block, tiler), true);
}

Expected<StridedLayout> blocked_product(const StridedLayout& block, const StridedLayout& tiler) {
  TAILOR_ASSIGN_OR_RETURN(StridedLayout product, product_of_equal_rank(block, tiler));
  return interleave(product, 0, 1);
}

Expected<StridedLayout> raked_product(const StridedLayout& block, const StridedLayout& tiler) {
  TAILOR_ASSIGN_OR_RETURN(StridedLayout product, product_of_equal_rank(block, tiler));
  return interleave(product, 1, 0);
}

Expected<StridedLayout> tile_to_shape(const StridedLayout& block, const std::vector<int64_t>& shape,
                                      const std::vector<int64_t>& order) {
  if (block.rank() > shape.size()) {
    return invalid_argument(fmt::format("tile_to_shape of {} (rank {}) to ({}): the target must have at least its rank",
                                        block.to_string(), block.rank(), fmt::join(shape, ",")));
  }
  if (!order.empty() && order.size() != shape.size()) {
    return invalid_argument(
        fmt::format("tile_to_shape: the order names {} modes, the target has {}", order.size(), shape.size()));
  }
  std::vector<Mode> modes = top_modes(block);
  std::vector<int64_t> repeats(shape.size());
  for (size_t k = 0; k < shape.size(); ++k) {
    int64_t extent = 1;
    if (k < modes.size()) {
      TAILOR_ASSIGN_OR_RETURN(StridedLayout mode, StridedLayout::create(modes[k]));
      extent = mode.size();
    }
    if (extent == 0 || shape[k] < 1 || shape[k] % extent != 0) {
      return invalid_argument(
          fmt::format("tile_to_shape of {}: mode {} has {} points, which must divide the target extent {} (at least 1)",
                      block.to_string(), k, extent, shape[k]));
    }
    repeats[k] = shape[k] / extent;
  }
  TAILOR_ASSIGN_OR_RETURN(StridedLayout tiler, ordered(repeats, order));
  return blocked_product(block, tiler);
}

}  // namespace tailor::codegen::layout
