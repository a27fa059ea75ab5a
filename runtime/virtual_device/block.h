// The state of one resident block, and what its warps do together: barriers and rendezvous. Used by executor.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/virtual_device/shared_order.h"
#include "runtime/virtual_device/warp.h"

namespace tailor::virtual_device {

// PTX ISA 9.7.13.1: a barrier counts whole warps; a warp has arrived once all its lanes that have not exited have.
struct Barrier {
  std::array<uint32_t, 32> arrived{};    // lanes, by warp
  std::array<uint32_t, 32> predicate{};  // bar.red: their predicates
  uint32_t threads = 0;                  // expected, a multiple of 32; 0: every warp with lanes left
  bool used = false;
};

struct Block {
  std::array<uint32_t, 3> id{};
  uint64_t index = 0;
  std::vector<Warp> warps;
  std::vector<uint8_t> shared, shared_valid;
  std::vector<uint8_t> local, local_valid;  // of all warps
  std::array<Barrier, 16> barriers;
  std::unique_ptr<SharedOrder> order;  // null: not checked

  // Split `s` of warp `w` has reached bar/barrier `op` with lanes `taken`. nullptr, or the rule that was broken.
  const char* arrive_at_barrier(uint32_t w, size_t s, const Op& op, uint32_t taken, const uint8_t* constants);
  // After lanes exited: barriers they no longer hold up open.
  void recheck_barriers();
  // Split `s` of warp `w` waits for the other lanes of its member mask. Runs the operation when all are there.
  const char* rendezvous(uint32_t w, size_t s, const Op& op, uint32_t taken, ExecContext& x);
  // After lanes exited.
  void recheck_rendezvous(uint32_t w, ExecContext& x);

 private:
  void open_if_complete(uint32_t id);
  void run_rendezvous(uint32_t w, const std::vector<size_t>& splits, ExecContext& x);
};

// Reads an operand slot for a frame.
template <class T>
inline const T* slot_of(const Frame& frame, const uint8_t* constants, uint32_t at) {
  const uint8_t* base = at & kConstantBank ? constants : reinterpret_cast<const uint8_t*>(frame.storage.data());
  return reinterpret_cast<const T*>(base + (at & ~kConstantBank));
}

}  // namespace tailor::virtual_device
