// CuTe's notation for strided layouts: "(4,(2,3)):(1,(4,8))".
//
//     layout := tuple (':' tuple)?          without strides: compact, first mode fastest, as CuTe's make_layout(shape)
//     tuple  := '_'? '-'? digits | '(' (tuple (',' tuple)*)? ')'      an underscore (static integer) is read and
//     dropped tilers := '<' layout (',' layout)* '>'
//
// Shape and stride must have the same hierarchy. The printed form has no underscores and parses back to the same
// layout.
//
// Ownership: values. Threads: pure functions. Errors: kInvalidArgument "layout notation, position 5: expected ')',
// found ':'".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codegen/layout/strided_layout.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

Expected<StridedLayout> parse_cute(std::string_view text);
Expected<std::vector<StridedLayout>> parse_cute_tilers(std::string_view text);

}  // namespace tailor::codegen::layout
