#include "tests/codegen/prove/subjects.h"

#include "codegen/ops/operations.h"
#include "runtime/ops/schema.h"

namespace tailor::codegen::prove::testing {

Subject LoweredKey::subject(const kernel::Program& program) const {
  return {program,
          lowered.plan,
          tile.views(),
          tile.status(),
          facts,
          symbols_of(key.op()),
          key.get(KeyField::kIndex64) != 0,
          products_of(key.op())};
}

Expected<LoweredKey> lower_key(const Key& key) {
  LoweredKey result;
  result.key = key;
  result.facts = facts_of(key);
  TAILOR_ASSIGN_OR_RETURN(result.tile, ops::build_tile(key));
  TAILOR_ASSIGN_OR_RETURN(result.lowered, movement::lower(result.tile, key));
  return result;
}

}  // namespace tailor::codegen::prove::testing
