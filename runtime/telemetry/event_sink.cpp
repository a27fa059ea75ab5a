#include "runtime/telemetry/event_sink.h"

#include <cerrno>
#include <cmath>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace tailor {
namespace {

// Length of the well-formed UTF-8 sequence at the front of `s`, 0 if there is none (Unicode 15.0, table 3-7).
size_t utf8_length(std::string_view s) {
  const auto byte = [&](size_t i) { return i < s.size() ? static_cast<uint8_t>(s[i]) : 0; };
  const auto continues = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned b0 = byte(0), b1 = byte(1);
  if (b0 < 0x80) return 1;
  if (b0 >= 0xc2 && b0 <= 0xdf) return continues(1) ? 2 : 0;
  if (b0 >= 0xe0 && b0 <= 0xef) {
    if (!continues(1) || !continues(2) || (b0 == 0xe0 && b1 < 0xa0) || (b0 == 0xed && b1 > 0x9f)) return 0;
    return 3;
  }
  if (b0 >= 0xf0 && b0 <= 0xf4) {
    if (!continues(1) || !continues(2) || !continues(3) || (b0 == 0xf0 && b1 < 0x90) || (b0 == 0xf4 && b1 > 0x8f)) {
      return 0;
    }
    return 4;
  }
  return 0;
}

}  // namespace

std::string json_quote(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const char c = text.front();
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<uint8_t>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<int>(c));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
  return out;
}

void JsonLine::name(std::string_view name) {
  if (text_.size() > 1) text_ += ',';
  text_ += json_quote(name);
  text_ += ':';
}

JsonLine& JsonLine::text(std::string_view field, std::string_view value) {
  name(field);
  text_ += json_quote(value);
  return *this;
}

JsonLine& JsonLine::number(std::string_view field, double value) {
  name(field);
  text_ += std::isfinite(value) ? fmt::format("{}", value) : "null";
  return *this;
}

JsonLine& JsonLine::integer(std::string_view field, int64_t value) {
  name(field);
  text_ += std::to_string(value);
  return *this;
}

JsonLine& JsonLine::boolean(std::string_view field, bool value) {
  name(field);
  text_ += value ? "true" : "false";
  return *this;
}

JsonLine& JsonLine::texts(std::string_view field,
                          const std::vector<std::pair<std::string_view, std::string_view>>& values) {
  JsonLine inner;
  for (const auto& [key, value] : values) inner.text(key, value);
  name(field);
  text_ += inner.text_ + '}';
  return *this;
}

JsonLine& JsonLine::numbers(std::string_view field, const std::vector<std::pair<std::string, double>>& values) {
  JsonLine inner;
  for (const auto& [key, value] : values) inner.number(key, value);
  name(field);
  text_ += inner.text_ + '}';
  return *this;
}

std::string JsonLine::finish() && {
  text_ += "}\n";
  return std::move(text_);
}

Expected<std::unique_ptr<EventSink>> EventSink::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return io_error(fmt::format("telemetry file {} could not be opened: {}", path, std::strerror(errno)));
  return std::unique_ptr<EventSink>(new EventSink(fd));
}

EventSink::~EventSink() { ::close(fd_); }

void EventSink::write(JsonLine line) {
  const std::string bytes = std::move(line).finish();
  ssize_t written;
  do {
    written = ::write(fd_, bytes.data(), bytes.size());
  } while (written < 0 && errno == EINTR);
  if (written != static_cast<ssize_t>(bytes.size())) failed_writes_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace tailor
