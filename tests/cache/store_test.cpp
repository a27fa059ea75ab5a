// The store when nothing goes wrong: what is published is found, by anyone, and accounted for.
#include "cache/store.h"


#include <sys/time.h>

#include "tests/cache/support.h"

namespace tailor::cache {
namespace {

using namespace testing;

TEST(Store, WhatIsPublishedIsFoundByThisAndTheNextStore) {
  TempDir dir;
  const std::string root = dir / "a/b/cache";  // parents are made
  const ActionRecord record = make_record("key");
  {
    auto store = open_store(root);
    EXPECT_EQ(store->lookup("key").reason, MissReason::kAbsent);
    ASSERT_TRUE(store->publish("key", record).ok());
    const LookupResult hit = store->lookup("key");
    ASSERT_TRUE(hit.hit()) << hit.detail;
    EXPECT_TRUE(same(*hit.record, record));
  }
  auto store = open_store(root);
  const LookupResult hit = store->lookup("key");
  ASSERT_TRUE(hit.hit()) << hit.detail;
  EXPECT_TRUE(same(*hit.record, record));
  EXPECT_EQ(hit.record->find("ptx")->bytes, record.objects[1].bytes);
  EXPECT_EQ(hit.record->find("nothing"), nullptr);
}

TEST(Store, KeysMayHoldAnyBytes) {
  TempDir dir;
  auto store = open_store(dir / "cache");
  std::vector<std::string> keys = {"..",
                                   "/",
                                   "../../x",
                                   std::string(1, '\0'),
                                   std::string("a\0b", 3),
                                   "a",
                                   std::string(255, 'n'),
                                   std::string(256, 'n'),
                                   random_bytes(1, 100000),
                                   "\xff\xfe"};
  for (size_t i = 0; i < keys.size(); ++i) ASSERT_TRUE(store->publish(keys[i], make_record("k", i)).ok());
  for (size_t i = 0; i < keys.size(); ++i) {
    const LookupResult hit = store->lookup(keys[i]);
    ASSERT_TRUE(hit.hit()) << i;
    EXPECT_TRUE(same(*hit.record, make_record("k", i))) << i;
  }
}

TEST(Store, OneObjectCanBeAskedForAlone) {
  TempDir dir;
  auto store = open_store(dir / "cache");
  const ActionRecord record = make_record("key");
  ASSERT_TRUE(store->publish("key", record).ok());
  fs::remove(object_path(dir / "cache", record.objects[1].bytes));
  const LookupResult cubin = store->lookup("key", "cubin");
  ASSERT_TRUE(cubin.hit()) << cubin.detail;
  EXPECT_EQ(cubin.record->objects.size(), 1u);
  EXPECT_EQ(cubin.record->find("cubin")->bytes, record.objects[0].bytes);
  EXPECT_EQ(cubin.record->metadata, record.metadata);
  EXPECT_EQ(store->lookup("key", "ptx").reason, MissReason::kMissingObject);
  EXPECT_EQ(store->lookup("key", "fatbin").reason, MissReason::kMissingObject);
  EXPECT_EQ(store->lookup("key").reason, MissReason::kMissingObject);
}

TEST(Store, ARecordWithoutObjectsIsARecord) {
  TempDir dir;
  auto store = open_store(dir / "cache");
  ActionRecord record;
  record.metadata = std::string("\0m", 2);
  ASSERT_TRUE(store->publish("key", record).ok());
  const LookupResult hit = store->lookup("key");
  ASSERT_TRUE(hit.hit());
  EXPECT_TRUE(same(*hit.record, record));
}

TEST(Store, ALaterPublishReplacesTheRecord) {
  TempDir dir;
  auto store = open_store(dir / "cache");
  ASSERT_TRUE(store->publish("key", make_record("key", 0)).ok());
  ASSERT_TRUE(store->publish("key", make_record("key", 1)).ok());
  EXPECT_TRUE(same(*store->lookup("key").record, make_record("key", 1)));
}

TEST(Store, EqualObjectsAreStoredOnce) {
  TempDir dir;
  auto store = open_store(dir / "cache");
  ActionRecord record = make_record("shared");
  for (int i = 0; i < 5; ++i) {
    record.metadata = "plan " + std::to_string(i);
    ASSERT_TRUE(store->publish("key " + std::to_string(i), record).ok());
  }
  auto stat = store->stat();
  ASSERT_TRUE(stat.ok());
  EXPECT_EQ(stat->actions, 5u);
  EXPECT_EQ(stat->objects, 2u);
  EXPECT_EQ(stat->object_bytes, record.objects[0].bytes.size() + record.objects[1].bytes.size());
  EXPECT_EQ(stat->tmp_files, 0u);
  EXPECT_EQ(store->counters().objects_shared, 8u);
  EXPECT_EQ(store->lookup("key 3").record->metadata, "plan 3");
}

TEST(Store, BadRecordsAreRefusedByRule) {
  TempDir dir;
  StoreOptions options;
  options.root = dir / "cache";
  options.max_file_bytes = 1000;
  auto store = Store::open(options).value();
  const auto code = [&](const std::string& key, const ActionRecord& record) {
    return store->publish(key, record).code();
  };
  EXPECT_EQ(code("", make_record("k")), StatusCode::kInvalidArgument);
  ActionRecord record = make_record("k");
  record.objects[0].bytes.clear();
  EXPECT_EQ(code("k", record), StatusCode::kInvalidArgument);
  record = make_record("k");
  record.objects[0].name.clear();
  EXPECT_EQ(code("k", record), StatusCode::kInvalidArgument);
  record = make_record("k");
  record.objects[1].name = record.objects[0].name;
  EXPECT_EQ(code("k", record), StatusCode::kInvalidArgument);
  EXPECT_EQ(code("k", make_record("k", 0, 1001)), StatusCode::kInvalidArgument);
  record = make_record("k");
  record.metadata.assign(1000, 'm');
  EXPECT_EQ(code("k", record), StatusCode::kInvalidArgument);
  EXPECT_EQ(store->lookup("").reason, MissReason::kAbsent);
  EXPECT_EQ(store->stat()->objects, 0u);
  EXPECT_EQ(store->counters().publish_failures, 6u);
}

TEST(Store, ListNamesEveryEntryWithItsObjectsAndAge) {
  TempDir dir;
  auto gated = std::make_shared<GatedFileSystem>();
  auto store = open_store(dir / "cache", gated);
  std::vector<std::string> keys;
  for (int i = 0; i < 20; ++i) {
    keys.push_back("key " + std::to_string(i));
    ASSERT_TRUE(store->publish(keys.back(), make_record(keys.back(), i)).ok());
  }
  gated->set_clock_offset_ns(int64_t{100} * 1'000'000'000);
  auto entries = store->list();
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), keys.size());
  for (const EntryInfo& entry : *entries) {
    EXPECT_NE(std::find(keys.begin(), keys.end(), entry.key), keys.end());
    const ActionRecord record = make_record(entry.key, entry.minimum_driver - 12000);
    EXPECT_EQ(entry.digest, digest_of(entry.key).hex());
    EXPECT_EQ(entry.bytes, fs::file_size(action_path(dir / "cache", entry.key)));
    EXPECT_EQ(entry.toolchain, record.toolchain);
    EXPECT_NEAR(entry.age_seconds, 100, 30);
    ASSERT_EQ(entry.objects.size(), 2u);
    EXPECT_EQ(entry.objects[0].name, "cubin");
    EXPECT_EQ(entry.objects[0].size, record.objects[0].bytes.size());
    EXPECT_EQ(entry.objects[0].digest, digest_of(record.objects[0].bytes).hex());
  }
}

TEST(Store, StatAgreesWithWhatStandsInTheFolders) {
  TempDir dir;
  auto store = open_store(dir / "cache");
  for (int i = 0; i < 30; ++i) {
    const std::string key = std::to_string(i);
    ASSERT_TRUE(store->publish(key, make_record(key, 0, 100 + 7919 * i)).ok());
  }
  write_file(dir / "cache/v1/tmp/left", std::string(5000, 'x'));
  uint64_t files = 0, bytes = 0, disk_bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(dir / "cache/v1")) {
    if (!entry.is_regular_file()) continue;
    struct stat st;
    ASSERT_EQ(::stat(entry.path().c_str(), &st), 0);
    ++files;
    bytes += st.st_size;
    disk_bytes += st.st_blocks * 512;
  }
  auto stat = store->stat();
  ASSERT_TRUE(stat.ok());
  EXPECT_EQ(stat->actions, 30u);
  EXPECT_EQ(stat->objects, 60u);
  EXPECT_EQ(stat->tmp_files, 1u);
  EXPECT_EQ(stat->tmp_bytes, 5000u);
  EXPECT_EQ(stat->actions + stat->objects + stat->tmp_files, files);
  EXPECT_EQ(stat->action_bytes + stat->object_bytes + stat->tmp_bytes, bytes);
  EXPECT_EQ(stat->disk_bytes, disk_bytes);
}

