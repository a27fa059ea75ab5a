// Private: the opcode table compiled into look-up form. Built once, on first use, from constant data; then read-only.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/ptx/opcodes.h"

namespace tailor::ptx {

// A dotted word: one numbering over all kinds, so that legal words of an opcode are one array.
enum class WordKind : uint8_t { kType, kSpace, kHint, kModifier, kVector, kShape };

struct Word {
  WordKind kind = WordKind::kModifier;
  uint8_t value = 0;  // Type, Space, CacheHint, Modifier, or vector width
  uint16_t id = 0;    // position in the numbering
};

inline constexpr unsigned kTypeCount = static_cast<unsigned>(Type::kNone);
inline constexpr unsigned kSpaceBase = kTypeCount;
inline constexpr unsigned kSpaceCount = static_cast<unsigned>(Space::kParamFunc) + 1;
inline constexpr unsigned kHintBase = kSpaceBase + kSpaceCount;
inline constexpr unsigned kHintCount = static_cast<unsigned>(CacheHint::kL2Fetch256B) + 1;
inline constexpr unsigned kModifierBase = kHintBase + kHintCount;
inline constexpr unsigned kModifierCount = static_cast<unsigned>(Modifier::kMatrixD) + 1;
inline constexpr unsigned kVectorBase = kModifierBase + kModifierCount;  // v2, v4
inline constexpr unsigned kShapeWord = kVectorBase + 2;
inline constexpr unsigned kWordCount = kShapeWord + 1;
static_assert(kModifierCount <= 192, "ModifierSet holds 192");

constexpr Word word_of(Type t) { return {WordKind::kType, static_cast<uint8_t>(t), static_cast<uint16_t>(t)}; }
constexpr Word word_of(Space s) {
  return {WordKind::kSpace, static_cast<uint8_t>(s), static_cast<uint16_t>(kSpaceBase + static_cast<unsigned>(s))};
}
constexpr Word word_of(CacheHint h) {
  return {WordKind::kHint, static_cast<uint8_t>(h), static_cast<uint16_t>(kHintBase + static_cast<unsigned>(h))};
}
constexpr Word word_of(Modifier m) {
  return {WordKind::kModifier, static_cast<uint8_t>(m),
          static_cast<uint16_t>(kModifierBase + static_cast<unsigned>(m))};
}
constexpr Word word_of_vector(unsigned width) {
  return {WordKind::kVector, static_cast<uint8_t>(width), static_cast<uint16_t>(kVectorBase + (width == 4))};
}

// False when the text (without its dot) is no PTX word at all.
bool find_word(std::string_view text, Word& word);
std::string_view text_of(const Word& word);

struct OperandAlternative {
  std::vector<OperandRole> roles;
  unsigned required = 0;  // the first so many must be there
};

struct OpcodeGrammar {
  static constexpr unsigned kMaxGroups = 32;

  // Bit g of containing[w]: word w belongs to group g.
  std::array<uint32_t, kWordCount> containing{};
  uint32_t required = 0;                      // groups that must be filled
  std::vector<std::vector<uint16_t>> groups;  // word ids, in printing order
  std::vector<OperandAlternative> alternatives;
  bool has_compare = false;  // some group lists comparison words as comparisons
};

const OpcodeGrammar& grammar(Opcode opcode);
Word word_from_id(uint16_t id);

// Longest mnemonic at the beginning of a list of dotted words. `words` are the pieces between dots.
struct MnemonicMatch {
  Opcode opcode = Opcode::kCount;  // kCount: none
  unsigned words = 0;              // how many pieces the mnemonic took
};
MnemonicMatch find_mnemonic(const std::string_view* words, unsigned count);

// "one of .rn .rz .rm .rp; .ftz; …": what the opcode takes, for error messages.
std::string describe_words(Opcode opcode);
// "d, a, b[, c]" style description of the operands, for error messages.
std::string describe_operands(Opcode opcode);

}  // namespace tailor::ptx
