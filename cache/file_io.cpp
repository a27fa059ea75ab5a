#include "cache/file_io.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "cache/format.h"

namespace tailor::cache {
namespace {

constexpr int64_t kHourNs = int64_t{3600} * 1'000'000'000;
constexpr size_t kSweepLimit = 1024;
constexpr int kNameTries = 16;
static_assert(EINTR == 4);

std::string tmp_directory() { return std::string(kFormatFolder) + "/tmp"; }
std::string quarantine_directory() { return std::string(kFormatFolder) + "/quarantine"; }

// What openat2 and openat answer for links, sockets, devices without drivers, and files in place of folders.
bool is_wrong_kind(int rc) { return rc == -ELOOP || rc == -ENOTDIR || rc == -ENXIO || rc == -ENODEV; }

}  // namespace

std::string describe_errno(int error) {
  const char* name = ::strerrorname_np(error);
  const char* text = ::strerrordesc_np(error);
  if (name == nullptr || text == nullptr) return fmt::format("errno {}", error);
  return fmt::format("{} ({})", text, name);
}

int FileIo::noted(int rc) {
  if (rc >= 0) return rc;
  const size_t slot = std::min(static_cast<size_t>(-static_cast<int64_t>(rc)), kErrnos - 1);
  errors_[slot].fetch_add(1, std::memory_order_relaxed);
  if (rc == -EROFS) read_only_.store(true, std::memory_order_relaxed);
  return rc;
}

Status FileIo::refused(const std::string& path, const char* what, int rc) {
  return io_error(fmt::format("{}: {}: {}", path, what, describe_errno(-noted(rc))));
}

FileRead FileIo::read(const std::string& path, std::optional<uint64_t> required_bytes) {
  FileRead out;
  const auto miss = [&](MissReason reason, std::string detail) {
    out.reason = reason;
    out.detail = fmt::format("{}: {}", path, detail);
    out.bytes = {};
    out.fd.reset();
    return std::move(out);
  };
  const auto fault = [&](const char* what, int rc) {
    return miss(MissReason::kIoError, fmt::format("{}: {}", what, describe_errno(-noted(rc))));
  };

  const int fd = repeat_if_interrupted([&] { return fs_->open_read(root_.get(), path.c_str()); });
  if (fd == -ENOENT) {
    out.reason = MissReason::kAbsent;
    return out;
  }
  if (is_wrong_kind(fd)) return miss(MissReason::kUnsafeFile, "a symbolic link or not a regular file, or below one");
  if (fd < 0) return fault("open", fd);
  out.fd = ScopedFd(fs_.get(), fd);

  if (const int rc = repeat_if_interrupted([&] { return fs_->stat(fd, &out.stat); }); rc < 0) return fault("stat", rc);
  const FileStat& st = out.stat;
  if (st.kind != FileKind::kRegular) return miss(MissReason::kUnsafeFile, "not a regular file");
  if (st.uid != rules_.uid && !(rules_.root_owner_too && st.uid == 0)) {
    return miss(MissReason::kUnsafeFile, fmt::format("belongs to user {}; it must belong to {}", st.uid, rules_.uid));
  }
  // 0 names: replaced by a publisher since it was opened; whole all the same.
  if (st.links > 1) return miss(MissReason::kUnsafeFile, fmt::format("has {} names (hard links)", st.links));
  if ((st.mode & 022) != 0) {
    return miss(MissReason::kUnsafeFile, fmt::format("mode {:04o} lets others write", st.mode));
  }
  if (st.size > rules_.max_file_bytes) {
    return miss(MissReason::kOversized, fmt::format("{} bytes; the limit is {}", st.size, rules_.max_file_bytes));
  }
  if (required_bytes && st.size != *required_bytes) {
    return miss(MissReason::kCorruptObject, fmt::format("{} bytes; its action says {}", st.size, *required_bytes));
  }

  out.bytes.resize(st.size);
  size_t done = 0;
  while (done < out.bytes.size()) {
    const ssize_t got =
        repeat_if_interrupted([&] { return fs_->read(fd, out.bytes.data() + done, out.bytes.size() - done); });
    if (got < 0) return fault("read", static_cast<int>(got));
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  out.bytes.resize(done);  // shorter if the file shrank; the checksum tells
  return out;
}

Expected<ScopedFd> FileIo::open_or_create_directory(const std::string& path) {
  const int whole = repeat_if_interrupted([&] { return fs_->open_directory(root_.get(), path.c_str()); });
  if (whole >= 0) return ScopedFd(fs_.get(), whole);
  if (whole != -ENOENT) return refused(path, "open directory", whole);

  ScopedFd holder;
  int parent = root_.get();
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    const auto open = [&] { return fs_->open_directory(parent, name.c_str()); };
    int fd = repeat_if_interrupted(open);
    if (fd == -ENOENT) {
      const int made = repeat_if_interrupted([&] { return fs_->make_directory(parent, name.c_str(), 0700); });
      if (made < 0 && made != -EEXIST) {
        if (made == -EACCES || made == -EPERM) read_only_.store(true, std::memory_order_relaxed);
        return refused(path.substr(0, end), "mkdir", made);
      }
      if (rules_.durable) {
        const int synced = repeat_if_interrupted([&] { return fs_->sync(parent); });
        if (synced < 0) return refused(path.substr(0, begin), "sync", synced);
      }
      fd = repeat_if_interrupted(open);
    }
    if (fd < 0) return refused(path.substr(0, end), "open directory", fd);
    holder = ScopedFd(fs_.get(), fd);
    parent = fd;
    begin = end + 1;
  }
  return holder;
}

int FileIo::write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = repeat_if_interrupted([&] { return fs_->write(fd, bytes.data(), bytes.size()); });
    if (put < 0) return static_cast<int>(put);
    if (put == 0) return -EIO;
    bytes.remove_prefix(static_cast<size_t>(put));
  }
  return 0;
}