TEST(Store, AnEmptyRootListsAndVerifiesAsEmpty) {
  TempDir dir;
  auto store = open_store(dir / "cache");
  EXPECT_TRUE(store->list()->empty());
  EXPECT_EQ(store->stat()->actions, 0u);
  EXPECT_TRUE(store->verify()->problems.empty());
  EXPECT_FALSE(fs::exists(dir / "cache/v1"));
}

TEST(Store, FilesThatNoStoreWritesAreToldApartFromDamage) {
  TempDir dir;
  auto store = open_store(dir / "cache");
  ASSERT_TRUE(store->publish("key", make_record("key")).ok());
  write_file(dir / "cache/v1/actions/README", "x");
  fs::create_directory(dir / "cache/v1/objects/zz");
  const std::string shard = fs::path(action_path(dir / "cache", "key")).parent_path();
  write_file(shard + "/.nfs0001", "x");
  write_file(shard + "/note", "x");
  auto report = store->verify();
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->problems.empty());
  EXPECT_EQ(report->unexpected.size(), 3u);
  EXPECT_EQ(report->intact_actions, 1u);
  EXPECT_EQ(report->intact_objects, 2u);
}

TEST(Store, VerifyCountsObjectsThatNoActionNames) {
  TempDir dir;
  auto store = open_store(dir / "cache");
  ASSERT_TRUE(store->publish("key", make_record("key", 0)).ok());
  ASSERT_TRUE(store->publish("key", make_record("key", 1)).ok());
  auto report = store->verify();
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->intact_objects, 4u);
  EXPECT_EQ(report->unreferenced_objects, 2u);
  EXPECT_TRUE(report->problems.empty());
}

