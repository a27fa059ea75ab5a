// Oracle: division and remainder, index by index.
#include "codegen/integer/mixed_radix.h"

#include <random>

#include <gtest/gtest.h>

namespace tailor::codegen::integer {
namespace {

std::vector<uint64_t> reference(const std::vector<uint64_t>& radices, uint64_t index) {
  std::vector<uint64_t> digits;
  for (size_t i = 0; i + 1 < radices.size(); ++i) {
    digits.push_back(index % radices[i]);
    index /= radices[i];
  }
  digits.push_back(index);
  return digits;
}

TEST(MixedRadix, DecodeAndAdvanceEqualDivision) {
  std::mt19937_64 rng(3);
  for (int i = 0; i < 3000; ++i) {
    std::vector<uint64_t> radices(1 + rng() % 4);
    for (uint64_t& r : radices) r = 1 + (rng() >> (rng() % 60)) % 200;
    int width = rng() % 2 == 0 ? 32 : 64;
    uint64_t bound = rng() % 2 == 0 ? rng() % 5000 : (width == 32 ? rng() >> 32 : rng());
    uint64_t step = 1 + rng() % (rng() % 2 == 0 ? 4 : 3000);
    auto plan = plan_decode(radices, bound, width, step);
    ASSERT_TRUE(plan.ok());
    for (int k = 0; k < 20; ++k) {
      uint64_t index = k == 0 ? bound : (bound == 0 ? 0 : rng() % bound);
      ASSERT_EQ(plan->decode(index), reference(radices, index));
      if (index <= bound - step && step <= bound) {
        ASSERT_EQ(plan->advance(reference(radices, index)), reference(radices, index + step));
      }
    }
    for (const DecodeStep& s : plan->steps) ASSERT_TRUE(check_magic(s.division).ok());
  }
}

TEST(MixedRadix, ChoosesTheCheapestMethodByCountedInstructions) {
  // mulhi + mad for 3, shift + and for 8, nothing for the last digit.
  auto once = plan_decode({3, 8, 5}, 119, 32);
  ASSERT_TRUE(once.ok());
  EXPECT_EQ(once->method, DecodeMethod::kMagic);
  EXPECT_EQ(once->magic_instructions, 4);
  // Step 1 over {1000, 7, 7}: add, compare, subtract; add carry, compare, subtract; add carry = 7 > mulhi work of 4.
  auto cheap_magic = plan_decode({1000, 7, 7}, 48999, 32, 1);
  ASSERT_TRUE(cheap_magic.ok());
  EXPECT_EQ(cheap_magic->increment_instructions, 7);
  EXPECT_EQ(cheap_magic->magic_instructions, 4);
  EXPECT_EQ(cheap_magic->method, DecodeMethod::kMagic);
  // At full width 7 needs the five-instruction sequence, and the increment wins.
  auto increment = plan_decode({7, 100}, UINT32_MAX, 32, 3);
  ASSERT_TRUE(increment.ok());
  EXPECT_EQ(increment->magic_instructions, 6);
  EXPECT_EQ(increment->method, DecodeMethod::kIncrement);
  EXPECT_EQ(increment->instructions(), 4);
  auto chain = plan_decode({7, 100}, UINT32_MAX, 32, 10);
  ASSERT_TRUE(chain.ok());
  EXPECT_EQ(chain->method, DecodeMethod::kCarryChain);
  EXPECT_EQ(chain->step_digits, (std::vector<uint64_t>{3, 1}));
  EXPECT_EQ(chain->instructions(), 5);
  // A step that is a multiple of the first radix leaves digit 0 alone.
  auto aligned = plan_decode({7, 100}, UINT32_MAX, 32, 14);
  ASSERT_TRUE(aligned.ok());
  EXPECT_EQ(aligned->instructions(), 1);
}

TEST(MixedRadix, StopsAtTheDigitTheBoundReaches) {
  auto plan = plan_decode({16, 16, 16}, 20, 32);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->steps.size(), 2u);  // 20 / 16 = 1 < 16: the third digit is 0
  EXPECT_EQ(plan->decode(20), (std::vector<uint64_t>{4, 1, 0}));
}

TEST(MixedRadix, BadArguments) {
  EXPECT_FALSE(plan_decode({}, 5, 32).ok());
  EXPECT_FALSE(plan_decode({3, 0}, 5, 32).ok());
  EXPECT_FALSE(plan_decode({3}, uint64_t{1} << 40, 32).ok());
}

}  // namespace
}  // namespace tailor::codegen::integer
