// The oracle of the formats against what the hardware of this machine, and published tables, say.
#include "tests/runtime/operations/formats.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace tailor::truth {
namespace {

TEST(Formats, EveryNumberOfEightAndSixteenBitsEncodesToItself) {
  for (const DType type : {DType::kFloat16, DType::kBFloat16, DType::kFloat8E4M3, DType::kFloat8E5M2}) {
    for (uint64_t bits = 0; bits < uint64_t{1} << (8 * element_bytes(type)); ++bits) {
      const double value = decode(type, bits);
      if (std::isnan(value) || (std::isinf(value) && type == DType::kFloat8E5M2)) continue;
      EXPECT_EQ(encode(type, value), bits) << to_string(type);
    }
  }
}

TEST(Formats, RoundingToF32IsThatOfTheProcessor) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 200000; ++i) {
    const uint64_t bits = random();
    double value = 0;
    std::memcpy(&value, &bits, 8);
    if (i % 2 == 1) value = std::ldexp(1 + std::fabs(std::remainder(value, 1.0)), static_cast<int>(bits % 300) - 160);
    const auto expected = static_cast<float>(value);
    if (std::isnan(value)) continue;
    uint32_t expected_bits = 0;
    std::memcpy(&expected_bits, &expected, 4);
    EXPECT_EQ(encode(DType::kFloat32, value), expected_bits) << value;
    EXPECT_EQ(decode(DType::kFloat32, expected_bits), static_cast<double>(expected));
  }
}

// OCP "8-bit Floating Point Specification" 1.0, table 2; IEEE 754-2019, table 3.5.
TEST(Formats, LimitsAreThePublishedOnes) {
  EXPECT_EQ(decode(DType::kFloat8E4M3, 0x7e), 448);
  EXPECT_EQ(decode(DType::kFloat8E4M3, 0x08), std::ldexp(1, -6));
  EXPECT_EQ(decode(DType::kFloat8E4M3, 0x01), std::ldexp(1, -9));
  EXPECT_TRUE(std::isnan(decode(DType::kFloat8E4M3, 0xff)));
  EXPECT_EQ(decode(DType::kFloat8E5M2, 0x7b), 57344);
  EXPECT_EQ(decode(DType::kFloat8E5M2, 0x01), std::ldexp(1, -16));
  EXPECT_EQ(decode(DType::kFloat8E5M2, 0xfc), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(decode(DType::kFloat16, 0x7bff), 65504);
  EXPECT_EQ(decode(DType::kFloat16, 0x0001), std::ldexp(1, -24));
}

TEST(Formats, HalvesGoToEvenAndOverflowAsTheTypeSays) {
  EXPECT_EQ(encode(DType::kFloat8E4M3, 19), 0x5au) << "18 has an odd significand";
  EXPECT_EQ(encode(DType::kFloat8E4M3, 17), 0x58u);
  EXPECT_EQ(encode(DType::kFloat8E4M3, 464), 0x7eu);
  EXPECT_EQ(encode(DType::kFloat8E4M3, 1e9), 0x7eu);
  EXPECT_EQ(encode(DType::kFloat8E4M3, -std::numeric_limits<double>::infinity()), 0xfeu);
  EXPECT_EQ(encode(DType::kFloat8E5M2, 1e9), 0x7bu);
  EXPECT_EQ(encode(DType::kFloat16, 65519), 0x7bffu);
  EXPECT_EQ(encode(DType::kFloat16, 65520), 0x7c00u);
  EXPECT_EQ(encode(DType::kFloat16, std::ldexp(1, -25)), 0u);
  EXPECT_EQ(encode(DType::kFloat16, std::ldexp(3, -26)), 1u);
  EXPECT_EQ(encode(DType::kBFloat16, -1e39), 0xff80u);
}

}  // namespace
}  // namespace tailor::truth