TEST(Store, IsMarkedAsACacheForBackups) {
  TempDir dir;
  open_store(dir / "cache");
  EXPECT_TRUE(read_file(dir / "cache/CACHEDIR.TAG").starts_with("Signature: 8a477f597d28d172789f06886806bc55"));
}

TEST(Store, OldTemporaryFilesAreSweptAtOpenAndYoungOnesStay) {
  TempDir dir;
  ASSERT_TRUE(open_store(dir / "cache")->publish("key", make_record("key")).ok());
  write_file(dir / "cache/v1/tmp/old", "x");
  write_file(dir / "cache/v1/tmp/young", "x");
  const auto age = [&](const std::string& name, time_t seconds) {
    timeval times[2] = {};
    times[0].tv_sec = times[1].tv_sec = ::time(nullptr) - seconds;
    ASSERT_EQ(::utimes((dir / ("cache/v1/tmp/" + name)).c_str(), times), 0);
  };
  age("old", 3700);
  age("young", 3500);
  auto store = open_store(dir / "cache");
  EXPECT_FALSE(fs::exists(dir / "cache/v1/tmp/old"));
  EXPECT_TRUE(fs::exists(dir / "cache/v1/tmp/young"));
  EXPECT_TRUE(store->lookup("key").hit());
}

TEST(Store, AHitStampsAnEntryAtMostHourly) {
  TempDir dir;
  auto gated = std::make_shared<GatedFileSystem>();
  auto store = open_store(dir / "cache", gated);
  ASSERT_TRUE(store->publish("key", make_record("key")).ok());
  const auto touches = [&] {
    gated->set_gate([](const char*, uint64_t) { return 0; });
    EXPECT_TRUE(store->lookup("key").hit());
    return std::count(gated->log().begin(), gated->log().end(), "touch");
  };
  EXPECT_EQ(touches(), 0);
  const std::string path = action_path(dir / "cache", "key");
  timeval times[2] = {};
  times[0].tv_sec = times[1].tv_sec = ::time(nullptr) - 4000;
  ASSERT_EQ(::utimes(path.c_str(), times), 0);
  EXPECT_EQ(touches(), 1);
  EXPECT_EQ(touches(), 0);
  EXPECT_LT(store->list()->front().age_seconds, 1000);
}

// Work per call, counted instead of timed: a machine under load counts the same.
TEST(Store, CallsOfOpenAndOfAHitDoNotGrowWithTheStore) {
  TempDir dir;
  auto gated = std::make_shared<GatedFileSystem>();
  const auto count_open = [&] {
    gated->set_gate([](const char*, uint64_t) { return 0; });
    open_store(dir / "cache", gated);
    return gated->calls();
  };
  {
    auto store = open_store(dir / "cache");
    ASSERT_TRUE(store->publish("key", make_record("key")).ok());
  }
  const uint64_t with_one = count_open();
  {
    auto store = open_store(dir / "cache");
    for (int i = 0; i < 500; ++i) ASSERT_TRUE(store->publish(std::to_string(i), make_record("same")).ok());
  }
  EXPECT_EQ(count_open(), with_one);

  auto store = open_store(dir / "cache", gated);
  gated->set_gate([](const char*, uint64_t) { return 0; });
  ASSERT_TRUE(store->lookup("key", "cubin").hit());
  EXPECT_EQ(gated->calls(), 8u);  // open, stat, read, close, for the action and for the object
  gated->set_gate([](const char*, uint64_t) { return 0; });
  EXPECT_FALSE(store->lookup("absent").hit());
  EXPECT_EQ(gated->calls(), 1u);
}

