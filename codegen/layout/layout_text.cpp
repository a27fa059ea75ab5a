// The textual form of GuardedAffineLayout; the grammar is in layout.h.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/layout/layout.h"
#include "codegen/layout/text.h"

namespace tailor::codegen::layout {
namespace {

// Appends " + k*x" and the like; `coefficient` is an entry of A, over parameters.
void append_product(std::string& text, const AffineExpr& coefficient, const std::string& dim) {
  if (coefficient.is_zero()) return;
  bool single = coefficient.is_constant() || (coefficient.constant() == 0 && coefficient.terms().size() == 1);
  std::string factor = coefficient.to_string();
  bool negative = single && factor.front() == '-';
  if (negative) factor.erase(0, 1);
  text += text.empty() ? (negative ? "-" : "") : (negative ? " - " : " + ");
  if (!single) {
    text += fmt::format("({})*{}", factor, dim);
  } else {
    text += factor == "1" ? dim : fmt::format("{}*{}", factor, dim);
  }
}

std::string print_output(const std::vector<AffineExpr>& row, const AffineExpr& offset, const std::vector<Dim>& dims) {
  std::string text;
  for (size_t i = 0; i < dims.size(); ++i) append_product(text, row[i], dims[i].name);
  if (text.empty()) return offset.to_string();
  if (offset.is_zero()) return text;
  std::string rest = offset.to_string();
  return rest.front() == '-' ? fmt::format("{} - {}", text, rest.substr(1)) : fmt::format("{} + {}", text, rest);
}

bool mentions_dim(const AffineExpr& expr, const std::vector<Dim>& dims) {
  return std::any_of(dims.begin(), dims.end(), [&](const Dim& dim) { return expr.depends_on(dim.name); });
}

// scale * value, where value is affine in dimensions and parameters and scale in parameters: added into (row, offset).
Status accumulate(const AffineExpr& scale, const AffineExpr& value, const std::vector<Dim>& dims,
                  std::vector<AffineExpr>& row, AffineExpr& offset) {
  AffineExpr rest = value;
  for (size_t i = 0; i < dims.size(); ++i) {
    int64_t coefficient = value.coefficient(dims[i].name);
    if (coefficient == 0) continue;
    TAILOR_ASSIGN_OR_RETURN(AffineExpr term, scale.scale(coefficient));
    TAILOR_ASSIGN_OR_RETURN(row[i], row[i].add(term));
    TAILOR_ASSIGN_OR_RETURN(AffineExpr removed, AffineExpr::symbol(dims[i].name).scale(coefficient));
    TAILOR_ASSIGN_OR_RETURN(rest, rest.subtract(removed));
  }
  if (mentions_dim(rest, dims)) {
    return unsupported(
        fmt::format("output {} has a dimension inside floor or mod; split it by a guard", value.to_string()));
  }
  if (!rest.is_constant() && !scale.is_constant()) {
    return unsupported(
        fmt::format("product ({})*({}) of two parameters is not affine", scale.to_string(), rest.to_string()));
  }
  TAILOR_ASSIGN_OR_RETURN(AffineExpr product,
                          scale.is_constant() ? rest.scale(scale.constant()) : scale.scale(rest.constant()));
  TAILOR_ASSIGN_OR_RETURN(offset, offset.add(product));
  return {};
}

Status parse_output(text::Scanner& scanner, const std::vector<Dim>& dims, std::vector<AffineExpr>& row,
                    AffineExpr& offset) {
  return text::parse_sum(scanner, [&](int64_t sign, const std::vector<AffineExpr>& factors) -> Status {
    AffineExpr scale(sign);
    AffineExpr value(1);
    for (const AffineExpr& factor : factors) {
      if (factor.is_constant()) {
        TAILOR_ASSIGN_OR_RETURN(scale, scale.scale(factor.constant()));
      } else if (mentions_dim(factor, dims)) {
        if (!value.is_constant()) return scanner.error("an output affine in the dimensions");
        value = factor;
      } else {
        if (!scale.is_constant()) return scanner.error("at most one parameter expression in a product");
        TAILOR_ASSIGN_OR_RETURN(scale, factor.scale(scale.constant()));
      }
    }
    return accumulate(scale, value, dims, row, offset);
  });
}

Expected<Piece> parse_piece(text::Scanner& scanner, const std::vector<Dim>& dims) {
  Piece piece;
  if (scanner.accept("when")) {
    do {
      TAILOR_ASSIGN_OR_RETURN(Constraint constraint, text::parse_constraint(scanner));
      piece.guard.push_back(std::move(constraint));
    } while (scanner.accept("and"));
  }
  TAILOR_RETURN_IF_ERROR(scanner.expect(":"));
  TAILOR_RETURN_IF_ERROR(scanner.expect("("));
  if (!scanner.accept(")")) {
    do {
      piece.a.emplace_back(dims.size());
      piece.b.emplace_back();
      TAILOR_RETURN_IF_ERROR(parse_output(scanner, dims, piece.a.back(), piece.b.back()));
    } while (scanner.accept(","));
    TAILOR_RETURN_IF_ERROR(scanner.expect(")"));
  }
  TAILOR_RETURN_IF_ERROR(scanner.expect(";"));
  return piece;
}

}  // namespace

std::string GuardedAffineLayout::to_string() const {
  std::string text = fmt::format("layout [{}] (", fmt::join(parameters_, ", "));
  for (size_t i = 0; i < dims_.size(); ++i) {
    text += fmt::format("{}{}: {}", i == 0 ? "" : ", ", dims_[i].name, dims_[i].extent.to_string());
  }
  text += fmt::format(") -> {} {{\n", outputs_);
  for (const Piece& piece : pieces_) {
    text += "  ";
    for (size_t g = 0; g < piece.guard.size(); ++g) text += (g == 0 ? "when " : " and ") + piece.guard[g].to_string();
    text += ": (";
    for (size_t o = 0; o < outputs_; ++o) {
      text += (o == 0 ? "" : ", ") + print_output(piece.a[o], piece.b[o], dims_);
    }
    text += ");\n";
  }
  return text + "}\n";
}

Expected<GuardedAffineLayout> GuardedAffineLayout::parse(std::string_view source) {
  text::Scanner scanner(source);
  TAILOR_RETURN_IF_ERROR(scanner.expect("layout"));
  TAILOR_RETURN_IF_ERROR(scanner.expect("["));
  std::vector<std::string> parameters;
  if (!scanner.accept("]")) {
    do {
      TAILOR_ASSIGN_OR_RETURN(std::string name, scanner.identifier());
      parameters.push_back(std::move(name));
    } while (scanner.accept(","));
    TAILOR_RETURN_IF_ERROR(scanner.expect("]"));
  }
  TAILOR_RETURN_IF_ERROR(scanner.expect("("));
  std::vector<Dim> dims;
  if (!scanner.accept(")")) {
    do {
      Dim dim;
      TAILOR_ASSIGN_OR_RETURN(dim.name, scanner.identifier());
      TAILOR_RETURN_IF_ERROR(scanner.expect(":"));
      TAILOR_ASSIGN_OR_RETURN(dim.extent, text::parse_affine(scanner));
      dims.push_back(std::move(dim));
    } while (scanner.accept(","));
    TAILOR_RETURN_IF_ERROR(scanner.expect(")"));
  }
  TAILOR_RETURN_IF_ERROR(scanner.expect("->"));
  TAILOR_ASSIGN_OR_RETURN(int64_t outputs, scanner.integer());
  TAILOR_RETURN_IF_ERROR(scanner.expect("{"));
  std::vector<Piece> pieces;
  while (!scanner.accept("}")) {
    TAILOR_ASSIGN_OR_RETURN(Piece piece, parse_piece(scanner, dims));
    pieces.push_back(std::move(piece));
  }
  if (!scanner.at_end()) return scanner.error("the end");
  return create(std::move(parameters), std::move(dims), static_cast<size_t>(outputs), std::move(pieces));
}

}  // namespace tailor::codegen::layout
