// One function: slots, provenance of shared pointers, control flow, calls, barriers and warp operations.
#include <algorithm>
#include <cstring>
#include <optional>

#include "runtime/ptx/printer.h"
#include "runtime/virtual_device/decoder.h"

namespace tailor::virtual_device {

using ptx::Opcode;
using ptx::SymbolRef;
using ptx::Type;

FunctionDecoder::FunctionDecoder(DecodeContext& context, uint32_t function)
    : context_(context), index_(function), f_(context.module.functions[function]), flow_(ptx::control_flow(f_)) {}

uint32_t FunctionDecoder::allocate(uint32_t bytes) {
  const uint32_t at = frame_bytes_;
  frame_bytes_ += (bytes + 7) / 8 * 8;
  return at;
}

// Registers of one class whose live spans do not meet share a slot: lanes that have parted stay apart, because an array
// keeps each lane's element at the same place.
void FunctionDecoder::place_registers() {
  const size_t count = f_.register_types.size();
  register_slot_.assign(count, kNoSlot);
  const auto live = ptx::liveness(f_, flow_);
  std::vector<uint32_t> order;
  for (uint32_t r = 0; r < count; ++r) {
    if (!live.ok() || live->spans[r].used()) order.push_back(r);
  }
  // Values that arrive before the first instruction (register parameters) are not executed, so spans tell all.
  if (live.ok()) {
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return live->spans[a].first < live->spans[b].first; });
  }
  struct Busy {
    uint32_t last, slot;
  };
  std::map<Width, std::vector<Busy>> busy;
  uint32_t words = 0;
  for (uint32_t r : order) {
    const Width width = register_width(r);
    std::vector<Busy>& slots = busy[width];
    const auto free = live.ok() ? std::find_if(slots.begin(), slots.end(),
                                               [&](const Busy& b) { return b.last < live->spans[r].first; })
                                : slots.end();
    if (free != slots.end()) {
      free->last = live->spans[r].last;
      register_slot_[r] = free->slot;
      continue;
    }
    register_slot_[r] = allocate(slot_bytes(width));
    slots.push_back({live.ok() ? live->spans[r].last : ~0u, register_slot_[r]});
    words += width == Width::kPredicate ? 0 : slot_bytes(width) / 128;
  }
  out_->registers = std::min(255u, std::max(16u, (words + 7) / 8 * 8));
}

void FunctionDecoder::place_parameters() {
  const auto planes = [&](uint64_t bytes) {
    const auto n = static_cast<uint32_t>((bytes + 3) / 4);
    return ParameterPlanes{allocate(n * 128), n};
  };
  if (!f_.entry) {
    for (const ptx::Parameter& p : f_.parameters) out_->parameters.push_back(planes(p.bytes));
    for (const ptx::Parameter& p : f_.returns) out_->returns.push_back(planes(p.bytes));
  }
  variable_planes_.resize(f_.variables.size());
  local_offset_.assign(f_.variables.size(), 0);
  uint64_t local = 0;
  for (size_t v = 0; v < f_.variables.size(); ++v) {
    const ptx::Variable& variable = f_.variables[v];
    if (ptx::is_param(variable.space)) variable_planes_[v] = planes(variable.bytes);
    if (variable.space == ptx::Space::kLocal) {
      local = (local + variable.align - 1) / variable.align * variable.align;
      local_offset_[v] = static_cast<uint32_t>(local);
      local += variable.bytes;
    }
  }
  out_->local_bytes = static_cast<uint32_t>(std::min<uint64_t>(local, 0x7FFFFFFF));
}

