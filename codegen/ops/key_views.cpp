#include "codegen/ops/key_views.h"

#include <algorithm>

namespace tailor::codegen::ops {

// kPageSize is the first symbol of every operation's table.
static_assert(static_cast<int>(gather::kPageSize) == 0 && static_cast<int>(append::kPageSize) == 0);

KeyViews::KeyViews(const Key& key)
    : facts_(facts_of(key)), symbols_(symbols_of(key.op())), element_bytes_(1 << key.get(KeyField::kElementLog2)) {}

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

int64_t KeyViews::exact(uint16_t symbol) const {
  int64_t value = 0;
  find_exact(symbol, value);
  return value;
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

tile::View KeyViews::index_array(uint16_t address, tile::Extent extent) const {
  return {name(address), tile::Role::kRead, 4, divisor(address), {{std::move(extent), tile::Stride::constant(4)}}};
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

}  // namespace tailor::codegen::ops
