// The part of the CUDA Driver API that Tailor uses, declared from its documented ABI so that no CUDA header is needed.
//
// Names and numbers are the driver's own ("CUDA Driver API", data types chapter); they live in tailor::cu so that a
// translation unit may include <cuda.h> as well. tests/runtime/driver compares every number, size and offset with
// <cuda.h> where it is installed. Enumerations are X-macro tables: X(name without its prefix, value[, text]).
// Ownership: handles are opaque and owned by the driver. Plain declarations; safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tailor::cu {

using CUdevice = int;
using CUdeviceptr = unsigned long long;

using CUcontext = struct CUctx_st*;
using CUmodule = struct CUmod_st*;
using CUfunction = struct CUfunc_st*;
using CUlibrary = struct CUlib_st*;
using CUkernel = struct CUkern_st*;
using CUstream = struct CUstream_st*;
using CUevent = struct CUevent_st*;

// Error codes: X(name after "CUDA_", value, text of the virtual device's cuGetErrorString).
#define TAILOR_CU_RESULTS(X)                                                                         \
  X(SUCCESS, 0, "no error")                                                                          \
  X(ERROR_INVALID_VALUE, 1, "an argument is out of its range")                                       \
  X(ERROR_OUT_OF_MEMORY, 2, "not enough memory")                                                     \
  X(ERROR_NOT_INITIALIZED, 3, "cuInit has not been called")                                          \
  X(ERROR_DEINITIALIZED, 4, "the driver is shutting down")                                           \
  X(ERROR_STUB_LIBRARY, 34, "the library loaded is a stub")                                          \
  X(ERROR_CALL_REQUIRES_NEWER_DRIVER, 36, "the call needs a newer driver")                           \
  X(ERROR_DEVICE_UNAVAILABLE, 46, "the device is not available now")                                 \
  X(ERROR_NO_DEVICE, 100, "no device found")                                                         \
  X(ERROR_INVALID_DEVICE, 101, "no such device ordinal")                                             \
  X(ERROR_INVALID_IMAGE, 200, "the device code image is malformed")                                  \
  X(ERROR_INVALID_CONTEXT, 201, "no valid context is current")                                       \
  X(ERROR_NO_BINARY_FOR_GPU, 209, "the image holds no code for this device")                         \
  X(ERROR_ECC_UNCORRECTABLE, 214, "uncorrectable memory error")                                      \
  X(ERROR_UNSUPPORTED_LIMIT, 215, "the limit is not supported")                                      \
  X(ERROR_INVALID_PTX, 218, "PTX compilation failed")                                                \
  X(ERROR_JIT_COMPILER_NOT_FOUND, 221, "the PTX compiler library was not found")                     \
  X(ERROR_UNSUPPORTED_PTX_VERSION, 222, "the PTX version is newer than the driver")                  \
  X(ERROR_JIT_COMPILATION_DISABLED, 223, "PTX compilation is disabled")                              \
  X(ERROR_INVALID_SOURCE, 300, "invalid device source")                                              \
  X(ERROR_FILE_NOT_FOUND, 301, "file not found")                                                     \
  X(ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND, 302, "a shared object symbol was not found")               \
  X(ERROR_SHARED_OBJECT_INIT_FAILED, 303, "a shared object failed to start")                         \
  X(ERROR_OPERATING_SYSTEM, 304, "an operating system call failed")                                  \
  X(ERROR_INVALID_HANDLE, 400, "invalid handle")                                                     \
  X(ERROR_ILLEGAL_STATE, 401, "the resource is not in a valid state")                                \
  X(ERROR_NOT_FOUND, 500, "named symbol not found")                                                  \
  X(ERROR_NOT_READY, 600, "the work has not completed")                                              \
  X(ERROR_ILLEGAL_ADDRESS, 700, "an illegal memory access was encountered")                          \
  X(ERROR_LAUNCH_OUT_OF_RESOURCES, 701, "too many resources requested for launch")                   \
  X(ERROR_LAUNCH_TIMEOUT, 702, "the launch took too long")                                           \
  X(ERROR_PRIMARY_CONTEXT_ACTIVE, 708, "the primary context is active")                              \
  X(ERROR_CONTEXT_IS_DESTROYED, 709, "the context is destroyed")                                     \
  X(ERROR_ASSERT, 710, "a device-side assertion failed")                                             \
  X(ERROR_HOST_MEMORY_ALREADY_REGISTERED, 712, "host memory is already registered")                  \
  X(ERROR_HOST_MEMORY_NOT_REGISTERED, 713, "host memory is not registered")                          \
  X(ERROR_HARDWARE_STACK_ERROR, 714, "device stack error")                                           \
  X(ERROR_ILLEGAL_INSTRUCTION, 715, "an illegal instruction was encountered")                        \
  X(ERROR_MISALIGNED_ADDRESS, 716, "misaligned address")                                             \
  X(ERROR_INVALID_ADDRESS_SPACE, 717, "operation not supported on this address space")               \
  X(ERROR_INVALID_PC, 718, "invalid program counter")                                                \
  X(ERROR_LAUNCH_FAILED, 719, "unspecified launch failure")                                          \
  X(ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, 720, "cooperative launch too large")                         \
  X(ERROR_NOT_PERMITTED, 800, "operation not permitted")                                             \
  X(ERROR_NOT_SUPPORTED, 801, "operation not supported")                                             \
  X(ERROR_SYSTEM_NOT_READY, 802, "system not ready")                                                 \
  X(ERROR_SYSTEM_DRIVER_MISMATCH, 803, "driver and library versions differ")                         \
  X(ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE, 804, "forward compatibility not supported on this device") \
  X(ERROR_STREAM_CAPTURE_UNSUPPORTED, 900, "operation not permitted while the stream is capturing")  \
  X(ERROR_STREAM_CAPTURE_INVALIDATED, 901, "the capture was invalidated by an earlier error")        \
  X(ERROR_STREAM_CAPTURE_MERGE, 902, "the operation would merge two captures")                       \
  X(ERROR_STREAM_CAPTURE_UNMATCHED, 903, "the capture was not begun in this stream")                 \
  X(ERROR_STREAM_CAPTURE_UNJOINED, 904, "the capture has unjoined work")                             \
  X(ERROR_STREAM_CAPTURE_ISOLATION, 905, "a dependency would cross the capture boundary")            \
  X(ERROR_STREAM_CAPTURE_IMPLICIT, 906, "implicit dependency on the legacy stream during capture")   \
  X(ERROR_CAPTURED_EVENT, 907, "operation not permitted on an event of a capture")                   \
  X(ERROR_STREAM_CAPTURE_WRONG_THREAD, 908, "capture ended by another thread")                       \
  X(ERROR_TIMEOUT, 909, "time-out")                                                                  \
  X(ERROR_GRAPH_EXEC_UPDATE_FAILURE, 910, "graph update failed")                                     \
  X(ERROR_EXTERNAL_DEVICE, 911, "failure outside the device")                                        \
  X(ERROR_INVALID_CLUSTER_SIZE, 912, "invalid cluster size")                                         \
  X(ERROR_FUNCTION_NOT_LOADED, 913, "function not loaded")                                           \
  X(ERROR_UNKNOWN, 999, "unknown error")

