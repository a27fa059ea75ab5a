#include "codegen/layout/digit_layout.h"

#include <algorithm>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/guards.h"

namespace tailor::codegen::layout {
namespace {

using integer::Checked;
using Replacements = std::map<std::string, AffineExpr, std::less<>>;

// `atom` (a floor term) replaced wherever it occurs.
Expected<AffineExpr> replace_floor(const AffineExpr& expr, const Atom& atom, const AffineExpr& replacement) {
  AffineExpr result(expr.constant());
  for (const Term& term : expr.terms()) {
    AffineExpr value;
    if (term.atom == atom) {
      value = replacement;
    } else if (term.atom.is_floor()) {
      TAILOR_ASSIGN_OR_RETURN(AffineExpr numerator, replace_floor(*term.atom.numerator, atom, replacement));
      TAILOR_ASSIGN_OR_RETURN(value, AffineExpr::floor_of(numerator, term.atom.denominator));
    } else {
      value = AffineExpr::symbol(term.atom.symbol);
    }
    TAILOR_ASSIGN_OR_RETURN(value, value.scale(term.coefficient));
    TAILOR_ASSIGN_OR_RETURN(result, result.add(value));
  }
  return result;
}

// y = value of the digit times its place, summed over the digits of a coordinate.
struct Digit {
  std::string name;
  size_t coordinate = 0;
  int64_t place = 1;
  AffineExpr extent;
};

class Splitter {
 public:
  Splitter(const std::vector<Dim>& dims, size_t outputs, std::vector<QuasiPiece> pieces, const Facts& facts)
      : dims_(dims), outputs_(outputs), pieces_(std::move(pieces)), facts_(facts) {}

  Expected<DigitLayout> run(const std::vector<AffineExpr>& base) {
    TAILOR_RETURN_IF_ERROR(begin(base));
    while (true) {
      bool changed = false;
      for (size_t p = 0; p < pieces_.size() && !changed; ++p) {
        for (const AffineExpr& output : pieces_[p].outputs) {
          const std::optional<Atom> atom = innermost_floor(output);
          if (!atom) continue;
          TAILOR_RETURN_IF_ERROR(resolve(p, *atom));
          changed = true;
          break;
        }
      }
      if (!changed) return finish(base);
    }
  }

 private:
  // Coordinate k is base + its one digit.
  Status begin(const std::vector<AffineExpr>& base) {
    Replacements shifted;
    for (size_t k = 0; k < dims_.size(); ++k) {
      const std::string name = fmt::format("{}#{}", dims_[k].name, count_++);
      digits_.push_back({name, k, 1, dims_[k].extent});
      AffineExpr value = AffineExpr::symbol(name);
      if (!base.empty()) {
        TAILOR_ASSIGN_OR_RETURN(value, value.add(base[k]));
      }
      shifted[dims_[k].name] = std::move(value);
    }
    return substitute(shifted);
  }

  Status substitute(const Replacements& replacements) {
    for (QuasiPiece& piece : pieces_) {
      for (Constraint& constraint : piece.guard) {
        TAILOR_ASSIGN_OR_RETURN(constraint, constraint.substitute(replacements));
      }
      for (AffineExpr& output : piece.outputs) {
        TAILOR_ASSIGN_OR_RETURN(output, output.substitute(replacements));
      }
    }
    for (Constraint& constraint : common_) {
      TAILOR_ASSIGN_OR_RETURN(constraint, constraint.substitute(replacements));
    }
    return {};
  }

  const Digit* digit(std::string_view name) const {
    for (const Digit& d : digits_) {
      if (d.name == name) return &d;
    }
    return nullptr;
  }

  bool mentions_digit(const AffineExpr& expr) const {
    return std::any_of(digits_.begin(), digits_.end(), [&](const Digit& d) { return expr.depends_on(d.name); });
  }

