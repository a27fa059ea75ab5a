#include "codegen/integer/magic.h"

#include <array>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::integer {
namespace {

using U128 = unsigned __int128;

// 256 bits, little-endian: enough for (2^65) * (2^64) and for 2^128, so that the criterion is tested without wrapping.
class Wide {
 public:
  explicit Wide(U128 value) : limbs_{static_cast<uint64_t>(value), static_cast<uint64_t>(value >> 64), 0, 0} {}

  static Wide power_of_two(int exponent) {
    Wide result(0);
    result.limbs_[exponent / 64] = uint64_t{1} << (exponent % 64);
    return result;
  }

  Wide times(uint64_t factor) const {
    Wide result(0);
    U128 carry = 0;
    for (size_t i = 0; i < limbs_.size(); ++i) {
      carry += static_cast<U128>(limbs_[i]) * factor;
      result.limbs_[i] = static_cast<uint64_t>(carry);
      carry >>= 64;
    }
    return result;
  }

  Wide minus(const Wide& other) const {
    Wide result(0);
    bool borrow = false;
    for (size_t i = 0; i < limbs_.size(); ++i) {
      U128 subtrahend = static_cast<U128>(other.limbs_[i]) + (borrow ? 1 : 0);
      borrow = limbs_[i] < subtrahend;
      result.limbs_[i] = static_cast<uint64_t>(limbs_[i] - subtrahend);
    }
    return result;
  }

  bool less_than(const Wide& other) const {
    for (size_t i = limbs_.size(); i-- > 0;) {
      if (limbs_[i] != other.limbs_[i]) return limbs_[i] < other.limbs_[i];
    }
    return false;
  }

  bool fits_64() const { return limbs_[1] == 0 && limbs_[2] == 0 && limbs_[3] == 0; }
  uint64_t low() const { return limbs_[0]; }
  uint64_t limb(int i) const { return limbs_[i]; }

 private:
  std::array<uint64_t, 4> limbs_;
};

uint64_t max_of_width(int width) { return width == 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1; }

// n_c = floor((bound + 1) / d) * d - 1, for bound >= d - 1, without forming bound + 1.
uint64_t critical_dividend(uint64_t d, uint64_t bound) {
  uint64_t remainder = bound % d;
  return remainder == d - 1 ? bound : bound - remainder - 1;
}

// ceil(2^exponent / d) for exponent <= 128; d is not a power of two, so the result is below 2^128.
U128 ceil_of_power(int exponent, uint64_t d) {
  U128 all_ones = exponent == 128 ? ~U128{0} : (U128{1} << exponent) - 1;
  return all_ones / d + 1;
}

std::string decimal(U128 value) {
  std::string digits;
  do {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(value % 10)));
    value /= 10;
  } while (value != 0);
  return digits;
}

MagicProof proof_of(uint64_t error, uint64_t critical, int exponent) {
  return {error, critical, exponent,
          fmt::format("{} * {} = {} < 2^{}", error, critical, decimal(static_cast<U128>(error) * critical), exponent)};
}

struct Multiplier {
  uint64_t value = 0;  // low `width` bits
  int exponent = 0;
  MagicProof proof;
};

// The smallest exponent whose multiplier satisfies the criterion and, when `fits`, stays below 2^width. With `fits`
// false exponent width + ceil(log2 d) always does (theorem 4.2), and the multiplier then has width + 1 bits.
std::optional<Multiplier> find_multiplier(uint64_t d, uint64_t bound, int width, bool fits) {
  int log2_ceil = 64 - __builtin_clzll(d - 1);
  uint64_t critical = critical_dividend(d, bound);
  for (int exponent = width; exponent <= width + log2_ceil; ++exponent) {
    U128 m = ceil_of_power(exponent, d);
    bool low_enough = (m >> width) == 0;
    if (fits && !low_enough) return std::nullopt;
    uint64_t error = static_cast<uint64_t>(m * d);  // e < d < 2^64, so e = m*d mod 2^64 whenever 64 <= exponent
    if (exponent < 64) error -= uint64_t{1} << exponent;
    uint64_t value = static_cast<uint64_t>(m) & max_of_width(width);
    if (check_magic(d, bound, value, exponent, !low_enough, width)) {
      return Multiplier{value, exponent, proof_of(error, critical, exponent)};
    }
  }
  return std::nullopt;
}

