// A driver and a code generator that do nothing but remember, for tests and benches of the dispatcher.
//
// Driver functions are plain C functions, so a FakeDriver's state is global: one at a time, reset by its constructor.
// Images are texts: "CUBIN…" and "//PTX…".
#pragma once

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "runtime/driver/driver.h"
#include "runtime/ops/kernel_generator.h"
#include "runtime/ops/schema.h"

namespace tailor::testing {

struct FakeDriverState {
  std::atomic<int> loads{0}, unloads{0}, launches{0}, retains{0}, releases{0};
  std::atomic<bool> refuse_cubin{false}, refuse_ptx{false}, capturing{false}, fail_launch{false};
  std::atomic<bool> relaxed_when_loading{true};  // ANDed over loads
  int major = 9, minor = 0, occupancy = 2, version = 13000;
  bool record = true;  // false: launches are not recorded, for benches
  std::mutex mutex;
  std::vector<std::string> images;         // in order of loading; guarded by mutex
  std::set<const void*> live_functions;    // guarded by mutex
  cu::CUlaunchConfig last_config{};        // guarded by mutex
  std::vector<uint64_t> last_parameters;   // 8 bytes at each parameter; guarded by mutex
  cu::CUfunction last_function = nullptr;  // guarded by mutex
  size_t parameter_count = 0;              // of every kernel
};

inline FakeDriverState*& fake_state() {
  static FakeDriverState* state = nullptr;
  return state;
}
inline thread_local cu::CUcontext fake_current_context = nullptr;
inline thread_local cu::CUstreamCaptureMode fake_capture_mode = cu::CU_STREAM_CAPTURE_MODE_GLOBAL;
inline cu::CUcontext fake_primary_context() { return reinterpret_cast<cu::CUcontext>(uintptr_t{0xc0}); }

class FakeDriver {
 public:
  explicit FakeDriver(const char* name = "cuda") {
    fake_state() = &state;
    table.name = name;
    table.cuInit = [](unsigned) { return cu::CUDA_SUCCESS; };
    table.cuDriverGetVersion = [](int* version) {
      return *version = fake_state()->version,
             fake_state()->version > 0 ? cu::CUDA_SUCCESS : cu::CUDA_ERROR_INVALID_VALUE;
    };
    table.cuGetErrorName = [](cu::CUresult, const char** text) { return *text = "FAKE_ERROR", cu::CUDA_SUCCESS; };
    table.cuGetErrorString = [](cu::CUresult, const char** text) { return *text = "fake text", cu::CUDA_SUCCESS; };
    table.cuDeviceGetCount = [](int* n) { return *n = 1, cu::CUDA_SUCCESS; };
    table.cuDeviceGet = [](cu::CUdevice* device, int ordinal) { return *device = ordinal, cu::CUDA_SUCCESS; };
    table.cuDeviceGetAttribute = [](int* value, cu::CUdevice_attribute attribute, cu::CUdevice) {
      *value = attribute == cu::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR   ? fake_state()->major
               : attribute == cu::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR ? fake_state()->minor
                                                                               : 132;
      return cu::CUDA_SUCCESS;
    };
    table.cuDevicePrimaryCtxRetain = [](cu::CUcontext* context, cu::CUdevice) {
      ++fake_state()->retains;
      return *context = fake_primary_context(), cu::CUDA_SUCCESS;
    };
    table.cuDevicePrimaryCtxRelease = [](cu::CUdevice) { return ++fake_state()->releases, cu::CUDA_SUCCESS; };
    table.cuCtxSetCurrent = [](cu::CUcontext context) { return fake_current_context = context, cu::CUDA_SUCCESS; };
    table.cuCtxGetCurrent = [](cu::CUcontext* context) { return *context = fake_current_context, cu::CUDA_SUCCESS; };
    table.cuLibraryLoadData = load;
    table.cuLibraryUnload = [](cu::CUlibrary library) {
      ++fake_state()->unloads;
      delete reinterpret_cast<char*>(library);
      return cu::CUDA_SUCCESS;
    };
    table.cuLibraryGetKernel = [](cu::CUkernel* kernel, cu::CUlibrary library, const char*) {
      return *kernel = reinterpret_cast<cu::CUkernel>(library), cu::CUDA_SUCCESS;
    };
    table.cuKernelGetFunction = [](cu::CUfunction* function, cu::CUkernel kernel) {
      return *function = reinterpret_cast<cu::CUfunction>(kernel), cu::CUDA_SUCCESS;
    };
    table.cuOccupancyMaxActiveBlocksPerMultiprocessor = [](int* blocks, cu::CUfunction, int, size_t) {
      return *blocks = fake_state()->occupancy, cu::CUDA_SUCCESS;
    };
    table.cuStreamIsCapturing = [](cu::CUstream, cu::CUstreamCaptureStatus* status) {
      *status = fake_state()->capturing ? cu::CU_STREAM_CAPTURE_STATUS_ACTIVE : cu::CU_STREAM_CAPTURE_STATUS_NONE;
      return cu::CUDA_SUCCESS;
    };
    table.cuThreadExchangeStreamCaptureMode = [](cu::CUstreamCaptureMode* mode) {
      return std::swap(*mode, fake_capture_mode), cu::CUDA_SUCCESS;
    };
    table.cuLaunchKernelEx = launch;
  }
  ~FakeDriver() { fake_state() = nullptr; }
  FakeDriver(const FakeDriver&) = delete;
  FakeDriver& operator=(const FakeDriver&) = delete;

  DriverTable table{};
  FakeDriverState state;

