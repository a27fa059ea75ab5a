// emit, buckets, doctor, version: every stage of a kernel can be seen, and what is seen fits together.
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "command_line.h"

namespace tailor::cli {
namespace {

using testing::HasSubstr;

std::string emit(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "emit");
  const Outcome outcome = run_tailor(arguments);
  EXPECT_EQ(outcome.exit_code, 0) << testing::PrintToString(arguments) << outcome.err;
  EXPECT_FALSE(outcome.out.empty());
  return outcome.out;
}

TEST(EmitCommand, ShowsEveryStageForBothOperations) {
  for (const std::string op : {"paged_gather", "paged_append"}) {
    const std::vector<std::string> shape{"--heads=3", "--head-dim=40", "--page-size=12"};
    const auto stage = [&](const char* what, const char* emitter) {
      return emit(
          {op, std::string("--what=") + what, std::string("--emitter=") + emitter, shape[0], shape[1], shape[2]});
    };
    EXPECT_THAT(stage("key", "llvm"), HasSubstr("head_dim=40"));
    EXPECT_FALSE(stage("layout", "llvm").empty());
    EXPECT_FALSE(stage("tile", "llvm").empty());
    EXPECT_THAT(stage("kernel", "llvm"), HasSubstr("kernel @tailor_" + op));
    EXPECT_THAT(stage("llvm", "llvm"), HasSubstr("@tailor_" + op));
    EXPECT_THAT(stage("ptx", "llvm"), HasSubstr(".target sm_90a"));
    EXPECT_THAT(stage("ptx", "llvm"), HasSubstr(".entry tailor_" + op));
    EXPECT_THAT(stage("cuda", "nvrtc"), HasSubstr("__global__"));
    EXPECT_FALSE(stage("plan", "llvm").empty());
  }
}

TEST(EmitCommand, CubinIsAnElfFileAndNeedsAPlaceToGo) {
  if (!has_part("nvJitLink")) GTEST_SKIP() << "nvJitLink is not here";
  const TemporaryFolder folder;
  const std::string path = folder / "kernel.cubin";
  const Outcome outcome = run_tailor({"emit", "paged_gather", "--what=cubin", "-o", path, "--json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  EXPECT_TRUE(
      bytes.starts_with("\x7f"
                        "ELF"));
  EXPECT_EQ(outcome.json()["bytes"], bytes.size());
  EXPECT_EQ(run_tailor({"emit", "paged_gather", "--what=cubin", "--json"}).exit_code, 2);
}

TEST(EmitCommand, TheKeyIsTheOneThatALaunchOfTheSameShapeHas) {
  for (const std::vector<std::string>& shape : {std::vector<std::string>{"--heads=3", "--head-dim=5", "--dtype=u8"},
                                                {"--layout=hnd", "--misalign=8"},
                                                {"--heads=1", "--head-dim=7", "--page-size=1"},
                                                {"--pad-row=3", "--dtype=f32"}}) {
    for (const char* op : {"paged_gather", "paged_append"}) {
      std::vector<std::string> run{"run", op, "--device=virtual", "--arch=sm_90a", "--no-cache", "--json"},
          key{"emit", op, "--what=key"};
      run.insert(run.end(), shape.begin(), shape.end());
      key.insert(key.end(), shape.begin(), shape.end());
      const Outcome launched = run_tailor(run);
      ASSERT_EQ(launched.exit_code, 0) << launched.err;
      EXPECT_EQ(run_tailor(key).out, launched.json()["key"].get<std::string>() + "\n");
    }
  }
}

TEST(BucketsCommand, ListsAFiniteSpaceThatHoldsTheKeysOfLaunches) {
  const auto report =
      run_tailor({"buckets", "paged_gather", "--heads=3", "--head-dim=5", "--dtype=u8", "--json"}).json();
  ASSERT_TRUE(report.is_object());
  const auto keys = report["keys"].get<std::vector<std::string>>();
  EXPECT_EQ(report["count"], keys.size());
  EXPECT_GT(keys.size(), 1u);
  for (const char* misalign : {"0", "1", "2", "8"}) {
    std::string key = emit({"paged_gather", "--what=key", "--heads=3", "--head-dim=5", "--dtype=u8",
                            std::string("--misalign=") + misalign});
    key.pop_back();
    EXPECT_THAT(keys, testing::Contains(key));
    EXPECT_EQ(emit({"--what=key", "--key", key}), key + "\n") << "a printed key parses back";
    EXPECT_EQ(emit({"paged_gather", "--what=key", "--key", key}), key + "\n");
    const Outcome other = run_tailor({"emit", "paged_append", "--what=key", "--key", key});
    EXPECT_EQ(other.exit_code, 2) << other.out;
    EXPECT_THAT(other.err, HasSubstr("--key is of paged_gather; it must be of paged_append"));
  }
  const Outcome text = run_tailor({"buckets", "paged_gather", "--heads=3", "--head-dim=5", "--dtype=u8"});
  EXPECT_EQ(std::count(text.out.begin(), text.out.end(), '\n'), static_cast<int64_t>(keys.size()) + 1);
}

TEST(DoctorCommand, NamesEveryPartWithVersionOrRemedy) {
  const TemporaryFolder folder;
  const Outcome outcome = run_tailor({"doctor", "--json", "--cache-dir", folder / "cache"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto report = outcome.json();
  EXPECT_EQ(report["usable"], true);
  std::vector<std::string> names;
  for (const auto& part : report["parts"]) {
    names.push_back(part["part"]);
    EXPECT_TRUE(part["found"].get<bool>() || !part["remedy"].get<std::string>().empty()) << part;
  }
  for (const char* name : {"driver", "virtual device", "LLVM", "isl", "NVRTC", "nvJitLink", "cache"}) {
    EXPECT_THAT(names, testing::Contains(name));
  }
}

TEST(VersionCommand, PrintsWhatDecidesWhetherACacheIsShared) {
  const auto report = run_tailor({"version", "--json"}).json();
  for (const char* name : {"version", "schema", "cache_format", "generator_digest"}) EXPECT_TRUE(report.contains(name));
}

}  // namespace
}  // namespace tailor::cli