// Which named shared variable a register's address is made from: the union over all its definitions, flow-insensitive.
// Loads, calls and shuffles give no provenance. One variable: accesses through the register must stay inside it.
void FunctionDecoder::find_provenance() {
  provenance_.assign(f_.register_types.size(), 0);
  const auto merge = [](uint32_t a, uint32_t b) { return a == 0 ? b : b == 0 || a == b ? a : kMany; };
  const auto symbol_id = [&](const SymbolRef& symbol) -> uint32_t {
    uint64_t address;
    if (!context_.shared_variable(index_, symbol, &address)) return 0;
    const auto at = std::find(symbols_.begin(), symbols_.end(), symbol);
    if (at != symbols_.end()) return static_cast<uint32_t>(at - symbols_.begin()) + 1;
    symbols_.push_back(symbol);
    return static_cast<uint32_t>(symbols_.size());
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (const Instruction& i : f_.instructions) {
      switch (i.opcode) {
        case Opcode::kMov:
        case Opcode::kAdd:
        case Opcode::kSub:
        case Opcode::kMad:
        case Opcode::kCvta:
        case Opcode::kCvt:
        case Opcode::kAnd:
        case Opcode::kOr:
        case Opcode::kXor:
        case Opcode::kSelp:
        case Opcode::kLop3:
        case Opcode::kMin:
        case Opcode::kMax:
          break;
        default:
          continue;
      }
      const auto operands = f_.operands_of(i);
      if (operands.empty() || operands[0].kind != Operand::Kind::kRegister) continue;
      uint32_t from = 0;
      for (size_t k = 1; k < operands.size(); ++k) {
        const Operand& o = operands[k];
        if (o.kind == Operand::Kind::kRegister) from = merge(from, provenance_[o.index]);
        if (o.kind == Operand::Kind::kSymbol) from = merge(from, symbol_id(o.symbol));
      }
      uint32_t& into = provenance_[operands[0].index];
      const uint32_t merged = merge(into, from);
      changed = changed || merged != into;
      into = merged;
    }
  }
}

Status FunctionDecoder::decode(DecodedFunction& out) {
  out_ = &out;
  out.name = f_.name;
  out.module_index = index_;
  place_registers();
  place_parameters();
  find_provenance();
  for (const ptx::Parameter& p : f_.parameters) {
    if (p.is_register || p.unsized) {
      return unsupported(fmt::format("line {}: function {}: parameter {} is {}", f_.text_line, f_.name, p.name,
                                     p.is_register ? "in a register" : "of variable length"));
    }
  }
  for (const ptx::Parameter& p : f_.returns) {
    if (p.is_register) {
      return unsupported(
          fmt::format("line {}: function {}: return value {} is in a register", f_.text_line, f_.name, p.name));
    }
  }
  for (const Instruction& i : f_.instructions) {
    first_op_.push_back(static_cast<uint32_t>(out.ops.size()));
    current_ = &i;
    const size_t before = out.ops.size();
    TAILOR_RETURN_IF_ERROR(decode_instruction(i));
    // A hidden op (a special register, a local address) runs for the same lanes as the instruction that it serves.
    for (size_t n = before; n + 1 < out.ops.size(); ++n) out.ops[n].kind = OpKind::kHidden;
  }
  first_op_.push_back(static_cast<uint32_t>(out.ops.size()));
  Op end;  // running off the end returns
  end.kind = OpKind::kReturn;
  end.cls = Class::kBranch;
  end.join = kReturnPc;
  out.ops.push_back(end);
  resolve_targets();
  out.frame_bytes = frame_bytes_;
  return {};
}

// Instruction indices become op indices.
void FunctionDecoder::resolve_targets() {
  const auto size = static_cast<uint32_t>(f_.instructions.size());
  const auto op_of = [&](uint32_t instruction) { return first_op_[instruction]; };
  for (size_t n = 0; n < f_.instructions.size(); ++n) {
    Op& op = out_->ops[first_op_[n + 1] - 1];
    if (op.kind == OpKind::kBranch) op.target = op_of(op.target);
    if (op.kind == OpKind::kBranchTable) {
      for (uint32_t& target : out_->branch_tables[op.aux]) target = op_of(target);
    }
    if (op.kind == OpKind::kBranch || op.kind == OpKind::kBranchTable) {
      const uint32_t join = flow_.reconvergence(static_cast<uint32_t>(n));
      op.join = join >= size ? kReturnPc : op_of(join);
    }
    if (op.kind == OpKind::kReturn) op.join = kReturnPc;
  }
}

