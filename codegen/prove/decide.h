// What is emitted, given what could be proved of the specialised kernel and of the generic one (guarded, 64-bit
// indices).
//
//   some claim refuted                            nothing: a counterexample is a bug of ours
//   all proved                                    the specialised kernel
//   the generic one is proved better              the generic kernel, counted
//   safety proved, rows or coverage unknown       the specialised kernel, counted
//   safety unknown of both                        the generic kernel, counted; the specialised one if there is no other
// Better: safety first (bounds, alignment, overflow), then rows and coverage. What is not proved still checks every
// device value before it uses it; it is counted because it is not known to be right.
//
// Thread-safety: pure function. Errors: none.
#pragma once

#include <string>

#include "codegen/prove/prove.h"

namespace tailor::codegen::prove {

struct Decision {
  enum class Emit : uint8_t { kSpecialised, kGeneric, kNothing } emit = Emit::kNothing;
  std::string unproved;  // the first claim about the specialised kernel that was not proved; empty: all were
};

// `generic`: null when there is none, or none that lowers.
Decision decide(const Proof& specialised, const Proof* generic);

// "coverage of packed (bytes of a row): two rows may have one place"
std::string describe(const Obligation& obligation);

}  // namespace tailor::codegen::prove
