#include "codegen/layout/isl_pieces.h"

#include <isl/constraint.h>
#include <isl/local_space.h>

namespace tailor::codegen::layout::isl {
namespace {

Expected<int64_t> to_int64(isl_val* owned) {
  Val value(owned);
  if (!value || isl_val_is_int(value.get()) != isl_bool_true ||
      isl_val_n_abs_num_chunks(value.get(), sizeof(int64_t)) != 1) {
    return invalid_argument("a coefficient that isl found leaves 64 bits");
  }
  int64_t chunk = 0;
  isl_val_get_abs_num_chunks(value.get(), sizeof chunk, &chunk);
  if (chunk < 0) return invalid_argument("a coefficient that isl found leaves 64 bits");
  return isl_val_is_neg(value.get()) == isl_bool_true ? -chunk : chunk;
}

// Collects the results of isl's callbacks, the first error included.
struct Reader {
  const Context& ctx;
  const Symbols& symbols;
  isl_set* context = nullptr;
  Status status;
  std::vector<QuasiPiece> pieces;
  std::vector<AffineExpr> outputs;
  std::vector<Constraint> guard;
  std::vector<AffineExpr> bounds;

  isl_stat done(const Status& result) {
    if (!result.ok() && status.ok()) status = result;
    return result.ok() ? isl_stat_ok : isl_stat_error;
  }
};

Status read_constraint(Reader& reader, isl_constraint* constraint) {
  if (isl_constraint_is_div_constraint(constraint) == isl_bool_true) return {};  // defines a floor
  Aff aff(isl_constraint_get_aff(constraint));
  if (!aff) return reader.ctx.error("a guard");
  TAILOR_ASSIGN_OR_RETURN(AffineExpr expr, read_aff(aff.get(), reader.symbols));
  const bool equality = isl_constraint_is_equality(constraint) == isl_bool_true;
  reader.guard.push_back({std::move(expr), equality ? Relation::kZero : Relation::kNonNegative});
  return {};
}

isl_stat on_constraint(isl_constraint* constraint, void* user) {
  auto& reader = *static_cast<Reader*>(user);
  const Status result = read_constraint(reader, constraint);
  isl_constraint_free(constraint);
  return reader.done(result);
}

isl_stat on_basic_set(isl_basic_set* set, void* user) {
  auto& reader = *static_cast<Reader*>(user);
  reader.guard.clear();
  const isl_stat result = isl_basic_set_foreach_constraint(set, on_constraint, user);
  isl_basic_set_free(set);
  if (result == isl_stat_ok) reader.pieces.push_back({reader.guard, reader.outputs});
  return result;
}

Status read_outputs(Reader& reader, isl_multi_aff* function) {
  reader.outputs.clear();
  const isl_size count = isl_multi_aff_dim(function, isl_dim_out);
  for (isl_size o = 0; o < count; ++o) {
    Aff aff(isl_multi_aff_get_aff(function, o));
    if (!aff) return reader.ctx.error("an output");
    TAILOR_ASSIGN_OR_RETURN(AffineExpr expr, read_aff(aff.get(), reader.symbols));
    reader.outputs.push_back(std::move(expr));
  }
  return {};
}

isl_stat on_piece(isl_set* owned, isl_multi_aff* function, void* user) {
  auto& reader = *static_cast<Reader*>(user);
  const Status outputs = read_outputs(reader, function);
  isl_multi_aff_free(function);
  Set set(owned);
  if (!outputs.ok()) return reader.done(outputs);
  set.reset(isl_set_gist(set.release(), isl_set_copy(reader.context)));
  set.reset(isl_set_compute_divs(isl_set_make_disjoint(set.release())));
  if (!set) return reader.done(reader.ctx.error("the domain of a piece"));
  return isl_set_foreach_basic_set(set.get(), on_basic_set, user);
}

isl_stat on_bound(isl_set* set, isl_aff* owned, void* user) {
  auto& reader = *static_cast<Reader*>(user);
  isl_set_free(set);
  Aff aff(owned);
  auto expr = read_aff(aff.get(), reader.symbols);
  if (expr.ok()) reader.bounds.push_back(std::move(*expr));
  return reader.done(expr.status());
}

// The bounds of isl, one for each case of the parameters.
Expected<std::vector<AffineExpr>> bounds_of(const Context& ctx, isl_pw_aff* owned, const Symbols& symbols) {
  PwAff bound(owned);
  Reader reader{ctx, symbols, nullptr, {}, {}, {}, {}, {}};
  if (!bound || isl_pw_aff_foreach_piece(bound.get(), on_bound, &reader) != isl_stat_ok) {
    return reader.status.ok() ? ctx.error("the bounds of an image") : reader.status;
  }
  return reader.bounds;
}

std::string dims_tuple(size_t count) {
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) names.push_back(fmt::format("x{}", i));
  return fmt::format("[{}]", fmt::join(names, ", "));
}

}  // namespace

