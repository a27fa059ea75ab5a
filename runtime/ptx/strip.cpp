#include "runtime/ptx/lexer.h"
#include "runtime/ptx/printer.h"

namespace tailor::ptx {
namespace {

// Walks the tokens and copies everything but the debug directives. Malformed directives are removed as far as they have
// the directive's form; nothing fails.
class Stripper {
 public:
  explicit Stripper(std::string_view text) : text_(text), lexer_(text) {}

  std::string run() {
    advance();
    while (tok_.kind != Token::Kind::kEnd) {
      if (tok_.is(".loc"))
        remove(&Stripper::loc);
      else if (tok_.is(".file"))
        remove(&Stripper::file);
      else if (tok_.is(".section"))
        remove(&Stripper::section);
      else if (tok_.is(','))
        remove_debug_option();
      else
        advance();
    }
    out_.append(text_.substr(copied_));
    return std::move(out_);
  }

 private:
  void advance() {
    if (tok_.kind == Token::Kind::kDotted) in_target_ = tok_.is(".target");
    consumed_ = static_cast<size_t>(lexer_.position() - text_.data());  // end of the token that is left behind
    tok_ = lexer_.next();
  }
  bool accept(Token::Kind kind) {
    if (tok_.kind != kind) return false;
    advance();
    return true;
  }
  bool accept(char c) {
    if (!tok_.is(c)) return false;
    advance();
    return true;
  }
  void numbers(int count) {
    while (count-- > 0 && accept(Token::Kind::kNumber)) {
    }
  }

  void loc() {
    numbers(3);
    while (accept(',')) {
      const bool inlined = tok_.is("inlined_at");
      if (!inlined && !tok_.is("function_name")) return;
      advance();
      if (inlined) {
        numbers(3);
      } else if (accept(Token::Kind::kIdentifier) && accept('+')) {
        numbers(1);
      }
    }
  }
  void file() {
    numbers(1);
    accept(Token::Kind::kString);
    while (accept(',')) numbers(1);
  }
  void section() {
    accept(Token::Kind::kDotted);
    if (!accept('{')) return;
    for (uint64_t depth = 1; depth > 0 && tok_.kind != Token::Kind::kEnd; advance()) {
      if (tok_.is('{')) ++depth;
      if (tok_.is('}')) --depth;
    }
  }

  // tok_ is a comma; `, debug` goes when the last dotted word was .target.
  void remove_debug_option() {
    const size_t begin = static_cast<size_t>(tok_.text.data() - text_.data());
    advance();
    if (!in_target_ || !tok_.is("debug")) return;
    advance();
    out_.append(text_.substr(copied_, begin - copied_));
    copied_ = consumed_;
  }

  // Drops the directive, and its line when nothing else stands there.
  void remove(void (Stripper::*directive)()) {
    size_t begin = static_cast<size_t>(tok_.text.data() - text_.data());
    advance();
    (this->*directive)();
    size_t end = consumed_;
    const auto blank = [&](size_t i) { return text_[i] == ' ' || text_[i] == '\t' || text_[i] == '\r'; };
    size_t line = begin;
    while (line > copied_ && blank(line - 1)) --line;
    size_t rest = end;
    while (rest < text_.size() && blank(rest)) ++rest;
    const bool whole_line = (line == 0 || text_[line - 1] == '\n') && (rest == text_.size() || text_[rest] == '\n');
    if (whole_line) {
      begin = line;
      end = rest == text_.size() ? rest : rest + 1;
    }
    out_.append(text_.substr(copied_, begin - copied_));
    copied_ = end;
  }

  std::string_view text_;
  Lexer lexer_;
  Token tok_;
  std::string out_;
  bool in_target_ = false;  // the last directive was .target
  size_t copied_ = 0;       // text before this has been copied or dropped
  size_t consumed_ = 0;     // end of the last token passed
};

}  // namespace

std::string strip_locations(std::string_view text) { return Stripper(text).run(); }

}  // namespace tailor::ptx
