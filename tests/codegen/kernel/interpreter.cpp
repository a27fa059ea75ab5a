#include "tests/codegen/kernel/interpreter.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

#include <fmt/format.h>

namespace tailor::codegen::kernel::testing {
namespace {

struct Cell {
  uint64_t low = 0;  // i32, pred and narrow bits are zero-extended
  uint64_t high = 0;
};

// Sets the block that an access of `bytes` bytes at `address` may touch; else returns the rule that it breaks.
using FindBlock =
    std::function<std::string(const Instruction& i, uint64_t address, uint64_t bytes, MemoryBlock*& block)>;

class Thread {
 public:
  Thread(const Program& program, const Launch& launch, const FindBlock& find_block, RunCounts& counts, uint32_t block,
         uint32_t tid)
      : p_(program),
        launch_(launch),
        find_block_(find_block),
        counts_(counts),
        block_(block),
        tid_(tid),
        values_(program.values.size()) {
    for (size_t k = 0; k < p_.parameters.size(); ++k) set(p_.parameters[k].value, launch_.arguments[k]);
  }

  std::string run() {
    region(p_.body);
    return error_;
  }

 private:
  uint64_t get(ValueId v) const { return values_[v].low; }
  void set(ValueId v, uint64_t value) { values_[v] = {value & mask(width(v)), 0}; }
  int width(ValueId v) const { return p_.type_of(v) == Type::kPred ? 1 : 8 * bytes_of(p_.type_of(v)); }
  static uint64_t mask(int width) { return width >= 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1; }
  int64_t as_signed(ValueId v) const {
    return width(v) == 32 ? static_cast<int32_t>(static_cast<uint32_t>(get(v))) : static_cast<int64_t>(get(v));
  }
  void fail(const Instruction& i, std::string what) {
    if (error_.empty())
      error_ = fmt::format("{} access {} in block {} thread {}: {}", to_string(i.op), i.access, block_, tid_, what);
  }
  bool step(const Instruction& i) {
    if (++steps_ > kMostSteps) fail(i, "the thread runs on and on");
    return error_.empty();
  }

  // The operands of the region's terminator, empty when it has none.
  std::vector<ValueId> region(const Region& r) {
    for (const Instruction& i : r.body) {
      if (!step(i)) return {};
      if (i.op == Op::kYield || i.op == Op::kCondition) return i.operands;
      instruction(i);
    }
    return {};
  }
  std::vector<Cell> read(const std::vector<ValueId>& values, size_t first) const {
    std::vector<Cell> cells;
    for (size_t k = first; k < values.size(); ++k) cells.push_back(values_[values[k]]);
    return cells;
  }
  void write(const std::vector<ValueId>& values, size_t first, const std::vector<Cell>& cells) {
    for (size_t k = 0; k < cells.size(); ++k) values_[values[first + k]] = cells[k];
  }

  void instruction(const Instruction& i) {
    if (i.op != Op::kConstant) ++counts_.instructions;
    switch (i.op) {
      case Op::kFor:
        return for_loop(i);
      case Op::kWhile:
        return while_loop(i);
      case Op::kIf: {
        size_t side = get(i.operands[0]) ? 0 : 1;
        if (side >= i.regions.size()) return;
        std::vector<ValueId> yielded = region(i.regions[side]);
        if (error_.empty() && !i.results.empty()) write(i.results, 0, read(yielded, 0));
        return;
      }
      case Op::kLoad:
      case Op::kStore:
      case Op::kAtomicMaxU64:
        return access(i);
      case Op::kSelect:
        values_[i.results[0]] = values_[i.operands[get(i.operands[0]) ? 1 : 2]];
        return;
      default:
        set(i.results[0], arithmetic(i));
    }
  }

