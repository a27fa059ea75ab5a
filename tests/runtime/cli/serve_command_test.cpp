// `tailor run serve` and `tailor cache` end to end on the virtual device.
#include <algorithm>
#include <fstream>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "command_line.h"

namespace tailor::cli {
namespace {

using testing::HasSubstr;

Outcome serve(const std::string& cache, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments{"run", "serve", "--device=virtual", "--json"};
  const bool bounded =
      std::any_of(more.begin(), more.end(), [](const auto& a) { return a.starts_with("--max-steps"); });
  if (!bounded) arguments.push_back("--max-steps=60");
  if (cache.empty()) {
    arguments.push_back("--no-cache");
  } else {
    arguments.push_back("--cache-dir=" + cache);
  }
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_tailor(arguments);
}

void expect_verified(const Outcome& outcome) {
  const auto report = outcome.json();
  ASSERT_TRUE(report.is_object()) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(report["verified"], true) << outcome.out;
  EXPECT_EQ(report["mismatches"], 0);
  EXPECT_EQ(report["faults"], 0);
  EXPECT_GT(report["steps"], 0);
  EXPECT_GT(report["tokens"], 0);
  EXPECT_GT(report["gathered_tokens"], 0);
  EXPECT_EQ(report["distinct_keys"], 2);
  EXPECT_GE(report["bytes_padded_layout"], report["bytes_moved"]);
  const auto& tiers = report["launches_by_tier"];
  EXPECT_EQ(tiers["memory"].get<int>() + tiers["disk"].get<int>() + tiers["compiled"].get<int>(),
            report["appends"].get<int>() + report["gathers"].get<int>());
}

TEST(ServeCommand, VerifiesGeneratedTracesInEveryLowering) {
  for (const char* lowering : {"pow2-mask", "guarded", "tail"}) {
    SCOPED_TRACE(lowering);
    const Outcome outcome = serve("", {std::string("--lowering=") + lowering});
    expect_verified(outcome);
    EXPECT_EQ(outcome.json()["launches_by_tier"]["compiled"], 2);
    EXPECT_EQ(outcome.json()["misses_by_reason"]["no_disk_tier"], 2);
    EXPECT_THAT(outcome.err, testing::Not(HasSubstr("\x1b"))) << "a progress bar without a terminal";
  }
}

TEST(ServeCommand, VerifiesOddShapesAndBothEmitters) {
  expect_verified(serve("", {"--kv-heads=3", "--head-dim=20", "--page-size=5", "--dtype=f32", "--layout=hnd"}));
  expect_verified(serve("", {"--kv-heads=3", "--head-dim=7", "--page-size=5", "--dtype=u8"}));
  expect_verified(serve("", {"--kv-heads=1", "--head-dim=33", "--page-size=1", "--max-steps=20"}));
  if (has_part("NVRTC")) expect_verified(serve("", {"--emitter=nvrtc"}));
}

TEST(ServeCommand, VerifiesUnderPreemption) {
  const Outcome outcome = serve("", {"--pool-pages=140", "--page-size=32", "--max-steps=400", "--kv-heads=1",
                                     "--head-dim=16", "--token-budget=2048", "--requests=40"});
  expect_verified(outcome);
  EXPECT_GT(outcome.json()["preemptions"], 0) << outcome.out;
}

TEST(ServeCommand, TheSameSeedGivesTheSameRun) {
  auto first = serve("", {"--seed=5"}).json(), second = serve("", {"--seed=5"}).json(),
       other = serve("", {"--seed=6"}).json();
  for (const char* name : {"tokens", "gathered_tokens", "bytes_moved", "bytes_padded_layout"})
    EXPECT_EQ(first[name], second[name]);
  EXPECT_NE(first["gathered_tokens"], other["gathered_tokens"]);
}

TEST(ServeCommand, ASecondProcessCompilesNothing) {
  for (const std::string emitter : {"llvm", "nvrtc"}) {
    if (emitter == "nvrtc" && !has_part("NVRTC")) continue;
    SCOPED_TRACE(emitter);
    const TemporaryFolder folder;
    const std::string cache = folder / "cache";
    const Outcome cold = serve(cache, {"--emitter=" + emitter});
    expect_verified(cold);
    EXPECT_EQ(cold.json()["launches_by_tier"]["compiled"], 2);
    EXPECT_EQ(cold.json()["misses_by_reason"]["absent"], 2);
    const Outcome warm = serve(cache, {"--emitter=" + emitter});
    expect_verified(warm);
    EXPECT_EQ(warm.json()["launches_by_tier"]["compiled"], 0);
    EXPECT_EQ(warm.json()["launches_by_tier"]["disk"], 2);
    EXPECT_EQ(warm.json()["kernels_compiled"], 0);
    EXPECT_EQ(run_tailor({"cache", "verify", "--cache-dir", cache}).exit_code, 0);
  }
}

std::vector<std::filesystem::path> files_under(const std::string& folder, const std::string& part) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().string().find(part) != std::string::npos) files.push_back(entry.path());
  }
  return files;
}

