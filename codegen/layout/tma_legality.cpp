#include "codegen/layout/tma_legality.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace tailor::codegen::layout {
namespace {

struct ElementRow {
  std::string_view text;
  int64_t bits = 0;
  TmaKind kind = TmaKind::kInteger;
};

constexpr ElementRow kElements[] = {
#define X(name, text, bits, kind) {text, bits, TmaKind::kind},
    TAILOR_TMA_ELEMENTS(X)
#undef X
};

struct SwizzleRow {
  std::string_view text;
  int64_t span = 0;
};

constexpr SwizzleRow kSwizzles[] = {
#define X(name, text, span) {text, span},
    TAILOR_TMA_SWIZZLES(X)
#undef X
};

const ElementRow& row_of(TmaElement element) { return kElements[static_cast<size_t>(element)]; }
const SwizzleRow& row_of(TmaSwizzle swizzle) { return kSwizzles[static_cast<size_t>(swizzle)]; }

// Collects violations of one map.
class Rules {
 public:
  Rules(TmaElement element, const TmaFormat& format) : element_(row_of(element)), format_(format) {}

  // `value` is a sentence about the map, e.g. "globalDim[2] is 0".
  void require(bool holds, TmaRule rule, const std::string& value) {
    if (!holds) broken_.push_back({rule, fmt::format("{}; {}", value, rule_text(rule))});
  }

  bool packed16() const { return element_.kind == TmaKind::kPacked16; }
  bool interleaved() const { return format_.interleave != TmaInterleave::kNone; }

  void list(std::string_view name, size_t size, int64_t expected) {
    const auto length = static_cast<int64_t>(size);
    require(length == expected, TmaRule::kListLength, fmt::format("{} has {} entries, not {}", name, length, expected));
  }

  void address(uint64_t address) {
    if (packed16() || format_.interleave == TmaInterleave::k32B) {
      require(address % 32 == 0, TmaRule::kAddressAlignment32, fmt::format("the address is {:#x}", address));
    } else {
      require(address % 16 == 0, TmaRule::kAddressAlignment, fmt::format("the address is {:#x}", address));
    }
  }

  void dims(const std::vector<uint64_t>& dims) {
    for (size_t i = 0; i < dims.size(); ++i) {
      require(dims[i] >= 1 && dims[i] <= uint64_t{1} << 32, TmaRule::kDimRange,
              fmt::format("globalDim[{}] is {}", i, dims[i]));
    }
    if (dims.empty()) return;
    const std::string inner = fmt::format("globalDim[0] is {}", dims[0]);
    require(!packed16() || dims[0] % 128 == 0, TmaRule::kDimPacked16, inner);
    require(element_.kind != TmaKind::kPacked8 || dims[0] % 2 == 0, TmaRule::kDimPacked8, inner);
  }

  void strides(const std::vector<uint64_t>& strides) {
    const bool by_32 = packed16() || format_.interleave == TmaInterleave::k32B;
    for (size_t i = 0; i < strides.size(); ++i) {
      const std::string value = fmt::format("globalStrides[{}] is {} bytes", i, strides[i]);
      if (by_32) {
        require(strides[i] % 32 == 0, TmaRule::kStrideMultiple32, value);
      } else {
        require(strides[i] % 16 == 0, TmaRule::kStrideMultiple, value);
      }
      require(strides[i] < uint64_t{1} << 40, TmaRule::kStrideRange, value);
    }
  }

  // Without interleave the first entry is ignored: dimension 0 has no element stride.
  void element_strides(const std::vector<uint32_t>& strides) {
    for (size_t i = interleaved() ? 0 : 1; i < strides.size(); ++i) {
      require(strides[i] >= 1 && strides[i] <= 8, TmaRule::kElementStride,
              fmt::format("elementStrides[{}] is {}", i, strides[i]));
    }
  }

