// The only door from the runtime to code generation. Two implementations are foreseen: in process (libtailor_codegen,
// loaded on the first miss) and a worker process behind a pipe.
//
// Thread-safety: any thread may call; implementations keep no state between calls but what they lock themselves.
#pragma once

#include <string>

#include "runtime/bucket/key.h"
#include "runtime/ops/kernel_image.h"
#include "tailor/status.h"

namespace tailor {

// What `tailor emit --what=…` can show. name, text.
#define TAILOR_STAGES(X) \
  X(kKey, "key")         \
  X(kLayout, "layout")   \
  X(kTile, "tile")       \
  X(kKernel, "kernel")   \
  X(kProof, "proof")     \
  X(kLlvm, "llvm")       \
  X(kCuda, "cuda")       \
  X(kPtx, "ptx")         \
  X(kCubin, "cubin")     \
  X(kPlan, "plan")

enum class Stage : uint8_t {
#define X(name, text) name,
  TAILOR_STAGES(X)
#undef X
};

struct ToolStatus {
  std::string name;  // "LLVM", "isl", "NVRTC", "nvJitLink"
  bool found = false;
  std::string version;  // when found
  std::string where;    // library path, when loaded at run time
  std::string remedy;   // when missing: the command that brings it
};

class KernelGenerator {
 public:
  virtual ~KernelGenerator() = default;

  // A build-time hash over codegen/, templates/ and the LLVM version: part of every action key.
  virtual std::string digest() const = 0;

  virtual Expected<EmittedKernel> emit(const Key& key) = 0;

  // PTX and cubin. `require_cubin`: a missing nvJitLink is an error; otherwise the kernel comes back with PTX only and
  // says why in cubin_missing.
  virtual Expected<CompiledKernel> compile(const EmittedKernel& emitted, bool require_cubin) = 0;

  // The text of one stage of the way from key to cubin (cubin: raw bytes; proof: a JSON array of obligations).
  virtual Expected<std::string> show(const Key& key, Stage stage) = 0;

  // The tools that turn this emitter's text into PTX and cubin, with versions, "missing" for what is not there:
  // "nvJitLink 13.0". Opens them. Part of the second cache key.
  virtual std::string toolchain(Emitter emitter) = 0;

  virtual std::vector<ToolStatus> tools() = 0;
};

// Where NVRTC and nvJitLink are looked for, first match wins: these folders, then the loader's own path.
//
// A generator frees one block of 16 MiB that it never touched when it is made. glibc then keeps up to 32 MiB of freed heap
// instead of 128 KiB, as it does in any program that has freed a block of that size, and a compile, which needs up to
// some 10 MiB, does not fault them in again each time (2 to 3 ms). A program that sets M_TRIM_THRESHOLD or
// M_MMAP_THRESHOLD itself keeps its own setting.
struct GeneratorOptions {
  std::vector<std::string> library_folders;
};

// Exported by libtailor_codegen under this C name; the caller owns the result (delete). Null when `interface` is not
// the callee's own kGeneratorInterface: the two libraries were built from different headers.
inline constexpr const char* kCreateGeneratorSymbol = "tailor_create_kernel_generator";
using CreateGeneratorFunction = KernelGenerator* (*)(uint64_t interface, const GeneratorOptions& options);

// Bumped whenever this header, or a type that crosses it, changes.
inline constexpr uint64_t kGeneratorInterface = 4;

}  // namespace tailor
