// From a key to a lowered program that may be emitted: tile program, lowering, verifiers, proofs, and the generic kernel
// where the specialised one could not be proved.
//
// Thread-safety: pure functions. Errors: kInvalidArgument for a key outside its domain; those of the passes.
#pragma once

#include <string>

#include "codegen/movement/lower.h"
#include "codegen/prove/prove.h"
#include "codegen/tile/tile.h"
#include "runtime/bucket/key.h"
#include "runtime/ops/kernel_image.h"
#include "tailor/status.h"

namespace tailor::codegen {

struct Passes {
  tile::Program tile;
  movement::Lowered lowered;
  prove::Proof proof;    // of `lowered`
  bool generic = false;  // `lowered` is guarded and has 64-bit indices, whatever the key says
  std::string unproved;  // what could not be proved of the key's own kernel; empty: nothing
  Status refusal;        // not ok: a claim was refuted, or safety could not be shown; nothing may be emitted
  PhaseTimes phases;     // derive, lower, prove
};

// `explain`: statements and methods of what is proved, too.
Expected<Passes> run_passes(const Key& key, bool explain = false);

}  // namespace tailor::codegen
