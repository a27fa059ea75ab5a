// The CUDA Driver API over the virtual device.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "runtime/virtual_device/device.h"
#include "runtime/virtual_device/executor.h"

namespace tailor::virtual_device {
namespace {

using namespace cu;  // the signatures below are the driver's own

constexpr int kDriverVersion = 13000;
std::atomic<bool> initialised{false};
thread_local bool context_current = false;

// Handles are addresses of objects; the primary context's is this one's.
char primary_context;
CUcontext context_handle() { return reinterpret_cast<CUcontext>(&primary_context); }

CUresult result_of(ReportKind kind) {
  switch (kind) {
#define X(name, text, result) \
  case ReportKind::name:      \
    return result;
    TAILOR_VIRTUAL_REPORTS(X)
#undef X
  }
  return CUDA_ERROR_UNKNOWN;
}
CUresult fail(Device& d, ReportKind kind, std::string message) {
  Report r;
  r.kind = kind;
  r.message = std::move(message);
  d.report(std::move(r));
  return result_of(kind);
}

// Calls that need a current context begin with these.
#define REQUIRE_INIT() \
  if (!initialised.load(std::memory_order_relaxed)) return CUDA_ERROR_NOT_INITIALIZED
#define REQUIRE_CONTEXT()                                  \
  REQUIRE_INIT();                                          \
  if (!context_current) return CUDA_ERROR_INVALID_CONTEXT; \
  Device& d = device();                                    \
  const std::lock_guard<std::mutex> lock(d.mutex)

CUresult cuInit(unsigned int flags) {
  if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
  initialised = true;
  return CUDA_SUCCESS;
}
CUresult cuDriverGetVersion(int* version) {
  if (!version) return CUDA_ERROR_INVALID_VALUE;
  *version = kDriverVersion;
  return CUDA_SUCCESS;
}
CUresult cuGetErrorString(CUresult error, const char** text) {
  if (!text) return CUDA_ERROR_INVALID_VALUE;
  switch (error) {
#define X(name, value, words) \
  case CUDA_##name:           \
    *text = words;            \
    return CUDA_SUCCESS;
    TAILOR_CU_RESULTS(X)
#undef X
  }
  *text = nullptr;
  return CUDA_ERROR_INVALID_VALUE;
}
CUresult cuGetErrorName(CUresult error, const char** name) {
  if (!name) return CUDA_ERROR_INVALID_VALUE;
  switch (error) {
#define X(code, value, words) \
  case CUDA_##code:           \
    *name = "CUDA_" #code;    \
    return CUDA_SUCCESS;
    TAILOR_CU_RESULTS(X)
#undef X
  }
  *name = nullptr;
  return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  REQUIRE_INIT();
  if (!device) return CUDA_ERROR_INVALID_VALUE;
  if (ordinal != 0) return CUDA_ERROR_INVALID_DEVICE;
  *device = 0;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetCount(int* count) {
  REQUIRE_INIT();
  if (!count) return CUDA_ERROR_INVALID_VALUE;
  *count = 1;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetName(char* name, int length, CUdevice device) {
  REQUIRE_INIT();
  if (!name || length < 1) return CUDA_ERROR_INVALID_VALUE;
  if (device != 0) return CUDA_ERROR_INVALID_DEVICE;
  std::snprintf(name, static_cast<size_t>(length), "Tailor virtual device");
  return CUDA_SUCCESS;
}
CUresult cuDeviceTotalMem(size_t* bytes, CUdevice ordinal) {
  REQUIRE_INIT();
  if (!bytes) return CUDA_ERROR_INVALID_VALUE;
  if (ordinal != 0) return CUDA_ERROR_INVALID_DEVICE;
  *bytes = options().memory_bytes;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice ordinal) {
  REQUIRE_INIT();
  if (!value) return CUDA_ERROR_INVALID_VALUE;
  if (ordinal != 0) return CUDA_ERROR_INVALID_DEVICE;
  const Options o = options();
  const Architecture a = architecture(o);
  const auto set = [&](uint64_t v) {
    *value = static_cast<int>(v);
    return CUDA_SUCCESS;
  };
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y:
      return set(1024);
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z:
      return set(64);
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X:
      return set(0x7FFFFFFF);
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z:
      return set(65535);
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK:
      return set(kSharedPerBlock);
    case CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY:
      return set(65536);
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE:
      return set(kLanes);
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK:
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR:
      return set(kRegistersPerMultiprocessor);
    case CU_DEVICE_ATTRIBUTE_CLOCK_RATE:
      return set(1000000);
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
      return set(o.multiprocessors);
    case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE:
      return set(1000000);
    case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH:
      return set(5120);
    case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE:
      return set(a.l2_bytes);
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR:
      return set(a.threads_per_multiprocessor);
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
      return set(1);
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
      return set(o.compute_major);
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
      return set(o.compute_minor);
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR:
      return set(a.shared_per_multiprocessor);
    case CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH:
      return set(1);
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
      return set(a.shared_per_block_optin);
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR:
      return set(a.blocks_per_multiprocessor);
    case CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK:
      return set(kSharedReserved);
    default:
      return set(0);  // absent features: integrated, concurrent kernels, managed memory, clusters, tensor maps, …
  }
}
CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice ordinal) {
  REQUIRE_INIT();
  if (!context) return CUDA_ERROR_INVALID_VALUE;
  if (ordinal != 0) return CUDA_ERROR_INVALID_DEVICE;
  Device& d = device();
  const std::lock_guard<std::mutex> lock(d.mutex);
  d.retained += 1;
  *context = context_handle();
  return CUDA_SUCCESS;
}
// Memory and libraries outlive the last release: the device has no other user to give them to.
CUresult cuDevicePrimaryCtxRelease(CUdevice ordinal) {
  REQUIRE_INIT();
  if (ordinal != 0) return CUDA_ERROR_INVALID_DEVICE;
  Device& d = device();
  const std::lock_guard<std::mutex> lock(d.mutex);
  if (d.retained == 0) return CUDA_ERROR_INVALID_CONTEXT;
  d.retained -= 1;
  return CUDA_SUCCESS;
}
CUresult cuCtxSetCurrent(CUcontext context) {
  REQUIRE_INIT();
  if (context && context != context_handle()) return CUDA_ERROR_INVALID_CONTEXT;
  context_current = context != nullptr;
  return CUDA_SUCCESS;
}
CUresult cuCtxGetCurrent(CUcontext* context) {
  REQUIRE_INIT();
  if (!context) return CUDA_ERROR_INVALID_VALUE;
  *context = context_current ? context_handle() : nullptr;
  return CUDA_SUCCESS;
}
CUresult cuCtxGetDevice(CUdevice* ordinal) {
  REQUIRE_INIT();
  if (!ordinal) return CUDA_ERROR_INVALID_VALUE;
  if (!context_current) return CUDA_ERROR_INVALID_CONTEXT;
  *ordinal = 0;
  return CUDA_SUCCESS;
}
CUresult cuCtxSynchronize() {
  REQUIRE_CONTEXT();
  return CUDA_SUCCESS;
}

// Libraries.

bool is_binary_image(const unsigned char* code) {
  const unsigned char elf[] = {0x7F, 'E', 'L', 'F'}, fatbin[] = {0x50, 0xED, 0x55, 0xBA},
                      wrapper[] = {0xB1, 0x43, 0x62, 0x46};
  return std::memcmp(code, elf, 4) == 0 || std::memcmp(code, fatbin, 4) == 0 || std::memcmp(code, wrapper, 4) == 0;
}
// What CU_JIT_ERROR_LOG_BUFFER asks for.
void write_log(const std::string& message, CUjit_option* names, void** values, unsigned int count) {
  char* buffer = nullptr;
  size_t bytes = 0;
  void** size_value = nullptr;
  for (unsigned int k = 0; k < count; ++k) {
    if (names[k] == CU_JIT_ERROR_LOG_BUFFER) buffer = static_cast<char*>(values[k]);
    if (names[k] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES) {
      bytes = reinterpret_cast<uintptr_t>(values[k]) & 0xFFFFFFFF;
      size_value = &values[k];
    }
  }
  if (!buffer || bytes == 0) return;
  const size_t n = std::min(bytes - 1, message.size());
  std::memcpy(buffer, message.data(), n);
  buffer[n] = 0;
  *size_value = reinterpret_cast<void*>(n);
}
CUresult cuLibraryLoadData(CUlibrary* library, const void* code, CUjit_option* jit_options, void** jit_values,
                           unsigned int jit_count, CUlibraryOption*, void**, unsigned int) {
  REQUIRE_INIT();
  if (!library || !code || (jit_count != 0 && (!jit_options || !jit_values))) return CUDA_ERROR_INVALID_VALUE;
  Device& d = device();
  const std::lock_guard<std::mutex> lock(d.mutex);
  const auto* text = static_cast<const char*>(code);
  if (text[0] == 0) return fail(d, ReportKind::kInvalidPtx, "the image is empty");
  // A terminated text of fewer than 4 bytes has no magic number.
  const bool four = text[1] != 0 && text[2] != 0 && text[3] != 0;
  if (four && is_binary_image(static_cast<const unsigned char*>(code))) {
    return fail(d, ReportKind::kWrongTarget, "the image is a cubin or fatbin; the virtual device takes PTX text");
  }
  std::unique_ptr<Library> loaded;
  if (const auto failure = load_library(d, text, loaded)) {
    write_log(failure->message, jit_options, jit_values, jit_count);
    return fail(d, failure->kind, failure->message);
  }
  for (const auto& kernel : loaded->kernels) d.kernels.insert(kernel.get());
  const Library* const key = loaded.get();
  d.libraries[key] = std::move(loaded);
  *library = reinterpret_cast<CUlibrary>(const_cast<Library*>(key));
  return CUDA_SUCCESS;
}
CUresult cuLibraryUnload(CUlibrary library) {
  REQUIRE_INIT();
  Device& d = device();
  const std::lock_guard<std::mutex> lock(d.mutex);
  const auto found = d.libraries.find(library);
  if (found == d.libraries.end()) return CUDA_ERROR_INVALID_HANDLE;
  for (const auto& kernel : found->second->kernels) d.kernels.erase(kernel.get());
  unload_library(d, *found->second);
  d.libraries.erase(found);
  return CUDA_SUCCESS;
}
CUresult cuLibraryGetKernel(CUkernel* kernel, CUlibrary library, const char* name) {
  REQUIRE_INIT();
  if (!kernel || !name) return CUDA_ERROR_INVALID_VALUE;
  Device& d = device();
  const std::lock_guard<std::mutex> lock(d.mutex);
  const auto found = d.libraries.find(library);
  if (found == d.libraries.end()) return CUDA_ERROR_INVALID_HANDLE;
  for (const auto& k : found->second->kernels) {
    if (k->program.name == name) {
      *kernel = reinterpret_cast<CUkernel>(k.get());
      return CUDA_SUCCESS;
    }
  }
  return CUDA_ERROR_NOT_FOUND;
}
CUresult cuLibraryGetGlobal(CUdeviceptr* address, size_t* bytes, CUlibrary library, const char* name) {
  REQUIRE_CONTEXT();
  if (!name) return CUDA_ERROR_INVALID_VALUE;
  const auto found = d.libraries.find(library);
  if (found == d.libraries.end()) return CUDA_ERROR_INVALID_HANDLE;
  const auto variable = found->second->variables.find(name);
  if (variable == found->second->variables.end()) return CUDA_ERROR_NOT_FOUND;
  if (address) *address = variable->second;
  if (bytes) *bytes = d.memory.find(variable->second)->bytes;
  return CUDA_SUCCESS;
}
CUresult cuKernelGetFunction(CUfunction* function, CUkernel kernel) {
  REQUIRE_CONTEXT();
  if (!function) return CUDA_ERROR_INVALID_VALUE;
  if (!d.kernels.contains(kernel)) return CUDA_ERROR_INVALID_HANDLE;
  *function = reinterpret_cast<CUfunction>(kernel);
  return CUDA_SUCCESS;
}
CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction function) {
  REQUIRE_CONTEXT();
  if (!value) return CUDA_ERROR_INVALID_VALUE;
  if (!d.kernels.contains(function)) return CUDA_ERROR_INVALID_HANDLE;
  const Kernel& kernel = *reinterpret_cast<Kernel*>(function);
  const Program& p = kernel.program;
  const auto set = [&](uint32_t v) {
    *value = static_cast<int>(v);
    return CUDA_SUCCESS;
  };
  switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
      return set(p.max_threads);
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
      return set(p.static_shared_bytes);
    case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
      return set(p.local_bytes);
    case CU_FUNC_ATTRIBUTE_NUM_REGS:
      return set(p.registers);
    case CU_FUNC_ATTRIBUTE_PTX_VERSION:
      return set(kernel.ptx_version);
    case CU_FUNC_ATTRIBUTE_BINARY_VERSION:
      return set(d.options.compute_major * 10 + d.options.compute_minor);
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
      return set(kernel.max_dynamic_shared);
    default:
      return set(0);
  }
}
CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
  REQUIRE_CONTEXT();
  if (!d.kernels.contains(function)) return CUDA_ERROR_INVALID_HANDLE;
  Kernel& kernel = *reinterpret_cast<Kernel*>(function);
  switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: {
      const uint32_t limit = architecture(d.options).shared_per_block_optin;
      const uint32_t fixed = kernel.program.dynamic_shared_offset;
      if (value < 0 || fixed > limit || static_cast<uint32_t>(value) > limit - fixed) return CUDA_ERROR_INVALID_VALUE;
      kernel.max_dynamic_shared = static_cast<uint32_t>(value);
      return CUDA_SUCCESS;
    }
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
      return value >= -1 && value <= 100 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    default:
      return CUDA_ERROR_NOT_SUPPORTED;
  }
}
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction function, int threads,
                                                     size_t dynamic_shared) {
  REQUIRE_CONTEXT();
  if (!blocks || threads <= 0 || dynamic_shared > 0x7FFFFFFF) return CUDA_ERROR_INVALID_VALUE;
  if (!d.kernels.contains(function)) return CUDA_ERROR_INVALID_HANDLE;
  const Program& p = reinterpret_cast<Kernel*>(function)->program;
  *blocks =
      static_cast<int>(occupancy(d.options, p, static_cast<uint32_t>(threads), static_cast<uint32_t>(dynamic_shared)));
  return CUDA_SUCCESS;
}

