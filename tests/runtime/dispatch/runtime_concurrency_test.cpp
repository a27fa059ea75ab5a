// Many threads, hitting and missing: one compile per key, every launch accepted. Run under ThreadSanitizer as well.
#include <atomic>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "tests/cache/support.h"
#include "tests/runtime/dispatch/harness.h"

namespace tailor {
namespace {

using namespace tailor::testing;

void storm(Runtime& runtime, int threads, int launches, int keys, std::atomic<int>& failures) {
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      std::mt19937 rng(static_cast<uint32_t>(t));
      for (int i = 0; i < launches; ++i) {
        const int n = static_cast<int>(rng() % static_cast<uint32_t>(keys));
        LaunchInfo info;
        failures += !runtime.launch(gather_number(n), {.info = i % 7 ? nullptr : &info}).ok();
        if (i % 50 == 0) static_cast<void>(runtime.stats());
      }
    });
  }
  for (auto& w : workers) w.join();
}

TEST(RuntimeConcurrency, OneCompilePerKey) {
  cache::testing::TempDir dir;
  FakeDriver driver;
  auto generator = std::make_shared<FakeGenerator>();
  generator->compile_time = std::chrono::milliseconds(2);
  RuntimeOptions options;
  options.cache_root = dir / "cache";
  const auto runtime = open_fake(driver, generator, options);
  std::atomic<int> failures{0};
  constexpr int kThreads = 8, kLaunches = 300, kKeys = 40;
  storm(*runtime, kThreads, kLaunches, kKeys, failures);
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(generator->compiles, kKeys);
  EXPECT_EQ(driver.state.loads, kKeys);
  EXPECT_EQ(driver.state.launches, kThreads * kLaunches);
  const RuntimeStats stats = runtime->stats();
  EXPECT_EQ(stats.launches, static_cast<uint64_t>(kThreads * kLaunches));
  EXPECT_EQ(stats.distinct_keys, static_cast<uint64_t>(kKeys));
  EXPECT_EQ(stats.kernels_compiled, static_cast<uint64_t>(kKeys));
  EXPECT_EQ(stats.misses[static_cast<size_t>(MissReason::kAbsent)], static_cast<uint64_t>(kKeys));
}

TEST(RuntimeConcurrency, ThreadsThatMissOneKeyWaitForOneCompile) {
  FakeDriver driver;
  auto generator = std::make_shared<FakeGenerator>();
  generator->compile_time = std::chrono::milliseconds(100);
  const auto runtime = open_fake(driver, generator);
  std::atomic<int> failures{0};
  storm(*runtime, 8, 1, 1, failures);
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(generator->emits, 1);
  EXPECT_EQ(generator->compiles, 1);
  EXPECT_EQ(driver.state.launches, 8);
}

TEST(RuntimeConcurrency, KeysOfOneTextWaitForOneCompile) {
  FakeDriver driver;
  auto generator = std::make_shared<FakeGenerator>();
  generator->same_text = true;
  generator->compile_time = std::chrono::milliseconds(20);
  const auto runtime = open_fake(driver, generator);
  std::atomic<int> failures{0};
  storm(*runtime, 8, 30, 8, failures);
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(generator->compiles, 1);
  EXPECT_EQ(driver.state.loads, 1);
}

TEST(RuntimeConcurrency, AFailedCompileReachesEveryWaiterAndIsTriedAgain) {
  FakeDriver driver;
  auto generator = std::make_shared<FakeGenerator>();
  generator->fail_compile = true;
  generator->compile_time = std::chrono::milliseconds(50);
  const auto runtime = open_fake(driver, generator);
  std::atomic<int> failures{0};
  storm(*runtime, 6, 1, 1, failures);
  EXPECT_EQ(failures, 6);
  generator->fail_compile = false;
  storm(*runtime, 6, 5, 1, failures);
  EXPECT_EQ(failures, 6);
}

}  // namespace
}  // namespace tailor