Op FunctionDecoder::start(const Instruction& i, Class cls) const {
  Op op;
  op.cls = cls;
  op.line = i.text_line;
  op.location_line = i.location.line;
  op.location_file = i.location.file;
  if (i.guarded()) {
    op.guard = register_slot_[i.guard];
    op.guard_flip = i.guard_negated ? ~0u : 0u;
  }
  return op;
}

uint32_t FunctionDecoder::add_aux(const std::vector<uint32_t>& values) {
  const auto at = static_cast<uint32_t>(out_->aux.size());
  out_->aux.insert(out_->aux.end(), values.begin(), values.end());
  return at;
}

Status FunctionDecoder::unsupported_instruction(const Instruction& i, std::string_view why) const {
  return unsupported(fmt::format("line {}: the virtual device does not execute \"{}\"{}{}", i.text_line,
                                 ptx::print(context_.module, f_, i), why.empty() ? "" : ": ", why));
}

uint64_t FunctionDecoder::immediate_bits(const Operand& o, Type type) const {
  const auto raw = static_cast<uint64_t>(o.value);
  if (o.kind == Operand::Kind::kFloat32) {
    if (type != Type::kF64) return raw & 0xFFFFFFFF;
    float single;
    const auto word = static_cast<uint32_t>(raw);
    std::memcpy(&single, &word, 4);
    const double wide = single;
    uint64_t bits;
    std::memcpy(&bits, &wide, 8);
    return bits;
  }
  if (o.kind == Operand::Kind::kFloat && type == Type::kF32) {
    double wide;
    std::memcpy(&wide, &raw, 8);
    const auto single = static_cast<float>(wide);
    uint32_t word;
    std::memcpy(&word, &single, 4);
    return word;
  }
  return raw;
}

bool FunctionDecoder::is_local_symbol(const Operand& o) const {
  return o.symbol.kind == SymbolRef::Kind::kFunctionVariable &&
         f_.variables[o.symbol.index].space == ptx::Space::kLocal;
}

Expected<uint64_t> FunctionDecoder::symbol_address(const Operand& o) const {
  const auto add = static_cast<uint64_t>(o.value);
  uint64_t shared = 0;
  if (context_.shared_variable(index_, o.symbol, &shared)) return shared + add;
  switch (o.symbol.kind) {
    case SymbolRef::Kind::kModuleVariable: {
      const uint64_t address = context_.addresses[o.symbol.index];
      if (address == 0) return unsupported_instruction(*current_, "the variable has no memory here");
      return address + add;
    }
    case SymbolRef::Kind::kFunction:
      return kFunctionBase + uint64_t{16} * o.symbol.index;
    case SymbolRef::Kind::kParameter:
      if (f_.entry) return kParameterBase + f_.parameters[o.symbol.index].offset + add;
      break;
    default:
      break;
  }
  return unsupported_instruction(*current_, "the address of this symbol cannot be taken");
}

