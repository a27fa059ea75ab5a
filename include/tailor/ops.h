// The operations and their operands.
//
// Every operand is device memory. The host reads shapes, strides and addresses; it never reads lengths, tables or
// indices. Whatever stands in them, no access leaves an operand (see kDeviceFaults); what is promised about them is
// stated per operation. Thread-safety: plain value types.
#pragma once

#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <string_view>

#include "tailor/types.h"

namespace tailor {

// name, printed name, entry symbol of every kernel of the operation
#define TAILOR_OPS(X)                                                \
  X(kPagedGather, "paged_gather", "tailor_paged_gather")             \
  X(kPagedAppend, "paged_append", "tailor_paged_append")             \
  X(kPack, "pack", "tailor_pack")                                    \
  X(kUnpack, "unpack", "tailor_unpack")                              \
  X(kGatherRows, "gather_rows", "tailor_gather_rows")                \
  X(kScatterRows, "scatter_rows", "tailor_scatter_rows")             \
  X(kConcat, "concat", "tailor_concat")                              \
  X(kSplit, "split", "tailor_split")                                 \
  X(kConvert, "convert", "tailor_convert")                           \
  X(kAppendRope, "append_rope", "tailor_append_rope")                \
  X(kRaggedTranspose, "ragged_transpose", "tailor_ragged_transpose") \
  X(kCopy, "copy", "tailor_copy")

enum class OpId : uint8_t {
#define X(name, text, entry) name,
  TAILOR_OPS(X)
#undef X
};
#define X(name, text, entry) +1
inline constexpr int kOpCount = 0 TAILOR_OPS(X);
#undef X
constexpr std::string_view to_string(OpId op) {
  switch (op) {
#define X(name, text, entry) \
  case OpId::name:           \
    return text;
    TAILOR_OPS(X)
#undef X
  }
  return "unknown";
}
constexpr std::string_view entry_symbol(OpId op) {
  switch (op) {
#define X(name, text, entry) \
  case OpId::name:           \
    return entry;
    TAILOR_OPS(X)
#undef X
  }
  return "";
}
constexpr std::optional<OpId> parse_op(std::string_view s) {
#define X(name, text, entry) \
  if (text == s) return OpId::name;
  TAILOR_OPS(X)
#undef X
  return std::nullopt;
}

// Order of the dimensions of a page pool.
enum class PageLayout : uint8_t {
  kSlotMajor,  // "nhd": [P, page_size, H, D]
  kHeadMajor,  // "hnd": [P, H, page_size, D]
};

// Which elements of a head a rotary embedding of R dimensions turns together.
#define TAILOR_ROPE_STYLES(X)                                  \
  X(kHalves, "halves", "i and i + R/2, as GPT-NeoX and Llama") \
  X(kInterleaved, "interleaved", "2i and 2i + 1, as GPT-J")

enum class RopeStyle : uint8_t {
#define X(name, text, meaning) name,
  TAILOR_ROPE_STYLES(X)
#undef X
};
constexpr std::string_view to_string(RopeStyle style) {
  switch (style) {
#define X(name, text, meaning) \
  case RopeStyle::name:        \
    return text;
    TAILOR_ROPE_STYLES(X)
#undef X
  }
  return "unknown";
}
constexpr std::optional<RopeStyle> parse_rope_style(std::string_view s) {
#define X(name, text, meaning) \
  if (text == s) return RopeStyle::name;
  TAILOR_ROPE_STYLES(X)
#undef X
  return std::nullopt;
}

// Violated promises about device data. A kernel that meets one skips the affected row and, when the caller supplied a
// status word, records it. Status word: 64 bits in device memory, zero = clean; the kernel keeps the maximum of
// ((2^48 - 1 - index) << 8 | kind) by an atomic, so the smallest index wins (of equal indices the largest code).
// `index` is the sequence s for faults 1, 2, 7 and 11, and the packed or new row, the position in index or the row of a
// or b for the others. "offsets" are cu_seqlens, cu_a or cu_b; "rows" are those of the ragged operand they speak of.
//
// What is looked at: of one row (token, sequence, position in index) the promises are checked in an order that is the
// kernel's own, and the first that does not hold ends the row, so a row gives at most one fault however many promises
// it breaks. Where extents of 0 leave nothing to move (unpack with Lmax = 0, any operation with D = 0 or no rows)
// nothing is launched: no promise is checked and the status word stays as it was.
//
// code, name, text.
#define TAILOR_DEVICE_FAULTS(X)                                                                       \
  X(1, kCuSeqlensRange, "cu_seqlens is decreasing or leaves [0, rows of packed]")                     \
  X(2, kSeqLenMismatch, "a row of the sequence lies at or beyond seq_lens[s] (cu_seqlens disagrees)") \
  X(3, kBlockTableColumn, "position / page_size is at or beyond max_pages")                           \
  X(4, kPageIndexRange, "a block_table entry is outside [0, P)")                                      \
  X(5, kBatchIndexRange, "batch_index is outside [0, B)")                                             \
  X(6, kPositionRange, "position is negative")                                                        \
  X(7, kSegmentTooLong, "a sequence is longer than the padded length")                                \
  X(8, kRowIndexRange, "an index is outside the rows it names")                                       \
  X(9, kConcatRow, "a row would land at or beyond the rows of out")                                   \
  X(10, kRopePosition, "position is at or beyond the rows of cos")                                    \
  X(11, kLengthMultiple, "cu_seqlens is not a multiple of the declared length multiple")

enum class DeviceFault : uint8_t {
  kNone = 0,
#define X(code, name, text) name = code,
  TAILOR_DEVICE_FAULTS(X)
#undef X
};
constexpr std::string_view to_string(DeviceFault fault) {
  switch (fault) {
    case DeviceFault::kNone:
      return "none";
#define X(code, name, text) \
  case DeviceFault::name:   \
    return text;
      TAILOR_DEVICE_FAULTS(X)
#undef X
  }
  return "unknown";
}
struct DeviceFaultReport {
  DeviceFault kind = DeviceFault::kNone;
  int64_t index = 0;
};
inline constexpr int64_t kStatusIndexLimit = (int64_t{1} << 48) - 1;
constexpr DeviceFaultReport decode_status_word(uint64_t word) {
  if (word == 0) return {};
  return {static_cast<DeviceFault>(word & 0xff), kStatusIndexLimit - static_cast<int64_t>(word >> 8)};
}

// packed[cu_seqlens[s] + t, h, d] = pages[block_table[s, t / page_size], t % page_size, h, d]
// for every sequence s in [0, B) and t in [0, seq_lens[s]).
//
// pages       [P, page_size, H, D] or [P, H, page_size, D], any non-negative strides, element of 1, 2, 4 or 8 bytes
// block_table [B, max_pages] int32, inner stride 1      seq_lens [B] int32, dense      cu_seqlens [B + 1] int32, dense
// packed      [N, H, D], N >= cu_seqlens[B]; strides of non-overlapping elements; same dtype as pages
// status_word null, or 8 bytes, 8-byte aligned (see TAILOR_DEVICE_FAULTS)
// Declared promises: cu_seqlens is not negative and does not decrease, cu_seqlens[s+1] - cu_seqlens[s] == seq_lens[s].
// Rows of packed before cu_seqlens[0] or at or beyond cu_seqlens[B] are left as they are. B, N or P may be 0.
struct PagedGather {
  Tensor pages;
  PageLayout layout = PageLayout::kSlotMajor;
  Tensor block_table;
  Tensor seq_lens;
  Tensor cu_seqlens;
  Tensor packed;
  uint64_t status_word = 0;
};

// k_pages[block_table[batch_index[i], position[i] / page_size], position[i] % page_size, h, d] = k[i, h, d], and the
// same for v, for every new token i in [0, T).
//
// k, v             [T, H, D], any non-negative strides, element of 1, 2, 4 or 8 bytes
// batch_index, position  [T] int32, dense
// k_pages, v_pages as PagedGather::pages, same shape, same dtype as k; strides of non-overlapping elements
// block_table      [B, max_pages] int32, inner stride 1
// Declared promise: no two tokens name the same slot (otherwise one of them wins, per element).
struct PagedAppend {
  Tensor k;
  Tensor v;
  Tensor batch_index;
  Tensor position;
  Tensor k_pages;
  Tensor v_pages;
  PageLayout layout = PageLayout::kSlotMajor;
  Tensor block_table;
  uint64_t status_word = 0;
};

// Ragged operations below work on rows [N, D]: any non-negative strides, element of 1, 2, 4 or 8 bytes; strides of
// non-overlapping elements where they are written. cu_seqlens [B + 1] is int32 and dense; it is promised not to be
// negative, not to decrease, and not to exceed the rows it speaks of. status_word as in PagedGather. Any extent may be
// 0.

// packed[cu_seqlens[s] + t] = padded[s, t]  for s in [0, B), t in [0, cu_seqlens[s + 1] - cu_seqlens[s])
//
// padded [B, Lmax, D]     packed [N, D]     Promise: no sequence is longer than Lmax.
// Rows of packed that no sequence owns are left as they are.
struct Pack {
  Tensor padded;
  Tensor cu_seqlens;
  Tensor packed;
  uint64_t status_word = 0;
};

// padded[s, t] = packed[cu_seqlens[s] + t] if t < cu_seqlens[s + 1] - cu_seqlens[s], else fill  for s in [0, B), t in
// [0, Lmax)
//
// `fill` holds the bits of one element in its low bytes; bytes beyond the element are not looked at. Promise: as Pack.
// The rows of a sequence that breaks it are left as they are.
struct Unpack {
  Tensor packed;
  Tensor cu_seqlens;
  Tensor padded;
  uint64_t fill = 0;
  uint64_t status_word = 0;
};

// target[i] = source[index[i]]  for i in [0, N)
//
// source [R, D]     index [N] int32 or int64, dense, promised to lie in [0, R)     target [N, D]
struct GatherRows {
  Tensor source;
  Tensor index;
  Tensor target;
  uint64_t status_word = 0;
};

// target[index[i]] = source[i]  for i in [0, N)
//
// source [N, D]     index [N] int32 or int64, dense, promised to lie in [0, R)     target [R, D]
// `unique` declares that no two entries of index are equal. Without it, of several rows that name one row of target,
// each element comes whole from one of them; which one, is not determined. The code is the same.
struct ScatterRows {
  Tensor source;
  Tensor index;
  Tensor target;
  bool unique = false;
  uint64_t status_word = 0;
};

// Sequence s of out is sequence s of a followed by sequence s of b:
//   out[r + cu_b[s]] = a[r]  for r in [cu_a[s], cu_a[s + 1])      out[r + cu_a[s + 1]] = b[r]  for r in [cu_b[s],
//   cu_b[s + 1])
//
// a [NA, D]     b [NB, D]     cu_a, cu_b [B + 1]     out [N, D], N promised to hold every row
struct Concat {
  Tensor a;
  Tensor cu_a;
  Tensor b;
  Tensor cu_b;
  Tensor out;
  uint64_t status_word = 0;
};

// The inverse of Concat:
//   a[r] = packed[r + cu_b[s]]  for r in [cu_a[s], cu_a[s + 1])      b[r] = packed[r + cu_a[s + 1]]  for r in [cu_b[s],
//   cu_b[s + 1])
struct Split {
  Tensor packed;
  Tensor cu_a;
  Tensor a;
  Tensor cu_b;
  Tensor b;
  uint64_t status_word = 0;
};

// target[i, d] = cast(f32(source[i, d]) * scale[0])
//
// source, target [N, D], each of f32, f16, bf16, fp8_e4m3 or fp8_e5m2     scale [1] f32, or address 0: no
// multiplication Rounds to nearest even. fp8 saturates to its largest finite value, f16 and bf16 overflow to infinity;
// NaN stays NaN.
struct Convert {
  Tensor source;
  Tensor target;
  Tensor scale;
};

// PagedAppend with the first R = 2 * cos.shape[1] dimensions of every head of k rotated by the angle of its position p:
//   k'[x1] = k[x1] * cos[p, i] - k[x2] * sin[p, i]      k'[x2] = k[x2] * cos[p, i] + k[x1] * sin[p, i]
// for i in [0, R/2), x1 and x2 as RopeStyle says; in f32, each product rounded and then the sum (no fused
// multiply-add), at last rounded to k's type. Dimensions from R on, and v, are copied.
//
// k, v f16, bf16 or f32     cos, sin [P_max, R/2], f32 or k's type, inner stride 1, 2 <= R <= D
// Promise: position[i] < P_max, beside those of PagedAppend.
struct AppendRope {
  Tensor k;
  Tensor v;
  Tensor batch_index;
  Tensor position;
  Tensor k_pages;
  Tensor v_pages;
  PageLayout layout = PageLayout::kSlotMajor;
  Tensor block_table;
  Tensor cos;
  Tensor sin;
  RopeStyle style = RopeStyle::kHalves;
  uint64_t status_word = 0;
};

// Every sequence transposed, [L_s, D] to [D, L_s]:
//   target[cu_seqlens[s] * D + d * L_s + t] = source[cu_seqlens[s] + t, d]
//
// source [N, D]     target [N * D], dense
// length_multiple (>= 1) is a promise: every entry of cu_seqlens is a multiple of it, so every L_s is. Stores get wider
// the more of a power of two it holds. length_multiple() below finds it where the host knows the offsets. The kernel
// checks the part of the promise that it builds on and no more: the largest power of two that divides length_multiple,
// at most the elements of one store (target's alignment, and 16 bytes). Offsets 8, 16 under a length_multiple of 24 are
// moved rightly and reported by nobody.
struct RaggedTranspose {
  Tensor source;
  Tensor cu_seqlens;
  Tensor target;
  int64_t length_multiple = 1;
  uint64_t status_word = 0;
};

// The elements of target, in row-major order of its indices, become those of source in row-major order of its.
//
// Ranks 1 … 5, one dtype, equal numbers of elements. Strides of target may be negative, those of source negative or 0.
// Equal shapes: permutations, slices, flips, broadcasts. Different shapes: reshapes, as long as the two shapes have a
// common refinement once neighbouring dimensions that lie as one are merged. The byte ranges that source and target
// span must not overlap: interleaved views of one buffer (x[::2] to x[1::2]) are refused although they share no byte.
struct StridedCopy {
  Tensor source;
  Tensor target;
};

// The greatest common divisor of offsets that the host knows; 1 when all are 0.
constexpr int64_t length_multiple(std::span<const int32_t> cu_seqlens) {
  int64_t divisor = 0;
  for (const int32_t offset : cu_seqlens) divisor = std::gcd(divisor, int64_t{offset});
  return divisor == 0 ? 1 : divisor;
}

// OpId, type of its operands
#define TAILOR_OPERANDS(X)             \
  X(kPagedGather, PagedGather)         \
  X(kPagedAppend, PagedAppend)         \
  X(kPack, Pack)                       \
  X(kUnpack, Unpack)                   \
  X(kGatherRows, GatherRows)           \
  X(kScatterRows, ScatterRows)         \
  X(kConcat, Concat)                   \
  X(kSplit, Split)                     \
  X(kConvert, Convert)                 \
  X(kAppendRope, AppendRope)           \
  X(kRaggedTranspose, RaggedTranspose) \
  X(kCopy, StridedCopy)

}  // namespace tailor
