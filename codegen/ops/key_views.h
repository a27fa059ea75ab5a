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
  int index_bytes() const { return index_bytes_; }
  DType source_type() const { return source_type_; }  // of operations that compute
  DType target_type() const { return target_type_; }

  tile::Extent extent(uint16_t symbol) const;
  tile::Stride stride(uint16_t symbol) const;

  // A dense array of int32, or of int64 when `bytes` is 8.
  tile::View index_array(uint16_t address, tile::Extent extent, int bytes = 4) const;
  // int32 [rows, columns]; `stride_entries` counts entries between rows.
  tile::View index_table(uint16_t address, tile::Extent rows, tile::Extent columns, uint16_t stride_entries) const;
  struct RowStrides {
    std::vector<uint16_t> outer;
    uint16_t heads, dims;
  };
  // [outer…, H, D] of elements.
  tile::View rows(uint16_t address, tile::Role role, std::vector<tile::Extent> outer, const RowStrides& strides,
                  uint16_t heads, uint16_t head_dim) const;

  // [outer…, 1, D] of elements: rows of one head.
  tile::View vectors(uint16_t address, tile::Role role, std::vector<tile::Extent> outer,
                     const std::vector<uint16_t>& strides, uint16_t dim_stride, uint16_t dim) const;

  // [rows, 1, D] of elements, row after row without a gap.
  tile::View dense_vectors(uint16_t address, tile::Role role, tile::Extent rows, uint16_t dim) const;

  // The view with elements that are computed with.
  static tile::View typed(tile::View view, DType type);
  // Dense rows [rows, dim] of numbers of the key's target type.
  tile::View numbers(uint16_t address, tile::Extent rows, uint16_t row_stride, int64_t dim) const;
  // One f32.
  tile::View number(uint16_t address) const;

  // No dimensions yet.
  tile::View at(uint16_t address, tile::Role role) const {
    return {name(address), role, element_bytes_, divisor(address), {}};
  }

  std::string name(uint16_t symbol) const;
  // The name of the status word, for tile::Builder::status; empty if the key says that there is none.
  std::string status(uint16_t symbol) const { return reports_ ? name(symbol) : std::string(); }

 private:
  int64_t divisor(uint16_t symbol) const;  // largest known, 1 if none
  bool find_exact(uint16_t symbol, int64_t& value) const;

  FactSet facts_;
  std::span<const SymbolSpec> symbols_;
  int element_bytes_ = 1, index_bytes_ = 4;
  DType source_type_, target_type_;
  bool reports_ = false;
};

}  // namespace tailor::codegen::ops
