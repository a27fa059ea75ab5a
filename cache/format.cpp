#include "cache/format.h"

#include <limits>

#include <fmt/format.h>

#include "xxhash.h"

namespace tailor::cache {
namespace {

constexpr std::string_view kMagic = "TLRACT\r\n";       // CR LF: a transfer in text mode shows at once
constexpr uint64_t kChecksumSeed = 0x7461696c6f720001;  // "tailor", 1
constexpr size_t kTrailerBytes = 16;
// name length, one byte of name, size, digest, checksum
constexpr size_t kMinObjectBytes = 4 + 1 + 8 + 16 + 8;

void put_u32(std::string& out, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(value >> shift));
}

void put_u64(std::string& out, uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(value >> shift));
}

void put_bytes(std::string& out, std::string_view bytes) {
  put_u32(out, static_cast<uint32_t>(bytes.size()));
  out.append(bytes);
}

void put_digest(std::string& out, const Digest& digest) {
  put_u64(out, digest.low);
  put_u64(out, digest.high);
}

// Takes fields from the front; the first that does not fit makes the reader bad for good and gives zeros from then on.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  uint64_t u64() { return integer(8); }
  uint32_t u32() { return static_cast<uint32_t>(integer(4)); }
  std::string_view bytes() { return take(u32()); }
  Digest digest() {
    Digest digest;
    digest.low = u64();
    digest.high = u64();
    return digest;
  }
  std::string_view take(size_t count) {
    if (count > rest_.size()) {
      bad_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view field = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return field;
  }
  size_t remaining() const { return rest_.size(); }
  bool bad() const { return bad_; }

 private:
  uint64_t integer(size_t count) {
    const std::string_view field = take(count);
    uint64_t value = 0;
    for (size_t i = field.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(field[i]);
    return value;
  }

  std::string_view rest_;
  bool bad_ = false;
};

// The rule that an action breaks, or nothing. The same rules bind writer and reader.
std::string broken_rule(const ActionImage& action) {
  if (action.key.empty()) return "the key is empty";
  if (action.objects.size() > kMaxObjects) {
    return fmt::format("{} objects, and {} are allowed", action.objects.size(), kMaxObjects);
  }
  for (size_t i = 0; i < action.objects.size(); ++i) {
    const ObjectImage& object = action.objects[i];
    if (object.name.empty()) return fmt::format("object {} has no name", i);
    if (object.size == 0) return fmt::format("object \"{}\" is empty", object.name);
    for (size_t j = 0; j < i; ++j) {
      if (action.objects[j].name == object.name) return fmt::format("object \"{}\" is there twice", object.name);
    }
  }
  return {};
}

}  // namespace

std::string Digest::hex() const { return fmt::format("{:016x}{:016x}", high, low); }

Digest digest_of(std::string_view bytes, int bits) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  if (bits >= 128) return {hash.high64, hash.low64};
  const auto keep = [](uint64_t word, int count) {
    return count <= 0 ? 0 : count >= 64 ? word : word & ~(~uint64_t{0} >> count);
  };
  return {keep(hash.high64, bits), keep(hash.low64, bits - 64)};
}

uint64_t checksum_of(std::string_view bytes) { return XXH64(bytes.data(), bytes.size(), kChecksumSeed); }

Expected<std::string> encode_action(const ActionImage& action) {
  constexpr uint64_t limit = std::numeric_limits<uint32_t>::max();
  if (std::string rule = broken_rule(action); !rule.empty()) return invalid_argument("action: " + rule);
  size_t bytes = 64;
  for (const std::string_view field : {action.key, action.metadata, action.toolchain}) {
    if (field.size() > limit) return invalid_argument("action: a field has 4 GiB or more");
    bytes += field.size();
  }
  for (const ObjectImage& object : action.objects) {
    if (object.name.size() > limit) return invalid_argument("action: an object's name has 4 GiB or more");
    bytes += kMinObjectBytes + object.name.size();
  }

  std::string out;
  out.reserve(bytes);
  out.append(kMagic);
  put_u32(out, kFormatVersion);
  put_bytes(out, action.key);
  put_bytes(out, action.metadata);
  put_bytes(out, action.toolchain);
  put_u32(out, action.minimum_driver);
  put_u32(out, static_cast<uint32_t>(action.objects.size()));
  for (const ObjectImage& object : action.objects) {
    put_bytes(out, object.name);
    put_u64(out, object.size);
    put_digest(out, object.digest);
    put_u64(out, object.checksum);
  }
  put_digest(out, digest_of(out));
  return out;
}

Expected<ActionImage> decode_action(std::string_view bytes) {
  if (bytes.size() < kMagic.size() + 4 + kTrailerBytes) {
    return corruption(fmt::format("action of {} bytes is shorter than any action", bytes.size()));
  }
  const std::string_view body = bytes.substr(0, bytes.size() - kTrailerBytes);
  Reader reader(body);
  if (reader.take(kMagic.size()) != kMagic) return corruption("action does not begin with its magic");
  // Before the version is believed: every version ends in this checksum.
  if (Reader(bytes.substr(body.size())).digest() != digest_of(body)) {
    return corruption("action does not match its checksum");
  }
  if (const uint32_t version = reader.u32(); version != kFormatVersion) {
    return unsupported(fmt::format("action has format version {}; this reader knows {}", version, kFormatVersion));
  }

  ActionImage action;
  action.key = reader.bytes();
  action.metadata = reader.bytes();
  action.toolchain = reader.bytes();
  action.minimum_driver = reader.u32();
  const uint32_t count = reader.u32();
  if (reader.bad() || count > kMaxObjects || count > reader.remaining() / kMinObjectBytes) {
    return corruption("action has a length or count that leads beyond its end");
  }
  action.objects.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    ObjectImage object;
    object.name = reader.bytes();
    object.size = reader.u64();
    object.digest = reader.digest();
    object.checksum = reader.u64();
    action.objects.push_back(object);
  }
  if (reader.bad()) return corruption("action has a length that leads beyond its end");
  if (reader.remaining() != 0) return corruption(fmt::format("action has {} bytes after its end", reader.remaining()));
  if (std::string rule = broken_rule(action); !rule.empty()) return corruption("action: " + rule);
  return action;
}

}  // namespace tailor::cache
