// Counters for the launch path: one cache line per thread (threads beyond kShards share), summed on reading.
//
// Threads: any may add, any may read; a sum taken while others add is a value that some order of the additions gives.
// Global state: each thread gets a shard number on its first addition, the same for every HotCounters of the process.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace tailor {

enum class HotCounter : uint8_t { kMemoryLaunches, kEmptyLaunches, kCount };

class HotCounters {
 public:
  void add(HotCounter counter) {
    shards_[shard_of_thread()].counts[static_cast<size_t>(counter)].fetch_add(1, std::memory_order_relaxed);
  }
  uint64_t total(HotCounter counter) const;

 private:
  static constexpr unsigned kShards = 64;
  struct alignas(64) Shard {
    std::array<std::atomic<uint64_t>, static_cast<size_t>(HotCounter::kCount)> counts{};
  };
  static unsigned shard_of_thread();
  std::array<Shard, kShards> shards_;
};

}  // namespace tailor
