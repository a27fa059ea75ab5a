#include "codegen/layout/composed_layout.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/notation_reader.h"

namespace tailor::codegen::layout {
namespace {

using integer::Checked;
using integer::F2Map;

constexpr int64_t kCosizeLimit = 1 << 20;
constexpr int64_t kWordEnd = int64_t{1} << integer::kF2Bits;

// Least and greatest value of a strided layout that is not empty.
struct Range {
  int64_t low = 0;
  int64_t high = 0;
};

Range range_of(const StridedLayout& layout) {
  Range range;
  for (const Mode& leaf : layout.leaves()) {
    const int64_t reach = (leaf.extent - 1) * leaf.stride;  // within the cosize, which fits
    (reach < 0 ? range.low : range.high) += reach;
  }
  return range;
}

Expected<F2Map> read_factor(NotationReader& reader, bool swizzle) {
  std::vector<int64_t> numbers;
  do {
    TAILOR_ASSIGN_OR_RETURN(int64_t number, reader.integer());
    numbers.push_back(number);
  } while (reader.accept(','));
  if (swizzle && numbers.size() != 3) return reader.error("three integers B, M, S in Sw<B,M,S>");
  TAILOR_RETURN_IF_ERROR(reader.expect('>'));
  if (!reader.accept('o')) return reader.error("'o' after a swizzle");
  if (!swizzle) {
    if (std::any_of(numbers.begin(), numbers.end(), [](int64_t n) { return n < 0; })) {
      return invalid_argument("Xor<…>: the image of a bit is negative; images are words of bits");
    }
    return F2Map::create({numbers.begin(), numbers.end()});
  }
  TAILOR_ASSIGN_OR_RETURN(Swizzle read, Swizzle::create(numbers[0], numbers[1], numbers[2]));
  return read.map();
}

}  // namespace

Expected<Swizzle> Swizzle::create(int64_t bits, int64_t base, int64_t shift) {
  const std::string name = fmt::format("Sw<{},{},{}>", bits, base, shift);
  if (bits < 0 || base < 0) return invalid_argument(name + ": B and M must not be negative");
  if (bits > integer::kF2Bits || base > integer::kF2Bits || shift > integer::kF2Bits || shift < -integer::kF2Bits) {
    return invalid_argument(fmt::format("{}: each of B, M, S must be at most {}", name, integer::kF2Bits));
  }
  const int64_t distance = std::abs(shift);
  if (distance < bits) return invalid_argument(name + ": |S| must be at least B, or source and target bits overlap");
  if (bits + base + distance > integer::kF2Bits) {
    return invalid_argument(
        fmt::format("{}: reaches bit {}; words have {} bits", name, bits + base + distance - 1, integer::kF2Bits));
  }
  return Swizzle{static_cast<int>(bits), static_cast<int>(base), static_cast<int>(shift)};
}

F2Map Swizzle::map() const {
  if (bits == 0) return {};
  F2Map identity = F2Map::identity(base + bits + std::abs(shift));
  std::vector<uint64_t> columns = identity.columns();
  for (int k = 0; k < bits; ++k) {
    const int source = base + std::max(shift, 0) + k;
    columns[static_cast<size_t>(source)] |= uint64_t{1} << (source - shift);
  }
  return F2Map::create(std::move(columns))->normalized();
}

std::string Swizzle::to_string() const { return fmt::format("Sw<{},{},{}>", bits, base, shift); }

std::optional<Swizzle> as_swizzle(const F2Map& map) {
  const F2Map normal = map.normalized();
  Swizzle found;
  for (int j = 0; j < normal.input_bits(); ++j) {
    const uint64_t other = normal.columns()[static_cast<size_t>(j)] ^ (uint64_t{1} << j);
    if (other == 0) continue;
    if (!std::has_single_bit(other)) return std::nullopt;
    const int target = std::countr_zero(other);
    if (found.bits == 0) {
      found.shift = j - target;
      found.base = std::min(j, target);
    }
    ++found.bits;
  }
  if (found.bits != 0 && std::abs(found.shift) < found.bits) return std::nullopt;
  if (found.map() != normal) return std::nullopt;
  return found;
}

Expected<ComposedLayout> ComposedLayout::create(F2Map factor, int64_t offset, StridedLayout layout) {
  ComposedLayout result;
  result.factor_ = factor.normalized();
  result.offset_ = offset;
  result.layout_ = std::move(layout);
  if (result.layout_.size() == 0) return result;
  const Range range = range_of(result.layout_);
  const Checked low = Checked(offset) + range.low;
  const Checked high = Checked(offset) + range.high;  // with room for the cosize
  if (!low.ok() || !(high + 1).ok()) return integer::overflow_error("offset plus layout " + result.layout_.to_string());
  if (result.has_factor() && low.value() < 0) {
    return invalid_argument(
        fmt::format("{}: the value {} meets an xor; it must not be negative", result.to_string(), low.value()));
  }
  if (result.has_factor() && high.value() >= kWordEnd) {
    return invalid_argument(fmt::format("{}: the value {} meets an xor; it must be below 2^{}", result.to_string(),
                                        high.value(), integer::kF2Bits));
  }
  return result;
}

Expected<ComposedLayout> ComposedLayout::parse(std::string_view text) {
  NotationReader reader(text);
  F2Map factor;
  while (true) {
    const bool swizzle = reader.accept("Sw<") || reader.accept("Swizzle<") || reader.accept("S<");
    if (!swizzle && !reader.accept("Xor<")) break;
    TAILOR_ASSIGN_OR_RETURN(F2Map next, read_factor(reader, swizzle));
    factor = factor.compose_extended(next);
  }
  TAILOR_ASSIGN_OR_RETURN(Tuple first, reader.tuple());
  int64_t offset = 0;
  if (!first.group && reader.accept('o')) {
    offset = first.value;
    TAILOR_ASSIGN_OR_RETURN(first, reader.tuple());
  }
  TAILOR_ASSIGN_OR_RETURN(StridedLayout layout, reader.layout_of(first));
  TAILOR_RETURN_IF_ERROR(reader.expect_end());
  return create(std::move(factor), offset, std::move(layout));
}

std::string ComposedLayout::to_string() const {
  std::string text;
  if (has_factor()) {
    const auto swizzle = as_swizzle(factor_);
    text = swizzle ? swizzle->to_string() : fmt::format("Xor<{}>", fmt::join(factor_.columns(), ","));
    text += " o ";
  }
  if (offset_ != 0) text += fmt::format("{} o ", offset_);
  return text + layout_.to_string();
}

int64_t ComposedLayout::value_of(int64_t inner) const {
  const int64_t sum = offset_ + inner;  // create has seen to it that both ends of the range fit
  return has_factor() ? static_cast<int64_t>(factor_.apply_extended(static_cast<uint64_t>(sum))) : sum;
}

int64_t ComposedLayout::cosize() const {
  if (size() == 0) return 0;
  if (is_strided()) return layout_.cosize();
  const int64_t high = offset_ + range_of(layout_).high;
  if (!has_factor()) return std::max<int64_t>(high + 1, 0);
  if (auto all = values(kCosizeLimit); all.ok()) return *std::max_element(all->begin(), all->end()) + 1;
  const int bits = std::max(static_cast<int>(std::bit_width(static_cast<uint64_t>(high))), factor_.output_bits());
  return int64_t{1} << bits;
}

Expected<int64_t> ComposedLayout::evaluate(int64_t index) const {
  TAILOR_ASSIGN_OR_RETURN(int64_t inner, layout_.evaluate(index));
  return value_of(inner);
}

Expected<std::vector<int64_t>> ComposedLayout::values(int64_t limit) const {
  TAILOR_ASSIGN_OR_RETURN(std::vector<int64_t> result, layout_.values(limit));
  if (is_strided()) return result;
  for (int64_t& value : result) value = value_of(value);
  return result;
}

}  // namespace tailor::codegen::layout
