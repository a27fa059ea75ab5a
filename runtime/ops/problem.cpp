#include "runtime/ops/problem.h"

#include "runtime/bucket/key_space.h"

namespace tailor {
namespace {

template <class Operands>
Expected<Problem> problem_of(const Operands& operands) {
  Problem problem;
  TAILOR_RETURN_IF_ERROR(fill_problem(operands, problem));
  return problem;
}

uint64_t residue_field(ResidueKind kind, int residue, uint64_t unknown, const LearnedResidues* learned) {
  return residue >= 0 && is_known_residue(kind, residue, learned) ? static_cast<uint64_t>(residue) : unknown;
}

}  // namespace

#define X(name, Operands) \
  Expected<Problem> make_problem(const Operands& operands) { return problem_of(operands); }
TAILOR_OPERANDS(X)
#undef X

Key make_key(const Problem& problem, Arch arch, Emitter emitter, Lowering lowering, const LearnedResidues* learned) {
  Key key;
  key.set(KeyField::kOp, static_cast<uint64_t>(problem.op));
  key.set(KeyField::kSchemaVersion, kSchemaVersion);
  key.set(KeyField::kArch, static_cast<uint64_t>(arch));
  key.set(KeyField::kEmitter, static_cast<uint64_t>(emitter));
  key.set(KeyField::kLowering, static_cast<uint64_t>(lowering));
  key.set(KeyField::kElementLog2, problem.element_log2);
  key.set(KeyField::kIndex64, problem.index64);
  key.set(KeyField::kSourceContiguity, static_cast<uint64_t>(problem.source_contiguity));
  key.set(KeyField::kTargetContiguity, static_cast<uint64_t>(problem.target_contiguity));
  key.set(KeyField::kSourceAlignLog2, problem.source_align_log2);
  key.set(KeyField::kTargetAlignLog2, problem.target_align_log2);
  key.set(KeyField::kSourceType, static_cast<uint64_t>(problem.source_type));
  key.set(KeyField::kTargetType, static_cast<uint64_t>(problem.target_type));
  key.set(KeyField::kIndexLog2, problem.index_log2);
  key.set(KeyField::kVariant, problem.variant);
  key.set(KeyField::kPageSize, static_cast<uint64_t>(problem.page_size));
  key.set(KeyField::kHeads, static_cast<uint64_t>(problem.heads));
  key.set(KeyField::kHeadDim, static_cast<uint64_t>(problem.head_dim));
  key.set(KeyField::kRotaryDim, static_cast<uint64_t>(problem.rotary_dim));
  key.set(KeyField::kColumnsResidue,
          residue_field(columns_residue_kind(problem), problem.columns_residue, kUnknownColumnsResidue, learned));
  key.set(KeyField::kOuterRank, problem.outer_rank);
  key.set(KeyField::kLengthMultipleLog2, problem.length_multiple_log2);
  key.set(KeyField::kReports, problem.reports);
  return canonical_form(key);
}

}  // namespace tailor
