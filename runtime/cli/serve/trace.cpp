#include "runtime/cli/serve/trace.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include <fmt/format.h>

namespace tailor::cli {
namespace {

constexpr std::array<std::string_view, 3> kColumns{"TIMESTAMP", "ContextTokens", "GeneratedTokens"};
constexpr std::string_view kHeader = "TIMESTAMP,ContextTokens,GeneratedTokens";
constexpr size_t kMaxTraceBytes = size_t{1} << 30;

// What a message shows of an outside value: printable ASCII, not too long.
std::string quoted(std::string_view value) {
  std::string shown;
  for (char c : value.substr(0, 40)) {
    shown += c >= 0x20 && c < 0x7f ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return fmt::format("'{}{}'", shown, value.size() > 40 ? "…" : "");
}

class LineParser {
 public:
  LineParser(std::string_view name, int64_t line) : name_(name), line_(line) {}

  Status bad(std::string_view column, std::string_view value, std::string_view rule) const {
    return invalid_argument(fmt::format("{}:{}: {} is {}; {}", name_, line_, column, quoted(value), rule));
  }

  Expected<std::array<std::string_view, 3>> split(std::string_view line) const {
    if (line.find('"') != std::string_view::npos) return bad("the line", line, "quoted fields are not accepted");
    std::array<std::string_view, 3> fields;
    size_t count = 0;
    for (size_t begin = 0;;) {
      const size_t comma = line.find(',', begin);
      if (count < fields.size()) fields[count] = line.substr(begin, comma - begin);
      ++count;
      if (comma == std::string_view::npos) break;
      begin = comma + 1;
    }
    if (count != fields.size()) {
      return bad("the line", line, fmt::format("it has {} fields and must have the 3 of {}", count, kHeader));
    }
    return fields;
  }

  Expected<int32_t> tokens(std::string_view column, std::string_view value) const {
    int32_t parsed = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    if (error != std::errc{} || end != value.data() + value.size() || parsed < 0 || parsed > kMaxTraceTokens) {
      return bad(column, value, fmt::format("it must be an integer in [0, {}]", kMaxTraceTokens));
    }
    return parsed;
  }

  // "YYYY-MM-DD hh:mm:ss[.fraction]" as microseconds since 1970; digits beyond the microsecond are dropped.
  Expected<int64_t> timestamp(std::string_view value) const {
    if (const auto parsed = parse_timestamp(value)) return *parsed;
    return bad(kColumns[0], value, "it must be a time as 2023-11-16 18:15:46.6805900");
  }

 private:
  static std::optional<int> digits(std::string_view text, size_t at, size_t count) {
    int value = 0;
    for (size_t i = at; i < at + count; ++i) {
      if (text[i] < '0' || text[i] > '9') return std::nullopt;
      value = value * 10 + (text[i] - '0');
    }
    return value;
  }

  static std::optional<int64_t> parse_timestamp(std::string_view text) {
    constexpr std::string_view kShape = "dddd-dd-dd dd:dd:dd";
    if (text.size() < kShape.size()) return std::nullopt;
    for (size_t i = 0; i < kShape.size(); ++i) {
      if (kShape[i] != 'd' && text[i] != kShape[i]) return std::nullopt;
    }
    const auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
    const auto hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
    if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    int64_t fraction_us = 0;
    if (text.size() > kShape.size()) {
      if (text[kShape.size()] != '.' || text.size() == kShape.size() + 1) return std::nullopt;
      int64_t weight = 100000;
      for (size_t i = kShape.size() + 1; i < text.size(); ++i, weight /= 10) {
        const auto digit = digits(text, i, 1);
        if (!digit) return std::nullopt;
        fraction_us += weight * *digit;
      }
    }
    const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
    return (((days * 24 + *hour) * 60 + *minute) * 60 + *second) * 1'000'000 + fraction_us;
  }

  std::string_view name_;
  int64_t line_;
};

}  // namespace

Expected<Trace> parse_trace(std::string_view text, std::string_view name) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Trace trace;
  int64_t first_us = 0, previous_us = 0;
  std::string_view previous_text;
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const LineParser parser(name, number);
    if (number == 1) {
      if (line != kHeader) return parser.bad("the header", line, fmt::format("it must be {}", kHeader));
      continue;
    }
    if (line.empty() && text.empty()) break;
    TAILOR_ASSIGN_OR_RETURN(const auto fields, parser.split(line));
    TAILOR_ASSIGN_OR_RETURN(const int64_t now_us, parser.timestamp(fields[0]));
    TAILOR_ASSIGN_OR_RETURN(const int32_t context, parser.tokens(kColumns[1], fields[1]));
    TAILOR_ASSIGN_OR_RETURN(const int32_t generated, parser.tokens(kColumns[2], fields[2]));
    if (trace.empty()) first_us = now_us;
    if (!trace.empty() && now_us < previous_us) {
      return parser.bad(kColumns[0], fields[0],
                        fmt::format("it must not be before the line above ({})", previous_text));
    }
    previous_us = now_us;
    previous_text = fields[0];
    trace.push_back({now_us - first_us, context, generated});
  }
  if (trace.empty()) {
    return invalid_argument(
        fmt::format("{} has no request; it must have the header {} and at least one line", name, kHeader));
  }
  return trace;
}

Expected<Trace> load_trace(const std::string& path) {
  const auto failed = [&](std::string_view what) {
    const int error = errno;
    const std::string message = fmt::format("trace {}: {}: {}", path, what, std::strerror(error));
    return error == ENOENT ? not_found(message) : io_error(message);
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) return failed("cannot be opened");
  std::string text;
  std::array<char, 1 << 16> chunk;
  while (const size_t got = std::fread(chunk.data(), 1, chunk.size(), file.get())) {
    text.append(chunk.data(), got);
    if (text.size() > kMaxTraceBytes) {
      return invalid_argument(fmt::format("trace {}: more than {} bytes; no trace is that long", path, kMaxTraceBytes));
    }
  }
  if (std::ferror(file.get())) return failed("cannot be read");
  return parse_trace(text, path);
}

}  // namespace tailor::cli
