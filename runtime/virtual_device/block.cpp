#include "runtime/virtual_device/block.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tailor::virtual_device {
namespace {

// Op::imm of a barrier.
enum BarrierCode : uint32_t { kSync, kArrive, kRedPopc, kRedAnd, kRedOr };

}  // namespace

// a: barrier id; b: thread count or absent; c: predicate of bar.red (aux[0] bit 0: inverted).
const char* Block::arrive_at_barrier(uint32_t w, size_t s, const Op& op, uint32_t taken, const uint8_t* constants) {
  Split& split = warps[w].splits()[s];
  const Frame& frame = *split.frame;
  const auto lane = static_cast<uint32_t>(std::countr_zero(taken));
  const uint32_t id = slot_of<uint32_t>(frame, constants, op.a)[lane];
  if (id >= barriers.size()) return "a barrier's number must be below 16";
  const uint32_t threads = op.b == kNoSlot ? 0 : slot_of<uint32_t>(frame, constants, op.b)[lane];
  if (op.b != kNoSlot && (threads == 0 || threads % kLanes != 0)) {
    return "a barrier's thread count must be a positive multiple of 32";
  }
  Barrier& barrier = barriers[id];
  if (barrier.used && barrier.threads != threads) return "threads name different thread counts for one barrier";
  barrier.used = true;
  barrier.threads = threads;
  barrier.arrived[w] |= taken;
  if (order) order->arrive(id, w);
  if (op.c != kNoSlot) {
    const uint32_t flip = frame.function->aux[op.aux] ? ~0u : 0u;
    barrier.predicate[w] |= (*slot_of<uint32_t>(frame, constants, op.c) ^ flip) & taken;
  }
  if (op.imm == kArrive) {
    split.pc += 1;
  } else {
    split.state = Split::State::kBarrier;
    split.barrier = id;
    split.taking_part = taken;
  }
  open_if_complete(id);
  return nullptr;
}

void Block::open_if_complete(uint32_t id) {
  Barrier& barrier = barriers[id];
  if (!barrier.used) return;
  uint32_t complete = 0, population = 0, set = 0;
  bool all = true;
  for (size_t w = 0; w < warps.size(); ++w) {
    const uint32_t live = warps[w].live();
    // A warp that arrived and then exited (bar.arrive) still counts.
    const bool here = barrier.arrived[w] != 0 && (barrier.arrived[w] & live) == live;
    complete += here;
    all = all && (here || live == 0);
    population += static_cast<uint32_t>(std::popcount(barrier.arrived[w]));
    set += static_cast<uint32_t>(std::popcount(barrier.predicate[w]));
  }
  if (barrier.threads == 0 ? !all : complete * kLanes < barrier.threads) return;
  barrier = Barrier{};
  for (uint32_t w = 0; w < warps.size(); ++w) {
    for (Split& split : warps[w].splits()) {
      if (split.state != Split::State::kBarrier || split.barrier != id) continue;
      if (order) order->leave(id, w);
      const Op& op = split.frame->function->ops[split.pc];
      if (op.d != kNoSlot) {
        uint32_t* d = reinterpret_cast<uint32_t*>(split.frame->registers() + op.d);
        if (op.imm == kRedPopc) {
          for (uint32_t l = 0; l < kLanes; ++l) {
            if ((split.taking_part >> l) & 1) d[l] = set;
          }
        } else {
          const bool yes = op.imm == kRedAnd ? set == population : set != 0;
          *d = (*d & ~split.taking_part) | (yes ? split.taking_part : 0);
        }
      }
      split.state = Split::State::kReady;
      split.pc += 1;
    }
  }
  if (order) order->opened(id);
}

void Block::recheck_barriers() {
  for (uint32_t id = 0; id < barriers.size(); ++id) open_if_complete(id);
}

const char* Block::rendezvous(uint32_t w, size_t s, const Op& op, uint32_t taken, ExecContext& x) {
  Split& split = warps[w].splits()[s];
  const uint32_t* members = slot_of<uint32_t>(*split.frame, x.bank[1], split.frame->function->aux[op.aux]);
  const uint32_t mask = members[std::countr_zero(taken)];
  for (uint32_t m = taken; m != 0; m &= m - 1) {
    const int l = std::countr_zero(m);
    if (members[l] != mask) return "lanes that run together name different member masks";
    if (!((mask >> l) & 1)) return "a lane executes a .sync instruction whose member mask leaves it out";
  }
  split.state = Split::State::kRendezvous;
  split.members = mask;
  split.taking_part = taken;
  recheck_rendezvous(w, x);
  return nullptr;
}

