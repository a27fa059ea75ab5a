#include "codegen/layout/layout.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/guards.h"
#include "codegen/layout/text.h"

namespace tailor::codegen::layout {
namespace {

using integer::Residue;
using Replacements = std::map<std::string, AffineExpr, std::less<>>;

// What needs no ranges: constants, parity.
std::optional<std::vector<Constraint>> tidy_guard(const std::vector<Constraint>& guard) {
  return layout::tidy_guard(guard, [](std::string_view) { return Residue::top(); });
}

void add_symbols(const AffineExpr& expr, const std::vector<Dim>& dims, std::set<std::string>& parameters) {
  for (const std::string& symbol : expr.symbols()) {
    bool is_dim = std::any_of(dims.begin(), dims.end(), [&](const Dim& d) { return d.name == symbol; });
    if (!is_dim) parameters.insert(symbol);
  }
}

// The parameters that occur, the known ones first in their order, new ones after them by name.
std::vector<std::string> collect_parameters(const std::vector<std::string>& known, const std::vector<Dim>& dims,
                                            const std::vector<Piece>& pieces) {
  std::set<std::string> used;
  for (const Dim& dim : dims) add_symbols(dim.extent, dims, used);
  for (const Piece& piece : pieces) {
    for (const Constraint& constraint : piece.guard) add_symbols(constraint.expr, dims, used);
    for (const auto& row : piece.a) {
      for (const AffineExpr& entry : row) add_symbols(entry, dims, used);
    }
    for (const AffineExpr& entry : piece.b) add_symbols(entry, dims, used);
  }
  std::vector<std::string> result;
  for (const std::string& name : known) {
    if (used.erase(name) != 0) result.push_back(name);
  }
  result.insert(result.end(), used.begin(), used.end());
  return result;
}

Status unknown_dim(std::string_view name) {
  return invalid_argument(fmt::format("dimension {} does not exist in the layout", name));
}

}  // namespace

Expected<GuardedAffineLayout> GuardedAffineLayout::create(std::vector<std::string> parameters, std::vector<Dim> dims,
                                                          size_t outputs, std::vector<Piece> pieces) {
  std::set<std::string> parameter_names;
  std::set<std::string> names;
  for (const std::string& name : parameters) {
    if (!text::is_valid_name(name)) return invalid_argument(fmt::format("parameter '{}' is not a valid name", name));
    if (!names.insert(name).second) return invalid_argument(fmt::format("name {} occurs twice", name));
  }
  parameter_names = names;
  for (const Dim& dim : dims) {
    if (!text::is_valid_name(dim.name))
      return invalid_argument(fmt::format("dimension '{}' is not a valid name", dim.name));
    if (!names.insert(dim.name).second) return invalid_argument(fmt::format("name {} occurs twice", dim.name));
  }
  auto check = [](const AffineExpr& expr, const std::set<std::string>& allowed, std::string_view where) -> Status {
    for (const std::string& symbol : expr.symbols()) {
      if (allowed.count(symbol) == 0) {
        return invalid_argument(
            fmt::format("{} ({}) mentions {}, which is not allowed there", where, expr.to_string(), symbol));
      }
    }
    return {};
  };
  for (const Dim& dim : dims) {
    TAILOR_RETURN_IF_ERROR(check(dim.extent, parameter_names, "extent of " + dim.name));
    if (dim.extent.is_constant() && dim.extent.constant() < 0) {
      return invalid_argument(
          fmt::format("extent of {} is {}; it must not be negative", dim.name, dim.extent.constant()));
    }
  }
  for (const Piece& piece : pieces) {
    if (piece.a.size() != outputs || piece.b.size() != outputs) {
      return invalid_argument(fmt::format("a piece has {} rows of A and {} of b; the layout has {} outputs",
                                          piece.a.size(), piece.b.size(), outputs));
    }
    for (const Constraint& constraint : piece.guard) TAILOR_RETURN_IF_ERROR(check(constraint.expr, names, "a guard"));
    for (size_t k = 0; k < outputs; ++k) {
      if (piece.a[k].size() != dims.size()) {
        return invalid_argument(
            fmt::format("row {} of A has {} entries; the layout has {} dimensions", k, piece.a[k].size(), dims.size()));
      }
      for (const AffineExpr& entry : piece.a[k]) TAILOR_RETURN_IF_ERROR(check(entry, parameter_names, "an entry of A"));
      TAILOR_RETURN_IF_ERROR(check(piece.b[k], parameter_names, "an entry of b"));
    }
  }
  GuardedAffineLayout layout;
  layout.parameters_ = std::move(parameters);
  layout.dims_ = std::move(dims);
  layout.outputs_ = outputs;
  layout.pieces_ = std::move(pieces);
  return layout;
}

Expected<GuardedAffineLayout> GuardedAffineLayout::of_pieces(std::vector<Dim> dims, size_t outputs,
                                                             std::vector<Piece> pieces,
                                                             const std::vector<std::string>& known) {
  std::vector<std::string> parameters = collect_parameters(known, dims, pieces);
  return create(std::move(parameters), std::move(dims), outputs, std::move(pieces));
}

Expected<GuardedAffineLayout> GuardedAffineLayout::strided(std::vector<Dim> dims, std::vector<AffineExpr> strides,
                                                           AffineExpr offset) {
  std::vector<Piece> pieces(1);
  pieces[0].a.push_back(std::move(strides));
  pieces[0].b.push_back(std::move(offset));
  return of_pieces(std::move(dims), 1, std::move(pieces));
}

std::optional<size_t> GuardedAffineLayout::find_dim(std::string_view name) const {
  for (size_t i = 0; i < dims_.size(); ++i) {
    if (dims_[i].name == name) return i;
  }
  return std::nullopt;
}

bool GuardedAffineLayout::is_plain_strided() const {
  if (pieces_.size() != 1 || !pieces_[0].guard.empty()) return false;
  for (const auto& row : pieces_[0].a) {
    if (!std::all_of(row.begin(), row.end(), [](const AffineExpr& e) { return e.is_constant(); })) return false;
  }
  return true;
}

Expected<std::optional<std::vector<int64_t>>> GuardedAffineLayout::evaluate(const std::vector<int64_t>& point,
                                                                            const Assignment& parameters) const {
  using Result = std::optional<std::vector<int64_t>>;
  if (point.size() != dims_.size()) {
    return invalid_argument(
        fmt::format("point has {} coordinates; the layout has {} dimensions", point.size(), dims_.size()));
  }
  Assignment values = parameters;
  for (size_t i = 0; i < dims_.size(); ++i) {
    TAILOR_ASSIGN_OR_RETURN(int64_t extent, dims_[i].extent.evaluate(parameters));
    if (point[i] < 0 || point[i] >= extent) return Result{};
    values[dims_[i].name] = point[i];
  }
  for (const Piece& piece : pieces_) {
    bool inside = true;
    for (size_t g = 0; inside && g < piece.guard.size(); ++g) {
      TAILOR_ASSIGN_OR_RETURN(inside, piece.guard[g].holds(values));
    }
    if (!inside) continue;
    std::vector<int64_t> outputs(outputs_);
    for (size_t k = 0; k < outputs_; ++k) {
      TAILOR_ASSIGN_OR_RETURN(int64_t offset, piece.b[k].evaluate(parameters));
      integer::Checked sum = offset;
      for (size_t i = 0; i < point.size(); ++i) {
        TAILOR_ASSIGN_OR_RETURN(int64_t entry, piece.a[k][i].evaluate(parameters));
        sum += integer::Checked(entry) * point[i];
      }
      if (!sum.ok()) return integer::overflow_error("an output of the layout");
      outputs[k] = sum.value();
    }
    return Result(std::move(outputs));
  }
  return Result{};
}

Expected<GuardedAffineLayout> GuardedAffineLayout::compose(const AffineMap& map) const {
  if (map.c.rows() != rank() || map.c.cols() != map.dims.size() || map.d.size() != rank()) {
    return invalid_argument(
        fmt::format("affine map is {}x{} with {} offsets; composing with rank {} over {} dimensions needs {}x{}",
                    map.c.rows(), map.c.cols(), map.d.size(), rank(), map.dims.size(), rank(), map.dims.size()));
  }
  // What each old dimension becomes, and the bounds it must keep.
  Replacements replacements;
  std::vector<Constraint> bounds;
  for (size_t k = 0; k < rank(); ++k) {
    AffineExpr image = map.d[k];
    for (size_t j = 0; j < map.dims.size(); ++j) {
      TAILOR_ASSIGN_OR_RETURN(AffineExpr term, AffineExpr::symbol(map.dims[j].name).scale(map.c.at(k, j)));
      TAILOR_ASSIGN_OR_RETURN(image, image.add(term));
    }
    // An old dimension that only changes its name, or its direction, keeps its bounds by the new extent.
    TAILOR_ASSIGN_OR_RETURN(AffineExpr last, dims_[k].extent.subtract(AffineExpr(1)));
    TAILOR_ASSIGN_OR_RETURN(const AffineExpr reversed, last.subtract(image));
    bool kept = false;
    for (const Dim& dim : map.dims) {
      const AffineExpr x = AffineExpr::symbol(dim.name);
      kept = kept || (dim.extent == dims_[k].extent && (image == x || reversed == x));
    }
    if (!kept) {
      bounds.push_back(Constraint::non_negative(image));
      TAILOR_ASSIGN_OR_RETURN(AffineExpr room, last.subtract(image));
      bounds.push_back(Constraint::non_negative(std::move(room)));
    }
    replacements[dims_[k].name] = std::move(image);
  }
  std::vector<Piece> pieces;
  for (const Piece& piece : pieces_) {
    Piece composed;
    std::vector<Constraint> guard = bounds;
    for (const Constraint& constraint : piece.guard) {
      TAILOR_ASSIGN_OR_RETURN(Constraint replaced, constraint.substitute(replacements));
      guard.push_back(std::move(replaced));
    }
    auto tidied = tidy_guard(guard);
    if (!tidied) continue;
    composed.guard = std::move(*tidied);
    for (size_t o = 0; o < outputs_; ++o) {
      AffineExpr offset = piece.b[o];
      std::vector<AffineExpr> row(map.dims.size());
      for (size_t k = 0; k < rank(); ++k) {
        TAILOR_ASSIGN_OR_RETURN(AffineExpr shift, multiply(piece.a[o][k], map.d[k]));
        TAILOR_ASSIGN_OR_RETURN(offset, offset.add(shift));
        for (size_t j = 0; j < map.dims.size(); ++j) {
          TAILOR_ASSIGN_OR_RETURN(AffineExpr term, piece.a[o][k].scale(map.c.at(k, j)));
          TAILOR_ASSIGN_OR_RETURN(row[j], row[j].add(term));
        }
      }
      composed.a.push_back(std::move(row));
      composed.b.push_back(std::move(offset));
    }
    pieces.push_back(std::move(composed));
  }
  return of_pieces(map.dims, outputs_, std::move(pieces), parameters_);
}

Expected<GuardedAffineLayout> GuardedAffineLayout::coalesce() const {
  DimsAndPieces result{dims_, pieces_};
  for (size_t i = result.dims.size(); i-- > 0;) {  // extent 1: the coordinate is 0
    if (result.dims[i].extent == AffineExpr(1)) TAILOR_RETURN_IF_ERROR(drop_dim(result, i));
  }
  for (size_t fast = result.dims.size(); fast-- > 1;) {
    if (can_merge(result, fast - 1, fast)) TAILOR_RETURN_IF_ERROR(merge_dims(result, fast - 1, fast));
  }
  std::vector<Piece> pieces;
  for (Piece& piece : result.pieces) {
    auto tidied = tidy_guard(piece.guard);
    if (!tidied) continue;
    piece.guard = std::move(*tidied);
    pieces.push_back(std::move(piece));
  }
  return of_pieces(std::move(result.dims), outputs_, std::move(pieces), parameters_);
}

Expected<GuardedAffineLayout> GuardedAffineLayout::slice(std::string_view dim, const AffineExpr& value) const {
  std::optional<size_t> index = find_dim(dim);
  if (!index) return unknown_dim(dim);
  AffineMap map;
  map.c = integer::Matrix(rank(), rank() - 1);
  map.d.resize(rank());
  for (size_t k = 0; k < rank(); ++k) {
    if (k == *index) {
      map.d[k] = value;
    } else {
      map.c.at(k, map.dims.size()) = 1;
      map.dims.push_back(dims_[k]);
    }
  }
  return compose(map);
}

Expected<GuardedAffineLayout> GuardedAffineLayout::domain_offset(std::string_view dim, const AffineExpr& offset) const {
  std::optional<size_t> index = find_dim(dim);
  if (!index) return unknown_dim(dim);
  AffineMap map{dims_, integer::Matrix::identity(rank()), std::vector<AffineExpr>(rank())};
  map.d[*index] = offset;
  TAILOR_ASSIGN_OR_RETURN(AffineExpr extent, dims_[*index].extent.subtract(offset));
  if (extent.is_constant() && extent.constant() < 0) extent = AffineExpr(0);
  map.dims[*index].extent = extent;
  TAILOR_ASSIGN_OR_RETURN(GuardedAffineLayout shifted, compose(map));
  // compose guards both ends; the upper one is the new extent, and the lower one vanishes for a constant offset >= 0.
  TAILOR_ASSIGN_OR_RETURN(AffineExpr last, extent.subtract(AffineExpr(1)));
  TAILOR_ASSIGN_OR_RETURN(AffineExpr room, last.subtract(AffineExpr::symbol(std::string(dim))));
  TAILOR_ASSIGN_OR_RETURN(AffineExpr lower, AffineExpr::symbol(std::string(dim)).add(offset));
  bool lower_holds = offset.is_constant() && offset.constant() >= 0;
  for (Piece& piece : shifted.pieces_) {
    std::erase_if(piece.guard, [&](const Constraint& g) {
      return g == Constraint::non_negative(room) || (lower_holds && g == Constraint::non_negative(lower));
    });
  }
  return shifted;
}

Expected<GuardedAffineLayout> GuardedAffineLayout::intersect(const std::vector<Constraint>& constraints) const {
  std::vector<Piece> pieces;
  for (Piece piece : pieces_) {
    piece.guard.insert(piece.guard.end(), constraints.begin(), constraints.end());
    auto tidied = tidy_guard(piece.guard);
    if (!tidied) continue;
    piece.guard = std::move(*tidied);
    pieces.push_back(std::move(piece));
  }
  return of_pieces(dims_, outputs_, std::move(pieces), parameters_);
}

Expected<GuardedAffineLayout> GuardedAffineLayout::concatenate(const GuardedAffineLayout& next,
                                                               std::string_view dim) const {
  std::optional<size_t> index = find_dim(dim);
  if (!index) return unknown_dim(dim);
  if (next.rank() != rank() || next.outputs() != outputs_) {
    return invalid_argument(fmt::format("concatenation of rank {} -> {} with rank {} -> {}; both must agree", rank(),
                                        outputs_, next.rank(), next.outputs()));
  }
  for (size_t k = 0; k < rank(); ++k) {
    if (dims_[k].name != next.dims_[k].name || (k != *index && !(dims_[k].extent == next.dims_[k].extent))) {
      return invalid_argument(fmt::format("concatenation along {}: dimension {} is ({}: {}) here and ({}: {}) there",
                                          dim, k, dims_[k].name, dims_[k].extent.to_string(), next.dims_[k].name,
                                          next.dims_[k].extent.to_string()));
    }
  }
  const AffineExpr& seam = dims_[*index].extent;
  AffineExpr x = AffineExpr::symbol(dims_[*index].name);
  std::vector<Dim> dims = dims_;
  TAILOR_ASSIGN_OR_RETURN(dims[*index].extent, seam.add(next.dims_[*index].extent));
  // Front: x <= seam - 1.
  TAILOR_ASSIGN_OR_RETURN(AffineExpr room, seam.subtract(AffineExpr(1)));
  TAILOR_ASSIGN_OR_RETURN(room, room.subtract(x));
  TAILOR_ASSIGN_OR_RETURN(GuardedAffineLayout front, intersect({Constraint::non_negative(room)}));
  // Back: next at x - seam, for x >= seam. Its own extent is the remaining one, so no upper guard is needed.
  AffineMap shift{dims, integer::Matrix::identity(rank()), std::vector<AffineExpr>(rank())};
  TAILOR_ASSIGN_OR_RETURN(shift.d[*index], seam.scale(-1));
  TAILOR_ASSIGN_OR_RETURN(GuardedAffineLayout back, next.compose(shift));
  TAILOR_ASSIGN_OR_RETURN(AffineExpr upper, dims[*index].extent.subtract(AffineExpr(1)));
  TAILOR_ASSIGN_OR_RETURN(upper, upper.subtract(x));
  std::vector<Piece> pieces = front.pieces_;
  for (Piece& piece : back.pieces_) {
    std::erase_if(piece.guard, [&](const Constraint& g) { return g == Constraint::non_negative(upper); });
    pieces.push_back(std::move(piece));
  }
  std::vector<std::string> known = parameters_;
  known.insert(known.end(), next.parameters_.begin(), next.parameters_.end());
  return of_pieces(std::move(dims), outputs_, std::move(pieces), known);
}

Expected<PagedLayout> GuardedAffineLayout::page(std::string_view page_dim, const std::string& base,
                                                const Facts& facts) const {
  std::optional<size_t> index = find_dim(page_dim);
  if (!index) return unknown_dim(page_dim);
  if (outputs_ != 1 || pieces_.size() != 1) {
    return unsupported(fmt::format("paging needs one piece with one output; the layout has {} pieces and {} outputs",
                                   pieces_.size(), outputs_));
  }
  for (const Constraint& constraint : pieces_[0].guard) {
    if (constraint.expr.depends_on(page_dim)) {
      return unsupported(fmt::format("paging of {}: the guard {} depends on it", page_dim, constraint.to_string()));
    }
  }
  PagedLayout result;
  result.base = base;
  // base = stride * page with 0 <= page <= P - 1, both known only by facts.
  auto of = [&facts](std::string_view name) { return facts.of(name); };
  Residue pages = dims_[*index].extent.abstract(of);
  int64_t last = pages.hi == Residue::kPlusInfinity ? pages.hi : std::max<int64_t>(pages.hi - 1, 0);
  result.base_fact = pieces_[0].a[0][*index].abstract(of) * Residue::between(0, last);
  std::vector<Dim> dims = dims_;
  Piece piece = pieces_[0];
  dims.erase(dims.begin() + static_cast<ptrdiff_t>(*index));
  piece.a[0].erase(piece.a[0].begin() + static_cast<ptrdiff_t>(*index));
  TAILOR_ASSIGN_OR_RETURN(piece.b[0], piece.b[0].add(AffineExpr::symbol(base)));
  std::vector<Piece> pieces{std::move(piece)};
  TAILOR_ASSIGN_OR_RETURN(result.layout, of_pieces(std::move(dims), 1, std::move(pieces), parameters_));
  return result;
}

Expected<GuardedAffineLayout> GuardedAffineLayout::bind(const std::string& parameter, const AffineExpr& value) const {
  Replacements replacement{{parameter, value}};
  std::vector<Dim> dims = dims_;
  for (Dim& dim : dims) {
    TAILOR_ASSIGN_OR_RETURN(dim.extent, dim.extent.substitute(replacement));
  }
  std::vector<Piece> pieces;
  for (Piece piece : pieces_) {
    for (Constraint& constraint : piece.guard) {
      TAILOR_ASSIGN_OR_RETURN(constraint, constraint.substitute(replacement));
    }
    auto tidied = tidy_guard(piece.guard);
    if (!tidied) continue;
    piece.guard = std::move(*tidied);
    for (size_t o = 0; o < outputs_; ++o) {
      for (AffineExpr& entry : piece.a[o]) {
        TAILOR_ASSIGN_OR_RETURN(entry, entry.substitute(replacement));
      }
      TAILOR_ASSIGN_OR_RETURN(piece.b[o], piece.b[o].substitute(replacement));
    }
    pieces.push_back(std::move(piece));
  }
  return of_pieces(std::move(dims), outputs_, std::move(pieces), parameters_);
}

}  // namespace tailor::codegen::layout
