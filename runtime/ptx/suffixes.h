// The words that may follow a mnemonic after a dot: types, state spaces, vector widths, cache hints and modifiers.
//
// One X-macro table per kind; the parser's word list, the printer and the opcode table's grammar are made from them.
// Everything here is constant data: any thread may use it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tailor::ptx {

// enumerator, PTX word, bits of one value, kind (b untyped, u unsigned, s signed, f float, p predicate).
// PTX ISA 5.2 (fundamental types), 5.2.3 (alternate floating point), 5.2.5 (packed).
#define TAILOR_PTX_TYPES(X)     \
  X(kB8, "b8", 8, 'b')          \
  X(kB16, "b16", 16, 'b')       \
  X(kB32, "b32", 32, 'b')       \
  X(kB64, "b64", 64, 'b')       \
  X(kB128, "b128", 128, 'b')    \
  X(kU8, "u8", 8, 'u')          \
  X(kU16, "u16", 16, 'u')       \
  X(kU32, "u32", 32, 'u')       \
  X(kU64, "u64", 64, 'u')       \
  X(kS8, "s8", 8, 's')          \
  X(kS16, "s16", 16, 's')       \
  X(kS32, "s32", 32, 's')       \
  X(kS64, "s64", 64, 's')       \
  X(kF16, "f16", 16, 'f')       \
  X(kF16x2, "f16x2", 32, 'f')   \
  X(kBF16, "bf16", 16, 'f')     \
  X(kBF16x2, "bf16x2", 32, 'f') \
  X(kF32, "f32", 32, 'f')       \
  X(kF64, "f64", 64, 'f')       \
  X(kTF32, "tf32", 32, 'f')     \
  X(kE4M3, "e4m3", 8, 'f')      \
  X(kE5M2, "e5m2", 8, 'f')      \
  X(kE4M3x2, "e4m3x2", 16, 'f') \
  X(kE5M2x2, "e5m2x2", 16, 'f') \
  X(kU16x2, "u16x2", 32, 'u')   \
  X(kS16x2, "s16x2", 32, 's')   \
  X(kPred, "pred", 1, 'p')      \
  X(kB1, "b1", 1, 'b')          \
  X(kU4, "u4", 4, 'u')          \
  X(kS4, "s4", 4, 's')          \
  X(kU2, "u2", 2, 'u')          \
  X(kS2, "s2", 2, 's')          \
  X(kB1024, "b1024", 1024, 'b')

enum class Type : uint8_t {
#define X(name, text, bits, kind) name,
  TAILOR_PTX_TYPES(X)
#undef X
      kNone
};

// State spaces. kGeneric: none was written. `.shared` and `.shared::cta` name the same space but are kept apart,
// because some instructions accept only one spelling; is_shared_cta() covers both.
#define TAILOR_PTX_SPACES(X)           \
  X(kGlobal, "global")                 \
  X(kShared, "shared")                 \
  X(kSharedCta, "shared::cta")         \
  X(kSharedCluster, "shared::cluster") \
  X(kLocal, "local")                   \
  X(kConst, "const")                   \
  X(kParam, "param")                   \
  X(kParamEntry, "param::entry")       \
  X(kParamFunc, "param::func")

enum class Space : uint8_t {
  kGeneric,
#define X(name, text) name,
  TAILOR_PTX_SPACES(X)
#undef X
};

// Words that change performance only. An executor may ignore all of them, but kL2CacheHint means that the instruction's
// last operand is the 64-bit cache policy. In createpolicy the order is primary, then secondary priority.
#define TAILOR_PTX_HINTS(X)                   \
  X(kCa, "ca")                                \
  X(kCg, "cg")                                \
  X(kCs, "cs")                                \
  X(kLu, "lu")                                \
  X(kCv, "cv")                                \
  X(kWb, "wb")                                \
  X(kWt, "wt")                                \
  X(kL1EvictNormal, "L1::evict_normal")       \
  X(kL1EvictUnchanged, "L1::evict_unchanged") \
  X(kL1EvictFirst, "L1::evict_first")         \
  X(kL1EvictLast, "L1::evict_last")           \
  X(kL1NoAllocate, "L1::no_allocate")         \
  X(kL2EvictNormal, "L2::evict_normal")       \
  X(kL2EvictUnchanged, "L2::evict_unchanged") \
  X(kL2EvictFirst, "L2::evict_first")         \
  X(kL2EvictLast, "L2::evict_last")           \
  X(kL2CacheHint, "L2::cache_hint")           \
  X(kL2Fetch64B, "L2::64B")                   \
  X(kL2Fetch128B, "L2::128B")                 \
  X(kL2Fetch256B, "L2::256B")

enum class CacheHint : uint8_t {
  kNone,
#define X(name, text) name,
  TAILOR_PTX_HINTS(X)
#undef X
};

