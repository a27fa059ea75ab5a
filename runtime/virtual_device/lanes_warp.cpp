// Warp operations (PTX ISA 9.7.9.6, 9.7.13.8 – 9.7.13.12) and the interpreter's inner loop.
#include "runtime/virtual_device/lanes.h"

namespace tailor::virtual_device::TAILOR_LANES {
namespace {

inline void lane_fault(ExecContext& x, uint32_t mask, const char* text) {
  x.faulted = true;
  x.fault = {};
  x.fault.kind = ReportKind::kSynchronization;
  x.fault.lane = static_cast<uint32_t>(std::countr_zero(mask));
  x.fault.text = text;
}

// imm: 0 up, 1 down, 2 bfly, 3 idx. aux: {member mask, slot of the result predicate}.
void shuffle(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t* a = slot<uint32_t>(x, op.a);
  const uint32_t* b = slot<uint32_t>(x, op.b);
  const uint32_t* c = slot<uint32_t>(x, op.c);
  uint32_t result[kLanes];
  uint32_t in_range = 0, silent = 0;
  for (uint32_t l = 0; l < kLanes; ++l) {
    const uint32_t by = b[l] & 31, clamp = c[l] & 31, segment = (c[l] >> 8) & 31;
    const uint32_t last = (l & segment) | (clamp & ~segment), first = l & segment;
    uint32_t from = 0;
    bool ok = false;
    switch (op.imm) {
      case 0:
        from = l - by;
        ok = static_cast<int32_t>(from) >= static_cast<int32_t>(last);
        break;
      case 1:
        from = l + by;
        ok = from <= last;
        break;
      case 2:
        from = l ^ by;
        ok = from <= last;
        break;
      default:
        from = first | (by & ~segment);
        ok = from <= last;
        break;
    }
    if (!ok) from = l;
    in_range |= static_cast<uint32_t>(ok) << l;
    silent |= static_cast<uint32_t>(!((mask >> (from & 31)) & 1)) << l;
    result[l] = a[from & 31];
  }
  if (silent & mask) {
    return lane_fault(x, silent & mask, "shfl.sync reads a lane that does not take part; its value is unspecified");
  }
  if (op.d != kNoSlot) for_lanes<uint32_t>(slot<uint32_t>(x, op.d), mask, [&](uint32_t l) { return result[l]; });
  set_predicate(x, x.function->aux[op.aux + 1], mask, in_range);
}

// imm: 0 all, 1 any, 2 uni, 3 ballot; bit 2 inverts the source predicate.
void vote(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t p = (*slot<uint32_t>(x, op.a) ^ (op.imm & 4 ? ~0u : 0u)) & mask;
  if ((op.imm & 3) == 3) return for_lanes<uint32_t>(slot<uint32_t>(x, op.d), mask, [=](uint32_t) { return p; });
  const bool yes = (op.imm & 3) == 0 ? p == mask : (op.imm & 3) == 1 ? p != 0 : p == mask || p == 0;
  set_predicate(x, op.d, mask, yes ? ~0u : 0u);
}

// imm bit 0: all (else any). aux[1]: slot of the predicate.
template <class T>
void match(ExecContext& x, const Op& op, uint32_t mask) {
  const T* a = slot<T>(x, op.a);
  uint32_t result[kLanes] = {};
  uint32_t everyone = 0;
  for (uint32_t m = mask; m != 0; m &= m - 1) {
    const uint32_t l = static_cast<uint32_t>(std::countr_zero(m));
    uint32_t same = 0;
    for (uint32_t n = mask; n != 0; n &= n - 1) {
      const uint32_t k = static_cast<uint32_t>(std::countr_zero(n));
      same |= static_cast<uint32_t>(a[k] == a[l]) << k;
    }
    result[l] = same;
    everyone = same == mask ? ~0u : 0u;
    if (op.imm & 1) result[l] = same == mask ? mask : 0;
  }
  if (op.d != kNoSlot) for_lanes<uint32_t>(slot<uint32_t>(x, op.d), mask, [&](uint32_t l) { return result[l]; });
  set_predicate(x, x.function->aux[op.aux + 1], mask, everyone);
}

// imm: 0 add, 1 min, 2 max, 3 and, 4 or, 5 xor.
template <class T>
void reduce(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t* a = slot<uint32_t>(x, op.a);
  T r = static_cast<T>(a[std::countr_zero(mask)]);
  for (uint32_t m = mask & (mask - 1); m != 0; m &= m - 1) {
    const T v = static_cast<T>(a[std::countr_zero(m)]);
    switch (op.imm) {
      case 0:
        r = static_cast<T>(static_cast<uint32_t>(r) + static_cast<uint32_t>(v));
        break;
      case 1:
        r = v < r ? v : r;
        break;
      case 2:
        r = v > r ? v : r;
        break;
      case 3:
        r &= v;
        break;
      case 4:
        r |= v;
        break;
      default:
        r ^= v;
        break;
    }
  }
  const uint32_t value = static_cast<uint32_t>(r);
  for_lanes<uint32_t>(slot<uint32_t>(x, op.d), mask, [=](uint32_t) { return value; });
}

// The leader is the lowest lane taking part: the ISA leaves the choice open. aux[1]: slot of the predicate.
void elect(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t leader = static_cast<uint32_t>(std::countr_zero(mask));
  if (op.d != kNoSlot) for_lanes<uint32_t>(slot<uint32_t>(x, op.d), mask, [=](uint32_t) { return leader; });
  set_predicate(x, x.function->aux[op.aux + 1], mask, 1u << leader);
}
void active_mask(ExecContext& x, const Op& op, uint32_t mask) {
  for_lanes<uint32_t>(slot<uint32_t>(x, op.d), mask, [=](uint32_t) { return mask; });
}

const LaneEntry kEntries[] = {
    {"shfl.b32", shuffle},
    {"vote", vote},
    {"match.b32", match<uint32_t>},
    {"match.b64", match<uint64_t>},
    {"redux.u32", reduce<uint32_t>},
    {"redux.s32", reduce<int32_t>},
    {"elect", elect},
    {"activemask", active_mask},
};

inline void count(Counters& c, const Op& op, uint32_t active, uint32_t performed) {
  const auto lanes = static_cast<uint64_t>(std::popcount(performed));
  const auto members = static_cast<uint64_t>(std::popcount(active));
  // Class::kCount stands for "the handler counts": a generic access whose space is not known here.
  if (op.cls != Class::kCount) {
    c.warp_instructions[static_cast<size_t>(op.cls)] += 1;
    c.thread_instructions[static_cast<size_t>(op.cls)] += lanes;
  }
  c.predicated_off_lanes += members - lanes;
  c.inactive_lanes += kLanes - members;
}

// See context.h. The scheduler counts nothing: an op counts when it is issued here, once, also if it then waits.
Stop run_ops(ExecContext& x, uint32_t& pc_, uint32_t join) {
  const Op* const ops = x.function->ops.data();
  Counters& counters = *x.counters;
  const uint32_t active = x.active;
  uint32_t pc = pc_;
  uint64_t left = x.left;
  const uint64_t start = left;
  const auto leave = [&](Stop stop) {
    pc_ = pc;
    x.left = left;
    x.issued += start - left;
    return stop;
  };
  for (;;) {
    if (pc == join) return leave(Stop::kJoin);
    if (left == 0) return leave(Stop::kQuantum);
    --left;
    const Op& op = ops[pc];
    uint32_t mask = active;
    if (op.guard != kNoSlot) mask &= *slot<uint32_t>(x, op.guard) ^ op.guard_flip;
    switch (op.kind) {
      case OpKind::kLane:
        count(counters, op, active, mask);
        if (mask != 0) op.run(x, op, mask);
        ++pc;
        break;
      case OpKind::kHidden:
        if (mask != 0) op.run(x, op, mask);
        ++left;
        ++pc;
        break;
      case OpKind::kNothing:
        count(counters, op, active, mask);
        ++pc;
        break;
      case OpKind::kMemory:
        count(counters, op, active, mask);
        if (mask != 0) {
          op.run(x, op, mask);
          if (x.faulted) return leave(Stop::kFault);
        } else if (op.cls == Class::kCount) {
          // No lane to ask: the class of a fully predicated-off generic access is that of global memory.
          counters
              .warp_instructions[static_cast<size_t>(op.flags & kIsStore ? Class::kGlobalStore : Class::kGlobalLoad)] +=
              1;
        }
        ++pc;
        break;
      case OpKind::kBranch:
        count(counters, op, active, active);
        if (mask == active) {
          pc = op.target;
        } else if (mask == 0) {
          ++pc;
        } else {
          x.taken = mask;
          return leave(Stop::kDiverge);
        }
        break;
      case OpKind::kWarp:
      case OpKind::kWarpSync: {
        count(counters, op, active, mask);
        if (mask == 0) {
          ++pc;
          break;
        }
        // The common case: every lane of the member mask is here.
        const uint32_t members = slot<uint32_t>(x, x.function->aux[op.aux])[std::countr_zero(mask)];
        if ((members & x.live) != mask) {
          x.taken = mask;
          return leave(Stop::kSlow);
        }
        if (op.kind == OpKind::kWarp) {
          op.run(x, op, mask);
          if (x.faulted) return leave(Stop::kFault);
        } else if (x.order) {
          order_warp(x);
        }
        ++pc;
        break;
      }
      case OpKind::kBranchTable:
      case OpKind::kCall:
      case OpKind::kReturn:
      case OpKind::kExit:
        count(counters, op, active, active);
        if (mask == 0) {
          ++pc;
          break;
        }
        x.taken = mask;
        return leave(Stop::kSlow);
      default:
        count(counters, op, active, mask);
        if (mask == 0) {
          ++pc;
          break;
        }
        x.taken = mask;
        return leave(Stop::kSlow);
    }
  }
}

}  // namespace

extern const LaneEntries integer_entries;
extern const LaneEntries float_entries;
extern const LaneEntries convert_entries;
extern const LaneEntries memory_entries;

LaneSet make_lane_set();
LaneSet make_lane_set() {
  return {TAILOR_LANES_NAME,
          run_ops,
          {integer_entries,
           float_entries,
           convert_entries,
           memory_entries,
           {kEntries, sizeof(kEntries) / sizeof(kEntries[0])}}};
}

}  // namespace tailor::virtual_device::TAILOR_LANES
