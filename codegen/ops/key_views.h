// Views of operands as a key knows them: extents, strides and alignment from facts_of(key). Shared by the operations.
//
// Thread-safety: const access from any thread. Errors: none; the key must be one that `validate` accepts.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "codegen/tile/tile.h"
#include "runtime/bucket/key.h"
#include "runtime/ops/schema.h"

namespace tailor::codegen::ops {

class KeyViews {
 public:
  explicit KeyViews(const Key& key);

  int element_bytes() const { return element_bytes_; }
  int64_t page_size() const { return exact(0); }

  tile::Extent extent(uint16_t symbol) const;
  tile::Stride stride(uint16_t symbol) const;

  // A dense int32 array.
  tile::View index_array(uint16_t address, tile::Extent extent) const;
  // int32 [rows, columns]; `stride_entries` counts entries between rows.
  tile::View index_table(uint16_t address, tile::Extent rows, tile::Extent columns, uint16_t stride_entries) const;
  struct RowStrides {
    std::vector<uint16_t> outer;
    uint16_t heads, dims;
  };
  // [outer…, H, D] of elements.
  tile::View rows(uint16_t address, tile::Role role, std::vector<tile::Extent> outer, const RowStrides& strides,
                  uint16_t heads, uint16_t head_dim) const;

  std::string name(uint16_t symbol) const;

 private:
  int64_t exact(uint16_t symbol) const;
  int64_t divisor(uint16_t symbol) const;  // largest known, 1 if none
  bool find_exact(uint16_t symbol, int64_t& value) const;

  FactSet facts_;
  std::span<const SymbolSpec> symbols_;
  int element_bytes_ = 1;
};

}  // namespace tailor::codegen::ops
