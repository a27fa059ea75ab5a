// Scanner shared by the textual forms of this folder (affine expressions, guarded layouts). Private.
//
// Errors: kInvalidArgument "layout text, position 17: expected ')', found 'x'".
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/layout/affine.h"
#include "tailor/status.h"

namespace tailor::codegen::layout::text {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool at_end();
  // The token (a punctuation mark of one or two characters, or a whole word) is next; accept consumes it.
  bool peek(std::string_view token);
  bool accept(std::string_view token);
  Status expect(std::string_view token);
  bool peek_identifier();
  bool peek_integer();
  Expected<std::string> identifier();
  Expected<int64_t> integer();  // unsigned digits, at most INT64_MAX
  Status error(std::string_view expected);

 private:
  void skip_space();

  std::string_view text_;
  size_t position_ = 0;
};

// One signed product of a sum: its factors, constants among them.
using OnProduct = std::function<Status(int64_t sign, const std::vector<AffineExpr>& factors)>;

// sum := ['-'] product (('+' | '-') product)*;  product := factor ('*' factor)* | …, see affine.h
Status parse_sum(Scanner& scanner, const OnProduct& on_product);
Expected<AffineExpr> parse_affine(Scanner& scanner);
// affine (<= | < | >= | > | =) affine
Expected<Constraint> parse_constraint(Scanner& scanner);

bool is_reserved_word(std::string_view word);
bool is_valid_name(std::string_view name);

}  // namespace tailor::codegen::layout::text
