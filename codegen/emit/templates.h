// The device-side primitives of templates/, embedded at build time. Internal to codegen.
//
// Thread-safety: constant data.
#pragma once

#include <span>
#include <string_view>

namespace tailor::codegen::emit {

struct Template {
  std::string_view name;  // "memory.cuh"
  std::string_view text;
};

// In order of name; each is self-contained and includes nothing.
std::span<const Template> templates();

}  // namespace tailor::codegen::emit
