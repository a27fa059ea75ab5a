// Static configurations of every operation that mix what its code may depend on, and samples of their keys.
//
// Thread-safety: pure functions.
#pragma once

#include <vector>

#include "runtime/bucket/key.h"
#include "runtime/bucket/key_space.h"

namespace tailor::test {

std::vector<StaticConfiguration> configurations(OpId op, Arch arch, Emitter emitter, Lowering lowering);

// Some `count` keys, evenly spread over those of all configurations.
std::vector<Key> sample_keys(OpId op, Arch arch, Emitter emitter, Lowering lowering, size_t count);

}  // namespace tailor::test
