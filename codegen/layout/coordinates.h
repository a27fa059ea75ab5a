// Coordinates of hierarchical layouts, and what they cut out: slice, dice, domain offset, flip.
//
// Worked example: L = (3,(2,3)):(3,(12,1)).
//     slice (_,(1,_))   12 o (3,3):(3,1)      the free modes, the fixed ones as offset
//     dice  (_,(1,_))   (2):(12)              the fixed modes
//     slice (2,_)        6 o ((2,3)):((12,1))
//     offset (1,(0,2))   5 o L                L read from that coordinate on
//     flip 0             6 o (3,(2,3)):(-3,(12,1))
//
// A coordinate is an integer (a colexicographic index into whatever mode it stands for), an underscore (free), or a
// tuple with one entry per mode: "(2,_)", "(_,(1,_))", "5".
//
// Compared with CuTe: the same modes in the same hierarchy; the offset that CuTe's slice_and_offset returns beside the
// layout is the offset of the result. Coordinates out of range are refused (CuTe reads on); so is a free entry where a
// position is meant.
//
// Ownership: values. Threads: pure functions. Errors: kInvalidArgument; notation errors name position and expectation.
#pragma once

#include <string_view>
#include <vector>

#include "codegen/layout/composed_layout.h"
#include "codegen/layout/notation_reader.h"
#include "codegen/layout/strided_layout.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

using Coordinate = Tuple;

Expected<Coordinate> parse_coordinate(std::string_view text);

// The value at a coordinate without free entries.
Expected<int64_t> evaluate_at(const ComposedLayout& layout, const Coordinate& coordinate);
Expected<ComposedLayout> slice(const ComposedLayout& layout, const Coordinate& coordinate);
Expected<StridedLayout> dice(const StridedLayout& layout, const Coordinate& coordinate);
// The values where the free entries are 0: the same factor and offset before the fixed modes.
Expected<ComposedLayout> dice(const ComposedLayout& layout, const Coordinate& coordinate);
// The same modes counted from `coordinate`: the offset grows, the domain keeps its shape (guards for what sticks out
// are GuardedAffineLayout::domain_offset).
Expected<ComposedLayout> domain_offset(const ComposedLayout& layout, const Coordinate& coordinate);
// Top-level mode `mode` in reverse: x becomes extent - 1 - x in each of its leaves.
Expected<ComposedLayout> flip(const ComposedLayout& layout, size_t mode);

}  // namespace tailor::codegen::layout
