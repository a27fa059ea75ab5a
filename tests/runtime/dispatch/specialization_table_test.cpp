// The table: finds exactly what was inserted, through growth and while others insert.
#include "runtime/dispatch/specialization_table.h"

#include <random>
#include <thread>

#include <gtest/gtest.h>

namespace tailor {
namespace {

Key key_of(uint64_t n) { return Key{{n * 0x10001, n ^ 0x5555, n}}; }

std::unique_ptr<LaunchableKernel> kernel_of(uint64_t n) {
  LaunchPlan plan;
  for (auto& g : plan.grid) g = {{PlanOp::kConstant, 1}};
  return std::make_unique<LaunchableKernel>(
      LaunchableKernel{key_of(n), reinterpret_cast<cu::CUfunction>(n + 1), {}, PackedPlan(plan)});
}

TEST(SpecializationTable, FindsExactlyWhatWasInserted) {
  SpecializationTable table;
  for (uint64_t n = 0; n < 3000; ++n) {
    EXPECT_EQ(table.find(key_of(n)), nullptr);
    const LaunchableKernel* inserted = table.insert(kernel_of(n));
    ASSERT_EQ(table.find(key_of(n)), inserted);
    if (n % 251 == 0) {
      for (uint64_t m = 0; m <= n; ++m) ASSERT_EQ(table.find(key_of(m))->key, key_of(m));
    }
  }
  EXPECT_EQ(table.size(), 3000u);
}

TEST(SpecializationTable, TheFirstInsertionOfAKeyStays) {
  SpecializationTable table;
  const LaunchableKernel* first = table.insert(kernel_of(7));
  EXPECT_EQ(table.insert(kernel_of(7)), first);
  EXPECT_EQ(table.size(), 1u);
}

// Readers see a complete kernel or nothing, and what they have seen once they see again.
TEST(SpecializationTable, ReadersNeverSeeHalfAnInsertion) {
  constexpr uint64_t kKeys = 4000;
  SpecializationTable table;
  std::atomic<uint64_t> inserted{0};
  std::atomic<bool> failed{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 rng(static_cast<uint64_t>(t));
      while (inserted.load(std::memory_order_acquire) < kKeys) {
        const uint64_t done = inserted.load(std::memory_order_acquire);
        const uint64_t n = rng() % kKeys;
        const LaunchableKernel* kernel = table.find(key_of(n));
        if (kernel ? kernel->key != key_of(n) || kernel->function != reinterpret_cast<cu::CUfunction>(n + 1)
                   : n < done) {
          failed = true;
        }
      }
    });
  }
  for (uint64_t n = 0; n < kKeys; ++n) {
    table.insert(kernel_of(n));
    inserted.store(n + 1, std::memory_order_release);
  }
  for (auto& t : threads) t.join();
  EXPECT_FALSE(failed);
}

}  // namespace
}  // namespace tailor
