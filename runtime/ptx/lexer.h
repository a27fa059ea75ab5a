// Private: PTX text → tokens. Tokens are views into the text. Never fails: an unexpected byte becomes a kBad token.
#pragma once

#include <cstdint>
#include <string_view>

namespace tailor::ptx {

struct Token {
  enum class Kind : uint8_t {
    kEnd,
    kIdentifier,  // letters, digits, _ $ and a leading %; `_` alone is the sink
    kDotted,      // .word or .word::word; text includes the dot
    kNumber,
    kString,       // text without the quotes
    kPunctuation,  // one character
    kBad,
  };
  Kind kind = Kind::kEnd;
  std::string_view text;
  uint32_t line = 1;
  uint32_t column = 1;

  bool is(char c) const { return kind == Kind::kPunctuation && text[0] == c; }
  bool is(std::string_view word) const { return text == word && (kind == Kind::kIdentifier || kind == Kind::kDotted); }
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : begin_(text.data()), at_(text.data()), end_(begin_ + text.size()) {
    line_start_ = at_;
  }

  Token next();
  const char* position() const { return at_; }

 private:
  void skip_blank();
  Token token(Token::Kind kind, const char* first);

  const char* begin_;
  const char* at_;
  const char* end_;
  const char* line_start_;
  uint32_t line_ = 1;
};

// Character classes of PTX names.
bool is_name_start(char c);  // letters _ $ %
bool is_name_part(char c);   // letters digits _ $

}  // namespace tailor::ptx
