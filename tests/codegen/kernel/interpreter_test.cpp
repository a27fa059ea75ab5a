// The oracle against results computed by hand here.
#include "tests/codegen/kernel/interpreter.h"

#include <cstring>
#include <numeric>

#include <gtest/gtest.h>

#include "tests/codegen/kernel/programs.h"

namespace tailor::codegen::kernel::testing {
namespace {

template <class T>
T at(const MemoryBlock& block, size_t offset) {
  T value;
  std::memcpy(&value, block.bytes.data() + offset, sizeof value);
  return value;
}

TEST(Interpreter, CopiesExactlyTheElementsOfTheExample) {
  std::vector<MemoryBlock> memory(2);
  memory[0] = {0x1000, std::vector<uint8_t>(16 * 300, 0xee)};
  memory[1] = {0x10000, std::vector<uint8_t>(16 * 300)};
  std::iota(memory[1].bytes.begin(), memory[1].bytes.end(), uint8_t{3});
  ASSERT_EQ(interpret(example(), {2, {0x1000, 0x10000, 299}}, memory), "");
  EXPECT_EQ(0, std::memcmp(memory[0].bytes.data(), memory[1].bytes.data(), 16 * 299));
  EXPECT_EQ(at<uint8_t>(memory[0], 16 * 299), 0xee);
  EXPECT_NE(interpret(example(), {2, {0x1000, 0x10000, 301}}, memory).find("lie in no block"), std::string::npos);
  EXPECT_NE(interpret(example(), {1, {0x1008, 0x10000, 1}}, memory).find("not a multiple of 16"), std::string::npos);
}

TEST(Interpreter, ControlMatchesTheClosedForms) {
  std::vector<MemoryBlock> memory{{0x1000, std::vector<uint8_t>(64 * kControlBytes)}};
  const int32_t n = 11;
  ASSERT_EQ(interpret(control(), {1, {0x1000, static_cast<uint64_t>(n)}}, memory), "");
  for (uint32_t tid = 0; tid < 64; ++tid) {
    size_t row = tid * kControlBytes;
    EXPECT_EQ(at<uint32_t>(memory[0], row), 89u);       // F(11)
    EXPECT_EQ(at<uint32_t>(memory[0], row + 8), 144u);  // F(12)
    EXPECT_EQ(at<uint32_t>(memory[0], row + 16), std::gcd(tid + 1, 12u));
    EXPECT_EQ(at<int64_t>(memory[0], row + 24), -3 - 1 + 1 + 3 + 5 + 7 + 9);
    EXPECT_EQ(at<uint32_t>(memory[0], row + 32), 1u);  // seven flips
    EXPECT_EQ(at<uint32_t>(memory[0], row + 40), tid % 3 == 0 && tid < 11 ? tid : 0u);
  }
}

TEST(Interpreter, ArithmeticMatchesTheHost) {
  std::vector<MemoryBlock> memory{{0x1000, std::vector<uint8_t>(32 * kArithmeticBytes)}};
  const uint32_t a = 0x80000005;
  const uint32_t b = 0xfffffff9;
  ASSERT_EQ(interpret(arithmetic(Type::kI32), {1, {0x1000, a, b, 0x80000001}}, memory), "");
  auto slot = [&](size_t k) { return at<uint32_t>(memory[0], 8 * k); };
  EXPECT_EQ(slot(0), a + b);
  EXPECT_EQ(slot(2), a * b);
  EXPECT_EQ(slot(3), static_cast<uint32_t>((uint64_t{a} * b) >> 32));
  EXPECT_EQ(slot(4), a);  // min.s
  EXPECT_EQ(slot(5), b);  // max.s
  EXPECT_EQ(slot(11), a << 5);
  EXPECT_EQ(slot(15), static_cast<uint32_t>(static_cast<int32_t>(a) >> 5));
}

}  // namespace
}  // namespace tailor::codegen::kernel::testing
