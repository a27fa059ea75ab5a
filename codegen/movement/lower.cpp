#include "codegen/movement/lower.h"

#include <memory>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include "codegen/movement/code.h"
#include "codegen/movement/copy_rows.h"
#include "codegen/movement/discharge_guards.h"
#include "codegen/movement/launch.h"
#include "codegen/tile/known.h"

namespace tailor::codegen::movement {
namespace {

using kernel::Compare;
using kernel::kNoValue;
using kernel::Op;
using Values = kernel::Builder::Values;

// Where a loop's search stands: the segment and its two offsets.
struct SearchState {
  Value segment, begin, end;
};

class RowLowering {
 public:
  RowLowering(const tile::Program& program, const Key& key, const RowPlan& rows)
      : program_(program),
        rows_(rows),
        wide_(key.get(KeyField::kIndex64) != 0),
        builder_(program.entry(), static_cast<uint32_t>(rows.threads.block())),
        scalars_(program.value_count()) {}

  kernel::Program run(const std::vector<HostParameter>& host) {
    for (const HostParameter& p : host) parameters_[p.name] = builder_.parameter(p.type, p.name, p.read_only);
    Code code(builder_, wide_);
    tid_ = named(builder_.special(kernel::Special::kTidX), "tid");
    cta_ = named(builder_.special(kernel::Special::kCtaidX), "cta");
    for (const tile::Node& node : program_.body()) {
      if (node.op == tile::Op::kEach) each(code, node);
      if (node.op == tile::Op::kRows) rows(code, node);
    }
    return builder_.finish();
  }

 private:
  Value named(Value v, const std::string& name) {
    builder_.set_name(v, name);
    return v;
  }
  Value parameter(const std::string& name) const { return parameters_.at(name); }

  Value extent(Code& code, const tile::Extent& e) {
    return e.exact ? code.i32(*e.exact) : code.add_constant(parameter(e.symbol), e.offset);
  }

  // for s = cta * block + tid; s < extent; s += grid * block. Every s is compared before it is used, so a step that
  // wrapped would repeat work and nothing else.
  void each(Code& code, const tile::Node& node) {
    builder_.if_then(code.compare(Compare::kNe, parameter(kReport), code.i32(0)), [&] {
      Code inner = code.child();
      const int block = rows_.threads.block();
      const Value first = inner.add(inner.times(cta_, block), tid_);
      const Value step = inner.times(builder_.special(kernel::Special::kNctaidX), block);
      const Value end = extent(inner, node.extent);
      reporter_ = {};
      builder_.while_loop(
          {first},
          [&](const Values& at) {
            return std::pair{builder_.compare(Compare::kUlt, at[0], end), at};
          },
          [&](const Values& at) {
            Code body = inner.child();
            enter(node, named(at[0], program_.name_of(node.results[0])));
            nodes(body, node, 0, {});
            leave();
            return Values{builder_.add(at[0], step)};
          });
    });
  }

  void rows(Code& code, const tile::Node& node) {
    const ThreadMap& threads = rows_.threads;
    const int block = threads.block();
    const Value group = code.divide(tid_, threads.lanes, block - 1);
    const Value lane = code.modulo(tid_, threads.lanes, block - 1);
    if (threads.lanes > 1 && group.id != tid_.id) named(lane, "lane");
    const Value begin = code.mul(cta_, parameter(kChunk));
    const Value end = code.binary(Op::kMinU, code.add(begin, parameter(kChunk)), extent(code, node.extent));
    const Value first = named(code.add(begin, group), "first_row");
    const bool searches = !node.body.empty() && node.body[0].op == tile::Op::kSearch;
    Value work = code.compare(Compare::kUlt, first, end);
    if (searches) work = code.both(work, code.compare(Compare::kNe, segments(code, node.body[0]), code.i32(0)));
    builder_.if_then(work, [&] {
      Code prologue = code.child();
      if (!program_.status().empty()) {
        reporter_ = prologue.both(prologue.compare(Compare::kNe, parameter(kReport), prologue.i32(0)),
                                  prologue.compare(Compare::kEq, lane, prologue.i32(0)));
        named(reporter_, "reporter");
      }
      copies_ = std::make_unique<CopyRows>(rows_, program_, parameters_);
      copies_->hoist(prologue, lane);
      Values init{first};
      if (searches) {
        const SearchState state = binary_search(prologue, node.body[0], first);
        init.insert(init.end(), {state.segment, state.begin, state.end});
      }
      const Value step = prologue.i32(threads.rows_per_block);
      builder_.while_loop(
          init,
          [&](const Values& at) {
            return std::pair{builder_.compare(Compare::kUlt, at[0], end), at};
          },
          [&](const Values& at) {
            Code body = prologue.child();
            enter(node, named(at[0], program_.name_of(node.results[0])));
            SearchState state;
            if (searches) state = advance(body, node.body[0], at[0], {at[1], at[2], at[3]});
            nodes(body, node, 0, state);
            leave();
            Values next{builder_.add(at[0], step)};
            if (searches) next.insert(next.end(), {state.segment, state.begin, state.end});
            return next;
          });
    });
  }

