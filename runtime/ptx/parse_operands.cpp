// One instruction: its dotted words against the opcode table, its operands against their roles.
#include <bit>
#include <charconv>
#include <cstdlib>

#include <fmt/format.h>

#include "runtime/ptx/parser_impl.h"
#include "runtime/ptx/text_map.h"

namespace tailor::ptx {
namespace {

constexpr unsigned kMaxWords = 24;

struct SpecialNames {
  TextMap<SpecialRegister, 256> map;
  SpecialNames() {
    for (unsigned i = 0; i < static_cast<unsigned>(SpecialRegister::kCount); ++i)
      map.insert(to_string(static_cast<SpecialRegister>(i)), static_cast<SpecialRegister>(i));
  }
};

const SpecialRegister* find_special(std::string_view name) {
  static const SpecialNames names;
  return names.map.find(name);
}

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

// ---- operands

bool Parser::resolve_symbol(const Token& at, SymbolRef& symbol) {
  if (const Binding* b = lookup(at.text)) {
    if (b->kind != Binding::Kind::kSymbol)
      return fail(at, fmt::format("'{}' is not a variable, parameter or function", at.text));
    symbol = b->symbol;
    return true;
  }
  const auto found = globals_.find(at.text);
  if (found == globals_.end()) return fail(at, fmt::format("'{}' is not declared", at.text.substr(0, 96)));
  symbol = found->second;
  return true;
}

// register, special register, WARP_SZ, symbol[+n]; tok_ is the identifier.
bool Parser::parse_identifier_operand(Operand& o) {
  const Token at = tok_;
  advance();
  if (at.text == "_") {
    o.kind = Operand::Kind::kSink;
    return true;
  }
  o.index = find_register(at.text);
  if (o.index != kNoIndex) {
    o.kind = Operand::Kind::kRegister;
    if (tok_.kind != Token::Kind::kDotted) return true;
    static constexpr std::string_view kSelectors[] = {"", ".b0", ".b1", ".b2", ".b3", ".h0", ".h1"};
    for (uint8_t s = 1; s < std::size(kSelectors); ++s)
      if (tok_.is(kSelectors[s])) {
        o.selector = static_cast<Operand::Selector>(s);
        advance();
        return true;
      }
    return expected("',', ';' or a part of the register (.b0 … .b3, .h0, .h1)");
  }
  if (at.text[0] == '%') {
    std::string_view name = at.text;
    const SpecialRegister* special = find_special(name);
    if (!special && tok_.kind == Token::Kind::kDotted && tok_.text.data() == at.text.data() + at.text.size()) {
      name = std::string_view(at.text.data(), at.text.size() + tok_.text.size());
      special = find_special(name);
      if (special) advance();
    }
    if (special) {
      o.kind = Operand::Kind::kSpecial;
      o.special = *special;
      return true;
    }
  }
  if (at.text == "WARP_SZ") {
    o.kind = Operand::Kind::kInteger;
    o.value = 32;
    return true;
  }
  o.kind = Operand::Kind::kSymbol;
  if (!resolve_symbol(at, o.symbol)) return false;
  if (tok_.is('+') || tok_.is('-')) {
    accept('+');
    return parse_integer(o.value, "an offset in bytes");
  }
  return true;
}

// [base], [base+n], [n], [map, {c0, c1}]; tok_ is '['.
bool Parser::parse_address(Operand& o) {
  advance();
  o.kind = Operand::Kind::kAddress;
  if (tok_.kind == Token::Kind::kIdentifier) {
    const Token at = tok_;
    Operand base;
    if (!parse_identifier_operand(base)) return false;
    if (base.kind == Operand::Kind::kRegister && base.selector == Operand::Selector::kNone) {
      o.index = base.index;
      if (tok_.is('+') || tok_.is('-')) {
        accept('+');
        if (!parse_integer(o.value, "an offset in bytes")) return false;
      }
    } else if (base.kind == Operand::Kind::kSymbol) {
      o.symbol = base.symbol;
      o.value = base.value;
    } else {
      return fail(at, fmt::format("'{}' cannot be the base of an address", at.text));
    }
  } else if (!parse_integer(o.value, "a register, variable or number")) {
    return false;
  }
  if (accept(',')) {
    Operand coordinates;
    if (!tok_.is('{')) return expected("'{' and the tensor coordinates");
    if (!parse_vector(coordinates)) return false;
    o.kind = Operand::Kind::kTensor;
    o.first = coordinates.first;
    o.count = coordinates.count;
  }
  return expect(']');
}

// {a, b, …}; tok_ is '{'. Elements are plain; they go to the pool before the instruction's own operands.
bool Parser::parse_vector(Operand& o) {
  advance();
  o.kind = Operand::Kind::kVector;
  o.first = static_cast<uint32_t>(function().operands.size());
  do {
    Operand element;
    if (tok_.is('{')) return expected("a vector element");
    if (!parse_plain_operand(element, false)) return false;
    function().operands.push_back(element);
    ++o.count;
  } while (accept(','));
  return expect('}');
}

bool Parser::parse_plain_operand(Operand& o, bool allow_pair) {
  switch (tok_.kind) {
    case Token::Kind::kNumber:
      return parse_literal(o, "a number");
    case Token::Kind::kIdentifier:
      break;
    default:
      if (tok_.is('-') || tok_.is('+')) return parse_literal(o, "a number");
      if (tok_.is('!')) {
        advance();
        const Token at = tok_;
        if (tok_.kind != Token::Kind::kIdentifier) return expected("a predicate register");
        if (!parse_identifier_operand(o)) return false;
        if (o.kind != Operand::Kind::kRegister || function().register_types[o.index] != Type::kPred)
          return fail(at, fmt::format("'!{}': only a predicate register can be negated", at.text));
        o.negated = true;
        return true;
      }
      return expected("an operand");
  }
  if (!parse_identifier_operand(o)) return false;
  if (!allow_pair || !tok_.is('|')) return true;
  advance();
  Operand second;
  if (tok_.kind != Token::Kind::kIdentifier) return expected("a register or _ after '|'");
  if (!parse_identifier_operand(second)) return false;
  const auto plain = [](const Operand& p) {
    return p.kind == Operand::Kind::kRegister || p.kind == Operand::Kind::kSink;
  };
  if (!plain(o) || !plain(second)) return fail(tok_, "both sides of '|' must be registers or _");
  Operand pair;
  pair.kind = Operand::Kind::kPair;
  pair.first = static_cast<uint32_t>(function().operands.size());
  pair.count = 2;
  function().operands.push_back(o);
  function().operands.push_back(second);
  o = pair;
  return true;
}

bool Parser::parse_operand(OperandRole hint, Operand& o) {
  if (hint == OperandRole::kLabel || hint == OperandRole::kBranchTable) {
    if (tok_.kind != Token::Kind::kIdentifier)
      return expected(hint == OperandRole::kLabel ? "a label" : "a table name");
    if (hint == OperandRole::kLabel) {
      o.kind = Operand::Kind::kLabel;
      LabelUse use;  // its place in the pool is known once the operands are stored
      use.name = tok_.text;
      use.at = tok_;
      scopes_.back().uses.push_back(use);
    } else {
      const Binding* b = lookup(tok_.text);
      if (!b || b->kind != Binding::Kind::kBranchTable) return expected("the name of a .branchtargets list");
      o.kind = Operand::Kind::kBranchTable;
      o.index = b->index;
    }
    advance();
    return true;
  }
  if (tok_.is('[')) return parse_address(o);
  if (tok_.is('{')) return parse_vector(o);
  return parse_plain_operand(o, true);
}

bool Parser::operand_fits(const Operand& o, OperandRole role) const {
  using Kind = Operand::Kind;
  const auto is_target = [](const Operand& p) {
    return (p.kind == Kind::kRegister && !p.negated) || p.kind == Kind::kSink;
  };
  switch (role) {
    case OperandRole::kWritten:
    case OperandRole::kUpdated:
      if (o.kind == Kind::kVector || o.kind == Kind::kPair) {
        for (const Operand& e : function().elements(o))
          if (!is_target(e)) return false;
        return true;
      }
      return is_target(o);
    case OperandRole::kRead:
      if (o.kind == Kind::kVector) {
        for (const Operand& e : function().elements(o))
          if (e.kind == Kind::kSink) return false;
        return true;
      }
      return o.kind == Kind::kRegister || o.kind == Kind::kInteger || o.kind == Kind::kFloat ||
             o.kind == Kind::kFloat32 || o.kind == Kind::kSpecial || o.kind == Kind::kSymbol;
    case OperandRole::kMemory:
      return o.kind == Kind::kAddress;
    case OperandRole::kTensor:
      return o.kind == Kind::kTensor;
    case OperandRole::kLabel:
      return o.kind == Kind::kLabel;
    case OperandRole::kBranchTable:
      return o.kind == Kind::kBranchTable;
    case OperandRole::kCall:
      return true;
  }
  return false;
}

bool Parser::match_operands(const Token& first, const Instruction& i) {
  const OpcodeGrammar& g = grammar(i.opcode);
  for (const OperandAlternative& a : g.alternatives) {
    if (operands_.size() < a.required || operands_.size() > a.roles.size()) continue;
    bool fits = true;
    for (size_t n = 0; n < operands_.size() && fits; ++n) fits = operand_fits(operands_[n], a.roles[n]);
    if (fits) return true;
  }
  return fail(first, fmt::format("{} was given {} operand{} that do not match; it takes {}", to_string(i.opcode),
                                 operands_.size(), operands_.size() == 1 ? "" : "s", describe_operands(i.opcode)));
}

// call (results), callee, (arguments), prototype — everything but the callee may be left out.
bool Parser::parse_call_list(Operand& list) {
  list.kind = Operand::Kind::kVector;
  list.first = static_cast<uint32_t>(function().operands.size());
  if (!tok_.is('(')) return true;
  advance();
  while (!tok_.is(')')) {
    Operand o;
    if (!parse_plain_operand(o, false)) return false;
    function().operands.push_back(o);
    ++list.count;
    if (!accept(',')) break;
  }
  return expect(')');
}

bool Parser::parse_call() {
  Operand results, callee, arguments;
  const bool has_results = tok_.is('(');
  if (!parse_call_list(results)) return false;
  if (has_results && !expect(',')) return false;
  if (tok_.kind != Token::Kind::kIdentifier) return expected("a function or a register that holds its address");
  const Token at = tok_;
  if (!parse_identifier_operand(callee)) return false;
  const bool direct = callee.kind == Operand::Kind::kSymbol && callee.symbol.kind == SymbolRef::Kind::kFunction;
  if (!direct && callee.kind != Operand::Kind::kRegister)
    return fail(at, fmt::format("'{}' is neither a function nor a register", at.text));
  arguments.kind = Operand::Kind::kVector;
  arguments.first = static_cast<uint32_t>(function().operands.size());
  Operand prototype;
  bool comma = accept(',');
  if (comma && tok_.is('(')) {
    if (!parse_call_list(arguments)) return false;
    comma = accept(',');
  }
  if (comma) {
    if (tok_.kind != Token::Kind::kIdentifier) return expected("a .callprototype or .calltargets name");
    const Binding* b = lookup(tok_.text);
    if (b && b->kind == Binding::Kind::kPrototype)
      prototype.kind = Operand::Kind::kPrototype;
    else if (b && b->kind == Binding::Kind::kCallTargets)
      prototype.kind = Operand::Kind::kCallTargets;
    else
      return expected("the name of a .callprototype or .calltargets");
    prototype.index = b->index;
    advance();
  } else if (!direct) {
    return expected("',' and a .callprototype or .calltargets: the call is indirect");
  }
  operands_ = {results, callee, arguments};
  if (comma) operands_.push_back(prototype);
  return true;
}

bool Parser::parse_instruction(const Token& first, Instruction i) {
  i.text_line = first.line;
  i.location = location_;
  if (!parse_words(first, i)) return false;
  operands_.clear();
  const std::vector<OperandRole>& hints = grammar(i.opcode).alternatives[0].roles;
  const bool call = i.opcode == Opcode::kCall;
  const size_t label_uses = scopes_.back().uses.size();
  if (call) {
    if (!parse_call()) return false;
  } else if (!tok_.is(';')) {
    do {
      Operand o;
      const OperandRole hint = operands_.size() < hints.size() ? hints[operands_.size()] : OperandRole::kRead;
      if (!parse_operand(hint, o)) return false;
      operands_.push_back(o);
      if (operands_.size() > 64) return expected("';': this instruction already has too many operands");
    } while (accept(','));
  }
  if (!tok_.is(';')) return expected("',' or ';'");
  if (!call && !match_operands(first, i)) return false;
  Function& f = function();
  i.first_operand = static_cast<uint32_t>(f.operands.size());
  i.operand_count = static_cast<uint16_t>(operands_.size());
  for (size_t u = label_uses; u < scopes_.back().uses.size(); ++u)
    scopes_.back().uses[u].operand = i.first_operand;  // a label is always the first operand
  f.operands.insert(f.operands.end(), operands_.begin(), operands_.end());
  f.instructions.push_back(i);
  advance();
  return true;
}

}  // namespace tailor::ptx
