#include "codegen/layout/guarded_inverse.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/guards.h"
#include "codegen/layout/isl_pieces.h"
#include "codegen/layout/strided_layout.h"

namespace tailor::codegen::layout {
namespace {

using integer::Checked;
using isl::Context;
using isl::Map;
using isl::Set;

// y0, y1, … or what is free of them.
std::vector<std::string> image_names(const GuardedAffineLayout& layout) {
  std::set<std::string> taken(layout.parameters().begin(), layout.parameters().end());
  std::vector<std::string> names;
  for (size_t o = 0; o < layout.outputs(); ++o) names.push_back(fresh_name(fmt::format("y{}", o), taken));
  return names;
}

std::string at_parameters(const Assignment& parameters) {
  std::string text;
  for (const auto& [name, value] : parameters) {
    text += fmt::format("{}{} = {}", text.empty() ? " at " : ", ", name, value);
  }
  return text;
}

// A dimension that moves: extent above 1, its stride's sign and size.
struct Moving {
  size_t dim = 0;
  int64_t stride = 0;  // magnitude
  bool negative = false;
};

// Strides in ascending order where they nest: each is a multiple of the one below, and at least that times its extent.
std::optional<std::vector<Moving>> nested(const GuardedAffineLayout& layout) {
  std::vector<Moving> moving;
  for (size_t i = 0; i < layout.rank(); ++i) {
    const AffineExpr& extent = layout.dims()[i].extent;
    const AffineExpr& stride = layout.pieces()[0].a[0][i];
    if (extent == AffineExpr(1)) continue;
    if (!stride.is_constant() || stride.constant() == 0 || stride.constant() == INT64_MIN) return std::nullopt;
    moving.push_back({i, std::abs(stride.constant()), stride.constant() < 0});
  }
  std::stable_sort(moving.begin(), moving.end(), [](const Moving& a, const Moving& b) { return a.stride < b.stride; });
  for (size_t k = 0; k + 1 < moving.size(); ++k) {
    const AffineExpr& extent = layout.dims()[moving[k].dim].extent;
    if (!extent.is_constant()) return std::nullopt;
    const Checked span = Checked(extent.constant()) * moving[k].stride;
    if (moving[k + 1].stride % moving[k].stride != 0 || !span.ok() || span.value() > moving[k + 1].stride) {
      return std::nullopt;
    }
  }
  return moving;
}

// Constant, one output, from 0 on: what StridedLayout holds, dimension 0 fastest.
std::optional<StridedLayout> as_strided(const GuardedAffineLayout& layout) {
  if (!layout.is_plain_strided() || layout.outputs() != 1 || !layout.pieces()[0].b[0].is_zero()) return std::nullopt;
  std::vector<Mode> modes;
  for (size_t i = 0; i < layout.rank(); ++i) {
    if (!layout.dims()[i].extent.is_constant()) return std::nullopt;
    modes.push_back(Mode::leaf(layout.dims()[i].extent.constant(), layout.pieces()[0].a[0][i].constant()));
  }
  auto made = StridedLayout::create(Mode::of(std::move(modes)));
  if (!made.ok()) return std::nullopt;
  return std::move(*made);
}

Expected<std::optional<PointCollision>> collision_in(const Context& ctx, const GuardedAffineLayout& layout,
                                                     const Map& map, const isl::Names& parameters) {
  // x -> x' of one value, without x -> x.
  Map same(isl_map_apply_range(isl_map_copy(map.get()), isl_map_reverse(isl_map_copy(map.get()))));
  same.reset(isl_map_subtract(same.release(), isl_set_identity(isl_map_domain(isl_map_copy(map.get())))));
  if (!same) return ctx.error("injectivity");
  std::vector<std::string> both;
  for (size_t i = 0; i < 2 * layout.rank(); ++i) both.push_back(fmt::format("x{}", i));
  TAILOR_ASSIGN_OR_RETURN(std::optional<isl::Sample> found,
                          isl::sample(ctx, Set(isl_map_wrap(same.release())), isl::symbols_of(parameters, both)));
  if (!found) return std::optional<PointCollision>{};
  PointCollision result;
  const auto middle = found->point.begin() + static_cast<ptrdiff_t>(layout.rank());
  result.first.assign(found->point.begin(), middle);
  result.second.assign(middle, found->point.end());
  for (const std::string& name : layout.parameters()) result.parameters[name] = found->parameters[name];
  TAILOR_ASSIGN_OR_RETURN(const auto value, layout.evaluate(result.first, result.parameters));
  result.text = fmt::format("({}) and ({}) both have the value ({}){}", fmt::join(result.first, ", "),
                            fmt::join(result.second, ", "), fmt::join(value.value_or(std::vector<int64_t>{}), ", "),
                            at_parameters(result.parameters));
  return std::optional<PointCollision>(std::move(result));
}

// 0 <= y_k < extent_k, refused when the image misses a point of it.
Expected<Set> reached_box(const Context& ctx, const GuardedAffineLayout& layout, const isl::Box& box, const Set& image,
                          const isl::Names& parameters, const Facts& facts) {
  TAILOR_ASSIGN_OR_RETURN(Set wanted, isl::read_box(ctx, box, parameters));
  TAILOR_ASSIGN_OR_RETURN(Set context, isl::read_facts(ctx, parameters, facts));
  wanted.reset(isl_set_intersect_params(wanted.release(), context.release()));
  Set missed(isl_set_subtract(isl_set_copy(wanted.get()), isl_set_copy(image.get())));
  if (!missed) return ctx.error("surjectivity");
  std::vector<std::string> names;
  for (const Dim& dim : box.dims) names.push_back(dim.name);
  TAILOR_ASSIGN_OR_RETURN(const std::optional<isl::Sample> miss,
                          isl::sample(ctx, Set(isl_set_lexmin(missed.release())), isl::symbols_of(parameters, names)));
  if (miss) {
    return invalid_argument(
        fmt::format("right inverse of {}: none exists on the extents asked for, no point has the "
                    "value ({}){}",
                    layout.to_string(), fmt::join(miss->point, ", "), at_parameters(miss->parameters)));
  }
  return wanted;
}

}  // namespace

// With y' = y - base, base the smallest value, coordinate k of stride d_k is the digit floor(y' / d_k) mod (d_{k+1} /
// d_k), counted from the other end when the stride is negative.
Expected<std::optional<DigitLayout>> inverse_by_digits(const GuardedAffineLayout& given, const Facts& facts) {
  std::optional<DigitLayout> none;
  if (given.outputs() != 1 || given.pieces().size() != 1) return none;
  TAILOR_ASSIGN_OR_RETURN(const GuardedAffineLayout layout, bind_exact(given, facts));
  if (layout.pieces().empty()) return none;
  const std::optional<std::vector<Moving>> moving = nested(layout);
  if (!moving) return none;
  const Piece& piece = layout.pieces()[0];
  const std::string name = image_names(layout)[0];
  AffineExpr base = piece.b[0];
  AffineExpr extent(1);
  for (const Moving& m : *moving) {
    const AffineExpr& count = layout.dims()[m.dim].extent;
    // A whole number of the largest stride: the guards say where it ends.
    TAILOR_ASSIGN_OR_RETURN(extent, count.scale(m.stride));
    if (!m.negative) continue;
    TAILOR_ASSIGN_OR_RETURN(AffineExpr last, count.subtract(AffineExpr(1)));
    TAILOR_ASSIGN_OR_RETURN(last, last.scale(m.stride));
    TAILOR_ASSIGN_OR_RETURN(base, base.subtract(last));
  }
  TAILOR_ASSIGN_OR_RETURN(const AffineExpr shifted, AffineExpr::symbol(name).subtract(base));
  QuasiPiece quasi;
  quasi.outputs.resize(layout.rank());
  std::map<std::string, AffineExpr, std::less<>> coordinates;
  for (const Dim& dim : layout.dims()) coordinates[dim.name] = AffineExpr(0);
  for (size_t k = 0; k < moving->size(); ++k) {
    const Moving& m = (*moving)[k];
    const Dim& dim = layout.dims()[m.dim];
    TAILOR_ASSIGN_OR_RETURN(AffineExpr digit, AffineExpr::floor_of(shifted, m.stride));
    if (k == 0) {  // nothing below the smallest stride
      TAILOR_ASSIGN_OR_RETURN(AffineExpr below, AffineExpr::mod_of(shifted, m.stride));
      quasi.guard.push_back(Constraint::zero(std::move(below)));
    }
    TAILOR_ASSIGN_OR_RETURN(AffineExpr last, dim.extent.subtract(AffineExpr(1)));
    if (k + 1 < moving->size()) {
      TAILOR_ASSIGN_OR_RETURN(digit, AffineExpr::mod_of(digit, (*moving)[k + 1].stride / m.stride));
      TAILOR_ASSIGN_OR_RETURN(AffineExpr room, last.subtract(digit));
      quasi.guard.push_back(Constraint::non_negative(std::move(room)));
    }
    if (m.negative) {
      TAILOR_ASSIGN_OR_RETURN(digit, last.subtract(digit));
    }
    quasi.outputs[m.dim] = digit;
    coordinates[dim.name] = std::move(digit);
  }
  for (const Constraint& constraint : piece.guard) {
    TAILOR_ASSIGN_OR_RETURN(Constraint replaced, constraint.substitute(coordinates));
    quasi.guard.push_back(std::move(replaced));
  }
  TAILOR_ASSIGN_OR_RETURN(DigitLayout result,
                          digit_layout({{name, extent}}, layout.rank(), {std::move(quasi)}, {base}, facts));
  return std::optional<DigitLayout>(std::move(result));
}

Expected<DigitLayout> inverse_by_isl(const GuardedAffineLayout& given, InverseKind kind,
                                     const std::vector<AffineExpr>& onto, const Facts& facts, uint64_t quota) {
  if (!onto.empty() && onto.size() != given.outputs()) {
    return invalid_argument(
        fmt::format("{} extents for {} outputs; there must be one for each", onto.size(), given.outputs()));
  }
  TAILOR_ASSIGN_OR_RETURN(const GuardedAffineLayout layout, bind_exact(given, facts));
  std::set<std::string> extent_symbols;
  for (const AffineExpr& extent : onto) extent_symbols.merge(extent.symbols());
  for (const std::string& symbol : extent_symbols) {
    const auto& known = layout.parameters();
    if (std::find(known.begin(), known.end(), symbol) == known.end()) {
      return invalid_argument(fmt::format("an extent mentions {}, which the layout has not as a parameter", symbol));
    }
  }
  const isl::Names parameters = isl::parameter_names({&layout}, facts);
  const isl::Symbols symbols = isl::symbols_of(parameters, image_names(layout));
  const Context ctx(quota);
  TAILOR_ASSIGN_OR_RETURN(const Map map, isl::read_layout(ctx, layout, parameters, facts));
  Map inverse(isl_map_reverse(isl_map_copy(map.get())));
  if (kind == InverseKind::kLeft) {
    TAILOR_ASSIGN_OR_RETURN(const auto collision, collision_in(ctx, layout, map, parameters));
    if (collision) {
      return invalid_argument(fmt::format("left inverse of {}: none exists, {}", layout.to_string(), collision->text));
    }
  } else {
    inverse.reset(isl_map_lexmin(inverse.release()));
  }
  if (!inverse) return ctx.error("an inverse");
  Set image(isl_map_domain(isl_map_copy(inverse.get())));
  isl::Box box;
  if (onto.empty()) {
    TAILOR_ASSIGN_OR_RETURN(box, isl::box_of(ctx, image, symbols, facts));
  } else {
    for (size_t o = 0; o < onto.size(); ++o) {
      box.base.emplace_back();
      box.dims.push_back({symbols.dims[o], onto[o]});
    }
    TAILOR_ASSIGN_OR_RETURN(Set wanted, reached_box(ctx, layout, box, image, parameters, facts));
    inverse.reset(isl_map_intersect_domain(inverse.release(), wanted.release()));
    if (!inverse) return ctx.error("an inverse");
  }
  TAILOR_ASSIGN_OR_RETURN(Set context, isl::read_box(ctx, box, parameters));
  TAILOR_ASSIGN_OR_RETURN(Set admitted, isl::read_facts(ctx, parameters, facts));
  context.reset(isl_set_intersect_params(context.release(), admitted.release()));
  TAILOR_ASSIGN_OR_RETURN(std::vector<QuasiPiece> pieces, isl::pieces_of(ctx, inverse, context, symbols));
  auto result = digit_layout(box.dims, layout.rank(), std::move(pieces), box.base, facts);
  if (!result.ok() && result.status().code() == StatusCode::kUnsupported) {
    return unsupported(fmt::format("the inverse of {} is not made of affine pieces: {}", layout.to_string(),
                                   result.status().message()));
  }
  return result;
}

Expected<DigitLayout> left_inverse(const GuardedAffineLayout& layout, const Facts& facts, uint64_t quota) {
  TAILOR_ASSIGN_OR_RETURN(std::optional<DigitLayout> fast, inverse_by_digits(layout, facts));
  if (fast) return std::move(*fast);
  return inverse_by_isl(layout, InverseKind::kLeft, {}, facts, quota);
}

Expected<DigitLayout> right_inverse(const GuardedAffineLayout& layout, const Facts& facts, uint64_t quota) {
  TAILOR_ASSIGN_OR_RETURN(std::optional<DigitLayout> fast, inverse_by_digits(layout, facts));
  if (fast) return std::move(*fast);
  return inverse_by_isl(layout, InverseKind::kRight, {}, facts, quota);
}

Expected<DigitLayout> right_inverse_onto(const GuardedAffineLayout& layout, const std::vector<AffineExpr>& extents,
                                         const Facts& facts, uint64_t quota) {
  if (extents.empty() && layout.outputs() != 0) {
    return invalid_argument(fmt::format("0 extents for {} outputs; there must be one for each", layout.outputs()));
  }
  return inverse_by_isl(layout, InverseKind::kRight, extents, facts, quota);
}

Expected<std::optional<PointCollision>> find_collision(const GuardedAffineLayout& given, const Facts& facts,
                                                       uint64_t quota) {
  TAILOR_ASSIGN_OR_RETURN(const GuardedAffineLayout layout, bind_exact(given, facts));
  if (layout.outputs() == 1 && layout.pieces().size() == 1 && nested(layout)) return std::optional<PointCollision>{};
  const isl::Names parameters = isl::parameter_names({&layout}, facts);
  const Context ctx(quota);
  TAILOR_ASSIGN_OR_RETURN(const Map map, isl::read_layout(ctx, layout, parameters, facts));
  return collision_in(ctx, layout, map, parameters);
}

Expected<int64_t> max_common_vector_by_isl(const GuardedAffineLayout& given_a, const GuardedAffineLayout& given_b,
                                           const Facts& facts, uint64_t quota) {
  if (given_a.outputs() != 1 || given_b.outputs() != 1 || given_a.rank() != given_b.rank()) {
    return invalid_argument(fmt::format(
        "max common vector of layouts {} -> {} and {} -> {}; both must have one output and the same dimensions",
        given_a.rank(), given_a.outputs(), given_b.rank(), given_b.outputs()));
  }
  TAILOR_ASSIGN_OR_RETURN(const GuardedAffineLayout a, bind_exact(given_a, facts));
  TAILOR_ASSIGN_OR_RETURN(const GuardedAffineLayout b, bind_exact(given_b, facts));
  const isl::Names parameters = isl::parameter_names({&a, &b}, facts);
  const Context ctx(quota);
  TAILOR_ASSIGN_OR_RETURN(Map first, isl::read_layout(ctx, a, parameters, facts));
  TAILOR_ASSIGN_OR_RETURN(Map second, isl::read_layout(ctx, b, parameters, facts));
  // The smallest y >= 0 that is not common for some admitted parameters.
  Set common(isl_map_range(isl_map_intersect(first.release(), second.release())));
  const std::string text = fmt::format("{} -> {{ [y] : y >= 0 }}", isl::tuple_of(parameters, 'p'));
  TAILOR_ASSIGN_OR_RETURN(Set admitted, isl::read_facts(ctx, parameters, facts));
  Set missed(isl_set_read_from_str(ctx.get(), text.c_str()));
  missed.reset(isl_set_intersect_params(missed.release(), admitted.release()));
  missed.reset(isl_set_subtract(missed.release(), common.release()));
  missed.reset(isl_set_project_out(missed.release(), isl_dim_param, 0, static_cast<unsigned>(parameters.size())));
  missed.reset(isl_set_lexmin(missed.release()));
  if (!missed) return ctx.error("the common vector");
  TAILOR_ASSIGN_OR_RETURN(const std::optional<isl::Sample> end,
                          isl::sample(ctx, std::move(missed), isl::symbols_of({}, {"y"})));
  if (!end) return invalid_argument("max common vector: the facts admit no values of the parameters");
  return end->point[0];
}

Expected<int64_t> max_common_vector(const GuardedAffineLayout& a, const GuardedAffineLayout& b, const Facts& facts,
                                    uint64_t quota) {
  const std::optional<StridedLayout> first = as_strided(a);
  const std::optional<StridedLayout> second = as_strided(b);
  bool same_dims = a.rank() == b.rank();
  for (size_t i = 0; same_dims && i < a.rank(); ++i) same_dims = a.dims()[i].extent == b.dims()[i].extent;
  // Nested non-negative strides: one point per value, as CuTe's right inverse has it.
  if (first && second && same_dims && first->size() > 0) {
    const std::optional<std::vector<Moving>> moving = nested(b);
    TAILOR_ASSIGN_OR_RETURN(const StridedLayout inverse, right_inverse(*second));
    // Where the composition is refused the strided algebra counts, up to a limit.
    if (moving && std::none_of(moving->begin(), moving->end(), [](const Moving& m) { return m.negative; }) &&
        composition(*first, inverse).ok()) {
      return max_common_vector(*first, *second);
    }
  }
  return max_common_vector_by_isl(a, b, facts, quota);
}

}  // namespace tailor::codegen::layout
