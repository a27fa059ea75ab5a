#include "cache/file_system.h"

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tailor::cache {
namespace {

// The system call's own convention is -1 and errno.
template <class T>
T result(T value) {
  return value < 0 ? static_cast<T>(-errno) : value;
}

FileStat convert(const struct stat& in) {
  FileStat out;
  out.kind = S_ISREG(in.st_mode)   ? FileKind::kRegular
             : S_ISDIR(in.st_mode) ? FileKind::kDirectory
             : S_ISLNK(in.st_mode) ? FileKind::kSymlink
                                   : FileKind::kOther;
  out.mode = in.st_mode & 07777;
  out.uid = in.st_uid;
  out.links = in.st_nlink;
  out.size = static_cast<uint64_t>(in.st_size);
  out.disk_bytes = static_cast<uint64_t>(in.st_blocks) * 512;
  out.mtime_ns = int64_t{in.st_mtim.tv_sec} * 1'000'000'000 + in.st_mtim.tv_nsec;
  return out;
}

class PosixFileSystem final : public FileSystem {
 public:
  explicit PosixFileSystem(bool use_openat2) : has_openat2_(use_openat2) {}

  int open_root() override { return result(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)); }
  int open_search(int dir, const char* path) override { return open_no_links(dir, path, O_PATH | O_DIRECTORY); }
  int open_directory(int dir, const char* path) override { return open_no_links(dir, path, O_RDONLY | O_DIRECTORY); }
  int open_read(int dir, const char* path) override {
    return open_no_links(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  }
  int create_exclusive(int dir, const char* name) override {
    return result(::openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  }
  int close(int fd) override { return result(::close(fd)); }

  int stat(int fd, FileStat* out) override {
    struct stat st;
    const int rc = result(::fstat(fd, &st));
    if (rc == 0) *out = convert(st);
    return rc;
  }
  int stat_at(int dir, const char* name, FileStat* out) override {
    struct stat st;
    const int rc = result(::fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW));
    if (rc == 0) *out = convert(st);
    return rc;
  }
  int read_link(int dir, const char* name, std::string* target) override {
    char buffer[PATH_MAX];
    const ssize_t length = ::readlinkat(dir, name, buffer, sizeof buffer);
    if (length < 0) return -errno;
    if (length == static_cast<ssize_t>(sizeof buffer)) return -ENAMETOOLONG;
    target->assign(buffer, static_cast<size_t>(length));
    return 0;
  }
  int list(int fd, size_t limit, std::vector<std::string>* names) override {
    // A new description, because fdopendir takes its descriptor over and moves its offset.
    const int own = ::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0) return -errno;
    DIR* stream = ::fdopendir(own);
    if (stream == nullptr) {
      const int error = errno;
      ::close(own);
      return -error;
    }
    names->clear();
    int rc = 0;
    while (names->size() < limit) {
      errno = 0;
      const dirent* entry = ::readdir(stream);
      if (entry == nullptr) {
        rc = -errno;
        break;
      }
      if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) {
        names->emplace_back(entry->d_name);
      }
    }
    ::closedir(stream);
    return rc;
  }

  ssize_t read(int fd, void* buffer, size_t bytes) override { return result(::read(fd, buffer, bytes)); }
  // Beyond the process's file size limit the system raises SIGXFSZ, which ends the process unless somebody handles it;
  // held back, the write fails with EFBIG and the signal is taken off this thread again.
  ssize_t write(int fd, const void* buffer, size_t bytes) override {
    sigset_t limit, before, pending;
    sigemptyset(&limit);
    sigaddset(&limit, SIGXFSZ);
    sigpending(&pending);
    const bool was_pending = sigismember(&pending, SIGXFSZ) == 1;
    if (pthread_sigmask(SIG_BLOCK, &limit, &before) != 0) return result(::write(fd, buffer, bytes));
    const ssize_t written = result(::write(fd, buffer, bytes));
    if (written == -EFBIG && !was_pending) {
      const timespec now{0, 0};
      while (sigtimedwait(&limit, nullptr, &now) < 0 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return written;
  }
  int sync(int fd) override { return result(::fsync(fd)); }

  int rename(int from_dir, const char* from, int to_dir, const char* to) override {
    return result(::renameat(from_dir, from, to_dir, to));
  }
  int make_directory(int dir, const char* name, uint32_t mode) override { return result(::mkdirat(dir, name, mode)); }
  int unlink(int dir, const char* name) override { return result(::unlinkat(dir, name, 0)); }
  int touch(int fd) override { return result(::futimens(fd, nullptr)); }

  uint32_t effective_user() override { return ::geteuid(); }
  int64_t now_ns() override {
    timespec now;
    ::clock_gettime(CLOCK_REALTIME, &now);
    return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  }
  uint64_t random_bits() override {
    uint64_t bits = 0;
    if (::getrandom(&bits, sizeof bits, GRND_NONBLOCK) == sizeof bits) return bits;
    // Before the pool is seeded: process, time and a counter differ between writers, which is all that is needed.
    return static_cast<uint64_t>(now_ns()) ^ static_cast<uint64_t>(::getpid()) << 40 ^ ++fallback_counter_;
  }

 private:
  int open_no_links(int dir, const char* path, int flags) {
    flags |= O_CLOEXEC | O_NOFOLLOW;
    if (has_openat2_.load(std::memory_order_relaxed)) {
      open_how how = {};
      how.flags = static_cast<uint64_t>(flags);
      how.resolve = RESOLVE_NO_SYMLINKS;
      const long fd = ::syscall(SYS_openat2, dir, path, &how, sizeof how);
      if (fd >= 0) return static_cast<int>(fd);
      // EPERM is how seccomp filters older than the call refuse it; opening for reading never gives it otherwise.
      if (errno != ENOSYS && errno != EPERM) return -errno;
      has_openat2_.store(false, std::memory_order_relaxed);
    }
    return open_by_component(dir, path, flags);
  }

  static int open_by_component(int dir, const char* path, int flags) {
    int parent = dir;
    for (const char* slash; (slash = std::strchr(path, '/')) != nullptr; path = slash + 1) {
      const std::string component(path, slash);
      const int next = ::openat(parent, component.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      const int error = errno;
      if (parent != dir) ::close(parent);
      if (next < 0) return -error;
      parent = next;
    }
    const int fd = ::openat(parent, path, flags);
    const int error = errno;
    if (parent != dir) ::close(parent);
    return fd < 0 ? -error : fd;
  }

  std::atomic<bool> has_openat2_;
  std::atomic<uint64_t> fallback_counter_{0};
};

}  // namespace

std::shared_ptr<FileSystem> make_posix_file_system(bool use_openat2) {
  return std::make_shared<PosixFileSystem>(use_openat2);
}

}  // namespace tailor::cache
