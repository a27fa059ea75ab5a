// Arithmetic, comparison, moves and conversions: each instruction becomes the key of a lane handler.
#include "runtime/virtual_device/decoder.h"

namespace tailor::virtual_device {

using ptx::Opcode;
using ptx::Type;

namespace {

std::string bits_key(Type type) { return fmt::format("b{}", ptx::bits_of(type)); }
std::string sign_key(Type type) { return fmt::format("{}{}", ptx::is_signed(type) ? 's' : 'u', ptx::bits_of(type)); }

// Op::imm of arithmetic (lanes_float.cpp).
uint32_t arithmetic_rounding(ptx::Modifier rounding) {
  switch (rounding) {
    case ptx::Modifier::kRz:
      return 1;
    case ptx::Modifier::kRm:
      return 2;
    case ptx::Modifier::kRp:
      return 3;
    default:
      return 0;
  }
}
uint8_t arithmetic_flags(const ptx::Instruction& i) {
  return static_cast<uint8_t>((i.has(ptx::Modifier::kFtz) ? kFtz : 0) | (i.has(ptx::Modifier::kSat) ? kSat : 0));
}

}  // namespace

Status FunctionDecoder::decode_integer(const Instruction& i) {
  const Type type = i.type();
  if (type == Type::kU16x2 || type == Type::kS16x2) return unsupported_instruction(i);
  const Width w = width_of(type);
  const std::string mnemonic(ptx::to_string(i.opcode));
  const auto two = [&](const std::string& key) { return plain(i, key, {w, {w, w}, type}, Class::kInteger); };
  const auto three = [&](const std::string& key) { return plain(i, key, {w, {w, w, w}, type}, Class::kInteger); };
  const std::string part = i.has(Modifier::kHi) ? ".hi" : i.has(Modifier::kWide) ? ".wide" : ".lo";
  switch (i.opcode) {
    case Opcode::kAdd:
    case Opcode::kSub:
      if (i.has(Modifier::kCc)) return carry_op(i);
      return two(i.has(Modifier::kSat) ? mnemonic + ".sat.s32" : mnemonic + "." + bits_key(type));
    case Opcode::kAddc:
    case Opcode::kSubc:
    case Opcode::kMadc:
      return carry_op(i);
    case Opcode::kMul: {
      const Width d = part == ".wide" && w == Width::k32 && ptx::bits_of(type) == 32 ? Width::k64 : w;
      return plain(i, "mul" + part + "." + (part == ".lo" ? bits_key(type) : sign_key(type)), {d, {w, w}, type},
                   Class::kInteger);
    }
    case Opcode::kMad: {
      if (i.has(Modifier::kCc)) return carry_op(i);
      const Width d = part == ".wide" && ptx::bits_of(type) == 32 ? Width::k64 : w;
      const std::string key = i.has(Modifier::kSat)
                                  ? "mad.hi.sat.s32"
                                  : "mad" + part + "." + (part == ".lo" ? bits_key(type) : sign_key(type));
      return plain(i, key, {d, {w, w, d}, type}, Class::kInteger);
    }
    case Opcode::kMul24:
      return two(mnemonic + part + "." + sign_key(type));
    case Opcode::kMad24:
      if (i.has(Modifier::kSat)) return unsupported_instruction(i);
      return three(mnemonic + part + "." + sign_key(type));
    case Opcode::kSad:
      return three("sad." + sign_key(type));
    case Opcode::kMin:
    case Opcode::kMax:
      if (i.has(Modifier::kRelu)) return unsupported_instruction(i);
      return two(mnemonic + "." + sign_key(type));
    case Opcode::kDiv:
    case Opcode::kRem:
      return two(mnemonic + "." + sign_key(type));
    case Opcode::kAbs:
    case Opcode::kNeg:
      return plain(i, mnemonic + "." + sign_key(type), {w, {w}, type}, Class::kInteger);
    case Opcode::kCnot:
      return plain(i, mnemonic + "." + bits_key(type), {w, {w}, type}, Class::kInteger);
    case Opcode::kBrev:
      return plain(i, mnemonic + "." + bits_key(type), {w, {w}, type}, Class::kInteger);
    case Opcode::kPopc:
    case Opcode::kClz:
      return plain(i, mnemonic + "." + bits_key(type), {Width::k32, {w}, type}, Class::kInteger);
    case Opcode::kBfind:
      return plain(i, mnemonic + (i.has(Modifier::kShiftAmt) ? ".shiftamt." : ".") + sign_key(type),
                   {Width::k32, {w}, type}, Class::kInteger);
    case Opcode::kBfe:
      return plain(i, "bfe." + sign_key(type), {w, {w, Width::k32, Width::k32}, type}, Class::kInteger);
    case Opcode::kBfi: {
      const auto o = f_.operands_of(i);
      TAILOR_ASSIGN_OR_RETURN(const uint32_t length, source(o[4], Width::k32));
      const uint32_t aux = add_aux({length});
      TAILOR_RETURN_IF_ERROR(plain(i, "bfi." + bits_key(type), {w, {w, w, Width::k32}, type}, Class::kInteger));
      out_->ops.back().aux = aux;
      return {};
    }
    case Opcode::kFns:
      return three("fns.b32");
    case Opcode::kDp4a:
      return three("dp4a." + sign_key(i.types[0]) + "." + sign_key(i.types[1]));
    case Opcode::kDp2a:
      return three("dp2a" + part + "." + sign_key(i.types[0]) + "." + sign_key(i.types[1]));
    case Opcode::kShl:
      return plain(i, "shl." + bits_key(type), {w, {w, Width::k32}, type}, Class::kInteger);
    case Opcode::kShr:
      return plain(i, "shr." + sign_key(type), {w, {w, Width::k32}, type}, Class::kInteger);
    case Opcode::kShf:
      return three(std::string("shf") + (i.has(Modifier::kLeft) ? ".l" : ".r") +
                   (i.has(Modifier::kWrap) ? ".wrap" : ".clamp") + ".b32");
    case Opcode::kLop3: {
      const auto o = f_.operands_of(i);
      if (o.size() != 5 || o[0].kind == Operand::Kind::kPair)
        return unsupported_instruction(i, "lop3 with a predicate");
      return plain(i, "lop3.b32", {w, {w, w, w}, type}, Class::kInteger, static_cast<uint32_t>(o[4].value) & 0xFF);
    }
    case Opcode::kAnd:
    case Opcode::kOr:
    case Opcode::kXor:
    case Opcode::kNot: {
      const bool unary = i.opcode == Opcode::kNot;
      if (type != Type::kPred) {
        if (unary) return plain(i, "not." + bits_key(type), {w, {w}, type}, Class::kInteger);
        return two(mnemonic + "." + bits_key(type));
      }
      const auto o = f_.operands_of(i);
      uint32_t inverted = o[1].negated ? 1 : 0;
      if (!unary && o[2].negated) inverted |= 2;
      Operands operands{Width::kPredicate, {Width::kPredicate}, type};
      if (!unary) operands.sources.push_back(Width::kPredicate);
      return plain(i, mnemonic + ".pred", operands, Class::kPredicate, inverted);
    }
    default:
      return unsupported_instruction(i);
  }
}

// add.cc, addc, sub.cc, subc, mad.cc, madc: the carry flag is a hidden predicate of the frame.
Status FunctionDecoder::carry_op(const Instruction& i) {
  if (carry_slot_ == kNoSlot) carry_slot_ = allocate(slot_bytes(Width::kPredicate));
  const bool reads = i.opcode == Opcode::kAddc || i.opcode == Opcode::kSubc || i.opcode == Opcode::kMadc;
  const uint32_t aux = add_aux({reads ? carry_slot_ : kNoSlot, i.has(Modifier::kCc) ? carry_slot_ : kNoSlot});
  const Width w = width_of(i.type());
  const bool mad = i.opcode == Opcode::kMad || i.opcode == Opcode::kMadc;
  const bool sub = i.opcode == Opcode::kSub || i.opcode == Opcode::kSubc;
  if (mad && i.has(Modifier::kWide)) return unsupported_instruction(i);
  Operands operands{w, {w, w}, i.type()};
  if (mad) operands.sources.push_back(w);
  const uint32_t imm = mad ? (i.has(Modifier::kHi) ? 1u : 0u) | (ptx::is_signed(i.type()) ? 2u : 0u) : 0;
  TAILOR_RETURN_IF_ERROR(plain(i,
                               std::string(mad   ? "madc."
                                           : sub ? "subc."
                                                 : "addc.") +
                                   bits_key(i.type()),
                               operands, Class::kInteger, imm));
  out_->ops.back().aux = aux;
  return {};
}

Status FunctionDecoder::decode_float(const Instruction& i) {
  const Type type = i.type();
  const Width w = width_of(type);
  const bool half = type != Type::kF32 && type != Type::kF64;
  const std::string suffix = fmt::format(".{}", ptx::to_string(type));
  const std::string mnemonic(ptx::to_string(i.opcode));
  const uint8_t flags = arithmetic_flags(i);
  const uint32_t rounding = arithmetic_rounding(i.rounding);
  const uint32_t relu = i.has(Modifier::kRelu) ? 4 : 0;
  if (i.type_count > 1) return unsupported_instruction(i);  // mixed precision is not of these targets
  switch (i.opcode) {
    case Opcode::kAdd:
    case Opcode::kSub:
    case Opcode::kMul:
    case Opcode::kDiv:
      if (half && rounding != 0) return unsupported_instruction(i);
      return plain(i, mnemonic + suffix, {w, {w, w}, type}, Class::kFloat, rounding, flags);
    case Opcode::kFma:
    case Opcode::kMad:
      if (i.has(Modifier::kOob) || (half && rounding != 0)) return unsupported_instruction(i);
      return plain(i, "fma" + suffix, {w, {w, w, w}, type}, Class::kFloat, half ? relu : rounding, flags);
    case Opcode::kMin:
    case Opcode::kMax: {
      if (f_.operands_of(i).size() != 3 || relu != 0) return unsupported_instruction(i);
      const uint32_t imm = (i.has(Modifier::kNaN) ? 1u : 0u) | (i.has(Modifier::kXorSign) ? 2u : 0u);
      return plain(i, mnemonic + suffix, {w, {w, w}, type}, Class::kFloat, imm, flags);
    }
    case Opcode::kRcp:
    case Opcode::kSqrt:
    case Opcode::kRsqrt:
    case Opcode::kSin:
    case Opcode::kCos:
    case Opcode::kLg2:
    case Opcode::kEx2:
    case Opcode::kTanh:
      return plain(i, mnemonic + suffix, {w, {w}, type}, Class::kFloat, rounding, flags);
    case Opcode::kAbs:
    case Opcode::kNeg:
      return plain(i, mnemonic + suffix, {w, {w}, type}, Class::kFloat, 0, flags);
    case Opcode::kCopysign:
      return plain(i, mnemonic + suffix, {w, {w, w}, type}, Class::kFloat);
    default:
      return unsupported_instruction(i);
  }
}

Status FunctionDecoder::decode_compare(const Instruction& i) {
  const auto o = f_.operands_of(i);
  if (i.opcode == Opcode::kTestp) {
    const Modifier classes[] = {Modifier::kFinite,     Modifier::kInfinite, Modifier::kNumber,
                                Modifier::kNotANumber, Modifier::kNormal,   Modifier::kSubnormal};
    uint32_t imm = 0;
    while (imm < 6 && classes[imm] != i.operation) ++imm;
    const Width w = width_of(i.type());
    return plain(i, fmt::format("testp.{}", ptx::to_string(i.type())), {Width::kPredicate, {w}, i.type()},
                 Class::kPredicate, imm);
  }
  const bool set = i.opcode == Opcode::kSet;
  const Type type = set ? i.types[1] : i.types[0];
  const Width w = width_of(type);
  std::string compare(ptx::to_string(i.compare));
  std::string suffix(ptx::to_string(type));
  if (!ptx::is_float(type)) {
    // lo, ls, hi, hs are the unsigned names; untyped operands compare for equality only.
    bool is_unsigned = !ptx::is_signed(type);
    switch (i.compare) {
      case Modifier::kLo:
        compare = "lt";
        is_unsigned = true;
        break;
      case Modifier::kLs:
        compare = "le";
        is_unsigned = true;
        break;
      case Modifier::kHi:
        compare = "gt";
        is_unsigned = true;
        break;
      case Modifier::kHs:
        compare = "ge";
        is_unsigned = true;
        break;
      default:
        break;
    }
    suffix = fmt::format("{}{}", is_unsigned ? 'u' : 's', ptx::bits_of(type));
  }
  uint32_t imm = 0;
  if (i.operation == Modifier::kAndOp) imm = 1;
  if (i.operation == Modifier::kOrOp) imm = 2;
  if (i.operation == Modifier::kXorOp) imm = 3;
  Op op = start(i, Class::kPredicate);
  op.run = context_.lanes.find((set ? "set." : "setp.") + compare + "." + suffix);
  if (!op.run) return unsupported_instruction(i);
  op.flags = arithmetic_flags(i);
  uint32_t q = kNoSlot;
  if (set) {
    if (i.types[0] != Type::kU32 && i.types[0] != Type::kS32 && i.types[0] != Type::kF32)
      return unsupported_instruction(i);
    if (i.types[0] == Type::kF32) imm |= 256;
    TAILOR_ASSIGN_OR_RETURN(op.d, destination(o[0]));
  } else if (o[0].kind == Operand::Kind::kPair) {
    const auto parts = f_.elements(o[0]);
    TAILOR_ASSIGN_OR_RETURN(op.d, destination(parts[0]));
    TAILOR_ASSIGN_OR_RETURN(q, destination(parts[1]));
  } else {
    TAILOR_ASSIGN_OR_RETURN(op.d, destination(o[0]));
  }
  TAILOR_ASSIGN_OR_RETURN(op.a, source(o[1], w, type));
  TAILOR_ASSIGN_OR_RETURN(op.b, source(o[2], w, type));
  if ((imm & 3) != 0) {
    if (o.size() < 4) return unsupported_instruction(i, "the combining predicate is missing");
    TAILOR_ASSIGN_OR_RETURN(op.c, source(o[3], Width::kPredicate));
    if (o[3].negated) imm |= 4;
  }
  op.imm = imm;
  op.aux = add_aux({q});
  emit(op);
  return {};
}

Status FunctionDecoder::decode_move(const Instruction& i) {
  const auto o = f_.operands_of(i);
  const Type type = i.type();
  const Width w = width_of(type);
  const std::string wide = w == Width::k64 ? "b64" : "b32";
  switch (i.opcode) {
    case Opcode::kSelp: {
      TAILOR_RETURN_IF_ERROR(plain(i, "selp." + wide, {w, {w, w, Width::kPredicate}, type}, Class::kMove));
      if (o[3].negated) std::swap(out_->ops.back().a, out_->ops.back().b);
      return {};
    }
    case Opcode::kSlct:
      return plain(i, "slct." + wide + "." + std::string(ptx::to_string(i.types[1])), {w, {w, w, Width::k32}, type},
                   Class::kMove);
    case Opcode::kPrmt: {
      const std::string mode = i.operation == Modifier::kNone ? "" : std::string(ptx::to_string(i.operation)) + ".";
      return plain(i, "prmt." + mode + "b32", {w, {w, w, w}, type}, Class::kMove);
    }
    default:
      break;
  }
  if (type == Type::kPred) {
    return plain(i, "mov.pred", {w, {w}, type}, Class::kPredicate, o[1].negated ? 1 : 0);
  }
  const bool packs = o[1].kind == Operand::Kind::kVector, unpacks = o[0].kind == Operand::Kind::kVector;
  if (packs || unpacks) {
    const auto elements = f_.elements(packs ? o[1] : o[0]);
    const unsigned part_bits = ptx::bits_of(type) / static_cast<unsigned>(elements.size());
    Op op = start(i, Class::kMove);
    op.run = context_.lanes.find(fmt::format("{}.b{}.b{}", packs ? "pack" : "unpack", ptx::bits_of(type), part_bits));
    if (!op.run || (packs && unpacks)) return unsupported_instruction(i);
    op.imm = static_cast<uint32_t>(elements.size());
    const Width part = part_bits == 64 ? Width::k64 : Width::k32;
    std::vector<uint32_t> slots;
    for (const Operand& element : elements) {
      if (packs) {
        TAILOR_ASSIGN_OR_RETURN(slots.emplace_back(), source(element, part));
      } else {
        TAILOR_ASSIGN_OR_RETURN(slots.emplace_back(), destination(element));
      }
    }
    if (packs) {
      TAILOR_ASSIGN_OR_RETURN(op.d, destination(o[0]));
    } else {
      TAILOR_ASSIGN_OR_RETURN(op.a, source(o[1], w));
    }
    op.aux = add_aux(slots);
    emit(op);
    return {};
  }
  if (o[1].kind == Operand::Kind::kSpecial && width_of(ptx::type_of(o[1].special)) == w) {
    Op op = start(i, Class::kMove);
    op.run = context_.lanes.find(w == Width::k64 ? "special.b64" : "special.b32");
    op.imm = static_cast<uint32_t>(o[1].special);
    TAILOR_ASSIGN_OR_RETURN(op.d, destination(o[0]));
    emit(op);
    return {};
  }
  if (o[1].kind == Operand::Kind::kSymbol && is_local_symbol(o[1])) {
    Op op = start(i, Class::kMove);
    op.run = context_.lanes.find("local_address." + wide);
    op.imm = local_offset_[o[1].symbol.index] + static_cast<uint32_t>(o[1].value);
    TAILOR_ASSIGN_OR_RETURN(op.d, destination(o[0]));
    emit(op);
    return {};
  }
  return plain(i, w == Width::k128 ? "mov.b128" : "mov." + wide, {w, {w}, type}, Class::kMove);
}

Status FunctionDecoder::decode_convert(const Instruction& i) {
  const auto o = f_.operands_of(i);
  const Type to = i.types[0], from = i.types[1];
  const uint8_t flags = arithmetic_flags(i);
  // RoundingCode of lanes_convert.cpp.
  const Modifier codes[] = {Modifier::kNone, Modifier::kRn,  Modifier::kRz,  Modifier::kRm,  Modifier::kRp,
                            Modifier::kRni,  Modifier::kRzi, Modifier::kRmi, Modifier::kRpi, Modifier::kRna};
  uint32_t code = 0;
  while (code < 10 && codes[code] != i.rounding) ++code;
  uint32_t switches = (i.has(Modifier::kSatfinite) ? 1u : 0u) | (i.has(Modifier::kRelu) ? 2u : 0u);
  const auto general = [&] {
    return static_cast<uint32_t>(to) | static_cast<uint32_t>(from) << 8 | code << 16 | switches << 24;
  };
  const bool to_half2 = to == Type::kF16x2 || to == Type::kBF16x2;
  const bool to_fp8 = to == Type::kE4M3x2 || to == Type::kE5M2x2;
  const bool from_fp8 = from == Type::kE4M3x2 || from == Type::kE5M2x2;
  if (to_half2 && from_fp8) {
    if (to != Type::kF16x2) return unsupported_instruction(i);
    return plain(i, "fp8_to_half2", {Width::k32, {Width::k32}, from}, Class::kConvert, general(), flags);
  }
  if (to_fp8 && from == Type::kF16x2) {
    return plain(i, "half2_to_fp8", {Width::k32, {Width::k32}, from}, Class::kConvert, general(), flags);
  }
  if (to_half2 || to_fp8) {
    if (from != Type::kF32 || o.size() != 3) return unsupported_instruction(i);
    const bool fast = to_half2 && code == 1 && switches == 0 && flags == 0;
    return plain(i, fast ? fmt::format("cvt.rn.{}.f32", ptx::to_string(to)) : "convert_pair",
                 {Width::k32, {Width::k32, Width::k32}, from}, Class::kConvert, general(), flags);
  }
  if (from_fp8 || o.size() != 2 || o[0].kind != Operand::Kind::kRegister) return unsupported_instruction(i);
  const Width d = register_width(o[0].index);
  const Width s = o[1].kind == Operand::Kind::kRegister  ? register_width(o[1].index)
                  : o[1].kind == Operand::Kind::kSpecial ? width_of(ptx::type_of(o[1].special))
                                                         : width_of(from);
  if (d == Width::kPredicate || d == Width::k128 || s == Width::kPredicate || s == Width::k128)
    return unsupported_instruction(i);
  std::string key = "convert";
  if (d == width_of(to) && s == width_of(from) && switches == 0) {
    const bool integers = !ptx::is_float(to) && !ptx::is_float(from);
    std::string fast;
    if (integers && flags == 0) {
      fast = fmt::format("cvt.{}.{}", sign_key(to), sign_key(from));
    } else if (flags == 0 && code != 0) {
      fast = fmt::format("cvt.{}.{}.{}", ptx::to_string(i.rounding), ptx::to_string(to), ptx::to_string(from));
    } else if (flags == 0) {
      fast = fmt::format("cvt.{}.{}", ptx::to_string(to), ptx::to_string(from));
    }
    if (!fast.empty() && context_.lanes.find(fast)) key = fast;
  }
  if (d == Width::k64) switches |= 8;
  if (s == Width::k64) switches |= 4;
  return plain(i, key, {d, {s}, from}, Class::kConvert, general(), flags);
}

Status FunctionDecoder::decode_address_conversion(const Instruction& i) {
  const bool shared = ptx::is_shared_cta(i.space) || i.space == ptx::Space::kSharedCluster;
  const bool local = i.space == ptx::Space::kLocal;
  if (i.opcode == Opcode::kIsspacep) {
    const uint32_t imm = i.space == ptx::Space::kGlobal ? 0 : shared ? 1 : local ? 2 : 3;
    return plain(i, "isspacep", {Width::kPredicate, {Width::k64}, Type::kB64}, Class::kPredicate, imm);
  }
  if (width_of(i.type()) != Width::k64) return unsupported_instruction(i, "32-bit generic addresses");
  if (!shared && !local) return plain(i, "mov.b64", {Width::k64, {Width::k64}, Type::kB64}, Class::kConvert);
  return plain(i, i.has(Modifier::kTo) ? "cvta.to" : "cvta.from", {Width::k64, {Width::k64}, Type::kB64},
               Class::kConvert, shared ? 1 : 2);
}

}  // namespace tailor::virtual_device
