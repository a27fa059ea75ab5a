// The static configurations whose key spaces `tailor sweep` goes through: what serving models have, and what is odd.
//
// E.g. paged operations: pages of 16 and 64 tokens, 8 heads of 64, 80, 128 or 65 elements, one head of 576 (latent
// attention), all element sizes. Thread-safety: pure functions. Errors: none.
#pragma once

#include <vector>

#include "runtime/bucket/key_space.h"

namespace tailor::cli {

// Every configuration lies in the operation's domain.
std::vector<StaticConfiguration> sweep_configurations(OpId op, Arch arch, Emitter emitter, Lowering lowering);

}  // namespace tailor::cli
