// Host memory made visible to the virtual device for one launch.
//
// A CPU tensor's storage is registered at its own address (cuMemHostRegister), so that kernels read and write it in
// place and the virtual device refuses every access outside the storages of the operands, and every write to one that
// the operation only reads. Launches on the virtual device are complete when they return; the storages are taken back
// right after. Threads: any; one launch at a time over the whole process, because two may share a storage.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "tailor/status.h"

namespace tailor::pytorch {

// The storages of one operation's tensors. Those that meet become one.
class HostRanges {
 public:
  // bytes == 0 adds nothing.
  void add(uint64_t begin, uint64_t bytes, bool written);

  struct Range {
    uint64_t begin = 0, end = 0;
    bool written = false;
  };
  const Range* begin() const { return ranges_.data(); }
  const Range* end() const { return ranges_.data() + count_; }

 private:
  std::array<Range, 16> ranges_;  // no operation has as many operands
  int count_ = 0;
};

// Runs `launch` with the ranges registered. Errors: its own; kUnavailable (no virtual device); kDriver.
Status with_host_memory(const HostRanges& ranges, const std::function<Status()>& launch);

}  // namespace tailor::pytorch
