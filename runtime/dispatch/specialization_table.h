// Key → kernel: the table that every launch reads.
//
// Open addressing with linear probing over an array of pointers. Readers take no lock and write nothing: they load the
// array, then slots, with acquire. Writers hold a mutex; a slot is set once and never changes, a kernel is complete
// before its slot is set, and growth publishes a new array while the old ones stay alive, so a reader in an old array
// at worst misses an insertion that it raced with. Ownership: owns the kernels until destruction.
// Threads: find and insert from any.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/bucket/key.h"
#include "runtime/dispatch/packed_plan.h"
#include "runtime/driver/cuda_api.h"
#include "runtime/ops/launch_plan.h"

namespace tailor {

// A kernel that can be launched at once.
struct LaunchableKernel {
  Key key;
  cu::CUfunction function = nullptr;
  DeviceNumbers device;
  PackedPlan plan;
};

class SpecializationTable {
 public:
  SpecializationTable();

  const LaunchableKernel* find(const Key& key) const {
    const Array& array = *current_.load(std::memory_order_acquire);
    for (size_t i = key.hash() & array.mask;; i = (i + 1) & array.mask) {
      const LaunchableKernel* kernel = array.slots[i].load(std::memory_order_acquire);
      if (kernel == nullptr || kernel->key == key) return kernel;
    }
  }

  // The kernel now in the table under its key: this one, or one that was there before.
  const LaunchableKernel* insert(std::unique_ptr<LaunchableKernel> kernel);

  size_t size() const;

 private:
  struct Array {
    explicit Array(size_t capacity) : mask(capacity - 1), slots(new std::atomic<const LaunchableKernel*>[capacity]()) {}
    void place(const LaunchableKernel* kernel);
    const size_t mask;  // capacity - 1; the capacity is a power of two, at most half full
    const std::unique_ptr<std::atomic<const LaunchableKernel*>[]> slots;
  };

  std::atomic<const Array*> current_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Array>> arrays_;              // guarded by mutex_; the last is current
  std::vector<std::unique_ptr<LaunchableKernel>> kernels_;  // guarded by mutex_
};

}  // namespace tailor
