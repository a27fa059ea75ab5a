#include "codegen/movement/lower.h"

#include <cstring>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "codegen/movement/discharge_guards.h"
#include "codegen/ops/operations.h"
#include "runtime/bucket/key_space.h"
#include "runtime/ops/schema.h"
#include "tests/codegen/movement/configurations.h"
#include "tests/codegen/movement/scenario.h"

namespace tailor {
namespace {

using codegen::kernel::testing::interpret;
using codegen::kernel::testing::RunCounts;
using codegen::movement::Lowered;

Expected<Lowered> lower_key(const Key& key) {
  TAILOR_ASSIGN_OR_RETURN(const codegen::tile::Program tile, codegen::ops::build_tile(key));
  TAILOR_RETURN_IF_ERROR(codegen::tile::verify(tile));
  return codegen::movement::lower(tile, key);
}

std::vector<Key> keys_of(OpId op, Lowering lowering, int element, int64_t page_size, int64_t heads, int64_t dim) {
  StaticConfiguration c{op, Arch::kSm90a, Emitter::kLlvm, lowering, element, page_size, heads, dim};
  return enumerate_keys(c).value();
}

template <class F>
void walk(const codegen::kernel::Region& region, const F& f) {
  for (const codegen::kernel::Instruction& i : region.body) {
    f(i);
    for (const codegen::kernel::Region& inner : i.regions) walk(inner, f);
  }
}

// Lowers, launches on a device of `device` and compares every byte. Adds 1 to `changed` if some byte had to change.
void expect_exact(const Key& key, const test::ScenarioOptions& options, std::mt19937& random,
                  const DeviceNumbers& device, int* changed = nullptr) {
  SCOPED_TRACE(to_string(key));
  const Expected<Lowered> lowered = lower_key(key);
  ASSERT_TRUE(lowered.ok()) << lowered.status().to_string();
  const Status verified = codegen::kernel::verify(lowered->program);
  ASSERT_TRUE(verified.ok()) << verified.to_string();
  const Status plan = validate(lowered->plan, static_cast<int>(symbols_of(key.op()).size()));
  ASSERT_TRUE(plan.ok()) << plan.to_string();
  test::Scenario scenario = test::make_scenario(key, options, random);
  for (const Fact& premise : lowered->premises) {
    EXPECT_TRUE(holds(premise, scenario.symbols)) << to_string(premise, symbols_of(key.op())[premise.symbol].name);
  }
  const int64_t grid = evaluate(lowered->plan.grid[0], scenario.symbols, device);
  const std::vector<int64_t> parameters = test::parameter_values(lowered->plan, scenario.symbols, device);
  RunCounts counts;
  const test::Memory before = scenario.memory;
  ASSERT_EQ(interpret(lowered->program, {static_cast<uint32_t>(grid), {parameters.begin(), parameters.end()}},
                      scenario.memory, &counts),
            "");
  if (key.lowering() == Lowering::kTail) {
    EXPECT_EQ(counts.guarded, 0u);
  }
  if (options.status && scenario.memory.count("status_word")) {
    uint64_t word = 0;
    std::memcpy(&word, scenario.memory.at("status_word").bytes.data(), 8);
    if (scenario.open) {
      EXPECT_GE(word, scenario.least_status);
    } else {
      EXPECT_EQ(word, scenario.least_status);
    }
  }
  if (scenario.open) return;
  test::settle(scenario);
  if (changed) *changed += test::differ(before, scenario.expected);
  for (const auto& [name, region] : scenario.expected) {
    EXPECT_TRUE(region.bytes == scenario.memory.at(name).bytes) << name << " differs";
  }
}

constexpr OpId kPaged[] = {OpId::kPagedGather, OpId::kPagedAppend};
constexpr OpId kOps[] = {OpId::kPagedGather, OpId::kPagedAppend, OpId::kPack,  OpId::kUnpack,  OpId::kGatherRows,
                         OpId::kScatterRows, OpId::kConcat,      OpId::kSplit, OpId::kConvert, OpId::kAppendRope};
constexpr Lowering kLowerings[] = {Lowering::kTail, Lowering::kGuarded, Lowering::kPow2Mask};

class Movement : public testing::TestWithParam<std::tuple<OpId, Lowering>> {
 protected:
  OpId op() const { return std::get<0>(GetParam()); }
  Lowering lowering() const { return std::get<1>(GetParam()); }
};

template <class F>
void for_each_key(OpId op, Lowering lowering, size_t count, const F& f) {
  for (const Key& key : test::sample_keys(op, Arch::kSm90a, Emitter::kLlvm, lowering, count)) f(key);
}

TEST_P(Movement, EveryByteIsTheReferenceForASweepOfKeys) {
  std::mt19937 random(1);
  int n = 0, changed = 0;
  for_each_key(op(), lowering(), 48, [&](const Key& key) {
    if (HasFailure()) return;
    test::ScenarioOptions options;
    options.rows = n % 3 == 0 ? 40 : 13;
    options.head_major = n % 2 == 0;
    options.status = n % 4 != 0;
    const bool large = key.get(KeyField::kHeads) * key.get(KeyField::kHeadDim) > 1024;
    if (large) options.rows = 5;
    options.other_rows = n % 2 == 0 ? 11 : 43;
    ++n;
    expect_exact(key, options, random, {n % 5 == 0 ? 2 : 64, n % 3 == 0 ? 1 : 2}, &changed);
  });
  EXPECT_GT(n, 30);
  EXPECT_GT(changed, n / 2) << "most of what is launched moves something";
}

TEST_P(Movement, NoAccessLeavesItsOperandWhateverTheArraysHold) {
  std::mt19937 random(2);
  int n = 0;
  for_each_key(op(), lowering(), 24, [&](const Key& key) {
    if (HasFailure() || key.get(KeyField::kHeads) * key.get(KeyField::kHeadDim) > 1024) return;
    for (int repeat = 0; repeat < 4; ++repeat) {
      test::ScenarioOptions options;
      options.hostile = true;
      options.rows = 17;
      options.batch = 1 + repeat * 2;
      options.status = repeat != 2;
      options.head_major = repeat % 2 == 0;
      options.other_rows = repeat == 0 ? 30 : 11;
      expect_exact(key, options, random, {repeat % 2 ? 1 : 64, 1});
    }
    ++n;
  });
  EXPECT_GT(n, 10);
}

TEST_P(Movement, EmptyExtentsTouchNothing) {
  std::mt19937 random(3);
  for (const Key& key : test::sample_keys(op(), Arch::kSm90a, Emitter::kLlvm, lowering(), 8)) {
    for (int which = 0; which < 8; ++which) {
      test::ScenarioOptions options;
      if (which == 0 || which == 6) options.rows = 0;
      if (which == 1) options.batch = 0;
      if (which == 2) options.pool_pages = 0;
      if (which == 3) options.max_pages = 0;
      if (which == 4) options.max_length = 0;
      if (which == 5 || which == 6) options.other_rows = 0;
      if (which == 7) options.rows = options.batch = options.other_rows = options.max_length = 1;
      for (bool hostile : {false, true}) {
        options.hostile = hostile;
        if ((op() == OpId::kPagedAppend || op() == OpId::kAppendRope) && which == 2) options.hostile = true;
        expect_exact(key, options, random, {4, 2});
      }
    }
  }
}

TEST_P(Movement, PremisesFollowFromTheKey) {
  for_each_key(op(), lowering(), 100, [&](const Key& key) {
    const Expected<Lowered> lowered = lower_key(key);
    ASSERT_TRUE(lowered.ok()) << to_string(key) << ": " << lowered.status().to_string();
    const FactSet facts = facts_of(key);
    for (const Fact& premise : lowered->premises) EXPECT_TRUE(implies(facts, premise)) << to_string(key);
  });
}

TEST_P(Movement, StaticShapeOfAccesses) {
  for_each_key(op(), lowering(), 120, [&](const Key& key) {
    const Expected<Lowered> lowered = lower_key(key);
    ASSERT_TRUE(lowered.ok()) << to_string(key) << ": " << lowered.status().to_string();
    const auto& threads = lowered->rows.threads;
    EXPECT_LE(threads.block(), 256);
    EXPECT_EQ(lowered->program.block_threads, static_cast<uint32_t>(threads.block()));
    const codegen::tile::Program tile = codegen::ops::build_tile(key).value();
    // The streams tile the row exactly: sum of widths times counts is the row.
    const uint64_t row = key.get(KeyField::kHeads) * key.get(KeyField::kHeadDim) << key.get(KeyField::kElementLog2);
    for (const auto& copy : lowered->rows.copies) {
      uint64_t bytes = 0;
      size_t bodies = 0;
      for (const auto& stream : copy.streams) {
        const int accesses = stream.rotates && !stream.together ? 2 : 1;
        bytes += static_cast<uint64_t>(stream.source_width() * stream.count * accesses);
        bodies += stream.is_body;
      }
      EXPECT_EQ(bytes, row) << to_string(key);
      if (key.lowering() == Lowering::kPow2Mask) {
        EXPECT_EQ(copy.streams.size(), bodies) << "masks are whole vectors";
      }
    }
    std::set<std::string> moved;
    codegen::tile::for_each_node(tile.body(), [&](const codegen::tile::Node& node) {
      if (!codegen::tile::is_mover(node.op)) return;
      moved.insert(tile.views()[node.view].name);
      if (node.source != codegen::tile::kNone) moved.insert(tile.views()[node.source].name);
      if (node.op != codegen::tile::Op::kRotate) return;
      for (auto table : node.tables) moved.insert(tile.views()[table].name);
    });
    walk(lowered->program.body, [&](const codegen::kernel::Instruction& i) {
      if (i.op != codegen::kernel::Op::kLoad && i.op != codegen::kernel::Op::kStore) return;
      const std::string& operand = lowered->program.accesses[i.access - 1].operand;
      const bool moves = moved.count(operand) > 0;
      EXPECT_EQ(i.guarded, moves && key.lowering() != Lowering::kTail) << to_string(key) << " " << operand;
    });
  });
}

INSTANTIATE_TEST_SUITE_P(All, Movement, testing::Combine(testing::ValuesIn(kOps), testing::ValuesIn(kLowerings)),
                         [](const auto& info) {
                           std::string name = std::string(to_string(std::get<0>(info.param))) + "_" +
                                              std::string(to_string(std::get<1>(info.param)));
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

TEST(Lanes, DivideTheVectorsWhereADivisorPays) {
  using codegen::movement::choose_lanes;
  EXPECT_EQ(choose_lanes(1, 1, 4, 1), 1);
  EXPECT_EQ(choose_lanes(127, 127, 16, 1), 32);  // prime: one lane test is cheaper than four warps that find one row
  EXPECT_EQ(choose_lanes(257, 257, 16, 1), 32);  // prime beyond a block
  for (int64_t v = 1; v <= 2048; ++v) {
    for (int copies : {1, 2}) {
      const int lanes = choose_lanes(v, v, 16, copies);
      EXPECT_GE(lanes, 1);
      EXPECT_LE(lanes, 256);
      EXPECT_TRUE(lanes == 32 || v % lanes == 0) << v;
      // A power of two of vectors never needs a remainder, nor lanes that a warp boundary parts.
      EXPECT_TRUE((v & (v - 1)) != 0 || (lanes & (lanes - 1)) == 0) << v;
    }
  }
}

// Rows of more waves than are hoisted, and of a count without divisors, in every lowering.
TEST(LongRows, AreMovedInALoopOverWaves) {
  std::mt19937 random(5);
  for (OpId op : kPaged) {
    for (Lowering lowering : kLowerings) {
      for (auto [heads, dim] : {std::pair<int64_t, int64_t>{8, 577}, {3, 1543}, {1, 4099}, {64, 80}}) {
        const std::vector<Key> keys = keys_of(op, lowering, 2, 3, heads, dim);
        for (size_t i = 0; i < keys.size(); i += 7) {
          test::ScenarioOptions options;
          options.rows = 3;
          options.head_major = i % 2;
          expect_exact(keys[i], options, random, {4, 1});
          if (HasFailure()) return;
        }
      }
    }
  }
}

// Operands of the largest extents, of which only the first, a middle and the last block run: no 32-bit step may wrap
// where it matters. One sequence of every row, one byte per row, two pages of 2^30 tokens that swap places.
TEST(Extremes, TheLastRowsOfTheLargestOperandsAreMoved) {
  using namespace gather;
  for (const bool wide : {false, true}) {
    for (Lowering lowering : kLowerings) {
      Key key;
      for (const Key& k : keys_of(OpId::kPagedGather, lowering, 1, int64_t{1} << 30, 1, 1)) {
        if (k.get(KeyField::kIndex64) == (wide ? 1u : 0u)) key = k;
      }
      const Expected<Lowered> lowered = lower_key(key);
      ASSERT_TRUE(lowered.ok()) << lowered.status().to_string();
      const int64_t rows = (int64_t{1} << 31) - (wide ? 1 : 2), page = int64_t{1} << 30;
      std::vector<int64_t> symbols(symbols_of(OpId::kPagedGather).size(), 0);
      test::Memory memory;
      uint64_t next = uint64_t{1} << 40;
      const auto place = [&](Symbol s, uint64_t bytes, bool writable) -> test::MemoryBlock& {
        symbols[s] = static_cast<int64_t>(next);
        test::MemoryBlock& region = memory[std::string(symbols_of(OpId::kPagedGather)[s].name)];
        region = {next, {}, writable, bytes, {}};
        next += uint64_t{1} << 40;
        return region;
      };
      const auto put = [](test::MemoryBlock& region, const std::vector<int32_t>& values) {
        region.write(0, values.data(), values.size() * 4);
      };
      const int64_t row_stride = wide ? 5 : 1;
      test::MemoryBlock& pages = place(kPages, static_cast<uint64_t>(2 * page), false);
      test::MemoryBlock& packed = place(kPacked, static_cast<uint64_t>((rows - 1) * row_stride + 1), true);
      put(place(kBlockTable, 8, false), {1, 0});
      put(place(kSeqLens, 4, false), {static_cast<int32_t>(rows)});
      put(place(kCuSeqlens, 8, false), {0, static_cast<int32_t>(rows)});
      place(kStatusWord, 8, true);
      symbols[kPageSize] = page, symbols[kHeads] = symbols[kHeadDim] = symbols[kElementBytes] = 1;
      symbols[kRows] = rows, symbols[kBatch] = 1, symbols[kPoolPages] = 2, symbols[kMaxPages] = 2;
      symbols[kPageStride] = page, symbols[kSlotStride] = 1, symbols[kRowStride] = row_stride;
      const DeviceNumbers device{1 << 16, 128};
      const uint32_t grid = static_cast<uint32_t>(evaluate(lowered->plan.grid[0], symbols, device));
      const std::vector<int64_t> parameters = test::parameter_values(lowered->plan, symbols, device);
      for (int64_t row : {int64_t{0}, page - 1, page, rows - 2, rows - 1}) {
        const int64_t from = row < page ? page + row : row - page;
        pages.sparse[static_cast<uint64_t>(from)] = static_cast<uint8_t>(1 + row % 251);
      }
      int64_t chunk = 0;
      for (size_t p = 0; p < lowered->program.parameters.size(); ++p) {
        if (lowered->program.values[lowered->program.parameters[p].value].name == "chunk") chunk = parameters[p];
      }
      ASSERT_GE(chunk * grid, rows);
      const std::vector<uint32_t> blocks{0,
                                         static_cast<uint32_t>((page - 1) / chunk),
                                         static_cast<uint32_t>(page / chunk),
                                         static_cast<uint32_t>((rows - 2) / chunk),
                                         static_cast<uint32_t>((rows - 1) / chunk),
                                         grid - 1};
      ASSERT_EQ(interpret(lowered->program, {grid, {parameters.begin(), parameters.end()}, blocks}, memory), "");
      for (int64_t row : {int64_t{0}, page - 1, page, rows - 2, rows - 1}) {
        uint8_t byte = 0;
        packed.read(static_cast<uint64_t>(row * row_stride), &byte, 1);
        EXPECT_EQ(byte, 1 + row % 251) << "row " << row << " wide " << wide;
      }
      uint64_t status = 0;
      memory["status_word"].read(0, &status, 8);
      EXPECT_EQ(status, 0u);
    }
  }
}

TEST(Layout, ExplainsWidthLanesAndGuards) {
  const Key key = keys_of(OpId::kPagedAppend, Lowering::kTail, 2, 48, 8, 128).front();
  const codegen::tile::Program tile = codegen::ops::build_tile(key).value();
  const Lowered lowered = codegen::movement::lower(tile, key).value();
  const std::string text = codegen::movement::explain(tile, lowered.rows).value();
  EXPECT_NE(text.find("k_pages <- k"), std::string::npos) << text;
  EXPECT_NE(text.find("proved"), std::string::npos) << text;
  EXPECT_EQ(text.find("residual"), std::string::npos) << text;
  EXPECT_EQ(text.find("refuted"), std::string::npos) << text;
}

// The widths of a row's accesses, widest elements last to decide: no access is wider than 16 bytes on any side.
TEST(Layout, ConversionsAndRotationsTakeTheWidestAccessesThatFit) {
  struct Case {
    StaticConfiguration configuration;
    int64_t source, target, table;  // bytes per access of the body
    bool together;
  };
  const auto convert = [](DType from, DType to) {
    StaticConfiguration c{OpId::kConvert, Arch::kSm90a, Emitter::kLlvm, Lowering::kTail};
    c.head_dim = 128, c.source_type = from, c.target_type = to;
    return c;
  };
  const auto rope = [](DType type, DType table, RopeStyle style) {
    StaticConfiguration c{OpId::kAppendRope, Arch::kSm90a, Emitter::kLlvm, Lowering::kTail};
    c.page_size = 16, c.heads = 8, c.head_dim = 128, c.rotary_dim = 64;
    c.source_type = type, c.target_type = table, c.variant = static_cast<int>(style);
    return c;
  };
  constexpr DType kF32 = DType::kFloat32, kBf16 = DType::kBFloat16, kE4m3 = DType::kFloat8E4M3;
  for (const Case& c : {Case{convert(kF32, kBf16), 16, 8, 16, false}, Case{convert(kBf16, kF32), 8, 16, 16, false},
                        Case{convert(kBf16, kE4m3), 16, 8, 16, false}, Case{convert(kE4m3, kF32), 4, 16, 16, false},
                        Case{rope(kBf16, kF32, RopeStyle::kHalves), 8, 8, 16, false},
                        Case{rope(kBf16, kBf16, RopeStyle::kHalves), 16, 16, 16, false},
                        Case{rope(kBf16, kF32, RopeStyle::kInterleaved), 16, 16, 16, true},
                        Case{rope(kBf16, kBf16, RopeStyle::kInterleaved), 16, 16, 8, true},
                        Case{rope(kF32, kF32, RopeStyle::kInterleaved), 16, 16, 8, true}}) {
    Key best;  // the best aligned of dense keys
    for (const std::vector<Key> keys = enumerate_keys(c.configuration).value(); const Key& key : keys) {
      if (key.get(KeyField::kSourceContiguity) != 0 || key.get(KeyField::kTargetContiguity) != 0) continue;
      if (key.get(KeyField::kSourceAlignLog2) + key.get(KeyField::kTargetAlignLog2) >=
          best.get(KeyField::kSourceAlignLog2) + best.get(KeyField::kTargetAlignLog2)) {
        best = key;
      }
    }
    SCOPED_TRACE(to_string(best));
    const Lowered lowered = lower_key(best).value();
    const auto& body = lowered.rows.copies[0].streams[0];
    EXPECT_EQ(body.source_width(), c.source);
    EXPECT_EQ(body.target_width(), c.target);
    EXPECT_EQ(body.table_width(), c.table);
    EXPECT_EQ(body.together, c.together);
    EXPECT_EQ(lowered.rows.copies[0].streams.size(), best.op() == OpId::kAppendRope ? 2u : 1u) << "no tail";
  }
}

// The pow2 lowering's masks are real: over 127 vectors some of its guards are residual.
TEST(Layout, KeepsResidualGuardsInTheOldWay) {
  Key key = keys_of(OpId::kPagedGather, Lowering::kPow2Mask, 2, 48, 1, 127).front();
  const codegen::tile::Program tile = codegen::ops::build_tile(key).value();
  const Lowered lowered = codegen::movement::lower(tile, key).value();
  const std::string text = codegen::movement::explain(tile, lowered.rows).value();
  EXPECT_NE(text.find("residual"), std::string::npos) << text;
}

}  // namespace
}  // namespace tailor
