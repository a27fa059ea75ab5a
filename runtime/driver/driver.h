// One table of CUDA Driver API functions, filled from libcuda.so.1 or from the virtual device.
//
// Everything above talks to a `const DriverTable*`, so that the device is a value and not a link-time choice. libcuda
// is opened at run time, once per process, and never linked; a missing library or symbol is kUnavailable and its
// message names it. Nothing falls back silently from one driver to the other. Ownership: tables live until the process
// ends; callers never free them. Threads: every function here and every table entry may be called from any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "runtime/driver/cuda_api.h"
#include "tailor/status.h"

namespace tailor {

// X(member, exported symbol, parameter types). All return CUresult. The exported symbol carries the ABI version suffix
// that <cuda.h> would have substituted (cuMemAlloc is cuMemAlloc_v2), in its legacy-default-stream form.
#define TAILOR_DRIVER_FUNCTIONS(X)                                                                                     \
  X(cuInit, cuInit, (unsigned int flags))                                                                              \
  X(cuDriverGetVersion, cuDriverGetVersion, (int* version))                                                            \
  X(cuGetErrorString, cuGetErrorString, (cu::CUresult error, const char** text))                                       \
  X(cuGetErrorName, cuGetErrorName, (cu::CUresult error, const char** name))                                           \
  X(cuDeviceGet, cuDeviceGet, (cu::CUdevice * device, int ordinal))                                                    \
  X(cuDeviceGetCount, cuDeviceGetCount, (int* count))                                                                  \
  X(cuDeviceGetName, cuDeviceGetName, (char* name, int length, cu::CUdevice device))                                   \
  X(cuDeviceGetAttribute, cuDeviceGetAttribute, (int* value, cu::CUdevice_attribute attribute, cu::CUdevice device))   \
  X(cuDeviceTotalMem, cuDeviceTotalMem_v2, (size_t * bytes, cu::CUdevice device))                                      \
  X(cuDevicePrimaryCtxRetain, cuDevicePrimaryCtxRetain, (cu::CUcontext * context, cu::CUdevice device))                \
  X(cuDevicePrimaryCtxRelease, cuDevicePrimaryCtxRelease_v2, (cu::CUdevice device))                                    \
  X(cuCtxSetCurrent, cuCtxSetCurrent, (cu::CUcontext context))                                                         \
  X(cuCtxGetCurrent, cuCtxGetCurrent, (cu::CUcontext * context))                                                       \
  X(cuCtxGetDevice, cuCtxGetDevice, (cu::CUdevice * device))                                                           \
  X(cuCtxSynchronize, cuCtxSynchronize, ())                                                                            \
  X(cuLibraryLoadData, cuLibraryLoadData,                                                                              \
    (cu::CUlibrary * library, const void* code, cu::CUjit_option* jit_options, void** jit_values,                      \
     unsigned int jit_count, cu::CUlibraryOption* library_options, void** library_values, unsigned int library_count)) \
  X(cuLibraryUnload, cuLibraryUnload, (cu::CUlibrary library))                                                         \
  X(cuLibraryGetKernel, cuLibraryGetKernel, (cu::CUkernel * kernel, cu::CUlibrary library, const char* name))          \
  X(cuLibraryGetGlobal, cuLibraryGetGlobal,                                                                            \
    (cu::CUdeviceptr * address, size_t * bytes, cu::CUlibrary library, const char* name))                              \
  X(cuKernelGetFunction, cuKernelGetFunction, (cu::CUfunction * function, cu::CUkernel kernel))                        \
  X(cuFuncGetAttribute, cuFuncGetAttribute, (int* value, cu::CUfunction_attribute attribute, cu::CUfunction function)) \
  X(cuFuncSetAttribute, cuFuncSetAttribute, (cu::CUfunction function, cu::CUfunction_attribute attribute, int value))  \
  X(cuOccupancyMaxActiveBlocksPerMultiprocessor, cuOccupancyMaxActiveBlocksPerMultiprocessor,                          \
    (int* blocks, cu::CUfunction function, int block_threads, size_t dynamic_shared_bytes))                            \
  X(cuLaunchKernelEx, cuLaunchKernelEx,                                                                                \
    (const cu::CUlaunchConfig* config, cu::CUfunction function, void** parameters, void** extra))                      \
  X(cuMemGetInfo, cuMemGetInfo_v2, (size_t * free_bytes, size_t * total_bytes))                                        \
  X(cuMemAlloc, cuMemAlloc_v2, (cu::CUdeviceptr * address, size_t bytes))                                              \
  X(cuMemFree, cuMemFree_v2, (cu::CUdeviceptr address))                                                                \
  X(cuMemAllocHost, cuMemAllocHost_v2, (void** pointer, size_t bytes))                                                 \
  X(cuMemFreeHost, cuMemFreeHost, (void* pointer))                                                                     \
  X(cuMemHostRegister, cuMemHostRegister_v2, (void* pointer, size_t bytes, unsigned int flags))                        \
  X(cuMemHostUnregister, cuMemHostUnregister, (void* pointer))                                                         \
  X(cuMemcpyHtoD, cuMemcpyHtoD_v2, (cu::CUdeviceptr to, const void* from, size_t bytes))                               \
  X(cuMemcpyDtoH, cuMemcpyDtoH_v2, (void* to, cu::CUdeviceptr from, size_t bytes))                                     \
  X(cuMemcpyDtoD, cuMemcpyDtoD_v2, (cu::CUdeviceptr to, cu::CUdeviceptr from, size_t bytes))                           \
  X(cuMemcpyHtoDAsync, cuMemcpyHtoDAsync_v2,                                                                           \
    (cu::CUdeviceptr to, const void* from, size_t bytes, cu::CUstream stream))                                         \
  X(cuMemcpyDtoHAsync, cuMemcpyDtoHAsync_v2, (void* to, cu::CUdeviceptr from, size_t bytes, cu::CUstream stream))      \
  X(cuMemcpyDtoDAsync, cuMemcpyDtoDAsync_v2,                                                                           \
    (cu::CUdeviceptr to, cu::CUdeviceptr from, size_t bytes, cu::CUstream stream))                                     \
  X(cuMemsetD8, cuMemsetD8_v2, (cu::CUdeviceptr to, unsigned char value, size_t bytes))                                \
  X(cuMemsetD8Async, cuMemsetD8Async, (cu::CUdeviceptr to, unsigned char value, size_t bytes, cu::CUstream stream))    \
  X(cuPointerGetAttribute, cuPointerGetAttribute,                                                                      \
    (void* value, cu::CUpointer_attribute attribute, cu::CUdeviceptr address))                                         \
  X(cuPointerGetAttributes, cuPointerGetAttributes,                                                                    \
    (unsigned int count, cu::CUpointer_attribute* attributes, void** values, cu::CUdeviceptr address))                 \
  X(cuStreamCreate, cuStreamCreate, (cu::CUstream * stream, unsigned int flags))                                       \
  X(cuStreamDestroy, cuStreamDestroy_v2, (cu::CUstream stream))                                                        \
  X(cuStreamSynchronize, cuStreamSynchronize, (cu::CUstream stream))                                                   \
  X(cuStreamWaitEvent, cuStreamWaitEvent, (cu::CUstream stream, cu::CUevent event, unsigned int flags))                \
  X(cuStreamIsCapturing, cuStreamIsCapturing, (cu::CUstream stream, cu::CUstreamCaptureStatus * status))               \
  X(cuThreadExchangeStreamCaptureMode, cuThreadExchangeStreamCaptureMode, (cu::CUstreamCaptureMode * mode))            \
  X(cuEventCreate, cuEventCreate, (cu::CUevent * event, unsigned int flags))                                           \
  X(cuEventRecord, cuEventRecord, (cu::CUevent event, cu::CUstream stream))                                            \
  X(cuEventSynchronize, cuEventSynchronize, (cu::CUevent event))                                                       \
  X(cuEventElapsedTime, cuEventElapsedTime, (float* milliseconds, cu::CUevent start, cu::CUevent end))                 \
  X(cuEventDestroy, cuEventDestroy_v2, (cu::CUevent event))

struct DriverTable {
  const char* name;  // "cuda" or "virtual"
#define X(member, symbol, parameters) cu::CUresult(*member) parameters;
  TAILOR_DRIVER_FUNCTIONS(X)
#undef X
};

// Opens libcuda.so.1 on the first call; later calls return the same answer. Does not call cuInit.
// Errors: kUnavailable naming the library or the first symbol it lacks.
Expected<const DriverTable*> open_cuda_driver();

// Opens the virtual device: `library_path` if given, else libtailor_virtual.so beside the binary that holds this code,
// in ../lib of that folder, or on the loader's path. Errors: kUnavailable naming what was tried.
Expected<const DriverTable*> open_virtual_driver(const std::string& library_path = "");

// ok, or kDriver with "<what>: CUDA_ERROR_… (700): <driver's text>".
Status check(const DriverTable& driver, cu::CUresult result, std::string_view what);

}  // namespace tailor
