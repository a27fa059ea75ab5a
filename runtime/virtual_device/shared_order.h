// Which accesses to a block's shared memory are ordered: finds two threads that touch the same byte, one of them
// writing, with nothing between that makes one see the other.
//
// Example: warp 0 stores to s[0], warp 1 loads s[0]. Without a barrier between: a conflict, whichever ran first here.
// With `bar.sync 0` between them, or when warp 0 does bar.arrive on a barrier that warp 1 then syncs on: none.
//
// Method (vector clocks per warp, as in FastTrack, Flanagan and Freund 2009): time advances at every arrival; a word
// remembers the time and thread of its last write and of the reads since; an access of warp u at time t is ordered
// before what warp w does now when t < seen[w][u]. Orders come from barriers (arrive, sync, red), from bar.warp.sync
// within a warp, and from a strong access (atomics, volatile, relaxed, acquire, release) that reads what another strong
// one wrote. Two strong accesses never conflict. Flags and locks in global memory are not followed: a kernel that
// orders its shared accesses by them alone is reported. bar.warp.sync counts for all lanes of the warp whatever its
// member mask.
//
// Ownership: one per resident block. Threads: none.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace tailor::virtual_device {

class SharedOrder {
 public:
  struct Access {
    uint32_t warp = 0;
    bool reads = false;
    bool writes = false;
    bool strong = false;
  };
  struct Conflict {
    uint32_t lane = 0;          // of the access that was asked about
    uint32_t other_thread = 0;  // linear index in the block; of several readers, one
    bool other_wrote = false;
  };

  SharedOrder(uint32_t bytes, uint32_t warps);

  // A new block: everything before is ordered.
  void start_block();

  // Lane l of `mask` touches `bytes` bytes at address[l], counted from the first shared byte; all lie inside.
  std::optional<Conflict> touch(const Access& access, const uint64_t* address, uint32_t mask, uint32_t bytes);

  // A warp arrives at barrier 0 … 15, and leaves it once it has opened; `opened` follows the last `leave`.
  void arrive(uint32_t barrier, uint32_t warp);
  void leave(uint32_t barrier, uint32_t warp);
  void opened(uint32_t barrier);
  void warp_sync(uint32_t warp);

 private:
  static constexpr uint32_t kMostWarps = 32;
  static constexpr uint16_t kNobody = 0xFFFF;
  // Cell::reader beside a thread's index: several lanes of warp (value & 31), or several warps: readers_[read_time].
  static constexpr uint16_t kLanesOf = 0x4000;
  static constexpr uint16_t kListed = 0x8000;
  using Clock = std::array<uint32_t, kMostWarps>;

  // Of one 4-byte word, or one byte of a word that was touched in parts.
  struct Cell {
    uint32_t write_time = 0;
    uint32_t read_time = 0;
    uint16_t writer = kNobody;
    uint16_t reader = kNobody;
    bool strong_write = false;
    bool plain_read = false;  // some read since the last write was not strong
  };
  struct Readers {
    Clock time{};
    std::array<uint16_t, kMostWarps> who{};  // a thread, kLanesOf | warp, or kNobody
  };

  bool touch_cell(Cell& cell, const Access& access, uint16_t thread, Conflict& conflict);
  bool conflicts_with_read(const Cell& cell, uint32_t warp, uint16_t thread, Conflict& conflict) const;
  bool unordered_read(uint16_t reader, uint32_t time, uint32_t warp, uint16_t thread, Conflict& conflict) const;
  void add_reader(Cell& cell, uint32_t warp, uint16_t thread);
  void forget_readers(Cell& cell);
  void split(uint32_t word);
  static uint16_t joined(uint16_t reader, uint16_t thread);
  static uint32_t warp_of(uint16_t reader) { return reader & kLanesOf ? reader & 31u : reader / 32u; }

  uint32_t warps_;
  uint32_t now_ = 1;
  std::vector<Clock> seen_;             // by warp
  std::array<Clock, 16> at_barrier_{};  // what those who arrived have seen
  std::vector<Cell> words_;
  std::vector<Cell> bytes_;     // of split words
  std::vector<uint8_t> split_;  // by word
  std::vector<Readers> readers_;
  std::vector<uint32_t> free_readers_;
};

}  // namespace tailor::virtual_device
