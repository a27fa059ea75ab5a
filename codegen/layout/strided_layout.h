// StridedLayout: a hierarchy of (extent : stride) modes, the layouts that CuTe writes (4,(2,3)):(1,(4,8)), and their
// algebra.
//
// Worked example: L = (4,(2,3)):(1,(4,8)) has size 24. Indices are colexicographic: the first mode runs fastest, so
// index 13 = 1 + 4*(1 + 2*1) is the coordinate (1,(1,1)) and L(13) = 1*1 + 1*4 + 1*8 = 13. As a function this L is the
// identity on [0, 24), and coalesce(L) = 24:1 says so.
//
// What the operations promise (each is checked by enumeration in the tests):
//   coalesce(A)          same function of the index, depth <= 1, fewest modes; 1:0 when nothing is left
//   composition(A, B)    R with R(c) = A(B(c)) for every c of B, and B's hierarchy refined
//   complement(A, M)     R ordered and disjoint from A: A(i) + R(j) are pairwise different, cosize up to M
//   right_inverse(A)     the largest R of consecutive strides with A(R(i)) = i
//   left_inverse(A)      R with R(A(i)) = i
//   logical_divide(A, T) composition(A, (T, complement(T, size(A)))): (tile, rest)
//   logical_product(A,T) (A, composition(complement(A, size(A)*cosize(T)), T)): (block, repeats)
//   max_common_vector    with R = right_inverse(B): the extent of the first mode of coalesce(composition(A, R)) if its
//                        stride is 1, else 1. A(R(i)) = i for every i below it, where A is continued beyond its size
//                        along its last mode as composition does, so 5:1 and 9:1 give 9; an access of A ends where A
//                        does, and the caller takes the smaller
//
// Compared with CuTe: the same result on every admissible input. Deliberate differences, all of them refusals with a
// reason and, where there is one, a counterexample, instead of an undefined result:
//   * composition where digits carry from one mode of A into the next, or where a stride neither divides nor is a
//     multiple of an extent it crosses: CuTe returns a layout that is not A∘B there.
//   * left_inverse of a layout that is not injective (CuTe gives a quasi-inverse), and of negative strides.
//   * complement of overlapping strides, of negative strides.
// max_common_vector generalises: where the composition is refused it is the largest n <= min(size(A), size(R), 2^20)
// with A(R(i)) = i for all i < n, R(i) below size(A).
// An extent of 0 is an empty layout: it evaluates and composes on the right, the other operations refuse it.
//
// Ownership: value type. Threads: const access from any thread. Errors: kInvalidArgument with the reason; overflow too.
// None of this calls isl.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "codegen/layout/layout.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

// A leaf (extent : stride), or a group of modes.
struct Mode {
  int64_t extent = 1;       // leaf only; >= 0
  int64_t stride = 0;       // leaf only
  std::vector<Mode> modes;  // group only
  bool group = false;       // a group may be of one mode, "(4):(1)", or of none, "():()"

  static Mode leaf(int64_t extent, int64_t stride) { return {extent, stride, {}, false}; }
  static Mode of(std::vector<Mode> modes) { return {1, 0, std::move(modes), true}; }
  friend bool operator==(const Mode&, const Mode&) = default;
};

class StridedLayout {
 public:
  StridedLayout() = default;  // 1:0
  // Refuses negative extents, and sizes or spans beyond 64 bits.
  static Expected<StridedLayout> create(Mode root);
  static Expected<StridedLayout> leaf(int64_t extent, int64_t stride) { return create(Mode::leaf(extent, stride)); }

  const Mode& root() const { return root_; }
  // Number of top-level modes; 1 for a leaf.
  size_t rank() const { return root_.group ? root_.modes.size() : 1; }
  size_t depth() const;
  int64_t size() const { return size_; }
  // One more than the largest value reached by strides' magnitudes: 1 + Σ (extent - 1)·|stride|; 0 when empty.
  int64_t cosize() const { return cosize_; }
  // The leaves from left to right.
  std::vector<Mode> leaves() const;

  // L(index), 0 <= index < size.
  Expected<int64_t> evaluate(int64_t index) const;
  // All values in colexicographic order; refuses more than `limit` of them.
  Expected<std::vector<int64_t>> values(int64_t limit = 1 << 20) const;

  // Leaves become dimensions m0, m1, … in order (m0 fastest), with one output.
  Expected<GuardedAffineLayout> to_guarded() const;

  // "(4,(2,3)):(1,(4,8))"
  std::string to_string() const;
  friend bool operator==(const StridedLayout& a, const StridedLayout& b) { return a.root_ == b.root_; }

 private:
  Mode root_;
  int64_t size_ = 1;
  int64_t cosize_ = 1;
};

Expected<StridedLayout> coalesce(const StridedLayout& layout);
Expected<StridedLayout> composition(const StridedLayout& a, const StridedLayout& b);
Expected<StridedLayout> complement(const StridedLayout& layout, int64_t cosize_bound);
Expected<StridedLayout> right_inverse(const StridedLayout& layout);
Expected<StridedLayout> left_inverse(const StridedLayout& layout);
Expected<StridedLayout> logical_divide(const StridedLayout& layout, const StridedLayout& tiler);
// With a layout as tiler the tile is already one mode, so this is logical_divide: ((tile), (rest)).
Expected<StridedLayout> zipped_divide(const StridedLayout& layout, const StridedLayout& tiler);
Expected<StridedLayout> logical_product(const StridedLayout& block, const StridedLayout& tiler);
Expected<int64_t> max_common_vector(const StridedLayout& a, const StridedLayout& b);

// By mode: tiler k applies to top-level mode k; modes beyond the last tiler stay as they are.
//   logical_divide: ((tile_0, rest_0), (tile_1, rest_1), …)
//   zipped_divide:  ((tile_0, tile_1, …), (rest_0, rest_1, …))
Expected<StridedLayout> logical_divide(const StridedLayout& layout, const std::vector<StridedLayout>& tilers);
Expected<StridedLayout> zipped_divide(const StridedLayout& layout, const std::vector<StridedLayout>& tilers);

// Two different indices with the same value, or nullopt when the layout is injective. Exact for strides that are
// pairwise nested or disjoint, by enumeration otherwise (refused above 2^20 indices).
struct Collision {
  int64_t first = 0;
  int64_t second = 0;
  int64_t value = 0;
};
Expected<std::optional<Collision>> find_collision(const StridedLayout& layout);

}  // namespace tailor::codegen::layout
