// Lowers the body of a loop, node by node: scalars, checks with their faults and choices. What moves rows is left to
// its caller (CopyRows, TransposeRows).
//
// A check nests the rest of its body in its success; comparisons that earlier checks imply are dropped, and
// 0 <= x < y is one unsigned comparison. `sum` compares the unsigned 32-bit sum of two numbers below 2^31, which cannot
// wrap. A fault becomes max(status, ((2^48 - 1 - index) << 8) | fault): the smallest index wins (tailor/ops.h).
//
// Ownership: refers to what it is given. Thread-safety: none. Errors: none; the program must be one that tile::verify
// accepts.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "codegen/movement/code.h"
#include "codegen/movement/operands.h"
#include "codegen/movement/search.h"
#include "codegen/tile/known.h"
#include "codegen/tile/tile.h"

namespace tailor::codegen::movement {

class LowerBody {
 public:
  // Emits what body[at] moves, and the nodes after it that go with it; returns the last one's index. `scalars`: by
  // ValueId. `run`: for how many rows what is known here holds; missing: for one.
  using Move = std::function<size_t(Code& code, const std::vector<tile::Node>& body, size_t at,
                                    const std::vector<Value>& scalars, Value run)>;

  // `reporter` is true in the one thread that reports the faults of a row; missing: every thread does. `move` is empty
  // in loops that move nothing.
  LowerBody(const Operands& operands, Value reporter, Move move)
      : operands_(operands),
        program_(operands.program()),
        reporter_(reporter),
        move_(std::move(move)),
        scalars_(program_.value_count()) {}

  // Before `run`: what a load of the body yields, which is then not made again.
  void define(const tile::Node& load, Value value) { scalars_[load.results[0]] = value; }

  // One iteration, at `index` of the loop, with what its search found, if it searches.
  void run(Code& code, const tile::Node& loop, Value index, const Segment& found);

  // The same for up to `most` rows from `index` on (row_runs.h); returns for how many it was, 1 or more.
  Value run(Code& code, const tile::Node& loop, Value index, const Segment& found, const std::vector<bool>& advances,
            Value most);

 private:
  using Values = kernel::Builder::Values;
  // The nodes of `body` from `at` on; returns the length of the run, if rows are taken in runs.
  Values nodes(Code& code, const std::vector<tile::Node>& body, size_t at);
  Values taken() const { return advances_ ? Values{run_} : Values{}; }
  void narrow(Code& code, const tile::Node& node);
  Value length_of_failure(Code& code, const tile::Node& node) const;
  void scalar(Code& code, const tile::Node& node);
  // What `node` needs to hold for the iteration to go on; missing: nothing.
  Value condition(Code& code, const tile::Node& node);
  Value chain(Code& code, const tile::Node& node);
  Values go_on_if(Code& code, Value holds, const std::vector<tile::Node>& body, size_t at);
  void choose(Code& code, const tile::Node& when);
  void report(Code& code, const tile::Node& node);

  std::vector<Value> values(const std::vector<tile::ValueId>& ids) const;
  Value value(Code& code, const tile::Term& term) const;

  const Operands& operands_;
  const tile::Program& program_;
  Value reporter_;
  Move move_;
  Segment found_;
  std::vector<Value> scalars_;  // by ValueId
  const std::vector<bool>* advances_ = nullptr;
  Value run_;
  tile::Known known_;
};

}  // namespace tailor::codegen::movement
