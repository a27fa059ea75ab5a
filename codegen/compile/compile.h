// NVRTC and nvJitLink behind dlopen: text in, cubin and PTX out. Nothing links them; a machine without them gets a
// Status that names the library and the command that brings it.
//
// Thread-safety: any thread. Calls into one library run one at a time over the whole process: nvJitLink documents no
// thread safety, NVRTC only since 12.3. A Toolchain owns its library handles and keeps them until it is destroyed.
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
  std::string ptx;    // with .loc lines
  std::string cubin;  // without line information; empty unless asked for
};

class Toolchain {
 public:
  // Looks in `library_folders` first, then under the loader's own names and the usual toolkit folders. Never fails:
  // what is missing is reported by the calls that need it.
  static std::shared_ptr<Toolchain> open(const std::vector<std::string>& library_folders);
  // Looks in `library_folders` and nowhere else.
  static std::shared_ptr<Toolchain> open_only(const std::vector<std::string>& library_folders);
  virtual ~Toolchain() = default;

  // The first question about a library opens it.

  virtual LibraryInfo nvrtc() const = 0;
  virtual LibraryInfo nvjitlink() const = 0;

  // PTX -> cubin by nvJitLink; .loc lines are dropped first. Errors: kUnavailable; kCompiler with the linker's log.
  virtual Expected<std::string> link_ptx(const std::string& ptx, Arch arch) = 0;

  // CUDA C++ -> PTX by NVRTC (-lineinfo so that #line survives as .loc), and that PTX -> cubin by nvJitLink, or by a
  // second NVRTC run where nvJitLink is missing. Errors as above with NVRTC's log.
  virtual Expected<CudaOutput> compile_cuda(const std::string& source, Arch arch, bool want_cubin) = 0;
};

}  // namespace tailor::codegen::compile