  void enter(const tile::Node& loop, Value index) {
    mark_ = known_.mark();
    known_.learn_index(loop.results[0], loop.extent);
    scalars_[loop.results[0]] = index;
  }
  void leave() { known_.forget(mark_); }

  // ---- search

  Value segments(Code& code, const tile::Node& search) {
    return extent(code, {program_.views()[search.view].dims[0].extent.symbol, 0, {}});
  }

  // The last s in [0, segments) with offsets[s] <= row, if offsets do not decrease; some s in [0, segments) always:
  // low < middle < high holds whatever is loaded. segments > 0.
  SearchState binary_search(Code& code, const tile::Node& search, Value row) {
    const Value one = code.i32(1);
    const Values found = builder_.while_loop(
        {code.i32(0), segments(code, search)},
        [&](const Values& at) {
          return std::pair{builder_.compare(Compare::kUgt, builder_.sub(at[1], at[0]), one), at};
        },
        [&](const Values& at) {
          Code inner = code.child();
          const Value middle = inner.binary(Op::kShrU, inner.add(at[0], at[1]), inner.i32(1));  // sum < 2^32
          const Value offset = load(inner, search.view, {middle}, "offsets[middle]");
          const Value left = builder_.compare(Compare::kSle, offset, row);
          return Values{builder_.select(left, middle, at[0]), builder_.select(left, at[1], middle)};
        });
    SearchState state;
    state.segment = named(found[0], "segment");
    state.begin = load(code, search.view, {found[0]}, "offsets[s]");
    state.end = load(code, search.view, {code.add_constant(found[0], 1)}, "offsets[s + 1]");
    return state;
  }

  // Moves on while the row lies at or beyond the end and there is a next segment.
  SearchState advance(Code& code, const tile::Node& search, Value row, const SearchState& from) {
    const Value count = segments(code, search);
    const Values found = builder_.while_loop(
        {from.segment, from.begin, from.end},
        [&](const Values& at) {
          Code inner = code.child();
          const Value beyond = builder_.compare(Compare::kSge, row, at[2]);
          const Value more = builder_.compare(Compare::kSlt, inner.add_constant(at[0], 1), count);
          return std::pair{builder_.bit_and(beyond, more), at};
        },
        [&](const Values& at) {
          Code inner = code.child();
          const Value next = inner.add_constant(at[0], 1);
          const Value end = load(inner, search.view, {inner.add_constant(next, 1)}, "offsets[s + 2]");
          return Values{next, at[2], end};
        });
    return {found[0], found[1], found[2]};
  }

  // ---- nodes of a loop's body, from `at` on; a check nests the rest in its success