Names parameter_names(std::initializer_list<const GuardedAffineLayout*> layouts, const Facts& facts) {
  std::set<std::string> symbols;
  for (const GuardedAffineLayout* layout : layouts) {
    symbols.insert(layout->parameters().begin(), layout->parameters().end());
  }
  for (const Constraint& constraint : facts.as_constraints()) symbols.merge(constraint.expr.symbols());
  return positional(symbols, 'p');
}

Expected<Set> read_facts(const Context& ctx, const Names& parameters, const Facts& facts) {
  const auto rename = [&](const std::string& symbol) { return parameters.find(symbol)->second; };
  const std::string text =
      fmt::format("{} -> {{ : {} }}", tuple_of(parameters, 'p'), print(facts.as_constraints(), rename));
  Set set(isl_set_read_from_str(ctx.get(), text.c_str()));
  if (!set) return ctx.error(text);
  return set;
}

Expected<std::string> map_text(const GuardedAffineLayout& layout, std::string_view parameter_tuple,
                               const Names& names) {
  const auto rename = [&](const std::string& symbol) { return names.find(symbol)->second; };
  std::vector<std::string> dims;
  std::vector<std::string> domain;
  for (const Dim& dim : layout.dims()) {
    dims.push_back(rename(dim.name));
    domain.push_back(fmt::format("0 <= {} < {}", dims.back(), print(dim.extent, rename)));
  }
  std::vector<std::string> pieces;
  for (const Piece& piece : layout.pieces()) {
    std::vector<std::string> outputs;
    for (size_t o = 0; o < layout.outputs(); ++o) {
      std::string text = print(piece.b[o], rename);
      for (size_t i = 0; i < layout.rank(); ++i) {
        const AffineExpr& stride = piece.a[o][i];
        if (!stride.is_constant()) {
          return unsupported(fmt::format(
              "stride {} of {} is symbolic, and ({})*{} is not Presburger arithmetic, which is what isl decides; an "
              "exact value of its symbols in the facts would do",
              stride.to_string(), layout.dims()[i].name, stride.to_string(), layout.dims()[i].name));
        }
        if (stride.constant() != 0) text += signed_product(stride.constant(), dims[i]);
      }
      outputs.push_back(std::move(text));
    }
    std::vector<std::string> conditions = domain;
    if (!piece.guard.empty()) conditions.push_back(print(piece.guard, rename));
    pieces.push_back(fmt::format("[{}] -> [{}] : {}", fmt::join(dims, ", "), fmt::join(outputs, ", "),
                                 conditions.empty() ? "true" : fmt::format("{}", fmt::join(conditions, " and "))));
  }
  if (pieces.empty()) {  // an empty union still needs its space
    const std::vector<std::string> zeros(layout.outputs(), "0");
    pieces.push_back(fmt::format("[{}] -> [{}] : false", fmt::join(dims, ", "), fmt::join(zeros, ", ")));
  }
  return fmt::format("{} -> {{ {} }}", parameter_tuple, fmt::join(pieces, "; "));
}

Expected<Map> read_layout(const Context& ctx, const GuardedAffineLayout& layout, const Names& parameters,
                          const Facts& facts) {
  Names names = parameters;
  for (size_t i = 0; i < layout.rank(); ++i) names[layout.dims()[i].name] = fmt::format("x{}", i);
  TAILOR_ASSIGN_OR_RETURN(const std::string text, map_text(layout, tuple_of(parameters, 'p'), names));
  TAILOR_ASSIGN_OR_RETURN(Set context, read_facts(ctx, parameters, facts));
  Map map(isl_map_intersect_params(isl_map_read_from_str(ctx.get(), text.c_str()), context.release()));
  if (!map) return ctx.error(text);
  return map;
}

Symbols symbols_of(const Names& parameters, std::vector<std::string> dims) {
  Symbols symbols;
  for (const auto& [symbol, name] : parameters) symbols.parameters[name] = symbol;
  symbols.dims = std::move(dims);
  return symbols;
}

