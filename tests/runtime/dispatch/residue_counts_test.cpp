// Residues are learned after the launches that were asked for, per Runtime, and never fail a launch.
#include "runtime/dispatch/residue_counts.h"

#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/runtime/dispatch/harness.h"

namespace tailor {
namespace {

using namespace tailor::testing;
using ::testing::HasSubstr;

// [m, n] f32 to its transpose.
StridedCopy transposing(int64_t m, int64_t n) {
  StridedCopy op;
  op.source = Tensor::dense(at(0), DType::kFloat32, {m, n});
  std::swap(op.source.shape[0], op.source.shape[1]);
  std::swap(op.source.stride[0], op.source.stride[1]);
  op.target = Tensor::dense(at(1), DType::kFloat32, {n, m});
  return op;
}

bool knows_n(const ResidueCounts& counts, int residue) {
  return counts.learned().contains(ResidueKind::kMatrixColumns, residue);
}

TEST(ResidueCounts, LearnWhatWasAskedOften) {
  const Problem problem = *make_problem(transposing(128, 65)), common = *make_problem(transposing(128, 80));
  for (uint32_t after : {1u, 5u, 16u, 64u, 100u}) {
    ResidueCounts counts(after);
    uint32_t launches = 0;
    while (!knows_n(counts, 1) && launches < 1000) counts.count(problem), ++launches;
    EXPECT_GE(launches, after);
    EXPECT_LT(launches, after + 16) << "a thread adds its launches 16 at a time";
    for (int i = 0; i < 200; ++i) counts.count(common);
    EXPECT_FALSE(knows_n(counts, 16)) << "a common one needs no learning";
  }
}

TEST(ResidueCounts, ZeroNeverLearns) {
  ResidueCounts counts(0);
  const Problem problem = *make_problem(transposing(128, 65));
  for (int i = 0; i < 1000; ++i) counts.count(problem);
  EXPECT_FALSE(knows_n(counts, 1));
}

TEST(ResidueCounts, AreOfOneRuntime) {
  const Problem problem = *make_problem(transposing(128, 65));
  ResidueCounts first(32);
  {
    ResidueCounts other(32);
    for (int i = 0; i < 1000; ++i) first.count(problem), other.count(problem);
    EXPECT_FALSE(knows_n(first, 1) || knows_n(other, 1)) << "turning between Runtimes loses what was not added yet";
  }
  for (int i = 0; i < 48; ++i) first.count(problem);
  EXPECT_TRUE(knows_n(first, 1));
}

TEST(ResidueCounts, ThreadsCountTogether) {
  const Problem problem = *make_problem(transposing(131, 67));
  ResidueCounts counts(64);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 32; ++i) counts.count(problem);
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_TRUE(knows_n(counts, 3));
  counts.forget(problem);
  EXPECT_FALSE(knows_n(counts, 3));
}

class LearningRuntime : public ::testing::Test {
 protected:
  std::string launch(const StridedCopy& op) {
    EXPECT_TRUE(runtime_->launch(op, {.info = &info_}).ok());
    return info_.key;
  }
  FakeDriver driver_;
  std::shared_ptr<FakeGenerator> generator_ = std::make_shared<FakeGenerator>();
  std::unique_ptr<Runtime> runtime_ = open_fake(driver_, generator_);
  LaunchInfo info_;
};

TEST_F(LearningRuntime, AnOftenLaunchedResidueGetsAKernelOfItsOwn) {
  EXPECT_THAT(launch(transposing(128, 64)), HasSubstr("columns_residue=0 "));
  EXPECT_THAT(launch(transposing(144, 64)), HasSubstr("columns_residue=0 "));
  EXPECT_EQ(generator_->compiles, 1) << "one kernel for every number of rows";
  EXPECT_THAT(launch(transposing(128, 80)), HasSubstr("columns_residue=16 "));
  const StridedCopy odd = transposing(128, 65);
  EXPECT_THAT(launch(odd), HasSubstr("columns_residue=65535 "));
  for (int i = 0; i < 80; ++i) launch(odd);
  EXPECT_THAT(info_.key, HasSubstr("columns_residue=1 "));
  EXPECT_EQ(generator_->compiles, 4);
  EXPECT_THAT(launch(transposing(128, 66)), HasSubstr("columns_residue=65535 "));
}

// The kernel of a learned residue cannot be made: the launch is served by the one that was there.
TEST_F(LearningRuntime, WhatWasLearnedNeverFailsALaunch) {
  const StridedCopy odd = transposing(128, 65);
  launch(odd);
  generator_->fail_compile = true;
  int fallbacks = 0;
  for (int i = 0; i < 100; ++i) {
    launch(odd);
    EXPECT_TRUE(info_.launched);
    EXPECT_EQ(info_.tier, Tier::kMemory);
    if (info_.fallbacks == Fallback::kUnlearned) {
      ++fallbacks;
      EXPECT_THAT(info_.fallback_notes.at(0).detail, HasSubstr("fake compiler says no"));
    }
  }
  EXPECT_EQ(fallbacks, 1) << "it is counted from 0 again";
  EXPECT_EQ(runtime_->stats().fallbacks[static_cast<size_t>(Fallback::kUnlearned)], 1u);
  EXPECT_EQ(runtime_->stats().failed_launches, 0u);
  EXPECT_EQ(driver_.state.launches, 101);
}

}  // namespace
}  // namespace tailor
