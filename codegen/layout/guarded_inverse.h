// Inverses and common vectors of guarded layouts.
//
// Worked example. Rows of 100 elements stored 128 apart, the last row cut at n elements in all:
//     A = layout [n] (i: 40, j: 100) -> 1 { when n - 100*i - j - 1 >= 0: (128*i + j); }
//     left_inverse(A) = layout [n] (y0_0: 128, y0_1: 40) -> 2
//       { when -y0_0 + 99 >= 0 and n - y0_0 - 100*y0_1 - 1 >= 0: (y0_1, y0_0); }        y = 128*y0_1 + y0_0
//     left_inverse((i: 4, j: 3) -> 2*i + 4*j) does not exist: (0, 1) and (2, 0) both have the value 4.
//
// What is promised, for every value of the parameters that the facts admit:
//   left_inverse(A)        G with G(A(x)) = x for x in the domain of A, and undefined outside its image
//   right_inverse(A)       G with A(G(y)) = y for every y of the image, undefined elsewhere; where several x have the
//                          value y, the lexicographically first
//   right_inverse_onto     the same with the domain 0 <= y_k < extent_k, all of which A must reach
//   max_common_vector(a,b) the largest n such that some x has a(x) = b(x) = i, for each i < n
// Domains of inverses are written in digits (digit_layout.h); where no finite list of affine pieces does, the refusal
// names the floor term that stands in the way.
//
// Compared with CuTe: for plain strided layouts with nested strides left_inverse is the same function on the image.
// CuTe's right_inverse stops at the first gap in the strides; here it reaches the whole image, and
// right_inverse_onto(A, n) asks for CuTe's range. CuTe needs non-negative static strides and refuses or returns a
// quasi-inverse where strides do not divide each other; guards, negative strides, offsets, several outputs and
// parameters are inverted here, and what has no inverse is refused with a counterexample.
//
// One output, one piece, strides that nest (each a multiple of the one below, and at least that times its extent):
// digits by arithmetic, no isl. Everything else goes to isl under a quota of operations.
//
// Ownership: values. Threads: any; each call makes its own isl context. Errors: kInvalidArgument with a counterexample
// where there is no inverse; kUnsupported for symbolic strides without an exact value in the facts and for what is not
// piecewise affine; kUnavailable ("unknown") naming the quota when isl spent it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "codegen/layout/digit_layout.h"
#include "codegen/layout/facts.h"
#include "codegen/layout/isl_bridge.h"
#include "codegen/layout/layout.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

Expected<DigitLayout> left_inverse(const GuardedAffineLayout& layout, const Facts& facts = {},
                                   uint64_t quota = kDefaultIslQuota);
Expected<DigitLayout> right_inverse(const GuardedAffineLayout& layout, const Facts& facts = {},
                                    uint64_t quota = kDefaultIslQuota);
// One extent for each output.
Expected<DigitLayout> right_inverse_onto(const GuardedAffineLayout& layout, const std::vector<AffineExpr>& extents,
                                         const Facts& facts = {}, uint64_t quota = kDefaultIslQuota);
// Both of one output over the same dimensions.
Expected<int64_t> max_common_vector(const GuardedAffineLayout& a, const GuardedAffineLayout& b, const Facts& facts = {},
                                    uint64_t quota = kDefaultIslQuota);

// Two points of one value, or nullopt when the layout is injective for all parameters that the facts admit.
struct PointCollision {
  std::vector<int64_t> first;
  std::vector<int64_t> second;
  Assignment parameters;
  // "(0, 1) and (2, 0) both have the value (4) at n = 3"
  std::string text;
};
Expected<std::optional<PointCollision>> find_collision(const GuardedAffineLayout& layout, const Facts& facts = {},
                                                       uint64_t quota = kDefaultIslQuota);

// The two ways of finding an inverse; the tests hold them equal.
enum class InverseKind : uint8_t { kLeft, kRight };
// nullopt when the strides do not nest: then isl decides.
Expected<std::optional<DigitLayout>> inverse_by_digits(const GuardedAffineLayout& layout, const Facts& facts = {});
// `onto` empty: the whole image.
Expected<DigitLayout> inverse_by_isl(const GuardedAffineLayout& layout, InverseKind kind,
                                     const std::vector<AffineExpr>& onto = {}, const Facts& facts = {},
                                     uint64_t quota = kDefaultIslQuota);
Expected<int64_t> max_common_vector_by_isl(const GuardedAffineLayout& a, const GuardedAffineLayout& b,
                                           const Facts& facts = {}, uint64_t quota = kDefaultIslQuota);

}  // namespace tailor::codegen::layout
