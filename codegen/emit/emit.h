// The two emitters. Both print a verified lowered program one to one; neither optimises what the lowering decided.
//
// Every access of the program is exactly one global or shared memory instruction of the PTX, with the width, cache and
// guard that the program says, and in the PTX of both emitters the .loc in force there is file 1, line = access id (1 …
// 65535). Line 0 or a line from 65536 on, or another file, means "no access". Not so for code that the program's own
// constants make unreachable: it may vanish. LLVM carries the id in a debug location, CUDA C++ in `#line` (compile with
// line information; codegen/compile does).
//
// Entry: parameters as kernel::parameter_offsets lays them out, blocks of block_threads (.reqntid from LLVM,
// __launch_bounds__ in CUDA C++). PTX from LLVM is ISA 8.0: drivers of CUDA 12.0 (525.60) and later load it.
//
// Errors: a program that does not verify is kInvalidArgument with the verifier's message.
// Thread-safety: any thread; each call has its own LLVM context.
#pragma once

#include <string>

#include "codegen/kernel/ir.h"
#include "tailor/status.h"
#include "tailor/types.h"

namespace tailor::codegen::emit {

// LLVM IR as text, before code generation (for `tailor emit --what=llvm`).
Expected<std::string> emit_llvm_ir(const kernel::Program& program, Arch arch);

// PTX through LLVM's NVPTX backend, with .loc lines. Errors: kCompiler with LLVM's message.
Expected<std::string> emit_ptx(const kernel::Program& program, Arch arch);

// CUDA C++ over the primitives of templates/ (embedded; the result includes nothing and compiles under NVRTC).
Expected<std::string> emit_cuda(const kernel::Program& program, Arch arch);

// "19.1.7"
std::string llvm_version();

}  // namespace tailor::codegen::emit