 private:
  static cu::CUresult load(cu::CUlibrary* library, const void* code, cu::CUjit_option* options, void** values,
                           unsigned count, cu::CUlibraryOption*, void**, unsigned) {
    FakeDriverState& s = *fake_state();
    const std::string image = static_cast<const char*>(code);
    const bool ptx = image.rfind("//PTX", 0) == 0;
    if (fake_capture_mode != cu::CU_STREAM_CAPTURE_MODE_RELAXED || fake_current_context != fake_primary_context()) {
      s.relaxed_when_loading = false;
    }
    if (!ptx && (s.refuse_cubin || image.rfind("CUBIN", 0) != 0)) return cu::CUDA_ERROR_NO_BINARY_FOR_GPU;
    if (ptx && s.refuse_ptx) {
      for (unsigned i = 0; i < count; ++i) {
        if (options[i] == cu::CU_JIT_ERROR_LOG_BUFFER) std::strcpy(static_cast<char*>(values[i]), "ptxas: fake log");
      }
      return cu::CUDA_ERROR_INVALID_PTX;
    }
    ++s.loads;
    *library = reinterpret_cast<cu::CUlibrary>(new char);
    const std::lock_guard lock(s.mutex);
    s.images.push_back(image);
    s.live_functions.insert(*library);
    return cu::CUDA_SUCCESS;
  }
  static cu::CUresult launch(const cu::CUlaunchConfig* config, cu::CUfunction function, void** parameters, void**) {
    FakeDriverState& s = *fake_state();
    if (!s.record) return cu::CUDA_SUCCESS;
    if (s.fail_launch) return cu::CUDA_ERROR_LAUNCH_FAILED;
    if (fake_current_context != fake_primary_context()) return cu::CUDA_ERROR_INVALID_CONTEXT;
    ++s.launches;
    const std::lock_guard lock(s.mutex);
    if (!s.live_functions.contains(function)) return cu::CUDA_ERROR_INVALID_HANDLE;
    s.last_config = *config;
    s.last_function = function;
    s.last_parameters.resize(s.parameter_count);  // no allocation once it has its size
    for (size_t i = 0; i < s.parameter_count; ++i) std::memcpy(&s.last_parameters[i], parameters[i], 8);
    return cu::CUDA_SUCCESS;
  }
};

// Emits for each key a kernel whose parameters are all symbols of the operation, in order, 8 bytes each.
class FakeGenerator : public KernelGenerator {
 public:
  std::atomic<int> emits{0}, compiles{0};
  bool same_text = false;  // every key gives the same text
  bool no_cubin = false;
  bool fail_compile = false;
  bool throw_in_emit = false;
  std::chrono::milliseconds compile_time{0};
  std::string own_digest = "fake-digest-1";
  std::string nvjitlink_version = "13.0";
  uint32_t minimum_driver = 12000;
  FactSet extra_premises;
  std::string unproved;

  std::string digest() const override { return own_digest; }

  static LaunchPlan plan_for(OpId op) {
    LaunchPlan plan;
    int64_t rows = 0;
    while (symbols_of(op)[static_cast<size_t>(rows)].name != "rows") ++rows;  // every operation has it
    plan.grid[0] = {{PlanOp::kSymbol, rows},   {PlanOp::kConstant, 8}, {PlanOp::kCeilDiv, 0}, {PlanOp::kSmCount, 0},
                    {PlanOp::kBlocksPerSm, 0}, {PlanOp::kMul, 0},      {PlanOp::kMin, 0}};
    plan.grid[1] = plan.grid[2] = {{PlanOp::kConstant, 1}};
    plan.block = {256, 1, 1};
    for (uint16_t s = 0; s < symbols_of(op).size(); ++s) {
      plan.parameters.push_back({static_cast<uint16_t>(8 * s), 8, {{PlanOp::kSymbol, s}}});
    }
    return plan;
  }

  Expected<EmittedKernel> emit(const Key& key) override {
    ++emits;
    if (throw_in_emit) throw std::bad_alloc();
    EmittedKernel k;
    k.entry = entry_symbol(key.op());
    k.emitter = key.emitter();
    k.arch = key.arch();
    k.text = same_text ? "same" : to_string(key);
    k.plan = plan_for(key.op());
    k.premises = facts_of(key);
    k.premises.insert(k.premises.end(), extra_premises.begin(), extra_premises.end());
    k.unproved = unproved;
    k.phases = {{"emit", 1.0}};
    return k;
  }
  Expected<CompiledKernel> compile(const EmittedKernel& emitted, bool want_cubin) override {
    ++compiles;
    std::this_thread::sleep_for(compile_time);
    if (fail_compile) return compiler_error("fake compiler says no");
    if (no_cubin && want_cubin) return unavailable("nvJitLink was not found");
    CompiledKernel k;
    k.ptx = "//PTX " + emitted.text;
    if (no_cubin) {
      k.cubin_missing = "nvJitLink was not found";
    } else {
      k.cubin = "CUBIN " + emitted.text;
    }
    k.toolchain = "fake 1";
    k.minimum_driver = minimum_driver;
    k.phases = {{"nvjitlink", 2.0}};
    return k;
  }
  Expected<std::string> show(const Key&, Stage) override { return std::string("shown"); }
  std::string toolchain(Emitter) override { return "nvJitLink " + (no_cubin ? "missing" : nvjitlink_version); }
  std::vector<ToolStatus> tools() override {
    return {{"LLVM", true, "19.1.7", "", ""}, {"nvJitLink", !no_cubin, nvjitlink_version, "", ""}};
  }
};

}  // namespace tailor::testing
