// The answer to "how wide may accesses of this layout be, what is left over, and what stops them from being wider?".
//
// Request, one JSON object:
//     "layout"            required; "(128,80):(80,1)", "Sw<3,4,3> o …" or the guarded notation of layout.h; in elements
//     "element_bytes"     1, 2, 4, 8 or 16; 2 when absent
//     "base_align"        the address of element 0 is a multiple of this many bytes, plus "base_residue"; 16 and 0
//     "max_vector_bytes"  a power of two of at least element_bytes; 16
//     "facts"             list of strings: "M % 128 = 17", "stride_h % 8 = 0", "M <= 4096", "D = 80"
//     "bindings"          {"M": "bucket", "t": "launch"}: when symbols are known, as binding.h says
// Answer, one JSON object:
//     "vector_bytes"      legal everywhere in the layout: the least over its pieces
//     "pieces"            per piece: "run" (the dimensions that are contiguous), "run_bytes", "vector_bytes",
//                         "vectors_per_run", "tail" ("8+2 bytes: 74 = 4*16 + 8 + 2", "none", or what it depends on),
//                         "reason" (the stride, base or guard that stopped the next width, and the fact that would
//                         allow it), "edge" (guards that end or cut a
//                         run), "peel" (heads, where every row is misaligned by the same amount)
//                         "body_vector_bytes" away from a guard that cuts through runs
//     "guards"            each with "constraint", "verdict" under the facts, "depends_on", "binding" (the latest of the
//                         binding times of what it depends on)
//     "body", "fringe"    where guards are left: the domain on which they hold throughout, by tests that are decided at
//                         "body_decided", and the rest
//     "tma"               "legal", "legal when coalesced to [3700]", or the rules that a tensor map of the layout
//     breaks
//
// Worked example: {"layout":"(100,37):(37,1)","element_bytes":2} answers vectors of 16 bytes: the rows are one run of
// 7400 bytes. With (100,37):(40,1) runs are 74 bytes, rows start at multiples of 80 bytes, so vectors of 16 bytes, 4
// of them and a tail of 8+2 bytes.
//
// Threads: pure functions. Errors: kInvalidArgument (a member that is unknown or breaks its rule, unreadable notation).
#pragma once

#include <string>
#include <string_view>

#include "tailor/status.h"

namespace tailor::codegen::layout {

Expected<std::string> explain_json(std::string_view request);

}  // namespace tailor::codegen::layout
