// Files under the store's root: read only when safe, written only whole.
//
// FileIo is the one place where the store meets FileSystem after its root is open: interrupted calls are repeated,
// short transfers completed, errors counted by errno and put into words.
//
// Threads: all members may be called from any thread. Ownership: FileIo owns the root's descriptor.
// Errors: never throws except std::bad_alloc.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/file_system.h"
#include "cache/store.h"
#include "tailor/status.h"

namespace tailor::cache {

// "No space left on device (ENOSPC)".
std::string describe_errno(int error);

// A descriptor that is closed when it goes out of scope.
class ScopedFd {
 public:
  ScopedFd() = default;
  ScopedFd(FileSystem* fs, int fd) : fs_(fs), fd_(fd) {}
  ScopedFd(ScopedFd&& other) noexcept : fs_(other.fs_), fd_(std::exchange(other.fd_, -1)) {}
  ScopedFd& operator=(ScopedFd&& other) noexcept {
    if (this != &other) {
      reset();
      fs_ = other.fs_;
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~ScopedFd() { reset(); }

  int get() const { return fd_; }
  // Hands the descriptor to the caller, who closes it.
  int release() { return std::exchange(fd_, -1); }
  void reset() {
    if (fd_ >= 0) fs_->close(std::exchange(fd_, -1));
  }

 private:
  FileSystem* fs_ = nullptr;
  int fd_ = -1;
};

// Repeats a call that a signal interrupted. Bounded, so that a broken file system cannot hold a launch for ever.
template <class Call>
auto repeat_if_interrupted(Call call) {
  constexpr int kEintr = 4;
  auto rc = call();
  for (int tries = 0; rc == -kEintr && tries < 100; ++tries) rc = call();
  return rc;
}

struct FileRead {
  // kNone, kAbsent, kIoError, kUnsafeFile, kOversized; kCorruptObject if not of the size asked for.
  MissReason reason = MissReason::kNone;
  std::string bytes;
  std::string detail;
  FileStat stat;
  ScopedFd fd;  // open if reason is kNone
};

class FileIo {
 public:
  struct Rules {
    uint32_t uid = 0;             // owner of files
    bool root_owner_too = false;  // files of user 0 are as good
    bool durable = false;
    uint64_t max_file_bytes = 0;
  };

  FileIo(std::shared_ptr<FileSystem> fs, ScopedFd root, Rules rules)
      : fs_(std::move(fs)), root_(std::move(root)), rules_(rules) {}

  // The whole file at `path` (relative to the root), in one buffer allocated after its size was tested against
  // max_file_bytes and, if given, `required_bytes`. The file must be regular, with one name, of the right owner and
  // not writable by others. Not mapped: a file that shrinks under a mapping kills the process.
  FileRead read(const std::string& path, std::optional<uint64_t> required_bytes = {});

  // Makes `bytes` appear at `directory`/`name` in one step, whatever stood there; missing folders are created.
  // Readers see the old file, or the new one, whole. A directory, which a file cannot replace, is moved to
  // v1/quarantine with what it holds; nothing deletes it.
  Status write(const std::string& directory, const std::string& name, std::string_view bytes);

  // Durable mode only, else nothing: brings a file that another publisher wrote, and its folder, to the disk.
  Status sync_existing(const FileRead& file, const std::string& directory);

  // Stamps the file with the time of its use, if its stamp is older than an hour. Best effort.
  void stamp_use(const FileRead& file);

  // Names in a folder; empty if there is no such folder. kNotFound never; kCorruption if it is not a folder.
  Expected<std::vector<std::string>> list(const std::string& directory, size_t limit);
  // Without following a link; -errno.
  int stat_at(const std::string& path, FileStat* out);

  // Writes CACHEDIR.TAG if it is not there, so that backups leave the folder out. Best effort.
  void write_tag();
  // Removes files of v1/tmp older than an hour; looks at 1024 at most. Best effort.
  void sweep_tmp();

  double age_seconds(const FileStat& stat);
  bool read_only() const { return read_only_.load(std::memory_order_relaxed); }
  std::vector<std::pair<int, uint64_t>> io_errors() const;

 private:
  // Counts a refusal; returns rc.
  int noted(int rc);
  Expected<ScopedFd> open_or_create_directory(const std::string& path);
  int write_all(int fd, std::string_view bytes);
  Status write_once(const std::string& directory, const std::string& name, std::string_view bytes, int* error);
  // Moves the directory `name` of the folder open at `directory` to the quarantine. False: it is none, or stays.
  bool set_aside(int directory, const std::string& name);
  Status refused(const std::string& path, const char* what, int rc);

  std::shared_ptr<FileSystem> fs_;  // before root_, which closes through it
  ScopedFd root_;
  Rules rules_;
  std::atomic<bool> read_only_{false};
  static constexpr size_t kErrnos = 135;  // Linux has 133; the last slot takes all others
  std::array<std::atomic<uint64_t>, kErrnos> errors_{};
};

}  // namespace tailor::cache
