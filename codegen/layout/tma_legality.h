// Which tensor maps the TMA engine takes: the rules of cuTensorMapEncodeTiled, …Im2col and …Im2colWide as one pure
// function each, and the question whether an affine layout is a tensor that a map can describe.
//
// Worked example: a [1000, 129] matrix of 2-byte elements, rows packed, box 64 × 128, swizzle 128B:
//     TmaTiled map{TmaElement::kUint16, 2, 0x7f0000000000, {129, 1000}, {258}, {64, 128}, {1, 1}};
//     map.format.swizzle = TmaSwizzle::k128B;
//     tma_legality(map)   // one violation, kStrideMultiple: "globalStrides[0] is 258 bytes; a stride must be a
//     multiple
//                         // of 16 bytes"
// Rows padded to 136 elements (272 bytes) make it legal.
//
// Rules: the text of cuda.h 13.0 at the three encoders; kSwizzleSpan and the formulas of the swizzles are in CuTe's
// copy_traits_sm90_tma_swizzle.hpp too. Not checked, because a map does not say it: the alignment of the tile in shared
// memory (128 bytes; 256, 512 or 1024 for swizzle 32B, 64B, 128B), the 64-byte alignment of the descriptor itself, and
// cuda.h's remark that each stride should contain the previous one (its encoder accepts overlapping tensors).
//
// Ownership: value types. Threads: pure functions. Errors: broken rules are the result, not a Status; every rule is
// looked at, so that one answer lists all that must change.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/integer/residue.h"
#include "codegen/layout/facts.h"
#include "codegen/layout/layout.h"
#include "codegen/layout/vector_width.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

enum class TmaKind : uint8_t {
  kInteger,
  kFloat,
  kPacked8,
  kPacked16
};  // packed: values of 4 or 6 bits in 8 or 16 bytes

// enumerator (order of CUtensorMapDataType), text, bits in global memory, kind
#define TAILOR_TMA_ELEMENTS(X)                   \
  X(kUint8, "u8", 8, kInteger)                   \
  X(kUint16, "u16", 16, kInteger)                \
  X(kUint32, "u32", 32, kInteger)                \
  X(kInt32, "s32", 32, kInteger)                 \
  X(kUint64, "u64", 64, kInteger)                \
  X(kInt64, "s64", 64, kInteger)                 \
  X(kFloat16, "f16", 16, kFloat)                 \
  X(kFloat32, "f32", 32, kFloat)                 \
  X(kFloat64, "f64", 64, kFloat)                 \
  X(kBfloat16, "bf16", 16, kFloat)               \
  X(kFloat32Ftz, "f32.ftz", 32, kFloat)          \
  X(kTfloat32, "tf32", 32, kFloat)               \
  X(kTfloat32Ftz, "tf32.ftz", 32, kFloat)        \
  X(k16U4Align8B, "16u4.align8", 4, kPacked8)    \
  X(k16U4Align16B, "16u4.align16", 4, kPacked16) \
  X(k16U6Align16B, "16u6.align16", 6, kPacked16)

enum class TmaElement : uint8_t {
#define X(name, text, bits, kind) name,
  TAILOR_TMA_ELEMENTS(X)
#undef X
};

// enumerator (order of CUtensorMapSwizzle), text, span in bytes
#define TAILOR_TMA_SWIZZLES(X)                        \
  X(kNone, "none", 0)                                 \
  X(k32B, "32B", 32)                                  \
  X(k64B, "64B", 64)                                  \
  X(k128B, "128B", 128)                               \
  X(k128BAtom32B, "128B_ATOM_32B", 128)               \
  X(k128BAtom32BFlip8B, "128B_ATOM_32B_FLIP_8B", 128) \
  X(k128BAtom64B, "128B_ATOM_64B", 128)

enum class TmaSwizzle : uint8_t {
#define X(name, text, span) name,
  TAILOR_TMA_SWIZZLES(X)
#undef X
};

enum class TmaInterleave : uint8_t { kNone, k16B, k32B };
enum class TmaUse : uint8_t { kLoad, kStore, kLoadAndStore };
enum class TmaFill : uint8_t { kZero, kNan };
enum class TmaIm2colMode : uint8_t { kNarrow, kWideW, kWideW128 };

std::string_view to_string(TmaElement element);
int64_t element_bits(TmaElement element);
std::string_view to_string(TmaSwizzle swizzle);
std::string_view to_string(TmaInterleave interleave);

// What the three encoders share beside sizes.
struct TmaFormat {
  TmaInterleave interleave = TmaInterleave::kNone;
  TmaSwizzle swizzle = TmaSwizzle::kNone;
  TmaFill fill = TmaFill::kZero;
  TmaUse use = TmaUse::kLoad;
  int64_t l2_promotion_bytes = 0;  // 0 (none), 64, 128 or 256
};

// Dimension 0 is the innermost; its stride is one element and not stored.
struct TmaTiled {
  TmaElement element = TmaElement::kUint8;
  int64_t rank = 0;
  uint64_t address = 0;
  std::vector<uint64_t> dims;             // elements, one per dimension
  std::vector<uint64_t> strides;          // bytes, rank - 1 of them, of dimension 1 on
  std::vector<uint32_t> box;              // elements
  std::vector<uint32_t> element_strides;  // 1 for every element
  TmaFormat format;
};

struct TmaIm2col {
  TmaElement element = TmaElement::kUint8;
  int64_t rank = 0;  // 3: [N, W, C], 4: [N, H, W, C], 5: [N, D, H, W, C]; C is dimension 0
  uint64_t address = 0;
  std::vector<uint64_t> dims;
  std::vector<uint64_t> strides;
  std::vector<int32_t> lower_corner;  // rank - 2 offsets, W first; one (W) when wide
  std::vector<int32_t> upper_corner;
  uint32_t channels_per_pixel = 0;
  uint32_t pixels_per_column = 0;
  std::vector<uint32_t> element_strides;
  TmaIm2colMode mode = TmaIm2colMode::kNarrow;
  TmaFormat format;
};

