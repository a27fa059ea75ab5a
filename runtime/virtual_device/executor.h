// Runs one launch to its end.
//
// Order: one block at a time, warps round robin; a block whose warps spin past their quantum is joined by the next one,
// up to what the device holds at once, so that blocks may wait for each other. Single-threaded, hence reproducible.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "runtime/virtual_device/memory.h"
#include "runtime/virtual_device/program.h"

namespace tailor::virtual_device {

struct LaunchRequest {
  const Program* program = nullptr;
  std::array<uint32_t, 3> grid{};
  std::array<uint32_t, 3> block{};
  uint32_t dynamic_shared_bytes = 0;
  uint32_t resident_blocks = 1;  // what the whole device holds at once
  const uint8_t* parameters = nullptr;
  uint64_t grid_id = 0;
  DeviceMemory* memory = nullptr;
  Options options;
};

struct LaunchResult {
  std::optional<Report> report;  // why it stopped early
  Counters counters;
  std::string output;  // what the kernel printed
};

LaunchResult run_launch(const LaunchRequest& request);

}  // namespace tailor::virtual_device