void Block::recheck_rendezvous(uint32_t w, ExecContext& x) {
  std::vector<Split>& splits = warps[w].splits();
  for (size_t i = 0; i < splits.size(); ++i) {
    if (splits[i].state != Split::State::kRendezvous) continue;
    const Op& op = splits[i].frame->function->ops[splits[i].pc];
    std::vector<size_t> together;
    uint32_t present = 0;
    for (size_t k = 0; k < splits.size(); ++k) {
      if (splits[k].state != Split::State::kRendezvous || splits[k].members != splits[i].members) continue;
      const Op& other = splits[k].frame->function->ops[splits[k].pc];
      if (other.run != op.run || other.kind != op.kind || other.imm != op.imm) continue;
      together.push_back(k);
      present |= splits[k].taking_part;
    }
    if (present != (splits[i].members & warps[w].live())) continue;
    run_rendezvous(w, together, x);
    if (x.faulted) return;
  }
}

// Lanes may come from different instructions and frames: operands are gathered into one scratch frame, the operation
// runs once for all, and results are scattered back.
void Block::run_rendezvous(uint32_t w, const std::vector<size_t>& members, ExecContext& x) {
  std::vector<Split>& splits = warps[w].splits();
  const Op& model = splits[members[0]].frame->function->ops[splits[members[0]].pc];
  if (model.kind == OpKind::kWarp) {
    constexpr uint32_t kArea = 32 * 8;  // the widest operand: 32 × 64 bits
    enum { kD, kA, kB, kC, kP, kAreas };
    alignas(64) uint8_t scratch[kAreas * kArea] = {};
    DecodedFunction function;
    function.aux = {0, model.kind == OpKind::kWarp ? kP * kArea : kNoSlot};
    Op op = model;
    op.aux = 0;
    op.d = kD * kArea;
    op.a = model.a == kNoSlot ? kNoSlot : kA * kArea;
    op.b = model.b == kNoSlot ? kNoSlot : kB * kArea;
    op.c = model.c == kNoSlot ? kNoSlot : kC * kArea;
    // Op::bytes of a warp op: of a's element; 0 for a predicate.
    uint32_t mask = 0;
    for (size_t i : members) {
      const Split& split = splits[i];
      const Op& from = split.frame->function->ops[split.pc];
      mask |= split.taking_part;
      const auto gather = [&](uint32_t at, uint32_t to, uint32_t bytes) {
        if (at == kNoSlot) return;
        const uint8_t* source = slot_of<uint8_t>(*split.frame, x.bank[1], at);
        if (bytes == 0) {
          uint32_t value;
          std::memcpy(&value, source, 4);
          uint32_t merged;
          std::memcpy(&merged, scratch + to, 4);
          merged = (merged & ~split.taking_part) | (value & split.taking_part);
          std::memcpy(scratch + to, &merged, 4);
          return;
        }
        for (uint32_t m = split.taking_part; m != 0; m &= m - 1) {
          const uint32_t l = static_cast<uint32_t>(std::countr_zero(m));
          std::memcpy(scratch + to + l * bytes, source + l * bytes, bytes);
        }
      };
      gather(from.a, kA * kArea, from.bytes);
      gather(from.b, kB * kArea, 4);
      gather(from.c, kC * kArea, 4);
    }
    uint8_t* const registers = x.bank[0];
    const DecodedFunction* const current = x.function;
    x.bank[0] = scratch;
    x.function = &function;
    op.run(x, op, mask);
    x.bank[0] = registers;
    x.function = current;
    if (x.faulted) return;
    for (size_t i : members) {
      Split& split = splits[i];
      const Op& from = split.frame->function->ops[split.pc];
      const auto scatter_predicate = [&](uint32_t at, uint32_t source) {
        if (at == kNoSlot) return;
        uint32_t* p = reinterpret_cast<uint32_t*>(split.frame->registers() + at);
        uint32_t value;
        std::memcpy(&value, scratch + source, 4);
        *p = (*p & ~split.taking_part) | (value & split.taking_part);
      };
      // Op::flags kSat marks a warp op whose d is a predicate (vote.all/any/uni).
      if (from.flags & kSat) {
        scatter_predicate(from.d, kD * kArea);
      } else if (from.d != kNoSlot) {
        for (uint32_t m = split.taking_part; m != 0; m &= m - 1) {
          const uint32_t l = static_cast<uint32_t>(std::countr_zero(m));
          std::memcpy(split.frame->registers() + from.d + 4 * l, scratch + kD * kArea + 4 * l, 4);
        }
      }
      scatter_predicate(split.frame->function->aux[from.aux + 1], kP * kArea);
    }
  }
  if (order && model.kind == OpKind::kWarpSync) order->warp_sync(w);
  for (size_t i : members) {
    splits[i].state = Split::State::kReady;
    splits[i].pc += 1;
  }
}

}  // namespace tailor::virtual_device
