// The LayoutTool of this library: codegen/layout behind the C name below.
//
// Ownership: the caller owns the tool. Threads: any. No exception leaves it.
#pragma once

#include <memory>

#include "runtime/ops/layout_tool.h"

namespace tailor::codegen {

std::unique_ptr<LayoutTool> make_layout_tool();

}  // namespace tailor::codegen

// nullptr when memory runs out.
extern "C" __attribute__((visibility("default"))) tailor::LayoutTool* tailor_create_layout_tool();