Expected<uint32_t> FunctionDecoder::source(const Operand& o, Width want, Type type) {
  using Kind = Operand::Kind;
  switch (o.kind) {
    case Kind::kRegister:
      if (register_width(o.index) != want || o.selector != Operand::Selector::kNone) {
        return unsupported_instruction(
            *current_, fmt::format("register {} has another width than the operation", f_.register_name(o.index)));
      }
      return register_slot_[o.index];
    case Kind::kInteger:
    case Kind::kFloat:
    case Kind::kFloat32: {
      uint64_t bits = immediate_bits(o, type);
      if (want == Width::kPredicate) bits = bits != 0 ? ~uint64_t{0} : 0;
      if (want == Width::k32) bits &= 0xFFFFFFFF;
      return context_.constant(want, bits);
    }
    case Kind::kSpecial: {
      const Width width = width_of(ptx::type_of(o.special));
      if (width != want) return unsupported_instruction(*current_, "the special register has another width");
      Op op = start(*current_, Class::kMove);
      op.run = context_.lanes.find(width == Width::k64   ? "special.b64"
                                   : width == Width::k32 ? "special.b32"
                                                         : "special.pred");
      op.imm = static_cast<uint32_t>(o.special);
      op.d = allocate(slot_bytes(width));
      const uint32_t slot = op.d;
      emit(op);
      return slot;
    }
    case Kind::kSymbol: {
      if (want != Width::k64 && want != Width::k32) break;
      if (is_local_symbol(o)) {
        Op op = start(*current_, Class::kMove);
        op.run = context_.lanes.find(want == Width::k64 ? "local_address.b64" : "local_address.b32");
        op.imm = local_offset_[o.symbol.index] + static_cast<uint32_t>(o.value);
        op.d = allocate(slot_bytes(want));
        const uint32_t slot = op.d;
        emit(op);
        return slot;
      }
      TAILOR_ASSIGN_OR_RETURN(const uint64_t address, symbol_address(o));
      return context_.constant(want, want == Width::k32 ? address & 0xFFFFFFFF : address);
    }
    default:
      break;
  }
  return unsupported_instruction(*current_, "an operand is of a kind that is not handled");
}

Expected<uint32_t> FunctionDecoder::destination(const Operand& o) {
  if (o.kind == Operand::Kind::kSink || o.kind == Operand::Kind::kNone) return kNoSlot;
  if (o.kind != Operand::Kind::kRegister) return unsupported_instruction(*current_, "the destination is no register");
  return register_slot_[o.index];
}

Status FunctionDecoder::plain(const Instruction& i, std::string_view key, const Operands& operands, Class cls,
                              uint32_t imm, uint8_t flags) {
  const auto o = f_.operands_of(i);
  const LaneFn run = context_.lanes.find(key);
  if (!run || o.size() < operands.sources.size() + 1) return unsupported_instruction(i);
  Op op = start(i, cls);
  op.run = run;
  op.imm = imm;
  op.flags = flags;
  TAILOR_ASSIGN_OR_RETURN(op.d, destination(o[0]));
  if (op.d == kNoSlot) op.d = allocate(slot_bytes(operands.d));
  uint32_t* const slots[3] = {&op.a, &op.b, &op.c};
  for (size_t k = 0; k < operands.sources.size() && k < 3; ++k) {
    TAILOR_ASSIGN_OR_RETURN(*slots[k], source(o[k + 1], operands.sources[k], operands.type));
  }
  emit(op);
  return {};
}