// Launch.

// The rule that a launch breaks, if any.
std::optional<std::pair<CUresult, std::string>> check_launch(const Device& d, const Kernel& kernel,
                                                             const CUlaunchConfig& c) {
  const Program& p = kernel.program;
  const auto invalid = [](std::string message) { return std::make_pair(CUDA_ERROR_INVALID_VALUE, std::move(message)); };
  if (c.gridDimX == 0 || c.gridDimY == 0 || c.gridDimZ == 0 || c.blockDimX == 0 || c.blockDimY == 0 ||
      c.blockDimZ == 0) {
    return invalid("every grid and block dimension must be at least 1");
  }
  if (c.gridDimX > 0x7FFFFFFF || c.gridDimY > 65535 || c.gridDimZ > 65535) {
    return invalid(
        fmt::format("grid ({}, {}, {}) exceeds (2147483647, 65535, 65535)", c.gridDimX, c.gridDimY, c.gridDimZ));
  }
  const uint64_t threads = uint64_t{c.blockDimX} * c.blockDimY * c.blockDimZ;
  if (c.blockDimX > 1024 || c.blockDimY > 1024 || c.blockDimZ > 64 || threads > p.max_threads) {
    return invalid(fmt::format("block ({}, {}, {}) exceeds the kernel's {} threads or (1024, 1024, 64)", c.blockDimX,
                               c.blockDimY, c.blockDimZ, p.max_threads));
  }
  if (p.required_block[0] != 0 && (c.blockDimX != p.required_block[0] || c.blockDimY != p.required_block[1] ||
                                   c.blockDimZ != p.required_block[2])) {
    return invalid(fmt::format("block ({}, {}, {}) differs from .reqntid ({}, {}, {})", c.blockDimX, c.blockDimY,
                               c.blockDimZ, p.required_block[0], p.required_block[1], p.required_block[2]));
  }
  if (c.sharedMemBytes > kernel.max_dynamic_shared) {
    return invalid(fmt::format("{} bytes of dynamic shared memory exceed the {} allowed for the function",
                               c.sharedMemBytes, kernel.max_dynamic_shared));
  }
  if (c.hStream && reinterpret_cast<uintptr_t>(c.hStream) > 2 && !d.streams.contains(c.hStream)) {
    return std::make_pair(CUDA_ERROR_INVALID_HANDLE, std::string("the stream does not exist"));
  }
  if (c.numAttrs != 0 && !c.attrs) return invalid("launch attributes are null");
  for (unsigned int k = 0; k < c.numAttrs; ++k) {
    if (c.attrs[k].id != CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION) continue;  // others do not change results
    const CUlaunchDim& cluster = c.attrs[k].value.clusterDim;
    if (uint64_t{cluster.x} * cluster.y * cluster.z > 1) {
      return std::make_pair(CUDA_ERROR_NOT_SUPPORTED, std::string("clusters of several blocks are not executed"));
    }
  }
  return std::nullopt;
}
// Copies the arguments into d.parameters. false: none were given though the kernel takes some, or too few bytes.
bool pack_parameters(Device& d, const Program& p, void** parameters, void** extra) {
  d.parameters.assign(p.parameter_bytes + 16, 0);
  if (p.parameters.empty()) return true;
  if (parameters) {
    for (size_t k = 0; k < p.parameters.size(); ++k) {
      if (!parameters[k]) return false;
      std::memcpy(d.parameters.data() + p.parameters[k].offset, parameters[k], p.parameters[k].bytes);
    }
    return true;
  }
  // CU_LAUNCH_PARAM_BUFFER_POINTER = 1, CU_LAUNCH_PARAM_BUFFER_SIZE = 2, CU_LAUNCH_PARAM_END = 0.
  const void* buffer = nullptr;
  size_t bytes = 0;
  for (void** e = extra; e && *e; e += 2) {
    if (reinterpret_cast<uintptr_t>(e[0]) == 1) buffer = e[1];
    if (reinterpret_cast<uintptr_t>(e[0]) == 2) bytes = *static_cast<size_t*>(e[1]);
  }
  if (!buffer || bytes < p.parameter_bytes) return false;
  std::memcpy(d.parameters.data(), buffer, p.parameter_bytes);
  return true;
}
CUresult cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction function, void** parameters, void** extra) {
  REQUIRE_CONTEXT();
  if (!config) return CUDA_ERROR_INVALID_VALUE;
  if (!d.kernels.contains(function)) return CUDA_ERROR_INVALID_HANDLE;
  const Kernel& kernel = *reinterpret_cast<Kernel*>(function);
  const Program& p = kernel.program;
  const auto refuse = [&](CUresult result, std::string message) {
    Report r;
    r.kind = ReportKind::kInvalidLaunch;
    r.kernel = p.name;
    r.message = std::move(message);
    d.report(std::move(r));
    return result;
  };
  if (auto bad = check_launch(d, kernel, *config)) return refuse(bad->first, std::move(bad->second));
  if (!d.options.execute) return CUDA_SUCCESS;
  if (!pack_parameters(d, p, parameters, extra)) {
    return refuse(CUDA_ERROR_INVALID_VALUE, fmt::format("the kernel takes {} parameters of {} bytes; fewer were given",
                                                        p.parameters.size(), p.parameter_bytes));
  }
  LaunchRequest request;
  request.program = &p;
  request.grid = {config->gridDimX, config->gridDimY, config->gridDimZ};
  request.block = {config->blockDimX, config->blockDimY, config->blockDimZ};
  request.dynamic_shared_bytes = config->sharedMemBytes;
  const uint32_t per_multiprocessor =
      occupancy(d.options, p, config->blockDimX * config->blockDimY * config->blockDimZ, config->sharedMemBytes);
  if (per_multiprocessor == 0) {
    return refuse(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "not even one block fits a multiprocessor");
  }
  request.resident_blocks = per_multiprocessor * d.options.multiprocessors;
  request.parameters = d.parameters.data();
  request.grid_id = ++d.launches;
  request.memory = &d.memory;
  request.options = d.options;
  if (p.parameter_bytes != 0) {
    d.memory.map_at(kParameterBase, d.parameters.data(), p.parameter_bytes, "the kernel's parameters");
  }
  LaunchResult result = run_launch(request);
  d.memory.remove(kParameterBase);
  d.counters += result.counters;
  d.last_launch = LaunchRecord{p.name, request.grid, request.block, request.dynamic_shared_bytes, result.counters};
  if (d.options.echo_output) std::fwrite(result.output.data(), 1, result.output.size(), stdout);
  d.output += result.output;
  if (!result.report) return CUDA_SUCCESS;
  const ReportKind kind = result.report->kind;
  d.report(std::move(*result.report));
  return result_of(kind);
}

