// isl's objects with owners, and our expressions in isl's notation. Private to this folder.
//
// Every derivation makes one Context, works in it and frees it before it returns: contexts are never shared, neither by
// threads nor by two derivations. isl reports by NULL and the context's last error, never by abort; an exhausted quota
// of operations is an answer ("unknown"), not a failure of isl.
//
// Errors: Context::error is kInvalidArgument for what isl rejects, kUnavailable for a spent quota.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <isl/aff.h>
#include <isl/ctx.h>
#include <isl/map.h>
#include <isl/options.h>
#include <isl/point.h>
#include <isl/set.h>
#include <isl/val.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/layout.h"
#include "tailor/status.h"

namespace tailor::codegen::layout::isl {

class Context {
 public:
  explicit Context(uint64_t quota) : ctx_(isl_ctx_alloc()), quota_(quota) {
    isl_options_set_on_error(ctx_, ISL_ON_ERROR_CONTINUE);
    isl_ctx_set_max_operations(ctx_, quota);
  }
  ~Context() { isl_ctx_free(ctx_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  isl_ctx* get() const { return ctx_; }
  // A later error (the parser's, for one) replaces the one that the quota left, so one more operation is tried.
  bool out_of_quota() const {
    if (isl_ctx_last_error(ctx_) == isl_error_quota) return true;
    isl_val* probe = isl_val_int_from_si(ctx_, 1);
    isl_val_free(probe);
    return probe == nullptr;
  }
  Status error(std::string_view what) const {
    const char* message = isl_ctx_last_error_msg(ctx_);
    if (out_of_quota()) {
      return unavailable(fmt::format("{}: unknown, isl spent its quota of {} operations", what, quota_));
    }
    return invalid_argument(fmt::format("isl rejects {}: {}", what, message == nullptr ? "unknown error" : message));
  }

 private:
  isl_ctx* ctx_;
  uint64_t quota_;
};

// A unique_ptr for each isl type in use: isl::Set, isl::Map, …
#define TAILOR_ISL_OWNER(Name, type)                           \
  struct Free##Name {                                          \
    void operator()(type* owned) const { type##_free(owned); } \
  };                                                           \
  using Name = std::unique_ptr<type, Free##Name>;
TAILOR_ISL_OWNER(Set, isl_set)
TAILOR_ISL_OWNER(Map, isl_map)
TAILOR_ISL_OWNER(Point, isl_point)
TAILOR_ISL_OWNER(Val, isl_val)
TAILOR_ISL_OWNER(Aff, isl_aff)
TAILOR_ISL_OWNER(PwAff, isl_pw_aff)
TAILOR_ISL_OWNER(PwMultiAff, isl_pw_multi_aff)
#undef TAILOR_ISL_OWNER

// Names as isl gets them: by position, because a layout's names may be isl keywords.
using Names = std::map<std::string, std::string, std::less<>>;
// n -> p0, m -> p1, …
inline Names positional(const std::set<std::string>& symbols, char letter) {
  Names names;
  for (const std::string& symbol : symbols) {
    const size_t index = names.size();
    names[symbol] = fmt::format("{}{}", letter, index);
  }
  return names;
}
inline std::string tuple_of(const Names& names, char letter) {
  std::vector<std::string> all;
  for (size_t i = 0; i < names.size(); ++i) all.push_back(fmt::format("{}{}", letter, i));
  return fmt::format("[{}]", fmt::join(all, ", "));
}

// " - 3*x": isl reads no sign or parenthesis after an operator.
inline std::string signed_product(int64_t coefficient, const std::string& atom) {
  return fmt::format(" {} {}*{}", coefficient < 0 ? '-' : '+', integer::magnitude(coefficient), atom);
}

template <class Rename>
std::string print(const AffineExpr& expr, const Rename& rename) {
  std::string text = fmt::to_string(expr.constant());
  for (const Term& term : expr.terms()) {
    std::string atom = term.atom.is_floor()
                           ? fmt::format("floor(({})/{})", print(*term.atom.numerator, rename), term.atom.denominator)
                           : rename(term.atom.symbol);
    text += signed_product(term.coefficient, atom);
  }
  return text;
}

template <class Rename>
std::string print(const Constraint& constraint, const Rename& rename) {
  return fmt::format("{} {} 0", print(constraint.expr, rename), constraint.relation == Relation::kZero ? "=" : ">=");
}

template <class Rename>
std::string print(const std::vector<Constraint>& conjunction, const Rename& rename) {
  if (conjunction.empty()) return "true";
  std::vector<std::string> parts;
  for (const Constraint& constraint : conjunction) parts.push_back(print(constraint, rename));
  return fmt::format("{}", fmt::join(parts, " and "));
}

}  // namespace tailor::codegen::layout::isl
