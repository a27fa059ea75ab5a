// ComposedLayout: X ∘ (offset + L), an xor factor after a strided layout, with the algebra of both.
//
// Worked example: Sw<3,4,3> o (8,8):(8,1) keeps the 64 bytes 0…63 where they are (bit 7 is never set), while
// Sw<1,1,2> o 16:1 lists 0 1 2 3 4 5 6 7 10 11 8 9 14 15 12 13: bit 3 is added to bit 1.
//
// The xor factor is a linear map over F2 (integer::F2Map, bits beyond its list kept) in its normal form, so that
// Sw<2,0,2> o Sw<2,0,2> is the identity and equal factors print alike. A factor that is some Swizzle<B,M,S> prints as
// Sw<B,M,S>; any other as the images of its bits, Xor<1,2,5>.
//
// Text (CuTe's, "Sw<3,4,3> o _0 o (_8,_8):(_8,_1)", is read as well):
//     composed := (factor ' o ')* (offset ' o ')? layout
//     factor   := 'Sw<' B ',' M ',' S '>' | 'Xor<' image (',' image)* '>'
//
// Compared with CuTe: the same function on every input it admits. Differences:
//   * slice gives one layout whose offset carries the fixed coordinates; CuTe splits the offset in two. As functions
//     they are equal. `decay` finds the plain strided form where there is one, also where CuTe does not look.
//   * A ∘ (X ∘ L) for strided A moves X to the left whenever A is linear over F2 on X's words; CuTe does it for a few.
//   * inverses answer with an xor factor whenever the layout is linear over F2.
//   * cosize is 1 + the largest value reached, CuTe's is that of L alone: an xor may leave L's range (Sw<1,0,1> o 3:1
//     reaches 3).
//
// Ownership: value type. Threads: const access from any thread. Errors: kInvalidArgument with the reason; where an
// inverse or a linear form does not exist, with two indices as a counterexample.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/integer/f2.h"
#include "codegen/layout/strided_layout.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

// x ^ ((x & Y) >> S) with Y = 2^B - 1 at bit M + max(S, 0); S < 0 shifts left. |S| >= B, so that it is an involution.
struct Swizzle {
  int bits = 0;   // B
  int base = 0;   // M: this many low bits are untouched
  int shift = 0;  // S

  static Expected<Swizzle> create(int64_t bits, int64_t base, int64_t shift);
  integer::F2Map map() const;
  std::string to_string() const;
  friend bool operator==(const Swizzle&, const Swizzle&) = default;
};

// The swizzle that acts like this automorphism, if one does; the identity is Sw<0,0,0>.
std::optional<Swizzle> as_swizzle(const integer::F2Map& map);

class ComposedLayout {
 public:
  ComposedLayout() = default;                                           // 1:0
  ComposedLayout(StridedLayout layout) : layout_(std::move(layout)) {}  // NOLINT: strided layouts are composed ones
  // Refuses sums beyond 62 bits or below zero where an xor factor would meet them.
  static Expected<ComposedLayout> create(integer::F2Map factor, int64_t offset, StridedLayout layout);
  static Expected<ComposedLayout> parse(std::string_view text);
  // "Sw<3,4,3> o 5 o (8,8):(8,1)"; an identity factor and an offset of 0 are left out.
  std::string to_string() const;

  const integer::F2Map& factor() const { return factor_; }
  int64_t offset() const { return offset_; }
  const StridedLayout& layout() const { return layout_; }
  bool has_factor() const { return factor_.input_bits() != 0; }
  bool is_strided() const { return !has_factor() && offset_ == 0; }

  int64_t size() const { return layout_.size(); }
  // 1 + the largest value; counted up to 2^20 indices, beyond that a bound (a power of two when there is a factor).
  int64_t cosize() const;
  Expected<int64_t> evaluate(int64_t index) const;
  Expected<std::vector<int64_t>> values(int64_t limit = 1 << 20) const;

  friend bool operator==(const ComposedLayout&, const ComposedLayout&) = default;

 private:
  int64_t value_of(int64_t inner) const;

  integer::F2Map factor_;
  int64_t offset_ = 0;
  StridedLayout layout_;
};

// The map of the index's bits, where A(x ^ y) = A(x) ^ A(y) and the size is a power of two. Refused with the reason,
// for carries with a pair of indices.
Expected<integer::F2Map> linear_over_f2(const ComposedLayout& layout);
// The other way, in normal form, which the map determines: strided where the columns share no bit (2^k columns of one
// direction coalesce); else, where their highest bits differ, a factor that keeps highest bits after a strided layout,
// so that Sw<3,4,3> o (8,128):(128,1) comes back as it was; else Xor<…> o 2^n:1.
Expected<ComposedLayout> from_f2(const integer::F2Map& map);

// a ∘ b. Where an xor factor or an offset of b has to pass through a's strided part, a must be linear over F2 on it,
// and b must stay below a's size. An offset of a that comes to stand between two factors passes the inner one where
// that is exact: it does not carry into bits which the factor moves, or it meets no bit of the words.
Expected<ComposedLayout> composition(const ComposedLayout& a, const ComposedLayout& b);
// The plain strided layout with the same values up to an offset: offset + layout. Up to 2^16 indices are checked.
Expected<ComposedLayout> decay(const ComposedLayout& layout);
// R with R(A(i)) = i.
Expected<ComposedLayout> left_inverse(const ComposedLayout& layout);
// R with A(R(i)) = i for every i below its size, which is as large as the form of the layout lets it be.
Expected<ComposedLayout> right_inverse(const ComposedLayout& layout);
Expected<std::optional<Collision>> find_collision(const ComposedLayout& layout);
// R ordered with A(i) + R(j) pairwise different, as for strided layouts: it depends on the set of A's values alone, up
// to an offset, and exists where a strided layout has that set (every tile that a swizzle maps onto itself). Else
// refused with two values whose sum is none, or the first that is out of place.
Expected<StridedLayout> complement(const ComposedLayout& layout, int64_t cosize_bound);
// The indices along which the value stays: A(N(i)) = A(0). Those of the strided part when the factor has an inverse;
// the kernel when the layout is linear over F2; refused otherwise.
Expected<ComposedLayout> nullspace(const ComposedLayout& layout);
// Elements that can be moved at once between the two: as for strided layouts, and no longer than a run which neither
// factor tears (equal factors tear nothing).
Expected<int64_t> max_common_vector(const ComposedLayout& a, const ComposedLayout& b);

}  // namespace tailor::codegen::layout
