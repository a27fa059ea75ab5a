#include "codegen/layout/text.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::layout::text {
namespace {

constexpr std::array<std::string_view, 5> kReservedWords = {"floor", "mod", "when", "and", "layout"};
// Deeper nesting than any layout has; keeps hostile text from exhausting the stack.
constexpr int kMaxDepth = 64;

bool is_word_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.'; }

Status parse_sum_at(Scanner& scanner, const OnProduct& on_product, int depth);

Expected<AffineExpr> parse_affine_at(Scanner& scanner, int depth) {
  AffineExpr sum;
  TAILOR_RETURN_IF_ERROR(parse_sum_at(
      scanner,
      [&](int64_t sign, const std::vector<AffineExpr>& factors) -> Status {
        AffineExpr product(sign);
        for (const AffineExpr& factor : factors) {
          if (!product.is_constant() && !factor.is_constant()) {
            return scanner.error("an affine expression (a product of two symbols is not affine)");
          }
          int64_t scale = product.is_constant() ? product.constant() : factor.constant();
          TAILOR_ASSIGN_OR_RETURN(product, (product.is_constant() ? factor : product).scale(scale));
        }
        TAILOR_ASSIGN_OR_RETURN(sum, sum.add(product));
        return {};
      },
      depth));
  return sum;
}

Expected<int64_t> parse_positive(Scanner& scanner) {
  TAILOR_ASSIGN_OR_RETURN(int64_t value, scanner.integer());
  if (value < 1) return scanner.error("a divisor of at least 1");
  return value;
}

// factor  := '-' factor | primary ('mod' integer)*
// primary := integer | name | '(' sum ')' | 'floor' '(' sum '/' integer ')'
Expected<AffineExpr> parse_factor(Scanner& scanner, int depth) {
  if (depth > kMaxDepth) return scanner.error("at most 64 nested parentheses");
  if (scanner.accept("-")) {
    TAILOR_ASSIGN_OR_RETURN(AffineExpr negated, parse_factor(scanner, depth + 1));
    return negated.scale(-1);
  }
  AffineExpr value;
  if (scanner.peek_integer()) {
    TAILOR_ASSIGN_OR_RETURN(int64_t constant, scanner.integer());
    value = AffineExpr(constant);
  } else if (scanner.accept("floor")) {
    TAILOR_RETURN_IF_ERROR(scanner.expect("("));
    TAILOR_ASSIGN_OR_RETURN(AffineExpr numerator, parse_affine_at(scanner, depth + 1));
    TAILOR_RETURN_IF_ERROR(scanner.expect("/"));
    TAILOR_ASSIGN_OR_RETURN(int64_t denominator, parse_positive(scanner));
    TAILOR_RETURN_IF_ERROR(scanner.expect(")"));
    TAILOR_ASSIGN_OR_RETURN(value, AffineExpr::floor_of(numerator, denominator));
  } else if (scanner.accept("(")) {
    TAILOR_ASSIGN_OR_RETURN(value, parse_affine_at(scanner, depth + 1));
    TAILOR_RETURN_IF_ERROR(scanner.expect(")"));
  } else {
    TAILOR_ASSIGN_OR_RETURN(std::string name, scanner.identifier());
    value = AffineExpr::symbol(std::move(name));
  }
  while (scanner.accept("mod")) {
    TAILOR_ASSIGN_OR_RETURN(int64_t modulus, parse_positive(scanner));
    TAILOR_ASSIGN_OR_RETURN(value, AffineExpr::mod_of(value, modulus));
  }
  return value;
}

Status parse_sum_at(Scanner& scanner, const OnProduct& on_product, int depth) {
  int64_t sign = scanner.accept("-") ? -1 : 1;
  while (true) {
    std::vector<AffineExpr> factors;
    do {
      TAILOR_ASSIGN_OR_RETURN(AffineExpr factor, parse_factor(scanner, depth));
      factors.push_back(std::move(factor));
    } while (scanner.accept("*"));
    TAILOR_RETURN_IF_ERROR(on_product(sign, factors));
    if (scanner.accept("+")) {
      sign = 1;
    } else if (scanner.accept("-")) {
      sign = -1;
    } else {
      return {};
    }
  }
}

}  // namespace

