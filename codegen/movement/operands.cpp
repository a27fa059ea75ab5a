#include "codegen/movement/operands.h"

#include <numeric>

#include "codegen/tile/known.h"

namespace tailor::codegen::movement {

using kernel::Compare;
using kernel::kNoValue;
using kernel::Op;
using kernel::Type;

Operands::Operands(const tile::Program& program, kernel::Builder& builder, const std::vector<HostParameter>& host)
    : program_(program) {
  for (const HostParameter& p : host) parameters_[p.name] = builder.parameter(p.type, p.name, p.read_only);
}

Value Operands::extent(Code& code, const tile::Extent& e) const {
  return e.exact ? code.i32(*e.exact) : code.add_constant(parameter(e.symbol), e.offset);
}

Value Operands::offset(Code& code, tile::ViewId id, const std::vector<Value>& indices) const {
  const tile::View& view = program_.views()[id];
  int64_t common = 0;
  for (size_t i = 0; i < indices.size(); ++i) {
    const tile::Stride& s = view.dims[i].stride;
    common = std::gcd(common, s.exact ? *s.exact : s.factor);
  }
  Value sum{};
  for (size_t i = 0; i < indices.size(); ++i) {
    const tile::Dimension& d = view.dims[i];
    if (d.extent.exact == int64_t{1} || d.stride.exact == int64_t{0}) continue;  // the index is 0, or does not matter
    const Value index = code.to_index(indices[i]);
    const int64_t factor = (d.stride.exact ? *d.stride.exact : d.stride.factor) / common;
    const Value term = code.times(d.stride.exact ? index : code.mul(index, parameter(d.stride.symbol)), factor);
    sum = sum.id == kNoValue ? term : code.add(sum, term);
  }
  return sum.id == kNoValue ? sum : code.times(sum, common);
}

Value Operands::load(Code& code, tile::ViewId id, const std::vector<Value>& indices, std::string what) const {
  const tile::View& view = program_.views()[id];
  kernel::Builder& b = code.builder();
  const Value address = code.pointer(parameter(view.name), offset(code, id, indices));
  if (view.element_bytes == 4) return b.load(Type::kI32, address, {view.name, std::move(what), 4, true});
  const Value entry = b.load(Type::kI64, address, {view.name, std::move(what), 8, true});
  const Value fits = code.compare(Compare::kUle, entry, code.constant(Type::kI64, tile::kScalarMax));
  return b.select(fits, b.truncate(entry), code.i32(-1));
}

// n / d = floor(2n * m / 2^32) >> l with m = ceil(2^(31 + l) / d), l = ceil(log2 d): exact for n < 2^31 (Granlund and
// Montgomery, theorem 4.2 with N = 31).
Operands::Division Operands::divide(Code& code, Value n, const tile::Extent& divisor) const {
  if (divisor.exact) {
    return {code.divide(n, *divisor.exact, tile::kScalarMax), code.modulo(n, *divisor.exact, tile::kScalarMax)};
  }
  const Value high = code.binary(Op::kMulHighU, code.times(n, 2), parameter(multiplier_name(divisor.symbol)));
  const Value quotient = code.binary(Op::kShrU, high, parameter(shift_name(divisor.symbol)));
  return {quotient, code.sub(n, code.mul(quotient, parameter(divisor.symbol)))};
}

}  // namespace tailor::codegen::movement
