#include "codegen/prove/knowledge.h"

#include <algorithm>
#include <numeric>

namespace tailor::codegen::prove {
namespace {

Wide clamp(Wide x) { return std::clamp(x, -kInfinity, kInfinity); }

Wide product(Wide a, Wide b) {
  Wide result = 0;
  if (!__builtin_mul_overflow(a, b, &result)) return clamp(result);
  return (a < 0) == (b < 0) ? kInfinity : -kInfinity;
}

// Infinite as soon as one side is.
Wide sum_low(Wide a, Wide b) { return a == -kInfinity || b == -kInfinity ? -kInfinity : clamp(a + b); }
Wide sum_high(Wide a, Wide b) { return a == kInfinity || b == kInfinity ? kInfinity : clamp(a + b); }

Range product(const Range& a, const Range& b) {
  const Wide corners[] = {product(a.lo, b.lo), product(a.lo, b.hi), product(a.hi, b.lo), product(a.hi, b.hi)};
  return {*std::min_element(corners, corners + 4), *std::max_element(corners, corners + 4)};
}

Wide floor_div(Wide a, Wide b) { return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0); }
Wide ceil_div(Wide a, Wide b) { return -floor_div(-a, b); }
Wide floor_mod(Wide a, Wide b) { return a - b * floor_div(a, b); }
Wide magnitude(Wide a) { return a < 0 ? -a : a; }
Wide gcd(Wide a, Wide b) {
  while (b != 0) std::swap(a %= b, b);
  return magnitude(a);
}

// p >= 0 in lowest terms: p / g with the constant rounded down.
Polynomial reduced(const Polynomial& p) {
  Wide g = 0;
  for (const Term& t : p.terms()) {
    if (!t.monomial.is_one()) g = gcd(g, t.coefficient);
  }
  if (g <= 1) return p;
  Polynomial result(floor_div(p.constant(), g));
  for (const Term& t : p.terms()) {
    if (!t.monomial.is_one()) result = result + Polynomial::term(t.monomial, t.coefficient / g);
  }
  return result;
}

// A factor with such a bound is paid for by its range before facts are tried.
constexpr Wide kSmall = Wide{1} << 16;

}  // namespace

// ---- atoms

Atom Knowledge::add(AtomInfo info) {
  constexpr size_t kLimit = 65000;
  if (atoms_.size() >= kLimit) return static_cast<Atom>(atoms_.size() - 1);  // never reached by programs of ours
  ranges_.push_back(info.range);
  atoms_.push_back(std::move(info));
  return static_cast<Atom>(atoms_.size() - 1);
}

Atom Knowledge::add(AtomInfo info, Definition definition) {
  info.definition = static_cast<int>(definitions_.size());
  definitions_.push_back(std::move(definition));
  return add(std::move(info));
}

PredicateId Knowledge::add(Predicate predicate) {
  predicates_.push_back(std::move(predicate));
  return static_cast<PredicateId>(predicates_.size() - 1);
}

// n = d*A + B by coefficients; floor(n / d) = A + floor(B / d). floor(floor(m / a) / b) = floor(m / (a*b)).
Knowledge::Division Knowledge::divide(const Polynomial& n, Wide d, bool not_negative) {
  if (n.is_broken()) return {n, n};
  if (d == 1) return {n, {}};
  Polynomial whole, rest;
  for (const Term& t : n.terms()) {
    const Wide q = floor_div(t.coefficient, d);
    if (t.monomial.is_one() || t.coefficient % d == 0) {
      whole = whole + Polynomial::term(t.monomial, q);
      rest = rest + Polynomial::term(t.monomial, t.coefficient - q * d);
    } else {
      rest = rest + Polynomial::term(t.monomial, t.coefficient);
    }
  }
  const Range r = range(rest);
  if (r.lo >= 0 && r.hi < d) return {whole, rest};
  if (const Atom inner = rest.as_atom(); inner != 0 && atoms_[inner].kind == AtomKind::kQuotient) {
    const Definition& nested = definitions_[static_cast<size_t>(atoms_[inner].definition)];
    const Division outer = divide(Polynomial(nested.a), nested.number * d, not_negative && whole.is_zero());
    return {whole + outer.quotient, rest - outer.quotient.times({}, d)};
  }
  const Definition* known = nullptr;
  for (int index : divisions_) {
    const Definition& each = definitions_[static_cast<size_t>(index)];
    if (each.number == d && each.a == rest) known = &each;
  }
  if (!known) {
    const int index = static_cast<int>(definitions_.size());
    AtomInfo quotient, remainder;
    quotient.kind = AtomKind::kQuotient;
    remainder.kind = AtomKind::kRemainder;
    remainder.range = {0, d - 1};
    quotient.definition = remainder.definition = index;
    definitions_.push_back({rest, {}, d, kNoPredicate, 0, 0});
    divisions_.push_back(index);
    const Atom q = add(std::move(quotient)), m = add(std::move(remainder));
    definitions_.back().quotient = q;
    definitions_.back().remainder = m;
    known = &definitions_.back();
    const Polynomial defined = Polynomial::combine(Polynomial::atom(q), d, Polynomial::atom(m), 1) - rest;
    define(defined);
    define(Polynomial{} - defined);
    define(Polynomial::atom(q).times({}, d) + Polynomial(d - 1) - rest);
    define(rest - Polynomial::atom(q).times({}, d));
  }
  const Atom q = known->quotient, m = known->remainder;
  const Wide least = r.lo == -kInfinity ? r.lo : floor_div(r.lo, d);
  tighten(q, not_negative && whole.is_zero() ? std::max<Wide>(0, least) : least,
          r.hi == kInfinity ? r.hi : floor_div(r.hi, d));
  return {whole + Polynomial::atom(q), Polynomial::atom(m)};
}

