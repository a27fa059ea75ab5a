// The operations and their operands.
//
// Every operand is device memory. The host reads shapes, strides and addresses; it never reads lengths, tables or
// indices. Whatever stands in them, no access leaves an operand (see kDeviceFaults); what is promised about them is
// stated per operation. Thread-safety: plain value types.
#pragma once

#include <cstdint>
#include <string_view>

#include "tailor/types.h"

namespace tailor {

// name, printed name, entry symbol of every kernel of the operation
#define TAILOR_OPS(X)                                    \
  X(kPagedGather, "paged_gather", "tailor_paged_gather") \
  X(kPagedAppend, "paged_append", "tailor_paged_append")

enum class OpId : uint8_t {
#define X(name, text, entry) name,
  TAILOR_OPS(X)
#undef X
};
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

// Violated promises about device data. A kernel that meets one skips the affected row and, when the caller supplied a
// status word, records it. Status word: 64 bits in device memory, zero = clean; the kernel keeps the maximum of
// ((2^48 - 1 - index) << 8 | kind) by an atomic, so the smallest index wins (of equal indices the largest code). `index`
// is the sequence s for faults 1 and 2, and the packed row for the others. code, name, text.
#define TAILOR_DEVICE_FAULTS(X)                                                                       \
  X(1, kCuSeqlensRange, "cu_seqlens is decreasing or leaves [0, rows of packed]")                     \
  X(2, kSeqLenMismatch, "a row of the sequence lies at or beyond seq_lens[s] (cu_seqlens disagrees)") \
  X(3, kBlockTableColumn, "position / page_size is at or beyond max_pages")                           \
  X(4, kPageIndexRange, "a block_table entry is outside [0, P)")                                      \
  X(5, kBatchIndexRange, "batch_index is outside [0, B)")                                             \
  X(6, kPositionRange, "position is negative")

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

}  // namespace tailor
