// One message per rule; each fails with the instruction it is about. The order of the checks of an instruction is:
// shape (counts, unused fields), visibility of operands, types, definition of results, regions.
#include <algorithm>
#include <optional>
#include <unordered_set>

#include <fmt/format.h>

#include "codegen/kernel/rules.h"
#include "codegen/kernel/text.h"
#include "codegen/kernel/uniformity.h"
#include "codegen/kernel/value_flow.h"

namespace tailor::codegen::kernel {
namespace {

bool is_integer(Type t) { return t == Type::kI32 || t == Type::kI64; }
bool is_memory(Op op) { return op == Op::kLoad || op == Op::kStore || op == Op::kAtomicMaxU64; }
bool is_terminator(Op op) { return op == Op::kYield || op == Op::kCondition; }

class Verifier {
 public:
  explicit Verifier(const Program& program) : p_(program), seen_(program.values.size(), Seen::kUndefined) {
    constants_.resize(program.values.size());
    origin_.resize(program.values.size(), 0);
  }

  Status run() {
    TAILOR_RETURN_IF_ERROR(header());
    TAILOR_RETURN_IF_ERROR(region(p_.body, nullptr, 0, 0));
    for (ValueId v = 0; v < seen_.size(); ++v) {
      if (seen_[v] == Seen::kUndefined)
        return fail(fmt::format("value %{} (id {}) is in the table and nothing defines it", p_.values[v].name, v));
    }
    for (size_t id = 1; id <= p_.accesses.size(); ++id) {
      if (!access_seen_[id]) return fail(fmt::format("access {} is in the table and no instruction carries it", id));
    }
    TAILOR_RETURN_IF_ERROR(origins());
    if (const Instruction* barrier = find_divergent_barrier(p_))
      return fail(*barrier, "stands under a condition that may differ between threads of a block");
    return {};
  }

 private:
  enum class Seen : uint8_t { kUndefined, kVisible, kOutOfScope };

  // The number of an instruction in text order, from 1.
  size_t ordinal(const Instruction& i) const {
    size_t count = 0;
    find(p_.body, i, count);
    return count;
  }
  static bool find(const Region& r, const Instruction& wanted, size_t& count) {
    for (const Instruction& i : r.body) {
      ++count;
      if (&i == &wanted) return true;
      for (const Region& inner : i.regions)
        if (find(inner, wanted, count)) return true;
    }
    return false;
  }

  Status fail(std::string rule) const { return invalid_argument(fmt::format("kernel @{}: {}", p_.entry, rule)); }
  Status fail(const Instruction& i, std::string rule) const {
    return invalid_argument(
        fmt::format("kernel @{}, instruction {} `{}`: {}", p_.entry, ordinal(i), print_instruction(p_, i), rule));
  }

  Status header() {
    if (!rules::is_entry_name(p_.entry)) return fail("the entry name is a C identifier");
    if (p_.block_threads < 1 || p_.block_threads > rules::kMaxBlockThreads)
      return fail(fmt::format("block is {} threads; it must be 1 … {}", p_.block_threads, rules::kMaxBlockThreads));
    if (p_.shared_bytes > rules::kMaxSharedBytes)
      return fail(fmt::format("{} bytes of shared memory; the limit is {}", p_.shared_bytes, rules::kMaxSharedBytes));
    if (p_.accesses.size() > rules::kMaxAccesses)
      return fail(fmt::format("{} accesses; ids are 16 bits", p_.accesses.size()));
    access_seen_.assign(p_.accesses.size() + 1, false);

    std::unordered_set<std::string_view> names;
    for (ValueId v = 0; v < p_.values.size(); ++v) {
      if (!rules::is_value_name(p_.values[v].name))
        return fail(fmt::format("value {} is named '{}'; names are [A-Za-z_][A-Za-z0-9_.]*", v, p_.values[v].name));
      if (!names.insert(p_.values[v].name).second)
        return fail(fmt::format("two values are named %{}; names are unique", p_.values[v].name));
    }
    uint32_t end = 0;
    for (size_t k = 0; k < p_.parameters.size(); ++k) {
      const Parameter& parameter = p_.parameters[k];
      if (parameter.value >= p_.values.size())
        return fail(fmt::format("parameter {} is value {}, which does not exist", k, parameter.value));
      Type t = p_.type_of(parameter.value);
      if (t != Type::kI32 && t != Type::kI64 && t != Type::kPtr)
        return fail(fmt::format("parameter {} is {}; parameters are i32, i64 or ptr", k, to_string(t)));
      if (parameter.read_only && t != Type::kPtr)
        return fail(fmt::format("parameter {} is a readonly {}; only a ptr can be readonly", k, to_string(t)));
      if (seen_[parameter.value] != Seen::kUndefined) return fail(fmt::format("parameter {} is defined twice", k));
      seen_[parameter.value] = Seen::kVisible;
      if (t == Type::kPtr) origin_[parameter.value] = parameter.read_only ? kReadOnly : kWritable;
      uint32_t size = static_cast<uint32_t>(bytes_of(t));
      end = (end + size - 1) / size * size + size;
      if (end > rules::kMaxParameterBytes)
        return fail(fmt::format("parameter {} ends at byte {}; the limit is {}", k, end, rules::kMaxParameterBytes));
    }
    return {};
  }