Status check_arguments(uint64_t divisor, uint64_t bound, int width) {
  if (width != 32 && width != 64) return invalid_argument(fmt::format("magic width is {}; it must be 32 or 64", width));
  if (divisor == 0) return invalid_argument("magic divisor is 0; it must be at least 1");
  if (bound > max_of_width(width)) {
    return invalid_argument(fmt::format("dividend bound is {}; it must fit {} unsigned bits", bound, width));
  }
  return {};
}

int count_instructions(const MagicDivision& m) {
  switch (m.kind) {
    case MagicKind::kZero:
      return 0;
    case MagicKind::kShift:
      return m.shift == 0 ? 0 : 1;
    case MagicKind::kMulHigh:
      return 1 + (m.pre_shift != 0 ? 1 : 0) + (m.shift != 0 ? 1 : 0);
    case MagicKind::kMulHighAdd:
      return 4 + (m.shift > 1 ? 1 : 0);
  }
  return 0;
}

}  // namespace

std::string_view to_string(MagicKind kind) {
  switch (kind) {
#define X(name, text, meaning) \
  case MagicKind::name:        \
    return text;
    TAILOR_MAGIC_KINDS(X)
#undef X
  }
  return "unknown";
}

bool check_magic(uint64_t d, uint64_t bound, uint64_t multiplier, int exponent, bool multiplier_has_high_bit,
                 int width) {
  if (d == 0 || exponent < 0 || exponent > 191 || (width != 32 && width != 64)) return false;
  U128 m = static_cast<U128>(multiplier) + (multiplier_has_high_bit ? U128{1} << width : U128{0});
  Wide power = Wide::power_of_two(exponent);
  if (bound < d) {  // only quotient 0 occurs: bound * m < 2^k is necessary and sufficient
    return Wide(m).times(bound).less_than(power);
  }
  Wide product = Wide(m).times(d);
  if (product.less_than(power)) return false;  // n = d would give 0
  Wide error = product.minus(power);
  // error < 2^129, critical < 2^64: the product fits 256 bits.
  return error.times(critical_dividend(d, bound)).less_than(power);
}

Expected<MagicDivision> magic_division(uint64_t divisor, uint64_t bound, int width) {
  TAILOR_RETURN_IF_ERROR(check_arguments(divisor, bound, width));
  MagicDivision result;
  result.width = width;
  result.divisor = divisor;
  result.bound = bound;
  if (bound < divisor) {
    result.kind = MagicKind::kZero;
    result.proof.inequality = fmt::format("{} < {}", bound, divisor);
    return result;
  }
  if (is_pow2(divisor)) {
    result.kind = MagicKind::kShift;
    result.shift = __builtin_ctzll(divisor);
    result.proof.inequality = fmt::format("{} = 2^{}", divisor, result.shift);
    result.instructions = count_instructions(result);
    return result;
  }
  std::optional<Multiplier> found = find_multiplier(divisor, bound, width, /*fits=*/true);
  int pre_shift = 0;
  if (!found && divisor % 2 == 0) {  // floor(n / (2^t d')) = floor(floor(n / 2^t) / d')
    pre_shift = __builtin_ctzll(divisor);
    found = find_multiplier(divisor >> pre_shift, bound >> pre_shift, width, /*fits=*/true);
  }
  if (found) {
    result.kind = MagicKind::kMulHigh;
    result.pre_shift = pre_shift;
  } else {
    result.kind = MagicKind::kMulHighAdd;
    found = find_multiplier(divisor, bound, width, /*fits=*/false);
    if (!found) return internal_error(fmt::format("no magic multiplier for {} up to {}", divisor, bound));
  }
  result.multiplier = found->value;
  result.shift = found->exponent - width;
  result.proof = found->proof;
  result.instructions = count_instructions(result);
  return result;
}

