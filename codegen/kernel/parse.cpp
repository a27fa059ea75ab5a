#include <cctype>
#include <charconv>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>

#include "codegen/kernel/rules.h"
#include "codegen/kernel/text.h"

namespace tailor::codegen::kernel {
namespace {

enum class TokenKind : uint8_t { kEnd, kWord, kValue, kEntry, kInteger, kString, kPunctuation, kBad };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;  // without the % or @; of a string, between its quotes
  int line = 1;
  int column = 1;
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Token next() {
    skip_space();
    Token token;
    token.line = line_;
    token.column = static_cast<int>(at_ - line_start_) + 1;
    if (at_ == text_.size()) return token;
    char c = text_[at_];
    if (c == '%' || c == '@') {
      ++at_;
      token.kind = c == '%' ? TokenKind::kValue : TokenKind::kEntry;
      token.text = word();
      if (token.text.empty()) token.kind = TokenKind::kBad;
    } else if (rules::is_identifier_start(c)) {
      token.kind = TokenKind::kWord;
      token.text = word();
    } else if ((c >= '0' && c <= '9') || c == '-') {
      size_t begin = at_++;
      if (c == '0' && at_ < text_.size() && text_[at_] == 'x') {
        ++at_;
        while (at_ < text_.size() && std::isxdigit(static_cast<unsigned char>(text_[at_]))) ++at_;
      }
      while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
      token.kind = TokenKind::kInteger;
      token.text = text_.substr(begin, at_ - begin);
    } else if (c == '"') {
      size_t begin = ++at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n') at_ += text_[at_] == '\\' ? 2 : 1;
      if (at_ >= text_.size() || text_[at_] != '"') {
        at_ = std::min(at_, text_.size());
        token.kind = TokenKind::kBad;
      } else {
        token.kind = TokenKind::kString;
        token.text = text_.substr(begin, at_++ - begin);
      }
    } else if (std::string_view("(){},:=").find(c) != std::string_view::npos) {
      token.kind = TokenKind::kPunctuation;
      token.text = text_.substr(at_++, 1);
    } else {
      token.kind = TokenKind::kBad;
      token.text = text_.substr(at_++, 1);
    }
    return token;
  }

