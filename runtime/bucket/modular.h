// Remainders and inverses over Z/m, for fact logic and overlap tests. Pure functions on values; m > 0 throughout.
#pragma once

#include <cstdint>
#include <utility>

namespace tailor {

__extension__ using Wide = __int128;

// x mod m in [0, m).
constexpr int64_t floor_mod(Wide x, int64_t m) {
  const Wide r = x % m;
  return static_cast<int64_t>(r < 0 ? r + m : r);
}

// floor(a / b) and ceil(a / b), b > 0.
constexpr Wide floor_div(Wide a, Wide b) { return a / b - (a % b < 0); }
constexpr Wide ceil_div(Wide a, Wide b) { return a / b + (a % b > 0); }

// y with a * y ≡ 1 (mod m), for gcd(a, m) == 1; 0 for m == 1. Extended Euclid: r_i = a * t_i (mod m) for every i.
constexpr int64_t inverse_mod(int64_t a, int64_t m) {
  Wide r0 = m, r1 = floor_mod(a, m), t0 = 0, t1 = 1;
  while (r1 != 0) {
    const Wide q = r0 / r1;
    r0 = std::exchange(r1, r0 - q * r1);
    t0 = std::exchange(t1, t0 - q * t1);
  }
  return floor_mod(t0, m);
}

}  // namespace tailor