  // `inner`: boxDim[0], or the channels per pixel of an im2col map.
  void inner_box(std::string_view name, uint32_t inner) {
    if (packed16()) {
      require(inner == 128, TmaRule::kBoxPacked16, fmt::format("{} is {}", name, inner));
    } else if (!interleaved()) {
      require(int64_t{inner} * element_.bits % 128 == 0, TmaRule::kBoxInnerMultiple,
              fmt::format("{} is {} elements of {} bits = {} bytes", name, inner, element_.bits,
                          static_cast<double>(inner) * static_cast<double>(element_.bits) / 8));
    }
    const SwizzleRow& swizzle = row_of(format_.swizzle);
    if (interleaved() || swizzle.span == 0) return;
    // In shared memory 16 packed values take 16 bytes.
    const int64_t bits = packed16() ? 8 : element_.bits;
    require(inner * bits <= swizzle.span * 8, TmaRule::kSwizzleSpan,
            fmt::format("{} is {} elements = {} bytes, swizzle {} spans {}", name, inner,
                        static_cast<double>(inner) * static_cast<double>(bits) / 8, swizzle.text, swizzle.span));
  }

  void format(TmaElement element) {
    const std::string swizzle = fmt::format("the swizzle is {}", row_of(format_.swizzle).text);
    require(format_.interleave != TmaInterleave::k32B || format_.swizzle == TmaSwizzle::k32B,
            TmaRule::kInterleave32Swizzle, swizzle);
    const bool none_128_or_atom32 = format_.swizzle == TmaSwizzle::kNone || format_.swizzle == TmaSwizzle::k128B ||
                                    format_.swizzle == TmaSwizzle::k128BAtom32B;
    if (element == TmaElement::k16U6Align16B) {
      require(!interleaved(), TmaRule::kPacked6Interleave,
              fmt::format("the interleave is {}", to_string(format_.interleave)));
      const bool atom64_store = format_.swizzle == TmaSwizzle::k128BAtom64B && format_.use == TmaUse::kStore;
      require(none_128_or_atom32 || atom64_store, TmaRule::kPacked6Swizzle, swizzle);
    }
    if (element == TmaElement::k16U4Align16B) {
      require(none_128_or_atom32, TmaRule::kPacked4Swizzle, swizzle);
      require(format_.use == TmaUse::kLoad, TmaRule::kPacked4Store, "the map is used to store");
    }
    require(format_.fill == TmaFill::kZero || element_.kind == TmaKind::kFloat, TmaRule::kNanFill,
            fmt::format("the element is {}", element_.text));
    const int64_t l2 = format_.l2_promotion_bytes;
    require(l2 == 0 || l2 == 64 || l2 == 128 || l2 == 256, TmaRule::kL2Promotion,
            fmt::format("the L2 promotion is {} bytes", l2));
  }

  std::vector<TmaViolation> take() {
    std::stable_sort(broken_.begin(), broken_.end(),
                     [](const TmaViolation& a, const TmaViolation& b) { return a.rule < b.rule; });
    return std::move(broken_);
  }

 private:
  const ElementRow& element_;
  const TmaFormat& format_;
  std::vector<TmaViolation> broken_;
};

// Bounds of the pixel box corners by rank.
std::pair<int32_t, int32_t> corner_range(int64_t rank) {
  if (rank == 3) return {-32768, 32767};
  if (rank == 4) return {-128, 127};
  return {-16, 15};
}

void check_pixel_box(const TmaIm2col& map, Rules& rules) {
  const bool wide = map.mode != TmaIm2colMode::kNarrow;
  const int64_t offsets = wide ? 1 : map.rank - 2;
  rules.list("the lower corner", map.lower_corner.size(), offsets);
  rules.list("the upper corner", map.upper_corner.size(), offsets);
  // A wide map has the W offset alone, with the range of one offset.
  const auto [lo, hi] = corner_range(wide ? 3 : map.rank);
  const auto check_corner = [&rules, lo = lo, hi = hi](std::string_view name, const std::vector<int32_t>& corner) {
    for (size_t i = 0; i < corner.size(); ++i) {
      rules.require(corner[i] >= lo && corner[i] <= hi, TmaRule::kCornerRange,
                    fmt::format("{}[{}] is {}", name, i, corner[i]));
    }
  };
  check_corner("pixelBoxLowerCorner", map.lower_corner);
  check_corner("pixelBoxUpperCorner", map.upper_corner);
  // The box of base pixels along W, H, D runs from the lower corner to the size plus the upper corner.
  const size_t axes = std::min(
      {map.lower_corner.size(), map.upper_corner.size(), map.dims.size() > 2 ? map.dims.size() - 2 : size_t{0}});
  for (size_t i = 0; i < axes; ++i) {
    if (map.dims[i + 1] == 0 || map.dims[i + 1] > uint64_t{1} << 32) continue;  // kDimRange says so
    const int64_t pixels = static_cast<int64_t>(map.dims[i + 1]) + map.upper_corner[i] - map.lower_corner[i];
    rules.require(pixels >= 1, TmaRule::kPixelBoxEmpty,
                  fmt::format("the pixel box has {} pixels along dimension {}", pixels, i + 1));
  }
}

}  // namespace

