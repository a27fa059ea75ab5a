#include "runtime/ptx/lexer.h"

#include <array>
#include <cstring>

namespace tailor::ptx {
namespace {

enum : uint8_t { kStart = 1, kPart = 2, kDigit = 4, kBlank = 8 };

constexpr std::array<uint8_t, 256> make_classes() {
  std::array<uint8_t, 256> c{};
  for (unsigned i = 'a'; i <= 'z'; ++i) c[i] = kStart | kPart;
  for (unsigned i = 'A'; i <= 'Z'; ++i) c[i] = kStart | kPart;
  for (unsigned i = '0'; i <= '9'; ++i) c[i] = kPart | kDigit;
  c['_'] = c['$'] = kStart | kPart;
  c['%'] = kStart;
  c[' '] = c['\t'] = c['\r'] = c['\f'] = c['\v'] = kBlank;
  return c;
}
constexpr std::array<uint8_t, 256> kClass = make_classes();

inline bool in(char c, uint8_t classes) { return (kClass[static_cast<unsigned char>(c)] & classes) != 0; }

}  // namespace

bool is_name_start(char c) { return in(c, kStart); }
bool is_name_part(char c) { return in(c, kPart); }

void Lexer::skip_blank() {
  while (at_ < end_) {
    if (in(*at_, kBlank)) {
      ++at_;
    } else if (*at_ == '\n') {
      ++at_;
      ++line_;
      line_start_ = at_;
    } else if (*at_ == '/' && at_ + 1 < end_ && at_[1] == '/') {
      const void* newline = std::memchr(at_, '\n', static_cast<size_t>(end_ - at_));
      at_ = newline ? static_cast<const char*>(newline) : end_;
    } else if (*at_ == '/' && at_ + 1 < end_ && at_[1] == '*') {
      at_ += 2;
      while (at_ < end_ && !(*at_ == '*' && at_ + 1 < end_ && at_[1] == '/')) {
        if (*at_ == '\n') {
          ++line_;
          line_start_ = at_ + 1;
        }
        ++at_;
      }
      at_ = end_ - at_ >= 2 ? at_ + 2 : end_;
    } else {
      return;
    }
  }
}

Token Lexer::token(Token::Kind kind, const char* first) {
  return {kind, std::string_view(first, static_cast<size_t>(at_ - first)), line_,
          static_cast<uint32_t>(first - line_start_) + 1};
}

Token Lexer::next() {
  skip_blank();
  const char* first = at_;
  if (at_ == end_) return token(Token::Kind::kEnd, first);
  const char c = *at_++;
  if (in(c, kStart)) {
    while (at_ < end_ && in(*at_, kPart)) ++at_;
    return token(Token::Kind::kIdentifier, first);
  }
  if (c == '.') {
    while (at_ < end_ && (in(*at_, kPart) || (*at_ == ':' && end_ - at_ > 2 && at_[1] == ':' && in(at_[2], kPart))))
      at_ += *at_ == ':' ? 2 : 1;
    return token(at_ - first > 1 ? Token::Kind::kDotted : Token::Kind::kBad, first);
  }
  if (in(c, kDigit)) {
    // 0x1F, 0f3F800000, 12U, 1.5e-3. A dot belongs to the number only before a digit.
    const bool hex = c == '0' && at_ < end_ &&
                     (*at_ == 'x' || *at_ == 'X' || *at_ == 'f' || *at_ == 'F' || *at_ == 'd' || *at_ == 'D' ||
                      *at_ == 'b' || *at_ == 'B');
    while (at_ < end_) {
      if (in(*at_, kPart)) {
        ++at_;
      } else if (!hex && *at_ == '.' && end_ - at_ > 1 && in(at_[1], kDigit)) {
        ++at_;
      } else if (!hex && (*at_ == '+' || *at_ == '-') && (at_[-1] == 'e' || at_[-1] == 'E')) {
        ++at_;
      } else {
        break;
      }
    }
    return token(Token::Kind::kNumber, first);
  }
  if (c == '"') {
    while (at_ < end_ && *at_ != '"' && *at_ != '\n') ++at_;
    Token t = token(Token::Kind::kString, first + 1);
    if (at_ == end_ || *at_ == '\n') {
      t.kind = Token::Kind::kBad;
      return t;
    }
    ++at_;
    return t;
  }
  return token(std::strchr("()[]{}<>,;:+-*/=@!|~?&^", c) && c ? Token::Kind::kPunctuation : Token::Kind::kBad, first);
}

}  // namespace tailor::ptx
