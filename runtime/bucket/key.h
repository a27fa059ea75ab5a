// The specialization key: 32 bytes that say everything the generated code may depend on.
//
// A key is a pure function of a Problem (runtime/ops) and of the launch options arch, emitter and lowering. It is
// packed bit fields in four words, compared and hashed as plain memory; no string, no allocation. The key alone
// determines the kernel: codegen sees nothing else. Two problems with equal keys run the same kernel.
//
// `canonical_bytes` is the form that goes to disk (field by field, little-endian, with the schema version), so that it
// does not depend on how the words happen to be packed. Thread-safety: values.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "tailor/ops.h"
#include "tailor/status.h"
#include "tailor/types.h"

namespace tailor {

// How the elements of a row [H, D] lie in memory on one side of a copy.
enum class RowContiguity : uint8_t {
  kRow = 0,   // one run of H*D elements: dim stride 1 and head stride D (or H == 1)
  kHead = 1,  // H runs of D elements: dim stride 1
  kNone = 2,  // arbitrary dim stride
};

// How a strided copy is made (field `variant` of its key).
#define TAILOR_COPY_MODES(X)                                                              \
  X(kRows, "rows", "runs of elements that are contiguous on both sides")                  \
  X(kTransposed, "transposed", "the two sides are contiguous along different dimensions") \
  X(kElements, "elements", "anything else: element by element along the target's finest dimension")

enum class CopyMode : uint8_t {
#define X(name, text, meaning) name,
  TAILOR_COPY_MODES(X)
#undef X
};
constexpr std::string_view to_string(CopyMode mode) {
  switch (mode) {
#define X(name, text, meaning) \
  case CopyMode::name:         \
    return text;
    TAILOR_COPY_MODES(X)
#undef X
  }
  return "unknown";
}

// Fields that an operation has no use for hold what is said last in their meaning.
//
// The fields of a key, in the order of their canonical encoding: name, text, bits, word, meaning.
// Fields of one word are packed from bit 0 upwards in the order listed.
#define TAILOR_KEY_FIELDS(X)                                                                                     \
  X(kOp, "op", 8, 0, "operation")                                                                                \
  X(kSchemaVersion, "schema", 8, 0, "version of the operation's schema")                                         \
  X(kArch, "arch", 8, 0, "target architecture")                                                                  \
  X(kEmitter, "emitter", 4, 0, "emitter")                                                                        \
  X(kLowering, "lowering", 4, 0, "treatment of tails")                                                           \
  X(kElementLog2, "element_log2", 4, 0, "log2 of the (source's) element size in bytes: 0 … 3")                   \
  X(kIndex64, "index64", 1, 0, "1 if a byte offset into some operand may reach 2^31")                            \
  X(kSourceContiguity, "source_contiguity", 2, 0, "RowContiguity of the side that is read")                      \
  X(kTargetContiguity, "target_contiguity", 2, 0, "RowContiguity of the side that is written")                   \
  X(kSourceAlignLog2, "source_align_log2", 3, 0, "log2 bytes (<= 4) dividing base and outer strides, read")      \
  X(kTargetAlignLog2, "target_align_log2", 3, 0, "log2 bytes (<= 4) dividing base and outer strides, written")   \
  X(kSourceType, "source_type", 4, 0, "DType that is computed with: convert, append_rope; 0 (u8)")               \
  X(kTargetType, "target_type", 4, 0, "DType of convert's target, of append_rope's cos and sin; 0 (u8)")         \
  X(kIndexLog2, "index_log2", 2, 0, "log2 of the bytes of an index: gather_rows, scatter_rows; 2")               \
  X(kVariant, "variant", 4, 0, "append_rope: RopeStyle; convert: 1 with a scale; copy: CopyMode; 0")             \
  X(kPageSize, "page_size", 32, 1, "tokens per page, exact: paged operations; 0")                                \
  X(kHeads, "heads", 32, 1, "H, exact: paged operations; 1")                                                     \
  X(kHeadDim, "head_dim", 32, 2, "D, exact; copy: elements of a run of at most 2048 bytes, else 0")              \
  X(kRotaryDim, "rotary_dim", 32, 2, "R, exact: append_rope; 0")                                                 \
  X(kColumnsResidue, "columns_residue", 16, 3, "copy: run bytes % 512, transposed: N % 64; 65535: unknown")      \
  X(kOuterRank, "outer_rank", 4, 3, "dimensions around the run or the matrix: copy; 0")                          \
  X(kLengthMultipleLog2, "length_multiple_log2", 3, 3, "log2 of what divides every offset: ragged_transpose; 0") \
  X(kReports, "reports", 1, 3, "1 if the caller gives a status word: all but convert and copy; 0")

enum class KeyField : uint8_t {
#define X(name, text, bits, word, meaning) name,
  TAILOR_KEY_FIELDS(X)
#undef X
};
inline constexpr int kKeyFieldCount = 0
#define X(name, text, bits, word, meaning) +1
    TAILOR_KEY_FIELDS(X)
#undef X
    ;

namespace key_detail {
struct FieldPlace {
  int word, shift, bits;
};
constexpr std::array<FieldPlace, kKeyFieldCount> place_fields() {
  std::array<FieldPlace, kKeyFieldCount> places{};
  int used[8] = {};
  int i = 0;
#define X(name, text, bits, word, meaning) \
  places[i++] = {word, used[word], bits};  \
  used[word] += bits;
  TAILOR_KEY_FIELDS(X)
#undef X
  return places;
}
inline constexpr auto kPlaces = place_fields();
}  // namespace key_detail

inline constexpr int kKeyWords = 4;
inline constexpr uint64_t kUnknownColumnsResidue = 0xffff;

struct Key {
  std::array<uint64_t, kKeyWords> words{};

