// Which fields of a key each operation has a use for, and what values they may take.
//
// Thread-safety: pure functions. Errors: kInvalidArgument naming field, value and rule.
#pragma once

#include <cstdint>

#include "runtime/bucket/key.h"
#include "tailor/status.h"

namespace tailor {

// What an operation does with its elements, which decides about the fields source_type and target_type.
enum class Computes : uint8_t {
  kNothing,  // moves bits: both are 0
  kConvert,  // the elements of source and target
  kRotate,   // the elements of k, and those of cos and sin
};

// How the two sides of an operation depend on each other: what normal_form prunes.
enum class Sides : uint8_t {
  kOneRun,     // an access of one side is an access of the other: one alignment for both
  kApart,      // each side has accesses of its own: convert
  kTransposed  // through shared memory: the target's rows are sequences
};

struct KeyDomain {
  bool pages;        // page_size >= 1 and any number of heads; otherwise 0 and 1
  bool index;        // index_log2 may be 3
  uint8_t variants;  // variant < variants
  Computes computes;
  Sides sides;
  bool strided;  // copy: modes, outer rank, residues, a run that may be launch-bound
  bool reports;  // reports may be 1: there is something to report
};

// op, pages, index, variants, computes, sides, strided, reports
#define TAILOR_KEY_DOMAINS(X)                                              \
  X(kPagedGather, true, false, 1, kNothing, kOneRun, false, true)          \
  X(kPagedAppend, true, false, 1, kNothing, kOneRun, false, true)          \
  X(kPack, false, false, 1, kNothing, kOneRun, false, true)                \
  X(kUnpack, false, false, 1, kNothing, kOneRun, false, true)              \
  X(kGatherRows, false, true, 1, kNothing, kOneRun, false, true)           \
  X(kScatterRows, false, true, 1, kNothing, kOneRun, false, true)          \
  X(kConcat, false, false, 1, kNothing, kOneRun, false, true)              \
  X(kSplit, false, false, 1, kNothing, kOneRun, false, true)               \
  X(kConvert, false, false, 2, kConvert, kApart, false, false)             \
  X(kAppendRope, true, false, 2, kRotate, kOneRun, false, true)            \
  X(kRaggedTranspose, false, false, 1, kNothing, kTransposed, false, true) \
  X(kCopy, false, false, 3, kNothing, kOneRun, true, false)

// `op` must be in its enumeration.
constexpr KeyDomain key_domain(OpId op) {
  switch (op) {
#define X(name, pages, index, variants, computes, sides, strided, reports) \
  case OpId::name:                                                         \
    return {pages, index, variants, Computes::computes, Sides::sides, strided, reports};
    TAILOR_KEY_DOMAINS(X)
#undef X
  }
  return {};
}

// log2 of the bytes of an element that is written.
constexpr uint64_t target_element_log2(const Key& key) {
  if (key_domain(key.op()).computes != Computes::kConvert) return key.get(KeyField::kElementLog2);
  uint64_t log2 = 0;
  while (element_bytes(static_cast<DType>(key.get(KeyField::kTargetType))) >> (log2 + 1) > 0) ++log2;
  return log2;
}

// f32, f16, bf16, fp8_e4m3 or fp8_e5m2: what convert takes.
constexpr bool convertible(DType type) {
  return type == DType::kFloat32 || type == DType::kFloat16 || type == DType::kBFloat16 || type == DType::kFloat8E4M3 ||
         type == DType::kFloat8E5M2;
}
// f32, f16 or bf16: what append_rope rotates.
constexpr bool rotatable(DType type) {
  return type == DType::kFloat32 || type == DType::kFloat16 || type == DType::kBFloat16;
}

// Everything that validate(key) asks of a key whose enumerations and unused bits are right.
Status check_domain(const Key& key);

}  // namespace tailor
