#include "codegen/prove/coverage.h"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "codegen/prove/row_tiling.h"

namespace tailor::codegen::prove {
namespace {

using kernel::Compare;

class OperandCoverage {
 public:
  OperandCoverage(const Subject& subject, const Host& host, Knowledge& knowledge, const Execution& execution,
                  int operand, int row_loop, std::vector<const StoreRecord*> stores)
      : subject_(subject),
        host_(host),
        knowledge_(knowledge),
        execution_(execution),
        operand_(host.operands()[static_cast<size_t>(operand)]),
        stores_(std::move(stores)),
        row_loop_(row_loop) {}

  // The claims about an operand, two for each loop over rows that writes it.
  struct Claims {
    std::vector<Obligation> all;
    bool promised = true;  // in every loop the place of a row was loaded

    // Rows of two loops have different places by the caller's promise only.
    void separate_loops() {
      for (Obligation& o : all) {
        if (o.claim != Claim::kCoverage || o.verdict != Verdict::kProved || promised) continue;
        o.verdict = Verdict::kUnknown;
        o.method = "rows of two loops may have one place";
      }
    }
  };

  void run(bool explain, Claims& claims) {
    Obligation rows = obligation(Claim::kRows), coverage = obligation(Claim::kCoverage);
    rows.verdict = take_rows(rows);
    coverage.verdict = rows.verdict == Verdict::kProved ? cover(coverage) : Verdict::kUnknown;
    if (rows.verdict != Verdict::kProved) coverage.method = "the rows are not known";
    for (Obligation* o : {&rows, &coverage}) {
      if (!explain && o->verdict == Verdict::kProved) o->statement.clear(), o->method.clear();
      claims.all.push_back(std::move(*o));
    }
    claims.promised = claims.promised && loaded_place_;
  }

 private:
  Obligation obligation(Claim claim) const {
    Obligation o;
    o.claim = claim;
    o.operand = operand_.name;
    o.what = claim == Claim::kRows ? "rows" : "bytes of a row";
    o.statement = claim == Claim::kRows ? "every row is taken by one block, group and iteration"
                                        : "every byte of a row is written by one access of one lane";
    return o;
  }
  static Verdict unknown(Obligation& o, std::string why) {
    o.method = std::move(why);
    return Verdict::kUnknown;
  }

  // ---- what depends on what

  struct Dependence {
    bool lane = false;                                // of the lane
    bool group = false;                               // of the group of lanes
    bool thread = false;                              // of the thread, otherwise than by the two
    bool block = false, loaded = false, row = false;  // of the row loop's state
    bool inner = false;                               // of a loop within
    bool uniform() const { return !lane && !thread && !inner; }
  };