TEST(Store, CountersTellWhatHappened) {
  TempDir dir;
  auto store = open_store(dir / "cache");
  ASSERT_TRUE(store->publish("key", make_record("key")).ok());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(store->lookup("key").hit());
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(store->lookup("other").hit());
  write_file(action_path(dir / "cache", "key"), "torn");
  EXPECT_FALSE(store->lookup("key").hit());
  const Counters counters = store->counters();
  EXPECT_EQ(counters.hits, 3u);
  EXPECT_EQ(counters.publishes, 1u);
  EXPECT_EQ(counters.misses[static_cast<size_t>(MissReason::kAbsent)], 2u);
  EXPECT_EQ(counters.misses[static_cast<size_t>(MissReason::kCorruptAction)], 1u);
  EXPECT_GT(counters.bytes_read, 3 * 600u);
  EXPECT_TRUE(counters.io_errors.empty());
}

TEST(Store, ACacheClearedUnderAnOpenStoreIsBuiltAgain) {
  TempDir dir;
  auto store = open_store(dir / "cache");
  ASSERT_TRUE(store->publish("key", make_record("key")).ok());
  fs::remove_all(dir / "cache/v1");
  EXPECT_EQ(store->lookup("key").reason, MissReason::kAbsent);
  ASSERT_TRUE(store->publish("key", make_record("key")).ok());
  EXPECT_TRUE(store->lookup("key").hit());
  fs::remove_all(dir / "cache");  // the root itself: a miss and a status from now on
  EXPECT_EQ(store->lookup("key").reason, MissReason::kAbsent);
  EXPECT_EQ(store->publish("key", make_record("key")).code(), StatusCode::kIo);
}

TEST(Store, ModesArePrivateWhateverTheUmask) {
  for (const mode_t mask : {0000, 0022, 0077}) {
    TempDir dir;
    const mode_t before = ::umask(mask);
    const Status status = open_store(dir / "parent/cache")->publish("key", make_record("key"));
    ::umask(before);
    ASSERT_TRUE(status.ok()) << status.to_string();
    for (const auto& entry : fs::recursive_directory_iterator(dir.path())) {
      const auto mode = static_cast<unsigned>(entry.status().permissions());
      EXPECT_EQ(mode, entry.is_directory() ? 0700u : 0600u) << entry.path();
    }
  }
}

TEST(Store, DurableModeSyncsFileThenNameAndOrdinaryModeSyncsNothing) {
  for (const bool durable : {false, true}) {
    TempDir dir;
    auto gated = std::make_shared<GatedFileSystem>();
    StoreOptions options;
    options.root = dir / "cache";
    options.fs = gated;
    options.durable = durable;
    auto store = Store::open(options).value();
    gated->set_gate([](const char*, uint64_t) { return 0; });
    ASSERT_TRUE(store->publish("key", make_record("key")).ok());
    const std::vector<std::string> log = gated->log();
    int renames = 0;
    bool file_synced = false, name_pending = false;
    for (const std::string& call : log) {
      if (call == "create_exclusive") {
        EXPECT_FALSE(name_pending) << "the next file is begun before the last name is on the disk";
        file_synced = false;
      }
      if (call == "sync") file_synced = true, name_pending = false;
      if (call == "rename") {
        ++renames;
        EXPECT_EQ(file_synced, durable);
        name_pending = durable;
      }
    }
    EXPECT_FALSE(name_pending);
    EXPECT_EQ(renames, 3);
    EXPECT_EQ(std::count(log.begin(), log.end(), "sync") > 0, durable);
    EXPECT_TRUE(store->lookup("key").hit());

    // Objects found in place may come from a writer that did not sync.
    gated->set_gate([](const char*, uint64_t) { return 0; });
    ASSERT_TRUE(store->publish("key", make_record("key")).ok());
    EXPECT_EQ(std::count(gated->log().begin(), gated->log().end(), "sync"), durable ? 6 : 0);
  }
}

TEST(DefaultRoot, FollowsTheXdgRules) {
  EXPECT_EQ(default_root("/x", "/home/u").value(), "/x/tailor");
  EXPECT_EQ(default_root("", "/home/u").value(), "/home/u/.cache/tailor");
  EXPECT_EQ(default_root("relative", "/home/u").value(), "/home/u/.cache/tailor");
  for (const char* home : {"", "relative"}) {
    const auto root = default_root("", home);
    ASSERT_FALSE(root.ok());
    EXPECT_EQ(root.status().code(), StatusCode::kUnavailable);
    EXPECT_NE(root.status().message().find("HOME"), std::string::npos);
  }
}

}  // namespace
}  // namespace tailor::cache
