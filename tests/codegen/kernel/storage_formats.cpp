#include "tests/codegen/kernel/storage_formats.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace tailor::codegen::kernel::testing {
namespace {

struct Layout {
  int exponent_bits;
  int fraction_bits;
  bool has_infinity;  // the highest exponent holds infinity and NaN; else only the highest code of all is NaN
  bool saturates;     // on encoding
};
Layout layout(Format format) {
  switch (format) {
    case Format::kF16:
      return {5, 10, true, false};
    case Format::kBF16:
      return {8, 7, true, false};
    case Format::kE4M3:
      return {4, 3, false, true};
    case Format::kE5M2:
      return {5, 2, true, true};
  }
  return {};
}

// (-1)^sign · 2^(e - bias) · (1 + f / 2^m), or 2^(1 - bias) · f / 2^m where e is 0.
double magnitude(const Layout& l, uint32_t code) {
  const int bias = (1 << (l.exponent_bits - 1)) - 1;
  const int exponent = static_cast<int>(code >> l.fraction_bits);
  const double fraction = std::ldexp(code & ((1u << l.fraction_bits) - 1), -l.fraction_bits);
  return exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, exponent - bias);
}

// The codes of finite non-negative values are 0 … count - 1, in order of value.
uint32_t finite_codes(const Layout& l) {
  const uint32_t all = 1u << (l.exponent_bits + l.fraction_bits);
  return l.has_infinity ? all - (1u << l.fraction_bits) : all - 1;
}

struct Table {
  std::vector<double> values;  // of the finite codes, and one step further
  explicit Table(const Layout& l) {
    for (uint32_t code = 0; code <= finite_codes(l); ++code) values.push_back(magnitude(l, code));
  }
};
const Table& table(Format format) {
  static const Table tables[] = {
#define X(name, text, bytes) Table(layout(Format::name)),
      TAILOR_KERNEL_FORMATS(X)
#undef X
  };
  return tables[static_cast<size_t>(format)];
}

}  // namespace

uint32_t decode_bits(Format format, uint32_t code) {
  const Layout l = layout(format);
  const uint32_t sign_bit = 1u << (l.exponent_bits + l.fraction_bits);
  const uint32_t unsigned_code = code & (sign_bit - 1);
  const uint32_t sign = code & sign_bit ? 0x80000000u : 0;
  const uint32_t finite = finite_codes(l);
  if (unsigned_code < finite) return sign | std::bit_cast<uint32_t>(static_cast<float>(magnitude(l, unsigned_code)));
  if (l.has_infinity && unsigned_code == finite)
    return sign | std::bit_cast<uint32_t>(std::numeric_limits<float>::infinity());
  return format == Format::kBF16 ? code << 16 : kCanonicalNan;
}

uint32_t encode_bits(Format format, uint32_t f32) {
  const Layout l = layout(format);
  const uint32_t sign_bit = 1u << (l.exponent_bits + l.fraction_bits);
  const double x = std::fabs(static_cast<double>(std::bit_cast<float>(f32)));
  if (std::isnan(x)) return sign_bit - 1;
  const std::vector<double>& values = table(format).values;
  const uint32_t last = finite_codes(l) - 1;
  // Between values[above - 1] <= x < values[above]; the middle of two neighbours is a double.
  const uint32_t above = static_cast<uint32_t>(std::upper_bound(values.begin(), values.end(), x) - values.begin());
  uint32_t code = above - 1;
  if (above < values.size()) {
    const double middle = (values[above - 1] + values[above]) / 2;
    if (x > middle || (x == middle && code % 2 == 1)) code = above;
  }
  if (l.saturates) code = std::min(code, last);
  return code | (f32 >> 31 ? sign_bit : 0);
}

}  // namespace tailor::codegen::kernel::testing
