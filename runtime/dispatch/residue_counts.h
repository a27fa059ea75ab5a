// Counts launches by the residues that their keys do not carry, and learns the frequent ones.
//
//   ResidueCounts residues(64);
//   Key key = make_key(problem, arch, emitter, lowering, &residues.learned());
//   residues.count(problem);      // about the 64th time, learned() contains the problem's residue
//
// A thread counts for itself and adds to the shared counts every 16 launches, so that a launch writes no line that
// other threads read. What a thread has not added when it turns to another Runtime, or to residues that share its
// place, is lost: learning comes a little later then. Threads: any. Global state: a few counters per thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "runtime/bucket/learned_residues.h"
#include "runtime/ops/problem.h"

namespace tailor {

class ResidueCounts {
 public:
  // A residue is learned when its shared count reaches `learn_after`; never if that is 0.
  explicit ResidueCounts(uint32_t learn_after);

  const LearnedResidues& learned() const { return learned_; }

  // The problem has a residue. No allocation, no lock.
  void count(const Problem& problem) {
    if (learn_after_ == 0) return;
    const ResidueKind kind = columns_residue_kind(problem);
    const int residue = problem.columns_residue;
    if (!is_known_residue(kind, residue, &learned_)) count_unknown(residue_index(kind, residue));
  }

  // No kernel could be made for what was learned: the problem's residue counts from 0 again.
  void forget(const Problem& problem);

 private:
  void count_unknown(int index);

  const uint64_t identity_;  // tells the thread's counters whose they are; never reused
  const uint32_t learn_after_;
  LearnedResidues learned_;
  std::array<std::atomic<uint32_t>, kResidueCount> counts_{};
};

}  // namespace tailor
