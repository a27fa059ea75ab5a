// The range of a number from the command line, refused by the option's name. Thread-safety: plain functions.
#pragma once

#include <cstdint>
#include <string_view>

#include <fmt/format.h>

#include "tailor/status.h"

namespace tailor::cli {

inline constexpr int64_t kMaxExtent = (int64_t{1} << 31) - 1;  // kernels hold extents in int32

// kInvalidArgument "--heads is 0; it must be in [1, 2147483647]" if `value` is not in [least, most].
inline Status check_range(std::string_view option, int64_t value, int64_t least, int64_t most = kMaxExtent) {
  if (value >= least && value <= most) return {};
  return invalid_argument(fmt::format("{} is {}; it must be in [{}, {}]", option, value, least, most));
}

}  // namespace tailor::cli
