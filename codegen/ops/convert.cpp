#include "codegen/ops/convert.h"

#include "codegen/ops/key_views.h"

namespace tailor::codegen::ops {

using namespace convert;

Expected<tile::Program> convert(const Key& key) {
  TAILOR_RETURN_IF_ERROR(validate(key));
  const KeyViews views(key);
  const bool scales = key.get(KeyField::kVariant) != 0;
  tile::Builder b{std::string(entry_symbol(key.op()))};
  const auto rows = [&](Symbol address, tile::Role role, Symbol row, Symbol dim, DType type) {
    const tile::Extent extent = views.extent(kRows);
    return b.view(KeyViews::typed(views.vectors(address, role, {extent}, {row}, dim, kHeadDim), type));
  };
  const tile::ViewId source = rows(kSource, tile::Role::kRead, kSourceRowStride, kSourceDimStride, views.source_type());
  const tile::ViewId target =
      rows(kTarget, tile::Role::kWrite, kTargetRowStride, kTargetDimStride, views.target_type());
  std::vector<tile::ViewId> scale;
  if (scales) scale = {b.view(views.number(kScale))};

  b.rows("row", views.extent(kRows), [&](tile::ValueId row) {
    if (!scales && views.source_type() == DType::kFloat32 && views.target_type() == DType::kFloat32) {
      b.copy(target, {row}, source, {row});
    } else {
      b.convert(target, {row}, source, {row}, scale);
    }
  });
  return b.finish();
}

}  // namespace tailor::codegen::ops
