// Discharge: guards decided by what is known vanish; what is left is reported and split into body and fringe.
//
// Worked example: rows of a matrix, tiled by 128, in the bucket M % 128 = 17, M <= 4096:
//     layout [M, T] (t: T, r: 128) -> 1 { when M - 128*t - r - 1 >= 0: (128*t + r); }
// Under M % 128 = 0, M >= 128 and 128*T = M the guard is proved and vanishes. Under M % 128 = 17 it is residual and
// depends on {M, r, t}. split_body_fringe over the inner dimension r gives
//     body    when M - 128*t - 128 >= 0     (the guard at its worst r: one test per tile, none per row)
//     fringe  when 127 + 128*t - M >= 0 and M - 128*t - r - 1 >= 0     (the complement of the body)
// Both are exact: body ∪ fringe is the piece, and they are disjoint. discharge() makes the same split by itself, over
// the thread dimensions of constant extent that residual guards mention, and drops the pieces of it that the facts
// leave without a point. With M launch the guard is `thread`; so is the body's test, since t is; tiles bound at launch
// ({"t", kLaunch}) would make it `launch`, one uniform branch.
//
// Ownership: value types; each isl question has a context of its own, freed at once. Threads: pure functions. Errors:
// kInvalidArgument (overflow, unknown names). A quota spent is the verdict kUnknown, and the guard stays.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/layout/binding.h"
#include "codegen/layout/facts.h"
#include "codegen/layout/isl_bridge.h"
#include "codegen/layout/layout.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

// Do the facts decide the constraint over parameters? Residue and range logic first, isl only when that is silent.
Expected<Verdict> implies(const Facts& facts, const Constraint& constraint, uint64_t quota = kDefaultIslQuota);
// The same for a constraint over dimensions too, given the layout's bounds and further constraints that hold.
Expected<Verdict> implies_on_domain(const Facts& facts, const std::vector<Dim>& dims,
                                    const std::vector<Constraint>& context, const Constraint& constraint,
                                    uint64_t quota = kDefaultIslQuota);
// The fast path alone: kProved, kRefuted, or kUnknown when residues and ranges do not tell.
Verdict implies_by_residues(const Facts& facts, const std::vector<Dim>& dims, const Constraint& constraint);

struct GuardReport {
  size_t piece = 0;  // index in the layout that was given
  Constraint constraint;
  Verdict verdict = Verdict::kUnknown;
  std::set<std::string> depends_on;            // dimensions and parameters of the guard
  BindingTime binding = BindingTime::kStatic;  // the latest of theirs: when the guard, if it stays, is decided
};

struct BodyAndFringe {
  GuardedAffineLayout body;    // guards free of the inner dimensions
  GuardedAffineLayout fringe;  // the rest, guard by guard
};

struct DischargeResult {
  GuardedAffineLayout layout;       // proved guards dropped, refuted pieces dropped
  std::vector<GuardReport> guards;  // every guard of every piece, in order
  bool unconditional() const;       // no guard is left

  // `layout` again, as two layouts of disjoint domains: where what is left of the guards holds for all of `inner`, and
  // the rest. Either may have no piece: the body where no guard holds throughout, the fringe where none is left.
  BodyAndFringe split;
  std::set<std::string> inner;         // the dimensions that the body's tests no longer mention
  std::optional<BindingTime> decided;  // the latest of the body's tests; nullopt where the body has no test
};

// Each guard is decided under the facts, the bounds of the dimensions, and the other guards of its piece that stay.
Expected<DischargeResult> discharge(const GuardedAffineLayout& layout, const Facts& facts,
                                    const Bindings& bindings = {}, uint64_t quota = kDefaultIslQuota);

// Splits every piece along its guards that mention an inner dimension. Inner dimensions need constant extents; a guard
// with an inner dimension inside a floor term, or an equality over inner dimensions, goes to the fringe whole.
Expected<BodyAndFringe> split_body_fringe(const GuardedAffineLayout& layout, const std::set<std::string>& inner_dims);

}  // namespace tailor::codegen::layout
