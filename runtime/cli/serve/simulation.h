// An engine's KV cache, replayed: every step of the batcher as launches on a device, every byte checked.
//
// Per step: the new keys and values of all segments, as two columns of one [T, 2, H, D] buffer like a fused
// projection's output, are appended to the pools in one launch, and the pages that were touched are compared. Every
// `gather_every` steps the whole batch, rows without a sequence included, is gathered into packed rows, K and V, and
// compared; every `check_pool_every` steps and at the end, the whole of both pools is. Beside the rows that must be
// written, those that must not be are checked: the slots of others, and what lies before and behind the packed rows.
//
// Ownership: device and runtime outlive the simulation. Threads: one.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "runtime/cli/device.h"
#include "runtime/cli/serve/batcher.h"
#include "runtime/cli/serve/reference.h"
#include "tailor/runtime.h"

namespace tailor::cli {

struct SimulationOptions {
  BatcherOptions batcher;
  int64_t heads = 4, head_dim = 64;
  DType dtype = DType::kBFloat16;
  PageLayout layout = PageLayout::kSlotMajor;
  int64_t gather_every = 4;
  int64_t check_pool_every = 64;
  int64_t max_steps = 0;  // 0: to the end of the trace
};

struct SimulationResult {
  int64_t steps = 0;
  int64_t appended_tokens = 0, gathered_tokens = 0;
  int64_t appends = 0, gathers = 0;  // launches
  int64_t requests_finished = 0, requests_refused = 0, preemptions = 0;
  int64_t bytes_moved = 0;          // read and written by the rows that exist
  int64_t bytes_padded_layout = 0;  // had every batch been padded to a power of two of its longest row count
  int64_t bytes_checked = 0;
  double simulated_seconds = 0, check_seconds = 0;
  int64_t faults = 0;  // steps after which the status word was not clean
  Mismatches mismatches;

  bool verified() const { return mismatches.bytes == 0 && faults == 0; }
};

class Simulation {
 public:
  static Expected<Simulation> prepare(const Device& device, Runtime& runtime, Trace trace,
                                      const SimulationOptions& options);

  // To the end of the trace or max_steps. `progress` is called after every step.
  Expected<SimulationResult> run(const std::function<void(const SimulationResult&)>& progress);

 private:
  Simulation(const Device& device, Runtime& runtime, Trace trace, const SimulationOptions& options);

  Status allocate();
  Status append(const std::vector<Segment>& segments);
  Status check_touched(const std::vector<Segment>& segments);
  Status gather();
  Status gather_side(Side side, const std::vector<Segment>& rows, int64_t total);
  Status check_pools();
  Status read_status_word();
  Status finish_launch(Status launched) const;

  Tensor pool_tensor(Side side) const;
  DeviceBuffer& pool(Side side) { return side == Side::kKey ? k_pool_ : v_pool_; }
  const std::vector<int32_t>& pages_of(uint32_t stream) const;
  void note(const Mismatches& found, int64_t bytes_checked);

  const Device* device_;
  Runtime* runtime_;
  SimulationOptions options_;
  Batcher batcher_;
  PoolReference reference_;
  DeviceBuffer k_pool_, v_pool_, fused_, packed_, batch_index_, position_, table_, seq_lens_, cu_seqlens_, status_word_;
  std::vector<uint8_t> host_;  // scratch
  SimulationResult result_;
};

}  // namespace tailor::cli
