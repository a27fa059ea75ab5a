#include "codegen/ops/operations.h"

#include "codegen/ops/paged_append.h"
#include "codegen/ops/paged_gather.h"

namespace tailor::codegen::ops {

Expected<tile::Program> build_tile(const Key& key) {
  TAILOR_RETURN_IF_ERROR(validate(key));
  switch (key.op()) {
    case OpId::kPagedGather:
      return paged_gather(key);
    case OpId::kPagedAppend:
      return paged_append(key);
  }
  return invalid_argument("the key names an operation without a tile program");
}

}  // namespace tailor::codegen::ops
