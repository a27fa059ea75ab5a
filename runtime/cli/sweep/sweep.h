// Emits whole key spaces and compiles each distinct text once: is there a kernel for every key that a launch can have?
//
// For every key: the text, whose premises must follow from the key's facts (as they must when the image is loaded); for
// every text that no key before had: PTX and cubin. A key fails if any of that fails; the others are gone through all
// the same. Keys, and of which texts and cubins there are how many, do not depend on the number of threads.
//
// Ownership: the generator must outlive the call. Thread-safety: sweep() starts `jobs` threads of its own. Errors: in
// the result, per key.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/bucket/key.h"
#include "runtime/ops/kernel_generator.h"
#include "tailor/status.h"

namespace tailor::cli {

// Keys of one operation, architecture and emitter.
struct SweepGroup {
  OpId op{};
  Arch arch{};
  Emitter emitter{};
  std::vector<Key> keys;
};

// The key spaces of all configurations of the group, without repetition, in a fixed order; at most `limit` keys if that
// is not 0: a sample that is spread over the space and the same each time. kInternal if a configuration is refused.
Expected<SweepGroup> sweep_group(OpId op, Arch arch, Emitter emitter, Lowering lowering, int64_t limit);

struct SweepFailure {
  Key key;
  std::string stage;  // "emit", "premises" or "compile"
  Status status;
};

struct SweepResult {
  int64_t keys = 0;
  int64_t distinct_texts = 0;
  int64_t distinct_cubins = 0;         // 0 if nothing was compiled
  int64_t unproved = 0;                // keys of which something could not be proved
  std::string first_unproved;          // of the first of them: the key, and what
  std::vector<SweepFailure> failures;  // in the order of the keys
  double seconds = 0;                  // wall clock
};

// Of a hundred keys at most two may have something that is not proved.
constexpr bool too_many_unproved(int64_t unproved, int64_t keys) { return 50 * unproved > keys; }

// Calls `progress` with the number of keys done, from one thread at a time.
SweepResult sweep(const SweepGroup& group, KernelGenerator& generator, bool compile, int jobs,
                  const std::function<void(int64_t done)>& progress);

}  // namespace tailor::cli
