// The semantics of the lowered program (codegen/kernel/ir.h), executed on the host: an oracle that shares no code with
// either emitter. Block by block, the threads of a block one instruction at a time; programs whose threads race in
// global memory are outside its use.
//
// Both forms of `interpret` return an empty string, or the first thing that went wrong and where: an access that its
// memory does not allow or below its alignment, a shift by the width or more, a thread that runs on and on, a read of
// shared memory that nobody wrote, two threads that touch a shared byte between two barriers and one writes, a barrier
// that not every thread of its block reaches.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "codegen/kernel/ir.h"

namespace tailor::codegen::kernel::testing {

struct MemoryBlock {
  uint64_t address = 0;
  std::vector<uint8_t> bytes{};
  bool writable = false;                 // by operand only
  uint64_t sparse_size = 0;              // when not 0: so many bytes, 0 but for those in `sparse`; `bytes` is empty
  std::map<uint64_t, uint8_t> sparse{};  // by offset

  uint64_t size() const { return sparse_size ? sparse_size : bytes.size(); }
  bool holds(uint64_t first, uint64_t count) const {  // addresses first … first + count - 1
    return first >= address && first - address <= size() && size() - (first - address) >= count;
  }
  void read(uint64_t offset, void* to, uint64_t count) const;
  void write(uint64_t offset, const void* from, uint64_t count);
};
using Memory = std::map<std::string, MemoryBlock>;  // by operand

struct Launch {
  uint32_t grid = 1;                // blocks; threads per block are the program's
  std::vector<uint64_t> arguments;  // one per parameter, i32 in the low half
  std::vector<uint32_t> blocks{};   // those that run, in this order; empty: all
  // By ValueId, or empty: values that must be the same in all threads of a block that reach their instruction together.
  std::vector<bool> uniform{};
  uint64_t most_steps = 4'000'000;  // instructions and iterations that any one thread may take
};

struct RunCounts {
  uint64_t instructions = 0;                    // executed by all threads, constants and terminators left out
  uint64_t loads = 0, stores = 0, atomics = 0;  // to global memory
  uint64_t shared_loads = 0, shared_stores = 0;
  uint64_t barriers = 0;  // per block
  uint64_t guarded = 0, guarded_off = 0;
  std::map<int, uint64_t> store_widths;
};

// Every access must lie inside the operand that it names. Stores and atomics need a writable one, read-only loads one
// that is not. Adds to `counts`.
std::string interpret(const Program& program, const Launch& launch, Memory& memory, RunCounts* counts = nullptr);

// Every access must lie inside some block.
std::string interpret(const Program& program, const Launch& launch, std::vector<MemoryBlock>& memory);

}  // namespace tailor::codegen::kernel::testing
