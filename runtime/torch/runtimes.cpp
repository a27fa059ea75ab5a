#include "runtime/torch/runtimes.h"

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <pthread.h>

namespace tailor::pytorch {
namespace {

constexpr int kDevices = 129;  // the CPU and CUDA ordinals 0 … 127

struct Registry {
  std::mutex mutex;  // covers options and the opening of Runtimes
  RuntimeOptions options;
  std::array<std::atomic<Runtime*>, kDevices> open{};
};

// Never destroyed: see the header.
Registry& registry() {
  static Registry* const only = [] {
    auto* made = new Registry;
    pthread_atfork(nullptr, nullptr, [] {
      Registry& inherited = registry();
      new (&inherited.mutex) std::mutex;  // its holder, if there was one, does not exist in the child
      for (auto& runtime : inherited.open) runtime.store(nullptr, std::memory_order_relaxed);
    });
    return made;
  }();
  return *only;
}

std::atomic<Runtime*>* slot(DeviceIndex device) {
  const int index = device.ordinal + 1;
  return index < 0 || index >= kDevices ? nullptr : &registry().open[static_cast<size_t>(index)];
}

}  // namespace

void configure(RuntimeOptions options) {
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  r.options = std::move(options);
  for (auto& runtime : r.open) runtime.store(nullptr, std::memory_order_release);
}

Expected<Runtime*> runtime_of(DeviceIndex device) {
  std::atomic<Runtime*>* const place = slot(device);
  if (place == nullptr) {
    return invalid_argument(fmt::format("the CUDA device's index is {}; it must be below 128", device.ordinal));
  }
  if (Runtime* runtime = place->load(std::memory_order_acquire)) [[likely]]
    return runtime;
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  if (Runtime* runtime = place->load(std::memory_order_acquire)) return runtime;
  RuntimeOptions options = r.options;
  options.device = device.cpu() ? "virtual" : "cuda";
  options.ordinal = device.cpu() ? 0 : device.ordinal;
  TAILOR_ASSIGN_OR_RETURN(std::unique_ptr<Runtime> opened, Runtime::open(options));
  Runtime* const runtime = opened.release();
  place->store(runtime, std::memory_order_release);
  return runtime;
}

Runtime* open_runtime_of(DeviceIndex device) {
  std::atomic<Runtime*>* const place = slot(device);
  return place ? place->load(std::memory_order_acquire) : nullptr;
}

}  // namespace tailor::pytorch