  // A floor term over digits whose numerator holds no other such term.
  std::optional<Atom> innermost_floor(const AffineExpr& expr) const {
    for (const Term& term : expr.terms()) {
      if (!term.atom.is_floor() || !mentions_digit(*term.atom.numerator)) continue;
      if (auto inner = innermost_floor(*term.atom.numerator)) return inner;
      return term.atom;
    }
    return std::nullopt;
  }

  // floor(Σ c_i d_i + R / m): each long digit is split at m / gcd(c_i, m), so that its upper part leaves the floor;
  // once all are short the floor takes few values.
  Status resolve(size_t piece, const Atom& atom) {
    for (const Term& term : atom.numerator->terms()) {
      const Digit* d = term.atom.is_floor() ? nullptr : digit(term.atom.symbol);
      if (d == nullptr) continue;
      const int64_t place = atom.denominator / integer::gcd(term.coefficient, atom.denominator);
      if (d->extent.is_constant() && d->extent.constant() <= place) continue;
      return split(*d, place);
    }
    return enumerate(piece, atom);
  }

  Status split(Digit whole, int64_t place) {
    Digit low = whole;
    Digit high = whole;
    low.name = fmt::format("{}#{}", dims_[whole.coordinate].name, count_++);
    high.name = fmt::format("{}#{}", dims_[whole.coordinate].name, count_++);
    low.extent = AffineExpr(place);
    const Checked high_place = Checked(whole.place) * place;
    if (!high_place.ok()) return integer::overflow_error("the place of a digit");
    high.place = high_place.value();
    TAILOR_ASSIGN_OR_RETURN(AffineExpr rounded, whole.extent.add(AffineExpr(place - 1)));
    TAILOR_ASSIGN_OR_RETURN(high.extent, AffineExpr::floor_of(rounded, place));
    TAILOR_ASSIGN_OR_RETURN(AffineExpr value, AffineExpr::symbol(high.name).scale(place));
    TAILOR_ASSIGN_OR_RETURN(value, value.add(AffineExpr::symbol(low.name)));
    const auto parameter = [this](std::string_view name) { return facts_.of(name); };
    const bool exact = integer::floor_mod(whole.extent.abstract(parameter), place) == integer::Residue::constant(0);
    if (!exact) {  // place*high + low <= extent - 1
      TAILOR_ASSIGN_OR_RETURN(AffineExpr room, whole.extent.subtract(value));
      TAILOR_ASSIGN_OR_RETURN(room, room.subtract(AffineExpr(1)));
      common_.push_back(Constraint::non_negative(std::move(room)));
    }
    std::erase_if(digits_, [&](const Digit& d) { return d.name == whole.name; });
    digits_.push_back(low);
    digits_.push_back(high);
    return substitute({{whole.name, std::move(value)}});
  }

