// The one-to-one property of an emitter, checked on its PTX: every access of the program is exactly one global memory
// instruction that carries its id as the .loc line of file 1, with the program's width, cache and guard; and there is
// no other.
#pragma once

#include <string>

#include "codegen/kernel/ir.h"

namespace tailor::codegen::emit::testing {

// Empty, or what is wrong.
std::string check_accesses(const kernel::Program& program, const std::string& ptx);

// Entry name, parameter offsets and block size of the PTX against the program's.
std::string check_entry(const kernel::Program& program, const std::string& ptx);

}  // namespace tailor::codegen::emit::testing