  // ---- regions

  // `parent` owns region number `index`; null for the kernel's body. Values defined inside leave the scope at the end.
  Status region(const Region& r, const Instruction* parent, size_t index, int depth) {
    if (depth > rules::kMaxNesting) return fail(fmt::format("regions nest deeper than {}", rules::kMaxNesting));
    size_t scope = visible_.size();
    for (ValueId v : r.arguments) TAILOR_RETURN_IF_ERROR(define(*parent, v));
    for (size_t k = 0; k < r.body.size(); ++k) {
      const Instruction& i = r.body[k];
      if (is_terminator(i.op)) {
        if (k + 1 != r.body.size()) return fail(i, "a terminator is the last instruction of its region");
        if (!parent) return fail(i, "the kernel's body has no terminator");
        bool wants_condition = parent->op == Op::kWhile && index == 0;
        if (wants_condition != (i.op == Op::kCondition))
          return fail(i, fmt::format("this region of `{}` ends in {}", to_string(parent->op),
                                     wants_condition ? "condition" : "yield"));
      }
      TAILOR_RETURN_IF_ERROR(instruction(i, depth));
      if (is_terminator(i.op)) TAILOR_RETURN_IF_ERROR(terminator(i, *parent));
    }
    if (parent) {
      bool ends = !r.body.empty() && is_terminator(r.body.back().op);
      bool may_omit = parent->op == Op::kIf && parent->results.empty();
      if (!ends && !may_omit)
        return fail(*parent, fmt::format("region {} must end in {}", index,
                                         parent->op == Op::kWhile && index == 0 ? "condition" : "yield"));
    }
    for (size_t k = scope; k < visible_.size(); ++k) seen_[visible_[k]] = Seen::kOutOfScope;
    visible_.resize(scope);
    return {};
  }

  // The values a terminator passes have the types that its region's owner wants.
  Status terminator(const Instruction& i, const Instruction& parent) {
    std::vector<Type> wanted;
    size_t first = 0;
    if (i.op == Op::kCondition) {
      first = 1;
      for (ValueId v : parent.results) wanted.push_back(type(v));
    } else if (parent.op == Op::kFor) {
      for (size_t k = 3; k < parent.operands.size(); ++k) wanted.push_back(type(parent.operands[k]));
    } else if (parent.op == Op::kWhile) {
      for (ValueId v : parent.operands) wanted.push_back(type(v));
    } else {
      for (ValueId v : parent.results) wanted.push_back(type(v));
    }
    if (i.operands.size() - first != wanted.size())
      return fail(i, fmt::format("passes {} values; `{}` takes {}", i.operands.size() - first, to_string(parent.op),
                                 wanted.size()));
    for (size_t k = 0; k < wanted.size(); ++k) {
      Type t = type(i.operands[first + k]);
      if (t != wanted[k])
        return fail(i, fmt::format("value {} is {}; `{}` takes {}", k, to_string(t), to_string(parent.op),
                                   to_string(wanted[k])));
    }
    return {};
  }

  // ---- instructions

