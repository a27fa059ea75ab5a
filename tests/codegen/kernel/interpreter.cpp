#include "tests/codegen/kernel/interpreter.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>

#include <fmt/format.h>

#include "tests/codegen/kernel/storage_formats.h"

namespace tailor::codegen::kernel::testing {
namespace {

struct Cell {
  uint64_t low = 0;  // i32, pred and narrow bits are zero-extended
  uint64_t high = 0;
};

// Sets the block that an access of `bytes` bytes at `address` may touch; else returns the rule that it breaks.
using FindBlock =
    std::function<std::string(const Instruction& i, uint64_t address, uint64_t bytes, MemoryBlock*& block)>;

constexpr uint64_t kSharedAddress = 0x400;  // any multiple of 16 will do

// The threads of a block, instruction by instruction. A region runs for the threads that are active in it; each value
// has a cell per thread.
class Block {
 public:
  Block(const Program& program, const Launch& launch, const FindBlock& find_block, RunCounts& counts, uint32_t index)
      : p_(program),
        launch_(launch),
        find_block_(find_block),
        counts_(counts),
        index_(index),
        threads_(program.block_threads),
        cells_(program.values.size() * program.block_threads),
        shared_(program.shared_bytes) {
    for (size_t k = 0; k < p_.parameters.size(); ++k) {
      for (uint32_t t = 0; t < threads_; ++t) set(p_.parameters[k].value, t, launch_.arguments[k]);
    }
  }

  std::string run() {
    Threads all(threads_);
    std::iota(all.begin(), all.end(), 0u);
    region(p_.body, all);
    return error_;
  }

 private:
  using Threads = std::vector<uint32_t>;
  struct SharedByte {
    uint8_t value = 0;
    bool written = false;
    // Since the last barrier.
    uint32_t writer = kNobody;
    uint32_t reader = kNobody;
  };
  static constexpr uint32_t kNobody = ~0u;
  static constexpr uint32_t kSeveral = ~0u - 1;

  Cell& cell(ValueId v, uint32_t thread) { return cells_[size_t{v} * threads_ + thread]; }
  uint64_t get(ValueId v, uint32_t thread) { return cell(v, thread).low; }
  void set(ValueId v, uint32_t thread, uint64_t value) { cell(v, thread) = {value & mask(width(v)), 0}; }
  int width(ValueId v) const {
    if (p_.type_of(v) == Type::kPred) return 1;
    if (p_.type_of(v) == Type::kSptr || p_.type_of(v) == Type::kF32) return 32;
    return 8 * bytes_of(p_.type_of(v));
  }
  static uint64_t mask(int width) { return width >= 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1; }
  int64_t as_signed(ValueId v, uint32_t thread) {
    return width(v) == 32 ? static_cast<int32_t>(static_cast<uint32_t>(get(v, thread)))
                          : static_cast<int64_t>(get(v, thread));
  }
  void fail(const Instruction& i, uint32_t thread, std::string what) {
    if (error_.empty())
      error_ = fmt::format("{} access {} in block {} thread {}: {}", to_string(i.op), i.access, index_, thread, what);
  }
  bool step(const Instruction& i, const Threads& active) {
    if (++steps_ > launch_.most_steps) fail(i, active[0], "the thread runs on and on");
    return error_.empty();
  }

  // The operands of the region's terminator, empty when it has none.
  std::vector<ValueId> region(const Region& r, const Threads& active) {
    for (const Instruction& i : r.body) {
      if (!step(i, active)) return {};
      if (i.op == Op::kYield || i.op == Op::kCondition) return i.operands;
      instruction(i, active);
      for (ValueId v : i.results) check_uniform(i, v, active);
    }
    return {};
  }
  void check_uniform(const Instruction& i, ValueId v, const Threads& active) {
    if (launch_.uniform.empty() || !launch_.uniform[v]) return;
    for (uint32_t t : active) {
      if (cell(v, t).low != cell(v, active[0]).low || cell(v, t).high != cell(v, active[0]).high)
        fail(i, t, fmt::format("%{} is not uniform", p_.values[v].name));
    }
  }
  // All at once: what is copied may be overwritten.
  void copy(const std::vector<ValueId>& to, size_t first_to, const std::vector<ValueId>& from, size_t first_from,
            const Threads& active) {
    std::vector<Cell> row(to.size() - first_to);
    for (uint32_t t : active) {
      for (size_t k = 0; k < row.size(); ++k) row[k] = cell(from[first_from + k], t);
      for (size_t k = 0; k < row.size(); ++k) cell(to[first_to + k], t) = row[k];
    }
  }

