// The virtual device: a CUDA driver table whose kernels are executed from their PTX, checked and counted on the host.
//
// It is an oracle and a counter, not a fast device. Accepted images: PTX text (a cubin or fatbin is
// CUDA_ERROR_NO_BINARY_FOR_GPU). An instruction that it does not execute is refused at cuLibraryLoadData, never
// skipped. Everything is deterministic: launches run to completion on the calling thread, in one fixed order of warps.
// Memory: device addresses lie outside the host's address range; each allocation is an object of its own with red
// zones, backed lazily, so that a large one costs what is touched. Addresses are not reused, so a use after free is
// seen. Ownership: the device lives until the process ends; all results below are copies. Threads: every function may
// be called from any thread; one mutex covers the device, launches included. Errors: a failed check stops the launch
// before the access is made; cuLaunchKernelEx returns the driver's own code (CUDA_ERROR_ILLEGAL_ADDRESS,
// CUDA_ERROR_MISALIGNED_ADDRESS, …) and a Report says what happened. Unlike on a GPU, the context stays usable
// afterwards.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/driver/driver.h"

#define TAILOR_VIRTUAL_API __attribute__((visibility("default")))

namespace tailor::virtual_device {

struct Options {
  // An address that lies in no live allocation is always an error, since it names no memory. This one adds: an access
  // made through a named shared variable stays inside that variable.
  bool check_bounds = true;
  bool check_alignment = true;
  // Two threads of a block touch the same byte of shared memory, one of them writes, and no barrier orders them
  // (shared_order.h says what else does).
  bool check_races = true;
  // Reads of shared and local bytes that no lane has written.
  bool check_uninitialized = true;
  // Reads of global bytes that neither host nor kernel has written. Covers allocations made while it is on.
  bool check_uninitialized_global = false;
  // false: a launch is validated and returns success without running (for benches of launch overhead).
  bool execute = true;
  // Memory traffic counters (requests, sectors, wavefronts). Instruction counters are always on.
  bool count_traffic = true;
  // Libraries loaded while it is on use the handlers compiled for every machine of the architecture, as on a machine
  // without the instruction sets that the faster ones need. Results are the same.
  bool portable_lanes = false;
  // printf text also goes to the process's standard output.
  bool echo_output = false;
  // Warp-instructions after which a launch is stopped as runaway.
  uint64_t instruction_budget = uint64_t{1} << 32;
  // Reports kept; later ones are dropped (and counted in Counters::dropped_reports).
  uint32_t report_limit = 64;
  uint32_t multiprocessors = 132;
  uint32_t compute_major = 9;
  uint32_t compute_minor = 0;
  uint64_t memory_bytes = uint64_t{80} << 30;
};

// Instruction classes: X(enumerator, name, what belongs to it). Generic accesses are counted under the space that their
// first active lane resolved to. Register-like .param accesses of calls are kParam.
#define TAILOR_VIRTUAL_CLASSES(X)                                                  \
  X(kInteger, "integer", "integer arithmetic, logic and shifts")                   \
  X(kFloat, "float", "floating-point arithmetic")                                  \
  X(kConvert, "convert", "cvt, cvta")                                              \
  X(kMove, "move", "mov, selp, slct, prmt and packing")                            \
  X(kPredicate, "predicate", "setp, set, testp, isspacep and logic on predicates") \
  X(kBranch, "branch", "bra, brx, call, ret, exit")                                \
  X(kGlobalLoad, "global_load", "ld from global or constant memory, cp.async")     \
  X(kGlobalStore, "global_store", "st to global memory")                           \
  X(kSharedLoad, "shared_load", "ld from shared memory")                           \
  X(kSharedStore, "shared_store", "st to shared memory")                           \
  X(kLocalLoad, "local_load", "ld from local memory")                              \
  X(kLocalStore, "local_store", "st to local memory")                              \
  X(kParam, "param", "ld and st in parameter space")                               \
  X(kAtomic, "atomic", "atom and red")                                             \
  X(kBarrier, "barrier", "bar, barrier, membar, fence, cp.async groups")           \
  X(kWarp, "warp", "shfl, vote, match, redux, elect, activemask, bar.warp.sync")   \
  X(kOther, "other", "nanosleep, prefetch, trap, printf and what has no effect here")

enum class Class : uint8_t {
#define X(name, text, meaning) name,
  TAILOR_VIRTUAL_CLASSES(X)
#undef X
      kCount
};
inline constexpr size_t kClassCount = static_cast<size_t>(Class::kCount);
TAILOR_VIRTUAL_API std::string_view to_string(Class value);

// One kind of global access. A request is one warp-instruction with at least one lane that performs it.
struct GlobalTraffic {
  uint64_t requests = 0;
  uint64_t sectors = 0;  // distinct 32-byte aligned sectors of each request, summed over requests
  uint64_t lines = 0;    // distinct 128-byte aligned lines of each request, summed
  uint64_t bytes = 0;    // lanes × bytes per lane; overlaps between lanes count each time
  bool operator==(const GlobalTraffic&) const = default;
};

// One kind of shared access. Wavefronts of a request: 32 banks of 4 bytes; the 32 lanes are served in groups of 32 (up
// to 4 bytes per lane), 16 (8 bytes) or 8 (16 bytes); a group takes as many wavefronts as the bank with most distinct
// 4-byte words in it (the same word for several lanes is one), a group without lanes takes none.
struct SharedTraffic {
  uint64_t requests = 0;
  uint64_t wavefronts = 0;
  uint64_t bytes = 0;
  uint64_t conflicts = 0;  // wavefronts beyond the first of each group: 0 where no bank serves two words
  bool operator==(const SharedTraffic&) const = default;
};

// Counts of PTX, not of machine instructions: for comparing one kernel with another, not for predicting a profiler.
// With W = Σ warp_instructions:  32·W = Σ thread_instructions + predicated_off_lanes + inactive_lanes.
struct Counters {
  std::array<uint64_t, kClassCount> warp_instructions{};    // issued by a warp for a set of converged lanes
  std::array<uint64_t, kClassCount> thread_instructions{};  // lanes that performed them; branches: all active lanes
  uint64_t predicated_off_lanes = 0;  // active lanes of a guarded instruction (not a branch) whose guard was false
  uint64_t inactive_lanes = 0;        // lanes of the warp outside the converged set (diverged, exited or never started)
  uint64_t divergent_branches = 0;    // bra, brx, indirect call or guarded ret that parted the converged set
  GlobalTraffic global_load;          // constant memory included
  GlobalTraffic global_store;
  GlobalTraffic global_atomic;
  SharedTraffic shared_load;
  SharedTraffic shared_store;
  SharedTraffic shared_atomic;
  uint64_t launches = 0;
  uint64_t blocks = 0;
  uint64_t warps = 0;
  uint64_t dropped_reports = 0;

