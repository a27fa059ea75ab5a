#include "runtime/cli/run/placement.h"

#include <algorithm>
#include <random>
#include <utility>

namespace tailor::cli {
namespace {

constexpr size_t kGuardBytes = 256;  // keeps the base's alignment: allocations begin on 256-byte boundaries

}  // namespace

Expected<Placement> Placement::place(const Device& device, Workload& workload) {
  Placement placement;
  std::mt19937_64 engine(0x9D);
  for (HostOperand& operand : workload.operands) {
    Placed placed;
    placed.begin = kGuardBytes + static_cast<size_t>(operand.misalign_bytes);
    placed.image.resize(placed.begin + operand.bytes.size() + (device.is_virtual() ? 0 : kGuardBytes));
    std::generate(placed.image.begin(), placed.image.end(), [&] { return static_cast<uint8_t>(engine()); });
    std::copy(operand.bytes.begin(), operand.bytes.end(), placed.image.begin() + static_cast<ptrdiff_t>(placed.begin));
    TAILOR_ASSIGN_OR_RETURN(placed.buffer, DeviceBuffer::allocate(device, placed.image.size()));
    TAILOR_RETURN_IF_ERROR(placed.buffer.upload(placed.image));
    operand.view.address = placed.buffer.address() + placed.begin;
    placement.placed_.push_back(std::move(placed));
  }
  return placement;
}

Expected<CheckResult> Placement::compare(const Workload& workload, const Expectation& expectation) const {
  CheckResult result;
  for (size_t i = 0; i < placed_.size(); ++i) {
    const Placed& placed = placed_[i];
    const HostOperand& operand = workload.operands[i];
    std::vector<uint8_t> actual(placed.image.size());
    TAILOR_RETURN_IF_ERROR(placed.buffer.download(actual));
    const std::span<const uint8_t> now = actual, before = placed.image;
    const size_t end = placed.begin + operand.bytes.size();
    result.add(check_operand(operand, expectation, now.subspan(placed.begin, operand.bytes.size())));
    result.add(check_guard("before " + operand.name, before.first(placed.begin), now.first(placed.begin)));
    result.add(check_guard("behind " + operand.name, before.subspan(end), now.subspan(end)));
  }
  return result;
}

}  // namespace tailor::cli
