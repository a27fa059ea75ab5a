// Loads images into the device's primary context: library, function, occupancy, all before a kernel is published, so
// that a launch (and a capture) never loads anything.
//
// Ownership: owns the primary context's reference and every library until destroyed. Threads: any. Errors: kDriver with
// the call and, for PTX, the driver's compiler log.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/dispatch/fork_guard.h"
#include "runtime/driver/driver.h"
#include "runtime/ops/launch_plan.h"
#include "tailor/status.h"
#include "tailor/types.h"

namespace tailor {

// Makes `context` current for its lifetime; what was current before is restored.
class ContextScope {
 public:
  ContextScope(const DriverTable& driver, cu::CUcontext context) : driver_(driver) {
    if (driver.cuCtxGetCurrent(&previous_) == cu::CUDA_SUCCESS && previous_ == context) [[likely]]
      return;
    result_ = driver.cuCtxSetCurrent(context);
    switched_ = result_ == cu::CUDA_SUCCESS;
  }
  ~ContextScope() {
    if (switched_) [[unlikely]]
      driver_.cuCtxSetCurrent(previous_);
  }
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;
  cu::CUresult result() const { return result_; }

 private:
  const DriverTable& driver_;
  cu::CUcontext previous_ = nullptr;
  cu::CUresult result_ = cu::CUDA_SUCCESS;
  bool switched_ = false;
};

enum class ImageKind : uint8_t { kCubin, kPtx };

class KernelLoader {
 public:
  // Initialises the driver, checks the ordinal and retains the primary context.
  static Expected<std::unique_ptr<KernelLoader>> open(const DriverTable& driver, int ordinal);
  ~KernelLoader();
  KernelLoader(const KernelLoader&) = delete;
  KernelLoader& operator=(const KernelLoader&) = delete;

  const DriverTable& driver() const { return driver_; }
  cu::CUcontext context() const { return context_; }
  bool forked() const { return fork_guard_.forked(); }
  // The virtual device executes PTX only.
  bool takes_cubins() const { return takes_cubins_; }
  // As cuDriverGetVersion counts (12040); 0 where the driver does not say.
  uint32_t driver_version() const { return driver_version_; }
  // The best architecture of ours for this device. kUnsupported below compute capability 8.0.
  Expected<Arch> default_arch() const;
  // kUnsupported if code for `arch` cannot run here. Architecture-specific targets ("a") run on their own capability
  // only; the others also run, through PTX, on later ones.
  Status check_arch(Arch arch) const;

  struct Loaded {
    cu::CUfunction function = nullptr;
    DeviceNumbers device;
  };
  // `image` holds a whole cubin or PTX text.
  Expected<Loaded> load(ImageKind kind, const std::string& image, const std::string& entry, uint32_t block_threads,
                        uint32_t dynamic_shared_bytes);
  // The numbers of a function already loaded, for another block shape.
  Expected<DeviceNumbers> occupancy(cu::CUfunction function, uint32_t block_threads, uint32_t dynamic_shared_bytes);

  // True if `stream` is being captured.
  bool capturing(cu::CUstream stream) const;

 private:
  KernelLoader(const DriverTable& driver, cu::CUdevice device) : driver_(driver), device_(device) {}
  Status start();

  const DriverTable& driver_;
  cu::CUdevice device_;
  cu::CUcontext context_ = nullptr;
  ForkGuard fork_guard_;
  bool takes_cubins_ = true;
  uint32_t driver_version_ = 0;
  int major_ = 0, minor_ = 0, sm_count_ = 1;
  std::mutex mutex_;
  std::vector<cu::CUlibrary> libraries_;  // guarded by mutex_
};

}  // namespace tailor
