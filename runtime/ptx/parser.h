// PTX text → Module.
//
// Hand-written, one pass, no global state; any thread. Arbitrary bytes are allowed as input: every failure is a Status
// (kInvalidArgument: not PTX, or a word this opcode does not take; kUnsupported: PTX we do not read, such as textures,
// or beyond a limit) whose message begins with "line:column: " and says what was found and what was expected.
#pragma once

#include <cstdint>
#include <string_view>

#include "runtime/ptx/module.h"
#include "tailor/status.h"

namespace tailor::ptx {

// Refusal limits, so that a small text cannot ask for much memory or deep recursion.
struct ParseLimits {
  uint64_t text_bytes = uint64_t{1} << 27;
  uint32_t registers_per_function = 1u << 20;
  uint64_t registers_per_module = uint64_t{1} << 24;
  uint32_t nesting = 64;                           // of { } scopes and of initialiser braces
  uint64_t variable_bytes = uint64_t{1} << 40;     // of one variable
  uint64_t initialiser_bytes = uint64_t{1} << 28;  // of all initialisers
};

Expected<Module> parse(std::string_view text, const ParseLimits& limits = {});

}  // namespace tailor::ptx