// Memory.

CUresult cuMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  REQUIRE_CONTEXT();
  if (!free_bytes || !total_bytes) return CUDA_ERROR_INVALID_VALUE;
  *total_bytes = d.options.memory_bytes;
  *free_bytes = d.options.memory_bytes - std::min<uint64_t>(d.memory.bytes_in_use(), d.options.memory_bytes);
  return CUDA_SUCCESS;
}
CUresult cuMemAlloc(CUdeviceptr* address, size_t bytes) {
  REQUIRE_CONTEXT();
  if (!address || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  const uint64_t used = d.memory.bytes_in_use();
  if (used > d.options.memory_bytes || bytes > d.options.memory_bytes - used) return CUDA_ERROR_OUT_OF_MEMORY;
  const Allocation* a = d.memory.allocate(bytes, "", d.options.check_uninitialized_global);
  if (!a) return CUDA_ERROR_OUT_OF_MEMORY;
  *address = a->begin;
  return CUDA_SUCCESS;
}
CUresult cuMemFree(CUdeviceptr address) {
  REQUIRE_CONTEXT();
  if (address == 0) return CUDA_SUCCESS;
  const Allocation* a = d.memory.find(address);
  if (!a || a->begin != address || !a->owned || a->module_variable) {
    return fail(d, ReportKind::kHostAccess,
                fmt::format("cuMemFree: address {:#x} {}; it is not the start of an allocation", address,
                            d.memory.describe(address, 1)));
  }
  d.memory.remove(address);
  return CUDA_SUCCESS;
}
CUresult cuMemAllocHost(void** pointer, size_t bytes) {
  REQUIRE_CONTEXT();
  if (!pointer || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  constexpr size_t kPage = 4096;
  if (bytes > SIZE_MAX - kPage) return CUDA_ERROR_OUT_OF_MEMORY;
  void* memory = std::aligned_alloc(kPage, (bytes + kPage - 1) / kPage * kPage);
  if (!memory) return CUDA_ERROR_OUT_OF_MEMORY;
  d.memory.add_host(memory, bytes);
  *pointer = memory;
  return CUDA_SUCCESS;
}
CUresult cuMemFreeHost(void* pointer) {
  REQUIRE_CONTEXT();
  const Allocation* a = d.memory.find(reinterpret_cast<uint64_t>(pointer));
  if (!a || a->owned || a->registered || a->begin != reinterpret_cast<uint64_t>(pointer)) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  d.memory.remove(a->begin);
  std::free(pointer);
  return CUDA_SUCCESS;
}
// Registered memory has its own address on the device, and bounds: an access beside it is reported.
CUresult cuMemHostRegister(void* pointer, size_t bytes, unsigned int flags) {
  REQUIRE_CONTEXT();
  if (!pointer || bytes == 0 || flags > 0x0F) return CUDA_ERROR_INVALID_VALUE;
  if (bytes > kDeviceBase || reinterpret_cast<uint64_t>(pointer) > kDeviceBase - bytes) return CUDA_ERROR_INVALID_VALUE;
  const bool read_only = (flags & kHostRegisterReadOnly) != 0;
  return d.memory.register_host(pointer, bytes, read_only) ? CUDA_SUCCESS : CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
}
CUresult cuMemHostUnregister(void* pointer) {
  REQUIRE_CONTEXT();
  const Allocation* a = d.memory.find(reinterpret_cast<uint64_t>(pointer));
  if (!a || !a->registered || a->begin != reinterpret_cast<uint64_t>(pointer)) {
    return CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
  }
  d.memory.remove(a->begin);
  return CUDA_SUCCESS;
}

// The host memory behind a device range, or nullptr and a report.
uint8_t* host_range(Device& d, const char* call, CUdeviceptr address, size_t bytes) {
  const Allocation* a = d.memory.find(address);
  if (a && bytes <= a->end() - address) return a->host + (address - a->begin);
  fail(d, ReportKind::kHostAccess,
       fmt::format("{}: range of {} bytes at {:#x} {}", call, bytes, address, d.memory.describe(address, bytes)));
  return nullptr;
}
CUresult copy_to_device(Device& d, CUdeviceptr to, const void* from, size_t bytes) {
  if (bytes == 0) return CUDA_SUCCESS;
  if (!from) return CUDA_ERROR_INVALID_VALUE;
  uint8_t* target = host_range(d, "cuMemcpyHtoD", to, bytes);
  if (!target) return CUDA_ERROR_INVALID_VALUE;
  std::memmove(target, from, bytes);
  d.memory.mark_valid(to, bytes);
  return CUDA_SUCCESS;
}
CUresult copy_to_host(Device& d, void* to, CUdeviceptr from, size_t bytes) {
  if (bytes == 0) return CUDA_SUCCESS;
  if (!to) return CUDA_ERROR_INVALID_VALUE;
  const uint8_t* source = host_range(d, "cuMemcpyDtoH", from, bytes);
  if (!source) return CUDA_ERROR_INVALID_VALUE;
  std::memmove(to, source, bytes);
  return CUDA_SUCCESS;
}
CUresult copy_on_device(Device& d, CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  if (bytes == 0) return CUDA_SUCCESS;
  const uint8_t* source = host_range(d, "cuMemcpyDtoD (source)", from, bytes);
  uint8_t* target = host_range(d, "cuMemcpyDtoD (destination)", to, bytes);
  if (!source || !target) return CUDA_ERROR_INVALID_VALUE;
  std::memmove(target, source, bytes);
  const Allocation* a = d.memory.find(from);
  const Allocation* b = d.memory.find(to);
  if (b->valid) {
    // What was never written stays so after a copy.
    uint8_t* marks = b->valid + (to - b->begin);
    if (a->valid) {
      std::memmove(marks, a->valid + (from - a->begin), bytes);
    } else {
      std::memset(marks, 1, bytes);
    }
  }
  return CUDA_SUCCESS;
}
CUresult set_bytes(Device& d, CUdeviceptr to, unsigned char value, size_t bytes) {
  if (bytes == 0) return CUDA_SUCCESS;
  uint8_t* target = host_range(d, "cuMemsetD8", to, bytes);
  if (!target) return CUDA_ERROR_INVALID_VALUE;
  std::memset(target, value, bytes);
  d.memory.mark_valid(to, bytes);
  return CUDA_SUCCESS;
}
bool known_stream(const Device& d, CUstream stream) {
  return reinterpret_cast<uintptr_t>(stream) <= 2 || d.streams.contains(stream);
}

CUresult cuMemcpyHtoD(CUdeviceptr to, const void* from, size_t bytes) {
  REQUIRE_CONTEXT();
  return copy_to_device(d, to, from, bytes);
}
CUresult cuMemcpyDtoH(void* to, CUdeviceptr from, size_t bytes) {
  REQUIRE_CONTEXT();
  return copy_to_host(d, to, from, bytes);
}
CUresult cuMemcpyDtoD(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  REQUIRE_CONTEXT();
  return copy_on_device(d, to, from, bytes);
}
CUresult cuMemsetD8(CUdeviceptr to, unsigned char value, size_t bytes) {
  REQUIRE_CONTEXT();
  return set_bytes(d, to, value, bytes);
}
CUresult cuMemcpyHtoDAsync(CUdeviceptr to, const void* from, size_t bytes, CUstream stream) {
  REQUIRE_CONTEXT();
  return known_stream(d, stream) ? copy_to_device(d, to, from, bytes) : CUDA_ERROR_INVALID_HANDLE;
}
CUresult cuMemcpyDtoHAsync(void* to, CUdeviceptr from, size_t bytes, CUstream stream) {
  REQUIRE_CONTEXT();
  return known_stream(d, stream) ? copy_to_host(d, to, from, bytes) : CUDA_ERROR_INVALID_HANDLE;
}
CUresult cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  REQUIRE_CONTEXT();
  return known_stream(d, stream) ? copy_on_device(d, to, from, bytes) : CUDA_ERROR_INVALID_HANDLE;
}
CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, CUstream stream) {
  REQUIRE_CONTEXT();
  return known_stream(d, stream) ? set_bytes(d, to, value, bytes) : CUDA_ERROR_INVALID_HANDLE;
}

