// Ranges against a bitmap, and what the virtual device sees of host memory during a launch. Needs no torch.
#include "runtime/torch/host_memory.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/driver/driver.h"

namespace tailor::pytorch {
namespace {

TEST(HostRanges, CoverWhatWasAddedOnceAndKeepWhatIsWritten) {
  for (uint32_t seed = 0; seed < 500; ++seed) {
    std::mt19937 rng(seed);
    HostRanges ranges;
    std::vector<bool> covered(100), written(100);
    for (int k = 0; k < 12; ++k) {
      const uint64_t begin = rng() % 80, bytes = rng() % 15;
      const bool write = rng() % 4 == 0;
      ranges.add(begin, bytes, write);
      for (uint64_t i = begin; i < begin + bytes; ++i) {
        covered[i] = true;
        written[i] = written[i] || write;
      }
    }
    std::vector<bool> found(100);
    for (const HostRanges::Range& range : ranges) {
      ASSERT_LT(range.begin, range.end);
      bool any_written = false;
      for (uint64_t i = range.begin; i < range.end; ++i) {
        ASSERT_FALSE(found[i]) << "two ranges hold " << i << ", seed " << seed;
        found[i] = true;
        any_written |= written[i];
      }
      EXPECT_EQ(range.written, any_written) << "seed " << seed;
    }
    EXPECT_EQ(found, covered) << "seed " << seed;
  }
}

class HostMemory : public testing::Test {
 protected:
  void SetUp() override {
    const auto opened = open_virtual_driver();
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    driver_ = *opened;
  }
  // Bytes of the device's range that begins at `p`; 0 if it knows none.
  size_t range_bytes(const void* p) {
    size_t bytes = 0;
    const auto address = reinterpret_cast<cu::CUdeviceptr>(p);
    return driver_->cuPointerGetAttribute(&bytes, cu::CU_POINTER_ATTRIBUTE_RANGE_SIZE, address) == cu::CUDA_SUCCESS
               ? bytes
               : 0;
  }
  const DriverTable* driver_ = nullptr;
};

TEST_F(HostMemory, IsTheDevicesOnlyDuringTheLaunch) {
  std::vector<char> a(100), b(50);
  HostRanges ranges;
  ranges.add(reinterpret_cast<uint64_t>(a.data()), a.size(), true);
  ranges.add(reinterpret_cast<uint64_t>(b.data()), b.size(), false);
  const Status status = with_host_memory(ranges, [&]() -> Status {
    EXPECT_EQ(range_bytes(a.data()), a.size());
    EXPECT_EQ(range_bytes(b.data()), b.size());
    const std::vector<char> sevens(a.size(), 7);
    return check(*driver_, driver_->cuMemcpyHtoD(reinterpret_cast<uint64_t>(a.data()), sevens.data(), a.size()),
                 "copy");
  });
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(a, std::vector<char>(100, 7));
  EXPECT_EQ(range_bytes(a.data()), 0u);
  EXPECT_EQ(range_bytes(b.data()), 0u);
}

TEST_F(HostMemory, IsTakenBackWhenTheLaunchFailsOrDoesNotStart) {
  std::vector<char> a(100), b(50);
  HostRanges ranges;
  ranges.add(reinterpret_cast<uint64_t>(a.data()), a.size(), true);
  EXPECT_EQ(with_host_memory(ranges, [] { return invalid_argument("refused"); }).message(), "refused");
  EXPECT_EQ(range_bytes(a.data()), 0u);

  // The second range is the device's already: nothing runs, and the first is taken back.
  HostRanges both = ranges;
  both.add(reinterpret_cast<uint64_t>(b.data()), b.size(), true);
  ASSERT_EQ(driver_->cuMemHostRegister(b.data(), 1, 0), cu::CUDA_SUCCESS);
  bool ran = false;
  const Status status = with_host_memory(both, [&]() -> Status {
    ran = true;
    return {};
  });
  EXPECT_EQ(status.code(), StatusCode::kDriver);
  EXPECT_FALSE(ran);
  EXPECT_EQ(range_bytes(a.data()), 0u);
  EXPECT_EQ(driver_->cuMemHostUnregister(b.data()), cu::CUDA_SUCCESS);
}

}  // namespace
}  // namespace tailor::pytorch