Expected<AffineExpr> read_aff(isl_aff* aff, const Symbols& symbols) {
  TAILOR_ASSIGN_OR_RETURN(const int64_t denominator, to_int64(isl_aff_get_denominator_val(aff)));
  // Coefficients as isl hands them out are already divided by the denominator.
  const auto numerator_of = [&](isl_val* value) {
    return to_int64(isl_val_mul_ui(value, static_cast<unsigned long>(denominator)));
  };
  TAILOR_ASSIGN_OR_RETURN(const int64_t constant, numerator_of(isl_aff_get_constant_val(aff)));
  AffineExpr sum(constant);
  for (const isl_dim_type type : {isl_dim_param, isl_dim_in, isl_dim_div}) {
    const isl_size count = isl_aff_dim(aff, type);
    for (isl_size i = 0; i < count; ++i) {
      TAILOR_ASSIGN_OR_RETURN(const int64_t coefficient, numerator_of(isl_aff_get_coefficient_val(aff, type, i)));
      if (coefficient == 0) continue;
      AffineExpr atom;
      if (type == isl_dim_div) {
        Aff div(isl_aff_get_div(aff, i));  // the floor's argument, denominator included
        TAILOR_ASSIGN_OR_RETURN(atom, read_aff(div.get(), symbols));
      } else if (type == isl_dim_param) {
        const auto found = symbols.parameters.find(isl_aff_get_dim_name(aff, isl_dim_param, static_cast<unsigned>(i)));
        if (found == symbols.parameters.end()) return internal_error("isl names a parameter that it was not given");
        atom = AffineExpr::symbol(found->second);
      } else {
        atom = AffineExpr::symbol(symbols.dims[static_cast<size_t>(i)]);
      }
      TAILOR_ASSIGN_OR_RETURN(atom, atom.scale(coefficient));
      TAILOR_ASSIGN_OR_RETURN(sum, sum.add(atom));
    }
  }
  return AffineExpr::floor_of(sum, denominator);
}

Expected<std::vector<QuasiPiece>> pieces_of(const Context& ctx, const Map& map, const Set& context,
                                            const Symbols& symbols) {
  PwMultiAff function(isl_pw_multi_aff_from_map(isl_map_copy(map.get())));
  function.reset(isl_pw_multi_aff_coalesce(function.release()));
  if (!function) return ctx.error("the pieces of a map");
  Reader reader{ctx, symbols, context.get(), {}, {}, {}, {}, {}};
  if (isl_pw_multi_aff_foreach_piece(function.get(), on_piece, &reader) != isl_stat_ok) {
    return reader.status.ok() ? ctx.error("the pieces of a map") : reader.status;
  }
  return std::move(reader.pieces);
}

namespace {

// The first candidate that bounds coordinate k of the set on the side that `relation` (">=" or "<=") says.
Expected<AffineExpr> bound_among(const Context& ctx, const Set& set, size_t k, const Symbols& symbols,
                                 std::string_view relation, const std::vector<AffineExpr>& candidates) {
  Names names;
  for (const auto& [name, symbol] : symbols.parameters) names[symbol] = name;
  const auto rename = [&](const std::string& symbol) { return names.find(symbol)->second; };
  for (const AffineExpr& candidate : candidates) {
    const std::string text = fmt::format("{} -> {{ {} : x{} {} {} }}", tuple_of(names, 'p'),
                                         dims_tuple(symbols.dims.size()), k, relation, print(candidate, rename));
    Set half(isl_set_read_from_str(ctx.get(), text.c_str()));
    const isl_bool inside = half ? isl_set_is_subset(set.get(), half.get()) : isl_bool_error;
    if (inside == isl_bool_error) return ctx.error("the bounds of an image");
    if (inside == isl_bool_true) return candidate;
  }
  std::vector<std::string> texts;
  for (const AffineExpr& candidate : candidates) texts.push_back(candidate.to_string());
  return unsupported(
      fmt::format("{} has no {} bound affine in the parameters (by cases: {}); facts that decide between "
                  "the cases would give one",
                  symbols.dims[k], relation == ">=" ? "lower" : "upper", fmt::join(texts, ", ")));
}

}  // namespace

