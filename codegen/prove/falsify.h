// Looks for a launch and a thread that break a claim: runs the program for sampled symbols, block and thread, with
// loads that return boundary values, and checks every access against its operand.
//
// What is sampled satisfies the facts and the host's invariants: strides exceed the span of the dimensions within,
// every operand is as long as its index allows and lies apart from the others. A violation found is therefore real, for
// some contents of device memory; none found says nothing.
//
// Thread-safety: pure function of its arguments and the seed. Errors: none.
#pragma once

#include <vector>

#include "codegen/prove/prove.h"

namespace tailor::codegen::prove {

// Bounds and alignment obligations that are unknown become refuted, with the launch, where a violation is found.
void find_counterexamples(const Subject& subject, std::vector<Obligation>& obligations, uint32_t seed = 1);

}  // namespace tailor::codegen::prove
