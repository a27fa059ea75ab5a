#include "codegen/prove/row_loop.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace tailor::codegen::prove {

using kernel::Compare;

namespace {

Verdict unknown(Obligation& o, std::string why) {
  o.method = std::move(why);
  return Verdict::kUnknown;
}

}  // namespace

// ---- what depends on what

RowLoop::Dependence RowLoop::dependence(Atom atom) {
  if (const auto found = dependence_.find(atom); found != dependence_.end()) return found->second;
  Dependence d;
  std::vector<bool> seen(knowledge_.atom_count(), false);
  std::vector<Atom> open;
  const auto visit = [&](Atom a) {
    if (!seen[a]) seen[a] = true, open.push_back(a);
  };
  visit(atom);
  while (!open.empty()) {
    const Atom a = open.back();
    open.pop_back();
    const AtomInfo& info = knowledge_.info(a);
    if (a == lane_) {
      d.lane = true;
    } else if (a == group_) {
      d.group = true;
    } else if (a == execution_.thread()) {
      d.thread = true;
    } else if (a == execution_.block()) {
      d.block = true;
    } else if ((std::find(row_->arguments.begin(), row_->arguments.end(), a) != row_->arguments.end()) ||
               std::any_of(runs_.begin(), runs_.end(), [&](const Run& run) { return run.variable == a; })) {
      d.row = true;
    } else {
      d.loaded = d.loaded || info.kind == AtomKind::kLoad;
      d.inner = d.inner || (info.kind == AtomKind::kLoop && within_row(a));
      std::vector<Atom> made_from;
      direct_dependencies(knowledge_, a, made_from);
      for (Atom x : made_from) visit(x);
    }
  }
  return dependence_[atom] = d;
}

RowLoop::Dependence RowLoop::dependence(const Polynomial& p) {
  Dependence all;
  for (const Term& t : p.terms()) {
    for (uint64_t f = t.monomial.fields; f != 0; f >>= 16) join(all, dependence(static_cast<Atom>(f)));
  }
  return all;
}

RowLoop::Dependence RowLoop::dependence(PredicateId id) {
  Dependence all;
  std::vector<Atom> atoms;
  collect_atoms(knowledge_, id, atoms);
  for (Atom a : atoms) join(all, dependence(a));
  return all;
}

bool RowLoop::is_loaded(PredicateId id) const {
  std::vector<Atom> atoms;
  collect_atoms(knowledge_, id, atoms);
  return is_loaded(std::move(atoms));
}

bool RowLoop::is_loaded(const Polynomial& p) const {
  std::vector<Atom> atoms;
  collect_atoms(p, atoms);
  return is_loaded(std::move(atoms));
}

bool RowLoop::is_loaded(std::vector<Atom> open) const {
  std::vector<bool> seen(knowledge_.atom_count(), false);
  while (!open.empty()) {
    const Atom a = open.back();
    open.pop_back();
    if (seen[a] || a == variable_) continue;
    seen[a] = true;
    if (knowledge_.info(a).kind == AtomKind::kLoad) return true;
    direct_dependencies(knowledge_, a, open);
  }
  return false;
}

void RowLoop::join(Dependence& a, const Dependence& b) {
  a.lane |= b.lane;
  a.group |= b.group;
  a.thread |= b.thread;
  a.block |= b.block;
  a.loaded |= b.loaded;
  a.row |= b.row;
  a.inner |= b.inner;
}

// Is the atom carried by a loop around some store, within the row loop? Such a loop is enumerated. Other loops within
// a row end the same way for all lanes or are caught by what they depend on.
bool RowLoop::within_row(Atom a) const {
  for (const StoreRecord* s : stores_) {
    for (int l = s->loop; l >= 0 && l != row_loop_; l = execution_.loops()[static_cast<size_t>(l)].parent) {
      const auto& arguments = execution_.loops()[static_cast<size_t>(l)].arguments;
      if (std::find(arguments.begin(), arguments.end(), a) != arguments.end()) return true;
    }
  }
  return false;
}

// ---- rows

