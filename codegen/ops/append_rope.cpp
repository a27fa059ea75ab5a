#include "codegen/ops/append_rope.h"

#include "codegen/ops/append_tokens.h"

namespace tailor::codegen::ops {

using namespace append_rope;
using tile::Relation;
using tile::term;

Expected<tile::Program> append_rope(const Key& key) {
  TAILOR_RETURN_IF_ERROR(validate(key));
  const auto style = static_cast<RopeStyle>(key.get(KeyField::kVariant));
  const auto half = static_cast<int64_t>(key.get(KeyField::kRotaryDim)) / 2;
  AppendTokens append(key, static_cast<DType>(key.get(KeyField::kSourceType)));
  tile::Builder& b = append.builder();
  const KeyViews& views = append.views();
  const tile::Extent positions = views.extent(kMaxPositions);
  const tile::ViewId cos = b.view(views.numbers(kCos, positions, kCosRowStride, half));
  const tile::ViewId sin = b.view(views.numbers(kSin, positions, kSinRowStride, half));
  return append.finish([&](const AppendTokens::Token& t) {
    b.check({term(t.position), term(positions)}, {Relation::kLess}, DeviceFault::kRopePosition, t.row);
    b.rotate(append.k_pages(), {t.page, t.slot}, append.k(), {t.row}, {cos, sin}, t.position, style);
    b.copy(append.v_pages(), {t.page, t.slot}, append.v(), {t.row});
  });
}

}  // namespace tailor::codegen::ops
