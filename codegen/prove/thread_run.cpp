#include "codegen/prove/thread_run.h"

#include <algorithm>
#include <climits>
#include <map>

#include <fmt/format.h>

namespace tailor::codegen::prove {
namespace {

using kernel::Compare;
using kernel::Instruction;
using kernel::Op;
using kernel::Region;
using kernel::Type;
using kernel::ValueId;

constexpr int kMostSteps = 20000;
constexpr uint64_t kSharedBase = 1024;  // operands lie above 2^44

class Thread {
 public:
  Thread(const Subject& subject, const SampledLaunch& launch, uint32_t block, uint32_t tid, std::mt19937& random)
      : p_(subject.program), launch_(launch), block_(block), tid_(tid), random_(random), values_(p_.values.size(), 0) {
    for (size_t k = 0; k < p_.parameters.size(); ++k) {
      set(p_.parameters[k].value, static_cast<uint64_t>(launch.parameters[k]));
    }
  }

  Violation run() {
    region(p_.body);
    return std::move(violation_);
  }

 private:
  bool over() const { return violation_.access != 0 || steps_ > kMostSteps; }
  int bits(ValueId v) const {
    switch (p_.type_of(v)) {
      case Type::kPred:
        return 1;
      case Type::kI32:
        return 32;
      default:
        return 64;
    }
  }
  uint64_t get(ValueId v) const { return values_[v]; }
  int64_t as_signed(ValueId v) const {
    return bits(v) == 32 ? static_cast<int32_t>(static_cast<uint32_t>(get(v))) : static_cast<int64_t>(get(v));
  }
  void set(ValueId v, uint64_t value) { values_[v] = bits(v) == 64 ? value : value & ((uint64_t{1} << bits(v)) - 1); }
  int pick(int lo, int hi) { return std::uniform_int_distribution<int>(lo, hi)(random_); }

  // Values at which comparisons turn: small ones, ends of the type, extents and their neighbours.
  uint64_t anything() {
    switch (pick(0, 9)) {
      case 0:
        return static_cast<uint64_t>(static_cast<int64_t>(INT_MIN));
      case 1:
      case 2:
        return INT_MAX;
      case 3:
        return random_();
      case 4:
      case 5:
        if (!launch_.parameters.empty()) {
          const auto k = static_cast<size_t>(pick(0, static_cast<int>(launch_.parameters.size()) - 1));
          return static_cast<uint64_t>(launch_.parameters[k] + pick(-1, 1));
        }
        [[fallthrough]];
      default:
        return static_cast<uint64_t>(static_cast<int64_t>(pick(0, 9) == 0 ? pick(-3, -1) : pick(0, 4)));
    }
  }

  std::vector<ValueId> region(const Region& r) {
    for (const Instruction& i : r.body) {
      if (++steps_, over()) return {};
      if (i.op == Op::kYield || i.op == Op::kCondition) return i.operands;
      instruction(i);
    }
    return {};
  }

  std::vector<uint64_t> read(const std::vector<ValueId>& values, size_t first) const {
    std::vector<uint64_t> result;
    for (size_t k = first; k < values.size(); ++k) result.push_back(get(values[k]));
    return result;
  }
  void write(const std::vector<ValueId>& values, size_t first, const std::vector<uint64_t>& from) {
    for (size_t k = 0; k < from.size() && first + k < values.size(); ++k) set(values[first + k], from[k]);
  }

  void instruction(const Instruction& i) {
    switch (i.op) {
      case Op::kIf: {
        const size_t side = get(i.operands[0]) ? 0 : 1;
        if (side >= i.regions.size()) return;
        const std::vector<ValueId> yielded = region(i.regions[side]);
        if (!over()) write(i.results, 0, read(yielded, 0));
        return;
      }
      case Op::kWhile:
        return while_loop(i);
      case Op::kFor:
        return for_loop(i);
      case Op::kLoad:
      case Op::kStore:
      case Op::kAtomicMaxU64:
        return access(i);
      default:
        if (!i.results.empty()) set(i.results[0], compute(i));
    }
  }

  void while_loop(const Instruction& i) {
    std::vector<uint64_t> carried = read(i.operands, 0);
    while (!over()) {
      write(i.regions[0].arguments, 0, carried);
      const std::vector<ValueId> condition = region(i.regions[0]);
      if (over() || condition.empty()) return;
      const std::vector<uint64_t> passed = read(condition, 1);
      if (!get(condition[0])) return write(i.results, 0, passed);
      write(i.regions[1].arguments, 0, passed);
      carried = read(region(i.regions[1]), 0);
    }
  }

  void for_loop(const Instruction& i) {
    const std::vector<ValueId>& arguments = i.regions[0].arguments;
    set(arguments[0], get(i.operands[0]));
    std::vector<uint64_t> carried = read(i.operands, 3);
    while (!over() && as_signed(arguments[0]) < as_signed(i.operands[1])) {
      write(arguments, 1, carried);
      carried = read(region(i.regions[0]), 0);
      set(arguments[0], get(arguments[0]) + get(i.operands[2]));
    }
    if (!over()) write(i.results, 0, carried);
  }