  constexpr uint64_t get(KeyField field) const {
    const auto& p = key_detail::kPlaces[static_cast<int>(field)];
    return (words[p.word] >> p.shift) & ((uint64_t{1} << p.bits) - 1);
  }
  // `value` must fit in the field's bits; validation of the Problem guarantees it.
  constexpr void set(KeyField field, uint64_t value) {
    const auto& p = key_detail::kPlaces[static_cast<int>(field)];
    const uint64_t mask = ((uint64_t{1} << p.bits) - 1) << p.shift;
    words[p.word] = (words[p.word] & ~mask) | ((value << p.shift) & mask);
  }
  constexpr uint64_t hash() const {  // multiply-fold; quality is tested in tests/runtime/bucket
    uint64_t h = 0x9E3779B97F4A7C15ull;
    for (uint64_t w : words) {
      const unsigned __int128 m = static_cast<unsigned __int128>(h ^ w) * 0xD6E8FEB86659FD93ull;
      h = static_cast<uint64_t>(m) ^ static_cast<uint64_t>(m >> 64);
    }
    return h;
  }
  friend constexpr bool operator==(const Key&, const Key&) = default;

  constexpr OpId op() const { return static_cast<OpId>(get(KeyField::kOp)); }
  constexpr Arch arch() const { return static_cast<Arch>(get(KeyField::kArch)); }
  constexpr Emitter emitter() const { return static_cast<Emitter>(get(KeyField::kEmitter)); }
  constexpr Lowering lowering() const { return static_cast<Lowering>(get(KeyField::kLowering)); }
};

// "paged_gather schema=3 arch=sm_90a emitter=llvm … head_dim=128": parses back with parse_key.
std::string to_string(const Key& key);
Expected<Key> parse_key(std::string_view text);

// Length-prefixed field names and values, little-endian: what the disk cache is keyed by (together with the generator
// digest, which the dispatcher appends). Injective.
std::string canonical_bytes(const Key& key);

// The key at the front of `bytes`, which is left with what follows it. Errors: kCorruption; kInvalidArgument of
// validate.
Expected<Key> take_canonical(std::string_view& bytes);

// ok if every field is inside its declared domain (a forged or stale key is refused with the field named).
Status validate(const Key& key);

}  // namespace tailor
