#include "cache/root_directory.h"

#include <cerrno>

#include <fmt/format.h>

namespace tailor::cache {
namespace {

constexpr int kMaxLinks = 40;  // as the kernel

constexpr const char* kWithout = "; until then kernels are not kept on disk";

// Components of a path, last first, so that the next one is at the back.
std::vector<std::string> components_reversed(const std::string& path) {
  std::vector<std::string> out;
  for (size_t end = path.size(); end > 0;) {
    const size_t slash = path.rfind('/', end - 1);
    const size_t begin = slash == std::string::npos ? 0 : slash + 1;
    const std::string name = path.substr(begin, end - begin);
    if (!name.empty() && name != ".") out.push_back(name);
    end = slash == std::string::npos ? 0 : slash;
  }
  return out;
}

class Walk {
 public:
  Walk(FileSystem& fs, const StoreOptions& options) : fs_(fs), options_(options), uid_(fs.effective_user()) {}

  Expected<ScopedFd> run() {
    std::vector<std::string> todo = components_reversed(options_.root);
    if (todo.empty()) return invalid_argument("cache directory \"" + options_.root + "\": not a place for a cache");
    if (todo.front() == "..") {
      return invalid_argument("cache directory \"" + options_.root + "\" ends in \"..\"; name the directory itself");
    }
    TAILOR_RETURN_IF_ERROR(to_top());
    while (!todo.empty()) {
      const std::string name = std::move(todo.back());
      todo.pop_back();
      const bool last = todo.empty();
      const std::string path = (at_ == "/" ? "" : at_) + "/" + name;
      int fd = open(name, last);
      if (fd == -ENOENT) {
        TAILOR_RETURN_IF_ERROR(make(name, path));
        fd = open(name, last);
      }
      if (fd == -ELOOP || fd == -ENOTDIR) {
        std::string target;
        const int rc = repeat_if_interrupted([&] { return fs_.read_link(here_.get(), name.c_str(), &target); });
        if (rc < 0) return unavailable(fmt::format("cache directory: {} is not a directory{}", path, kWithout));
        if (last) {
          return unavailable(fmt::format("cache directory {} is a symbolic link; name its target \"{}\" instead{}",
                                         path, target, kWithout));
        }
        if (++links_ > kMaxLinks) return refused(path, "open", -ELOOP);
        const std::vector<std::string> inserted = components_reversed(target);
        todo.insert(todo.end(), inserted.begin(), inserted.end());
        if (target.starts_with('/')) TAILOR_RETURN_IF_ERROR(to_top());
        continue;
      }
      if (fd < 0) return refused(path, "open", fd);
      ScopedFd next(&fs_, fd);
      FileStat st;
      if (const int rc = repeat_if_interrupted([&] { return fs_.stat(fd, &st); }); rc < 0) {
        return refused(path, "stat", rc);
      }
      TAILOR_RETURN_IF_ERROR(last ? check_root(path, st) : check_parent(path, st));
      here_ = std::move(next);
      at_ = path;
    }
    return std::move(here_);
  }

 private:
  Status to_top() {
    const int fd = repeat_if_interrupted([&] { return fs_.open_root(); });
    if (fd < 0) return refused("/", "open", fd);
    here_ = ScopedFd(&fs_, fd);
    at_.assign(1, '/');
    below_sticky_ = false;
    FileStat st;
    if (const int rc = repeat_if_interrupted([&] { return fs_.stat(fd, &st); }); rc < 0)
      return refused("/", "stat", rc);
    return check_parent("/", st);
  }

  int open(const std::string& name, bool last) {
    return repeat_if_interrupted([&] {
      return last ? fs_.open_directory(here_.get(), name.c_str()) : fs_.open_search(here_.get(), name.c_str());
    });
  }

  Status make(const std::string& name, const std::string& path) {
    const int rc = repeat_if_interrupted([&] { return fs_.make_directory(here_.get(), name.c_str(), 0700); });
    if (rc < 0 && rc != -EEXIST) return refused(path, "mkdir", rc);
    if (rc == 0 && options_.durable) {
      const int fd = repeat_if_interrupted([&] { return fs_.open_directory(here_.get(), "."); });
      if (fd < 0) return refused(at_, "open", fd);
      const ScopedFd parent(&fs_, fd);
      if (const int synced = repeat_if_interrupted([&] { return fs_.sync(fd); }); synced < 0) {
        return refused(at_, "sync", synced);
      }
    }
    return Status();
  }

  Status check_owner_below_sticky(const std::string& path, const FileStat& st) {
    if (!below_sticky_ || st.uid == uid_ || st.uid == 0) return Status();
    return unavailable(fmt::format(
        "cache directory: {} belongs to user {} and lies in a directory that everybody can write; name another cache "
        "directory{}",
        path, st.uid, kWithout));
  }

  Status check_parent(const std::string& path, const FileStat& st) {
    TAILOR_RETURN_IF_ERROR(check_owner_below_sticky(path, st));
    below_sticky_ = (st.mode & 0002) != 0;
    if (below_sticky_ && (st.mode & 01000) == 0) {
      return unavailable(
          fmt::format("cache directory: everybody can write {} (mode {:04o}, not sticky), so what is below it is not "
                      "safe; chmod o-w {} or name another cache directory{}",
                      path, st.mode, path, kWithout));
    }
    return Status();
  }

  Status check_root(const std::string& path, const FileStat& st) {
    if (st.uid != uid_ && (options_.require_private || st.uid != 0)) {
      return unavailable(
          fmt::format("cache directory {} belongs to user {}; it must belong to user {}, who runs this; "
                      "name another cache directory{}",
                      path, st.uid, uid_, kWithout));
    }
    const uint32_t forbidden = options_.require_private ? 0077 : 0022;
    if ((st.mode & forbidden) != 0) {
      return unavailable(fmt::format("cache directory {} has mode {:04o}, which lets others {}; chmod {} {}{}", path,
                                     st.mode, options_.require_private ? "in" : "write",
                                     options_.require_private ? "700" : "go-w", path, kWithout));
    }
    return Status();
  }

  static Status refused(const std::string& path, const char* what, int rc) {
    return io_error(fmt::format("cache directory: {} {}: {}; name a directory that you can write, or run without one",
                                what, path, describe_errno(-rc)));
  }

  FileSystem& fs_;
  const StoreOptions& options_;
  const uint32_t uid_;
  ScopedFd here_;
  std::string at_;  // the path of here_, for messages
  bool below_sticky_ = false;
  int links_ = 0;
};

}  // namespace

Expected<ScopedFd> open_root_directory(FileSystem& fs, const StoreOptions& options) {
  const std::string& root = options.root;
  if (root.find('\0') != std::string::npos) return invalid_argument("cache directory: its name has a NUL byte");
  if (!root.starts_with('/')) {
    return invalid_argument(
        fmt::format("cache directory \"{}\" is relative; it must be absolute, so that it does not depend on where the "
                    "program was started",
                    root));
  }
  return Walk(fs, options).run();
}

Expected<std::string> default_root(const std::string& xdg_cache_home, const std::string& home) {
  if (xdg_cache_home.starts_with('/')) return xdg_cache_home + "/tailor";
  if (home.starts_with('/')) return home + "/.cache/tailor";
  return unavailable(
      fmt::format("no cache directory: neither XDG_CACHE_HOME (\"{}\") nor HOME (\"{}\") is an absolute "
                  "path; set one of them or name a cache directory{}",
                  xdg_cache_home, home, kWithout));
}

}  // namespace tailor::cache
