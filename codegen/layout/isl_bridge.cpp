#include "codegen/layout/isl_bridge.h"

#include <memory>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <isl/ctx.h>
#include <isl/ilp.h>
#include <isl/map.h>
#include <isl/options.h>
#include <isl/point.h>
#include <isl/set.h>
#include <isl/val.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::layout {
namespace {

// One derivation's context: freed with everything in it. isl reports through NULL and the last error, never by abort.
class Context {
 public:
  explicit Context(uint64_t quota) : ctx_(isl_ctx_alloc()) {
    isl_options_set_on_error(ctx_, ISL_ON_ERROR_CONTINUE);
    isl_ctx_set_max_operations(ctx_, quota);
  }
  ~Context() { isl_ctx_free(ctx_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  isl_ctx* get() const { return ctx_; }
  bool out_of_quota() const { return isl_ctx_last_error(ctx_) == isl_error_quota; }
  Status error(std::string_view what) const {
    const char* message = isl_ctx_last_error_msg(ctx_);
    return invalid_argument(fmt::format("isl rejects {}: {}", what, message == nullptr ? "unknown error" : message));
  }

 private:
  isl_ctx* ctx_;
};

struct FreeSet {
  void operator()(isl_set* set) const { isl_set_free(set); }
};
struct FreeMap {
  void operator()(isl_map* map) const { isl_map_free(map); }
};
struct FreePoint {
  void operator()(isl_point* point) const { isl_point_free(point); }
};
using Set = std::unique_ptr<isl_set, FreeSet>;
using Map = std::unique_ptr<isl_map, FreeMap>;
using Point = std::unique_ptr<isl_point, FreePoint>;

// Names as isl gets them: positions, because a layout's names may be isl keywords.
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

// " - 3*x": isl reads no sign or parenthesis after an operator.
std::string signed_product(int64_t coefficient, const std::string& atom) {
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

// The map with the given names for parameters and dimensions.
template <class Rename>
Expected<std::string> map_text(const GuardedAffineLayout& layout, const std::vector<std::string>& parameters,
                               const std::vector<std::string>& dims, const Rename& rename) {
  std::vector<std::string> pieces;
  for (const Piece& piece : layout.pieces()) {
    std::vector<std::string> outputs;
    for (size_t o = 0; o < layout.outputs(); ++o) {
      std::string text = print(piece.b[o], rename);
      for (size_t i = 0; i < layout.rank(); ++i) {
        if (!piece.a[o][i].is_constant()) {
          return unsupported(fmt::format("stride {} of {} is symbolic; isl holds constant strides only",
                                         piece.a[o][i].to_string(), layout.dims()[i].name));
        }
        if (piece.a[o][i].constant() == 0) continue;
        text += signed_product(piece.a[o][i].constant(), rename(layout.dims()[i].name));
      }
      outputs.push_back(std::move(text));
    }
    pieces.push_back(fmt::format("[{}] -> [{}] : {}", fmt::join(dims, ", "), fmt::join(outputs, ", "),
                                 domain_text(layout, piece, rename)));
  }
  return fmt::format("[{}] -> {{ {} }}", fmt::join(parameters, ", "), fmt::join(pieces, "; "));
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

Expected<std::string> to_isl_map(const GuardedAffineLayout& layout) {
  return map_text(layout, layout.parameters(), dim_names(layout), identity_name);
}

Expected<Verdict> equal_by_isl(const GuardedAffineLayout& a, const GuardedAffineLayout& b, uint64_t quota) {
  if (a.rank() != b.rank() || a.outputs() != b.outputs()) return Verdict::kRefuted;
  std::set<std::string> parameters(a.parameters().begin(), a.parameters().end());
  parameters.insert(b.parameters().begin(), b.parameters().end());
  std::map<std::string, std::string> shared;
  std::vector<std::string> parameter_names;
  for (const std::string& name : parameters) {
    parameter_names.push_back(fmt::format("p{}", parameter_names.size()));
    shared[name] = parameter_names.back();
  }
  Context ctx(quota);
  auto read = [&](const GuardedAffineLayout& layout) -> Expected<Map> {
    std::map<std::string, std::string> names = shared;
    std::vector<std::string> dims;
    for (const Dim& dim : layout.dims()) {
      dims.push_back(fmt::format("x{}", dims.size()));
      names[dim.name] = dims.back();
    }
    TAILOR_ASSIGN_OR_RETURN(std::string text, map_text(layout, parameter_names, dims,
                                                       [&names](const std::string& s) { return names.at(s); }));
    if (layout.pieces().empty()) {  // an empty union still needs its space
      std::vector<std::string> outputs(layout.outputs(), "0");
      text = fmt::format("[{}] -> {{ [{}] -> [{}] : false }}", fmt::join(parameter_names, ", "), fmt::join(dims, ", "),
                         fmt::join(outputs, ", "));
    }
    Map map(isl_map_read_from_str(ctx.get(), text.c_str()));
    if (!map && !ctx.out_of_quota()) return ctx.error(text);
    return map;
  };
  TAILOR_ASSIGN_OR_RETURN(Map left, read(a));
  TAILOR_ASSIGN_OR_RETURN(Map right, read(b));
  isl_bool equal = left && right ? isl_map_is_equal(left.get(), right.get()) : isl_bool_error;
  if (equal == isl_bool_error) {
    if (ctx.out_of_quota()) return Verdict::kUnknown;
    return ctx.error("the comparison of two layouts");
  }
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
