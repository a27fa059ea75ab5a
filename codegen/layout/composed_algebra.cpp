// The algebra of composed_layout.h.
#include <algorithm>
#include <bit>
#include <numeric>
#include <unordered_map>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/composed_layout.h"

namespace tailor::codegen::layout {
namespace {

using integer::Checked;
using integer::F2Map;

constexpr int64_t kEnumerationLimit = 1 << 20;
constexpr int64_t kOffsetLimit = 1 << 16;
constexpr int64_t kDecayLimit = 1 << 16;

Status refuse(std::string_view operation, const ComposedLayout& layout, std::string_view why) {
  return invalid_argument(fmt::format("{} of {}: {}", operation, layout.to_string(), why));
}

bool is_power_of_two(int64_t n) { return n > 0 && integer::is_pow2(static_cast<uint64_t>(n)); }

int width_of(uint64_t word) { return static_cast<int>(std::bit_width(word)); }

// The factor on words below `end` only: bits that never occur count as kept.
F2Map restricted(const F2Map& factor, int64_t end) {
  std::vector<uint64_t> columns = factor.columns();
  const auto reached = static_cast<size_t>(end <= 1 ? 0 : width_of(static_cast<uint64_t>(end - 1)));
  if (columns.size() > reached) columns.resize(reached);
  return F2Map::create(std::move(columns))->normalized();
}

// Columns of a strided layout, and where two of them share a bit: there the sum carries and the xor does not.
Expected<F2Map> strided_columns(const StridedLayout& layout) {
  std::vector<uint64_t> columns;
  uint64_t used = 0;
  int64_t place = 1;
  std::vector<int64_t> places;
  for (const Mode& leaf : layout.leaves()) {
    if (leaf.extent == 1) continue;
    if (!is_power_of_two(leaf.extent)) {
      return invalid_argument(
          fmt::format("{} is not linear over F2: extent {} is not a power of two", layout.to_string(), leaf.extent));
    }
    if (leaf.stride < 0) {
      return invalid_argument(
          fmt::format("{} is not linear over F2: stride {} is negative", layout.to_string(), leaf.stride));
    }
    for (int64_t step = 1; step < leaf.extent; step *= 2) {
      const auto column = static_cast<uint64_t>(step * leaf.stride);  // below the cosize
      if ((used & column) != 0) {
        size_t k = 0;
        while ((columns[k] & column) == 0) ++k;
        return invalid_argument(fmt::format(
            "{} is not linear over F2: indices {} and {} have the values {} and {}, together {}, but their xor is {}",
            layout.to_string(), places[k], place * step, columns[k], column, columns[k] + column, columns[k] ^ column));
      }
      used |= column;
      columns.push_back(column);
      places.push_back(place * step);
    }
    place *= leaf.extent;
  }
  return F2Map::create(std::move(columns));
}

// T with T ∘ M = M ∘ X, for M on n bits, X on n-bit words; bits outside M's image are kept.
Expected<F2Map> pass_through(const F2Map& m, const F2Map& x, const StridedLayout& a) {
  for (uint64_t k : m.kernel()) {
    if (m.apply(x.apply_extended(k)) != 0) {
      return invalid_argument(fmt::format(
          "the xor factor cannot pass through {}: indices 0 and {} have the same value there, but not after the xor",
          a.to_string(), k));
    }
  }
  // M's columns, then unit vectors until everything below M's highest bit is reached.
  std::vector<uint64_t> generators = m.columns();
  const int bits = m.output_bits();
  for (int j = 0; j < bits; ++j) {
    std::vector<uint64_t> more = generators;
    more.push_back(uint64_t{1} << j);
    TAILOR_ASSIGN_OR_RETURN(F2Map larger, F2Map::create(more));
    TAILOR_ASSIGN_OR_RETURN(F2Map now, F2Map::create(generators));
    if (larger.rank() > now.rank()) generators = std::move(more);
  }
  TAILOR_ASSIGN_OR_RETURN(F2Map all, F2Map::create(std::move(generators)));
  const auto inverse = all.right_inverse(bits);
  if (!inverse) return internal_error("generators of all words do not generate them");
  std::vector<uint64_t> columns;
  const uint64_t in_m = (uint64_t{1} << m.input_bits()) - 1;
  for (int j = 0; j < bits; ++j) {
    const uint64_t source = inverse->columns()[static_cast<size_t>(j)];
    const uint64_t outside = all.apply(source & ~in_m);
    columns.push_back(m.apply(x.apply_extended(source & in_m)) ^ outside);
  }
  TAILOR_ASSIGN_OR_RETURN(F2Map t, F2Map::create(std::move(columns)));
  return t.normalized();
}

// Leaves of negative stride walked from their other end, or back: x becomes extent - 1 - x. `offset` moves along.
Mode reversed(const Mode& mode, const Mode& like, Checked& offset) {
  if (!like.group) {
    if (like.stride >= 0) return mode;
    if (!mode.group) {
      offset += Checked(mode.extent - 1) * mode.stride;
      return Mode::leaf(mode.extent, -mode.stride);
    }
  }
  std::vector<Mode> modes;
  for (size_t k = 0; k < mode.modes.size(); ++k) {
    modes.push_back(reversed(mode.modes[k], like.group ? like.modes[k] : like, offset));
  }
  return Mode::of(std::move(modes));
}

bool has_negative_stride(const StridedLayout& layout) {
  const std::vector<Mode> leaves = layout.leaves();
  return std::any_of(leaves.begin(), leaves.end(), [](const Mode& leaf) { return leaf.stride < 0; });
}

// d where a(i) = d * i, beyond its size too: a trailing mode of extent 1 says how a layout goes on there.
std::optional<int64_t> only_stride(const StridedLayout& a) {
  const std::vector<Mode> leaves = a.leaves();
  if (leaves.size() == 1) return leaves.front().stride;
  if (leaves.empty() || leaves.back().extent == 1) return std::nullopt;
  const auto flat = coalesce(a);
  if (!flat.ok() || flat->root().group) return std::nullopt;
  return flat->root().stride;
}

// a(offset + l(i)) as offset' + l'(i): a has one mode, or no digit carries (seen by enumeration).
Expected<ComposedLayout> through_offset(const StridedLayout& a, int64_t offset, const StridedLayout& l) {
  if (l.size() == 0) {
    TAILOR_ASSIGN_OR_RETURN(StridedLayout composed, composition(a, l));
    return ComposedLayout(std::move(composed));
  }
  if (const auto stride = only_stride(a)) {
    TAILOR_ASSIGN_OR_RETURN(StridedLayout composed, composition(a, l));
    const Checked moved = Checked(offset) * *stride;
    if (!moved.ok()) return integer::overflow_error("the offset of the composition");
    return ComposedLayout::create({}, moved.value(), std::move(composed));
  }
  if (has_negative_stride(l)) {
    Checked start = offset;
    TAILOR_ASSIGN_OR_RETURN(StridedLayout forward, StridedLayout::create(reversed(l.root(), l.root(), start)));
    if (!start.ok()) return integer::overflow_error("the offset of the composition");
    TAILOR_ASSIGN_OR_RETURN(ComposedLayout composed, through_offset(a, start.value(), forward));
    Checked end = composed.offset();
    TAILOR_ASSIGN_OR_RETURN(StridedLayout back,
                            StridedLayout::create(reversed(composed.layout().root(), l.root(), end)));
    if (!end.ok()) return integer::overflow_error("the offset of the composition");
    return ComposedLayout::create({}, end.value(), std::move(back));
  }
  TAILOR_ASSIGN_OR_RETURN(StridedLayout composed, composition(a, l));
  if (offset == 0) return ComposedLayout(std::move(composed));
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout inner, ComposedLayout::create({}, offset, l));
  TAILOR_ASSIGN_OR_RETURN(std::vector<int64_t> arguments, inner.values(kOffsetLimit));
  TAILOR_ASSIGN_OR_RETURN(int64_t moved, a.evaluate(offset));
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout result, ComposedLayout::create({}, moved, std::move(composed)));
  TAILOR_ASSIGN_OR_RETURN(std::vector<int64_t> values, result.values(kOffsetLimit));
  for (size_t i = 0; i < arguments.size(); ++i) {
    TAILOR_ASSIGN_OR_RETURN(int64_t expected, a.evaluate(arguments[i]));
    if (expected == values[i]) continue;
    return invalid_argument(fmt::format(
        "composition of {} with {}: index {} has the value {}, which is not {} plus the strides; the offset carries",
        a.to_string(), inner.to_string(), i, expected, moved));
  }
  return result;
}