CUresult pointer_attribute(const Device& d, void* value, CUpointer_attribute attribute, CUdeviceptr address) {
  const Allocation* a = d.memory.find(address);
  if (!a || !value) return CUDA_ERROR_INVALID_VALUE;
  const auto put = [&](auto v) {
    std::memcpy(value, &v, sizeof(v));
    return CUDA_SUCCESS;
  };
  switch (attribute) {
    case CU_POINTER_ATTRIBUTE_CONTEXT:
      return put(context_handle());
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
      return put(static_cast<unsigned int>(a->owned ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST));
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
      return put(address);
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
      return a->owned ? CUDA_ERROR_INVALID_VALUE : put(reinterpret_cast<void*>(address));
    case CU_POINTER_ATTRIBUTE_IS_MANAGED:
      return put(static_cast<unsigned int>(0));
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
      return put(int{0});
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
      return put(static_cast<CUdeviceptr>(a->begin));
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
      return put(static_cast<size_t>(a->bytes));
    case CU_POINTER_ATTRIBUTE_MAPPED:
      return put(static_cast<unsigned int>(1));
  }
  return CUDA_ERROR_NOT_SUPPORTED;
}
CUresult cuPointerGetAttribute(void* value, CUpointer_attribute attribute, CUdeviceptr address) {
  REQUIRE_CONTEXT();
  return pointer_attribute(d, value, attribute, address);
}
// As the driver's: success for any address; attributes of an unknown one are zero.
CUresult cuPointerGetAttributes(unsigned int count, CUpointer_attribute* attributes, void** values,
                                CUdeviceptr address) {
  REQUIRE_CONTEXT();
  if (count != 0 && (!attributes || !values)) return CUDA_ERROR_INVALID_VALUE;
  const bool known = d.memory.find(address) != nullptr;
  for (unsigned int k = 0; k < count; ++k) {
    if (!values[k]) return CUDA_ERROR_INVALID_VALUE;
    if (known && pointer_attribute(d, values[k], attributes[k], address) == CUDA_SUCCESS) continue;
    const bool four =
        attributes[k] == CU_POINTER_ATTRIBUTE_MEMORY_TYPE || attributes[k] == CU_POINTER_ATTRIBUTE_IS_MANAGED ||
        attributes[k] == CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL || attributes[k] == CU_POINTER_ATTRIBUTE_MAPPED;
    std::memset(values[k], 0, four ? 4 : 8);
  }
  return CUDA_SUCCESS;
}

