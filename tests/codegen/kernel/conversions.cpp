#include "tests/codegen/kernel/conversions.h"

#include <random>

#include "tests/codegen/kernel/storage_formats.h"

namespace tailor::codegen::kernel::testing {

std::vector<uint32_t> f32_inputs() {
  std::vector<uint32_t> inputs;
  for (uint32_t code = 0; code < 0x10000; ++code) {
    const uint32_t bits = decode_bits(Format::kF16, code);
    for (uint32_t step : {~0u, 0u, 1u}) inputs.push_back(bits + step);
  }
  std::mt19937 random(9);
  for (uint32_t sign_and_exponent = 0; sign_and_exponent < 512; ++sign_and_exponent) {
    for (uint32_t sixteenth = 0; sixteenth < 16; ++sixteenth) {
      for (uint32_t step : {~0u, 0u, 1u}) inputs.push_back((sign_and_exponent << 23 | sixteenth << 19) + step);
      inputs.push_back(sign_and_exponent << 23 | (random() & 0x7fffff));
    }
  }
  while (inputs.size() % 2048 != 0) inputs.push_back(static_cast<uint32_t>(random()));
  return inputs;
}

Program decode_program(Format format, int lanes) {
  Builder b("decode", 256);
  Value out = b.parameter(Type::kPtr, "out");
  Value in = b.parameter(Type::kPtr, "in", true);
  Value thread = b.add(b.mul(b.special(Special::kCtaidX), b.i32(256)), b.special(Special::kTidX));
  const int bytes = lanes * bytes_of(format);
  Value bits = b.load(bits_type(bytes), b.ptr_add(in, b.mul(thread, b.i32(bytes))), {"in", "codes", bytes, true});
  Builder::Values words;
  for (Value value : b.decode(format, bits)) words.push_back(b.bitcast(Type::kB32, value));
  Value packed = lanes == 1 ? words[0] : b.pack(words);
  b.store(b.type_of(packed), b.ptr_add(out, b.mul(thread, b.i32(4 * lanes))), packed, {"out", "f32", 4 * lanes, false});
  return b.finish();
}
Program encode_program(Format format, int lanes) {
  Builder b("encode", 256);
  Value out = b.parameter(Type::kPtr, "out");
  Value in = b.parameter(Type::kPtr, "in", true);
  Value thread = b.add(b.mul(b.special(Special::kCtaidX), b.i32(256)), b.special(Special::kTidX));
  Value bits =
      b.load(bits_type(4 * lanes), b.ptr_add(in, b.mul(thread, b.i32(4 * lanes))), {"in", "f32", 4 * lanes, true});
  Builder::Values values;
  for (Value word : lanes == 1 ? Builder::Values{bits} : b.unpack(Type::kB32, bits))
    values.push_back(b.bitcast(Type::kF32, word));
  const int bytes = lanes * bytes_of(format);
  b.store(bits_type(bytes), b.ptr_add(out, b.mul(thread, b.i32(bytes))), b.encode(format, values),
          {"out", "codes", bytes, false});
  return b.finish();
}

}  // namespace tailor::codegen::kernel::testing
