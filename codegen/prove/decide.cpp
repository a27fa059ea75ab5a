#include "codegen/prove/decide.h"

#include <fmt/format.h>

namespace tailor::codegen::prove {
namespace {

int rank(const Proof& proof) {
  if (proof.verdict() == Verdict::kRefuted) return 0;
  if (proof.verdict() == Verdict::kProved) return 3;
  return proof.safety() == Verdict::kProved ? 2 : 1;
}

}  // namespace

std::string describe(const Obligation& o) {
  const std::string& why = o.counterexample.empty() ? o.method : o.counterexample;
  return fmt::format("{} of {}{} ({}): {}", to_string(o.claim), o.operand,
                     o.access == 0 ? std::string() : fmt::format(", access {}", o.access), o.what, why);
}

Decision decide(const Proof& specialised, const Proof* generic) {
  Decision decision;
  const Obligation* worst = specialised.first(Verdict::kRefuted);
  if (!worst) worst = specialised.first(Verdict::kUnknown);
  if (worst) decision.unproved = describe(*worst);
  const int own = rank(specialised);
  if (own == 0) return decision;
  const int other = generic ? rank(*generic) : 0;
  const bool generic_first = other > own || (own == 1 && other == 1);
  decision.emit = generic_first ? Decision::Emit::kGeneric : Decision::Emit::kSpecialised;
  return decision;
}

}  // namespace tailor::codegen::prove
