#include "runtime/dispatch/action_key.h"

#include <fmt/format.h>
#include <xxhash.h>

namespace tailor {
namespace {

constexpr std::string_view kTextPrefix = "text:";

void append_part(std::string& bytes, std::string_view part) {
  const auto size = static_cast<uint64_t>(part.size());
  for (size_t b = 0; b < sizeof size; ++b) bytes += static_cast<char>(size >> (8 * b) & 0xff);
  bytes += part;
}

}  // namespace

std::string action_key(const Key& key, std::string_view generator_digest) {
  std::string bytes = canonical_bytes(key);
  generator_digest = generator_digest.substr(0, 255);
  bytes += static_cast<char>(generator_digest.size());
  bytes += generator_digest;
  return bytes;
}

std::string text_key(const EmittedKernel& emitted, std::string_view toolchain) {
  std::string bytes;
  bytes.reserve(emitted.text.size() + 256);
  append_part(bytes, to_string(emitted.emitter));
  append_part(bytes, to_string(emitted.arch));
  append_part(bytes, emitted.entry);
  append_part(bytes, toolchain);
  append_part(bytes, emitted.text);
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return fmt::format("{}{:016x}{:016x}", kTextPrefix, hash.high64, hash.low64);
}

std::string describe_action_key(std::string_view bytes) {
  if (bytes.substr(0, kTextPrefix.size()) == kTextPrefix) return std::string(bytes);
  std::string_view rest = bytes;
  const Expected<Key> key = take_canonical(rest);
  if (key.ok() && !rest.empty() && rest.size() == 1u + static_cast<uint8_t>(rest.front())) {
    return fmt::format("{} generator={}", to_string(*key), rest.substr(1));
  }
  std::string hex;
  for (const char c : bytes) hex += fmt::format("{:02x}", static_cast<uint8_t>(c));
  return hex;
}

}  // namespace tailor