  void nodes(Code& code, const tile::Node& loop, size_t at, const SearchState& state) {
    for (; at < loop.body.size(); ++at) {
      const tile::Node& node = loop.body[at];
      const auto scalar = [&](size_t k) { return scalars_[node.operands[k]]; };
      switch (node.op) {
        case tile::Op::kToken:
        case tile::Op::kJoin:
          break;
        case tile::Op::kLoad: {
          std::vector<Value> indices;
          std::string what;
          for (tile::ValueId index : node.indices) {
            indices.push_back(scalars_[index]);
            what += (what.empty() ? "" : ", ") + program_.name_of(index);
          }
          define(node.results[0], named(load(code, node.view, indices, fmt::format("entry [{}]", what)),
                                        program_.name_of(node.results[0])));
          break;
        }
        case tile::Op::kSearch:
          define(node.results[0], state.segment);
          define(node.results[1], state.begin);
          define(node.results[2], state.end);
          break;
        case tile::Op::kAdd:
          define(node.results[0], code.add_constant(scalar(0), node.immediate));
          break;
        case tile::Op::kSub:
          define(node.results[0], code.sub(scalar(0), scalar(1)));
          break;
        case tile::Op::kResolve:
          define(node.results[0], code.divide(scalar(0), node.immediate, tile::kScalarMax));
          define(node.results[1], code.modulo(scalar(0), node.immediate, tile::kScalarMax));
          break;
        case tile::Op::kCheck: {
          const Value holds = check(code, node);
          known_.learn(program_, node);
          if (holds.id == kNoValue) continue;
          rest(code, loop, at, holds, state);
          return;
        }
        case tile::Op::kCopy:
          at = copy(code, loop, at);
          break;
        case tile::Op::kEach:
        case tile::Op::kRows:
          break;
      }
      known_.learn(program_, node);
    }
  }

  void define(tile::ValueId id, Value value) { scalars_[id] = value; }

  void rest(Code& code, const tile::Node& loop, size_t at, Value holds, const SearchState& state) {
    const tile::Node& node = loop.body[at];
    const auto then = [&] {
      Code inner = code.child();
      nodes(inner, loop, at + 1, state);
    };
    if (node.fault == DeviceFault::kNone) return builder_.if_then(holds, then);
    builder_.if_else(
        holds,
        [&] {
          then();
          return Values{};
        },
        [&] {
          report(node);
          return Values{};
        });
  }

  // max(status, ((2^48 - 1 - index) << 8) | fault): the smallest index wins (tailor/ops.h).
  void report(const tile::Node& check) {
    const auto write = [&] {
      const Value index = builder_.zero_extend(scalars_[check.fault_index]);
      const Value place = builder_.sub(builder_.i64(kStatusIndexLimit), index);
      const Value shifted = builder_.binary(Op::kShl, place, builder_.i64(8));
      const Value word = builder_.bit_or(shifted, builder_.i64(static_cast<int64_t>(check.fault)));
      builder_.atomic_max_u64(parameter(program_.status()), word,
                              {program_.status(), std::string(tile::fault_name(check.fault)), 8, false});
    };
    if (reporter_.id == kNoValue) return write();
    builder_.if_then(reporter_, write);
  }

  // The comparisons of a chain that are not known already; missing if all are. 0 <= x < y and 0 <= x <= y with 0 <= y
  // known are one unsigned comparison.
  Value check(Code& code, const tile::Node& node) {
    const auto value = [&](const tile::Term& t) {
      return t.value != tile::kNone ? scalars_[t.value] : extent(code, t.extent);
    };
    const auto is_zero = [](const tile::Term& t) { return t.value == tile::kNone && t.extent.exact == int64_t{0}; };
    Value all{};
    for (size_t i = 0; i < node.relations.size(); ++i) {
      const tile::Term &a = node.chain[i], &b = node.chain[i + 1];
      if (known_.shows(a, node.relations[i], b)) continue;
      const tile::Relation relation = node.relations[i];
      const bool joins = relation == tile::Relation::kLessEqual && is_zero(a) && i + 1 < node.relations.size() &&
                         node.relations[i + 1] != tile::Relation::kEqual &&
                         known_.shows(tile::constant(0), tile::Relation::kLessEqual, node.chain[i + 2]);
      Value holds;
      if (joins) {
        const Compare unsigned_ = node.relations[i + 1] == tile::Relation::kLess ? Compare::kUlt : Compare::kUle;
        holds = code.compare(unsigned_, value(b), value(node.chain[i + 2]));
        ++i;
      } else if (relation == tile::Relation::kEqual) {
        holds = code.compare(Compare::kEq, value(a), value(b));
      } else if (is_zero(a)) {
        holds = code.compare(relation == tile::Relation::kLess ? Compare::kSgt : Compare::kSge, value(b), value(a));
      } else {
        holds = code.compare(relation == tile::Relation::kLess ? Compare::kSlt : Compare::kSle, value(a), value(b));
      }
      all = code.both(all, holds);
    }
    return all;
  }

  // ---- addresses

