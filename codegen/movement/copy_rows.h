// Emits the moves of a loop's rows: hoists what depends on the lane alone out of the loop over rows, and writes loads
// before stores, a handful of vectors at a time. A fill has stores only.
//
// Ownership: refers to the plan and the operands, which must outlive it. Thread-safety: none.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/movement/code.h"
#include "codegen/movement/operands.h"
#include "codegen/movement/plan_rows.h"

namespace tailor::codegen::movement {

class CopyRows {
 public:
  // `loop`: index into the program's body.
  CopyRows(const RowPlan& plan, const Operands& operands, size_t loop)
      : plan_(plan),
        operands_(operands),
        program_(operands.program()),
        parameters_(operands.parameters()),
        loop_(loop) {}

  // In the code that dominates the loop over rows: offsets, guards and lane tests of every wave.
  void hoist(Code& code, Value lane);

  // Moves body[at] and the rows after it that have the same geometry and do not wait for one another; returns the index
  // of the last one (LowerBody::Move). With `step`, of the run that starts there (row_runs.h) the `times` rows from row
  // `from` on that are `apart` rows apart.
  struct Step {
    const RunPlan& run;
    Value from;
    int times, apart;
  };
  size_t lower(Code& code, const std::vector<tile::Node>& body, size_t at, const std::vector<Value>& scalars,
               const Step* step = nullptr) const;

  // In the code before the steps of a run: what they have in common, for `lower` to find.
  void hoist_run(Code& code, const std::vector<tile::Node>& body, size_t at, const std::vector<Value>& scalars) const;

  // A row, and the copy of the plan that moves it.
  struct Row {
    size_t copy = 0;
    Value source, target;  // offsets of the row's start in each view, of the index type; missing: 0
    std::vector<Value> tables;
    std::vector<Value> source_on, target_on;  // offsets to add to them, one after the other
  };
  // Moves rows whose order does not matter and whose copies have the same geometry.
  void emit(Code& code, const std::vector<Row>& rows) const;

  // The place of a copy or fill in the plan.
  size_t find(const tile::Node& mover) const;
  bool move_alike(size_t a, size_t b) const { return plan_.copies[a].same_geometry(plan_.copies[b]); }

 private:
  // value + constant, value missing: 0. Digits are i32, offsets of the index type.
  struct Sum {
    Value value;
    int64_t constant = 0;
  };
  // A linear access index: value + constant, 0 <= value < bound.
  struct Position {
    Value value;
    int64_t bound = 1;
    int64_t constant = 0;
  };
  struct Wave {
    const Stream* stream = nullptr;
    std::string what;
    Sum source, target, table;
    Sum second_source, second_target;  // rotating apart: of the second elements
    Value guard;
  };
  struct LaneTest {
    Value pred;
    std::vector<Wave> waves;
  };
  struct LongStream {
    const Stream* stream = nullptr;
    int64_t waves = 0;  // all full
  };
  struct Hoisted {
    std::vector<Wave> waves;
    std::vector<LongStream> loops;
    std::map<int64_t, LaneTest> remainders;  // by lanes
    // Operand address plus a lane part that several waves share, by that part.
    std::map<kernel::ValueId, Value> source_bases, target_bases;
    std::map<int64_t, Value> bits;  // fill: by width of the store
    Value scale;                    // convert
  };

  std::vector<Sum> decode(Code& code, const Stream& stream, Position at) const;
  // Bytes from the row's start in the source, the target or a table.
  enum class Side { kSource, kTarget, kTable };
  Sum offset(Code& code, const Stream& stream, const std::vector<Sum>& digits, Side side) const;
  Sum moved_on(Code& code, Sum sum, const tile::Stride& by) const;
  Value guard(Code& code, const Stream& stream, const Position& at, const std::vector<Sum>& digits) const;
  Wave wave(Code& code, const Stream& stream, const Position& at, std::string what, bool guarded) const;
  void hoist_bases(Code& code, const CopyPlan& copy, Hoisted& hoisted) const;
  void hoist_bits(Code& code, const CopyPlan& copy, Hoisted& hoisted) const;
  void hoist_scale(Code& code, const CopyPlan& copy, Hoisted& hoisted) const;
  // What a row's copy loads where `w` is, and what it stores there instead.
  std::vector<Value> load(Code& code, const Row& row, const Wave& w) const;
  std::vector<Value> moved(Code& code, size_t c, const Wave& w, const std::vector<Value>& loaded) const;
  void store(Code& code, const Row& row, const Wave& w, const std::vector<Value>& values) const;
  Value address(Code& code, tile::ViewId view, Value row, const std::vector<Value>& on, const Sum& lane,
                const std::map<kernel::ValueId, Value>& bases) const;
  // waves[i] of rows[i].
  void move(Code& code, const std::vector<Row>& rows, const std::vector<std::vector<const Wave*>>& waves) const;
  size_t in_flight(const std::vector<Row>& rows) const;
  void long_stream(Code& code, const std::vector<Row>& rows, size_t index) const;
  Row at(Code& code, const tile::Node& node, const std::vector<Value>& scalars) const;
  void add_step(Code& code, Row& row, const Step& step, int i) const;

  const RowPlan& plan_;
  const Operands& operands_;
  const tile::Program& program_;
  const Parameters& parameters_;
  size_t loop_;
  Value lane_;
  std::vector<Hoisted> hoisted_;  // one per copy of the plan; empty for those of other loops
};

}  // namespace tailor::codegen::movement