Verdict RowLoop::take(Obligation& o) {
  for (const StoreRecord* s : stores_) {
    if (!s->exact) return unknown(o, "the offset of a store may wrap");
  }
  if (!host_.one_dimensional()) return unknown(o, "the grid has more than one dimension");
  if (row_->condition == kNoPredicate) return unknown(o, "the loop over rows has no condition");
  const Predicate condition = knowledge_.predicate(row_->condition);
  if (condition.kind != Predicate::Kind::kCompare || condition.relation != Compare::kUlt) {
    return unknown(o, "the loop over rows does not end on row < end, unsigned");
  }
  variable_ = condition.a.as_atom();
  const auto at = std::find(row_->arguments.begin(), row_->arguments.end(), variable_);
  if (variable_ == 0 || at == row_->arguments.end()) return unknown(o, "the loop over rows has no row variable");
  const auto k = static_cast<size_t>(at - row_->arguments.begin());
  const Polynomial start = row_->entry[k], step = row_->next[k] - Polynomial::atom(variable_), end = condition.b;

  if (const Verdict v = find_group(o, start); v != Verdict::kProved) return v;
  if (group_ == 0) find_tile(condition);
  const Dependence of_end = dependence(end);
  if (!of_end.uniform() || of_end.group || of_end.loaded || of_end.row) {
    return unknown(o, "the end of the loop over rows is not the block's");
  }
  const Polynomial limit = Polynomial((Wide{1} << 32) - 1);
  if (!knowledge_.shows(start) || !knowledge_.shows(limit - start)) return unknown(o, "the first row may wrap");
  const std::optional<Polynomial> last = knowledge_.as_unsigned(end, 32);
  if (!last) return unknown(o, "the end of the loop over rows may wrap");
  if (tile_ && !knowledge_.shows(limit - *last - step)) return unknown(o, "the rows of a tile may wrap");
  const bool by_state = dependence(step).row || dependence(step).loaded;
  const Verdict taken = step.is_constant() ? by_chunks(o, start - group_part_, step, *last)
                        : by_state         ? by_runs(o, k, start, *last)
                                           : by_grid_stride(o, start - group_part_, step, *last);
  if (taken != Verdict::kProved) return taken;
  return check_way(o, k, condition);
}

// start = B + G: G is the group of a thread, floor(tid / L), or the thread, or nothing.
Verdict RowLoop::find_group(Obligation& o, const Polynomial& start) {
  const Atom tid = execution_.thread();
  const int64_t block = subject_.program.block_threads;
  lane_ = group_ = 0;
  groups_ = 1;
  lanes_ = block;
  for (const Term& t : start.terms()) {
    if (t.monomial.degree() != 1 || t.coefficient != 1) continue;
    const Atom a = t.monomial.factor(0);
    if (a == tid) {
      group_ = tid, groups_ = block, lanes_ = 1;
      break;
    }
    const Definition* d = knowledge_.info(a).kind == AtomKind::kQuotient ? knowledge_.definition(a) : nullptr;
    if (!d || d->a.as_atom() != tid || d->number > block || block % static_cast<int64_t>(d->number) != 0) continue;
    group_ = a;
    lane_ = d->remainder;
    lanes_ = static_cast<int64_t>(d->number);
    groups_ = block / lanes_;
    break;
  }
  if (group_ == 0) lane_ = tid;
  if (lanes_ == 1) lane_ = 0;
  group_part_ = group_ == 0 ? Polynomial() : Polynomial::atom(group_);
  row_value_ = Polynomial::atom(variable_);
  dependence_.clear();
  const Dependence rest = dependence(start - group_part_);
  if (rest.lane || rest.thread || rest.group || rest.loaded || rest.row) {
    return unknown(o, "the first row is not one of the block plus the group of the thread");
  }
  return Verdict::kProved;
}