void Knowledge::define_product(const Polynomial& product, const Polynomial& rest, const Polynomial& factor) {
  products_.push_back({product, rest, factor});
  define(product - rest * factor);
  define(rest * factor - product);
}

Polynomial Knowledge::product_of(const Polynomial& rest, const Polynomial& factor) const {
  for (const Product& each : products_) {
    if (each.rest == rest && each.factor == factor) return each.product;
  }
  return rest * factor;
}

// By the ranges, or a fact n < b and at most one lemma of b: bounds of rows are found so.
bool Knowledge::is_below(const Polynomial& n, const Polynomial& bound) const {
  // Has the fact every term of p that takes something away?
  const auto pays = [](const Polynomial& fact, const Polynomial& p) {
    return std::all_of(p.terms().begin(), p.terms().end(), [&](const Term& t) {
      return t.monomial.is_one() || t.coefficient > 0 || fact.coefficient(t.monomial) == t.coefficient;
    });
  };
  const Polynomial p = bound - Polynomial(1) - n;
  if (range(p).lo >= 0) return true;
  const Polynomial minus_n = Polynomial{} - n;
  for (const Polynomial& fact : facts_) {
    if (!pays(fact, minus_n)) continue;
    const Polynomial rest = p - fact;
    if (range(rest).lo >= 0) return true;
    for (const Polynomial& lemma : lemmas_) {
      if (pays(lemma, rest) && range(rest - lemma).lo >= 0) return true;
    }
  }
  return false;
}

void Knowledge::learn_factors(const Polynomial& n, const Polynomial& factor) {
  for (const Product& each : products_) {
    const Wide rest = range(each.rest).lo, own = range(factor).lo;
    if (each.factor != factor || rest < 0 || own < 0 || (rest > 0 && own > 0)) continue;
    if (!is_below(n, each.product) || !shows_quickly(n)) continue;
    assume(factor - Polynomial(1));
    assume(each.rest - Polynomial(1));
  }
}

// n < rest*d and d*q <= n give d*(rest - q) > 0.
Polynomial Knowledge::ratio(const Polynomial& n, const Polynomial& d) {
  Atom found = 0;
  for (Atom a : ratios_) {
    if (definition(a)->a == n && definition(a)->b == d) found = a;
  }
  if (found == 0) {
    AtomInfo info;
    info.kind = AtomKind::kRatio;
    info.range = {0, (Wide{1} << 31) - 1};
    Definition definition;
    definition.a = n;
    definition.b = d;
    found = add(std::move(info), std::move(definition));
    ratios_.push_back(found);
  }
  // Not for ever: d may be 0 elsewhere.
  const Polynomial q = Polynomial::atom(found);
  const Range rn = range(n), rd = range(d);
  if (rn.hi < kInfinity) assume(Polynomial(floor_div(rn.hi, std::max<Wide>(1, rd.lo))) - q);
  assume(n - q);
  assume(n - d * q);
  assume(d * q + d - Polynomial(1) - n);
  for (size_t k = 0; k < products_.size(); ++k) {
    const Polynomial rest = products_[k].rest;
    if (products_[k].factor == d && is_below(n, products_[k].product)) {
      assume(rest - Polynomial(1) - q);
    }
  }
  return q;
}

