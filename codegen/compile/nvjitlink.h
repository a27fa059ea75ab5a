// nvJitLink through dlopen. Internal to codegen/compile; the caller serialises.
#pragma once

#include <string>
#include <vector>

#include "codegen/compile/compile.h"
#include "codegen/compile/library.h"

namespace tailor::codegen::compile {

// nvJitLink.h, CUDA 12 and 13: the part that is used.
struct NvJitLinkState;
struct NvJitLinkApi {
  int (*version)(unsigned* major, unsigned* minor) = nullptr;  // since 12.3; may be null
  int (*create)(NvJitLinkState** handle, uint32_t options, const char* const* option) = nullptr;
  int (*destroy)(NvJitLinkState** handle) = nullptr;
  int (*add_data)(NvJitLinkState* handle, int kind, const void* data, size_t size, const char* name) = nullptr;
  int (*complete)(NvJitLinkState* handle) = nullptr;
  int (*cubin_size)(NvJitLinkState* handle, size_t* size) = nullptr;
  int (*cubin)(NvJitLinkState* handle, void* bytes) = nullptr;
  int (*error_log_size)(NvJitLinkState* handle, size_t* size) = nullptr;
  int (*error_log)(NvJitLinkState* handle, char* text) = nullptr;
};

class NvJitLink {
 public:
  static NvJitLink open(const std::vector<std::string>& folders, bool search_system);
  const LibraryInfo& info() const { return info_; }

  Expected<std::string> link(const std::string& ptx, Arch arch) const;

 private:
  Library library_;
  NvJitLinkApi api_;
  LibraryInfo info_;
};

}  // namespace tailor::codegen::compile