  Dependence dependence(Atom atom) {
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
      } else if ((row_ && std::find(row_->arguments.begin(), row_->arguments.end(), a) != row_->arguments.end()) ||
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

  Dependence dependence(const Polynomial& p) {
    Dependence all;
    for (const Term& t : p.terms()) {
      for (uint64_t f = t.monomial.fields; f != 0; f >>= 16) join(all, dependence(static_cast<Atom>(f)));
    }
    return all;
  }

  Dependence dependence(PredicateId id) {
    Dependence all;
    std::vector<Atom> atoms;
    collect_atoms(knowledge_, id, atoms);
    for (Atom a : atoms) join(all, dependence(a));
    return all;
  }

  // On more than the row itself and the host: the loop over rows may carry what was loaded.
  bool is_loaded(PredicateId id) {
    std::vector<Atom> open;
    collect_atoms(knowledge_, id, open);
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

  static void join(Dependence& a, const Dependence& b) {
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
  bool within_row(Atom a) const {
    for (const StoreRecord* s : stores_) {
      for (int l = s->loop; l >= 0 && l != row_loop_; l = execution_.loops()[static_cast<size_t>(l)].parent) {
        const auto& arguments = execution_.loops()[static_cast<size_t>(l)].arguments;
        if (std::find(arguments.begin(), arguments.end(), a) != arguments.end()) return true;
      }
    }
    return false;
  }

  // ---- rows

  Verdict take_rows(Obligation& o) {
    for (const StoreRecord* s : stores_) {
      if (!s->exact) return unknown(o, "the offset of a store may wrap");
    }
    row_ = &execution_.loops()[static_cast<size_t>(row_loop_)];
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
  Verdict find_group(Obligation& o, const Polynomial& start) {
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
  void find_tile(const Predicate& condition) {
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
  bool takes_row(const PathStep& step) const {
    if (!tile_ || !step.holds || step.predicate == kNoPredicate) return false;
    const Predicate& p = knowledge_.predicate(step.predicate);
    return p.kind == Predicate::Kind::kCompare && p.relation == Compare::kUlt && p.a == row_value_ && p.b == end_;
  }

  // B = ctaid*C; E = min(B + C, X); step R.
  Verdict by_chunks(Obligation& o, const Polynomial& begin, const Polynomial& step, const Polynomial& end) {
    if (step != Polynomial(groups_ * unit_)) {
      return unknown(o, fmt::format("{} groups of {} rows step by {}", groups_, unit_, knowledge_.to_string(step)));
    }
    if (const Verdict v = consecutive_chunks(o, begin, end); v != Verdict::kProved) return v;
    o.method += fmt::format(", {} groups of {} lanes; mixed radix", groups_, lanes_);
    return Verdict::kProved;
  }

  Verdict consecutive_chunks(Obligation& o, const Polynomial& begin, const Polynomial& end) {
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
  Verdict by_one_chunk(Obligation& o, const Polynomial& begin, const Polynomial& end) {
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
  Verdict by_runs(Obligation& o, size_t k, const Polynomial& begin, const Polynomial& end) {
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
      if (r == 0 || at == loop.arguments.end())
        return unknown(o, "a loop over a run does not end on r < limit, signed");
      const auto j = static_cast<size_t>(at - loop.arguments.begin());
      const Polynomial step = loop.next[j] - Polynomial::atom(r);
      const std::optional<Polynomial> limit = knowledge_.as_signed(more.b, more.width);
      if (!limit || !step.is_constant() || knowledge_.range(*limit).hi + step.constant() >= Wide{1} << 31) {
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
  int run_loop(const StoreRecord& s) const {
    int own = -1;
    for (int l = s.loop; l >= 0 && l != row_loop_; l = execution_.loops()[static_cast<size_t>(l)].parent) own = l;
    return own;
  }

  // What a selection is where the store is reached.
  Polynomial on_the_way(const StoreRecord& s, const Polynomial& p) const {
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
  Verdict by_grid_stride(Obligation& o, const Polynomial& begin, const Polynomial& step, const Polynomial& end) {
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
  Verdict check_way(Obligation& o, size_t k, const Predicate& condition) {
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
        when +=
            fmt::format("{}{}{}", when.empty() ? "; when " : " and ", holds ? "" : "not ", knowledge_.to_string(id));
      }
    }
    o.method += when;
    return Verdict::kProved;
  }

  // ---- within a row

  // The stores of a row by the checks that they stand under: each set writes whole rows, and no row is in two.
  Verdict cover(Obligation& o) {
    std::vector<std::vector<const StoreRecord*>> groups;
    for (const StoreRecord* s : stores_) {
      const auto same =
          std::find_if(groups.begin(), groups.end(), [&](const auto& group) { return same_checks(*group[0], *s); });
      if (same == groups.end()) {
        groups.push_back({s});
      } else {
        same->push_back(s);
      }
    }
    for (size_t a = 0; a < groups.size(); ++a) {
      for (size_t b = 0; b < a; ++b) {
        if (!exclusive(*groups[a][0], *groups[b][0])) return unknown(o, "a row may be written by two sets of stores");
      }
    }
    if (groups.size() > 1 && !runs_.empty()) return unknown(o, "a run is moved in several ways");
    // A check of host values alone is passed, or what fails it is written by another set.
    for (const auto& group : groups) {
      for (const auto& [predicate, holds] : uniform_way(*group[0])) {
        if (is_loaded(predicate)) continue;
        const bool other = std::any_of(groups.begin(), groups.end(), [&](const auto& set) {
          return goes_other_way(uniform_way(*set[0]), predicate, holds);
        });
        if (!other) return unknown(o, fmt::format("a row is written only if {}", knowledge_.to_string(predicate)));
      }
    }
    if (!runs_.empty()) return cover_runs(o);
    std::string method;
    for (const auto& group : groups) {
      const Verdict verdict = cover(o, group);
      if (verdict != Verdict::kProved) return verdict;
      method += (method.empty() ? "" : "; or: ") + o.method;
    }
    o.method = std::move(method);
    return Verdict::kProved;
  }

  // The rows of a step of each loop over a run, each by itself.
  Verdict cover_runs(Obligation& o) {
    for (const Run& run : runs_) {
      std::map<int64_t, std::vector<const StoreRecord*>> rows;  // by rows after r
      for (const StoreRecord* s : stores_) {
        if (run_loop(*s) != run.loop) continue;
        Place place;
        if (!place_of(o, *s, place)) return Verdict::kUnknown;
        const std::optional<int64_t> ahead = rows_ahead(place.index);
        if (!ahead) return unknown(o, "a row of a run lies where its number does not tell");
        rows[*ahead].push_back(s);
      }
      for (int64_t i = 0; i < run.at_once; ++i) {
        const auto row = rows.find(i * groups_);
        if (row == rows.end() || rows.size() != static_cast<size_t>(run.at_once))
          return unknown(o, "a step of a run leaves out a row");
        if (const Verdict v = cover(o, row->second); v != Verdict::kProved) return v;
      }
    }
    return Verdict::kProved;
  }

  // The constant by which some index exceeds row + r.
  std::optional<int64_t> rows_ahead(const std::vector<Polynomial>& place) const {
    for (const Polynomial& index : place) {
      for (const Run& run : runs_) {
        const Polynomial rest = index - Polynomial::atom(variable_) - Polynomial::atom(run.variable);
        if (rest.is_constant() && rest.constant() >= 0 && rest.constant() < Wide{1} << 31)
          return static_cast<int64_t>(rest.constant());
      }
    }
    return std::nullopt;
  }

  using Way = std::vector<std::pair<PredicateId, bool>>;

  // The way within a row that is the same for all lanes.
  Way uniform_way(const StoreRecord& s) {
    Way way;
    for (size_t k = row_->path + 1; k < s.path.size(); ++k) {
      const PathStep& step = s.path[k];
      if (step.loop < 0 && !step.certain && !takes_row(step) && step.predicate != kNoPredicate && dependence(step.predicate).uniform()) {
        way.emplace_back(step.predicate, step.holds);
      }
    }
    return way;
  }
  bool same_way(const Way& a, const Way& b) const {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const auto& x, const auto& y) {
      return x.second == y.second && knowledge_.same(x.first, y.first);
    });
  }
  bool goes_other_way(const Way& way, PredicateId predicate, bool holds) const {
    return std::any_of(way.begin(), way.end(), [&](const auto& step) {
      return step.second != holds && knowledge_.same(step.first, predicate);
    });
  }
  bool same_checks(const StoreRecord& a, const StoreRecord& b) { return same_way(uniform_way(a), uniform_way(b)); }
  bool exclusive(const StoreRecord& a, const StoreRecord& b) {
    const Way other = uniform_way(b);
    for (const auto& [predicate, holds] : uniform_way(a)) {
      if (goes_other_way(other, predicate, holds)) return true;
    }
    return false;
  }

  Verdict cover(Obligation& o, const std::vector<const StoreRecord*>& stores) {
    RowShape shape;
    std::vector<RowStore> rows;
    std::string distinct;
    const bool columns =
        std::any_of(stores.begin(), stores.end(), [](const StoreRecord* s) { return s->column.has_value(); });
    if (columns ? !split_columns(o, stores, shape, rows, distinct) : !split_rows(o, stores, shape, rows, distinct)) {
      return Verdict::kUnknown;
    }
    const RowTiling tiling = tile_row(knowledge_, execution_, shape, rows, lane_, lanes_);
    if (tiling.verdict == Verdict::kRefuted) {
      o.method = "enumeration of lanes and waves";
      o.counterexample = "in any row that is taken and passes its checks: " + tiling.reason;
    } else if (tiling.verdict == Verdict::kUnknown) {
      o.method = tiling.reason;
    } else {
      o.method = fmt::format("{} bytes by {} stores of {} lanes, enumerated; {}; {} checks on the way", tiling.bytes,
                             tiling.stores, lanes_, distinct, checks_);
    }
    return tiling.verdict;
  }

  bool split_rows(Obligation& o, const std::vector<const StoreRecord*>& stores, RowShape& shape,
                  std::vector<RowStore>& rows, std::string& distinct) {
    std::vector<Polynomial> place;  // by dimension; what is the same for all lanes
    if (unit_ != 1) return fails(o, "a store of several rows is not down a column");
    if (!split_places(o, stores, shape, rows, place)) return false;
    const bool placed = std::all_of(stores.begin(), stores.end(), [](const StoreRecord* s) { return s->placed; });
    if (!placed) return fails(o, "an index of a store may lie beyond its extent");
    distinct = distinct_rows(place);
    if (distinct.empty()) return fails(o, "two rows may have one place");
    return fills(place) || fails(o, "there may be more places than rows");
  }

  // Each store writes one element of unit_ rows; a row has an element in every column (columns.h).
  bool split_columns(Obligation& o, const std::vector<const StoreRecord*>& stores, RowShape& shape,
                     std::vector<RowStore>& rows, std::string& distinct) {
    shape.element = operand_.element;
    for (size_t k = 1; k < operand_.dims.size(); ++k) {
      const auto& [extent, stride] = operand_.dims[k];
      if (extent == Polynomial(1)) continue;
      if (!extent.is_constant() || !stride.is_constant()) return fails(o, "the bytes of a row are no constant");
      shape.bytes.push_back({static_cast<int64_t>(extent.constant()), static_cast<int64_t>(stride.constant())});
    }
    for (size_t s = 0; s < stores.size(); ++s) {
      const std::optional<Column>& column = stores[s]->column;
      if (!column) return fails(o, fmt::format("access {} is not down a column", stores[s]->access));
      if (column->row != row_value_ || column->rows != unit_) {
        return fails(o, fmt::format("access {} writes {} rows from {}, its thread takes {} from {}", stores[s]->access,
                                    column->rows, knowledge_.to_string(column->row), unit_,
                                    knowledge_.to_string(row_value_)));
      }
      RowStore row;
      row.access = stores[s]->access;
      row.width = operand_.element;
      row.offset = column->offset;
      if (!split_path(o, *stores[s], s == 0, row)) return false;
      rows.push_back(std::move(row));
    }
    distinct = "columns of segments, which are disjoint by the caller's promise";
    return true;
  }

  // Do the indices, each of which lies in its extent, tell the row? An atom is told by an equation in which it is the
  // only one that is not, with the coefficient 1 or -1; modulo 2^32, which says all of a 32-bit value, by one that is
  // known modulo 2^32.
  std::string distinct_rows(const std::vector<Polynomial>& place) {
    if (!runs_.empty()) return rows_ahead(place) ? "the indices tell the row" : "";
    std::vector<Atom> told;
    bool loaded = false;
    struct Equation {
      Polynomial value;  // is told
      bool exact;
    };
    std::vector<Equation> equations;
    for (const Polynomial& index : place) {
      if (index.is_constant()) continue;
      loaded = loaded || dependence(index).loaded;
      equations.push_back({index, true});
    }
    const auto is_told = [&](Atom a) {
      const AtomKind kind = knowledge_.info(a).kind;
      return kind == AtomKind::kSymbol || kind == AtomKind::kHost ||
             std::find(told.begin(), told.end(), a) != told.end();
    };
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t e = 0; e < equations.size(); ++e) {
        Atom open = 0;
        bool one = true;
        const auto [equation, exact] = equations[e];
        for (const Term& t : equation.terms()) {
          for (uint64_t f = t.monomial.fields; f != 0; f >>= 16) {
            const Atom a = static_cast<Atom>(f);
            if (is_told(a) || a == open) continue;
            one = one && open == 0 && t.monomial.degree() == 1 && (t.coefficient == 1 || t.coefficient == -1);
            open = a;
          }
        }
        const Range range = knowledge_.info(open).range;
        if (open == 0 || !one || (!exact && range.hi - range.lo >= Wide{1} << 32)) continue;
        told.push_back(open);
        changed = true;
        const Definition* d = knowledge_.definition(open);
        if (d && knowledge_.info(open).kind == AtomKind::kBits) equations.push_back({d->a, false});
        if (d && knowledge_.info(open).kind == AtomKind::kNamed) equations.push_back({d->a, true});
        if (d &&
            (knowledge_.info(open).kind == AtomKind::kQuotient || knowledge_.info(open).kind == AtomKind::kRemainder) &&
            is_told(d->quotient) && is_told(d->remainder)) {
          equations.push_back({d->a, true});
        }
      }
    }
    loaded_place_ = loaded_place_ && loaded;
    if (knowledge_.shows(Polynomial(1) - count_)) return "there is one row";
    // The row itself, or the row and what is told.
    for (const Equation& e : equations) {
      for (const int sign : {1, -1}) {
        const Polynomial rest = e.value - row_value_.times({}, sign);
        std::vector<Atom> atoms;
        collect_atoms(rest, atoms);
        if (e.exact && std::all_of(atoms.begin(), atoms.end(), is_told)) return "the indices tell the row";
      }
    }
    if (!tile_ && is_told(variable_)) return "the indices tell the row";
    return loaded ? "distinct indices are the caller's promise" : "";
  }

  // Are there as many rows as places? Of places that were loaded that is the caller's promise.
  bool fills(const std::vector<Polynomial>& place) {
    Polynomial places(1);
    for (size_t k = 0; k < place.size(); ++k) {
      if (dependence(place[k]).loaded) return true;
      if (place_dims_[k]) places = knowledge_.product_of(places, operand_.dims[k].extent);
    }
    return knowledge_.shows(places - count_) && knowledge_.shows(count_ - places);
  }

  // offset = Σ index*stride + rest. An index that is free of the lane and no constant places the row.
  struct Place {
    std::vector<Polynomial> index;  // by dimension
    Polynomial rest;
  };
  bool place_of(Obligation& o, const StoreRecord& s, Place& place) {
    const size_t dims = operand_.dims.size();
    std::vector<Polynomial>& index = place.index;
    index.assign(dims, {});
    Polynomial& rest = place.rest = s.offset;
    for (size_t k = 0; k < dims; ++k) {
      if (operand_.dims[k].stride.is_constant()) continue;
      const auto within = [&](Monomial m) { return m.is_one() || !dependence(Polynomial::term(m, 1)).uniform(); };
      if (!take_index(operand_, k, rest, index[k], within)) return fails(o, "an offset is no multiple of its stride");
    }
    // What is left belongs to constant strides: the part that is free of the lane, to the dimension that divides it.
    const Polynomial fixed = rest.filter(
        [&](const Term& t) { return !t.monomial.is_one() && dependence(Polynomial::term(t.monomial, 1)).uniform(); });
    if (fixed.is_zero()) return true;
    size_t best = dims;
    for (size_t k = 0; k < dims; ++k) {
      const Polynomial& stride = operand_.dims[k].stride;
      if (!stride.is_constant() || stride.is_zero()) continue;
      const bool divides = std::all_of(fixed.terms().begin(), fixed.terms().end(),
                                       [&](const Term& t) { return t.coefficient % stride.constant() == 0; });
      if (divides && (best == dims || stride.constant() > operand_.dims[best].stride.constant())) best = k;
    }
    if (best == dims) return fails(o, "an offset that places the row is no multiple of a stride");
    for (const Term& t : fixed.terms()) {
      index[best] = index[best] + Polynomial::term(t.monomial, t.coefficient / operand_.dims[best].stride.constant());
    }
    rest = rest - fixed;
    return true;
  }

  bool split_places(Obligation& o, const std::vector<const StoreRecord*>& stores, RowShape& shape,
                    std::vector<RowStore>& rows, std::vector<Polynomial>& place) {
    const size_t dims = operand_.dims.size();
    place.assign(dims, {});
    std::vector<bool> places_row(dims, false);
    std::vector<std::vector<Polynomial>> indices;
    std::vector<Polynomial> rests;
    for (const StoreRecord* s : stores) {
      Place own;
      if (!place_of(o, *s, own)) return false;
      for (size_t k = 0; k < dims; ++k) {
        const Dependence d = dependence(own.index[k]);
        if (!own.index[k].is_constant() && d.uniform()) places_row[k] = true;
      }
      indices.push_back(std::move(own.index));
      rests.push_back(std::move(own.rest));
    }
    place_dims_ = places_row;
    shape.element = operand_.element;
    std::vector<size_t> axis;
    for (size_t k = 0; k < dims; ++k) {
      const OperandDim& d = operand_.dims[k];
      const bool steps = std::any_of(indices.begin(), indices.end(), [&](const auto& i) { return !i[k].is_zero(); });
      if (places_row[k] || (d.extent == Polynomial(1) && !steps)) continue;
      if (!d.extent.is_constant()) return fails(o, fmt::format("dimension {} has no index and no constant extent", k));
      const auto extent = static_cast<int64_t>(d.extent.constant());
      if (d.stride.is_constant()) {
        shape.bytes.push_back({extent, static_cast<int64_t>(d.stride.constant())});
      } else {
        shape.axes.push_back(extent);
        axis.push_back(k);
      }
    }
    for (size_t s = 0; s < stores.size(); ++s) {
      RowStore row;
      row.access = stores[s]->access;
      row.width = stores[s]->width;
      row.offset = rests[s];
      for (size_t k = 0; k < dims; ++k) {
        if (places_row[k]) {
          if (s == 0) place[k] = indices[0][k];
          if (indices[s][k] != place[k]) return fails(o, "two stores of a row differ in the row's place");
        }
      }
      for (size_t k : axis) row.axes.push_back(indices[s][k]);
      if (!split_path(o, *stores[s], s == 0, row)) return false;
      rows.push_back(std::move(row));
    }
    return true;
  }

  // Conditions within the row loop: of the lane, to be enumerated; of the row, the same for every store.
  bool split_path(Obligation& o, const StoreRecord& store, bool first, RowStore& row) {
    std::vector<std::pair<PredicateId, bool>> checks;
    const auto add = [&](PredicateId id, bool holds) {
      std::vector<std::pair<PredicateId, bool>> open{{id, holds}};
      while (!open.empty()) {
        const auto [p, way] = open.back();
        open.pop_back();
        if (p == kNoPredicate) return false;
        const Predicate& predicate = knowledge_.predicate(p);
        if (predicate.kind == Predicate::Kind::kAnd && way) {
          open.insert(open.end(), {{predicate.x, true}, {predicate.y, true}});
          continue;
        }
        std::vector<Atom> atoms;
        collect_atoms(knowledge_, p, atoms);
        if (!atoms.empty() && dependence(p).uniform()) {
          checks.emplace_back(p, way);
        } else {
          row.conditions.push_back({p, way, row.loops.size()});
        }
      }
      return true;
    };
    for (size_t k = row_->path + 1; k < store.path.size(); ++k) {
      const PathStep& step = store.path[k];
      if (step.loop >= 0) {
        const bool is_run = std::any_of(runs_.begin(), runs_.end(), [&](const Run& r) { return r.loop == step.loop; });
        if (!is_run) row.loops.push_back(step.loop);
      } else if (step.certain || takes_row(step)) {
        continue;
      } else if (!add(step.predicate, step.holds)) {
        return fails(o, "a store stands under an unknown condition");
      }
    }
    if (store.guard != kNoPredicate && !add(store.guard, true)) return fails(o, "a guard is unknown");
    if (first) first_checks_ = checks, checks_ = checks.size();
    if (!same_way(checks, first_checks_)) return fails(o, "two stores of a row stand under different checks");
    return true;
  }

  static bool fails(Obligation& o, std::string why) {
    o.method = std::move(why);
    return false;
  }

  const Subject& subject_;
  const Host& host_;
  Knowledge& knowledge_;
  const Execution& execution_;
  const Operand& operand_;
  std::vector<const StoreRecord*> stores_;
  std::map<Atom, Dependence> dependence_;
  int row_loop_;  // outermost, around all of them
  const LoopRecord* row_ = nullptr;
  Atom variable_ = 0, lane_ = 0, group_ = 0;
  int64_t lanes_ = 1, groups_ = 1;
  Polynomial group_part_;
  // A loop over the rows of a run: at_once rows of each group in a step.
  struct Run {
    int loop;
    Atom variable;
    int64_t at_once;
  };
  std::vector<Run> runs_;  // in the order of execution; empty: the loop over rows takes them one by one
  Polynomial run_;
  Polynomial count_;               // of rows
  bool tile_ = false;              // the loop goes by tiles of rows
  int64_t unit_ = 1;               // rows that a group takes at once
  Polynomial row_value_, end_;     // the first of them; where the chunk ends
  std::vector<bool> place_dims_;  // dimensions that an index of the row has
  std::vector<std::pair<PredicateId, bool>> first_checks_;
  size_t checks_ = 0;
  bool loaded_place_ = true;
};

}  // namespace

void prove_coverage(const Subject& subject, const Host& host, Knowledge& knowledge, const Execution& execution,
                    const std::vector<StoreRecord>& stores, bool explain, std::vector<Obligation>& out) {
  const auto unknown = [&](const Operand& o, std::string why) {
    Obligation none;
    none.claim = Claim::kCoverage;
    none.operand = o.name;
    none.what = "bytes of a row";
    none.statement = "every byte of a row is written by one access of one lane";
    none.method = std::move(why);
    out.push_back(std::move(none));
  };
  for (size_t operand = 0; operand < host.operands().size(); ++operand) {
    const Operand& o = host.operands()[operand];
    if (!o.writable || o.is_shared || o.name == subject.status) continue;
    std::map<int, std::vector<const StoreRecord*>> by_loop;  // outermost
    for (const StoreRecord& s : stores) {
      if (s.operand != static_cast<int>(operand)) continue;
      int outermost = -1;
      for (int l = s.loop; l >= 0; l = execution.loops()[static_cast<size_t>(l)].parent) outermost = l;
      by_loop[outermost].push_back(&s);
    }
    if (by_loop.empty()) {
      unknown(o, "nothing writes the operand");
    } else if (by_loop.contains(-1)) {
      unknown(o, "a store stands outside of any loop over rows");
    } else {
      OperandCoverage::Claims claims;
      for (auto& [loop, own] : by_loop) {
        OperandCoverage(subject, host, knowledge, execution, static_cast<int>(operand), loop, std::move(own))
            .run(explain, claims);
      }
      if (by_loop.size() > 1) claims.separate_loops();
      for (Obligation& claim : claims.all) out.push_back(std::move(claim));
    }
  }
}

}  // namespace tailor::codegen::prove