Atom Knowledge::name(const Polynomial& p) {
  Atom result = 0;
  for (Atom a : named_) {
    if (definition(a)->a == p) result = a;
  }
  if (result == 0) {
    AtomInfo info;
    info.kind = AtomKind::kNamed;
    Definition definition;
    definition.a = p;
    result = add(std::move(info), std::move(definition));
    named_.push_back(result);
    define(p - Polynomial::atom(result));
    define(Polynomial::atom(result) - p);
  }
  tighten(result, 0, range(p).hi);
  return result;
}

Polynomial Knowledge::fold_remainder(Polynomial p) const {
  for (int index : divisions_) {
    const Definition& each = definitions_[static_cast<size_t>(index)];
    const Wide c = p.coefficient(Monomial::of(each.quotient));
    if (c == 0 || c % each.number != 0) continue;
    const Wide k = -c / each.number;
    // p = k*(a - d*q) + rest
    const Polynomial folded = p + Polynomial::atom(each.quotient).times({}, k * each.number) - each.a.times({}, k) +
                              Polynomial::atom(each.remainder).times({}, k);
    if (!folded.is_broken() && folded.terms().size() < p.terms().size()) p = folded;
  }
  return p;
}

// ---- ranges and facts

Range Knowledge::range(Monomial m) const {
  Range r{1, 1};
  for (uint64_t f = m.fields; f != 0; f >>= 16) r = product(r, ranges_[static_cast<Atom>(f)]);
  return r;
}

Range Knowledge::range(const Polynomial& p) const {
  if (p.is_broken()) return {};
  Range sum{0, 0};
  for (const Term& t : p.terms()) {
    const Range r = product(range(t.monomial), {t.coefficient, t.coefficient});
    sum = {sum_low(sum.lo, r.lo), sum_high(sum.hi, r.hi)};
  }
  return sum;
}

void Knowledge::tighten(Atom a, Wide lo, Wide hi) {
  const AtomInfo& info = atoms_[a];
  Range& now = ranges_[a];
  if (info.modulus > 1) {
    if (lo > -kInfinity) lo += floor_mod(info.remainder - lo, info.modulus);
    if (hi < kInfinity) hi -= floor_mod(hi - info.remainder, info.modulus);
  }
  if (lo <= now.lo && hi >= now.hi) return;
  trail_.push_back({a, now, info.modulus, info.remainder});
  changed();
  now = {std::max(now.lo, lo), std::min(now.hi, hi)};
  if (now.lo > now.hi) {
    trail_.push_back({});
    ++unreachable_;
    return;
  }
  if (now.lo == now.hi && info.kind == AtomKind::kRemainder) {
    const Definition& d = definitions_[static_cast<size_t>(info.definition)];
    const Atom dividend = d.a.as_atom();
    if (dividend != 0) learn_residue(dividend, static_cast<int64_t>(d.number), static_cast<int64_t>(now.lo));
  }
  // Quotients follow what they divide.
  for (int index : divisions_) {
    const Definition& each = definitions_[static_cast<size_t>(index)];
    if (each.a.coefficient(Monomial::of(a)) == 0) continue;
    const Range r = range(each.a);
    tighten(each.quotient, r.lo == -kInfinity ? r.lo : floor_div(r.lo, each.number),
            r.hi == kInfinity ? r.hi : floor_div(r.hi, each.number));
  }
}

// a = remainder (mod modulus), until forgotten.
void Knowledge::learn_residue(Atom a, int64_t modulus, int64_t remainder) {
  AtomInfo& info = atoms_[a];
  if (info.modulus >= modulus) return;
  trail_.push_back({a, ranges_[a], info.modulus, info.remainder});
  changed();
  info.modulus = modulus;
  info.remainder = remainder;
  const size_t count = facts_.size();
  for (size_t k = 0; k < count; ++k) {
    if (!facts_[k].has(a)) continue;
    Polynomial tighter = rounded(facts_[k]);
    if (tighter != facts_[k]) facts_.push_back(std::move(tighter));
  }
}

// Something up to `of` that divides the atom.
Wide Knowledge::known_divisor(Atom a, int64_t of) const {
  const AtomInfo& info = atoms_[a];
  const Wide own = gcd(info.modulus, info.remainder);
  if (info.kind != AtomKind::kNamed) return own;
  Wide all = of;
  for (const Term& t : definition(a)->a.terms()) {
    Wide divisor = t.coefficient;
    for (uint64_t f = t.monomial.fields; f != 0; f >>= 16) {
      divisor = product(divisor, known_divisor(static_cast<Atom>(f), of));
    }
    all = gcd(all, divisor);
  }
  return std::max(own, all);
}

