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

// A kernel parameter: a host symbol, or one of the two numbers that the plan computes.
struct HostParameter {
  std::string name;
  kernel::Type type = kernel::Type::kI64;
  bool read_only = false;
  PlanExpression value;
};

inline constexpr const char* kChunk = "chunk";    // rows per block
inline constexpr const char* kReport = "report";  // 1 if a status word was supplied

// What the program and the plan mention, each once: addresses first, then strides, then extents.
Expected<std::vector<HostParameter>> host_parameters(const tile::Program& program, const RowPlan& rows, const Key& key);

LaunchPlan launch_plan(const kernel::Program& program, const std::vector<HostParameter>& parameters,
                       const RowPlan& rows, uint16_t rows_symbol);

// The facts of the key that the code stands on: static values, ranges of its parameters, exact strides it folded, and
// divisibility by the widest access it makes, not by all that the key knows.
FactSet premises(const tile::Program& program, const std::vector<HostParameter>& parameters, const RowPlan& rows,
                 const Key& key);

}  // namespace tailor::codegen::movement
