#include <bit>
#include <cassert>
#include <unordered_set>

#include <fmt/format.h>

#include "codegen/kernel/ir.h"
#include "codegen/kernel/rules.h"

namespace tailor::codegen::kernel {

Builder::Builder(std::string entry, uint32_t block_threads) {
  program_.entry = std::move(entry);
  program_.block_threads = block_threads;
}

Value Builder::define(Type type, std::string name) {
  program_.values.push_back({type, std::move(name)});
  return {static_cast<ValueId>(program_.values.size() - 1)};
}

Instruction& Builder::append(Op op) {
  Region& region = open_.empty() ? program_.body : *open_.back();
  region.body.emplace_back();
  region.body.back().op = op;
  return region.body.back();
}

Instruction& Builder::last() { return (open_.empty() ? program_.body : *open_.back()).body.back(); }

Value Builder::parameter(Type type, std::string name, bool read_only) {
  Value v = define(type, std::move(name));
  program_.parameters.push_back({v.id, read_only});
  return v;
}

Value Builder::constant(Type type, int64_t value) {
  Value v = define(type);
  Instruction& instruction = append(Op::kConstant);
  instruction.results = {v.id};
  instruction.immediate = type == Type::kI32 ? static_cast<int32_t>(static_cast<uint32_t>(value)) : value;
  return v;
}

Value Builder::special(Special which) {
  Value v = define(Type::kI32);
  Instruction& instruction = append(Op::kSpecial);
  instruction.results = {v.id};
  instruction.special = which;
  return v;
}

Value Builder::binary(Op op, Value a, Value b, std::string name) {
  assert(operand_count(op) == 2 && type_of(a) == type_of(b));
  Value v = define(rules::type_or_default(program_, a.id), std::move(name));
  Instruction& instruction = append(op);
  instruction.results = {v.id};
  instruction.operands = {a.id, b.id};
  return v;
}

Value Builder::logical_not(Value a) {
  Value v = define(rules::type_or_default(program_, a.id));
  Instruction& instruction = append(Op::kNot);
  instruction.results = {v.id};
  instruction.operands = {a.id};
  return v;
}

Value Builder::compare(Compare relation, Value a, Value b) {
  assert(type_of(a) == type_of(b));
  Value v = define(Type::kPred);
  Instruction& instruction = append(Op::kCompare);
  instruction.results = {v.id};
  instruction.operands = {a.id, b.id};
  instruction.compare = relation;
  return v;
}

Value Builder::select(Value condition, Value if_true, Value if_false) {
  assert(type_of(condition) == Type::kPred && type_of(if_true) == type_of(if_false));
  Value v = define(rules::type_or_default(program_, if_true.id));
  Instruction& instruction = append(Op::kSelect);
  instruction.results = {v.id};
  instruction.operands = {condition.id, if_true.id, if_false.id};
  return v;
}

Value Builder::sign_extend(Value a) {
  assert(type_of(a) == Type::kI32);
  Value v = define(Type::kI64);
  Instruction& instruction = append(Op::kSignExtend);
  instruction.results = {v.id};
  instruction.operands = {a.id};
  return v;
}

Value Builder::zero_extend(Value a) {
  const Type from = rules::type_or_default(program_, a.id);
  assert(from == Type::kI32 || from == Type::kB8 || from == Type::kB16);
  Value v = define(from == Type::kI32 ? Type::kI64 : Type::kI32);
  Instruction& instruction = append(Op::kZeroExtend);
  instruction.results = {v.id};
  instruction.operands = {a.id};
  return v;
}

Value Builder::truncate(Value a) {
  assert(type_of(a) == Type::kI64);
  Value v = define(Type::kI32);
  Instruction& instruction = append(Op::kTruncate);
  instruction.results = {v.id};
  instruction.operands = {a.id};
  return v;
}

Value Builder::ptr_add(Value pointer, Value byte_offset) {
  assert(type_of(pointer) == Type::kPtr || type_of(pointer) == Type::kSptr);
  Value v = define(rules::type_or_default(program_, pointer.id));
  Instruction& instruction = append(Op::kPtrAdd);
  instruction.results = {v.id};
  instruction.operands = {pointer.id, byte_offset.id};
  return v;
}

Value Builder::f32(float value) { return constant(Type::kF32, std::bit_cast<uint32_t>(value)); }

Value Builder::fma(Value a, Value b, Value c) {
  assert(type_of(a) == Type::kF32 && type_of(b) == Type::kF32 && type_of(c) == Type::kF32);
  Value v = define(Type::kF32);
  Instruction& instruction = append(Op::kFma);
  instruction.results = {v.id};
  instruction.operands = {a.id, b.id, c.id};
  return v;
}

Value Builder::bitcast(Type type, Value a) {
  Value v = define(type);
  Instruction& instruction = append(Op::kBitcast);
  instruction.results = {v.id};
  instruction.operands = {a.id};
  return v;
}

Builder::Values Builder::unpack(Type lane, Value bits) {
  assert(is_bits(lane) && is_bits(type_of(bits)));
  const int count = bytes_of(rules::type_or_default(program_, bits.id)) / bytes_of(lane);
  return define_all(Op::kUnpack, lane, count, bits);
}

Value Builder::pack(const Values& lanes) {
  assert(!lanes.empty());
  const int bytes = bytes_of(rules::type_or_default(program_, lanes[0].id)) * static_cast<int>(lanes.size());
  Value v = define(bits_type(bytes));
  Instruction& instruction = append(Op::kPack);
  instruction.results = {v.id};
  for (Value lane : lanes) instruction.operands.push_back(lane.id);
  return v;
}

Builder::Values Builder::decode(Format format, Value bits) {
  const int count = bytes_of(rules::type_or_default(program_, bits.id)) / bytes_of(format);
  assert(count == 1 || count == 2);
  Values values = define_all(Op::kDecode, Type::kF32, count, bits);
  last().format = format;
  return values;
}

Value Builder::encode(Format format, const Values& f32s) {
  assert(f32s.size() == 1 || f32s.size() == 2);
  Value v = define(bits_type(bytes_of(format) * static_cast<int>(f32s.size())));
  Instruction& instruction = append(Op::kEncode);
  instruction.results = {v.id};
  for (Value value : f32s) instruction.operands.push_back(value.id);
  instruction.format = format;
  return v;
}

Builder::Values Builder::define_all(Op op, Type type, int count, Value operand) {
  Values values;
  for (int k = 0; k < count; ++k) values.push_back(define(type));
  Instruction& instruction = append(op);
  for (Value v : values) instruction.results.push_back(v.id);
  instruction.operands = {operand.id};
  return values;
}

Value Builder::shared(uint32_t bytes) {
  const uint32_t offset = (program_.shared_bytes + rules::kSharedAlign - 1) / rules::kSharedAlign * rules::kSharedAlign;
  program_.shared_bytes = offset + bytes;
  Value base = define(Type::kSptr);
  append(Op::kShared).results = {base.id};
  return offset == 0 ? base : ptr_add(base, i32(offset));
}

void Builder::claim(Value pointer, const AccessInfo& info) {
  const bool is_shared = type_of(pointer) == Type::kSptr;
  program_.accesses.push_back({is_shared ? std::string(kSharedOperand) : info.operand, info.what});
}

Value Builder::load(Type type, Value pointer, const AccessInfo& info, Value guard) {
  Value v = define(type);
  claim(pointer, info);
  Instruction& instruction = append(Op::kLoad);
  instruction.results = {v.id};
  instruction.operands = {pointer.id};
  instruction.guarded = guard.id != kNoValue;
  if (instruction.guarded) instruction.operands.push_back(guard.id);
  instruction.memory_type = type;
  instruction.align = static_cast<uint16_t>(info.align);
  instruction.access = static_cast<uint16_t>(program_.accesses.size());
  instruction.read_only = info.read_only;
  return v;
}

void Builder::store(Type type, Value pointer, Value value, const AccessInfo& info, Value guard) {
  claim(pointer, info);
  Instruction& instruction = append(Op::kStore);
  instruction.operands = {pointer.id, value.id};
  instruction.guarded = guard.id != kNoValue;
  if (instruction.guarded) instruction.operands.push_back(guard.id);
  instruction.memory_type = type;
  instruction.align = static_cast<uint16_t>(info.align);
  instruction.access = static_cast<uint16_t>(program_.accesses.size());
}

void Builder::atomic_max_u64(Value pointer, Value value_i64, const AccessInfo& info) {
  claim(pointer, info);
  Instruction& instruction = append(Op::kAtomicMaxU64);
  instruction.operands = {pointer.id, value_i64.id};
  instruction.memory_type = Type::kI64;
  instruction.align = static_cast<uint16_t>(info.align);
  instruction.access = static_cast<uint16_t>(program_.accesses.size());
}

namespace {

std::vector<ValueId> ids(const Builder::Values& values) {
  std::vector<ValueId> result;
  result.reserve(values.size());
  for (Value v : values) result.push_back(v.id);
  return result;
}

}  // namespace

// A control instruction is built outside its region and moved in when complete: open_ points at its regions meanwhile,
// and nothing is appended to a vector that open_ points into.

Builder::Values Builder::for_loop(Value lo, Value hi, Value step, const Values& init,
                                  const std::function<Values(Value iv, const Values& carried)>& body) {
  Instruction loop;
  loop.op = Op::kFor;
  loop.operands = {lo.id, hi.id, step.id};
  for (Value v : init) loop.operands.push_back(v.id);
  loop.regions.resize(1);
  Value iv = define(rules::type_or_default(program_, lo.id));
  Values carried;
  for (Value v : init) carried.push_back(define(rules::type_or_default(program_, v.id)));
  loop.regions[0].arguments = {iv.id};
  for (Value v : carried) loop.regions[0].arguments.push_back(v.id);

  open_.push_back(&loop.regions[0]);
  Values next = body(iv, carried);
  append(Op::kYield).operands = ids(next);
  open_.pop_back();

  Values results;
  for (Value v : init) results.push_back(define(rules::type_or_default(program_, v.id)));
  loop.results = ids(results);
  append(Op::kFor) = std::move(loop);
  return results;
}

Builder::Values Builder::while_loop(const Values& init,
                                    const std::function<std::pair<Value, Values>(const Values&)>& condition,
                                    const std::function<Values(const Values&)>& body) {
  Instruction loop;
  loop.op = Op::kWhile;
  loop.operands = ids(init);
  loop.regions.resize(2);
  Values before;
  for (Value v : init) before.push_back(define(rules::type_or_default(program_, v.id)));
  loop.regions[0].arguments = ids(before);

  open_.push_back(&loop.regions[0]);
  auto [proceed, passed] = condition(before);
  Instruction& terminator = append(Op::kCondition);
  terminator.operands = {proceed.id};
  for (Value v : passed) terminator.operands.push_back(v.id);
  open_.pop_back();

  Values inside;
  for (Value v : passed) inside.push_back(define(rules::type_or_default(program_, v.id)));
  loop.regions[1].arguments = ids(inside);
  open_.push_back(&loop.regions[1]);
  Values next = body(inside);
  append(Op::kYield).operands = ids(next);
  open_.pop_back();

  Values results;
  for (Value v : passed) results.push_back(define(rules::type_or_default(program_, v.id)));
  loop.results = ids(results);
  append(Op::kWhile) = std::move(loop);
  return results;
}

void Builder::if_then(Value condition, const std::function<void()>& then) {
  Instruction branch;
  branch.op = Op::kIf;
  branch.operands = {condition.id};
  branch.regions.resize(1);
  open_.push_back(&branch.regions[0]);
  then();
  open_.pop_back();
  append(Op::kIf) = std::move(branch);
}

Builder::Values Builder::if_else(Value condition, const std::function<Values()>& then,
                                 const std::function<Values()>& otherwise) {
  Instruction branch;
  branch.op = Op::kIf;
  branch.operands = {condition.id};
  branch.regions.resize(2);
  Values yielded;
  for (int side = 0; side < 2; ++side) {
    open_.push_back(&branch.regions[side]);
    Values values = side == 0 ? then() : otherwise();
    append(Op::kYield).operands = ids(values);
    open_.pop_back();
    if (side == 0) yielded = std::move(values);
  }
  Values results;
  for (Value v : yielded) results.push_back(define(rules::type_or_default(program_, v.id)));
  branch.results = ids(results);
  append(Op::kIf) = std::move(branch);
  return results;
}

void Builder::set_name(Value value, std::string name) {
  assert(value.id < program_.values.size());
  program_.values[value.id].name = std::move(name);
}

Program Builder::finish() {
  assert(open_.empty());
  std::unordered_set<std::string> taken;
  for (ValueInfo& value : program_.values) {
    if (value.name.empty()) continue;
    std::string name = rules::as_identifier(value.name);
    std::string unique = name;
    for (int suffix = 1; !taken.insert(unique).second; ++suffix) unique = fmt::format("{}.{}", name, suffix);
    value.name = std::move(unique);
  }
  int next = 0;
  for (ValueInfo& value : program_.values) {
    if (!value.name.empty()) continue;
    do {
      value.name = fmt::format("t{}", next++);
    } while (!taken.insert(value.name).second);
  }
  Program result = std::move(program_);
  program_ = Program{};
  open_.clear();
  return result;
}

}  // namespace tailor::codegen::kernel