// p >= 0 with what divides all terms but the constant, multiples of atoms' moduli included, taken out of the constant.
Polynomial Knowledge::rounded(const Polynomial& p) const {
  Wide g = 0;
  for (const Term& t : p.terms()) {
    if (t.monomial.is_one()) continue;
    Wide divisor = magnitude(t.coefficient);
    for (uint64_t f = t.monomial.fields; f != 0; f >>= 16) {
      divisor = product(divisor, std::max<Wide>(1, known_divisor(static_cast<Atom>(f), 1 << 16)));
    }
    g = gcd(g, divisor);
    if (g == 1) return p;
  }
  return g == 0 ? p : p - Polynomial(floor_mod(p.constant(), g));
}

void Knowledge::assume(Polynomial p) {
  p = reduced(rounded(p));
  if (p.is_broken()) return;
  const Range all = range(p);
  if (all.lo >= 0) return;
  if (all.hi < 0) {
    trail_.push_back({});
    changed();
    ++unreachable_;
    return;
  }
  // c*a >= -(the most that the rest can be).
  bool linear = p.terms().size() <= 2;
  for (const Term& t : p.terms()) {
    if (t.monomial.degree() > 1) linear = false;
    if (t.monomial.degree() != 1) continue;
    const Wide rest = range(p.filter([&](const Term& other) { return !(other == t); })).hi;
    if (rest == kInfinity) continue;
    if (t.coefficient > 0) {
      tighten(t.monomial.factor(0), ceil_div(-rest, t.coefficient), kInfinity);
    } else {
      tighten(t.monomial.factor(0), -kInfinity, floor_div(rest, -t.coefficient));
    }
  }
  const bool bound = linear && (p.terms().size() == 1 || p.terms()[0].monomial.is_one());
  if (bound) return;
  facts_.push_back(std::move(p));
  changed();
}

void Knowledge::forget(Mark m) {
  facts_.resize(m.facts);
  state_ = m.state;
  for (; trail_.size() > m.trail; trail_.pop_back()) {
    const Change& change = trail_.back();
    if (change.atom == 0) {
      --unreachable_;
    } else {
      ranges_[change.atom] = change.before;
      atoms_[change.atom].modulus = change.modulus;
      atoms_[change.atom].remainder = change.remainder;
    }
  }
}

Knowledge::Checkpoint Knowledge::checkpoint() const {
  return {atoms_.size(),     definitions_.size(), predicates_.size(), lemmas_.size(),
          divisions_.size(), named_.size(),       ratios_.size(),     mark()};
}

void Knowledge::rewind(const Checkpoint& c) {
  forget(c.facts);
  atoms_.resize(c.atoms);
  ranges_.resize(c.atoms);
  definitions_.resize(c.definitions);
  predicates_.resize(c.predicates);
  lemmas_.resize(c.lemmas);
  divisions_.resize(c.divisions);
  named_.resize(c.named);
  ratios_.resize(c.ratios);
}

// ---- the search

// Takes the term that costs most and pays for it.
bool Knowledge::search(const Polynomial& given, int depth, int& quota, int used) {
  if (given.is_broken()) return false;
  if (--quota < 0) {
    cut_short_ = true;
    return false;
  }
  const Polynomial p = reduced(given);
  const Range all = range(p);
  if (all.lo >= 0) {
    facts_used_ = used;
    return true;
  }
  if (all.hi < 0) return false;
  if (depth == 0) {
    cut_short_ = true;
    return false;
  }
  // Products first, then what has a definition to go back to, then what is least.
  const auto order = [&](const Term& t) {
    const bool named = atoms_[t.monomial.factor(0)].kind == AtomKind::kNamed;
    return 2 * t.monomial.degree() + (named ? 1 : 0);
  };
  const Term* worst = nullptr;
  Wide least = 0;
  for (const Term& t : p.terms()) {
    if (t.monomial.is_one()) continue;
    const Wide lo = product(range(t.monomial), {t.coefficient, t.coefficient}).lo;
    if (lo >= 0) continue;
    const int before = worst ? order(t) - order(*worst) : 1;
    if (before > 0 || (before == 0 && lo < least)) least = lo, worst = &t;
  }
  if (worst) return pay_for(p, *worst, least, depth, quota, used);
  // Only the constant is negative: some term is more than its range says.
  for (const Term& t : p.terms()) {
    if (!t.monomial.is_one() && pay_for(p, t, -kInfinity, depth, quota, used)) return true;
  }
  return false;
}

