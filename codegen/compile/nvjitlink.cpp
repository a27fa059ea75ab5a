#include "codegen/compile/nvjitlink.h"

#include <fmt/format.h>

namespace tailor::codegen::compile {
namespace {

constexpr int kInputPtx = 2;  // NVJITLINK_INPUT_PTX

// Early releases of 12 export only names with their version: __nvJitLinkCreate_12_4.
template <class Function>
bool bind(const Library& library, Function& function, const std::string& name) {
  function = library.symbol<Function>(name);
  for (int major = 13; !function && major >= 12; --major) {
    for (int minor = 9; !function && minor >= 0; --minor)
      function = library.symbol<Function>(fmt::format("__{}_{}_{}", name, major, minor));
  }
  return function != nullptr;
}

bool load(const Library& library, NvJitLinkApi& api) {
  api.version = library.symbol<decltype(api.version)>("nvJitLinkVersion");
  return bind(library, api.create, "nvJitLinkCreate") && bind(library, api.destroy, "nvJitLinkDestroy") &&
         bind(library, api.add_data, "nvJitLinkAddData") && bind(library, api.complete, "nvJitLinkComplete") &&
         bind(library, api.cubin_size, "nvJitLinkGetLinkedCubinSize") &&
         bind(library, api.cubin, "nvJitLinkGetLinkedCubin") &&
         bind(library, api.error_log_size, "nvJitLinkGetErrorLogSize") &&
         bind(library, api.error_log, "nvJitLinkGetErrorLog");
}

struct HandleOwner {
  const NvJitLinkApi& api;
  NvJitLinkState* handle = nullptr;
  ~HandleOwner() {
    if (handle) api.destroy(&handle);
  }
};

}  // namespace

NvJitLink NvJitLink::open(const std::vector<std::string>& folders, bool search_system) {
  NvJitLink linker;
  linker.info_.remedy = "pip install nvidia-nvjitlink, or install the CUDA toolkit; scripts/demo does it";
  linker.library_ = Library::open("nvJitLink", folders, search_system, linker.info_.error);
  if (!linker.library_) return linker;
  linker.info_.path = linker.library_.path();
  if (!load(linker.library_, linker.api_)) {
    linker.info_.error = fmt::format("{} lacks functions of nvJitLink 12", linker.info_.path);
    return linker;
  }
  unsigned major = 0;
  unsigned minor = 0;
  bool known = linker.api_.version && linker.api_.version(&major, &minor) == 0;
  linker.info_.found = true;
  linker.info_.version = known ? fmt::format("{}.{}", major, minor) : "before 12.3";
  linker.info_.remedy.clear();
  return linker;
}

Expected<std::string> NvJitLink::link(const std::string& ptx, Arch arch) const {
  if (!info_.found) return unavailable(fmt::format("nvJitLink: {}. To get it: {}", info_.error, info_.remedy));
  HandleOwner owner{api_};
  auto failed = [&](const char* what, int result) {
    std::string log;
    size_t size = 0;
    if (owner.handle && api_.error_log_size(owner.handle, &size) == 0 && size > 1) {
      log.resize(size);
      api_.error_log(owner.handle, log.data());
      if (size_t end = log.find('\0'); end != std::string::npos) log.resize(end);
    }
    return compiler_error(fmt::format("nvJitLink {} for {}: {} returned {}: {}", info_.version, to_string(arch), what,
                                      result, log.empty() ? "no log" : log));
  };
  std::string arch_option = fmt::format("-arch={}", to_string(arch));
  const char* options[] = {arch_option.c_str()};
  if (int result = api_.create(&owner.handle, 1, options)) return failed("nvJitLinkCreate", result);
  // PTX is a C string to the linker: its NUL counts.
  if (int result = api_.add_data(owner.handle, kInputPtx, ptx.c_str(), ptx.size() + 1, "kernel.ptx"))
    return failed("nvJitLinkAddData", result);
  if (int result = api_.complete(owner.handle)) return failed("nvJitLinkComplete", result);
  size_t size = 0;
  if (int result = api_.cubin_size(owner.handle, &size)) return failed("nvJitLinkGetLinkedCubinSize", result);
  std::string cubin(size, '\0');
  if (int result = api_.cubin(owner.handle, cubin.data())) return failed("nvJitLinkGetLinkedCubin", result);
  return cubin;
}

}  // namespace tailor::codegen::compile
