#include "runtime/bucket/key.h"

#include <charconv>

#include <fmt/format.h>

#include "runtime/bucket/key_domain.h"

namespace tailor {
namespace {

// name, text
#define TAILOR_ROW_CONTIGUITIES(X) \
  X(kRow, "row")                   \
  X(kHead, "head")                 \
  X(kNone, "none")

std::string_view to_string(RowContiguity contiguity) {
  switch (contiguity) {
#define X(name, text)       \
  case RowContiguity::name: \
    return text;
    TAILOR_ROW_CONTIGUITIES(X)
#undef X
  }
  return "unknown";
}

std::optional<RowContiguity> parse_contiguity(std::string_view s) {
#define X(name, text) \
  if (s == text) return RowContiguity::name;
  TAILOR_ROW_CONTIGUITIES(X)
#undef X
  return std::nullopt;
}

std::string_view name_of(KeyField field) {
  switch (field) {
#define X(name, text, bits, word, meaning) \
  case KeyField::name:                     \
    return text;
    TAILOR_KEY_FIELDS(X)
#undef X
  }
  return "unknown";
}

// The printed form of a field that is an enumeration; empty for the others.
std::string_view enumerator(KeyField field, uint64_t value) {
  switch (field) {
    case KeyField::kOp:
      return to_string(static_cast<OpId>(value));
    case KeyField::kArch:
      return to_string(static_cast<Arch>(value));
    case KeyField::kEmitter:
      return to_string(static_cast<Emitter>(value));
    case KeyField::kLowering:
      return to_string(static_cast<Lowering>(value));
    case KeyField::kSourceContiguity:
    case KeyField::kTargetContiguity:
      return to_string(static_cast<RowContiguity>(value));
    case KeyField::kSourceType:
    case KeyField::kTargetType:
      return to_string(static_cast<DType>(value));
    default:
      return {};
  }
}

bool is_enumeration(KeyField field) { return !enumerator(field, 0).empty(); }

template <class T>
std::optional<uint64_t> as_number(const std::optional<T>& value) {
  return value ? std::optional<uint64_t>(static_cast<uint64_t>(*value)) : std::nullopt;
}

std::optional<uint64_t> parse_value(KeyField field, std::string_view text) {
  switch (field) {
    case KeyField::kOp:
      return as_number(parse_op(text));
    case KeyField::kArch:
      return as_number(parse_arch(text));
    case KeyField::kEmitter:
      return as_number(parse_emitter(text));
    case KeyField::kLowering:
      return as_number(parse_lowering(text));
    case KeyField::kSourceContiguity:
    case KeyField::kTargetContiguity:
      return as_number(parse_contiguity(text));
    case KeyField::kSourceType:
    case KeyField::kTargetType:
      return as_number(parse_dtype(text));
    default:
      break;
  }
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Status out_of_domain(KeyField field, uint64_t value, std::string_view rule) {
  return invalid_argument(fmt::format("key field {} is {}; {}", name_of(field), value, rule));
}

// Bits of each word that no field covers.
constexpr std::array<uint64_t, kKeyWords> unused_bits() {
  std::array<uint64_t, kKeyWords> unused{};
  for (uint64_t& word : unused) word = ~uint64_t{0};
  for (const auto& p : key_detail::kPlaces) unused[p.word] &= ~(((uint64_t{1} << p.bits) - 1) << p.shift);
  return unused;
}

}  // namespace

std::string to_string(const Key& key) {
  std::string text;
  for (int i = 0; i < kKeyFieldCount; ++i) {
    const auto field = static_cast<KeyField>(i);
    const uint64_t value = key.get(field);
    if (i > 0) text += ' ';
    text += name_of(field);
    text += '=';
    // A value outside its enumeration prints as its number: the text of a forged key stays unambiguous.
    const std::string_view word = enumerator(field, value);
    text += word.empty() || word == "unknown" ? std::to_string(value) : std::string(word);
  }
  return text;
}

Expected<Key> parse_key(std::string_view text) {
  Key key;
  uint32_t seen = 0;
  size_t at = 0;
  while (at < text.size()) {
    if (text[at] == ' ') {
      ++at;
      continue;
    }
    const size_t end = std::min(text.find(' ', at), text.size());
    const std::string_view item = text.substr(at, end - at);
    at = end;
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      return invalid_argument(fmt::format("key text has \"{}\"; every item must be field=value", item));
    }
    const std::string_view name = item.substr(0, equals), value_text = item.substr(equals + 1);
    int index = 0;
    while (index < kKeyFieldCount && name_of(static_cast<KeyField>(index)) != name) ++index;
    if (index == kKeyFieldCount) return invalid_argument(fmt::format("key text names the unknown field \"{}\"", name));
    const auto field = static_cast<KeyField>(index);
    if (seen >> index & 1) return invalid_argument(fmt::format("key text gives {} twice", name));
    seen |= uint32_t{1} << index;
    const std::optional<uint64_t> value = parse_value(field, value_text);
    const int bits = key_detail::kPlaces[index].bits;
    if (!value || *value >> bits != 0) {
      return invalid_argument(fmt::format(
          "key text has {}={}; it must be {}", name, value_text,
          is_enumeration(field) ? "a name of its enumeration" : fmt::format("a number of at most {} bits", bits)));
    }
    key.set(field, *value);
  }
  for (int i = 0; i < kKeyFieldCount; ++i) {
    if ((seen >> i & 1) == 0) {
      return invalid_argument(fmt::format("key text lacks the field {}", name_of(static_cast<KeyField>(i))));
    }
  }
  TAILOR_RETURN_IF_ERROR(validate(key));
  return key;
}

std::string canonical_bytes(const Key& key) {
  std::string bytes;
  bytes.reserve(kKeyFieldCount * 24);
  for (int i = 0; i < kKeyFieldCount; ++i) {
    const std::string_view name = name_of(static_cast<KeyField>(i));
    bytes += static_cast<char>(name.size());
    bytes += name;
    const uint64_t value = key.get(static_cast<KeyField>(i));
    bytes += static_cast<char>(sizeof value);
    for (size_t b = 0; b < sizeof value; ++b) bytes += static_cast<char>(value >> (8 * b) & 0xff);
  }
  return bytes;
}

Expected<Key> take_canonical(std::string_view& bytes) {
  Key key;
  for (int i = 0; i < kKeyFieldCount; ++i) {
    const std::string_view name = name_of(static_cast<KeyField>(i));
    std::string head(1, static_cast<char>(name.size()));
    head += name;
    head += static_cast<char>(sizeof(uint64_t));
    if (bytes.substr(0, head.size()) != head || bytes.size() < head.size() + sizeof(uint64_t)) {
      return corruption(fmt::format("canonical key: the field {} is not where it must be", name));
    }
    bytes.remove_prefix(head.size());
    uint64_t value = 0;
    for (size_t b = 0; b < sizeof value; ++b) value |= uint64_t{static_cast<uint8_t>(bytes[b])} << (8 * b);
    bytes.remove_prefix(sizeof value);
    if (value >> key_detail::kPlaces[i].bits != 0) {
      return corruption(
          fmt::format("canonical key: {} is {}; it must fit {} bits", name, value, key_detail::kPlaces[i].bits));
    }
    key.set(static_cast<KeyField>(i), value);
  }
  TAILOR_RETURN_IF_ERROR(validate(key));
  return key;
}

Status validate(const Key& key) {
  constexpr auto kUnused = unused_bits();
  for (size_t w = 0; w < kUnused.size(); ++w) {
    if (key.words[w] & kUnused[w]) {
      return invalid_argument(fmt::format("key word {} is {:#x}; bits that no field uses must be 0", w, key.words[w]));
    }
  }
  for (int i = 0; i < kKeyFieldCount; ++i) {
    const auto field = static_cast<KeyField>(i);
    const uint64_t value = key.get(field);
    if (enumerator(field, value) == "unknown") return out_of_domain(field, value, "it must be in its enumeration");
  }
  return check_domain(key);
}

}  // namespace tailor
