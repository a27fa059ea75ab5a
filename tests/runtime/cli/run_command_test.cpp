// `tailor run paged_gather | paged_append` end to end on the virtual device: shape to checked bytes, in a process of
// its own each time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "command_line.h"

namespace tailor::cli {
namespace {

using testing::HasSubstr;

Outcome run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "run");
  for (const char* flag : {"--device=virtual", "--no-cache", "--json"}) arguments.push_back(flag);
  return run_tailor(arguments);
}

void expect_verified(const Outcome& outcome) {
  const auto report = outcome.json();
  ASSERT_TRUE(report.is_object()) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(report["verified"], true) << outcome.out;
  EXPECT_EQ(report["mismatches"], 0);
  EXPECT_EQ(report["tier"], "compiled");
  EXPECT_EQ(report["fault"]["code"], 0);
  EXPECT_GT(report["rows_moved"], 0);
  EXPECT_GT(report["bytes_checked"], report["bytes_moved"]);
  EXPECT_GT(report["counters"]["global_store"]["bytes"], 0);
  EXPECT_EQ(report["device"], "virtual");
}

// Odd on purpose: heads, dims and pages that are no powers of two, rows smaller than a vector, padded and misaligned
// rows, empty and one-token sequences.
const std::vector<std::vector<std::string>> kShapes{
    {"--heads=3", "--head-dim=5", "--page-size=7", "--pad-row=1"},
    {"--heads=1", "--head-dim=1", "--page-size=1"},
    {"--heads=2", "--head-dim=72", "--page-size=16", "--layout=hnd"},
    {"--heads=5", "--head-dim=33", "--page-size=3", "--layout=hnd", "--misalign=8"},
    {"--heads=8", "--head-dim=128", "--page-size=16"},
    {"--heads=1", "--head-dim=576", "--page-size=64", "--misalign=16", "--pad-row=3"},
};

class RunCommand : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (GetParam() == std::string("nvrtc") && !has_part("NVRTC")) GTEST_SKIP() << "NVRTC is not here";
  }
  std::string emitter() const { return std::string("--emitter=") + GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Emitter, RunCommand, testing::Values("llvm", "nvrtc"),
                         [](const auto& info) { return info.param; });

TEST_P(RunCommand, MovesEveryByteWhateverTheShapeDtypeAndLowering) {
  size_t next = 0;
  for (const char* op : {"paged_gather", "paged_append"}) {
    for (const char* lowering : {"pow2-mask", "guarded", "tail"}) {
      for (const char* dtype : {"u8", "bf16", "f32", "i64"}) {
        std::vector<std::string> arguments{
            op,        emitter(),   std::string("--lowering=") + lowering, std::string("--dtype=") + dtype,
            "--check", "--batch=7", "--seed=" + std::to_string(next)};
        const auto& shape = kShapes[next++ % kShapes.size()];
        arguments.insert(arguments.end(), shape.begin(), shape.end());
        SCOPED_TRACE(testing::PrintToString(arguments));
        expect_verified(run(arguments));
      }
    }
  }
}

TEST_P(RunCommand, EveryElementAlignmentWorks) {
  for (const char* op : {"paged_gather", "paged_append"}) {
    for (const char* misalign : {"1", "2", "4", "8"}) {
      SCOPED_TRACE(misalign);
      expect_verified(
          run({op, emitter(), "--dtype=u8", "--head-dim=64", "--check", std::string("--misalign=") + misalign}));
    }
  }
}

TEST_P(RunCommand, TheOlderArchitectureWorksToo) {
  for (const char* op : {"paged_gather", "paged_append"}) {
    const Outcome outcome = run({op, emitter(), "--arch=sm_80", "--check"});
    expect_verified(outcome);
    EXPECT_EQ(outcome.json()["arch"], "sm_80");
  }
}

TEST_P(RunCommand, LengthsOfZeroAndOneAreValid) {
  expect_verified(run({"paged_gather", emitter(), "--seq-lens=0,1,0,17,0", "--check"}));
  expect_verified(run({"paged_gather", emitter(), "--seq-lens=1", "--page-size=1", "--check"}));
  expect_verified(run({"paged_append", emitter(), "--seq-lens=0,0,5", "--tokens=1", "--check"}));
}

TEST(RunCommandEdges, NothingToMoveIsSuccess) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"paged_gather", "--batch=0"},
                                                    {"paged_append", "--batch=0", "--tokens=0"},
                                                    {"paged_append", "--seq-lens=3,4", "--tokens=0"}}) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.json()["verified"], true);
    EXPECT_EQ(outcome.json()["launched"], false);
  }
  const Outcome zeros = run({"paged_gather", "--seq-lens=0,0,0"});
  EXPECT_EQ(zeros.exit_code, 0) << zeros.err;
  EXPECT_EQ(zeros.json()["verified"], true);
}

