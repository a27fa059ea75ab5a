// What another user, or a careless one, may have put where the cache looks: refused, and the caller goes on without.
// Runs on both ways of opening files (openat2, and component by component).
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "tests/cache/support.h"

namespace tailor::cache {
namespace {

using namespace testing;

constexpr uint32_t kSomebodyElse = 4242;

class Attack : public ::testing::TestWithParam<bool> {
 protected:
  Expected<std::unique_ptr<Store>> open(const std::string& root, bool require_private = true) {
    StoreOptions options;
    options.root = root;
    options.fs = files_;
    options.require_private = require_private;
    return Store::open(options);
  }

  void expect_root_refused(const std::string& root, StatusCode code, const std::string& words) {
    const auto store = open(root);
    ASSERT_FALSE(store.ok()) << root;
    EXPECT_EQ(store.status().code(), code) << store.status().to_string();
    EXPECT_NE(store.status().message().find(words), std::string::npos) << store.status().to_string();
    EXPECT_EQ(files_->open_fds(), 0);
  }

  TempDir dir_;
  std::shared_ptr<GatedFileSystem> files_ = std::make_shared<GatedFileSystem>(GetParam());
};

TEST_P(Attack, RootsThatAreNoPlaceForACache) {
  expect_root_refused("", StatusCode::kInvalidArgument, "relative");
  expect_root_refused("cache", StatusCode::kInvalidArgument, "relative");
  expect_root_refused("./cache", StatusCode::kInvalidArgument, "relative");
  expect_root_refused("/", StatusCode::kInvalidArgument, "not a place");
  expect_root_refused(dir_ / "..", StatusCode::kInvalidArgument, "..");
  expect_root_refused(dir_ / std::string("a\0b", 3), StatusCode::kInvalidArgument, "NUL");
  expect_root_refused(dir_ / std::string(300, 'n'), StatusCode::kIo, "ENAMETOOLONG");
  expect_root_refused("/proc/1/nowhere/cache", StatusCode::kIo, "/proc/1/nowhere");
}

TEST_P(Attack, RootsOfTheWrongKind) {
  fs::create_directory(dir_ / "real");
  fs::permissions(dir_ / "real", fs::perms::owner_all);
  fs::create_directory_symlink(dir_ / "real", dir_ / "link");
  expect_root_refused(dir_ / "link", StatusCode::kUnavailable, "symbolic link");
  expect_root_refused(dir_ / "link/", StatusCode::kUnavailable, "symbolic link");
  fs::create_symlink(dir_ / "nowhere", dir_ / "dangling");
  expect_root_refused(dir_ / "dangling", StatusCode::kUnavailable, "symbolic link");
  EXPECT_FALSE(fs::exists(dir_ / "nowhere"));
  write_file(dir_ / "file", "x");
  expect_root_refused(dir_ / "file", StatusCode::kUnavailable, "not a directory");
  expect_root_refused(dir_ / "file/cache", StatusCode::kUnavailable, "not a directory");
  ASSERT_EQ(::mkfifo((dir_ / "fifo").c_str(), 0600), 0);
  expect_root_refused(dir_ / "fifo", StatusCode::kUnavailable, "not a directory");
}

TEST_P(Attack, RootsThatOthersMayEnter) {
  for (const unsigned mode : {0777u, 0755u, 0770u, 0701u, 0710u, 01777u}) {
    const std::string root = dir_ / std::to_string(mode);
    ASSERT_EQ(::mkdir(root.c_str(), 0700), 0);
    ASSERT_EQ(::chmod(root.c_str(), mode), 0);
    expect_root_refused(root, StatusCode::kUnavailable, "chmod 700");
  }
  // A root that ships with an image: others may read, none may write.
  ASSERT_EQ(::chmod((dir_ / std::to_string(0755)).c_str(), 0755), 0);
  EXPECT_TRUE(open(dir_ / std::to_string(0755), false).ok());
  EXPECT_FALSE(open(dir_ / std::to_string(0777), false).ok());
  EXPECT_FALSE(open(dir_ / std::to_string(0770), false).ok());
}

TEST_P(Attack, RootsOfAnotherUser) {
  ASSERT_EQ(::mkdir((dir_ / "cache").c_str(), 0700), 0);
  files_->set_user(kSomebodyElse);
  const auto store = open(dir_ / "cache");
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(store.status().message().find("belongs to user"), std::string::npos) << store.status().to_string();
}

TEST_P(Attack, ParentsThatEverybodyCanWriteMustBeSticky) {
  ASSERT_EQ(::mkdir((dir_ / "open").c_str(), 0700), 0);
  ASSERT_EQ(::chmod((dir_ / "open").c_str(), 0777), 0);
  expect_root_refused(dir_ / "open/cache", StatusCode::kUnavailable, "chmod o-w");
  expect_root_refused(dir_ / "open/mine/cache", StatusCode::kUnavailable, "chmod o-w");
  EXPECT_FALSE(fs::exists(dir_ / "open/cache"));
  ASSERT_EQ(::chmod((dir_ / "open").c_str(), 01777), 0);
  EXPECT_TRUE(open(dir_ / "open/cache").ok());
  EXPECT_TRUE(open(dir_ / "open/mine/cache").ok());
  if (::chown((dir_ / "open/mine").c_str(), kSomebodyElse, 0) == 0) {
    expect_root_refused(dir_ / "open/mine/cache", StatusCode::kUnavailable, "user 4242");
  }
}

TEST_P(Attack, LinksAmongTheParentsAreFollowedAndTheirTargetsChecked) {
  fs::create_directories(dir_ / "disk/home");
  fs::create_directory_symlink("disk/home", dir_ / "relative");
  fs::create_directory_symlink(dir_ / "disk/home", dir_ / "absolute");
  fs::create_directory_symlink("../relative/../home", dir_ / "disk/twice");
  EXPECT_TRUE(open(dir_ / "relative/a").ok());
  EXPECT_TRUE(open(dir_ / "absolute/b").ok());
  EXPECT_TRUE(open(dir_ / "disk/twice/c").ok());
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(fs::is_directory(dir_ / ("disk/home/" + std::string(name))));
  fs::create_directory_symlink("loop", dir_ / "loop");
  expect_root_refused(dir_ / "loop/cache", StatusCode::kIo, "ELOOP");
  ASSERT_EQ(::chmod((dir_ / "disk").c_str(), 0777), 0);
  expect_root_refused(dir_ / "absolute/d", StatusCode::kUnavailable, "chmod o-w");
}

TEST_P(Attack, ThingsInPlaceOfFilesAreRefusedAndThenRepaired) {
  const std::string root = dir_ / "cache";
  const ActionRecord record = make_record("key");
  auto store = std::move(open(root).value());
  ASSERT_TRUE(store->publish("key", record).ok());
  const std::string paths[] = {action_path(root, "key"), object_path(root, record.objects[0].bytes)};

  struct Trick {
    const char* name;
    std::function<bool(const std::string& path, const std::string& copy)> play;  // false: not allowed to, here
  };
  const Trick tricks[] = {
      {"symlink to a right copy",
       [](const std::string& path, const std::string& copy) { return ::symlink(copy.c_str(), path.c_str()) == 0; }},
      {"dangling symlink",
       [](const std::string& path, const std::string&) { return ::symlink("/nonexistent/x", path.c_str()) == 0; }},
      {"symlink to itself",
       [](const std::string& path, const std::string&) { return ::symlink(path.c_str(), path.c_str()) == 0; }},
      {"hard link",
       [](const std::string& path, const std::string& copy) { return ::link(copy.c_str(), path.c_str()) == 0; }},
      {"FIFO", [](const std::string& path, const std::string&) { return ::mkfifo(path.c_str(), 0600) == 0; }},
      {"socket",
       [](const std::string& path, const std::string&) { return ::mknod(path.c_str(), S_IFSOCK | 0600, 0) == 0; }},
      {"device /dev/zero",
       [](const std::string& path, const std::string&) {
         return ::mknod(path.c_str(), S_IFCHR | 0600, makedev(1, 5)) == 0;
       }},
      {"writable by all",
       [](const std::string& path, const std::string& copy) {
         fs::copy_file(copy, path);
         return ::chmod(path.c_str(), 0666) == 0;
       }},
      {"writable by the group",
       [](const std::string& path, const std::string& copy) {
         fs::copy_file(copy, path);
         return ::chmod(path.c_str(), 0620) == 0;
       }},
      {"of another user",
       [](const std::string& path, const std::string& copy) {
         fs::copy_file(copy, path);
         ::chmod(path.c_str(), 0600);
         return ::chown(path.c_str(), kSomebodyElse, 0) == 0;
       }},
  };
  for (const std::string& path : paths) {
    const std::string copy = dir_ / "copy";
    for (const Trick& trick : tricks) {
      write_file(copy, read_file(path));
      fs::remove(path);
      if (!trick.play(path, copy)) {
        fs::remove(path);
        ASSERT_TRUE(store->publish("key", record).ok());
        continue;
      }
      const LookupResult result = store->lookup("key");
      EXPECT_EQ(to_string(result.reason), "unsafe_file") << trick.name << " " << path << " " << result.detail;
      EXPECT_FALSE(store->verify()->problems.empty()) << trick.name;
      const Status status = store->publish("key", record);
      EXPECT_TRUE(status.ok()) << trick.name << ": " << status.to_string();
      EXPECT_TRUE(store->lookup("key").hit()) << trick.name << " " << path;
      EXPECT_TRUE(store->verify()->problems.empty()) << trick.name;
      fs::remove(copy);
    }
  }
  store.reset();
  EXPECT_EQ(files_->open_fds(), 0);
}

// Nothing that somebody put there is deleted, whatever it holds.
TEST_P(Attack, FoldersInPlaceOfFilesAreRefusedAndThenMovedAside) {
  const std::string root = dir_ / "cache";
  const ActionRecord record = make_record("key");
  auto store = std::move(open(root).value());
  ASSERT_TRUE(store->publish("key", record).ok());
  ptrdiff_t moved = 0;
  for (const std::string& path : {action_path(root, "key"), object_path(root, record.objects[0].bytes)}) {
    for (const bool empty : {true, false}) {
      fs::remove(path);
      fs::create_directory(path);
      if (!empty) write_file(path + "/letter", "precious");
      EXPECT_EQ(store->lookup("key").reason, MissReason::kUnsafeFile);
      const Status status = store->publish("key", record);
      EXPECT_TRUE(status.ok()) << status.to_string();
      EXPECT_TRUE(store->lookup("key").hit()) << path;
      EXPECT_TRUE(store->verify()->problems.empty()) << path;
      EXPECT_EQ(std::distance(fs::directory_iterator(root + "/v1/quarantine"), fs::directory_iterator()), ++moved);
    }
  }
  int letters = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root + "/v1/quarantine")) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(read_file(entry.path()), "precious");
    ++letters;
  }
  EXPECT_EQ(letters, 2);
  EXPECT_EQ(store->stat()->tmp_files, 0u);
  store.reset();
  EXPECT_EQ(files_->open_fds(), 0);
}

