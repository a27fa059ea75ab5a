#include "codegen/prove/coverage.h"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "codegen/prove/row_loop.h"
#include "codegen/prove/row_tiling.h"

namespace tailor::codegen::prove {
namespace {

class OperandCoverage {
 public:
  OperandCoverage(const Subject& subject, const Host& host, Knowledge& knowledge, const Execution& execution,
                  int operand, int row_loop, std::vector<const StoreRecord*> stores)
      : knowledge_(knowledge),
        execution_(execution),
        operand_(host.operands()[static_cast<size_t>(operand)]),
        stores_(std::move(stores)),
        rows_(subject, host, knowledge, execution, row_loop, stores_) {}

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
    rows.verdict = rows_.take(rows);
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
    if (groups.size() > 1 && !rows_.runs().empty()) return unknown(o, "a run is moved in several ways");
    // A check of host values alone is passed, or what fails it is written by another set.
    for (const auto& group : groups) {
      for (const auto& [predicate, holds] : uniform_way(*group[0])) {
        if (rows_.is_loaded(predicate)) continue;
        const bool other = std::any_of(groups.begin(), groups.end(), [&](const auto& set) {
          return goes_other_way(uniform_way(*set[0]), predicate, holds);
        });
        if (!other) return unknown(o, fmt::format("a row is written only if {}", knowledge_.to_string(predicate)));
      }
    }
    if (!rows_.runs().empty()) return cover_runs(o);
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
    for (const RowLoop::Run& run : rows_.runs()) {
      std::map<int64_t, std::vector<const StoreRecord*>> rows;  // by rows after r
      for (const StoreRecord* s : stores_) {
        if (rows_.run_loop(*s) != run.loop) continue;
        Place place;
        if (!place_of(o, *s, place)) return Verdict::kUnknown;
        const std::optional<int64_t> ahead = rows_ahead(place.index);
        if (!ahead) return unknown(o, "a row of a run lies where its number does not tell");
        rows[*ahead].push_back(s);
      }
      for (int64_t i = 0; i < run.at_once; ++i) {
        const auto row = rows.find(i * rows_.groups());
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
      for (const RowLoop::Run& run : rows_.runs()) {
        const Polynomial rest = index - Polynomial::atom(rows_.variable()) - Polynomial::atom(run.variable);
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
    for (size_t k = rows_.path() + 1; k < s.path.size(); ++k) {
      const PathStep& step = s.path[k];
      if (step.loop < 0 && !step.certain && !rows_.takes_row(step) && step.predicate != kNoPredicate &&
          rows_.dependence(step.predicate).uniform()) {
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
    const RowTiling tiling = tile_row(knowledge_, execution_, shape, rows, rows_.lane(), rows_.lanes());
    if (tiling.verdict == Verdict::kRefuted) {
      o.method = "enumeration of lanes and waves";
      o.counterexample = "in any row that is taken and passes its checks: " + tiling.reason;
    } else if (tiling.verdict == Verdict::kUnknown) {
      o.method = tiling.reason;
    } else {
      o.method = fmt::format("{} bytes by {} stores of {} lanes, enumerated; {}; {} checks on the way", tiling.bytes,
                             tiling.stores, rows_.lanes(), distinct, checks_);
    }
    return tiling.verdict;
  }

  bool split_rows(Obligation& o, const std::vector<const StoreRecord*>& stores, RowShape& shape,
                  std::vector<RowStore>& rows, std::string& distinct) {
    std::vector<Polynomial> place;  // by dimension; what is the same for all lanes
    if (rows_.unit() != 1) return fails(o, "a store of several rows is not down a column");
    if (!split_places(o, stores, shape, rows, place)) return false;
    const bool placed = std::all_of(stores.begin(), stores.end(), [](const StoreRecord* s) { return s->placed; });
    if (!placed) return fails(o, "an index of a store may lie beyond its extent");
    distinct = distinct_rows(place);
    if (distinct.empty()) return fails(o, "two rows may have one place");
    return fills(place) || fails(o, "there may be more places than rows");
  }

  // Each store writes one element of each row that its thread takes; a row has an element in every column (columns.h).
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
      if (column->row != rows_.row() || column->rows != rows_.unit()) {
        return fails(o, fmt::format("access {} writes {} rows from {}, its thread takes {} from {}", stores[s]->access,
                                    column->rows, knowledge_.to_string(column->row), rows_.unit(),
                                    knowledge_.to_string(rows_.row())));
      }
      const bool same = column->begin == stores[0]->column->begin && column->end == stores[0]->column->end;
      const bool uniform = rows_.dependence(column->begin).uniform() && rows_.dependence(column->end).uniform();
      if (!same || !uniform) return fails(o, "the segment of a row is not the same for all lanes");
      if (!rows_.is_loaded(column->begin) || !rows_.is_loaded(column->end)) {
        return fails(o, "nothing is promised of the segment of a row");
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
    if (!rows_.runs().empty()) return rows_ahead(place) ? "the indices tell the row" : "";
    std::vector<Atom> told;
    bool loaded = false;
    struct Equation {
      Polynomial value;  // is told
      bool exact;
    };
    std::vector<Equation> equations;
    for (const Polynomial& index : place) {
      if (index.is_constant()) continue;
      loaded = loaded || rows_.dependence(index).loaded;
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
    if (knowledge_.shows(Polynomial(1) - rows_.count())) return "there is one row";
    // The row itself, or the row and what is told.
    for (const Equation& e : equations) {
      for (const int sign : {1, -1}) {
        const Polynomial rest = e.value - rows_.row().times({}, sign);
        std::vector<Atom> atoms;
        collect_atoms(rest, atoms);
        if (e.exact && std::all_of(atoms.begin(), atoms.end(), is_told)) return "the indices tell the row";
      }
    }
    if (!rows_.has_tiles() && is_told(rows_.variable())) return "the indices tell the row";
    return loaded ? "distinct indices are the caller's promise" : "";
  }

  // Are there as many rows as places? Of places that were loaded that is the caller's promise.
  bool fills(const std::vector<Polynomial>& place) {
    Polynomial places(1);
    for (size_t k = 0; k < place.size(); ++k) {
      if (rows_.dependence(place[k]).loaded) return true;
      if (place_dims_[k]) places = knowledge_.product_of(places, operand_.dims[k].extent);
    }
    return knowledge_.shows(places - rows_.count()) && knowledge_.shows(rows_.count() - places);
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
      const auto within = [&](Monomial m) { return m.is_one() || !rows_.dependence(Polynomial::term(m, 1)).uniform(); };
      if (!take_index(operand_, k, rest, index[k], within)) return fails(o, "an offset is no multiple of its stride");
    }
    // What is left belongs to constant strides: the part that is free of the lane, to the dimension that divides it.
    const Polynomial fixed = rest.filter([&](const Term& t) {
      return !t.monomial.is_one() && rows_.dependence(Polynomial::term(t.monomial, 1)).uniform();
    });
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
        const RowLoop::Dependence d = rows_.dependence(own.index[k]);
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
        if (!atoms.empty() && rows_.dependence(p).uniform()) {
          checks.emplace_back(p, way);
        } else {
          row.conditions.push_back({p, way, row.loops.size()});
        }
      }
      return true;
    };
    for (size_t k = rows_.path() + 1; k < store.path.size(); ++k) {
      const PathStep& step = store.path[k];
      if (step.loop >= 0) {
        const bool is_run = std::any_of(rows_.runs().begin(), rows_.runs().end(),
                                        [&](const RowLoop::Run& r) { return r.loop == step.loop; });
        if (!is_run) row.loops.push_back(step.loop);
      } else if (step.certain || rows_.takes_row(step)) {
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

  Knowledge& knowledge_;
  const Execution& execution_;
  const Operand& operand_;
  const std::vector<const StoreRecord*> stores_;
  RowLoop rows_;
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
