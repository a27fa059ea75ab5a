// The decoder's own parts: what is common to a kernel's functions, and the decoding of one function.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "runtime/ptx/analysis.h"
#include "runtime/ptx/module.h"
#include "runtime/virtual_device/lane_set.h"
#include "runtime/virtual_device/program.h"
#include "tailor/status.h"

namespace tailor::virtual_device {

// The class of a slot's array.
enum class Width : uint8_t { kPredicate, k32, k64, k128 };
Width width_of(ptx::Type type);
uint32_t slot_bytes(Width width);

// What all functions of a kernel share.
struct DecodeContext {
  const ptx::Module& module;
  const std::vector<uint64_t>& addresses;
  const LaneTable& lanes;
  uint32_t kernel;
  Program program;
  std::vector<uint64_t> shared_module;  // address of each shared module variable; 0: unused
  std::map<std::pair<uint32_t, uint32_t>, uint64_t> shared_function;  // (function, variable) → address
  std::map<std::pair<Width, uint64_t>, uint32_t> constants;           // → slot

  uint32_t constant(Width width, uint64_t bits);
  // The shared variable that a symbol of function `f` names, or nullptr.
  const ptx::Variable* shared_variable(uint32_t f, const ptx::SymbolRef& symbol, uint64_t* address) const;
};

class FunctionDecoder {
 public:
  FunctionDecoder(DecodeContext& context, uint32_t function);
  Status decode(DecodedFunction& out);

 private:
  using Instruction = ptx::Instruction;
  using Operand = ptx::Operand;
  using Modifier = ptx::Modifier;

  // decode_function.cpp
  void place_registers();
  void place_parameters();
  void find_provenance();
  Status decode_instruction(const Instruction& i);
  Status decode_control(const Instruction& i);
  Status decode_call(const Instruction& i);
  Status decode_barrier(const Instruction& i);
  Status decode_warp(const Instruction& i);
  void resolve_targets();
  uint32_t allocate(uint32_t bytes);
  Status planes_of(const Operand& o, ParameterPlanes& out);

  // decode_arithmetic.cpp
  Status decode_integer(const Instruction& i);
  Status decode_float(const Instruction& i);
  Status decode_compare(const Instruction& i);
  Status decode_move(const Instruction& i);
  Status decode_convert(const Instruction& i);
  Status decode_address_conversion(const Instruction& i);
  Status carry_op(const Instruction& i);

  // decode_memory.cpp
  Status decode_load(const Instruction& i);
  Status decode_store(const Instruction& i);
  Status decode_atomic(const Instruction& i);
  Status decode_copy_async(const Instruction& i);
  Status memory_address(const Instruction& i, const Operand& o, ptx::Space space, uint32_t bytes, Op& op);
  // Bounds the access by the shared variable that `symbol` names, if it names one.
  void limit_to(const ptx::SymbolRef& symbol, Op& op);
  // op.a and op.offset of an access of `bytes` to a .param variable of a call.
  Status plane_address(const Instruction& i, const Operand& o, uint32_t bytes, Op& op);
  Status registers_of(const Operand& o, bool written, unsigned element_bits, std::vector<uint32_t>& slots,
                      Width& width);

  // Operands. `want` is the class of array that the handler reads.
  Expected<uint32_t> source(const Operand& o, Width want, ptx::Type type = ptx::Type::kNone);
  Expected<uint32_t> destination(const Operand& o);  // register or sink
  Expected<uint64_t> symbol_address(const Operand& o) const;
  uint64_t immediate_bits(const Operand& o, ptx::Type type) const;
  bool is_local_symbol(const Operand& o) const;
  Width register_width(uint32_t reg) const { return width_of(f_.register_types[reg]); }

  // Emission.
  Op start(const Instruction& i, Class cls) const;
  void emit(Op op) { out_->ops.push_back(op); }
  uint32_t add_aux(const std::vector<uint32_t>& values);
  // op.run by key, sources a, b, c in order, destination d; then emits.
  struct Operands {
    Width d = Width::k32;
    std::vector<Width> sources;
    ptx::Type type = ptx::Type::kNone;  // of immediates
  };
  Status plain(const Instruction& i, std::string_view key, const Operands& operands, Class cls, uint32_t imm = 0,
               uint8_t flags = 0);
  Status unsupported_instruction(const Instruction& i, std::string_view why = "") const;

  DecodeContext& context_;
  const uint32_t index_;
  const ptx::Function& f_;
  ptx::ControlFlow flow_;
  DecodedFunction* out_ = nullptr;
  const Instruction* current_ = nullptr;
  std::vector<uint32_t> register_slot_;
  std::vector<ParameterPlanes> variable_planes_;  // .param variables of the body
  std::vector<uint32_t> local_offset_;            // .local variables of the body
  std::vector<uint32_t> first_op_;                // of each instruction
  std::vector<uint32_t> provenance_;              // by register: index into symbols_ + 1; 0 none, kMany several
  std::vector<ptx::SymbolRef> symbols_;
  uint32_t carry_slot_ = kNoSlot;
  uint32_t frame_bytes_ = 0;
  static constexpr uint32_t kMany = 0xFFFFFFFF;
};

}  // namespace tailor::virtual_device