  Status instruction(const Instruction& i, int depth) {
    TAILOR_RETURN_IF_ERROR(shape(i));
    for (ValueId v : i.operands) {
      if (v >= p_.values.size()) return fail(i, fmt::format("operand {} does not exist", v));
      if (seen_[v] == Seen::kUndefined) return fail(i, fmt::format("%{} is used before it is defined", name(v)));
      if (seen_[v] == Seen::kOutOfScope)
        return fail(i, fmt::format("%{} is used outside the region that defines it", name(v)));
    }
    for (ValueId v : i.results) {
      if (v >= p_.values.size()) return fail(i, fmt::format("result {} does not exist", v));
    }
    for (const Region& r : i.regions) {
      for (ValueId v : r.arguments)
        if (v >= p_.values.size()) return fail(i, fmt::format("region argument {} does not exist", v));
    }
    TAILOR_RETURN_IF_ERROR(types(i));
    if (is_memory(i.op)) TAILOR_RETURN_IF_ERROR(memory(i));
    for (size_t k = 0; k < i.regions.size(); ++k) TAILOR_RETURN_IF_ERROR(region(i.regions[k], &i, k, depth + 1));
    for (ValueId v : i.results) TAILOR_RETURN_IF_ERROR(define(i, v));
    if (i.op == Op::kConstant) constants_[i.results[0]] = i.immediate;
    return {};
  }

  // Counts, and fields that the op does not use at their defaults (so that equal text means equal programs).
  Status shape(const Instruction& i) const {
    if (int n = operand_count(i.op); n >= 0 && i.operands.size() != static_cast<size_t>(n))
      return fail(i, fmt::format("takes {} operands, not {}", n, i.operands.size()));
    if (int n = result_count(i.op); n >= 0 && i.results.size() != static_cast<size_t>(n))
      return fail(i, fmt::format("has {} results, not {}", n, i.results.size()));
    size_t fixed = i.guarded ? 1 : 0;
    if (i.op == Op::kLoad && i.operands.size() != 1 + fixed)
      return fail(i, "takes a pointer, and a guard when guarded");
    if (i.op == Op::kStore && i.operands.size() != 2 + fixed)
      return fail(i, "takes a pointer and a value, and a guard when guarded");
    if (i.op == Op::kFor && i.operands.size() < 3) return fail(i, "takes lo, hi, step and the initial values");
    if (i.op == Op::kCondition && i.operands.empty()) return fail(i, "takes a pred and the values to pass on");

    bool regions_fit = i.op == Op::kFor     ? i.regions.size() == 1
                       : i.op == Op::kWhile ? i.regions.size() == 2
                       : i.op == Op::kIf    ? i.regions.size() == (i.results.empty() && i.regions.size() == 1 ? 1 : 2)
                                            : i.regions.empty();
    if (!regions_fit)
      return fail(i, fmt::format("has {} regions; for has 1, while 2, if 2 (1 when it has no results), others none",
                                 i.regions.size()));

    const Instruction unused;
    if (i.op != Op::kConstant && i.immediate != unused.immediate) return fail(i, "only const has an immediate");
    if (i.op != Op::kCompare && i.compare != unused.compare) return fail(i, "only cmp has a relation");
    if (i.op != Op::kSpecial && i.special != unused.special) return fail(i, "only special names a special register");
    if (i.op != Op::kDecode && i.op != Op::kEncode && i.format != unused.format)
      return fail(i, "only decode and encode have a storage format");
    if (!is_memory(i.op) && (i.memory_type != unused.memory_type || i.align != unused.align ||
                             i.access != unused.access || i.guarded != unused.guarded))
      return fail(i, "only memory operations have a memory type, an alignment, an access id or a guard");
    if (i.op == Op::kAtomicMaxU64 && i.guarded) return fail(i, "an atomic has no guard");
    if (i.op != Op::kLoad && i.read_only) return fail(i, "only a load can be readonly");
    return {};
  }

