// Files that are not what a publisher wrote: each is a miss with its reason, never wrong bytes; and the next publish
// repairs it.
#include <map>
#include <set>

#include "tests/cache/support.h"

namespace tailor::cache {
namespace {

using namespace testing;

class Damage : public ::testing::Test {
 protected:
  void SetUp() override {
    store_ = open_store(root_);
    ASSERT_TRUE(store_->publish("key", record_).ok());
  }

  // After damage: a miss for `reason`; verify finds it; a publish makes it a hit again.
  void expect_miss_and_repair(MissReason reason, const std::string& what) {
    const LookupResult result = store_->lookup("key");
    ASSERT_FALSE(result.hit()) << what;
    ASSERT_EQ(to_string(result.reason), to_string(reason)) << what << ": " << result.detail;
    ASSERT_FALSE(result.detail.empty()) << what;
    const auto report = store_->verify();
    ASSERT_TRUE(report.ok()) << what;
    ASSERT_FALSE(report->problems.empty()) << what;
    ASSERT_EQ(report->intact_actions, 0u) << what;
    ASSERT_TRUE(store_->publish("key", record_).ok()) << what;
    const LookupResult again = store_->lookup("key");
    ASSERT_TRUE(again.hit()) << what << ": " << again.detail;
    ASSERT_TRUE(same(*again.record, record_)) << what;
  }

