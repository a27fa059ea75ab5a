// Emits the moves of a row: hoists what depends on the lane alone out of the loop over rows, and writes loads before
// stores, a handful of vectors at a time.
//
// Ownership: refers to the plan and the parameters, which must outlive it. Thread-safety: none.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/movement/code.h"
#include "codegen/movement/plan_rows.h"

namespace tailor::codegen::movement {

// Kernel values of host symbols: addresses ptr, strides of the index type, extents i32.
using Parameters = std::map<std::string, Value, std::less<>>;

class CopyRows {
 public:
  CopyRows(const RowPlan& plan, const tile::Program& program, const Parameters& parameters)
      : plan_(plan), program_(program), parameters_(parameters) {}

  // In the code that dominates the loop over rows: offsets, guards and lane tests of every wave.
  void hoist(Code& code, Value lane);

  struct RowOffsets {
    Value source, target;  // of the row's start in each view, of the index type; missing: 0
  };
  // Moves one row: the copies first, first + 1, … of the plan, one per entry of `offsets`, whose order does not matter
  // and whose geometry is the same.
  void emit(Code& code, size_t first, const std::vector<RowOffsets>& offsets);

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
    int64_t width = 0;
    std::string what;
    Sum source, target;
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
  };

  std::vector<Sum> decode(Code& code, const Stream& stream, Position at) const;
  Sum offset(Code& code, const Stream& stream, const std::vector<Sum>& digits, bool source) const;
  Value guard(Code& code, const Stream& stream, const Position& at, const std::vector<Sum>& digits) const;
  Wave wave(Code& code, const Stream& stream, const Position& at, std::string what, bool guarded) const;
  void hoist_bases(Code& code, const CopyPlan& copy, Hoisted& hoisted) const;
  // waves[c] of copy first + c, to and from the rows at offsets[c].
  void move(Code& code, size_t first, const std::vector<RowOffsets>& offsets,
            const std::vector<std::vector<const Wave*>>& waves) const;
  void long_stream(Code& code, size_t first, const std::vector<RowOffsets>& offsets, size_t index) const;

  const RowPlan& plan_;
  const tile::Program& program_;
  const Parameters& parameters_;
  Value lane_;
  std::vector<Hoisted> hoisted_;  // one per copy
};

}  // namespace tailor::codegen::movement
