#include "codegen/movement/lower.h"

#include <optional>

#include "codegen/movement/code.h"
#include "codegen/movement/copy_rows.h"
#include "codegen/movement/discharge_guards.h"
#include "codegen/movement/launch.h"
#include "codegen/movement/lower_body.h"
#include "codegen/movement/operands.h"
#include "codegen/movement/search.h"
#include "codegen/movement/transpose_rows.h"

namespace tailor::codegen::movement {
namespace {

using kernel::Compare;
using kernel::Op;
using Values = kernel::Builder::Values;

// The loops of a program over rows.
class RowLoops {
 public:
  RowLoops(const tile::Program& program, const Key& key, const RowPlan& rows, const std::vector<HostParameter>& host)
      : program_(program),
        rows_(rows),
        builder_(program.entry(), static_cast<uint32_t>(rows.threads.block())),
        operands_(program, builder_, host),
        code_(builder_, key.get(KeyField::kIndex64) != 0),
        tid_(named(builder_.special(kernel::Special::kTidX), "tid")),
        cta_(named(builder_.special(kernel::Special::kCtaidX), "cta")) {}

  kernel::Program run() {
    for (size_t i = 0; i < program_.body().size(); ++i) {
      if (program_.body()[i].op == tile::Op::kEach) each(program_.body()[i]);
      if (program_.body()[i].op != tile::Op::kRows) continue;
      rows_.transpose_of(i) ? transpose(i) : rows_.runs ? runs(i) : rows(i);
    }
    return builder_.finish();
  }

 private:
  Value named(Value v, const std::string& name) {
    builder_.set_name(v, name);
    return v;
  }

  struct Rows {
    Value begin, end;
  };
  Rows rows_of_block(const tile::Node& loop) {
    const Value chunk = operands_.parameter(chunk_name(loops_++));
    const Value begin = code_.mul(cta_, chunk);
    return {begin, code_.binary(Op::kMinU, code_.add(begin, chunk), operands_.extent(code_, loop.extent))};
  }

  struct Place {
    Value group, lane;  // of lanes, and within the group
  };
  Place place_in_block() {
    const ThreadMap& threads = rows_.threads;
    const Value group = code_.divide(tid_, threads.lanes, threads.block() - 1);
    const Value lane = code_.modulo(tid_, threads.lanes, threads.block() - 1);
    if (threads.lanes > 1 && group.id != tid_.id) named(lane, "lane");
    return {group, lane};
  }

  // True in the thread of a row that reports its faults, the one where `index` is 0; missing: nothing is reported.
  Value reporter_where(Code& code, Value index) {
    if (program_.status().empty()) return {};
    const Value wanted = code.compare(Compare::kNe, operands_.parameter(kReport), code.i32(0));
    return named(code.both(wanted, code.compare(Compare::kEq, index, code.i32(0))), "reporter");
  }

  // for s = cta * block + tid; s < extent; s += grid * block. Every s is compared before it is used, so a step that
  // wrapped would repeat work and nothing else.
  void each(const tile::Node& node) {
    builder_.if_then(code_.compare(Compare::kNe, operands_.parameter(kReport), code_.i32(0)), [&] {
      Code inner = code_.child();
      const int block = rows_.threads.block();
      const Value first = inner.add(inner.times(cta_, block), tid_);
      const Value step = inner.times(builder_.special(kernel::Special::kNctaidX), block);
      const Value end = operands_.extent(inner, node.extent);
      builder_.while_loop(
          {first},
          [&](const Values& at) {
            return std::pair{builder_.compare(Compare::kUlt, at[0], end), at};
          },
          [&](const Values& at) {
            Code body = inner.child();
            LowerBody(operands_, {}, {}).run(body, node, at[0], {});
            return Values{builder_.add(at[0], step)};
          });
    });
  }

  void transpose(size_t loop) {
    const tile::Node& node = program_.body()[loop];
    const Rows own = rows_of_block(node);
    const Value begin = own.begin, end = own.end;
    Value work = code_.compare(Compare::kUlt, begin, end);
    if (node.body[0].op == tile::Op::kSearch) {
      const Value segments = SegmentSearch(operands_, node.body[0]).segments(code_);
      work = code_.both(work, code_.compare(Compare::kNe, segments, code_.i32(0)));
    }
    builder_.if_then(work, [&] {
      Code inner = code_.child();
      Value reporting{};
      if (!program_.status().empty()) {
        reporting = inner.compare(Compare::kNe, operands_.parameter(kReport), inner.i32(0));
      }
      TransposeRows(rows_, operands_, loop, tid_).run(inner, begin, end, reporting);
    });
  }