  // With N = D + R, D over digits and R over parameters, floor(N / m) = floor(R / m) + v where
  // v = floor((D + R mod m) / m), one piece for each v.
  Status enumerate(size_t index, const Atom& atom) {
    const int64_t m = atom.denominator;
    AffineExpr rest = *atom.numerator;
    AffineExpr over_digits;
    Checked reach = 0;
    for (const Digit& d : digits_) {
      const int64_t c = atom.numerator->coefficient(d.name);
      if (c == 0) continue;
      reach += Checked(c) * std::max<int64_t>(d.extent.constant() - 1, 0);
      TAILOR_ASSIGN_OR_RETURN(AffineExpr term, AffineExpr::symbol(d.name).scale(c));
      TAILOR_ASSIGN_OR_RETURN(over_digits, over_digits.add(term));
      TAILOR_ASSIGN_OR_RETURN(rest, rest.subtract(term));
    }
    reach += rest.is_constant() ? integer::floor_mod(rest.constant(), m) : m - 1;
    if (!reach.ok()) return integer::overflow_error(atom.numerator->to_string());
    const int64_t last = reach.value() / m;
    if (last >= static_cast<int64_t>(kMaxPieces) || pieces_.size() + static_cast<size_t>(last) > kMaxPieces) {
      return unsupported(fmt::format("floor(({}) / {}) takes {} values, one piece each; at most {} pieces are made",
                                     atom.numerator->to_string(), m, last + 1, kMaxPieces));
    }
    TAILOR_ASSIGN_OR_RETURN(AffineExpr quotient, AffineExpr::floor_of(rest, m));
    TAILOR_ASSIGN_OR_RETURN(AffineExpr remainder, AffineExpr::mod_of(rest, m));
    TAILOR_ASSIGN_OR_RETURN(AffineExpr sum, over_digits.add(remainder));
    std::vector<QuasiPiece> made;
    for (int64_t v = 0; v <= last; ++v) {
      QuasiPiece piece = pieces_[index];
      TAILOR_ASSIGN_OR_RETURN(AffineExpr value, quotient.add(AffineExpr(v)));
      for (Constraint& constraint : piece.guard) {
        TAILOR_ASSIGN_OR_RETURN(constraint.expr, replace_floor(constraint.expr, atom, value));
      }
      for (AffineExpr& output : piece.outputs) {
        TAILOR_ASSIGN_OR_RETURN(output, replace_floor(output, atom, value));
      }
      if (last > 0) {  // m v <= D + R mod m <= m v + m - 1
        TAILOR_ASSIGN_OR_RETURN(AffineExpr above, sum.subtract(AffineExpr(m * v)));
        TAILOR_ASSIGN_OR_RETURN(AffineExpr below, AffineExpr(m - 1).subtract(above));
        piece.guard.push_back(Constraint::non_negative(std::move(above)));
        piece.guard.push_back(Constraint::non_negative(std::move(below)));
      }
      TAILOR_ASSIGN_OR_RETURN(const bool possible, tidy(piece.guard));
      if (possible) made.push_back(std::move(piece));
    }
    pieces_.erase(pieces_.begin() + static_cast<ptrdiff_t>(index));
    pieces_.insert(pieces_.begin() + static_cast<ptrdiff_t>(index), made.begin(), made.end());
    return {};
  }

  std::vector<Dim> digit_dims() const {
    std::vector<Dim> dims;
    for (const Digit& d : digits_) dims.push_back({d.name, d.extent});
    return dims;
  }

  Expected<bool> tidy(std::vector<Constraint>& guard) const {
    const std::vector<Dim> dims = digit_dims();
    auto tidied = tidy_guard(guard, ranges_of(dims, facts_));
    if (tidied) guard = std::move(*tidied);
    return tidied.has_value();
  }

  Expected<DigitLayout> finish(const std::vector<AffineExpr>& base) {
    std::stable_sort(digits_.begin(), digits_.end(), [](const Digit& a, const Digit& b) {
      return a.coordinate != b.coordinate ? a.coordinate < b.coordinate : a.place < b.place;
    });
    TAILOR_RETURN_IF_ERROR(name_digits());
    DigitLayout result;
    result.coordinates.dims = digit_dims();
    result.coordinates.c = integer::Matrix(dims_.size(), digits_.size());
    result.coordinates.d = base.empty() ? std::vector<AffineExpr>(dims_.size()) : base;
    result.digits.resize(dims_.size());
    for (size_t i = 0; i < digits_.size(); ++i) {
      result.coordinates.c.at(digits_[i].coordinate, i) = digits_[i].place;
      result.digits[digits_[i].coordinate].push_back(i);
    }
    std::vector<Piece> pieces;
    for (QuasiPiece& quasi : pieces_) {
      quasi.guard.insert(quasi.guard.end(), common_.begin(), common_.end());
      TAILOR_ASSIGN_OR_RETURN(const bool possible, tidy(quasi.guard));
      if (!possible) continue;
      Piece piece;
      piece.guard = std::move(quasi.guard);
      for (AffineExpr rest : quasi.outputs) {
        std::vector<AffineExpr> row;
        for (const Digit& d : digits_) {
          row.emplace_back(rest.coefficient(d.name));
          TAILOR_ASSIGN_OR_RETURN(AffineExpr term, AffineExpr::symbol(d.name).scale(row.back().constant()));
          TAILOR_ASSIGN_OR_RETURN(rest, rest.subtract(term));
        }
        piece.a.push_back(std::move(row));
        piece.b.push_back(std::move(rest));
      }
      pieces.push_back(std::move(piece));
    }
    TAILOR_ASSIGN_OR_RETURN(result.layout,
                            GuardedAffineLayout::of_pieces(result.coordinates.dims, outputs_, std::move(pieces)));
    return result;
  }