Status FileIo::write_once(const std::string& directory, const std::string& name, std::string_view bytes, int* error) {
  const std::string final_path = directory + "/" + name;
  *error = 0;
  TAILOR_ASSIGN_OR_RETURN(ScopedFd target, open_or_create_directory(directory));
  TAILOR_ASSIGN_OR_RETURN(ScopedFd tmp, open_or_create_directory(tmp_directory()));

  std::string tmp_name;
  int fd = -EEXIST;
  for (int tries = 0; fd == -EEXIST && tries < kNameTries; ++tries) {
    tmp_name = fmt::format("{:016x}{:016x}", fs_->random_bits(), fs_->random_bits());
    fd = repeat_if_interrupted([&] { return fs_->create_exclusive(tmp.get(), tmp_name.c_str()); });
  }
  if (fd < 0) {
    *error = -fd;
    if (fd == -EACCES || fd == -EPERM) read_only_.store(true, std::memory_order_relaxed);
    return refused(tmp_directory() + "/" + tmp_name, "create", fd);
  }

  ScopedFd file(fs_.get(), fd);
  const char* what = "write";
  int rc = write_all(fd, bytes);
  if (rc >= 0 && rules_.durable) {
    what = "sync";
    rc = repeat_if_interrupted([&] { return fs_->sync(fd); });
  }
  if (rc >= 0) {
    // Not repeated: after EINTR the descriptor is gone all the same. Network file systems report lost writes here.
    what = "close";
    rc = fs_->close(file.release());
    if (rc == -EINTR) rc = 0;
  }
  if (rc >= 0) {
    what = "rename";
    rc = repeat_if_interrupted([&] { return fs_->rename(tmp.get(), tmp_name.c_str(), target.get(), name.c_str()); });
  }
  if (rc == -EISDIR && set_aside(target.get(), name)) {
    rc = repeat_if_interrupted([&] { return fs_->rename(tmp.get(), tmp_name.c_str(), target.get(), name.c_str()); });
  }
  if (rc < 0) {
    *error = -rc;
    fs_->unlink(tmp.get(), tmp_name.c_str());
    return refused(final_path, what, rc);
  }
  if (rules_.durable) {
    rc = repeat_if_interrupted([&] { return fs_->sync(target.get()); });
    if (rc < 0) return refused(directory, "sync", rc);
  }
  return Status();
}

bool FileIo::set_aside(int directory, const std::string& name) {
  FileStat st;
  if (fs_->stat_at(directory, name.c_str(), &st) < 0 || st.kind != FileKind::kDirectory) return false;
  const Expected<ScopedFd> quarantine = open_or_create_directory(quarantine_directory());
  if (!quarantine.ok()) return false;
  const std::string token = fmt::format("{:016x}{:016x}", fs_->random_bits(), fs_->random_bits());
  const int to = quarantine->get();
  return noted(repeat_if_interrupted([&] { return fs_->rename(directory, name.c_str(), to, token.c_str()); })) >= 0;
}

