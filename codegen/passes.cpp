#include "codegen/passes.h"

#include <fmt/format.h>

#include "codegen/ops/operations.h"
#include "codegen/prove/decide.h"
#include "codegen/stopwatch.h"
#include "runtime/ops/schema.h"

namespace tailor::codegen {
namespace {

Expected<prove::Proof> prove_lowered(const Key& key, const tile::Program& tile, const movement::Lowered& lowered,
                                     bool explain) {
  const FactSet facts = facts_of(key);
  const prove::Subject subject{lowered.program, lowered.plan,           tile.views(),
                               tile.status(),   facts,                  symbols_of(key.op()),
                               key.get(KeyField::kIndex64) != 0,
                               products_of(key.op())};
  return prove::prove(subject, {explain, true});
}

// The key's kernel, guarded and with 64-bit indices.
Expected<Passes> generic_passes(Key key, bool explain) {
  key.set(KeyField::kLowering, static_cast<uint64_t>(Lowering::kGuarded));
  key.set(KeyField::kIndex64, 1);
  Passes p;
  p.generic = true;
  TAILOR_ASSIGN_OR_RETURN(p.tile, ops::build_tile(key));
  TAILOR_ASSIGN_OR_RETURN(p.lowered, movement::lower(p.tile, key));
  TAILOR_RETURN_IF_ERROR(kernel::verify(p.lowered.program));
  TAILOR_ASSIGN_OR_RETURN(p.proof, prove_lowered(key, p.tile, p.lowered, explain));
  return p;
}

}  // namespace

Expected<Passes> run_passes(const Key& key, bool explain) {
  Stopwatch watch;
  Passes p;
  TAILOR_RETURN_IF_ERROR(validate(key));
  TAILOR_ASSIGN_OR_RETURN(p.tile, ops::build_tile(key));
  TAILOR_RETURN_IF_ERROR(tile::verify(p.tile));
  p.phases.emplace_back("derive", watch.lap());
  TAILOR_ASSIGN_OR_RETURN(p.lowered, movement::lower(p.tile, key));
  TAILOR_RETURN_IF_ERROR(kernel::verify(p.lowered.program));
  p.phases.emplace_back("lower", watch.lap());
  TAILOR_ASSIGN_OR_RETURN(p.proof, prove_lowered(key, p.tile, p.lowered, explain));
  if (p.proof.verdict() != prove::Verdict::kProved) {
    Expected<Passes> generic = generic_passes(key, explain);
    const prove::Decision decision = prove::decide(p.proof, generic.ok() ? &generic->proof : nullptr);
    p.unproved = decision.unproved;
    if (decision.emit == prove::Decision::Emit::kGeneric) {
      generic->phases = std::move(p.phases);
      generic->unproved = std::move(p.unproved);
      p = std::move(generic).value();
    } else if (decision.emit == prove::Decision::Emit::kNothing) {
      p.refusal = internal_error(fmt::format("{} is not emitted, {}", p.lowered.program.entry, p.unproved));
    }
  }
  p.phases.emplace_back("prove", watch.lap());
  return p;
}

}  // namespace tailor::codegen
