#include "runtime/dispatch/packed_plan.h"

#include <cstring>

#include <fmt/format.h>

namespace tailor {

PackedPlan::PackedPlan(const LaunchPlan& plan) : block_(plan.block), dynamic_shared_bytes_(plan.dynamic_shared_bytes) {
  for (int d = 0; d < 3; ++d) grid_[d] = append(plan.grid[d]);
  parameters_.reserve(plan.parameters.size());
  for (const PlanParameter& p : plan.parameters) {
    const bool is_symbol = p.value.size() == 1 && p.value[0].op == PlanOp::kSymbol;
    const Range value = is_symbol ? Range{static_cast<uint16_t>(p.value[0].operand), 1} : append(p.value);
    parameters_.push_back({p.offset, p.width, is_symbol, value});
  }
}

PackedPlan::Range PackedPlan::append(const PlanExpression& expression) {
  const Range range{static_cast<uint16_t>(terms_.size()), static_cast<uint16_t>(expression.size())};
  terms_.insert(terms_.end(), expression.begin(), expression.end());
  return range;
}

bool PackedPlan::evaluate(std::span<const int64_t> symbols, const DeviceNumbers& device, cu::CUlaunchConfig& config,
                          ParameterBlock& block, std::array<int64_t, 3>& grid) const {
  for (int d = 0; d < 3; ++d) {
    grid[d] = tailor::evaluate(terms(grid_[d]), symbols, device);
    if (grid[d] <= 0) return false;
  }
  config.gridDimX = static_cast<unsigned>(grid[0]);
  config.gridDimY = static_cast<unsigned>(grid[1]);
  config.gridDimZ = static_cast<unsigned>(grid[2]);
  config.blockDimX = block_[0];
  config.blockDimY = block_[1];
  config.blockDimZ = block_[2];
  config.sharedMemBytes = dynamic_shared_bytes_;
  void** pointer = block.pointers.data();
  for (const Parameter& p : parameters_) {
    const int64_t value = p.is_symbol ? symbols[p.value.first] : tailor::evaluate(terms(p.value), symbols, device);
    std::byte* const at = block.bytes.data() + p.offset;
    if (p.width == 8) {
      std::memcpy(at, &value, 8);
    } else {
      const auto low = static_cast<uint32_t>(value);
      std::memcpy(at, &low, 4);
    }
    *pointer++ = at;
  }
  return true;
}

Status check_grid(const std::array<int64_t, 3>& grid) {
  constexpr std::array<int64_t, 3> kLimits = {(int64_t{1} << 31) - 1, 65535, 65535};
  for (int d = 0; d < 3; ++d) {
    if (grid[d] > kLimits[d]) {
      return unsupported(
          fmt::format("the launch plan gives grid[{}] = {}; at most {} blocks are allowed", d, grid[d], kLimits[d]));
    }
  }
  return {};
}

}  // namespace tailor
