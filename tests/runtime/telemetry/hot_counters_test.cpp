#include "runtime/telemetry/hot_counters.h"

#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tailor {
namespace {

// More threads than shards, so that some share one.
TEST(HotCounters, NoAdditionIsLost) {
  auto counters = std::make_unique<HotCounters>();
  std::vector<std::thread> threads;
  for (int t = 0; t < 100; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) counters->add(HotCounter::kMemoryLaunches);
      counters->add(HotCounter::kEmptyLaunches);
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(counters->total(HotCounter::kMemoryLaunches), 100000u);
  EXPECT_EQ(counters->total(HotCounter::kEmptyLaunches), 100u);
}

}  // namespace
}  // namespace tailor
