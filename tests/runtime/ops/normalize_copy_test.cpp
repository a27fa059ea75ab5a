// The normal form of a strided copy, and the problem made of it, against enumeration: the same pairs of addresses.
#include "runtime/ops/normalize_copy.h"

#include <algorithm>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/ops/problem.h"
#include "tests/runtime/ops/operands.h"
#include "tests/runtime/ops/random_operands.h"

namespace tailor {
namespace {

using testing::at;
using testing::OperandGenerator;
using Pairs = std::vector<std::pair<int64_t, int64_t>>;  // address read, address written

int64_t element_count(const Tensor& t) {
  int64_t count = 1;
  for (int d = 0; d < t.rank; ++d) count *= t.shape[d];
  return count;
}

// The addresses of a tensor's elements in row-major order of its indices.
std::vector<int64_t> addresses(const Tensor& t) {
  std::vector<int64_t> list;
  std::array<int64_t, kMaxRank> index{};
  for (;;) {
    int64_t address = static_cast<int64_t>(t.address);
    for (int d = 0; d < t.rank; ++d) address += index[d] * t.stride[d] * element_bytes(t.dtype);
    list.push_back(address);
    int d = t.rank - 1;
    while (d >= 0 && ++index[d] == t.shape[d]) index[d--] = 0;
    if (d < 0) return list;
  }
}

Pairs sorted(Pairs pairs) {
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

Pairs wanted(const StridedCopy& op) {
  const auto source = addresses(op.source), target = addresses(op.target);
  EXPECT_EQ(source.size(), target.size());
  Pairs pairs;
  for (size_t i = 0; i < source.size(); ++i) pairs.emplace_back(source[i], target[i]);
  return sorted(pairs);
}

// One more dimension around what `pairs` holds.
void extend(Pairs& pairs, int64_t extent, int64_t source_stride, int64_t target_stride) {
  const size_t count = pairs.size();
  for (int64_t i = 1; i < extent; ++i) {
    for (size_t p = 0; p < count; ++p) {
      pairs.emplace_back(pairs[p].first + i * source_stride, pairs[p].second + i * target_stride);
    }
  }
}

Pairs pairs_of(const NormalizedCopy& copy, const StridedCopy& op) {
  const int64_t element = element_bytes(op.source.dtype);
  Pairs pairs = {{static_cast<int64_t>(op.source.address) + copy.source_offset * element,
                  static_cast<int64_t>(op.target.address) + copy.target_offset * element}};
  for (int d = 0; d < copy.rank; ++d) {
    const CopyDim& dim = copy.dims[static_cast<size_t>(d)];
    extend(pairs, dim.extent, dim.source_stride * element, dim.target_stride * element);
  }
  return sorted(pairs);
}

// Whole pieces and the rest are the run, or the columns.
void check_pieces(const Problem& problem) {
  using namespace copy;
  const auto& v = problem.values;
  const bool matrix = problem.variant == static_cast<uint8_t>(CopyMode::kTransposed);
  if (!matrix && problem.head_dim != 0) {
    EXPECT_EQ(v[kPieces] | v[kRest] | v[kPieceRows] | v[kRestRows] | v[kRestElements], 0);
    return;
  }
  const int64_t whole = matrix ? 64 : 512 / v[kElementBytes], lines = v[kRows] * v[kMatrixRows];
  EXPECT_EQ(v[kPieces] * whole + v[kRest], matrix ? v[kMatrixColumns] : v[kHeadDim]);
  EXPECT_LT(v[kRest], whole);
  EXPECT_EQ(v[kPieceRows], lines * v[kPieces]);
  EXPECT_EQ(v[kRestRows], v[kRest] > 0 ? lines : 0);
  EXPECT_EQ(v[kRestElements], lines * v[kRest]);
  EXPECT_EQ(v[kSourceRest] - v[kSource], v[kPieces] * whole * (matrix ? v[kElementBytes] : v[kSourceDimStride]));
  EXPECT_EQ(v[kTargetRest] - v[kTarget], v[kPieces] * whole * (matrix ? v[kTargetMatrixStride] : v[kTargetDimStride]));
}

// What a kernel does that reads nothing but the symbols.
Pairs pairs_of(const Problem& problem) {
  using namespace copy;
  const auto& v = problem.values;
  Pairs pairs = {{v[kSource], v[kTarget]}};
  extend(pairs, v[kHeadDim], v[kSourceDimStride], v[kTargetDimStride]);
  const int64_t element = v[kElementBytes];
  extend(pairs, v[kMatrixRows], v[kSourceMatrixStride], element);
  extend(pairs, v[kMatrixColumns], element, v[kTargetMatrixStride]);
  int64_t rows = 1;
  for (int d = 0; d < kMaxOuterRank; ++d) {
    extend(pairs, v[kExtent0 + d], v[kSourceStride0 + d], v[kTargetStride0 + d]);
    rows *= v[kExtent0 + d];
  }
  EXPECT_EQ(rows, v[kRows]);
  check_pieces(problem);
  return sorted(pairs);
}

TEST(NormalizeCopy, MovesTheSameElements) {
  OperandGenerator g(31);
  std::map<CopyMode, int> modes;
  std::set<int> ranks;
  for (int round = 0; round < 4000; ++round) {
    StridedCopy op;
    testing::randomize(g, op);
    const auto problem = make_problem(op);
    ASSERT_TRUE(problem.ok()) << problem.status().message();
    if (problem->empty || element_count(op.source) > 20000) continue;
    NormalizedCopy copy;
    ASSERT_EQ(normalize_copy(op.source, op.target, copy), NormalizeResult::kOk);
    const Pairs expected = wanted(op);
    ASSERT_EQ(pairs_of(copy, op), expected) << round;
    ASSERT_EQ(pairs_of(*problem), expected) << round;
    for (int d = 0; d < copy.rank; ++d) {
      const CopyDim& dim = copy.dims[static_cast<size_t>(d)];
      ASSERT_GT(dim.extent, 1);
      ASSERT_GT(dim.target_stride, 0);
      if (d == 0) continue;
      const CopyDim& around = copy.dims[static_cast<size_t>(d - 1)];
      ASSERT_GT(around.target_stride, dim.target_stride) << "the finest is last";
      ASSERT_FALSE(around.target_stride == dim.extent * dim.target_stride &&
                   around.source_stride == dim.extent * dim.source_stride)
          << "they lie as one";
    }
    ++modes[copy.mode];
    ranks.insert(copy.rank);
  }
  for (CopyMode mode : {CopyMode::kRows, CopyMode::kTransposed, CopyMode::kElements}) {
    EXPECT_GT(modes[mode], 200) << to_string(mode);
  }
  EXPECT_GE(ranks.size(), 6u);
}

// A reshape is refused exactly when no list of dimensions has its pairs. Small shapes with gaps, so that nothing
// merges: the source's address as a function of the target's index is then affine in digits only if the shapes nest.
TEST(NormalizeCopy, RefusesShapesThatDoNotNest) {
  const auto result = [](std::initializer_list<int64_t> source, std::initializer_list<int64_t> target, bool gaps) {
    StridedCopy op;
    op.source = Tensor::dense(at(0), DType::kUInt8, source);
    op.target = Tensor::dense(at(1), DType::kUInt8, target);
    if (gaps) {
      for (Tensor* t : {&op.source, &op.target}) {
        int64_t stride = 1;
        for (int d = t->rank; d-- > 0;) t->stride[d] = stride, stride = stride * t->shape[d] + 1;
      }
    }
    NormalizedCopy copy;
    return normalize_copy(op.source, op.target, copy);
  };
  EXPECT_EQ(result({2, 3}, {3, 2}, false), NormalizeResult::kOk) << "both merge to 6";
  EXPECT_EQ(result({2, 3}, {3, 2}, true), NormalizeResult::kNoRefinement);
  EXPECT_EQ(result({2, 6}, {4, 3}, true), NormalizeResult::kOk) << "2, 2, 3";
  EXPECT_EQ(result({4, 6}, {6, 4}, true), NormalizeResult::kNoRefinement);
  EXPECT_EQ(result({4, 6}, {2, 12}, true), NormalizeResult::kOk);
  EXPECT_EQ(result({24}, {2, 3, 4}, true), NormalizeResult::kOk);
  EXPECT_EQ(result({2, 2, 2, 2, 2}, {4, 8}, true), NormalizeResult::kOk);
  EXPECT_EQ(result({5, 7}, {7, 5}, true), NormalizeResult::kNoRefinement);
}

Problem problem_of(const Tensor& source, const Tensor& target) {
  const auto problem = make_problem(StridedCopy{source, target});
  EXPECT_TRUE(problem.ok()) << problem.status().message();
  return problem.ok() ? *problem : Problem{};
}

Tensor permuted(Tensor t, std::initializer_list<int> order) {
  Tensor p = t;
  int d = 0;
  for (int from : order) p.shape[d] = t.shape[from], p.stride[d] = t.stride[from], ++d;
  return p;
}

// A dense copy of any shape is one run; beyond 2^31 elements it is cut.
TEST(CopyProblem, DenseIsOneRun) {
  const Tensor source = Tensor::dense(at(0), DType::kFloat16, {3, 5, 7, 8});
  const Problem p = problem_of(source, Tensor::dense(at(1), DType::kFloat16, {8, 105}));
  EXPECT_EQ(p.variant, static_cast<int>(CopyMode::kRows));
  EXPECT_EQ(p.outer_rank, 0);
  EXPECT_EQ(p.head_dim, 840);
  EXPECT_EQ(p.columns_residue, -1) << "1680 bytes are exact in the key";
  const Problem longer =
      problem_of(Tensor::dense(at(0), DType::kFloat16, {4, 420}), Tensor::dense(at(1), DType::kFloat16, {1680}));
  EXPECT_EQ(longer.head_dim, 0);
  EXPECT_EQ(longer.columns_residue, 3360 % 512);
  EXPECT_EQ(longer.values[copy::kHeadDim], 1680);
  EXPECT_EQ(longer.values[copy::kPieces], 6);
  EXPECT_EQ(longer.values[copy::kRest], 144);
  const uint64_t far = uint64_t{1} << 50;
  const Problem huge = problem_of(Tensor::dense(at(0), DType::kUInt8, {1 << 20, 3 << 12, 5}),
                                  Tensor::dense(at(0) + far, DType::kUInt8, {5, 3 << 20, 1 << 12}));
  EXPECT_TRUE(huge.index64);
  EXPECT_EQ(huge.outer_rank, 1);
  EXPECT_EQ(huge.values[copy::kHeadDim] * huge.values[copy::kExtent0], int64_t{15} << 32);
  EXPECT_LT(huge.values[copy::kHeadDim], int64_t{1} << 31);
}

TEST(CopyProblem, ModesFollowTheFinestDimensions) {
  const auto mode = [](const Tensor& source, const Tensor& target) {
    return static_cast<CopyMode>(problem_of(source, target).variant);
  };
  const Tensor a = Tensor::dense(at(0), DType::kFloat32, {6, 10, 12}), b = Tensor::dense(at(1), DType::kFloat32, {1});
  const auto dense = [](std::initializer_list<int64_t> shape) { return Tensor::dense(at(1), DType::kFloat32, shape); };
  EXPECT_EQ(mode(permuted(a, {1, 0, 2}), dense({10, 6, 12})), CopyMode::kRows);
  EXPECT_EQ(mode(permuted(a, {2, 1, 0}), dense({12, 10, 6})), CopyMode::kTransposed);
  EXPECT_EQ(mode(permuted(a, {0, 2, 1}), dense({6, 12, 10})), CopyMode::kTransposed);
  Tensor slice = a;  // a[:, :, ::2]
  slice.shape[2] = 6, slice.stride[2] = 2;
  EXPECT_EQ(mode(slice, dense({6, 10, 6})), CopyMode::kElements);
  Tensor backwards = a;  // a[:, :, ::-1]
  backwards.address += 11 * 4, backwards.stride[2] = -1;
  EXPECT_EQ(mode(backwards, dense({6, 10, 12})), CopyMode::kElements);
  Tensor upside_down = a;  // a[::-1]
  upside_down.address += 5 * 120 * 4, upside_down.stride[0] = -120;
  EXPECT_EQ(mode(upside_down, dense({6, 10, 12})), CopyMode::kRows);
  Tensor broadcast = a;
  broadcast.stride = {};
  EXPECT_EQ(mode(broadcast, dense({6, 10, 12})), CopyMode::kElements);
  EXPECT_EQ(mode(Tensor::dense(at(0), DType::kFloat32, {1, 1, 1}), b), CopyMode::kRows);
}

// x[::2] to x[1::2]: no byte is shared, the ranges are; the message says which of the two is asked for.
TEST(CopyProblem, InterleavedViewsAreRefusedByTheirByteRanges) {
  StridedCopy op;
  op.source = op.target = Tensor::dense(at(0), DType::kFloat32, {50});
  op.source.stride[0] = op.target.stride[0] = 2;
  op.target.address += 4;
  const auto problem = make_problem(op);
  ASSERT_FALSE(problem.ok());
  EXPECT_THAT(problem.status().message(), ::testing::HasSubstr("byte ranges"));
  EXPECT_THAT(problem.status().message(), ::testing::HasSubstr("interleave without sharing a byte are refused"));
  op.target.address += 2 * 50 * 4;
  EXPECT_TRUE(make_problem(op).ok()) << "beyond the source's range";
}

// Common residues are in the key, others are not until they are learned.
TEST(CopyKey, HostKnownExtentsGiveTheKeysThatTheirCodeDeserves) {
  LearnedResidues learned;
  const auto key = [&](int64_t m, int64_t n) {
    const Tensor source = Tensor::dense(at(0), DType::kFloat16, {m, n});
    return make_key(problem_of(permuted(source, {1, 0}), Tensor::dense(at(1), DType::kFloat16, {n, m})), Arch::kSm90a,
                    Emitter::kLlvm, Lowering::kTail, &learned);
  };
  const auto columns = [&](int64_t n) { return key(128, n).get(KeyField::kColumnsResidue); };
  EXPECT_EQ(columns(48), 48u);
  EXPECT_EQ(columns(64 * 5), 0u);
  EXPECT_EQ(columns(65), kUnknownColumnsResidue);
  EXPECT_EQ(key(128, 64), key(256, 1024)) << "the same code";
  EXPECT_EQ(key(128, 64), key(144, 64)) << "the code is the same for every number of rows";
  EXPECT_NE(key(128, 64), key(128, 48));
  const Key before = key(128, 65);
  EXPECT_EQ(columns(73), columns(65)) << "unknown is one key";
  learned.add(ResidueKind::kRunBytes, 1);
  EXPECT_EQ(columns(65), kUnknownColumnsResidue) << "the kinds are apart";
  learned.add(ResidueKind::kMatrixColumns, 1);
  EXPECT_EQ(columns(65), 1u);
  EXPECT_EQ(columns(73), kUnknownColumnsResidue);
  learned.remove(residue_index(ResidueKind::kMatrixColumns, 1));
  EXPECT_EQ(key(128, 65), before);

  const auto run = [&](int64_t bytes) {
    Tensor source = Tensor::dense(at(0), DType::kUInt8, {8, bytes});
    source.stride[0] += 16;
    return make_key(problem_of(source, Tensor::dense(at(1), DType::kUInt8, {8, bytes})), Arch::kSm90a, Emitter::kLlvm,
                    Lowering::kTail, &learned);
  };
  EXPECT_EQ(run(2048).get(KeyField::kHeadDim), 2048u);
  EXPECT_EQ(run(2048).get(KeyField::kColumnsResidue), kUnknownColumnsResidue) << "an exact length needs none";
  EXPECT_EQ(run(4096).get(KeyField::kHeadDim), 0u);
  EXPECT_EQ(run(4096).get(KeyField::kColumnsResidue), 0u);
  EXPECT_EQ(run(4112).get(KeyField::kColumnsResidue), 16u);
  EXPECT_EQ(run(4113).get(KeyField::kColumnsResidue), kUnknownColumnsResidue);
  learned.add(ResidueKind::kRunBytes, 17);
  EXPECT_EQ(run(4113).get(KeyField::kColumnsResidue), 17u);
}

}  // namespace
}  // namespace tailor
