// The comparison itself: what a launch must not do is seen.
#include "tests/runtime/operations/operand.h"

#include <cstring>

#include <gtest/gtest.h>

namespace tailor::truth {
namespace {

// [3, 5] f32 with gaps of 2 elements behind rows, 4 bytes past a multiple of 512.
Tensor gapped() {
  Tensor view = Tensor::dense(4, DType::kFloat32, {3, 5});
  view.stride[0] = 7;
  return view;
}

uint8_t* at(const Operand& operand, int64_t bytes) {
  return reinterpret_cast<uint8_t*>(operand.view().address) + bytes;
}

TEST(OperandComparison, SeesEveryElementEveryGapAndBothGuards) {
  {
    Operand operand("x", gapped(), true, 1);
    operand.settle();
    EXPECT_EQ(operand.view().address % 512, 4u);
    EXPECT_EQ(operand.difference(), "");
  }
  for (int64_t byte = -40; byte < 3 * 28 + 40; ++byte) {
    Operand operand("x", gapped(), true, 1);
    operand.settle();
    *at(operand, byte) ^= 0x10;
    EXPECT_NE(operand.difference(), "") << byte;
  }
}

TEST(OperandComparison, NumbersElementsInRowMajorOrderOfTheirIndices) {
  Tensor view = Tensor::dense(2, DType::kInt16, {2, 3});
  view.stride = {1, -4};
  Operand operand("x", view, true, 2);
  operand.settle();
  const int16_t number = -77;
  std::memcpy(at(operand, 2 * (1 - 2 * 4)), &number, 2);  // [1, 2]
  EXPECT_EQ(operand.bits(5), 0xffb3u);
  EXPECT_NE(operand.difference(), "");
  std::memcpy(at(operand, 2 * (1 - 2 * 4)), &number, 2);
  operand.expect(5, 0xffb3);
  EXPECT_EQ(operand.difference(), "");
}

TEST(OperandComparison, TakesAnyNanOnlyWhereOneIsExpected) {
  Operand operand("x", Tensor::dense(0, DType::kFloat16, {4}), true, 3);
  for (int64_t i = 0; i < 4; ++i) operand.set_bits(i, 0x3c00);
  operand.settle();
  operand.expect_nan(1);
  EXPECT_NE(operand.difference(), "");
  operand.set_bits(1, 0x7e55);
  EXPECT_EQ(operand.difference(), "");
  operand.set_bits(1, 0xfc01);
  operand.allow_nan(2);
  operand.set_bits(2, 0x7fff);
  EXPECT_EQ(operand.difference(), "");
  operand.set_bits(1, 0xfc01);
  operand.set_bits(3, 0x7fff);
  EXPECT_NE(operand.difference(), "");
}

TEST(OperandComparison, TakesAlternatives) {
  Operand operand("x", Tensor::dense(0, DType::kUInt8, {2}), true, 4);
  operand.settle();
  operand.expect(0, 7);
  operand.allow(0, 9);
  operand.set_bits(0, 9);
  EXPECT_EQ(operand.difference(), "");
  operand.set_bits(0, 8);
  EXPECT_NE(operand.difference(), "");
}

}  // namespace
}  // namespace tailor::truth
