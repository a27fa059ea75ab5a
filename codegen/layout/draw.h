// A layout as a picture: the grid of indices, each cell with the address it has, as SVG text.
//
// Request, one JSON object:
//     "layout"         required; CuTe's "(8,8):(8,1)" or the guarded notation of layout.h; at most 4096 cells
//     "swizzle"        "Sw<3,3,3>", applied to the addresses (elements), as if written before the layout
//     "threads"        a number T (index i belongs to thread i mod T) or a layout ((thread modes),(value modes)) whose
//                      values are indices of `layout`: "((4,8),2):((2,8),1)"; an index that several threads own is
//                      framed and says how many more there are
//     "banks"          {"arch":"nvidia","width":16} (bytes per lane; the element when absent) or "nvidia": marks the
//     bank
//                      of each cell and says how many passes a column and a row take when lanes read them together
//     "guard"          constraints on dimensions (CuTe: leaves m0, m1, …) or parameters: "m0 + 8*m1 < 50", or a list
//     "values"         {"M": 17}: a number for every parameter
//     "vector"         elements per vector; cells whose aligned vector is not whole are hatched as tail
//     "element_bytes"  4
//     "title"          the layout's text when absent
// Rows are the first mode of the layout (guarded notation: the slowest dimension), columns the others. Columns beyond
// 64 go on in further bands below, each with all rows.
//
// Every text is escaped. Ownership: a string. Threads: pure functions. Errors: kInvalidArgument (a member that is
// unknown or breaks its rule, unreadable notation, more than 4096 cells, a parameter without a value).
#pragma once

#include <string>
#include <string_view>

#include "tailor/status.h"

namespace tailor::codegen::layout {

Expected<std::string> draw_json(std::string_view request);

}  // namespace tailor::codegen::layout
