// The Runtime: launches operations on one device, with a kernel cut to each problem's bucket.
//
//   auto runtime = tailor::Runtime::open({.device = "cuda", .cache_root = "/var/cache/me/tailor"});
//   if (!runtime.ok()) …
//   tailor::Status s = (*runtime)->launch(tailor::PagedGather{…}, {.stream = stream});
//
// The first launch of a key looks in the disk cache and otherwise generates and compiles; later ones find the kernel in
// a table without a lock, an allocation or a write to a shared cache line. Faults of the cache cost a compile and never
// fail a launch.
//
// Ownership: the Runtime retains the device's primary context and owns every kernel it loaded until it is destroyed,
// which must not happen while launches are in flight. Operands stay the caller's. Threads: every member may be called
// from any thread; one compile per key runs however many threads ask for it, and the others wait for it. After fork the
// child must open a Runtime of its own: the parent's answers with a Status. Errors: see each member; nothing throws.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tailor/ops.h"
#include "tailor/status.h"
#include "tailor/types.h"

namespace tailor {

// Where a launch's kernel came from: name, text, meaning.
#define TAILOR_TIERS(X)                                     \
  X(kMemory, "memory", "the table of this Runtime")         \
  X(kDisk, "disk", "the disk cache, verified, then loaded") \
  X(kCompiled, "compiled", "generated and compiled for this launch")

enum class Tier : uint8_t {
#define X(name, text, meaning) name,
  TAILOR_TIERS(X)
#undef X
};

// Why the disk cache did not serve a kernel that was not in memory: name, text, meaning. kAbsent … kCorruptObject are
// the store's own (cache/store.h).
#define TAILOR_MISS_REASONS(X)                                                                            \
  X(kNone, "none", "not a miss")                                                                          \
  X(kNoDiskTier, "no_disk_tier", "the Runtime has no usable disk cache")                                  \
  X(kAbsent, "absent", "no action is stored under the key")                                               \
  X(kIoError, "io_error", "the operating system refused a call")                                          \
  X(kUnsafeFile, "unsafe_file", "a link, not a regular file, of another owner, or writable by others")    \
  X(kOversized, "oversized", "larger than the store's limit")                                             \
  X(kCorruptAction, "corrupt_action", "the action's bytes do not match their checksum or grammar")        \
  X(kVersion, "version", "an intact action of another format version")                                    \
  X(kKeyMismatch, "key_mismatch", "an intact action of another key")                                      \
  X(kMissingObject, "missing_object", "an object that the action names is absent")                        \
  X(kCorruptObject, "corrupt_object", "an object is not what its action says")                            \
  X(kBadMetadata, "bad_metadata", "the stored launch plan does not decode, or belongs to another kernel") \
  X(kPremises, "premises", "the stored premises do not follow from the key")                              \
  X(kLoadRefused, "load_refused", "the driver refused every stored image")                                \
  X(kNoCubin, "no_cubin", "the stored kernel has PTX only, and a cubin can be made now")                  \
  X(kNewerDriver, "newer_driver", "the stored cubin is of a toolkit that needs a newer driver than this one")

enum class MissReason : uint8_t {
#define X(name, text, meaning) name,
  TAILOR_MISS_REASONS(X)
#undef X
};

// What went differently from the plain way, without failing the launch: name, text, meaning.
#define TAILOR_FALLBACKS(X)                                                                               \
  X(kNone, "none", "nothing")                                                                             \
  X(kPtxOnly, "ptx_only", "no cubin could be made or was stored: the driver compiled the PTX")            \
  X(kCubinRefused, "cubin_refused", "the driver refused the cubin: it compiled the PTX")                  \
  X(kOtherGenerator, "other_generator", "the code generator is of another build: keys follow its digest") \
  X(kPublishFailed, "publish_failed", "the kernel could not be stored: the next process compiles again")  \
  X(kUnlearned, "unlearned", "no kernel could be made for a learned remainder: one with guards served")   \
  X(kProofUnknown, "proof_unknown", "not all was proved of the key's kernel: the generic one, or it as it is")

enum class Fallback : uint8_t {
#define X(name, text, meaning) name,
  TAILOR_FALLBACKS(X)
#undef X
};

#define X(name, text, meaning) \
  case Enum::name:             \
    return text;
constexpr std::string_view to_string(Tier value) {
  using Enum = Tier;
  switch (value) { TAILOR_TIERS(X) }
  return "unknown";
}
constexpr std::string_view to_string(MissReason value) {
  using Enum = MissReason;
  switch (value) { TAILOR_MISS_REASONS(X) }
  return "unknown";
}
constexpr std::string_view to_string(Fallback value) {
  using Enum = Fallback;
  switch (value) { TAILOR_FALLBACKS(X) }
  return "unknown";
}
#undef X
#define X(name, text, meaning) +1
inline constexpr size_t kTierCount = 0 TAILOR_TIERS(X);
inline constexpr size_t kMissReasonCount = 0 TAILOR_MISS_REASONS(X);
inline constexpr size_t kFallbackCount = 0 TAILOR_FALLBACKS(X);
#undef X

// Some of the fallbacks, one bit each. To list them: kFallbackCount values, each with contains() and to_string().
class FallbackSet {
 public:
  constexpr FallbackSet() = default;
  constexpr FallbackSet(Fallback fallback) { add(fallback); }
  constexpr void add(Fallback fallback) { bits_ |= bit(fallback); }  // kNone adds nothing
  constexpr bool contains(Fallback fallback) const { return (bits_ & bit(fallback)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  friend constexpr bool operator==(FallbackSet, FallbackSet) = default;

 private:
  static constexpr uint32_t bit(Fallback fallback) {
    return fallback == Fallback::kNone ? 0 : uint32_t{1} << static_cast<int>(fallback);
  }
  uint32_t bits_ = 0;
};
static_assert(kFallbackCount <= 32);

// A fallback and its cause in words.
struct FallbackNote {
  Fallback fallback = Fallback::kNone;
  std::string detail;
};

using NamedMilliseconds = std::vector<std::pair<std::string, double>>;
using NamedCounts = std::vector<std::pair<std::string, uint64_t>>;

struct RuntimeOptions {
  std::string device = "cuda";  // "cuda" or "virtual"; neither stands in for the other
  int ordinal = 0;
  std::string virtual_library = {};  // path of libtailor_virtual.so; empty: beside libtailor, then the loader's path

  std::optional<Arch> arch = std::nullopt;  // default: sm_90a on compute capability 9.0, else sm_80
  Emitter emitter = Emitter::kLlvm;
  Lowering lowering = Lowering::kTail;

  std::string cache_root = {};  // absolute; empty: no disk cache
  bool cache_read_only = false;
  bool cache_durable = false;  // sync before a publish returns

  std::string codegen_library = {};  // empty: libtailor_codegen.so beside libtailor, then the loader's path
  std::vector<std::string> library_folders = {};  // where NVRTC and nvJitLink are looked for first
  bool require_cubin = false;  // a kernel without cubin (nvJitLink missing) is an error, not a fallback

  std::string telemetry_path = {};  // JSON lines, appended; empty: off

  // A copy whose extents leave an unusual remainder is served by a kernel with guards, until about this many launches
  // had that remainder: then it gets a kernel of its own. 0: never.
  uint32_t learn_residues_after = 64;
};

// How one launch was served. Filling it costs allocations; leave LaunchOptions::info null on a hot path.
struct LaunchInfo {
  std::string key;        // printed form
  bool launched = false;  // false: validated, and there was nothing to move
  Tier tier = Tier::kMemory;
  MissReason miss_reason = MissReason::kNone;
  std::string miss_detail;
  // On a miss, the fields of the key whose value no earlier key of this Runtime had ("head_dim", "arch+emitter"),
  // "combination" if each value had been seen, "first" for the first key.
  std::string new_component;
  FallbackSet fallbacks;
  std::vector<FallbackNote> fallback_notes;  // one of each of `fallbacks`, in the order in which they happened
  NamedMilliseconds phases;                  // in the order they ran; empty on a hit
};

struct LaunchOptions {
  void* stream = nullptr;  // CUstream
  std::optional<Arch> arch = std::nullopt;
  std::optional<Emitter> emitter = std::nullopt;
  std::optional<Lowering> lowering = std::nullopt;
  LaunchInfo* info = nullptr;
};

struct RuntimeStats {
  uint64_t launches = 0;        // that reached the driver, or found nothing to move
  uint64_t empty_launches = 0;  // of these: nothing to move
  uint64_t failed_launches = 0;
  std::array<uint64_t, kTierCount> launches_by_tier{};  // by Tier
  std::array<uint64_t, kMissReasonCount> misses{};      // keys that disk did not serve, by MissReason
  std::array<uint64_t, kFallbackCount> fallbacks{};     // by Fallback: keys that had it
  NamedCounts new_components;                           // see LaunchInfo::new_component
  uint64_t distinct_keys = 0;
  uint64_t kernels_compiled = 0;
  uint64_t texts_shared = 0;   // keys whose emitted text had been compiled before, here or by an earlier process
  NamedMilliseconds phase_ms;  // summed over misses: "derive", "emit", "nvjitlink", "load" …
  std::vector<std::pair<int, uint64_t>> cache_io_errors;  // (errno, count)
  uint64_t lost_events = 0;                               // telemetry lines that the file did not take
};

class Runtime {
 public:
  // Opens the device, its primary context and, if asked for, the disk cache. A cache that cannot be used is not an
  // error: see cache_status(). Code generation is not loaded before the first miss.
  // Errors: kInvalidArgument (device name, ordinal), kUnavailable (driver), kDriver, kUnsupported (compute capability).
  static Expected<std::unique_ptr<Runtime>> open(const RuntimeOptions& options);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Validates, finds the kernel and enqueues it on the stream. Returns when the driver has accepted the launch; the
  // work is asynchronous as any kernel launch.
  // Errors: kInvalidArgument (operands: nothing was launched), kUnsupported (architecture on this device; PTX to be
  // compiled while the stream is capturing), kUnavailable (a miss and no code generator: what to install), kCompiler,
  // kDriver, kInternal.
  //
  // warm is the same without the launch: afterwards a launch of the same key is a hit. For use before capture or
  // serving.
#define X(name, Operands)                                                     \
  Status launch(const Operands& operands, const LaunchOptions& options = {}); \
  Status warm(const Operands& operands, const LaunchOptions& options = {});
  TAILOR_OPERANDS(X)
#undef X

  // Counters since open; a sum over threads that are not stopped for it.
  RuntimeStats stats() const;
  Arch arch() const;                // what a launch without an override is compiled for
  std::string_view device() const;  // "cuda" or "virtual"
  // Why the disk cache that was asked for is not used; ok if it is, or none was asked for.
  Status cache_status() const;

 private:
  struct Impl;
  friend struct RuntimeAccess;
  explicit Runtime(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tailor
