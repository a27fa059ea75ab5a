// What codegen hands to the runtime: texts, a compiled image, the plan to launch it, the premises it stands on.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "runtime/bucket/facts.h"
#include "runtime/ops/launch_plan.h"
#include "tailor/types.h"

namespace tailor {

// Milliseconds per phase, in the order they ran: {"derive", 0.4}, {"emit", 3.1}, {"nvjitlink", 8.0} …
using PhaseTimes = std::vector<std::pair<std::string, double>>;

// After emission, before compilation. `text` is what the second cache action is keyed by.
struct EmittedKernel {
  std::string entry;  // constant per operation
  Emitter emitter{};
  Arch arch{};
  std::string text;  // llvm: PTX with .loc lines; nvrtc: CUDA C++ with #line
  LaunchPlan plan;
  FactSet premises;
  std::string unproved;  // what could not be proved of the key's own kernel (docs/FALLBACKS.md); empty: nothing
  PhaseTimes phases;
};

// After compilation. `ptx` has no .loc lines (it ships); `annotated_ptx` keeps them, one access id per memory access.
struct CompiledKernel {
  std::string ptx;
  std::string annotated_ptx;
  std::string cubin;            // empty when no cubin could be made: see cubin_missing
  std::string cubin_missing;    // why, e.g. "nvJitLink was not found: …"
  std::string toolchain;        // "LLVM 19.1.7, nvJitLink 13.0"
  uint32_t minimum_driver = 0;  // as cuDriverGetVersion counts: 13000
  PhaseTimes phases;
};

}  // namespace tailor
