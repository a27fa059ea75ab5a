// The content-addressed store on disk: action key -> record and objects, verified on every read.
//
// What it is for: a compiled kernel outlives its process. The store knows nothing of kernels: a key is a canonical byte
// string, metadata is an opaque blob, an object is a named byte string. FORMAT.md has the grammar, the promises and
// what is not promised.
//
// The one rule for callers: no fault here fails a launch. A lookup answers with verified bytes of exactly this key or
// with a miss and its reason; a publish that fails costs the next process a compile, and the publisher keeps using the
// bytes it has in hand.
//
// Threads and processes: one Store may be used from any number of threads; any number of Stores and processes may share
// a root. No locks are held across calls. Readers never delete. Ownership: everything returned is a copy.
// Errors: Status, misses and VerifyReport; nothing throws, nothing aborts on what stands on the disk.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/file_system.h"
#include "tailor/status.h"

namespace tailor::cache {

// enumerator, printed name, meaning. In the order in which a lookup tests for them.
#define TAILOR_CACHE_MISS_REASONS(X)                                                                     \
  X(kNone, "none", "not a miss")                                                                         \
  X(kAbsent, "absent", "no action is stored under the key's digest")                                     \
  X(kIoError, "io_error", "the operating system refused a call; the detail has the errno")               \
  X(kUnsafeFile, "unsafe_file", "a link, not a regular file, of another owner, or writable by others")   \
  X(kOversized, "oversized", "larger than StoreOptions::max_file_bytes")                                 \
  X(kCorruptAction, "corrupt_action", "the action's bytes do not match their checksum or grammar")       \
  X(kVersion, "version", "an intact action of another format version")                                   \
  X(kKeyMismatch, "key_mismatch", "an intact action of another key: swapped, or a collision of digests") \
  X(kMissingObject, "missing_object", "the action is intact, an object it names is absent")              \
  X(kCorruptObject, "corrupt_object", "an object's size, digest or checksum is not what its action says")

enum class MissReason : uint8_t {
#define X(name, text, meaning) name,
  TAILOR_CACHE_MISS_REASONS(X)
#undef X
};

#define X(name, text, meaning) +1
constexpr size_t kMissReasonCount = 0 TAILOR_CACHE_MISS_REASONS(X);
#undef X

// "corrupt_action"; stable, used in telemetry and JSON.
std::string_view to_string(MissReason reason);

struct Object {
  std::string name;   // "cubin", "ptx"; unique within its record, not empty
  std::string bytes;  // not empty
};

// What a key maps to.
struct ActionRecord {
  std::string metadata;         // opaque: launch plan, recipes, premises
  std::string toolchain;        // what compiled it, for people: "LLVM 19.1.7, nvJitLink 12.8"
  uint32_t minimum_driver = 0;  // as cuDriverGetVersion counts: 12080; compared by the caller, not here
  std::vector<Object> objects;

  // The object of this name, or null.
  const Object* find(std::string_view name) const;
};

struct LookupResult {
  std::optional<ActionRecord> record;  // set on a hit only
  MissReason reason = MissReason::kNone;
  std::string detail;  // on a miss other than kAbsent: path, value, rule

  bool hit() const { return record.has_value(); }
};

struct StoreOptions {
  std::string root;                // absolute; created with mode 0700 if absent, missing parents too
  std::shared_ptr<FileSystem> fs;  // null: the real one

  // true: the root must belong to the effective user and give nobody else any access. false, for roots that ship with
  // an image: it may also belong to user 0 and be readable by others. Writable by others is refused either way.
  bool require_private = true;
  // Data and directories are synced before publish returns, so that entries survive power loss. Off, a torn entry is
  // found by its checksum and costs a compile.
  bool durable = false;
  // Larger files are neither read nor published; the bound is tested before memory is allocated.
  uint64_t max_file_bytes = uint64_t{1} << 30;