TEST(CacheCommand, ListsMeasuresAndFindsEveryKindOfDamageWhichCostsOnlyACompile) {
  const TemporaryFolder folder;
  const std::string cache = folder / "cache";
  expect_verified(serve(cache));
  const auto listed = run_tailor({"cache", "ls", "--cache-dir", cache, "--json"}).json();
  EXPECT_GE(listed["count"], 2);
  EXPECT_EQ(listed["entries"].size(), listed["count"]);
  std::string keys;
  for (const auto& entry : listed["entries"]) keys += entry["key"].get<std::string>();
  EXPECT_THAT(keys, HasSubstr("paged_gather"));
  EXPECT_THAT(keys, HasSubstr("paged_append"));
  const auto stat = run_tailor({"cache", "stat", "--cache-dir", cache, "--json"}).json();
  EXPECT_EQ(stat["actions"], listed["count"]);
  EXPECT_GT(stat["disk_bytes"], 0);

  const auto flip = [](const std::filesystem::path& path) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(std::filesystem::file_size(path) / 2));
    const char byte = static_cast<char>(file.peek() ^ 0x20);
    file.seekp(file.tellg());
    file.put(byte);
  };
  const auto truncate = [](const std::filesystem::path& path) {
    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  };
  const auto empty = [](const std::filesystem::path& path) { std::filesystem::resize_file(path, 0); };
  for (const char* part : {"/actions/", "/objects/"}) {
    for (const std::function<void(const std::filesystem::path&)>& damage :
         {std::function<void(const std::filesystem::path&)>(flip), {truncate}, {empty}}) {
      const auto files = files_under(cache, part);
      ASSERT_FALSE(files.empty());
      for (const auto& path : files) damage(path);
      const Outcome verify = run_tailor({"cache", "verify", "--cache-dir", cache, "--json"});
      EXPECT_EQ(verify.exit_code, 4) << verify.out << verify.err;
      EXPECT_EQ(verify.json()["intact"], false);
      EXPECT_GE(verify.json()["problem_count"], files.size());
      const Outcome again = serve(cache, {"--max-steps=10"});
      expect_verified(again);
      EXPECT_EQ(again.json()["launches_by_tier"]["compiled"], 2) << again.out;
      EXPECT_FALSE(again.json()["misses_by_reason"].empty());
      EXPECT_EQ(serve(cache, {"--max-steps=10"}).json()["launches_by_tier"]["compiled"], 0)
          << "the damage is not repaired";
    }
  }
}

TEST(CacheCommand, AQuestionCreatesNothing) {
  const TemporaryFolder folder;
  const std::string cache = folder / "nowhere";
  for (const char* verb : {"ls", "stat", "verify"}) {
    const Outcome outcome = run_tailor({"cache", verb, "--cache-dir", cache});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.err, HasSubstr(cache));
    EXPECT_FALSE(std::filesystem::exists(cache));
  }
}

TEST(ServeCommand, AnUnusableCacheIsAWarningAndNoMore) {
  const TemporaryFolder folder;
  const std::string file = folder / "file";
  std::ofstream(file).put('x');
  const std::string open = folder / "open";
  std::filesystem::create_directory(open);
  std::filesystem::permissions(open, std::filesystem::perms::all);
  for (const std::string& cache : {file, file + "/below", open}) {
    SCOPED_TRACE(cache);
    const Outcome outcome = serve(cache, {"--max-steps=5"});
    expect_verified(outcome);
    EXPECT_THAT(outcome.err, HasSubstr("warning: no disk cache"));
    EXPECT_THAT(outcome.err, HasSubstr(file.substr(0, 5)));
  }
  CommandLine line;
  line.arguments = {"run", "serve", "--device=virtual", "--json", "--max-steps=5"};
  line.unset = {"HOME", "XDG_CACHE_HOME", "TAILOR_CACHE_DIR"};
  const Outcome homeless = run_tailor(line);
  expect_verified(homeless);
  EXPECT_THAT(homeless.err, HasSubstr("HOME"));
}

