// Bounds, alignment and overflow of one access, at the point of the walk where it stands.
//
// The offset of an access from its operand is T = Σ of the offsets of its ptradds, each shown to be the integer that
// its bits denote. Then 0 <= T and T + width <= element + Σ (extent - 1)*stride, from the path's conditions: an index
// that is below its extent pays for its stride (see the example in knowledge.h).
//
// Thread-safety: none; knowledge is left as it was found. Errors: none, a claim that is not shown is unknown.
#pragma once

#include <vector>

#include "codegen/prove/execute.h"
#include "codegen/prove/prove.h"

namespace tailor::codegen::prove {

// Appends the three obligations. True: every index of the offset lies in its extent.
bool prove_access(const Subject& subject, Host& host, Knowledge& knowledge, const AccessPoint& point, bool explain,
                  std::vector<Obligation>& out);

}  // namespace tailor::codegen::prove
