// Facts: what a bucket knows about a host value, as one small conjunction per symbol.
//
//   T % 128 == 17        residue          page_stride_bytes % 16 == 0   divisible
//   head_dim == 128      exact            0 <= rows <= 4095             range
//
// A key implies a FactSet (see runtime/bucket/key.h); a kernel image lists the facts it was generated under as its
// premises; `implies` is the gcd-and-range logic that shows premises to follow from a key. It is conservative: false
// means "not shown". Symbols are indices into the operation's schema (runtime/ops/schema.h). Thread-safety: values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tailor/status.h"

namespace tailor {

// name, text
#define TAILOR_FACT_KINDS(X) \
  X(kExact, "exact")         \
  X(kDivisible, "divisible") \
  X(kResidue, "residue")     \
  X(kRange, "range")

enum class FactKind : uint8_t {
#define X(name, text) name,
  TAILOR_FACT_KINDS(X)
#undef X
};

struct Fact {
  uint16_t symbol = 0;
  FactKind kind = FactKind::kExact;
  int64_t a = 0;  // exact: value; divisible: divisor (> 0); residue: modulus (> 0); range: lower bound
  int64_t b = 0;  // residue: remainder in [0, modulus); range: upper bound (inclusive); otherwise 0
  friend bool operator==(const Fact&, const Fact&) = default;

  static Fact exact(uint16_t s, int64_t v) { return {s, FactKind::kExact, v, 0}; }
  static Fact divisible(uint16_t s, int64_t d) { return {s, FactKind::kDivisible, d, 0}; }
  static Fact residue(uint16_t s, int64_t m, int64_t r) { return {s, FactKind::kResidue, m, r}; }
  static Fact range(uint16_t s, int64_t lo, int64_t hi) { return {s, FactKind::kRange, lo, hi}; }
};

using FactSet = std::vector<Fact>;

// True if every integer that satisfies all of `known` about `wanted.symbol` satisfies `wanted`. Conservative.
bool implies(std::span<const Fact> known, const Fact& wanted);

// True if the value of the fact's symbol satisfies it. `values` is indexed by symbol.
bool holds(const Fact& fact, std::span<const int64_t> values);

// "page_stride_bytes % 16 == 0", given the symbol's name.
std::string to_string(const Fact& fact, std::string_view symbol_name);

}  // namespace tailor