  uint64_t arithmetic(const Instruction& i) {
    uint64_t a = i.operands.empty() ? 0 : get(i.operands[0]);
    uint64_t b = i.operands.size() < 2 ? 0 : get(i.operands[1]);
    int bits = i.operands.empty() ? 64 : width(i.operands[0]);
    int64_t sa = i.operands.empty() ? 0 : as_signed(i.operands[0]);
    int64_t sb = i.operands.size() < 2 ? 0 : as_signed(i.operands[1]);
    if ((i.op == Op::kShl || i.op == Op::kShrU || i.op == Op::kShrS) && b >= static_cast<uint64_t>(bits)) {
      fail(i, fmt::format("shift by {}", b));
      return 0;
    }
    switch (i.op) {
      case Op::kConstant:
        return static_cast<uint64_t>(i.immediate);
      case Op::kSpecial:
        return special(i.special);
      case Op::kAdd:
      case Op::kPtrAdd:  // an i32 offset is zero-extended already
        return a + b;
      case Op::kSub:
        return a - b;
      case Op::kMul:
        return a * b;
      case Op::kMulHighU:
        return static_cast<uint64_t>((static_cast<unsigned __int128>(a) * b) >> bits);
      case Op::kMinS:
        return sa < sb ? a : b;
      case Op::kMaxS:
        return sa > sb ? a : b;
      case Op::kMinU:
        return a < b ? a : b;
      case Op::kMaxU:
        return a > b ? a : b;
      case Op::kAnd:
        return a & b;
      case Op::kOr:
        return a | b;
      case Op::kXor:
        return a ^ b;
      case Op::kNot:
        return ~a;
      case Op::kShl:
        return a << b;
      case Op::kShrU:
        return a >> b;
      case Op::kShrS:
        return static_cast<uint64_t>(sa >> b);
      case Op::kCompare:
        return compare(i.compare, a, b, sa, sb);
      case Op::kSignExtend:
        return static_cast<uint64_t>(sa);
      default:  // zext, trunc
        return a;
    }
  }

  static bool compare(Compare relation, uint64_t a, uint64_t b, int64_t sa, int64_t sb) {
    switch (relation) {
      case Compare::kEq:
        return a == b;
      case Compare::kNe:
        return a != b;
      case Compare::kSlt:
        return sa < sb;
      case Compare::kSle:
        return sa <= sb;
      case Compare::kSgt:
        return sa > sb;
      case Compare::kSge:
        return sa >= sb;
      case Compare::kUlt:
        return a < b;
      case Compare::kUle:
        return a <= b;
      case Compare::kUgt:
        return a > b;
      case Compare::kUge:
        return a >= b;
    }
    return false;
  }

  uint32_t special(Special which) const {
    switch (which) {
      case Special::kTidX:
        return tid_;
      case Special::kCtaidX:
        return block_;
      case Special::kNctaidX:
        return launch_.grid;
      case Special::kNtidX:
        return p_.block_threads;
      case Special::kLaneId:
        return tid_ % 32;
    }
    return 0;
  }

  void access(const Instruction& i) {
    const bool skipped = i.guarded && !get(i.operands.back());
    counts_.guarded += i.guarded;
    counts_.guarded_off += skipped;
    if (skipped) {
      if (i.op == Op::kLoad) set(i.results[0], 0);
      return;
    }
    uint64_t address = get(i.operands[0]);
    uint64_t bytes = static_cast<uint64_t>(bytes_of(i.memory_type));
    if (address % i.align != 0) return fail(i, fmt::format("{:#x} is not a multiple of {}", address, i.align));
    MemoryBlock* block = nullptr;
    std::string broken = find_block_(i, address, bytes, block);
    if (!broken.empty()) return fail(i, std::move(broken));
    uint64_t offset = address - block->address;
    if (i.op == Op::kLoad) {
      ++counts_.loads;
      Cell cell;
      block->read(offset, &cell, bytes);
      values_[i.results[0]] = cell;
    } else if (i.op == Op::kStore) {
      ++counts_.stores;
      ++counts_.store_widths[static_cast<int>(bytes)];
      block->write(offset, &values_[i.operands[1]], bytes);
    } else {
      ++counts_.atomics;
      uint64_t old;
      block->read(offset, &old, 8);
      uint64_t joined = std::max(old, get(i.operands[1]));
      block->write(offset, &joined, 8);
    }
  }

  void for_loop(const Instruction& i) {
    const std::vector<ValueId>& arguments = i.regions[0].arguments;
    uint64_t iv = get(i.operands[0]);
    std::vector<Cell> carried = read(i.operands, 3);
    for (;;) {
      set(arguments[0], iv);
      if (as_signed(arguments[0]) >= as_signed(i.operands[1]) || !step(i)) break;
      write(arguments, 1, carried);
      std::vector<ValueId> yielded = region(i.regions[0]);
      if (!error_.empty()) return;
      carried = read(yielded, 0);
      iv = get(arguments[0]) + get(i.operands[2]);
    }
    write(i.results, 0, carried);
  }

