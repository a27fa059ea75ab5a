#include "codegen/ops/key_views.h"

#include <algorithm>

namespace tailor::codegen::ops {

KeyViews::KeyViews(const Key& key)
    : facts_(facts_of(key)),
      symbols_(symbols_of(key.op())),
      element_bytes_(1 << key.get(KeyField::kElementLog2)),
      index_bytes_(1 << key.get(KeyField::kIndexLog2)),
      source_type_(static_cast<DType>(key.get(KeyField::kSourceType))),
      target_type_(static_cast<DType>(key.get(KeyField::kTargetType))),
      reports_(key.get(KeyField::kReports) != 0) {}

std::string KeyViews::name(uint16_t symbol) const { return std::string(symbols_[symbol].name); }

bool KeyViews::find_exact(uint16_t symbol, int64_t& value) const {
  for (const Fact& fact : facts_) {
    if (fact.symbol == symbol && fact.kind == FactKind::kExact) {
      value = fact.a;
      return true;
    }
  }
  return false;
}

int64_t KeyViews::divisor(uint16_t symbol) const {
  int64_t best = 1;
  for (const Fact& fact : facts_) {
    if (fact.symbol == symbol && fact.kind == FactKind::kDivisible) best = std::max(best, fact.a);
  }
  return best;
}

tile::Extent KeyViews::extent(uint16_t symbol) const {
  int64_t value = 0;
  return find_exact(symbol, value) ? tile::Extent::known(name(symbol), value) : tile::Extent::of(name(symbol));
}

tile::Stride KeyViews::stride(uint16_t symbol) const {
  int64_t value = 0;
  if (find_exact(symbol, value)) return tile::Stride::known(name(symbol), value);
  return tile::Stride::of(name(symbol), divisor(symbol));
}

tile::View KeyViews::index_array(uint16_t address, tile::Extent extent, int bytes) const {
  return {
      name(address), tile::Role::kRead, bytes, divisor(address), {{std::move(extent), tile::Stride::constant(bytes)}}};
}

tile::View KeyViews::index_table(uint16_t address, tile::Extent rows, tile::Extent columns,
                                 uint16_t stride_entries) const {
  return {name(address),
          tile::Role::kRead,
          4,
          divisor(address),
          {{std::move(rows), tile::Stride::of(name(stride_entries), divisor(stride_entries), 4)},
           {std::move(columns), tile::Stride::constant(4)}}};
}

tile::View KeyViews::rows(uint16_t address, tile::Role role, std::vector<tile::Extent> outer, const RowStrides& strides,
                          uint16_t heads, uint16_t head_dim) const {
  tile::View view{name(address), role, element_bytes_, divisor(address), {}};
  for (size_t i = 0; i < outer.size(); ++i) view.dims.push_back({outer[i], stride(strides.outer[i])});
  view.dims.push_back({extent(heads), stride(strides.heads)});
  view.dims.push_back({extent(head_dim), stride(strides.dims)});
  return view;
}

tile::View KeyViews::dense_vectors(uint16_t address, tile::Role role, tile::Extent rows, uint16_t dim) const {
  const tile::Extent d = extent(dim);
  const tile::Stride row = tile::Stride::constant(*d.exact * element_bytes_);
  return {name(address),
          role,
          element_bytes_,
          divisor(address),
          {{std::move(rows), row},
           {tile::Extent::constant(1), tile::Stride::constant(0)},
           {d, tile::Stride::constant(element_bytes_)}}};
}

tile::View KeyViews::vectors(uint16_t address, tile::Role role, std::vector<tile::Extent> outer,
                             const std::vector<uint16_t>& strides, uint16_t dim_stride, uint16_t dim) const {
  tile::View view{name(address), role, element_bytes_, divisor(address), {}};
  for (size_t i = 0; i < outer.size(); ++i) view.dims.push_back({std::move(outer[i]), stride(strides[i])});
  view.dims.push_back({tile::Extent::constant(1), tile::Stride::constant(0)});
  view.dims.push_back({extent(dim), stride(dim_stride)});
  return view;
}

tile::View KeyViews::typed(tile::View view, DType type) {
  view.element_bytes = tailor::element_bytes(type);
  view.type = type;
  return view;
}

tile::View KeyViews::numbers(uint16_t address, tile::Extent rows, uint16_t row_stride, int64_t dim) const {
  const int bytes = tailor::element_bytes(target_type_);
  return {name(address),
          tile::Role::kRead,
          bytes,
          divisor(address),
          {{std::move(rows), stride(row_stride)}, {tile::Extent::constant(dim), tile::Stride::constant(bytes)}},
          target_type_};
}

tile::View KeyViews::number(uint16_t address) const {
  return {
      name(address),  tile::Role::kRead, 4, divisor(address), {{tile::Extent::constant(1), tile::Stride::constant(0)}},
      DType::kFloat32};
}

}  // namespace tailor::codegen::ops
