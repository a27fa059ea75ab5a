#include "runtime/virtual_device/warp.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tailor::virtual_device {
namespace {

// Moves one owned object from a list to another.
template <class T>
void move_owned(std::vector<std::unique_ptr<T>>& from, std::vector<std::unique_ptr<T>>& to, T* object) {
  const auto at = std::find_if(from.begin(), from.end(), [&](const auto& p) { return p.get() == object; });
  to.push_back(std::move(*at));
  from.erase(at);
}

void copy_planes(uint8_t* to, const uint8_t* from, uint32_t planes, uint32_t mask) {
  if (mask == ~0u) {
    std::memcpy(to, from, size_t{planes} * 128);
    return;
  }
  for (uint32_t p = 0; p < planes; ++p) {
    for (uint32_t m = mask; m != 0; m &= m - 1) {
      const size_t at = size_t{p} * 128 + 4 * static_cast<size_t>(std::countr_zero(m));
      std::memcpy(to + at, from + at, 4);
    }
  }
}

}  // namespace

void Warp::start(const Program& program, uint32_t mask) {
  splits_.clear();
  while (!frames_.empty()) move_owned(frames_, free_frames_, frames_.back().get());
  while (!joins_.empty()) move_owned(joins_, free_joins_, joins_.back().get());
  live_ = mask;
  Split split;
  split.frame = new_frame(program.functions[0]);
  split.frame->live = mask;
  split.frame->local_end = kLocalBase + program.functions[0].local_bytes;
  split.mask = mask;
  splits_.push_back(split);
}

Frame* Warp::new_frame(const DecodedFunction& function) {
  std::unique_ptr<Frame> frame;
  if (free_frames_.empty()) {
    frame = std::make_unique<Frame>();
  } else {
    frame = std::move(free_frames_.back());
    free_frames_.pop_back();
  }
  std::vector<uint64_t> storage = std::move(frame->storage);
  *frame = Frame{};
  storage.assign(function.frame_bytes / 8 + 1, 0);
  frame->storage = std::move(storage);
  frame->function = &function;
  frames_.push_back(std::move(frame));
  return frames_.back().get();
}

void Warp::drop_lanes_of_frame(Frame* frame, uint32_t lanes) {
  frame->live &= ~lanes;
  if (frame->live == 0) move_owned(frames_, free_frames_, frame);
}

void Warp::free_join(Join* join) { move_owned(joins_, free_joins_, join); }

int Warp::pick() const {
  int best = -1;
  for (size_t i = 0; i < splits_.size(); ++i) {
    const Split& s = splits_[i];
    if (s.state != Split::State::kReady || s.yielded) continue;
    if (best >= 0) {
      const Split& b = splits_[static_cast<size_t>(best)];
      if (b.frame->depth > s.frame->depth || (b.frame->depth == s.frame->depth && b.pc <= s.pc)) continue;
    }
    best = static_cast<int>(i);
  }
  return best;
}

void Warp::clear_yields() {
  for (Split& s : splits_) s.yielded = false;
}

bool Warp::release_waiting() {
  bool any = false;
  // Releasing adds no join, but a return may free some.
  std::vector<Join*> waiting;
  for (const auto& join : joins_) {
    if (join->arrived != 0) waiting.push_back(join.get());
  }
  for (Join* join : waiting) {
    Split split;
    split.frame = join->frame;
    split.pc = join->pc;
    split.mask = join->arrived;
    split.join = join->parent;
    join->expected &= ~join->arrived;
    join->arrived = 0;
    any = true;
    if (split.pc == kReturnPc) {
      return_to_caller(split);
    } else {
      splits_.push_back(split);
    }
  }
  return any;
}

Join* Warp::join_for(const Split& split, uint32_t join_pc) {
  // Lanes that leave the entry together have nothing to do afterwards.
  if (join_pc == kReturnPc && split.frame->parent == nullptr) return split.join;
  // A loop that parts again and again meets at one place.
  if (split.join && split.join->frame == split.frame && split.join->pc == join_pc) return split.join;
  std::unique_ptr<Join> join;
  if (free_joins_.empty()) {
    join = std::make_unique<Join>();
  } else {
    join = std::move(free_joins_.back());
    free_joins_.pop_back();
  }
  *join = Join{split.frame, join_pc, split.join, split.mask, 0};
  joins_.push_back(std::move(join));
  return joins_.back().get();
}

