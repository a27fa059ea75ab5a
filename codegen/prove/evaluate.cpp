#include "codegen/prove/evaluate.h"

#include <algorithm>

namespace tailor::codegen::prove {

using kernel::Compare;

namespace {

Wide floor_div(Wide a, Wide b) { return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0); }

// The integer that the low `width` bits of x denote.
Wide wrapped(Wide x, int width, bool is_signed) {
  const Wide size = Wide{1} << width;
  const Wide bits = x - size * floor_div(x, size);
  return is_signed && bits >= size / 2 ? bits - size : bits;
}

bool compare(Compare relation, Wide a, Wide b) {
  switch (relation) {
    case Compare::kEq:
      return a == b;
    case Compare::kNe:
      return a != b;
    case Compare::kSlt:
    case Compare::kUlt:
      return a < b;
    case Compare::kSle:
    case Compare::kUle:
      return a <= b;
    case Compare::kSgt:
    case Compare::kUgt:
      return a > b;
    case Compare::kSge:
    case Compare::kUge:
      return a >= b;
  }
  return false;
}

}  // namespace

const Evaluation::Cell& Evaluation::cell(Atom a) {
  Cell& cell = cells_[a];
  if (cell.when == now_) return cell;
  cell = {now_, false, 0};
  const Definition* d = knowledge_.definition(a);
  if (!d) return cell;
  std::optional<Wide> result;
  const AtomKind kind = knowledge_.info(a).kind;
  if (kind == AtomKind::kSelect) {
    if (const std::optional<bool> first = value(d->predicate)) result = value(*first ? d->a : d->b);
  } else if (const std::optional<Wide> x = value(d->a)) {
    const bool binary =
        kind == AtomKind::kMin || kind == AtomKind::kMax || kind == AtomKind::kBitwise || kind == AtomKind::kRatio;
    const std::optional<Wide> y = binary ? value(d->b) : std::nullopt;
    if (kind == AtomKind::kNamed) result = *x;
    if (kind == AtomKind::kQuotient) result = floor_div(*x, d->number);
    if (kind == AtomKind::kRemainder) result = *x - d->number * floor_div(*x, d->number);
    if (kind == AtomKind::kRatio && y && *y > 0) result = floor_div(*x, *y);
    if (kind == AtomKind::kMin && y) result = std::min(*x, *y);
    if (kind == AtomKind::kMax && y) result = std::max(*x, *y);
    if (kind == AtomKind::kBits) result = wrapped(*x, d->number == Wide{1} << 32 ? 32 : 64, true);
    if (kind == AtomKind::kBitwise && y) {
      const auto op = static_cast<kernel::Op>(static_cast<int>(d->number));
      result = op == kernel::Op::kAnd ? (*x & *y) : op == kernel::Op::kOr ? (*x | *y) : (*x ^ *y);
    }
  }
  cells_[a] = {now_, result.has_value(), result.value_or(0)};
  return cells_[a];
}

std::optional<Wide> Evaluation::value(const Polynomial& p) {
  if (p.is_broken()) return std::nullopt;
  Wide sum = 0;
  for (const Term& t : p.terms()) {
    Wide product = t.coefficient;
    for (uint64_t f = t.monomial.fields; f != 0; f >>= 16) {
      const Cell& factor = cell(static_cast<Atom>(f));
      if (!factor.known || __builtin_mul_overflow(product, factor.value, &product)) return std::nullopt;
    }
    if (__builtin_add_overflow(sum, product, &sum)) return std::nullopt;
  }
  return sum;
}

std::optional<bool> Evaluation::value(PredicateId id) {
  if (id == kNoPredicate) return std::nullopt;
  const Predicate& p = knowledge_.predicate(id);
  switch (p.kind) {
    case Predicate::Kind::kConstant:
      return p.value;
    case Predicate::Kind::kOpaque:
      return std::nullopt;
    case Predicate::Kind::kNot: {
      const std::optional<bool> x = value(p.x);
      return x ? std::optional<bool>(!*x) : std::nullopt;
    }
    case Predicate::Kind::kAnd:
    case Predicate::Kind::kOr: {
      const std::optional<bool> x = value(p.x), y = value(p.y);
      if (!x || !y) return std::nullopt;
      return p.kind == Predicate::Kind::kAnd ? *x && *y : *x || *y;
    }
    case Predicate::Kind::kCompare:
      break;
  }
  const std::optional<Wide> a = value(p.a), b = value(p.b);
  if (!a || !b) return std::nullopt;
  const bool is_signed = p.relation == Compare::kSlt || p.relation == Compare::kSle || p.relation == Compare::kSgt ||
                         p.relation == Compare::kSge;
  return compare(p.relation, wrapped(*a, p.width, is_signed), wrapped(*b, p.width, is_signed));
}

}  // namespace tailor::codegen::prove
