// The Runtimes behind torch.ops.tailor.*: one per device, opened by the first operation on it.
//
// CPU tensors go to the virtual device, CUDA tensors to the GPU that holds them. A Runtime lives until the process ends
// (torch may launch from static destructors, and CUDA may be gone by then). After fork the child opens its own.
// Threads: any. Errors: as Runtime::open.
#pragma once

#include <cstdint>

#include "tailor/runtime.h"

namespace tailor::pytorch {

// A CUDA device by its ordinal, or the CPU.
struct DeviceIndex {
  static constexpr int kCpu = -1;
  int ordinal = kCpu;
  bool cpu() const { return ordinal == kCpu; }
};

// What the next Runtimes are opened with; device and ordinal are set per device. Those that are open are kept for the
// launches in flight and used by no later launch.
void configure(RuntimeOptions options);

Expected<Runtime*> runtime_of(DeviceIndex device);

// The same without opening one: null when no operation ran on the device.
Runtime* open_runtime_of(DeviceIndex device);

}  // namespace tailor::pytorch
