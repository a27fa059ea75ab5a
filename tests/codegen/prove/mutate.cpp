#include "tests/codegen/prove/mutate.h"

#include <algorithm>
#include <functional>
#include <vector>

#include <fmt/format.h>

#include "codegen/kernel/text.h"

namespace tailor::codegen::prove::testing {

using kernel::Compare;
using kernel::Instruction;
using kernel::Op;
using kernel::Program;
using kernel::Region;
using kernel::Type;
using kernel::ValueId;

namespace {

template <class F>
void walk(Region& region, const F& f) {
  for (Instruction& i : region.body) {
    f(i);
    for (Region& inner : i.regions) walk(inner, f);
  }
}

class Mutator {
 public:
  Mutator(Program& program, std::mt19937& random) : p_(program), random_(random) {}

  bool run(Mutation mutation) {
    std::vector<Instruction*> places;
    walk(p_.body, [&](Instruction& i) {
      if (fits(mutation, i)) places.push_back(&i);
    });
    if (places.empty()) return false;
    Instruction& i = *places[pick(places.size())];
    const std::string before = kernel::print_instruction(p_, i);
    if (!apply(mutation, i)) return false;
    text = before + "  ->  " + kernel::print_instruction(p_, i);
    return true;
  }

  std::string text;

 private:
  size_t pick(size_t count) { return std::uniform_int_distribution<size_t>(0, count - 1)(random_); }

  static bool swaps(Op op) {
    return op == Op::kCompare || op == Op::kSub || op == Op::kShl || op == Op::kShrU || op == Op::kSelect;
  }
  static bool is_vector(Type t) {
    return t == Type::kB8 || t == Type::kB16 || t == Type::kB32 || t == Type::kB64 || t == Type::kB128;
  }

  bool fits(Mutation mutation, const Instruction& i) const {
    switch (mutation) {
      case Mutation::kConstant:
        return i.op == Op::kConstant;
      case Mutation::kCompare:
        return i.op == Op::kCompare;
      case Mutation::kSwap:
        return swaps(i.op);
      case Mutation::kOperand:
        return !i.operands.empty() && i.op != Op::kYield && i.op != Op::kCondition;
      case Mutation::kOp:
        return !replacement(i.op).empty();
      case Mutation::kDrop:
        return i.guarded || (i.op == Op::kAnd && p_.type_of(i.results[0]) == Type::kPred);
      case Mutation::kWidth:
        return i.op == Op::kLoad && is_vector(i.memory_type);
    }
    return false;
  }

  static std::vector<Op> replacement(Op op) {
    switch (op) {
      case Op::kAdd:
        return {Op::kSub, Op::kMul};
      case Op::kSub:
        return {Op::kAdd};
      case Op::kMul:
        return {Op::kAdd, Op::kMulHighU};
      case Op::kMulHighU:
        return {Op::kMul};
      case Op::kMinU:
        return {Op::kMaxU, Op::kMinS};
      case Op::kShl:
        return {Op::kShrU};
      case Op::kShrU:
        return {Op::kShl, Op::kShrS};
      case Op::kAnd:
        return {Op::kOr, Op::kXor};
      default:
        return {};
    }
  }

  bool apply(Mutation mutation, Instruction& i) {
    switch (mutation) {
      case Mutation::kConstant:
        return constant(i);
      case Mutation::kCompare: {
        constexpr Compare kAll[] = {
#define X(name, text) Compare::name,
            TAILOR_KERNEL_COMPARES(X)
#undef X
        };
        const Compare other = kAll[pick(std::size(kAll))];
        if (other == i.compare) return false;
        i.compare = other;
        return true;
      }
      case Mutation::kSwap: {
        const size_t first = i.op == Op::kSelect ? 1 : 0;
        if (i.operands[first] == i.operands[first + 1]) return false;
        std::swap(i.operands[first], i.operands[first + 1]);
        return true;
      }
      case Mutation::kOperand: {
        const size_t which = pick(i.operands.size());
        const ValueId other = static_cast<ValueId>(pick(p_.values.size()));
        if (other == i.operands[which] || p_.type_of(other) != p_.type_of(i.operands[which])) return false;
        i.operands[which] = other;
        return true;
      }
      case Mutation::kOp: {
        const std::vector<Op> others = replacement(i.op);
        i.op = others[pick(others.size())];
        return true;
      }
      case Mutation::kDrop:
        if (i.guarded) {
          i.guarded = false;
          i.operands.pop_back();
        } else {
          i.operands[pick(2)] = i.operands[pick(2)];
          return i.operands[0] == i.operands[1];
        }
        return true;
      case Mutation::kWidth:
        return width(i);
    }
    return false;
  }

  bool constant(Instruction& i) {
    const int64_t old = i.immediate;
    switch (pick(5)) {
      case 0:
        i.immediate = old + 1;
        break;
      case 1:
        i.immediate = old - 1;
        break;
      case 2:
        i.immediate = old * 2;
        break;
      case 3:
        i.immediate = old / 2;
        break;
      default:
        i.immediate = old ^ (int64_t{1} << pick(31));
    }
    if (p_.type_of(i.results[0]) == Type::kI32) i.immediate = static_cast<int32_t>(static_cast<uint32_t>(i.immediate));
    return i.immediate != old;
  }

  // The load, its value and the stores of it, of half or twice the bytes.
  bool width(Instruction& load) {
    const int bytes = kernel::bytes_of(load.memory_type);
    const int other = pick(2) == 0 ? bytes * 2 : bytes / 2;
    if (other < 1 || other > 16) return false;
    const Type type = kernel::bits_type(other);
    const ValueId value = load.results[0];
    p_.values[value].type = type;
    walk(p_.body, [&](Instruction& i) {
      const bool stores = i.op == Op::kStore && i.operands[1] == value;
      if (&i != &load && !stores) return;
      i.memory_type = type;
      i.align = static_cast<uint16_t>(other);
    });
    return true;
  }

  Program& p_;
  std::mt19937& random_;
};

}  // namespace

std::string_view to_string(Mutation mutation) {
  switch (mutation) {
#define X(name, text, meaning) \
  case Mutation::name:         \
    return text;
    TAILOR_MUTATIONS(X)
#undef X
  }
  return "?";
}

std::optional<Mutant> mutate(const Program& program, Mutation mutation, std::mt19937& random) {
  Mutant mutant;
  mutant.program = program;
  mutant.mutation = mutation;
  Mutator mutator(mutant.program, random);
  if (!mutator.run(mutation)) return std::nullopt;
  mutant.text = std::move(mutator.text);
  return mutant;
}

}  // namespace tailor::codegen::prove::testing
