#include "runtime/telemetry/hot_counters.h"

namespace tailor {
namespace {

constexpr unsigned kUnassigned = ~0u;
std::atomic<unsigned> next_shard{0};
thread_local unsigned shard = kUnassigned;

}  // namespace

unsigned HotCounters::shard_of_thread() {
  if (shard == kUnassigned) [[unlikely]]
    shard = next_shard.fetch_add(1, std::memory_order_relaxed) % kShards;
  return shard;
}

uint64_t HotCounters::total(HotCounter counter) const {
  uint64_t sum = 0;
  for (const Shard& s : shards_) sum += s.counts[static_cast<size_t>(counter)].load(std::memory_order_relaxed);
  return sum;
}

}  // namespace tailor