Status FunctionDecoder::decode_instruction(const Instruction& i) {
  switch (i.opcode) {
    case Opcode::kBra:
    case Opcode::kBrxIdx:
    case Opcode::kRet:
    case Opcode::kExit:
    case Opcode::kTrap:
    case Opcode::kNanosleep:
      return decode_control(i);
    case Opcode::kCall:
      return decode_call(i);
    case Opcode::kBarSync:
    case Opcode::kBarArrive:
    case Opcode::kBarRed:
    case Opcode::kBarrierSync:
    case Opcode::kBarrierArrive:
    case Opcode::kBarrierRed:
      return decode_barrier(i);
    case Opcode::kBarWarpSync:
    case Opcode::kShfl:
    case Opcode::kVote:
    case Opcode::kMatch:
    case Opcode::kRedux:
    case Opcode::kElect:
    case Opcode::kActivemask:
      return decode_warp(i);
    case Opcode::kLd:
    case Opcode::kLdu:
      return decode_load(i);
    case Opcode::kSt:
      return decode_store(i);
    case Opcode::kAtom:
    case Opcode::kRed:
      return decode_atomic(i);
    case Opcode::kCpAsync:
      return decode_copy_async(i);
    case Opcode::kMov:
    case Opcode::kSelp:
    case Opcode::kSlct:
    case Opcode::kPrmt:
      return decode_move(i);
    case Opcode::kCvt:
      return decode_convert(i);
    case Opcode::kCvta:
    case Opcode::kIsspacep:
      return decode_address_conversion(i);
    case Opcode::kSetp:
    case Opcode::kSet:
    case Opcode::kTestp:
      return decode_compare(i);
    // Ordering is total here: every access is done when it is issued.
    case Opcode::kMembar:
    case Opcode::kFence:
    case Opcode::kFenceProxy:
    case Opcode::kFenceMbarrierInit:
    case Opcode::kCpAsyncCommitGroup:
    case Opcode::kCpAsyncWaitGroup:
    case Opcode::kCpAsyncWaitAll:
    case Opcode::kGriddepcontrolWait:
    case Opcode::kGriddepcontrolLaunchDependents: {
      Op op = start(i, Class::kBarrier);
      op.kind = OpKind::kNothing;
      emit(op);
      return {};
    }
    case Opcode::kPrefetch:
    case Opcode::kPrefetchu:
    case Opcode::kApplyPriority:
    case Opcode::kPmevent:
    case Opcode::kBrkpt:
    case Opcode::kSetmaxnreg: {
      Op op = start(i, Class::kOther);
      op.kind = OpKind::kNothing;
      emit(op);
      return {};
    }
    case Opcode::kCreatePolicyFractional:
    case Opcode::kCreatePolicyRange:
    case Opcode::kCreatePolicyCvt: {
      Op op = start(i, Class::kOther);
      op.run = context_.lanes.find("mov.b64");
      TAILOR_ASSIGN_OR_RETURN(op.d, destination(f_.operands_of(i)[0]));
      op.a = context_.constant(Width::k64, 0);
      emit(op);
      return {};
    }
    default:
      break;
  }
  const bool real = ptx::is_float(i.type());
  return real ? decode_float(i) : decode_integer(i);
}

Status FunctionDecoder::decode_control(const Instruction& i) {
  const auto o = f_.operands_of(i);
  Op op = start(i, i.opcode == Opcode::kTrap || i.opcode == Opcode::kNanosleep ? Class::kOther : Class::kBranch);
  switch (i.opcode) {
    case Opcode::kBra:
      op.kind = OpKind::kBranch;
      op.target = static_cast<uint32_t>(o[0].value);  // made an op index by resolve_targets()
      break;
    case Opcode::kBrxIdx: {
      op.kind = OpKind::kBranchTable;
      TAILOR_ASSIGN_OR_RETURN(op.a, source(o[0], Width::k32));
      std::vector<uint32_t> targets;
      for (uint32_t label : f_.branch_tables[o[1].index].labels) targets.push_back(f_.labels[label].instruction);
      op.aux = static_cast<uint32_t>(out_->branch_tables.size());
      out_->branch_tables.push_back(std::move(targets));
      break;
    }
    case Opcode::kRet:
      op.kind = OpKind::kReturn;
      break;
    case Opcode::kExit:
      op.kind = OpKind::kExit;
      break;
    case Opcode::kNanosleep:
      op.kind = OpKind::kYield;
      break;
    default:
      op.kind = OpKind::kTrap;
      break;
  }
  emit(op);
  return {};
}

Status FunctionDecoder::planes_of(const Operand& o, ParameterPlanes& out) {
  if (o.kind == Operand::Kind::kSymbol && o.value == 0) {
    if (o.symbol.kind == SymbolRef::Kind::kFunctionVariable && variable_planes_[o.symbol.index].planes != 0) {
      out = variable_planes_[o.symbol.index];
      return {};
    }
    if (o.symbol.kind == SymbolRef::Kind::kParameter && !f_.entry) {
      out = out_->parameters[o.symbol.index];
      return {};
    }
    if (o.symbol.kind == SymbolRef::Kind::kReturn && !f_.entry) {
      out = out_->returns[o.symbol.index];
      return {};
    }
  }
  return unsupported_instruction(*current_, "call arguments and results must be .param variables");
}