// The bits of a's index that the factor moves, as columns; the digits above them must lie above all of these columns,
// so that the two parts of a value are added without carries.
Expected<F2Map> columns_under(const StridedLayout& a, int bits) {
  TAILOR_ASSIGN_OR_RETURN(StridedLayout words, StridedLayout::leaf(int64_t{1} << bits, 1));
  TAILOR_ASSIGN_OR_RETURN(StridedLayout parts, logical_divide(a, words));
  TAILOR_ASSIGN_OR_RETURN(StridedLayout low, StridedLayout::create(parts.root().modes[0]));
  TAILOR_ASSIGN_OR_RETURN(StridedLayout high, StridedLayout::create(parts.root().modes[1]));
  TAILOR_ASSIGN_OR_RETURN(F2Map columns, strided_columns(low));
  for (const Mode& leaf : high.leaves()) {
    if (leaf.extent <= 1) continue;
    if (leaf.stride < 0 || integer::pow2_valuation(leaf.stride) < columns.output_bits()) {
      return invalid_argument(fmt::format("stride {} of {} reaches into the bits below {} that the factor moves",
                                          leaf.stride, a.to_string(), int64_t{1} << columns.output_bits()));
    }
  }
  return columns;
}

// a ∘ b for strided a.
Expected<ComposedLayout> compose_strided(const StridedLayout& a, const ComposedLayout& b) {
  if (!b.has_factor()) return through_offset(a, b.offset(), b.layout());
  if (a.size() == 0 || b.size() == 0) return refuse("composition", b, "an extent is 0; it must be at least 1");
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout arguments, ComposedLayout::create({}, b.offset(), b.layout()));
  const F2Map factor = restricted(b.factor(), arguments.cosize());
  if (factor.input_bits() == 0) return through_offset(a, b.offset(), b.layout());
  if (arguments.cosize() > a.size() || b.cosize() > a.size()) {
    return refuse("composition", b,
                  fmt::format("the swizzle leaves the domain of {}: it acts on values up to {} and gives values up to "
                              "{}, the size is {}",
                              a.to_string(), arguments.cosize() - 1, b.cosize() - 1, a.size()));
  }
  const int bits = std::max(factor.input_bits(), factor.output_bits());
  if (bits >= integer::kF2Bits || int64_t{1} << bits > a.size()) {
    return refuse(
        "composition", b,
        fmt::format("the swizzle leaves the domain of {}: it moves the bits of words below {}, the size is {}",
                    a.to_string(), uint64_t{1} << bits, a.size()));
  }
  auto matrix = columns_under(a, bits);
  if (!matrix.ok()) {
    return refuse("composition", b, "its xor factor has to pass through a layout, but " + matrix.status().message());
  }
  TAILOR_ASSIGN_OR_RETURN(F2Map moved, pass_through(*matrix, factor, a));
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout inner, through_offset(a, b.offset(), b.layout()));
  return ComposedLayout::create(std::move(moved), inner.offset(), inner.layout());
}

