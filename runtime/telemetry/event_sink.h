// JSON lines, appended to a file: one line per event, written with one system call, so that several processes may share
// a file. Ownership: owns the descriptor. Threads: any. Errors: opening gives a Status; a later failed write is counted
// and never reported to the launch.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tailor/status.h"

namespace tailor {

// Builds one JSON object on one line. Names are given once each, in order; values are escaped.
class JsonLine {
 public:
  JsonLine& text(std::string_view name, std::string_view value);
  JsonLine& number(std::string_view name, double value);
  JsonLine& integer(std::string_view name, int64_t value);
  JsonLine& boolean(std::string_view name, bool value);
  // {"name": {"a": "text", …}}
  JsonLine& texts(std::string_view name, const std::vector<std::pair<std::string_view, std::string_view>>& values);
  // {"name": {"a": 1.5, …}}
  JsonLine& numbers(std::string_view name, const std::vector<std::pair<std::string, double>>& values);
  std::string finish() &&;  // "{…}\n"

 private:
  void name(std::string_view name);
  std::string text_ = "{";
};

// RFC 8259 section 7: quotes, backslash and control characters escaped. Bytes that are not UTF-8 become U+FFFD.
std::string json_quote(std::string_view text);

class EventSink {
 public:
  // kIo naming path and errno.
  static Expected<std::unique_ptr<EventSink>> open(const std::string& path);
  ~EventSink();
  EventSink(const EventSink&) = delete;
  EventSink& operator=(const EventSink&) = delete;

  void write(JsonLine line);
  uint64_t failed_writes() const { return failed_writes_.load(std::memory_order_relaxed); }

 private:
  explicit EventSink(int fd) : fd_(fd) {}
  int fd_;
  std::atomic<uint64_t> failed_writes_{0};
};

}  // namespace tailor