// A quarantine that leads out of the root, or is no folder, is not used; nor does the system's refusal leave anything.
TEST_P(Attack, WithoutAQuarantineTheFolderStays) {
  const std::string root = dir_ / "cache";
  const ActionRecord record = make_record("key");
  auto store = std::move(open(root).value());
  ASSERT_TRUE(store->publish("key", record).ok());
  const std::string path = action_path(root, "key"), quarantine = root + "/v1/quarantine";
  fs::remove(path);
  fs::create_directory(path);
  fs::create_directory(dir_ / "outside");
  fs::create_directory_symlink(dir_ / "outside", quarantine);
  EXPECT_EQ(store->publish("key", record).code(), StatusCode::kIo);
  EXPECT_TRUE(fs::is_empty(dir_ / "outside"));
  fs::remove(quarantine);
  write_file(quarantine, "not a folder");
  EXPECT_EQ(store->publish("key", record).code(), StatusCode::kIo);
  fs::remove(quarantine);
  files_->set_gate([asides = 0](const char* call, uint64_t) mutable {
    return std::string_view(call) == "rename" && ++asides > 1 ? -EACCES : 0;  // the first one meets the folder
  });
  EXPECT_EQ(store->publish("key", record).code(), StatusCode::kIo);
  files_->set_gate({});
  EXPECT_TRUE(fs::is_directory(path));
  EXPECT_EQ(store->stat()->tmp_files, 0u);
  EXPECT_TRUE(store->publish("key", record).ok());
  EXPECT_TRUE(store->lookup("key").hit());
}