// A tile of rows per iteration: every store stands under  v + W < E, W = G*(tid mod N) for N threads that each take G
// rows, and the rows of an iteration are [v, v + G*N). The other N' = block / N values of tid / N are the lanes.
void RowLoop::find_tile(const Predicate& condition) {
  std::optional<Polynomial> within;
  for (const StoreRecord* s : stores_) {
    std::optional<Polynomial> own;
    for (size_t k = row_->path + 1; k < s->path.size() && !own; ++k) {
      const PathStep& step = s->path[k];
      if (step.loop >= 0 || !step.holds || step.predicate == kNoPredicate) continue;
      const Predicate p = knowledge_.predicate(step.predicate);
      const bool bounded = p.kind == Predicate::Kind::kCompare && p.relation == Compare::kUlt &&
                           p.width == condition.width && p.b == condition.b;
      if (bounded && p.a.has(variable_)) own = p.a - Polynomial::atom(variable_);
    }
    if (!own || (within && *within != *own)) return;
    within = own;
  }
  if (!within || within->terms().size() != 1 || within->terms()[0].monomial.degree() != 1) return;
  const auto& [monomial, unit] = within->terms()[0];
  const Atom a = monomial.factor(0);
  const int64_t block = subject_.program.block_threads;
  const Definition* d = knowledge_.info(a).kind == AtomKind::kRemainder ? knowledge_.definition(a) : nullptr;
  if (!d || unit < 1 || d->a.as_atom() != execution_.thread() || block % static_cast<int64_t>(d->number) != 0) return;
  tile_ = true;
  group_ = a;
  groups_ = static_cast<int64_t>(d->number);
  lanes_ = block / groups_;
  lane_ = lanes_ == 1 ? 0 : d->quotient;
  unit_ = static_cast<int64_t>(unit);
  row_value_ = Polynomial::atom(variable_) + *within;
  end_ = condition.b;
  dependence_.clear();
}

// v + W < E: the row is one of the chunk's.
bool RowLoop::takes_row(const PathStep& step) const {
  if (!tile_ || !step.holds || step.predicate == kNoPredicate) return false;
  const Predicate& p = knowledge_.predicate(step.predicate);
  return p.kind == Predicate::Kind::kCompare && p.relation == Compare::kUlt && p.a == row_value_ && p.b == end_;
}

// B = ctaid*C; E = min(B + C, X); step R.
Verdict RowLoop::by_chunks(Obligation& o, const Polynomial& begin, const Polynomial& step, const Polynomial& end) {
  if (step != Polynomial(groups_ * unit_)) {
    return unknown(o, fmt::format("{} groups of {} rows step by {}", groups_, unit_, knowledge_.to_string(step)));
  }
  if (const Verdict v = consecutive_chunks(o, begin, end); v != Verdict::kProved) return v;
  o.method += fmt::format(", {} groups of {} lanes; mixed radix", groups_, lanes_);
  return Verdict::kProved;
}

Verdict RowLoop::consecutive_chunks(Obligation& o, const Polynomial& begin, const Polynomial& end) {
  const Atom least = end.as_atom();
  const Definition* bounds =
      least != 0 && knowledge_.info(least).kind == AtomKind::kMin ? knowledge_.definition(least) : nullptr;
  if (!bounds) return by_one_chunk(o, begin, end);
  const Definition both = *bounds;
  for (const auto& [own, all] : {std::pair{both.a, both.b}, std::pair{both.b, both.a}}) {
    const Polynomial chunk = own - begin;
    if (begin != chunk * Polynomial::atom(execution_.block())) continue;
    const Dependence of_chunk = dependence(chunk);
    if (of_chunk.block || of_chunk.group || !of_chunk.uniform()) continue;
    if (!knowledge_.shows_multiple(chunk, unit_)) continue;  // no group of rows is cut
    if (!knowledge_.shows(chunk) || !knowledge_.shows(host_.grid() * chunk - all)) {
      return unknown(
          o, fmt::format("grid*({}) may be less than {}", knowledge_.to_string(chunk), knowledge_.to_string(all)));
    }
    count_ = all;
    o.method = fmt::format("rows [0, {}) in chunks of {}", knowledge_.to_string(all), knowledge_.to_string(chunk));
    return Verdict::kProved;
  }
  return unknown(o, "the chunks of the blocks are not consecutive");
}

