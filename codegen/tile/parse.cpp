#include <algorithm>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "codegen/tile/tile.h"

namespace tailor::codegen::tile {
namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 20;
constexpr int kMaxDepth = 8;

// Tokens: words [A-Za-z_][A-Za-z0-9_]*, integers, %name, @name, and the punctuation below; // starts a comment.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) { advance(); }

  std::string_view peek() const { return token_; }
  std::string_view take() {
    const std::string_view token = token_;
    advance();
    return token;
  }
  bool accept(std::string_view expected) {
    if (token_ != expected) return false;
    advance();
    return true;
  }
  Status error(std::string_view expected) const {
    size_t line = 1, column = 1;
    for (size_t i = 0; i < start_; ++i) {
      if (text_[i] == '\n') {
        ++line;
        column = 1;
      } else {
        ++column;
      }
    }
    return invalid_argument(fmt::format("tile program {}:{}: expected {}, found {}", line, column, expected,
                                        token_.empty() ? "the end" : fmt::format("\"{}\"", token_)));
  }

 private:
  static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }
  void advance() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
        ++at_;
      } else if (text_.substr(at_, 2) == "//") {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else {
        break;
      }
    }
    start_ = at_;
    if (at_ == text_.size()) {
      token_ = {};
      return;
    }
    const char c = text_[at_];
    const bool negative = c == '-' && at_ + 1 < text_.size() && is_word(text_[at_ + 1]);
    const bool sigil = (c == '%' || c == '@') && at_ + 1 < text_.size() && is_word(text_[at_ + 1]);
    if (is_word(c) || negative || sigil) {
      ++at_;
      while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    } else {
      const std::string_view two = text_.substr(at_, 2);
      at_ += two == "<-" || two == "<=" || two == "==" ? 2 : 1;
    }
    token_ = text_.substr(start_, at_ - start_);
  }

  std::string_view text_, token_;
  size_t at_ = 0, start_ = 0;
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text), builder_("") {}

  Expected<Program> parse() {
    TAILOR_RETURN_IF_ERROR(expect("tile"));
    TAILOR_ASSIGN_OR_RETURN(const std::string entry, sigil('@', "@entry"));
    builder_ = Builder(entry);
    TAILOR_RETURN_IF_ERROR(expect("{"));
    while (lexer_.peek() == "view") TAILOR_RETURN_IF_ERROR(view());
    if (lexer_.accept("status")) {
      TAILOR_ASSIGN_OR_RETURN(const std::string status, sigil('@', "@status_word"));
      builder_.status(status);
    }
    TAILOR_RETURN_IF_ERROR(nodes(0));
    TAILOR_RETURN_IF_ERROR(expect("}"));
    if (!lexer_.peek().empty()) return lexer_.error("the end");
    return builder_.finish();
  }

 private:
  Status expect(std::string_view token) {
    return lexer_.accept(token) ? Status() : lexer_.error(fmt::format("\"{}\"", token));
  }

  Expected<std::string> sigil(char kind, std::string_view what) {
    const std::string_view token = lexer_.peek();
    if (token.size() < 2 || token[0] != kind) return lexer_.error(what);
    return std::string(lexer_.take().substr(1));
  }

  Expected<int64_t> integer() {
    const std::string_view token = lexer_.peek();
    int64_t value = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
    if (token.empty() || error != std::errc() || end != token.data() + token.size()) {
      return lexer_.error("a 64-bit integer");
    }
    lexer_.take();
    return value;
  }

  Expected<std::string> word(std::string_view what) {
    const std::string_view token = lexer_.peek();
    if (token.empty() || !is_letter(token[0])) return lexer_.error(what);
    return std::string(lexer_.take());
  }

  // INT | symbol ["= " INT | "+" INT]
  Expected<Extent> extent() {
    if (lexer_.peek().empty() || !is_letter(lexer_.peek()[0])) {
      TAILOR_ASSIGN_OR_RETURN(const int64_t value, integer());
      return Extent::constant(value);
    }
    TAILOR_ASSIGN_OR_RETURN(const std::string symbol, word("a symbol"));
    if (lexer_.accept("=")) {
      TAILOR_ASSIGN_OR_RETURN(const int64_t value, integer());
      return Extent::known(symbol, value);
    }
    int64_t offset = 0;
    if (lexer_.accept("+")) {
      TAILOR_ASSIGN_OR_RETURN(offset, integer());
    }
    return Extent::of(symbol, offset);
  }

  // INT | symbol "=" INT | [INT "*"] symbol ["%" INT]
  Expected<Stride> stride() {
    int64_t factor = 1;
    if (lexer_.peek().empty() || !is_letter(lexer_.peek()[0])) {
      TAILOR_ASSIGN_OR_RETURN(factor, integer());
      if (!lexer_.accept("*")) return Stride::constant(factor);
    }
    TAILOR_ASSIGN_OR_RETURN(const std::string symbol, word("a symbol"));
    if (factor == 1 && lexer_.accept("=")) {
      TAILOR_ASSIGN_OR_RETURN(const int64_t value, integer());
      return Stride::known(symbol, value);
    }
    int64_t divisor = 1;
    if (lexer_.accept("%")) {
      TAILOR_ASSIGN_OR_RETURN(divisor, integer());
    }
    return Stride::of(symbol, divisor, factor);
  }

  Status view() {
    TAILOR_RETURN_IF_ERROR(expect("view"));
    View view;
    TAILOR_ASSIGN_OR_RETURN(view.name, sigil('@', "@operand"));
    if (views_.count(view.name)) return lexer_.error(fmt::format("a new operand name (@{} is taken)", view.name));
    if (lexer_.accept(to_string(Role::kWrite))) {
      view.role = Role::kWrite;
    } else {
      TAILOR_RETURN_IF_ERROR(expect(to_string(Role::kRead)));
    }
    TAILOR_RETURN_IF_ERROR(expect("element"));
    TAILOR_ASSIGN_OR_RETURN(const int64_t element, integer());
    if (element < 1 || element > 8) return lexer_.error("an element size from 1 to 8 bytes");
    view.element_bytes = static_cast<int>(element);
    if (lexer_.peek() != "base") {
      view.type = parse_dtype(lexer_.peek());
      if (!view.type) return lexer_.error("base, or the type of the elements");
      lexer_.take();
    }
    TAILOR_RETURN_IF_ERROR(expect("base"));
    TAILOR_ASSIGN_OR_RETURN(view.base_align, integer());
    TAILOR_RETURN_IF_ERROR(expect("["));
    do {
      Dimension dimension;
      TAILOR_ASSIGN_OR_RETURN(dimension.extent, extent());
      TAILOR_RETURN_IF_ERROR(expect(":"));
      TAILOR_ASSIGN_OR_RETURN(dimension.stride, stride());
      view.dims.push_back(std::move(dimension));
    } while (lexer_.accept(","));
    TAILOR_RETURN_IF_ERROR(expect("]"));
    const std::string name = view.name;
    views_[name] = builder_.view(std::move(view));
    return {};
  }

  Expected<ValueId> use() {
    TAILOR_ASSIGN_OR_RETURN(const std::string name, sigil('%', "%value"));
    const auto found = values_.find(name);
    if (found == values_.end()) return lexer_.error(fmt::format("a value defined before (%{} is not)", name));
    return found->second;
  }

  Expected<ViewId> view_use() {
    TAILOR_ASSIGN_OR_RETURN(const std::string name, sigil('@', "@operand"));
    const auto found = views_.find(name);
    if (found == views_.end()) return lexer_.error(fmt::format("a view declared above (@{} is not)", name));
    return found->second;
  }

  Status place(ViewId& view, std::vector<ValueId>& indices) {
    TAILOR_ASSIGN_OR_RETURN(view, view_use());
    TAILOR_RETURN_IF_ERROR(expect("["));
    do {
      TAILOR_ASSIGN_OR_RETURN(const ValueId index, use());
      indices.push_back(index);
    } while (lexer_.accept(","));
    return expect("]");
  }

  // ["by" @table ["[" indices "]"] {"," …}], every table at the same indices
  Status tables(Node& node) {
    if (!lexer_.accept("by")) return {};
    do {
      std::vector<ValueId> indices;
      TAILOR_ASSIGN_OR_RETURN(const ViewId table, view_use());
      if (lexer_.accept("[")) {
        do {
          TAILOR_ASSIGN_OR_RETURN(const ValueId index, use());
          indices.push_back(index);
        } while (lexer_.accept(","));
        TAILOR_RETURN_IF_ERROR(expect("]"));
      }
      if (!node.tables.empty() && indices != node.table_indices) return lexer_.error("tables at the same indices");
      node.tables.push_back(table);
      node.table_indices = std::move(indices);
    } while (lexer_.accept(","));
    return {};
  }

  Status after(Node& node) {
    if (!lexer_.accept("after")) return {};
    TAILOR_ASSIGN_OR_RETURN(node.after, use());
    return {};
  }

  Expected<ValueId> define(const std::string& name, Type type) {
    const ValueId id = builder_.value(name, type);
    if (!values_.emplace(name, id).second) return lexer_.error(fmt::format("a new name (%{} is taken)", name));
    return id;
  }

  Expected<Term> check_term() {
    Term t;
    if (!lexer_.peek().empty() && lexer_.peek()[0] == '%') {
      TAILOR_ASSIGN_OR_RETURN(t.value, use());
    } else {
      TAILOR_ASSIGN_OR_RETURN(t.extent, extent());
    }
    return t;
  }

  // Terms and relations up to `end`.
  Status chain(Node& node, std::string_view end) {
    TAILOR_ASSIGN_OR_RETURN(Term first, check_term());
    node.chain.push_back(std::move(first));
    while (lexer_.peek() != end) {
      bool found = false;
#define X(name, text)                         \
  if (!found && lexer_.accept(text)) {        \
    node.relations.push_back(Relation::name); \
    found = true;                             \
  }
      TAILOR_TILE_RELATIONS(X)
#undef X
      if (!found) return lexer_.error(fmt::format("<, <=, == or {}", end));
      TAILOR_ASSIGN_OR_RETURN(Term next, check_term());
      node.chain.push_back(std::move(next));
    }
    return {};
  }

  // "else" ("skip" | fault "at" %index)
  Status failure(Node& node) {
    TAILOR_RETURN_IF_ERROR(expect("else"));
    if (lexer_.accept("skip")) return {};
    const auto fault = parse_fault(lexer_.peek());
    if (!fault) return lexer_.error("skip or the name of a device fault");
    lexer_.take();
    node.fault = *fault;
    TAILOR_RETURN_IF_ERROR(expect("at"));
    TAILOR_ASSIGN_OR_RETURN(node.fault_index, use());
    return {};
  }

  Status check() {
    Node node;
    node.op = Op::kCheck;
    TAILOR_RETURN_IF_ERROR(expect("check"));
    TAILOR_RETURN_IF_ERROR(chain(node, "else"));
    TAILOR_RETURN_IF_ERROR(failure(node));
    builder_.append(std::move(node));
    return {};
  }

  Status when(int depth) {
    Node node;
    node.op = Op::kWhen;
    lexer_.take();
    TAILOR_RETURN_IF_ERROR(chain(node, "{"));
    TAILOR_ASSIGN_OR_RETURN(node.body, block(depth));
    TAILOR_RETURN_IF_ERROR(expect("otherwise"));
    TAILOR_ASSIGN_OR_RETURN(node.otherwise, block(depth));
    builder_.append(std::move(node));
    return {};
  }

  // "{" nodes "}"
  Expected<std::vector<Node>> block(int depth) {
    if (depth >= kMaxDepth) return lexer_.error(fmt::format("bodies nested at most {} deep", kMaxDepth));
    TAILOR_RETURN_IF_ERROR(expect("{"));
    Status status;
    std::vector<Node> body = builder_.nested([&] { status = nodes(depth + 1); });
    TAILOR_RETURN_IF_ERROR(status);
    TAILOR_RETURN_IF_ERROR(expect("}"));
    return body;
  }

  Status loop(Op op, int depth) {
    Node node;
    node.op = op;
    lexer_.take();
    TAILOR_ASSIGN_OR_RETURN(const std::string name, sigil('%', "%value"));
    TAILOR_RETURN_IF_ERROR(expect("in"));
    TAILOR_ASSIGN_OR_RETURN(node.extent, extent());
    TAILOR_ASSIGN_OR_RETURN(const ValueId iv, define(name, Type::kScalar));
    node.results = {iv};
    TAILOR_ASSIGN_OR_RETURN(node.body, block(depth));
    builder_.append(std::move(node));
    return {};
  }

  Status nodes(int depth) {
    while (lexer_.peek() != "}" && !lexer_.peek().empty()) {
      Status status;
      if (lexer_.peek() == to_string(Op::kEach)) {
        status = loop(Op::kEach, depth);
      } else if (lexer_.peek() == to_string(Op::kRows)) {
        status = loop(Op::kRows, depth);
      } else if (lexer_.peek() == to_string(Op::kCheck)) {
        status = check();
      } else if (lexer_.peek() == to_string(Op::kWhen)) {
        status = when(depth);
      } else {
        status = definition();
      }
      TAILOR_RETURN_IF_ERROR(status);
    }
    return {};
  }

  // %r, … = op …
  Status definition() {
    std::vector<std::string> results;
    do {
      TAILOR_ASSIGN_OR_RETURN(std::string name, sigil('%', "a node or \"}\""));
      results.push_back(std::move(name));
    } while (lexer_.accept(","));
    TAILOR_RETURN_IF_ERROR(expect("="));
    Node node;
    bool known = false;
#define X(name, text, count, memory, meaning)                        \
  if (!known && result_count(Op::name) > 0 && lexer_.accept(text)) { \
    node.op = Op::name;                                              \
    known = true;                                                    \
  }
    TAILOR_TILE_OPS(X)
#undef X
    if (!known) return lexer_.error("an operation that yields values");
    if (results.size() != static_cast<size_t>(result_count(node.op))) {
      return lexer_.error(fmt::format("{} results of \"{}\" (there are {})", result_count(node.op), to_string(node.op),
                                      results.size()));
    }
    TAILOR_RETURN_IF_ERROR(operands(node));
    const bool makes_token = is_memory(node.op) || node.op == Op::kToken || node.op == Op::kJoin;
    for (size_t i = 0; i < results.size(); ++i) {
      const bool token = makes_token && i + 1 == results.size();
      TAILOR_ASSIGN_OR_RETURN(const ValueId id, define(results[i], token ? Type::kToken : Type::kScalar));
      node.results.push_back(id);
    }
    builder_.append(std::move(node));
    return {};
  }

  Status operands(Node& node) {
    const auto value = [&]() -> Status {
      TAILOR_ASSIGN_OR_RETURN(const ValueId id, use());
      node.operands.push_back(id);
      return {};
    };
    switch (node.op) {
      case Op::kToken:
        return {};
      case Op::kJoin:
      case Op::kSub:
        do {
          TAILOR_RETURN_IF_ERROR(value());
        } while (lexer_.accept(","));
        return {};
      case Op::kLoad:
        TAILOR_RETURN_IF_ERROR(place(node.view, node.indices));
        return after(node);
      case Op::kSearch: {
        TAILOR_ASSIGN_OR_RETURN(node.view, view_use());
        TAILOR_RETURN_IF_ERROR(expect("for"));
        TAILOR_RETURN_IF_ERROR(value());
        return after(node);
      }
      case Op::kAdd: {
        TAILOR_RETURN_IF_ERROR(value());
        TAILOR_RETURN_IF_ERROR(expect(","));
        TAILOR_ASSIGN_OR_RETURN(node.immediate, integer());
        return {};
      }
      case Op::kSum: {
        TAILOR_RETURN_IF_ERROR(value());
        TAILOR_RETURN_IF_ERROR(expect(","));
        TAILOR_RETURN_IF_ERROR(value());
        TAILOR_RETURN_IF_ERROR(expect("below"));
        TAILOR_ASSIGN_OR_RETURN(node.extent, extent());
        return failure(node);
      }
      case Op::kResolve: {
        TAILOR_RETURN_IF_ERROR(value());
        TAILOR_RETURN_IF_ERROR(expect("by"));
        TAILOR_ASSIGN_OR_RETURN(node.extent, extent());
        return {};
      }
      case Op::kCopy:
      case Op::kTranspose:
        TAILOR_RETURN_IF_ERROR(place(node.view, node.indices));
        TAILOR_RETURN_IF_ERROR(expect("<-"));
        TAILOR_RETURN_IF_ERROR(place(node.source, node.source_indices));
        if (node.op == Op::kTranspose) {
          TAILOR_RETURN_IF_ERROR(expect("by"));
          TAILOR_ASSIGN_OR_RETURN(node.immediate, integer());
        }
        return after(node);
      case Op::kConvert:
      case Op::kRotate:
        TAILOR_RETURN_IF_ERROR(place(node.view, node.indices));
        TAILOR_RETURN_IF_ERROR(expect("<-"));
        TAILOR_RETURN_IF_ERROR(place(node.source, node.source_indices));
        TAILOR_RETURN_IF_ERROR(tables(node));
        if (node.op == Op::kRotate) {
          const auto style = parse_rope_style(lexer_.peek());
          if (!style) return lexer_.error("halves or interleaved");
          lexer_.take();
          node.style = *style;
        }
        return after(node);
      case Op::kFill: {
        TAILOR_RETURN_IF_ERROR(place(node.view, node.indices));
        TAILOR_RETURN_IF_ERROR(expect("with"));
        TAILOR_ASSIGN_OR_RETURN(node.extent, extent());
        return after(node);
      }
      case Op::kCheck:
      case Op::kWhen:
      case Op::kEach:
      case Op::kRows:
        break;
    }
    return lexer_.error("an operation that yields values");
  }

  Lexer lexer_;
  Builder builder_;
  std::map<std::string, ViewId, std::less<>> views_;
  std::map<std::string, ValueId, std::less<>> values_;
};

}  // namespace

Expected<Program> parse(std::string_view text) {
  if (text.size() > kMaxTextBytes) {
    return invalid_argument(fmt::format("tile program has {} bytes; at most {} are read", text.size(), kMaxTextBytes));
  }
  return Parser(text).parse();
}

}  // namespace tailor::codegen::tile