struct BrokenPromise {
  const char* op;
  std::vector<std::string> corruptions;
  std::vector<int> codes;  // a fault that may be reported
};

TEST_P(RunCommand, BrokenPromisesTouchNothingAndTheFirstIsNamed) {
  const BrokenPromise table[] = {
      {"paged_gather", {"block_table:1=999999"}, {4}},
      {"paged_gather", {"block_table:1=-1"}, {4}},
      {"paged_gather", {"block_table:0=2147483647", "block_table:1=-2147483648"}, {4}},
      {"paged_gather", {"seq_lens:2=1"}, {2}},
      {"paged_gather", {"seq_lens:0=-2147483648"}, {2}},
      {"paged_gather", {"cu_seqlens:1=2147483647"}, {1, 2, 3, 4}},
      {"paged_gather", {"cu_seqlens:1=-2147483648"}, {1, 2, 3, 4}},
      {"paged_gather", {"cu_seqlens:4=1000000"}, {1, 2, 3, 4}},
      {"paged_gather", {"cu_seqlens:0=-1000"}, {1, 2, 3, 4}},
      {"paged_append", {"batch_index:3=4"}, {5}},
      {"paged_append", {"batch_index:3=-1"}, {5}},
      {"paged_append", {"batch_index:0=2147483647", "position:0=2147483647"}, {3, 5}},
      {"paged_append", {"position:3=-1"}, {6}},
      {"paged_append", {"position:3=2147483647"}, {3}},
  };
  for (const BrokenPromise& broken : table) {
    for (const char* lowering : {"pow2-mask", "guarded", "tail"}) {
      std::vector<std::string> arguments{broken.op, emitter(), "--check", "--seq-lens=20,5,33,16",
                                         std::string("--lowering=") + lowering};
      for (const std::string& corruption : broken.corruptions) arguments.push_back("--corrupt=" + corruption);
      SCOPED_TRACE(testing::PrintToString(arguments));
      const Outcome outcome = run(arguments);
      const auto report = outcome.json();
      ASSERT_TRUE(report.is_object() && report.contains("fault")) << outcome.out << outcome.err;
      EXPECT_EQ(outcome.exit_code, 1);
      EXPECT_EQ(report["mismatches"], 0) << outcome.out;
      EXPECT_EQ(report["verified"], true) << "the fault reported is not the first: " << outcome.out;
      EXPECT_THAT(broken.codes, testing::Contains(report["fault"]["code"].get<int>()));
      EXPECT_THAT(outcome.err, HasSubstr("device fault"));
    }
    if (GetParam() == std::string("nvrtc")) continue;
    // Without a status word the rows are skipped all the same, and it is not called success.
    std::vector<std::string> arguments{broken.op, emitter(), "--seq-lens=20,5,33,16"};
    for (const std::string& corruption : broken.corruptions) arguments.push_back("--corrupt=" + corruption);
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
    EXPECT_EQ(outcome.json()["mismatches"], 0) << outcome.out;
    EXPECT_THAT(outcome.err, HasSubstr("--check names the first"));
  }
}