Status FileIo::write(const std::string& directory, const std::string& name, std::string_view bytes) {
  if (read_only()) return io_error("the cache directory is read-only; nothing is stored");
  int error = 0;
  Status status = write_once(directory, name, bytes, &error);
  // Somebody cleared the cache between our making the folder and our using it.
  if (error == ENOENT || error == ESTALE) status = write_once(directory, name, bytes, &error);
  return status;
}

Status FileIo::sync_existing(const FileRead& file, const std::string& directory) {
  if (!rules_.durable) return Status();
  int rc = repeat_if_interrupted([&] { return fs_->sync(file.fd.get()); });
  if (rc < 0) return refused(directory, "sync", rc);
  TAILOR_ASSIGN_OR_RETURN(ScopedFd folder, open_or_create_directory(directory));
  rc = repeat_if_interrupted([&] { return fs_->sync(folder.get()); });
  if (rc < 0) return refused(directory, "sync", rc);
  return Status();
}

void FileIo::stamp_use(const FileRead& file) {
  if (read_only() || fs_->now_ns() - file.stat.mtime_ns < kHourNs) return;
  if (fs_->touch(file.fd.get()) == -EROFS) read_only_.store(true, std::memory_order_relaxed);
}

Expected<std::vector<std::string>> FileIo::list(const std::string& directory, size_t limit) {
  std::vector<std::string> names;
  const int fd = repeat_if_interrupted([&] { return fs_->open_directory(root_.get(), directory.c_str()); });
  if (fd == -ENOENT) return names;
  if (is_wrong_kind(fd)) return corruption(directory + ": not a directory");
  if (fd < 0) return refused(directory, "open directory", fd);
  const ScopedFd folder(fs_.get(), fd);
  const int rc = repeat_if_interrupted([&] { return fs_->list(fd, limit, &names); });
  if (rc < 0) return refused(directory, "list", rc);
  std::sort(names.begin(), names.end());
  return names;
}

int FileIo::stat_at(const std::string& path, FileStat* out) {
  const int rc = repeat_if_interrupted([&] { return fs_->stat_at(root_.get(), path.c_str(), out); });
  return rc == -ENOENT ? rc : noted(rc);
}

void FileIo::write_tag() {
  static constexpr char kName[] = "CACHEDIR.TAG";
  FileStat st;
  if (fs_->stat_at(root_.get(), kName, &st) != -ENOENT) return;
  const int fd = fs_->create_exclusive(root_.get(), kName);
  if (fd < 0) return;
  const ScopedFd file(fs_.get(), fd);
  write_all(fd,
            "Signature: 8a477f597d28d172789f06886806bc55\n"
            "# Cache of compiled kernels; it can be deleted at any time. See https://bford.info/cachedir/\n");
}

void FileIo::sweep_tmp() {
  const int fd = fs_->open_directory(root_.get(), tmp_directory().c_str());
  if (fd < 0) return;
  const ScopedFd folder(fs_.get(), fd);
  std::vector<std::string> names;
  if (fs_->list(fd, kSweepLimit, &names) < 0) return;
  const int64_t now = fs_->now_ns();
  for (const std::string& name : names) {
    FileStat st;
    if (fs_->stat_at(fd, name.c_str(), &st) < 0 || st.kind == FileKind::kDirectory) continue;
    if (now - st.mtime_ns > kHourNs) fs_->unlink(fd, name.c_str());
  }
}

double FileIo::age_seconds(const FileStat& stat) {
  return std::max(0.0, static_cast<double>(fs_->now_ns() - stat.mtime_ns) * 1e-9);
}

std::vector<std::pair<int, uint64_t>> FileIo::io_errors() const {
  std::vector<std::pair<int, uint64_t>> out;
  for (size_t i = 0; i < kErrnos; ++i) {
    const uint64_t count = errors_[i].load(std::memory_order_relaxed);
    if (count > 0) out.emplace_back(static_cast<int>(i), count);
  }
  return out;
}

}  // namespace tailor::cache
