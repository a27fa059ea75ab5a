// The operands of a workload on a device, each with guard bytes around it.
//
// Guards hold random bytes and must still hold them after the launch. On the virtual device nothing lies behind an
// operand: its allocation ends where the operand ends, so that a read beyond it is seen too.
// Ownership: the device must outlive the placement. Threads: one.
#pragma once

#include <vector>

#include "runtime/cli/device.h"
#include "runtime/cli/run/check.h"
#include "runtime/cli/run/workload.h"

namespace tailor::cli {

class Placement {
 public:
  // Uploads every operand and sets the addresses of its view.
  static Expected<Placement> place(const Device& device, Workload& workload);

  // Downloads and compares every byte of every operand and guard.
  Expected<CheckResult> compare(const Workload& workload, const Expectation& expectation) const;

 private:
  struct Placed {
    DeviceBuffer buffer;
    std::vector<uint8_t> image;  // guard, operand, guard, as uploaded
    size_t begin = 0;            // of the operand in the image
  };
  std::vector<Placed> placed_;  // in the order of Workload::operands
};

}  // namespace tailor::cli