  void instruction(const Instruction& i, const Threads& active) {
    if (i.op != Op::kConstant) counts_.instructions += active.size();
    switch (i.op) {
      case Op::kFor:
        return for_loop(i, active);
      case Op::kWhile:
        return while_loop(i, active);
      case Op::kIf:
        return if_else(i, active);
      case Op::kBarrier:
        return barrier(i, active);
      case Op::kLoad:
      case Op::kStore:
      case Op::kAtomicMaxU64:
        for (uint32_t t : active) {
          access(i, t);
          if (!error_.empty()) return;
        }
        return;
      case Op::kSelect:
        for (uint32_t t : active) cell(i.results[0], t) = cell(i.operands[get(i.operands[0], t) ? 1 : 2], t);
        return;
      case Op::kFAdd:
      case Op::kFSub:
      case Op::kFMul:
      case Op::kFma:
        for (uint32_t t : active) set(i.results[0], t, float_arithmetic(i, t));
        return;
      case Op::kUnpack:
      case Op::kPack:
        for (uint32_t t : active) move_bytes(i, t);
        return;
      case Op::kDecode:
        for (uint32_t t : active) {
          for (size_t k = 0; k < i.results.size(); ++k)
            set(i.results[k], t, decode_bits(i.format, code(i, get(i.operands[0], t), k)));
        }
        return;
      case Op::kEncode:
        for (uint32_t t : active) {
          uint64_t bits = 0;
          for (size_t k = 0; k < i.operands.size(); ++k) {
            const auto f32 = static_cast<uint32_t>(get(i.operands[k], t));
            bits |= uint64_t{encode_bits(i.format, f32)} << (8 * k * static_cast<size_t>(bytes_of(i.format)));
          }
          set(i.results[0], t, bits);
        }
        return;
      default:
        for (uint32_t t : active) set(i.results[0], t, arithmetic(i, t));
    }
  }

  uint64_t arithmetic(const Instruction& i, uint32_t t) {
    uint64_t a = i.operands.empty() ? 0 : get(i.operands[0], t);
    uint64_t b = i.operands.size() < 2 ? 0 : get(i.operands[1], t);
    int bits = i.operands.empty() ? 64 : width(i.operands[0]);
    int64_t sa = i.operands.empty() ? 0 : as_signed(i.operands[0], t);
    int64_t sb = i.operands.size() < 2 ? 0 : as_signed(i.operands[1], t);
    if ((i.op == Op::kShl || i.op == Op::kShrU || i.op == Op::kShrS) && b >= static_cast<uint64_t>(bits)) {
      fail(i, t, fmt::format("shift by {}", b));
      return 0;
    }
    switch (i.op) {
      case Op::kConstant:
        return static_cast<uint64_t>(i.immediate);
      case Op::kSpecial:
        return special(i.special, t);
      case Op::kShared:
        return kSharedAddress;
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
      default:  // zext, trunc, bitcast
        return a;
    }
  }

  // This file is compiled without contraction (ISO C++ mode); sums and products of floats are rounded once.
  uint32_t float_arithmetic(const Instruction& i, uint32_t t) {
    float x[3] = {};
    for (size_t k = 0; k < i.operands.size(); ++k)
      x[k] = std::bit_cast<float>(static_cast<uint32_t>(get(i.operands[k], t)));
    float result = 0;
    if (i.op == Op::kFAdd) result = x[0] + x[1];
    if (i.op == Op::kFSub) result = x[0] - x[1];
    if (i.op == Op::kFMul) result = x[0] * x[1];
    if (i.op == Op::kFma) result = std::fma(x[0], x[1], x[2]);
    return std::isnan(result) ? kCanonicalNan : std::bit_cast<uint32_t>(result);
  }

