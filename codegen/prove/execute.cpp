#include "codegen/prove/execute.h"

#include <algorithm>
#include <bit>

#include "codegen/integer/magic.h"

namespace tailor::codegen::prove {

using kernel::Compare;
using kernel::Instruction;
using kernel::Op;
using kernel::Type;
using kernel::ValueId;

namespace {

constexpr size_t kMaxTerms = 32;  // a longer polynomial is anything

Wide power_of_two(int exponent) { return Wide{1} << exponent; }

}  // namespace

Execution::Execution(const Subject& subject, Knowledge& knowledge, const Host& host, Observer observer)
    : subject_(subject), knowledge_(knowledge), host_(host), observer_(std::move(observer)) {
  const kernel::Program& p = subject.program;
  values_.resize(p.values.size());
  AtomInfo thread, block;
  thread.kind = block.kind = AtomKind::kThread;
  thread.name = "tid";
  thread.range = {0, Wide{p.block_threads} - 1};
  block.name = "ctaid";
  block.range = {0, power_of_two(31) - 2};
  thread_ = knowledge_.add(std::move(thread));
  block_ = knowledge_.add(std::move(block));
  knowledge_.define(host.grid() - Polynomial(1) - Polynomial::atom(block_));
  for (size_t k = 0; k < p.parameters.size() && k < subject.plan.parameters.size(); ++k) {
    const ValueId v = p.parameters[k].value;
    SymbolicValue& value = values_[v];
    if (p.type_of(v) == Type::kPtr) {
      value.kind = SymbolicValue::Kind::kPointer;
      for (size_t o = 0; o < host.operands().size(); ++o) {
        if (!host.operands()[o].is_shared && !host.operands()[o].base.is_broken() &&
            host.operands()[o].base == host.parameter(k)) {
          value.pointer.operand = static_cast<int>(o);
        }
      }
    } else {
      set(v, host.parameter(k));
    }
  }
}

void Execution::run() { region(subject_.program.body); }

void Execution::note_bounds(const kernel::Region& r, std::vector<Polynomial>& bounds) const {
  for (const Instruction& i : r.body) {
    for (const kernel::Region& inner : i.regions) note_bounds(inner, bounds);
    if (i.op != Op::kCompare) continue;
    for (ValueId v : i.operands) {
      for (size_t k = 0; k < subject_.program.parameters.size(); ++k) {
        if (subject_.program.parameters[k].value != v || !is_integer(v)) continue;
        const Polynomial& p = host_.parameter(k);
        if (!p.is_constant() && std::find(bounds.begin(), bounds.end(), p) == bounds.end()) bounds.push_back(p);
      }
    }
  }
}

// ---- values

bool Execution::is_integer(ValueId v) const {
  const Type t = subject_.program.type_of(v);
  return t == Type::kI32 || t == Type::kI64;
}

void Execution::set(ValueId v, Polynomial p) {
  if (p.is_broken() || p.terms().size() > kMaxTerms) return set_anything(v, {});
  SymbolicValue& value = values_[v];
  value.kind = SymbolicValue::Kind::kInteger;
  value.integer = std::move(p);
}

void Execution::set(ValueId v, PredicateId p) {
  SymbolicValue& value = values_[v];
  value.kind = SymbolicValue::Kind::kPredicate;
  value.predicate = p;
}

void Execution::set_anything(ValueId v, std::vector<Atom> parents, AtomKind kind) {
  const Type type = subject_.program.type_of(v);
  if (type == Type::kPred) {
    Predicate p;
    p.parents = std::move(parents);
    return set(v, knowledge_.add(std::move(p)));
  }
  SymbolicValue& value = values_[v];
  value = {};
  if (type == Type::kPtr || type == Type::kSptr) value.kind = SymbolicValue::Kind::kPointer;
  AtomInfo info;
  info.kind = kind;
  info.name = subject_.program.values[v].name;
  info.parents = std::move(parents);
  if (is_integer(v)) info.range = {-power_of_two(width(v) - 1), power_of_two(width(v) - 1) - 1};
  const Polynomial p = Polynomial::atom(knowledge_.add(std::move(info)));
  if (is_integer(v)) {
    set(v, p);
  } else {
    value.integer = p;  // carries what the value depends on
  }
}

void collect_atoms(const Polynomial& p, std::vector<Atom>& atoms) {
  for (const Term& t : p.terms()) {
    for (uint64_t f = t.monomial.fields; f != 0; f >>= 16) atoms.push_back(static_cast<Atom>(f));
  }
}

void Execution::collect(const SymbolicValue& v, std::vector<Atom>& atoms) const {
  collect_atoms(v.integer, atoms);
  collect_atoms(knowledge_, v.predicate, atoms);
  for (const ByteOffset& o : v.pointer.offsets) collect_atoms(o.value, atoms);
}

void Execution::set_anything_from(const Instruction& i) {
  std::vector<Atom> parents;
  for (ValueId v : i.operands) collect(value(v), parents);
  for (ValueId v : i.results) set_anything(v, parents);
}

// ---- regions and instructions

const std::vector<ValueId>* Execution::region(const kernel::Region& r) {
  for (const Instruction& i : r.body) {
    if (i.op == Op::kYield || i.op == Op::kCondition) return &i.operands;
    instruction(i);
  }
  return nullptr;
}

void Execution::instruction(const Instruction& i) {
  switch (i.op) {
    case Op::kConstant:
      if (is_integer(i.results[0])) return set(i.results[0], Polynomial(i.immediate));
      if (subject_.program.type_of(i.results[0]) == Type::kPred) {
        Predicate p;
        p.kind = Predicate::Kind::kConstant;
        p.value = i.immediate != 0;
        return set(i.results[0], knowledge_.add(std::move(p)));
      }
      return set_anything_from(i);
    case Op::kSpecial:
      return special(i);
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kShl:
    case Op::kSignExtend:
    case Op::kZeroExtend:
    case Op::kTruncate:
      return is_integer(i.results[0]) ? arithmetic(i) : set_anything_from(i);
    case Op::kMulHighU:
    case Op::kShrU:
    case Op::kShrS:
      return divide_or_shift(i);
    case Op::kMinS:
    case Op::kMaxS:
    case Op::kMinU:
    case Op::kMaxU:
      return smallest_or_largest(i);
    case Op::kAnd:
    case Op::kOr:
    case Op::kXor:
    case Op::kNot:
    case Op::kCompare:
      return predicate(i);
    case Op::kSelect:
      return select(i);
    case Op::kPtrAdd: {
      const Type offset = subject_.program.type_of(i.operands[1]);
      const Pointer pointer = value(i.operands[0]).pointer;
      const Polynomial by = value(i.operands[1]).integer;
      SymbolicValue& result = values_[i.results[0]];
      result = {};
      result.kind = SymbolicValue::Kind::kPointer;
      result.pointer = pointer;
      if (!by.is_zero()) result.pointer.offsets.push_back({by, offset == Type::kI32});
      return;
    }
    case Op::kShared: {
      SymbolicValue& result = values_[i.results[0]];
      result = {};
      result.kind = SymbolicValue::Kind::kPointer;
      result.pointer.operand = host_.find_operand(kernel::kSharedOperand);
      return;
    }
    case Op::kLoad:
    case Op::kStore:
    case Op::kAtomicMaxU64:
      return access(i);
    case Op::kFor:
      return for_loop(i);
    case Op::kWhile:
      return while_loop(i);
    case Op::kIf:
      return branch(i);
    default:
      return set_anything_from(i);
  }
}

void Execution::special(const Instruction& i) {
  switch (i.special) {
    case kernel::Special::kTidX:
      return set(i.results[0], Polynomial::atom(thread_));
    case kernel::Special::kCtaidX:
      return set(i.results[0], Polynomial::atom(block_));
    case kernel::Special::kNctaidX:
      return set(i.results[0], host_.grid());
    case kernel::Special::kNtidX:
      return set(i.results[0], Polynomial(subject_.program.block_threads));
    case kernel::Special::kLaneId:
      return set(i.results[0], knowledge_.divide(Polynomial::atom(thread_), 32).remainder);
  }
}

// A factor that is a difference, and not negative, gets a name: facts about other factors can then be multiplied by it.
Polynomial Execution::named_difference(const Polynomial& p, const Polynomial& other) {
  const bool difference = p.terms().size() > 1 && !other.is_constant() &&
                          std::any_of(p.terms().begin(), p.terms().end(),
                                      [](const Term& t) { return t.coefficient < 0 && !t.monomial.is_one(); });
  if (!difference || !knowledge_.shows_quickly(p)) return p;
  return Polynomial::atom(knowledge_.name(p));
}

void Execution::arithmetic(const Instruction& i) {
  const Polynomial& a = value(i.operands[0]).integer;
  const Polynomial b = i.operands.size() > 1 ? value(i.operands[1]).integer : Polynomial();
  const int bits = width(i.operands[0]);
  switch (i.op) {
    case Op::kAdd:
      return set(i.results[0], knowledge_.fold_remainder(a + b));
    case Op::kSub:
      return set(i.results[0], knowledge_.fold_remainder(a - b));
    case Op::kMul:
      return set(i.results[0], named_difference(a, b) * named_difference(b, a));
    case Op::kShl:
      if (!b.is_constant() || b.constant() < 0 || b.constant() >= bits) return set_anything_from(i);
      return set(i.results[0], a.times({}, power_of_two(static_cast<int>(b.constant()))));
    case Op::kTruncate:  // the same modulo 2^32
      return set(i.results[0], a);
    default: {
      const std::optional<Polynomial> exact =
          i.op == Op::kSignExtend ? knowledge_.as_signed(a, bits) : knowledge_.as_unsigned(a, bits);
      if (exact) return set(i.results[0], *exact);
      set_anything_from(i);
      const Wide low = i.op == Op::kSignExtend ? -power_of_two(bits - 1) : 0;
      const Wide high = i.op == Op::kSignExtend ? power_of_two(bits - 1) : power_of_two(bits);
      knowledge_.assume(values_[i.results[0]].integer - Polynomial(low));
      knowledge_.assume(Polynomial(high - 1) - values_[i.results[0]].integer);
    }
  }
}

// floor(n * m / 2^exponent), where the criterion shows it to be a division.
Polynomial Execution::quotient_by_magic(const Polynomial& n, Wide multiplier, int exponent, bool high_bit, int width) {
  const Wide m = multiplier + (high_bit ? power_of_two(width) : 0);
  const Wide most = std::min(knowledge_.range(n).hi, power_of_two(width) - 1);  // n is an unsigned integer
  if (m <= 0 || exponent > 120 || most < 0) return Polynomial::broken();
  const Wide d = (power_of_two(exponent) + m - 1) / m;
  if (d >= power_of_two(63)) return Polynomial::broken();
  if (!integer::check_magic(static_cast<uint64_t>(d), static_cast<uint64_t>(most), static_cast<uint64_t>(multiplier),
                            exponent, high_bit, width)) {
    return Polynomial::broken();
  }
  return knowledge_.divide(n, d, true).quotient;
}

// mulhi(2x, multiplier of d), 0 <= x < 2^31 and 1 <= d < 2^31.
bool Execution::high_by_reciprocal(const Instruction& i, const Polynomial& a, const Polynomial& b) {
  for (const auto& [twice, multiplier] : {std::pair{a, b}, std::pair{b, a}}) {
    const Polynomial d = host_.divisor_of(multiplier, PlanOp::kMagicMultiplier);
    if (d.is_broken() || width(i.operands[0]) != 32) continue;
    Polynomial x;
    for (const Term& t : twice.terms()) {
      if (t.coefficient % 2 != 0) return false;
      x = x + Polynomial::term(t.monomial, t.coefficient / 2);
    }
    knowledge_.learn_factors(x, d);
    const Range divisor = knowledge_.range(d);
    if (divisor.lo < 1 || divisor.hi >= power_of_two(31)) return false;
    AtomInfo info;
    info.kind = AtomKind::kReciprocal;
    info.range = {0, power_of_two(32) - 1};
    Definition definition;
    definition.a = x;
    definition.b = d;
    set(i.results[0], Polynomial::atom(knowledge_.add(std::move(info), std::move(definition))));
    return true;
  }
  return false;
}

// That, shifted right by the shift of d.
bool Execution::ratio_by_reciprocal(const Instruction& i, const Polynomial& high, const Polynomial& shift) {
  const Polynomial d = host_.divisor_of(shift, PlanOp::kMagicShift);
  const Atom a = high.as_atom();
  if (d.is_broken() || a == 0 || knowledge_.info(a).kind != AtomKind::kReciprocal) return false;
  const Definition definition = *knowledge_.definition(a);
  if (definition.b != d) return false;
  set(i.results[0], knowledge_.ratio(definition.a, d));
  return true;
}

void Execution::divide_or_shift(const Instruction& i) {
  const int bits = width(i.operands[0]);
  const ValueId result = i.results[0];
  std::optional<Polynomial> n = i.op == Op::kShrS ? knowledge_.as_signed(value(i.operands[0]).integer, bits)
                                                  : knowledge_.as_unsigned(value(i.operands[0]).integer, bits);
  std::optional<Polynomial> by = knowledge_.as_unsigned(value(i.operands[1]).integer, bits);
  if (i.op == Op::kMulHighU) {
    if (n && n->is_constant()) std::swap(n, by);
    if (n && by && high_by_reciprocal(i, *n, *by)) return;
    if (!n || !by || !by->is_constant()) return set_anything_from(i);
    if (by->is_zero()) return set(result, Polynomial());
    const Wide multiplier = by->constant();
    const Polynomial exact = quotient_by_magic(*n, multiplier, bits, false, bits);
    if (!exact.is_broken()) return set(result, exact);
    AtomInfo info;
    info.kind = AtomKind::kMulHigh;
    Definition definition;
    definition.a = *n;
    definition.number = multiplier;
    const Polynomial high = Polynomial::atom(knowledge_.add(std::move(info), std::move(definition)));
    // 0 <= n here, and multiplier < 2^bits.
    knowledge_.tighten(high.as_atom(), 0, std::clamp<Wide>(knowledge_.range(*n).hi, 0, power_of_two(bits) - 1));
    knowledge_.assume(*n - high);
    return set(result, high);
  }
  if (n && by && i.op == Op::kShrU && ratio_by_reciprocal(i, *n, *by)) return;
  if (!n || !by || !by->is_constant() || by->constant() >= bits) return set_anything_from(i);
  const int shift = static_cast<int>(by->constant());
  if (const Atom a = n->as_atom(); a != 0 && knowledge_.info(a).kind == AtomKind::kMulHigh) {
    const Definition high = *knowledge_.definition(a);
    const Polynomial exact = quotient_by_magic(high.a, high.number, bits + shift, false, bits);
    if (!exact.is_broken()) return set(result, exact);
  }
  // (((n - t) >> 1) + t) >> s with t = mulhi(n, m) is floor(n * (m + 2^w) / 2^(w + s + 1)).
  if (n->terms().size() == 2) {
    for (int k = 0; k < 2; ++k) {
      const Atom t = n->terms()[k].monomial.factor(0), half = n->terms()[1 - k].monomial.factor(0);
      if (n->terms()[0].coefficient != 1 || n->terms()[1].coefficient != 1 || t == 0 || half == 0) break;
      if (n->terms()[0].monomial.degree() != 1 || n->terms()[1].monomial.degree() != 1) break;
      if (knowledge_.info(t).kind != AtomKind::kMulHigh || knowledge_.info(half).kind != AtomKind::kQuotient) continue;
      const Definition high = *knowledge_.definition(t);
      const Definition* halved = knowledge_.definition(half);
      if (halved->number != 2 || halved->a != high.a - Polynomial::atom(t)) continue;
      const Polynomial exact = quotient_by_magic(high.a, high.number, bits + shift + 1, true, bits);
      if (!exact.is_broken()) return set(result, exact);
    }
  }
  set(result, knowledge_.divide(*n, power_of_two(shift), i.op == Op::kShrU).quotient);
}

// 1 or 0 where both are shown to be that much here, as a length and a count are; otherwise minus infinity.
Wide Execution::floor_of(const Polynomial& a, const Polynomial& b) {
  for (const int least : {1, 0}) {
    if (knowledge_.shows_quickly(a - Polynomial(least)) && knowledge_.shows_quickly(b - Polynomial(least)))
      return least;
  }
  return -kInfinity;
}

void Execution::smallest_or_largest(const Instruction& i) {
  const bool is_signed = i.op == Op::kMinS || i.op == Op::kMaxS;
  const bool is_min = i.op == Op::kMinS || i.op == Op::kMinU;
  const int bits = width(i.operands[0]);
  const auto exact = [&](ValueId v) {
    const Polynomial& p = value(v).integer;
    return is_signed ? knowledge_.as_signed(p, bits) : knowledge_.as_unsigned(p, bits);
  };
  const std::optional<Polynomial> a = exact(i.operands[0]), b = exact(i.operands[1]);
  if (!a || !b) {
    // At least the one that is known, whatever the other is.
    const std::optional<Polynomial>& known = a ? a : b;
    if (i.op != Op::kMaxS || !known || !known->is_constant()) return set_anything_from(i);
    AtomInfo info;
    info.name = subject_.program.values[i.results[0]].name;
    info.range = {known->constant(), power_of_two(bits - 1) - 1};
    for (ValueId v : i.operands) collect(value(v), info.parents);
    return set(i.results[0], Polynomial::atom(knowledge_.add(std::move(info))));
  }
  if (knowledge_.shows_quickly(*b - *a)) return set(i.results[0], is_min ? *a : *b);
  if (knowledge_.shows_quickly(*a - *b)) return set(i.results[0], is_min ? *b : *a);
  const Range ra = knowledge_.range(*a), rb = knowledge_.range(*b);
  AtomInfo info;
  info.kind = is_min ? AtomKind::kMin : AtomKind::kMax;
  // The atom is the least of the two polynomials anywhere; what is known of them, it is known of here.
  Range here = is_min ? Range{std::min(ra.lo, rb.lo), std::min(ra.hi, rb.hi)}
                      : Range{std::max(ra.lo, rb.lo), std::max(ra.hi, rb.hi)};
  if (is_min) here.lo = std::max(here.lo, floor_of(*a, *b));
  Definition definition;
  definition.a = *a;
  definition.b = *b;
  const Polynomial result = Polynomial::atom(knowledge_.add(std::move(info), std::move(definition)));
  std::vector<Polynomial> bounds;
  for (const Polynomial& each : {*a, *b}) {
    knowledge_.define(is_min ? each - result : result - each);
    const auto nested = most_.find(each.as_atom());
    if (is_min && nested != most_.end()) {
      bounds.insert(bounds.end(), nested->second.begin(), nested->second.end());
    } else {
      bounds.push_back(each);
    }
  }
  for (const Polynomial& bound : bounds) {
    if (!is_min) break;
    knowledge_.define(bound - result);
    // A least of several, less something.
    for (const Term& t : bound.terms()) {
      const auto part = t.monomial.degree() == 1 && t.coefficient == 1 ? most_.find(t.monomial.factor(0)) : most_.end();
      if (part == most_.end()) continue;
      for (const Polynomial& most : part->second) {
        knowledge_.define(bound - Polynomial::term(t.monomial, 1) + most - result);
      }
    }
  }
  knowledge_.tighten(result.as_atom(), here.lo, here.hi);
  if (is_min) most_[result.as_atom()] = std::move(bounds);
  set(i.results[0], result);
}

// Where the polynomial of a value cannot be shown to be the integer that its bits denote, an atom takes its place that
// is (read as signed): what a comparison then says of it holds for later uses.
void Execution::name_bits(ValueId v) {
  const Polynomial p = value(v).integer;
  const int bits = width(v);
  if (knowledge_.as_signed(p, bits) || knowledge_.as_unsigned(p, bits)) return;
  AtomInfo info;
  info.kind = AtomKind::kBits;
  info.name = subject_.program.values[v].name;
  info.range = {-power_of_two(bits - 1), power_of_two(bits - 1) - 1};
  Definition definition;
  definition.a = p;
  definition.number = power_of_two(bits);
  renamed_.emplace_back(v, p);
  set(v, Polynomial::atom(knowledge_.add(std::move(info), std::move(definition))));
}

void Execution::predicate(const Instruction& i) {
  if (i.op == Op::kCompare) {
    if (!is_integer(i.operands[0])) return set_anything_from(i);
    for (ValueId v : i.operands) name_bits(v);
    Predicate p;
    p.kind = Predicate::Kind::kCompare;
    p.relation = i.compare;
    p.width = width(i.operands[0]);
    p.a = value(i.operands[0]).integer;
    p.b = value(i.operands[1]).integer;
    return set(i.results[0], knowledge_.add(std::move(p)));
  }
  if (subject_.program.type_of(i.results[0]) == Type::kPred) {
    if (i.op == Op::kXor) return set_anything_from(i);
    Predicate p;
    p.kind = i.op == Op::kAnd ? Predicate::Kind::kAnd : i.op == Op::kOr ? Predicate::Kind::kOr : Predicate::Kind::kNot;
    p.x = value(i.operands[0]).predicate;
    if (i.operands.size() > 1) p.y = value(i.operands[1]).predicate;
    return set(i.results[0], knowledge_.add(std::move(p)));
  }
  if (!is_integer(i.results[0])) return set_anything_from(i);
  const int bits = width(i.results[0]);
  if (i.op == Op::kNot) return set(i.results[0], Polynomial(-1) - value(i.operands[0]).integer);
  Polynomial a = value(i.operands[0]).integer, b = value(i.operands[1]).integer;
  if (a.is_constant()) std::swap(a, b);
  const std::optional<Polynomial> mask = knowledge_.as_unsigned(b, bits);
  if (i.op == Op::kAnd && mask && mask->is_constant()) {
    const Wide m = mask->constant();
    if ((m & (m + 1)) == 0) return set(i.results[0], knowledge_.divide(a, m + 1).remainder);  // a mod 2^k
  }
  const std::optional<Polynomial> left = knowledge_.as_unsigned(a, bits);
  const Wide half = power_of_two(bits - 1);
  if (!left || !mask || knowledge_.range(*left).hi >= half || knowledge_.range(*mask).hi >= half) {
    return set_anything_from(i);
  }
  // Of two integers below 2^(w-1). What divides both, a power of two, divides the result.
  const Wide la = knowledge_.range(*left).hi, lb = knowledge_.range(*mask).hi;
  Wide most = std::min(la, lb);
  if (i.op != Op::kAnd) {
    Wide size = 1;
    while (size <= std::max(la, lb)) size *= 2;
    most = size - 1;
  }
  AtomInfo info;
  info.kind = AtomKind::kBitwise;
  Definition definition;
  definition.a = *left;
  definition.b = *mask;
  definition.number = static_cast<int>(i.op);
  const Atom result = knowledge_.add(std::move(info), std::move(definition));
  for (const int64_t divisor : {16, 8, 4, 2}) {
    if (!knowledge_.shows_multiple(*left, divisor) || !knowledge_.shows_multiple(*mask, divisor)) continue;
    knowledge_.learn_residue(result, divisor, 0);
    break;
  }
  knowledge_.tighten(result, 0, most);
  set(i.results[0], Polynomial::atom(result));
}

Execution::SymbolicValue Execution::merged(ValueId result, PredicateId condition, const Side& a, const Side& b) {
  const SymbolicValue before = values_[result];
  if (is_integer(result) && a.value.integer == b.value.integer) {
    set(result, Polynomial(a.value.integer));
  } else if (is_integer(result) && !a.value.integer.is_broken() && !b.value.integer.is_broken()) {
    Definition definition;
    definition.a = a.value.integer;
    definition.b = b.value.integer;
    definition.predicate = condition;
    AtomInfo info;
    info.kind = AtomKind::kSelect;
    const Polynomial selected = Polynomial::atom(knowledge_.add(std::move(info), std::move(definition)));
    const auto where = [&](bool holds, const auto& ask) {
      const Knowledge::Mark scope = knowledge_.mark();
      knowledge_.assume(condition, holds);
      const auto answer = ask();
      knowledge_.forget(scope);
      return answer;
    };
    const auto range_of = [&](const Side& side, bool holds) {
      const Range r = where(holds, [&] { return knowledge_.range(side.value.integer); });
      return Range{std::max(r.lo, side.range.lo), std::min(r.hi, side.range.hi)};
    };
    const auto shows_where = [&](bool holds, const Polynomial& p) {
      return where(holds, [&] { return knowledge_.shows_quickly(p); });
    };
    const Range ra = range_of(a, true), rb = range_of(b, false);
    Range here{std::min(ra.lo, rb.lo), std::max(ra.hi, rb.hi)};
    const auto is_positive = [&](const Side& side, const Range& r, bool holds) {
      return r.lo >= 1 || shows_where(holds, side.value.integer - Polynomial(1));
    };
    if (here.lo < 0 && is_positive(a, ra, true) && is_positive(b, rb, false)) here.lo = 1;
    // What one side is at most may bound the other, and one that is not constant may itself. What a value is at most
    // was shown where it was made, so it holds where its side is taken.
    const auto is_at_most = [&](const Side& side, const Polynomial& bound, bool holds) {
      const auto known = most_.find(side.value.integer.as_atom());
      if (known == most_.end()) return shows_where(holds, bound - side.value.integer);
      return std::find(known->second.begin(), known->second.end(), bound) != known->second.end();
    };
    std::vector<Polynomial> bounds;
    for (const auto& [side, other, holds] : {std::tuple{&a, &b, true}, std::tuple{&b, &a, false}}) {
      const auto known = most_.find(side->value.integer.as_atom());
      std::vector<Polynomial> candidates;
      if (known != most_.end()) candidates = known->second;
      if (other->value.integer.is_constant()) candidates.push_back(side->value.integer);
      for (const Polynomial& bound : candidates) {
        const bool tried = std::find(bounds.begin(), bounds.end(), bound) != bounds.end();
        if (!tried && is_at_most(*other, bound, !holds)) bounds.push_back(bound);
      }
    }
    knowledge_.tighten(selected.as_atom(), here.lo, here.hi);
    for (const Polynomial& bound : bounds) knowledge_.assume(bound - selected);
    if (!bounds.empty()) most_[selected.as_atom()] = std::move(bounds);
    set(result, Polynomial(selected));
  } else {
    std::vector<Atom> parents;
    collect(a.value, parents);
    collect(b.value, parents);
    collect_atoms(knowledge_, condition, parents);
    set_anything(result, std::move(parents));
  }
  SymbolicValue merged = values_[result];
  values_[result] = before;
  return merged;
}

void Execution::select(const Instruction& i) {
  values_[i.results[0]] =
      merged(i.results[0], value(i.operands[0]).predicate, {value(i.operands[1]), {}}, {value(i.operands[2]), {}});
}

bool Execution::is_loaded(PredicateId p) const {
  std::vector<Atom> open;
  collect_atoms(knowledge_, p, open);
  std::vector<bool> seen(knowledge_.atom_count(), false);
  while (!open.empty()) {
    const Atom a = open.back();
    open.pop_back();
    if (seen[a]) continue;
    seen[a] = true;
    if (knowledge_.info(a).kind == AtomKind::kLoad) return true;
    direct_dependencies(knowledge_, a, open);
  }
  return false;
}

void Execution::branch(const Instruction& i) {
  const PredicateId condition = value(i.operands[0]).predicate;
  std::vector<Side> yielded[2];
  for (size_t side = 0; side < i.regions.size(); ++side) {
    const Knowledge::Mark scope = knowledge_.mark();
    const bool certain = observing_ && !is_loaded(condition) && knowledge_.shows_quickly(condition, side == 0);
    path_.push_back({condition, side == 0, -1, certain});
    knowledge_.assume(condition, side == 0);
    const std::vector<ValueId>* passed = region(i.regions[side]);
    for (size_t k = 0; passed && k < passed->size(); ++k) {
      const SymbolicValue& v = value((*passed)[k]);
      yielded[side].push_back({v, knowledge_.range(v.integer)});
    }
    path_.pop_back();
    knowledge_.forget(scope);
  }
  for (size_t k = 0; k < i.results.size(); ++k) {
    values_[i.results[k]] = merged(i.results[k], condition, yielded[0][k], yielded[1][k]);
  }
}

void Execution::access(const Instruction& i) {
  const Pointer& pointer = value(i.operands[0]).pointer;
  const PredicateId guard = i.guarded ? value(i.operands.back()).predicate : kNoPredicate;
  if (observing_) observer_({i, pointer, path_, guard, loop_});
  if (i.results.empty()) return;
  std::vector<Atom> parents;
  collect(value(i.operands[0]), parents);
  collect_atoms(knowledge_, guard, parents);
  // What nothing in this launch writes is the same for every thread that asks.
  const bool fixed = pointer.operand >= 0 && !host_.operands()[static_cast<size_t>(pointer.operand)].writable;
  if (!fixed) parents.push_back(thread_);
  set_anything(i.results[0], std::move(parents), AtomKind::kLoad);
}

void collect_atoms(const Knowledge& knowledge, PredicateId id, std::vector<Atom>& atoms) {
  if (id == kNoPredicate) return;
  const Predicate& p = knowledge.predicate(id);
  collect_atoms(p.a, atoms);
  collect_atoms(p.b, atoms);
  atoms.insert(atoms.end(), p.parents.begin(), p.parents.end());
  collect_atoms(knowledge, p.x, atoms);
  collect_atoms(knowledge, p.y, atoms);
}

void direct_dependencies(const Knowledge& knowledge, Atom a, std::vector<Atom>& atoms) {
  const AtomInfo& info = knowledge.info(a);
  atoms.insert(atoms.end(), info.parents.begin(), info.parents.end());
  if (const Definition* d = knowledge.definition(a)) {
    collect_atoms(d->a, atoms);
    collect_atoms(d->b, atoms);
    collect_atoms(knowledge, d->predicate, atoms);
  }
}

}  // namespace tailor::codegen::prove
