// paged_gather, paged_append, append_rope.
#include <fmt/format.h>

#include "runtime/torch/operators.h"

namespace tailor::pytorch {

namespace {

void gather(Call& call, const TorchTensor& pages, const TorchTensor& block_table, const TorchTensor& seq_lens,
            const TorchTensor& cu_seqlens, const TorchTensor& packed, PageLayout layout, bool check) {
  PagedGather op;
  op.layout = layout;
  op.pages = call.operand("pages", pages);
  op.block_table = call.indices("block_table", block_table);
  op.seq_lens = call.indices("seq_lens", seq_lens);
  op.cu_seqlens = call.indices("cu_seqlens", cu_seqlens);
  call.same_dtype("packed", packed, "pages", pages);
  op.packed = call.operand("packed", packed, Access::kWrite);
  call.launch(op, check);
}

// The fields that PagedAppend and AppendRope share.
template <class Operands>
void fill_append(Operands& op, Call& call, const TorchTensor& k, const TorchTensor& v, const TorchTensor& batch_index,
                 const TorchTensor& position, const TorchTensor& k_pages, const TorchTensor& v_pages,
                 const TorchTensor& block_table, const std::string& layout) {
  op.layout = call.page_layout(layout);
  call.same_dtype("v", v, "k", k);
  call.same_dtype("k_pages", k_pages, "k", k);
  call.same_dtype("v_pages", v_pages, "k", k);
  op.k = call.operand("k", k);
  op.v = call.operand("v", v);
  op.batch_index = call.indices("batch_index", batch_index);
  op.position = call.indices("position", position);
  op.k_pages = call.operand("k_pages", k_pages, Access::kWrite);
  op.v_pages = call.operand("v_pages", v_pages, Access::kWrite);
  op.block_table = call.indices("block_table", block_table);
}

}  // namespace

TorchTensor paged_gather(const TorchTensor& pages, const TorchTensor& block_table, const TorchTensor& seq_lens,
                         const TorchTensor& cu_seqlens, int64_t rows, const std::string& layout, bool check) {
  Call call("paged_gather", "pages", pages);
  const PageLayout order = call.page_layout(layout);
  call.rank_is("pages", pages, 4);
  TorchTensor packed = call.empty("rows", {rows, pages.size(order == PageLayout::kSlotMajor ? 2 : 1), pages.size(3)});
  gather(call, pages, block_table, seq_lens, cu_seqlens, packed, order, check);
  return packed;
}

void paged_gather_into(const TorchTensor& pages, const TorchTensor& block_table, const TorchTensor& seq_lens,
                       const TorchTensor& cu_seqlens, const TorchTensor& packed, const std::string& layout,
                       bool check) {
  Call call("paged_gather", "pages", pages);
  gather(call, pages, block_table, seq_lens, cu_seqlens, packed, call.page_layout(layout), check);
}

void paged_append(const TorchTensor& k, const TorchTensor& v, const TorchTensor& batch_index,
                  const TorchTensor& position, const TorchTensor& k_pages, const TorchTensor& v_pages,
                  const TorchTensor& block_table, const std::string& layout, bool check) {
  Call call("paged_append", "k", k);
  PagedAppend op;
  fill_append(op, call, k, v, batch_index, position, k_pages, v_pages, block_table, layout);
  call.launch(op, check);
}

void append_rope(const TorchTensor& k, const TorchTensor& v, const TorchTensor& batch_index,
                 const TorchTensor& position, const TorchTensor& k_pages, const TorchTensor& v_pages,
                 const TorchTensor& block_table, const TorchTensor& cos, const TorchTensor& sin,
                 const std::string& layout, const std::string& style, bool check) {
  Call call("append_rope", "k", k);
  AppendRope op;
  fill_append(op, call, k, v, batch_index, position, k_pages, v_pages, block_table, layout);
  call.same_dtype("sin", sin, "cos", cos);
  op.cos = call.operand("cos", cos);
  op.sin = call.operand("sin", sin);
  const std::optional<RopeStyle> parsed = parse_rope_style(style);
#define X(name, text, meaning) " " text
  if (!parsed) raise("append_rope", fmt::format("style is \"{}\"; it must be one of" TAILOR_ROPE_STYLES(X), style));
#undef X
  op.style = *parsed;
  call.launch(op, check);
}

}  // namespace tailor::pytorch
