// Which values are the same in all threads of a block: the condition under which a barrier may stand in a branch.
//
// Example: of `%i = add %block, %tid`, `%p = cmp.ult %block, %n`, with %block = ctaid.x and %n a parameter, %p is
// uniform and %i is not: `if %p { barrier }` is met by every thread or by none.
//
// Conservative: a value that is called uniform is, at every time at which the threads of the block reach its
// instruction together. Constants, parameters, ctaid.x, nctaid.x and ntid.x are uniform; tid.x and laneid are not; a
// load is when it is read-only and its address and guard are; everything else is when all that it is made from is, the
// branches that choose it included.
//
// Thread-safety: a pure function.
#pragma once

#include <vector>

#include "codegen/kernel/ir.h"

namespace tailor::codegen::kernel {

// By ValueId. PRE: `verify` accepts the program but for its barriers.
std::vector<bool> uniform_values(const Program& program);

// A barrier that not every thread of the block is shown to reach, or null.
const Instruction* find_divergent_barrier(const Program& program);

}  // namespace tailor::codegen::kernel