void Warp::diverge(size_t s, uint32_t taken, uint32_t taken_pc, uint32_t other_pc, uint32_t join_pc) {
  Join* join = join_for(splits_[s], join_pc);
  Split other = splits_[s];
  other.join = join;
  other.mask &= ~taken;
  other.pc = other_pc;
  splits_[s].join = join;
  splits_[s].mask = taken;
  splits_[s].pc = taken_pc;
  splits_.push_back(other);
}

void Warp::part(size_t s, const std::vector<uint32_t>& masks, uint32_t join_pc) {
  Join* join = join_for(splits_[s], join_pc);
  splits_[s].join = join;
  for (size_t i = 0; i < masks.size(); ++i) {
    Split split = splits_[s];
    split.mask = masks[i];
    if (i == 0) {
      splits_[s].mask = masks[0];
    } else {
      splits_.push_back(split);
    }
  }
}

void Warp::settle(Join* join) {
  if (join->arrived != join->expected) return;
  const Join done = *join;
  free_join(join);
  if (done.arrived == 0) return;
  Split split;
  split.frame = done.frame;
  split.pc = done.pc;
  split.mask = done.arrived;
  split.join = done.parent;
  if (split.pc == kReturnPc) {
    return_to_caller(split);
  } else {
    splits_.push_back(split);
  }
}

void Warp::arrive(size_t s) {
  const Split split = splits_[s];
  splits_.erase(splits_.begin() + static_cast<ptrdiff_t>(s));
  split.join->arrived |= split.mask;
  settle(split.join);
}

bool Warp::call(size_t s, const DecodedFunction& callee, const CallSite& site, uint32_t local_limit) {
  Frame* caller = splits_[s].frame;
  const uint32_t begin = (caller->local_end + 15) / 16 * 16;
  if (callee.local_bytes > local_limit || begin > local_limit - callee.local_bytes) return false;
  Frame* frame = new_frame(callee);
  frame->parent = caller;
  frame->site = &site;
  frame->return_pc = splits_[s].pc + 1;
  frame->live = splits_[s].mask;
  frame->depth = caller->depth + 1;
  frame->local_begin = begin;
  frame->local_end = begin + callee.local_bytes;
  for (size_t i = 0; i < callee.parameters.size(); ++i) {
    copy_planes(frame->registers() + callee.parameters[i].slot, caller->registers() + site.arguments[i].slot,
                callee.parameters[i].planes, splits_[s].mask);
  }
  splits_[s].frame = frame;
  splits_[s].pc = 0;
  return true;
}

void Warp::return_to_caller(Split split) {
  Frame* frame = split.frame;
  Frame* caller = frame->parent;
  for (size_t i = 0; i < frame->site->results.size(); ++i) {
    copy_planes(caller->registers() + frame->site->results[i].slot,
                frame->registers() + frame->function->returns[i].slot, frame->site->results[i].planes, split.mask);
  }
  split.frame = caller;
  split.pc = frame->return_pc;
  drop_lanes_of_frame(frame, split.mask);
  splits_.push_back(split);
}

void Warp::leave_function(size_t s, uint32_t taken) {
  if (splits_[s].frame->parent == nullptr) return exit_lanes(s, taken);
  if (taken != splits_[s].mask) return diverge(s, taken, kReturnPc, splits_[s].pc + 1, kReturnPc);
  Split split = splits_[s];
  splits_.erase(splits_.begin() + static_cast<ptrdiff_t>(s));
  split.pc = kReturnPc;
  // Joins of this frame that lie before the return expect these lanes no more.
  while (split.join && split.join->frame == split.frame) {
    Join* join = split.join;
    if (join->pc == kReturnPc) {
      join->arrived |= split.mask;
      return settle(join);
    }
    split.join = join->parent;
    join->expected &= ~split.mask;
    settle(join);
  }
  return_to_caller(split);
}

void Warp::exit_lanes(size_t s, uint32_t lanes) {
  live_ &= ~lanes;
  const Split split = splits_[s];
  splits_[s].mask &= ~lanes;
  splits_[s].pc += 1;
  if (splits_[s].mask == 0) splits_.erase(splits_.begin() + static_cast<ptrdiff_t>(s));
  for (Frame* frame = split.frame; frame != nullptr;) {
    Frame* parent = frame->parent;
    drop_lanes_of_frame(frame, lanes);
    frame = parent;
  }
  for (Join* join = split.join; join != nullptr;) {
    Join* parent = join->parent;
    join->expected &= ~lanes;
    settle(join);
    join = parent;
  }
}

}  // namespace tailor::virtual_device
