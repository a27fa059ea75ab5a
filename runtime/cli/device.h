// The device that a verb works on, and memory on it.
//
// Only the command chooses a device by itself: cuda if a GPU answers, else virtual, and it says which. Ownership: a
// Device retains the primary context; DeviceBuffers must be gone before it. Threads: the opening thread, on which the
// context is current. Errors: kUnavailable, kDriver with the failed call.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "runtime/driver/driver.h"
#include "tailor/status.h"

namespace tailor::cli {

// name, text, meaning
#define TAILOR_DEVICE_CHOICES(X)                          \
  X(kAuto, "auto", "cuda if a GPU answers, else virtual") \
  X(kCuda, "cuda", "a GPU through libcuda")               \
  X(kVirtual, "virtual", "the PTX interpreter")

enum class DeviceChoice : uint8_t {
#define X(name, text, meaning) name,
  TAILOR_DEVICE_CHOICES(X)
#undef X
};

class Device {
 public:
  // kInvalidArgument if there is no device `ordinal`.
  static Expected<std::unique_ptr<Device>> open(DeviceChoice choice, int64_t ordinal);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const DriverTable& driver() const { return *driver_; }
  bool is_virtual() const { return is_virtual_; }
  std::string kind() const { return is_virtual_ ? "virtual" : "cuda"; }  // as RuntimeOptions::device
  const std::string& name() const { return name_; }                      // what the driver calls it
  int ordinal() const { return ordinal_; }

  // Waits for all work. A kernel of ours that failed shows here.
  Status synchronize() const;
  // Adds to `status` what the virtual device has to say about a failed launch: kernel, thread, PTX line, address.
  Status explain(Status status) const;

 private:
  Device() = default;

  const DriverTable* driver_ = nullptr;
  cu::CUdevice device_ = 0;
  int ordinal_ = 0;
  bool is_virtual_ = false, retained_ = false;
  std::string name_;
};

// Device memory that is freed with the object. Move only.
class DeviceBuffer {
 public:
  static Expected<DeviceBuffer> allocate(const Device& device, size_t bytes);
  DeviceBuffer() = default;
  DeviceBuffer(DeviceBuffer&& other) noexcept;
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;
  ~DeviceBuffer();

  uint64_t address() const { return address_; }
  size_t bytes() const { return bytes_; }

  // Copies to and from byte `offset`; blocks until done.
  Status upload(std::span<const uint8_t> from, size_t offset = 0);
  Status download(std::span<uint8_t> to, size_t offset = 0) const;
  Status fill(uint8_t value, size_t offset, size_t bytes);

 private:
  const DriverTable* driver_ = nullptr;
  uint64_t address_ = 0;
  size_t bytes_ = 0;
};

template <class T>
std::span<const uint8_t> bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()};
}

}  // namespace tailor::cli
