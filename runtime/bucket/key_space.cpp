#include "runtime/bucket/key_space.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "runtime/bucket/key_domain.h"
#include "runtime/ops/schema.h"

namespace tailor {
namespace {

constexpr RowContiguity kContiguities[] = {RowContiguity::kRow, RowContiguity::kHead, RowContiguity::kNone};

RowContiguity normal_contiguity(RowContiguity contiguity, uint64_t heads, uint64_t head_dim) {
  if (contiguity == RowContiguity::kNone && head_dim == 1) contiguity = RowContiguity::kHead;
  if (contiguity == RowContiguity::kHead && heads == 1) contiguity = RowContiguity::kRow;
  return contiguity;
}

// 0, the run of a copy that is too long for the key, counts as long.
uint64_t run_elements(RowContiguity joint, uint64_t heads, uint64_t head_dim) {
  switch (joint) {
    case RowContiguity::kRow:
      return head_dim == 0 ? kExactRunBytes : heads * head_dim;
    case RowContiguity::kHead:
      return head_dim;
    case RowContiguity::kNone:
      break;
  }
  return 1;
}

uint64_t pruned(uint64_t align, uint64_t element, uint64_t run) {
  const uint64_t run_bytes = run << element;
  const uint64_t run_log2 = run_bytes == 0 ? 0 : static_cast<uint64_t>(std::bit_width(run_bytes) - 1);
  return std::max(element, std::min({align, run_log2, static_cast<uint64_t>(kMaxAlignLog2)}));
}

// The values of one field that enumerate_keys tries.
using Choices = std::vector<uint64_t>;

Choices residues(ResidueKind kind, uint64_t step, uint64_t unknown, const LearnedResidues* learned) {
  Choices choices;
  for (int r = 0; r < residue_modulus(kind); r += static_cast<int>(step)) {
    if (is_known_residue(kind, r, learned)) choices.push_back(static_cast<uint64_t>(r));
  }
  choices.push_back(unknown);
  return choices;
}

struct BucketField {
  KeyField field;
  Choices choices;
};

// In the order of significance of the listing.
std::vector<BucketField> bucket_fields(const Key& base, const LearnedResidues* learned) {
  const KeyDomain domain = key_domain(base.op());
  const uint64_t element = base.get(KeyField::kElementLog2);
  Choices contiguities, source_aligns, target_aligns;
  for (const RowContiguity c : kContiguities) contiguities.push_back(static_cast<uint64_t>(c));
  for (uint64_t a = element; a <= kMaxAlignLog2; ++a) source_aligns.push_back(a);
  for (uint64_t a = target_element_log2(base); a <= kMaxAlignLog2; ++a) target_aligns.push_back(a);
  std::vector<BucketField> fields = {{KeyField::kIndex64, {0, 1}},
                                     {KeyField::kSourceContiguity, contiguities},
                                     {KeyField::kTargetContiguity, contiguities},
                                     {KeyField::kSourceAlignLog2, source_aligns},
                                     {KeyField::kTargetAlignLog2, target_aligns}};
  if (domain.sides == Sides::kTransposed) {
    Choices multiples;
    for (uint64_t m = 0; m + element <= kMaxAlignLog2; ++m) multiples.push_back(m);
    fields.push_back({KeyField::kLengthMultipleLog2, multiples});
  }
  if (!domain.strided) return fields;
  if (base.get(KeyField::kVariant) == static_cast<uint64_t>(CopyMode::kTransposed)) {
    fields.push_back(
        {KeyField::kColumnsResidue, residues(ResidueKind::kMatrixColumns, 1, kUnknownColumnsResidue, learned)});
  } else if (base.get(KeyField::kHeadDim) == 0) {
    fields.push_back({KeyField::kColumnsResidue,
                      residues(ResidueKind::kRunBytes, uint64_t{1} << element, kUnknownColumnsResidue, learned)});
  }
  return fields;
}

void list_keys(Key key, std::span<const BucketField> fields, std::vector<Key>& keys) {
  if (fields.empty()) {
    if (canonical_form(key) == key && validate(key).ok()) keys.push_back(key);
    return;
  }
  for (const uint64_t choice : fields.front().choices) {
    key.set(fields.front().field, choice);
    list_keys(key, fields.subspan(1), keys);
  }
}

Expected<Key> base_key(const StaticConfiguration& c) {
  constexpr int64_t kLimit = (int64_t{1} << 31) - 1;
  const auto check = [&](const char* name, int64_t value, int64_t least) -> Status {
    if (value >= least && value <= kLimit) return {};
    return invalid_argument(fmt::format("{} is {}; it must be in [{}, {}]", name, value, least, kLimit));
  };
  const KeyDomain domain = key_domain(c.op);
  const bool computes = domain.computes != Computes::kNothing;
  const int element = computes ? element_bytes(c.source_type) : c.element_bytes;
  if (domain.pages) {
    TAILOR_RETURN_IF_ERROR(check("page_size", c.page_size, 1));
    TAILOR_RETURN_IF_ERROR(check("heads", c.heads, 1));
  }
  TAILOR_RETURN_IF_ERROR(check("head_dim", c.head_dim, domain.strided ? 0 : 1));
  if (element != 1 && element != 2 && element != 4 && element != 8) {
    return invalid_argument(fmt::format("element size is {} bytes; it must be 1, 2, 4 or 8", element));
  }
  if (domain.index && c.index_bytes != 4 && c.index_bytes != 8) {
    return invalid_argument(fmt::format("index size is {} bytes; it must be 4 or 8", c.index_bytes));
  }
  if (c.variant < 0 || c.variant >= domain.variants) {
    return invalid_argument(fmt::format("variant is {}; it must be in [0, {})", c.variant, domain.variants));
  }
  if (domain.strided) TAILOR_RETURN_IF_ERROR(check("outer_rank", c.outer_rank, 0));
  if (domain.computes == Computes::kRotate) TAILOR_RETURN_IF_ERROR(check("rotary_dim", c.rotary_dim, 2));
  const auto log2 = [](int bytes) { return static_cast<uint64_t>(std::countr_zero(static_cast<unsigned>(bytes))); };

  Key key;
  key.set(KeyField::kOp, static_cast<uint64_t>(c.op));
  key.set(KeyField::kSchemaVersion, kSchemaVersion);
  key.set(KeyField::kArch, static_cast<uint64_t>(c.arch));
  key.set(KeyField::kEmitter, static_cast<uint64_t>(c.emitter));
  key.set(KeyField::kLowering, static_cast<uint64_t>(c.lowering));
  key.set(KeyField::kElementLog2, log2(element));
  key.set(KeyField::kSourceType, computes ? static_cast<uint64_t>(c.source_type) : 0);
  key.set(KeyField::kTargetType, computes ? static_cast<uint64_t>(c.target_type) : 0);
  key.set(KeyField::kIndexLog2, domain.index ? log2(c.index_bytes) : 2);
  key.set(KeyField::kVariant, static_cast<uint64_t>(c.variant));
  key.set(KeyField::kPageSize, domain.pages ? static_cast<uint64_t>(c.page_size) : 0);
  key.set(KeyField::kHeads, domain.pages ? static_cast<uint64_t>(c.heads) : 1);
  key.set(KeyField::kHeadDim, static_cast<uint64_t>(c.head_dim));
  key.set(KeyField::kRotaryDim, domain.computes == Computes::kRotate ? static_cast<uint64_t>(c.rotary_dim) : 0);
  key.set(KeyField::kColumnsResidue, kUnknownColumnsResidue);
  key.set(KeyField::kOuterRank, domain.strided ? static_cast<uint64_t>(std::min(c.outer_rank, 15)) : 0);
  key.set(KeyField::kReports, domain.reports && c.reports);
  // A set of facts that every configuration in its domain admits: what is refused is the configuration.
  key.set(KeyField::kSourceAlignLog2, kMaxAlignLog2);
  key.set(KeyField::kTargetAlignLog2, kMaxAlignLog2);
  if (domain.strided && key.get(KeyField::kVariant) == static_cast<uint64_t>(CopyMode::kElements)) {
    key.set(KeyField::kSourceContiguity, static_cast<uint64_t>(RowContiguity::kNone));
  }
  TAILOR_RETURN_IF_ERROR(validate(key));
  return key;
}

}  // namespace

Key canonical_form(Key key) {
  const KeyDomain domain = key_domain(key.op());
  const uint64_t heads = key.get(KeyField::kHeads), head_dim = key.get(KeyField::kHeadDim);
  const auto side = [&](KeyField field) {
    return normal_contiguity(static_cast<RowContiguity>(key.get(field)), heads, head_dim);
  };
  const RowContiguity source = side(KeyField::kSourceContiguity), target = side(KeyField::kTargetContiguity);
  const uint64_t element = key.get(KeyField::kElementLog2);
  uint64_t source_align = key.get(KeyField::kSourceAlignLog2), target_align = key.get(KeyField::kTargetAlignLog2);
  const bool matrix = domain.strided && key.get(KeyField::kVariant) == static_cast<uint64_t>(CopyMode::kTransposed);
  if (domain.sides == Sides::kTransposed) {
    source_align = pruned(source_align, element, run_elements(source, heads, head_dim));
    target_align = std::max(
        element, std::min({target_align, key.get(KeyField::kLengthMultipleLog2) + element, uint64_t{kMaxAlignLog2}}));
    key.set(KeyField::kLengthMultipleLog2, target_align - element);
  } else if (domain.sides == Sides::kApart) {
    const uint64_t run = run_elements(std::max(source, target), heads, head_dim);
    source_align = pruned(source_align, element, run);
    target_align = pruned(target_align, target_element_log2(key), run);
  } else if (matrix) {
    target_align = element;
  } else {
    const uint64_t run = run_elements(std::max(source, target), heads, head_dim);
    source_align = target_align = pruned(std::min(source_align, target_align), element, run);
  }
  key.set(KeyField::kSourceContiguity, static_cast<uint64_t>(source));
  key.set(KeyField::kTargetContiguity, static_cast<uint64_t>(target));
  key.set(KeyField::kSourceAlignLog2, source_align);
  key.set(KeyField::kTargetAlignLog2, target_align);
  return key;
}

Expected<std::vector<Key>> enumerate_keys(const StaticConfiguration& configuration, const LearnedResidues* learned) {
  TAILOR_ASSIGN_OR_RETURN(const Key base, base_key(configuration));
  std::vector<Key> keys;
  list_keys(base, bucket_fields(base, learned), keys);
  return keys;
}

}  // namespace tailor
