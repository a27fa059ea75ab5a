// tailor sweep, end to end: a sample of every operation's key space is emitted, a handful is compiled.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "command_line.h"
#include "tailor/ops.h"

namespace tailor::cli {
namespace {

using testing::HasSubstr;

nlohmann::json without_times(nlohmann::json report) {
  report.erase("seconds");
  for (auto& group : report["groups"]) group.erase("seconds");
  return report;
}

TEST(SweepCommand, EmitsASampleOfEveryKeySpaceAndCountsTheSameWithAnyNumberOfThreads) {
  const Outcome one = run_tailor({"sweep", "--text-only", "--limit=8", "--jobs=1", "--json"});
  ASSERT_EQ(one.exit_code, 0) << one.err;
  const auto report = one.json();
  ASSERT_EQ(report["groups"].size(), static_cast<size_t>(kOpCount) * 2 * 2);
  int64_t keys = 0;
  for (const auto& group : report["groups"]) {
    EXPECT_EQ(group["keys"], 8) << group;
    EXPECT_EQ(group["failures"], 0) << group;
    EXPECT_EQ(group["distinct_cubins"], 0) << group;
    EXPECT_GE(group["distinct_texts"], 1) << group;
    EXPECT_LE(group["distinct_texts"], group["keys"]) << group;
    keys += group["keys"].get<int64_t>();
  }
  EXPECT_EQ(report["keys"], keys);
  EXPECT_EQ(report["failures"], 0);
  EXPECT_EQ(report["unproved"], 0) << report["first_unproved"];
  EXPECT_EQ(report["compiled"], false);
  const Outcome three = run_tailor({"sweep", "--text-only", "--limit=8", "--jobs=3", "--json"});
  EXPECT_EQ(without_times(three.json()), without_times(report));
}

TEST(SweepCommand, CompilesEachTextToACubin) {
  if (!has_part("nvJitLink")) GTEST_SKIP() << "nvJitLink is not here";
  const Outcome outcome = run_tailor({"sweep", "--limit=2", "--emitter=llvm", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const auto& group : outcome.json()["groups"]) {
    EXPECT_GE(group["distinct_cubins"], 1) << group;
    EXPECT_LE(group["distinct_cubins"], group["distinct_texts"]) << group;
  }
  if (!has_part("NVRTC")) return;
  const Outcome nvrtc = run_tailor({"sweep", "--limit=1", "--emitter=nvrtc", "--arch=sm_80", "--op=gather_rows"});
  EXPECT_EQ(nvrtc.exit_code, 0) << nvrtc.err;
  EXPECT_THAT(nvrtc.out, HasSubstr("gather_rows"));
}

TEST(SweepCommand, RefusesWhatItDoesNotKnowByName) {
  for (const auto& [flag, said] : std::vector<std::pair<std::string, std::string>>{{"--op=nothing", "--op"},
                                                                                   {"--limit=-1", "--limit"},
                                                                                   {"--jobs=-1", "--jobs"},
                                                                                   {"--lowering=x", "--lowering"}}) {
    const Outcome outcome = run_tailor({"sweep", "--text-only", flag});
    EXPECT_EQ(outcome.exit_code, 2) << flag;
    EXPECT_THAT(outcome.err, HasSubstr(said));
  }
}

}  // namespace
}  // namespace tailor::cli
