// ld, st, atom, red, cp.async and accesses to parameter space (PTX ISA 9.7.9, 9.7.13.5).
//
// Every access goes address → resolve() → copy. resolve() makes all checks for all lanes before the first byte moves,
// so that a failing instruction changes nothing; it also counts traffic.
#include <limits>

#include "runtime/virtual_device/formats.h"

namespace tailor::virtual_device::TAILOR_LANES {
namespace {

enum class Access : uint8_t { kLoad, kStore, kAtomic };

// After normalise(), lanes outside the mask repeat the first active lane's address, so that checks may run over all 32
// lanes without asking (only data may not be written for them).
struct Request {
  uint64_t address[kLanes];
  uint8_t* pointer[kLanes];
  AccessSpace space;        // never kGeneric for the lanes in question
  bool contiguous = false;  // all 32 lanes take part and lane l lies l · bytes after lane 0
};

inline void normalise(Request& r, uint32_t mask, uint32_t bytes) {
  if (mask != ~0u) {
    const uint64_t first = r.address[std::countr_zero(mask)];
    for (uint32_t l = 0; l < kLanes; ++l) r.address[l] = (mask >> l) & 1 ? r.address[l] : first;
    r.contiguous = false;
    return;
  }
  uint64_t difference = 0;
  for (uint32_t l = 0; l < kLanes; ++l) difference |= r.address[l] ^ (r.address[0] + uint64_t{l} * bytes);
  r.contiguous = difference == 0;
}

inline void fault(ExecContext& x, const Op& op, ReportKind kind, AccessSpace space, uint32_t lane, uint64_t address,
                  bool write, const Limit* limit = nullptr) {
  x.faulted = true;
  x.fault = {kind, lane, address, op.bytes, space, write, limit, nullptr};
}

// Distinct sectors of 1 << Shift bytes among the lanes' ranges. Ascending lanes, the usual case, need one pass.
template <int Shift>
inline uint32_t distinct_blocks(const uint64_t* address, uint32_t mask, uint32_t bytes) {
  uint64_t last = ~uint64_t{0};
  uint32_t count = 0;
  bool ascending = true;
  for (uint32_t m = mask; m != 0; m &= m - 1) {
    const uint64_t a = address[std::countr_zero(m)];
    const uint64_t first = a >> Shift, final = (a + bytes - 1) >> Shift;
    if (count == 0) {
      count = static_cast<uint32_t>(final - first + 1);
    } else if (first < last) {
      // Going back is harmless only within the block just counted.
      ascending = false;
      break;
    } else {
      count += static_cast<uint32_t>(final - last) - (first > last + 1 ? static_cast<uint32_t>(first - last - 1) : 0);
    }
    last = final;
  }
  if (ascending) return count;
  uint64_t seen[2 * kLanes];
  uint32_t n = 0;
  for (uint32_t m = mask; m != 0; m &= m - 1) {
    const uint64_t a = address[std::countr_zero(m)];
    for (uint64_t block = a >> Shift; block <= (a + bytes - 1) >> Shift; ++block) {
      uint32_t i = 0;
      while (i < n && seen[i] != block) ++i;
      if (i == n) seen[n++] = block;
    }
  }
  return n;
}

inline void count_global(ExecContext& x, const Request& r, uint32_t mask, uint32_t bytes, Access access) {
  Counters& c = *x.counters;
  GlobalTraffic& t = access == Access::kLoad    ? c.global_load
                     : access == Access::kStore ? c.global_store
                                                : c.global_atomic;
  t.requests += 1;
  t.bytes += static_cast<uint64_t>(std::popcount(mask)) * bytes;
  if (r.contiguous) {
    const uint64_t first = r.address[0], last = first + uint64_t{kLanes} * bytes - 1;
    t.sectors += (last >> 5) - (first >> 5) + 1;
    t.lines += (last >> 7) - (first >> 7) + 1;
    return;
  }
  t.sectors += distinct_blocks<5>(r.address, mask, bytes);
  t.lines += distinct_blocks<7>(r.address, mask, bytes);
}

// The wavefronts of one group of lanes: words of one bank that differ cost one each.
inline uint32_t wavefronts(const uint64_t* address, uint32_t members, uint32_t bytes) {
  uint32_t words[32];      // of each bank: the first word seen
  uint32_t used = 0;       // banks seen
  uint32_t extra[32 * 4];  // further words, in order
  uint8_t per_bank[32];
  uint32_t extras = 0, most = 1;
  for (; members != 0; members &= members - 1) {
    const uint64_t a = address[std::countr_zero(members)];
    for (uint64_t word = a >> 2; word <= (a + bytes - 1) >> 2; ++word) {
      const uint32_t w = static_cast<uint32_t>(word), bank = w & 31;
      if (!((used >> bank) & 1)) {
        used |= 1u << bank;
        words[bank] = w;
        per_bank[bank] = 1;
      } else if (words[bank] != w) {
        uint32_t i = 0;
        while (i < extras && extra[i] != w) ++i;
        if (i == extras) {
          extra[extras++] = w;
          if (++per_bank[bank] > most) most = per_bank[bank];
        }
      }
    }
  }
  return most;
}
// The rule is at SharedTraffic.
inline void count_shared(ExecContext& x, const Request& r, uint32_t mask, uint32_t bytes, Access access) {
  Counters& c = *x.counters;
  SharedTraffic& t = access == Access::kLoad    ? c.shared_load
                     : access == Access::kStore ? c.shared_store
                                                : c.shared_atomic;
  t.requests += 1;
  t.bytes += static_cast<uint64_t>(std::popcount(mask)) * bytes;
  const uint32_t group = bytes <= 4 ? 32 : bytes <= 8 ? 16 : 8;
  if (r.contiguous && r.address[0] % 4 == 0) {
    t.wavefronts += kLanes / group;  // a group covers at most 128 successive bytes
    return;
  }
  for (uint32_t base = 0; base < kLanes; base += group) {
    const uint32_t members = group == 32 ? mask : (mask >> base) & ((1u << group) - 1);
    if (members == 0) continue;
    const uint32_t needed = wavefronts(r.address + base, members, bytes);
    t.wavefronts += needed;
    t.conflicts += needed - 1;
  }
}

template <class Bad>
inline uint32_t first_lane(uint32_t mask, Bad bad) {
  for (uint32_t m = mask; m != 0; m &= m - 1) {
    const uint32_t l = static_cast<uint32_t>(std::countr_zero(m));
    if (bad(l)) return l;
  }
  return kLanes;
}

// The largest power of two that divides the access size: v3 does not exist, so sizes are powers of two already.
inline bool check_alignment(ExecContext& x, const Op& op, const Request& r, uint32_t mask, bool write) {
  if (!x.check_alignment) return true;
  uint64_t low = r.address[0];  // lanes in a row are aligned together
  if (!r.contiguous) {
    for (uint64_t a : r.address) low |= a;
  }
  if ((low & (op.bytes - 1u)) == 0) return true;
  const uint32_t l = first_lane(mask, [&](uint32_t i) { return (r.address[i] & (op.bytes - 1u)) != 0; });
  fault(x, op, ReportKind::kMisaligned, r.space, l, r.address[l], write);
  return false;
}
inline bool check_limit(ExecContext& x, const Op& op, const Request& r, uint32_t mask, bool write) {
  if (!(op.flags & kHasLimit) || !x.check_limits) return true;
  const Limit& limit = x.function->limits[op.limit];
  const uint64_t end = limit.dynamic ? x.shared_end : limit.end;
  const uint32_t l =
      first_lane(mask, [&](uint32_t i) { return r.address[i] < limit.begin || r.address[i] + op.bytes > end; });
  if (l == kLanes) return true;
  fault(x, op, ReportKind::kOutOfBounds, r.space, l, r.address[l], write, &limit);
  return false;
}
// `valid` of a lane points at its bytes' marks. The marks of one lane are read as one word: all must be 1.
template <class Word, class Valid>
inline uint64_t invalid_words(uint32_t words, Valid valid) {
  constexpr Word kAll = static_cast<Word>(0x0101010101010101u);
  uint64_t bad = 0;
  for (uint32_t l = 0; l < kLanes; ++l) {
    for (uint32_t k = 0; k < words; ++k) {
      Word marks;
      std::memcpy(&marks, valid(l) + k * sizeof(Word), sizeof(Word));
      bad |= marks ^ kAll;
    }
  }
  return bad;
}
inline uint64_t invalid_row(const uint8_t* marks, uint32_t bytes) {
  uint8_t all = 1;
  for (uint32_t k = 0; k < bytes; ++k) all &= marks[k];
  return all ^ 1;
}
template <class Valid>
inline bool check_valid(ExecContext& x, const Op& op, const Request& r, uint32_t mask, Valid valid) {
  if (r.contiguous && invalid_row(valid(0), kLanes * op.bytes) == 0) return true;
  uint64_t bad = 1;
  switch (op.bytes) {
    case 1:
      bad = invalid_words<uint8_t>(1, valid);
      break;
    case 2:
      bad = invalid_words<uint16_t>(1, valid);
      break;
    case 4:
      bad = invalid_words<uint32_t>(1, valid);
      break;
    case 8:
      bad = invalid_words<uint64_t>(1, valid);
      break;
    case 16:
      bad = invalid_words<uint64_t>(2, valid);
      break;
    default:
      break;
  }
  if (bad == 0) return true;
  const uint32_t l = first_lane(mask, [&](uint32_t i) {
    const uint8_t* v = valid(i);
    uint8_t all = 1;
    for (uint32_t k = 0; k < op.bytes; ++k) all &= v[k];
    return all == 0;
  });
  if (l == kLanes) return true;
  fault(x, op, ReportKind::kUninitialized, r.space, l, r.address[l], false);
  return false;
}
template <class Word, class Valid>
inline void mark_words(uint32_t words, Valid valid) {
  constexpr Word kAll = static_cast<Word>(0x0101010101010101u);
  for (uint32_t l = 0; l < kLanes; ++l) {
    for (uint32_t k = 0; k < words; ++k) std::memcpy(valid(l) + k * sizeof(Word), &kAll, sizeof(Word));
  }
}
template <class Valid>
inline void mark_valid(const Op& op, const Request& r, Valid valid) {
  if (r.contiguous) {
    std::memset(valid(0), 1, size_t{kLanes} * op.bytes);
    return;
  }
  switch (op.bytes) {
    case 1:
      return mark_words<uint8_t>(1, valid);
    case 2:
      return mark_words<uint16_t>(1, valid);
    case 4:
      return mark_words<uint32_t>(1, valid);
    case 8:
      return mark_words<uint64_t>(1, valid);
    case 16:
      return mark_words<uint64_t>(2, valid);
    default:
      for (uint32_t l = 0; l < kLanes; ++l) std::memset(valid(l), 1, op.bytes);
  }
}
inline void bounds_of(const Request& r, uint64_t& low, uint64_t& high) {
  low = high = r.address[0];
  if (r.contiguous && r.address[kLanes - 1] >= low) {
    high = r.address[kLanes - 1];
    return;
  }
  for (uint64_t a : r.address) {
    low = a < low ? a : low;
    high = a > high ? a : high;
  }
}

bool resolve_global(ExecContext& x, const Op& op, uint32_t mask, Access access, Request& r) {
  const bool write = access != Access::kLoad;
  SiteCache& cache = x.sites[op.site];
  uint64_t low, high;
  bounds_of(r, low, high);
  if (!check_alignment(x, op, r, mask, write)) return false;
  const auto covered = [&] { return low >= cache.begin && high < cache.end && op.bytes <= cache.end - high; };
  if (covered() || (find_allocation(*x.memory, low, op.bytes, cache) && covered())) {
    if (write && cache.read_only) {
      const uint32_t l = static_cast<uint32_t>(std::countr_zero(mask));
      fault(x, op, ReportKind::kReadOnly, r.space, l, r.address[l], true);
      return false;
    }
    for (uint32_t l = 0; l < kLanes; ++l) r.pointer[l] = cache.at(r.address[l]);
    if (cache.tracked) {
      const auto valid = [&](uint32_t l) { return cache.valid_at(r.address[l]); };
      if (access != Access::kStore && !check_valid(x, op, r, mask, valid)) return false;
      if (write) mark_valid(op, r, valid);
    }
  } else {
    // The lanes touch several allocations, or one of them none.
    r.contiguous = false;
    uint8_t* valid[kLanes] = {};
    for (uint32_t m = mask; m != 0; m &= m - 1) {
      const uint32_t l = static_cast<uint32_t>(std::countr_zero(m));
      SiteCache own;
      if (!find_allocation(*x.memory, r.address[l], op.bytes, own)) {
        fault(x, op, ReportKind::kOutOfBounds, r.space, l, r.address[l], write);
        return false;
      }
      if (write && own.read_only) {
        fault(x, op, ReportKind::kReadOnly, r.space, l, r.address[l], true);
        return false;
      }
      r.pointer[l] = own.at(r.address[l]);
      valid[l] = own.tracked ? own.valid_at(r.address[l]) : nullptr;
    }
    // Marks are all ones where they are not kept.
    uint8_t untracked[256];
    std::memset(untracked, 1, sizeof(untracked));
    const uint32_t leader = static_cast<uint32_t>(std::countr_zero(mask));
    const auto at = [&](uint32_t l) {
      uint8_t* v = valid[(mask >> l) & 1 ? l : leader];
      return v ? v : untracked;
    };
    if (access != Access::kStore && !check_valid(x, op, r, mask, at)) return false;
    if (write) mark_valid(op, r, at);
  }
  if (x.count_traffic) count_global(x, r, mask, op.bytes, access);
  return true;
}

bool resolve_shared(ExecContext& x, const Op& op, uint32_t mask, Access access, Request& r) {
  const bool write = access != Access::kLoad;
  if (!check_alignment(x, op, r, mask, write)) return false;
  const uint64_t end = x.shared_end;
  const auto outside = [&](uint64_t a) { return a < kSharedBase || a > end || op.bytes > end - a; };
  uint64_t low, high;
  bounds_of(r, low, high);
  if (outside(low) || outside(high)) {
    const uint32_t l = first_lane(mask, [&](uint32_t i) { return outside(r.address[i]); });
    fault(x, op, ReportKind::kOutOfBounds, r.space, l, r.address[l], write);
    return false;
  }
  if (!check_limit(x, op, r, mask, write)) return false;
  for (uint32_t i = 0; i < kLanes; ++i) r.pointer[i] = x.shared + (r.address[i] - kSharedBase);
  if (x.check_uninitialized) {
    const auto valid = [&](uint32_t i) { return x.shared_valid + (r.address[i] - kSharedBase); };
    if (access != Access::kStore && !check_valid(x, op, r, mask, valid)) return false;
    if (write) mark_valid(op, r, valid);
  }
  if (x.order && !order_shared(x, op, r.address, mask, access != Access::kStore, write)) return false;
  if (x.count_traffic) count_shared(x, r, mask, op.bytes, access);
  return true;
}

bool resolve_local(ExecContext& x, const Op& op, uint32_t mask, Access access, Request& r) {
  const bool write = access != Access::kLoad;
  r.contiguous = false;  // each lane has memory of its own
  if (!check_alignment(x, op, r, mask, write)) return false;
  // Callers' variables may be reached through pointers, hence the whole stack up to this frame's end.
  const uint64_t end = x.local_end;
  const auto outside = [&](uint64_t a) { return a < kLocalBase || a > end || op.bytes > end - a; };
  uint64_t low, high;
  bounds_of(r, low, high);
  if (outside(low) || outside(high)) {
    const uint32_t l = first_lane(mask, [&](uint32_t i) { return outside(r.address[i]); });
    fault(x, op, ReportKind::kOutOfBounds, r.space, l, r.address[l], write);
    return false;
  }
  const auto at = [&](uint32_t i) { return uint64_t{i} * x.local_stride + (r.address[i] - kLocalBase); };
  for (uint32_t i = 0; i < kLanes; ++i) r.pointer[i] = x.local + at(i);
  if (x.check_uninitialized) {
    const uint32_t leader = static_cast<uint32_t>(std::countr_zero(mask));
    const auto valid = [&](uint32_t i) { return x.local_valid + at((mask >> i) & 1 ? i : leader); };
    if (access != Access::kStore && !check_valid(x, op, r, mask, valid)) return false;
    if (write) mark_valid(op, r, valid);
  }
  return true;
}

inline void count_class(ExecContext& x, Class c, uint32_t mask) {
  x.counters->warp_instructions[static_cast<size_t>(c)] += 1;
  x.counters->thread_instructions[static_cast<size_t>(c)] += static_cast<uint64_t>(std::popcount(mask));
}

bool resolve_generic(ExecContext& x, const Op& op, uint32_t mask, Access access, Request& r) {
  uint32_t shared = 0, local = 0;
  for (uint32_t l = 0; l < kLanes; ++l) {
    shared |= static_cast<uint32_t>(r.address[l] - kSharedWindow < kWindowBytes) << l;
    local |= static_cast<uint32_t>(r.address[l] - kLocalWindow < kWindowBytes) << l;
  }
  shared &= mask;
  local &= mask;
  const uint32_t global = mask & ~shared & ~local;
  if (access != Access::kAtomic) {
    // The instruction's class is that of its first lane (the interpreter left it uncounted).
    const uint32_t first = mask & (0u - mask);
    const bool load = access == Access::kLoad;
    count_class(x,
                first & shared  ? (load ? Class::kSharedLoad : Class::kSharedStore)
                : first & local ? (load ? Class::kLocalLoad : Class::kLocalStore)
                                : (load ? Class::kGlobalLoad : Class::kGlobalStore),
                mask);
  }
  if (global == mask) {
    r.space = AccessSpace::kGlobal;
    return resolve_global(x, op, mask, access, r);
  }
  // One space after the other. A failing part stops the launch before any data moves.
  const bool mixed = shared != mask && local != mask;
  const auto part_of = [&](uint32_t lanes, AccessSpace space, uint64_t window, auto resolver) {
    if (lanes == 0) return true;
    Request part = r;
    part.space = space;
    for (uint64_t& a : part.address) a -= window;
    if (mixed) normalise(part, lanes, op.bytes);
    if (!resolver(x, op, lanes, access, part)) return false;
    for (uint32_t m = lanes; m != 0; m &= m - 1) r.pointer[std::countr_zero(m)] = part.pointer[std::countr_zero(m)];
    return true;
  };
  // Local memory is not contiguous across lanes whatever the addresses say.
  const bool ok = part_of(global, AccessSpace::kGlobal, 0, resolve_global) &&
                  part_of(shared, AccessSpace::kShared, kSharedWindow, resolve_shared) &&
                  part_of(local, AccessSpace::kLocal, kLocalWindow, resolve_local);
  r.contiguous = r.contiguous && shared == mask;
  return ok;
}

inline void addresses(const ExecContext& x, AddressKind kind, uint32_t base, int64_t offset, uint64_t* out) {
  const uint64_t add = static_cast<uint64_t>(offset);
  if (kind == AddressKind::kRegister64) {
    const uint64_t* a = slot<uint64_t>(x, base);
    for (uint32_t l = 0; l < kLanes; ++l) out[l] = a[l] + add;
  } else if (kind == AddressKind::kRegister32) {
    const uint32_t* a = slot<uint32_t>(x, base);
    for (uint32_t l = 0; l < kLanes; ++l) out[l] = static_cast<uint32_t>(a[l] + static_cast<uint32_t>(add));
  } else {
    for (uint32_t l = 0; l < kLanes; ++l) out[l] = add;
  }
}

bool resolve(ExecContext& x, const Op& op, uint32_t mask, Access access, Request& r) {
  addresses(x, op.address, op.a, op.offset, r.address);
  r.space = op.space;
  if (op.space != AccessSpace::kLocal) normalise(r, mask, op.bytes);
  switch (op.space) {
    case AccessSpace::kShared:
      return resolve_shared(x, op, mask, access, r);
    case AccessSpace::kLocal:
      if (op.address == AddressKind::kImmediate) {
        for (uint64_t& a : r.address) a += x.local_begin;  // [variable + n]: relative to the frame
      }
      normalise(r, mask, op.bytes);
      return resolve_local(x, op, mask, access, r);
    case AccessSpace::kGeneric:
      return resolve_generic(x, op, mask, access, r);
    default:
      return resolve_global(x, op, mask, access, r);
  }
}

// d[l] = element l · Step of `from`, and the reverse: one register of a contiguous vector access.
template <class D, uint32_t Step>
inline void gather_step(D* d, const uint8_t* from) {
  for (uint32_t l = 0; l < kLanes; ++l) std::memcpy(&d[l], from + size_t{l} * Step * sizeof(D), sizeof(D));
}
template <class D, uint32_t Step>
inline void scatter_step(uint8_t* to, const D* s) {
  for (uint32_t l = 0; l < kLanes; ++l) std::memcpy(to + size_t{l} * Step * sizeof(D), &s[l], sizeof(D));
}
template <class D>
inline void deinterleave(D* d, const uint8_t* from, uint32_t step) {
  step == 1 ? gather_step<D, 1>(d, from) : step == 2 ? gather_step<D, 2>(d, from) : gather_step<D, 4>(d, from);
}
template <class D>
inline void interleave(uint8_t* to, const D* s, uint32_t step) {
  step == 1 ? scatter_step<D, 1>(to, s) : step == 2 ? scatter_step<D, 2>(to, s) : scatter_step<D, 4>(to, s);
}

// Destination registers in aux, imm of them; a 128-bit one takes 16 bytes per lane.
template <class E, class D>
void load(ExecContext& x, const Op& op, uint32_t mask) {
  Request r;
  if (!resolve(x, op, mask, Access::kLoad, r)) return;
  for (uint32_t v = 0; v < op.imm; ++v) {
    const uint32_t to = x.function->aux[op.aux + v];
    if (to == kNoSlot) continue;
    D* d = slot<D>(x, to);
    if (sizeof(E) == sizeof(D) && r.contiguous && op.imm <= 4) {
      deinterleave<D>(d, r.pointer[0] + v * sizeof(D), op.imm);
      continue;
    }
    const auto read = [&](uint32_t l) {
      E e;
      std::memcpy(&e, r.pointer[l] + v * sizeof(E), sizeof(E));
      if constexpr (std::is_signed_v<E>) {
        d[l] = static_cast<D>(static_cast<int64_t>(e));
      } else {
        d[l] = static_cast<D>(e);
      }
    };
    if (mask == ~0u) {
      for (uint32_t l = 0; l < kLanes; ++l) read(l);
    } else {
      for (uint32_t m = mask; m != 0; m &= m - 1) read(static_cast<uint32_t>(std::countr_zero(m)));
    }
  }
}
template <class E, class D>
void store(ExecContext& x, const Op& op, uint32_t mask) {
  Request r;
  if (!resolve(x, op, mask, Access::kStore, r)) return;
  for (uint32_t v = 0; v < op.imm; ++v) {
    const D* s = slot<D>(x, x.function->aux[op.aux + v]);
    if (sizeof(E) == sizeof(D) && r.contiguous && op.imm <= 4) {
      interleave<D>(r.pointer[0] + v * sizeof(D), s, op.imm);
      continue;
    }
    const auto write = [&](uint32_t l) {
      const E e = static_cast<E>(s[l]);
      std::memcpy(r.pointer[l] + v * sizeof(E), &e, sizeof(E));
    };
    if (mask == ~0u) {
      for (uint32_t l = 0; l < kLanes; ++l) write(l);
    } else {
      for (uint32_t m = mask; m != 0; m &= m - 1) write(static_cast<uint32_t>(std::countr_zero(m)));
    }
  }
}
void load128(ExecContext& x, const Op& op, uint32_t mask) {
  Request r;
  if (!resolve(x, op, mask, Access::kLoad, r)) return;
  const uint32_t to = x.function->aux[op.aux];
  if (to == kNoSlot) return;
  uint8_t* d = slot<uint8_t>(x, to);
  for (uint32_t m = mask; m != 0; m &= m - 1)
    std::memcpy(d + 16 * std::countr_zero(m), r.pointer[std::countr_zero(m)], 16);
}
void store128(ExecContext& x, const Op& op, uint32_t mask) {
  Request r;
  if (!resolve(x, op, mask, Access::kStore, r)) return;
  const uint8_t* s = slot<uint8_t>(x, x.function->aux[op.aux]);
  for (uint32_t m = mask; m != 0; m &= m - 1)
    std::memcpy(r.pointer[std::countr_zero(m)], s + 16 * std::countr_zero(m), 16);
}

// Kernel parameters at a constant offset: one value for all lanes. Bounds were checked when decoding.
template <class E, class D>
void load_parameter(ExecContext& x, const Op& op, uint32_t mask) {
  for (uint32_t v = 0; v < op.imm; ++v) {
    const uint32_t to = x.function->aux[op.aux + v];
    if (to == kNoSlot) continue;
    E e;
    std::memcpy(&e, x.parameters + op.offset + v * sizeof(E), sizeof(E));
    const D value = std::is_signed_v<E> ? static_cast<D>(static_cast<int64_t>(e)) : static_cast<D>(e);
    for_lanes<D>(slot<D>(x, to), mask, [=](uint32_t) { return value; });
  }
}

// Parameters of calls live in the frame as planes of 32 words: byte k of lane l is byte k % 4 of word [k / 4][l].
// op.a is the first plane, op.offset the byte.
inline void copy_planes(uint8_t* planes, uint64_t byte, uint32_t lane, uint8_t* value, uint32_t bytes, bool write) {
  for (uint32_t done = 0; done < bytes;) {
    const uint32_t within = static_cast<uint32_t>(byte % 4);
    const uint32_t n = bytes - done < 4 - within ? bytes - done : 4 - within;
    uint8_t* at = planes + byte / 4 * 128 + lane * 4 + within;
    if (write) {
      std::memcpy(at, value + done, n);
    } else {
      std::memcpy(value + done, at, n);
    }
    done += n;
    byte += n;
  }
}
template <class E, class D>
void load_plane(ExecContext& x, const Op& op, uint32_t mask) {
  uint8_t* planes = slot<uint8_t>(x, op.a);
  for (uint32_t v = 0; v < op.imm; ++v) {
    const uint32_t to = x.function->aux[op.aux + v];
    if (to == kNoSlot) continue;
    D* d = slot<D>(x, to);
    for (uint32_t m = mask; m != 0; m &= m - 1) {
      const uint32_t l = static_cast<uint32_t>(std::countr_zero(m));
      E e;
      copy_planes(planes, static_cast<uint64_t>(op.offset) + v * sizeof(E), l, reinterpret_cast<uint8_t*>(&e),
                  sizeof(E), false);
      d[l] = std::is_signed_v<E> ? static_cast<D>(static_cast<int64_t>(e)) : static_cast<D>(e);
    }
  }
}
template <class E, class D>
void store_plane(ExecContext& x, const Op& op, uint32_t mask) {
  uint8_t* planes = slot<uint8_t>(x, op.a);
  for (uint32_t v = 0; v < op.imm; ++v) {
    const D* s = slot<D>(x, x.function->aux[op.aux + v]);
    for (uint32_t m = mask; m != 0; m &= m - 1) {
      const uint32_t l = static_cast<uint32_t>(std::countr_zero(m));
      E e = static_cast<E>(s[l]);
      copy_planes(planes, static_cast<uint64_t>(op.offset) + v * sizeof(E), l, reinterpret_cast<uint8_t*>(&e),
                  sizeof(E), true);
    }
  }
}

// Atomics: lanes in ascending order. imm: operation (AtomicCode) | type << 8. d may be absent (red).
enum AtomicCode : uint32_t { kAdd, kMin, kMax, kAnd, kOr, kXor, kInc, kDec, kExch, kCas };

template <class T>
inline T atomic_result(uint32_t code, T old, T b, T c) {
  using U = std::make_unsigned_t<T>;
  switch (code) {
    case kAdd:
      return static_cast<T>(static_cast<U>(old) + static_cast<U>(b));
    case kMin:
      return old < b ? old : b;
    case kMax:
      return old > b ? old : b;
    case kAnd:
      return old & b;
    case kOr:
      return old | b;
    case kXor:
      return old ^ b;
    case kInc:
      return static_cast<U>(old) >= static_cast<U>(b) ? T{0} : static_cast<T>(old + 1);
    case kDec:
      return old == 0 || static_cast<U>(old) > static_cast<U>(b) ? b : static_cast<T>(old - 1);
    case kCas:
      return old == b ? c : old;
    default:
      return b;
  }
}
template <class T, class F>
inline void atomic_lanes(ExecContext& x, const Op& op, uint32_t mask, F f) {
  Request r;
  if (!resolve(x, op, mask, Access::kAtomic, r)) return;
  using S = Stored<T>;
  const S* b = slot<S>(x, op.b);
  const S* c = op.c == kNoSlot ? b : slot<S>(x, op.c);
  S* d = op.d == kNoSlot ? nullptr : slot<S>(x, op.d);
  for (uint32_t m = mask; m != 0; m &= m - 1) {
    const uint32_t l = static_cast<uint32_t>(std::countr_zero(m));
    T old;
    std::memcpy(&old, r.pointer[l], sizeof(T));
    const T next = f(old, unpack<T>(b[l]), unpack<T>(c[l]));
    std::memcpy(r.pointer[l], &next, sizeof(T));
    if (d) d[l] = pack<T>(old);
  }
}
template <class T>
void atomic_int(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t code = op.imm;
  atomic_lanes<T>(x, op, mask, [=](T old, T b, T c) { return atomic_result(code, old, b, c); });
}
// atom.add.f32 on global memory flushes subnormals; on shared memory it does not (PTX ISA 9.7.13.5).
template <class T>
void atomic_add_real(ExecContext& x, const Op& op, uint32_t mask) {
  atomic_lanes<T>(x, op, mask, [&](T old, T b, T) {
    T r = old + b;
    if constexpr (sizeof(T) == 4) {
      const auto flush = [](float v) {
        return std::fabs(v) < std::numeric_limits<float>::min() ? std::copysign(0.0f, v) : v;
      };
      if (op.space != AccessSpace::kShared) r = flush(flush(old) + flush(b));
      if (r != r) r = std::bit_cast<float>(0x7FFFFFFFu);
    }
    return r;
  });
}
// imm: kAdd, kMin or kMax.
template <class H, int Count>
void atomic_half(ExecContext& x, const Op& op, uint32_t mask) {
  using T = std::conditional_t<Count == 2, uint32_t, uint16_t>;
  const uint32_t code = op.imm;
  atomic_lanes<T>(x, op, mask, [=](T old, T b, T) {
    uint32_t result = 0;
    for (int i = 0; i < Count; ++i) {
      const float p = H::load(static_cast<uint16_t>(old >> (16 * i))),
                  q = H::load(static_cast<uint16_t>(b >> (16 * i)));
      const float r = code == kAdd ? p + q : p != p ? q : q != q ? p : (code == kMin) == (p < q) ? p : q;
      result |= static_cast<uint32_t>(H::store(r)) << (16 * i);
    }
    return static_cast<T>(result);
  });
}
// exch and cas of 16 bytes.
void atomic128(ExecContext& x, const Op& op, uint32_t mask) {
  Request r;
  if (!resolve(x, op, mask, Access::kAtomic, r)) return;
  const uint8_t* b = slot<uint8_t>(x, op.b);
  const uint8_t* c = op.c == kNoSlot ? b : slot<uint8_t>(x, op.c);
  uint8_t* d = op.d == kNoSlot ? nullptr : slot<uint8_t>(x, op.d);
  for (uint32_t m = mask; m != 0; m &= m - 1) {
    const uint32_t l = static_cast<uint32_t>(std::countr_zero(m));
    uint8_t old[16];
    std::memcpy(old, r.pointer[l], 16);
    if (op.imm == kExch) {
      std::memcpy(r.pointer[l], b + 16 * l, 16);
    } else if (std::memcmp(old, b + 16 * l, 16) == 0) {
      std::memcpy(r.pointer[l], c + 16 * l, 16);
    }
    if (d) std::memcpy(d + 16 * l, old, 16);
  }
}
// red.v2/v4.f32 add: imm elements, slots in aux.
void reduce_vector_f32(ExecContext& x, const Op& op, uint32_t mask) {
  Request r;
  if (!resolve(x, op, mask, Access::kAtomic, r)) return;
  for (uint32_t m = mask; m != 0; m &= m - 1) {
    const uint32_t l = static_cast<uint32_t>(std::countr_zero(m));
    for (uint32_t v = 0; v < op.imm; ++v) {
      float old;
      std::memcpy(&old, r.pointer[l] + 4 * v, 4);
      old += unpack<float>(slot<uint32_t>(x, x.function->aux[op.aux + v])[l]);
      std::memcpy(r.pointer[l] + 4 * v, &old, 4);
    }
  }
}

// cp.async, done at issue. a: shared destination; aux: {source slot, source address kind, source-size slot or kNoSlot};
// op.offset belongs to the destination, op.imm to the source. Bytes beyond the source size are zero.
void copy_async(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t* aux = x.function->aux.data() + op.aux;
  const uint32_t* size = aux[2] == kNoSlot ? nullptr : slot<uint32_t>(x, aux[2]);
  Request from;
  addresses(x, static_cast<AddressKind>(aux[1]), aux[0], static_cast<int32_t>(op.imm), from.address);
  from.space = AccessSpace::kGlobal;
  uint32_t reading = mask;
  for (uint32_t l = 0; size && l < kLanes; ++l) reading &= ~(static_cast<uint32_t>(size[l] == 0) << l);
  normalise(from, mask, op.bytes);
  Request to;
  addresses(x, op.address, op.a, op.offset, to.address);
  to.space = AccessSpace::kShared;
  normalise(to, mask, op.bytes);
  if (size) {
    // Only the bytes asked for must exist.
    Op part = op;
    for (uint32_t m = reading; m != 0; m &= m - 1) {
      const uint32_t l = static_cast<uint32_t>(std::countr_zero(m));
      Request one = from;
      normalise(one, 1u << l, op.bytes);
      if (!check_alignment(x, op, one, 1u << l, false)) return;
      part.bytes = static_cast<uint8_t>(size[l] < op.bytes ? size[l] : op.bytes);
      const bool check = x.check_alignment;
      x.check_alignment = false;
      const bool found = resolve_global(x, part, 1u << l, Access::kLoad, one);
      x.check_alignment = check;
      if (!found) return;
      from.pointer[l] = one.pointer[l];
    }
  } else if (!resolve_global(x, op, mask, Access::kLoad, from)) {
    return;
  }
  if (!resolve_shared(x, op, mask, Access::kStore, to)) return;
  for (uint32_t m = mask; m != 0; m &= m - 1) {
    const uint32_t l = static_cast<uint32_t>(std::countr_zero(m));
    const uint32_t n = size ? (size[l] < op.bytes ? size[l] : op.bytes) : op.bytes;
    if (n != 0) std::memcpy(to.pointer[l], from.pointer[l], n);
    std::memset(to.pointer[l] + n, 0, op.bytes - n);
  }
}

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
#define ELEMENTS(name, F)                                                                                \
  {name ".u8.32", F<u8, u32>}, {name ".s8.32", F<int8_t, u32>}, {name ".u16.32", F<u16, u32>},           \
      {name ".s16.32", F<int16_t, u32>}, {name ".u32.32", F<u32, u32>}, {name ".u8.64", F<u8, u64>},     \
      {name ".s8.64", F<int8_t, u64>}, {name ".u16.64", F<u16, u64>}, {name ".s16.64", F<int16_t, u64>}, \
      {name ".u32.64", F<u32, u64>}, {name ".s32.64", F<int32_t, u64>}, {                                \
    name ".u64.64", F<u64, u64>                                                                          \
  }

const LaneEntry kEntries[] = {
    ELEMENTS("ld", load),
    ELEMENTS("st", store),
    ELEMENTS("ld.param", load_parameter),
    ELEMENTS("ld.plane", load_plane),
    ELEMENTS("st.plane", store_plane),
    {"ld.128", load128},
    {"st.128", store128},
    {"atom.b16", atomic_int<u16>},
    {"atom.u32", atomic_int<u32>},
    {"atom.s32", atomic_int<int32_t>},
    {"atom.u64", atomic_int<u64>},
    {"atom.s64", atomic_int<int64_t>},
    {"atom.b128", atomic128},
    {"atom.add.f32", atomic_add_real<float>},
    {"atom.add.f64", atomic_add_real<double>},
    {"atom.f16", atomic_half<F16, 1>},
    {"atom.f16x2", atomic_half<F16, 2>},
    {"atom.bf16", atomic_half<BF16, 1>},
    {"atom.bf16x2", atomic_half<BF16, 2>},
    {"red.vector.f32", reduce_vector_f32},
    {"cp.async", copy_async},
};

}  // namespace

extern const LaneEntries memory_entries;
const LaneEntries memory_entries = {kEntries, sizeof(kEntries) / sizeof(kEntries[0])};

}  // namespace tailor::virtual_device::TAILOR_LANES
