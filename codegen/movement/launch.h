// The host's side of a lowered kernel: which symbols it takes, how they reach it, what it presumes of them.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include "codegen/kernel/ir.h"
#include "codegen/movement/plan_rows.h"
#include "codegen/tile/tile.h"
#include "runtime/bucket/facts.h"
#include "runtime/bucket/key.h"
#include "runtime/ops/launch_plan.h"
#include "tailor/status.h"

namespace tailor::codegen::movement {

// A kernel parameter: a host symbol, or a number that the plan computes.
struct HostParameter {
  std::string name;
  kernel::Type type = kernel::Type::kI64;
  bool read_only = false;
  PlanExpression value;
};

inline constexpr const char* kReport = "report";  // 1 if a status word was supplied
// Rows per block of the program's n-th rows loop: "chunk", "chunk1", …
std::string chunk_name(size_t n);
// The reciprocal of a symbol (see PlanOp::kMagicMultiplier).
std::string multiplier_name(const std::string& symbol);
std::string shift_name(const std::string& symbol);

// What the program and the plan mention, each once: addresses first, then strides, then extents.
Expected<std::vector<HostParameter>> host_parameters(const tile::Program& program, const RowPlan& rows, const Key& key);

// As many blocks as the longest rows loop occupies, at most as many as are resident at once.
Expected<LaunchPlan> launch_plan(const tile::Program& program, const kernel::Program& kernel,
                                 const std::vector<HostParameter>& parameters, const RowPlan& rows, const Key& key);

// The facts of the key that the code stands on: static values, ranges of its parameters, exact strides it folded, and
// divisibility by the widest access it makes, not by all that the key knows.
FactSet premises(const tile::Program& program, const std::vector<HostParameter>& parameters, const RowPlan& rows,
                 const Key& key);

}  // namespace tailor::codegen::movement
