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

// The keys of every operation, without a device and without a code generator.
TEST(BucketsCommand, ListsTheKeysOfEveryOperation) {
  const std::vector<std::vector<std::string>> lines = {
      {"append_rope", "--dtype=f16", "--rotary-dim=32", "--style=interleaved"},
      {"append_rope", "--dtype=f16", "--to=f16"},
      {"pack", "--head-dim=37", "--dtype=u8"},
      {"unpack", "--pad-row=3"},
      {"gather_rows", "--index=i64"},
      {"scatter_rows", "--misalign=4"},
      {"concat", "--head-dim=1"},
      {"split", "--index64"},
      {"convert", "--dtype=f32", "--to=fp8_e4m3", "--scale", "--head-dim=100"},
      {"ragged_transpose", "--length-multiple=24"},
      {"copy", "--head-dim=77", "--outer-rank=3"},
      {"copy", "--head-dim=5000", "--misalign=2"},
      {"copy", "--mode=elements", "--head-dim=9"},
      {"copy", "--mode=transposed", "--matrix-rows=144", "--matrix-columns=65", "--outer-rank=1"}};
  for (std::vector<std::string> line : lines) {
    std::vector<std::string> buckets = {"buckets"};
    for (const std::string& word : line) {
      const bool of_a_launch = word.starts_with("--pad-row") || word.starts_with("--misalign") || word == "--index64" ||
                               word.starts_with("--length-multiple") || word.starts_with("--matrix");
      if (!of_a_launch) buckets.push_back(word);
    }
    line.push_back("--what=key");
    std::string key = emit(line);
    key.pop_back();
    EXPECT_EQ(emit({"--what=key", "--key", key}), key + "\n");
    const Outcome listed = run_tailor(buckets);
    EXPECT_EQ(listed.exit_code, 0) << listed.err;
    EXPECT_THAT(listed.out, HasSubstr(key + "\n"));
  }
}

TEST(BucketsCommand, RefusesByTheNameOfTheFlag) {
  const auto refused = [](std::vector<std::string> line, const char* expected) {
    line.insert(line.begin(), "emit");
    line.push_back("--what=key");
    const Outcome outcome = run_tailor(line);
    EXPECT_EQ(outcome.exit_code, 2) << testing::PrintToString(line);
    EXPECT_THAT(outcome.err, HasSubstr(expected));
  };
  refused({"append_rope", "--rotary-dim=3"}, "--rotary-dim is 3; it must be even");
  refused({"append_rope", "--head-dim=37"}, "--head-dim is 37; it must be even");
  refused({"append_rope", "--head-dim=1"}, "--head-dim is 1; it must be even");
  refused({"append_rope", "--rotary-dim=66"}, "--rotary-dim is 66; it must be in [2, 64]");
  refused({"append_rope", "--dtype=u8"}, "--dtype is u8; it must be f32, f16 or bf16");
  refused({"append_rope", "--to=f16"}, "--to is f16; it must be f32 or --dtype (bf16)");
  refused({"convert", "--dtype=i32"}, "--dtype is i32 and --to is f32; each must be");
  refused({"copy", "--mode=elements", "--head-dim=1"}, "--head-dim is 1; it must be in [2,");
  refused({"copy", "--outer-rank=9"}, "--outer-rank is 9; it must be in [0, 8]");
  refused({"copy", "--mode=transposed", "--outer-rank=8"}, "--outer-rank is 8; it must be in [0, 7]");
  refused({"copy", "--mode=transposed", "--matrix-rows=1"}, "--matrix-rows is 1; it must be in [2,");
  refused({"ragged_transpose", "--length-multiple=0"}, "--length-multiple is 0; it must be in [1,");
  refused({"pack", "--misalign=1"}, "--misalign is 1; it must be a multiple of the element size (2 bytes)");
  refused({"gather_rows", "--index=f32"}, "'f32' is unknown; it must be one of i32, i64");
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