  static uint32_t code(const Instruction& i, uint64_t bits, size_t lane) {
    const int width = 8 * bytes_of(i.format);
    return static_cast<uint32_t>(bits >> (static_cast<size_t>(width) * lane) & mask(width));
  }

  // unpack and pack keep every byte where it is in memory order.
  void move_bytes(const Instruction& i, uint32_t t) {
    uint8_t bytes[16];
    size_t at = 0;
    for (ValueId v : i.operands) {
      std::memcpy(bytes + at, &cell(v, t), static_cast<size_t>(bytes_of(p_.type_of(v))));
      at += static_cast<size_t>(bytes_of(p_.type_of(v)));
    }
    at = 0;
    for (ValueId v : i.results) {
      Cell result;
      std::memcpy(&result, bytes + at, static_cast<size_t>(bytes_of(p_.type_of(v))));
      at += static_cast<size_t>(bytes_of(p_.type_of(v)));
      cell(v, t) = result;
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

  uint32_t special(Special which, uint32_t t) const {
    switch (which) {
      case Special::kTidX:
        return t;
      case Special::kCtaidX:
        return index_;
      case Special::kNctaidX:
        return launch_.grid;
      case Special::kNtidX:
        return threads_;
      case Special::kLaneId:
        return t % 32;
    }
    return 0;
  }

  void access(const Instruction& i, uint32_t t) {
    const bool skipped = i.guarded && !get(i.operands.back(), t);
    counts_.guarded += i.guarded;
    counts_.guarded_off += skipped;
    if (skipped) {
      if (i.op == Op::kLoad) set(i.results[0], t, 0);
      return;
    }
    uint64_t address = get(i.operands[0], t);
    uint64_t bytes = static_cast<uint64_t>(bytes_of(i.memory_type));
    if (address % i.align != 0) return fail(i, t, fmt::format("{:#x} is not a multiple of {}", address, i.align));
    if (p_.type_of(i.operands[0]) == Type::kSptr) return shared_access(i, t, address, bytes);
    MemoryBlock* block = nullptr;
    std::string broken = find_block_(i, address, bytes, block);
    if (!broken.empty()) return fail(i, t, std::move(broken));
    uint64_t offset = address - block->address;
    if (i.op == Op::kLoad) {
      ++counts_.loads;
      Cell loaded;
      block->read(offset, &loaded, bytes);
      cell(i.results[0], t) = loaded;
    } else if (i.op == Op::kStore) {
      ++counts_.stores;
      ++counts_.store_widths[static_cast<int>(bytes)];
      block->write(offset, &cell(i.operands[1], t), bytes);
    } else {
      ++counts_.atomics;
      uint64_t old;
      block->read(offset, &old, 8);
      uint64_t joined = std::max(old, get(i.operands[1], t));
      block->write(offset, &joined, 8);
    }
  }

  void shared_access(const Instruction& i, uint32_t t, uint64_t address, uint64_t bytes) {
    const uint64_t first = address - kSharedAddress;
    if (first > shared_.size() || shared_.size() - first < bytes) {
      return fail(i, t,
                  fmt::format("{} bytes at shared + {}, which has {} bytes", bytes, static_cast<int64_t>(first),
                              shared_.size()));
    }
    const bool is_store = i.op == Op::kStore;
    ++(is_store ? counts_.shared_stores : counts_.shared_loads);
    Cell value = is_store ? cell(i.operands[1], t) : Cell{};
    for (uint64_t k = 0; k < bytes; ++k) {
      SharedByte& byte = shared_[first + k];
      const uint32_t other = byte.writer != t ? byte.writer : kNobody;
      const uint32_t reader = is_store && byte.reader != t ? byte.reader : kNobody;
      if (other != kNobody || reader != kNobody) {
        return fail(i, t,
                    fmt::format("shared + {} was {} by {} since the last barrier", first + k,
                                other != kNobody ? "written" : "read",
                                reader == kSeveral && other == kNobody
                                    ? std::string("several threads")
                                    : fmt::format("thread {}", other != kNobody ? other : reader)));
      }
      if (!is_store && !byte.written) return fail(i, t, fmt::format("shared + {} was never written", first + k));
      auto* of_value = reinterpret_cast<uint8_t*>(&value) + k;
      if (is_store) {
        byte.value = *of_value;
        byte.written = true;
        byte.writer = t;
      } else {
        *of_value = byte.value;
        byte.reader = byte.reader == kNobody || byte.reader == t ? t : kSeveral;
      }
    }
    if (!is_store) cell(i.results[0], t) = value;
  }

  void barrier(const Instruction& i, const Threads& active) {
    if (active.size() != threads_)
      return fail(i, active[0], fmt::format("{} of {} threads reach it", active.size(), threads_));
    ++counts_.barriers;
    for (SharedByte& byte : shared_) byte.writer = byte.reader = kNobody;
  }

  void if_else(const Instruction& i, const Threads& active) {
    Threads sides[2];
    for (uint32_t t : active) sides[get(i.operands[0], t) ? 0 : 1].push_back(t);
    for (size_t side = 0; side < i.regions.size(); ++side) {
      if (sides[side].empty()) continue;
      const std::vector<ValueId> yielded = region(i.regions[side], sides[side]);
      if (!error_.empty()) return;
      copy(i.results, 0, yielded, 0, sides[side]);
    }
  }

  void for_loop(const Instruction& i, const Threads& active) {
    const std::vector<ValueId>& arguments = i.regions[0].arguments;
    copy({arguments[0]}, 0, i.operands, 0, active);
    copy(arguments, 1, i.operands, 3, active);
    for (Threads inside = active;;) {
      std::erase_if(inside, [&](uint32_t t) { return as_signed(arguments[0], t) >= as_signed(i.operands[1], t); });
      if (inside.empty()) break;
      if (!step(i, inside)) return;
      const std::vector<ValueId> yielded = region(i.regions[0], inside);
      if (!error_.empty()) return;
      copy(arguments, 1, yielded, 0, inside);
      for (uint32_t t : inside) set(arguments[0], t, get(arguments[0], t) + get(i.operands[2], t));
    }
    copy(i.results, 0, arguments, 1, active);
  }

  void while_loop(const Instruction& i, const Threads& active) {
    const std::vector<ValueId>& arguments = i.regions[0].arguments;
    copy(arguments, 0, i.operands, 0, active);
    for (Threads inside = active;;) {
      const std::vector<ValueId> condition = region(i.regions[0], inside);
      if (!error_.empty()) return;
      copy(i.results, 0, condition, 1, inside);
      std::erase_if(inside, [&](uint32_t t) { return !get(condition[0], t); });
      if (inside.empty()) return;
      if (!step(i, inside)) return;
      copy(i.regions[1].arguments, 0, condition, 1, inside);
      const std::vector<ValueId> yielded = region(i.regions[1], inside);
      if (!error_.empty()) return;
      copy(arguments, 0, yielded, 0, inside);
    }
  }

  const Program& p_;
  const Launch& launch_;
  const FindBlock& find_block_;
  RunCounts& counts_;
  uint32_t index_;
  uint32_t threads_;
  std::vector<Cell> cells_;  // by value, then thread
  std::vector<SharedByte> shared_;
  std::string error_;
  uint64_t steps_ = 0;
};

std::string run(const Program& program, const Launch& launch, const FindBlock& find_block, RunCounts& counts) {
  std::vector<uint32_t> blocks = launch.blocks;
  if (blocks.empty()) {
    blocks.resize(launch.grid);
    std::iota(blocks.begin(), blocks.end(), 0u);
  }
  for (uint32_t block : blocks) {
    std::string error = Block(program, launch, find_block, counts, block).run();
    if (!error.empty()) return error;
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
