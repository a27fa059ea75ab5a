// Inline PTX in an LLVM module, and the operations on bits and floats that are made of it. Internal to codegen/emit.
//
// Why assembly: an instruction that states its rounding is not contracted, reassociated or folded by LLVM or ptxas, and
// a `mov` between a register and its halves is one instruction, not a shift and a mask.
//
// Values of type b8 and b16 are i16, of b8 with the upper bits zero; b128 is a struct of four i32.
//
// Ownership: appends to the builder's insertion point. Thread-safety: as the builder's.
#pragma once

#include <string>
#include <vector>

#include <llvm/IR/IRBuilder.h>

#include "codegen/kernel/ir.h"

namespace tailor::codegen::emit {

class Assembly {
 public:
  using Value = llvm::Value*;
  using Values = std::vector<llvm::Value*>;

  explicit Assembly(llvm::IRBuilder<>& builder) : b_(builder) {}

  // Constraints as LLVM's NVPTX has them: h 16 bits, r 32, l 64, f float, b predicate.
  Value volatile_call(llvm::Type* result, const std::string& text, const std::string& constraints,
                      const Values& operands);
  // A function of its operands: may be moved, joined and dropped.
  Value pure(llvm::Type* result, const std::string& text, const std::string& constraints, const Values& operands);

  // The lanes of `bits`, lowest first, and the inverse.
  Values unpack(kernel::Type from, kernel::Type lane, Value bits);
  Value pack(kernel::Type lane, kernel::Type to, Values lanes);

  // One or two f32 out of the bits of a storage format, and into them; PTX's own conversions.
  Values decode(kernel::Format format, size_t count, Value bits);
  Value encode(kernel::Format format, const Values& f32s);

 private:
  llvm::CallInst* call(llvm::Type* result, const std::string& text, const std::string& constraints,
                       const Values& operands, bool has_side_effects);
  Values words_of(kernel::Type type, Value bits);
  Value from_words(kernel::Type type, const Values& words);
  Values halves_of(Value word);
  Values decode_bf16(size_t count, Value bits);

  llvm::IRBuilder<>& b_;
};

}  // namespace tailor::codegen::emit