  TAILOR_VIRTUAL_API uint64_t total_warp_instructions() const;
  TAILOR_VIRTUAL_API uint64_t total_thread_instructions() const;
  bool operator==(const Counters&) const = default;
};
TAILOR_VIRTUAL_API Counters& operator+=(Counters& into, const Counters& more);
// One "name value" line per non-zero counter.
TAILOR_VIRTUAL_API std::string to_string(const Counters& counters);

// Kinds of report: X(enumerator, name, driver result of the launch or call that it stops).
#define TAILOR_VIRTUAL_REPORTS(X)                                        \
  X(kOutOfBounds, "out_of_bounds", CUDA_ERROR_ILLEGAL_ADDRESS)           \
  X(kUseAfterFree, "use_after_free", CUDA_ERROR_ILLEGAL_ADDRESS)         \
  X(kReadOnly, "read_only", CUDA_ERROR_ILLEGAL_ADDRESS)                  \
  X(kMisaligned, "misaligned", CUDA_ERROR_MISALIGNED_ADDRESS)            \
  X(kUninitialized, "uninitialized", CUDA_ERROR_ILLEGAL_ADDRESS)         \
  X(kAddressSpace, "address_space", CUDA_ERROR_INVALID_ADDRESS_SPACE)    \
  X(kRace, "race", CUDA_ERROR_LAUNCH_FAILED)                             \
  X(kStackOverflow, "stack_overflow", CUDA_ERROR_HARDWARE_STACK_ERROR)   \
  X(kBadCall, "bad_call", CUDA_ERROR_INVALID_PC)                         \
  X(kSynchronization, "synchronization", CUDA_ERROR_ILLEGAL_INSTRUCTION) \
  X(kDeadlock, "deadlock", CUDA_ERROR_LAUNCH_TIMEOUT)                    \
  X(kRunaway, "runaway", CUDA_ERROR_LAUNCH_TIMEOUT)                      \
  X(kTrap, "trap", CUDA_ERROR_LAUNCH_FAILED)                             \
  X(kAssert, "assert", CUDA_ERROR_ASSERT)                                \
  X(kInvalidPtx, "invalid_ptx", CUDA_ERROR_INVALID_PTX)                  \
  X(kUnsupportedPtx, "unsupported_ptx", CUDA_ERROR_INVALID_PTX)          \
  X(kWrongTarget, "wrong_target", CUDA_ERROR_NO_BINARY_FOR_GPU)          \
  X(kInvalidLaunch, "invalid_launch", CUDA_ERROR_INVALID_VALUE)          \
  X(kHostAccess, "host_access", CUDA_ERROR_INVALID_VALUE)

enum class ReportKind : uint8_t {
#define X(name, text, result) name,
  TAILOR_VIRTUAL_REPORTS(X)
#undef X
};
TAILOR_VIRTUAL_API std::string_view to_string(ReportKind kind);

struct Report {
  ReportKind kind = ReportKind::kOutOfBounds;
  std::string kernel;                // empty for host calls
  std::array<uint32_t, 3> block{};   // %ctaid
  std::array<uint32_t, 3> thread{};  // %tid of the first lane that failed
  uint32_t ptx_line = 0;             // 1-based line in the PTX text; 0: none
  uint32_t location_file = 0;        // the .loc in force (Tailor's emitters put the access id in its line); 0: none
  uint32_t location_line = 0;
  uint64_t address = 0;  // in the space that the message names
  uint32_t bytes = 0;    // per lane; 0 when no access is concerned
  std::string message;  // the thing, its value and the rule, e.g. "4-byte global load at 0x… is 4 bytes past the end …"
};
// "out_of_bounds: kernel k, block (0,0,0), thread (5,0,0), PTX line 12, loc 1:7: …"
TAILOR_VIRTUAL_API std::string to_string(const Report& report);

struct LaunchRecord {
  std::string kernel;
  std::array<uint32_t, 3> grid{};
  std::array<uint32_t, 3> block{};
  uint32_t dynamic_shared_bytes = 0;
  Counters counters;  // of this launch alone; of what ran before the stop, if it failed
};

// The table that open_virtual_driver() hands out. Never null.
TAILOR_VIRTUAL_API const DriverTable* driver_table();

TAILOR_VIRTUAL_API Options options();
// Takes effect for the next call. Lowering report_limit drops no report already kept.
TAILOR_VIRTUAL_API void set_options(const Options& options);

// Sums over all launches since the process began or the last reset.
TAILOR_VIRTUAL_API Counters counters();
TAILOR_VIRTUAL_API void reset_counters();
TAILOR_VIRTUAL_API std::optional<LaunchRecord> last_launch();

// Reports since the last call, oldest first.
TAILOR_VIRTUAL_API std::vector<Report> take_reports();
// What kernels printed since the last call.
TAILOR_VIRTUAL_API std::string take_output();

}  // namespace tailor::virtual_device

// Entry for dlopen: nullptr when the caller's table has another size than ours.
extern "C" TAILOR_VIRTUAL_API const tailor::DriverTable* tailor_virtual_driver_table(size_t table_bytes);
