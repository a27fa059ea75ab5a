// Detects that the process is a fork of the one in which a Runtime was opened: the driver's state does not survive
// fork.
//
// Global state: one counter, raised in each child by a pthread_atfork handler. Threads: any.
#pragma once

#include <atomic>
#include <cstdint>

namespace tailor {

class ForkGuard {
 public:
  ForkGuard();  // the process now is the one that may use it
  bool forked() const { return generation_ != current_.load(std::memory_order_relaxed); }

 private:
  static std::atomic<uint32_t> current_;
  uint32_t generation_;
};

}  // namespace tailor
