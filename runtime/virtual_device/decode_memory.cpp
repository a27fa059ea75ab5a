// ld, st, atom, red and cp.async.
#include "runtime/virtual_device/decoder.h"

namespace tailor::virtual_device {

using ptx::Space;
using ptx::SymbolRef;
using ptx::Type;

namespace {

// Element part of a handler key: signed loads extend, everything else is bits.
std::string element_key(Type type, bool load, Width registers) {
  const unsigned bits = ptx::bits_of(type);
  const bool extends = load && ptx::is_signed(type) && (bits < 32 || (bits == 32 && registers == Width::k64));
  return fmt::format("{}{}.{}", extends ? 's' : 'u', bits, registers == Width::k64 ? 64 : 32);
}

Class class_of(AccessSpace space, bool load) {
  switch (space) {
    case AccessSpace::kGlobal:
      return load ? Class::kGlobalLoad : Class::kGlobalStore;
    case AccessSpace::kShared:
      return load ? Class::kSharedLoad : Class::kSharedStore;
    case AccessSpace::kLocal:
      return load ? Class::kLocalLoad : Class::kLocalStore;
    case AccessSpace::kGeneric:
      return Class::kCount;  // the handler knows
    case AccessSpace::kParameter:
      return Class::kParam;
  }
  return Class::kOther;
}

}  // namespace

// Slots of a register or vector, all of one class.
Status FunctionDecoder::registers_of(const Operand& o, bool written, unsigned element_bits,
                                     std::vector<uint32_t>& slots, Width& width) {
  std::vector<const Operand*> parts;
  if (o.kind == Operand::Kind::kVector) {
    for (const Operand& element : f_.elements(o)) parts.push_back(&element);
  } else {
    parts.push_back(&o);
  }
  width = element_bits == 128 ? Width::k128 : element_bits == 64 ? Width::k64 : Width::k32;
  for (const Operand* part : parts) {
    if (part->kind != Operand::Kind::kRegister) continue;
    const Width own = register_width(part->index);
    if (own == Width::kPredicate || own < width)
      return unsupported_instruction(*current_, "the register is too narrow");
    width = own;
  }
  for (const Operand* part : parts) {
    if (part->kind == Operand::Kind::kRegister && register_width(part->index) != width) {
      return unsupported_instruction(*current_, "the vector's registers have different widths");
    }
    if (written) {
      TAILOR_ASSIGN_OR_RETURN(slots.emplace_back(), destination(*part));
    } else {
      TAILOR_ASSIGN_OR_RETURN(slots.emplace_back(), source(*part, width, current_->type()));
    }
  }
  return {};
}

// Fills space, address, base, offset, cache site and limit of an access of `bytes` per lane.
Status FunctionDecoder::memory_address(const Instruction& i, const Operand& o, Space space, uint32_t bytes, Op& op) {
  if (i.opcode == ptx::Opcode::kAtom || i.opcode == ptx::Opcode::kRed ||
      (i.semantics != Modifier::kNone && i.semantics != Modifier::kWeak))
    op.flags |= kStrong;
  if (o.kind != Operand::Kind::kAddress) return unsupported_instruction(i, "the address form is not handled");
  op.bytes = static_cast<uint8_t>(bytes);
  op.site = context_.program.sites++;
  op.offset = o.value;
  switch (space) {
    case Space::kShared:
    case Space::kSharedCta:
    case Space::kSharedCluster:
      op.space = AccessSpace::kShared;
      break;
    case Space::kLocal:
      op.space = AccessSpace::kLocal;
      break;
    case Space::kGeneric:
      op.space = AccessSpace::kGeneric;
      break;
    default:
      op.space = AccessSpace::kGlobal;
      break;  // global, const, param through an address
  }
  uint32_t variable = 0;
  if (o.has_register_base()) {
    const Width width = register_width(o.index);
    if (width != Width::k64 && width != Width::k32)
      return unsupported_instruction(i, "the address is no 32- or 64-bit register");
    op.address = width == Width::k64 ? AddressKind::kRegister64 : AddressKind::kRegister32;
    op.a = register_slot_[o.index];
    variable = provenance_[o.index];
  } else if (o.symbol.kind != SymbolRef::Kind::kNone) {
    if (is_local_symbol(o)) {
      // Relative to the frame: the handler adds its base to an immediate local address.
      op.offset = static_cast<int64_t>(local_offset_[o.symbol.index]) + o.value;
      if (op.space == AccessSpace::kGeneric)
        return unsupported_instruction(i, "a generic access to a local variable's name");
      return {};
    }
    Operand symbol = o;
    TAILOR_ASSIGN_OR_RETURN(const uint64_t address, symbol_address(symbol));
    op.offset = static_cast<int64_t>(address);
    limit_to(o.symbol, op);
    return {};
  } else if (op.space == AccessSpace::kLocal) {
    return unsupported_instruction(i, "an absolute local address");
  }
  if (variable != 0 && variable != kMany && op.space == AccessSpace::kShared) limit_to(symbols_[variable - 1], op);
  return {};
}

void FunctionDecoder::limit_to(const SymbolRef& symbol, Op& op) {
  uint64_t begin = 0;
  const ptx::Variable* v = context_.shared_variable(index_, symbol, &begin);
  if (!v) return;
  op.flags |= kHasLimit;
  op.limit = static_cast<uint32_t>(out_->limits.size());
  out_->limits.push_back({begin, begin + v->bytes, v->unsized, v->name});
}

Status FunctionDecoder::plane_address(const Instruction& i, const Operand& o, uint32_t bytes, Op& op) {
  Operand whole = o;
  whole.kind = Operand::Kind::kSymbol;
  whole.value = 0;
  ParameterPlanes planes;
  TAILOR_RETURN_IF_ERROR(planes_of(whole, planes));
  if (o.value < 0 || static_cast<uint64_t>(o.value) + bytes > uint64_t{planes.planes} * 4) {
    return unsupported_instruction(i, "the access leaves the parameter");
  }
  op.a = planes.slot;
  op.offset = o.value;
  return {};
}

Status FunctionDecoder::decode_load(const Instruction& i) {
  const auto o = f_.operands_of(i);
  const unsigned bits = ptx::bits_of(i.type());
  std::vector<uint32_t> slots;
  Width width;
  TAILOR_RETURN_IF_ERROR(registers_of(o[0], true, bits, slots, width));
  const auto bytes = static_cast<uint32_t>(bits / 8 * slots.size());
  Op op = start(i, Class::kParam);
  op.imm = static_cast<uint32_t>(slots.size());
  op.aux = add_aux(slots);
  const std::string element = element_key(i.type(), true, width);
  if (ptx::is_param(i.space) && !o[1].has_register_base()) {
    if (width == Width::k128) return unsupported_instruction(i);
    if (o[1].symbol.kind == SymbolRef::Kind::kParameter && f_.entry) {
      const ptx::Parameter& p = f_.parameters[o[1].symbol.index];
      if (o[1].value < 0 || static_cast<uint64_t>(o[1].value) + bytes > p.bytes) {
        return unsupported_instruction(i, fmt::format("the access leaves parameter {} of {} bytes", p.name, p.bytes));
      }
      op.offset = static_cast<int64_t>(p.offset) + o[1].value;
      op.run = context_.lanes.find("ld.param." + element);
    } else {
      TAILOR_RETURN_IF_ERROR(plane_address(i, o[1], bytes, op));
      op.run = context_.lanes.find("ld.plane." + element);
    }
    if (!op.run) return unsupported_instruction(i);
    emit(op);
    return {};
  }
  op.kind = OpKind::kMemory;
  TAILOR_RETURN_IF_ERROR(memory_address(i, o[1], i.space, bytes, op));
  op.cls = ptx::is_param(i.space) ? Class::kParam : class_of(op.space, true);
  op.run = context_.lanes.find(bits == 128 ? "ld.128" : "ld." + element);
  if (!op.run || (bits == 128 && slots.size() != 1)) return unsupported_instruction(i);
  emit(op);
  return {};
}

Status FunctionDecoder::decode_store(const Instruction& i) {
  const auto o = f_.operands_of(i);
  const unsigned bits = ptx::bits_of(i.type());
  std::vector<uint32_t> slots;
  Width width;
  TAILOR_RETURN_IF_ERROR(registers_of(o[1], false, bits, slots, width));
  const auto bytes = static_cast<uint32_t>(bits / 8 * slots.size());
  Op op = start(i, Class::kParam);
  op.imm = static_cast<uint32_t>(slots.size());
  op.aux = add_aux(slots);
  const std::string element = element_key(i.type(), false, width);
  if (ptx::is_param(i.space)) {
    if (width == Width::k128 || o[0].has_register_base()) return unsupported_instruction(i);
    TAILOR_RETURN_IF_ERROR(plane_address(i, o[0], bytes, op));
    op.run = context_.lanes.find("st.plane." + element);
    if (!op.run) return unsupported_instruction(i);
    emit(op);
    return {};
  }
  op.kind = OpKind::kMemory;
  op.flags = kIsStore;
  TAILOR_RETURN_IF_ERROR(memory_address(i, o[0], i.space, bytes, op));
  op.cls = class_of(op.space, false);
  op.run = context_.lanes.find(bits == 128 ? "st.128" : "st." + element);
  if (!op.run || (bits == 128 && slots.size() != 1)) return unsupported_instruction(i);
  emit(op);
  return {};
}

Status FunctionDecoder::decode_atomic(const Instruction& i) {
  const auto o = f_.operands_of(i);
  const bool atom = i.opcode == ptx::Opcode::kAtom;
  const Type type = i.type();
  const unsigned bits = ptx::bits_of(type);
  const Width width = width_of(type);
  const size_t at = atom ? 1 : 0;  // of the address
  Op op = start(i, Class::kAtomic);
  op.kind = OpKind::kMemory;
  if (i.vector_width > 1) {
    if (atom || type != Type::kF32 || i.operation != Modifier::kAddOp) return unsupported_instruction(i);
    std::vector<uint32_t> slots;
    Width vector_width;
    TAILOR_RETURN_IF_ERROR(registers_of(o[at + 1], false, bits, slots, vector_width));
    TAILOR_RETURN_IF_ERROR(memory_address(i, o[at], i.space, static_cast<uint32_t>(4 * slots.size()), op));
    op.imm = static_cast<uint32_t>(slots.size());
    op.aux = add_aux(slots);
    op.run = context_.lanes.find("red.vector.f32");
    emit(op);
    return {};
  }
  // AtomicCode of lanes_memory.cpp.
  const Modifier codes[] = {Modifier::kAddOp, Modifier::kMinOp, Modifier::kMaxOp, Modifier::kAndOp,  Modifier::kOrOp,
                            Modifier::kXorOp, Modifier::kIncOp, Modifier::kDecOp, Modifier::kExchOp, Modifier::kCasOp};
  while (op.imm < 10 && codes[op.imm] != i.operation) ++op.imm;
  std::string key;
  if (type == Type::kF32 || type == Type::kF64) {
    key = op.imm == 0 ? fmt::format("atom.add.{}", ptx::to_string(type)) : "";
  } else if (ptx::is_float(type)) {
    key = op.imm <= 2 ? fmt::format("atom.{}", ptx::to_string(type)) : "";
  } else if (bits == 128) {
    key = "atom.b128";
  } else if (bits == 16) {
    key = "atom.b16";
  } else {
    key = fmt::format("atom.{}{}", ptx::is_signed(type) ? 's' : 'u', bits);
  }
  op.run = context_.lanes.find(key);
  if (!op.run) return unsupported_instruction(i);
  TAILOR_RETURN_IF_ERROR(memory_address(i, o[at], i.space, bits / 8, op));
  if (atom) {
    TAILOR_ASSIGN_OR_RETURN(op.d, destination(o[0]));
  }
  TAILOR_ASSIGN_OR_RETURN(op.b, source(o[at + 1], width, type));
  if (op.imm == 9) {
    TAILOR_ASSIGN_OR_RETURN(op.c, source(o[at + 2], width, type));
  }
  emit(op);
  return {};
}

// cp.async.{ca,cg}.shared.global [dst], [src], size{, source size}{, policy}.
Status FunctionDecoder::decode_copy_async(const Instruction& i) {
  const auto o = f_.operands_of(i);
  const size_t operands = o.size() - (i.has_cache_policy() ? 1 : 0);
  const int64_t size = o[2].value;
  if (o[2].kind != Operand::Kind::kInteger || (size != 4 && size != 8 && size != 16)) {
    return unsupported_instruction(i, "the size must be 4, 8 or 16");
  }
  Op op = start(i, Class::kGlobalLoad);
  op.kind = OpKind::kMemory;
  op.run = context_.lanes.find("cp.async");
  Op from = op;
  TAILOR_RETURN_IF_ERROR(memory_address(i, o[1], Space::kGlobal, static_cast<uint32_t>(size), from));
  TAILOR_RETURN_IF_ERROR(memory_address(i, o[0], Space::kShared, static_cast<uint32_t>(size), op));
  uint32_t source_size = kNoSlot;
  if (operands > 3) {
    if (o[3].kind == Operand::Kind::kRegister && register_width(o[3].index) == Width::kPredicate) {
      return unsupported_instruction(i, "ignore-src");
    }
    TAILOR_ASSIGN_OR_RETURN(source_size, source(o[3], Width::k32));
  }
  uint32_t base = from.a;
  AddressKind kind = from.address;
  if (kind == AddressKind::kImmediate) {
    // op.imm holds 32 bits only: an absolute address goes through the constant bank.
    base = context_.constant(Width::k64, static_cast<uint64_t>(from.offset));
    kind = AddressKind::kRegister64;
    from.offset = 0;
  }
  if (from.offset != static_cast<int32_t>(from.offset)) return unsupported_instruction(i, "the offset exceeds 32 bits");
  op.imm = static_cast<uint32_t>(static_cast<int32_t>(from.offset));
  op.aux = add_aux({base, static_cast<uint32_t>(kind), source_size});
  emit(op);
  return {};
}

}  // namespace tailor::virtual_device
