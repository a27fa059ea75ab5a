// Proofs about a lowered program, before anything is compiled, for every launch that the key admits and whatever stands
// in device memory: what a load returns is taken for any value of its type.
//
// Example (`tailor emit paged_gather --what=proof`):
//
//   bounds     proved  block_table  access 11  entry [s, column]   0 <= offset and offset + 4 <= bytes of block_table
//                      3 facts: …
//   coverage   proved  packed       every byte of a row is written once: 4 waves of 8 lanes …
//
// Claims
//   bounds      [address, address + width) lies inside the operand that the access names
//   alignment   address is a multiple of the access's width (and of the alignment it states)
//   overflow    no 32-bit byte offset wraps
//   rows        each row is taken by exactly one block, group and iteration (grid stride and mixed radix, by lemma)
//   coverage    each byte of a row that is taken and passes its checks is written by exactly one access of one lane
// The first three are safety: they hold under the facts of the key and the host's invariants (codegen/prove/host.h)
// alone. Distinct rows have distinct places in the target because the indices tell the row, and there are as many
// places as rows, or by the caller's declared promise when an index was loaded; the obligation says which. A row that
// fails a check of device data is not written; a check of host values alone must be shown to hold.
//
// Verdicts: proved; refuted, with a launch and a thread that break the claim; unknown, when neither was found.
//
// Ownership: values. Thread-safety: pure functions. Errors: kInvalidArgument when plan and program do not fit together.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/prove/host.h"
#include "tailor/status.h"

namespace tailor::codegen::prove {

// name, text, safety
#define TAILOR_PROVE_CLAIMS(X)     \
  X(kBounds, "bounds", true)       \
  X(kAlignment, "alignment", true) \
  X(kOverflow, "overflow", true)   \
  X(kRows, "rows", false)          \
  X(kCoverage, "coverage", false)

enum class Claim : uint8_t {
#define X(name, text, safety) name,
  TAILOR_PROVE_CLAIMS(X)
#undef X
};
std::string_view to_string(Claim claim);
bool is_safety(Claim claim);

// name, text
#define TAILOR_PROVE_VERDICTS(X) X(kProved, "proved") X(kRefuted, "refuted") X(kUnknown, "unknown")

enum class Verdict : uint8_t {
#define X(name, text) name,
  TAILOR_PROVE_VERDICTS(X)
#undef X
};
std::string_view to_string(Verdict verdict);

struct Obligation {
  Claim claim = Claim::kBounds;
  uint16_t access = 0;  // 0: about an operand as a whole
  std::string operand;
  std::string what;
  std::string statement, method;  // filled in when explained, or not proved
  Verdict verdict = Verdict::kUnknown;
  std::string counterexample;  // refuted
};

struct Proof {
  std::vector<Obligation> obligations;

  size_t count(Verdict verdict) const;
  // The worst verdict: refuted, then unknown.
  Verdict verdict() const;
  Verdict safety() const;
  const Obligation* first(Verdict verdict) const;  // null if there is none
};

struct Options {
  bool explain = false;         // statements and methods of what is proved, too
  bool counterexamples = true;  // look for one of what is not proved
};

Expected<Proof> prove(const Subject& subject, const Options& options = {});

// A JSON array with an object per obligation, all fields in it.
std::string to_json(const Proof& proof);

}  // namespace tailor::codegen::prove