  void while_loop(const Instruction& i) {
    std::vector<Cell> carried = read(i.operands, 0);
    for (;;) {
      write(i.regions[0].arguments, 0, carried);
      std::vector<ValueId> condition = region(i.regions[0]);
      if (!error_.empty()) return;
      std::vector<Cell> passed = read(condition, 1);
      if (!get(condition[0])) return write(i.results, 0, passed);
      if (!step(i)) return;
      write(i.regions[1].arguments, 0, passed);
      std::vector<ValueId> yielded = region(i.regions[1]);
      if (!error_.empty()) return;
      carried = read(yielded, 0);
    }
  }

  const Program& p_;
  const Launch& launch_;
  const FindBlock& find_block_;
  RunCounts& counts_;
  uint32_t block_;
  uint32_t tid_;
  std::vector<Cell> values_;
  std::string error_;
  static constexpr uint64_t kMostSteps = 4'000'000;  // instructions and iterations
  uint64_t steps_ = 0;
};

std::string run(const Program& program, const Launch& launch, const FindBlock& find_block, RunCounts& counts) {
  std::vector<uint32_t> blocks = launch.blocks;
  if (blocks.empty()) {
    blocks.resize(launch.grid);
    std::iota(blocks.begin(), blocks.end(), 0u);
  }
  for (uint32_t block : blocks) {
    for (uint32_t tid = 0; tid < program.block_threads; ++tid) {
      std::string error = Thread(program, launch, find_block, counts, block, tid).run();
      if (!error.empty()) return error;
    }
  }
  return "";
}

}  // namespace

void MemoryBlock::read(uint64_t offset, void* to, uint64_t count) const {
  if (!sparse_size) {
    std::memcpy(to, bytes.data() + offset, count);
    return;
  }
  for (uint64_t k = 0; k < count; ++k) {
    const auto found = sparse.find(offset + k);
    static_cast<uint8_t*>(to)[k] = found == sparse.end() ? 0 : found->second;
  }
}

void MemoryBlock::write(uint64_t offset, const void* from, uint64_t count) {
  if (!sparse_size) {
    std::memcpy(bytes.data() + offset, from, count);
    return;
  }
  for (uint64_t k = 0; k < count; ++k) sparse[offset + k] = static_cast<const uint8_t*>(from)[k];
}

std::string interpret(const Program& program, const Launch& launch, Memory& memory, RunCounts* counts) {
  const auto by_operand = [&](const Instruction& i, uint64_t address, uint64_t bytes,
                              MemoryBlock*& block) -> std::string {
    const Access& claim = program.accesses[i.access - 1];
    const auto found = memory.find(claim.operand);
    if (found == memory.end()) return fmt::format("no operand {}", claim.operand);
    block = &found->second;
    if (!block->holds(address, bytes)) {
      return fmt::format("{} bytes at {} + {} ({}), which has {} bytes", bytes, claim.operand,
                         static_cast<int64_t>(address - block->address), claim.what, block->size());
    }
    if (i.op != Op::kLoad && !block->writable) return fmt::format("{} is not writable", claim.operand);
    if (i.op == Op::kLoad && i.read_only && block->writable) {
      return fmt::format("{} is writable, the load read-only", claim.operand);
    }
    return "";
  };
  RunCounts unused;
  return run(program, launch, by_operand, counts ? *counts : unused);
}

std::string interpret(const Program& program, const Launch& launch, std::vector<MemoryBlock>& memory) {
  const auto by_address = [&](const Instruction&, uint64_t address, uint64_t bytes,
                              MemoryBlock*& block) -> std::string {
    for (MemoryBlock& each : memory) {
      if (each.holds(address, bytes)) block = &each;
    }
    return block ? "" : fmt::format("{} bytes at {:#x} lie in no block", bytes, address);
  };
  RunCounts unused;
  return run(program, launch, by_address, unused);
}

}  // namespace tailor::codegen::kernel::testing
