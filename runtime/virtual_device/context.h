// What a lane handler sees: plain pointers only, so that handlers compile alone for each instruction set.
//
// Filled by the scheduler (executor.cpp) for the split that is about to run; lives on its stack.
#pragma once

#include <cstdint>

#include "runtime/virtual_device/program.h"

namespace tailor::virtual_device {

// The allocation that an access site touched last: [begin, end) maps to host memory at bias + address.
struct SiteCache {
  uint64_t begin = 1;
  uint64_t end = 0;
  // Host addresses are bias + device address, as integers: the sum wraps, which pointers may not.
  uint64_t bias = 0;
  uint64_t valid_bias = 0;  // of the marks: one byte per byte, 1 = written
  bool tracked = false;     // there are marks
  bool read_only = false;

  uint8_t* at(uint64_t address) const { return reinterpret_cast<uint8_t*>(bias + address); }
  uint8_t* valid_at(uint64_t address) const { return reinterpret_cast<uint8_t*>(valid_bias + address); }
};

struct Fault {
  ReportKind kind = ReportKind::kOutOfBounds;
  uint32_t lane = 0;
  uint64_t address = 0;
  uint32_t bytes = 0;
  AccessSpace space = AccessSpace::kGlobal;
  bool write = false;
  const Limit* limit = nullptr;  // the variable whose bounds were left
  const char* text = nullptr;    // a fixed sentence, where there is no access
  uint32_t other_thread = 0;     // kRace: who made the earlier access
  bool other_wrote = false;
};

class DeviceMemory;
class SharedOrder;

struct ExecContext {
  uint8_t* bank[2] = {nullptr, nullptr};  // registers of the frame, constants
  const DecodedFunction* function = nullptr;

  uint32_t active = 0;  // lanes of the split
  uint32_t live = 0;    // lanes of the warp that have not exited
  uint32_t taken = 0;   // out: lanes whose guard held, where run() stops

  uint8_t* shared = nullptr;  // of address kSharedBase
  uint8_t* shared_valid = nullptr;
  uint32_t shared_end = 0;       // one past the last shared address
  SharedOrder* order = nullptr;  // of the block's shared accesses; null: not checked
  uint8_t* local = nullptr;      // of lane 0, address kLocalBase
  uint8_t* local_valid = nullptr;
  uint32_t local_stride = 0;  // bytes from lane to lane
  uint32_t local_begin = 0;   // of the frame
  uint32_t local_end = 0;     // one past the frame's last local address
  const uint8_t* parameters = nullptr;

  const uint32_t* thread_id[3] = {nullptr, nullptr, nullptr};  // 32 lanes
  uint32_t block_size[3] = {};
  uint32_t block_id[3] = {};
  uint32_t grid_size[3] = {};
  uint32_t warp_id = 0;
  uint32_t dynamic_shared = 0;
  uint32_t total_shared = 0;
  uint32_t multiprocessor = 0;
  uint32_t multiprocessors = 0;
  uint64_t grid_id = 0;

  SiteCache* sites = nullptr;
  DeviceMemory* memory = nullptr;
  Counters* counters = nullptr;
  uint64_t left = 0;    // warp-instructions until the scheduler wants control back
  uint64_t issued = 0;  // warp-instructions of the launch so far
  bool check_alignment = true;
  bool check_limits = true;
  bool check_uninitialized = true;
  bool count_traffic = true;

  bool faulted = false;
  Fault fault;
};

struct LaneEntry {
  const char* key;  // canonical spelling, e.g. "add.b32"
  LaneFn run;
};
struct LaneEntries {
  const LaneEntry* first;
  uint32_t count;
};

// One compilation of the handlers.
struct LaneSet {
  const char* name;
  RunFn run;
  LaneEntries groups[5];
};

// Slow paths that handlers call (memory.cpp). Fills `cache` with the live allocation that holds the whole of
// [address, address + bytes); false when there is none.
bool find_allocation(DeviceMemory& memory, uint64_t address, uint32_t bytes, SiteCache& cache);

// Notes an access to shared memory (shared_order.cpp). false: it conflicts with an earlier one, and x.fault says so.
bool order_shared(ExecContext& x, const Op& op, const uint64_t* address, uint32_t mask, bool reads, bool writes);
// The lanes of the warp have synchronised.
void order_warp(ExecContext& x);

}  // namespace tailor::virtual_device