enum CUresult : int {
#define X(name, value, text) CUDA_##name = value,
  TAILOR_CU_RESULTS(X)
#undef X
};

// X(name after "CU_DEVICE_ATTRIBUTE_", value).
#define TAILOR_CU_DEVICE_ATTRIBUTES(X)        \
  X(MAX_THREADS_PER_BLOCK, 1)                 \
  X(MAX_BLOCK_DIM_X, 2)                       \
  X(MAX_BLOCK_DIM_Y, 3)                       \
  X(MAX_BLOCK_DIM_Z, 4)                       \
  X(MAX_GRID_DIM_X, 5)                        \
  X(MAX_GRID_DIM_Y, 6)                        \
  X(MAX_GRID_DIM_Z, 7)                        \
  X(MAX_SHARED_MEMORY_PER_BLOCK, 8)           \
  X(TOTAL_CONSTANT_MEMORY, 9)                 \
  X(WARP_SIZE, 10)                            \
  X(MAX_REGISTERS_PER_BLOCK, 12)              \
  X(CLOCK_RATE, 13)                           \
  X(MULTIPROCESSOR_COUNT, 16)                 \
  X(INTEGRATED, 18)                           \
  X(CONCURRENT_KERNELS, 31)                   \
  X(MEMORY_CLOCK_RATE, 36)                    \
  X(GLOBAL_MEMORY_BUS_WIDTH, 37)              \
  X(L2_CACHE_SIZE, 38)                        \
  X(MAX_THREADS_PER_MULTIPROCESSOR, 39)       \
  X(ASYNC_ENGINE_COUNT, 40)                   \
  X(UNIFIED_ADDRESSING, 41)                   \
  X(COMPUTE_CAPABILITY_MAJOR, 75)             \
  X(COMPUTE_CAPABILITY_MINOR, 76)             \
  X(STREAM_PRIORITIES_SUPPORTED, 78)          \
  X(MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, 81) \
  X(MAX_REGISTERS_PER_MULTIPROCESSOR, 82)     \
  X(MANAGED_MEMORY, 83)                       \
  X(COOPERATIVE_LAUNCH, 95)                   \
  X(MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 97)    \
  X(MAX_BLOCKS_PER_MULTIPROCESSOR, 106)       \
  X(RESERVED_SHARED_MEMORY_PER_BLOCK, 111)    \
  X(MEMORY_POOLS_SUPPORTED, 115)              \
  X(CLUSTER_LAUNCH, 120)                      \
  X(TENSOR_MAP_ACCESS_SUPPORTED, 127)

