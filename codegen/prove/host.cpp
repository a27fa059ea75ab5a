#include "codegen/prove/host.h"

#include <algorithm>

namespace tailor::codegen::prove {
namespace {

constexpr Wide kDeviceLimit = Wide{1} << 20;
constexpr Wide kGridLimit = (Wide{1} << 31) - 1;
constexpr Wide kNarrowLimit = Wide{1} << 31;
constexpr Wide kWideLimit = (Wide{1} << 63) - 1;

}  // namespace

Host::Host(const Subject& subject, Knowledge& knowledge) : subject_(subject), knowledge_(knowledge) {
  for (size_t s = 0; s < subject.symbols.size(); ++s) {
    AtomInfo info;
    info.kind = AtomKind::kSymbol;
    info.name = subject.symbols[s].name;
    info.range = {-(Wide{1} << 63), kWideLimit};
    bool exact = false;
    for (const Fact& fact : subject.facts) {
      if (fact.symbol != s) continue;
      switch (fact.kind) {
        case FactKind::kExact:
          exact = true;
          symbols_.emplace_back(fact.a);
          break;
        case FactKind::kDivisible:
          if (fact.a > info.modulus) info.modulus = fact.a, info.remainder = 0;
          break;
        case FactKind::kResidue:
          if (fact.a > info.modulus) info.modulus = fact.a, info.remainder = fact.b;
          break;
        case FactKind::kRange:
          info.range = {std::max(info.range.lo, Wide{fact.a}), std::min(info.range.hi, Wide{fact.b})};
          break;
      }
      if (exact) break;
    }
    if (!exact) symbols_.push_back(Polynomial::atom(knowledge_.add(std::move(info))));
  }
  define_products();
  const auto device = [&](std::string_view name) {
    AtomInfo info;
    info.kind = AtomKind::kHost;
    info.name = name;
    info.range = {1, kDeviceLimit};
    return Polynomial::atom(knowledge_.add(std::move(info)));
  };
  sm_count_ = device("sm_count");
  blocks_per_sm_ = device("occupancy");
  // Of a launch that takes place: no dimension of the grid is 0.
  grid_ = evaluate(subject.plan.grid[0]);
  if (const Atom a = grid_.as_atom(); a != 0 && knowledge_.info(a).name.empty()) knowledge_.info(a).name = "grid";
  knowledge_.assume(grid_ - Polynomial(1));
  knowledge_.assume(Polynomial(kGridLimit) - grid_);
  for (int d : {1, 2}) one_dimensional_ = one_dimensional_ && evaluate(subject.plan.grid[d]) == Polynomial(1);
  for (size_t i = 0; i < subject.plan.parameters.size(); ++i) {
    parameters_.push_back(evaluate(subject.plan.parameters[i].value));
    const Atom a = parameters_.back().as_atom();
    if (a != 0 && knowledge_.info(a).name.empty() && i < subject.program.parameters.size()) {
      knowledge_.info(a).name = subject.program.values[subject.program.parameters[i].value].name;
    }
    chunk_lemma(parameters_.back());
  }

  for (const tile::View& view : subject.views) {
    Operand operand;
    operand.name = view.name;
    operand.writable = view.role == tile::Role::kWrite;
    operand.element = view.element_bytes;
    const int base = find_symbol(view.name);
    operand.base = base < 0 ? Polynomial::broken() : symbols_[static_cast<size_t>(base)];
    operand.bytes = Polynomial(view.element_bytes);
    for (const tile::Dimension& d : view.dims) {
      OperandDim dim{extent(d.extent), stride(d.stride)};
      operand.bytes = operand.bytes + (dim.extent - Polynomial(1)) * dim.stride;
      operand.dims.push_back(std::move(dim));
    }
    operand.limit = subject.index64 ? kWideLimit : kNarrowLimit;
    operands_.push_back(std::move(operand));
  }
  if (const int status = find_symbol(subject.status); status >= 0) {
    Operand operand;
    operand.name = subject.status;
    operand.writable = true;
    operand.element = 8;
    operand.base = symbols_[static_cast<size_t>(status)];
    operand.dims.push_back({apply(PlanOp::kMin, operand.base, Polynomial(1)), Polynomial(8)});
    operand.bytes = Polynomial(8);
    operand.limit = 8;
    operands_.push_back(std::move(operand));
  }
  if (subject.program.shared_bytes > 0) {
    Operand operand;
    operand.name = kernel::kSharedOperand;
    operand.writable = true;
    operand.is_shared = true;
    operand.bytes = Polynomial(subject.program.shared_bytes);
    operand.limit = subject.program.shared_bytes;
    operands_.push_back(std::move(operand));
  }
}

bool take_index(const Operand& operand, size_t k, Polynomial& rest, Polynomial& index,
                const std::function<bool(Monomial)>& is_finer) {
  const auto form = [&](size_t d) -> const Term* {
    const std::vector<Term>& terms = operand.dims[d].stride.terms();
    return terms.size() == 1 && terms[0].monomial.degree() == 1 && terms[0].coefficient > 0 ? &terms[0] : nullptr;
  };
  const Term* stride = form(k);
  if (!stride) return false;
  bool later = false;
  for (size_t d = k + 1; d < operand.dims.size(); ++d) {
    const Term* other = form(d);
    later = later || (other && other->monomial == stride->monomial);
  }
  for (const Term& t : rest.terms()) {
    Monomial cofactor;
    if (!prove::divide(t.monomial, stride->monomial, cofactor)) continue;
    const Wide part = ((t.coefficient % stride->coefficient) + stride->coefficient) % stride->coefficient;
    if (part != 0 && !later) return false;
    if (later && is_finer(cofactor)) continue;
    index = index + Polynomial::term(cofactor, (t.coefficient - part) / stride->coefficient);
  }
  rest = rest - index.times(stride->monomial, stride->coefficient);
  return true;
}

int Host::find_symbol(std::string_view name) const {
  for (size_t s = 0; s < subject_.symbols.size(); ++s) {
    if (!name.empty() && subject_.symbols[s].name == name) return static_cast<int>(s);
  }
  return -1;
}

int Host::find_operand(std::string_view name) const {
  for (size_t i = 0; i < operands_.size(); ++i) {
    if (operands_[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

Polynomial Host::extent(const tile::Extent& e) const {
  if (const int s = find_symbol(e.symbol); s >= 0) return symbols_[static_cast<size_t>(s)] + Polynomial(e.offset);
  return e.exact ? Polynomial(*e.exact) : Polynomial::broken();
}

Polynomial Host::stride(const tile::Stride& s) const {
  if (s.exact) return Polynomial(*s.exact);
  const int symbol = find_symbol(s.symbol);
  return symbol < 0 ? Polynomial::broken() : symbols_[static_cast<size_t>(symbol)].times({}, s.factor);
}

Polynomial Host::evaluate(const PlanExpression& expression) {
  std::vector<Polynomial> stack;
  for (const PlanTerm& term : expression) {
    switch (term.op) {
      case PlanOp::kConstant:
        stack.emplace_back(term.operand);
        break;
      case PlanOp::kSymbol:
        if (term.operand < 0 || static_cast<size_t>(term.operand) >= symbols_.size()) return Polynomial::broken();
        stack.push_back(symbols_[static_cast<size_t>(term.operand)]);
        break;
      case PlanOp::kSmCount:
        stack.push_back(sm_count_);
        break;
      case PlanOp::kBlocksPerSm:
        stack.push_back(blocks_per_sm_);
        break;
      case PlanOp::kMagicMultiplier:
      case PlanOp::kMagicShift:
        if (stack.empty()) return Polynomial::broken();
        stack.back() = reciprocal(term.op, stack.back());
        break;
      default: {
        if (stack.size() < 2) return Polynomial::broken();
        const Polynomial b = std::move(stack.back());
        stack.pop_back();
        stack.back() = apply(term.op, stack.back(), b);
      }
    }
  }
  return stack.size() == 1 ? stack[0] : Polynomial::broken();
}

// 2^31 <= multiplier < 2^32 and shift <= 31, whatever the divisor.
Polynomial Host::reciprocal(PlanOp op, const Polynomial& divisor) {
  AtomInfo info;
  info.kind = AtomKind::kHost;
  info.range = op == PlanOp::kMagicShift ? Range{0, 31} : Range{kNarrowLimit, 2 * kNarrowLimit - 1};
  const Polynomial result = Polynomial::atom(knowledge_.add(std::move(info)));
  computed_.push_back({op, divisor, {}, result});
  return result;
}

Polynomial Host::divisor_of(const Polynomial& p, PlanOp op) const {
  const Computed* found = computed(p, op);
  return found ? found->a : Polynomial::broken();
}

// A product of constants and one symbol takes the symbol's place. Of others the partial products have names.
void Host::define_products() {
  for (const SymbolProduct& each : subject_.products) {
    if (each.unless_zero >= 0) {
      const Polynomial& condition = symbols_[static_cast<size_t>(each.unless_zero)];
      if (knowledge_.range(condition).lo < 1) continue;
    }
    const bool negative = std::any_of(each.factors.begin(), each.factors.end(),
                                      [&](uint16_t factor) { return knowledge_.range(symbols_[factor]).lo < 0; });
    if (negative) continue;
    Polynomial product(1);
    std::vector<Polynomial> factors;
    for (uint16_t factor : each.factors) {
      if (symbols_[factor] != Polynomial(1)) factors.push_back(symbols_[factor]);
    }
    Polynomial& symbol = symbols_[each.product];
    for (size_t k = 0; k < factors.size(); ++k) {
      if (k == 0) {
        product = factors[0];
      } else if (product.is_constant() || factors[k].is_constant()) {
        product = product * factors[k];
      } else {
        const bool last = k + 1 == factors.size() && !symbol.is_constant();
        const Polynomial whole = last ? symbol : Polynomial::atom(knowledge_.name(product * factors[k]));
        knowledge_.define_product(whole, product, factors[k]);
        product = whole;
      }
    }
    if (!symbol.is_constant()) symbol = product;
  }
}

Polynomial Host::apply(PlanOp op, const Polynomial& a, const Polynomial& b) {
  switch (op) {
    case PlanOp::kAdd:
      return a + b;
    case PlanOp::kSub:
      return a - b;
    case PlanOp::kMul:
      return a * b;
    case PlanOp::kFloorDiv:
      if (b.is_constant() && b.constant() > 0) return knowledge_.divide(a, b.constant()).quotient;
      break;
    case PlanOp::kCeilDiv:
      if (b == Polynomial(1)) return a;
      // ceil(ceil(x / y) / z) = ceil(x / (y*z))
      if (const Computed* inner = computed(a, PlanOp::kCeilDiv)) {
        const Polynomial x = inner->a, y = inner->b;
        return apply(op, x, y * b);
      }
      break;
    default:
      break;
  }
  for (const Computed& each : computed_) {
    if (each.op == op && each.a == a && each.b == b) return each.result;
  }
  const Range ra = knowledge_.range(a), rb = knowledge_.range(b);
  AtomInfo info;
  info.kind = AtomKind::kHost;
  if (op == PlanOp::kMin) info.range = {std::min(ra.lo, rb.lo), std::min(ra.hi, rb.hi)};
  if (op == PlanOp::kMax) info.range = {std::max(ra.lo, rb.lo), std::max(ra.hi, rb.hi)};
  if (op == PlanOp::kCeilDiv && ra.lo >= 0 && rb.lo >= 1) info.range = {0, (ra.hi + rb.lo - 1) / rb.lo};
  Definition definition;
  definition.a = a;
  definition.b = b;
  if (op == PlanOp::kMin || op == PlanOp::kMax) info.kind = op == PlanOp::kMin ? AtomKind::kMin : AtomKind::kMax;
  const Polynomial result = Polynomial::atom(
      info.kind == AtomKind::kHost ? knowledge_.add(std::move(info)) : knowledge_.add(std::move(info), definition));
  switch (op) {
    case PlanOp::kMin:
      knowledge_.define(a - result);
      knowledge_.define(b - result);
      break;
    case PlanOp::kMax:
      knowledge_.define(result - a);
      knowledge_.define(result - b);
      break;
    case PlanOp::kCeilDiv:
      if (rb.lo < 1) break;
      knowledge_.define(result * b - a);
      knowledge_.define(a + b - Polynomial(1) - result * b);
      break;
    default:
      break;
  }
  computed_.push_back({op, a, b, result});
  return result;
}

const Host::Computed* Host::computed(const Polynomial& result, PlanOp op) const {
  for (const Computed& each : computed_) {
    if (each.op == op && each.result == result) return &each;
  }
  return nullptr;
}

void Host::chunk_lemma(const Polynomial& chunk) {
  const Computed* least = computed(grid_, PlanOp::kMin);
  Wide unit = 1;  // T
  const Computed* most = computed(chunk, PlanOp::kMax);
  if (!most && chunk.terms().size() == 1) {
    unit = chunk.terms()[0].coefficient;
    const Computed* units = computed(Polynomial::term(chunk.terms()[0].monomial, 1), PlanOp::kCeilDiv);
    if (units && units->b == Polynomial(unit)) most = computed(units->a, PlanOp::kMax);
  }
  if (!least || !most) return;
  for (const auto& [blocks, limit] : {std::pair{least->a, least->b}, std::pair{least->b, least->a}}) {
    for (const auto& [share, rows] : {std::pair{most->a, most->b}, std::pair{most->b, most->a}}) {
      const Computed* by_rows = computed(blocks, PlanOp::kCeilDiv);
      const Computed* by_limit = computed(share, PlanOp::kCeilDiv);
      if (knowledge_.range(rows).lo < unit || !by_limit || by_limit->b != limit) continue;
      if (rows != Polynomial(1) && (!by_rows || by_rows->b != rows)) continue;
      const Polynomial work = by_limit->a, longest = rows == Polynomial(1) ? blocks : by_rows->a;
      if (!at_least(longest, work)) continue;
      const Polynomial product = grid_ * chunk;
      const Wide most_rows = knowledge_.range(rows).hi;
      const Wide x = knowledge_.range(work).hi, y = knowledge_.range(longest).hi;
      knowledge_.define(product - work);
      if (unit == 1) {
        knowledge_.define(longest + grid_ + Polynomial(most_rows - 2) - product);
        knowledge_.define(Polynomial(std::max(y + most_rows - 1, x + knowledge_.range(grid_).hi - 1)) - product);
      } else {
        knowledge_.define(Polynomial(std::max(y + most_rows - 1, 2 * x - 2)) - product);
      }
      return;
    }
  }
}

// a is b, or a maximum that has b among its parts.
bool Host::at_least(const Polynomial& a, const Polynomial& b) const {
  if (a == b) return true;
  const Computed* most = computed(a, PlanOp::kMax);
  return most && (at_least(most->a, b) || at_least(most->b, b));
}

bool Host::shows_not_empty(const Operand& operand) {
  for (const OperandDim& d : operand.dims) {
    if (!knowledge_.shows(d.extent - Polynomial(1))) return false;
  }
  return true;
}

}  // namespace tailor::codegen::prove
