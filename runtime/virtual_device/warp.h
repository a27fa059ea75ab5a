// The state of one warp as *splits*: sets of lanes that run together.
//
// A divergent branch makes two splits and a Join at the branch's immediate post-dominator. A split that reaches its
// join waits there until all lanes the join expects have come; they then go on as one. When nothing else in the warp
// can run (or a split has used up its quantum, e.g. spinning on a lock that a waiting lane holds), the lanes that wait
// at a join go on alone: independent thread scheduling, so that lanes of a warp may wait for each other. Among runnable
// splits the deepest frame and lowest pc runs first. Each call makes a Frame for the lanes that make it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/virtual_device/context.h"

namespace tailor::virtual_device {

struct Frame {
  const DecodedFunction* function = nullptr;
  std::vector<uint64_t> storage;  // registers and call parameters, 8-byte aligned
  Frame* parent = nullptr;
  const CallSite* site = nullptr;  // of the call, in the parent's function
  uint32_t return_pc = 0;
  uint32_t live = 0;  // lanes that have neither returned nor exited
  uint32_t depth = 0;
  uint32_t local_begin = kLocalBase;
  uint32_t local_end = kLocalBase;

  uint8_t* registers() { return reinterpret_cast<uint8_t*>(storage.data()); }
};

struct Join {
  Frame* frame = nullptr;
  uint32_t pc = 0;  // op index in frame's function, or kReturnPc
  Join* parent = nullptr;
  uint32_t expected = 0;  // lanes still alive that will pass here
  uint32_t arrived = 0;
};

struct Split {
  enum class State : uint8_t { kReady, kBarrier, kRendezvous };
  Frame* frame = nullptr;
  Join* join = nullptr;
  uint32_t pc = 0;
  uint32_t mask = 0;
  State state = State::kReady;
  bool yielded = false;      // has had its quantum in this turn
  uint32_t barrier = 0;      // kBarrier: which
  uint32_t members = 0;      // kRendezvous: the member mask
  uint32_t taking_part = 0;  // kBarrier, kRendezvous: lanes whose guard held
};

class Warp {
 public:
  // Starts at the entry with the lanes of `mask`.
  void start(const Program& program, uint32_t mask);

  uint32_t live() const { return live_; }
  std::vector<Split>& splits() { return splits_; }
  const std::vector<Split>& splits() const { return splits_; }

  // Index of the split to run next, or -1.
  int pick() const;
  // Lets the lanes that wait at joins go on alone; false when none wait.
  bool release_waiting();
  // Every split may run again.
  void clear_yields();

  // Parts split `s`: lanes `taken` go to `taken_pc`, the rest to `other_pc`; they meet at `join_pc`.
  void diverge(size_t s, uint32_t taken, uint32_t taken_pc, uint32_t other_pc, uint32_t join_pc);
  // Parts split `s` into one split per mask, all at its pc, to meet at `join_pc`. Returns the index of the first; the
  // others are at the end.
  void part(size_t s, const std::vector<uint32_t>& masks, uint32_t join_pc);
  // Split `s` stands before its join.
  void arrive(size_t s);
  // Calls with all lanes of split `s`. false: the local stack has no room below `local_limit`.
  bool call(size_t s, const DecodedFunction& callee, const CallSite& site, uint32_t local_limit);
  // ret by the lanes `taken` of split `s` (exit in the entry).
  void leave_function(size_t s, uint32_t taken);
  void exit_lanes(size_t s, uint32_t lanes);

 private:
  Frame* new_frame(const DecodedFunction& function);
  void drop_lanes_of_frame(Frame* frame, uint32_t lanes);
  Join* join_for(const Split& split, uint32_t join_pc);
  void settle(Join* join);
  void return_to_caller(Split split);
  void free_join(Join* join);

  std::vector<Split> splits_;
  std::vector<std::unique_ptr<Frame>> frames_, free_frames_;
  std::vector<std::unique_ptr<Join>> joins_, free_joins_;
  uint32_t live_ = 0;
};

}  // namespace tailor::virtual_device