enum CUdevice_attribute : int {
#define X(name, value) CU_DEVICE_ATTRIBUTE_##name = value,
  TAILOR_CU_DEVICE_ATTRIBUTES(X)
#undef X
};

// X(name after "CU_FUNC_ATTRIBUTE_", value).
#define TAILOR_CU_FUNCTION_ATTRIBUTES(X)   \
  X(MAX_THREADS_PER_BLOCK, 0)              \
  X(SHARED_SIZE_BYTES, 1)                  \
  X(CONST_SIZE_BYTES, 2)                   \
  X(LOCAL_SIZE_BYTES, 3)                   \
  X(NUM_REGS, 4)                           \
  X(PTX_VERSION, 5)                        \
  X(BINARY_VERSION, 6)                     \
  X(CACHE_MODE_CA, 7)                      \
  X(MAX_DYNAMIC_SHARED_SIZE_BYTES, 8)      \
  X(PREFERRED_SHARED_MEMORY_CARVEOUT, 9)   \
  X(CLUSTER_SIZE_MUST_BE_SET, 10)          \
  X(REQUIRED_CLUSTER_WIDTH, 11)            \
  X(REQUIRED_CLUSTER_HEIGHT, 12)           \
  X(REQUIRED_CLUSTER_DEPTH, 13)            \
  X(NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 14) \
  X(CLUSTER_SCHEDULING_POLICY_PREFERENCE, 15)

enum CUfunction_attribute : int {
#define X(name, value) CU_FUNC_ATTRIBUTE_##name = value,
  TAILOR_CU_FUNCTION_ATTRIBUTES(X)
#undef X
};

// X(name after "CU_LAUNCH_ATTRIBUTE_", value).
#define TAILOR_CU_LAUNCH_ATTRIBUTES(X)       \
  X(IGNORE, 0)                               \
  X(ACCESS_POLICY_WINDOW, 1)                 \
  X(COOPERATIVE, 2)                          \
  X(SYNCHRONIZATION_POLICY, 3)               \
  X(CLUSTER_DIMENSION, 4)                    \
  X(CLUSTER_SCHEDULING_POLICY_PREFERENCE, 5) \
  X(PROGRAMMATIC_STREAM_SERIALIZATION, 6)    \
  X(PROGRAMMATIC_EVENT, 7)                   \
  X(PRIORITY, 8)                             \
  X(MEM_SYNC_DOMAIN_MAP, 9)                  \
  X(MEM_SYNC_DOMAIN, 10)                     \
  X(LAUNCH_COMPLETION_EVENT, 12)             \
  X(PREFERRED_SHARED_MEMORY_CARVEOUT, 14)

enum CUlaunchAttributeID : int {
#define X(name, value) CU_LAUNCH_ATTRIBUTE_##name = value,
  TAILOR_CU_LAUNCH_ATTRIBUTES(X)
#undef X
};

// X(name after "CU_JIT_", value): options of cuLibraryLoadData.
#define TAILOR_CU_JIT_OPTIONS(X)    \
  X(MAX_REGISTERS, 0)               \
  X(WALL_TIME, 2)                   \
  X(INFO_LOG_BUFFER, 3)             \
  X(INFO_LOG_BUFFER_SIZE_BYTES, 4)  \
  X(ERROR_LOG_BUFFER, 5)            \
  X(ERROR_LOG_BUFFER_SIZE_BYTES, 6) \
  X(OPTIMIZATION_LEVEL, 7)          \
  X(GENERATE_DEBUG_INFO, 11)        \
  X(LOG_VERBOSE, 12)                \
  X(GENERATE_LINE_INFO, 13)

