// Quasi-affine expressions and constraints over named symbols.
//
// Worked example: "3*i - 2*floor((i + n) / 4) + 7 >= 0" is the constraint  expr >= 0  with
//     expr = 7 + 3·i - 2·⌊(n + i) / 4⌋.
// Symbols are names; which of them are dimensions and which parameters is the layout's business. `x mod m` is read as
// x - m*floor(x / m) and printed in that form.
//
// Canonical form (so that == is structural equality): terms sorted by atom, no zero coefficient, floor terms with
// denominator >= 2, whose numerators are reduced (an integer multiple of the denominator is moved out of the floor).
//
// Ownership: immutable shared numerators, otherwise value types. Threads: const access from any thread.
// Errors: overflow of any coefficient is kInvalidArgument; parse errors name the position and the token expected.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/integer/residue.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

class AffineExpr;

// A symbol, or floor(numerator / denominator).
struct Atom {
  std::string symbol;                           // empty for a floor term
  std::shared_ptr<const AffineExpr> numerator;  // floor term only
  int64_t denominator = 1;                      // floor term only, >= 2

  bool is_floor() const { return numerator != nullptr; }
  std::strong_ordering compare(const Atom& other) const;
  friend bool operator==(const Atom& a, const Atom& b) { return a.compare(b) == 0; }
  friend bool operator<(const Atom& a, const Atom& b) { return a.compare(b) < 0; }
};

struct Term {
  int64_t coefficient = 0;
  Atom atom;
  friend bool operator==(const Term&, const Term&) = default;
};

using Assignment = std::map<std::string, int64_t, std::less<>>;

class AffineExpr {
 public:
  AffineExpr() = default;
  AffineExpr(int64_t constant) : constant_(constant) {}  // NOLINT: constants read as expressions
  static AffineExpr symbol(std::string name);
  static Expected<AffineExpr> floor_of(const AffineExpr& numerator, int64_t denominator);  // denominator >= 1
  static Expected<AffineExpr> mod_of(const AffineExpr& value, int64_t modulus);            // modulus >= 1
  static Expected<AffineExpr> parse(std::string_view text);

  int64_t constant() const { return constant_; }
  const std::vector<Term>& terms() const { return terms_; }
  bool is_constant() const { return terms_.empty(); }
  bool is_zero() const { return terms_.empty() && constant_ == 0; }
  bool has_floor() const;
  // Coefficient of the plain symbol (occurrences inside floor terms are not counted).
  int64_t coefficient(std::string_view symbol) const;
  // Symbols anywhere in the expression, floor terms included.
  std::set<std::string> symbols() const;
  bool depends_on(std::string_view symbol) const;

  Expected<AffineExpr> add(const AffineExpr& other) const;
  Expected<AffineExpr> subtract(const AffineExpr& other) const;
  Expected<AffineExpr> scale(int64_t factor) const;
  // Every named symbol replaced at once.
  Expected<AffineExpr> substitute(const std::map<std::string, AffineExpr, std::less<>>& replacements) const;
  // The value under an assignment of every symbol.
  Expected<int64_t> evaluate(const Assignment& values) const;
  // A sound approximation from what is known of each symbol.
  integer::Residue abstract(const std::function<integer::Residue(std::string_view)>& of) const;

  // "7 + 3*i - 2*floor((i + n) / 4)"
  std::string to_string() const;
  std::strong_ordering compare(const AffineExpr& other) const;
  friend bool operator==(const AffineExpr& a, const AffineExpr& b) { return a.compare(b) == 0; }

 private:
  Status accumulate(int64_t coefficient, const Atom& atom);

  int64_t constant_ = 0;
  std::vector<Term> terms_;
};

enum class Relation : uint8_t { kNonNegative, kZero };

// expr >= 0 or expr = 0.
struct Constraint {
  AffineExpr expr;
  Relation relation = Relation::kNonNegative;

  static Constraint non_negative(AffineExpr e) { return {std::move(e), Relation::kNonNegative}; }
  static Constraint zero(AffineExpr e) { return {std::move(e), Relation::kZero}; }
  // One comparison: expr (<= | < | >= | > | =) expr.
  static Expected<Constraint> parse(std::string_view text);

  Expected<bool> holds(const Assignment& values) const;
  Expected<Constraint> substitute(const std::map<std::string, AffineExpr, std::less<>>& replacements) const;
  // "7 + 3*i >= 0"
  std::string to_string() const;
  friend bool operator==(const Constraint&, const Constraint&) = default;
};

}  // namespace tailor::codegen::layout
