#include "codegen/layout/isl_bridge.h"

#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/layout/guards.h"
#include "codegen/layout/isl_context.h"
#include "codegen/layout/isl_pieces.h"

namespace tailor::codegen::layout {
namespace {

using isl::Context;
using isl::Map;
using isl::Point;
using isl::print;
using isl::Set;

// Every symbol of the constraints is a coordinate.
class Names {
 public:
  explicit Names(std::vector<std::string> symbols) : symbols_(std::move(symbols)) {
    for (size_t i = 0; i < symbols_.size(); ++i) index_[symbols_[i]] = i;
  }
  const std::vector<std::string>& symbols() const { return symbols_; }
  std::string tuple() const {
    std::vector<std::string> names;
    for (size_t i = 0; i < symbols_.size(); ++i) names.push_back(fmt::format("x{}", i));
    return fmt::format("[{}]", fmt::join(names, ", "));
  }
  std::string operator()(const std::string& symbol) const { return fmt::format("x{}", index_.at(symbol)); }

 private:
  std::vector<std::string> symbols_;
  std::map<std::string, size_t> index_;
};

Names names_of(const std::vector<Constraint>& a, const std::vector<Constraint>& b) {
  std::set<std::string> symbols;
  for (const Constraint& constraint : a) symbols.merge(constraint.expr.symbols());
  for (const Constraint& constraint : b) symbols.merge(constraint.expr.symbols());
  return Names({symbols.begin(), symbols.end()});
}

// Emptiness of "{ [x…] : body }": true, false, or unknown on quota.
enum class Emptiness { kEmpty, kInhabited, kUnknown };

Expected<Emptiness> emptiness(const std::string& text, uint64_t quota) {
  Context ctx(quota);
  Set set(isl_set_read_from_str(ctx.get(), text.c_str()));
  isl_bool empty = set ? isl_set_is_empty(set.get()) : isl_bool_error;
  if (empty == isl_bool_error) {
    if (ctx.out_of_quota()) return Emptiness::kUnknown;
    return ctx.error(text);
  }
  return empty == isl_bool_true ? Emptiness::kEmpty : Emptiness::kInhabited;
}

std::string negation(const Constraint& constraint, const Names& names) {
  std::string value = print(constraint.expr, names);
  if (constraint.relation == Relation::kNonNegative) return fmt::format("{} <= -1", value);
  return fmt::format("({} <= -1 or {} >= 1)", value, value);
}

std::string identity_name(const std::string& symbol) { return symbol; }

std::vector<std::string> dim_names(const GuardedAffineLayout& layout) {
  std::vector<std::string> names;
  for (const Dim& dim : layout.dims()) names.push_back(dim.name);
  return names;
}

template <class Rename>
std::string domain_text(const GuardedAffineLayout& layout, const Piece& piece, const Rename& rename) {
  std::vector<std::string> parts;
  for (const Dim& dim : layout.dims()) {
    parts.push_back(fmt::format("0 <= {} < {}", rename(dim.name), print(dim.extent, rename)));
  }
  if (!piece.guard.empty()) parts.push_back(print(piece.guard, rename));
  return parts.empty() ? "true" : fmt::format("{}", fmt::join(parts, " and "));
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
#define X(name, text, meaning) \
  case Verdict::name:          \
    return text;
    TAILOR_VERDICTS(X)
#undef X
  }
  return "unknown";
}

Expected<Verdict> decide_by_isl(const std::vector<Constraint>& context, const Constraint& constraint, uint64_t quota) {
  Names names = names_of(context, {constraint});
  std::string given = print(context, names);
  TAILOR_ASSIGN_OR_RETURN(
      Emptiness fails,
      emptiness(fmt::format("{{ {} : {} and {} }}", names.tuple(), given, negation(constraint, names)), quota));
  if (fails == Emptiness::kEmpty) return Verdict::kProved;
  if (fails == Emptiness::kUnknown) return Verdict::kUnknown;
  TAILOR_ASSIGN_OR_RETURN(
      Emptiness holds,
      emptiness(fmt::format("{{ {} : {} and {} }}", names.tuple(), given, print(constraint, names)), quota));
  if (holds == Emptiness::kUnknown) return Verdict::kUnknown;
  return holds == Emptiness::kEmpty ? Verdict::kRefuted : Verdict::kResidual;
}

Expected<Verdict> decide_empty_by_isl(const std::vector<Constraint>& conjunction, uint64_t quota) {
  Names names = names_of(conjunction, {});
  TAILOR_ASSIGN_OR_RETURN(Emptiness result,
                          emptiness(fmt::format("{{ {} : {} }}", names.tuple(), print(conjunction, names)), quota));
  if (result == Emptiness::kUnknown) return Verdict::kUnknown;
  return result == Emptiness::kEmpty ? Verdict::kRefuted : Verdict::kResidual;
}

Expected<std::optional<Assignment>> sample_by_isl(const std::vector<Constraint>& conjunction, uint64_t quota) {
  Names names = names_of(conjunction, {});
  Context ctx(quota);
  std::string text = fmt::format("{{ {} : {} }}", names.tuple(), print(conjunction, names));
  auto fail = [&]() -> Status {
    if (ctx.out_of_quota()) return unavailable(fmt::format("isl spent its quota of {} operations", quota));
    return ctx.error(text);
  };
  isl_set* set = isl_set_read_from_str(ctx.get(), text.c_str());
  if (set == nullptr) return fail();
  Point point(isl_set_sample_point(set));
  if (!point) return fail();
  if (isl_bool is_void = isl_point_is_void(point.get()); is_void != isl_bool_false) {
    if (is_void == isl_bool_error) return fail();
    return std::optional<Assignment>{};
  }
  Assignment assignment;
  for (size_t i = 0; i < names.symbols().size(); ++i) {
    isl_val* value = isl_point_get_coordinate_val(point.get(), isl_dim_set, static_cast<int>(i));
    if (value == nullptr) return fail();
    assignment[names.symbols()[i]] = isl_val_get_num_si(value);
    isl_val_free(value);
    if (isl_ctx_last_error(ctx.get()) != isl_error_none) return ctx.error("a sample outside 64 bits");
  }
  return std::optional<Assignment>(std::move(assignment));
}

std::string to_isl_set(const GuardedAffineLayout& layout) {
  std::vector<std::string> disjuncts;
  for (const Piece& piece : layout.pieces()) {
    disjuncts.push_back(
        fmt::format("[{}] : {}", fmt::join(dim_names(layout), ", "), domain_text(layout, piece, identity_name)));
  }
  return fmt::format("[{}] -> {{ {} }}", fmt::join(layout.parameters(), ", "), fmt::join(disjuncts, "; "));
}

Expected<std::string> to_isl_map(const GuardedAffineLayout& layout, const Facts& facts) {
  TAILOR_ASSIGN_OR_RETURN(const GuardedAffineLayout bound, bind_exact(layout, facts));
  isl::Names names;
  for (const std::string& name : names_in(bound)) names[name] = name;
  return isl::map_text(bound, fmt::format("[{}]", fmt::join(bound.parameters(), ", ")), names);
}

Expected<Verdict> equal_by_isl(const GuardedAffineLayout& a, const GuardedAffineLayout& b, const Facts& facts,
                               uint64_t quota) {
  if (a.rank() != b.rank() || a.outputs() != b.outputs()) return Verdict::kRefuted;
  TAILOR_ASSIGN_OR_RETURN(const GuardedAffineLayout first, bind_exact(a, facts));
  TAILOR_ASSIGN_OR_RETURN(const GuardedAffineLayout second, bind_exact(b, facts));
  const isl::Names parameters = isl::parameter_names({&first, &second}, facts);
  Context ctx(quota);
  const auto unknown = [&ctx](const Status& status) -> Expected<Verdict> {
    if (ctx.out_of_quota()) return Verdict::kUnknown;
    return status;
  };
  Expected<Map> left = isl::read_layout(ctx, first, parameters, facts);
  if (!left.ok()) return unknown(left.status());
  Expected<Map> right = isl::read_layout(ctx, second, parameters, facts);
  if (!right.ok()) return unknown(right.status());
  const isl_bool equal = isl_map_is_equal(left->get(), right->get());
  if (equal == isl_bool_error) return unknown(ctx.error("the comparison of two layouts"));
  return equal == isl_bool_true ? Verdict::kProved : Verdict::kRefuted;
}

Expected<Verdict> check_disjoint(const GuardedAffineLayout& layout, const Facts& facts, uint64_t quota) {
  std::vector<Constraint> context = facts.as_constraints();
  for (const Dim& dim : layout.dims()) {
    AffineExpr x = AffineExpr::symbol(dim.name);
    context.push_back(Constraint::non_negative(x));
    TAILOR_ASSIGN_OR_RETURN(AffineExpr room, dim.extent.subtract(x));
    TAILOR_ASSIGN_OR_RETURN(room, room.subtract(AffineExpr(1)));
    context.push_back(Constraint::non_negative(std::move(room)));
  }
  for (size_t i = 0; i < layout.pieces().size(); ++i) {
    for (size_t j = i + 1; j < layout.pieces().size(); ++j) {
      std::vector<Constraint> both = context;
      const auto& first = layout.pieces()[i].guard;
      const auto& second = layout.pieces()[j].guard;
      both.insert(both.end(), first.begin(), first.end());
      both.insert(both.end(), second.begin(), second.end());
      TAILOR_ASSIGN_OR_RETURN(Verdict verdict, decide_empty_by_isl(both, quota));
      if (verdict == Verdict::kUnknown) return verdict;
      if (verdict == Verdict::kResidual) return Verdict::kRefuted;
    }
  }
  return Verdict::kProved;
}

}  // namespace tailor::codegen::layout
