// Control flow and liveness of one function.
//
// Pure functions of a parsed Function; results hold indices only. Any thread. No errors, except that liveness refuses
// (kUnsupported) functions whose bit sets would pass a size limit.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/ptx/module.h"
#include "tailor/status.h"

namespace tailor::ptx {

// A maximal run of instructions entered only at its top: [first, end) in layout order. Blocks tile the function.
struct BasicBlock {
  uint32_t first = 0;
  uint32_t end = 0;
  std::vector<uint32_t> successors;    // blocks, or ControlFlow::exit(); fall-through first
  std::vector<uint32_t> predecessors;  // blocks
  // The nearest block that every path from this one to the exit passes, other than itself: where lanes that diverged at
  // this block's branch join again. ControlFlow::exit() when only the function's end is common or no path ends.
  uint32_t post_dominator = 0;
};

struct ControlFlow {
  std::vector<BasicBlock> blocks;
  std::vector<uint32_t> block_of;  // by instruction

  uint32_t exit() const { return static_cast<uint32_t>(blocks.size()); }
  // Instruction index of the join point of a branch; instructions.size() when lanes join only at the end.
  uint32_t reconvergence(uint32_t instruction) const;
};

ControlFlow control_flow(const Function& function);

// True when nothing follows this instruction in its lane: unguarded ret, exit, trap or bra. (A guarded one falls
// through.)
bool ends_path(const Instruction& instruction);
// Instruction indices a branch may go to (bra, brx.idx); empty for others.
std::vector<uint32_t> branch_targets(const Function& function, const Instruction& instruction);

// The role of each operand of an instruction, from the opcode table. For call it is a single kCall: see call_operands.
std::span<const OperandRole> operand_roles(const Function& function, const Instruction& instruction);

// Registers read and written by one instruction, guard included among the reads. A guarded write also keeps the old
// value, so it counts as a read for liveness; reads() here lists only what the instruction itself reads.
struct RegisterUse {
  std::vector<uint32_t> reads;
  std::vector<uint32_t> writes;
};
RegisterUse register_use(const Function& function, const Instruction& instruction);

// For each register the span [first, last] of instruction indices over which its value may be needed, in layout order
// and closed over loops: two registers with disjoint spans can share a slot. first > last: never used.
struct LiveSpan {
  uint32_t first = kNoIndex;
  uint32_t last = 0;
  bool used() const { return first <= last; }
};

struct Liveness {
  std::vector<LiveSpan> spans;                 // by register
  std::vector<std::vector<uint32_t>> live_in;  // by block: sorted registers
};

Expected<Liveness> liveness(const Function& function, const ControlFlow& flow);

}  // namespace tailor::ptx
