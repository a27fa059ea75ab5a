// The operators of torch.ops.tailor: their schemas and implementations, one table.
//
// An operator whose result is fresh returns it, and has an `.into` overload that writes into a tensor of the caller's
// instead (not called `out`: torch.compile refuses out= tensors with gaps). What writes into an operand says so in its
// schema ("(a!)") and returns nothing. Arguments are called what include/tailor/ops.h calls them. `check` waits for the
// launch and raises when a promise about device data was broken; without it the rows concerned are left out. Every
// implementation serves CPU and CUDA tensors. Not differentiable. Threads: any. Errors: see call.h.
#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "runtime/torch/call.h"

namespace tailor::pytorch {

// X(function below, operator, schema after its name)
#define TAILOR_TORCH_OPERATORS(X)                                                                                     \
  X(paged_gather, "paged_gather",                                                                                     \
    "(Tensor pages, Tensor block_table, Tensor seq_lens, Tensor cu_seqlens, SymInt rows, str layout=\"nhd\", "        \
    "bool check=False) -> Tensor")                                                                                    \
  X(paged_gather_into, "paged_gather.into",                                                                           \
    "(Tensor pages, Tensor block_table, Tensor seq_lens, Tensor cu_seqlens, Tensor(a!) packed, str layout=\"nhd\", "  \
    "bool check=False) -> ()")                                                                                        \
  X(paged_append, "paged_append",                                                                                     \
    "(Tensor k, Tensor v, Tensor batch_index, Tensor position, Tensor(a!) k_pages, Tensor(b!) v_pages, "              \
    "Tensor block_table, str layout=\"nhd\", bool check=False) -> ()")                                                \
  X(append_rope, "append_rope",                                                                                       \
    "(Tensor k, Tensor v, Tensor batch_index, Tensor position, Tensor(a!) k_pages, Tensor(b!) v_pages, "              \
    "Tensor block_table, Tensor cos, Tensor sin, str layout=\"nhd\", str style=\"halves\", bool check=False) -> ()")  \
  X(pack, "pack", "(Tensor padded, Tensor cu_seqlens, SymInt rows, bool check=False) -> Tensor")                      \
  X(pack_into, "pack.into", "(Tensor padded, Tensor cu_seqlens, Tensor(a!) packed, bool check=False) -> ()")          \
  X(unpack, "unpack",                                                                                                 \
    "(Tensor packed, Tensor cu_seqlens, SymInt padded_length, float fill=0., bool check=False) -> Tensor")            \
  X(unpack_into, "unpack.into",                                                                                       \
    "(Tensor packed, Tensor cu_seqlens, Tensor(a!) padded, float fill=0., bool check=False) -> ()")                   \
  X(gather_rows, "gather_rows", "(Tensor source, Tensor index, bool check=False) -> Tensor")                          \
  X(gather_rows_into, "gather_rows.into", "(Tensor source, Tensor index, Tensor(a!) target, bool check=False) -> ()") \
  X(scatter_rows, "scatter_rows",                                                                                     \
    "(Tensor source, Tensor index, Tensor(a!) target, bool unique=False, bool check=False) -> ()")                    \
  X(concat, "concat", "(Tensor a, Tensor cu_a, Tensor b, Tensor cu_b, bool check=False) -> Tensor")                   \
  X(concat_into, "concat.into",                                                                                       \
    "(Tensor a, Tensor cu_a, Tensor b, Tensor cu_b, Tensor(a!) out, bool check=False) -> ()")                         \
  X(split, "split", "(Tensor packed, Tensor cu_a, Tensor cu_b, SymInt rows_a, bool check=False) -> (Tensor, Tensor)") \
  X(split_into, "split.into",                                                                                         \
    "(Tensor packed, Tensor cu_a, Tensor(a!) a, Tensor cu_b, Tensor(b!) b, bool check=False) -> ()")                  \
  X(ragged_transpose, "ragged_transpose",                                                                             \
    "(Tensor source, Tensor cu_seqlens, int length_multiple=1, bool check=False) -> Tensor")                          \
  X(ragged_transpose_into, "ragged_transpose.into",                                                                   \
    "(Tensor source, Tensor cu_seqlens, Tensor(a!) target, int length_multiple=1, bool check=False) -> ()")           \
  X(convert, "convert", "(Tensor source, ScalarType dtype, Tensor? scale=None) -> Tensor")                            \
  X(convert_into, "convert.into", "(Tensor source, Tensor(a!) target, Tensor? scale=None) -> ()")                     \
  X(copy, "copy", "(Tensor source, int[] flip=[]) -> Tensor")                                                         \
  X(copy_into, "copy_", "(Tensor(a!) target, Tensor source, int[] flip=[]) -> ()")

// Paged, paged.cpp. Pools are [P, page_size, H, D] ("nhd") or [P, H, page_size, D] ("hnd"). Rows of a fresh result that
// no sequence owns are uninitialised.
TorchTensor paged_gather(const TorchTensor& pages, const TorchTensor& block_table, const TorchTensor& seq_lens,
                         const TorchTensor& cu_seqlens, int64_t rows, const std::string& layout, bool check);
void paged_gather_into(const TorchTensor& pages, const TorchTensor& block_table, const TorchTensor& seq_lens,
                       const TorchTensor& cu_seqlens, const TorchTensor& packed, const std::string& layout, bool check);
void paged_append(const TorchTensor& k, const TorchTensor& v, const TorchTensor& batch_index,
                  const TorchTensor& position, const TorchTensor& k_pages, const TorchTensor& v_pages,
                  const TorchTensor& block_table, const std::string& layout, bool check);
void append_rope(const TorchTensor& k, const TorchTensor& v, const TorchTensor& batch_index,
                 const TorchTensor& position, const TorchTensor& k_pages, const TorchTensor& v_pages,
                 const TorchTensor& block_table, const TorchTensor& cos, const TorchTensor& sin,
                 const std::string& layout, const std::string& style, bool check);

// Ragged, ragged.cpp. Where ops.h says [N, D], any number of dimensions may follow the first, as long as they lie as
// one; [B, Lmax, D] likewise. Results have the trailing dimensions of their source.
TorchTensor pack(const TorchTensor& padded, const TorchTensor& cu_seqlens, int64_t rows, bool check);
void pack_into(const TorchTensor& padded, const TorchTensor& cu_seqlens, const TorchTensor& packed, bool check);
TorchTensor unpack(const TorchTensor& packed, const TorchTensor& cu_seqlens, int64_t padded_length, double fill,
                   bool check);
void unpack_into(const TorchTensor& packed, const TorchTensor& cu_seqlens, const TorchTensor& padded, double fill,
                 bool check);
TorchTensor gather_rows(const TorchTensor& source, const TorchTensor& index, bool check);
void gather_rows_into(const TorchTensor& source, const TorchTensor& index, const TorchTensor& target, bool check);
void scatter_rows(const TorchTensor& source, const TorchTensor& index, const TorchTensor& target, bool unique,
                  bool check);
TorchTensor concat(const TorchTensor& a, const TorchTensor& cu_a, const TorchTensor& b, const TorchTensor& cu_b,
                   bool check);
void concat_into(const TorchTensor& a, const TorchTensor& cu_a, const TorchTensor& b, const TorchTensor& cu_b,
                 const TorchTensor& out, bool check);
// The rows of `packed` beyond rows_a are those of b.
std::tuple<TorchTensor, TorchTensor> split(const TorchTensor& packed, const TorchTensor& cu_a, const TorchTensor& cu_b,
                                           int64_t rows_a, bool check);
void split_into(const TorchTensor& packed, const TorchTensor& cu_a, const TorchTensor& a, const TorchTensor& cu_b,
                const TorchTensor& b, bool check);
TorchTensor ragged_transpose(const TorchTensor& source, const TorchTensor& cu_seqlens, int64_t length_multiple,
                             bool check);
void ragged_transpose_into(const TorchTensor& source, const TorchTensor& cu_seqlens, const TorchTensor& target,
                           int64_t length_multiple, bool check);

// Elementwise, elementwise.cpp. `scale` has one element. copy: a dense tensor of source's shape; copy_: the shapes may
// differ (a reshape). The dimensions in `flip` of source are reversed first.
TorchTensor convert(const TorchTensor& source, torch::headeronly::ScalarType dtype, std::optional<TorchTensor> scale);
void convert_into(const TorchTensor& source, const TorchTensor& target, std::optional<TorchTensor> scale);
TorchTensor copy(const TorchTensor& source, std::vector<int64_t> flip);
void copy_into(const TorchTensor& target, const TorchTensor& source, std::vector<int64_t> flip);

}  // namespace tailor::pytorch
