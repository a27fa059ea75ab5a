// What builder, parser and verifier of the lowered program share: identifiers and limits. Internal to codegen/kernel.
#pragma once

#include <string>
#include <string_view>

#include "codegen/kernel/ir.h"

namespace tailor::codegen::kernel::rules {

inline constexpr int kMaxNesting = 64;  // regions within regions; the tools recurse over them
inline constexpr uint32_t kMaxBlockThreads = 1024;
inline constexpr uint32_t kMaxParameterBytes = 4096;  // PTX ISA 6.4.2 up to ISA 8.0
inline constexpr size_t kMaxAccesses = 65535;
inline constexpr uint32_t kMaxSharedBytes = 48 * 1024;  // what a block may have without opting in
inline constexpr uint32_t kSharedAlign = 16;

inline bool is_identifier_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
inline bool is_identifier_part(char c) { return is_identifier_start(c) || (c >= '0' && c <= '9') || c == '.'; }

// Value names: [A-Za-z_][A-Za-z0-9_.]*
inline bool is_value_name(std::string_view name) {
  if (name.empty() || !is_identifier_start(name[0])) return false;
  for (char c : name)
    if (!is_identifier_part(c)) return false;
  return true;
}
// Entry names are C identifiers: a value name without dots.
inline bool is_entry_name(std::string_view name) {
  return is_value_name(name) && name.find('.') == std::string_view::npos;
}

// The nearest value name: foreign characters become '_'.
inline std::string as_identifier(std::string_view name) {
  std::string result;
  for (char c : name) result += is_identifier_part(c) ? c : '_';
  if (result.empty() || !is_identifier_start(result[0])) result.insert(result.begin(), '_');
  return result;
}

// The type of a value, or kI32 where the id means nothing: the verifier reports such ids, nobody else needs to.
inline Type type_or_default(const Program& program, ValueId v) {
  return v < program.values.size() ? program.values[v].type : Type::kI32;
}

}  // namespace tailor::codegen::kernel::rules
