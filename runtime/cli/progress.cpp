#include "runtime/cli/progress.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace tailor::cli {
namespace {

constexpr int kBarCells = 30;
constexpr std::string_view kEraseLine = "\r\x1b[2K";

int terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void write_stderr(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

std::string progress_line(std::string_view label, int64_t done, int64_t total, std::string_view note, int width) {
  std::string line;
  if (total > 0) {
    const int64_t clamped = std::clamp<int64_t>(done, 0, total);
    const auto filled = static_cast<size_t>(clamped * kBarCells / total);
    line = fmt::format("{} [{}{}] {:3d}% {}/{} {}", label, std::string(filled, '#'),
                       std::string(kBarCells - filled, '-'), clamped * 100 / total, done, total, note);
  } else {
    line = fmt::format("{} {} {}", label, done, note);
  }
  return line.substr(0, static_cast<size_t>(std::max(0, width - 1)));
}

Progress::Progress(std::string label, int64_t total)
    : label_(std::move(label)), total_(total), enabled_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (drawn_) write_stderr(kEraseLine);
}

void Progress::update(int64_t done, std::string_view note) {
  if (!enabled_) return;
  const auto now = std::chrono::steady_clock::now();
  if (drawn_ && now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  drawn_ = true;
  write_stderr(fmt::format("{}{}", kEraseLine, progress_line(label_, done, total_, note, terminal_columns())));
}

}  // namespace tailor::cli