Expected<Box> box_of(const Context& ctx, const Set& set, const Symbols& symbols, const Facts& facts) {
  Box box;
  for (size_t k = 0; k < symbols.dims.size(); ++k) {
    const isl_bool empty = isl_set_is_empty(set.get());
    if (empty == isl_bool_error) return ctx.error("the bounds of an image");
    if (empty == isl_bool_true) {
      box.base.emplace_back();
      box.dims.push_back({symbols.dims[k], AffineExpr(0)});
      continue;
    }
    for (const isl_bool bounded : {isl_set_dim_has_lower_bound(set.get(), isl_dim_set, static_cast<unsigned>(k)),
                                   isl_set_dim_has_upper_bound(set.get(), isl_dim_set, static_cast<unsigned>(k))}) {
      if (bounded == isl_bool_true) continue;
      return bounded == isl_bool_error ? ctx.error("the bounds of an image")
                                       : unsupported(fmt::format("{} is unbounded", symbols.dims[k]));
    }
    const int position = static_cast<int>(k);
    TAILOR_ASSIGN_OR_RETURN(std::vector<AffineExpr> low,
                            bounds_of(ctx, isl_set_dim_min(isl_set_copy(set.get()), position), symbols));
    TAILOR_ASSIGN_OR_RETURN(std::vector<AffineExpr> high,
                            bounds_of(ctx, isl_set_dim_max(isl_set_copy(set.get()), position), symbols));
    AffineExpr first = low.front();
    AffineExpr last = high.front();
    if (low.size() != 1) low.insert(low.begin(), AffineExpr(0));
    // Where the cases cross, a constant beyond all of them.
    const auto parameter = [&facts](std::string_view name) { return facts.of(name); };
    integer::Residue all = low.front().abstract(parameter);
    for (const AffineExpr& bound : low) all = integer::join(all, bound.abstract(parameter));
    if (low.size() != 1 && all.lo != integer::Residue::kMinusInfinity) low.emplace_back(all.lo);
    all = high.front().abstract(parameter);
    for (const AffineExpr& bound : high) all = integer::join(all, bound.abstract(parameter));
    if (high.size() != 1 && all.hi != integer::Residue::kPlusInfinity) high.emplace_back(all.hi);
    if (low.size() != 1) {
      TAILOR_ASSIGN_OR_RETURN(first, bound_among(ctx, set, k, symbols, ">=", low));
    }
    if (high.size() != 1) {
      TAILOR_ASSIGN_OR_RETURN(last, bound_among(ctx, set, k, symbols, "<=", high));
    }
    TAILOR_ASSIGN_OR_RETURN(AffineExpr extent, last.subtract(first));
    TAILOR_ASSIGN_OR_RETURN(extent, extent.add(AffineExpr(1)));
    box.base.push_back(std::move(first));
    box.dims.push_back({symbols.dims[k], std::move(extent)});
  }
  return box;
}

Expected<Set> read_box(const Context& ctx, const Box& box, const Names& parameters) {
  const auto rename = [&](const std::string& symbol) { return parameters.find(symbol)->second; };
  std::vector<std::string> parts;
  for (size_t k = 0; k < box.dims.size(); ++k) {
    const std::string base = print(box.base[k], rename);
    parts.push_back(fmt::format("{} <= x{} and x{} < {} + ({})", base, k, k, base, print(box.dims[k].extent, rename)));
  }
  const std::string text = fmt::format("{} -> {{ {} : {} }}", tuple_of(parameters, 'p'), dims_tuple(box.dims.size()),
                                       parts.empty() ? "true" : fmt::format("{}", fmt::join(parts, " and ")));
  Set set(isl_set_read_from_str(ctx.get(), text.c_str()));
  if (!set) return ctx.error(text);
  return set;
}

Expected<std::optional<Sample>> sample(const Context& ctx, Set set, const Symbols& symbols) {
  Point point(isl_set_sample_point(set.release()));
  if (!point) return ctx.error("a sample point");
  const isl_bool nowhere = isl_point_is_void(point.get());
  if (nowhere == isl_bool_error) return ctx.error("a sample point");
  if (nowhere == isl_bool_true) return std::optional<Sample>{};
  Sample result;
  const auto coordinate = [&](isl_dim_type type, size_t i) {
    return to_int64(isl_point_get_coordinate_val(point.get(), type, static_cast<int>(i)));
  };
  for (size_t i = 0; i < symbols.dims.size(); ++i) {
    TAILOR_ASSIGN_OR_RETURN(const int64_t value, coordinate(isl_dim_set, i));
    result.point.push_back(value);
  }
  for (const auto& [name, symbol] : symbols.parameters) {
    const size_t i = static_cast<size_t>(std::stoul(name.substr(1)));  // "p3" is parameter 3
    TAILOR_ASSIGN_OR_RETURN(const int64_t value, coordinate(isl_dim_param, i));
    result.parameters[symbol] = value;
  }
  return std::optional<Sample>(std::move(result));
}

}  // namespace tailor::codegen::layout::isl
