#include "runtime/virtual_device/shared_order.h"

#include <algorithm>
#include <bit>

#include "runtime/virtual_device/context.h"

namespace tailor::virtual_device {

SharedOrder::SharedOrder(uint32_t bytes, uint32_t warps)
    : warps_(warps), seen_(warps), words_((bytes + 3) / 4), bytes_(words_.size() * 4), split_(words_.size()) {}

// Time runs on: what is remembered of the block before is older than everything seen.
void SharedOrder::start_block() {
  now_ += 1;
  if (now_ > UINT32_MAX / 2) {
    *this = SharedOrder(static_cast<uint32_t>(bytes_.size()), warps_);
    return;
  }
  for (Clock& clock : seen_) clock.fill(now_);
  for (Clock& clock : at_barrier_) clock.fill(0);
}

std::optional<SharedOrder::Conflict> SharedOrder::touch(const Access& access, const uint64_t* address, uint32_t mask,
                                                        uint32_t bytes) {
  Conflict conflict;
  for (uint32_t m = mask; m != 0; m &= m - 1) {
    conflict.lane = static_cast<uint32_t>(std::countr_zero(m));
    const auto thread = static_cast<uint16_t>(32 * access.warp + conflict.lane);
    const auto first = static_cast<uint32_t>(address[conflict.lane]);
    for (uint32_t at = first, end = first + bytes; at < end;) {
      const uint32_t word = at / 4;
      const bool whole = at % 4 == 0 && end - at >= 4;
      if (whole && !split_[word]) {
        Cell& cell = words_[word];
        if ((cell.writer == thread || cell.writer == kNobody) && (cell.reader == thread || cell.reader == kNobody) &&
            !access.strong) {
          // The thread's own word, the usual case.
          if (access.writes) {
            cell = {now_, 0, thread, kNobody, false, false};
          } else {
            cell.read_time = now_;
            cell.reader = thread;
            cell.plain_read = true;
          }
        } else if (!touch_cell(cell, access, thread, conflict)) {
          return conflict;
        }
        at += 4;
        continue;
      }
      if (!split_[word]) split(word);
      if (!touch_cell(bytes_[at], access, thread, conflict)) return conflict;
      at += 1;
    }
  }
  // A later access of this warp is not part of what a reader of this write has seen.
  if (access.strong && access.writes) now_ += 1;
  return std::nullopt;
}

void SharedOrder::split(uint32_t word) {
  Cell& cell = words_[word];
  for (uint32_t k = 0; k < 4; ++k) {
    bytes_[4 * word + k] = cell;
    if (k > 0 && cell.reader != kNobody && (cell.reader & kListed)) {
      readers_.push_back(Readers(readers_[cell.read_time]));
      bytes_[4 * word + k].read_time = static_cast<uint32_t>(readers_.size() - 1);
    }
  }
  cell = Cell{};
  split_[word] = 1;
}

// false: it conflicts.
bool SharedOrder::touch_cell(Cell& cell, const Access& access, uint16_t thread, Conflict& conflict) {
  Clock& seen = seen_[access.warp];
  if (cell.writer != kNobody && cell.writer != thread) {
    const uint32_t writer = cell.writer / 32u;
    if (cell.strong_write && access.strong) {
      if (access.reads) {
        for (uint32_t u = 0; u < warps_; ++u)
          if (u != writer) seen[u] = std::max(seen[u], seen_[writer][u]);
        seen[writer] = std::max(seen[writer], cell.write_time + 1);
      }
    } else if (cell.write_time >= seen[writer]) {
      conflict.other_thread = cell.writer;
      conflict.other_wrote = true;
      return false;
    }
  }
  if (access.writes) {
    if ((!access.strong || cell.plain_read) && conflicts_with_read(cell, access.warp, thread, conflict)) return false;
    forget_readers(cell);
    cell.writer = thread;
    cell.write_time = now_;
    cell.strong_write = access.strong;
    return true;
  }
  cell.plain_read = cell.plain_read || !access.strong;
  if (cell.reader != thread) {
    add_reader(cell, access.warp, thread);
  } else {
    cell.read_time = now_;
  }
  return true;
}

bool SharedOrder::unordered_read(uint16_t reader, uint32_t time, uint32_t warp, uint16_t thread,
                                 Conflict& conflict) const {
  if (reader == kNobody || reader == thread || time < seen_[warp][warp_of(reader)]) return false;
  conflict.other_thread = reader;
  if (reader & kLanesOf) {
    conflict.other_thread = 32 * warp_of(reader);
    conflict.other_thread += conflict.other_thread == thread;
  }
  conflict.other_wrote = false;
  return true;
}

bool SharedOrder::conflicts_with_read(const Cell& cell, uint32_t warp, uint16_t thread, Conflict& conflict) const {
  if (cell.reader == kNobody) return false;
  if (!(cell.reader & kListed)) return unordered_read(cell.reader, cell.read_time, warp, thread, conflict);
  const Readers& readers = readers_[cell.read_time];
  for (uint32_t u = 0; u < warps_; ++u)
    if (unordered_read(readers.who[u], readers.time[u], warp, thread, conflict)) return true;
  return false;
}

// Both of one warp.
uint16_t SharedOrder::joined(uint16_t reader, uint16_t thread) {
  return reader == kNobody || reader == thread ? thread : static_cast<uint16_t>(kLanesOf | (thread / 32u));
}

void SharedOrder::add_reader(Cell& cell, uint32_t warp, uint16_t thread) {
  if (cell.reader != kNobody && (cell.reader & kListed)) {
    Readers& readers = readers_[cell.read_time];
    readers.who[warp] = readers.time[warp] < seen_[warp][warp] ? thread : joined(readers.who[warp], thread);
    readers.time[warp] = now_;
    return;
  }
  if (cell.reader == kNobody || cell.read_time < seen_[warp][warp_of(cell.reader)]) {
    cell.reader = thread;
    cell.read_time = now_;
    return;
  }
  if (warp_of(cell.reader) == warp) {
    cell.reader = joined(cell.reader, thread);
    cell.read_time = now_;
    return;
  }
  uint32_t list = static_cast<uint32_t>(readers_.size());
  if (free_readers_.empty()) {
    readers_.emplace_back();
  } else {
    list = free_readers_.back();
    free_readers_.pop_back();
  }
  Readers& readers = readers_[list];
  readers.who.fill(kNobody);
  readers.time.fill(0);
  readers.who[warp_of(cell.reader)] = cell.reader;
  readers.time[warp_of(cell.reader)] = cell.read_time;
  readers.who[warp] = thread;
  readers.time[warp] = now_;
  cell.reader = kListed;
  cell.read_time = list;
}

void SharedOrder::forget_readers(Cell& cell) {
  if (cell.reader != kNobody && (cell.reader & kListed)) free_readers_.push_back(cell.read_time);
  cell.reader = kNobody;
  cell.plain_read = false;
}

// Accesses before have times up to now; those after have later ones.
void SharedOrder::arrive(uint32_t barrier, uint32_t warp) {
  Clock& seen = at_barrier_[barrier];
  for (uint32_t u = 0; u < warps_; ++u) seen[u] = std::max(seen[u], seen_[warp][u]);
  now_ += 1;
  seen[warp] = now_;
}

void SharedOrder::leave(uint32_t barrier, uint32_t warp) {
  Clock& seen = seen_[warp];
  for (uint32_t u = 0; u < warps_; ++u) seen[u] = std::max(seen[u], at_barrier_[barrier][u]);
}

void SharedOrder::opened(uint32_t barrier) { at_barrier_[barrier].fill(0); }

void SharedOrder::warp_sync(uint32_t warp) { seen_[warp][warp] = ++now_; }

void order_warp(ExecContext& x) { x.order->warp_sync(x.warp_id); }

bool order_shared(ExecContext& x, const Op& op, const uint64_t* address, uint32_t mask, bool reads, bool writes) {
  uint64_t offsets[kLanes];
  for (uint32_t l = 0; l < kLanes; ++l) offsets[l] = address[l] - kSharedBase;
  const SharedOrder::Access access{x.warp_id, reads, writes, (op.flags & kStrong) != 0};
  const auto conflict = x.order->touch(access, offsets, mask, op.bytes);
  if (!conflict) return true;
  x.faulted = true;
  x.fault = {ReportKind::kRace, conflict->lane, address[conflict->lane], op.bytes, AccessSpace::kShared, writes};
  x.fault.other_thread = conflict->other_thread;
  x.fault.other_wrote = conflict->other_wrote;
  return false;
}

}  // namespace tailor::virtual_device
