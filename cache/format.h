// Bytes of an action file, and the digests that name files. The grammar is in FORMAT.md; this is its only reader and
// its only writer.
//
// Ownership: ActionImage holds views; the bytes they look into must outlive it. Threads: plain functions.
// Errors: decode_action gives kCorruption for every byte string that encode_action did not make, except an intact one
// of another version, which is kUnsupported. It allocates nothing larger than its input.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tailor/status.h"

namespace tailor::cache {

// Any change of the grammar bumps this, and the folder "v1" in which files of the format live (kFormatFolder).
constexpr uint32_t kFormatVersion = 1;
constexpr std::string_view kFormatFolder = "v1";

// XXH3-128, the name of a file. Not cryptographic: it finds accidents, it does not stop a forger (FORMAT.md).
struct Digest {
  uint64_t high = 0;
  uint64_t low = 0;

  bool operator==(const Digest&) const = default;
  auto operator<=>(const Digest&) const = default;
  std::string hex() const;  // 32 digits, high first
};

constexpr size_t kDigestHexDigits = 32;

// The first `bits` of 128 are kept, the others are 0; fewer than 128 in tests only.
Digest digest_of(std::string_view bytes, int bits = 128);

// XXH64 with a fixed seed: shares no arithmetic with XXH3, so that two different objects would have to collide in both
// and agree in size to be taken for each other.
uint64_t checksum_of(std::string_view bytes);

// More than any kernel needs; bounds what a record can make its reader allocate.
constexpr uint32_t kMaxObjects = 64;

struct ObjectImage {
  std::string_view name;
  uint64_t size = 0;
  Digest digest;
  uint64_t checksum = 0;
};

struct ActionImage {
  std::string_view key;
  std::string_view metadata;
  std::string_view toolchain;
  uint32_t minimum_driver = 0;
  std::vector<ObjectImage> objects;
};

// kInvalidArgument: a field of 4 GiB or more, an empty key or object name, an empty object, a name twice, over
// kMaxObjects objects.
Expected<std::string> encode_action(const ActionImage& action);
Expected<ActionImage> decode_action(std::string_view bytes);

}  // namespace tailor::cache