// Streams and events. Work is done when it is issued, so that waiting is immediate.

CUresult cuStreamCreate(CUstream* stream, unsigned int) {
  REQUIRE_CONTEXT();
  if (!stream) return CUDA_ERROR_INVALID_VALUE;
  auto* handle = new char;
  d.streams.insert(handle);
  *stream = reinterpret_cast<CUstream>(handle);
  return CUDA_SUCCESS;
}
CUresult cuStreamDestroy(CUstream stream) {
  REQUIRE_CONTEXT();
  if (d.streams.erase(stream) == 0) return CUDA_ERROR_INVALID_HANDLE;
  delete reinterpret_cast<char*>(stream);
  return CUDA_SUCCESS;
}
CUresult cuStreamSynchronize(CUstream stream) {
  REQUIRE_CONTEXT();
  return known_stream(d, stream) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}
CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned int) {
  REQUIRE_CONTEXT();
  return known_stream(d, stream) && d.events.contains(event) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}
CUresult cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus* status) {
  REQUIRE_CONTEXT();
  if (!status) return CUDA_ERROR_INVALID_VALUE;
  if (!known_stream(d, stream)) return CUDA_ERROR_INVALID_HANDLE;
  *status = CU_STREAM_CAPTURE_STATUS_NONE;
  return CUDA_SUCCESS;
}
CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode* mode) {
  REQUIRE_INIT();
  thread_local CUstreamCaptureMode current = CU_STREAM_CAPTURE_MODE_GLOBAL;
  if (!mode) return CUDA_ERROR_INVALID_VALUE;
  std::swap(current, *mode);
  return CUDA_SUCCESS;
}
CUresult cuEventCreate(CUevent* event, unsigned int flags) {
  REQUIRE_CONTEXT();
  if (!event) return CUDA_ERROR_INVALID_VALUE;
  auto created = std::make_unique<Event>();
  created->timed = (flags & CU_EVENT_DISABLE_TIMING) == 0;
  *event = reinterpret_cast<CUevent>(created.get());
  d.events[created.get()] = std::move(created);
  return CUDA_SUCCESS;
}
CUresult cuEventRecord(CUevent event, CUstream stream) {
  REQUIRE_CONTEXT();
  const auto found = d.events.find(event);
  if (found == d.events.end() || !known_stream(d, stream)) return CUDA_ERROR_INVALID_HANDLE;
  found->second->recorded = true;
  found->second->time = std::chrono::steady_clock::now();
  return CUDA_SUCCESS;
}
CUresult cuEventSynchronize(CUevent event) {
  REQUIRE_CONTEXT();
  return d.events.contains(event) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}
// Host time: the virtual device has no clock of its own.
CUresult cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) {
  REQUIRE_CONTEXT();
  const auto from = d.events.find(start), to = d.events.find(end);
  if (!milliseconds) return CUDA_ERROR_INVALID_VALUE;
  if (from == d.events.end() || to == d.events.end() || !from->second->timed || !to->second->timed ||
      !from->second->recorded || !to->second->recorded) {
    return CUDA_ERROR_INVALID_HANDLE;
  }
  *milliseconds = std::chrono::duration<float, std::milli>(to->second->time - from->second->time).count();
  return CUDA_SUCCESS;
}
CUresult cuEventDestroy(CUevent event) {
  REQUIRE_CONTEXT();
  return d.events.erase(event) != 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

constexpr DriverTable kTable = {"virtual",
#define X(member, symbol, parameters) member,
                                TAILOR_DRIVER_FUNCTIONS(X)
#undef X
};

}  // namespace

const DriverTable* driver_table() { return &kTable; }

}  // namespace tailor::virtual_device

const tailor::DriverTable* tailor_virtual_driver_table(size_t table_bytes) {
  return table_bytes == sizeof(tailor::DriverTable) ? tailor::virtual_device::driver_table() : nullptr;
}