  Status types(const Instruction& i) const {
    auto operand = [&](size_t k) { return type(i.operands[k]); };
    auto result_is = [&](Type t) -> Status {
      Type r = type(i.results[0]);
      if (r == t) return {};
      return fail(i, fmt::format("the result is {}, not {}", to_string(t), to_string(r)));
    };
    switch (i.op) {
      case Op::kConstant:
        return constant(i);
      case Op::kSpecial:
        return result_is(Type::kI32);
      case Op::kAdd:
      case Op::kSub:
      case Op::kMul:
      case Op::kMulHighU:
      case Op::kMinS:
      case Op::kMaxS:
      case Op::kMinU:
      case Op::kMaxU:
      case Op::kShl:
      case Op::kShrU:
      case Op::kShrS:
        if (!is_integer(operand(0)) || operand(0) != operand(1)) return fail(i, "operands are two i32 or two i64");
        if (i.op == Op::kShl || i.op == Op::kShrU || i.op == Op::kShrS) {
          std::optional<int64_t> amount = constants_[i.operands[1]];
          int width = 8 * bytes_of(operand(0));
          if (amount && (*amount < 0 || *amount >= width))
            return fail(i, fmt::format("shifts by {}; the amount must be in [0, {})", *amount, width));
        }
        return result_is(operand(0));
      case Op::kAnd:
      case Op::kOr:
      case Op::kXor:
        if ((!is_integer(operand(0)) && operand(0) != Type::kPred) || operand(0) != operand(1))
          return fail(i, "operands are two i32, two i64 or two pred");
        return result_is(operand(0));
      case Op::kNot:
        if (!is_integer(operand(0)) && operand(0) != Type::kPred) return fail(i, "the operand is i32, i64 or pred");
        return result_is(operand(0));
      case Op::kCompare:
        if (!is_integer(operand(0)) || operand(0) != operand(1)) return fail(i, "operands are two i32 or two i64");
        return result_is(Type::kPred);
      case Op::kSelect:
        if (operand(0) != Type::kPred) return fail(i, "the condition is a pred");
        if (operand(1) != operand(2)) return fail(i, "both choices have one type");
        return result_is(operand(1));
      case Op::kSignExtend:
        if (operand(0) != Type::kI32) return fail(i, "the operand is i32");
        return result_is(Type::kI64);
      case Op::kZeroExtend:
        if (operand(0) == Type::kB8 || operand(0) == Type::kB16) return result_is(Type::kI32);
        if (operand(0) != Type::kI32) return fail(i, "the operand is i32, b8 or b16");
        return result_is(Type::kI64);
      case Op::kTruncate:
        if (operand(0) != Type::kI64) return fail(i, "the operand is i64");
        return result_is(Type::kI32);
      case Op::kPtrAdd:
        if (operand(0) == Type::kSptr) {
          if (operand(1) != Type::kI32) return fail(i, "the offset of an sptr is i32");
          return result_is(Type::kSptr);
        }
        if (operand(0) != Type::kPtr) return fail(i, "the base is a ptr or an sptr");
        if (!is_integer(operand(1))) return fail(i, "the offset is i32 (unsigned bytes) or i64");
        return result_is(Type::kPtr);
      case Op::kFAdd:
      case Op::kFSub:
      case Op::kFMul:
      case Op::kFma:
        for (ValueId v : i.operands)
          if (type(v) != Type::kF32) return fail(i, "operands are f32");
        return result_is(Type::kF32);
      case Op::kBitcast: {
        const int from = renamed_width(operand(0));
        if (from == 0 || from != renamed_width(type(i.results[0])))
          return fail(i, "renames i32, b32 and f32, or i64 and b64");
        return {};
      }
      case Op::kUnpack:
        if (i.results.size() < 2) return fail(i, "gives two lanes or more");
        return lanes(i, operand(0), i.results);
      case Op::kPack:
        if (i.operands.size() < 2) return fail(i, "takes two lanes or more");
        return lanes(i, type(i.results[0]), i.operands);
      case Op::kDecode:
        return coding(i, operand(0), i.results);
      case Op::kEncode:
        return coding(i, type(i.results[0]), i.operands);
      case Op::kShared:
        if (p_.shared_bytes == 0) return fail(i, "the kernel has no shared memory");
        return result_is(Type::kSptr);
      case Op::kFor:
        return for_types(i);
      case Op::kWhile:
        return while_types(i);
      case Op::kIf:
        if (operand(0) != Type::kPred) return fail(i, "the condition is a pred");
        for (const Region& r : i.regions)
          if (!r.arguments.empty()) return fail(i, "regions of an if have no arguments");
        return {};
      case Op::kCondition:
        if (operand(0) != Type::kPred) return fail(i, "the first operand is a pred");
        return {};
      case Op::kLoad:
      case Op::kStore:
      case Op::kAtomicMaxU64:
      case Op::kBarrier:
      case Op::kYield:
        return {};
    }
    return fail(i, "is not an instruction");
  }

  static int renamed_width(Type t) {
    if (t == Type::kI32 || t == Type::kB32 || t == Type::kF32) return 32;
    return t == Type::kI64 || t == Type::kB64 ? 64 : 0;
  }