// enumerator, word, group. Groups that have a field of their own in Instruction: compare, operation, rounding,
// semantics, scope. A word may serve two opcodes in different ways (`mul.lo`, `setp.lo`): the group says which field it
// fills where the opcode has that field.
#define TAILOR_PTX_MODIFIERS(X)                                     \
  X(kRn, "rn", kRounding)                                           \
  X(kRz, "rz", kRounding)                                           \
  X(kRm, "rm", kRounding)                                           \
  X(kRp, "rp", kRounding)                                           \
  X(kRni, "rni", kRounding)                                         \
  X(kRzi, "rzi", kRounding)                                         \
  X(kRmi, "rmi", kRounding)                                         \
  X(kRpi, "rpi", kRounding)                                         \
  X(kRna, "rna", kRounding)                                         \
  X(kEq, "eq", kCompare)                                            \
  X(kNe, "ne", kCompare)                                            \
  X(kLt, "lt", kCompare)                                            \
  X(kLe, "le", kCompare)                                            \
  X(kGt, "gt", kCompare)                                            \
  X(kGe, "ge", kCompare)                                            \
  X(kLo, "lo", kCompare)                                            \
  X(kLs, "ls", kCompare)                                            \
  X(kHi, "hi", kCompare)                                            \
  X(kHs, "hs", kCompare)                                            \
  X(kEqu, "equ", kCompare)                                          \
  X(kNeu, "neu", kCompare)                                          \
  X(kLtu, "ltu", kCompare)                                          \
  X(kLeu, "leu", kCompare)                                          \
  X(kGtu, "gtu", kCompare)                                          \
  X(kGeu, "geu", kCompare)                                          \
  X(kNum, "num", kCompare)                                          \
  X(kNanCompare, "nan", kCompare)                                   \
  X(kWeak, "weak", kSemantics)                                      \
  X(kVolatile, "volatile", kSemantics)                              \
  X(kRelaxed, "relaxed", kSemantics)                                \
  X(kAcquire, "acquire", kSemantics)                                \
  X(kRelease, "release", kSemantics)                                \
  X(kAcqRel, "acq_rel", kSemantics)                                 \
  X(kSc, "sc", kSemantics)                                          \
  X(kCta, "cta", kScope)                                            \
  X(kCluster, "cluster", kScope)                                    \
  X(kGpu, "gpu", kScope)                                            \
  X(kGl, "gl", kScope)                                              \
  X(kSys, "sys", kScope)                                            \
  X(kAddOp, "add", kOperation)                                      \
  X(kMinOp, "min", kOperation)                                      \
  X(kMaxOp, "max", kOperation)                                      \
  X(kAndOp, "and", kOperation)                                      \
  X(kOrOp, "or", kOperation)                                        \
  X(kXorOp, "xor", kOperation)                                      \
  X(kIncOp, "inc", kOperation)                                      \
  X(kDecOp, "dec", kOperation)                                      \
  X(kExchOp, "exch", kOperation)                                    \
  X(kCasOp, "cas", kOperation)                                      \
  X(kPopcOp, "popc", kOperation)                                    \
  X(kAll, "all", kOperation)                                        \
  X(kAny, "any", kOperation)                                        \
  X(kUni, "uni", kOperation)                                        \
  X(kBallot, "ballot", kOperation)                                  \
  X(kUp, "up", kOperation)                                          \
  X(kDown, "down", kOperation)                                      \
  X(kBfly, "bfly", kOperation)                                      \
  X(kIdx, "idx", kOperation)                                        \
  X(kFinite, "finite", kOperation)                                  \
  X(kInfinite, "infinite", kOperation)                              \
  X(kNumber, "number", kOperation)                                  \
  X(kNotANumber, "notanumber", kOperation)                          \
  X(kNormal, "normal", kOperation)                                  \
  X(kSubnormal, "subnormal", kOperation)                            \
  X(kF4e, "f4e", kOperation)                                        \
  X(kB4e, "b4e", kOperation)                                        \
  X(kRc8, "rc8", kOperation)                                        \
  X(kEcl, "ecl", kOperation)                                        \
  X(kEcr, "ecr", kOperation)                                        \
  X(kRc16, "rc16", kOperation)                                      \
  X(kFtz, "ftz", kOther)                                            \
  X(kNoFtz, "noftz", kOther)                                        \
  X(kSat, "sat", kOther)                                            \
  X(kSatfinite, "satfinite", kOther)                                \
  X(kRelu, "relu", kOther)                                          \
  X(kOob, "oob", kOther)                                            \
  X(kApprox, "approx", kOther)                                      \
  X(kFull, "full", kOther)                                          \
  X(kCc, "cc", kOther)                                              \
  X(kNaN, "NaN", kOther)                                            \
  X(kXorSign, "xorsign", kOther)                                    \
  X(kAbs, "abs", kOther)                                            \
  X(kWide, "wide", kOther)                                          \
  X(kShiftAmt, "shiftamt", kOther)                                  \
  X(kLeft, "l", kOther)                                             \
  X(kRight, "r", kOther)                                            \
  X(kClamp, "clamp", kOther)                                        \
  X(kWrap, "wrap", kOther)                                          \
  X(kTo, "to", kOther)                                              \
  X(kNc, "nc", kOther)                                              \
  X(kMmio, "mmio", kOther)                                          \
  X(kSync, "sync", kOther)                                          \
  X(kAligned, "aligned", kOther)                                    \
  X(kTrans, "trans", kOther)                                        \
  X(kX1, "x1", kOther)                                              \
  X(kX2, "x2", kOther)                                              \
  X(kX4, "x4", kOther)                                              \
  X(kRow, "row", kOther)                                            \
  X(kCol, "col", kOther)                                            \
  X(kRowB, "row", kOther)                                           \
  X(kColB, "col", kOther)                                           \
  X(kParity, "parity", kOther)                                      \
  X(kNoInc, "noinc", kOther)                                        \
  X(kNoComplete, "noComplete", kOther)                              \
  X(kRead, "read", kOther)                                          \
  X(kMulticastCluster, "multicast::cluster", kOther)                \
  X(kCompleteTxBytes, "mbarrier::complete_tx::bytes", kOther)       \
  X(kBulkGroup, "bulk_group", kOther)                               \
  X(kCpMask, "cp_mask", kOther)                                     \
  X(k1d, "1d", kOther)                                              \
  X(k2d, "2d", kOther)                                              \
  X(k3d, "3d", kOther)                                              \
  X(k4d, "4d", kOther)                                              \
  X(k5d, "5d", kOther)                                              \
  X(kTile, "tile", kOther)                                          \
  X(kIm2col, "im2col", kOther)                                      \
  X(kIm2colNoOffs, "im2col_no_offs", kOther)                        \
  X(kL1, "L1", kOther)                                              \
  X(kL2, "L2", kOther)                                              \
  X(kTensormap, "tensormap", kOther)                                \
  X(kAlias, "alias", kOther)                                        \
  X(kAsync, "async", kOther)                                        \
  X(kAsyncGeneric, "async::generic", kOther)                        \
  X(kTensormapGeneric, "tensormap::generic", kOther)                \
  X(kSyncRestrictCta, "sync_restrict::shared::cta", kOther)         \
  X(kSyncRestrictCluster, "sync_restrict::shared::cluster", kOther) \
  X(kGlobalAddress, "global_address", kOther)                       \
  X(kRank, "rank", kOther)                                          \
  X(kBoxDim, "box_dim", kOther)                                     \
  X(kGlobalDim, "global_dim", kOther)                               \
  X(kGlobalStride, "global_stride", kOther)                         \
  X(kElementStride, "element_stride", kOther)                       \
  X(kElemType, "elemtype", kOther)                                  \
  X(kInterleaveLayout, "interleave_layout", kOther)                 \
  X(kSwizzleMode, "swizzle_mode", kOther)                           \
  X(kFillMode, "fill_mode", kOther)                                 \
  X(kAccF32, "acc::f32", kOther)                                    \
  X(kMask, "mask", kOther)                                          \
  X(kShr7, "shr7", kOther)                                          \
  X(kShr15, "shr15", kOther)                                        \
  X(kPo, "po", kOther)                                              \
  X(kMatrixA, "a", kOther)                                          \
  X(kMatrixB, "b", kOther)                                          \
  X(kMatrixC, "c", kOther)                                          \
  X(kMatrixD, "d", kOther)

