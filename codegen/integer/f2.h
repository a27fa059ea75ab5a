// Linear maps over F2 on the bits of a machine word: what an xor swizzle is.
//
// Worked example: Swizzle<3,4,3> is x ^ ((x >> 3) & 0x70). Bits 0…6 are kept; bit 7 goes to bits {7, 4}, bit 8 to
// {8, 5}, bit 9 to {9, 6}. As a map: the images of bits 0…9 are 1, 2, 4, …, 64, 0x90, 0x120, 0x240, and every bit above
// is kept. It is its own inverse.
//
// Two kinds of map with one representation, the list of images of the input bits:
//   * F2Map(columns): from `columns.size()` bits; an argument beyond them is refused by whoever calls.
//   * an automorphism of words (`F2Map::extended`): bits beyond the list are kept. Its normal form has no trailing kept
//     bit, so that two automorphisms are equal exactly when their lists are.
//
// Ownership: value type. Threads: const access from any thread. Errors: kInvalidArgument (more than 62 bits).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tailor/status.h"

namespace tailor::codegen::integer {

// Words are non-negative int64_t, so 62 bits leave room for sums.
inline constexpr int kF2Bits = 62;

class F2Map {
 public:
  F2Map() = default;  // no input bits
  // columns[j] is the image of bit j. Refuses more than 62 columns, and images beyond bit 61.
  static Expected<F2Map> create(std::vector<uint64_t> columns);
  static F2Map identity(int bits);

  int input_bits() const { return static_cast<int>(columns_.size()); }
  // One more than the highest bit of any image.
  int output_bits() const;
  const std::vector<uint64_t>& columns() const { return columns_; }

  // Xor of the images of x's bits; bits of x beyond the columns are dropped.
  uint64_t apply(uint64_t x) const;
  // The same with bits beyond the columns kept.
  uint64_t apply_extended(uint64_t x) const;

  int rank() const;
  bool is_injective() const { return rank() == input_bits(); }
  bool is_surjective_onto(int bits) const;
  // A basis of { x : apply(x) = 0 }, in reduced echelon form (leading bits distinct, highest first).
  std::vector<uint64_t> kernel() const;
  // Some x with apply(x) = y, or nullopt; the others differ by members of the kernel.
  std::optional<uint64_t> solve(uint64_t y) const;

  // this ∘ inner, both plain.
  F2Map compose(const F2Map& inner) const;
  // this ∘ inner, both automorphisms with kept bits; in normal form.
  F2Map compose_extended(const F2Map& inner) const;
  // R with apply(R(y)) = y on `output_bits` bits; nullopt unless onto. Injective maps have exactly one on their image.
  std::optional<F2Map> right_inverse(int output_bits) const;
  // The inverse automorphism of words, in normal form; nullopt when two words share an image.
  std::optional<F2Map> inverse_extended() const;
  // Drops trailing columns that keep their bit.
  F2Map normalized() const;

  // "[1, 2, 144]"
  std::string to_string() const;
  friend bool operator==(const F2Map&, const F2Map&) = default;

 private:
  std::vector<uint64_t> columns_;
};

}  // namespace tailor::codegen::integer
