// The way of a launch, over a fake driver and a fake generator.
#include "tailor/runtime.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/ops/problem.h"
#include "tests/runtime/dispatch/harness.h"

namespace tailor {
namespace {

using namespace tailor::testing;
using ::testing::HasSubstr;

class RuntimeTest : public ::testing::Test {
 protected:
  FakeDriver driver_;
  std::shared_ptr<FakeGenerator> generator_ = std::make_shared<FakeGenerator>();
  std::unique_ptr<Runtime> runtime_ = open_fake(driver_, generator_);
};

TEST_F(RuntimeTest, TheFirstLaunchCompilesTheSecondHits) {
  LaunchInfo info;
  ASSERT_TRUE(runtime_->launch(gather_operands(), {.info = &info}).ok());
  EXPECT_EQ(info.tier, Tier::kCompiled);
  EXPECT_EQ(info.miss_reason, MissReason::kNoDiskTier);
  EXPECT_EQ(info.new_component, "first");
  EXPECT_TRUE(info.launched);
  EXPECT_THAT(info.key, HasSubstr("op=paged_gather schema=3 arch=sm_90a emitter=llvm lowering=tail"));
  std::vector<std::string> phases;
  for (const auto& [name, ms] : info.phases) phases.push_back(name);
  EXPECT_THAT(phases, ::testing::ElementsAre("emit", "nvjitlink", "load"));
  ASSERT_TRUE(runtime_->launch(gather_operands(), {.info = &info}).ok());
  EXPECT_EQ(info.tier, Tier::kMemory);
  EXPECT_TRUE(info.phases.empty());
  EXPECT_EQ(generator_->compiles, 1);
  EXPECT_EQ(driver_.state.launches, 2);
  const RuntimeStats stats = runtime_->stats();
  EXPECT_EQ(stats.launches, 2u);
  EXPECT_EQ(stats.launches_by_tier[static_cast<size_t>(Tier::kMemory)], 1u);
  EXPECT_EQ(stats.launches_by_tier[static_cast<size_t>(Tier::kCompiled)], 1u);
  EXPECT_EQ(stats.misses[static_cast<size_t>(MissReason::kNoDiskTier)], 1u);
  EXPECT_EQ(stats.distinct_keys, 1u);
  EXPECT_EQ(stats.kernels_compiled, 1u);
}

TEST_F(RuntimeTest, TheDriverGetsGridBlockStreamAndEverySymbol) {
  const auto check = [&](const auto& op, int64_t rows) {
    const Problem problem = *make_problem(op);
    const auto symbols = symbols_of(problem.op);
    driver_.state.parameter_count = symbols.size();
    void* stream = reinterpret_cast<void*>(uintptr_t{0x5757});
    for (int round = 0; round < 2; ++round) {
      ASSERT_TRUE(runtime_->launch(op, {.stream = stream}).ok());
      for (size_t s = 0; s < symbols.size(); ++s) {
        EXPECT_EQ(static_cast<int64_t>(driver_.state.last_parameters[s]), problem.values[s]) << symbols[s].name;
      }
      EXPECT_EQ(driver_.state.last_config.gridDimX, std::min<int64_t>((rows + 7) / 8, 132 * 2));
      EXPECT_EQ(driver_.state.last_config.gridDimY, 1u);
      EXPECT_EQ(driver_.state.last_config.blockDimX, 256u);
      EXPECT_EQ(driver_.state.last_config.hStream, static_cast<cu::CUstream>(stream));
      EXPECT_EQ(driver_.state.last_config.numAttrs, 0u);
    }
  };
  check(gather_operands(), 300);
  check(append_operands(), 40);
  EXPECT_EQ(runtime_->stats().new_components.size(), 2u);  // "first" and what an append has new
  check(pack_operands(), 100);
  check(unpack_operands(), 100);
  check(gather_rows_operands(), 40);
  check(scatter_rows_operands(), 40);
  check(concat_operands(), 50);
  check(split_operands(), 50);
  check(convert_operands(), 40);
  check(append_rope_operands(), 40);
  check(ragged_transpose_operands(), 100);
  check(copy_operands(), 120);
}

TEST_F(RuntimeTest, EveryOperationIsWarmedAndThenHits) {
  const auto check = [&](const auto& op) {
    const int compiled = generator_->compiles;
    ASSERT_TRUE(runtime_->warm(op).ok());
    EXPECT_EQ(generator_->compiles, compiled + 1);
    LaunchInfo info;
    ASSERT_TRUE(runtime_->launch(op, {.info = &info}).ok());
    EXPECT_EQ(info.tier, Tier::kMemory);
    EXPECT_EQ(generator_->compiles, compiled + 1);
    ASSERT_TRUE(runtime_->launch(op, {.arch = Arch::kSm80, .emitter = Emitter::kNvrtc, .info = &info}).ok());
    EXPECT_THAT(info.key, HasSubstr("arch=sm_80 emitter=nvrtc"));
    EXPECT_EQ(generator_->compiles, compiled + 2);
  };
#define X(name, Operands) check(good_operands<Operands>());
  TAILOR_OPERANDS(X)
#undef X
}

TEST_F(RuntimeTest, AMissSaysWhichComponentWasNew) {
  LaunchInfo info;
  const auto component = [&](const PagedGather& op, LaunchOptions options = {}) {
    options.info = &info;
    EXPECT_TRUE(runtime_->launch(op, options).ok());
    return info.new_component;
  };
  EXPECT_EQ(component(gather_number(0)), "first");
  EXPECT_EQ(component(gather_number(1)), "page_size");
  EXPECT_EQ(component(gather_number(1), {.lowering = Lowering::kGuarded}), "lowering");
  EXPECT_EQ(component(gather_number(0), {.lowering = Lowering::kGuarded}), "combination");
  EXPECT_EQ(component(gather_number(0), {.arch = Arch::kSm80, .emitter = Emitter::kNvrtc}), "arch+emitter");
}

TEST_F(RuntimeTest, NothingToMoveIsOkAndNotLaunched) {
  PagedGather op = gather_operands();
  op.packed = Tensor::dense(0, DType::kBFloat16, {0, 8, 128});
  LaunchInfo info;
  info.launched = true;
  EXPECT_TRUE(runtime_->launch(op, {.info = &info}).ok());
  EXPECT_FALSE(info.launched);
  EXPECT_EQ(driver_.state.launches, 0);
  EXPECT_EQ(generator_->emits, 0);
  EXPECT_EQ(runtime_->stats().empty_launches, 1u);
}

TEST_F(RuntimeTest, BadOperandsAreRefusedBeforeAnythingHappens) {
  PagedGather op = gather_operands();
  op.pages.address = 0;
  const Status s = runtime_->launch(op);
  EXPECT_EQ(s.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(s.message(), HasSubstr("pages.address"));
  EXPECT_EQ(generator_->emits, 0);
  EXPECT_EQ(driver_.state.launches, 0);
  EXPECT_EQ(runtime_->stats().failed_launches, 1u);
}

TEST_F(RuntimeTest, WarmResolvesWithoutLaunching) {
  LaunchInfo info;
  EXPECT_TRUE(runtime_->warm(append_operands(), {.info = &info}).ok());
  EXPECT_EQ(info.tier, Tier::kCompiled);
  EXPECT_FALSE(info.launched);
  EXPECT_EQ(driver_.state.launches, 0);
  EXPECT_TRUE(runtime_->launch(append_operands(), {.info = &info}).ok());
  EXPECT_EQ(info.tier, Tier::kMemory);
  EXPECT_EQ(runtime_->stats().launches, 1u);
}

TEST_F(RuntimeTest, IdenticalTextCompilesAndLoadsOnce) {
  generator_->same_text = true;
  LaunchInfo info;
  for (int n = 0; n < 5; ++n) ASSERT_TRUE(runtime_->launch(gather_number(n), {.info = &info}).ok());
  EXPECT_EQ(info.tier, Tier::kMemory);
  EXPECT_EQ(generator_->emits, 5);
  EXPECT_EQ(generator_->compiles, 1);
  EXPECT_EQ(driver_.state.loads, 1);
  EXPECT_EQ(runtime_->stats().texts_shared, 4u);
  EXPECT_EQ(runtime_->stats().distinct_keys, 5u);
}

TEST_F(RuntimeTest, ArchitecturesThatCannotRunHereAreRefused) {
  EXPECT_EQ(runtime_->arch(), Arch::kSm90a);
  EXPECT_TRUE(runtime_->launch(gather_operands(), {.arch = Arch::kSm80}).ok());
  EXPECT_EQ(runtime_->launch(gather_operands(), {.arch = static_cast<Arch>(9)}).code(), StatusCode::kInvalidArgument);
  driver_.state.major = 8, driver_.state.minor = 6;
  const auto ampere = open_fake(driver_, generator_);
  EXPECT_EQ(ampere->arch(), Arch::kSm80);
  const Status s = ampere->launch(gather_operands(), {.arch = Arch::kSm90a});
  EXPECT_EQ(s.code(), StatusCode::kUnsupported);
  EXPECT_THAT(s.message(), HasSubstr("sm_90a; the device has compute capability 8.6"));
  driver_.state.major = 10, driver_.state.minor = 0;
  EXPECT_EQ(open_fake(driver_, generator_)->arch(), Arch::kSm80) << "through PTX";
  driver_.state.major = 7;
  RuntimeParts parts;
  parts.driver = &driver_.table;
  EXPECT_EQ(RuntimeAccess::open({}, std::move(parts)).status().code(), StatusCode::kUnsupported);
}

TEST_F(RuntimeTest, TheCallersContextIsRestored) {
  const auto other = reinterpret_cast<cu::CUcontext>(uintptr_t{0xbad});
  for (const cu::CUcontext before : {other, fake_primary_context(), cu::CUcontext{nullptr}}) {
    fake_current_context = before;
    ASSERT_TRUE(runtime_->launch(gather_operands()).ok());
    EXPECT_EQ(fake_current_context, before);
  }
  EXPECT_TRUE(driver_.state.relaxed_when_loading);
  EXPECT_EQ(fake_capture_mode, cu::CU_STREAM_CAPTURE_MODE_GLOBAL);
  fake_current_context = nullptr;
}

// What ops.h says of operands that leave nothing to move: the status word is not written, whatever cu_seqlens holds.
TEST_F(RuntimeTest, WhatHasNothingToMoveIsNotLaunched) {
  Unpack op = unpack_operands();
  op.padded = Tensor::dense(0, DType::kFloat16, {4, 0, 96});
  LaunchInfo info;
  ASSERT_TRUE(runtime_->launch(op, {.info = &info}).ok());
  EXPECT_FALSE(info.launched);
  EXPECT_EQ(driver_.state.launches, 0);
  EXPECT_EQ(generator_->emits, 0);
}

TEST_F(RuntimeTest, ARefusedCubinFallsBackToPtx) {
  driver_.state.refuse_cubin = true;
  LaunchInfo info;
  ASSERT_TRUE(runtime_->launch(gather_operands(), {.info = &info}).ok());
  EXPECT_EQ(info.fallbacks, Fallback::kCubinRefused);
  EXPECT_THAT(info.fallback_notes.at(0).detail, HasSubstr("FAKE_ERROR (209)"));
  EXPECT_THAT(driver_.state.images.back(), HasSubstr("//PTX"));
  EXPECT_EQ(runtime_->stats().fallbacks[static_cast<size_t>(Fallback::kCubinRefused)], 1u);

  driver_.state.refuse_ptx = true;
  const Status s = runtime_->launch(gather_number(1));
  EXPECT_EQ(s.code(), StatusCode::kDriver);
  EXPECT_THAT(s.message(), HasSubstr("ptxas: fake log"));
  driver_.state.refuse_ptx = false;
  EXPECT_TRUE(runtime_->launch(gather_number(1)).ok()) << "a failure is not remembered";
}

TEST_F(RuntimeTest, AMissingCubinIsAFallbackUnlessRequired) {
  generator_->no_cubin = true;
  LaunchInfo info;
  ASSERT_TRUE(runtime_->launch(gather_operands(), {.info = &info}).ok());
  EXPECT_EQ(info.fallbacks, Fallback::kPtxOnly);
  EXPECT_THAT(info.fallback_notes.at(0).detail, HasSubstr("nvJitLink"));
  const auto strict = open_fake(driver_, generator_, {.require_cubin = true});
  EXPECT_EQ(strict->launch(gather_operands()).code(), StatusCode::kUnavailable);
}

TEST(VirtualRuntime, LoadsPtxOnly) {
  FakeDriver driver("virtual");
  const auto runtime = open_fake(driver, std::make_shared<FakeGenerator>());
  LaunchInfo info;
  ASSERT_TRUE(runtime->launch(gather_operands(), {.info = &info}).ok());
  EXPECT_TRUE(info.fallbacks.empty());
  ASSERT_EQ(driver.state.images.size(), 1u);
  EXPECT_THAT(driver.state.images[0], HasSubstr("//PTX"));
  EXPECT_EQ(runtime->device(), "virtual");
}

TEST_F(RuntimeTest, WhileCapturingNothingIsLeftToTheDriversCompiler) {
  driver_.state.capturing = true;
  EXPECT_TRUE(runtime_->launch(gather_operands()).ok()) << "a cubin may be loaded in relaxed mode";
  generator_->no_cubin = true;
  const Status s = runtime_->launch(gather_number(1));
  EXPECT_EQ(s.code(), StatusCode::kUnsupported);
  EXPECT_THAT(s.message(), HasSubstr("warm()"));
  driver_.state.capturing = false;
  EXPECT_TRUE(runtime_->warm(gather_number(1)).ok());
  driver_.state.capturing = true;
  EXPECT_TRUE(runtime_->launch(gather_number(1)).ok());
}

// The generator's output is held to the key before it is launched.
TEST_F(RuntimeTest, AKernelWithWrongPremisesIsRefused) {
  generator_->extra_premises = {Fact::divisible(gather::kPageStride, 1 << 20)};
  const Status s = runtime_->launch(gather_operands());
  EXPECT_EQ(s.code(), StatusCode::kInternal);
  EXPECT_THAT(s.message(), HasSubstr("page_stride % 1048576 == 0"));
  EXPECT_EQ(driver_.state.loads, 0);
}

TEST_F(RuntimeTest, FailuresOfTheGeneratorAreStatuses) {
  generator_->fail_compile = true;
  EXPECT_EQ(runtime_->launch(gather_operands()).code(), StatusCode::kCompiler);
  generator_->throw_in_emit = true;
  EXPECT_EQ(runtime_->launch(gather_operands()).code(), StatusCode::kInternal);
  generator_->fail_compile = generator_->throw_in_emit = false;
  driver_.state.fail_launch = true;
  EXPECT_THAT(runtime_->launch(gather_operands()).message(), HasSubstr("cuLaunchKernelEx"));
  driver_.state.fail_launch = false;
  EXPECT_TRUE(runtime_->launch(gather_operands()).ok());
  EXPECT_EQ(runtime_->stats().failed_launches, 3u);
}

TEST(RuntimeWithoutGenerator, AMissNamesTheRemedy) {
  FakeDriver driver;
  RuntimeParts parts;
  parts.driver = &driver.table;
  auto runtime = RuntimeAccess::open({.codegen_library = "/nonexistent/libtailor_codegen.so"}, std::move(parts));
  ASSERT_TRUE(runtime.ok());
  const Status s = (*runtime)->launch(gather_operands());
  EXPECT_EQ(s.code(), StatusCode::kUnavailable);
  EXPECT_THAT(s.message(), HasSubstr("/nonexistent/libtailor_codegen.so"));
  EXPECT_THAT(s.message(), HasSubstr("Build libtailor_codegen.so"));
}

TEST(RuntimeOpen, NamesWhatIsWrong) {
  const auto message = [](const RuntimeOptions& options) {
    const auto runtime = Runtime::open(options);
    return runtime.ok() ? std::string("opened") : runtime.status().to_string();
  };
  EXPECT_THAT(message({.device = "tpu"}), HasSubstr("device is \"tpu\"; it must be \"cuda\" or \"virtual\""));
  EXPECT_THAT(message({.device = "virtual", .virtual_library = "/nonexistent.so"}), HasSubstr("/nonexistent.so"));
  FakeDriver driver;
  const auto open = [&](const RuntimeOptions& options) {
    RuntimeParts parts;
    parts.driver = &driver.table;
    return RuntimeAccess::open(options, std::move(parts)).status();
  };
  EXPECT_THAT(open({.ordinal = 1}).message(), HasSubstr("ordinal is 1; the driver has 1"));
  EXPECT_THAT(open({.ordinal = -1}).message(), HasSubstr("ordinal is -1"));
  EXPECT_EQ(open({.telemetry_path = "/nonexistent/x"}).code(), StatusCode::kIo);
  EXPECT_EQ(driver.state.retains, driver.state.releases) << "a failed open gives the context back";
}

TEST(RuntimeLifetime, LibrariesAndContextAreGivenBack) {
  FakeDriver driver;
  {
    const auto runtime = open_fake(driver, std::make_shared<FakeGenerator>());
    for (int n = 0; n < 3; ++n) ASSERT_TRUE(runtime->launch(gather_number(n)).ok());
    EXPECT_EQ(driver.state.unloads, 0);
  }
  EXPECT_EQ(driver.state.unloads, 3);
  EXPECT_EQ(driver.state.releases, 1);
}

TEST_F(RuntimeTest, AfterForkTheChildIsRefused) {
  ASSERT_TRUE(runtime_->launch(gather_operands()).ok());
  const pid_t child = ::fork();
  if (child == 0) {
    const Status hit = runtime_->launch(gather_operands());
    const Status miss = runtime_->launch(gather_number(3));
    const bool refused = hit.code() == StatusCode::kUnavailable && miss.code() == StatusCode::kUnavailable &&
                         hit.message().find("fork") != std::string::npos && driver_.state.launches == 1;
    runtime_.reset();  // touches no driver
    ::_exit(refused && driver_.state.unloads == 0 && driver_.state.releases == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_TRUE(runtime_->launch(gather_operands()).ok()) << "the parent goes on";
}

TEST(RuntimeTelemetry, EachDecisionIsOneJsonLine) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("tailor_runtime_events_" + std::to_string(::getpid()))).string();
  FakeDriver driver;
  {
    const auto runtime = open_fake(driver, std::make_shared<FakeGenerator>(), {.telemetry_path = path});
    EXPECT_TRUE(runtime->launch(gather_operands()).ok());
    EXPECT_TRUE(runtime->launch(gather_operands()).ok());
    PagedGather bad = gather_operands();
    bad.pages.rank = 2;
    EXPECT_FALSE(runtime->launch(bad).ok());
    bad = gather_operands();
    bad.packed.shape[0] = 0;
    EXPECT_TRUE(runtime->launch(bad).ok());
  }
  std::ifstream in(path);
  std::vector<std::string> decisions;
  for (std::string line; std::getline(in, line);) decisions.push_back(nlohmann::json::parse(line)["decision"]);
  EXPECT_THAT(decisions, ::testing::ElementsAre("compiled", "memory", "refused", "empty"));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace tailor
