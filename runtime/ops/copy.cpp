// copy: validation, symbols and facts.
#include <bit>

#include <fmt/format.h>

#include "runtime/bucket/learned_residues.h"
#include "runtime/ops/normalize_copy.h"
#include "runtime/ops/operation.h"
#include "runtime/ops/validator.h"

namespace tailor {
namespace {

constexpr int64_t kExtentMax = kExtentLimit - 1;

// Symbol of outer dimension `d` in one of the three families.
constexpr uint16_t outer(copy::Symbol first, int d) { return static_cast<uint16_t>(first + d); }
static_assert(outer(copy::kExtent0, kMaxOuterRank) == copy::kSourceStride0 &&
              outer(copy::kSourceStride0, kMaxOuterRank) == copy::kTargetStride0 &&
              outer(copy::kTargetStride0, kMaxOuterRank) == copy::kSymbolCount);

// Of `length`, and what is left of it after whole pieces of residue_modulus(kind) bytes or columns, `unit` of them to
// an element.
void residue_facts(FactWriter& facts, uint16_t length, ResidueKind kind, int64_t unit, int64_t least_pieces) {
  using namespace copy;
  const int64_t modulus = residue_modulus(kind), value = facts.value(KeyField::kColumnsResidue);
  facts.add(Fact::range(kPieces, least_pieces, kExtentMax));
  if (value == static_cast<int64_t>(kUnknownColumnsResidue)) {
    facts.add(Fact::range(kRest, 0, modulus / unit - 1));
  } else {
    facts.add(Fact::residue(length, modulus / unit, value / unit));
    facts.exact(kRest, value / unit);
  }
}

// The run of a copy of rows or elements: its length and the strides inside.
void run_facts(FactWriter& facts, int64_t source_align, int64_t target_align) {
  using namespace copy;
  const int64_t run = facts.value(KeyField::kHeadDim), element = facts.element();
  if (run != 0) {
    facts.exact(kHeadDim, run);
    facts.exact(kPieces, 0);
    facts.exact(kRest, 0);
  } else {
    facts.add(Fact::range(kHeadDim, kExactRunBytes / element + 1, kExtentMax));
    residue_facts(facts, kHeadDim, ResidueKind::kRunBytes, element, kExactRunBytes / kRunPieceBytes);
  }
  const auto dim_stride = [&](KeyField contiguity, uint16_t symbol, int64_t align, bool backwards) {
    if (facts.value(contiguity) == static_cast<int64_t>(RowContiguity::kRow)) {
      facts.exact(symbol, run == 1 ? 0 : element);
    } else if (backwards) {
      facts.signed_strides({symbol}, align);
    } else {
      facts.strides({symbol}, align);
    }
  };
  dim_stride(KeyField::kSourceContiguity, kSourceDimStride, source_align, true);
  dim_stride(KeyField::kTargetContiguity, kTargetDimStride, target_align, false);
  facts.exact(kMatrixRows, 1);
  facts.exact(kMatrixColumns, 1);
  facts.exact(kSourceMatrixStride, 0);
  facts.exact(kTargetMatrixStride, 0);
}

void matrix_facts(FactWriter& facts, int64_t source_align, int64_t target_align) {
  using namespace copy;
  facts.exact(kHeadDim, 1);
  facts.exact(kSourceDimStride, 0);
  facts.exact(kTargetDimStride, 0);
  facts.add(Fact::range(kMatrixRows, 2, kExtentMax));
  facts.add(Fact::range(kMatrixColumns, 2, kExtentMax));
  residue_facts(facts, kMatrixColumns, ResidueKind::kMatrixColumns, 1, 0);
  facts.signed_strides({kSourceMatrixStride}, source_align);
  facts.strides({kTargetMatrixStride}, target_align);
}

void copy_facts(FactWriter& facts) {
  using namespace copy;
  const int64_t source_align = int64_t{1} << facts.value(KeyField::kSourceAlignLog2);
  const int64_t target_align = int64_t{1} << facts.value(KeyField::kTargetAlignLog2);
  facts.exact(kHeads, 1);
  facts.exact(kElementBytes, facts.element());
  facts.addresses({kSource, kSourceRest}, source_align);
  facts.addresses({kTarget, kTargetRest}, target_align);
  facts.add(Fact::range(kRows, 1, kExtentMax));
  for (const copy::Symbol s : {kPieceRows, kRestRows, kRestElements}) facts.add(Fact::range(s, 0, kExtentMax));
  if (facts.value(KeyField::kVariant) == static_cast<int64_t>(CopyMode::kTransposed)) {
    matrix_facts(facts, source_align, target_align);
  } else {
    run_facts(facts, source_align, target_align);
  }
  const auto rank = static_cast<int>(facts.value(KeyField::kOuterRank));
  if (rank == 0) facts.exact(kRows, 1);
  for (int d = 0; d < kMaxOuterRank; ++d) {
    if (d < rank) {
      facts.add(Fact::range(outer(kExtent0, d), 2, kExtentMax));
      facts.signed_strides({outer(kSourceStride0, d)}, source_align);
      facts.strides({outer(kTargetStride0, d)}, target_align);
    } else {
      facts.exact(outer(kExtent0, d), 1);
      facts.exact(outer(kSourceStride0, d), 0);
      facts.exact(outer(kTargetStride0, d), 0);
    }
  }
}

// Number of elements; false when it is 2^63 or more.
bool count_elements(const Tensor& t, int64_t& count) {
  count = 1;
  bool beyond = false;
  for (int d = 0; d < t.rank; ++d) beyond |= __builtin_mul_overflow(count, t.shape[d], &count);
  return !beyond;
}

bool same_elements(const Operand& source, const Operand& target, int64_t& count, Validator& check) {
  int64_t of_target = 0;
  if (!count_elements(*source.tensor, count) || !count_elements(*target.tensor, of_target)) [[unlikely]]
    return check.refuse("source and target must have fewer than 2^63 elements");
  if (count == of_target) return true;
  return check.refuse(fmt::format("target has {} elements; it must have as many as source ({})", of_target, count));
}

// The dimensions around the run or the matrix, in order; adds what they say to the alignments.
void set_outer(const NormalizedCopy& normal, int64_t element, Problem& problem, uint64_t& source_bits,
               uint64_t& target_bits) {
  using namespace copy;
  auto& v = problem.values;
  int rank = 0;
  const int last = normal.rank - 1;
  for (int d = 0; d < last; ++d) {
    if (d == normal.columns_dim) continue;
    const CopyDim& dim = normal.dims[static_cast<size_t>(d)];
    const int64_t source = dim.source_stride * element, target = dim.target_stride * element;
    v[outer(kExtent0, rank)] = dim.extent;
    v[outer(kSourceStride0, rank)] = source;
    v[outer(kTargetStride0, rank)] = target;
    source_bits |= static_cast<uint64_t>(source);
    target_bits |= static_cast<uint64_t>(target);
    ++rank;
  }
  problem.outer_rank = static_cast<uint8_t>(rank);
  for (int d = rank; d < kMaxOuterRank; ++d) v[outer(kExtent0, d)] = 1;
}

void set_matrix(const NormalizedCopy& normal, int64_t element, Problem& problem, uint64_t& source_bits,
                uint64_t& target_bits) {
  using namespace copy;
  auto& v = problem.values;
  const CopyDim& rows = normal.dims[static_cast<size_t>(normal.rank - 1)];
  const CopyDim& columns = normal.dims[static_cast<size_t>(normal.columns_dim)];
  problem.head_dim = 1;
  problem.columns_residue = static_cast<int16_t>(columns.extent % residue_modulus(ResidueKind::kMatrixColumns));
  v[kHeadDim] = 1;
  v[kMatrixRows] = rows.extent;
  v[kMatrixColumns] = columns.extent;
  v[kSourceMatrixStride] = rows.source_stride * element;
  v[kTargetMatrixStride] = columns.target_stride * element;
  source_bits |= static_cast<uint64_t>(v[kSourceMatrixStride]);
  target_bits |= static_cast<uint64_t>(v[kTargetMatrixStride]);
}

void set_run(const NormalizedCopy& normal, int64_t element, Problem& problem, uint64_t& source_bits,
             uint64_t& target_bits) {
  using namespace copy;
  auto& v = problem.values;
  const CopyDim run = normal.rank == 0 ? CopyDim{} : normal.dims[static_cast<size_t>(normal.rank - 1)];
  const int64_t bytes = run.extent * element;
  const bool exact = bytes <= kExactRunBytes;
  problem.head_dim = exact ? run.extent : 0;
  if (!exact) problem.columns_residue = static_cast<int16_t>(bytes % residue_modulus(ResidueKind::kRunBytes));
  v[kHeadDim] = run.extent;
  v[kSourceDimStride] = run.source_stride * element;
  v[kTargetDimStride] = run.target_stride * element;
  v[kMatrixRows] = v[kMatrixColumns] = 1;
  if (normal.mode == CopyMode::kRows) return;
  if (run.source_stride != 1) problem.source_contiguity = RowContiguity::kNone;
  if (run.target_stride != 1) problem.target_contiguity = RowContiguity::kNone;
  if (run.source_stride != 1) source_bits |= static_cast<uint64_t>(v[kSourceDimStride]);
  if (run.target_stride != 1) target_bits |= static_cast<uint64_t>(v[kTargetDimStride]);
}

// Long runs and matrices are moved in whole pieces and a rest. false: there are too many.
bool set_pieces(const NormalizedCopy& normal, int64_t element, Problem& problem) {
  using namespace copy;
  auto& v = problem.values;
  const bool matrix = normal.mode == CopyMode::kTransposed;
  v[kSourceRest] = v[kSource];
  v[kTargetRest] = v[kTarget];
  if (v[kRows] * v[kMatrixRows] > kExtentMax) return false;  // both below 2^31
  if (!matrix && problem.head_dim != 0) return v[kRows] <= kExtentMax;
  const int64_t whole = matrix ? residue_modulus(ResidueKind::kMatrixColumns) : kRunPieceBytes / element;
  const int64_t length = matrix ? v[kMatrixColumns] : v[kHeadDim];
  v[kPieces] = length / whole;
  v[kRest] = length % whole;
  const int64_t lines = v[kRows] * v[kMatrixRows], moved = v[kPieces] * whole;
  v[kSourceRest] += moved * (matrix ? element : v[kSourceDimStride]);
  v[kTargetRest] += moved * (matrix ? v[kTargetMatrixStride] : v[kTargetDimStride]);
  v[kRestRows] = v[kRest] == 0 ? 0 : lines;
  bool beyond = __builtin_mul_overflow(lines, v[kPieces], &v[kPieceRows]);
  beyond |= __builtin_mul_overflow(v[kRestRows], v[kRest], &v[kRestElements]);
  return !beyond && v[kPieceRows] <= kExtentMax && v[kRestElements] <= kExtentMax;
}

// Offsets into the source below its first element need 64 bits, for a sign.
bool reads_backwards(const NormalizedCopy& normal) {
  bool backwards = false;
  for (int d = 0; d < normal.rank; ++d) backwards |= normal.dims[static_cast<size_t>(d)].source_stride < 0;
  return backwards;
}

}  // namespace

template <>
const Operation& operation_of<StridedCopy>() {
  static constexpr Operation kOperation{copy::kSymbols, copy_facts, copy::kProducts};
  return kOperation;
}

Status fill_problem(const StridedCopy& op, Problem& problem) {
  using namespace copy;
  Operand source, target;
  int64_t elements = 0;
  Validator check;
  if (!(check.strided(source, "source", op.source) && check.strided(target, "target", op.target) &&
        check.same_dtype(target, source) && same_elements(source, target, elements, check) &&
        check.write_once(target) && check.apart(target, {&source}))) [[unlikely]] {
    return check.take();
  }
  const int64_t element = source.element;
  problem.op = OpId::kCopy;
  problem.element_log2 = static_cast<uint8_t>(std::countr_zero(static_cast<uint64_t>(element)));
  problem.empty = source.empty;
  if (problem.empty) {
    problem.head_dim = 1;
    return {};
  }

  NormalizedCopy normal;
  switch (normalize_copy(op.source, op.target, normal)) {
    case NormalizeResult::kOk:
      break;
    case NormalizeResult::kNoRefinement:
      return invalid_argument(
          fmt::format("source and target have no common refinement: where source has {} elements in a row of equal "
                      "stride, target has {}; of two such numbers the smaller must divide the larger",
                      normal.dims[0].extent, normal.dims[0].source_stride));
    case NormalizeResult::kTooLarge:
      return invalid_argument(
          fmt::format("source and target refine each other to more than {} dimensions of fewer "
                      "than 2^31 elements",
                      kMaxCopyRank));
  }
  auto& v = problem.values;
  problem.variant = static_cast<uint8_t>(normal.mode);
  v[kHeads] = 1;
  v[kElementBytes] = element;
  v[kSource] = static_cast<int64_t>(op.source.address) + normal.source_offset * element;
  v[kTarget] = static_cast<int64_t>(op.target.address) + normal.target_offset * element;
  uint64_t source_bits = static_cast<uint64_t>(v[kSource]), target_bits = static_cast<uint64_t>(v[kTarget]);
  set_outer(normal, element, problem, source_bits, target_bits);
  if (normal.mode == CopyMode::kTransposed) {
    set_matrix(normal, element, problem, source_bits, target_bits);
  } else {
    set_run(normal, element, problem, source_bits, target_bits);
  }
  problem.source_align_log2 = align_log2(source_bits);
  problem.target_align_log2 = align_log2(target_bits);

  const int64_t run = v[kHeadDim] * v[kMatrixRows];  // below 2^62: elements is
  v[kRows] = elements / run / v[kMatrixColumns];
  if (!set_pieces(normal, element, problem)) [[unlikely]] {
    return invalid_argument(fmt::format(
        "source and target make {} runs or columns of {} elements; the pieces in which they are moved must be fewer "
        "than 2^31",
        v[kRows] * v[kMatrixColumns], run));
  }
  problem.index64 =
      beyond_int32(source) || beyond_int32(target) || elements >= kExtentLimit / element || reads_backwards(normal);
  return {};
}

}  // namespace tailor
