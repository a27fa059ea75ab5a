#include "codegen/integer/f2.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace tailor::codegen::integer {
namespace {

constexpr uint64_t kAllowed = (uint64_t{1} << kF2Bits) - 1;

// One generator of the image with the input that reaches it.
struct Generator {
  uint64_t image = 0;
  uint64_t input = 0;
};

// Elimination by highest bits: `pivots` generate the image with distinct highest bits, `kernel` the inputs that vanish.
struct Echelon {
  std::vector<Generator> pivots;
  std::vector<uint64_t> kernel;

  explicit Echelon(const std::vector<uint64_t>& columns) {
    for (size_t j = 0; j < columns.size(); ++j) {
      Generator g = reduce({columns[j], uint64_t{1} << j});
      if (g.image == 0) {
        kernel.push_back(g.input);
      } else {
        pivots.push_back(g);
      }
    }
  }

  // Clears the highest bits of the pivots one after another; an image of 0 is left exactly for members of the span.
  Generator reduce(Generator g) const {
    bool changed = true;
    while (changed && g.image != 0) {
      changed = false;
      for (const Generator& pivot : pivots) {
        if (std::bit_width(pivot.image) != std::bit_width(g.image)) continue;
        g.image ^= pivot.image;
        g.input ^= pivot.input;
        changed = true;
        break;
      }
    }
    return g;
  }
};

}  // namespace

Expected<F2Map> F2Map::create(std::vector<uint64_t> columns) {
  if (columns.size() > kF2Bits) {
    return invalid_argument(fmt::format("a map of {} bits over F2; at most {} are allowed", columns.size(), kF2Bits));
  }
  for (uint64_t column : columns) {
    if ((column & ~kAllowed) != 0) {
      return invalid_argument(fmt::format("image {} of a bit; it must be below 2^{}", column, kF2Bits));
    }
  }
  F2Map map;
  map.columns_ = std::move(columns);
  return map;
}

F2Map F2Map::identity(int bits) {
  F2Map map;
  for (int j = 0; j < bits; ++j) map.columns_.push_back(uint64_t{1} << j);
  return map;
}

int F2Map::output_bits() const {
  uint64_t all = 0;
  for (uint64_t column : columns_) all |= column;
  return static_cast<int>(std::bit_width(all));
}

uint64_t F2Map::apply(uint64_t x) const {
  uint64_t result = 0;
  for (size_t j = 0; j < columns_.size(); ++j) {
    if (((x >> j) & 1) != 0) result ^= columns_[j];
  }
  return result;
}

uint64_t F2Map::apply_extended(uint64_t x) const { return apply(x) ^ (x >> columns_.size() << columns_.size()); }

int F2Map::rank() const { return static_cast<int>(Echelon(columns_).pivots.size()); }

bool F2Map::is_surjective_onto(int bits) const { return output_bits() <= bits && rank() == bits; }

std::vector<uint64_t> F2Map::kernel() const {
  std::vector<uint64_t> rows = Echelon(columns_).kernel;
  std::vector<uint64_t> basis;
  for (uint64_t row : rows) {
    for (uint64_t b : basis) row = std::min(row, row ^ b);
    if (row == 0) continue;
    const uint64_t top = std::bit_floor(row);
    for (uint64_t& b : basis) {
      if ((b & top) != 0) b ^= row;
    }
    basis.push_back(row);
  }
  std::sort(basis.rbegin(), basis.rend());
  return basis;
}

std::optional<uint64_t> F2Map::solve(uint64_t y) const {
  const Generator rest = Echelon(columns_).reduce({y, 0});
  if (rest.image != 0) return std::nullopt;
  return rest.input;
}

F2Map F2Map::compose(const F2Map& inner) const {
  F2Map result;
  for (uint64_t column : inner.columns_) result.columns_.push_back(apply(column));
  return result;
}

F2Map F2Map::compose_extended(const F2Map& inner) const {
  F2Map result;
  const int bits = std::max(inner.input_bits(), input_bits());
  for (int j = 0; j < bits; ++j) {
    result.columns_.push_back(apply_extended(inner.apply_extended(uint64_t{1} << j)));
  }
  return result.normalized();
}

std::optional<F2Map> F2Map::right_inverse(int output_bits) const {
  const Echelon echelon(columns_);
  F2Map result;
  for (int j = 0; j < output_bits; ++j) {
    const Generator rest = echelon.reduce({uint64_t{1} << j, 0});
    if (rest.image != 0) return std::nullopt;
    result.columns_.push_back(rest.input);
  }
  return result;
}

std::optional<F2Map> F2Map::inverse_extended() const {
  F2Map square = *this;  // as many columns as there are bits in any image
  for (int j = input_bits(); j < output_bits(); ++j) square.columns_.push_back(uint64_t{1} << j);
  auto inverse = square.right_inverse(square.input_bits());
  if (!inverse) return std::nullopt;
  return inverse->normalized();
}

F2Map F2Map::normalized() const {
  F2Map result = *this;
  while (!result.columns_.empty() && result.columns_.back() == uint64_t{1} << (result.columns_.size() - 1)) {
    result.columns_.pop_back();
  }
  return result;
}

std::string F2Map::to_string() const { return fmt::format("[{}]", fmt::join(columns_, ", ")); }

}  // namespace tailor::codegen::integer
