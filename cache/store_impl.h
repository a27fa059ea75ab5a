// What store.cpp (lookup, publish) and inspect.cpp (list, stat, verify) share.
#pragma once

#include <array>
#include <atomic>
#include <string>

#include "cache/file_io.h"
#include "cache/format.h"
#include "cache/store.h"

namespace tailor::cache {

enum class Folder : uint8_t { kActions, kObjects };

// "v1/actions"
std::string folder_path(Folder folder);
// "v1/actions/ab"
std::string shard_path(Folder folder, const Digest& digest);
// "v1/actions/ab/ab…", as FORMAT.md lays files out.
std::string entry_path(Folder folder, const Digest& digest);

struct Store::Impl {
  Impl(StoreOptions o, std::shared_ptr<FileSystem> fs, ScopedFd root, FileIo::Rules rules)
      : options(std::move(o)), io(std::move(fs), std::move(root), rules) {}

  Digest digest(std::string_view bytes) const { return digest_of(bytes, options.digest_bits); }

  LookupResult lookup(std::string_view key, std::string_view only_object);
  Status publish(std::string_view key, const ActionRecord& record);
  Status publish_object(const Digest& digest, const Object& object);
  Expected<VerifyReport> verify();
  // kNone and the bytes, or what is wrong with them.
  FileRead read_object(const ObjectImage& object);

  StoreOptions options;
  FileIo io;
  std::atomic<uint64_t> hits{0}, bytes_read{0}, publishes{0}, publish_failures{0}, objects_shared{0},
      objects_repaired{0};
  std::array<std::atomic<uint64_t>, kMissReasonCount> misses{};
};

}  // namespace tailor::cache