// A word that two words share as image, for a factor without inverse.
Status no_inverse(const ComposedLayout& layout, const F2Map& factor) {
  const std::vector<uint64_t> kernel = factor.kernel();
  return refuse("inverse", layout,
                kernel.empty()
                    ? std::string("the xor factor takes words beyond its bits to the same word")
                    : fmt::format("the xor factor takes the words 0 and {} to the same word", kernel.front()));
}

// Splits every leaf of a power of two into twos, and keeps the hierarchy above it.
Mode in_twos(const Mode& mode) {
  std::vector<Mode> modes;
  if (mode.group) {
    for (const Mode& child : mode.modes) modes.push_back(in_twos(child));
    return Mode::of(std::move(modes));
  }
  if (mode.extent <= 2 || !is_power_of_two(mode.extent)) return mode;
  for (int64_t step = 1; step < mode.extent; step *= 2) modes.push_back(Mode::leaf(2, 0));
  return Mode::of(std::move(modes));
}

// Strides as the values at the unit coordinates give them; `index` is the place of the leaf.
Expected<Mode> with_strides(const Mode& mode, const ComposedLayout& of, int64_t origin, int64_t& place) {
  if (mode.group) {
    std::vector<Mode> modes;
    for (const Mode& child : mode.modes) {
      TAILOR_ASSIGN_OR_RETURN(Mode strided, with_strides(child, of, origin, place));
      modes.push_back(std::move(strided));
    }
    return Mode::of(std::move(modes));
  }
  if (mode.extent == 1) return Mode::leaf(1, 0);
  TAILOR_ASSIGN_OR_RETURN(int64_t value, of.evaluate(place));
  place *= mode.extent;
  return Mode::leaf(mode.extent, value - origin);
}

