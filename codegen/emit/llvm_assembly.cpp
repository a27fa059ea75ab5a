#include "codegen/emit/llvm_assembly.h"

#include <fmt/format.h>
#include <llvm/IR/InlineAsm.h>

namespace tailor::codegen::emit {

using kernel::Format;
using kernel::Type;

llvm::CallInst* Assembly::call(llvm::Type* result, const std::string& text, const std::string& constraints,
                               const Values& operands, bool has_side_effects) {
  std::vector<llvm::Type*> types;
  for (Value operand : operands) types.push_back(operand->getType());
  llvm::FunctionType* signature = llvm::FunctionType::get(result, types, false);
  return b_.CreateCall(signature, llvm::InlineAsm::get(signature, text, constraints, has_side_effects), operands);
}

Assembly::Value Assembly::volatile_call(llvm::Type* result, const std::string& text, const std::string& constraints,
                                        const Values& operands) {
  return call(result, text, constraints, operands, true);
}

Assembly::Value Assembly::pure(llvm::Type* result, const std::string& text, const std::string& constraints,
                               const Values& operands) {
  llvm::CallInst* made = call(result, text, constraints, operands, false);
  made->setDoesNotAccessMemory();
  made->setDoesNotThrow();
  return made;
}

// Pieces of at most 4 bytes, the lowest first.
Assembly::Values Assembly::words_of(Type type, Value bits) {
  Values words;
  if (type == Type::kB128) {
    for (unsigned k = 0; k < 4; ++k) words.push_back(b_.CreateExtractValue(bits, k));
  } else if (type == Type::kB64) {
    llvm::Type* word = b_.getInt32Ty();
    Value both = pure(llvm::StructType::get(b_.getContext(), {word, word}), "mov.b64 {$0, $1}, $2;", "=r,=r,l", {bits});
    words = {b_.CreateExtractValue(both, 0), b_.CreateExtractValue(both, 1)};
  } else {
    words = {bits};
  }
  return words;
}

Assembly::Value Assembly::from_words(Type type, const Values& words) {
  if (type == Type::kB128) {
    llvm::Type* word = b_.getInt32Ty();
    Value whole = llvm::PoisonValue::get(llvm::StructType::get(b_.getContext(), {word, word, word, word}));
    for (unsigned k = 0; k < 4; ++k) whole = b_.CreateInsertValue(whole, words[k], k);
    return whole;
  }
  if (type == Type::kB64) return pure(b_.getInt64Ty(), "mov.b64 $0, {$1, $2};", "=l,r,r", {words[0], words[1]});
  return words[0];
}

Assembly::Values Assembly::halves_of(Value word) {
  llvm::Type* half = b_.getInt16Ty();
  Value both = pure(llvm::StructType::get(b_.getContext(), {half, half}), "mov.b32 {$0, $1}, $2;", "=h,=h,r", {word});
  return {b_.CreateExtractValue(both, 0), b_.CreateExtractValue(both, 1)};
}

// Words, then their halves, then the bytes of these, as far down as the lanes are.
Assembly::Values Assembly::unpack(Type from, Type lane, Value bits) {
  const int lane_bytes = kernel::bytes_of(lane);
  Values parts = words_of(from, bits);
  if (lane_bytes == 8) return {from_words(lane, {parts[0], parts[1]}), from_words(lane, {parts[2], parts[3]})};
  if (lane_bytes < 4 && from != Type::kB16) {
    Values halves;
    for (Value word : parts)
      for (Value half : halves_of(word)) halves.push_back(half);
    parts = std::move(halves);
  }
  if (lane_bytes > 1) return parts;
  Values bytes;
  for (Value half : parts) {
    bytes.push_back(b_.CreateAnd(half, 0xff));
    bytes.push_back(b_.CreateLShr(half, 8));
  }
  return bytes;
}

Assembly::Value Assembly::pack(Type lane, Type to, Values lanes) {
  const auto join_pairs = [&lanes](auto join) {
    for (size_t k = 0; 2 * k < lanes.size(); ++k) lanes[k] = join(lanes[2 * k], lanes[2 * k + 1]);
    lanes.resize(lanes.size() / 2);
  };
  const int lane_bytes = kernel::bytes_of(lane);
  if (lane_bytes == 1) join_pairs([&](Value low, Value high) { return b_.CreateOr(low, b_.CreateShl(high, 8)); });
  if (lane_bytes < 4 && to != Type::kB16) {
    join_pairs([&](Value low, Value high) {
      return pure(b_.getInt32Ty(), "mov.b32 $0, {$1, $2};", "=r,h,h", {low, high});
    });
  }
  if (lane_bytes == 8) {
    Values words;
    for (Value part : lanes)
      for (Value word : words_of(lane, part)) words.push_back(word);
    lanes = std::move(words);
  }
  return from_words(to, lanes);
}

// bf16 is the high half of an f32.
Assembly::Values Assembly::decode_bf16(size_t count, Value bits) {
  Value word = count == 2 ? bits : b_.CreateZExt(bits, b_.getInt32Ty());
  Values values{b_.CreateShl(word, 16)};
  if (count == 2) values.push_back(b_.CreateAnd(word, 0xffff0000u));
  for (Value& value : values) value = b_.CreateBitCast(value, b_.getFloatTy());
  return values;
}

// fp8 goes through a pair of f16, which holds every value of both formats.
Assembly::Values Assembly::decode(Format format, size_t count, Value bits) {
  if (format == Format::kBF16) return decode_bf16(count, bits);
  const bool is_fp8 = kernel::bytes_of(format) == 1;
  if (is_fp8)
    bits = pure(b_.getInt32Ty(), fmt::format("cvt.rn.f16x2.{}x2 $0, $1;", kernel::to_string(format)), "=r,h", {bits});
  const Values halves = is_fp8 || count == 2 ? halves_of(bits) : Values{bits};
  Values values;
  for (size_t k = 0; k < count; ++k)
    values.push_back(pure(b_.getFloatTy(), "cvt.f32.f16 $0, $1;", "=f,h", {halves[k]}));
  return values;
}

// The first source of a pair's conversion is the high one. A single fp8 value is the low one of a pair with zero.
Assembly::Value Assembly::encode(Format format, const Values& f32s) {
  const bool is_fp8 = kernel::bytes_of(format) == 1;
  if (f32s.size() == 1 && !is_fp8)
    return pure(b_.getInt16Ty(), fmt::format("cvt.rn.{}.f32 $0, $1;", kernel::to_string(format)), "=h,f", {f32s[0]});
  Value high = f32s.size() == 2 ? f32s[1] : llvm::ConstantFP::get(b_.getFloatTy(), 0.0);
  return pure(is_fp8 ? b_.getInt16Ty() : b_.getInt32Ty(),
              fmt::format("cvt.rn{}.{}x2.f32 $0, $1, $2;", is_fp8 ? ".satfinite" : "", kernel::to_string(format)),
              is_fp8 ? "=h,f,f" : "=r,f,f", {high, f32s[0]});
}

}  // namespace tailor::codegen::emit
