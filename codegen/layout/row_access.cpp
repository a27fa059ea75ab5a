// GuardedAffineLayout as one side of a copy; declared in vector_width.h.
#include <algorithm>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/vector_width.h"

namespace tailor::codegen::layout {
namespace {

using integer::Residue;

Stride stride_of(const AffineExpr& entry, const Facts& facts) {
  Residue known = entry.abstract([&facts](std::string_view name) { return facts.of(name); });
  if (known.is_constant()) return Stride::constant(known.remainder);
  bool single = entry.constant() == 0 && entry.terms().size() == 1 && entry.terms()[0].coefficient == 1 &&
                !entry.terms()[0].atom.is_floor();
  return Stride::symbolic(single ? entry.terms()[0].atom.symbol : fmt::format("({})", entry.to_string()),
                          known.known_divisor());
}

}  // namespace

Expected<RowAccess> row_access(const std::string& operand, const GuardedAffineLayout& layout,
                               const std::vector<std::string>& row_dims, BaseAlignment base, int64_t elem_bytes,
                               const Facts& facts) {
  if (layout.outputs() != 1 || layout.pieces().size() != 1) {
    return invalid_argument(fmt::format("layout of {} has {} outputs and {} pieces; an access has one of each", operand,
                                        layout.outputs(), layout.pieces().size()));
  }
  if (base.modulus < 1) {
    return invalid_argument(fmt::format("base modulus of {} is {}; it must be at least 1 byte", operand, base.modulus));
  }
  auto of = [&facts](std::string_view name) { return facts.of(name); };
  const Piece& piece = layout.pieces()[0];
  RowAccess result;
  result.side.operand = operand;
  Residue start = Residue::congruent(base.modulus, base.residue) + piece.b[0].abstract(of) * elem_bytes;
  // congruent(...) + x is never a constant, so the modulus is at least 1.
  result.side.base = {start.modulus, start.remainder};
  for (const std::string& name : row_dims) {
    std::optional<size_t> index = layout.find_dim(name);
    if (!index)
      return invalid_argument(fmt::format("row dimension {} does not exist in the layout of {}", name, operand));
    Residue extent = layout.dims()[*index].extent.abstract(of);
    if (!extent.is_constant()) {
      return invalid_argument(fmt::format("row dimension {} of {} has the extent {}; the facts must fix it", name,
                                          operand, layout.dims()[*index].extent.to_string()));
    }
    result.space.dims.push_back({name, extent.remainder});
    result.side.within.push_back(stride_of(piece.a[0][*index], facts));
  }
  for (size_t i = 0; i < layout.rank(); ++i) {
    const Dim& dim = layout.dims()[i];
    if (std::find(row_dims.begin(), row_dims.end(), dim.name) != row_dims.end()) continue;
    Residue extent = dim.extent.abstract(of);
    int64_t known = extent.is_constant() ? std::max<int64_t>(extent.remainder, 0) : OuterDim::kUnknownExtent;
    result.side.outer.push_back({dim.name, stride_of(piece.a[0][i], facts), known});
  }
  return result;
}

}  // namespace tailor::codegen::layout
