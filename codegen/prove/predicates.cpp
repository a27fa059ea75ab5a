// What a comparison of machine integers says about the integers that they denote.
#include <fmt/format.h>

#include "codegen/prove/knowledge.h"

namespace tailor::codegen::prove {

using kernel::Compare;

namespace {

Wide power_of_two(int exponent) { return Wide{1} << exponent; }

Compare negated(Compare relation) {
  switch (relation) {
    case Compare::kEq:
      return Compare::kNe;
    case Compare::kNe:
      return Compare::kEq;
    case Compare::kSlt:
      return Compare::kSge;
    case Compare::kSle:
      return Compare::kSgt;
    case Compare::kSgt:
      return Compare::kSle;
    case Compare::kSge:
      return Compare::kSlt;
    case Compare::kUlt:
      return Compare::kUge;
    case Compare::kUle:
      return Compare::kUgt;
    case Compare::kUgt:
      return Compare::kUle;
    case Compare::kUge:
      return Compare::kUlt;
  }
  return relation;
}

}  // namespace

std::optional<Polynomial> Knowledge::as_unsigned(const Polynomial& p, int width) {
  const Wide limit = power_of_two(width);
  if (p.is_broken()) return std::nullopt;
  if (p.is_constant()) return Polynomial(((p.constant() % limit) + limit) % limit);
  const Range r = range(p);
  if (r.hi < 0 || r.lo >= limit) return std::nullopt;
  const bool low = r.lo >= 0 || shows_quickly(p);
  if (!low) return std::nullopt;
  if (r.hi < limit || shows_quickly(Polynomial(limit - 1) - p)) return p;
  return std::nullopt;
}

std::optional<Polynomial> Knowledge::as_signed(const Polynomial& p, int width) {
  const Wide half = power_of_two(width - 1);
  if (p.is_broken()) return std::nullopt;
  if (p.is_constant()) {
    const Wide bits = ((p.constant() % (2 * half)) + 2 * half) % (2 * half);
    return Polynomial(bits >= half ? bits - 2 * half : bits);
  }
  const Range r = range(p);
  if (r.hi < -half || r.lo >= half) return std::nullopt;
  if (r.lo < -half && !shows_quickly(p + Polynomial(half))) return std::nullopt;
  if (r.hi >= half && !shows_quickly(Polynomial(half - 1) - p)) return std::nullopt;
  return p;
}

// a < b or a <= b of unsigned integers. Where b is below 2^(w-1) and a is known as a signed integer, a is not negative:
// otherwise its bits would denote 2^(w-1) or more.
void Knowledge::assume_unsigned(const Polynomial& a, const Polynomial& b, bool strict, int width) {
  const std::optional<Polynomial> right = as_unsigned(b, width);
  if (!right) return;
  const Wide gap = strict ? 1 : 0;
  if (const std::optional<Polynomial> left = as_unsigned(a, width)) return assume_less(*left, *right, gap);
  const Wide half = power_of_two(width - 1);
  const bool small = range(*right).hi < half || shows_quickly(Polynomial(half - 1) - *right);
  const std::optional<Polynomial> left = as_signed(a, width);
  if (!small || !left) return;
  assume(*left);
  assume_less(*left, *right, gap);
}

void Knowledge::assume_compare(const Predicate& p, Compare relation) {
  switch (relation) {
    case Compare::kUlt:
      return assume_unsigned(p.a, p.b, true, p.width);
    case Compare::kUle:
      return assume_unsigned(p.a, p.b, false, p.width);
    case Compare::kUgt:
      return assume_unsigned(p.b, p.a, true, p.width);
    case Compare::kUge:
      return assume_unsigned(p.b, p.a, false, p.width);
    default:
      break;
  }
  std::optional<Polynomial> a = as_signed(p.a, p.width), b = as_signed(p.b, p.width);
  const bool equality = relation == Compare::kEq || relation == Compare::kNe;
  if (equality && (!a || !b)) a = as_unsigned(p.a, p.width), b = as_unsigned(p.b, p.width);
  if (!a || !b) return;
  switch (relation) {
    case Compare::kSlt:
      return assume_less(*a, *b, 1);
    case Compare::kSle:
      return assume_less(*a, *b, 0);
    case Compare::kSgt:
      return assume_less(*b, *a, 1);
    case Compare::kSge:
      return assume_less(*b, *a, 0);
    case Compare::kEq:
      assume_less(*a, *b, 0);
      return assume_less(*b, *a, 0);
    case Compare::kNe:
      if (shows_quickly(*a - *b)) return assume_less(*b, *a, 1);
      if (shows_quickly(*b - *a)) return assume_less(*a, *b, 1);
      return;
    default:
      return;
  }
}

bool Knowledge::same(PredicateId id, PredicateId other) const {
  if (id == other) return true;
  if (id == kNoPredicate || other == kNoPredicate) return false;
  const Predicate &p = predicates_[id], &q = predicates_[other];
  if (p.kind != q.kind) return false;
  switch (p.kind) {
    case Predicate::Kind::kConstant:
      return p.value == q.value;
    case Predicate::Kind::kCompare:
      return p.relation == q.relation && p.width == q.width && p.a == q.a && p.b == q.b;
    case Predicate::Kind::kAnd:
    case Predicate::Kind::kOr:
      return same(p.x, q.x) && same(p.y, q.y);
    case Predicate::Kind::kNot:
      return same(p.x, q.x);
    case Predicate::Kind::kOpaque:
      return false;
  }
  return false;
}

void Knowledge::assume(PredicateId id, bool holds) {
  if (id == kNoPredicate) return;
  const Predicate p = predicates_[id];
  switch (p.kind) {
    case Predicate::Kind::kConstant:
      if (p.value != holds) assume(Polynomial(-1));
      return;
    case Predicate::Kind::kCompare:
      return assume_compare(p, holds ? p.relation : negated(p.relation));
    case Predicate::Kind::kAnd:
    case Predicate::Kind::kOr:
      // Only one way of each says something of both sides.
      if (holds == (p.kind == Predicate::Kind::kAnd)) {
        assume(p.x, holds);
        assume(p.y, holds);
      }
      return;
    case Predicate::Kind::kNot:
      return assume(p.x, !holds);
    case Predicate::Kind::kOpaque:
      return;
  }
}

bool Knowledge::shows_quickly(PredicateId id, bool holds) {
  if (id == kNoPredicate) return false;
  const Predicate p = predicates_[id];
  switch (p.kind) {
    case Predicate::Kind::kConstant:
      return p.value == holds;
    case Predicate::Kind::kAnd:
    case Predicate::Kind::kOr: {
      const bool both = holds == (p.kind == Predicate::Kind::kAnd);
      return both ? shows_quickly(p.x, holds) && shows_quickly(p.y, holds)
                  : shows_quickly(p.x, holds) || shows_quickly(p.y, holds);
    }
    case Predicate::Kind::kNot:
      return shows_quickly(p.x, !holds);
    case Predicate::Kind::kOpaque:
      return false;
    case Predicate::Kind::kCompare:
      break;
  }
  const Compare relation = holds ? p.relation : negated(p.relation);
  const bool is_unsigned =
      relation == Compare::kUlt || relation == Compare::kUle || relation == Compare::kUgt || relation == Compare::kUge;
  const std::optional<Polynomial> a = is_unsigned ? as_unsigned(p.a, p.width) : as_signed(p.a, p.width);
  const std::optional<Polynomial> b = is_unsigned ? as_unsigned(p.b, p.width) : as_signed(p.b, p.width);
  if (!a || !b) return false;
  switch (relation) {
    case Compare::kEq:
      return shows_quickly(*a - *b) && shows_quickly(*b - *a);
    case Compare::kNe:
      return shows_quickly(*a - *b - Polynomial(1)) || shows_quickly(*b - *a - Polynomial(1));
    case Compare::kSlt:
    case Compare::kUlt:
      return shows_quickly(*b - *a - Polynomial(1));
    case Compare::kSle:
    case Compare::kUle:
      return shows_quickly(*b - *a);
    case Compare::kSgt:
    case Compare::kUgt:
      return shows_quickly(*a - *b - Polynomial(1));
    case Compare::kSge:
    case Compare::kUge:
      return shows_quickly(*a - *b);
  }
  return false;
}

// ---- text

std::string Knowledge::name(Atom a) const {
  const AtomInfo& info = atoms_[a];
  if (!info.name.empty()) return std::string(info.name);
  const Definition* d = definition(a);
  if (!d) return fmt::format("any{}", a);
  switch (info.kind) {
    case AtomKind::kQuotient:
      return fmt::format("floor(({})/{})", to_string(d->a), prove::to_string(d->number));
    case AtomKind::kRemainder:
      return fmt::format("(({}) mod {})", to_string(d->a), prove::to_string(d->number));
    case AtomKind::kRatio:
      return fmt::format("floor(({})/({}))", to_string(d->a), to_string(d->b));
    case AtomKind::kReciprocal:
      return fmt::format("mulhi(2*({}), multiplier of {})", to_string(d->a), to_string(d->b));
    case AtomKind::kMin:
      return fmt::format("min({}, {})", to_string(d->a), to_string(d->b));
    case AtomKind::kMax:
      return fmt::format("max({}, {})", to_string(d->a), to_string(d->b));
    case AtomKind::kSelect:
      return fmt::format("({} ? {} : {})", to_string(d->predicate), to_string(d->a), to_string(d->b));
    case AtomKind::kNamed:
      return fmt::format("({})", to_string(d->a));
    case AtomKind::kBitwise:
      return fmt::format("({} {} {})", to_string(d->a),
                         kernel::to_string(static_cast<kernel::Op>(static_cast<int>(d->number))), to_string(d->b));
    case AtomKind::kMulHigh:
      return fmt::format("mulhi({}, {})", to_string(d->a), prove::to_string(d->number));
    default:
      return fmt::format("any{}", a);
  }
}

std::string Knowledge::to_string(const Polynomial& p) const {
  if (p.is_broken()) return "?";
  std::string text;
  const auto add = [&](const Term& t) {
    Wide c = t.coefficient;
    text += text.empty() ? (c < 0 ? "-" : "") : (c < 0 ? " - " : " + ");
    if (c < 0) c = -c;
    std::string factors;
    for (uint64_t f = t.monomial.fields; f != 0; f >>= 16) {
      if (!factors.empty()) factors.append("*");
      factors.append(name(static_cast<Atom>(f)));
    }
    if (factors.empty()) {
      text += prove::to_string(c);
    } else {
      if (c != 1) text.append(prove::to_string(c)).append("*");
      text += factors;
    }
  };
  for (const Term& t : p.terms()) {
    if (!t.monomial.is_one()) add(t);
  }
  if (p.constant() != 0 || text.empty()) add({{}, p.constant()});
  return text;
}

std::string Knowledge::to_string(PredicateId id) const {
  if (id == kNoPredicate) return "?";
  const Predicate& p = predicates_[id];
  switch (p.kind) {
    case Predicate::Kind::kConstant:
      return p.value ? "true" : "false";
    case Predicate::Kind::kCompare:
      return fmt::format("{} {} {}", to_string(p.a), kernel::to_string(p.relation), to_string(p.b));
    case Predicate::Kind::kAnd:
      return fmt::format("({} and {})", to_string(p.x), to_string(p.y));
    case Predicate::Kind::kOr:
      return fmt::format("({} or {})", to_string(p.x), to_string(p.y));
    case Predicate::Kind::kNot:
      return fmt::format("not {}", to_string(p.x));
    case Predicate::Kind::kOpaque:
      return "?";
  }
  return "?";
}

}  // namespace tailor::codegen::prove
