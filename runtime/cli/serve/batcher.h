// Continuous batching over a paged KV pool: which tokens enter the cache in which step, and into which pages.
//
// One call of `next` is one step of an engine: sequences that are complete give their pages back; requests that have
// arrived take a free row of the block table if the pages of their whole context are to be had; every running sequence
// that has its whole context appends one token; what is left of the token budget is spent on contexts, in order of
// arrival, in chunks. A sequence that needs a page when none is free drops the youngest running sequence, which waits
// again at the head of the queue and starts from nothing (preemption by recomputation). The oldest is never dropped, so
// every step makes progress.
//
// Time is simulated: a step takes `step_us`; with nothing to do, the clock jumps to the next arrival.
// Thread-safety: none; one owner. No I/O, no device.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "runtime/cli/serve/trace.h"

namespace tailor::cli {

struct BatcherOptions {
  int32_t max_batch = 16;  // rows of the block table
  int32_t page_size = 16;  // tokens
  int32_t pool_pages = 1536;
  int32_t max_pages = 1024;    // columns of the block table
  int32_t token_budget = 512;  // tokens appended per step
  int64_t step_us = 20'000;
  uint64_t seed = 1;  // order in which the pages of a fresh pool are handed out
};

// One stay of a request in the batch. `stream` is new at every admission, so that what a dropped sequence left in the
// pool is never mistaken for what its second start writes.
struct Sequence {
  int64_t request = 0;  // index into the trace
  uint32_t stream = 0;
  int32_t row = 0;     // of the block table
  int64_t length = 0;  // tokens appended
  std::vector<int32_t> pages;
};

// Positions first … first + count - 1 of a sequence enter the cache.
struct Segment {
  int32_t row = 0;
  uint32_t stream = 0;
  int64_t first = 0;
  int64_t count = 0;
};

class Batcher {
 public:
  // Block table entry of a page that does not exist; no valid kernel looks at it.
  static constexpr int32_t kNoPage = -1;

  Batcher(Trace trace, const BatcherOptions& options);

  // Plans the next step: its appends, at most one segment per sequence; never empty. Nothing when the trace is done.
  std::optional<std::vector<Segment>> next();

  // After `next`: running sequences with the lengths that hold once the step's appends are done, oldest first.
  const std::vector<Sequence>& running() const { return running_; }
  // int32 [max_batch, max_pages].
  std::span<const int32_t> block_table() const { return table_; }
  // Pages in no sequence.
  std::span<const int32_t> free_pages() const { return free_pages_; }

  int64_t finished() const { return finished_; }
  int64_t preemptions() const { return preemptions_; }
  int64_t refused() const { return refused_; }  // can never fit the pool or the block table
  int64_t simulated_us() const { return now_us_; }

 private:
  int64_t pages_for(int64_t tokens) const;
  int64_t pages_owed() const;
  void retire_complete();
  void admit_arrived();
  bool grow(Sequence& sequence, int64_t length);
  bool grow_or_preempt(size_t& index, int64_t length);
  void release(Sequence& sequence);

  Trace trace_;
  BatcherOptions options_;
  std::deque<int64_t> waiting_;  // arrived or to come, in order; dropped ones in front
  std::vector<Sequence> running_;
  std::vector<int32_t> table_, free_pages_, free_rows_;
  uint32_t next_stream_ = 1;
  int64_t now_us_ = 0, finished_ = 0, preemptions_ = 0, refused_ = 0;
};

}  // namespace tailor::cli
