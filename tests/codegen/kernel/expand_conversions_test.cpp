// The software conversions, run by the interpreter, and the interpreter's own, against LLVM's APFloat.
#include "codegen/kernel/expand_conversions.h"

#include <bit>
#include <cstring>

#include <gtest/gtest.h>
#include <llvm/ADT/APFloat.h>

#include "codegen/kernel/text.h"
#include "tests/codegen/kernel/conversions.h"
#include "tests/codegen/kernel/interpreter.h"
#include "tests/codegen/kernel/programs.h"
#include "tests/codegen/kernel/storage_formats.h"

namespace tailor::codegen::kernel {
namespace {

const llvm::fltSemantics& semantics(Format format) {
  switch (format) {
    case Format::kF16:
      return llvm::APFloat::IEEEhalf();
    case Format::kBF16:
      return llvm::APFloat::BFloat();
    case Format::kE4M3:
      return llvm::APFloat::Float8E4M3FN();
    case Format::kE5M2:
      break;
  }
  return llvm::APFloat::Float8E5M2();
}
unsigned width(Format format) { return 8 * static_cast<unsigned>(bytes_of(format)); }

uint32_t expected_decoding(Format format, uint32_t code) {
  llvm::APFloat value(semantics(format), llvm::APInt(width(format), code));
  if (value.isNaN()) return format == Format::kBF16 ? code << 16 : testing::kCanonicalNan;
  bool inexact = false;
  value.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven, &inexact);
  return static_cast<uint32_t>(value.bitcastToAPInt().getZExtValue());
}

uint32_t expected_encoding(Format format, uint32_t bits) {
  llvm::APFloat value(llvm::APFloat::IEEEsingle(), llvm::APInt(32, bits));
  if (value.isNaN()) return (1u << (width(format) - 1)) - 1;
  const bool negative = value.isNegative();
  llvm::APFloat result = llvm::APFloat::getLargest(semantics(format), negative);
  llvm::APFloat largest = result;
  bool inexact = false;
  largest.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven, &inexact);
  const bool saturates = width(format) == 8 && abs(value) >= abs(largest);
  if (!saturates) {
    result = value;
    result.convert(semantics(format), llvm::APFloat::rmNearestTiesToEven, &inexact);
  }
  return static_cast<uint32_t>(result.bitcastToAPInt().getZExtValue());
}

std::vector<uint8_t> run(const Program& program, std::vector<uint8_t> input, size_t output_bytes, uint32_t threads) {
  testing::Memory memory{{"out", {0x1000000, std::vector<uint8_t>(output_bytes), true}},
                         {"in", {0x9000000, std::move(input), false}}};
  EXPECT_EQ(interpret(program, {threads / 256, {0x1000000, 0x9000000}}, memory), "") << print(program);
  return memory["out"].bytes;
}

bool has_fp8(const Region& r) {
  for (const Instruction& i : r.body) {
    if ((i.op == Op::kDecode || i.op == Op::kEncode) && bytes_of(i.format) == 1) return true;
    for (const Region& inner : i.regions)
      if (has_fp8(inner)) return true;
  }
  return false;
}

TEST(StorageFormats, AgreeWithApFloat) {
  const std::vector<uint32_t> inputs = testing::f32_inputs();
#define X(name, text, bytes) Format::name,
  for (Format format : {TAILOR_KERNEL_FORMATS(X)}) {
#undef X
    for (uint32_t code = 0; code < 1u << width(format); ++code)
      ASSERT_EQ(testing::decode_bits(format, code), expected_decoding(format, code)) << to_string(format) << code;
    for (uint32_t bits : inputs)
      ASSERT_EQ(testing::encode_bits(format, bits), expected_encoding(format, bits)) << to_string(format) << bits;
  }
}

TEST(ExpandConversions, DecodeEveryCode) {
  for (Format format : {Format::kE4M3, Format::kE5M2}) {
    for (int lanes : {1, 2}) {
      const Program program = expand_conversions(testing::decode_program(format, lanes), Arch::kSm80);
      ASSERT_TRUE(verify(program).ok()) << verify(program).message();
      ASSERT_FALSE(has_fp8(program.body));
      // Of a pair, the high byte goes the other way.
      std::vector<uint8_t> codes;
      for (uint32_t code = 0; code < 256; ++code) {
        codes.push_back(static_cast<uint8_t>(code));
        if (lanes == 2) codes.push_back(static_cast<uint8_t>(255 - code));
      }
      const std::vector<uint8_t> out = run(program, codes, 4 * codes.size(), 256);
      for (size_t k = 0; k < codes.size(); ++k) {
        uint32_t word;
        std::memcpy(&word, out.data() + 4 * k, 4);
        ASSERT_EQ(word, expected_decoding(format, codes[k])) << to_string(format) << " " << int{codes[k]};
      }
    }
  }
}

TEST(ExpandConversions, EncodeEveryF16AndEveryExponent) {
  const std::vector<uint32_t> inputs = testing::f32_inputs();
  std::vector<uint8_t> bytes(4 * inputs.size());
  std::memcpy(bytes.data(), inputs.data(), bytes.size());
  for (Format format : {Format::kE4M3, Format::kE5M2}) {
    for (int lanes : {1, 2}) {
      const Program program = expand_conversions(testing::encode_program(format, lanes), Arch::kSm80);
      ASSERT_TRUE(verify(program).ok()) << verify(program).message();
      ASSERT_FALSE(has_fp8(program.body));
      const uint32_t threads = static_cast<uint32_t>(inputs.size()) / static_cast<uint32_t>(lanes);
      const std::vector<uint8_t> out = run(program, bytes, inputs.size(), threads);
      for (size_t k = 0; k < inputs.size(); ++k)
        ASSERT_EQ(out[k], expected_encoding(format, inputs[k])) << to_string(format) << " " << inputs[k];
    }
  }
}

TEST(ExpandConversions, ChangesNothingElse) {
  for (const auto& [name, program] : testing::all_programs()) {
    EXPECT_TRUE(expand_conversions(program, Arch::kSm90a) == program) << name;
    const Program expanded = expand_conversions(program, Arch::kSm80);
    EXPECT_TRUE(verify(expanded).ok()) << verify(expanded).message();
    EXPECT_EQ(has_fp8(program.body), !(expanded == program)) << name;
    EXPECT_FALSE(has_fp8(expanded.body)) << name;
    EXPECT_EQ(expanded.accesses.size(), program.accesses.size());
    Expected<Program> parsed = parse(print(expanded));
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    EXPECT_TRUE(*parsed == expanded) << name;
  }
}

}  // namespace
}  // namespace tailor::codegen::kernel
