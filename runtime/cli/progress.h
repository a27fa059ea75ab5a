// A progress bar on stderr. Draws only when stderr is a terminal; otherwise nothing is written.
//
// Thread-safety: none; one owner. Errors: none; what cannot be drawn is not drawn.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace tailor::cli {

// "label [#####-----]  50% 100/200 note"; `total` 0 gives "label 100 note".
std::string progress_line(std::string_view label, int64_t done, int64_t total, std::string_view note, int width);

class Progress {
 public:
  Progress(std::string label, int64_t total);
  // Removes the bar, so that what follows starts on a clean line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Redraws at most ten times a second.
  void update(int64_t done, std::string_view note = {});

 private:
  std::string label_;
  int64_t total_;
  bool enabled_ = false, drawn_ = false;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace tailor::cli
