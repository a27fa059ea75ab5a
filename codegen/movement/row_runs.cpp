#include "codegen/movement/row_runs.h"

#include <algorithm>

namespace tailor::codegen::movement {
namespace {

// One node: false if the rows after it cannot be taken in runs.
bool advance(const tile::Node& node, RowRuns& runs) {
  std::vector<bool>& advances = runs.advances;
  const auto grows = [&](tile::ValueId v) { return v != tile::kNone && advances[v]; };
  const auto any = [&](const std::vector<tile::ValueId>& ids) { return std::any_of(ids.begin(), ids.end(), grows); };
  switch (node.op) {
    case tile::Op::kToken:
    case tile::Op::kJoin:
    case tile::Op::kSearch:  // for the row itself: its segment bounds the run by the check of its end
      return true;
    case tile::Op::kLoad:
      return !any(node.indices);
    case tile::Op::kAdd:
      advances[node.results[0]] = grows(node.operands[0]);
      return true;
    case tile::Op::kSub:
      advances[node.results[0]] = grows(node.operands[0]);
      return !grows(node.operands[1]);
    case tile::Op::kResolve:
      if (!grows(node.operands[0])) return true;
      advances[node.results[1]] = true;
      if (!node.extent.exact) return false;
      runs.page = runs.page == 0 ? *node.extent.exact : std::min(runs.page, *node.extent.exact);
      return true;
    case tile::Op::kCheck:
      for (size_t i = 0; i < node.relations.size(); ++i) {
        const bool left = grows(node.chain[i].value), right = grows(node.chain[i + 1].value);
        if ((left || right) && node.relations[i] == tile::Relation::kEqual) return false;
        if (left && right) return false;
      }
      return true;
    case tile::Op::kCopy:
    case tile::Op::kConvert:
      return !any(node.table_indices);
    case tile::Op::kSum:
    case tile::Op::kWhen:
    case tile::Op::kFill:
    case tile::Op::kRotate:
    case tile::Op::kTranspose:
    case tile::Op::kEach:
    case tile::Op::kRows:
      return false;
  }
  return false;
}

}  // namespace

std::optional<RowRuns> row_runs(const tile::Program& program, const tile::Node& loop) {
  RowRuns runs;
  runs.advances.resize(program.value_count(), false);
  runs.advances[loop.results[0]] = true;
  for (const tile::Node& node : loop.body) {
    if (!advance(node, runs)) return std::nullopt;
  }
  if (loop.body.empty() || loop.body[0].op != tile::Op::kSearch || runs.page < kLeastPage) return std::nullopt;
  return runs;
}

}  // namespace tailor::codegen::movement
