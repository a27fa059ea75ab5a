// LinearLayout: maps linear over F2 between named dimensions, given by bases, as Triton's linear layouts.
//
// Worked example: 16 elements over 4 lanes × 4 warps, one each,
//     register: -            lane: (1) (2)            warp: (4) (8)            -> dim0: 16
// lane l of warp w owns element l ^ 4w. Bit i of the input dimension goes to bases[i], a vector over the output
// dimensions; several bits add by xor. Sizes are powers of two on both sides.
//
// Text, printed and parsed back to the same layout:
//     linear := '{' (input (';' input)*)? '}' '->' '{' (output (',' output)*)? '}'
//     input  := name ':' base*                base := '(' (integer (',' integer)*)? ')', one integer per output
//     output := name ':' size
//     {register:; lane: (1) (2); warp: (4) (8)} -> {dim0: 16}
//
// Flat form, the bridge to ComposedLayout: input bits in order of the dimensions, the first fastest; output words with
// the first output dimension in the lowest bits. to_layout() is from_f2 of composed_layout.h: strided where no two
// bases share a bit, else an xor factor after a strided layout or on 2^n:1; from_layout() refuses what is not linear
// (extents that are no powers of two, carries, offsets) with a counterexample.
//
// Where linear layouts end: padding and extents that are no powers of two have none; GuardedAffineLayout has.
//
// Ownership: value type. Threads: const access from any thread. Errors: kInvalidArgument with the reason.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/integer/f2.h"
#include "codegen/layout/composed_layout.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

struct LinearInput {
  std::string name;
  std::vector<std::vector<int64_t>> bases;  // [bit][output dimension]
  friend bool operator==(const LinearInput&, const LinearInput&) = default;
};

struct LinearOutput {
  std::string name;
  int64_t size = 1;  // a power of two
  friend bool operator==(const LinearOutput&, const LinearOutput&) = default;
};

class LinearLayout {
 public:
  LinearLayout() = default;  // no dimensions
  // Checks names (letters, digits, '_', '.'), lengths, and 0 <= base < size; at most 62 bits on either side.
  static Expected<LinearLayout> create(std::vector<LinearInput> inputs, std::vector<LinearOutput> outputs);
  // x -> x, x -> 0, for x below `size` (a power of two); zeros have an output of size `out_size`.
  static Expected<LinearLayout> identity(int64_t size, const std::string& input, const std::string& output);
  static Expected<LinearLayout> zeros(int64_t size, const std::string& input, const std::string& output,
                                      int64_t out_size = 1);
  // x -> stride * x; the size of the output is the smallest that holds every value. Both are powers of two.
  static Expected<LinearLayout> strided(int64_t size, int64_t stride, const std::string& input,
                                        const std::string& output);
  // The text form. Errors: "layout text, position 12: expected '(', found 'x'".
  static Expected<LinearLayout> parse(std::string_view text);
  // Indices of `layout` as bits of `inputs` (sizes, first fastest), values as one output whose size is the power of two
  // above the largest.
  static Expected<LinearLayout> from_layout(const ComposedLayout& layout,
                                            const std::vector<std::pair<std::string, int64_t>>& inputs,
                                            const std::string& output);

  const std::vector<LinearInput>& inputs() const { return inputs_; }
  const std::vector<LinearOutput>& outputs() const { return outputs_; }
  int64_t input_size(size_t k) const { return int64_t{1} << inputs_[k].bases.size(); }
  // One coordinate per input dimension -> one per output dimension.
  Expected<std::vector<int64_t>> apply(const std::vector<int64_t>& coordinates) const;

  const integer::F2Map& flat() const { return flat_; }
  int output_bits() const { return output_bits_; }
  Expected<ComposedLayout> to_layout() const { return from_f2(flat_); }

  bool is_surjective() const { return flat_.is_surjective_onto(output_bits_); }
  bool is_injective() const { return flat_.is_injective(); }
  bool is_invertible() const { return is_surjective() && is_injective(); }
  // Per input dimension the bits that can be changed, one at a time, without changing the output because they depend on
  // the other bits: a predicate "these are 0" leaves one owner for each output.
  std::vector<int64_t> free_variable_masks() const;

  // Side by side: shared dimensions grow, `outer` in the bits above this one's (Triton's operator*).
  Expected<LinearLayout> product(const LinearLayout& outer) const;
  // C with this = divisor.product(C), or with this = C.product(divisor); input and output dimensions of the divisor are
  // among this one's. Refused with the base that does not fit.
  Expected<LinearLayout> divide_left(const LinearLayout& divisor) const;
  Expected<LinearLayout> divide_right(const LinearLayout& divisor) const;
  // These input dimensions alone (the others at 0), these output dimensions alone, in the order of this layout.
  Expected<LinearLayout> sublayout(const std::vector<std::string>& inputs,
                                   const std::vector<std::string>& outputs) const;
  // outer ∘ this: outer's input dimensions are this one's output dimensions, of sizes not below them.
  Expected<LinearLayout> compose(const LinearLayout& outer) const;
  // From outputs back to inputs. Refused with two inputs of the same output, or an output that is not reached.
  Expected<LinearLayout> invert() const;
  // A map back for layouts that are onto: one preimage of each output.
  Expected<LinearLayout> pseudoinvert() const;
  // C with this = outer ∘ C (Triton's invertAndCompose): outer onto this one's image.
  Expected<LinearLayout> invert_and_compose(const LinearLayout& outer) const;

  // "{register: (1,0) (2,0); lane: (0,1)} -> {dim0: 4, dim1: 2}"; parse gives it back.
  std::string to_string() const;
  friend bool operator==(const LinearLayout& a, const LinearLayout& b) {
    return a.inputs_ == b.inputs_ && a.outputs_ == b.outputs_;
  }

 private:
  // The layout with these columns, for input sizes in bits.
  static Expected<LinearLayout> from_flat(const integer::F2Map& flat,
                                          const std::vector<std::pair<std::string, int>>& inputs,
                                          std::vector<LinearOutput> outputs);
  Expected<LinearLayout> quotient(const LinearLayout& divisor, bool left) const;
  Expected<LinearLayout> swapped(const integer::F2Map& back) const;
  std::string input_text(uint64_t word) const;

  std::vector<LinearInput> inputs_;
  std::vector<LinearOutput> outputs_;
  integer::F2Map flat_;
  int output_bits_ = 0;
};

}  // namespace tailor::codegen::layout