TEST(RunCommandEdges, BadCommandLinesAreUsageErrorsWithNameValueAndRule) {
  struct Bad {
    std::vector<std::string> arguments;
    std::vector<std::string> says;
  };
  const Bad table[] = {
      {{}, {"subcommand"}},
      {{"frobnicate"}, {"frobnicate"}},
      {{"run"}, {"subcommand"}},
      {{"run", "paged_scatter"}, {"paged_scatter"}},
      {{"run", "paged_gather", "--dtype=f12"}, {"--dtype", "'f12' is unknown", "bf16"}},
      {{"run", "paged_gather", "--arch=sm_42"}, {"--arch", "'sm_42'", "sm_90a"}},
      {{"run", "paged_gather", "--emitter=gcc"}, {"--emitter", "'gcc'", "llvm, nvrtc"}},
      {{"run", "paged_gather", "--lowering=pool"}, {"--lowering", "'pool'", "pow2-mask, guarded, tail"}},
      {{"run", "paged_gather", "--device=abacus"}, {"--device", "'abacus'"}},
      {{"run", "paged_gather", "--layout=nchw"}, {"--layout", "'nchw'"}},
      {{"run", "paged_gather", "--heads=-4"}, {"--heads is -4"}},
      {{"run", "paged_gather", "--heads=many"}, {"--heads: 'many'", "decimal integer"}},
      {{"run", "paged_gather", "--heads=99999999999999999999"}, {"--heads: '99999999999999999999'", "2^63"}},
      {{"run", "paged_gather", "--batch", ""}, {"--batch: ''", "decimal integer"}},
      {{"run", "paged_gather", "--seed=-1"}, {"--seed: '-1'", "2^64"}},
      {{"run", "paged_gather", "--misalign=1.5"}, {"--misalign: '1.5'", "decimal integer"}},
      {{"run", "serve", "--max-steps=1e3"}, {"--max-steps: '1e3'", "decimal integer"}},
      {{"run", "paged_gather", "--head-dim=2147483648", "--heads=2147483648"},
       {"pages would take more than", "smaller"}},
      {{"run", "paged_gather", "--seq-lens=3,x"}, {"--seq-lens"}},
      {{"run", "paged_gather", "--dtype=f32", "--misalign=2", "--device=virtual", "--no-cache"},
       {"pages.address", "multiple of the element size"}},
      {{"run", "paged_gather", "--corrupt=block_table"}, {"--corrupt", "OPERAND:INDEX=VALUE"}},
      {{"run", "paged_gather", "--device=virtual", "--no-cache", "--corrupt=packed:0=1"},
       {"--corrupt packed", "block_table"}},
      {{"run", "paged_gather", "--wat"}, {"--wat"}},
      {{"run", "serve", "--page-size=0"}, {"--page-size is 0"}},
      {{"run", "serve", "--max-batch=-1"}, {"--max-batch is -1"}},
      {{"emit", "paged_gather", "--what=jpeg"}, {"--what", "'jpeg'", "cubin"}},
      {{"emit", "paged_scatter", "--what=key"}, {"'paged_scatter'", "paged_gather, paged_append"}},
      {{"emit", "paged_gather", "--what=key", "--page-size=0"}, {"page"}},
      {{"emit", "--key", "op=nonsense", "--what=key"}, {"nonsense"}},
      {{"buckets", "paged_gather", "--head-dim=0"}, {"head_dim"}},
      {{"buckets"}, {"operation"}},
      {{"cache"}, {"subcommand"}},
  };
  for (const Bad& bad : table) {
    SCOPED_TRACE(testing::PrintToString(bad.arguments));
    const Outcome outcome = run_tailor(bad.arguments);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.out << outcome.err;
    EXPECT_EQ(outcome.out, "");
    for (const std::string& part : bad.says) EXPECT_THAT(outcome.err, HasSubstr(part));
  }
}

TEST(RunCommandEdges, HelpGoesToStdoutAndListsEveryVerb) {
  const Outcome outcome = run_tailor({"--help"});
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char* word : {"run", "emit", "buckets", "cache", "doctor", "version", "Exit codes", "TAILOR_CACHE_DIR"}) {
    EXPECT_THAT(outcome.out, HasSubstr(word));
  }
  EXPECT_EQ(run_tailor({"run", "serve", "--help"}).exit_code, 0);
}

TEST(RunCommandEdges, AMisspeltVariableIsWarnedOf) {
  CommandLine line;
  line.arguments = {"version"};
  line.set = {{"TAILOR_CACHEDIR", "/x"}};
  EXPECT_THAT(run_tailor(line).err, HasSubstr("TAILOR_CACHEDIR"));
  line.set.clear();
  EXPECT_THAT(run_tailor(line).err, testing::Not(HasSubstr("TAILOR_CACHEDIR")));
}

TEST(RunCommandEdges, AFullStdoutIsAFailure) {
  CommandLine line;
  line.arguments = {"version", "--json"};
  line.stdout_path = "/dev/full";
  const Outcome outcome = run_tailor(line);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("stdout cannot be written"));
}

TEST(RunCommandEdges, AMissingGpuIsAnErrorWhenItIsAskedFor) {
  if (has_part("driver")) GTEST_SKIP() << "a GPU is here";
  const Outcome outcome = run_tailor({"run", "paged_gather", "--device=cuda", "--json"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.json()["error"]["code"], "unavailable") << outcome.out << outcome.err;
  EXPECT_EQ(outcome.json()["verified"], false);
}

TEST(RunCommandEdges, TheDeviceChosenIsSaidOnStderr) {
  const Outcome outcome = run_tailor({"run", "paged_gather", "--no-cache", "--json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr(has_part("driver") ? "device: cuda" : "device: virtual"));
}

}  // namespace
}  // namespace tailor::cli