namespace {

// How many terms of fact*cofactor p has with the same sign.
int shared_terms(const Polynomial& p, const Polynomial& fact, Monomial cofactor) {
  int count = 0;
  for (const Term& t : fact.terms()) {
    Monomial m;
    if (t.monomial.is_one() || !multiply(t.monomial, cofactor, m)) continue;
    const Wide c = p.coefficient(m);
    if (c != 0 && (c < 0) == (t.coefficient < 0)) ++count;
  }
  return count;
}

}  // namespace

// With a fact that has the same monomial (times atoms that are not negative), or with the range of one of its factors,
// or with the range of the term itself, [least, …).
bool Knowledge::pay_for(const Polynomial& p, const Term& term, Wide least, int depth, int& quota, int used) {
  const auto pay = [&](const Polynomial& fact, Wide coefficient, Monomial cofactor) {
    Wide k = magnitude(coefficient), f = magnitude(term.coefficient);
    const Wide g = gcd(k, f);
    k /= g, f /= g;
    // k*p + (k - 1) = f*cofactor*fact + what remains to be shown
    const Polynomial rest = Polynomial::combine(p, k, fact.times(cofactor, f), -1) + Polynomial(k - 1);
    return search(rest, depth - 1, quota, used + 1);
  };
  const auto not_negative = [&](Monomial m) {
    for (uint64_t x = m.fields; x != 0; x >>= 16) {
      if (ranges_[static_cast<Atom>(x)].lo < 0) return false;
    }
    return true;
  };
  const auto by_ranges = [&](bool small) {
    for (int i = 0; term.monomial.degree() > 1 && i < term.monomial.degree(); ++i) {
      const Atom a = term.monomial.factor(i);
      if (i > 0 && a == term.monomial.factor(i - 1)) continue;
      Monomial cofactor;
      prove::divide(term.monomial, Monomial::of(a), cofactor);
      if (!not_negative(cofactor)) continue;
      const Wide bound = term.coefficient < 0 ? ranges_[a].hi : ranges_[a].lo;
      if (magnitude(bound) == kInfinity || (magnitude(bound) <= kSmall) != small) continue;
      const Polynomial fact =
          term.coefficient < 0 ? Polynomial(bound) - Polynomial::atom(a) : Polynomial::atom(a) - Polynomial(bound);
      if (pay(fact, term.coefficient < 0 ? -1 : 1, cofactor)) return true;
    }
    return false;
  };
  // Facts that pay for two terms or more, then small ranges, then the other facts.
  const auto by_facts = [&](bool several) {
    for (const std::vector<Polynomial>* facts : {&facts_, &lemmas_}) {
      for (size_t i = facts->size(); i-- > 0;) {  // the latest first: they are about what is being asked
        const Polynomial& fact = (*facts)[i];
        for (const Term& t : fact.terms()) {
          Monomial cofactor;
          if (t.monomial.is_one() || (t.coefficient < 0) != (term.coefficient < 0)) continue;
          if (!prove::divide(term.monomial, t.monomial, cofactor) || !not_negative(cofactor)) continue;
          if ((shared_terms(p, fact, cofactor) > 1) == several && pay(fact, t.coefficient, cofactor)) return true;
          break;
        }
      }
    }
    return false;
  };
  if (by_facts(true) || by_ranges(true) || by_facts(false)) return true;
  if (by_ranges(false)) return true;
  if (least == -kInfinity) return false;
  return search(p - Polynomial::term(term.monomial, term.coefficient) + Polynomial(least), depth - 1, quota, used);
}

