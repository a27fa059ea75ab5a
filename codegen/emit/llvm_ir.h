// The lowered program as an LLVM module: the first half of the PTX emitter. Internal to codegen/emit.
//
// One LLVM instruction per instruction of the program, and one inline assembly statement per load or store; a memory
// access carries its id as the line of its debug location in file "access".
//
// Ownership: the module lives in the caller's context. Thread-safety: one context, one thread.
#pragma once

#include <memory>

#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include "codegen/kernel/ir.h"
#include "tailor/status.h"
#include "tailor/types.h"

namespace tailor::codegen::emit {

// PRE: kernel::verify(program) is ok. Errors: kInternal when LLVM's verifier refuses the module.
Expected<std::unique_ptr<llvm::Module>> build_module(const kernel::Program& program, llvm::LLVMContext& context,
                                                     const llvm::TargetMachine& machine);

}  // namespace tailor::codegen::emit