bool is_reserved_word(std::string_view word) {
  return std::find(kReservedWords.begin(), kReservedWords.end(), word) != kReservedWords.end();
}

bool is_valid_name(std::string_view name) {
  return !name.empty() && is_word_start(name.front()) && std::all_of(name.begin(), name.end(), is_word) &&
         !is_reserved_word(name);
}

void Scanner::skip_space() {
  while (position_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[position_])) != 0) ++position_;
}

bool Scanner::at_end() {
  skip_space();
  return position_ == text_.size();
}

bool Scanner::peek(std::string_view token) {
  skip_space();
  if (text_.substr(position_, token.size()) != token) return false;
  size_t next = position_ + token.size();
  if (is_word_start(token.front())) return next == text_.size() || !is_word(text_[next]);
  // "<" is not the beginning of "<=", nor "-" of "->".
  if ((token == "<" || token == ">") && next < text_.size() && text_[next] == '=') return false;
  return !(token == "-" && next < text_.size() && text_[next] == '>');
}

bool Scanner::accept(std::string_view token) {
  if (!peek(token)) return false;
  position_ += token.size();
  return true;
}

Status Scanner::expect(std::string_view token) { return accept(token) ? Status() : error(fmt::format("'{}'", token)); }

bool Scanner::peek_identifier() {
  skip_space();
  return position_ < text_.size() && is_word_start(text_[position_]);
}

bool Scanner::peek_integer() {
  skip_space();
  return position_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[position_])) != 0;
}

Expected<std::string> Scanner::identifier() {
  if (!peek_identifier()) return error("a name");
  size_t end = position_;
  while (end < text_.size() && is_word(text_[end])) ++end;
  std::string_view word = text_.substr(position_, end - position_);
  if (is_reserved_word(word)) return error("a name that is not a keyword");
  position_ = end;
  return std::string(word);
}

Expected<int64_t> Scanner::integer() {
  if (!peek_integer()) return error("an integer");
  integer::Checked value = 0;
  while (position_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[position_])) != 0) {
    value = value * 10 + (text_[position_] - '0');
    ++position_;
  }
  if (!value.ok()) return error("an integer of at most 9223372036854775807");
  return value.value();
}

Status Scanner::error(std::string_view expected) {
  skip_space();
  std::string found = position_ == text_.size() ? "the end" : fmt::format("'{}'", text_.substr(position_, 12));
  return invalid_argument(fmt::format("layout text, position {}: expected {}, found {}", position_, expected, found));
}

Status parse_sum(Scanner& scanner, const OnProduct& on_product) { return parse_sum_at(scanner, on_product, 0); }

Expected<AffineExpr> parse_affine(Scanner& scanner) { return parse_affine_at(scanner, 0); }

Expected<Constraint> parse_constraint(Scanner& scanner) {
  TAILOR_ASSIGN_OR_RETURN(AffineExpr left, parse_affine(scanner));
  enum class Comparison { kLe, kLt, kGe, kGt, kEq } comparison;
  if (scanner.accept("<=")) {
    comparison = Comparison::kLe;
  } else if (scanner.accept("<")) {
    comparison = Comparison::kLt;
  } else if (scanner.accept(">=")) {
    comparison = Comparison::kGe;
  } else if (scanner.accept(">")) {
    comparison = Comparison::kGt;
  } else if (scanner.accept("=")) {
    comparison = Comparison::kEq;
  } else {
    return scanner.error("a comparison (<=, <, >=, >, =)");
  }
  TAILOR_ASSIGN_OR_RETURN(AffineExpr right, parse_affine(scanner));
  bool upper = comparison == Comparison::kLe || comparison == Comparison::kLt;
  TAILOR_ASSIGN_OR_RETURN(AffineExpr difference, upper ? right.subtract(left) : left.subtract(right));
  if (comparison == Comparison::kLt || comparison == Comparison::kGt) {
    TAILOR_ASSIGN_OR_RETURN(difference, difference.subtract(AffineExpr(1)));
  }
  return comparison == Comparison::kEq ? Constraint::zero(std::move(difference))
                                       : Constraint::non_negative(std::move(difference));
}

}  // namespace tailor::codegen::layout::text