  // sum of index * stride bytes over the first indices.size() dimensions; missing: 0. Indices are shown to be >= 0. The
  // common factor of the strides is multiplied last: 4 * (s * table_stride + column).
  Value offset(Code& code, const tile::View& view, const std::vector<Value>& indices) {
    int64_t common = 0;
    for (size_t i = 0; i < indices.size(); ++i) {
      const tile::Stride& s = view.dims[i].stride;
      common = std::gcd(common, s.exact ? *s.exact : s.factor);
    }
    Value sum{};
    for (size_t i = 0; i < indices.size(); ++i) {
      const tile::Dimension& d = view.dims[i];
      if (d.extent.exact == int64_t{1} || d.stride.exact == int64_t{0}) continue;  // the index is 0, or does not matter
      const Value index = code.to_index(indices[i]);
      const int64_t factor = (d.stride.exact ? *d.stride.exact : d.stride.factor) / common;
      const Value term = code.times(d.stride.exact ? index : code.mul(index, parameter(d.stride.symbol)), factor);
      sum = sum.id == kNoValue ? term : code.add(sum, term);
    }
    return sum.id == kNoValue ? sum : code.times(sum, common);
  }

  Value load(Code& code, tile::ViewId id, const std::vector<Value>& indices, std::string what) {
    const tile::View& view = program_.views()[id];
    const Value address = code.pointer(parameter(view.name), offset(code, view, indices));
    return builder_.load(kernel::Type::kI32, address, {view.name, std::move(what), 4, true});
  }

  // ---- copies

  // Copies that follow one another, have the same geometry and do not wait for one another are moved together. Returns
  // the index of the last one.
  size_t copy(Code& code, const tile::Node& loop, size_t at) {
    const size_t first = next_copy_;
    std::vector<CopyRows::RowOffsets> offsets;
    std::set<tile::ValueId> tokens;
    size_t end = at;
    for (; end < loop.body.size() && loop.body[end].op == tile::Op::kCopy; ++end) {
      const tile::Node& node = loop.body[end];
      if (node.after != tile::kNone && tokens.count(node.after)) break;
      if (offsets.size() == static_cast<size_t>(kMaxInFlight)) break;
      if (!offsets.empty() && !rows_.copies[first].same_geometry(rows_.copies[next_copy_])) break;
      tokens.insert(node.results.back());
      const auto start = [&](tile::ViewId view, const std::vector<tile::ValueId>& indices) {
        std::vector<Value> values;
        for (tile::ValueId index : indices) values.push_back(scalars_[index]);
        return offset(code, program_.views()[view], values);
      };
      offsets.push_back({start(node.source, node.source_indices), start(node.view, node.indices)});
      ++next_copy_;
    }
    copies_->emit(code, first, offsets);
    return end - 1;
  }

  const tile::Program& program_;
  const RowPlan& rows_;
  bool wide_;
  kernel::Builder builder_;
  Parameters parameters_;
  std::vector<Value> scalars_;
  tile::Known known_;
  size_t mark_ = 0;
  Value tid_, cta_, reporter_;
  std::unique_ptr<CopyRows> copies_;
  size_t next_copy_ = 0;
};

}  // namespace

Expected<Lowered> lower(const tile::Program& program, const Key& key) {
  const tile::Node* rows = nullptr;
  for (const tile::Node& node : program.body()) {
    if (node.op != tile::Op::kRows) continue;
    if (rows) return unsupported("a tile program with two rows loops");
    rows = &node;
  }
  if (!rows) return invalid_argument("the tile program has no rows loop");
  Lowered result;
  TAILOR_ASSIGN_OR_RETURN(result.rows, plan_rows(program, *rows, key.lowering()));
  TAILOR_RETURN_IF_ERROR(check_discharged(program, result.rows));
  TAILOR_ASSIGN_OR_RETURN(const std::vector<HostParameter> host, host_parameters(program, result.rows, key));
  result.program = RowLowering(program, key, result.rows).run(host);
  uint16_t rows_symbol = 0;
  for (const HostParameter& p : host) {
    if (p.name == rows->extent.symbol) rows_symbol = static_cast<uint16_t>(p.value[0].operand);
  }
  result.plan = launch_plan(result.program, host, result.rows, rows_symbol);
  result.premises = premises(program, host, result.rows, key);
  return result;
}

}  // namespace tailor::codegen::movement
