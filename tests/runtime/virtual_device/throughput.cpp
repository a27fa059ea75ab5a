// Warp-instructions per second of the virtual device on three loops, checks on and off, and the cost of a launch that
// executes nothing. One thread; best of three.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "runtime/virtual_device/virtual_device.h"

using namespace tailor;
using namespace tailor::virtual_device;

namespace {

constexpr const char* kPrologue = R"(.version 8.3
.target sm_80
.address_size 64
.visible .entry k(.param .u64 p, .param .u32 n) {
.reg .b32 %r<20>; .reg .f32 %f<10>; .reg .pred %p; .reg .b64 %rd<9>; .shared .align 16 .b8 s[1024];
ld.param.u64 %rd1, [p]; ld.param.u32 %r1, [n]; mov.u32 %r2, %tid.x; mov.u32 %r3, 0;
)";
constexpr const char* kArithmetic = R"(cvt.rn.f32.s32 %f1, %r2; mov.f32 %f2, 0f3F800000;
L: mul.lo.s32 %r4, %r2, 3; add.s32 %r5, %r4, %r3; xor.b32 %r2, %r5, %r4; and.b32 %r6, %r2, 255; shr.u32 %r7, %r2, 3;
add.s32 %r2, %r6, %r7; fma.rn.f32 %f1, %f1, %f2, %f2; mul.f32 %f3, %f1, %f2; add.f32 %f1, %f3, %f2; min.s32 %r8, %r2, %r6;
add.s32 %r3, %r3, 1; setp.lt.s32 %p, %r3, %r1; @%p bra L; st.global.f32 [%rd1], %f1; ret; })";
constexpr const char* kMixed = R"(mul.wide.u32 %rd2, %r2, 4; add.s64 %rd3, %rd1, %rd2; mov.u32 %r9, s;
shl.b32 %r10, %r2, 2; add.s32 %r9, %r9, %r10; mov.f32 %f1, 0f00000000; st.shared.f32 [%r9], %f1;
L: ld.global.f32 %f1, [%rd3]; ld.shared.f32 %f2, [%r9]; add.f32 %f3, %f1, %f2; st.shared.f32 [%r9], %f3;
shfl.sync.bfly.b32 %f4, %f3, 1, 31, -1; st.global.f32 [%rd3+4096], %f4;
add.s32 %r3, %r3, 1; setp.lt.s32 %p, %r3, %r1; @%p bra L; ret; })";
constexpr const char* kCopy = R"(mul.wide.u32 %rd2, %r2, 16; add.s64 %rd3, %rd1, %rd2;
L: ld.global.v4.u32 {%r4, %r5, %r6, %r7}, [%rd3]; st.global.v4.u32 [%rd3+65536], {%r4, %r5, %r6, %r7};
add.s32 %r3, %r3, 1; setp.lt.s32 %p, %r3, %r1; @%p bra L; ret; })";

// Processor time, so that a busy machine does not change the figure.
double seconds_since(std::clock_t start) { return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC; }

}  // namespace

int main() {
  const DriverTable& driver = *driver_table();
  cu::CUcontext context = nullptr;
  driver.cuInit(0);
  driver.cuDevicePrimaryCtxRetain(&context, 0);
  driver.cuCtxSetCurrent(context);
  cu::CUdeviceptr p = 0;
  driver.cuMemAlloc(&p, 1 << 20);
  driver.cuMemsetD8(p, 0, 1 << 20);
  unsigned int iterations = 20000;
  void* arguments[] = {&p, &iterations};
  cu::CUlaunchConfig config{};
  config.gridDimX = 8;
  config.blockDimX = 256;
  config.gridDimY = config.gridDimZ = config.blockDimY = config.blockDimZ = 1;
  const struct {
    const char* name;
    const char* body;
  } loops[] = {{"arithmetic", kArithmetic}, {"mixed", kMixed}, {"copy", kCopy}};
  for (const auto& loop : loops) {
    const std::string ptx = std::string(kPrologue) + loop.body;
    cu::CUlibrary library = nullptr;
    cu::CUkernel kernel = nullptr;
    cu::CUfunction function = nullptr;
    if (driver.cuLibraryLoadData(&library, ptx.c_str(), nullptr, nullptr, 0, nullptr, nullptr, 0) != cu::CUDA_SUCCESS)
      return 1;
    driver.cuLibraryGetKernel(&kernel, library, "k");
    driver.cuKernelGetFunction(&function, kernel);
    for (const bool checks : {true, false}) {
      Options o;
      o.check_bounds = o.check_alignment = o.check_uninitialized = o.check_races = o.count_traffic = checks;
      set_options(o);
      double best = 0;
      for (int repeat = 0; repeat < 3; ++repeat) {
        reset_counters();
        const auto start = std::clock();
        if (driver.cuLaunchKernelEx(&config, function, arguments, nullptr) != cu::CUDA_SUCCESS) return 1;
        best = std::max(best, static_cast<double>(counters().total_warp_instructions()) / seconds_since(start));
      }
      std::printf("%-10s  checks and traffic %-3s  %7.1f M warp-instructions/s\n", loop.name, checks ? "on" : "off",
                  best / 1e6);
    }
    Options o;
    o.execute = false;
    set_options(o);
    constexpr int kLaunches = 1000000;
    const auto start = std::clock();
    for (int k = 0; k < kLaunches; ++k) driver.cuLaunchKernelEx(&config, function, arguments, nullptr);
    std::printf("%-10s  execute off              %7.1f ns/launch\n", loop.name, seconds_since(start) / kLaunches * 1e9);
  }
  return 0;
}
