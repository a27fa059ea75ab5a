// Numbers, and the dotted words of an instruction against the opcode table.
#include <bit>
#include <charconv>

#include <fmt/format.h>

#include "runtime/ptx/parser_impl.h"

namespace tailor::ptx {
namespace {

constexpr unsigned kMaxWords = 24;

// m16n8k16 or m8n8
bool parse_shape(std::string_view text, Shape& shape) {
  const char* at = text.data();
  const char* end = at + text.size();
  const auto dimension = [&](char letter, uint16_t& value) {
    if (at == end || *at != letter) return false;
    const auto [stop, error] = std::from_chars(at + 1, end, value);
    if (error != std::errc() || value == 0) return false;
    at = stop;
    return true;
  };
  if (!dimension('m', shape.m) || !dimension('n', shape.n)) return false;
  return at == end || (dimension('k', shape.k) && at == end);
}

// The exact value of hex digits as a float's bits: 0f3F800000 has 8, 0d3FF0000000000000 has 16.
bool hex_bits(std::string_view digits, size_t width, int64_t& value) {
  if (digits.size() != width) return false;
  uint64_t bits = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits, 16);
  if (error != std::errc() || stop != digits.data() + digits.size()) return false;
  value = static_cast<int64_t>(bits);
  return true;
}

}  // namespace

// ---- numbers

bool Parser::number_bits(const Token& at, Operand& operand) {
  std::string_view t = at.text;
  const char second = t.size() > 1 && t[0] == '0' ? static_cast<char>(t[1] | 0x20) : '\0';
  operand.kind = Operand::Kind::kInteger;
  if (second == 'f') {
    operand.kind = Operand::Kind::kFloat32;
    return hex_bits(t.substr(2), 8, operand.value) || fail(at, "a 0f value has 8 hexadecimal digits");
  }
  if (second == 'd') {
    operand.kind = Operand::Kind::kFloat;
    return hex_bits(t.substr(2), 16, operand.value) || fail(at, "a 0d value has 16 hexadecimal digits");
  }
  const bool fraction = second != 'x' && t.find_first_of(".eE") != std::string_view::npos;
  if (fraction) {
    double value = 0;
    const auto [stop, error] = std::from_chars(t.data(), t.data() + t.size(), value);
    if (error != std::errc() || stop != t.data() + t.size()) return fail(at, fmt::format("'{}' is not a number", t));
    operand.kind = Operand::Kind::kFloat;
    operand.value = std::bit_cast<int64_t>(value);
    return true;
  }
  if (t.back() == 'U' || t.back() == 'u') t.remove_suffix(1);
  int base = 10;
  if (second == 'x') {
    base = 16;
    t.remove_prefix(2);
  } else if (second == 'b') {
    base = 2;
    t.remove_prefix(2);
  } else if (t.size() > 1 && t[0] == '0') {
    base = 8;
    t.remove_prefix(1);
  }
  uint64_t bits = 0;
  const auto [stop, error] = std::from_chars(t.data(), t.data() + t.size(), bits, base);
  if (error == std::errc::result_out_of_range) return fail(at, fmt::format("'{}' does not fit 64 bits", at.text));
  if (error != std::errc() || stop != t.data() + t.size())
    return fail(at, fmt::format("'{}' is not a number", at.text.substr(0, 48)));
  operand.value = static_cast<int64_t>(bits);
  return true;
}

bool Parser::parse_literal(Operand& operand, std::string_view what) {
  const bool minus = accept('-');
  if (!minus) accept('+');
  if (tok_.kind != Token::Kind::kNumber) return expected(what);
  if (!number_bits(tok_, operand)) return false;
  advance();
  if (minus) {
    if (operand.kind == Operand::Kind::kInteger)
      operand.value = static_cast<int64_t>(0 - static_cast<uint64_t>(operand.value));
    else if (operand.kind == Operand::Kind::kFloat)
      operand.value = static_cast<int64_t>(static_cast<uint64_t>(operand.value) ^ (uint64_t{1} << 63));
    else
      operand.value ^= int64_t{1} << 31;
  }
  return true;
}

bool Parser::parse_integer(int64_t& value, std::string_view what) {
  const Token at = tok_;
  Operand o;
  if (!parse_literal(o, what)) return false;
  if (o.kind != Operand::Kind::kInteger) return fail(at, fmt::format("found a float, expected {}", what));
  value = o.value;
  return true;
}

bool Parser::parse_unsigned(uint64_t& value, std::string_view what) {
  if (tok_.kind != Token::Kind::kNumber) return expected(what);
  int64_t bits = 0;
  if (!parse_integer(bits, what)) return false;
  value = static_cast<uint64_t>(bits);
  return true;
}

bool Parser::parse_small(uint32_t& value, std::string_view what) {
  const Token at = tok_;
  uint64_t wide = 0;
  if (!parse_unsigned(wide, what)) return false;
  if (wide > 0x7FFFFFFF) return fail(at, fmt::format("{} is too large for {}", wide, what));
  value = static_cast<uint32_t>(wide);
  return true;
}

// ---- words

