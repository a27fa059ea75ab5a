#include "runtime/bucket/key_domain.h"

#include <string_view>

#include <fmt/format.h>

#include "runtime/bucket/key_space.h"
#include "runtime/bucket/learned_residues.h"
#include "runtime/ops/schema.h"

namespace tailor {
namespace {

constexpr uint64_t kExtentLimit = (uint64_t{1} << 31) - 1;

constexpr std::string_view kFieldNames[] = {
#define X(name, text, bits, word, meaning) text,
    TAILOR_KEY_FIELDS(X)
#undef X
};

// The checks of one key. Each is true, or false with the first violation in `status`.
class DomainCheck {
 public:
  explicit DomainCheck(const Key& key) : key_(key), domain_(key_domain(key.op())) {}

  Status run() {
    static_cast<void>(everywhere() && types() && alignment() && operation() && extents() && strided());
    return std::move(status_);
  }

 private:
  uint64_t get(KeyField field) const { return key_.get(field); }
  DType type(KeyField field) const { return static_cast<DType>(get(field)); }

  bool refuse(KeyField field, std::string_view rule) {
    status_ = invalid_argument(
        fmt::format("key field {} is {}; {}", kFieldNames[static_cast<size_t>(field)], get(field), rule));
    return false;
  }
  bool within(KeyField field, uint64_t low, uint64_t high) {
    if (get(field) >= low && get(field) <= high) return true;
    if (low == high) return refuse(field, fmt::format("it must be {} in a key of {}", low, to_string(key_.op())));
    return refuse(field, fmt::format("it must be in [{}, {}]", low, high));
  }

  bool everywhere() {
    return within(KeyField::kSchemaVersion, kSchemaVersion, kSchemaVersion) && within(KeyField::kElementLog2, 0, 3) &&
           within(KeyField::kVariant, 0, domain_.variants - 1u) &&
           within(KeyField::kIndexLog2, 2, domain_.index ? 3 : 2) &&
           within(KeyField::kReports, 0, domain_.reports ? 1 : 0);
  }

  bool types() {
    switch (domain_.computes) {
      case Computes::kNothing:
        return within(KeyField::kSourceType, 0, 0) && within(KeyField::kTargetType, 0, 0);
      case Computes::kConvert:
        for (KeyField field : {KeyField::kSourceType, KeyField::kTargetType}) {
          if (!convertible(type(field))) return refuse(field, "it must be f32, f16, bf16, fp8_e4m3 or fp8_e5m2");
        }
        break;
      case Computes::kRotate:
        if (!rotatable(type(KeyField::kSourceType))) {
          return refuse(KeyField::kSourceType, "it must be f32, f16 or bf16");
        }
        if (type(KeyField::kTargetType) != DType::kFloat32 &&
            type(KeyField::kTargetType) != type(KeyField::kSourceType)) {
          return refuse(KeyField::kTargetType, "it must be f32 or source_type");
        }
        break;
    }
    if (1 << get(KeyField::kElementLog2) == element_bytes(type(KeyField::kSourceType))) return true;
    return refuse(KeyField::kElementLog2, "it must be that of source_type");
  }

  bool alignment() {
    return within(KeyField::kSourceAlignLog2, get(KeyField::kElementLog2), kMaxAlignLog2) &&
           within(KeyField::kTargetAlignLog2, target_element_log2(key_), kMaxAlignLog2);
  }

  bool operation() {
    if (!within(KeyField::kPageSize, domain_.pages ? 1 : 0, domain_.pages ? kExtentLimit : 0)) return false;
    if (!within(KeyField::kHeads, 1, domain_.pages ? kExtentLimit : 1)) return false;
    if (domain_.sides != Sides::kTransposed) return within(KeyField::kLengthMultipleLog2, 0, 0);
    if (!within(KeyField::kTargetContiguity, 0, 0)) return false;
    return within(KeyField::kLengthMultipleLog2, 0, kMaxAlignLog2 - get(KeyField::kElementLog2));
  }

  bool extents() {
    const uint64_t heads = get(KeyField::kHeads), head_dim = get(KeyField::kHeadDim);
    if (!within(KeyField::kHeadDim, domain_.strided ? 0 : 1, kExtentLimit)) return false;
    if (heads * head_dim > kExtentLimit) {
      return refuse(KeyField::kHeadDim, fmt::format("heads * head_dim ({} * {}) must be below 2^31", heads, head_dim));
    }
    if (domain_.computes != Computes::kRotate) return within(KeyField::kRotaryDim, 0, 0);
    const uint64_t rotary = get(KeyField::kRotaryDim);
    if (rotary >= 2 && rotary % 2 == 0 && rotary <= head_dim) return true;
    return refuse(KeyField::kRotaryDim, fmt::format("it must be even and in [2, head_dim ({})]", head_dim));
  }

  bool residue(KeyField field, int modulus, uint64_t step, uint64_t unknown) {
    const uint64_t value = get(field);
    if (value == unknown || (value < static_cast<uint64_t>(modulus) && value % step == 0)) return true;
    return refuse(field, fmt::format("it must be {}, or a multiple of {} below {}", unknown, step, modulus));
  }

  bool strided() {
    constexpr uint64_t kColumns = kUnknownColumnsResidue;
    if (!domain_.strided) {
      return within(KeyField::kColumnsResidue, kColumns, kColumns) && within(KeyField::kOuterRank, 0, 0);
    }
    const auto mode = static_cast<CopyMode>(get(KeyField::kVariant));
    const uint64_t row = static_cast<uint64_t>(RowContiguity::kRow), none = static_cast<uint64_t>(RowContiguity::kNone);
    for (KeyField side : {KeyField::kSourceContiguity, KeyField::kTargetContiguity}) {
      if (get(side) != row && (mode != CopyMode::kElements || get(side) != none)) {
        return refuse(side, "it must be row, or none in a copy of elements");
      }
    }
    if (mode == CopyMode::kTransposed) {
      return within(KeyField::kHeadDim, 1, 1) && within(KeyField::kOuterRank, 0, kMaxOuterRank - 1) &&
             residue(KeyField::kColumnsResidue, residue_modulus(ResidueKind::kMatrixColumns), 1, kColumns);
    }
    const uint64_t run = get(KeyField::kHeadDim), element = uint64_t{1} << get(KeyField::kElementLog2);
    if (mode == CopyMode::kElements && get(KeyField::kSourceContiguity) == row &&
        get(KeyField::kTargetContiguity) == row) {
      return refuse(KeyField::kTargetContiguity, "a copy of elements must have a side without contiguity");
    }
    if (mode == CopyMode::kElements && run == 1) return refuse(KeyField::kHeadDim, "a run of one element is a row");
    if (run * element > kExactRunBytes) {
      return refuse(KeyField::kHeadDim, fmt::format("a run of more than {} bytes is given as 0", kExactRunBytes));
    }
    if (!within(KeyField::kOuterRank, 0, kMaxOuterRank)) return false;
    if (run != 0) return within(KeyField::kColumnsResidue, kColumns, kColumns);
    return residue(KeyField::kColumnsResidue, residue_modulus(ResidueKind::kRunBytes), element, kColumns);
  }

  const Key key_;
  const KeyDomain domain_;
  Status status_;
};

}  // namespace

Status check_domain(const Key& key) { return DomainCheck(key).run(); }

}  // namespace tailor
