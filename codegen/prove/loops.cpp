// Loops of the walk: what holds at the head of every iteration.
#include <algorithm>
#include <numeric>

#include "codegen/prove/execute.h"

namespace tailor::codegen::prove {

using kernel::Compare;
using kernel::Instruction;
using kernel::Op;
using kernel::ValueId;

namespace {

Polynomial replaced(Polynomial p, const std::vector<Atom>& atoms, const std::vector<std::optional<Polynomial>>& by,
                    bool& known) {
  for (size_t k = 0; k < atoms.size(); ++k) {
    if (atoms[k] == 0 || !p.has(atoms[k])) continue;
    if (!by[k]) known = false;
  }
  if (!known) return p;
  // The replacements do not mention the atoms that are still to be replaced, or mean their old values: all at once.
  Polynomial result;
  for (const Term& t : p.terms()) {
    Polynomial product = Polynomial(t.coefficient);
    for (uint64_t f = t.monomial.fields; f != 0; f >>= 16) {
      const auto at = std::find(atoms.begin(), atoms.end(), static_cast<Atom>(f));
      product = product * (at == atoms.end() ? Polynomial::atom(static_cast<Atom>(f))
                                             : *by[static_cast<size_t>(at - atoms.begin())]);
    }
    result = result + product;
  }
  return result;
}

}  // namespace

// A new atom for every integer that the loop carries.
void Execution::carried(const std::vector<ValueId>& initial, const std::vector<ValueId>& arguments,
                        LoopRecord& record) {
  for (size_t k = 0; k < arguments.size(); ++k) {
    record.entry.push_back(value(initial[k]).integer);
  }
  for (ValueId v : arguments) {
    set_anything(v, {}, AtomKind::kLoop);
    record.arguments.push_back(is_integer(v) ? value(v).integer.as_atom() : 0);
  }
}

// The walk of a loop within a loop is made more than once, each time with the same or fewer facts about the outer one:
// a candidate that fell once stays down (`dropped`, by its number in the order of the list).
std::vector<Execution::Candidate> Execution::candidates(const LoopRecord& record, const std::vector<ValueId>& arguments,
                                                        std::vector<bool>& dropped, const Instruction& i) {
  std::vector<Polynomial> bounds;  // parameters that the loop compares something with
  for (const kernel::Region& r : i.regions) note_bounds(r, bounds);
  std::vector<std::optional<Polynomial>> entry;
  std::vector<bool> informative;  // is its start worth comparing with?
  for (size_t k = 0; k < arguments.size(); ++k) {
    entry.push_back(record.arguments[k] ? knowledge_.as_signed(record.entry[k], width(arguments[k])) : std::nullopt);
    const Atom a = entry[k] ? entry[k]->as_atom() : 0;
    // Nothing is known of what was loaded just so.
    if (a != 0 && knowledge_.info(a).kind == AtomKind::kLoad && !knowledge_.is_mentioned(a)) entry[k].reset();
    informative.push_back(entry[k] && (a == 0 || knowledge_.info(a).kind == AtomKind::kSymbol ||
                                       knowledge_.info(a).kind == AtomKind::kHost));
  }
  std::vector<Candidate> list;
  size_t number = 0;
  const auto consider = [&](Polynomial fact) {
    const size_t n = number++;
    if (n < dropped.size() && dropped[n]) return;
    if (n >= dropped.size()) dropped.resize(n + 1, false);
    for (const Candidate& c : list) {
      if (c.fact == fact) return;
    }
    bool known = true;
    const Polynomial at_entry = replaced(fact, record.arguments, entry, known);
    dropped[n] = !known || !knowledge_.shows_quickly(at_entry);
    if (!dropped[n]) list.push_back({std::move(fact), n, true});
  };
  for (size_t k = 0; k < arguments.size(); ++k) {
    if (!entry[k]) continue;
    const Polynomial x = Polynomial::atom(record.arguments[k]);
    const auto below = [&](const Polynomial& bound) {
      consider(bound - x - Polynomial(1));
      consider(bound - x);
    };
    consider(x);
    if (informative[k]) {
      consider(x - *entry[k]);
      below(*entry[k]);
    }
    for (const Polynomial& bound : bounds) below(bound);
    for (size_t j = 0; j < arguments.size(); ++j) {
      if (j == k || !entry[j]) continue;
      below(Polynomial::atom(record.arguments[j]));
      if (informative[j]) below(*entry[j]);
    }
  }
  return list;
}

// Drops the candidates that an iteration may break; true if none was dropped.
bool Execution::keep_inductive(const LoopRecord& record, const std::vector<ValueId>& arguments,
                               std::vector<Candidate>& list, std::vector<bool>& dropped,
                               const std::vector<SymbolicValue>& next) {
  std::vector<std::optional<Polynomial>> after;
  for (size_t k = 0; k < arguments.size(); ++k) {
    after.push_back(record.arguments[k] ? knowledge_.as_signed(next[k].integer, width(arguments[k])) : std::nullopt);
  }
  bool all = true;
  for (Candidate& c : list) {
    if (!c.holds) continue;
    bool known = true;
    const Polynomial then = replaced(c.fact, record.arguments, after, known);
    c.holds = known && knowledge_.shows(then, Knowledge::kInductive);
    dropped[c.number] = !c.holds;
    all = all && c.holds;
  }
  return all;
}

// x' = x + c from a start that is known modulo m, a divisor of c: x = start (mod m) at every head, where the sum does
// not wrap or m divides 2^w. False if what was assumed of some x during this iteration does not hold after it.
bool Execution::find_steps(const LoopRecord& record, const std::vector<ValueId>& arguments,
                           const std::vector<SymbolicValue>& next, bool first, std::vector<Residue>& found) {
  bool kept = true;
  for (size_t k = 0; k < arguments.size(); ++k) {
    const Atom x = record.arguments[k];
    if (x == 0) continue;
    const int bits = width(arguments[k]);
    const Polynomial step = next[k].integer - Polynomial::atom(x);
    Wide m = step.is_constant() && step.constant() > 1 && step.constant() < Wide{1} << 31 ? step.constant() : 1;
    const std::optional<Polynomial> start = knowledge_.as_signed(record.entry[k], bits);
    Wide remainder = 0;
    if (start && start->is_constant()) {
      remainder = ((start->constant() % m) + m) % m;
    } else {
      m &= -m;  // of other starts only powers of two are looked for, and only multiples of them
      while (m > 1 && !knowledge_.shows_multiple(record.entry[k], static_cast<int64_t>(m))) m /= 2;
    }
    if ((m & (m - 1)) != 0 && !knowledge_.as_signed(next[k].integer, bits)) m = 1;
    // After the first walk a modulus only gets smaller.
    const int64_t assumed = knowledge_.info(x).modulus;
    const auto modulus = first ? static_cast<int64_t>(m) : std::gcd(static_cast<int64_t>(m), assumed);
    kept = kept && (first || modulus == assumed);
    found.push_back({x, modulus, static_cast<int64_t>(remainder) % modulus});
  }
  return kept;
}

void Execution::loop(const Instruction& i, const std::vector<ValueId>& initial, const std::vector<ValueId>& arguments,
                     const Iterate& iterate, const std::vector<ValueId>& results) {
  std::vector<bool>& dropped = dropped_[&i];
  LoopRecord record;
  record.parent = loop_;
  record.path = path_.size();
  carried(initial, arguments, record);
  std::vector<Candidate> list = candidates(record, arguments, dropped, i);
  const auto assume_candidates = [&] {
    for (const Candidate& c : list) {
      if (c.holds) knowledge_.assume(c.fact);
    }
  };
  const bool observing = observing_;
  observing_ = false;
  for (bool stable = false, first = true; !stable; first = false) {
    std::vector<Residue> residues;
    const Knowledge::Checkpoint start = knowledge_.checkpoint();
    const size_t renamed = renamed_.size();
    assume_candidates();
    iterate([&](const Iteration& last) {
      stable = find_steps(record, arguments, last.next, first, residues);
      stable = keep_inductive(record, arguments, list, dropped, last.next) && stable;
    });
    knowledge_.rewind(start);
    most_.erase(most_.lower_bound(static_cast<Atom>(start.atoms)), most_.end());  // of atoms that are no more
    for (const auto& [atom, modulus, remainder] : residues) {
      knowledge_.info(atom).modulus = modulus;
      knowledge_.info(atom).remainder = remainder;
    }
    for (; renamed_.size() > renamed; renamed_.pop_back()) set(renamed_.back().first, renamed_.back().second);
  }
  observing_ = observing;

  const int index = static_cast<int>(loops_.size());
  if (observing_) loops_.push_back(record);
  const int outer = loop_;
  loop_ = observing_ ? index : -1;
  assume_candidates();
  const Iteration done = iterate([&](const Iteration& last) {
    for (size_t k = 0; k < last.next.size(); ++k) {
      const SymbolicValue& v = last.next[k];
      record.next.push_back(v.integer);
      const Atom x = k < record.arguments.size() ? record.arguments[k] : 0;
      const std::optional<Polynomial> then = x ? knowledge_.as_signed(v.integer, width(arguments[k])) : std::nullopt;
      record.grows.push_back(then && knowledge_.range(*then - Polynomial::atom(x)).lo >= 1);
    }
    record.condition = last.condition;
    std::vector<Atom> parents;
    for (size_t k = 0; k < arguments.size(); ++k) {
      collect_atoms(record.entry[k], parents);
      collect(last.next[k], parents);
    }
    collect_atoms(knowledge_, last.condition, parents);
    for (Atom a : record.arguments) {
      if (a != 0) knowledge_.info(a).parents = parents;
    }
  });
  loop_ = outer;
  if (done.condition != kNoPredicate && knowledge_.predicate(done.condition).kind == Predicate::Kind::kCompare) {
    const Predicate ends = knowledge_.predicate(done.condition);
    record.limit = knowledge_.as_signed(ends.b, ends.width);
    if (record.limit) record.most = knowledge_.range(*record.limit).hi;
  }
  if (observing_) loops_[static_cast<size_t>(index)] = std::move(record);
  for (size_t k = 0; k < results.size(); ++k) values_[results[k]] = done.passed[k];
  knowledge_.assume(done.condition, false);
}

void Execution::while_loop(const Instruction& i) {
  const auto iterate = [&](const std::function<void(const Iteration&)>& at_end) {
    Iteration result;
    const std::vector<ValueId> passed = *region(i.regions[0]);
    result.condition = value(passed[0]).predicate;
    for (size_t k = 1; k < passed.size(); ++k) result.passed.push_back(value(passed[k]));
    const Knowledge::Mark scope = knowledge_.mark();
    path_.push_back({result.condition, true, loop_});
    knowledge_.assume(result.condition, true);
    for (size_t k = 0; k < result.passed.size(); ++k) values_[i.regions[1].arguments[k]] = result.passed[k];
    const std::vector<ValueId> yielded = *region(i.regions[1]);
    for (ValueId v : yielded) result.next.push_back(value(v));
    at_end(result);
    path_.pop_back();
    knowledge_.forget(scope);
    return result;
  };
  loop(i, i.operands, i.regions[0].arguments, iterate, i.results);
}

// iv = lo, lo + step, … while iv < hi, as a while loop whose first carried value is iv.
void Execution::for_loop(const Instruction& i) {
  const std::vector<ValueId>& arguments = i.regions[0].arguments;
  std::vector<ValueId> initial{i.operands[0]};
  initial.insert(initial.end(), i.operands.begin() + 3, i.operands.end());
  const auto iterate = [&](const std::function<void(const Iteration&)>& at_end) {
    Iteration result;
    Predicate more;
    more.kind = Predicate::Kind::kCompare;
    more.relation = Compare::kSlt;
    more.width = width(arguments[0]);
    more.a = value(arguments[0]).integer;
    more.b = value(i.operands[1]).integer;
    result.condition = knowledge_.add(std::move(more));
    for (size_t k = 1; k < arguments.size(); ++k) result.passed.push_back(value(arguments[k]));
    const Knowledge::Mark scope = knowledge_.mark();
    path_.push_back({result.condition, true, loop_});
    knowledge_.assume(result.condition, true);
    SymbolicValue next;
    next.kind = SymbolicValue::Kind::kInteger;
    next.integer = value(arguments[0]).integer + value(i.operands[2]).integer;
    result.next.push_back(std::move(next));
    const std::vector<ValueId>* yielded = region(i.regions[0]);
    for (size_t k = 0; yielded && k < yielded->size(); ++k) result.next.push_back(value((*yielded)[k]));
    at_end(result);
    path_.pop_back();
    knowledge_.forget(scope);
    return result;
  };
  loop(i, initial, arguments, iterate, i.results);
}

}  // namespace tailor::codegen::prove
