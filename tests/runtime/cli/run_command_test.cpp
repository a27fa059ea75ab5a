// `tailor run paged_gather | paged_append` end to end on the virtual device: shape to checked bytes, in a process of
// its own each time.
#include <fstream>

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
  // NVRTC takes 1 and 4 for one operation, 2 and 8 for the other: a process costs a compile.
  const bool half = GetParam() == std::string("nvrtc");
  for (const char* op : {"paged_gather", "paged_append"}) {
    const bool gather = op == std::string("paged_gather");
    for (const int misalign : half ? (gather ? std::vector{1, 4} : std::vector{2, 8}) : std::vector{1, 2, 4, 8}) {
      SCOPED_TRACE(misalign);
      expect_verified(
          run({op, emitter(), "--dtype=u8", "--head-dim=64", "--check", "--misalign=" + std::to_string(misalign)}));
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
                                                    {"paged_append", "--batch=0"},
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
  // A process costs a compile, so the lowerings take turns, the emitters one turn apart: every row meets two of them
  // and every lowering meets both operations under both emitters.
  const bool nvrtc = GetParam() == std::string("nvrtc");
  const char* const lowerings[] = {"pow2-mask", "guarded", "tail"};
  size_t turn = nvrtc ? 1 : 0;
  for (const BrokenPromise& broken : table) {
    const char* lowering = lowerings[turn++ % 3];
    std::vector<std::string> arguments{broken.op, emitter(), "--seq-lens=20,5,33,16",
                                       std::string("--lowering=") + lowering};
    for (const std::string& corruption : broken.corruptions) arguments.push_back("--corrupt=" + corruption);
    SCOPED_TRACE(testing::PrintToString(arguments));
    std::vector<std::string> checked = arguments;
    checked.push_back("--check");
    const Outcome outcome = run(checked);
    const auto report = outcome.json();
    ASSERT_TRUE(report.is_object() && report.contains("fault")) << outcome.out << outcome.err;
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(report["mismatches"], 0) << outcome.out;
    EXPECT_EQ(report["verified"], true) << "the fault reported is not the first: " << outcome.out;
    EXPECT_THAT(broken.codes, testing::Contains(report["fault"]["code"].get<int>()));
    EXPECT_THAT(outcome.err, HasSubstr("device fault"));
    if (nvrtc || turn % 2 == 0) continue;
    // Without a status word the rows are skipped all the same, and it is not called success.
    const Outcome unchecked = run(arguments);
    EXPECT_EQ(unchecked.exit_code, 1) << unchecked.err;
    EXPECT_EQ(unchecked.json()["mismatches"], 0) << unchecked.out;
    EXPECT_THAT(unchecked.err, HasSubstr("--check names the first"));
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
      {{"run", "paged_gather", "--head-dim=2147483647", "--heads=2147483647", "--page-size=2147483647"},
       {"--page-size 2147483647 x --heads 2147483647 x --head-dim 2147483647", "smaller"}},
      {{"run", "paged_gather", "--page-size=2147483648"}, {"--page-size is 2147483648", "2147483647]"}},
      {{"run", "paged_gather", "--heads=2147483648"}, {"--heads is 2147483648", "2147483647]"}},
      {{"run", "paged_gather", "--head-dim=2147483648"}, {"--head-dim is 2147483648", "2147483647]"}},
      {{"run", "paged_gather", "--pad-row=2147483648"}, {"--pad-row is 2147483648", "2147483647]"}},
      {{"run", "paged_append", "--pad-row=2147483647"}, {"k: 32 x", "--pad-row", "smaller"}},
      {{"run", "paged_gather", "--batch=2147483648"}, {"--batch is 2147483648", "1048576]"}},
      {{"run", "paged_append", "--tokens=2147483648"}, {"--tokens is 2147483648", "16777216]"}},
      {{"run", "paged_gather", "--pool-pages=2147483648"}, {"--pool-pages is 2147483648", "268435456]"}},
      {{"run", "paged_gather", "--max-pages=2147483648"}, {"--max-pages is 2147483648", "268435456]"}},
      {{"run", "paged_gather", "--misalign=4097"}, {"--misalign is 4097", "4096]"}},
      {{"run", "paged_gather", "--batch=4", "--max-pages=268435456"}, {"4 sequences x 268435456 pages of --max-pages"}},
      {{"run", "paged_gather", "--seq-lens=2147483648"}, {"--seq-lens is 2147483648", "2147483647]"}},
      {{"run", "paged_gather", "--seq-lens=2147483647,1"}, {"--seq-lens makes 2147483648 rows", "at most 2147483647"}},
      {{"run", "paged_gather", "--page-size=2147483647", "--heads=1", "--head-dim=1", "--dtype=u8"},
       {"--batch 4 with --page-size 2147483647 makes", "rows"}},
      {{"run", "paged_append", "--seq-lens=2147483647"}, {"--seq-lens makes a sequence of 2147483647 tokens"}},
      {{"run", "paged_gather", "--seq-lens=3,x"}, {"--seq-lens: item 2 of '3,x' is 'x'", "decimal integer"}},
      {{"run", "paged_gather", "--seq-lens=5,,17"}, {"--seq-lens: item 2 of '5,,17' is empty", "decimal integer"}},
      {{"run", "paged_gather", "--seq-lens=5,"}, {"--seq-lens: item 2 of '5,' is empty"}},
      {{"run", "paged_gather", "--seq-lens", ""}, {"--seq-lens: item 1 of '' is empty"}},
      {{"run", "paged_gather", "--seq-lens=3", "--batch=9"}, {"--batch: it is 9", "--seq-lens is 1"}},
      {{"run", "paged_gather", "--device=virtual", "--ordinal=-1"},
       {"--ordinal is -1", "number of virtual devices is 1"}},
      {{"run", "paged_gather", "--device=virtual", "--ordinal=7"},
       {"--ordinal is 7", "number of virtual devices is 1"}},
      {{"run", "serve", "--device=virtual", "--ordinal=4294967296"}, {"--ordinal is 4294967296", "[0, 1)"}},
      {{"run", "paged_gather", "--dtype=f32", "--misalign=2", "--device=virtual", "--no-cache"},
       {"pages.address", "multiple of the element size"}},
      {{"run", "paged_gather", "--corrupt=block_table"}, {"--corrupt", "OPERAND:INDEX=VALUE"}},
      {{"run", "paged_gather", "--device=virtual", "--no-cache", "--corrupt=packed:0=1"},
       {"--corrupt packed", "block_table"}},
      {{"run", "paged_gather", "--wat"}, {"--wat"}},
      {{"run", "serve", "--page-size=0"}, {"--page-size is 0"}},
      {{"run", "serve", "--page-size=4294967297"}, {"--page-size is 4294967297", "65536]"}},
      {{"run", "serve", "--max-batch=-1"}, {"--max-batch is -1"}},
      {{"run", "serve", "--max-batch=4294967297"}, {"--max-batch is 4294967297", "4096]"}},
      {{"run", "serve", "--token-budget=4294967297"}, {"--token-budget is 4294967297", "1048576]"}},
      {{"emit", "paged_gather", "--what=jpeg"}, {"--what", "'jpeg'", "cubin"}},
      {{"emit", "paged_scatter", "--what=key"}, {"'paged_scatter'", "paged_gather, paged_append"}},
      {{"emit", "paged_gather", "--what=key", "--page-size=0"}, {"page"}},
      {{"emit", "--key", "op=nonsense", "--what=key"}, {"nonsense"}},
      {{"emit", "frob", "--key", "op=nonsense", "--what=key"}, {"'frob'", "paged_gather, paged_append"}},
      {{"emit", "paged_gather", "--what=key", "--key", ""}, {"--key is empty"}},
      {{"emit", "paged_gather", "--what=key", "--heads=0"}, {"--heads is 0", "[1, 2147483647]"}},
      {{"emit", "paged_gather", "--what=tile", "--heads=0"}, {"--heads is 0", "[1, 2147483647]"}},
      {{"emit", "paged_gather", "--what=key", "--page-size=2147483648"}, {"--page-size is 2147483648"}},
      {{"emit", "paged_gather", "--what=key", "--pad-row=9223372036854775807"}, {"--pad-row is 9223372036854775807"}},
      {{"emit", "paged_gather", "--what=key", "--heads=65536", "--head-dim=65536"},
       {"--heads 65536 x --head-dim 65536"}},
      {{"emit", "paged_gather", "--what=key", "--page-size=2147483647", "--heads=2147483647", "--head-dim=1"},
       {"--page-size 2147483647 x --heads 2147483647 x --head-dim 1", "bytes"}},
      {{"buckets", "paged_gather", "--head-dim=0"}, {"--head-dim is 0", "[1, 2147483647]"}},
      {{"buckets", "paged_gather", "--heads=0"}, {"--heads is 0", "[1, 2147483647]"}},
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

TEST(RunCommandEdges, WhoAsksForJsonGetsItWhateverIsWrongWithTheCommandLine) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--json"},
                                                    {"frobnicate", "--json"},
                                                    {"run", "paged_gather", "--json", "--heads=many"},
                                                    {"run", "paged_gather", "--heads=many", "--json"},
                                                    {"run", "paged_gather", "--json", "--heads=0"}}) {
    SCOPED_TRACE(testing::PrintToString(arguments));
    const Outcome outcome = run_tailor(arguments);
    EXPECT_EQ(outcome.exit_code, 2);
    const auto report = outcome.json();
    ASSERT_TRUE(report.is_object()) << outcome.out;
    EXPECT_EQ(report["verified"], false);
    EXPECT_EQ(report["error"]["code"], "invalid_argument");
    EXPECT_THAT(outcome.err, HasSubstr(report["error"]["message"].get<std::string>()));
  }
}

