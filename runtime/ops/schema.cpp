#include "runtime/ops/schema.h"

#include "runtime/ops/operation.h"

namespace tailor {
namespace {

constexpr size_t kSymbolCounts[] = {gather::kSymbolCount,  append::kSymbolCount,           append_rope::kSymbolCount,
                                    pack::kSymbolCount,    unpack::kSymbolCount,           concat::kSymbolCount,
                                    split::kSymbolCount,   gather_rows::kSymbolCount,      scatter_rows::kSymbolCount,
                                    convert::kSymbolCount, ragged_transpose::kSymbolCount, copy::kSymbolCount};
constexpr bool all_fit() {
  for (const size_t count : kSymbolCounts) {
    if (count > static_cast<size_t>(kMaxSymbols)) return false;
  }
  return std::size(kSymbolCounts) == static_cast<size_t>(kOpCount);
}
static_assert(all_fit());

const Operation* find(OpId op) {
  switch (op) {
#define X(name, Operands) \
  case OpId::name:        \
    return &operation_of<Operands>();
    TAILOR_OPERANDS(X)
#undef X
  }
  return nullptr;
}

}  // namespace

void FactWriter::side(KeyField contiguity_field, KeyField align_field, int64_t element, Symbols bases, Symbols outer,
                      Symbols heads, Symbols dims) {
  const auto contiguity = static_cast<RowContiguity>(key_.get(contiguity_field));
  const int64_t align = int64_t{1} << key_.get(align_field);
  addresses(bases, align);
  strides(outer, align);
  if (contiguity == RowContiguity::kRow || heads_ == 1) {
    for (uint16_t s : heads) exact(s, heads_ == 1 ? 0 : head_dim_ * element);
  } else {
    strides(heads, align);
  }
  if (contiguity != RowContiguity::kNone || head_dim_ == 1) {
    for (uint16_t s : dims) exact(s, head_dim_ == 1 ? 0 : element);
  } else {
    strides(dims, align);
  }
}

std::span<const SymbolSpec> symbols_of(OpId op) {
  const Operation* operation = find(op);
  return operation ? operation->symbols : std::span<const SymbolSpec>{};
}

std::span<const SymbolProduct> products_of(OpId op) {
  const Operation* operation = find(op);
  return operation ? operation->products : std::span<const SymbolProduct>{};
}

FactSet facts_of(const Key& key) {
  FactWriter facts(key);
  if (const Operation* operation = find(key.op())) operation->facts(facts);
  return facts.take();
}

}  // namespace tailor
