// Building blocks of the lane handlers: reading slots, running a scalar function over 32 lanes, the table row.
//
// Included only by the lanes_*.cpp files, which are compiled once per instruction set; TAILOR_LANES names the namespace
// of that compilation. Everything here has internal linkage, so that no compilation's code leaks into another.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "runtime/virtual_device/context.h"

// Lanes do not depend on each other, also where the destination is a source.
#ifdef __clang__
#define TAILOR_LANE_LOOP
#else
#define TAILOR_LANE_LOOP _Pragma("GCC ivdep")
#endif

namespace tailor::virtual_device::TAILOR_LANES {
namespace {

// The array type that holds T in a slot.
template <class T>
using Stored = std::conditional_t<sizeof(T) <= 4, uint32_t, uint64_t>;

template <class T>
inline T* slot(const ExecContext& x, uint32_t at) {
  return reinterpret_cast<T*>(x.bank[at >> 31] + (at & ~kConstantBank));
}

template <class T>
inline T unpack(Stored<T> bits) {
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<float>(bits);
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<double>(bits);
  } else {
    return static_cast<T>(bits);
  }
}

template <class T>
inline Stored<T> pack(T value) {
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<uint32_t>(value);
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<uint64_t>(value);
  } else {
    return static_cast<Stored<T>>(std::make_unsigned_t<T>(value));
  }
}

// d[l] = f(l) for the lanes of the mask. The destination may be one of the sources: each lane reads before it writes.
template <class D, class F>
inline void for_lanes(Stored<D>* d, uint32_t mask, F f) {
  if (mask == ~0u) {
    TAILOR_LANE_LOOP
    for (uint32_t l = 0; l < kLanes; ++l) d[l] = pack<D>(f(l));
  } else {
    TAILOR_LANE_LOOP
    for (uint32_t l = 0; l < kLanes; ++l) {
      const Stored<D> r = pack<D>(f(l));
      d[l] = (mask >> l) & 1 ? r : d[l];
    }
  }
}

// F: struct with static D f(A), f(A, B), f(A, B, C).
template <class F, class D, class A>
void unary(ExecContext& x, const Op& op, uint32_t mask) {
  const auto* a = slot<Stored<A>>(x, op.a);
  for_lanes<D>(slot<Stored<D>>(x, op.d), mask, [=](uint32_t l) { return F::f(unpack<A>(a[l])); });
}

template <class F, class D, class A, class B = A>
void binary(ExecContext& x, const Op& op, uint32_t mask) {
  const auto* a = slot<Stored<A>>(x, op.a);
  const auto* b = slot<Stored<B>>(x, op.b);
  for_lanes<D>(slot<Stored<D>>(x, op.d), mask, [=](uint32_t l) { return F::f(unpack<A>(a[l]), unpack<B>(b[l])); });
}

template <class F, class D, class A, class B = A, class C = A>
void ternary(ExecContext& x, const Op& op, uint32_t mask) {
  const auto* a = slot<Stored<A>>(x, op.a);
  const auto* b = slot<Stored<B>>(x, op.b);
  const auto* c = slot<Stored<C>>(x, op.c);
  for_lanes<D>(slot<Stored<D>>(x, op.d), mask,
               [=](uint32_t l) { return F::f(unpack<A>(a[l]), unpack<B>(b[l]), unpack<C>(c[l])); });
}

// The 32-bit lane mask of a per-lane condition.
template <class F>
inline uint32_t lane_mask(F f) {
  uint32_t mask = 0;
  for (uint32_t l = 0; l < kLanes; ++l) mask |= static_cast<uint32_t>(f(l)) << l;
  return mask;
}

inline void set_predicate(ExecContext& x, uint32_t at, uint32_t mask, uint32_t value) {
  if (at == kNoSlot) return;
  uint32_t* p = slot<uint32_t>(x, at);
  *p = (*p & ~mask) | (value & mask);
}

// Comparison. imm: bits 0-1 combine with predicate c (0 none, 1 and, 2 or, 3 xor), bit 2 inverts c. aux[0]: slot of q.
inline uint32_t combine(const ExecContext& x, const Op& op, uint32_t result) {
  if ((op.imm & 3) == 0) return result;
  const uint32_t c = *slot<uint32_t>(x, op.c) ^ (op.imm & 4 ? ~0u : 0u);
  return (op.imm & 3) == 1 ? result & c : (op.imm & 3) == 2 ? result | c : result ^ c;
}
inline void write_setp(ExecContext& x, const Op& op, uint32_t mask, uint32_t result) {
  const uint32_t q = x.function->aux[op.aux];
  // q = !result combined with c: computed before p is written, which may be c itself.
  const uint32_t q_value = combine(x, op, ~result);
  set_predicate(x, op.d, mask, combine(x, op, result));
  set_predicate(x, q, mask, q_value);
}
// set: all ones (integer destination) or 1.0f (imm bit 8) where true.
inline void write_set(ExecContext& x, const Op& op, uint32_t mask, uint32_t result) {
  const uint32_t r = combine(x, op, result);
  const uint32_t yes = op.imm & 256 ? 0x3F800000u : ~0u;
  for_lanes<uint32_t>(slot<uint32_t>(x, op.d), mask, [=](uint32_t l) { return (r >> l) & 1 ? yes : 0u; });
}
template <class F, class T>
inline uint32_t compare(const ExecContext& x, const Op& op) {
  const auto* a = slot<Stored<T>>(x, op.a);
  const auto* b = slot<Stored<T>>(x, op.b);
  return lane_mask([=](uint32_t l) { return F::f(unpack<T>(a[l]), unpack<T>(b[l])); });
}
template <class F, class T>
void setp(ExecContext& x, const Op& op, uint32_t mask) {
  write_setp(x, op, mask, compare<F, T>(x, op));
}
template <class F, class T>
void set(ExecContext& x, const Op& op, uint32_t mask) {
  write_set(x, op, mask, compare<F, T>(x, op));
}

}  // namespace
}  // namespace tailor::virtual_device::TAILOR_LANES