// Every folder under the root, replaced by a link to a right copy outside: nothing is read or written through it.
TEST_P(Attack, LinksInPlaceOfFoldersAreNeverPassed) {
  const ActionRecord record = make_record("key");
  const std::string root = dir_ / "cache";
  const std::string folders[] = {root + "/v1",
                                 root + "/v1/actions",
                                 root + "/v1/objects",
                                 root + "/v1/tmp",
                                 fs::path(action_path(root, "key")).parent_path(),
                                 fs::path(object_path(root, record.objects[0].bytes)).parent_path()};
  for (const std::string& folder : folders) {
    auto store = std::move(open(root).value());
    ASSERT_TRUE(store->publish("key", record).ok());
    const std::string outside = dir_ / "outside";
    fs::rename(folder, outside);
    fs::create_directory_symlink(outside, folder);
    const auto count = [&] {
      return std::distance(fs::recursive_directory_iterator(outside), fs::recursive_directory_iterator());
    };
    const auto before = count();
    const std::string_view expected = folder.ends_with("tmp") ? "none" : "unsafe_file";
    EXPECT_EQ(to_string(store->lookup("key").reason), expected) << folder;
    EXPECT_EQ(store->publish("key", record).code(), StatusCode::kIo) << folder;
    EXPECT_EQ(count(), before) << folder << ": something was written outside";
    EXPECT_TRUE(store->verify().ok()) << folder;
    fs::remove_all(root);
    fs::remove_all(outside);
  }
}

TEST_P(Attack, FilesInPlaceOfFoldersAreMissesAndStatuses) {
  const ActionRecord record = make_record("key");
  const std::string root = dir_ / "cache";
  for (const char* name : {"v1", "v1/actions", "v1/objects", "v1/tmp"}) {
    auto store = std::move(open(root).value());
    const std::string path = root + "/" + name;
    fs::create_directories(fs::path(path).parent_path());
    write_file(path, "not a folder");
    EXPECT_FALSE(store->lookup("key").hit()) << name;
    EXPECT_EQ(store->publish("key", record).code(), StatusCode::kIo) << name;
    EXPECT_TRUE(store->verify().ok()) << name;
    EXPECT_TRUE(open(root).ok()) << name;
    fs::remove_all(root);
  }
}

INSTANTIATE_TEST_SUITE_P(BothWaysOfOpening, Attack, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "openat2" : "by_component"; });

}  // namespace
}  // namespace tailor::cache