  void rows(size_t loop) {
    const tile::Node& node = program_.body()[loop];
    const Place place = place_in_block();
    const Value group = place.group, lane = place.lane;
    const Rows own = rows_of_block(node);
    const Value begin = own.begin, end = own.end;
    const Value first = named(code_.add(begin, group), "first_row");
    std::optional<SegmentSearch> search;
    if (!node.body.empty() && node.body[0].op == tile::Op::kSearch) search.emplace(operands_, node.body[0]);
    Value work = code_.compare(Compare::kUlt, first, end);
    if (search) work = code_.both(work, code_.compare(Compare::kNe, search->segments(code_), code_.i32(0)));
    builder_.if_then(work, [&] {
      Code prologue = code_.child();
      const Value reporter = reporter_where(prologue, lane);
      CopyRows mover(rows_, operands_, loop);
      mover.hoist(prologue, lane);
      Values init{first};
      if (search) {
        const Segment at = search->find(prologue, first);
        init.insert(init.end(), {at.index, at.begin, at.end});
      }
      const Value step = prologue.i32(rows_.threads.rows_per_block);
      builder_.while_loop(
          init,
          [&](const Values& at) {
            return std::pair{builder_.compare(Compare::kUlt, at[0], end), at};
          },
          [&](const Values& at) {
            Code body = prologue.child();
            Segment found;
            if (search) found = search->advance(body, at[0], {at[1], at[2], at[3], {}});
            const auto move = [&](Code& here, const std::vector<tile::Node>& nodes, size_t at_node,
                                  const std::vector<Value>& scalars,
                                  Value) { return mover.lower(here, nodes, at_node, scalars); };
            LowerBody(operands_, reporter, move).run(body, node, at[0], found);
            Values next{builder_.add(at[0], step)};
            if (search) next.insert(next.end(), {found.index, found.begin, found.end});
            return next;
          });
    });
  }

  // A warp is a block; its groups of lanes share the state of the loop.
  void runs(size_t loop) {
    const tile::Node& node = program_.body()[loop];
    const Place place = place_in_block();
    const Value group = place.group, lane = place.lane;
    const Rows own = rows_of_block(node);
    const Value begin = own.begin, end = own.end;
    std::vector<const tile::Node*> with;  // by the index of the segment: once per segment
    for (const tile::Node& load : node.body) {
      if (load.op == tile::Op::kLoad && load.indices == std::vector{node.body[0].results[0]}) with.push_back(&load);
    }
    const SegmentSearch search(operands_, node.body[0], with);
    const Value some = code_.compare(Compare::kNe, search.segments(code_), code_.i32(0));
    builder_.if_then(code_.both(code_.compare(Compare::kUlt, begin, end), some), [&] {
      Code prologue = code_.child();
      const Value reporter = reporter_where(prologue, tid_);
      CopyRows mover(rows_, operands_, loop);
      mover.hoist(prologue, lane);
      const auto carried = [](Value row, const Segment& s) {
        Values values{row, s.index, s.begin, s.end};
        values.insert(values.end(), s.entries.begin(), s.entries.end());
        return values;
      };
      builder_.while_loop(
          carried(begin, search.find(prologue, begin)),
          [&](const Values& at) {
            return std::pair{builder_.compare(Compare::kUlt, at[0], end), at};
          },
          [&](const Values& at) {
            Code body = prologue.child();
            const Segment found = search.advance(body, at[0], {at[1], at[2], at[3], {at.begin() + 4, at.end()}});
            const auto move = [&](Code& here, const std::vector<tile::Node>& nodes, size_t at_node,
                                  const std::vector<Value>& scalars,
                                  Value run) { return run_of_rows(here, mover, group, nodes, at_node, scalars, run); };
            LowerBody row(operands_, reporter, move);
            for (size_t i = 0; i < with.size(); ++i) row.define(*with[i], found.entries[i]);
            const Value taken = row.run(body, node, at[0], found, rows_.runs->advances, body.sub(end, at[0]));
            return carried(body.add(at[0], taken), found);
          });
    });
  }

  // for (r = group; r < run; r += groups), several steps at once while there are so many.
  size_t run_of_rows(Code& code, const CopyRows& mover, Value group, const std::vector<tile::Node>& nodes, size_t place,
                     const std::vector<Value>& scalars, Value run) {
    const int groups = rows_.threads.rows_per_block, at_once = rows_.runs->rows_at_once;
    size_t last = place;
    const auto step = [&](Value from, Value below, int times) {
      return builder_.while_loop(
          {from},
          [&](const Values& at) {
            return std::pair{builder_.compare(Compare::kSlt, at[0], below), at};
          },
          [&](const Values& at) {
            Code inner = code.child();
            const CopyRows::Step rows{*rows_.runs, at[0], times, groups};
            last = mover.lower(inner, nodes, place, scalars, &rows);
            return Values{inner.add_constant(at[0], int64_t{times} * groups)};
          });
    };
    mover.hoist_run(code, nodes, place, scalars);
    Value from = groups == 1 ? code.i32(0) : group;
    if (at_once > 1) {
      const int64_t ahead = int64_t{at_once - 1} * groups;
      from = step(from, code.sub(run, code.i32(ahead)), at_once)[0];
    }
    step(from, run, 1);
    return last;
  }

  const tile::Program& program_;
  const RowPlan& rows_;
  kernel::Builder builder_;
  Operands operands_;
  Code code_;
  Value tid_, cta_;
  size_t loops_ = 0;  // rows loops lowered so far
};

}  // namespace

Expected<Lowered> lower(const tile::Program& program, const Key& key) {
  Lowered result;
  TAILOR_ASSIGN_OR_RETURN(result.rows, plan_rows(program, key.lowering()));
  TAILOR_RETURN_IF_ERROR(check_discharged(program, result.rows));
  TAILOR_ASSIGN_OR_RETURN(const std::vector<HostParameter> host, host_parameters(program, result.rows, key));
  result.program = RowLoops(program, key, result.rows, host).run();
  TAILOR_ASSIGN_OR_RETURN(result.plan, launch_plan(program, result.program, host, result.rows, key));
  result.premises = premises(program, host, result.rows, key);
  return result;
}

}  // namespace tailor::codegen::movement
