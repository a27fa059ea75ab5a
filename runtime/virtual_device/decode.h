// ptx::Module → Program, for one kernel.
//
// Everything that is constant for the module is resolved here: registers to slots (registers whose live spans do not
// meet share one), immediates to the constant bank, variables to addresses, branches to op indices with their joins.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/ptx/module.h"
#include "runtime/virtual_device/lane_set.h"
#include "runtime/virtual_device/program.h"
#include "tailor/status.h"

namespace tailor::virtual_device {

// `addresses`: device address of each Module::variables entry in global or constant memory (0 for others).
// `lanes`: the handlers that the ops will point at.
// Errors: kUnsupported naming the instruction and its PTX line, for what the virtual device does not execute.
Expected<Program> decode(const ptx::Module& module, uint32_t kernel, const std::vector<uint64_t>& addresses,
                         const LaneTable& lanes);

}  // namespace tailor::virtual_device
