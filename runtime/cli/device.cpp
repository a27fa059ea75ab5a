#include "runtime/cli/device.h"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "runtime/cli/output.h"
#include "runtime/virtual_device/virtual_device.h"

namespace tailor::cli {
namespace {

// The table of a libcuda that has at least one device, or why there is none.
Expected<const DriverTable*> cuda_that_answers() {
  TAILOR_ASSIGN_OR_RETURN(const DriverTable* driver, open_cuda_driver());
  TAILOR_RETURN_IF_ERROR(check(*driver, driver->cuInit(0), "cuInit"));
  int count = 0;
  TAILOR_RETURN_IF_ERROR(check(*driver, driver->cuDeviceGetCount(&count), "cuDeviceGetCount"));
  if (count == 0) return unavailable("libcuda reports no device");
  return driver;
}

Expected<const DriverTable*> choose(DeviceChoice choice) {
  if (choice == DeviceChoice::kVirtual) return open_virtual_driver();
  auto cuda = cuda_that_answers();
  if (cuda.ok() || choice == DeviceChoice::kCuda) return cuda;
  say_info(fmt::format("no GPU answers ({}); using the virtual device", cuda.status().message()));
  return open_virtual_driver();
}

}  // namespace

Expected<std::unique_ptr<Device>> Device::open(DeviceChoice choice, int64_t ordinal) {
  TAILOR_ASSIGN_OR_RETURN(const DriverTable* driver, choose(choice));
  auto device = std::unique_ptr<Device>(new Device());
  device->driver_ = driver;
  device->is_virtual_ = std::string_view(driver->name) == "virtual";
  TAILOR_RETURN_IF_ERROR(check(*driver, driver->cuInit(0), "cuInit"));
  int count = 0;
  TAILOR_RETURN_IF_ERROR(check(*driver, driver->cuDeviceGetCount(&count), "cuDeviceGetCount"));
  if (ordinal < 0 || ordinal >= count) {
    return invalid_argument(fmt::format("--ordinal is {}; it must be in [0, {}): the number of {} devices is {}",
                                        ordinal, count, device->kind(), count));
  }
  device->ordinal_ = static_cast<int>(ordinal);
  TAILOR_RETURN_IF_ERROR(
      check(*driver, driver->cuDeviceGet(&device->device_, device->ordinal_), fmt::format("cuDeviceGet({})", ordinal)));
  std::array<char, 256> name{};
  TAILOR_RETURN_IF_ERROR(check(*driver,
                               driver->cuDeviceGetName(name.data(), static_cast<int>(name.size()), device->device_),
                               "cuDeviceGetName"));
  device->name_ = name.data();
  cu::CUcontext context = nullptr;
  TAILOR_RETURN_IF_ERROR(
      check(*driver, driver->cuDevicePrimaryCtxRetain(&context, device->device_), "cuDevicePrimaryCtxRetain"));
  device->retained_ = true;
  TAILOR_RETURN_IF_ERROR(check(*driver, driver->cuCtxSetCurrent(context), "cuCtxSetCurrent"));
  say_info(fmt::format("device: {} ({})", device->kind(), device->name_));
  return device;
}

Device::~Device() {
  if (retained_) driver_->cuDevicePrimaryCtxRelease(device_);
}

Status Device::synchronize() const { return check(*driver_, driver_->cuCtxSynchronize(), "cuCtxSynchronize"); }

Status Device::explain(Status status) const {
  if (status.ok() || !is_virtual_) return status;
  std::string message = status.message();
  for (const virtual_device::Report& report : virtual_device::take_reports()) {
    message += "; " + virtual_device::to_string(report);
  }
  return {status.code(), message};
}

Expected<DeviceBuffer> DeviceBuffer::allocate(const Device& device, size_t bytes) {
  DeviceBuffer buffer;
  if (bytes > 0) {
    cu::CUdeviceptr address = 0;
    TAILOR_RETURN_IF_ERROR(check(device.driver(), device.driver().cuMemAlloc(&address, bytes),
                                 fmt::format("cuMemAlloc({} bytes)", bytes)));
    buffer.driver_ = &device.driver();
    buffer.address_ = address;
  }
  buffer.bytes_ = bytes;
  return buffer;
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept { *this = std::move(other); }

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
  std::swap(driver_, other.driver_);
  std::swap(address_, other.address_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

DeviceBuffer::~DeviceBuffer() {
  if (driver_) driver_->cuMemFree(address_);
}

Status DeviceBuffer::upload(std::span<const uint8_t> from, size_t offset) {
  if (from.empty()) return {};
  return check(*driver_, driver_->cuMemcpyHtoD(address_ + offset, from.data(), from.size()), "cuMemcpyHtoD");
}

Status DeviceBuffer::download(std::span<uint8_t> to, size_t offset) const {
  if (to.empty()) return {};
  return check(*driver_, driver_->cuMemcpyDtoH(to.data(), address_ + offset, to.size()), "cuMemcpyDtoH");
}

Status DeviceBuffer::fill(uint8_t value, size_t offset, size_t bytes) {
  if (bytes == 0) return {};
  return check(*driver_, driver_->cuMemsetD8(address_ + offset, value, bytes), "cuMemsetD8");
}

}  // namespace tailor::cli