uint64_t MagicDivision::quotient(uint64_t n) const {
  const uint64_t mask = max_of_width(width);
  auto mulhi = [&](uint64_t a, uint64_t b) {
    return static_cast<uint64_t>((static_cast<U128>(a) * b) >> width) & mask;
  };
  switch (kind) {
    case MagicKind::kZero:
      return 0;
    case MagicKind::kShift:
      return n >> shift;
    case MagicKind::kMulHigh:
      return mulhi(n >> pre_shift, multiplier) >> shift;
    case MagicKind::kMulHighAdd: {
      uint64_t t = mulhi(n, multiplier);
      return ((((n - t) & mask) >> 1) + t) >> (shift - 1);
    }
  }
  return 0;
}

Status check_magic(const MagicDivision& m) {
  TAILOR_RETURN_IF_ERROR(check_arguments(m.divisor, m.bound, m.width));
  auto refuse = [&](std::string_view rule) {
    return verification_error(fmt::format("magic record '{}': {}", to_string(m), rule));
  };
  if (m.instructions != count_instructions(m)) return refuse("the instruction count differs from its sequence");
  // The add sequence shifts by shift - 1, so its shift may be the width itself.
  int shift_limit = m.kind == MagicKind::kMulHighAdd ? m.width : m.width - 1;
  if (m.pre_shift < 0 || m.shift < 0 || m.pre_shift >= m.width || m.shift > shift_limit) {
    return refuse("a shift is outside the width");
  }
  switch (m.kind) {
    case MagicKind::kZero:
      return m.bound < m.divisor ? Status() : refuse("the bound reaches the divisor");
    case MagicKind::kShift:
      return m.divisor == uint64_t{1} << m.shift ? Status() : refuse("the divisor is not 2^shift");
    case MagicKind::kMulHigh: {
      uint64_t odd_part = m.divisor >> m.pre_shift;
      if (odd_part << m.pre_shift != m.divisor) return refuse("the divisor is not a multiple of 2^pre_shift");
      if (m.multiplier > max_of_width(m.width)) return refuse("the multiplier exceeds the width");
      return check_magic(odd_part, m.bound >> m.pre_shift, m.multiplier, m.width + m.shift, false, m.width)
                 ? Status()
                 : refuse("e * n_c < 2^k does not hold");
    }
    case MagicKind::kMulHighAdd:
      if (m.shift < 1) return refuse("the add sequence needs shift >= 1");
      if (m.multiplier > max_of_width(m.width)) return refuse("the multiplier exceeds the width");
      return check_magic(m.divisor, m.bound, m.multiplier, m.width + m.shift, true, m.width)
                 ? Status()
                 : refuse("e * n_c < 2^k does not hold");
  }
  return refuse("unknown kind");
}

std::string to_string(const MagicDivision& m) {
  std::string head = fmt::format("n / {}, n <= {}: ", m.divisor, m.bound);
  switch (m.kind) {
    case MagicKind::kZero:
      head += "0";
      break;
    case MagicKind::kShift:
      head += m.shift == 0 ? std::string("n") : fmt::format("n >> {}", m.shift);
      break;
    case MagicKind::kMulHigh:
      head += m.pre_shift == 0 ? fmt::format("mulhi(n, {})", m.multiplier)
                               : fmt::format("mulhi(n >> {}, {})", m.pre_shift, m.multiplier);
      if (m.shift != 0) head += fmt::format(" >> {}", m.shift);
      break;
    case MagicKind::kMulHighAdd:
      head += fmt::format("t = mulhi(n, {}); (((n - t) >> 1) + t) >> {}", m.multiplier, m.shift - 1);
      break;
  }
  return fmt::format("{}   [{}]", head, m.proof.inequality);
}

}  // namespace tailor::codegen::integer
