// copy, from operands to bytes: random strided tensors through validation, key, tile program, lowering and the
// interpreter of the lowered program, against element by element.
#include <cstring>
#include <map>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "codegen/kernel/text.h"
#include "codegen/movement/lower.h"
#include "codegen/ops/operations.h"
#include "runtime/bucket/key_space.h"
#include "runtime/bucket/learned_residues.h"
#include "runtime/ops/problem.h"
#include "tests/codegen/movement/scenario.h"

namespace tailor {
namespace {

using codegen::kernel::testing::interpret;
using codegen::kernel::testing::MemoryBlock;

// A tensor in a buffer of its own: element 0 of the buffer lies at `buffer`.
struct Placed {
  Tensor tensor;
  uint64_t buffer = 0;
  int64_t elements = 0;  // of the buffer
};

class Random {
 public:
  explicit Random(unsigned seed) : random_(seed) {}
  int64_t pick(int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(random_); }
  template <class T>
  void shuffle(std::vector<T>& v) {
    std::shuffle(v.begin(), v.end(), random_);
  }

 private:
  std::mt19937 random_;
};

// Strides of distinct elements for `shape`: some order of the dimensions, gaps, flips; broadcasts where allowed.
Placed place(Random& random, const std::vector<int64_t>& shape, DType dtype, uint64_t buffer, bool broadcasts) {
  Placed p;
  p.buffer = buffer;
  p.tensor.dtype = dtype;
  p.tensor.rank = static_cast<int>(shape.size());
  std::vector<size_t> order(shape.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (random.pick(0, 1)) random.shuffle(order);
  int64_t span = 1, first = random.pick(0, 2) == 0 ? 0 : 16 / element_bytes(dtype) * random.pick(0, 1);
  for (size_t k = order.size(); k-- > 0;) {
    const size_t d = order[k];
    p.tensor.shape[d] = shape[d];
    const bool gap = random.pick(0, 3) == 0;
    int64_t stride = gap ? span + (random.pick(0, 1) ? 1 : 16) : span;
    if (broadcasts && random.pick(0, 9) == 0) {
      p.tensor.stride[d] = 0;
      continue;
    }
    span = stride * shape[d];
    if (random.pick(0, 4) == 0) {
      first += (shape[d] - 1) * stride;
      stride = -stride;
    }
    p.tensor.stride[d] = stride;
  }
  p.elements = first + span + 16;
  p.tensor.address = buffer + static_cast<uint64_t>(first * element_bytes(dtype));
  return p;
}

// Offsets of the elements in row-major order, in elements of the buffer.
std::vector<int64_t> offsets(const Placed& p) {
  const int64_t element = element_bytes(p.tensor.dtype);
  std::vector<int64_t> result{static_cast<int64_t>(p.tensor.address - p.buffer) / element};
  for (int d = 0; d < p.tensor.rank; ++d) {
    std::vector<int64_t> next;
    for (const int64_t base : result) {
      for (int64_t i = 0; i < p.tensor.shape[d]; ++i) next.push_back(base + i * p.tensor.stride[d]);
    }
    result = std::move(next);
  }
  return result;
}

std::set<std::string> modes;

void expect_copies(const Placed& source, const Placed& target, Lowering lowering, Random& random,
                   const LearnedResidues* learned) {
  const Expected<Problem> problem = make_problem(StridedCopy{source.tensor, target.tensor});
  ASSERT_TRUE(problem.ok()) << problem.status().to_string();
  const std::vector<int64_t> from = offsets(source), to = offsets(target);
  ASSERT_EQ(problem->empty, from.empty());
  if (problem->empty) return;
  const Key key = make_key(*problem, Arch::kSm90a, Emitter::kLlvm, lowering, learned);
  SCOPED_TRACE(to_string(key));
  const Status valid = validate(key);
  ASSERT_TRUE(valid.ok()) << valid.to_string();
  for (const Fact& fact : facts_of(key)) {
    ASSERT_TRUE(holds(fact, problem->symbols())) << to_string(fact, symbols_of(key.op())[fact.symbol].name);
  }
  const Expected<codegen::tile::Program> tile = codegen::ops::build_tile(key);
  ASSERT_TRUE(tile.ok()) << tile.status().to_string();
  const Status well_formed = codegen::tile::verify(*tile);
  ASSERT_TRUE(well_formed.ok()) << well_formed.to_string() << "\n" << codegen::tile::print(*tile);
  const Expected<codegen::movement::Lowered> lowered = codegen::movement::lower(*tile, key);
  ASSERT_TRUE(lowered.ok()) << lowered.status().to_string();
  const Status verified = codegen::kernel::verify(lowered->program);
  ASSERT_TRUE(verified.ok()) << verified.to_string();
  for (const Fact& premise : lowered->premises) ASSERT_TRUE(holds(premise, problem->symbols()));

  const int64_t element = element_bytes(source.tensor.dtype);
  const auto block = [&](const Placed& p, bool writable) {
    MemoryBlock b{p.buffer, std::vector<uint8_t>(static_cast<size_t>(p.elements * element)), writable};
    for (uint8_t& byte : b.bytes) byte = static_cast<uint8_t>(random.pick(0, 255));
    return b;
  };
  std::vector<MemoryBlock> memory{block(source, false), block(target, true)};
  std::vector<uint8_t> expected = memory[1].bytes;
  for (size_t i = 0; i < from.size(); ++i) {
    std::memcpy(expected.data() + to[i] * element, memory[0].bytes.data() + from[i] * element,
                static_cast<size_t>(element));
  }
  const DeviceNumbers device{2, 1};
  const std::vector<int64_t> symbols(problem->values.begin(), problem->values.end());
  const int64_t grid = evaluate(lowered->plan.grid[0], symbols, device);
  const std::vector<int64_t> parameters = test::parameter_values(lowered->plan, symbols, device);
  ASSERT_EQ(interpret(lowered->program, {static_cast<uint32_t>(grid), {parameters.begin(), parameters.end()}}, memory),
            "");
  ASSERT_TRUE(memory[1].bytes == expected);
  modes.insert(std::string(to_string(static_cast<CopyMode>(key.get(KeyField::kVariant)))));
}

constexpr DType kTypes[] = {DType::kUInt8, DType::kBFloat16, DType::kFloat32, DType::kInt64};

class Copy : public testing::TestWithParam<Lowering> {};

TEST_P(Copy, RandomPermutationsSlicesFlipsAndBroadcasts) {
  Random random(17);
  LearnedResidues learned;
  for (int r = 0; r < residue_modulus(ResidueKind::kMatrixColumns); ++r) learned.add(ResidueKind::kMatrixColumns, r);
  modes.clear();
  for (int trial = 0; trial < 220 && !HasFailure(); ++trial) {
    const DType dtype = kTypes[random.pick(0, 3)];
    std::vector<int64_t> shape(static_cast<size_t>(random.pick(1, 5)));
    for (int64_t& extent : shape) extent = random.pick(0, 12) == 0 ? random.pick(0, 1) : random.pick(1, 7);
    if (random.pick(0, 2) == 0) shape[static_cast<size_t>(random.pick(0, std::ssize(shape) - 1))] = random.pick(30, 90);
    expect_copies(place(random, shape, dtype, 0x10000, true), place(random, shape, dtype, 0x40000000, false),
                  GetParam(), random, random.pick(0, 1) ? &learned : nullptr);
  }
  EXPECT_EQ(modes.size(), 3u);
}

TEST_P(Copy, LongRunsWithEveryKindOfRest) {
  Random random(18);
  for (const int64_t run : {2049, 2560, 2561, 4096 + 16, 4096 + 19}) {
    for (const DType dtype : {DType::kUInt8, DType::kFloat32}) {
      for (const bool strided : {false, true}) {
        const std::vector<int64_t> shape{3, run};
        Placed source = place(random, shape, dtype, 0x10000, false), target = source;
        source.tensor.stride = {run + 5, 1};
        target.tensor.stride =
            strided ? std::array<int64_t, kMaxRank>{2 * run + 1, 2} : std::array<int64_t, kMaxRank>{run + 16, 1};
        source.tensor.address = source.buffer;
        target.buffer = target.tensor.address = 0x40000000;
        source.elements = target.elements = 8 * run;
        expect_copies(source, target, GetParam(), random, nullptr);
      }
    }
  }
}

TEST_P(Copy, Reshapes) {
  Random random(19);
  for (int trial = 0; trial < 60 && !HasFailure(); ++trial) {
    std::vector<int64_t> factors(static_cast<size_t>(random.pick(2, 6)));
    for (int64_t& f : factors) f = random.pick(1, 5);
    const auto grouped = [&] {
      std::vector<int64_t> shape{1};
      for (const int64_t f : factors) {
        if (std::ssize(shape) < 5 && random.pick(0, 1)) shape.push_back(1);
        shape.back() *= f;
      }
      return shape;
    };
    expect_copies(place(random, grouped(), DType::kBFloat16, 0x10000, false),
                  place(random, grouped(), DType::kBFloat16, 0x40000000, false), GetParam(), random, nullptr);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Copy, testing::Values(Lowering::kTail, Lowering::kGuarded, Lowering::kPow2Mask));

// The rows of a transposed matrix are in no key; its columns decide whether the rest is of a known size.
TEST(CopyKey, IsTheOneThatItsCodeDeserves) {
  const auto key_of = [](int64_t m, int64_t n) {
    Tensor source = Tensor::dense(0x10000, DType::kBFloat16, {m, n});
    Tensor target = Tensor::dense(0x40000000, DType::kBFloat16, {n, m});
    std::swap(target.shape[0], target.shape[1]);
    std::swap(target.stride[0], target.stride[1]);
    return make_key(make_problem(StridedCopy{source, target}).value(), Arch::kSm90a, Emitter::kLlvm, Lowering::kTail);
  };
  const auto text_of = [](const Key& key) { return codegen::tile::print(codegen::ops::build_tile(key).value()); };
  EXPECT_EQ(key_of(128, 64), key_of(256, 640));
  EXPECT_EQ(key_of(128, 64), key_of(144, 64));
  EXPECT_EQ(key_of(128, 64), key_of(129 * 8, 64));
  EXPECT_NE(key_of(128, 64), key_of(128, 80));
  EXPECT_NE(text_of(key_of(128, 64)), text_of(key_of(128, 80)));
  EXPECT_EQ(key_of(128, 65), key_of(128, 67));  // unknown until it pays
}

// No two keys of one static configuration of copy share a program: each bucket field is there because the code depends
// on it.
TEST(CopyKey, DistinctKeysHaveDistinctPrograms) {
  LearnedResidues learned;
  learned.add(ResidueKind::kMatrixColumns, 5);
  learned.add(ResidueKind::kRunBytes, 24);
  size_t keys = 0;
  const auto take = [&](CopyMode mode, int element, int64_t head_dim, Lowering lowering) {
    StaticConfiguration c{OpId::kCopy, Arch::kSm90a, Emitter::kLlvm, lowering, element};
    c.variant = static_cast<int>(mode);
    c.head_dim = head_dim;
    c.outer_rank = 1;
    std::map<std::string, Key> programs;
    const std::vector<Key> space = enumerate_keys(c, &learned).value();
    for (const Key& key : space) {
      const auto lowered = codegen::movement::lower(codegen::ops::build_tile(key).value(), key);
      ASSERT_TRUE(lowered.ok()) << lowered.status().to_string();
      const auto [at, fresh] = programs.try_emplace(codegen::kernel::print(lowered->program), key);
      EXPECT_TRUE(fresh) << to_string(at->second) << "\nand\n" << to_string(key) << "\nhave the same program";
      ++keys;
    }
  };
  for (const int element : {1, 2, 4, 8}) {
    take(CopyMode::kTransposed, element, 1, Lowering::kTail);
    for (const int64_t head_dim : {0, 7}) {
      take(CopyMode::kRows, element, head_dim, Lowering::kTail);
      take(CopyMode::kElements, element, head_dim, Lowering::kTail);
    }
  }
  EXPECT_GT(keys, 500u);
}

}  // namespace
}  // namespace tailor
