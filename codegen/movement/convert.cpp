#include "codegen/movement/convert.h"

#include <algorithm>

namespace tailor::codegen::movement {

using kernel::Builder;
using kernel::Format;
using kernel::Type;
using kernel::Value;

namespace {

Format format_of(DType type) {
  switch (type) {
    case DType::kBFloat16:
      return Format::kBF16;
    case DType::kFloat8E4M3:
      return Format::kE4M3;
    case DType::kFloat8E5M2:
      return Format::kE5M2;
    default:
      return Format::kF16;
  }
}

// Bits as lanes of at most `bytes` each.
std::vector<Value> lanes(Builder& b, Value bits, int bytes) {
  if (kernel::bytes_of(b.type_of(bits)) <= bytes) return {bits};
  return b.unpack(kernel::bits_type(bytes), bits);
}

}  // namespace

// The low bits of pairs first: decode and encode take two elements at once.
std::vector<Value> decode_elements(Builder& b, Value bits, DType type) {
  std::vector<Value> values;
  if (type == DType::kFloat32) {
    for (Value lane : lanes(b, bits, 4)) values.push_back(b.bitcast(Type::kF32, lane));
    return values;
  }
  for (Value pair : lanes(b, bits, 2 * element_bytes(type))) {
    for (Value value : b.decode(format_of(type), pair)) values.push_back(value);
  }
  return values;
}

Value encode_elements(Builder& b, const std::vector<Value>& values, DType type) {
  std::vector<Value> parts;
  if (type == DType::kFloat32) {
    for (Value value : values) parts.push_back(b.bitcast(Type::kB32, value));
  } else {
    for (size_t i = 0; i < values.size(); i += 2) {
      parts.push_back(
          b.encode(format_of(type), {values.begin() + static_cast<ptrdiff_t>(i),
                                     values.begin() + static_cast<ptrdiff_t>(std::min(i + 2, values.size()))}));
    }
  }
  return parts.size() == 1 ? parts[0] : b.pack(parts);
}

Value convert(Builder& b, Value bits, DType from, DType to, Value scale) {
  std::vector<Value> values = decode_elements(b, bits, from);
  if (scale.id != kernel::kNoValue) {
    for (Value& value : values) value = b.binary(kernel::Op::kFMul, value, scale);
  }
  return encode_elements(b, values, to);
}

}  // namespace tailor::codegen::movement