  // For tests only: digests keep this many leading bits, so that collisions happen.
  int digest_bits = 128;
};

struct Counters {
  uint64_t hits = 0;
  uint64_t bytes_read = 0;                          // of actions and objects that verified
  std::array<uint64_t, kMissReasonCount> misses{};  // by MissReason
  uint64_t publishes = 0;                           // that succeeded
  uint64_t publish_failures = 0;
  uint64_t objects_shared = 0;    // objects that a publish found in place with equal bytes
  uint64_t objects_repaired = 0;  // objects that a publish found in place with other bytes, and replaced
  std::vector<std::pair<int, uint64_t>> io_errors;  // (errno, count), counts > 0 only
};

struct ObjectInfo {
  std::string name;
  uint64_t size = 0;   // bytes
  std::string digest;  // 32 hex digits, the file's name
};

struct EntryInfo {
  std::string key;
  std::string digest;      // 32 hex digits, the file's name
  uint64_t bytes = 0;      // of the action file; objects may be shared and are not counted
  double age_seconds = 0;  // since published, or since a hit that came more than an hour after the last stamp
  std::string toolchain;
  uint32_t minimum_driver = 0;
  std::vector<ObjectInfo> objects;
};

struct StoreStat {
  uint64_t actions = 0, action_bytes = 0;
  uint64_t objects = 0, object_bytes = 0;
  uint64_t tmp_files = 0, tmp_bytes = 0;  // being written, or left by a writer that was killed
  uint64_t disk_bytes = 0;                // allocated for the files above, as du counts
};

struct Problem {
  std::string path;  // relative to the root
  MissReason reason = MissReason::kNone;
  std::string message;
};

struct VerifyReport {
  StoreStat stat;
  uint64_t intact_actions = 0;  // record and every object it names verified
  uint64_t intact_objects = 0;
  uint64_t unreferenced_objects = 0;    // intact, named by no intact action: harmless
  std::vector<std::string> unexpected;  // paths of files that no store writes: never read, harmless
  std::vector<Problem> problems;        // empty: every entry that is there is right
};

class Store {
 public:
  // Opens, and creates if absent, the root; removes at most a bounded number of temporary files older than one hour;
  // looks at no entry. A root that cannot be used gives a Status that says why and what to do (kInvalidArgument: the
  // path; kUnavailable: owner, mode or kind; kIo: the errno); the caller then runs without this tier.
  // A valid root that cannot be written opens, serves hits, and refuses publishes.
  static Expected<std::unique_ptr<Store>> open(StoreOptions options);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // The record of exactly this key with its objects, each verified, or a miss with its reason. If `only_object` is not
  // empty, that object alone is read and returned (a cubin without its PTX); kMissingObject if the record has none.
  LookupResult lookup(std::string_view key, std::string_view only_object = {});

  // Makes the record visible to all readers at once: objects first, then the action; replaces what stands under the
  // key, intact or not. kInvalidArgument: empty key, no object name, a name twice, an empty object, over
  // max_file_bytes. kIo: not stored; the message has the path and the errno, and nothing else changes for the caller.
  Status publish(std::string_view key, const ActionRecord& record);

  // Intact actions in the order of their digests; objects are named, not read. What is not intact is left out: see
  // verify().
  Expected<std::vector<EntryInfo>> list();
  // Walks names and sizes.
  Expected<StoreStat> stat();
  // Reads everything. Entries that appear or are replaced meanwhile are not problems.
  Expected<VerifyReport> verify();

  Counters counters() const;
  const std::string& root() const;
  // True once the system has said that the root cannot be written; publishes are then refused without a system call.
  bool read_only() const;

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// "<xdg_cache_home>/tailor", else "<home>/.cache/tailor". The XDG specification has relative paths ignored; with
// neither absolute, kUnavailable and what to do. Pass the values of XDG_CACHE_HOME and HOME, empty where unset.
Expected<std::string> default_root(const std::string& xdg_cache_home, const std::string& home);

}  // namespace tailor::cache