bool Parser::store_word(const Word& word, std::string_view text, const Token& at, Instruction& i) {
  switch (word.kind) {
    case WordKind::kType:
      if (i.type_count == i.types.size()) return fail(at, fmt::format("'.{}' is one type too many", text));
      i.types[i.type_count++] = static_cast<Type>(word.value);
      return true;
    case WordKind::kSpace:
      (i.space == Space::kGeneric ? i.space : i.second_space) = static_cast<Space>(word.value);
      return true;
    case WordKind::kHint:
      for (CacheHint& slot : i.hints)
        if (slot == CacheHint::kNone) {
          slot = static_cast<CacheHint>(word.value);
          return true;
        }
      return fail(at, fmt::format("'.{}' is one cache hint too many", text));
    case WordKind::kVector:
      i.vector_width = word.value;
      return true;
    case WordKind::kShape:
      return parse_shape(text, i.shape) || fail(at, fmt::format("'.{}' is not a matrix shape", text));
    case WordKind::kModifier:
      break;
  }
  const auto m = static_cast<Modifier>(word.value);
  i.modifiers.insert(m);
  switch (group_of(m)) {
    case ModifierGroup::kRounding:
      i.rounding = m;
      break;
    case ModifierGroup::kSemantics:
      i.semantics = m;
      break;
    case ModifierGroup::kScope:
      i.scope = m;
      break;
    case ModifierGroup::kCompare:
      if (grammar(i.opcode).has_compare) i.compare = m;
      break;
    case ModifierGroup::kOperation:
      if (i.operation == Modifier::kNone || m < i.operation) i.operation = m;  // `.and.popc`, in either order: and
      break;
    case ModifierGroup::kOther:
      break;
  }
  return true;
}

// Puts one word into the first free group that has it. Types and spaces may only move to later groups (`ordered` is the
// last group such a word took, plus one), since their order carries meaning.
bool Parser::place_word(std::string_view text, const Token& at, Instruction& i, uint32_t& filled, unsigned& ordered) {
  const OpcodeGrammar& g = grammar(i.opcode);
  Word word;
  if (!find_word(text, word)) {
    Shape shape;
    if (!parse_shape(text, shape))
      return fail(at, fmt::format("'.{}' is not a word of PTX for sm_80 to sm_90a; {} takes {}", text,
                                  to_string(i.opcode), describe_words(i.opcode)));
    word = word_from_id(kShapeWord);
  }
  const bool keeps_order = word.kind == WordKind::kType || word.kind == WordKind::kSpace;
  const auto candidates = [&](const Word& w) {
    const uint32_t free = g.containing[w.id] & ~filled;
    return keeps_order ? free & ~((uint32_t{1} << ordered) - 1) : free;
  };
  uint32_t groups = candidates(word);
  if (groups == 0 && word.kind == WordKind::kModifier) {  // the second `.row` / `.col`
    if (word.value == static_cast<uint8_t>(Modifier::kRow)) word = word_of(Modifier::kRowB);
    if (word.value == static_cast<uint8_t>(Modifier::kCol)) word = word_of(Modifier::kColB);
    groups = candidates(word);
  }
  if (groups == 0) {
    if (g.containing[word.id] == 0)
      return fail(
          at, fmt::format("{} does not take '.{}'; it takes {}", to_string(i.opcode), text, describe_words(i.opcode)));
    return fail(at, fmt::format("'.{}' is out of order, given twice, or excluded by another word of {}; it takes {}",
                                text, to_string(i.opcode), describe_words(i.opcode)));
  }
  const auto group = static_cast<unsigned>(std::countr_zero(groups));
  filled |= uint32_t{1} << group;
  if (keeps_order) ordered = group + 1;
  return store_word(word, text, at, i);
}

bool Parser::parse_words(const Token& first, Instruction& i) {
  std::string_view words[kMaxWords];
  Token tokens[kMaxWords];
  unsigned count = 1;
  words[0] = first.text;
  for (; tok_.kind == Token::Kind::kDotted; advance()) {
    if (count == kMaxWords) return expected("an operand: this instruction already has too many dotted words");
    tokens[count] = tok_;
    words[count++] = tok_.text.substr(1);
  }
  const MnemonicMatch match = find_mnemonic(words, count);
  if (match.opcode == Opcode::kCount)
    return fail(first, fmt::format("'{}{}{}' is not an instruction known here", first.text.substr(0, 48),
                                   count > 1 ? "." : "", count > 1 ? words[1].substr(0, 48) : ""));
  i.opcode = match.opcode;
  uint32_t filled = 0;
  unsigned ordered = 0;
  for (unsigned w = match.words; w < count; ++w)
    if (!place_word(words[w], tokens[w], i, filled, ordered)) return false;
  // Hints may be written in any order except in createpolicy, where the order is meaning; keep the table's.
  const OpcodeGrammar& g = grammar(i.opcode);
  if (i.hints[1] != CacheHint::kNone && i.opcode != Opcode::kCreatePolicyFractional &&
      i.opcode != Opcode::kCreatePolicyRange) {
    std::array<CacheHint, 4> sorted{};
    unsigned n = 0;
    for (const auto& group : g.groups)
      for (uint16_t id : group) {
        const Word w = word_from_id(id);
        if (w.kind == WordKind::kHint && i.has(static_cast<CacheHint>(w.value)))
          sorted[n++] = static_cast<CacheHint>(w.value);
      }
    i.hints = sorted;
  }
  if (const uint32_t missing = g.required & ~filled) {
    const auto group = static_cast<size_t>(std::countr_zero(missing));
    std::string choices;
    for (uint16_t id : g.groups[group])
      choices += fmt::format("{}.{}", choices.empty() ? "" : " ", text_of(word_from_id(id)));
    return fail(first, fmt::format("{} lacks one of {}", to_string(i.opcode), choices));
  }
  return true;
}

}  // namespace tailor::ptx
