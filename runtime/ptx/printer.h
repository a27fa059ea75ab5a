// Module → PTX text, and the removal of debug lines from PTX text.
#pragma once

#include <string>
#include <string_view>

#include "runtime/ptx/module.h"

namespace tailor::ptx {

// Canonical PTX: modifiers in the ISA's order, one declaration per line, no scopes. parse(print(m)) == m for every m
// that parse returned, and ptxas accepts it where it accepted the original.
std::string print(const Module& module);
// One instruction as it stands in the canonical text, without indentation: "@!%p1 ld.global.u32 %r1, [%rd2+4];".
std::string print(const Module& module, const Function& function, const Instruction& instruction);

// The text without .loc, .file and .section directives (what ships carries no source paths) and without the option
// `debug` of .target, for which ptxas would demand the sections. Other bytes are kept. Comments and strings are
// respected; a .section body is removed to its closing brace.
std::string strip_locations(std::string_view text);

}  // namespace tailor::ptx
