// The operating system refuses a call: every call site, every errno that it may give. No fault may crash, leak a
// descriptor, or let a lookup answer with anything but the right bytes or a miss.
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <set>

#include <sys/resource.h>

#include "tests/cache/support.h"

namespace tailor::cache {
namespace {

using namespace testing;

constexpr int kErrnos[] = {ENOSPC, EIO,   EDQUOT,  EACCES, EROFS,  EMFILE, ENFILE, ESTALE, EBUSY,        EEXIST,
                           EINTR,  EPERM, ENOTDIR, ELOOP,  ENOMEM, ENOENT, EINVAL, ENOSYS, ENAMETOOLONG, ETIMEDOUT};

// What stands on the disk before the call under test.
struct Scene {
  const char* name;
  std::function<void(const std::string& root, const ActionRecord& record)> prepare;
};

const Scene kScenes[] = {
    {"nothing yet", [](const std::string&, const ActionRecord&) {}},
    {"another key", [](const std::string& root,
                       const ActionRecord&) { EXPECT_TRUE(open_store(root)->publish("x", make_record("x")).ok()); }},
    {"the same key", [](const std::string& root,
                        const ActionRecord& record) { EXPECT_TRUE(open_store(root)->publish("key", record).ok()); }},
    {"another variant of the key",
     [](const std::string& root, const ActionRecord&) {
       EXPECT_TRUE(open_store(root)->publish("key", make_record("key", 7)).ok());
     }},
    {"a torn object",
     [](const std::string& root, const ActionRecord& record) {
       EXPECT_TRUE(open_store(root)->publish("key", record).ok());
       write_file(object_path(root, record.objects[0].bytes), "torn");
     }},
    {"a torn action",
     [](const std::string& root, const ActionRecord& record) {
       EXPECT_TRUE(open_store(root)->publish("key", record).ok());
       write_file(action_path(root, "key"), "torn");
     }},
};

// The k-th call, or every call from the k-th on, fails.
GatedFileSystem::Gate fail_at(uint64_t k, int error, bool for_good) {
  return [=](const char*, uint64_t number) { return number == k || (for_good && number > k) ? -error : 0; };
}

std::unique_ptr<Store> open_gated(const std::string& root, const std::shared_ptr<GatedFileSystem>& files,
                                  bool durable) {
  StoreOptions options;
  options.root = root;
  options.fs = files;
  options.durable = durable;
  auto store = Store::open(options);
  EXPECT_TRUE(store.ok()) << store.status().to_string();
  return std::move(store).value();
}

TEST(Fault, OfAnyCallOfPublishGivesAStatusOrAnEntryAndNothingElse) {
  const ActionRecord record = make_record("key");
  uint64_t cases = 0, failed = 0;
  for (const Scene& scene : kScenes) {
    for (const bool durable : {false, true}) {
      for (const bool for_good : {false, true}) {
        for (const int error : kErrnos) {
          if (durable && error != EIO && error != ENOSPC && error != EINTR) continue;  // enough for the added calls
          for (uint64_t k = 0;; ++k) {
            TempDir dir(TempDir::kMemory);
            const std::string root = dir / "cache";
            open_store(root);
            scene.prepare(root, record);
            auto files = std::make_shared<GatedFileSystem>();
            auto store = open_gated(root, files, durable);
            files->set_gate(fail_at(k, error, for_good));
            const Status status = store->publish("key", record);
            const bool reached = files->calls() > k;
            files->set_gate(nullptr);
            const std::string where = std::string(scene.name) + ", call " + std::to_string(k) + ", " +
                                      std::strerror(error) + (for_good ? " for good" : "") + ": " + status.to_string();
            ++cases;
            if (!status.ok()) {
              ++failed;
              ASSERT_EQ(status.code(), StatusCode::kIo) << where;
              ASSERT_FALSE(status.message().empty()) << where;
            }
            // By a reader whose calls work.
            auto reader = open_store(root);
            const LookupResult result = reader->lookup("key");
            if (result.hit()) {
              ASSERT_TRUE(is_some_variant(*result.record, "key")) << where;
            }
            if (status.ok()) {
              ASSERT_TRUE(result.hit() && same(*result.record, record)) << where << " " << result.detail;
            }
            // The next publish makes it right, whatever was left.
            ASSERT_TRUE(reader->publish("key", record).ok()) << where;
            ASSERT_TRUE(same(*reader->lookup("key").record, record)) << where;
            ASSERT_TRUE(reader->verify()->problems.empty()) << where;
            store.reset();
            ASSERT_EQ(files->open_fds(), 0) << where;
            if (!reached) {
              ASSERT_TRUE(status.ok()) << where;
              break;
            }
          }
        }
      }
    }
  }
  std::printf("%llu injected faults of publish, %llu gave a status\n", static_cast<unsigned long long>(cases),
              static_cast<unsigned long long>(failed));
  EXPECT_GT(failed, 1000u);
}

TEST(Fault, OfAnyCallOfLookupGivesAMissWithItsErrnoOrAHit) {
  const ActionRecord record = make_record("key");
  TempDir dir;
  ASSERT_TRUE(open_store(dir / "cache")->publish("key", record).ok());
  uint64_t misses = 0;
  for (const bool for_good : {false, true}) {
    for (const int error : kErrnos) {
      for (uint64_t k = 0;; ++k) {
        auto files = std::make_shared<GatedFileSystem>();
        auto store = open_gated(dir / "cache", files, false);
        files->set_gate(fail_at(k, error, for_good));
        const LookupResult result = store->lookup("key");
        const std::string call = files->calls() > k ? files->log()[k] : "";
        const bool reached = files->calls() > k;
        files->set_gate(nullptr);
        const std::string where = "call " + std::to_string(k) + " " + call + ", " + std::strerror(error);
        if (result.hit()) {
          ASSERT_TRUE(same(*result.record, record)) << where;
        } else {
          ++misses;
          // These say something about the file and not about the system.
          const bool about_file = error == ENOENT || error == ELOOP || error == ENOTDIR;
          if (!(about_file && (call == "open_read" || for_good))) {
            ASSERT_EQ(to_string(result.reason), "io_error") << where;
            ASSERT_NE(result.detail.find(std::strerror(error)), std::string::npos) << where << ": " << result.detail;
            const auto errors = store->counters().io_errors;
            ASSERT_EQ(errors.size(), 1u) << where;
            ASSERT_EQ(errors[0].first, error) << where;
          }
        }
        if (error == EINTR && !for_good) {
          ASSERT_TRUE(result.hit()) << where;
        }
        ASSERT_TRUE(store->lookup("key").hit()) << where;
        store.reset();
        ASSERT_EQ(files->open_fds(), 0) << where;
        if (!reached) {
          ASSERT_TRUE(result.hit());
          break;
        }
      }
    }
  }
  EXPECT_GT(misses, 100u);
}

TEST(Fault, OfAnyCallOfOpenGivesAStoreOrAStatusThatSaysWhatToDo) {
  for (const bool exists : {false, true}) {
    for (const int error : kErrnos) {
      for (uint64_t k = 0;; ++k) {
        TempDir dir(TempDir::kMemory);
        fs::create_directory(dir / "target");
        fs::create_directory_symlink("target", dir / "link");
        const std::string root = dir / "link/cache";
        if (exists) {
          ASSERT_TRUE(open_store(root)->publish("key", make_record("key")).ok());
          write_file(root + "/v1/tmp/residue", "x");
        }
        auto files = std::make_shared<GatedFileSystem>();
        files->set_clock_offset_ns(int64_t{7200} * 1'000'000'000);
        files->set_gate(fail_at(k, error, false));
        StoreOptions options;
        options.root = root;
        options.fs = files;
        options.durable = true;
        {
          auto store = Store::open(options);
          const bool reached = files->calls() > k;
          files->set_gate(nullptr);
          if (!store.ok()) {
            ASSERT_TRUE(reached);
            const std::string message = store.status().message();
            ASSERT_NE(message.find("cache directory"), std::string::npos) << message;
            ASSERT_TRUE(message.find("name ") != std::string::npos || message.find("until then") != std::string::npos)
                << message;
          } else if (exists) {
            ASSERT_TRUE((*store)->lookup("key").hit());
          }
          if (!reached) {
            ASSERT_TRUE(store.ok()) << store.status().to_string();
            break;
          }
        }
        ASSERT_EQ(files->open_fds(), 0);
      }
    }
  }
}

TEST(Fault, OfAnyCallOfListStatAndVerifyGivesAStatusAProblemOrAnAnswer) {
  TempDir dir;
  ASSERT_TRUE(open_store(dir / "cache")->publish("key", make_record("key")).ok());
  for (const int error : {EIO, EACCES, EMFILE, ENOENT, ELOOP, EINTR}) {
    for (uint64_t k = 0;; ++k) {
      auto files = std::make_shared<GatedFileSystem>();
      auto store = open_gated(dir / "cache", files, false);
      bool reached = false;
      files->set_gate(fail_at(k, error, false));
      const auto list = store->list();
      reached = reached || files->calls() > k;
      files->set_gate(fail_at(k, error, false));
      const auto stat = store->stat();
      reached = reached || files->calls() > k;
      files->set_gate(fail_at(k, error, false));
      const auto report = store->verify();
      reached = reached || files->calls() > k;
      files->set_gate(nullptr);
      if (list.ok()) {
        ASSERT_LE(list->size(), 1u);
      }
      if (stat.ok()) {
        ASSERT_LE(stat->actions, 1u);
      }
      if (report.ok()) {
        ASSERT_LE(report->intact_actions, 1u);
      }
      store.reset();
      ASSERT_EQ(files->open_fds(), 0);
      if (!reached) {
        ASSERT_TRUE(list.ok() && stat.ok() && report.ok());
        ASSERT_EQ(list->size(), 1u);
        ASSERT_EQ(report->intact_actions, 1u);
        ASSERT_TRUE(report->problems.empty());
        break;
      }
    }
  }
}

TEST(Fault, ShortTransfersAreCompleted) {
  TempDir dir;
  auto files = std::make_shared<GatedFileSystem>();
  files->set_max_transfer(7);
  auto store = open_gated(dir / "cache", files, true);
  const ActionRecord record = make_record("key");
  ASSERT_TRUE(store->publish("key", record).ok());
  ASSERT_TRUE(same(*store->lookup("key").record, record));
  EXPECT_TRUE(store->verify()->problems.empty());
}

// A disk that fills up in the middle of a file: no piece of it is left, and no name.
TEST(Fault, AFullDiskLeavesNothingBehind) {
  TempDir dir;
  auto files = std::make_shared<GatedFileSystem>();
  auto store = open_gated(dir / "cache", files, false);
  files->set_max_transfer(100);
  int writes = 0;
  files->set_gate(
      [&](const char* call, uint64_t) { return std::string(call) == "write" && ++writes > 3 ? -ENOSPC : 0; });
  const Status status = store->publish("key", make_record("key"));
  EXPECT_EQ(status.code(), StatusCode::kIo);
  EXPECT_NE(status.message().find("ENOSPC"), std::string::npos) << status.to_string();
  files->set_gate(nullptr);
  const auto stat = store->stat();
  EXPECT_EQ(stat->actions + stat->objects + stat->tmp_files, 0u);
  EXPECT_FALSE(store->read_only());  // room may come back
  EXPECT_TRUE(store->publish("key", make_record("key")).ok());
}

// The limit's own signal would end the process; a publish beyond it is refused like any other.
TEST(Fault, AFileSizeLimitRefusesAPublishAndEndsNoProcess) {
  TempDir dir;
  const auto publish_beyond_the_limit = [&] {
    const auto store = open_store(dir / "cache");
    const rlimit small{256, 256};
    setrlimit(RLIMIT_FSIZE, &small);
    const Status refused = store->publish("key", make_record("key"));
    sigset_t pending;
    sigpending(&pending);
    std::_Exit(!refused.ok() && sigismember(&pending, SIGXFSZ) == 0 ? 0 : 1);
  };
  EXPECT_EXIT(publish_beyond_the_limit(), ::testing::ExitedWithCode(0), "");
  EXPECT_FALSE(open_store(dir / "cache")->lookup("key").hit());
}

// The injected form, because these tests may run as a user whom no mode stops.
TEST(Fault, AReadOnlyRootServesHitsAndRefusesPublishesForFree) {
  for (const int error : {EROFS, EACCES, EPERM}) {
    TempDir dir;
    const ActionRecord record = make_record("key");
    ASSERT_TRUE(open_store(dir / "cache")->publish("key", record).ok());
    auto files = std::make_shared<GatedFileSystem>();
    static const std::set<std::string> writing = {"create_exclusive", "make_directory", "rename",
                                                  "unlink",           "touch",          "write"};
    const auto gate = [&](const char* call, uint64_t) { return writing.contains(call) ? -error : 0; };
    files->set_gate(gate);
    auto store = open_gated(dir / "cache", files, false);
    ASSERT_TRUE(store->lookup("key").hit());
    const Status first = store->publish("key 2", make_record("key 2"));
    EXPECT_EQ(first.code(), StatusCode::kIo);
    EXPECT_TRUE(store->read_only());
    files->set_gate(gate);
    const Status second = store->publish("key 2", make_record("key 2"));
    EXPECT_EQ(second.code(), StatusCode::kIo);
    EXPECT_EQ(files->calls(), 0u);
    EXPECT_NE(second.message().find("read-only"), std::string::npos) << second.to_string();
    // Old entries are not stamped either, and still serve.
    files->set_clock_offset_ns(int64_t{7200} * 1'000'000'000);
    ASSERT_TRUE(same(*store->lookup("key").record, record));
  }
}

// The real form; as root only a mount could refuse, so then this shows only that modes of the folders do not matter.
TEST(Fault, AnUnwritableRootServesHits) {
  TempDir dir;
  const std::string root = dir / "cache";
  ASSERT_TRUE(open_store(root)->publish("key", make_record("key")).ok());
  std::vector<std::string> folders = {root};
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  for (const std::string& folder : folders) ::chmod(folder.c_str(), 0500);
  {
    auto store = open_store(root);
    EXPECT_TRUE(store->lookup("key").hit());
    if (::geteuid() != 0) {
      EXPECT_EQ(store->publish("key 2", make_record("key 2")).code(), StatusCode::kIo);
    }
    EXPECT_TRUE(store->lookup("key").hit());
  }
  for (const std::string& folder : folders) ::chmod(folder.c_str(), 0700);
}

TEST(Fault, ARootThatCannotBeMadeSaysWhy) {
  for (const int error : {EROFS, EACCES, ENOSPC}) {
    TempDir dir;
    auto files = std::make_shared<GatedFileSystem>();
    files->set_gate([&](const char* call, uint64_t) { return std::string(call) == "make_directory" ? -error : 0; });
    StoreOptions options;
    options.root = dir / "cache";
    options.fs = files;
    const auto store = Store::open(options);
    ASSERT_FALSE(store.ok());
    EXPECT_EQ(store.status().code(), StatusCode::kIo);
    EXPECT_NE(store.status().message().find(dir / "cache"), std::string::npos) << store.status().to_string();
    EXPECT_NE(store.status().message().find(std::strerror(error)), std::string::npos) << store.status().to_string();
  }
}

}  // namespace
}  // namespace tailor::cache
