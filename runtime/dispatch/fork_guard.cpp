#include "runtime/dispatch/fork_guard.h"

#include <pthread.h>

namespace tailor {

std::atomic<uint32_t> ForkGuard::current_{0};

ForkGuard::ForkGuard() {
  static const int registered =
      pthread_atfork(nullptr, nullptr, [] { current_.fetch_add(1, std::memory_order_relaxed); });
  static_cast<void>(registered);
  generation_ = current_.load(std::memory_order_relaxed);
}

}  // namespace tailor