  // A coordinate of one digit keeps its name; y of several has y_0 (the fastest), y_1, …
  Status name_digits() {
    std::set<std::string> taken;
    for (const QuasiPiece& piece : pieces_) {
      for (const Constraint& constraint : piece.guard) taken.merge(constraint.expr.symbols());
      for (const AffineExpr& output : piece.outputs) taken.merge(output.symbols());
    }
    for (const Dim& dim : dims_) {
      taken.insert(dim.name);
      taken.merge(dim.extent.symbols());
    }
    Replacements names;
    std::vector<size_t> seen(dims_.size(), 0);
    std::vector<size_t> count(dims_.size(), 0);
    for (const Digit& d : digits_) ++count[d.coordinate];
    for (Digit& d : digits_) {
      const std::string& coordinate = dims_[d.coordinate].name;
      const std::string name = count[d.coordinate] == 1
                                   ? coordinate
                                   : fresh_name(fmt::format("{}_{}", coordinate, seen[d.coordinate]++), taken);
      names[d.name] = AffineExpr::symbol(name);
      d.name = name;
    }
    return substitute(names);
  }

  const std::vector<Dim>& dims_;
  size_t outputs_;
  std::vector<QuasiPiece> pieces_;
  const Facts& facts_;
  std::vector<Digit> digits_;
  std::vector<Constraint> common_;  // from splits whose place does not divide the extent
  size_t count_ = 0;
};

}  // namespace

Expected<DigitLayout> digit_layout(const std::vector<Dim>& dims, size_t outputs, std::vector<QuasiPiece> pieces,
                                   const std::vector<AffineExpr>& base, const Facts& facts) {
  if (!base.empty() && base.size() != dims.size()) {
    return invalid_argument(
        fmt::format("{} bases for {} dimensions; there must be one for each", base.size(), dims.size()));
  }
  return Splitter(dims, outputs, std::move(pieces), facts).run(base);
}

// From the largest place down each digit takes what it can: below it all places together stay under its place.
Expected<std::optional<std::vector<int64_t>>> DigitLayout::evaluate(const std::vector<int64_t>& values,
                                                                    const Assignment& parameters) const {
  if (values.size() != digits.size()) {
    return invalid_argument(fmt::format("{} coordinates given; the layout has {}", values.size(), digits.size()));
  }
  std::vector<int64_t> point(layout.rank());
  for (size_t k = 0; k < values.size(); ++k) {
    TAILOR_ASSIGN_OR_RETURN(const int64_t base, coordinates.d[k].evaluate(parameters));
    const Checked shifted = Checked(values[k]) - base;
    if (!shifted.ok()) return integer::overflow_error("a coordinate counted from its base");
    int64_t rest = shifted.value();
    for (size_t i = digits[k].size(); i-- > 0;) {
      const int64_t place = coordinates.c.at(k, digits[k][i]);
      point[digits[k][i]] = integer::floor_div(rest, place);
      rest = integer::floor_mod(rest, place);
    }
  }
  return layout.evaluate(point, parameters);
}

}  // namespace tailor::codegen::layout
