// The guards of a row's accesses, decided over (lane, wave): what the tail lowering may leave out, and what the other
// lowerings keep as predicates.
//
// Example: 128 vectors by 16 lanes and 8 waves: "lane + 16*wave <= 127 for lane < 16, wave < 8" is proved, and no
// access carries a predicate. With 32 lanes for 127 vectors the same guard is residual on the last wave and stays.
//
// Thread-safety: pure functions. Errors: those of codegen/layout.
#pragma once

#include <string>
#include <vector>

#include "codegen/layout/discharge.h"
#include "codegen/movement/plan_rows.h"
#include "codegen/tile/tile.h"
#include "tailor/status.h"

namespace tailor::codegen::movement {

struct GuardProof {
  std::string subject;  // "k_pages <- k, vector 16 B"
  std::string guard;    // "127 - lane - 16*wave >= 0"
  std::string domain;   // "lane < 16, wave < 8"
  layout::Verdict verdict = layout::Verdict::kUnknown;
};

// Every guard: per stream its count and, where runs are decoded, each digit; per `resolve` the slot within its page.
Expected<std::vector<GuardProof>> discharge_guards(const tile::Program& program, const RowPlan& rows);

// The tail lowering's obligation, on the launch path's budget: kInternal unless every count guard is proved.
Status check_discharged(const tile::Program& program, const RowPlan& rows);

// Text for `tailor emit --what=layout`: the layouts of both sides, the copy shape and why, lanes and waves, guards.
Expected<std::string> explain(const tile::Program& program, const RowPlan& rows);

}  // namespace tailor::codegen::movement
