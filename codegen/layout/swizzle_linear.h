// The linear family of swizzle_search.h: x ^ F(x), F over F2 from row bits to bank bits. Private to codegen/layout.
//
// Lanes of one group that name dwords with row bits s_i and bank b_i meet in bank b_i ^ F(s_i). That depends on the
// differences to one of them alone: xor by one (s, b) renames banks. So a tile's accesses come to a few groups, each
// counted as often as it occurs.
//
// Threads: pure functions. Errors: none; requests have been checked.
#pragma once

#include "codegen/layout/swizzle_search.h"

namespace tailor::codegen::layout {

// Fills the members of `search` that begin with linear_; `granule_bits`: log2 of the bytes that stay together.
void search_linear(const SwizzleRequest& request, int granule_bits, SwizzleSearch& search);

}  // namespace tailor::codegen::layout
