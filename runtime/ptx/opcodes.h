// The opcodes, and what the opcode table says of each: mnemonic, operand roles, legal words.
//
// Constant data; any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "runtime/ptx/opcode_table.h"
#include "runtime/ptx/suffixes.h"

namespace tailor::ptx {

enum class Opcode : uint16_t {
#define X(name, mnemonic, operands, words) name,
  TAILOR_PTX_OPCODES(X)
#undef X
      kCount
};

// One row of the table, as written there.
struct OpcodeInfo {
  std::string_view mnemonic;  // "cp.async.bulk"
  std::string_view operands;  // "dss?s"
  std::string_view words;     // "@rnd ftz !@arith"
};

const OpcodeInfo& info(Opcode opcode);
std::string_view to_string(Opcode opcode);  // its mnemonic

// What an instruction does with one of its operands. kUpdated: read and written.
enum class OperandRole : uint8_t { kWritten, kUpdated, kRead, kMemory, kTensor, kLabel, kBranchTable, kCall };

}  // namespace tailor::ptx
