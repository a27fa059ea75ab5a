#include "runtime/torch/host_memory.h"

#include <algorithm>
#include <mutex>
#include <new>

#include <fmt/format.h>
#include <pthread.h>

#include "runtime/driver/driver.h"

namespace tailor::pytorch {
namespace {

std::mutex& launch_mutex() {
  static std::mutex* const only = [] {
    auto* made = new std::mutex;
    // Its holder, if there was one, does not exist in the child.
    pthread_atfork(nullptr, nullptr, [] { new (&launch_mutex()) std::mutex; });
    return made;
  }();
  return *only;
}

struct VirtualContext {
  const DriverTable* driver = nullptr;
  cu::CUcontext context = nullptr;
};

// The virtual device and its primary context, which is retained for the life of the process.
Expected<VirtualContext> open_virtual_context() {
  VirtualContext opened;
  TAILOR_ASSIGN_OR_RETURN(opened.driver, open_virtual_driver());
  const DriverTable& driver = *opened.driver;
  TAILOR_RETURN_IF_ERROR(check(driver, driver.cuInit(0), "cuInit"));
  TAILOR_RETURN_IF_ERROR(
      check(driver, driver.cuDevicePrimaryCtxRetain(&opened.context, 0), "cuDevicePrimaryCtxRetain"));
  return opened;
}

// Registered ranges, taken back in the destructor.
class Registration {
 public:
  explicit Registration(const DriverTable& driver) : driver_(driver) {}
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;
  ~Registration() {
    for (const HostRanges::Range* range = first_; range != last_; ++range) {
      driver_.cuMemHostUnregister(reinterpret_cast<void*>(range->begin));
    }
  }

  Status add(const HostRanges& ranges) {
    first_ = last_ = ranges.begin();
    for (; last_ != ranges.end(); ++last_) {
      const cu::CUresult result =
          driver_.cuMemHostRegister(reinterpret_cast<void*>(last_->begin), last_->end - last_->begin,
                                    last_->written ? 0 : cu::kHostRegisterReadOnly);
      if (result != cu::CUDA_SUCCESS) {
        return check(driver_, result, fmt::format("cuMemHostRegister([{:#x}, {:#x}))", last_->begin, last_->end));
      }
    }
    return {};
  }

 private:
  const DriverTable& driver_;
  const HostRanges::Range* first_ = nullptr;
  const HostRanges::Range* last_ = nullptr;
};

}  // namespace

void HostRanges::add(uint64_t begin, uint64_t bytes, bool written) {
  if (bytes == 0) return;
  Range merged{begin, begin + bytes, written};
  Range* const last = std::remove_if(ranges_.begin(), ranges_.begin() + count_, [&](const Range& range) {
    if (range.end <= merged.begin || merged.end <= range.begin) return false;
    merged = {std::min(merged.begin, range.begin), std::max(merged.end, range.end), merged.written || range.written};
    return true;
  });
  *last = merged;
  count_ = static_cast<int>(last - ranges_.begin()) + 1;
}

Status with_host_memory(const HostRanges& ranges, const std::function<Status()>& launch) {
  static const Expected<VirtualContext> opened = open_virtual_context();
  TAILOR_RETURN_IF_ERROR(opened.status());
  const DriverTable& driver = *opened->driver;
  const std::lock_guard lock(launch_mutex());
  TAILOR_RETURN_IF_ERROR(check(driver, driver.cuCtxSetCurrent(opened->context), "cuCtxSetCurrent"));
  Registration registration(driver);
  TAILOR_RETURN_IF_ERROR(registration.add(ranges));
  return launch();
}

}  // namespace tailor::pytorch
