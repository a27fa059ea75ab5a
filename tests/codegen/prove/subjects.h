// Lowered programs of keys, ready to be proved.
#pragma once

#include "codegen/movement/lower.h"
#include "codegen/prove/prove.h"
#include "codegen/tile/tile.h"
#include "runtime/bucket/key.h"

namespace tailor::codegen::prove::testing {

struct LoweredKey {
  Key key;
  tile::Program tile;
  movement::Lowered lowered;
  FactSet facts;

  // Of this program, or of another with the same parameters in its place.
  Subject subject() const { return subject(lowered.program); }
  Subject subject(const kernel::Program& program) const;
};

Expected<LoweredKey> lower_key(const Key& key);

}  // namespace tailor::codegen::prove::testing
