// Store::list, stat and verify: everything that walks the folders. Never on the way of a launch.
#include <algorithm>
#include <cerrno>
#include <limits>
#include <map>
#include <new>
#include <set>

#include <fmt/format.h>

#include "cache/store_impl.h"

namespace tailor::cache {
namespace {

constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

// The inverse of Digest::hex.
std::optional<Digest> parse_hex(std::string_view text) {
  if (text.size() != kDigestHexDigits) return std::nullopt;
  uint64_t words[2] = {0, 0};
  for (size_t i = 0; i < text.size(); ++i) {
    const size_t digit = std::string_view("0123456789abcdef").find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    words[i / 16] = words[i / 16] << 4 | digit;
  }
  return Digest{words[0], words[1]};
}

// What a walk meets besides entries.
struct Strays {
  std::vector<std::string> unexpected;  // names that no store gives; never read
  std::vector<Problem> problems;        // folders that are something else
};

// The digests that have a file in `folder`, in order. A name counts if it is where entry_path puts it. Files that a
// network file system keeps for open descriptors (".nfs…") are passed over.
Expected<std::vector<Digest>> walk(FileIo& io, Folder folder, Strays* strays) {
  std::vector<Digest> out;
  const std::string top = folder_path(folder);
  const auto list = [&](const std::string& path) -> Expected<std::vector<std::string>> {
    Expected<std::vector<std::string>> names = io.list(path, kNoLimit);
    if (names.ok() || names.status().code() != StatusCode::kCorruption) return names;
    strays->problems.push_back({path, MissReason::kUnsafeFile, names.status().message()});
    return std::vector<std::string>();
  };
  TAILOR_ASSIGN_OR_RETURN(const std::vector<std::string> shards, list(top));
  for (const std::string& shard : shards) {
    const std::string shard_folder = top + "/" + shard;
    if (!parse_hex(shard + std::string(kDigestHexDigits - 2, '0')) || shard.size() != 2) {
      if (!shard.starts_with(".nfs")) strays->unexpected.push_back(shard_folder);
      continue;
    }
    TAILOR_ASSIGN_OR_RETURN(const std::vector<std::string> names, list(shard_folder));
    for (const std::string& name : names) {
      const std::optional<Digest> digest = parse_hex(name);
      if (digest && name.starts_with(shard)) {
        out.push_back(*digest);
      } else if (!name.starts_with(".nfs")) {
        strays->unexpected.push_back(shard_folder + "/" + name);
      }
    }
  }
  return out;
}

Expected<StoreStat> measure(FileIo& io) {
  StoreStat out;
  const auto add = [&](const std::string& path, uint64_t* count, uint64_t* bytes) -> Status {
    FileStat st;
    const int rc = io.stat_at(path, &st);
    if (rc == -ENOENT) return Status();  // replaced or swept meanwhile
    if (rc < 0) return io_error(fmt::format("{}: stat: {}", path, describe_errno(-rc)));
    if (st.kind != FileKind::kRegular) return Status();
    ++*count;
    *bytes += st.size;
    out.disk_bytes += st.disk_bytes;
    return Status();
  };
  Strays strays;
  TAILOR_ASSIGN_OR_RETURN(const std::vector<Digest> actions, walk(io, Folder::kActions, &strays));
  for (const Digest& digest : actions) {
    TAILOR_RETURN_IF_ERROR(add(entry_path(Folder::kActions, digest), &out.actions, &out.action_bytes));
  }
  TAILOR_ASSIGN_OR_RETURN(const std::vector<Digest> objects, walk(io, Folder::kObjects, &strays));
  for (const Digest& digest : objects) {
    TAILOR_RETURN_IF_ERROR(add(entry_path(Folder::kObjects, digest), &out.objects, &out.object_bytes));
  }
  const std::string tmp = std::string(kFormatFolder) + "/tmp";
  const Expected<std::vector<std::string>> residue = io.list(tmp, kNoLimit);
  if (!residue.ok() && residue.status().code() != StatusCode::kCorruption) return residue.status();
  if (residue.ok()) {
    for (const std::string& name : *residue) {
      TAILOR_RETURN_IF_ERROR(add(tmp + "/" + name, &out.tmp_files, &out.tmp_bytes));
    }
  }
  return out;
}

// Runs `body`, which may run out of memory on a store larger than that.
template <class T, class Body>
Expected<T> guarded(Body body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return io_error("cache directory: out of memory");
  }
}

Expected<std::vector<EntryInfo>> list_entries(FileIo& io) {
  Strays strays;
  TAILOR_ASSIGN_OR_RETURN(const std::vector<Digest> digests, walk(io, Folder::kActions, &strays));
  std::vector<EntryInfo> out;
  for (const Digest& digest : digests) {
    const FileRead file = io.read(entry_path(Folder::kActions, digest));
    if (file.reason != MissReason::kNone) continue;
    const Expected<ActionImage> action = decode_action(file.bytes);
    if (!action.ok()) continue;
    EntryInfo entry;
    entry.key = action->key;
    entry.digest = digest.hex();
    entry.bytes = file.bytes.size();
    entry.age_seconds = io.age_seconds(file.stat);
    entry.toolchain = action->toolchain;
    entry.minimum_driver = action->minimum_driver;
    for (const ObjectImage& object : action->objects) {
      entry.objects.push_back({std::string(object.name), object.size, object.digest.hex()});
    }
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace

Expected<std::vector<EntryInfo>> Store::list() {
  return guarded<std::vector<EntryInfo>>([&] { return list_entries(impl_->io); });
}

Expected<StoreStat> Store::stat() {
  return guarded<StoreStat>([&] { return measure(impl_->io); });
}

Expected<VerifyReport> Store::verify() {
  return guarded<VerifyReport>([&] { return impl_->verify(); });
}

Expected<VerifyReport> Store::Impl::verify() {
  VerifyReport report;
  Strays strays;
  const auto problem = [&](const std::string& path, MissReason reason, std::string message) {
    report.problems.push_back({path, reason, std::move(message)});
  };

  // Objects first, each read once, however many actions name it.
  struct Intact {
    uint64_t size;
    uint64_t checksum;
    bool referenced = false;
  };
  std::map<Digest, Intact> intact;
  std::set<Digest> broken;
  TAILOR_ASSIGN_OR_RETURN(const std::vector<Digest> objects, walk(io, Folder::kObjects, &strays));
  for (const Digest& name : objects) {
    const std::string path = entry_path(Folder::kObjects, name);
    const FileRead file = io.read(path);
    if (file.reason == MissReason::kAbsent) continue;
    if (file.reason != MissReason::kNone) {
      problem(path, file.reason, file.detail);
      broken.insert(name);
    } else if (digest(file.bytes) != name) {
      problem(path, MissReason::kCorruptObject, path + ": the bytes do not have the digest that the name says");
      broken.insert(name);
    } else {
      intact[name] = {file.bytes.size(), checksum_of(file.bytes)};
    }
  }
  report.intact_objects = intact.size();

  TAILOR_ASSIGN_OR_RETURN(const std::vector<Digest> actions, walk(io, Folder::kActions, &strays));
  for (const Digest& name : actions) {
    const std::string path = entry_path(Folder::kActions, name);
    const FileRead file = io.read(path);
    if (file.reason == MissReason::kAbsent) continue;
    if (file.reason != MissReason::kNone) {
      problem(path, file.reason, file.detail);
      continue;
    }
    const Expected<ActionImage> action = decode_action(file.bytes);
    if (!action.ok()) {
      const bool version = action.status().code() == StatusCode::kUnsupported;
      problem(path, version ? MissReason::kVersion : MissReason::kCorruptAction,
              fmt::format("{}: {}", path, action.status().message()));
      continue;
    }
    if (digest(action->key) != name) {
      problem(path, MissReason::kKeyMismatch, path + ": the key does not have the digest that the name says");
      continue;
    }
    bool whole = true;
    for (const ObjectImage& object : action->objects) {
      const auto found = intact.find(object.digest);
      if (found != intact.end() && found->second.size == object.size && found->second.checksum == object.checksum) {
        continue;
      }
      if (broken.contains(object.digest)) {  // told already, with its path
        whole = false;
        continue;
      }
      // Published since the objects were walked, or truly wrong: read it as a lookup would.
      if (const FileRead body = read_object(object); body.reason != MissReason::kNone) {
        whole = false;
        problem(path, body.reason, fmt::format("{}: {}", path, body.detail));
      }
    }
    if (!whole) continue;
    ++report.intact_actions;
    for (const ObjectImage& object : action->objects) {
      if (const auto found = intact.find(object.digest); found != intact.end()) found->second.referenced = true;
    }
  }
  for (const auto& [name, object] : intact) report.unreferenced_objects += object.referenced ? 0 : 1;

  TAILOR_ASSIGN_OR_RETURN(report.stat, measure(io));
  report.unexpected = std::move(strays.unexpected);
  report.problems.insert(report.problems.end(), strays.problems.begin(), strays.problems.end());
  return report;
}

}  // namespace tailor::cache