// Both cases of the first selection, or of the first min or max, that p mentions.
bool Knowledge::split(const Polynomial& p, const Effort& effort) {
  for (const Term& t : p.terms()) {
    for (uint64_t f = t.monomial.fields; f != 0; f >>= 16) {
      const Atom a = static_cast<Atom>(f);
      const AtomKind kind = atoms_[a].kind;
      if (kind != AtomKind::kSelect && kind != AtomKind::kMin && kind != AtomKind::kMax) continue;
      const Definition d = *definition(a);
      for (const bool first : {true, false}) {
        const Mark scope = mark();
        if (kind == AtomKind::kSelect) {
          assume(d.predicate, first);
        } else {
          assume((kind == AtomKind::kMin) == first ? d.b - d.a : d.a - d.b);
        }
        Polynomial chosen = p.substitute(a, first ? d.a : d.b);
        // Selections by the same predicate go the same way.
        for (const Term& other : p.terms()) {
          for (uint64_t g = other.monomial.fields; g != 0; g >>= 16) {
            const Atom b = static_cast<Atom>(g);
            if (b == a || atoms_[b].kind != AtomKind::kSelect || kind != AtomKind::kSelect) continue;
            const Definition* e = definition(b);
            if (e->predicate == d.predicate) chosen = chosen.substitute(b, first ? e->a : e->b);
          }
        }
        const bool shown = shows(chosen, {effort.depth, effort.quota, effort.splits - 1, effort.split_first});
        forget(scope);
        if (!shown) return false;
      }
      return true;
    }
  }
  return false;
}

// p is the fact plus a constant that is not negative.
bool exceeds(const Polynomial& p, const Polynomial& fact) {
  const auto skip = [](const std::vector<Term>& terms) {
    return !terms.empty() && terms.front().monomial.is_one() ? 1 : 0;
  };
  const std::vector<Term>&a = p.terms(), &b = fact.terms();
  const auto i = skip(a), j = skip(b);
  const Wide more = (i ? a.front().coefficient : 0) - (j ? b.front().coefficient : 0);
  return more >= 0 && std::equal(a.begin() + i, a.end(), b.begin() + j, b.end());
}

// Short certificates first: most are.
bool Knowledge::shows(const Polynomial& p, const Effort& effort) {
  if (p.is_broken()) return false;
  if (unreachable() || range(p).lo >= 0) {
    facts_used_ = 0;
    return true;
  }
  for (const std::vector<Polynomial>* facts : {&facts_, &lemmas_}) {
    for (const Polynomial& fact : *facts) {
      if (!exceeds(p, fact)) continue;
      facts_used_ = 1;
      return true;
    }
  }
  const bool selects =
      effort.split_first && effort.splits > 0 && std::any_of(p.terms().begin(), p.terms().end(), [&](const Term& t) {
        for (uint64_t f = t.monomial.fields; f != 0; f >>= 16) {
          if (atoms_[static_cast<Atom>(f)].kind == AtomKind::kSelect) return true;
        }
        return false;
      });
  for (int depth = 2; !selects; depth = std::min(2 * depth, effort.depth)) {
    int quota = effort.quota * depth / effort.depth;
    cut_short_ = false;
    if (search(p, depth, quota, 0)) return true;
    if (!cut_short_ || depth == effort.depth) break;
  }
  return effort.splits > 0 && split(p, effort);
}

bool Knowledge::shows(const Polynomial& p) {
  if (answers_state_ != state_) answers_.clear(), answers_state_ = state_;
  for (const Answer& a : answers_) {
    if (a.question == p) {
      facts_used_ = a.facts;
      return a.shown;
    }
  }
  const uint64_t state = state_;
  const bool shown = shows(p, kThorough);
  if (state == state_ && answers_state_ == state_) answers_.push_back({p, shown, facts_used_});
  return shown;
}

bool Knowledge::is_mentioned(Atom a) const {
  if (ranges_[a].lo != atoms_[a].range.lo || ranges_[a].hi != atoms_[a].range.hi) return true;
  return std::any_of(facts_.begin(), facts_.end(), [&](const Polynomial& p) { return p.has(a); });
}

bool Knowledge::shows_multiple(const Polynomial& p, int64_t of) const {
  if (p.is_broken()) return false;
  Wide remainder = 0;
  for (const Term& t : p.terms()) {
    // The product of its factors, each r (mod m): r itself where m is a multiple of `of` / gcd, else only the divisor.
    Wide divisor = gcd(t.coefficient, of);
    bool exact = true;
    Wide value = floor_mod(t.coefficient, of);
    for (uint64_t f = t.monomial.fields; f != 0; f >>= 16) {
      const AtomInfo& info = atoms_[static_cast<Atom>(f)];
      const Wide known = known_divisor(static_cast<Atom>(f), of);
      divisor = gcd(product(divisor, known), of);
      exact = exact && info.modulus % of == 0;
      value = floor_mod(value * info.remainder, of);
    }
    if (divisor == of || divisor == 0) continue;
    if (!exact) return false;
    remainder = floor_mod(remainder + value, of);
  }
  return remainder == 0;
}

}  // namespace tailor::codegen::prove
