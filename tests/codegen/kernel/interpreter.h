// The semantics of the lowered program, executed: an oracle that shares no code with either emitter. Threads run one
// after another, block by block; programs whose threads race are outside its use.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/kernel/ir.h"

namespace tailor::codegen::kernel::testing {

struct MemoryBlock {
  uint64_t address = 0;
  std::vector<uint8_t> bytes;
};

struct Launch {
  uint32_t grid = 1;                // blocks; threads per block are the program's
  std::vector<uint64_t> arguments;  // one per parameter, i32 in the low half
};

// Empty, or what went wrong: an access outside every block or below its alignment, a shift by the width or more, a loop
// beyond a million iterations in one thread.
std::string interpret(const Program& program, const Launch& launch, std::vector<MemoryBlock>& memory);

}  // namespace tailor::codegen::kernel::testing
