// Writers that die. Whatever instant SIGKILL comes at, the cache stays readable: right bytes or a miss.
#include <chrono>

#include <signal.h>
#include <sys/wait.h>

#include "tests/cache/support.h"

namespace tailor::cache {
namespace {

using namespace testing;

// Runs `body` in a child; _exit keeps the child from running the parent's destructors.
template <class Body>
pid_t fork_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(0);
  }
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

// Before and after each call of a publish, and after a write of a part.
TEST(Crash, AtEveryCallOfPublishLeavesAHitOrAMiss) {
  const ActionRecord old_record = make_record("key", 1), new_record = make_record("key", 2);
  enum class When { kBefore, kAfter, kAfterShortWrite };
  int kills = 0, hits_old = 0, hits_new = 0, misses = 0;
  for (const bool durable : {false, true}) {
    for (const bool had_one : {false, true}) {
      for (const When when : {When::kBefore, When::kAfter, When::kAfterShortWrite}) {
        for (uint64_t k = 0;; ++k) {
          TempDir dir(TempDir::kMemory);
          const std::string root = dir / "cache";
          auto store = open_store(root);
          if (had_one) {
            ASSERT_TRUE(store->publish("key", old_record).ok());
          }
          const pid_t child = fork_child([&] {
            auto files = std::make_shared<GatedFileSystem>();
            StoreOptions options;
            options.root = root;
            options.fs = files;
            options.durable = durable;
            auto victim = std::move(Store::open(options).value());
            if (when == When::kAfterShortWrite) files->set_max_transfer(13);
            const GatedFileSystem::Gate live = [](const char*, uint64_t) { return 0; };
            const GatedFileSystem::Gate die = [k](const char*, uint64_t number) {
              if (number == k) ::kill(::getpid(), SIGKILL);
              return 0;
            };
            files->set_gate(when == When::kBefore ? die : live);
            files->set_after(when == When::kBefore ? live : die);
            (void)victim->publish("key", new_record);
          });
          ASSERT_GT(child, 0);
          const bool killed = WIFSIGNALED(wait_for(child));
          kills += killed;
          const LookupResult result = store->lookup("key");
          const std::string where = "call " + std::to_string(k) + (durable ? " durable" : "");
          if (result.hit()) {
            const bool is_new = same(*result.record, new_record);
            ASSERT_TRUE(is_new || (had_one && same(*result.record, old_record))) << where;
            (is_new ? hits_new : hits_old)++;
          } else {
            ASSERT_FALSE(had_one) << where << ": the old record was lost: " << result.detail;
            ASSERT_EQ(to_string(result.reason), "absent") << where;
            ++misses;
          }
          const auto report = store->verify();
          ASSERT_TRUE(report.ok());
          ASSERT_TRUE(report->problems.empty()) << where << ": " << report->problems[0].message;
          ASSERT_LE(report->stat.tmp_files, 1u) << where;
          ASSERT_TRUE(store->publish("key", new_record).ok()) << where;
          ASSERT_TRUE(same(*store->lookup("key").record, new_record)) << where;
          if (!killed) {
            ASSERT_TRUE(same(*store->lookup("key").record, new_record));
            break;
          }
        }
      }
    }
  }
  std::printf("%d kills: %d old, %d new, %d absent\n", kills, hits_old, hits_new, misses);
  EXPECT_GT(hits_old, 0);
  EXPECT_GT(hits_new, 0);
  EXPECT_GT(misses, 0);
}

// At random instants, with several writers of the same keys and a reader, who checks all along.
TEST(Crash, AtRandomInstantsAmongConcurrentWritersLeavesEveryEntryRightOrAbsent) {
  TempDir dir;
  const std::string root = dir / "cache";
  constexpr int kWriters = 4, kRounds = 80, kKeys = 8;
  const auto key_of = [](uint64_t i) { return "key " + std::to_string(i % kKeys); };
  std::mt19937_64 random(1);
  auto reader = open_store(root);
  uint64_t hits = 0, kills = 0;
  const auto check = [&] {
    for (int i = 0; i < kKeys; ++i) {
      const LookupResult result = reader->lookup(key_of(i));
      if (result.hit()) {
        ++hits;
        ASSERT_TRUE(is_some_variant(*result.record, key_of(i)));
      } else {
        ASSERT_EQ(to_string(result.reason), "absent") << result.detail;
      }
    }
  };
  for (int round = 0; round < kRounds; ++round) {
    std::vector<pid_t> children;
    for (int writer = 0; writer < kWriters; ++writer) {
      const uint64_t seed = random();
      children.push_back(fork_child([&] {
        auto store = std::move(open_store(root));
        std::mt19937_64 own(seed);
        while (store) {
          const std::string key = key_of(own());
          if (!store->publish(key, make_record(key, own() % 50)).ok()) ::_exit(1);
        }
      }));
      ASSERT_GT(children.back(), 0);
    }
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(500 + random() % 20000);
    while (std::chrono::steady_clock::now() < until) {
      check();
      if (HasFatalFailure()) break;
    }
    for (const pid_t child : children) ::kill(child, SIGKILL);
    for (const pid_t child : children) {
      const int status = wait_for(child);
      EXPECT_TRUE(WIFSIGNALED(status)) << "a writer failed by itself";
      kills += WIFSIGNALED(status);
    }
    ASSERT_FALSE(HasFatalFailure());
    check();
  }
  const auto report = reader->verify();
  ASSERT_TRUE(report.ok());
  for (const Problem& problem : report->problems) ADD_FAILURE() << problem.message;
  EXPECT_LE(report->stat.tmp_files, static_cast<uint64_t>(kWriters * kRounds));
  EXPECT_EQ(report->stat.actions, static_cast<uint64_t>(kKeys));
  EXPECT_GT(hits, 100u);

  // What the dead left goes at the first open an hour later.
  auto files = std::make_shared<GatedFileSystem>();
  files->set_clock_offset_ns(int64_t{3700} * 1'000'000'000);
  EXPECT_EQ(open_store(root, files)->stat()->tmp_files, 0u);
  std::printf("%llu kills, %llu verified hits meanwhile, %llu temporary files left and swept\n",
              static_cast<unsigned long long>(kills), static_cast<unsigned long long>(hits),
              static_cast<unsigned long long>(report->stat.tmp_files));
}

}  // namespace
}  // namespace tailor::cache