TEST(RunCommandEdges, HelpShowsDefaults) {
  struct Verb {
    std::vector<std::string> arguments;
    std::vector<std::string> says;
  };
  const Verb table[] = {
      {{"run", "paged_gather"},
       {"--batch INT=4", "--heads INT=4", "--head-dim INT=64", "--page-size INT=16", "--dtype NAME=bf16",
        "--layout NAME=nhd", "--emitter NAME=llvm", "--arch NAME=the device's", "--lowering NAME=tail",
        "--device NAME=auto", "--ordinal INT=0", "--seed UINT=1"}},
      {{"run", "paged_append"}, {"--tokens INT=32"}},
      {{"run", "serve"}, {"--max-batch INT=16", "--page-size INT=16", "--kv-heads INT=4", "--dtype NAME=bf16"}},
      {{"emit"}, {"--what NAME=kernel", "--arch NAME=sm_90a", "--heads INT=4", "--misalign BYTES=0"}},
      {{"buckets"}, {"--page-size INT=16", "--lowering NAME=tail"}},
  };
  for (const Verb& verb : table) {
    std::vector<std::string> arguments = verb.arguments;
    arguments.push_back("--help");
    SCOPED_TRACE(testing::PrintToString(arguments));
    const Outcome outcome = run_tailor(arguments);
    EXPECT_EQ(outcome.exit_code, 0);
    for (const std::string& part : verb.says) EXPECT_THAT(outcome.out, HasSubstr(part));
    EXPECT_THAT(outcome.out, testing::Not(HasSubstr("[]")));
  }
}

TEST(RunCommandEdges, AFallbackIsNamedWithItsKindAndDetail) {
  const TemporaryFolder folder;
  const auto gather = [&](const char* heads) {
    return run_tailor({"run", "paged_gather", "--device=virtual", "--json", "--cache-dir", folder / "cache", heads});
  };
  ASSERT_EQ(gather("--heads=1").exit_code, 0);
  const std::filesystem::path staging = folder / "cache/v1/tmp";
  std::filesystem::remove_all(staging);
  std::ofstream(staging).put('x');  // nothing can be published through a file
  const Outcome outcome = gather("--heads=2");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto report = outcome.json();
  ASSERT_TRUE(report.contains("fallbacks")) << outcome.out;
  EXPECT_EQ(report["fallbacks"][0]["kind"], "publish_failed");
  EXPECT_THAT(report["fallbacks"][0]["detail"].get<std::string>(), HasSubstr("v1/tmp"));
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

TEST(RunCommandEdges, LostTelemetryIsSaidAndFailsNothing) {
  const Outcome outcome = run_tailor({"run", "paged_gather", "--no-cache", "--telemetry=/dev/full", "--json"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("1 events could not be written"));
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
