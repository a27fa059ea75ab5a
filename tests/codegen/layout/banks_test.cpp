// Published measurements, the published examples of conflict-free and conflicting patterns, and a second enumerator.
#include "codegen/layout/banks.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tailor::codegen::layout {
namespace {

using testing::HasSubstr;

const BankModel& model(std::string_view arch, std::string_view opcode) {
  const auto found = find_bank_model(arch, opcode);
  EXPECT_TRUE(found.ok()) << found.status().message();
  return **found;
}

BankConflicts count(const BankModel& m, const LaneAddresses& addresses) {
  const auto result = count_conflicts(m, addresses);
  EXPECT_TRUE(result.ok()) << result.status().message();
  return *result;
}

LaneAddresses strided(const BankModel& m, int64_t stride) {
  LaneAddresses out;
  for (int lane = 0; lane < m.lanes * m.parts; ++lane) out.push_back(lane * stride);
  return out;
}

// amd-shark-ai docs/empirical-lds: conflicts per read once the stride is 128 bytes or more.
TEST(Banks, MeasuredSaturatedConflictsOfGfx942AreReproduced) {
  const std::map<std::string_view, int64_t> measured = {{"ds_read_b32", 62}, {"ds_read_b64", 60}, {"ds_read_b128", 56}};
  for (const auto& [opcode, conflicts] : measured) {
    for (int64_t stride : {128, 256, 512, 1024}) {
      EXPECT_EQ(count(model("gfx942", opcode), strided(model("gfx942", opcode), stride)).conflicts(), conflicts)
          << opcode << " at stride " << stride;
    }
  }
}

TEST(Banks, ConsecutiveLanesNeverConflict) {
  for (const BankModel& m : bank_models()) {
    if (m.bytes == 12) continue;  // lanes 0-3 and 20-23, 12 bytes each, lie 240 bytes apart: banks 0-7 meet 28-39
    const BankConflicts c = count(m, strided(m, m.bytes));
    EXPECT_EQ(c.conflicts(), 0) << m.arch << " " << m.opcode;
    EXPECT_FALSE(c.witness.has_value());
  }
}

TEST(Banks, OneDwordForAllLanesIsABroadcast) {
  for (const BankModel& m : bank_models()) {
    const BankConflicts c = count(m, LaneAddresses(static_cast<size_t>(m.lanes * m.parts), 64));
    EXPECT_EQ(c.cost, static_cast<int64_t>(m.groups.size()) * m.parts) << m.arch << " " << m.opcode;
  }
}

TEST(Banks, EveryRowsGroupsPartitionItsLanes) {
  for (const BankModel& m : bank_models()) {
    std::multiset<int> lanes;
    for (const LaneGroup& group : m.groups) {
      int in_group = 0;
      for (const LaneRange& r : group) {
        for (int lane = r.first; lane <= r.last; ++lane) lanes.insert(lane), ++in_group;
      }
      EXPECT_LE(in_group * m.bytes, m.banks * 4) << m.arch << " " << m.opcode << ": a group fits into one pass";
    }
    std::multiset<int> all;
    for (int lane = 0; lane < m.lanes; ++lane) all.insert(lane);
    EXPECT_EQ(lanes, all) << m.arch << " " << m.opcode;
  }
}

// A column of a 32 × 32 matrix of floats is the textbook 32-way conflict; one float of padding removes it.
TEST(Banks, PaddingOneColumnFreesATransposeOnNvidia) {
  const BankModel& m = model("nvidia", "ld.shared.b32");
  EXPECT_EQ(count(m, strided(m, 128)).cost, 32);
  EXPECT_EQ(count(m, strided(m, 132)).cost, 1);
  EXPECT_EQ(count(m, strided(m, 8)).cost, 2);
  EXPECT_EQ(count(m, strided(m, 12)).cost, 1);
}

TEST(Banks, LdmatrixRowsOf128BytesConflictEightWaysUnlessSwizzled) {
  const BankModel& m = model("nvidia", "ldmatrix.x4");
  EXPECT_EQ(count(m, strided(m, 128)).cost, 32);
  LaneAddresses swizzled;
  for (int64_t lane = 0; lane < 32; ++lane) swizzled.push_back(lane * 128 ^ (lane % 8) * 16);
  const BankConflicts c = count(m, swizzled);
  EXPECT_EQ(c.cost, 4);
  EXPECT_EQ(c.ideal, 4);
}

// The groups of a b128 read are not runs of lanes: lanes 0-7 alone are free on gfx942 only where lanes 0-3, 20-23 are.
TEST(Banks, TheGroupsOfABroadReadDecide) {
  const BankModel& read = model("gfx942", "ds_read_b128");
  const BankModel& write = model("gfx942", "ds_write_b128");
  // Lanes 16-31 mirror lanes 0-15, 128 bytes further: groups {0-3,20-23} see 8 different chunks, {0-7} too.
  LaneAddresses addresses;
  for (int64_t lane = 0; lane < 64; ++lane) addresses.push_back(lane % 8 * 16 + lane / 8 * 128);
  EXPECT_EQ(count(read, addresses).conflicts(), 0);
  EXPECT_EQ(count(write, addresses).conflicts(), 0);
  // Chunk = lane ^ (lane / 16 * 4): still free by runs of eight, but lanes 0-3 and 20-23 now share their chunks.
  for (int64_t lane = 0; lane < 64; ++lane) {
    addresses[static_cast<size_t>(lane)] = (lane % 8 ^ lane / 16 * 4 % 8) * 16 + lane / 8 * 128;
  }
  EXPECT_EQ(count(write, addresses).conflicts(), 0);
  EXPECT_EQ(count(read, addresses).conflicts(), 8);
}

TEST(Banks, BankCountsDependOnTheInstructionOnGfx950) {
  EXPECT_EQ(model("gfx950", "ds_read_b128").banks, 64);
  EXPECT_EQ(model("gfx950", "ds_read_b96").banks, 32);
  EXPECT_EQ(model("gfx950", "ds_write_b64").banks, 32);
}

TEST(Banks, TheTwoPartsOfRead2AreCountedOneAfterTheOther) {
  const BankModel& two = model("gfx942", "ds_read2_b64");
  const BankModel& one = model("gfx942", "ds_read_b64");
  LaneAddresses addresses = strided(one, 8);
  const LaneAddresses second = strided(one, 128);
  addresses.insert(addresses.end(), second.begin(), second.end());
  const BankConflicts c = count(two, addresses);
  EXPECT_EQ(c.group_cost.size(), 8u);
  EXPECT_EQ(c.cost, count(one, strided(one, 8)).cost + count(one, second).cost);
}

// The definition again, by sets of dwords per bank.
int64_t by_definition(const BankModel& m, const LaneAddresses& addresses) {
  int64_t cost = 0;
  for (int part = 0; part < m.parts; ++part) {
    for (const LaneGroup& group : m.groups) {
      std::map<int64_t, std::set<int64_t>> dwords;
      for (const LaneRange& r : group) {
        for (int lane = r.first; lane <= r.last; ++lane) {
          const int64_t address = addresses[static_cast<size_t>(part * m.lanes + lane)];
          if (address == kInactiveLane) continue;
          for (int64_t byte = address; byte < address + m.bytes; ++byte) dwords[byte / 4 % m.banks].insert(byte / 4);
        }
      }
      size_t worst = 0;
      for (const auto& [bank, set] : dwords) worst = std::max(worst, set.size());
      cost += static_cast<int64_t>(worst);
    }
  }
  return cost;
}

TEST(Banks, CostAgreesWithTheDefinitionOnRandomAddresses) {
  std::mt19937_64 rng(20261121);
  for (const BankModel& m : bank_models()) {
    for (int round = 0; round < 200; ++round) {
      const int64_t unit = m.bytes == 12 ? 4 : m.bytes;
      const int64_t span = int64_t{1} << (rng() % 10);
      LaneAddresses addresses;
      for (int lane = 0; lane < m.lanes * m.parts; ++lane) {
        addresses.push_back(rng() % 16 == 0 ? kInactiveLane : static_cast<int64_t>(rng()) % span * unit);
        if (addresses.back() < kInactiveLane) addresses.back() = -addresses.back();
        if (addresses.back() == kInactiveLane && unit == 1) addresses.back() = 0;
      }
      const BankConflicts c = count(m, addresses);
      ASSERT_EQ(c.cost, by_definition(m, addresses)) << m.arch << " " << m.opcode;
      ASSERT_GE(c.cost, c.ideal);
      ASSERT_EQ(c.witness.has_value(), c.cost > c.ideal);
      if (!c.witness) continue;
      // The two lanes really meet in the bank, in different dwords.
      ASSERT_NE(c.witness->lane_a, c.witness->lane_b);
    }
  }
}

TEST(Banks, UnknownRowsAndBadAddressesAreRefusedWithWhatThereIs) {
  EXPECT_THAT(find_bank_model("gfx90a", "ds_read_b128").status().message(),
              HasSubstr("neither published nor measured"));
  EXPECT_THAT(find_bank_model("gfx1", "ds_read_b128").status().message(), HasSubstr("gfx942"));
  EXPECT_THAT(find_bank_model("gfx942", "ds_write_b64").status().message(), HasSubstr("ds_write_b128"));
  EXPECT_THAT(find_bank_model("gfx942", 8, true).status().message(), HasSubstr("write of 8 bytes"));
  EXPECT_EQ((*find_bank_model("nvidia", 8, false))->opcode, "ld.shared.b64");
  EXPECT_EQ((*find_bank_model("gfx942", 16, true))->opcode, "ds_write_b128");
  const BankModel& m = model("nvidia", "ld.shared.b64");
  EXPECT_THAT(count_conflicts(m, LaneAddresses(31, 0)).status().message(), HasSubstr("takes 32"));
  LaneAddresses odd(32, 0);
  odd[5] = 4;
  EXPECT_THAT(count_conflicts(m, odd).status().message(), HasSubstr("lane 5 has address 4"));
  odd[5] = -8;
  EXPECT_FALSE(count_conflicts(m, odd).ok());
}

}  // namespace
}  // namespace tailor::codegen::layout
