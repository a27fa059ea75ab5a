// The decoded form of a kernel: what the interpreter runs. Made by decode.h, immutable afterwards.
//
// An operand is a *slot*: the byte offset of a 32-lane array in one of two banks, the frame's registers or the
// program's constants (kConstantBank set), so that no handler asks what kind of operand it has. Arrays are 32 × 4 bytes
// for values up to 32 bits (the bits above a 16-bit value are unspecified), 32 × 8 for 64 bits, 32 × 16 for 128; a
// predicate is one 32-bit lane mask.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/ptx/module.h"
#include "runtime/virtual_device/virtual_device.h"

namespace tailor::virtual_device {

struct ExecContext;
struct Op;
// Performs `op` for the lanes of `mask` (never 0). A memory handler may set ExecContext::fault instead.
using LaneFn = void (*)(ExecContext& x, const Op& op, uint32_t mask);

// Why a run of ops gave control back.
enum class Stop : uint8_t {
  kJoin,     // pc is the split's join
  kDiverge,  // a branch: ExecContext::taken go to the target, the rest fall through
  kSlow,     // the op at pc needs the scheduler; taken = lanes whose guard holds; it has been counted
  kQuantum,
  kFault,
};
// Runs ops from pc until something other than straight code happens. `join`: the op index to stop before.
using RunFn = Stop (*)(ExecContext& x, uint32_t& pc, uint32_t join);

inline constexpr uint32_t kConstantBank = 0x80000000u;
inline constexpr uint32_t kNoSlot = 0x7FFFFFFFu;  // a sink, or an operand that is absent

// Fixed points of the address space. Kernel parameters and functions have addresses of their own; shared and local
// addresses are 32-bit numbers, and windows of the generic space.
inline constexpr uint64_t kDeviceBase = 0x0000'9000'0000'0000;
inline constexpr uint64_t kParameterBase = 0x0000'9F00'0000'0000;
inline constexpr uint64_t kFunctionBase = 0x0000'9F10'0000'0000;  // + 16 × index in Module::functions
inline constexpr uint64_t kSharedWindow = 0x0000'9F20'0000'0000;
inline constexpr uint64_t kLocalWindow = 0x0000'9F30'0000'0000;
inline constexpr uint64_t kWindowBytes = uint64_t{1} << 32;
inline constexpr uint32_t kSharedBase = 0x400;  // the first 1 KiB is the system's on sm_90; null is never valid
inline constexpr uint32_t kLocalBase = 0x100;
inline constexpr uint32_t kLanes = 32;

// How the interpreter treats an op.
enum class OpKind : uint8_t {
  kLane,      // run()
  kHidden,    // run(), not counted: part of the instruction that follows
  kMemory,    // run(), then look for a fault
  kBranch,    // to `target`
  kWarp,      // run() once all lanes of the member mask (slot `mask`) have arrived
  kWarpSync,  // as kWarp without run()
  kBranchTable,
  kCall,
  kReturn,
  kExit,
  kBarrier,
  kYield,
  kTrap,
  kPrint,
  kAssert,
  kNothing,
};

enum class AddressKind : uint8_t { kImmediate, kRegister32, kRegister64 };
enum class AccessSpace : uint8_t { kGlobal, kShared, kLocal, kGeneric, kParameter };

// Flags of Op::flags.
inline constexpr uint8_t kFtz = 1;
inline constexpr uint8_t kSat = 2;
inline constexpr uint8_t kHasLimit = 4;  // memory: DecodedFunction::limits[op.limit] bounds the access
inline constexpr uint8_t kIsStore = 8;
inline constexpr uint8_t kStrong = 16;  // memory: volatile, relaxed, acquire, release or atomic

struct Op {
  LaneFn run = nullptr;
  int64_t offset = 0;  // added to the address
  uint32_t d = kNoSlot;
  uint32_t a = kNoSlot;
  uint32_t b = kNoSlot;
  uint32_t c = kNoSlot;
  uint32_t guard = kNoSlot;  // predicate slot
  uint32_t guard_flip = 0;   // ~0 for @!p
  uint32_t imm = 0;          // meaning is the handler's
  uint32_t aux = 0;          // first of this op's entries in Function::aux
  uint32_t target = 0;       // kBranch: op index
  uint32_t join = 0;         // divergent control: op index where lanes meet again, or kReturnPc
  uint32_t site = 0;         // memory: index of the allocation cache
  uint32_t limit = 0;
  uint32_t line = 0;
  uint32_t location_line = 0;
  uint16_t location_file = 0;
  uint8_t bytes = 0;  // memory: of one lane's access, all vector elements together
  uint8_t flags = 0;
  OpKind kind = OpKind::kLane;
  Class cls = Class::kOther;
  AddressKind address = AddressKind::kImmediate;
  AccessSpace space = AccessSpace::kGlobal;
};

// A join that lies at the function's end.
inline constexpr uint32_t kReturnPc = 0xFFFFFFFFu;

// An address range that an access through a named variable must stay in.
struct Limit {
  uint64_t begin = 0;
  uint64_t end = 0;  // 0 with `dynamic`: the end of the block's shared memory
  bool dynamic = false;
  std::string name;
};

// One argument or result of a call: `planes` arrays of 32 × 4 bytes at slot `to` (callee) and `from` (caller).
struct ParameterPlanes {
  uint32_t slot = 0;
  uint32_t planes = 0;
};

struct CallSite {
  uint32_t function = ptx::kNoIndex;  // in Program::functions; kNoIndex: indirect through slot Op::a
  std::vector<ParameterPlanes> arguments;
  std::vector<ParameterPlanes> results;
};

struct DecodedFunction {
  std::string name;
  uint32_t module_index = 0;
  std::vector<Op> ops;
  std::vector<uint32_t> aux;
  std::vector<Limit> limits;
  std::vector<CallSite> calls;
  std::vector<std::vector<uint32_t>> branch_tables;
  std::vector<ParameterPlanes> parameters;
  std::vector<ParameterPlanes> returns;
  uint32_t frame_bytes = 0;  // registers and call parameters
  uint32_t local_bytes = 0;  // .local variables of one thread
  uint32_t registers = 0;    // 32-bit registers, an upper estimate
};

// A named shared variable, for messages.
struct SharedVariable {
  std::string name;
  uint32_t begin = 0;
  uint32_t end = 0;
};

// One kernel with the functions it can reach. functions[0] is the entry.
struct Program {
  std::string name;
  RunFn run = nullptr;  // of the handlers that the ops point at
  std::vector<DecodedFunction> functions;
  std::vector<uint32_t> function_of_module_index;  // ptx::kNoIndex where not reachable
  std::vector<uint8_t> constants;                  // the constant bank
  std::vector<ptx::Parameter> parameters;
  std::vector<SharedVariable> shared_variables;
  uint64_t parameter_bytes = 0;
  uint32_t static_shared_bytes = 0;
  uint32_t dynamic_shared_offset = 0;  // from kSharedBase: where extern shared arrays begin
  uint32_t local_bytes = 0;            // of one thread over the deepest chain of calls
  uint32_t sites = 0;
  uint32_t registers = 0;
  uint32_t max_threads = 1024;
  std::array<uint32_t, 3> required_block{};  // .reqntid; zero: free
  bool clusters = false;
};

}  // namespace tailor::virtual_device
