// ragged_transpose: the lowered program against the plain reference, and its places in shared memory against the bank
// model.
#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "codegen/layout/banks.h"
#include "codegen/movement/lower.h"
#include "codegen/ops/operations.h"
#include "runtime/bucket/key_space.h"
#include "tests/codegen/movement/scenario.h"

namespace tailor {
namespace {

using codegen::kernel::testing::interpret;
using codegen::kernel::testing::RunCounts;
using codegen::movement::Lowered;

std::vector<Key> keys_of(Lowering lowering, int element, int64_t dim) {
  StaticConfiguration c{OpId::kRaggedTranspose, Arch::kSm90a, Emitter::kLlvm, lowering, element, 0, 1, dim};
  return enumerate_keys(c).value();
}

Expected<Lowered> lower_key(const Key& key) {
  TAILOR_ASSIGN_OR_RETURN(const codegen::tile::Program tile, codegen::ops::build_tile(key));
  TAILOR_RETURN_IF_ERROR(codegen::tile::verify(tile));
  return codegen::movement::lower(tile, key);
}

class Transpose : public testing::TestWithParam<Lowering> {};

TEST_P(Transpose, EveryByteIsTheReference) {
  std::mt19937 random(5);
  for (const int element : {1, 2, 4, 8}) {
    for (const int64_t dim : {1, 3, 16, 37, 64, 129, 200}) {
      const std::vector<Key> keys = keys_of(GetParam(), element, dim);
      ASSERT_FALSE(keys.empty());
      for (int trial = 0; trial < 4 && !HasFailure(); ++trial) {
        const Key& key = keys[random() % keys.size()];
        SCOPED_TRACE(to_string(key));
        const Expected<Lowered> lowered = lower_key(key);
        ASSERT_TRUE(lowered.ok()) << lowered.status().to_string();
        const Status verified = codegen::kernel::verify(lowered->program);
        ASSERT_TRUE(verified.ok()) << verified.to_string();
        for (const int64_t rows : {int64_t{0}, int64_t{1}, int64_t{63}, int64_t{64}, int64_t{65}, int64_t{150}}) {
          test::ScenarioOptions options;
          options.rows = rows;
          options.batch = 1 + static_cast<int64_t>(random() % 6);
          options.hostile = random() % 3 == 0;
          options.status = random() % 2 == 0;
          test::Scenario scenario = test::make_scenario(key, options, random);
          const DeviceNumbers device{2, 1};
          const int64_t grid = evaluate(lowered->plan.grid[0], scenario.symbols, device);
          const std::vector<int64_t> parameters = test::parameter_values(lowered->plan, scenario.symbols, device);
          RunCounts counts;
          ASSERT_EQ(interpret(lowered->program, {static_cast<uint32_t>(grid), {parameters.begin(), parameters.end()}},
                              scenario.memory, &counts),
                    "")
              << rows;
          if (GetParam() == Lowering::kTail) {
            EXPECT_EQ(counts.guarded, 0u);
          }
          if (scenario.open) continue;
          for (const auto& [name, region] : scenario.expected) {
            ASSERT_TRUE(region.bytes == scenario.memory.at(name).bytes) << name << " differs at " << rows << " rows";
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Transpose, testing::Values(Lowering::kTail, Lowering::kGuarded, Lowering::kPow2Mask));

// The more the offsets are multiples of, the wider the stores.
TEST(TransposePlan, StoresAreAsWideAsThePromiseAllows) {
  int widest = 0;
  for (const Key& key : keys_of(Lowering::kTail, 2, 128)) {
    const Expected<Lowered> lowered = lower_key(key);
    ASSERT_TRUE(lowered.ok());
    const int64_t promised = int64_t{2} << key.get(KeyField::kLengthMultipleLog2);
    const int width = lowered->rows.transposes[0].group * 2;
    EXPECT_LE(width, promised);
    EXPECT_LE(width, int64_t{1} << key.get(KeyField::kTargetAlignLog2));
    widest = std::max(widest, width);
  }
  EXPECT_EQ(widest, 16);
}

// Every shared access of a warp takes as many passes as its bytes need and no more, by the bank model.
TEST(TransposePlan, SharedMemoryIsFreeOfConflicts) {
  for (const int element : {1, 2, 4, 8}) {
    for (int group = 1; group * element <= 16; group *= 2) {
      for (int vector = element; vector <= 16; vector *= 2) {
        codegen::movement::TransposePlan plan;
        plan.element = element, plan.group = group, plan.vector = vector;
        const int granule = plan.granule(), granules = plan.kTileBytes / granule;
        const auto place = [&](int row, int bytes) {
          const int turn = row % granules ^ row / granules * plan.turn();
          return row * plan.kTileBytes + (bytes ^ turn * granule);
        };
        const auto expect_free = [&](int bytes, bool write, const std::vector<int64_t>& lanes, const char* what) {
          const auto model = codegen::layout::find_bank_model("nvidia", bytes, write);
          ASSERT_TRUE(model.ok()) << model.status().to_string();
          const auto conflicts = codegen::layout::count_conflicts(**model, lanes);
          ASSERT_TRUE(conflicts.ok()) << conflicts.status().to_string();
          EXPECT_EQ(conflicts->conflicts(), 0)
              << what << ": element " << element << ", group " << group << ", vector " << vector;
        };
        for (int warp = 0; warp < 8; ++warp) {
          const int width = std::min(vector, granule);
          for (int offset = 0; offset < vector; offset += width) {
            std::vector<int64_t> lanes;
            for (int lane = 0; lane < 32; ++lane) {
              const int thread = warp * 32 + lane, per_row = plan.kTileBytes / vector;
              lanes.push_back(place(thread / per_row % plan.kTileRows, thread % per_row * vector + offset));
            }
            expect_free(width, true, lanes, "write");
          }
          for (int i = 0; i < group; ++i) {
            std::vector<int64_t> lanes;
            for (int lane = 0; lane < 32; ++lane) {
              const int thread = warp * 32 + lane, holders = plan.kTileRows / group;
              lanes.push_back(place(thread % holders * group + i, thread / holders * element));
            }
            expect_free(element, false, lanes, "read");
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace tailor
