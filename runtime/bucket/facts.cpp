#include "runtime/bucket/facts.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include "runtime/bucket/modular.h"

namespace tailor {
namespace {

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

bool well_formed(const Fact& f) {
  switch (f.kind) {
    case FactKind::kExact:
    case FactKind::kRange:
      return true;
    case FactKind::kDivisible:
      return f.a > 0;
    case FactKind::kResidue:
      return f.a > 0 && f.b >= 0 && f.b < f.a;
  }
  return false;
}

bool satisfies(const Fact& f, int64_t value) {
  switch (f.kind) {
    case FactKind::kExact:
      return value == f.a;
    case FactKind::kDivisible:
      return value % f.a == 0;
    case FactKind::kResidue:
      return floor_mod(value, f.a) == f.b;
    case FactKind::kRange:
      return f.a <= value && value <= f.b;
  }
  return false;
}

// {x : x ≡ remainder (mod modulus), lo <= x <= hi}: what a conjunction of facts says about one symbol.
struct Knowledge {
  int64_t modulus = 1, remainder = 0;
  int64_t lo = kMin, hi = kMax;
};

// Chinese remainders: x ≡ r (mod m) joins what is known. A combined modulus beyond int64 is left out, which only
// forgets; of two incompatible moduli the larger is kept then. False if no x is left.
bool join_residue(Knowledge& known, int64_t m, int64_t r) {
  const int64_t g = std::gcd(known.modulus, m);
  const Wide gap = static_cast<Wide>(r) - known.remainder;
  if (gap % g != 0) return false;
  const Wide lcm = static_cast<Wide>(known.modulus / g) * m;
  if (lcm > kMax) {
    if (m > known.modulus) known.modulus = m, known.remainder = r;
    return true;
  }
  const int64_t step = m / g;
  const int64_t k = floor_mod(static_cast<Wide>(floor_mod(gap / g, step)) * inverse_mod(known.modulus / g, step), step);
  known.remainder = floor_mod(static_cast<Wide>(known.modulus) * k + known.remainder, static_cast<int64_t>(lcm));
  known.modulus = static_cast<int64_t>(lcm);
  return true;
}

// The conjunction of the facts about `symbol`; empty if they contradict each other or one is malformed.
std::optional<Knowledge> conjunction(std::span<const Fact> facts, uint16_t symbol) {
  Knowledge known;
  for (const Fact& f : facts) {
    if (f.symbol != symbol) continue;
    if (!well_formed(f)) return std::nullopt;
    switch (f.kind) {
      case FactKind::kExact:
        known.lo = std::max(known.lo, f.a);
        known.hi = std::min(known.hi, f.a);
        break;
      case FactKind::kRange:
        known.lo = std::max(known.lo, f.a);
        known.hi = std::min(known.hi, f.b);
        break;
      case FactKind::kDivisible:
        if (!join_residue(known, f.a, 0)) return std::nullopt;
        break;
      case FactKind::kResidue:
        if (!join_residue(known, f.a, f.b)) return std::nullopt;
        break;
    }
  }
  // Pull the bounds onto the residue class.
  const Wide lo = static_cast<Wide>(known.lo) + floor_mod(static_cast<Wide>(known.remainder) - known.lo, known.modulus);
  const Wide hi = static_cast<Wide>(known.hi) - floor_mod(static_cast<Wide>(known.hi) - known.remainder, known.modulus);
  if (lo > hi || lo > kMax || hi < kMin) return std::nullopt;
  known.lo = static_cast<int64_t>(lo);
  known.hi = static_cast<int64_t>(hi);
  return known;
}

}  // namespace

bool implies(std::span<const Fact> known, const Fact& wanted) {
  if (!well_formed(wanted)) return false;
  const std::optional<Knowledge> k = conjunction(known, wanted.symbol);
  if (!k) return false;
  if (k->lo == k->hi) return satisfies(wanted, k->lo);
  switch (wanted.kind) {
    case FactKind::kExact:
      return false;
    case FactKind::kDivisible:
      return k->modulus % wanted.a == 0 && k->remainder % wanted.a == 0;
    case FactKind::kResidue:
      return k->modulus % wanted.a == 0 && k->remainder % wanted.a == wanted.b;
    case FactKind::kRange:
      return wanted.a <= k->lo && k->hi <= wanted.b;
  }
  return false;
}

bool holds(const Fact& fact, std::span<const int64_t> values) {
  return fact.symbol < values.size() && well_formed(fact) && satisfies(fact, values[fact.symbol]);
}

std::string to_string(const Fact& fact, std::string_view name) {
  switch (fact.kind) {
    case FactKind::kExact:
      return fmt::format("{} == {}", name, fact.a);
    case FactKind::kDivisible:
      return fmt::format("{} % {} == 0", name, fact.a);
    case FactKind::kResidue:
      return fmt::format("{} % {} == {}", name, fact.a, fact.b);
    case FactKind::kRange:
      return fmt::format("{} <= {} <= {}", fact.a, name, fact.b);
  }
  return fmt::format("{}: unknown fact", name);
}

}  // namespace tailor
