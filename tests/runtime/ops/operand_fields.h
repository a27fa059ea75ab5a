// The tensor operands of every operation and what its contract says of each: from here tests break every field.
#pragma once

#include <string>
#include <vector>

#include "tailor/ops.h"

namespace tailor::testing {

struct OperandField {
  const char* name;
  Tensor* tensor;
  bool written = false;
  bool index = false;          // its type is fixed: int32, or int64 too
  bool other_type = false;     // its type need not be that of the others
  bool any_sign = false;       // strides may be negative
  std::string free_extents{};  // dimensions, as digits, that may change alone
};

inline std::vector<OperandField> fields_of(PagedGather& o) {
  return {{.name = "pages", .tensor = &o.pages, .free_extents = "01"},
          {.name = "block_table", .tensor = &o.block_table, .index = true, .free_extents = "1"},
          {.name = "seq_lens", .tensor = &o.seq_lens, .index = true},
          {.name = "cu_seqlens", .tensor = &o.cu_seqlens, .index = true},
          {.name = "packed", .tensor = &o.packed, .written = true, .free_extents = "0"}};
}
template <class Append>
std::vector<OperandField> append_fields(Append& o) {
  return {{.name = "k", .tensor = &o.k},
          {.name = "v", .tensor = &o.v},
          {.name = "batch_index", .tensor = &o.batch_index, .index = true},
          {.name = "position", .tensor = &o.position, .index = true},
          {.name = "k_pages", .tensor = &o.k_pages, .written = true},
          {.name = "v_pages", .tensor = &o.v_pages, .written = true},
          {.name = "block_table", .tensor = &o.block_table, .index = true, .free_extents = "01"}};
}
inline std::vector<OperandField> fields_of(PagedAppend& o) { return append_fields(o); }
inline std::vector<OperandField> fields_of(AppendRope& o) {
  auto fields = append_fields(o);
  fields.push_back({.name = "cos", .tensor = &o.cos});
  fields.push_back({.name = "sin", .tensor = &o.sin});
  return fields;
}
inline std::vector<OperandField> fields_of(Pack& o) {
  return {{.name = "padded", .tensor = &o.padded, .free_extents = "1"},
          {.name = "cu_seqlens", .tensor = &o.cu_seqlens, .index = true},
          {.name = "packed", .tensor = &o.packed, .written = true, .free_extents = "0"}};
}
inline std::vector<OperandField> fields_of(Unpack& o) {
  return {{.name = "packed", .tensor = &o.packed, .free_extents = "0"},
          {.name = "cu_seqlens", .tensor = &o.cu_seqlens, .index = true},
          {.name = "padded", .tensor = &o.padded, .written = true, .free_extents = "1"}};
}
inline std::vector<OperandField> fields_of(GatherRows& o) {
  return {{.name = "source", .tensor = &o.source, .free_extents = "0"},
          {.name = "index", .tensor = &o.index, .index = true},
          {.name = "target", .tensor = &o.target, .written = true}};
}
inline std::vector<OperandField> fields_of(ScatterRows& o) {
  return {{.name = "source", .tensor = &o.source},
          {.name = "index", .tensor = &o.index, .index = true},
          {.name = "target", .tensor = &o.target, .written = true, .free_extents = "0"}};
}
inline std::vector<OperandField> fields_of(Concat& o) {
  return {{.name = "a", .tensor = &o.a, .free_extents = "0"},
          {.name = "cu_a", .tensor = &o.cu_a, .index = true},
          {.name = "b", .tensor = &o.b, .free_extents = "0"},
          {.name = "cu_b", .tensor = &o.cu_b, .index = true},
          {.name = "out", .tensor = &o.out, .written = true, .free_extents = "0"}};
}
inline std::vector<OperandField> fields_of(Split& o) {
  return {{.name = "packed", .tensor = &o.packed, .free_extents = "0"},
          {.name = "cu_a", .tensor = &o.cu_a, .index = true},
          {.name = "a", .tensor = &o.a, .written = true, .free_extents = "0"},
          {.name = "cu_b", .tensor = &o.cu_b, .index = true},
          {.name = "b", .tensor = &o.b, .written = true, .free_extents = "0"}};
}
inline std::vector<OperandField> fields_of(Convert& o) {
  return {{.name = "source", .tensor = &o.source, .other_type = true},
          {.name = "target", .tensor = &o.target, .written = true, .other_type = true},
          {.name = "scale", .tensor = &o.scale}};
}
inline std::vector<OperandField> fields_of(RaggedTranspose& o) {
  return {{.name = "source", .tensor = &o.source},
          {.name = "cu_seqlens", .tensor = &o.cu_seqlens, .index = true, .free_extents = "0"},
          {.name = "target", .tensor = &o.target, .written = true}};
}
inline std::vector<OperandField> fields_of(StridedCopy& o) {
  return {{.name = "source", .tensor = &o.source, .any_sign = true},
          {.name = "target", .tensor = &o.target, .written = true, .any_sign = true}};
}

}  // namespace tailor::testing
