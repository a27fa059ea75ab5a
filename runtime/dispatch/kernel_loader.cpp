#include "runtime/dispatch/kernel_loader.h"

#include <array>
#include <memory>
#include <string_view>

#include <fmt/format.h>

namespace tailor {
namespace {

// Lets this thread load modules while some other stream of the process is being captured in global mode.
class RelaxedCapture {
 public:
  explicit RelaxedCapture(const DriverTable& driver) : driver_(driver) {
    exchanged_ = driver.cuThreadExchangeStreamCaptureMode(&mode_) == cu::CUDA_SUCCESS;
  }
  ~RelaxedCapture() {
    if (exchanged_) driver_.cuThreadExchangeStreamCaptureMode(&mode_);
  }
  RelaxedCapture(const RelaxedCapture&) = delete;
  RelaxedCapture& operator=(const RelaxedCapture&) = delete;

 private:
  const DriverTable& driver_;
  cu::CUstreamCaptureMode mode_ = cu::CU_STREAM_CAPTURE_MODE_RELAXED;
  bool exchanged_ = false;
};

struct Capability {
  Arch arch;
  int major, minor;
};
constexpr Capability kCapabilities[] = {
#define X(name, text, major, minor) {Arch::name, major, minor},
    TAILOR_ARCHS(X)
#undef X
};

bool architecture_specific(Arch arch) { return to_string(arch).ends_with('a'); }

bool runs_on(const Capability& c, int major, int minor) {
  if (architecture_specific(c.arch)) return c.major == major && c.minor == minor;
  return c.major < major || (c.major == major && c.minor <= minor);
}

}  // namespace

Expected<std::unique_ptr<KernelLoader>> KernelLoader::open(const DriverTable& driver, int ordinal) {
  TAILOR_RETURN_IF_ERROR(check(driver, driver.cuInit(0), "cuInit"));
  int count = 0;
  TAILOR_RETURN_IF_ERROR(check(driver, driver.cuDeviceGetCount(&count), "cuDeviceGetCount"));
  if (ordinal < 0 || ordinal >= count) {
    return invalid_argument(fmt::format("device ordinal is {}; the driver has {} device(s)", ordinal, count));
  }
  cu::CUdevice device = 0;
  TAILOR_RETURN_IF_ERROR(check(driver, driver.cuDeviceGet(&device, ordinal), "cuDeviceGet"));
  std::unique_ptr<KernelLoader> loader(new KernelLoader(driver, device));
  TAILOR_RETURN_IF_ERROR(loader->start());
  return loader;
}

Status KernelLoader::start() {
  takes_cubins_ = std::string_view(driver_.name) != "virtual";
  int version = 0;
  if (driver_.cuDriverGetVersion(&version) == cu::CUDA_SUCCESS) driver_version_ = static_cast<uint32_t>(version);
  const std::pair<int*, cu::CUdevice_attribute> attributes[] = {
      {&major_, cu::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR},
      {&minor_, cu::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR},
      {&sm_count_, cu::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT}};
  for (const auto& [value, attribute] : attributes) {
    TAILOR_RETURN_IF_ERROR(
        check(driver_, driver_.cuDeviceGetAttribute(value, attribute, device_), "cuDeviceGetAttribute"));
  }
  return check(driver_, driver_.cuDevicePrimaryCtxRetain(&context_, device_), "cuDevicePrimaryCtxRetain");
}

KernelLoader::~KernelLoader() {
  if (context_ == nullptr || forked()) return;
  {
    const ContextScope scope(driver_, context_);
    for (cu::CUlibrary library : libraries_) driver_.cuLibraryUnload(library);
  }
  driver_.cuDevicePrimaryCtxRelease(device_);
}

Expected<Arch> KernelLoader::default_arch() const {
  const Capability* best = nullptr;
  for (const Capability& c : kCapabilities) {
    if (runs_on(c, major_, minor_)) best = &c;  // the table is in increasing order
  }
  if (best) return best->arch;
  return unsupported(fmt::format("the device has compute capability {}.{}; 8.0 or later is needed", major_, minor_));
}

Status KernelLoader::check_arch(Arch arch) const {
  for (const Capability& c : kCapabilities) {
    if (c.arch == arch && runs_on(c, major_, minor_)) return {};
  }
  return unsupported(
      fmt::format("arch is {}; the device has compute capability {}.{}", to_string(arch), major_, minor_));
}

Expected<DeviceNumbers> KernelLoader::occupancy(cu::CUfunction function, uint32_t block_threads,
                                                uint32_t dynamic_shared_bytes) {
  const ContextScope scope(driver_, context_);
  constexpr uint32_t kSharedWithoutOptIn = 48 * 1024;
  if (dynamic_shared_bytes > kSharedWithoutOptIn) {
    TAILOR_RETURN_IF_ERROR(
        check(driver_,
              driver_.cuFuncSetAttribute(function, cu::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                         static_cast<int>(dynamic_shared_bytes)),
              "cuFuncSetAttribute"));
  }
  int blocks = 0;
  TAILOR_RETURN_IF_ERROR(check(driver_,
                               driver_.cuOccupancyMaxActiveBlocksPerMultiprocessor(
                                   &blocks, function, static_cast<int>(block_threads), dynamic_shared_bytes),
                               "cuOccupancyMaxActiveBlocksPerMultiprocessor"));
  if (blocks <= 0) {
    return unsupported(fmt::format("a block of {} threads with {} bytes of shared memory does not fit the device",
                                   block_threads, dynamic_shared_bytes));
  }
  return DeviceNumbers{sm_count_, blocks};
}

Expected<KernelLoader::Loaded> KernelLoader::load(ImageKind kind, const std::string& image, const std::string& entry,
                                                  uint32_t block_threads, uint32_t dynamic_shared_bytes) {
  const ContextScope scope(driver_, context_);
  TAILOR_RETURN_IF_ERROR(check(driver_, scope.result(), "cuCtxSetCurrent"));
  const RelaxedCapture relaxed(driver_);

  std::array<char, 4096> log{};
  cu::CUjit_option options[] = {cu::CU_JIT_ERROR_LOG_BUFFER, cu::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void* values[] = {log.data(), reinterpret_cast<void*>(log.size())};
  const unsigned option_count = kind == ImageKind::kPtx ? 2 : 0;
  cu::CUlibrary library = nullptr;
  const cu::CUresult result =
      driver_.cuLibraryLoadData(&library, image.c_str(), options, values, option_count, nullptr, nullptr, 0);
  if (result != cu::CUDA_SUCCESS) {
    Status status = check(driver_, result, kind == ImageKind::kPtx ? "loading PTX" : "loading a cubin");
    log.back() = '\0';
    return log[0] == '\0' ? status : driver_error(fmt::format("{}\n{}", status.message(), log.data()));
  }

  const auto finish = [&]() -> Expected<Loaded> {
    cu::CUkernel kernel = nullptr;
    Loaded loaded;
    TAILOR_RETURN_IF_ERROR(
        check(driver_, driver_.cuLibraryGetKernel(&kernel, library, entry.c_str()), "cuLibraryGetKernel"));
    TAILOR_RETURN_IF_ERROR(
        check(driver_, driver_.cuKernelGetFunction(&loaded.function, kernel), "cuKernelGetFunction"));
    TAILOR_ASSIGN_OR_RETURN(loaded.device, occupancy(loaded.function, block_threads, dynamic_shared_bytes));
    return loaded;
  };
  Expected<Loaded> loaded = finish();
  if (!loaded.ok()) {
    driver_.cuLibraryUnload(library);
    return loaded;
  }
  const std::lock_guard lock(mutex_);
  libraries_.push_back(library);
  return loaded;
}

bool KernelLoader::capturing(cu::CUstream stream) const {
  const ContextScope scope(driver_, context_);
  cu::CUstreamCaptureStatus status = cu::CU_STREAM_CAPTURE_STATUS_NONE;
  return driver_.cuStreamIsCapturing(stream, &status) == cu::CUDA_SUCCESS &&
         status == cu::CU_STREAM_CAPTURE_STATUS_ACTIVE;
}

}  // namespace tailor