 private:
  void skip_space() {
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (c == '\n') {
        ++line_;
        line_start_ = ++at_;
      } else if (c == ' ' || c == '\t' || c == '\r') {
        ++at_;
      } else if (c == '/' && at_ + 1 < text_.size() && text_[at_ + 1] == '/') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else {
        return;
      }
    }
  }
  std::string_view word() {
    size_t begin = at_;
    while (at_ < text_.size() && rules::is_identifier_part(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t line_start_ = 0;
  int line_ = 1;
};

// The number of `text` in an X-macro enumeration.
template <class Enum>
std::optional<Enum> find_name(std::string_view text, std::initializer_list<std::string_view> names) {
  uint8_t index = 0;
  for (std::string_view name : names) {
    if (name == text) return static_cast<Enum>(index);
    ++index;
  }
  return std::nullopt;
}

std::optional<Type> find_type(std::string_view text) {
#define X(name, text, bytes) text,
  return find_name<Type>(text, {TAILOR_KERNEL_TYPES(X)});
#undef X
}
std::optional<Op> find_op(std::string_view text) {
#define X(name, text, operands, results) text,
  return find_name<Op>(text, {TAILOR_KERNEL_OPS(X)});
#undef X
}
std::optional<Compare> find_compare(std::string_view text) {
#define X(name, text) text,
  return find_name<Compare>(text, {TAILOR_KERNEL_COMPARES(X)});
#undef X
}
std::optional<Special> find_special(std::string_view text) {
#define X(name, text) text,
  return find_name<Special>(text, {TAILOR_KERNEL_SPECIALS(X)});
#undef X
}

std::optional<Format> find_format(std::string_view text) {
#define X(name, text, bytes) text,
  return find_name<Format>(text, {TAILOR_KERNEL_FORMATS(X)});
#undef X
}

// Recursive descent. Every method returns false after `fail` recorded the first error.
class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) { token_ = lexer_.next(); }

  Expected<Program> run() {
    if (!program()) return invalid_argument(std::move(error_));
    return std::move(program_);
  }

 private:
  bool fail(const Token& where, std::string message) {
    if (error_.empty()) error_ = fmt::format("{}:{}: {}", where.line, where.column, message);
    return false;
  }
  static std::string shown(const Token& token) {
    if (token.kind == TokenKind::kEnd) return "the end of the text";
    return fmt::format("'{}'", token.text.substr(0, 40));
  }
  bool expected(std::string_view what) { return fail(token_, fmt::format("expected {}, got {}", what, shown(token_))); }

  void advance() { token_ = lexer_.next(); }
  bool is(TokenKind kind, std::string_view text) const { return token_.kind == kind && token_.text == text; }
  bool is_word(std::string_view text) const { return is(TokenKind::kWord, text); }
  bool is_punctuation(std::string_view text) const { return is(TokenKind::kPunctuation, text); }
  bool accept(std::string_view text) {
    if (!is_word(text) && !is_punctuation(text)) return false;
    advance();
    return true;
  }
  bool expect(std::string_view text) { return accept(text) || expected(fmt::format("'{}'", text)); }

  bool integer(int64_t& value, int64_t lo = INT64_MIN, int64_t hi = INT64_MAX) {
    if (token_.kind != TokenKind::kInteger) return expected("an integer");
    const char* end = token_.text.data() + token_.text.size();
    const bool is_hexadecimal = token_.text.starts_with("0x");
    auto [stop, error] =
        std::from_chars(token_.text.data() + (is_hexadecimal ? 2 : 0), end, value, is_hexadecimal ? 16 : 10);
    if (error != std::errc() || stop != end || value < lo || value > hi)
      return fail(token_, fmt::format("integer {} is not in [{}, {}]", token_.text, lo, hi));
    advance();
    return true;
  }
  bool string(std::string& value) {
    if (token_.kind != TokenKind::kString) return expected("a string in double quotes");
    std::string_view s = token_.text;
    for (size_t i = 0; i < s.size(); ++i) {
      if (s[i] != '\\') {
        value += s[i];
      } else if (i + 1 < s.size() && (s[i + 1] == '"' || s[i + 1] == '\\')) {
        value += s[++i];
      } else {
        unsigned byte = 0;
        if (i + 3 >= s.size() || s[i + 1] != 'x' ||
            std::from_chars(s.data() + i + 2, s.data() + i + 4, byte, 16).ptr != s.data() + i + 4)
          return fail(token_, "escapes in strings are \\\", \\\\ and \\x with two hexadecimal digits");
        value += static_cast<char>(byte);
        i += 3;
      }
    }
    advance();
    return true;
  }
  bool type(Type& result) {
    std::optional<Type> found = token_.kind == TokenKind::kWord ? find_type(token_.text) : std::nullopt;
    if (!found) return expected("a type");
    result = *found;
    advance();
    return true;
  }

  bool define(const Token& name, Type t, ValueId& id) {
    if (!names_.try_emplace(name.text, static_cast<ValueId>(program_.values.size())).second)
      return fail(name, fmt::format("%{} is defined twice", name.text));
    program_.values.push_back({t, std::string(name.text)});
    id = static_cast<ValueId>(program_.values.size() - 1);
    return true;
  }
  bool value_name(Token& name) {
    if (token_.kind != TokenKind::kValue) return expected("a value (%name)");
    if (!rules::is_value_name(token_.text)) return fail(token_, fmt::format("%{} is not a value name", token_.text));
    name = token_;
    advance();
    return true;
  }
  bool use(std::vector<ValueId>& operands) {
    Token name;
    if (!value_name(name)) return false;
    auto found = names_.find(name.text);
    if (found == names_.end()) return fail(name, fmt::format("%{} is used before it is defined", name.text));
    operands.push_back(found->second);
    return true;
  }
  bool uses(std::vector<ValueId>& operands) {
    do {
      if (!use(operands)) return false;
    } while (accept(","));
    return true;
  }
  Type type_of(const std::vector<ValueId>& operands, size_t i) const {
    return i < operands.size() ? program_.type_of(operands[i]) : Type::kI32;
  }

  bool program() {
    if (!expect("kernel")) return false;
    if (token_.kind != TokenKind::kEntry) return expected("an entry name (@name)");
    program_.entry = std::string(token_.text);
    advance();
    if (!expect("(")) return false;
    if (!accept(")")) {
      do {
        if (!parameter()) return false;
      } while (accept(","));
      if (!expect(")")) return false;
    }
    int64_t threads = 0;
    int64_t shared = 0;
    if (!expect("block") || !integer(threads, 0, UINT32_MAX)) return false;
    if (accept("shared") && !integer(shared, 0, UINT32_MAX)) return false;
    if (!expect("{")) return false;
    program_.block_threads = static_cast<uint32_t>(threads);
    program_.shared_bytes = static_cast<uint32_t>(shared);
    while (accept("access")) {
      int64_t expected_id = static_cast<int64_t>(program_.accesses.size()) + 1;
      int64_t id = 0;
      Access access;
      if (!integer(id, expected_id, expected_id) || !string(access.operand) || !string(access.what)) return false;
      program_.accesses.push_back(std::move(access));
    }
    if (!instructions(program_.body, 0)) return false;
    if (token_.kind != TokenKind::kEnd) return expected("the end of the text after the kernel's '}'");
    return true;
  }

  bool parameter() {
    Token name;
    Type t{};
    Parameter parameter;
    if (!value_name(name) || !expect(":") || !type(t) || !define(name, t, parameter.value)) return false;
    parameter.read_only = accept("readonly");
    program_.parameters.push_back(parameter);
    return true;
  }

  // Instructions up to and with the closing brace.
  bool instructions(Region& region, int depth) {
    if (depth > rules::kMaxNesting) return fail(token_, fmt::format("regions nest deeper than {}", rules::kMaxNesting));
    while (!accept("}")) {
      Instruction instruction;
      if (!this->instruction(instruction, depth)) return false;
      region.body.push_back(std::move(instruction));
    }
    return true;
  }
  bool block(Region& region, int depth) { return expect("{") && instructions(region, depth + 1); }

  bool instruction(Instruction& i, int depth) {
    std::vector<Token> results;
    Token start = token_;
    if (token_.kind == TokenKind::kValue) {
      do {
        if (!value_name(results.emplace_back())) return false;
      } while (accept(","));
      if (!expect("=")) return false;
    }
    if (token_.kind != TokenKind::kWord) return expected("an instruction");
    Token word = token_;
    std::optional<Op> op = find_op(word.text);
    if (!op && word.text.substr(0, 4) == "cmp.") {
      std::optional<Compare> relation = find_compare(word.text.substr(4));
      if (!relation) return fail(word, fmt::format("'{}' is not a relation", word.text.substr(4)));
      op = Op::kCompare;
      i.compare = *relation;
    } else if (!op && (word.text.starts_with("decode.") || word.text.starts_with("encode."))) {
      std::optional<Format> format = find_format(word.text.substr(7));
      if (!format) return fail(word, fmt::format("'{}' is not a storage format", word.text.substr(7)));
      op = word.text.starts_with("decode.") ? Op::kDecode : Op::kEncode;
      i.format = *format;
    } else if (!op || *op == Op::kCompare || *op == Op::kDecode || *op == Op::kEncode) {
      return fail(word, fmt::format("'{}' is not an instruction", word.text));
    }
    i.op = *op;
    advance();

    std::vector<Type> types;
    if (!rest(i, depth, types)) return false;
    if (int wanted = result_count(i.op); wanted >= 0) types.resize(static_cast<size_t>(wanted));
    if (types.size() != results.size())
      return fail(start, fmt::format("'{}' has {} results, not {}", to_string(i.op), types.size(), results.size()));
    for (size_t k = 0; k < results.size(); ++k) {
      if (!define(results[k], types[k], i.results.emplace_back())) return false;
    }
    return true;
  }

  // What follows the op's name; `types` are those of the results.
  bool rest(Instruction& i, int depth, std::vector<Type>& types) {
    switch (i.op) {
      case Op::kConstant: {
        Type t{};
        if (!type(t)) return false;
        types = {t};
        return integer(i.immediate);
      }
      case Op::kSpecial: {
        std::optional<Special> found = token_.kind == TokenKind::kWord ? find_special(token_.text) : std::nullopt;
        if (!found) return expected("a special register");
        i.special = *found;
        types = {Type::kI32};
        advance();
        return true;
      }
      case Op::kShared:
        types = {Type::kSptr};
        return true;
      case Op::kBarrier:
        return true;
      case Op::kBitcast:
        types.emplace_back();
        return type(types[0]) && use(i.operands);
      case Op::kUnpack: {
        Type lane{};
        if (!type(lane) || !use(i.operands)) return false;
        const int bytes = bytes_of(lane);
        types.assign(bytes == 0 ? 1 : static_cast<size_t>(bytes_of(type_of(i.operands, 0)) / bytes), lane);
        return true;
      }
      case Op::kDecode:
        if (!use(i.operands)) return false;
        types.assign(static_cast<size_t>(bytes_of(type_of(i.operands, 0)) / bytes_of(i.format)), Type::kF32);
        return true;
      case Op::kLoad:
      case Op::kStore:
      case Op::kAtomicMaxU64:
        types = {Type::kI32};
        return memory(i, types[0]);
      case Op::kFor:
        return for_loop(i, depth, types);
      case Op::kWhile:
        return while_loop(i, depth, types);
      case Op::kIf:
        return if_else(i, depth, types);
      case Op::kYield:
        // It ends its region: what follows is its list or the closing brace.
        return token_.kind != TokenKind::kValue || uses(i.operands);
      default:
        if (!uses(i.operands)) return false;
        if (operand_count(i.op) >= 0 && i.operands.size() != static_cast<size_t>(operand_count(i.op)))
          return fail(token_, fmt::format("'{}' takes {} operands, not {}", to_string(i.op), operand_count(i.op),
                                          i.operands.size()));
        types = {result_type(i)};
        return true;
    }
  }

  Type result_type(const Instruction& i) const {
    switch (i.op) {
      case Op::kCompare:
        return Type::kPred;
      case Op::kSelect:
        return type_of(i.operands, 1);
      case Op::kSignExtend:
        return Type::kI64;
      case Op::kZeroExtend:
        return type_of(i.operands, 0) == Type::kI32 ? Type::kI64 : Type::kI32;
      case Op::kPack:
        return bits_type(bytes_of(type_of(i.operands, 0)) * static_cast<int>(i.operands.size()));
      case Op::kEncode:
        return bits_type(bytes_of(i.format) * static_cast<int>(i.operands.size()));
      case Op::kTruncate:
        return Type::kI32;
      default:
        return type_of(i.operands, 0);
    }
  }

  bool memory(Instruction& i, Type& result) {
    i.memory_type = Type::kI64;
    if (i.op != Op::kAtomicMaxU64 && !type(i.memory_type)) return false;
    result = i.memory_type;
    if (!use(i.operands)) return false;
    if (i.op != Op::kLoad && (!expect(",") || !use(i.operands))) return false;
    if (i.op != Op::kAtomicMaxU64 && accept("if")) {
      i.guarded = true;
      if (!use(i.operands)) return false;
    }
    int64_t align = 0;
    int64_t access = 0;
    if (!expect("align") || !integer(align, 0, UINT16_MAX) || !expect("access") || !integer(access, 0, UINT16_MAX))
      return false;
    i.align = static_cast<uint16_t>(align);
    i.access = static_cast<uint16_t>(access);
    i.read_only = i.op == Op::kLoad && accept("readonly");
    return true;
  }

  // inits = %argument "=" %initial {"," …}: initial values become operands, arguments region 0's.
  bool inits(Instruction& i) {
    std::vector<std::pair<Token, Type>> arguments;
    do {
      Token name;
      if (!value_name(name) || !expect("=") || !use(i.operands)) return false;
      arguments.emplace_back(name, program_.type_of(i.operands.back()));
    } while (accept(","));
    for (const auto& [name, t] : arguments) {
      if (!define(name, t, i.regions[0].arguments.emplace_back())) return false;
    }
    return true;
  }

  bool for_loop(Instruction& i, int depth, std::vector<Type>& types) {
    i.regions.resize(1);
    Token iv;
    if (!value_name(iv) || !expect("=") || !use(i.operands) || !expect("to") || !use(i.operands) || !expect("step") ||
        !use(i.operands) || !define(iv, type_of(i.operands, 0), i.regions[0].arguments.emplace_back()))
      return false;
    if (accept("carry") && !inits(i)) return false;
    if (!block(i.regions[0], depth)) return false;
    for (size_t k = 3; k < i.operands.size(); ++k) types.push_back(type_of(i.operands, k));
    return true;
  }

  bool while_loop(Instruction& i, int depth, std::vector<Type>& types) {
    i.regions.resize(2);
    if (token_.kind == TokenKind::kValue && !inits(i)) return false;
    if (!block(i.regions[0], depth)) return false;
    Token end = token_;
    if (!expect("do")) return false;
    if (i.regions[0].body.empty() || i.regions[0].body.back().op != Op::kCondition)
      return fail(end, "the first region of a while ends in 'condition'");
    const std::vector<ValueId>& passed = i.regions[0].body.back().operands;
    for (size_t k = 1; k < passed.size(); ++k) types.push_back(type_of(passed, k));
    if (token_.kind == TokenKind::kValue) {
      size_t k = 0;
      do {
        Token name;
        if (!value_name(name)) return false;
        if (k >= types.size()) return fail(name, fmt::format("the condition passes {} values on", types.size()));
        if (!define(name, types[k++], i.regions[1].arguments.emplace_back())) return false;
      } while (accept(","));
    }
    return block(i.regions[1], depth);
  }

  bool if_else(Instruction& i, int depth, std::vector<Type>& types) {
    i.regions.resize(1);
    if (!use(i.operands) || !block(i.regions[0], depth)) return false;
    if (accept("else")) {
      i.regions.emplace_back();
      if (!block(i.regions[1], depth)) return false;
    }
    const std::vector<Instruction>& body = i.regions[0].body;
    if (!body.empty() && body.back().op == Op::kYield) {
      for (size_t k = 0; k < body.back().operands.size(); ++k) types.push_back(type_of(body.back().operands, k));
    }
    return true;
  }

  Lexer lexer_;
  Token token_;
  Program program_;
  std::unordered_map<std::string_view, ValueId> names_;
  std::string error_;
};

}  // namespace

Expected<Program> parse(std::string_view text) { return Parser(text).run(); }

}  // namespace tailor::codegen::kernel
