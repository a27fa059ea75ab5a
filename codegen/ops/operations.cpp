#include "codegen/ops/operations.h"

#include "codegen/ops/append_rope.h"
#include "codegen/ops/concat.h"
#include "codegen/ops/convert.h"
#include "codegen/ops/copy.h"
#include "codegen/ops/gather_rows.h"
#include "codegen/ops/pack.h"
#include "codegen/ops/paged_append.h"
#include "codegen/ops/paged_gather.h"
#include "codegen/ops/ragged_transpose.h"
#include "codegen/ops/scatter_rows.h"
#include "codegen/ops/split.h"
#include "codegen/ops/unpack.h"

namespace tailor::codegen::ops {

Expected<tile::Program> build_tile(const Key& key) {
  TAILOR_RETURN_IF_ERROR(validate(key));
  switch (key.op()) {
    case OpId::kPagedGather:
      return paged_gather(key);
    case OpId::kPagedAppend:
      return paged_append(key);
    case OpId::kPack:
      return pack(key);
    case OpId::kUnpack:
      return unpack(key);
    case OpId::kGatherRows:
      return gather_rows(key);
    case OpId::kScatterRows:
      return scatter_rows(key);
    case OpId::kConcat:
      return concat(key);
    case OpId::kSplit:
      return split(key);
    case OpId::kConvert:
      return convert(key);
    case OpId::kCopy:
      return copy(key);
    case OpId::kAppendRope:
      return append_rope(key);
    case OpId::kRaggedTranspose:
      return ragged_transpose(key);
    default:
      break;
  }
  return invalid_argument("the key names an operation without a tile program");
}

}  // namespace tailor::codegen::ops
