// The algebra of composed_layout.h: composition, linear forms, decay.
#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/composed_detail.h"
#include "codegen/layout/composed_layout.h"

namespace tailor::codegen::layout {
namespace {

using detail::refuse;
using detail::width_of;
using integer::Checked;
using integer::F2Map;

constexpr int64_t kOffsetLimit = 1 << 16;
constexpr int64_t kWordEnd = int64_t{1} << integer::kF2Bits;
constexpr int64_t kDecayLimit = 1 << 16;

bool is_power_of_two(int64_t n) { return n > 0 && integer::is_pow2(static_cast<uint64_t>(n)); }

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

// X ∘ P with P strided and X keeping the highest bit of every word: where the images' highest bits h_j are pairwise
// different, P sends bit j to 2^h_j, and X sends 2^h_j to the image and every other bit to itself. X is unit
// triangular, so it is an automorphism, and both are determined by the map.
struct Factored {
  F2Map factor;
  std::vector<Mode> leaves;
};
std::optional<Factored> factored(const F2Map& map) {
  Factored result;
  std::vector<uint64_t> columns = F2Map::identity(map.output_bits()).columns();
  uint64_t highest = 0;
  for (uint64_t image : map.columns()) {
    if (image == 0) {
      result.leaves.push_back(Mode::leaf(2, 0));
      continue;
    }
    const int h = width_of(image) - 1;
    if ((highest >> h & 1) != 0) return std::nullopt;
    highest |= uint64_t{1} << h;
    columns[static_cast<size_t>(h)] = image;
    result.leaves.push_back(Mode::leaf(2, static_cast<int64_t>(uint64_t{1} << h)));
  }
  auto factor = F2Map::create(std::move(columns));
  if (!factor.ok()) return std::nullopt;
  result.factor = std::move(*factor);
  return result;
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
  if (auto parts = factored(map)) {
    TAILOR_ASSIGN_OR_RETURN(StridedLayout strided, StridedLayout::create(Mode::of(std::move(parts->leaves))));
    TAILOR_ASSIGN_OR_RETURN(StridedLayout flat, coalesce(strided));
    return ComposedLayout::create(std::move(parts->factor), 0, std::move(flat));
  }
  TAILOR_ASSIGN_OR_RETURN(StridedLayout words, StridedLayout::leaf(int64_t{1} << map.input_bits(), 1));
  return ComposedLayout::create(map, 0, std::move(words));
}

namespace {

// Is o + X(y) = X(u + y) for every word y?
bool moves_past(int64_t o, int64_t u, const F2Map& x, const ComposedLayout& words) {
  const int bits = std::max(x.input_bits(), x.output_bits());
  if (u == o && bits < integer::kF2Bits && o % (int64_t{1} << bits) == 0) return true;
  const auto values = words.values(kOffsetLimit);
  if (values.ok()) {
    return std::all_of(values->begin(), values->end(), [&](int64_t y) {
      return u + y >= 0 && o + static_cast<int64_t>(x.apply_extended(static_cast<uint64_t>(y))) ==
                               static_cast<int64_t>(x.apply_extended(static_cast<uint64_t>(u + y)));
    });
  }
  // Too many to look at each: no bit of the words below 2^k, and none of their images, is a bit of the offsets.
  const auto reached = static_cast<uint64_t>(words.cosize()) - 1;
  const uint64_t all = width_of(reached) >= integer::kF2Bits ? ~uint64_t{0} : (uint64_t{1} << width_of(reached)) - 1;
  uint64_t images = all;
  for (int j = 0; j < std::min(x.input_bits(), width_of(reached)); ++j) images |= x.columns()[static_cast<size_t>(j)];
  return o >= 0 && u >= 0 && (static_cast<uint64_t>(u) & all) == 0 && (static_cast<uint64_t>(o) & images) == 0 &&
         x.apply_extended(static_cast<uint64_t>(u)) == static_cast<uint64_t>(o);
}

// a's factor after a's offset after `inner`, which has a factor of its own.
Expected<ComposedLayout> past_offset(const ComposedLayout& a, const ComposedLayout& inner) {
  const F2Map& x = inner.factor();
  const int64_t o = a.offset();
  TAILOR_ASSIGN_OR_RETURN(const ComposedLayout words, ComposedLayout::create({}, inner.offset(), inner.layout()));
  if (o <= -kWordEnd || o >= kWordEnd) {
    return refuse("composition", a, fmt::format("its offset must be below 2^{} before an xor", integer::kF2Bits));
  }
  // u = o where the sum does not carry into bits that X moves (always above them); u = X⁻¹(o) where no bit meets one of
  // the words, so that + is xor; and whatever u the first word asks for, which is the only one when X has an inverse.
  std::vector<int64_t> candidates{o};
  if (const auto back = x.inverse_extended(); back && words.size() != 0) {
    const auto undone = [&back](int64_t word) {
      return static_cast<int64_t>(back->apply_extended(static_cast<uint64_t>(word)));
    };
    if (o >= 0) candidates.push_back(undone(o));
    TAILOR_ASSIGN_OR_RETURN(const int64_t first, words.evaluate(0));
    const Checked image = Checked(o) + static_cast<int64_t>(x.apply_extended(static_cast<uint64_t>(first)));
    if (image.ok() && image.value() >= 0 && image.value() >> integer::kF2Bits == 0) {
      candidates.push_back(undone(image.value()) - first);
    }
  }
  for (int64_t u : candidates) {
    const Checked offset = Checked(u) + inner.offset();
    if (!offset.ok() || !moves_past(o, u, x, words)) continue;
    return ComposedLayout::create(a.factor().compose_extended(x), offset.value(), inner.layout());
  }
  return refuse("composition", a,
                fmt::format("its offset {} would stand between two xor factors, and it does not pass the inner one: it "
                            "is no multiple of {}, and no single offset before that factor gives the same words",
                            o, uint64_t{1} << std::min(std::max(x.input_bits(), x.output_bits()), integer::kF2Bits)));
}

}  // namespace

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
  return past_offset(a, inner);
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

}  // namespace tailor::codegen::layout