// B = ctaid*C; E = X <= C: the first block takes all rows, and in the others B >= X.
Verdict RowLoop::by_one_chunk(Obligation& o, const Polynomial& begin, const Polynomial& end) {
  Polynomial chunk;
  for (const Term& t : begin.terms()) {
    Monomial rest;
    if (prove::divide(t.monomial, Monomial::of(execution_.block()), rest)) {
      chunk = chunk + Polynomial::term(rest, t.coefficient);
    }
  }
  const Dependence of_chunk = dependence(chunk);
  const bool consecutive = begin == chunk * Polynomial::atom(execution_.block()) && of_chunk.uniform() &&
                           !of_chunk.block && !of_chunk.group && !of_chunk.loaded && !dependence(end).block;
  if (!consecutive || !knowledge_.shows(chunk - end)) return unknown(o, "the end of a chunk is not the least of two");
  count_ = end;
  o.method = fmt::format("rows [0, {}) by one block", knowledge_.to_string(end));
  return Verdict::kProved;
}

// B = ctaid*C; E = min(B + C, X); step n of the block, 1 <= n: the rows [row, row + n) are those of this iteration.
// Where something is stored, n = run and loops one after the other,
//   r = group, … while r < run - (u - 1)*G, r += u*G,   rows  row + r + i*G  for i < u
// with the group of a thread of G, each from where the one before it ended and the last with u = 1, visit every r in
// [0, run) with r = group modulo G once.
Verdict RowLoop::by_runs(Obligation& o, size_t k, const Polynomial& begin, const Polynomial& end) {
  if (group_ != 0) return unknown(o, "a run of rows does not start at a row of the block");
  if (!row_->grows[k]) return unknown(o, "a block may take a row again");
  if (const Verdict v = consecutive_chunks(o, begin, end); v != Verdict::kProved) return v;
  std::string method = std::move(o.method);
  for (const StoreRecord* s : stores_) {
    const int loop = run_loop(*s);
    if (loop < 0) return unknown(o, "a store of a run stands outside of any loop over its rows");
    const auto same = [&](const Run& run) { return run.loop == loop; };
    if (std::none_of(runs_.begin(), runs_.end(), same)) runs_.push_back({loop, 0, 0});
  }
  std::sort(runs_.begin(), runs_.end(), [](const Run& a, const Run& b) { return a.loop < b.loop; });
  for (size_t i = 0; i < runs_.size(); ++i) {
    const LoopRecord& loop = execution_.loops()[static_cast<size_t>(runs_[i].loop)];
    if (loop.condition == kNoPredicate) return unknown(o, "a loop over a run has no condition");
    const Predicate more = knowledge_.predicate(loop.condition);
    const Atom r = more.kind == Predicate::Kind::kCompare && more.relation == Compare::kSlt ? more.a.as_atom() : 0;
    const auto at = std::find(loop.arguments.begin(), loop.arguments.end(), r);
    if (r == 0 || at == loop.arguments.end()) return unknown(o, "a loop over a run does not end on r < limit, signed");
    const auto j = static_cast<size_t>(at - loop.arguments.begin());
    const Polynomial step = loop.next[j] - Polynomial::atom(r);
    const std::optional<Polynomial>& limit = loop.limit;
    if (!limit || !step.is_constant() || loop.most + step.constant() >= Wide{1} << 31) {
      return unknown(o, "a loop over a run may wrap");
    }
    if (i == 0) {
      if (const Verdict v = find_group(o, loop.entry[j]); v != Verdict::kProved) return v;
      if (loop.entry[j] != group_part_) return unknown(o, "a run does not start at the group of the thread");
    } else if (loop.entry[j] != Polynomial::atom(runs_[i - 1].variable)) {
      return unknown(o, "a loop over a run does not go on where the one before it ended");
    }
    runs_[i].variable = r;
    runs_[i].at_once = static_cast<int64_t>(step.constant()) / groups_;
    if (step.constant() < groups_ || step.constant() % groups_ != 0)
      return unknown(o, "a run steps by no multiple of its groups");
    const Polynomial length = *limit + Polynomial(step.constant() - groups_);
    if (i == 0) run_ = length;
    if (length != run_) return unknown(o, "two loops over a run differ in its length");
  }
  if (runs_.back().at_once != 1) return unknown(o, "the last rows of a run may be left out");
  dependence_.clear();
  if (const Dependence d = dependence(run_); !d.uniform() || d.group)
    return unknown(o, "the length of a run differs between threads");
  for (const StoreRecord* s : stores_) {
    if (on_the_way(*s, row_->next[k]) != Polynomial::atom(variable_) + run_) {
      return unknown(o, "the next row is not the one after the run");
    }
  }
  if (!knowledge_.shows(end - Polynomial::atom(variable_) - run_))
    return unknown(o, "a run may leave the rows of its block");
  o.method = fmt::format("{} and runs of {}, {} groups of {} lanes; loops end to end", method,
                         knowledge_.to_string(run_), groups_, lanes_);
  return Verdict::kProved;
}

