// The in-process KernelGenerator: key → tile program → lowered program → PTX or CUDA C++ → cubin. The one door of
// libtailor_codegen, opened through the C name below.
//
// Ownership: the caller owns the generator; it may outlive nothing of ours. Thread-safety: any thread; the only state
// is the Toolchain, which is opened on first use. Errors: kInvalidArgument for a key outside its domain, kUnsupported
// and kInternal from the passes, kCompiler and kUnavailable from emitters and tools. No exception leaves it.
#pragma once

#include <memory>

#include "runtime/ops/kernel_generator.h"

namespace tailor::codegen {

std::unique_ptr<KernelGenerator> make_generator(const GeneratorOptions& options);

}  // namespace tailor::codegen

// nullptr when memory runs out or `interface` is not kGeneratorInterface.
extern "C" __attribute__((visibility("default"))) tailor::KernelGenerator* tailor_create_kernel_generator(
    uint64_t interface, const tailor::GeneratorOptions& options);
