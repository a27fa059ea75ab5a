// A launch plan laid out for the launch path: flat arrays, evaluated straight into the kernel's parameter block.
//
// Made once per kernel from a plan that validate() accepted. Thread-safety: immutable.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/driver/cuda_api.h"
#include "runtime/ops/launch_plan.h"
#include "tailor/status.h"

namespace tailor {

// The parameters of one launch and where each begins, as cuLaunchKernelEx takes them. Lives on the stack,
// uninitialised.
struct ParameterBlock {
  alignas(16) std::array<std::byte, kMaxParameterBytes> bytes;
  std::array<void*, kMaxPlanParameters> pointers;
};

class PackedPlan {
 public:
  explicit PackedPlan(const LaunchPlan& validated);

  // Fills grid, block, shared memory and parameters; leaves stream and attributes alone. `symbols` has at least as many
  // values as the plan was validated for. Returns false if some grid extent is 0 or less: there is nothing to launch.
  // Grid limits are for check_grid().
  bool evaluate(std::span<const int64_t> symbols, const DeviceNumbers& device, cu::CUlaunchConfig& config,
                ParameterBlock& block, std::array<int64_t, 3>& grid) const;

  uint32_t block_threads() const { return block_[0] * block_[1] * block_[2]; }
  uint32_t dynamic_shared_bytes() const { return dynamic_shared_bytes_; }

 private:
  struct Range {
    uint16_t first = 0, count = 0;  // of terms_
  };
  struct Parameter {
    uint16_t offset = 0;
    uint8_t width = 8;
    bool is_symbol = false;  // value.first is then the symbol
    Range value;
  };
  Range append(const PlanExpression& expression);
  std::span<const PlanTerm> terms(Range r) const { return {terms_.data() + r.first, r.count}; }

  std::array<Range, 3> grid_;
  std::array<uint32_t, 3> block_;
  uint32_t dynamic_shared_bytes_;
  std::vector<Parameter> parameters_;
  std::vector<PlanTerm> terms_;
};

// kUnsupported, naming the extent, if the grid is beyond what a launch takes (2^31 - 1, 65535, 65535).
Status check_grid(const std::array<int64_t, 3>& grid);

}  // namespace tailor
