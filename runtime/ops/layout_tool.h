// The door from the command to the layout engine: JSON in, text out. libtailor_codegen exports it, so that a warm
// engine carries neither isl nor JSON.
//
// Ownership: the caller owns the tool (delete) and keeps the library open while it lives. Threads: any; the tool keeps
// no state between calls. Errors: evaluate_line answers every line, an unreadable one too; the others give
// kInvalidArgument with the reason. No exception leaves it.
#pragma once

#include <string>
#include <string_view>

#include "tailor/status.h"

namespace tailor {

class LayoutTool {
 public:
  virtual ~LayoutTool() = default;

  // One question, {"op":"composition","a":"(6,2):(8,2)","b":"(4,3):(3,1)"}, and its answer as one line of JSON without
  // the end of line: {"ok":true,…} or {"ok":false,"reason":"…","fault":"question"|"operation"}. The operations are
  // listed in codegen/layout/eval.h.
  virtual std::string evaluate_line(std::string_view json_line) = 0;

  // Vector width, tails and why; the members of `json` are described in codegen/layout/explain.h.
  virtual Expected<std::string> explain(std::string_view json) = 0;

  // An SVG picture; the members of `json` are described in codegen/layout/draw.h.
  virtual Expected<std::string> draw(std::string_view json) = 0;
};

// Exported by libtailor_codegen under this C name; nullptr when memory runs out.
inline constexpr const char* kCreateLayoutToolSymbol = "tailor_create_layout_tool";
using CreateLayoutToolFunction = LayoutTool* (*)();

}  // namespace tailor