  uint64_t compute(const Instruction& i) {
    const uint64_t a = i.operands.empty() ? 0 : get(i.operands[0]);
    const uint64_t b = i.operands.size() < 2 ? 0 : get(i.operands[1]);
    const int64_t sa = i.operands.empty() ? 0 : as_signed(i.operands[0]);
    const int64_t sb = i.operands.size() < 2 ? 0 : as_signed(i.operands[1]);
    const int width = i.operands.empty() ? 64 : bits(i.operands[0]);
    switch (i.op) {
      case Op::kConstant:
        return static_cast<uint64_t>(i.immediate);
      case Op::kSpecial:
        return special(i.special);
      case Op::kShared:
        return kSharedBase;
      case Op::kAdd:
      case Op::kPtrAdd:
        return a + b;
      case Op::kSub:
        return a - b;
      case Op::kMul:
        return a * b;
      case Op::kMulHighU:
        return static_cast<uint64_t>((static_cast<unsigned __int128>(a) * b) >> width);
      case Op::kMinS:
        return sa < sb ? a : b;
      case Op::kMaxS:
        return sa > sb ? a : b;
      case Op::kMinU:
        return std::min(a, b);
      case Op::kMaxU:
        return std::max(a, b);
      case Op::kAnd:
        return a & b;
      case Op::kOr:
        return a | b;
      case Op::kXor:
        return a ^ b;
      case Op::kNot:
        return ~a;
      case Op::kShl:
        return b < static_cast<uint64_t>(width) ? a << b : 0;
      case Op::kShrU:
        return b < static_cast<uint64_t>(width) ? a >> b : 0;
      case Op::kShrS:
        return b < static_cast<uint64_t>(width) ? static_cast<uint64_t>(sa >> b) : 0;
      case Op::kCompare:
        return compare(i.compare, a, b, sa, sb);
      case Op::kSelect:
        return get(i.operands[a ? 1 : 2]);
      case Op::kSignExtend:
        return static_cast<uint64_t>(sa);
      case Op::kZeroExtend:
      case Op::kTruncate:
        return a;
      default:  // what the walk takes for anything
        return anything();
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

  uint64_t special(kernel::Special which) const {
    switch (which) {
      case kernel::Special::kTidX:
        return tid_;
      case kernel::Special::kCtaidX:
        return block_;
      case kernel::Special::kNctaidX:
        return static_cast<uint64_t>(launch_.grid);
      case kernel::Special::kNtidX:
        return p_.block_threads;
      case kernel::Special::kLaneId:
        return tid_ % 32;
    }
    return 0;
  }

  void access(const Instruction& i) {
    const bool skipped = i.guarded && !get(i.operands.back());
    if (skipped) {
      if (i.op == Op::kLoad) set(i.results[0], 0);
      return;
    }
    const uint64_t address = get(i.operands[0]);
    const auto width = static_cast<uint64_t>(kernel::bytes_of(i.memory_type));
    const std::string& name = p_.accesses[i.access - 1].operand;
    uint64_t base = kSharedBase, bytes = p_.shared_bytes;
    if (name != kernel::kSharedOperand) {
      base = bytes = 0;
      for (const SampledOperand& o : launch_.operands) {
        if (o.name == name) base = o.address, bytes = o.bytes;
      }
    }
    if (address < base || bytes < width || address - base > bytes - width) {
      return violate(i, Claim::kBounds,
                     fmt::format("{} bytes at {} + {}, which has {} bytes", width, name,
                                 static_cast<int64_t>(address - base), bytes));
    }
    if (address % std::max<uint64_t>(width, i.align) != 0) {
      return violate(i, Claim::kAlignment,
                     fmt::format("{:#x} is no multiple of {}", address, std::max<uint64_t>(width, i.align)));
    }
    if (i.op != Op::kLoad) return;
    auto [at, fresh] = memory_.try_emplace(address, 0);
    if (fresh) {
      at->second = anything();
      if (loads_.size() < 400)
        loads_ += fmt::format(" {}+{}:{}", name, address - base, static_cast<int32_t>(at->second));
    }
    set(i.results[0], at->second);
  }

  void violate(const Instruction& i, Claim claim, const std::string& what) {
    violation_ = {i.access, claim,
                  fmt::format("{}; block {} thread {}; {}; loads{}", what, block_, tid_, launch_.text,
                              loads_.empty() ? " none" : loads_)};
  }

  const kernel::Program& p_;
  const SampledLaunch& launch_;
  uint32_t block_, tid_;
  std::mt19937& random_;
  std::vector<uint64_t> values_;
  std::map<uint64_t, uint64_t> memory_;
  std::string loads_;
  Violation violation_;
  int steps_ = 0;
};

}  // namespace

Violation run_thread(const Subject& subject, const SampledLaunch& launch, int t, std::mt19937& random) {
  const auto any = [&](uint32_t count) {
    return t == 0 ? 0 : t == 1 ? count - 1 : std::uniform_int_distribution<uint32_t>(0, count - 1)(random);
  };
  const uint32_t block = any(static_cast<uint32_t>(launch.grid)), tid = any(subject.program.block_threads);
  return Thread(subject, launch, block, tid, random).run();
}

}  // namespace tailor::codegen::prove
