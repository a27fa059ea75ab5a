// Device memory: a table of allocations, each an object with its own host backing.
//
// Ownership: the table owns all backing except registered host memory. Threads: none; the device's mutex covers it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "runtime/virtual_device/context.h"

namespace tailor::virtual_device {

struct Allocation {
  uint64_t begin = 0;
  uint64_t bytes = 0;
  uint8_t* host = nullptr;
  uint8_t* valid = nullptr;  // one byte per byte, 1 = written; nullptr: not tracked
  std::string name;          // "allocation 3", "variable table", "kernel parameters"
  bool read_only = false;    // for kernels
  bool owned = true;         // by the table
  bool registered = false;   // memory of the caller: cuMemHostRegister
  bool module_variable = false;
  uint64_t end() const { return begin + bytes; }
};

class DeviceMemory {
 public:
  DeviceMemory() = default;
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  // A zeroed allocation of `bytes` > 0, 512-byte aligned, at least 512 bytes away from every other; nullptr when the
  // host has no address space left. An empty name gives "allocation <n>".
  const Allocation* allocate(uint64_t bytes, std::string name, bool track_valid);
  void mark_module_variable(uint64_t begin, bool read_only);
  // Makes host memory addressable at its own address (pinned memory, unified addressing).
  const Allocation* add_host(void* pointer, uint64_t bytes);
  // The same for memory of the caller below kDeviceBase, until remove(). nullptr when the range meets a live
  // allocation.
  const Allocation* register_host(void* pointer, uint64_t bytes, bool read_only);
  // Maps memory of the caller at a fixed device address until remove().
  void map_at(uint64_t address, uint8_t* host, uint64_t bytes, std::string name);
  // false when no live allocation begins there.
  bool remove(uint64_t begin);

  // The live allocation whose bytes include `address`, or nullptr.
  const Allocation* find(uint64_t address) const;
  // "4 bytes past the end of allocation 3 [0x…, 0x…) of 100 bytes", "in allocation 3, freed", …
  std::string describe(uint64_t address, uint64_t bytes) const;
  // True when the address lay in an allocation that was freed.
  bool was_freed(uint64_t address) const;
  void mark_valid(uint64_t address, uint64_t bytes);

  uint64_t bytes_in_use() const { return in_use_; }

 private:
  void release(Allocation& allocation);

  std::map<uint64_t, Allocation> live_;
  std::map<uint64_t, Allocation> freed_;  // without backing; the last kFreedKept
  uint64_t next_ = kDeviceBase;
  uint64_t count_ = 0;
  uint64_t in_use_ = 0;
};

}  // namespace tailor::virtual_device
