// What the tests of the virtual device share: loading PTX, launching, and buffers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/driver/driver.h"
#include "runtime/virtual_device/virtual_device.h"

namespace tailor::virtual_device::testing {

// Each test starts with default options, zero counters and no reports.
class DeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    set_options(Options{});
    reset_counters();
    (void)take_reports();
    (void)take_output();
    ASSERT_EQ(driver.cuInit(0), cu::CUDA_SUCCESS);
    cu::CUcontext context = nullptr;
    ASSERT_EQ(driver.cuDevicePrimaryCtxRetain(&context, 0), cu::CUDA_SUCCESS);
    ASSERT_EQ(driver.cuCtxSetCurrent(context), cu::CUDA_SUCCESS);
  }
  void TearDown() override {
    for (cu::CUdeviceptr p : allocations_) driver.cuMemFree(p);
    for (cu::CUlibrary l : libraries_) driver.cuLibraryUnload(l);
    driver.cuDevicePrimaryCtxRelease(0);
    set_options(Options{});
  }

  static std::string header(const std::string& target = "sm_90a") {
    return ".version 8.3\n.target " + target + "\n.address_size 64\n";
  }
  // The kernel `name` of the PTX, or a test failure with the report.
  cu::CUfunction load(const std::string& ptx, const std::string& name = "k") {
    cu::CUlibrary library = nullptr;
    const cu::CUresult result =
        driver.cuLibraryLoadData(&library, ptx.c_str(), nullptr, nullptr, 0, nullptr, nullptr, 0);
    if (result != cu::CUDA_SUCCESS) {
      ADD_FAILURE() << "load failed with " << result << ": " << all_reports() << "\n" << ptx;
      return nullptr;
    }
    libraries_.push_back(library);
    last_library = library;
    cu::CUkernel kernel = nullptr;
    EXPECT_EQ(driver.cuLibraryGetKernel(&kernel, library, name.c_str()), cu::CUDA_SUCCESS);
    cu::CUfunction function = nullptr;
    EXPECT_EQ(driver.cuKernelGetFunction(&function, kernel), cu::CUDA_SUCCESS);
    return function;
  }
  cu::CUresult try_load(const std::string& ptx) {
    cu::CUlibrary library = nullptr;
    const cu::CUresult result =
        driver.cuLibraryLoadData(&library, ptx.c_str(), nullptr, nullptr, 0, nullptr, nullptr, 0);
    if (result == cu::CUDA_SUCCESS) libraries_.push_back(library);
    return result;
  }
  struct Shape {
    unsigned int grid = 1, block = 32, shared = 0;
  };
  template <class... A>
  cu::CUresult launch(cu::CUfunction function, Shape shape, A... arguments) {
    cu::CUlaunchConfig config{};
    config.gridDimX = shape.grid;
    config.blockDimX = shape.block;
    config.gridDimY = config.gridDimZ = config.blockDimY = config.blockDimZ = 1;
    config.sharedMemBytes = shape.shared;
    void* parameters[] = {static_cast<void*>(&arguments)..., nullptr};
    return driver.cuLaunchKernelEx(&config, function, parameters, nullptr);
  }
  template <class... A>
  void run(cu::CUfunction function, Shape shape, A... arguments) {
    if (!function) return;
    const cu::CUresult result = launch(function, shape, arguments...);
    if (result != cu::CUDA_SUCCESS) ADD_FAILURE() << "launch failed with " << result << ": " << all_reports();
  }
  cu::CUdeviceptr allocate(size_t bytes) {
    cu::CUdeviceptr p = 0;
    EXPECT_EQ(driver.cuMemAlloc(&p, bytes), cu::CUDA_SUCCESS);
    allocations_.push_back(p);
    return p;
  }
  template <class T>
  cu::CUdeviceptr upload(const std::vector<T>& values) {
    const cu::CUdeviceptr p = allocate(values.size() * sizeof(T));
    EXPECT_EQ(driver.cuMemcpyHtoD(p, values.data(), values.size() * sizeof(T)), cu::CUDA_SUCCESS);
    return p;
  }
  template <class T>
  std::vector<T> download(cu::CUdeviceptr p, size_t count) {
    std::vector<T> values(count);
    EXPECT_EQ(driver.cuMemcpyDtoH(values.data(), p, count * sizeof(T)), cu::CUDA_SUCCESS);
    return values;
  }
  static std::string all_reports() {
    std::string text;
    for (const Report& r : take_reports()) text += to_string(r) + "\n";
    return text;
  }
  static uint64_t issued(const Counters& c, Class k) { return c.warp_instructions[static_cast<size_t>(k)]; }
  static uint64_t lanes(const Counters& c, Class k) { return c.thread_instructions[static_cast<size_t>(k)]; }

  const DriverTable& driver = *driver_table();
  cu::CUlibrary last_library = nullptr;

 private:
  std::vector<cu::CUdeviceptr> allocations_;
  std::vector<cu::CUlibrary> libraries_;
};

}  // namespace tailor::virtual_device::testing