std::string_view to_string(TmaElement element) { return row_of(element).text; }
int64_t element_bits(TmaElement element) { return row_of(element).bits; }
std::string_view to_string(TmaSwizzle swizzle) { return row_of(swizzle).text; }

std::string_view to_string(TmaInterleave interleave) {
  switch (interleave) {
    case TmaInterleave::kNone:
      return "none";
    case TmaInterleave::k16B:
      return "16B";
    case TmaInterleave::k32B:
      return "32B";
  }
  return "unknown";
}

std::string_view rule_text(TmaRule rule) {
  static constexpr std::string_view kTexts[] = {
#define X(name, rule) rule,
      TAILOR_TMA_RULES(X)
#undef X
  };
  return kTexts[static_cast<size_t>(rule)];
}

std::vector<TmaViolation> tma_legality(const TmaTiled& map) {
  Rules rules(map.element, map.format);
  const std::string rank = fmt::format("the rank is {}", map.rank);
  rules.require(map.rank >= 1 && map.rank <= 5, TmaRule::kRank, rank);
  rules.require(!rules.interleaved() || map.rank >= 3, TmaRule::kRankInterleaved, rank);
  rules.list("globalDim", map.dims.size(), map.rank);
  rules.list("globalStrides", map.strides.size(), map.rank - 1);
  rules.list("boxDim", map.box.size(), map.rank);
  rules.list("elementStrides", map.element_strides.size(), map.rank);
  rules.address(map.address);
  rules.dims(map.dims);
  rules.strides(map.strides);
  for (size_t i = 0; i < map.box.size(); ++i) {
    rules.require(map.box[i] >= 1 && map.box[i] <= 256, TmaRule::kBoxRange,
                  fmt::format("boxDim[{}] is {}", i, map.box[i]));
  }
  if (!map.box.empty()) rules.inner_box("boxDim[0]", map.box[0]);
  rules.element_strides(map.element_strides);
  rules.format(map.element);
  return rules.take();
}

std::vector<TmaViolation> tma_legality(const TmaIm2col& map) {
  Rules rules(map.element, map.format);
  rules.require(map.rank >= 3 && map.rank <= 5, TmaRule::kRankIm2col, fmt::format("the rank is {}", map.rank));
  rules.list("globalDim", map.dims.size(), map.rank);
  rules.list("globalStrides", map.strides.size(), map.rank - 1);
  rules.list("elementStrides", map.element_strides.size(), map.rank);
  rules.address(map.address);
  rules.dims(map.dims);
  rules.strides(map.strides);
  check_pixel_box(map, rules);
  rules.require(map.channels_per_pixel >= 1 && map.channels_per_pixel <= 256, TmaRule::kChannels,
                fmt::format("channelsPerPixel is {}", map.channels_per_pixel));
  if (map.mode != TmaIm2colMode::kWideW128) {
    rules.require(map.pixels_per_column >= 1 && map.pixels_per_column <= 1024, TmaRule::kPixels,
                  fmt::format("pixelsPerColumn is {}", map.pixels_per_column));
  }
  rules.inner_box("channelsPerPixel", map.channels_per_pixel);
  rules.element_strides(map.element_strides);
  rules.format(map.element);
  const TmaSwizzle swizzle = map.format.swizzle;
  rules.require(map.mode == TmaIm2colMode::kNarrow || swizzle == TmaSwizzle::k64B || swizzle == TmaSwizzle::k128B ||
                    swizzle == TmaSwizzle::k128BAtom32B,
                TmaRule::kWideSwizzle, fmt::format("the swizzle is {}", to_string(swizzle)));
  return rules.take();
}

}  // namespace tailor::codegen::layout
