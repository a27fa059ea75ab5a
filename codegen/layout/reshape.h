// The same values under another shape or another element size: reshape, upcast, downcast, recast, filter, nullspace.
//
// Worked example. reshape((4,6):(1,8), (2,12)) = (2,(2,6)):(1,(2,8)): index 5 is (1,2) in the new shape and still 9.
// To (6,4) there is none: index 4 starts the next column (value 8 after 3), and 4 and 6 do not divide each other, so a
// new mode of 6 would hold 0 1 2 3 8 9, which no strides give.
//
// When a reshape exists. Write the layout coalesced, with extents e_i > 1; it changes its stride at the boundaries
// P_i = e_0 ⋯ e_i, a new shape wants modes to end at Q_k = s_0 ⋯ s_k. Digits of both must refine to common digits: all
// boundaries together must form a chain under divisibility. In the words of the normal forms: the subgroups P_i Z and
// Q_k Z of Z form a flag, each diag(P_i, Q_k) already being its own Smith form up to order. Sizes must agree. This is
// exact: where the chain breaks no strides in any refinement of the new shape give the same values (held by exhaustion
// in the tests). Powers of two always form a chain, which is why linear layouts never meet the question.
//
// Compared with CuTe: composition(A, compact(shape)) gives the same where it is admissible. upcast and downcast agree;
// in addition an upcast is refused where the layout's own bits below the new element would move bits above it, a
// downcast where the unit stride is negative.
//
// Ownership: values. Threads: pure functions. Errors: kInvalidArgument with the reason.
#pragma once

#include <cstdint>

#include "codegen/layout/composed_layout.h"
#include "codegen/layout/strided_layout.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

// The same function of the colexicographic index, with the hierarchy of `shape` (its strides are not looked at) refined
// where a leaf crosses a boundary.
Expected<StridedLayout> reshape(const StridedLayout& layout, const Mode& shape);
Expected<ComposedLayout> reshape(const ComposedLayout& layout, const Mode& shape);

// Elements n times as large: strides are divided by n, a stride d below n that divides it leaves every (n / d)-th
// point. The stride of a mode of extent 1 refuses nothing: where it cannot be divided it becomes 0.
Expected<ComposedLayout> upcast(const ComposedLayout& layout, int64_t n);
// Elements n times as small: the unit stride's extent grows n-fold, the other strides too. Where no longer mode has the
// unit stride, a mode of extent 1 takes the parts, whatever its stride.
Expected<ComposedLayout> downcast(const ComposedLayout& layout, int64_t n);
// From elements of old_bits to elements of new_bits.
Expected<ComposedLayout> recast(const ComposedLayout& layout, int64_t old_bits, int64_t new_bits);

// Without modes of stride 0 and extent 1, coalesced.
Expected<StridedLayout> filter(const StridedLayout& layout);
// The indices along modes of stride 0, as a layout: A(nullspace(A)(i)) = 0.
Expected<StridedLayout> nullspace(const StridedLayout& layout);

}  // namespace tailor::codegen::layout
