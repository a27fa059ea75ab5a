#include "tests/codegen/movement/interpreter.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include <fmt/format.h>

namespace tailor::test {

using codegen::kernel::Access;
using codegen::kernel::bytes_of;
using codegen::kernel::Compare;
using codegen::kernel::Instruction;
using codegen::kernel::Op;
using codegen::kernel::Special;
using codegen::kernel::Type;
using codegen::kernel::ValueId;

namespace {

int width_of(Type t) { return t == Type::kPred ? 1 : 8 * bytes_of(t); }

bool holds(Compare relation, int64_t a, int64_t b, uint64_t ua, uint64_t ub) {
  switch (relation) {
    case Compare::kEq:
      return ua == ub;
    case Compare::kNe:
      return ua != ub;
    case Compare::kSlt:
      return a < b;
    case Compare::kSle:
      return a <= b;
    case Compare::kSgt:
      return a > b;
    case Compare::kSge:
      return a >= b;
    case Compare::kUlt:
      return ua < ub;
    case Compare::kUle:
      return ua <= ub;
    case Compare::kUgt:
      return ua > ub;
    case Compare::kUge:
      return ua >= ub;
  }
  return false;
}

}  // namespace

bool Interpreter::fail(std::string message) {
  if (error.empty()) error = fmt::format("block {} thread {}: {}", block_, thread_, message);
  return false;
}

int64_t Interpreter::integer(ValueId v) const {
  const uint64_t bits = values_[v][0];
  return program_.type_of(v) == Type::kI32 ? static_cast<int32_t>(static_cast<uint32_t>(bits))
                                           : static_cast<int64_t>(bits);
}
uint64_t Interpreter::word(ValueId v) const { return values_[v][0]; }
void Interpreter::set(ValueId v, uint64_t bits) {
  const int width = width_of(program_.type_of(v));
  values_[v] = {width >= 64 ? bits : bits & ((uint64_t{1} << width) - 1), 0};
}

void Region::read(uint64_t offset, void* to, uint64_t count) const {
  if (!sparse_size) {
    std::memcpy(to, bytes.data() + offset, count);
    return;
  }
  for (uint64_t k = 0; k < count; ++k) {
    const auto found = sparse.find(offset + k);
    static_cast<uint8_t*>(to)[k] = found == sparse.end() ? 0 : found->second;
  }
}

void Region::write(uint64_t offset, const void* from, uint64_t count) {
  if (!sparse_size) {
    std::memcpy(bytes.data() + offset, from, count);
    return;
  }
  for (uint64_t k = 0; k < count; ++k) sparse[offset + k] = static_cast<const uint8_t*>(from)[k];
}

bool Interpreter::launch(uint32_t grid, const std::vector<int64_t>& parameters) {
  std::vector<uint32_t> blocks(grid);
  std::iota(blocks.begin(), blocks.end(), 0u);
  return launch(grid, parameters, blocks);
}

bool Interpreter::launch(uint32_t grid, const std::vector<int64_t>& parameters, const std::vector<uint32_t>& blocks) {
  grid_ = grid;
  for (uint32_t block : blocks) {
    block_ = block;
    for (thread_ = 0; thread_ < program_.block_threads; ++thread_) {
      values_.assign(program_.values.size(), {});
      budget_ = 4'000'000;
      for (size_t i = 0; i < parameters.size(); ++i) {
        set(program_.parameters[i].value, static_cast<uint64_t>(parameters[i]));
      }
      std::vector<Bits> passed;
      if (!run(program_.body, passed)) return false;
    }
  }
  return true;
}

bool Interpreter::run(const codegen::kernel::Region& region, std::vector<Bits>& passed) {
  for (const Instruction& i : region.body) {
    if (--budget_ == 0) return fail("runs on and on");
    if (!execute(i, passed)) return false;
  }
  return true;
}

bool Interpreter::execute(const Instruction& i, std::vector<Bits>& passed) {
  if (i.op != Op::kConstant && i.op != Op::kYield && i.op != Op::kCondition) ++counts.instructions;
  const auto a = [&] { return word(i.operands[0]); };
  const auto b = [&] { return word(i.operands[1]); };
  const auto sa = [&] { return integer(i.operands[0]); };
  const auto sb = [&] { return integer(i.operands[1]); };
  const auto result = [&](uint64_t bits) {
    set(i.results[0], bits);
    return true;
  };
  switch (i.op) {
    case Op::kConstant:
      return result(static_cast<uint64_t>(i.immediate));
    case Op::kSpecial:
      switch (i.special) {
        case Special::kTidX:
          return result(thread_);
        case Special::kCtaidX:
          return result(block_);
        case Special::kNctaidX:
          return result(grid_);
        case Special::kNtidX:
          return result(program_.block_threads);
        case Special::kLaneId:
          return result(thread_ % 32);
      }
      return fail("unknown special");
    case Op::kAdd:
      return result(a() + b());
    case Op::kSub:
      return result(a() - b());
    case Op::kMul:
      return result(a() * b());
    case Op::kMulHighU: {
      const int width = width_of(program_.type_of(i.operands[0]));
      return result(static_cast<uint64_t>(static_cast<unsigned __int128>(a()) * b() >> width));
    }
    case Op::kMinS:
      return result(static_cast<uint64_t>(std::min(sa(), sb())));
    case Op::kMaxS:
      return result(static_cast<uint64_t>(std::max(sa(), sb())));
    case Op::kMinU:
      return result(std::min(a(), b()));
    case Op::kMaxU:
      return result(std::max(a(), b()));
    case Op::kAnd:
      return result(a() & b());
    case Op::kOr:
      return result(a() | b());
    case Op::kXor:
      return result(a() ^ b());
    case Op::kNot:
      return result(~a());
    case Op::kShl:
      return result(a() << b());
    case Op::kShrU:
      return result(a() >> b());
    case Op::kShrS:
      return result(static_cast<uint64_t>(sa() >> b()));
    case Op::kCompare:
      return result(holds(i.compare, sa(), sb(), a(), b()));
    case Op::kSelect:
      values_[i.results[0]] = values_[i.operands[a() ? 1 : 2]];
      return true;
    case Op::kSignExtend:
      return result(static_cast<uint64_t>(sa()));
    case Op::kZeroExtend:
    case Op::kTruncate:
      return result(a());
    case Op::kPtrAdd:
      return result(a() + b());  // an i32 offset is held zero-extended: unsigned bytes
    case Op::kLoad:
    case Op::kStore:
    case Op::kAtomicMaxU64:
      return access(i);
    case Op::kFor:
      return loop_for(i);
    case Op::kWhile:
      return loop_while(i);
    case Op::kIf: {
      std::vector<Bits> yielded;
      if (a()) {
        if (!run(i.regions[0], yielded)) return false;
      } else if (i.regions.size() > 1) {
        if (!run(i.regions[1], yielded)) return false;
      }
      for (size_t k = 0; k < i.results.size(); ++k) values_[i.results[k]] = yielded[k];
      return true;
    }
    case Op::kYield:
    case Op::kCondition:
      passed.clear();
      for (ValueId v : i.operands) passed.push_back(values_[v]);
      return true;
  }
  return fail("unknown instruction");
}

bool Interpreter::loop_for(const Instruction& i) {
  std::vector<Bits> carried;
  for (size_t k = 3; k < i.operands.size(); ++k) carried.push_back(values_[i.operands[k]]);
  const codegen::kernel::Region& body = i.regions[0];
  const int64_t hi = integer(i.operands[1]), step = integer(i.operands[2]);
  for (int64_t at = integer(i.operands[0]); at < hi; at += step) {
    set(body.arguments[0], static_cast<uint64_t>(at));
    for (size_t k = 0; k < carried.size(); ++k) values_[body.arguments[k + 1]] = carried[k];
    if (!run(body, carried)) return false;
  }
  for (size_t k = 0; k < i.results.size(); ++k) values_[i.results[k]] = carried[k];
  return true;
}

bool Interpreter::loop_while(const Instruction& i) {
  std::vector<Bits> carried;
  for (ValueId v : i.operands) carried.push_back(values_[v]);
  while (true) {
    for (size_t k = 0; k < carried.size(); ++k) values_[i.regions[0].arguments[k]] = carried[k];
    std::vector<Bits> passed;
    if (!run(i.regions[0], passed)) return false;
    const bool proceed = passed[0][0] != 0;
    passed.erase(passed.begin());
    if (!proceed) {
      for (size_t k = 0; k < i.results.size(); ++k) values_[i.results[k]] = passed[k];
      return true;
    }
    for (size_t k = 0; k < passed.size(); ++k) values_[i.regions[1].arguments[k]] = passed[k];
    if (!run(i.regions[1], carried)) return false;
  }
}

bool Interpreter::access(const Instruction& i) {
  const bool load = i.op == Op::kLoad;
  const uint64_t bytes = static_cast<uint64_t>(bytes_of(i.memory_type));
  if (i.guarded) {
    ++counts.guarded;
    if (word(i.operands.back()) == 0) {
      ++counts.guarded_off;
      if (load) values_[i.results[0]] = {};
      return true;
    }
  }
  const Access& claim = program_.accesses[i.access - 1];
  const auto found = memory_.find(claim.operand);
  if (found == memory_.end()) return fail(fmt::format("access to the unknown operand {}", claim.operand));
  Region& region = found->second;
  const uint64_t address = word(i.operands[0]);
  const uint64_t offset = address - region.address;
  if (address < region.address || offset > region.size() || region.size() - offset < bytes) {
    return fail(fmt::format("{} of {} bytes at {} + {} ({}), which has {} bytes", to_string(i.op), bytes, claim.operand,
                            static_cast<int64_t>(offset), claim.what, region.size()));
  }
  if (address % i.align != 0) {
    return fail(fmt::format("{} at {:#x} ({} {}) is not aligned to {}", to_string(i.op), address, claim.operand,
                            claim.what, i.align));
  }
  if (!load && !region.writable) return fail(fmt::format("write to {}", claim.operand));
  if (load && i.read_only && region.writable) return fail(fmt::format("read-only load of {}", claim.operand));
  if (load) {
    ++counts.loads;
    values_[i.results[0]] = {};
    region.read(offset, values_[i.results[0]].data(), bytes);
  } else if (i.op == Op::kStore) {
    ++counts.stores;
    ++counts.store_widths[static_cast<int>(bytes)];
    region.write(offset, values_[i.operands[1]].data(), bytes);
  } else {
    ++counts.atomics;
    uint64_t old = 0;
    region.read(offset, &old, 8);
    const uint64_t now = std::max(old, word(i.operands[1]));
    region.write(offset, &now, 8);
  }
  return true;
}

}  // namespace tailor::test
