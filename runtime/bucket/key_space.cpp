#include "runtime/bucket/key_space.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "runtime/ops/schema.h"

namespace tailor {
namespace {

constexpr RowContiguity kContiguities[] = {RowContiguity::kRow, RowContiguity::kHead, RowContiguity::kNone};

RowContiguity normal_contiguity(RowContiguity contiguity, uint64_t heads, uint64_t head_dim) {
  if (contiguity == RowContiguity::kNone && head_dim == 1) contiguity = RowContiguity::kHead;
  if (contiguity == RowContiguity::kHead && heads == 1) contiguity = RowContiguity::kRow;
  return contiguity;
}

uint64_t run_elements(RowContiguity joint, uint64_t heads, uint64_t head_dim) {
  switch (joint) {
    case RowContiguity::kRow:
      return heads * head_dim;
    case RowContiguity::kHead:
      return head_dim;
    case RowContiguity::kNone:
      break;
  }
  return 1;
}

}  // namespace

Key canonical_form(Key key) {
  const uint64_t heads = key.get(KeyField::kHeads), head_dim = key.get(KeyField::kHeadDim);
  const auto side = [&](KeyField field) {
    return normal_contiguity(static_cast<RowContiguity>(key.get(field)), heads, head_dim);
  };
  const RowContiguity source = side(KeyField::kSourceContiguity), target = side(KeyField::kTargetContiguity);
  const uint64_t element = key.get(KeyField::kElementLog2);
  const uint64_t run_bytes = run_elements(std::max(source, target), heads, head_dim) << element;
  const uint64_t run_log2 = run_bytes == 0 ? 0 : std::bit_width(run_bytes) - 1;
  const uint64_t align =
      std::max(element, std::min({key.get(KeyField::kSourceAlignLog2), key.get(KeyField::kTargetAlignLog2), run_log2,
                                  static_cast<uint64_t>(kMaxAlignLog2)}));
  key.set(KeyField::kSourceContiguity, static_cast<uint64_t>(source));
  key.set(KeyField::kTargetContiguity, static_cast<uint64_t>(target));
  key.set(KeyField::kSourceAlignLog2, align);
  key.set(KeyField::kTargetAlignLog2, align);
  return key;
}

Expected<std::vector<Key>> enumerate_keys(const StaticConfiguration& c) {
  constexpr int64_t kLimit = (int64_t{1} << 31) - 1;
  const auto check = [&](const char* name, int64_t value) -> Status {
    if (value >= 1 && value <= kLimit) return {};
    return invalid_argument(fmt::format("{} is {}; it must be in [1, {}]", name, value, kLimit));
  };
  TAILOR_RETURN_IF_ERROR(check("page_size", c.page_size));
  TAILOR_RETURN_IF_ERROR(check("heads", c.heads));
  TAILOR_RETURN_IF_ERROR(check("head_dim", c.head_dim));
  if (c.element_bytes != 1 && c.element_bytes != 2 && c.element_bytes != 4 && c.element_bytes != 8) {
    return invalid_argument(fmt::format("element size is {} bytes; it must be 1, 2, 4 or 8", c.element_bytes));
  }
  const int element_log2 = std::countr_zero(static_cast<unsigned>(c.element_bytes));

  Key base;
  base.set(KeyField::kOp, static_cast<uint64_t>(c.op));
  base.set(KeyField::kSchemaVersion, kSchemaVersion);
  base.set(KeyField::kArch, static_cast<uint64_t>(c.arch));
  base.set(KeyField::kEmitter, static_cast<uint64_t>(c.emitter));
  base.set(KeyField::kLowering, static_cast<uint64_t>(c.lowering));
  base.set(KeyField::kElementLog2, static_cast<uint64_t>(element_log2));
  base.set(KeyField::kPageSize, static_cast<uint64_t>(c.page_size));
  base.set(KeyField::kHeads, static_cast<uint64_t>(c.heads));
  base.set(KeyField::kHeadDim, static_cast<uint64_t>(c.head_dim));

  std::vector<Key> keys;
  for (const uint64_t index64 : {0, 1}) {
    for (const RowContiguity source : kContiguities) {
      for (const RowContiguity target : kContiguities) {
        for (int align = element_log2; align <= kMaxAlignLog2; ++align) {
          Key key = base;
          key.set(KeyField::kIndex64, index64);
          key.set(KeyField::kSourceContiguity, static_cast<uint64_t>(source));
          key.set(KeyField::kTargetContiguity, static_cast<uint64_t>(target));
          key.set(KeyField::kSourceAlignLog2, static_cast<uint64_t>(align));
          key.set(KeyField::kTargetAlignLog2, static_cast<uint64_t>(align));
          if (canonical_form(key) == key) keys.push_back(key);
        }
      }
    }
  }
  if (!keys.empty()) TAILOR_RETURN_IF_ERROR(validate(keys.front()));
  return keys;
}

}  // namespace tailor
