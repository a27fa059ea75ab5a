// The one virtual device of the process: its state, and loading of libraries. The driver functions are in
// driver_functions.cpp.
//
// The device is created on first use and never destroyed, so that handles stay valid in static destructors. `mutex`
// covers everything in it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtime/virtual_device/memory.h"
#include "runtime/virtual_device/program.h"

namespace tailor::virtual_device {

struct Library;

// CUkernel and CUfunction both point at one of these.
struct Kernel {
  Program program;
  Library* library = nullptr;
  uint32_t max_dynamic_shared = 0;  // what cuFuncSetAttribute allowed; 48 KiB less the static part at first
  uint32_t ptx_version = 0;         // 83 for 8.3
};

struct Library {
  std::vector<std::unique_ptr<Kernel>> kernels;
  std::unordered_map<std::string, uint64_t> variables;  // .global and .const by name
};

struct Event {
  bool recorded = false;
  bool timed = true;
  std::chrono::steady_clock::time_point time;
};

struct Device {
  std::mutex mutex;
  Options options;
  DeviceMemory memory;
  Counters counters;
  std::vector<Report> reports;
  std::string output;
  std::optional<LaunchRecord> last_launch;
  std::unordered_map<const void*, std::unique_ptr<Library>> libraries;
  std::unordered_set<const void*> kernels;
  std::unordered_set<const void*> streams;
  std::unordered_map<const void*, std::unique_ptr<Event>> events;
  std::vector<uint8_t> parameters;  // of the launch in progress
  uint64_t launches = 0;
  uint64_t loads = 0;
  int retained = 0;  // of the primary context

  void report(Report r);
};

Device& device();

// The limits of an architecture ("CUDA C++ Programming Guide", compute capabilities).
struct Architecture {
  uint32_t threads_per_multiprocessor;
  uint32_t blocks_per_multiprocessor;
  uint32_t shared_per_multiprocessor;
  uint32_t shared_per_block_optin;
  uint32_t l2_bytes;
};
Architecture architecture(const Options& options);
inline constexpr uint32_t kSharedPerBlock = 48 << 10;
inline constexpr uint32_t kSharedReserved = 1 << 10;
inline constexpr uint32_t kRegistersPerMultiprocessor = 65536;

// Blocks of `threads` with `dynamic_shared` bytes that one multiprocessor holds; 0 when not even one fits.
uint32_t occupancy(const Options& options, const Program& program, uint32_t threads, uint32_t dynamic_shared);

// Loads PTX text: allocates and initialises its variables, decodes its kernels. On failure a Report's kind and message.
struct LoadFailure {
  ReportKind kind = ReportKind::kInvalidPtx;
  std::string message;
};
std::optional<LoadFailure> load_library(Device& device, std::string_view text, std::unique_ptr<Library>& out);
void unload_library(Device& device, const Library& library);

}  // namespace tailor::virtual_device
