// The disk tier: a second process compiles nothing; no fault, damage or forgery of the cache fails a launch or launches
// a kernel that the key does not allow.
#include <filesystem>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/store.h"
#include "runtime/dispatch/action_key.h"
#include "runtime/ops/image_codec.h"
#include "runtime/ops/problem.h"
#include "tests/cache/support.h"
#include "tests/runtime/dispatch/harness.h"

namespace tailor {
namespace {

using namespace tailor::testing;
using cache::testing::GatedFileSystem;
using cache::testing::TempDir;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class RuntimeCacheTest : public ::testing::Test {
 protected:
  TempDir dir_{TempDir::kMemory};
  std::string root_ = dir_ / "cache";
  FakeDriver driver_;
  std::shared_ptr<FakeGenerator> generator_ = std::make_shared<FakeGenerator>();

  RuntimeOptions options() const {
    RuntimeOptions o;
    o.cache_root = root_;
    return o;
  }
  // One launch in a Runtime of its own, as a process would.
  LaunchInfo launch(const PagedGather& op, std::shared_ptr<cache::FileSystem> file_system = nullptr,
                    const RuntimeOptions* special = nullptr) {
    LaunchInfo info;
    const auto runtime = open_fake(driver_, generator_, special ? *special : options(), std::move(file_system));
    const int before = driver_.state.launches;
    const Status s = runtime->launch(op, {.info = &info});
    EXPECT_TRUE(s.ok()) << s.to_string();
    EXPECT_EQ(driver_.state.launches, before + 1);
    return info;
  }
  static Key key_of(const PagedGather& op) {
    return make_key(*make_problem(op), Arch::kSm90a, Emitter::kLlvm, Lowering::kTail);
  }
  // Replaces the record under the operands' key and launches: what becomes of a forgery.
  LaunchInfo launch_forged(const PagedGather& op, cache::ActionRecord record) {
    {
      cache::StoreOptions o;
      o.root = root_;
      auto store = cache::Store::open(o);
      EXPECT_TRUE(store.ok());
      const Status s = (*store)->publish(action_key(key_of(op), generator_->own_digest), record);
      EXPECT_TRUE(s.ok()) << s.message();
    }
    return launch(op);
  }
  StoredImage image_for(const PagedGather& op) {
    const Key key = key_of(op);
    return {key.op(),
            key.arch(),
            key.emitter(),
            std::string(entry_symbol(key.op())),
            facts_of(key),
            FakeGenerator::plan_for(key.op()),
            "",
            ""};
  }
  static cache::ActionRecord record_of(std::string metadata) {
    return {std::move(metadata), "forger", 12000, {{"cubin", "CUBIN forged"}, {"ptx", "//PTX forged"}}};
  }
  bool forged_image_loaded() {
    const std::lock_guard lock(driver_.state.mutex);
    for (const auto& image : driver_.state.images) {
      if (image.find("forged") != std::string::npos) return true;
    }
    return false;
  }
};

TEST_F(RuntimeCacheTest, ASecondProcessCompilesNothing) {
  LaunchInfo info = launch(gather_operands());
  EXPECT_EQ(info.tier, Tier::kCompiled);
  EXPECT_EQ(info.miss_reason, MissReason::kAbsent);
  for (int process = 0; process < 3; ++process) {
    info = launch(gather_operands());
    EXPECT_EQ(info.tier, Tier::kDisk);
    EXPECT_EQ(info.miss_reason, MissReason::kNone);
  }
  EXPECT_EQ(generator_->emits, 1);
  EXPECT_EQ(generator_->compiles, 1);
}

// A warm cache serves without the code generator's library.
TEST_F(RuntimeCacheTest, NoGeneratorIsNeededForWhatIsStored) {
  launch(gather_operands());
  RuntimeParts parts;
  parts.driver = &driver_.table;
  parts.generator_digest = generator_->own_digest;
  RuntimeOptions o = options();
  o.codegen_library = "/nonexistent.so";
  auto runtime = RuntimeAccess::open(o, std::move(parts));
  ASSERT_TRUE(runtime.ok());
  EXPECT_TRUE((*runtime)->launch(gather_operands()).ok());
  const Status s = (*runtime)->launch(gather_number(1));
  EXPECT_EQ(s.code(), StatusCode::kUnavailable);
  EXPECT_THAT(s.message(), HasSubstr("(absent)"));
}

TEST_F(RuntimeCacheTest, IdenticalTextOfAnEarlierProcessIsNotCompiledAgain) {
  generator_->same_text = true;
  launch(gather_number(0));
  const LaunchInfo info = launch(gather_number(1));
  EXPECT_EQ(info.tier, Tier::kDisk);
  EXPECT_EQ(info.miss_reason, MissReason::kAbsent);
  EXPECT_EQ(generator_->emits, 2);
  EXPECT_EQ(generator_->compiles, 1);
  EXPECT_EQ(launch(gather_number(1)).miss_reason, MissReason::kNone) << "and its own action was stored";
  EXPECT_EQ(generator_->emits, 2);
}

TEST_F(RuntimeCacheTest, APhaseThatRunsTwiceIsReportedOnceWithItsSum) {
  std::vector<std::string> phases;  // a cold launch looks up, and publishes, the key and the text
  for (const auto& [name, milliseconds] : launch(gather_operands()).phases) phases.push_back(name);
  EXPECT_THAT(phases, ::testing::UnorderedElementsAre("lookup", "emit", "nvjitlink", "load", "publish"));
}

TEST_F(RuntimeCacheTest, AnotherToolchainOrDigestCompilesAgain) {
  launch(gather_operands());
  generator_->own_digest = "fake-digest-2";
  LaunchInfo info = launch(gather_operands());  // this library still says fake-digest-1, whose entry is valid
  EXPECT_EQ(info.tier, Tier::kDisk);
  info = launch(gather_number(1));
  EXPECT_EQ(info.fallbacks, Fallback::kOtherGenerator);
  EXPECT_EQ(info.tier, Tier::kCompiled);
  info = launch(gather_number(1));
  EXPECT_EQ(info.tier, Tier::kDisk) << "found under the generator's own digest";
  EXPECT_EQ(info.fallbacks, Fallback::kOtherGenerator);
  generator_->same_text = true;
  launch(gather_number(2));
  generator_->nvjitlink_version = "14.0";
  EXPECT_EQ(launch(gather_number(3)).tier, Tier::kCompiled);
}

TEST_F(RuntimeCacheTest, AReadOnlyRuntimePublishesNothing) {
  RuntimeOptions o = options();
  o.cache_read_only = true;
  EXPECT_EQ(launch(gather_operands(), nullptr, &o).tier, Tier::kCompiled);
  EXPECT_EQ(launch(gather_operands(), nullptr, &o).tier, Tier::kCompiled);
  launch(gather_operands());
  EXPECT_EQ(launch(gather_operands(), nullptr, &o).tier, Tier::kDisk);
}

TEST_F(RuntimeCacheTest, ACacheThatCannotBeOpenedIsReportedAndDoneWithout) {
  RuntimeOptions o;
  o.cache_root = "/proc/none/tailor";
  const auto runtime = open_fake(driver_, generator_, o);
  EXPECT_FALSE(runtime->cache_status().ok());
  LaunchInfo info;
  EXPECT_TRUE(runtime->launch(gather_operands(), {.info = &info}).ok());
  EXPECT_EQ(info.miss_reason, MissReason::kNoDiskTier);
  EXPECT_TRUE(open_fake(driver_, generator_, options())->cache_status().ok());
}

TEST_F(RuntimeCacheTest, EveryDamagedFileIsAMissWithAReason) {
  launch(gather_operands());
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  ASSERT_GE(files.size(), 4u);  // two actions, two objects
  int missed = 0;
  for (const fs::path& file : files) {
    const std::string intact = cache::testing::read_file(file);
    for (const size_t at : {size_t{0}, intact.size() / 2, intact.size() - 1}) {
      std::string damaged = intact;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
      cache::testing::write_file(file, damaged);
      const LaunchInfo info = launch(gather_operands());
      if (info.miss_reason != MissReason::kNone) {
        ++missed;
        EXPECT_NE(info.miss_reason, MissReason::kAbsent) << file;
        EXPECT_FALSE(info.miss_detail.empty());
      }
      EXPECT_TRUE(info.miss_reason != MissReason::kNone || info.tier == Tier::kDisk) << file;
      EXPECT_EQ(launch(gather_operands()).miss_reason, MissReason::kNone) << "healed";
      cache::testing::write_file(file, intact);
    }
    fs::remove(file);
    launch(gather_operands());
  }
  EXPECT_GE(missed, 6) << "the action and the cubin, three times each";
}

// Fails the k-th file system call, for every k of a cold and of a warm launch, with each of some errors.
TEST_F(RuntimeCacheTest, NoFailingSystemCallFailsALaunch) {
  int injected = 0, compiled_again = 0;
  for (const int error : {EIO, ENOSPC, EACCES}) {
    for (const bool warm : {false, true}) {
      for (uint64_t k = 0;; ++k) {
        fs::remove_all(root_);
        if (warm) launch(gather_operands());
        auto file_system = std::make_shared<GatedFileSystem>();
        bool hit = false;
        file_system->set_gate([&](const char*, uint64_t number) {
          if (number != k) return 0;
          hit = true;
          return -error;
        });
        const LaunchInfo info = launch(gather_operands(), file_system);
        compiled_again += warm && info.tier == Tier::kCompiled;
        EXPECT_EQ(file_system->open_fds(), 0);
        if (!hit) break;
        ++injected;
      }
    }
  }
  EXPECT_GT(injected, 60);
  EXPECT_GT(compiled_again, 3);
}

TEST_F(RuntimeCacheTest, AFullDiskIsNotedAndTheKernelRuns) {
  auto file_system = std::make_shared<GatedFileSystem>();
  file_system->set_gate([](const char* call, uint64_t) { return std::string_view(call) == "write" ? -ENOSPC : 0; });
  const LaunchInfo info = launch(gather_operands(), file_system);
  EXPECT_EQ(info.tier, Tier::kCompiled);
  EXPECT_EQ(info.fallbacks, Fallback::kPublishFailed);
  EXPECT_FALSE(info.fallback_notes.at(0).detail.empty());
}

TEST_F(RuntimeCacheTest, AStoredImageIsUsedAsItStands) {
  const LaunchInfo info = launch_forged(gather_operands(), record_of(encode_image(image_for(gather_operands()))));
  EXPECT_EQ(info.tier, Tier::kDisk);
  EXPECT_EQ(generator_->emits, 0);
  EXPECT_TRUE(forged_image_loaded()) << "the forgeries below would be seen";
}

TEST_F(RuntimeCacheTest, PremisesThatDoNotFollowFromTheKeyAreRefused) {
  StoredImage image = image_for(gather_operands());
  image.premises.push_back(Fact::divisible(gather::kRowStride, 4096));
  LaunchInfo info = launch_forged(gather_operands(), record_of(encode_image(image)));
  EXPECT_EQ(info.tier, Tier::kCompiled);
  EXPECT_EQ(info.miss_reason, MissReason::kPremises);
  EXPECT_THAT(info.miss_detail, HasSubstr("row_stride % 4096 == 0"));
  EXPECT_FALSE(forged_image_loaded());
}

TEST_F(RuntimeCacheTest, ForgedMetadataIsRefused) {
  const PagedGather op = gather_operands();
  StoredImage other_op = image_for(op);
  other_op.op = OpId::kPagedAppend;
  other_op.entry = entry_symbol(OpId::kPagedAppend);
  other_op.premises.clear();
  StoredImage other_arch = image_for(op);
  other_arch.arch = Arch::kSm80;
  StoredImage bad_plan = image_for(op);
  bad_plan.plan.parameters[3].value = {{PlanOp::kSymbol, 31}};
  for (const std::string& metadata :
       {std::string("garbage"), std::string(), encode_image(other_op), encode_image(other_arch), encode_image(bad_plan),
        encode_image(image_for(op)).substr(0, 40)}) {
    const LaunchInfo info = launch_forged(op, record_of(metadata));
    EXPECT_EQ(info.tier == Tier::kMemory, false);
    EXPECT_EQ(info.miss_reason, MissReason::kBadMetadata);
    EXPECT_FALSE(info.miss_detail.empty());
    EXPECT_FALSE(forged_image_loaded());
  }
}

TEST_F(RuntimeCacheTest, ARefusedCubinFallsBackToTheStoredPtx) {
  launch(gather_operands());
  driver_.state.refuse_cubin = true;
  LaunchInfo info = launch(gather_operands());
  EXPECT_EQ(info.tier, Tier::kDisk);
  EXPECT_EQ(info.fallbacks, Fallback::kCubinRefused);
  EXPECT_EQ(generator_->compiles, 1);
  EXPECT_THAT(driver_.state.images.back(), HasSubstr("//PTX"));
}

TEST_F(RuntimeCacheTest, ARecordWithoutCubinIsServedFromItsPtx) {
  generator_->no_cubin = true;
  launch(gather_operands());
  const LaunchInfo info = launch(gather_operands());
  EXPECT_EQ(info.tier, Tier::kDisk);
  EXPECT_EQ(info.fallbacks, Fallback::kPtxOnly);
  EXPECT_THAT(info.fallback_notes.at(0).detail, HasSubstr("nvJitLink"));
}

TEST_F(RuntimeCacheTest, ARecordWithoutCubinIsReplacedOnceACubinCanBeMade) {
  generator_->no_cubin = true;
  launch(gather_operands());
  generator_->no_cubin = false;
  const LaunchInfo info = launch(gather_operands());
  EXPECT_EQ(info.tier, Tier::kCompiled);
  EXPECT_EQ(info.miss_reason, MissReason::kNoCubin);
  EXPECT_TRUE(info.fallbacks.empty());
  const LaunchInfo again = launch(gather_operands());
  EXPECT_EQ(again.tier, Tier::kDisk) << "healed";
  EXPECT_TRUE(again.fallbacks.empty());
}

// Another machine stored a cubin that this driver is too old for. A toolkit of this machine's own makes one that is
// not.
TEST_F(RuntimeCacheTest, ACubinForANewerDriverIsReplacedByOneOfThisMachine) {
  cache::ActionRecord record = record_of(encode_image(image_for(gather_operands())));
  record.minimum_driver = 13000;
  driver_.state.version = 12999;
  const LaunchInfo info = launch_forged(gather_operands(), record);
  EXPECT_EQ(info.tier, Tier::kCompiled);
  EXPECT_EQ(info.miss_reason, MissReason::kNewerDriver);
  EXPECT_THAT(info.miss_detail, HasSubstr("needs driver version 13000; this one is 12999"));
  EXPECT_FALSE(forged_image_loaded());
  EXPECT_EQ(launch(gather_operands()).tier, Tier::kDisk) << "healed";
}

TEST_F(RuntimeCacheTest, ACubinIsUsedWhereTheDriverIsNewEnoughOrDoesNotSay) {
  cache::ActionRecord record = record_of(encode_image(image_for(gather_operands())));
  record.minimum_driver = 13000;
  for (const int version : {13000, 13010, 0}) {
    driver_.state.version = version;
    EXPECT_EQ(launch_forged(gather_operands(), record).tier, Tier::kDisk) << version;
  }
}

// What this machine makes is too new as well, or it can make nothing: no process compiles what an earlier one did.
TEST_F(RuntimeCacheTest, ADriverTooOldForEveryCubinIsServedFromPtxWithoutCompilingAgain) {
  generator_->minimum_driver = 13000;
  driver_.state.version = 12040;
  driver_.state.refuse_cubin = true;
  launch(gather_operands());
  for (int process = 0; process < 2; ++process) {
    const LaunchInfo info = launch(gather_operands());
    EXPECT_EQ(info.miss_reason, MissReason::kNewerDriver);
    EXPECT_EQ(info.tier, Tier::kDisk);
    EXPECT_EQ(info.fallbacks, Fallback::kCubinRefused);
  }
  EXPECT_EQ(generator_->compiles, 1);
  generator_->no_cubin = true;
  EXPECT_EQ(launch(gather_operands()).miss_reason, MissReason::kNone);
  EXPECT_EQ(generator_->compiles, 1);
}

// Causes that have nothing to do with each other are all told.
TEST_F(RuntimeCacheTest, EveryFallbackOfALaunchIsReported) {
  generator_->own_digest = "fake-digest-2";
  generator_->unproved = "bounds of the last row";
  generator_->no_cubin = true;
  auto file_system = std::make_shared<GatedFileSystem>();
  file_system->set_gate([](const char* call, uint64_t) { return std::string_view(call) == "write" ? -ENOSPC : 0; });
  LaunchInfo info;
  const auto runtime = open_fake(driver_, generator_, options(), file_system);
  ASSERT_TRUE(runtime->launch(gather_operands(), {.info = &info}).ok());
  std::vector<std::string_view> kinds;
  const RuntimeStats stats = runtime->stats();
  for (const FallbackNote& note : info.fallback_notes) {
    kinds.push_back(to_string(note.fallback));
    EXPECT_TRUE(info.fallbacks.contains(note.fallback));
    EXPECT_EQ(stats.fallbacks[static_cast<size_t>(note.fallback)], 1u);
    EXPECT_FALSE(note.detail.empty());
  }
  EXPECT_THAT(kinds, ::testing::ElementsAre("other_generator", "proof_unknown", "ptx_only", "publish_failed"));
  EXPECT_FALSE(info.fallbacks.contains(Fallback::kCubinRefused));
  EXPECT_EQ(std::accumulate(stats.fallbacks.begin(), stats.fallbacks.end(), uint64_t{0}), 4u);
  EXPECT_EQ(info.fallback_notes[1].detail, "bounds of the last row");
  ASSERT_TRUE(runtime->launch(gather_operands(), {.info = &info}).ok());
  EXPECT_TRUE(info.fallbacks.empty()) << "a hit has none";
}

TEST_F(RuntimeCacheTest, WhatWasNotProvedIsSaidByEveryProcessThatLoadsIt) {
  generator_->unproved = "bounds of the last row";
  for (const Tier tier : {Tier::kCompiled, Tier::kDisk, Tier::kDisk}) {
    const LaunchInfo info = launch(gather_operands());
    EXPECT_EQ(info.tier, tier);
    EXPECT_TRUE(info.fallbacks.contains(Fallback::kProofUnknown)) << to_string(tier);
  }
  EXPECT_EQ(generator_->emits, 1);
}

TEST_F(RuntimeCacheTest, ImagesThatDoNotLoadAreCompiledAnew) {
  cache::ActionRecord record = record_of(encode_image(image_for(gather_operands())));
  record.objects = {{"cubin", "not an image"}};
  const LaunchInfo info = launch_forged(gather_operands(), record);
  EXPECT_EQ(info.tier, Tier::kCompiled);
  EXPECT_EQ(info.miss_reason, MissReason::kLoadRefused);
  EXPECT_EQ(launch(gather_operands()).tier, Tier::kDisk) << "healed";
}

// The text action's objects are not trusted either.
TEST_F(RuntimeCacheTest, ATextWhoseObjectsDoNotLoadIsCompiledAnew) {
  Expected<EmittedKernel> emitted = generator_->emit(key_of(gather_operands()));
  {
    cache::StoreOptions o;
    o.root = root_;
    auto store = cache::Store::open(o);
    cache::ActionRecord record = record_of("");
    record.objects = {{"cubin", "not an image"}, {"ptx", "nor this"}};
    ASSERT_TRUE((*store)->publish(text_key(*emitted, generator_->toolchain(emitted->emitter)), record).ok());
  }
  EXPECT_EQ(launch(gather_operands()).tier, Tier::kCompiled);
  EXPECT_EQ(launch(gather_operands()).tier, Tier::kDisk);
}

TEST_F(RuntimeCacheTest, TheVirtualDeviceSharesTheCache) {
  launch(gather_operands());
  FakeDriver device("virtual");
  LaunchInfo info;
  const auto runtime = open_fake(device, generator_, options());
  EXPECT_TRUE(runtime->launch(gather_operands(), {.info = &info}).ok());
  EXPECT_EQ(info.tier, Tier::kDisk);
  EXPECT_TRUE(info.fallbacks.empty());
  fake_state() = &driver_.state;
}

}  // namespace
}  // namespace tailor