enum class ModifierGroup : uint8_t { kOther, kRounding, kCompare, kSemantics, kScope, kOperation };

enum class Modifier : uint8_t {
  kNone,
#define X(name, text, group) name,
  TAILOR_PTX_MODIFIERS(X)
#undef X
};

// A set of modifiers: order in the text does not matter (`ld.global.acquire.gpu` == `ld.acquire.gpu.global`).
class ModifierSet {
 public:
  constexpr bool has(Modifier m) const { return (words_[index(m)] >> bit(m)) & 1; }
  constexpr void insert(Modifier m) { words_[index(m)] |= uint64_t{1} << bit(m); }
  constexpr bool empty() const { return (words_[0] | words_[1] | words_[2]) == 0; }
  bool operator==(const ModifierSet&) const = default;

 private:
  static constexpr unsigned index(Modifier m) { return static_cast<unsigned>(m) / 64; }
  static constexpr unsigned bit(Modifier m) { return static_cast<unsigned>(m) % 64; }
  std::array<uint64_t, 3> words_{};
};

std::string_view to_string(Type type);          // "b32"; "none" for kNone
std::string_view to_string(Space space);        // "shared::cta"; "generic" for kGeneric
std::string_view to_string(CacheHint hint);     // "L2::128B"
std::string_view to_string(Modifier modifier);  // "rn"
ModifierGroup group_of(Modifier modifier);

unsigned bits_of(Type type);  // 1 for pred, 0 for kNone
constexpr unsigned bytes_of_bits(unsigned bits) { return (bits + 7) / 8; }
inline unsigned bytes_of(Type type) { return bytes_of_bits(bits_of(type)); }
char kind_of(Type type);  // 'b', 'u', 's', 'f' or 'p'
inline bool is_signed(Type type) { return kind_of(type) == 's'; }
inline bool is_float(Type type) { return kind_of(type) == 'f'; }
constexpr bool is_shared_cta(Space s) { return s == Space::kShared || s == Space::kSharedCta; }
constexpr bool is_param(Space s) { return s == Space::kParam || s == Space::kParamEntry || s == Space::kParamFunc; }

}  // namespace tailor::ptx
