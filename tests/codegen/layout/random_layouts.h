// Seeded random hierarchical layouts for property tests.
#pragma once

#include <algorithm>
#include <random>
#include <vector>

#include "codegen/layout/composed_layout.h"
#include "codegen/layout/strided_layout.h"

namespace tailor::codegen::layout {

struct RandomLayouts {
  std::mt19937_64 rng;
  int64_t limit = 256;  // points

  int64_t below(int64_t n) { return static_cast<int64_t>(rng() % static_cast<uint64_t>(n)); }

  // Strides mostly compact, some with gaps; `wild` also repeats, zeros and negatives.
  Mode mode(int depth, int64_t& next, bool wild, bool pow2) {
    if (depth > 0 && rng() % 3 == 0) {
      std::vector<Mode> modes;
      for (size_t n = 1 + rng() % 3; n-- > 0;) modes.push_back(mode(depth - 1, next, wild, pow2));
      return Mode::of(std::move(modes));
    }
    const int64_t any[] = {1, 2, 3, 4, 5, 6, 8};
    const int64_t twos[] = {1, 2, 2, 4, 4, 8, 2};
    // Through a pointer: GCC 12 under -fsanitize=bounds always takes element 0 of `(c ? a : b)[i]`.
    const int64_t* extents = pow2 ? twos : any;
    const int64_t extent = extents[rng() % 7];
    int64_t stride = next;
    if (wild && rng() % 3 == 0) stride = below(13);
    if (wild && rng() % 12 == 0) stride = -stride;
    next *= extent;
    if (rng() % 4 == 0) next *= pow2 ? 2 : 1 + below(3);
    return Mode::leaf(extent, stride);
  }

  StridedLayout layout(bool wild, bool pow2 = false) {
    while (true) {
      std::vector<Mode> modes;
      int64_t next = 1;
      for (size_t n = 1 + rng() % 3; n-- > 0;) modes.push_back(mode(2, next, wild, pow2));
      std::shuffle(modes.begin(), modes.end(), rng);
      auto made = StridedLayout::create(modes.size() == 1 && rng() % 2 == 0 ? modes[0] : Mode::of(modes));
      if (made.ok() && made->size() <= limit && made->size() > 0) return *made;
    }
  }

  Swizzle swizzle(int64_t max_bits) {
    while (true) {
      auto made = Swizzle::create(1 + below(3), below(3), (rng() % 2 == 0 ? 1 : -1) * (1 + below(4)));
      if (made.ok() && made->bits + made->base + std::abs(made->shift) <= max_bits) return *made;
    }
  }

  // An xor factor (one swizzle or two, or an arbitrary matrix), an offset, or neither.
  ComposedLayout composed(bool pow2) {
    while (true) {
      integer::F2Map factor;
      if (rng() % 4 != 0) factor = swizzle(7).map();
      if (rng() % 4 == 0) factor = factor.compose_extended(swizzle(7).map());
      if (rng() % 8 == 0) {
        std::vector<uint64_t> columns;
        for (int j = 0; j < 5; ++j) columns.push_back(rng() % 32);
        factor = *integer::F2Map::create(columns);
      }
      auto made = ComposedLayout::create(factor, rng() % 3 == 0 ? below(40) : 0, layout(rng() % 3 == 0, pow2));
      if (made.ok()) return *made;
    }
  }
};

}  // namespace tailor::codegen::layout