// Neighbouring twos that continue each other become one leaf again.
Mode merge_twos(const Mode& before, const Mode& split) {
  if (!split.group) return split;
  std::vector<Mode> modes;
  if (before.group) {
    for (size_t k = 0; k < split.modes.size(); ++k) modes.push_back(merge_twos(before.modes[k], split.modes[k]));
    return Mode::of(std::move(modes));
  }
  for (const Mode& leaf : split.modes) {
    if (!modes.empty() && modes.back().extent * modes.back().stride == leaf.stride) {
      modes.back().extent *= leaf.extent;
    } else {
      modes.push_back(leaf);
    }
  }
  return modes.size() == 1 ? modes.front() : Mode::of(std::move(modes));
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

Expected<F2Map> linear_over_f2(const ComposedLayout& layout) {
  if (layout.size() == 0) return refuse("linear form", layout, "an extent is 0; it must be at least 1");
  TAILOR_ASSIGN_OR_RETURN(F2Map columns, strided_columns(layout.layout()));
  TAILOR_ASSIGN_OR_RETURN(int64_t origin, layout.evaluate(0));
  if (origin != 0) {
    return refuse("linear form", layout, fmt::format("index 0 has the value {}; a linear map keeps 0", origin));
  }
  // The value 0 at 0 leaves an offset in the factor's kernel: rare, and only linear when it does not carry.
  if (layout.offset() != 0) return refuse("linear form", layout, "an offset stands before the xor factor");
  std::vector<uint64_t> images;
  for (uint64_t column : columns.columns()) images.push_back(layout.factor().apply_extended(column));
  return F2Map::create(std::move(images));
}

Expected<ComposedLayout> from_f2(const F2Map& map) {
  uint64_t used = 0;
  bool disjoint = true;
  std::vector<Mode> leaves;
  for (uint64_t column : map.columns()) {
    disjoint = disjoint && (used & column) == 0;
    used |= column;
    leaves.push_back(Mode::leaf(2, static_cast<int64_t>(column)));
  }
  if (disjoint) {
    TAILOR_ASSIGN_OR_RETURN(StridedLayout strided, StridedLayout::create(Mode::of(std::move(leaves))));
    TAILOR_ASSIGN_OR_RETURN(StridedLayout flat, coalesce(strided));
    return ComposedLayout(std::move(flat));
  }
  TAILOR_ASSIGN_OR_RETURN(StridedLayout words, StridedLayout::leaf(int64_t{1} << map.input_bits(), 1));
  return ComposedLayout::create(map, 0, std::move(words));
}

Expected<ComposedLayout> composition(const ComposedLayout& a, const ComposedLayout& b) {
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout inner, compose_strided(a.layout(), b));
  if (!inner.has_factor()) {
    const Checked offset = Checked(a.offset()) + inner.offset();
    if (!offset.ok()) return integer::overflow_error("the offset of the composition");
    return ComposedLayout::create(a.factor(), offset.value(), inner.layout());
  }
  if (a.offset() == 0) {
    return ComposedLayout::create(a.factor().compose_extended(inner.factor()), inner.offset(), inner.layout());
  }
  return refuse(
      "composition", a,
      fmt::format("its offset {} would stand between two xor factors; the sum is not one factor", a.offset()));
}

Expected<ComposedLayout> decay(const ComposedLayout& layout) {
  if (!layout.has_factor() || layout.size() == 0) return layout;
  TAILOR_ASSIGN_OR_RETURN(std::vector<int64_t> values, layout.values(kDecayLimit));
  auto attempt = [&](const Mode& shape) -> Expected<ComposedLayout> {
    int64_t place = 1;
    TAILOR_ASSIGN_OR_RETURN(Mode root, with_strides(shape, layout, values.front(), place));
    TAILOR_ASSIGN_OR_RETURN(StridedLayout strided, StridedLayout::create(merge_twos(layout.layout().root(), root)));
    TAILOR_ASSIGN_OR_RETURN(ComposedLayout result, ComposedLayout::create({}, values.front(), std::move(strided)));
    TAILOR_ASSIGN_OR_RETURN(std::vector<int64_t> found, result.values(kDecayLimit));
    const auto [wrong, ignored] = std::mismatch(found.begin(), found.end(), values.begin());
    if (wrong == found.end()) return result;
    const auto index = static_cast<size_t>(wrong - found.begin());
    return refuse(
        "decay", layout,
        fmt::format("not strided: index {} has the value {}, the strides give {}", index, values[index], found[index]));
  };
  if (auto whole = attempt(layout.layout().root()); whole.ok()) return whole;
  return attempt(in_twos(layout.layout().root()));
}

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
