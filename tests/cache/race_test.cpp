// Many threads and processes on the same keys: one Store for all threads, one root for all processes.
#include <thread>

#include <sys/wait.h>

#include "tests/cache/support.h"

namespace tailor::cache {
namespace {

using namespace testing;

// Compiles need not be deterministic: writers bring different bytes for one key. A hit is one of them, whole.
TEST(Race, ThreadsPublishingAndReadingTheSameKeysNeverMixRecordsAndNeverLoseOne) {
  TempDir dir;
  auto store = open_store(dir / "cache");
  constexpr int kThreads = 8, kKeys = 4, kSteps = 400;
  std::atomic<bool> published[kKeys] = {};
  std::atomic<int> wrong{0}, lost{0}, refused{0};
  std::atomic<uint64_t> hits{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t);
      for (int step = 0; step < kSteps; ++step) {
        const int i = static_cast<int>(random() % kKeys);
        const std::string key = "key " + std::to_string(i);
        if (random() % 3 == 0) {
          if (store->publish(key, make_record(key, random() % 10)).ok()) {
            published[i] = true;
          } else {
            ++refused;
          }
        } else {
          const bool must_be_there = published[i];
          const LookupResult result = store->lookup(key);
          if (result.hit()) {
            ++hits;
            wrong += !is_some_variant(*result.record, key);
          } else {
            lost += must_be_there;
          }
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(refused, 0);
  EXPECT_GT(hits, 0u);
  const Counters counters = store->counters();
  EXPECT_EQ(counters.hits, hits.load());
  const auto report = store->verify();
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->problems.empty());
  EXPECT_EQ(report->intact_actions, static_cast<uint64_t>(kKeys));
  EXPECT_EQ(report->stat.tmp_files, 0u);
}

// The start of a job: every rank finds nothing, compiles, publishes; whoever loses still has its own bytes.
TEST(Race, ProcessesThatStartTogetherOnAnEmptyRootAllSucceed) {
  constexpr int kProcesses = 8, kRounds = 25, kKeys = 4;
  for (int round = 0; round < kRounds; ++round) {
    TempDir dir;
    const std::string root = dir / "made/by/whoever/is/first";
    std::vector<pid_t> children;
    for (int p = 0; p < kProcesses; ++p) {
      const pid_t child = ::fork();
      if (child == 0) {
        auto opened = Store::open({.root = root, .fs = nullptr});
        if (!opened.ok()) ::_exit(10);
        Store& store = **opened;
        for (int i = 0; i < kKeys; ++i) {
          const std::string key = "key " + std::to_string(i);
          const LookupResult before = store.lookup(key);
          if (before.hit()) {
            if (!is_some_variant(*before.record, key)) ::_exit(11);
            continue;
          }
          if (before.reason != MissReason::kAbsent) ::_exit(12);
          if (!store.publish(key, make_record(key, p)).ok()) ::_exit(13);
          const LookupResult after = store.lookup(key);
          if (!after.hit() || !is_some_variant(*after.record, key)) ::_exit(14);
        }
        ::_exit(0);
      }
      ASSERT_GT(child, 0);
      children.push_back(child);
    }
    for (const pid_t child : children) {
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "exit " << WEXITSTATUS(status);
    }
    const auto report = open_store(root)->verify();
    ASSERT_TRUE(report.ok());
    ASSERT_TRUE(report->problems.empty()) << report->problems[0].message;
    ASSERT_EQ(report->intact_actions, static_cast<uint64_t>(kKeys));
    ASSERT_EQ(report->stat.tmp_files, 0u);
  }
}

// Between a publisher's look at the object's name and its rename another one publishes, or spoils, that name.
TEST(Race, ANameTakenWhilePublishingIsSettledByRename) {
  const ActionRecord record = make_record("key");
  for (const bool spoil : {false, true}) {
    TempDir dir;
    const std::string root = dir / "cache";
    auto files = std::make_shared<GatedFileSystem>();
    auto store = open_store(root, files);
    files->set_gate([&](const char* call, uint64_t) {
      if (std::string(call) == "rename") {
        if (spoil) {
          const std::string path = object_path(root, record.objects[0].bytes);
          fs::create_directories(fs::path(path).parent_path());
          write_file(path, "spoiled");
        } else {
          EXPECT_TRUE(open_store(root)->publish("key", record).ok());
        }
      }
      return 0;
    });
    const Status status = store->publish("key", record);
    files->set_gate(nullptr);
    ASSERT_TRUE(status.ok()) << status.to_string();
    if (spoil) {  // spoiled once more while the action was renamed: found, and repaired by the next publish
      EXPECT_EQ(store->lookup("key").reason, MissReason::kCorruptObject);
      ASSERT_TRUE(store->publish("key", record).ok());
      EXPECT_EQ(store->counters().objects_repaired, 1u);
    }
    const LookupResult result = store->lookup("key");
    ASSERT_TRUE(result.hit()) << result.detail;
    EXPECT_TRUE(same(*result.record, record));
  }
}

// A reader holds a file open while a publisher replaces it: the old bytes are whole, and a hit.
TEST(Race, AFileReplacedWhileItIsReadIsStillAHit) {
  TempDir dir;
  const std::string root = dir / "cache";
  auto files = std::make_shared<GatedFileSystem>();
  auto store = open_store(root, files);
  ASSERT_TRUE(store->publish("key", make_record("key", 0)).ok());
  files->set_gate([&](const char* call, uint64_t number) {
    if (std::string(call) == "stat" && number == 1) {
      EXPECT_TRUE(open_store(root)->publish("key", make_record("key", 1)).ok());
    }
    return 0;
  });
  const LookupResult result = store->lookup("key");
  files->set_gate(nullptr);
  ASSERT_TRUE(result.hit()) << result.detail;
  EXPECT_TRUE(same(*result.record, make_record("key", 0)));
  EXPECT_TRUE(same(*store->lookup("key").record, make_record("key", 1)));
}

}  // namespace
}  // namespace tailor::cache
