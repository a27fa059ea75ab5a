// The operating system as the store sees it: the calls it makes, and no others.
//
// A second implementation exists in the tests: it fails the k-th call with a chosen errno, shortens writes and stops
// writers, which is how "no fault of the cache fails a launch" is tested.
//
// Errors: every call returns a value >= 0, or -errno, as the kernel does. Nothing throws except std::bad_alloc.
// Threads: implementations must allow concurrent calls. Ownership: descriptors belong to the caller, who closes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace tailor::cache {

enum class FileKind : uint8_t { kRegular, kDirectory, kSymlink, kOther };

struct FileStat {
  FileKind kind = FileKind::kOther;
  uint32_t mode = 0;  // permission bits with setuid, setgid and sticky: st_mode & 07777
  uint32_t uid = 0;
  uint64_t links = 0;
  uint64_t size = 0;        // bytes
  uint64_t disk_bytes = 0;  // bytes allocated: st_blocks * 512
  int64_t mtime_ns = 0;     // since the epoch
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Paths are relative to the descriptor `dir`. "No component": no component of the path may be a symbolic link; one
  // that is gives -ELOOP or -ENOTDIR. Descriptors are always close-on-exec.

  // The directory "/", as open_search opens it.
  virtual int open_root() = 0;
  // A directory to pass through, no component a link: needs search permission only; cannot be listed or synced.
  virtual int open_search(int dir, const char* path) = 0;
  // A directory to list and to sync, no component a link.
  virtual int open_directory(int dir, const char* path) = 0;
  // For reading, no component a link, and without blocking on a FIFO or a device.
  virtual int open_read(int dir, const char* path) = 0;
  // A new file with mode 0600 for writing; -EEXIST if the name is taken by anything, dangling links included.
  virtual int create_exclusive(int dir, const char* name) = 0;
  virtual int close(int fd) = 0;

  virtual int stat(int fd, FileStat* out) = 0;
  // Does not follow a link in the last component.
  virtual int stat_at(int dir, const char* name, FileStat* out) = 0;
  virtual int read_link(int dir, const char* name, std::string* target) = 0;
  // Names in the directory open at `fd`, without "." and "..", in no order; stops after `limit` names.
  virtual int list(int fd, size_t limit, std::vector<std::string>* names) = 0;

  // May transfer fewer bytes than asked for; read gives 0 at the end of the file.
  virtual ssize_t read(int fd, void* buffer, size_t bytes) = 0;
  virtual ssize_t write(int fd, const void* buffer, size_t bytes) = 0;
  // fsync, of a file or of a directory.
  virtual int sync(int fd) = 0;

  // Replaces `to` in one step. (No link and no RENAME_NOREPLACE: a link would leave two names on one inode when its
  // writer is killed, and contents named by their digest lose nothing when replaced by themselves.)
  virtual int rename(int from_dir, const char* from, int to_dir, const char* to) = 0;
  virtual int make_directory(int dir, const char* name, uint32_t mode) = 0;
  virtual int unlink(int dir, const char* name) = 0;
  // Sets access and modification time to now.
  virtual int touch(int fd) = 0;

  virtual uint32_t effective_user() = 0;
  // The clock that modification times are compared with; nanoseconds since the epoch.
  virtual int64_t now_ns() = 0;
  // Unpredictable bits for names of temporary files; creation is exclusive, so a repeat costs a retry only.
  virtual uint64_t random_bits() = 0;
};

// The real one. `use_openat2` false takes the path for kernels before 5.6 (one openat per component), so that tests
// can hold the two against each other; with true that path is taken by itself where the kernel refuses openat2.
std::shared_ptr<FileSystem> make_posix_file_system(bool use_openat2 = true);

}  // namespace tailor::cache
