// Constant offsets folded into addresses: PTX takes [register + immediate], and neither compiler looks into inline
// assembly to find one. Both emitters fold alike. Internal to codegen/emit.
#pragma once

#include <vector>

#include "codegen/kernel/ir.h"

namespace tailor::codegen::emit {

// pointer = base + offset; base is not itself a ptradd of a constant that still fits.
struct Address {
  kernel::ValueId base = kernel::kNoValue;
  int32_t offset = 0;
};

// By ValueId. Values that are not pointers are their own base. PRE: the program verifies.
std::vector<Address> fold_addresses(const kernel::Program& program);

}  // namespace tailor::codegen::emit
