// NVRTC through dlopen. Internal to codegen/compile; the caller serialises.
#pragma once

#include <string>
#include <vector>

#include "codegen/compile/compile.h"
#include "codegen/compile/library.h"

namespace tailor::codegen::compile {

// nvrtc.h, CUDA 12 and 13: the part that is used.
struct NvrtcProgram;
struct NvrtcApi {
  int (*version)(int* major, int* minor) = nullptr;
  const char* (*error_string)(int result) = nullptr;
  int (*create)(NvrtcProgram** program, const char* source, const char* name, int headers, const char* const* texts,
                const char* const* names) = nullptr;
  int (*destroy)(NvrtcProgram** program) = nullptr;
  int (*compile)(NvrtcProgram* program, int options, const char* const* option) = nullptr;
  int (*log_size)(NvrtcProgram* program, size_t* size) = nullptr;
  int (*log)(NvrtcProgram* program, char* text) = nullptr;
  int (*ptx_size)(NvrtcProgram* program, size_t* size) = nullptr;
  int (*ptx)(NvrtcProgram* program, char* text) = nullptr;
  int (*cubin_size)(NvrtcProgram* program, size_t* size) = nullptr;
  int (*cubin)(NvrtcProgram* program, char* bytes) = nullptr;
};

class Nvrtc {
 public:
  static Nvrtc open(const std::vector<std::string>& folders, bool search_system);
  const LibraryInfo& info() const { return info_; }

  enum class Want { kPtx, kCubin };
  // kPtx: for the virtual architecture, with line information. kCubin: for the real one, without.
  Expected<std::string> compile(const std::string& source, Arch arch, Want want) const;

 private:
  Library library_;
  NvrtcApi api_;
  LibraryInfo info_;
};

}  // namespace tailor::codegen::compile
