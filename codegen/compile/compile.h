// NVRTC and nvJitLink behind dlopen: text in, cubin and PTX out. Nothing links them; a machine without them gets a
// Status that names the library and the command that brings it.
//
// Thread-safety: any thread. A Toolchain owns its library handles and keeps them until it is destroyed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tailor/status.h"
#include "tailor/types.h"

namespace tailor::codegen::compile {

struct LibraryInfo {
  bool found = false;
  std::string version;  // "13.0"
  std::string path;
  std::string error;   // when not found: what was tried
  std::string remedy;  // when not found: the command that brings it
};

struct CudaOutput {
  std::string ptx;
  std::string cubin;
};

class Toolchain {
 public:
  // Looks in `library_folders` first, then under the loader's own names and the usual toolkit folders. Never fails:
  // what is missing is reported by the calls that need it.
  static std::shared_ptr<Toolchain> open(const std::vector<std::string>& library_folders);
  virtual ~Toolchain() = default;

  virtual LibraryInfo nvrtc() const = 0;
  virtual LibraryInfo nvjitlink() const = 0;

  // PTX -> cubin by nvJitLink. Errors: kUnavailable; kCompiler with the linker's log.
  virtual Expected<std::string> link_ptx(const std::string& ptx, Arch arch) = 0;

  // CUDA C++ -> PTX and cubin by NVRTC (-lineinfo so that #line survives as .loc). Errors as above with NVRTC's log.
  virtual Expected<CudaOutput> compile_cuda(const std::string& source, Arch arch, bool want_cubin) = 0;
};

}  // namespace tailor::codegen::compile