enum CUjit_option : int {
#define X(name, value) CU_JIT_##name = value,
  TAILOR_CU_JIT_OPTIONS(X)
#undef X
};

// X(name after "CU_POINTER_ATTRIBUTE_", value).
#define TAILOR_CU_POINTER_ATTRIBUTES(X) \
  X(CONTEXT, 1)                         \
  X(MEMORY_TYPE, 2)                     \
  X(DEVICE_POINTER, 3)                  \
  X(HOST_POINTER, 4)                    \
  X(IS_MANAGED, 8)                      \
  X(DEVICE_ORDINAL, 9)                  \
  X(RANGE_START_ADDR, 11)               \
  X(RANGE_SIZE, 12)                     \
  X(MAPPED, 13)

enum CUpointer_attribute : int {
#define X(name, value) CU_POINTER_ATTRIBUTE_##name = value,
  TAILOR_CU_POINTER_ATTRIBUTES(X)
#undef X
};

// X(whole name, value): the small enumerations.
#define TAILOR_CU_LIBRARY_OPTIONS(X)                      \
  X(CU_LIBRARY_HOST_UNIVERSAL_FUNCTION_AND_DATA_TABLE, 0) \
  X(CU_LIBRARY_BINARY_IS_PRESERVED, 1)
#define TAILOR_CU_CAPTURE_STATUSES(X)   \
  X(CU_STREAM_CAPTURE_STATUS_NONE, 0)   \
  X(CU_STREAM_CAPTURE_STATUS_ACTIVE, 1) \
  X(CU_STREAM_CAPTURE_STATUS_INVALIDATED, 2)
#define TAILOR_CU_CAPTURE_MODES(X)          \
  X(CU_STREAM_CAPTURE_MODE_GLOBAL, 0)       \
  X(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, 1) \
  X(CU_STREAM_CAPTURE_MODE_RELAXED, 2)
#define TAILOR_CU_MEMORY_TYPES(X) \
  X(CU_MEMORYTYPE_HOST, 1)        \
  X(CU_MEMORYTYPE_DEVICE, 2)      \
  X(CU_MEMORYTYPE_ARRAY, 3)       \
  X(CU_MEMORYTYPE_UNIFIED, 4)
#define TAILOR_CU_STREAM_FLAGS(X) \
  X(CU_STREAM_DEFAULT, 0)         \
  X(CU_STREAM_NON_BLOCKING, 1)
#define TAILOR_CU_EVENT_FLAGS(X) \
  X(CU_EVENT_DEFAULT, 0)         \
  X(CU_EVENT_BLOCKING_SYNC, 1)   \
  X(CU_EVENT_DISABLE_TIMING, 2)

#define X(name, value) name = value,
enum CUlibraryOption : int { TAILOR_CU_LIBRARY_OPTIONS(X) };
enum CUstreamCaptureStatus : int { TAILOR_CU_CAPTURE_STATUSES(X) };
enum CUstreamCaptureMode : int { TAILOR_CU_CAPTURE_MODES(X) };
enum CUmemorytype : int { TAILOR_CU_MEMORY_TYPES(X) };
enum CUstream_flags : int { TAILOR_CU_STREAM_FLAGS(X) };
enum CUevent_flags : int { TAILOR_CU_EVENT_FLAGS(X) };
#undef X

// Flag of cuMemHostRegister (CU_MEMHOSTREGISTER_READ_ONLY, a macro of <cuda.h>): kernels may not write the range.
inline constexpr unsigned int kHostRegisterReadOnly = 0x08;

struct CUlaunchDim {
  unsigned int x;
  unsigned int y;
  unsigned int z;
};

// 64 bytes; only the members that Tailor sets or reads are named.
union CUlaunchAttributeValue {
  char pad[64];
  int cooperative;
  CUlaunchDim clusterDim;
  int programmaticStreamSerializationAllowed;
  int priority;
  unsigned int sharedMemCarveout;
  void* alignment_;
};

struct CUlaunchAttribute {
  CUlaunchAttributeID id;
  char pad[8 - sizeof(CUlaunchAttributeID)];
  CUlaunchAttributeValue value;
};

struct CUlaunchConfig {
  unsigned int gridDimX;
  unsigned int gridDimY;
  unsigned int gridDimZ;
  unsigned int blockDimX;
  unsigned int blockDimY;
  unsigned int blockDimZ;
  unsigned int sharedMemBytes;
  CUstream hStream;
  CUlaunchAttribute* attrs;  // may be null when numAttrs is 0
  unsigned int numAttrs;
};

}  // namespace tailor::cu
