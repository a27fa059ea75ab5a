#include "codegen/ops/paged_append.h"

#include "codegen/ops/append_tokens.h"

namespace tailor::codegen::ops {

Expected<tile::Program> paged_append(const Key& key) {
  TAILOR_RETURN_IF_ERROR(validate(key));
  AppendTokens append(key);
  return append.finish([&](const AppendTokens::Token& t) {
    append.builder().copy(append.k_pages(), {t.page, t.slot}, append.k(), {t.row});
    append.builder().copy(append.v_pages(), {t.page, t.slot}, append.v(), {t.row});
  });
}

}  // namespace tailor::codegen::ops