// enumerator, the rule in words
#define TAILOR_TMA_RULES(X)                                                                                           \
  X(kRank, "the rank must be 1 to 5, as many as there are dimensions")                                                \
  X(kRankInterleaved, "an interleaved map must have rank 3 to 5")                                                     \
  X(kRankIm2col, "an im2col map must have rank 3, 4 or 5")                                                            \
  X(kListLength, "each list must have one entry per dimension, the strides one less")                                 \
  X(kAddressAlignment, "the global address must be aligned to 16 bytes")                                              \
  X(kAddressAlignment32, "with interleave 32B or a packed element of 16 bytes the address must be aligned to 32")     \
  X(kDimRange, "a dimension must be 1 to 2^32")                                                                       \
  X(kDimPacked16, "dimension 0 of a packed element of 16 bytes must be a multiple of 128")                            \
  X(kDimPacked8, "dimension 0 of a packed element of 8 bytes must be a multiple of 2")                                \
  X(kStrideMultiple, "a stride must be a multiple of 16 bytes")                                                       \
  X(kStrideMultiple32, "with interleave 32B or a packed element of 16 bytes a stride must be a multiple of 32 bytes") \
  X(kStrideRange, "a stride must be below 2^40 bytes")                                                                \
  X(kBoxRange, "a box extent must be 1 to 256")                                                                       \
  X(kBoxInnerMultiple, "without interleave the inner box must be a multiple of 16 bytes")                             \
  X(kBoxPacked16, "the inner box of a packed element of 16 bytes must be 128 elements")                               \
  X(kElementStride, "an element stride must be 1 to 8")                                                               \
  X(kSwizzleSpan, "without interleave the inner box must fit into the span of the swizzle")                           \
  X(kInterleave32Swizzle, "interleave 32B needs swizzle 32B")                                                         \
  X(kPacked6Interleave, "16u6.align16 must not be interleaved")                                                       \
  X(kPacked6Swizzle,                                                                                                  \
    "16u6.align16 takes swizzle none, 128B or 128B_ATOM_32B, and 128B_ATOM_64B when it is only stored")               \
  X(kPacked4Swizzle, "16u4.align16 takes swizzle none, 128B or 128B_ATOM_32B")                                        \
  X(kPacked4Store, "16u4.align16 can only be loaded")                                                                 \
  X(kNanFill, "NaN fill needs a floating-point element that is not packed")                                           \
  X(kL2Promotion, "L2 promotion must be none, 64, 128 or 256 bytes")                                                  \
  X(kCornerRange, "a pixel box corner must be in [-32768, 32767] (rank 3), [-128, 127] (rank 4), [-16, 15] (rank 5)") \
  X(kPixelBoxEmpty, "the pixel box must not be empty")                                                                \
  X(kChannels, "the channels per pixel must be 1 to 256")                                                             \
  X(kPixels, "the pixels per column must be 1 to 1024")                                                               \
  X(kWideSwizzle, "a wide im2col map takes swizzle 64B, 128B or 128B_ATOM_32B")                                       \
  X(kLayoutPieces, "a tensor map describes one affine piece with one output")                                         \
  X(kLayoutGuard, "a guard must only shorten a dimension (x <= e), where the map fills beyond the edge")              \
  X(kLayoutInnerStride, "exactly one dimension must have stride 1: a map stores no stride for dimension 0")           \
  X(kLayoutStrideSign, "a stride must not be negative")

enum class TmaRule : uint8_t {
#define X(name, rule) name,
  TAILOR_TMA_RULES(X)
#undef X
};

std::string_view rule_text(TmaRule rule);

struct TmaViolation {
  TmaRule rule = TmaRule::kRank;
  std::string message;  // "globalStrides[0] is 258 bytes; a stride must be a multiple of 16 bytes"
};

// Every rule broken, in the order of the table; empty when the map is legal.
std::vector<TmaViolation> tma_legality(const TmaTiled& map);
std::vector<TmaViolation> tma_legality(const TmaIm2col& map);

// A layout read as the global side of a tensor map, under what is known of symbols.
struct TmaAxis {
  std::string name;
  integer::Residue extent;  // elements
  integer::Residue stride;  // bytes; of dimension 0 the element size
};
struct TmaView {
  std::vector<TmaAxis> axes;         // dimension 0 first, the others by stride where known, then as given
  std::vector<TmaViolation> broken;  // a rule that facts do not establish counts as broken; the message has the fact
  bool legal() const { return broken.empty(); }
};

// `elem_bytes`: 1, 2, 4 or 8. Dimensions of extent 1 are left out; neighbours are coalesced when the rank is above 5.
// Errors: kInvalidArgument for an element size no map has, overflow.
Expected<TmaView> tma_view(const GuardedAffineLayout& layout, BaseAlignment base, int64_t elem_bytes,
                           const Facts& facts = {});

// The whole question for a layout: is it a tensor (as tma_view says), and is the box legal with this swizzle,
// interleave and fill? `box` and `element_strides` are by dimension of the view, innermost first; no element strides:
// all 1.
struct TmaLayoutQuestion {
  TmaElement element = TmaElement::kUint8;  // not a packed one: its values have no address of their own
  BaseAlignment base;
  std::vector<uint32_t> box;
  std::vector<uint32_t> element_strides;
  TmaFormat format;
};
Expected<std::vector<TmaViolation>> tma_legality(const GuardedAffineLayout& layout, const TmaLayoutQuestion& question,
                                                 const Facts& facts = {});

}  // namespace tailor::codegen::layout