Status FunctionDecoder::decode_call(const Instruction& i) {
  const ptx::CallOperands call = ptx::call_operands(f_, i);
  CallSite site;
  for (const Operand& o : f_.elements(call.results)) TAILOR_RETURN_IF_ERROR(planes_of(o, site.results.emplace_back()));
  for (const Operand& o : f_.elements(call.arguments))
    TAILOR_RETURN_IF_ERROR(planes_of(o, site.arguments.emplace_back()));
  Op op = start(i, Class::kBranch);
  op.kind = OpKind::kCall;
  if (call.callee.kind == Operand::Kind::kSymbol) {
    const uint32_t target = call.callee.symbol.index;
    const ptx::Function& callee = context_.module.functions[target];
    if (!callee.defined) {
      op.cls = Class::kOther;
      if (callee.name == "vprintf" && site.arguments.size() == 2) {
        op.kind = OpKind::kPrint;
        op.a = site.arguments[0].slot;
        op.b = site.arguments[1].slot;
        op.d = site.results.empty() ? kNoSlot : site.results[0].slot;
      } else if (callee.name == "__assertfail" && site.arguments.size() >= 4) {
        op.kind = OpKind::kAssert;
        op.a = site.arguments[0].slot;
        op.b = site.arguments[1].slot;
        op.c = site.arguments[2].slot;
        op.aux = add_aux({site.arguments[3].slot});
      } else {
        return unsupported_instruction(i, fmt::format("{} is not defined in this module", callee.name));
      }
      emit(op);
      return {};
    }
    const auto agrees = [](const std::vector<ParameterPlanes>& have, const std::vector<ptx::Parameter>& want) {
      return std::equal(
          have.begin(), have.end(), want.begin(), want.end(),
          [](const ParameterPlanes& h, const ptx::Parameter& w) { return h.planes == (w.bytes + 3) / 4; });
    };
    if (callee.entry || !agrees(site.arguments, callee.parameters) || !agrees(site.results, callee.returns)) {
      return unsupported_instruction(i, fmt::format("the call does not match the declaration of {}", callee.name));
    }
    site.function = context_.program.function_of_module_index[target];
  } else {
    TAILOR_ASSIGN_OR_RETURN(op.a, source(call.callee, Width::k64));
  }
  op.aux = static_cast<uint32_t>(out_->calls.size());
  out_->calls.push_back(std::move(site));
  emit(op);
  return {};
}

Status FunctionDecoder::decode_barrier(const Instruction& i) {
  const auto o = f_.operands_of(i);
  Op op = start(i, Class::kBarrier);
  op.kind = OpKind::kBarrier;
  const bool red = i.opcode == Opcode::kBarRed || i.opcode == Opcode::kBarrierRed;
  const bool arrive = i.opcode == Opcode::kBarArrive || i.opcode == Opcode::kBarrierArrive;
  const size_t first = red ? 1 : 0;
  TAILOR_ASSIGN_OR_RETURN(op.a, source(o[first], Width::k32));
  const size_t counts = o.size() - first - (red ? 1 : 0);
  if (counts == 2) {
    TAILOR_ASSIGN_OR_RETURN(op.b, source(o[first + 1], Width::k32));
  }
  op.imm = arrive ? 1 : 0;
  if (red) {
    op.imm = i.operation == Modifier::kPopcOp ? 2 : i.operation == Modifier::kAndOp ? 3 : 4;
    TAILOR_ASSIGN_OR_RETURN(op.d, destination(o[0]));
    TAILOR_ASSIGN_OR_RETURN(op.c, source(o.back(), Width::kPredicate));
    op.aux = add_aux({o.back().negated ? 1u : 0u});
  }
  emit(op);
  return {};
}

