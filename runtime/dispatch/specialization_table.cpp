#include "runtime/dispatch/specialization_table.h"

namespace tailor {

SpecializationTable::SpecializationTable() {
  constexpr size_t kFirstCapacity = 64;
  arrays_.push_back(std::make_unique<Array>(kFirstCapacity));
  current_.store(arrays_.back().get(), std::memory_order_release);
}

void SpecializationTable::Array::place(const LaunchableKernel* kernel) {
  size_t i = kernel->key.hash() & mask;
  while (slots[i].load(std::memory_order_relaxed) != nullptr) i = (i + 1) & mask;
  slots[i].store(kernel, std::memory_order_release);
}

const LaunchableKernel* SpecializationTable::insert(std::unique_ptr<LaunchableKernel> kernel) {
  const std::lock_guard lock(mutex_);
  if (const LaunchableKernel* present = find(kernel->key)) return present;
  const LaunchableKernel* added = kernel.get();
  kernels_.push_back(std::move(kernel));
  Array* array = arrays_.back().get();
  const size_t capacity = array->mask + 1;
  if (kernels_.size() * 2 <= capacity) {
    array->place(added);
    return added;
  }
  arrays_.push_back(std::make_unique<Array>(capacity * 2));
  for (const auto& k : kernels_) arrays_.back()->place(k.get());
  current_.store(arrays_.back().get(), std::memory_order_release);
  return added;
}

size_t SpecializationTable::size() const {
  const std::lock_guard lock(mutex_);
  return kernels_.size();
}

}  // namespace tailor
