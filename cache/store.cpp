#include "cache/store.h"

#include <cerrno>
#include <new>

#include <fmt/format.h>

#include "cache/root_directory.h"
#include "cache/store_impl.h"

namespace tailor::cache {

std::string_view to_string(MissReason reason) {
  switch (reason) {
#define X(name, text, meaning) \
  case MissReason::name:       \
    return text;
    TAILOR_CACHE_MISS_REASONS(X)
#undef X
  }
  return "unknown";
}

std::string folder_path(Folder folder) {
  return fmt::format("{}/{}", kFormatFolder, folder == Folder::kActions ? "actions" : "objects");
}

std::string shard_path(Folder folder, const Digest& digest) {
  return fmt::format("{}/{:02x}", folder_path(folder), digest.high >> 56);
}

std::string entry_path(Folder folder, const Digest& digest) {
  return fmt::format("{}/{}", shard_path(folder, digest), digest.hex());
}

const Object* ActionRecord::find(std::string_view name) const {
  for (const Object& object : objects) {
    if (object.name == name) return &object;
  }
  return nullptr;
}

Expected<std::unique_ptr<Store>> Store::open(StoreOptions options) try {
  std::shared_ptr<FileSystem> fs = options.fs ? options.fs : make_posix_file_system();
  TAILOR_ASSIGN_OR_RETURN(ScopedFd root, open_root_directory(*fs, options));
  FileIo::Rules rules;
  rules.uid = fs->effective_user();
  rules.root_owner_too = !options.require_private;
  rules.durable = options.durable;
  rules.max_file_bytes = options.max_file_bytes;
  auto impl = std::make_unique<Impl>(std::move(options), std::move(fs), std::move(root), rules);
  impl->io.write_tag();
  impl->io.sweep_tmp();
  return std::unique_ptr<Store>(new Store(std::move(impl)));
} catch (const std::bad_alloc&) {
  return io_error("cache directory: out of memory");
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

FileRead Store::Impl::read_object(const ObjectImage& object) {
  const std::string path = entry_path(Folder::kObjects, object.digest);
  FileRead file = io.read(path, object.size);
  if (file.reason == MissReason::kAbsent) {
    file.reason = MissReason::kMissingObject;
    file.detail = fmt::format("{}: object \"{}\" is absent", path, object.name);
  }
  if (file.reason != MissReason::kNone) return file;
  // The size is tested again: the file may have shrunk while it was read.
  if (file.bytes.size() != object.size || digest(file.bytes) != object.digest ||
      checksum_of(file.bytes) != object.checksum) {
    file.reason = MissReason::kCorruptObject;
    file.detail = fmt::format("{}: object \"{}\" does not match its digest or checksum", path, object.name);
    file.bytes = {};
  }
  return file;
}

LookupResult Store::Impl::lookup(std::string_view key, std::string_view only_object) {
  LookupResult out;
  const auto miss = [&](MissReason reason, std::string detail) {
    out.reason = reason;
    out.detail = std::move(detail);
    return std::move(out);
  };
  const Digest name = digest(key);
  FileRead file = io.read(entry_path(Folder::kActions, name));
  if (file.reason != MissReason::kNone) return miss(file.reason, std::move(file.detail));
  const auto described = [&](const std::string& what) {
    return fmt::format("{}: {}", entry_path(Folder::kActions, name), what);
  };

  Expected<ActionImage> decoded = decode_action(file.bytes);
  if (!decoded.ok()) {
    const bool version = decoded.status().code() == StatusCode::kUnsupported;
    return miss(version ? MissReason::kVersion : MissReason::kCorruptAction, described(decoded.status().message()));
  }
  const ActionImage& action = *decoded;
  if (action.key != key) return miss(MissReason::kKeyMismatch, described("holds the action of another key"));

  ActionRecord record;
  uint64_t read = file.bytes.size();
  record.objects.reserve(only_object.empty() ? action.objects.size() : 1);
  for (const ObjectImage& object : action.objects) {
    if (!only_object.empty() && object.name != only_object) continue;
    FileRead body = read_object(object);
    if (body.reason != MissReason::kNone) return miss(body.reason, std::move(body.detail));
    read += body.bytes.size();
    record.objects.push_back({std::string(object.name), std::move(body.bytes)});
  }
  if (!only_object.empty() && record.objects.empty()) {
    return miss(MissReason::kMissingObject, described(fmt::format("names no object \"{}\"", only_object)));
  }
  record.metadata = action.metadata;
  record.toolchain = action.toolchain;
  record.minimum_driver = action.minimum_driver;
  io.stamp_use(file);
  bytes_read.fetch_add(read, std::memory_order_relaxed);
  out.record = std::move(record);
  return out;
}

LookupResult Store::lookup(std::string_view key, std::string_view only_object) {
  LookupResult out;
  try {
    out = impl_->lookup(key, only_object);
  } catch (const std::bad_alloc&) {
    out = LookupResult();
    out.reason = MissReason::kIoError;
    out.detail = "out of memory";
  }
  if (out.hit()) {
    impl_->hits.fetch_add(1, std::memory_order_relaxed);
  } else {
    impl_->misses[static_cast<size_t>(out.reason)].fetch_add(1, std::memory_order_relaxed);
  }
  return out;
}

// Every outcome leaves under the digest either these bytes or what was there before.
Status Store::Impl::publish_object(const Digest& digest, const Object& object) {
  const FileRead present = io.read(entry_path(Folder::kObjects, digest), object.bytes.size());
  if (present.reason == MissReason::kNone && present.bytes == object.bytes) {
    objects_shared.fetch_add(1, std::memory_order_relaxed);
    return io.sync_existing(present, shard_path(Folder::kObjects, digest));
  }
  TAILOR_RETURN_IF_ERROR(io.write(shard_path(Folder::kObjects, digest), digest.hex(), object.bytes));
  if (present.reason != MissReason::kAbsent) objects_repaired.fetch_add(1, std::memory_order_relaxed);
  return Status();
}

Status Store::Impl::publish(std::string_view key, const ActionRecord& record) {
  if (io.read_only()) return io_error(options.root + ": the cache directory is read-only; nothing is stored");

  ActionImage action;
  action.key = key;
  action.metadata = record.metadata;
  action.toolchain = record.toolchain;
  action.minimum_driver = record.minimum_driver;
  for (const Object& object : record.objects) {
    if (object.bytes.size() > options.max_file_bytes) {
      return invalid_argument(fmt::format("object \"{}\" has {} bytes; the cache's limit for a file is {}", object.name,
                                          object.bytes.size(), options.max_file_bytes));
    }
    action.objects.push_back({object.name, object.bytes.size(), digest(object.bytes), checksum_of(object.bytes)});
  }
  TAILOR_ASSIGN_OR_RETURN(const std::string encoded, encode_action(action));
  if (encoded.size() > options.max_file_bytes) {
    return invalid_argument(fmt::format("the action has {} bytes; the cache's limit for a file is {}", encoded.size(),
                                        options.max_file_bytes));
  }

  for (size_t i = 0; i < record.objects.size(); ++i) {
    TAILOR_RETURN_IF_ERROR(publish_object(action.objects[i].digest, record.objects[i]));
  }
  const Digest name = digest(key);
  return io.write(shard_path(Folder::kActions, name), name.hex(), encoded);
}

Status Store::publish(std::string_view key, const ActionRecord& record) {
  Status status;
  try {
    status = impl_->publish(key, record);
  } catch (const std::bad_alloc&) {
    status = io_error(impl_->options.root + ": out of memory; nothing is stored");
  }
  (status.ok() ? impl_->publishes : impl_->publish_failures).fetch_add(1, std::memory_order_relaxed);
  return status;
}

Counters Store::counters() const {
  Counters out;
  out.hits = impl_->hits.load(std::memory_order_relaxed);
  out.bytes_read = impl_->bytes_read.load(std::memory_order_relaxed);
  for (size_t i = 0; i < kMissReasonCount; ++i) out.misses[i] = impl_->misses[i].load(std::memory_order_relaxed);
  out.publishes = impl_->publishes.load(std::memory_order_relaxed);
  out.publish_failures = impl_->publish_failures.load(std::memory_order_relaxed);
  out.objects_shared = impl_->objects_shared.load(std::memory_order_relaxed);
  out.objects_repaired = impl_->objects_repaired.load(std::memory_order_relaxed);
  out.io_errors = impl_->io.io_errors();
  return out;
}

const std::string& Store::root() const { return impl_->options.root; }
bool Store::read_only() const { return impl_->io.read_only(); }

}  // namespace tailor::cache