  TempDir dir_;
  std::string root_ = dir_ / "cache";
  ActionRecord record_ = make_record("key", 0, 100);
  std::string action_ = action_path(root_, "key");
  std::string cubin_ = object_path(root_, record_.objects[0].bytes);
  std::string ptx_ = object_path(root_, record_.objects[1].bytes);
  std::unique_ptr<Store> store_;
};

TEST_F(Damage, EveryBitOfEveryFileIsGuarded) {
  const std::pair<std::string, MissReason> files[] = {
      {action_, MissReason::kCorruptAction}, {cubin_, MissReason::kCorruptObject}, {ptx_, MissReason::kCorruptObject}};
  for (const auto& [path, reason] : files) {
    const std::string good = read_file(path);
    ASSERT_FALSE(good.empty());
    for (size_t bit = 0; bit < good.size() * 8; ++bit) {
      std::string bad = good;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
      write_file(path, bad);
      const LookupResult result = store_->lookup("key");
      ASSERT_FALSE(result.hit()) << path << " bit " << bit;
      ASSERT_EQ(to_string(result.reason), to_string(reason)) << path << " bit " << bit;
    }
    expect_miss_and_repair(reason, path);
  }
}

TEST_F(Damage, EveryTruncationAndExtensionOfEveryFileIsAMiss) {
  const std::pair<std::string, MissReason> files[] = {
      {action_, MissReason::kCorruptAction}, {cubin_, MissReason::kCorruptObject}, {ptx_, MissReason::kCorruptObject}};
  for (const auto& [path, reason] : files) {
    const std::string good = read_file(path);
    for (size_t size = 0; size < good.size(); ++size) {
      write_file(path, good.substr(0, size));
      ASSERT_EQ(to_string(store_->lookup("key").reason), to_string(reason)) << path << " cut to " << size;
      // As a file system leaves a file whose size reached the disk before its data.
      write_file(path, good.substr(0, size) + std::string(good.size() - size, '\0'));
      const LookupResult zeroed = store_->lookup("key");
      ASSERT_EQ(to_string(zeroed.reason), to_string(reason)) << path << " zeros from " << size;
    }
    write_file(path, good + '\0');
    expect_miss_and_repair(reason, path + " extended");
  }
}

TEST_F(Damage, AbsentFiles) {
  fs::remove(cubin_);
  expect_miss_and_repair(MissReason::kMissingObject, "no cubin");
  fs::remove(action_);
  EXPECT_EQ(store_->lookup("key").reason, MissReason::kAbsent);
}

TEST_F(Damage, EntriesSwappedBetweenKeysAreRefused) {
  const ActionRecord other = make_record("other", 3, 100);
  ASSERT_TRUE(store_->publish("other", other).ok());
  const std::string other_action = action_path(root_, "other");
  const std::string a = read_file(action_), b = read_file(other_action);
  write_file(action_, b);
  write_file(other_action, a);
  EXPECT_EQ(store_->lookup("key").reason, MissReason::kKeyMismatch);
  EXPECT_EQ(store_->lookup("other").reason, MissReason::kKeyMismatch);
  const auto report = store_->verify();
  ASSERT_EQ(report->problems.size(), 2u);
  EXPECT_EQ(report->problems[0].reason, MissReason::kKeyMismatch);
  expect_miss_and_repair(MissReason::kKeyMismatch, "swapped actions");
}

TEST_F(Damage, ObjectsSwappedBetweenNamesAreRefused) {
  const ActionRecord other = make_record("other", 3, 100);  // as long as record_
  ASSERT_TRUE(store_->publish("other", other).ok());
  const std::string other_cubin = object_path(root_, other.objects[0].bytes);
  const std::string a = read_file(cubin_), b = read_file(other_cubin);
  write_file(cubin_, b);
  write_file(other_cubin, a);
  EXPECT_EQ(store_->lookup("key").reason, MissReason::kCorruptObject);
  EXPECT_EQ(store_->lookup("other").reason, MissReason::kCorruptObject);
  EXPECT_EQ(store_->verify()->problems.size(), 2u);
}

// A record made by hand, its checksum right.
class Forged : public Damage {
 protected:
  std::string forged(std::string_view key, uint64_t size, Digest digest, uint64_t checksum) {
    ActionImage action;
    action.key = key;
    action.objects = {{"cubin", size, digest, checksum}};
    return encode_action(action).value();
  }
  const std::string& body() const { return record_.objects[0].bytes; }
};

TEST_F(Forged, SizeDigestAndChecksumAreEachTested) {
  const Digest digest = digest_of(body());
  const uint64_t checksum = checksum_of(body());
  write_file(action_, forged("key", body().size(), digest, checksum));
  ASSERT_TRUE(store_->lookup("key").hit());
  write_file(action_, forged("key", body().size() + 1, digest, checksum));
  EXPECT_EQ(store_->lookup("key").reason, MissReason::kCorruptObject);
  write_file(action_, forged("key", body().size(), digest, checksum ^ 1));
  EXPECT_EQ(store_->lookup("key").reason, MissReason::kCorruptObject);
  const std::string name = object_path(root_, body());
  Digest wrong = digest;
  wrong.low ^= 1;  // the same shard
  fs::copy_file(name, fs::path(name).parent_path() / wrong.hex());
  write_file(action_, forged("key", body().size(), wrong, checksum));
  EXPECT_EQ(store_->lookup("key").reason, MissReason::kCorruptObject);
}

TEST_F(Forged, AnIntactActionOfAnotherVersionIsAMissOfItsOwn) {
  std::string bytes = read_file(action_);
  bytes.resize(bytes.size() - 16);
  bytes[8] = 9;
  const Digest seal = digest_of(bytes);
  for (const uint64_t word : {seal.low, seal.high}) {
    for (int shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<char>(word >> shift));
  }
  write_file(action_, bytes);
  expect_miss_and_repair(MissReason::kVersion, "version 9");
}

TEST_F(Forged, SizesAreTestedBeforeAnythingIsReadOrAllocated) {
  auto gated = std::make_shared<GatedFileSystem>();
  StoreOptions options;
  options.root = root_;
  options.fs = gated;
  options.max_file_bytes = 1 << 20;
  auto store = Store::open(options).value();
  const auto reads = [&] {
    gated->set_gate([](const char*, uint64_t) { return 0; });
    EXPECT_FALSE(store->lookup("key").hit());
    return std::count(gated->log().begin(), gated->log().end(), "read");
  };
  const auto reason = [&] { return store->lookup("key").reason; };

  // Claimed by the action, not borne out by the file: 2^60 bytes must not be asked for.
  write_file(action_, forged("key", uint64_t{1} << 60, digest_of(body()), checksum_of(body())));
  EXPECT_EQ(reads(), 1);
  EXPECT_EQ(reason(), MissReason::kCorruptObject);

  // Borne out by the file, a sparse one of 1 TiB.
  const uint64_t huge = uint64_t{1} << 40;
  if (::truncate(cubin_.c_str(), huge) == 0) {
    write_file(action_, forged("key", huge, digest_of(body()), checksum_of(body())));
    EXPECT_EQ(reads(), 1);
    EXPECT_EQ(reason(), MissReason::kOversized);
    fs::remove(cubin_);
  }
  if (::truncate(action_.c_str(), huge) == 0) {
    EXPECT_EQ(reads(), 0);
    EXPECT_EQ(reason(), MissReason::kOversized);
    ASSERT_TRUE(store->publish("key", record_).ok());
    EXPECT_TRUE(store->lookup("key").hit());
  }
}

// What may stand on the disk after power loss, data and names each reaching it or not.
TEST(PowerLoss, EveryCombinationOfWrittenTornAndLostFilesIsAHitOrAMiss) {
  const ActionRecord record = make_record("key", 0, 300);
  std::string states[3][6];
  TempDir dir;
  const std::string root = dir / "cache";
  auto store = open_store(root);
  ASSERT_TRUE(store->publish("key", record).ok());
  const std::string paths[3] = {action_path(root, "key"), object_path(root, record.objects[0].bytes),
                                object_path(root, record.objects[1].bytes)};
  const std::string absent = "absent";
  for (int f = 0; f < 3; ++f) {
    const std::string good = read_file(paths[f]);
    states[f][0] = good;
    states[f][1] = absent;
    states[f][2] = "";
    states[f][3] = good.substr(0, good.size() / 2);
    states[f][4] = good.substr(0, good.size() / 2) + std::string(good.size() - good.size() / 2, '\0');
    states[f][5] = std::string(good.size(), '\0');
  }
  for (int a = 0; a < 6; ++a) {
    for (int b = 0; b < 6; ++b) {
      for (int c = 0; c < 6; ++c) {
        const int chosen[3] = {a, b, c};
        for (int f = 0; f < 3; ++f) {
          if (states[f][chosen[f]] == absent) {
            fs::remove(paths[f]);
          } else {
            write_file(paths[f], states[f][chosen[f]]);
          }
        }
        auto after = open_store(root);
        const LookupResult result = after->lookup("key");
        ASSERT_EQ(result.hit(), a == 0 && b == 0 && c == 0) << a << b << c;
        if (result.hit()) {
          ASSERT_TRUE(same(*result.record, record));
        }
        ASSERT_TRUE(after->publish("key", record).ok());
        ASSERT_TRUE(same(*after->lookup("key").record, record)) << a << b << c;
      }
    }
  }
}

// 8-bit digests make every name collide many times over; no key may ever be answered with another's bytes.
TEST(Collision, NeverGivesAnotherKeysBytes) {
  for (const int bits : {0, 4, 8}) {
    TempDir dir;
    auto store = open_store(dir / "cache", nullptr, bits);
    std::mt19937_64 random(bits + 1);
    std::map<std::string, uint64_t> last;
    uint64_t hits = 0, mismatches = 0, corrupt_objects = 0;
    for (int step = 0; step < 4000; ++step) {
      const std::string key = "key " + std::to_string(random() % 300);
      if (random() % 4 == 0) {
        const uint64_t variant = random() % 1000;
        ASSERT_TRUE(store->publish(key, make_record(key, variant, 64)).ok());
        last[key] = variant;
        const LookupResult own = store->lookup(key);
        // Two objects of one record collide with each other when there are few names; never silently.
        if (own.hit()) {
          ASSERT_TRUE(same(*own.record, make_record(key, variant, 64)));
        } else {
          ASSERT_EQ(to_string(own.reason), "corrupt_object");
        }
      } else {
        const LookupResult result = store->lookup(key);
        if (result.hit()) {
          ++hits;
          ASSERT_TRUE(last.contains(key));
          ASSERT_TRUE(same(*result.record, make_record(key, last[key], 64))) << key;
        }
        mismatches += result.reason == MissReason::kKeyMismatch;
        corrupt_objects += result.reason == MissReason::kCorruptObject;
      }
    }
    EXPECT_GT(mismatches, 0u) << bits;  // or the test would show nothing
    if (bits == 8) {
      EXPECT_GT(hits, 0u);
      EXPECT_GT(corrupt_objects, 0u);
    }
  }
}

TEST(Miss, ReasonsHaveDistinctNames) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < kMissReasonCount; ++i) names.insert(to_string(static_cast<MissReason>(i)));
  EXPECT_EQ(names.size(), kMissReasonCount);
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace tailor::cache
