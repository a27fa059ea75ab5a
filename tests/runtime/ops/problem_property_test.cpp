// Random problems: the key is in the listed space, its facts hold for the problem, and its alignment and contiguity
// are what enumeration of the rows' addresses says.
#include <algorithm>
#include <bit>
#include <numeric>
#include <random>
#include <set>
#include <tuple>

#include <gtest/gtest.h>

#include "runtime/bucket/key_space.h"
#include "runtime/ops/problem.h"
#include "tests/runtime/ops/operand_fields.h"
#include "tests/runtime/ops/operands.h"
#include "tests/runtime/ops/random_operands.h"

namespace tailor {
namespace {

using testing::OperandGenerator;
using testing::randomize;

// Addresses at which a side's runs of contiguous elements begin, by enumeration: every outer index, every head unless
// rows are whole, every element if not even heads are.
struct Runs {
  int64_t gcd = 0;
  void tensor(const Tensor& t, int head, int dim, RowContiguity contiguity) {
    for (int d = 0; d < t.rank; ++d) {
      if (t.shape[d] == 0) return;
    }
    std::array<int64_t, kMaxRank> index{};
    const int bytes = element_bytes(t.dtype);
    for (;;) {
      int64_t address = static_cast<int64_t>(t.address);
      for (int d = 0; d < t.rank; ++d) address += index[d] * t.stride[d] * bytes;
      gcd = std::gcd(gcd, address);
      int d = t.rank - 1;
      for (; d >= 0; --d) {
        const bool inner =
            (d == dim && contiguity != RowContiguity::kNone) || (d == head && contiguity == RowContiguity::kRow);
        if (!inner && ++index[d] < t.shape[d]) break;
        index[d] = 0;
      }
      if (d < 0) return;
    }
  }
  int align_log2() const { return gcd == 0 ? 4 : std::min(4, std::countr_zero(static_cast<uint64_t>(gcd))); }
};

// The strongest contiguity that element addresses show.
RowContiguity shown(const Tensor& t, int head, int dim) {
  for (int d = 0; d < t.rank; ++d) {
    if (t.shape[d] == 0) return RowContiguity::kRow;
  }
  bool row = true, heads = true;
  for (int64_t h = 0; h < t.shape[head]; ++h) {
    for (int64_t x = 0; x < t.shape[dim]; ++x) {
      const int64_t place = h * t.stride[head] + x * t.stride[dim];
      row &= place == h * t.shape[dim] + x;
      heads &= place == h * t.stride[head] + x;
    }
  }
  return row ? RowContiguity::kRow : heads ? RowContiguity::kHead : RowContiguity::kNone;
}

template <class Op>
void check(const Op& op, int round, RowContiguity source, RowContiguity target, int source_align, int target_align) {
  const auto problem = make_problem(op);
  ASSERT_TRUE(problem.ok()) << round << ": " << problem.status().message();
  ASSERT_EQ(problem->source_contiguity, source) << round;
  ASSERT_EQ(problem->target_contiguity, target) << round;
  ASSERT_EQ(problem->source_align_log2, source_align) << round;
  ASSERT_EQ(problem->target_align_log2, target_align) << round;
}

TEST(RandomGather, ContiguityAndAlignmentAreThoseOfItsAddresses) {
  OperandGenerator g(11);
  for (int round = 0; round < 8000; ++round) {
    PagedGather op;
    randomize(g, op);
    const int head = op.layout == PageLayout::kSlotMajor ? 2 : 1;
    const RowContiguity source = shown(op.pages, head, 3), target = shown(op.packed, 1, 2);
    Runs read, written;
    read.tensor(op.pages, head, 3, source);
    written.tensor(op.packed, 1, 2, target);
    check(op, round, source, target, read.align_log2(), written.align_log2());
    if (HasFatalFailure()) return;
  }
}

TEST(RandomAppend, ContiguityAndAlignmentAreThoseOfItsAddresses) {
  OperandGenerator g(12);
  for (int round = 0; round < 8000; ++round) {
    PagedAppend op;
    randomize(g, op);
    const int head = op.layout == PageLayout::kSlotMajor ? 2 : 1;
    const RowContiguity source = std::max(shown(op.k, 1, 2), shown(op.v, 1, 2));
    const RowContiguity target = std::max(shown(op.k_pages, head, 3), shown(op.v_pages, head, 3));
    Runs read, written;
    read.tensor(op.k, 1, 2, source);
    read.tensor(op.v, 1, 2, source);
    written.tensor(op.k_pages, head, 3, target);
    written.tensor(op.v_pages, head, 3, target);
    check(op, round, source, target, read.align_log2(), written.align_log2());
    if (HasFatalFailure()) return;
  }
}

template <class Op>
class EveryOperation : public ::testing::Test {};

using AllOperands = ::testing::Types<PagedGather, PagedAppend, Pack, Unpack, GatherRows, ScatterRows, Concat, Split,
                                     Convert, AppendRope, RaggedTranspose, StridedCopy>;
static_assert(std::tuple_size_v<std::tuple<PagedGather, PagedAppend, Pack, Unpack, GatherRows, ScatterRows, Concat,
                                           Split, Convert, AppendRope, RaggedTranspose, StridedCopy>> == kOpCount);
TYPED_TEST_SUITE(EveryOperation, AllOperands);

// The key of a random problem is valid, in normal form, listed in the space of its configuration, the same when it is
// made again; and the problem satisfies every fact that the key asserts.
TYPED_TEST(EveryOperation, KeyIsListedAndItsFactsHold) {
  OperandGenerator g(21);
  LearnedResidues learned;
  learned.add(ResidueKind::kMatrixColumns, 129 % 64);
  learned.add(ResidueKind::kRunBytes, 8);
  int launched = 0;
  std::set<std::string> keys;
  for (int round = 0; round < 2000; ++round) {
    TypeParam op;
    randomize(g, op);
    const auto problem = make_problem(op);
    ASSERT_TRUE(problem.ok()) << round << ": " << problem.status().message();
    if (problem->empty) continue;
    ++launched;
    const auto arch = static_cast<Arch>(g.pick(0, 1));
    const auto emitter = static_cast<Emitter>(g.pick(0, 1));
    const auto lowering = static_cast<Lowering>(g.pick(0, 2));
    const LearnedResidues* set = g.one_in(2) ? &learned : nullptr;
    const Key key = make_key(*problem, arch, emitter, lowering, set);
    ASSERT_TRUE(validate(key).ok()) << validate(key).message() << "\n" << to_string(key);
    ASSERT_EQ(key, make_key(*make_problem(op), arch, emitter, lowering, set));
    ASSERT_EQ(key, canonical_form(key));
    ASSERT_EQ(key, parse_key(to_string(key)).value());
    const auto space = enumerate_keys(testing::configuration_of(*problem, arch, emitter, lowering), set);
    ASSERT_TRUE(space.ok()) << space.status().message();
    ASSERT_NE(std::find(space->begin(), space->end(), key), space->end()) << round << ": " << to_string(key);
    std::vector<bool> spoken_of(symbols_of(problem->op).size());
    for (const Fact& fact : facts_of(key)) {
      ASSERT_TRUE(holds(fact, problem->symbols()))
          << round << ": " << to_string(fact, symbols_of(problem->op)[fact.symbol].name) << " but it is "
          << problem->values[fact.symbol] << "\n"
          << to_string(key);
      spoken_of[fact.symbol] = true;
    }
    for (const SymbolProduct& each : products_of(problem->op)) {
      int64_t product = 1;
      for (const uint16_t factor : each.factors) product *= problem->values[factor];
      if (each.unless_zero >= 0 && problem->values[static_cast<size_t>(each.unless_zero)] == 0) continue;
      ASSERT_EQ(problem->values[each.product], product) << symbols_of(problem->op)[each.product].name;
    }
    for (size_t s = 0; s < spoken_of.size(); ++s) {
      ASSERT_TRUE(spoken_of[s] || symbols_of(problem->op)[s].name == "fill") << symbols_of(problem->op)[s].name;
    }
    keys.insert(to_string(key));
  }
  EXPECT_GT(launched, 500);
  EXPECT_GT(keys.size(), 100u);
}

// Garbage in every field: a Status or a problem whose key is valid and asserts what is so, and nothing undefined.
TYPED_TEST(EveryOperation, GarbageDoesNothingUndefined) {
  std::mt19937_64 rng(13);
  const auto number = [&]() -> int64_t {
    switch (rng() % 6) {
      case 0:
        return static_cast<int64_t>(rng());
      case 1:
        return static_cast<int64_t>(rng() % 5) - 1;
      case 2:
        return (int64_t{1} << (rng() % 63)) - static_cast<int64_t>(rng() % 2);
      case 3:
        return -static_cast<int64_t>(rng() % 1000);
      default:
        return static_cast<int64_t>(rng() % 64);
    }
  };
  int taken = 0;
  for (int round = 0; round < 30000; ++round) {
    TypeParam op = testing::good_operands<TypeParam>();
    auto fields = testing::fields_of(op);
    for (unsigned n = rng() % 3 + 1; n > 0; --n) {
      Tensor& t = *fields[rng() % fields.size()].tensor;
      switch (rng() % 5) {
        case 0:
          t.shape[rng() % kMaxRank] = number();
          break;
        case 1:
          t.stride[rng() % kMaxRank] = number();
          break;
        case 2:
          t.address = static_cast<uint64_t>(number());
          break;
        case 3:
          t.dtype = static_cast<DType>(rng() % 16);
          break;
        default:
          t.rank = static_cast<int>(number());
          break;
      }
    }
    if constexpr (requires { op.status_word; }) {
      if (rng() % 4 == 0) op.status_word = static_cast<uint64_t>(number());
    }
    if constexpr (requires { op.length_multiple; }) op.length_multiple = number();
    const auto problem = make_problem(op);
    if (!problem.ok()) {
      ASSERT_FALSE(problem.status().message().empty());
      continue;
    }
    ++taken;
    if (problem->empty) continue;
    const Key key = make_key(*problem, Arch::kSm80, Emitter::kLlvm, Lowering::kTail);
    ASSERT_TRUE(validate(key).ok()) << validate(key).message();
    for (const Fact& fact : facts_of(key)) {
      ASSERT_TRUE(holds(fact, problem->symbols()))
          << round << ": " << to_string(fact, symbols_of(problem->op)[fact.symbol].name);
    }
  }
  EXPECT_GT(taken, 100);
}

}  // namespace
}  // namespace tailor
