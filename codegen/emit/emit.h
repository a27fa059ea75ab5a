// The two emitters. Both print a verified lowered program one to one; neither optimises what the lowering decided.
// Memory accesses carry their access id as a source line: `.loc 1 <id> 0` in PTX through LLVM debug locations, `#line`
// directives (and -lineinfo) in CUDA C++.
//
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
