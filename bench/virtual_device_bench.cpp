// Speed of the virtual device: executed warp-instructions per second on one core, checks on and off. The kernel mixes
// 13 integer and float operations per iteration with one global load and one store, as movement kernels with address
// arithmetic do.
#include <string>

#include <benchmark/benchmark.h>

#include "runtime/virtual_device/virtual_device.h"

namespace {

constexpr const char* kPtx = R"(
.version 8.0
.target sm_90
.address_size 64
.visible .entry mix(.param .u64 mix_data, .param .u32 mix_n)
{
  .reg .pred %p<2>;
  .reg .f32 %f<6>;
  .reg .b32 %r<12>;
  .reg .b64 %rd<6>;
  ld.param.u64 %rd1, [mix_data];
  ld.param.u32 %r1, [mix_n];
  cvta.to.global.u64 %rd2, %rd1;
  mov.u32 %r2, %tid.x;
  mov.u32 %r3, %ctaid.x;
  mad.lo.s32 %r4, %r3, 256, %r2;
  mul.wide.u32 %rd3, %r4, 4;
  add.s64 %rd4, %rd2, %rd3;
  mov.u32 %r5, 0;
  mov.f32 %f1, 0f3F800000;
$loop:
  ld.global.f32 %f2, [%rd4];
  fma.rn.f32 %f3, %f2, %f1, %f1;
  mul.f32 %f4, %f3, 0f3F000000;
  add.s32 %r6, %r5, %r4;
  xor.b32 %r7, %r6, %r5;
  shl.b32 %r8, %r7, 3;
  and.b32 %r9, %r8, 255;
  mad.lo.s32 %r10, %r9, 3, %r6;
  max.s32 %r11, %r10, %r4;
  add.f32 %f5, %f4, %f2;
  st.global.f32 [%rd4], %f5;
  add.s32 %r5, %r5, 1;
  setp.lt.u32 %p1, %r5, %r1;
  @%p1 bra $loop;
  ret;
}
)";

void virtual_device_speed(benchmark::State& state, bool checks) {
  using namespace tailor;
  const DriverTable& driver = *virtual_device::driver_table();
  const virtual_device::Options saved = virtual_device::options();
  virtual_device::Options options = saved;
  options.check_bounds = options.check_alignment = options.check_uninitialized = options.check_races = checks;
  options.count_traffic = checks;
  virtual_device::set_options(options);

  cu::CUdevice device;
  cu::CUcontext context;
  cu::CUlibrary library;
  cu::CUkernel kernel;
  cu::CUfunction function;
  cu::CUdeviceptr data;
  constexpr unsigned kBlocks = 8, kThreads = 256;
  bool ready =
      driver.cuInit(0) == 0 && driver.cuDeviceGet(&device, 0) == 0 &&
      driver.cuDevicePrimaryCtxRetain(&context, device) == 0 && driver.cuCtxSetCurrent(context) == 0 &&
      driver.cuLibraryLoadData(&library, kPtx, nullptr, nullptr, 0, nullptr, nullptr, 0) == 0 &&
      driver.cuLibraryGetKernel(&kernel, library, "mix") == 0 && driver.cuKernelGetFunction(&function, kernel) == 0 &&
      driver.cuMemAlloc(&data, kBlocks * kThreads * 4) == 0 && driver.cuMemsetD8(data, 0, kBlocks * kThreads * 4) == 0;
  if (!ready) return state.SkipWithError("the virtual device refused the set-up");

  uint32_t iterations = 2000;
  void* parameters[] = {&data, &iterations};
  cu::CUlaunchConfig config{};
  config.gridDimX = kBlocks;
  config.gridDimY = config.gridDimZ = config.blockDimY = config.blockDimZ = 1;
  config.blockDimX = kThreads;
  virtual_device::reset_counters();
  for (auto _ : state) {
    if (driver.cuLaunchKernelEx(&config, function, parameters, nullptr) != 0)
      return state.SkipWithError("launch failed");
  }
  state.counters["warp_instructions"] = benchmark::Counter(
      static_cast<double>(virtual_device::counters().total_warp_instructions()), benchmark::Counter::kIsRate);
  driver.cuMemFree(data);
  driver.cuLibraryUnload(library);
  virtual_device::set_options(saved);
}
BENCHMARK_CAPTURE(virtual_device_speed, checks_on, true)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(virtual_device_speed, checks_off, false)->Unit(benchmark::kMillisecond);

}  // namespace
