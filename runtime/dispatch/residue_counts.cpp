#include "runtime/dispatch/residue_counts.h"

#include <algorithm>
#include <utility>

namespace tailor {
namespace {

constexpr uint32_t kFlushAfter = 16;

std::atomic<uint64_t> next_identity{1};

// What this thread counted and has not added yet, all of one owner.
struct Pending {
  uint64_t owner = 0;
  std::array<uint8_t, kResidueCount> counts{};
};
thread_local Pending pending;

}  // namespace

ResidueCounts::ResidueCounts(uint32_t learn_after)
    : identity_(next_identity.fetch_add(1, std::memory_order_relaxed)), learn_after_(learn_after) {}

void ResidueCounts::count_unknown(int index) {
  if (pending.owner != identity_) pending = {identity_, {}};
  uint8_t& mine = pending.counts[static_cast<size_t>(index)];
  if (++mine < std::min(kFlushAfter, learn_after_)) return;
  const uint32_t added = std::exchange(mine, uint8_t{0});
  const uint32_t before = counts_[static_cast<size_t>(index)].fetch_add(added, std::memory_order_relaxed);
  if (before + added >= learn_after_) learned_.add(index);
}

void ResidueCounts::forget(const Problem& problem) {
  const int index = residue_index(columns_residue_kind(problem), problem.columns_residue);
  counts_[static_cast<size_t>(index)].store(0, std::memory_order_relaxed);
  learned_.remove(index);
}

}  // namespace tailor