TEST(ServeCommand, AReadOnlyCacheServesAndIsNotWritten) {
  const TemporaryFolder folder;
  const std::string cache = folder / "cache";
  expect_verified(serve(cache, {"--max-steps=5"}));
  const auto set_mode = [&](std::filesystem::perms mode) {
    std::filesystem::permissions(cache, mode);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(cache)) {
      if (entry.is_directory()) std::filesystem::permissions(entry.path(), mode);
    }
  };
  set_mode(std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  const Outcome warm = serve(cache, {"--max-steps=5"});
  const Outcome other = serve(cache, {"--max-steps=5", "--head-dim=32"});
  set_mode(std::filesystem::perms::owner_all);
  expect_verified(warm);
  EXPECT_EQ(warm.json()["launches_by_tier"]["compiled"], 0);
  expect_verified(other);
}

TEST(ServeCommand, EnvironmentAndFlagDecideWhereTheCacheIs) {
  const TemporaryFolder folder;
  CommandLine line;
  line.arguments = {"run", "paged_gather", "--device=virtual", "--json"};
  line.set = {{"TAILOR_CACHE_DIR", folder / "from_variable"}, {"XDG_CACHE_HOME", folder / "xdg"}};
  EXPECT_EQ(run_tailor(line).exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(folder / "from_variable"));
  EXPECT_FALSE(std::filesystem::exists(folder / "xdg"));
  line.unset = {"TAILOR_CACHE_DIR"};
  line.set.erase("TAILOR_CACHE_DIR");
  EXPECT_EQ(run_tailor(line).exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(folder / "xdg/tailor"));
}

TEST(ServeCommand, AMalformedTraceIsNamedWithItsLine) {
  const TemporaryFolder folder;
  const std::string path = folder / "bad.csv";
  std::ofstream(path) << "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n"
                         "2023-11-16 18:15:50.9951690,lots,109\r\n";
  const Outcome bad = serve("", {"--trace", path});
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_THAT(bad.err, HasSubstr(path + ":3: ContextTokens is 'lots'; it must be an integer"));
  EXPECT_EQ(bad.json()["verified"], false);
  const Outcome missing = serve("", {"--trace", folder / "missing.csv"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr("missing.csv"));
}

TEST(ServeCommand, ASmallTraceIsServedToItsEnd) {
  const TemporaryFolder folder;
  const std::string path = folder / "small.csv";
  std::ofstream(path)
      << "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,37,4\n2023-11-16 18:15:46.01,0,0\n"
         "2023-11-16 18:15:46.02,1,0\n2023-11-16 18:16:40,0,9\n2023-11-16 18:17:40,600,3";
  const Outcome outcome = serve("", {"--trace", path, "--max-steps=0", "--token-budget=100"});
  expect_verified(outcome);
  EXPECT_EQ(outcome.json()["requests_finished"], 5);
  EXPECT_EQ(outcome.json()["tokens"], 37 + 4 + 1 + 9 + 603);
}

TEST(ServeCommand, ServingNobodyIsAFailureAndServingSomeAWarning) {
  const TemporaryFolder folder;
  struct Row {
    std::string requests;
    int exit_code;
    std::string says;
  };
  const std::string head = "TIMESTAMP,ContextTokens,GeneratedTokens\n", large = "2023-11-16 18:15:46,100,100\n";
  const Row table[] = {
      {large + large, 1,
       "none of the 2 requests was served: the pool has 3 pages of 16 tokens, and the smallest request "
       "has 200 tokens"},
      {large + "2023-11-16 18:15:46,0,49\n", 1, "the smallest request has 49 tokens"},
      {large + "2023-11-16 18:15:46,40,8\n", 0, "1 requests need more pages than the pool has (3)"},
  };
  const std::string path = folder / "trace.csv";
  for (const Row& row : table) {
    std::ofstream(path) << head << row.requests;
    const Outcome outcome = serve("", {"--trace", path, "--max-steps=0", "--pool-pages=3"});
    EXPECT_EQ(outcome.exit_code, row.exit_code) << outcome.out;
    EXPECT_EQ(outcome.json()["verified"], row.exit_code == 0);
    EXPECT_THAT(outcome.err, HasSubstr(row.says));
  }
}

TEST(ServeCommand, RealTracesAreServedWhereTheyArePresent) {
  bool any = false;
  for (const char* name : {"azure_llm_conv_2023.csv", "azure_llm_code_2023.csv"}) {
    const std::string path = std::string(TAILOR_TRACE_DIR) + "/" + name;
    if (access(path.c_str(), R_OK) != 0) continue;
    any = true;
    SCOPED_TRACE(name);
    const Outcome outcome = serve("", {"--trace", path, "--max-steps=120"});
    expect_verified(outcome);
    EXPECT_EQ(outcome.json()["steps"], 120);
  }
  if (!any) GTEST_SKIP() << "no real traces in " << TAILOR_TRACE_DIR;
}

}  // namespace
}  // namespace tailor::cli