  // `bits` are the lanes of `parts`, end to end.
  Status lanes(const Instruction& i, Type bits, const std::vector<ValueId>& parts) const {
    const Type lane = type(parts[0]);
    for (ValueId v : parts)
      if (!is_bits(type(v)) || type(v) != lane) return fail(i, "lanes are bits of one type");
    const size_t bytes = parts.size() * static_cast<size_t>(bytes_of(lane));
    if (!is_bits(bits) || bytes != static_cast<size_t>(bytes_of(bits)))
      return fail(
          i, fmt::format("{} lanes of {} are {} bytes, not {}", parts.size(), to_string(lane), bytes, to_string(bits)));
    return {};
  }

  // `bits` hold one or two `values` of the instruction's format.
  Status coding(const Instruction& i, Type bits, const std::vector<ValueId>& values) const {
    for (ValueId v : values)
      if (type(v) != Type::kF32) return fail(i, "values are f32");
    if (values.empty() || values.size() > 2) return fail(i, "has one value or two");
    const size_t bytes = values.size() * static_cast<size_t>(bytes_of(i.format));
    if (!is_bits(bits) || bytes != static_cast<size_t>(bytes_of(bits)))
      return fail(i, fmt::format("{} values of {} are {} bytes, not {}", values.size(), to_string(i.format), bytes,
                                 to_string(bits)));
    return {};
  }

  Status constant(const Instruction& i) const {
    Type t = type(i.results[0]);
    int64_t lo = 0;
    int64_t hi = INT64_MAX;
    if (t == Type::kPred) hi = 1;
    if (t == Type::kI32) lo = INT32_MIN, hi = INT32_MAX;
    if (t == Type::kI64 || t == Type::kB64) lo = INT64_MIN;
    if (t == Type::kB8) hi = UINT8_MAX;
    if (t == Type::kB16) hi = UINT16_MAX;
    if (t == Type::kB32 || t == Type::kF32) hi = UINT32_MAX;
    if (t == Type::kPtr || t == Type::kSptr) return fail(i, "there are no pointer constants");
    if (i.immediate < lo || i.immediate > hi) return fail(i, fmt::format("{} is not in [{}, {}]", i.immediate, lo, hi));
    return {};
  }

  Status memory(const Instruction& i) {
    const bool is_shared = type(i.operands[0]) == Type::kSptr;
    if (!is_shared && type(i.operands[0]) != Type::kPtr) return fail(i, "the address is a ptr or an sptr");
    if (is_shared && i.op == Op::kAtomicMaxU64) return fail(i, "an atomic's address is a ptr");
    if (is_shared && i.read_only) return fail(i, "shared memory is not readonly");
    if (i.guarded && type(i.operands.back()) != Type::kPred) return fail(i, "the guard is a pred");
    int bytes = bytes_of(i.memory_type);
    if (bytes == 0) return fail(i, fmt::format("{} has no form in memory", to_string(i.memory_type)));
    if (i.op == Op::kAtomicMaxU64 && i.memory_type != Type::kI64) return fail(i, "an atomic's memory type is i64");
    Type value = i.op == Op::kLoad ? type(i.results[0]) : type(i.operands[1]);
    if (value != i.memory_type)
      return fail(i, fmt::format("the value is {}, the memory type {}", to_string(value), to_string(i.memory_type)));
    if ((i.align & (i.align - 1)) != 0 || i.align < bytes)
      return fail(
          i, fmt::format("align is {}; it must be a power of two and at least the {} bytes accessed", i.align, bytes));
    if (i.access < 1 || i.access > p_.accesses.size())
      return fail(i, fmt::format("access id {} is not in the table (1 … {})", i.access, p_.accesses.size()));
    if (access_seen_[i.access]) return fail(i, fmt::format("access id {} is used twice", i.access));
    access_seen_[i.access] = true;
    if (is_shared != (p_.accesses[i.access - 1].operand == kSharedOperand))
      return fail(i, fmt::format("accesses through an sptr name the operand \"{}\", and no others do", kSharedOperand));
    return {};
  }

