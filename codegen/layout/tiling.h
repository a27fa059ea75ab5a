// Divisions and products of strided layouts in all their arrangements, after CuTe.
//
// Worked example: block = (2,2):(4,1), tiler = 6:1. The product repeats the block six times where the block leaves
// room,
//     logical_product  ((2,2),(2,3)):((4,1),(2,8))         (block, repeats)
//     tiled_product    ((2,2),2,3):((4,1),2,8)             (block, repeat, repeat)
//     flat_product     (2,2,2,3):(4,1,2,8)
//     blocked_product  ((2,(2,3)),(2,1)):((4,(2,8)),(1,0)) mode by mode, the block's digits fastest
//     raked_product    (((2,3),2),(1,2)):(((2,8),4),(0,1)) mode by mode, the repeats' digits fastest
//
// logical_divide, zipped_divide and the logical_product of two layouts are in strided_layout.h. A Tiler is a layout, or
// one tiler per mode (CuTe's "by mode" tilers, <3:1,4:1>); modes beyond the last tiler stay whole and go to the rest.
//
// Compared with CuTe: the same result on every admissible input (held by literals that CuTe computed); what its static
// assertions refuse, and what it leaves undefined, is refused here with the reason of composition or complement.
//
// Ownership: values. Threads: pure functions. Errors: kInvalidArgument.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "codegen/layout/strided_layout.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

struct Tiler {
  std::vector<StridedLayout> layouts;  // one when by_mode is false
  bool by_mode = false;

  static Tiler of(StridedLayout layout) { return {{std::move(layout)}, false}; }
  // "4:1", or "<3:1,(2,4):(1,8)>"
  static Expected<Tiler> parse(std::string_view text);
};

// By mode: tiler k multiplies top-level mode k.
Expected<StridedLayout> logical_product(const StridedLayout& block, const std::vector<StridedLayout>& tilers);
Expected<StridedLayout> logical_divide(const StridedLayout& layout, const Tiler& tiler);
Expected<StridedLayout> logical_product(const StridedLayout& block, const Tiler& tiler);
// ((tiles), (rests)): with a layout as tiler the logical result has this form already.
Expected<StridedLayout> zipped_divide(const StridedLayout& layout, const Tiler& tiler);
Expected<StridedLayout> zipped_product(const StridedLayout& block, const Tiler& tiler);
// ((tiles), rest, rest, …)
Expected<StridedLayout> tiled_divide(const StridedLayout& layout, const Tiler& tiler);
Expected<StridedLayout> tiled_product(const StridedLayout& block, const Tiler& tiler);
// (tile, tile, …, rest, rest, …)
Expected<StridedLayout> flat_divide(const StridedLayout& layout, const Tiler& tiler);
Expected<StridedLayout> flat_product(const StridedLayout& block, const Tiler& tiler);
// ((block_0, repeats_0), (block_1, repeats_1), …): the rank is the larger of the two, missing modes are 1:0.
Expected<StridedLayout> blocked_product(const StridedLayout& block, const StridedLayout& tiler);
// ((repeats_0, block_0), (repeats_1, block_1), …)
Expected<StridedLayout> raked_product(const StridedLayout& block, const StridedLayout& tiler);
// The blocked product whose modes have the sizes of `shape`, which the block's must divide. `order` ranks the modes of
// the tiler, smallest first to run fastest; empty means from left to right.
Expected<StridedLayout> tile_to_shape(const StridedLayout& block, const std::vector<int64_t>& shape,
                                      const std::vector<int64_t>& order = {});

}  // namespace tailor::codegen::layout
