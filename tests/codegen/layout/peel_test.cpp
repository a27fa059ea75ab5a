// Oracle: the plan executed on real bytes at a real address of every allowed alignment, with every access checked.
#include "codegen/layout/peel.h"

#include <array>
#include <map>
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tailor::codegen::layout {
namespace {

using testing::HasSubstr;

using Word = std::array<uint8_t, 4>;

// Memory of one side: the row stands at `start`; bytes around it have other values.
struct Memory {
  std::vector<uint8_t> bytes;
  int64_t start = 0;
  int64_t row = 0;
};

Memory memory(int64_t start, int64_t row, std::mt19937_64& rng) {
  Memory m{std::vector<uint8_t>(static_cast<size_t>(start + row + 64)), start, row};
  for (uint8_t& b : m.bytes) b = static_cast<uint8_t>(rng());
  return m;
}

std::string execute(const PeelRequest& request, const PeelPlan& plan, const Memory& src, Memory& dst) {
  std::map<int, Word> registers;
  for (const PeelStep& step : plan.steps) {
    if (step.kind == PeelKind::kLoad) {
      const int64_t at = src.start + step.offset;
      if (at % step.width != 0) return fmt::format("load of {} at {} is misaligned", step.width, at);
      if (step.width > request.max_vector_bytes) return "a load is too wide";
      const bool inside = step.offset >= 0 && step.offset + step.width <= src.row;
      const bool touches = step.offset < src.row && step.offset + step.width > 0;
      if (!inside && !(request.may_read_blocks && touches))
        return fmt::format("load at {} leaves the row", step.offset);
      for (int64_t i = 0; i < step.width; ++i) {
        const int reg = step.registers[static_cast<size_t>(i / 4)];
        registers[reg][static_cast<size_t>(i % 4)] = src.bytes[static_cast<size_t>(at + i)];
      }
    } else if (step.kind == PeelKind::kStore) {
      const int64_t at = dst.start + step.offset;
      if (at % step.width != 0) return fmt::format("store of {} at {} is misaligned", step.width, at);
      if (step.offset < 0 || step.offset + step.width > dst.row)
        return fmt::format("store at {} leaves the row", step.offset);
      for (int64_t i = 0; i < step.width; ++i) {
        const int reg = step.registers[static_cast<size_t>(i / 4)];
        if (!registers.contains(reg)) return "a store reads a register that nothing wrote";
        dst.bytes[static_cast<size_t>(at + i)] = registers[reg][static_cast<size_t>(i % 4)];
      }
    } else if (step.kind == PeelKind::kMove) {
      registers[step.registers[0]] = registers.at(step.registers[1]);
    } else {
      const Word a = registers.at(step.registers[1]);
      const Word b = registers.at(step.registers[2]);
      Word result{};
      for (size_t i = 0; i < 4; ++i) {
        const uint32_t from = step.selector >> (4 * i) & 7;
        result[i] = from < 4 ? a[from] : b[from - 4];
      }
      registers[step.registers[0]] = result;
    }
  }
  return "";
}

// Runs the plan at several addresses of the residue classes; true plans leave the row copied and nothing else changed.
void check(const PeelRequest& request, std::mt19937_64& rng) {
  const auto plan = plan_peel(request);
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  for (int world = 0; world < 3; ++world) {
    const auto address = [&](const BaseAlignment& base) {
      return (64 / base.modulus + static_cast<int64_t>(rng() % 5)) * base.modulus + base.modulus + base.residue;
    };
    const Memory src = memory(address(request.src), request.bytes, rng);
    Memory dst = memory(address(request.dst), request.bytes, rng);
    std::vector<uint8_t> expected = dst.bytes;
    std::copy_n(src.bytes.begin() + src.start, request.bytes, expected.begin() + dst.start);
    ASSERT_EQ(execute(request, *plan, src, dst), "") << plan->explanation;
    ASSERT_EQ(dst.bytes, expected) << plan->explanation;
  }
  int64_t recount = 0;
  for (const PeelStep& step : plan->steps) {
    recount += step.kind == PeelKind::kLoad      ? request.costs.load
               : step.kind == PeelKind::kStore   ? request.costs.store
               : step.kind == PeelKind::kPermute ? request.costs.permute
                                                 : request.costs.move;
  }
  EXPECT_EQ(plan->cost, recount);
  EXPECT_LE(plan->cost, plan->direct_cost);
}

TEST(Peel, EveryPairOfPhasesAndEveryShortLengthIsCopiedExactly) {
  std::mt19937_64 rng(7);
  for (int64_t src = 0; src < 16; ++src) {
    for (int64_t dst = 0; dst < 16; ++dst) {
      for (int64_t bytes : {0, 1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 64, 77}) {
        for (bool blocks : {false, true}) {
          check({bytes, {16, src}, {16, dst}, 16, blocks, {}}, rng);
          if (HasFatalFailure()) FAIL() << src << " -> " << dst << ", " << bytes << " bytes, blocks " << blocks;
        }
      }
    }
  }
}

TEST(Peel, WeakAlignmentsAndNarrowVectorsAndOtherCostsStaySound) {
  std::mt19937_64 rng(8);
  for (int round = 0; round < 1500; ++round) {
    PeelRequest request;
    request.bytes = static_cast<int64_t>(rng() % 100);
    request.src.modulus = int64_t{1} << rng() % 7;
    request.dst.modulus = int64_t{1} << rng() % 7;
    request.src.residue = static_cast<int64_t>(rng() % static_cast<uint64_t>(request.src.modulus));
    request.dst.residue = static_cast<int64_t>(rng() % static_cast<uint64_t>(request.dst.modulus));
    request.max_vector_bytes = int64_t{1} << rng() % 5;
    request.may_read_blocks = rng() % 2 == 0;
    request.costs = {static_cast<int64_t>(rng() % 4 + 1), static_cast<int64_t>(rng() % 4 + 1),
                     static_cast<int64_t>(rng() % 3 + 1), static_cast<int64_t>(rng() % 3 + 1)};
    check(request, rng);
    if (HasFatalFailure()) FAIL() << "round " << round;
  }
}

std::vector<int64_t> widths(const std::vector<TailPiece>& pieces) {
  std::vector<int64_t> out;
  for (const TailPiece& p : pieces) out.push_back(p.width);
  return out;
}

TEST(Peel, HeadsGrowAndTailsShrink) {
  EXPECT_EQ(widths(peel(64, {16, 3}, 16)), (std::vector<int64_t>{1, 4, 8, 16, 16, 16, 2, 1}));
  EXPECT_EQ(widths(peel(31, {16, 0}, 16)), (std::vector<int64_t>{16, 8, 4, 2, 1}));
  EXPECT_EQ(widths(peel(7, {4, 1}, 16)), (std::vector<int64_t>{1, 2, 4}));
  EXPECT_EQ(widths(peel(6, {1, 0}, 16)), (std::vector<int64_t>(6, 1)));
}

TEST(Peel, AlignedRowsAreCopiedDirectly) {
  const auto plan = *plan_peel({256, {16, 0}, {16, 0}, 16, true, {}});
  EXPECT_EQ(plan.strategy, PeelStrategy::kDirect);
  EXPECT_EQ(plan.cost, 32);
}

TEST(Peel, SharedMisalignmentIsPeeled) {
  const auto plan = *plan_peel({64, {16, 3}, {16, 3}, 16, true, {}});
  EXPECT_LE(plan.cost, plan.direct_cost);
  EXPECT_EQ(plan.direct_cost, 16);
}

TEST(Peel, APhaseOfThreeIsPermutedFromBlocks) {
  const auto plan = *plan_peel({64, {16, 3}, {16, 0}, 16, true, {}});
  EXPECT_EQ(plan.strategy, PeelStrategy::kPermuteBlocks);
  EXPECT_EQ(plan.loads, 5);
  EXPECT_EQ(plan.stores, 4);
  EXPECT_EQ(plan.permutes, 16);
  EXPECT_EQ(plan.cost, 25);
  EXPECT_EQ(plan.direct_cost, 128);
  EXPECT_THAT(plan.explanation, HasSubstr("aligned together to 1 bytes"));
}

// Eight bytes apart, vectors of 8 need no moves: 2 loads and 2 stores per 16 bytes beat 1 + 1 with 4 moves.
TEST(Peel, MovesAreCountedAgainstWiderStores) {
  const auto plan = *plan_peel({64, {16, 8}, {16, 0}, 16, true, {}});
  EXPECT_EQ(plan.permutes, 0);
  EXPECT_EQ(plan.moves, 0);
  EXPECT_LE(plan.cost, 8 + 4);
}

TEST(Peel, DearPermutesMakeTheDirectCopyWin) {
  PeelRequest request{64, {16, 2}, {16, 0}, 16, true, {}};
  EXPECT_NE(plan_peel(request)->strategy, PeelStrategy::kDirect);
  request.costs.permute = 100;
  request.costs.move = 100;
  EXPECT_EQ(plan_peel(request)->permutes, 0);
}

TEST(Peel, OutOfRangeRequestsAreRefused) {
  EXPECT_FALSE(plan_peel({kMaxPeelBytes + 1, {16, 0}, {16, 0}, 16, false, {}}).ok());
  EXPECT_TRUE(plan_peel({kMaxPeelBytes, {16, 0}, {16, 0}, 16, false, {}}).ok());
  EXPECT_FALSE(plan_peel({-1, {16, 0}, {16, 0}, 16, false, {}}).ok());
  EXPECT_FALSE(plan_peel({8, {12, 0}, {16, 0}, 16, false, {}}).ok());
  EXPECT_FALSE(plan_peel({8, {16, 0}, {0, 0}, 16, false, {}}).ok());
  EXPECT_FALSE(plan_peel({8, {16, 0}, {16, 0}, 12, false, {}}).ok());
  EXPECT_FALSE(plan_peel({8, {16, 0}, {16, 0}, 32, false, {}}).ok());
}

}  // namespace
}  // namespace tailor::codegen::layout
