// What the files of composed_layout.h share. Private to codegen/layout.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include <fmt/format.h>

#include "codegen/layout/composed_layout.h"
#include "tailor/status.h"

namespace tailor::codegen::layout::detail {

inline Status refuse(std::string_view operation, const ComposedLayout& layout, std::string_view why) {
  return invalid_argument(fmt::format("{} of {}: {}", operation, layout.to_string(), why));
}

inline int width_of(uint64_t word) { return static_cast<int>(std::bit_width(word)); }

}  // namespace tailor::codegen::layout::detail