  Status for_types(const Instruction& i) const {
    Type t = type(i.operands[0]);
    if (!is_integer(t) || type(i.operands[1]) != t || type(i.operands[2]) != t)
      return fail(i, "lo, hi and step are three i32 or three i64");
    if (std::optional<int64_t> step = constants_[i.operands[2]]; step && *step <= 0)
      return fail(i, fmt::format("the step is {}; it must be positive", *step));
    const std::vector<ValueId>& arguments = i.regions[0].arguments;
    if (arguments.size() != i.operands.size() - 2 || i.results.size() != i.operands.size() - 3)
      return fail(i, "has an induction argument, and an argument and a result for every initial value");
    if (type(arguments[0]) != t) return fail(i, fmt::format("the induction argument is {}", to_string(t)));
    for (size_t k = 0; k < i.results.size(); ++k) {
      Type carried = type(i.operands[3 + k]);
      if (type(arguments[1 + k]) != carried || type(i.results[k]) != carried)
        return fail(i, fmt::format("carried value {} is {} in every place", k, to_string(carried)));
    }
    return {};
  }

  Status while_types(const Instruction& i) const {
    const std::vector<ValueId>& before = i.regions[0].arguments;
    const std::vector<ValueId>& inside = i.regions[1].arguments;
    if (before.size() != i.operands.size()) return fail(i, "its first region has an argument for every initial value");
    for (size_t k = 0; k < before.size(); ++k) {
      if (type(before[k]) != type(i.operands[k]))
        return fail(i, fmt::format("carried value {} is {} in every place", k, to_string(type(i.operands[k]))));
    }
    if (inside.size() != i.results.size()) return fail(i, "its second region has an argument for every result");
    for (size_t k = 0; k < inside.size(); ++k) {
      if (type(inside[k]) != type(i.results[k]))
        return fail(i, fmt::format("result {} is {} in the second region too", k, to_string(type(i.results[k]))));
    }
    return {};
  }

  Status define(const Instruction& i, ValueId v) {
    if (seen_[v] != Seen::kUndefined) return fail(i, fmt::format("%{} is defined twice", name(v)));
    seen_[v] = Seen::kVisible;
    visible_.push_back(v);
    return {};
  }

  // ---- where pointers come from

  // A pointer may derive from readonly parameters, from writable ones, from both (a select), or from memory (neither).
  static constexpr uint8_t kReadOnly = 1;
  static constexpr uint8_t kWritable = 2;

  // Nothing is written through a pointer that may derive from a readonly parameter, and nothing is loaded read-only
  // through one that may derive from a writable one. Loops carry pointers, so origins are a least fixed point.
  Status origins() {
    for (bool changed = true; changed;) {
      changed = false;
      spread_offsets(p_.body, changed);
      for_each_flow(p_.body, nullptr, [&](ValueId from, ValueId to) { flow(from, to, changed); });
    }
    return check_origins(p_.body);
  }

  // `from` may be the base that `to` is an offset of.
  void flow(ValueId from, ValueId to, bool& changed) {
    uint8_t joined = origin_[to] | origin_[from];
    changed |= joined != origin_[to];
    origin_[to] = joined;
  }
  void spread_offsets(const Region& r, bool& changed) {
    for (const Instruction& i : r.body) {
      if (i.op == Op::kPtrAdd) flow(i.operands[0], i.results[0], changed);
      for (const Region& inner : i.regions) spread_offsets(inner, changed);
    }
  }

  Status check_origins(const Region& r) {
    for (const Instruction& i : r.body) {
      if ((i.op == Op::kStore || i.op == Op::kAtomicMaxU64) && (origin_[i.operands[0]] & kReadOnly))
        return fail(i, "writes through a readonly parameter");
      if (i.op == Op::kLoad && i.read_only && (origin_[i.operands[0]] & kWritable))
        return fail(i, "is a readonly load through a parameter that is not readonly");
      for (const Region& inner : i.regions) TAILOR_RETURN_IF_ERROR(check_origins(inner));
    }
    return {};
  }

  Type type(ValueId v) const { return p_.values[v].type; }
  const std::string& name(ValueId v) const { return p_.values[v].name; }

  const Program& p_;
  std::vector<Seen> seen_;
  std::vector<ValueId> visible_;  // in order of definition, so that the end of a region finds its own
  std::vector<std::optional<int64_t>> constants_;
  std::vector<bool> access_seen_;
  std::vector<uint8_t> origin_;
};

}  // namespace

Status verify(const Program& program) { return Verifier(program).run(); }

}  // namespace tailor::codegen::kernel
