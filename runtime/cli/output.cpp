#include "runtime/cli/output.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace tailor::cli {
namespace {

std::string scalar_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_table(const Json& value) { return value.is_array() && !value.empty() && value.front().is_object(); }

// Rows under the union of their members, columns as wide as their widest cell.
std::string table_text(const Json& rows) {
  std::vector<std::string> columns;
  for (const Json& row : rows) {
    for (const auto& [name, value] : row.items()) {
      if (std::find(columns.begin(), columns.end(), name) == columns.end()) columns.push_back(name);
    }
  }
  std::vector<std::vector<std::string>> cells{columns};
  for (const Json& row : rows) {
    std::vector<std::string> line;
    for (const std::string& column : columns) {
      line.push_back(!row.contains(column)         ? ""
                     : row[column].is_structured() ? row[column].dump()
                                                   : scalar_text(row[column]));
    }
    cells.push_back(std::move(line));
  }
  std::vector<size_t> widths(columns.size());
  for (const auto& line : cells) {
    for (size_t c = 0; c < line.size(); ++c) widths[c] = std::max(widths[c], line[c].size());
  }
  std::string text;
  for (const auto& line : cells) {
    std::string out = "  ";
    for (size_t c = 0; c < line.size(); ++c) out += fmt::format("{:<{}}  ", line[c], widths[c]);
    out.erase(out.find_last_not_of(' ') + 1);
    text += out + "\n";
  }
  return text;
}

void flatten(const Json& value, const std::string& name, std::vector<std::pair<std::string, std::string>>& lines) {
  if (value.is_object()) {
    for (const auto& [member, inner] : value.items())
      flatten(inner, name.empty() ? member : name + "." + member, lines);
  } else if (is_table(value)) {
    lines.emplace_back(name, fmt::format("\n{}", table_text(value)));
  } else if (value.is_array()) {
    std::string joined;
    for (const Json& element : value) joined += (joined.empty() ? "" : ", ") + scalar_text(element);
    lines.emplace_back(name, joined);
  } else {
    lines.emplace_back(name, scalar_text(value));
  }
}

void say(spdlog::level::level_enum level, std::string_view message) {
  static const auto logger = [] {
    auto made = std::make_shared<spdlog::logger>("tailor", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%n: %l: %v");
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  logger->log(level, spdlog::string_view_t(message.data(), message.size()));
}

}  // namespace

std::string to_text(const Json& report) {
  std::vector<std::pair<std::string, std::string>> lines;
  flatten(report, "", lines);
  size_t width = 0;
  for (const auto& [name, value] : lines) width = std::max(width, name.size());
  std::string text;
  for (const auto& [name, value] : lines) {
    text += value.starts_with('\n') ? name + value : fmt::format("{:<{}}  {}\n", name, width, value);
  }
  return text;
}

Status print_report(const Json& report, bool as_json) {
  return write_output(as_json ? report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n" : to_text(report),
                      "");
}

Status write_output(std::string_view bytes, const std::string& path) {
  std::FILE* file = path.empty() ? stdout : std::fopen(path.c_str(), "wb");
  bool good = file != nullptr;
  good = good && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  good = good && std::fflush(file) == 0;
  const int error = errno;
  if (file && file != stdout) good = std::fclose(file) == 0 && good;
  if (good) return {};
  return io_error(fmt::format("{} cannot be written: {}", path.empty() ? "stdout" : path, std::strerror(error)));
}

void say_error(std::string_view message) { say(spdlog::level::err, message); }
void say_warning(std::string_view message) { say(spdlog::level::warn, message); }
void say_info(std::string_view message) { say(spdlog::level::info, message); }

}  // namespace tailor::cli
