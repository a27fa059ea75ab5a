// What the tests of the store share: a folder that goes away, records whose bytes tell whose they are, and a file
// system that can fail, shorten and count calls.
#pragma once

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/file_system.h"
#include "cache/format.h"
#include "cache/store.h"

namespace tailor::cache::testing {

namespace fs = std::filesystem;

class TempDir {
 public:
  // kMemory: on a memory file system where there is one, for tests that make thousands of caches.
  enum Where { kDisk, kMemory };

  explicit TempDir(Where where = kDisk) {
    const bool memory = where == kMemory && ::access("/dev/shm", W_OK) == 0;
    const fs::path parent = memory ? fs::path("/dev/shm") : fs::temp_directory_path();
    std::string pattern = (parent / "tailor_cache_XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Overwrites in place: keeps inode, owner and mode of a file that exists.
inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  ::chmod(path.c_str(), 0600);
}

inline std::string random_bytes(uint64_t seed, size_t count) {
  std::mt19937_64 random(seed);
  std::string out(count, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

// A record in which every part says which (key, variant) it belongs to, as two compiles of one key might differ.
inline ActionRecord make_record(const std::string& key, uint64_t variant = 0, size_t object_bytes = 600) {
  const std::string tag = key + "#" + std::to_string(variant);
  ActionRecord record;
  record.metadata = "plan of " + tag;
  record.toolchain = "toolchain " + std::to_string(variant);
  record.minimum_driver = static_cast<uint32_t>(12000 + variant);
  const uint64_t seed = std::hash<std::string>()(tag);
  record.objects = {{"cubin", random_bytes(seed, object_bytes)}, {"ptx", "// " + tag}};
  return record;
}

inline bool same(const ActionRecord& a, const ActionRecord& b) {
  if (a.metadata != b.metadata || a.toolchain != b.toolchain || a.minimum_driver != b.minimum_driver ||
      a.objects.size() != b.objects.size()) {
    return false;
  }
  for (size_t i = 0; i < a.objects.size(); ++i) {
    if (a.objects[i].name != b.objects[i].name || a.objects[i].bytes != b.objects[i].bytes) return false;
  }
  return true;
}

// True if `record` is, whole, some variant of make_record(key, …).
inline bool is_some_variant(const ActionRecord& record, const std::string& key, size_t object_bytes = 600) {
  return record.minimum_driver >= 12000 && same(record, make_record(key, record.minimum_driver - 12000, object_bytes));
}

inline std::unique_ptr<Store> open_store(const std::string& root, std::shared_ptr<FileSystem> file_system = nullptr,
                                         int digest_bits = 128) {
  StoreOptions options;
  options.root = root;
  options.fs = std::move(file_system);
  options.digest_bits = digest_bits;
  auto store = Store::open(options);
  EXPECT_TRUE(store.ok()) << store.status().to_string();
  return store.ok() ? std::move(store).value() : nullptr;
}

inline std::string action_path(const std::string& root, const std::string& key, int bits = 128) {
  const std::string hex = digest_of(key, bits).hex();
  return root + "/v1/actions/" + hex.substr(0, 2) + "/" + hex;
}

inline std::string object_path(const std::string& root, const std::string& bytes, int bits = 128) {
  const std::string hex = digest_of(bytes, bits).hex();
  return root + "/v1/objects/" + hex.substr(0, 2) + "/" + hex;
}

// Passes calls on to the real file system through gates that a test sets. Also a book of descriptors: open_fds() is 0
// when nothing leaked.
class GatedFileSystem : public FileSystem {
 public:
  // Before a call, given its name and number (from 0); a negative answer is returned in its stead.
  using Gate = std::function<int(const char* call, uint64_t number)>;

  explicit GatedFileSystem(bool use_openat2 = true) : real_(make_posix_file_system(use_openat2)) {}

  void set_gate(Gate gate) {
    calls_ = 0;
    log_.clear();
    gate_ = std::move(gate);
  }
  // Runs after a call that was let through.
  void set_after(Gate after) { after_ = std::move(after); }
  void set_max_transfer(size_t bytes) { max_transfer_ = bytes; }
  void set_user(uint32_t uid) { user_ = uid; }
  void set_clock_offset_ns(int64_t ns) { clock_offset_ns_ = ns; }
  uint64_t calls() const { return calls_; }
  int open_fds() const { return open_fds_; }
  // Names of the calls since set_gate; single-threaded tests only.
  const std::vector<std::string>& log() const { return log_; }

  int open_root() override {
    return opened(through("open_root", [&] { return real_->open_root(); }));
  }
  int open_search(int dir, const char* path) override {
    return opened(through("open_search", [&] { return real_->open_search(dir, path); }));
  }
  int open_directory(int dir, const char* path) override {
    return opened(through("open_directory", [&] { return real_->open_directory(dir, path); }));
  }
  int open_read(int dir, const char* path) override {
    return opened(through("open_read", [&] { return real_->open_read(dir, path); }));
  }
  int create_exclusive(int dir, const char* name) override {
    return opened(through("create_exclusive", [&] { return real_->create_exclusive(dir, name); }));
  }
  int close(int fd) override {
    --open_fds_;  // gone even when the gate reports an error, as in the kernel
    const int rc = real_->close(fd);
    const int gated = through("close", [&] { return 0; });
    return gated < 0 ? gated : rc;
  }
  int stat(int fd, FileStat* out) override {
    return through("stat", [&] { return real_->stat(fd, out); });
  }
  int stat_at(int dir, const char* name, FileStat* out) override {
    return through("stat_at", [&] { return real_->stat_at(dir, name, out); });
  }
  int read_link(int dir, const char* name, std::string* target) override {
    return through("read_link", [&] { return real_->read_link(dir, name, target); });
  }
  int list(int fd, size_t limit, std::vector<std::string>* names) override {
    return through("list", [&] { return real_->list(fd, limit, names); });
  }
  ssize_t read(int fd, void* buffer, size_t bytes) override {
    return through("read", [&] { return real_->read(fd, buffer, std::min(bytes, max_transfer_)); });
  }
  ssize_t write(int fd, const void* buffer, size_t bytes) override {
    return through("write", [&] { return real_->write(fd, buffer, std::min(bytes, max_transfer_)); });
  }
  int sync(int fd) override {
    return through("sync", [&] { return real_->sync(fd); });
  }
  int rename(int from_dir, const char* from, int to_dir, const char* to) override {
    return through("rename", [&] { return real_->rename(from_dir, from, to_dir, to); });
  }
  int make_directory(int dir, const char* name, uint32_t mode) override {
    return through("make_directory", [&] { return real_->make_directory(dir, name, mode); });
  }
  int unlink(int dir, const char* name) override {
    return through("unlink", [&] { return real_->unlink(dir, name); });
  }
  int touch(int fd) override {
    return through("touch", [&] { return real_->touch(fd); });
  }
  uint32_t effective_user() override { return user_ == UINT32_MAX ? real_->effective_user() : user_; }
  int64_t now_ns() override { return real_->now_ns() + clock_offset_ns_; }
  uint64_t random_bits() override { return real_->random_bits(); }

 private:
  template <class Call>
  auto through(const char* name, Call call) -> decltype(call()) {
    if (gate_) {
      const uint64_t number = calls_++;
      log_.emplace_back(name);
      if (const int rc = gate_(name, number); rc < 0) return rc;
      const auto rc = call();
      if (after_) after_(name, number);
      return rc;
    }
    return call();
  }
  int opened(int fd) {
    if (fd >= 0) ++open_fds_;
    return fd;
  }

  std::shared_ptr<FileSystem> real_;
  Gate gate_, after_;
  std::vector<std::string> log_;
  std::atomic<uint64_t> calls_{0};
  std::atomic<int> open_fds_{0};
  size_t max_transfer_ = SIZE_MAX;
  uint32_t user_ = UINT32_MAX;
  int64_t clock_offset_ns_ = 0;
};

}  // namespace tailor::cache::testing