Status FunctionDecoder::decode_warp(const Instruction& i) {
  const auto o = f_.operands_of(i);
  Op op = start(i, Class::kWarp);
  op.kind = OpKind::kWarp;
  // d or d|p.
  uint32_t predicate = kNoSlot;
  const auto write_to = [&](const Operand& d) -> Status {
    if (d.kind != Operand::Kind::kPair) {
      TAILOR_ASSIGN_OR_RETURN(op.d, destination(d));
      return {};
    }
    const auto parts = f_.elements(d);
    TAILOR_ASSIGN_OR_RETURN(op.d, destination(parts[0]));
    TAILOR_ASSIGN_OR_RETURN(predicate, destination(parts[1]));
    return {};
  };
  const auto finish = [&](std::string_view key, const Operand& members) -> Status {
    op.run = context_.lanes.find(key);
    TAILOR_ASSIGN_OR_RETURN(const uint32_t mask, source(members, Width::k32));
    op.aux = add_aux({mask, predicate});
    emit(op);
    return {};
  };
  switch (i.opcode) {
    case Opcode::kActivemask:
      op.kind = OpKind::kLane;
      op.run = context_.lanes.find("activemask");
      TAILOR_RETURN_IF_ERROR(write_to(o[0]));
      emit(op);
      return {};
    case Opcode::kBarWarpSync: {
      op.kind = OpKind::kWarpSync;
      TAILOR_ASSIGN_OR_RETURN(const uint32_t mask, source(o[0], Width::k32));
      op.aux = add_aux({mask, kNoSlot});
      emit(op);
      return {};
    }
    case Opcode::kElect:
      TAILOR_RETURN_IF_ERROR(write_to(o[0]));
      return finish("elect", o[1]);
    case Opcode::kShfl: {
      TAILOR_RETURN_IF_ERROR(write_to(o[0]));
      op.bytes = 4;
      op.imm = i.operation == Modifier::kUp     ? 0
               : i.operation == Modifier::kDown ? 1
               : i.operation == Modifier::kBfly ? 2
                                                : 3;
      TAILOR_ASSIGN_OR_RETURN(op.a, source(o[1], Width::k32, Type::kF32));
      TAILOR_ASSIGN_OR_RETURN(op.b, source(o[2], Width::k32));
      TAILOR_ASSIGN_OR_RETURN(op.c, source(o[3], Width::k32));
      return finish("shfl.b32", o[4]);
    }
    case Opcode::kVote: {
      TAILOR_RETURN_IF_ERROR(write_to(o[0]));
      op.imm = i.operation == Modifier::kAll   ? 0
               : i.operation == Modifier::kAny ? 1
               : i.operation == Modifier::kUni ? 2
                                               : 3;
      if (op.imm != 3) op.flags = kSat;  // the destination is a predicate (see Block::run_rendezvous)
      if (o[1].negated) op.imm |= 4;
      TAILOR_ASSIGN_OR_RETURN(op.a, source(o[1], Width::kPredicate));
      return finish("vote", o[2]);
    }
    case Opcode::kMatch: {
      TAILOR_RETURN_IF_ERROR(write_to(o[0]));
      const Width width = width_of(i.type());
      op.bytes = width == Width::k64 ? 8 : 4;
      op.imm = i.operation == Modifier::kAll ? 1 : 0;
      TAILOR_ASSIGN_OR_RETURN(op.a, source(o[1], width));
      return finish(width == Width::k64 ? "match.b64" : "match.b32", o[2]);
    }
    default: {  // redux
      TAILOR_RETURN_IF_ERROR(write_to(o[0]));
      op.bytes = 4;
      switch (i.operation) {
        case Modifier::kAddOp:
          op.imm = 0;
          break;
        case Modifier::kMinOp:
          op.imm = 1;
          break;
        case Modifier::kMaxOp:
          op.imm = 2;
          break;
        case Modifier::kAndOp:
          op.imm = 3;
          break;
        case Modifier::kOrOp:
          op.imm = 4;
          break;
        default:
          op.imm = 5;
          break;
      }
      TAILOR_ASSIGN_OR_RETURN(op.a, source(o[1], Width::k32));
      return finish(ptx::is_signed(i.type()) ? "redux.s32" : "redux.u32", o[2]);
    }
  }
}

}  // namespace tailor::virtual_device
