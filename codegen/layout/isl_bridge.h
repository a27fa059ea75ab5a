// The way to isl: decisions on conjunctions of quasi-affine constraints, and layouts as isl sets and maps.
//
// Worked example: with the context {0 <= i, i <= 127, n = 17 + 128*floor(n / 128), n >= 17},
//     decide(context, "n - 1 >= 0")     -> kProved    (no point of the context breaks it)
//     decide(context, "n + 1 = 0")      -> kRefuted   (no point of the context satisfies it)
//     decide(context, "n - i - 1 >= 0") -> kResidual  (some do, some do not)
// and kUnknown when isl spent its quota of operations: never a guess, never a hang.
//
// Ownership: every call makes its own isl_ctx and frees it before it returns, so nothing stays allocated and nothing is
// shared. Threads: any, each call for itself. Errors: kUnsupported for a layout isl cannot hold: a symbolic stride
// without an exact value in the facts, because symbol times coordinate is not Presburger arithmetic; kInvalidArgument
// for what isl rejects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/layout/affine.h"
#include "codegen/layout/layout.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

// name, text, meaning
#define TAILOR_VERDICTS(X)                                             \
  X(kProved, "proved", "holds at every point of the context")          \
  X(kRefuted, "refuted", "holds at no point of the context")           \
  X(kResidual, "residual", "holds at some points and fails at others") \
  X(kUnknown, "unknown", "isl spent its quota of operations before it could decide")

enum class Verdict : uint8_t {
#define X(name, text, meaning) name,
  TAILOR_VERDICTS(X)
#undef X
};

std::string_view to_string(Verdict verdict);

// isl operations, not seconds; a decision on the layouts of practice takes a few thousand.
inline constexpr uint64_t kDefaultIslQuota = 2'000'000;

// Does `constraint` hold on all, none or some of the integer points of the context? An empty context proves everything.
Expected<Verdict> decide_by_isl(const std::vector<Constraint>& context, const Constraint& constraint,
                                uint64_t quota = kDefaultIslQuota);
// kRefuted: no integer point satisfies the conjunction. kResidual: one does. kUnknown: quota. Never kProved.
Expected<Verdict> decide_empty_by_isl(const std::vector<Constraint>& conjunction, uint64_t quota = kDefaultIslQuota);
// An integer point of the conjunction, if there is one: a witness or a counterexample. Errors: kUnavailable on quota.
Expected<std::optional<Assignment>> sample_by_isl(const std::vector<Constraint>& conjunction,
                                                  uint64_t quota = kDefaultIslQuota);

// "[n] -> { [i, j] : 0 <= i < n and … }": the domain as isl reads it, one disjunct per piece.
std::string to_isl_set(const GuardedAffineLayout& layout);
// "[n] -> { [i, j] -> [8i + j] : … ; … }". Parameters with exact facts are bound first, so that symbolic strides may
// become constants; kUnsupported when one is left.
Expected<std::string> to_isl_map(const GuardedAffineLayout& layout, const Facts& facts = {});
// Do two layouts (same dimensions, outputs) denote the same function wherever the facts hold? kProved or kRefuted;
// kUnknown: quota. Strides as for to_isl_map.
Expected<Verdict> equal_by_isl(const GuardedAffineLayout& a, const GuardedAffineLayout& b, const Facts& facts = {},
                               uint64_t quota = kDefaultIslQuota);
// kProved when no point lies under two guards; kRefuted when one does (under some parameters).
Expected<Verdict> check_disjoint(const GuardedAffineLayout& layout, const Facts& facts = {},
                                 uint64_t quota = kDefaultIslQuota);

}  // namespace tailor::codegen::layout
