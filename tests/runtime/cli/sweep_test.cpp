// The sweep over a generator that is told what to fail at: every key counts, every text is compiled once.
#include "runtime/cli/sweep/sweep.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "runtime/cli/sweep/configurations.h"

namespace tailor::cli {
namespace {

// Texts by alignment: many keys share one.
class FakeGenerator : public KernelGenerator {
 public:
  std::string digest() const override { return "fake"; }
  Expected<EmittedKernel> emit(const Key& key) override {
    if (refuses(key)) return unsupported("refused");
    EmittedKernel emitted;
    emitted.emitter = key.emitter();
    emitted.text = fmt::format("text {}", key.get(KeyField::kSourceAlignLog2));
    if (claims_too_much(key)) emitted.premises.push_back(Fact::exact(0, 12345));
    if (key.get(KeyField::kIndex64) == 0) emitted.unproved = "something";
    return emitted;
  }
  Expected<CompiledKernel> compile(const EmittedKernel& emitted, bool) override {
    ++compiles;
    if (emitted.text == "text 1") return Status{StatusCode::kCompiler, "no"};
    CompiledKernel compiled;
    compiled.cubin = emitted.text == "text 2" ? "text 3" : emitted.text;
    return compiled;
  }
  Expected<std::string> show(const Key&, Stage) override { return unsupported("nothing to show"); }
  std::string toolchain(Emitter) override { return "fake"; }
  std::vector<ToolStatus> tools() override { return {}; }

  static bool refuses(const Key& key) { return key.get(KeyField::kHeadDim) == 65; }
  static bool claims_too_much(const Key& key) { return key.get(KeyField::kHeadDim) == 80; }

  std::atomic<int> compiles{0};
};

SweepGroup group_of(OpId op, int64_t limit = 0) {
  auto group = sweep_group(op, Arch::kSm80, Emitter::kLlvm, Lowering::kTail, limit);
  EXPECT_TRUE(group.ok()) << group.status().to_string();
  return *group;
}

TEST(Sweep, EveryOperationHasKeysThatAreAllInItsDomainAndDiffer) {
  for (int op = 0; op < kOpCount; ++op) {
    const SweepGroup group = group_of(static_cast<OpId>(op));
    EXPECT_GT(group.keys.size(), 100u) << to_string(group.op);
    std::set<std::string> texts;
    for (const Key& key : group.keys) {
      EXPECT_TRUE(validate(key).ok());
      EXPECT_EQ(key.op(), group.op);
      texts.insert(to_string(key));
    }
    EXPECT_EQ(texts.size(), group.keys.size());
  }
}

TEST(Sweep, ASampleIsOfTheKeysAndTheSameEachTime) {
  const SweepGroup all = group_of(OpId::kConvert), some = group_of(OpId::kConvert, 50);
  EXPECT_EQ(some.keys.size(), 50u);
  EXPECT_EQ(some.keys, group_of(OpId::kConvert, 50).keys);
  for (const Key& key : some.keys) EXPECT_NE(std::find(all.keys.begin(), all.keys.end(), key), all.keys.end());
  EXPECT_EQ(group_of(OpId::kConvert, int64_t{1} << 30).keys.size(), all.keys.size());
}

TEST(Sweep, CountsTextsOnceAndNamesEveryKeyThatFails) {
  const SweepGroup group = group_of(OpId::kPack);
  int64_t refused = 0, claimed = 0, unproved = 0;
  std::set<uint64_t> texts;
  for (const Key& key : group.keys) {
    refused += FakeGenerator::refuses(key);
    claimed += FakeGenerator::claims_too_much(key);
    if (FakeGenerator::refuses(key)) continue;
    unproved += key.get(KeyField::kIndex64) == 0;
    texts.insert(key.get(KeyField::kSourceAlignLog2));
  }
  ASSERT_GT(refused, 0);
  ASSERT_GT(claimed, 0);
  ASSERT_TRUE(texts.contains(1) && texts.contains(2) && texts.contains(3));
  for (const int jobs : {1, 3}) {
    FakeGenerator generator;
    int64_t last = 0;
    const SweepResult result = sweep(group, generator, true, jobs, [&](int64_t done) { EXPECT_EQ(done, ++last); });
    EXPECT_EQ(last, result.keys);
    EXPECT_EQ(result.keys, static_cast<int64_t>(group.keys.size()));
    EXPECT_EQ(result.distinct_texts, static_cast<int64_t>(texts.size()));
    EXPECT_EQ(result.distinct_cubins, static_cast<int64_t>(texts.size()) - 2);  // one refused, two alike
    EXPECT_EQ(generator.compiles, static_cast<int>(texts.size()));
    EXPECT_EQ(result.unproved, unproved);
    std::map<std::string, int64_t> stages;
    for (const SweepFailure& failure : result.failures) ++stages[failure.stage];
    EXPECT_EQ(stages["emit"], refused);
    // The key whose text did not compile may be one that claims too much: it is listed once, by what was seen first.
    EXPECT_EQ(stages["premises"], claimed);
    EXPECT_LE(stages["compile"], 1);
  }
}

TEST(Sweep, TwoKeysOfAHundredMayBeUnproved) {
  EXPECT_FALSE(too_many_unproved(0, 0));
  EXPECT_FALSE(too_many_unproved(0, 7));
  EXPECT_TRUE(too_many_unproved(1, 49));
  EXPECT_FALSE(too_many_unproved(1, 50));
  EXPECT_FALSE(too_many_unproved(2, 100));
  EXPECT_TRUE(too_many_unproved(3, 100));
}

TEST(Sweep, WithoutCompilingThereAreNoCubins) {
  FakeGenerator generator;
  const SweepResult result = sweep(group_of(OpId::kUnpack), generator, false, 2, [](int64_t) {});
  EXPECT_EQ(generator.compiles, 0);
  EXPECT_EQ(result.distinct_cubins, 0);
  EXPECT_GT(result.distinct_texts, 1);
}

}  // namespace
}  // namespace tailor::cli
