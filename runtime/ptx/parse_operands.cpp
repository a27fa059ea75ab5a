// The operands of one instruction against their roles in the opcode table.
#include <fmt/format.h>

#include "runtime/ptx/parser_impl.h"
#include "runtime/ptx/text_map.h"

namespace tailor::ptx {
namespace {

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

}  // namespace

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