// The outermost loop around a store within the loop over rows; -1: none.
int RowLoop::run_loop(const StoreRecord& s) const {
  int own = -1;
  for (int l = s.loop; l >= 0 && l != row_loop_; l = execution_.loops()[static_cast<size_t>(l)].parent) own = l;
  return own;
}

// What a selection is where the store is reached.
Polynomial RowLoop::on_the_way(const StoreRecord& s, const Polynomial& p) const {
  for (const Term& t : p.terms()) {
    const Atom a = t.monomial.degree() == 1 ? t.monomial.factor(0) : 0;
    if (a == 0 || knowledge_.info(a).kind != AtomKind::kSelect) continue;
    const Definition* d = knowledge_.definition(a);
    for (const PathStep& step : s.path) {
      if (step.predicate != d->predicate || step.predicate == kNoPredicate) continue;
      const Polynomial chosen = step.holds ? d->a : d->b;
      return on_the_way(s, p - Polynomial::term(t.monomial, t.coefficient) + chosen.times({}, t.coefficient));
    }
  }
  return p;
}

// B = ctaid*R; E = X; step grid*R.
Verdict RowLoop::by_grid_stride(Obligation& o, const Polynomial& begin, const Polynomial& step, const Polynomial& end) {
  if (tile_) return unknown(o, "tiles of rows are dealt by grid stride");
  const Polynomial groups(groups_);
  if (begin != groups * Polynomial::atom(execution_.block()) || step != groups * host_.grid()) {
    return unknown(o, "the loop over rows is neither chunked nor a grid stride");
  }
  if (dependence(end).block) return unknown(o, "the number of rows depends on the block");
  if (!knowledge_.shows(Polynomial((Wide{1} << 32) - 1) - end - step)) return unknown(o, "the last step may wrap");
  count_ = end;
  o.method = fmt::format("rows [0, {}), grid stride of {} groups of {} lanes; mixed radix", knowledge_.to_string(end),
                         groups_, lanes_);
  return Verdict::kProved;
}

// What must hold before the loop is entered: that there is a first row, or something of the host alone.
Verdict RowLoop::check_way(Obligation& o, size_t k, const Predicate& condition) {
  std::string when;
  for (size_t s = 0; s < row_->path; ++s) {
    const PathStep& step = stores_[0]->path[s];
    std::vector<std::pair<PredicateId, bool>> open{{step.predicate, step.holds}};
    while (!open.empty()) {
      const auto [id, holds] = open.back();
      open.pop_back();
      if (id == kNoPredicate) return unknown(o, "the loop over rows stands under an unknown condition");
      const Predicate p = knowledge_.predicate(id);
      if (p.kind == Predicate::Kind::kAnd && holds) {
        open.insert(open.end(), {{p.x, true}, {p.y, true}});
        continue;
      }
      const bool first_row = holds && p.kind == Predicate::Kind::kCompare && p.relation == condition.relation &&
                             p.a == row_->entry[k] && p.b == condition.b;
      if (first_row) continue;
      const Dependence d = dependence(id);
      if (!d.uniform() || d.block || d.group || d.loaded || p.kind == Predicate::Kind::kOpaque) {
        return unknown(o, fmt::format("rows are skipped unless {}", knowledge_.to_string(id)));
      }
      when += fmt::format("{}{}{}", when.empty() ? "; when " : " and ", holds ? "" : "not ", knowledge_.to_string(id));
    }
  }
  o.method += when;
  return Verdict::kProved;
}

}  // namespace tailor::codegen::prove
