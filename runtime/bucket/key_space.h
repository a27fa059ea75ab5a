// The key space: every key that a static configuration can give, listed.
//
// A key's bucket fields are pruned to what the code can depend on, so that two problems whose code would be the same
// share one key. With row elements [H, D] of 2^e bytes, the unit of a copy is one run of memory that is contiguous on
// both sides: H*D elements if both sides are kRow, D if both are at least kHead, one otherwise. An access is never
// wider than its run and never wider than either side's alignment allows, so
//
//   source_align = target_align = max(e, min(source_align, target_align, floor_log2(bytes of a run), 4))
//
// and, since the stride of an extent of 1 is never used,
//
//   H == 1:  kHead is kRow                  D == 1:  kNone is kHead, and kRow when H == 1 too
//
// E.g. op=paged_gather, element 2 bytes, H=8, D=128: both kRow: 4 alignments, … 42 keys with both index widths.
//
// Where the two sides are accessed apart from each other, each is pruned by itself: convert (elements of two sizes) and
// a transposed copy (through shared memory), which stores single elements: target_align = e. A store of
// ragged_transpose begins at cu_seqlens[s] * D + d * L_s + t, so it is aligned by what divides both the base and the
// lengths' multiple m, and pruned so:
//
//   target_align = min(target_align, m_log2 + e, 4)        m_log2 = target_align - e
//
// Thread-safety: pure functions. Errors: kInvalidArgument when the configuration itself is outside its domain.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/bucket/key.h"
#include "runtime/bucket/learned_residues.h"
#include "tailor/status.h"

namespace tailor {

inline constexpr int kMaxAlignLog2 = 4;  // 16 bytes, the widest access of one thread

// The fields of a key that do not come from facts. What the operation has no use for is not looked at.
struct StaticConfiguration {
  OpId op{};
  Arch arch{};
  Emitter emitter{};
  Lowering lowering{};
  int element_bytes = 2;  // 1, 2, 4 or 8; convert and append_rope: that of source_type
  int64_t page_size = 0, heads = 1;
  int64_t head_dim = 0;                                                // copy: 0 for a run of more than 2048 bytes
  DType source_type = DType::kFloat32, target_type = DType::kFloat32;  // convert; append_rope: of k, and of cos and sin
  int index_bytes = 4;                                                 // 4 or 8: gather_rows, scatter_rows
  int variant = 0;                                                     // as the key's field of that name
  int64_t rotary_dim = 0;                                              // append_rope
  int outer_rank = 0;                                                  // copy
  bool reports = true;  // the caller gives a status word; not of convert and copy
};

// A key's normal form under the rules above: the key of make_key. Idempotent; keeps every static field and index64.
// `key` must be one that validate() accepts.
Key canonical_form(Key key);

// Every canonical key of the configuration, without repetition, in increasing order of the bucket fields. Residues that
// are not common are those of `learned`, which may be null.
Expected<std::vector<Key>> enumerate_keys(const StaticConfiguration& configuration,
                                          const LearnedResidues* learned = nullptr);

}  // namespace tailor
