#include "codegen/compile/nvrtc.h"

#include <fmt/format.h>

namespace tailor::codegen::compile {
namespace {

constexpr int kInvalidOption = 5;  // NVRTC_ERROR_INVALID_OPTION

bool load(const Library& library, NvrtcApi& api) {
  auto bind = [&library](auto& function, const char* name) {
    function = library.symbol<std::remove_reference_t<decltype(function)>>(name);
    return function != nullptr;
  };
  return bind(api.version, "nvrtcVersion") && bind(api.error_string, "nvrtcGetErrorString") &&
         bind(api.create, "nvrtcCreateProgram") && bind(api.destroy, "nvrtcDestroyProgram") &&
         bind(api.compile, "nvrtcCompileProgram") && bind(api.log_size, "nvrtcGetProgramLogSize") &&
         bind(api.log, "nvrtcGetProgramLog") && bind(api.ptx_size, "nvrtcGetPTXSize") && bind(api.ptx, "nvrtcGetPTX") &&
         bind(api.cubin_size, "nvrtcGetCUBINSize") && bind(api.cubin, "nvrtcGetCUBIN");
}

struct ProgramOwner {
  const NvrtcApi& api;
  NvrtcProgram* program = nullptr;
  ~ProgramOwner() {
    if (program) api.destroy(&program);
  }
};

}  // namespace

Nvrtc Nvrtc::open(const std::vector<std::string>& folders, bool search_system) {
  Nvrtc nvrtc;
  nvrtc.info_.remedy = "pip install nvidia-cuda-nvrtc, or install the CUDA toolkit; scripts/demo does it";
  nvrtc.library_ = Library::open("nvrtc", folders, search_system, nvrtc.info_.error);
  if (!nvrtc.library_) return nvrtc;
  nvrtc.info_.path = nvrtc.library_.path();
  nvrtc.library_.open_companions("libnvrtc-builtins.so.");  // NVRTC opens it by its soname at the first compile
  int major = 0;
  int minor = 0;
  if (!load(nvrtc.library_, nvrtc.api_) || nvrtc.api_.version(&major, &minor) != 0) {
    nvrtc.info_.error = fmt::format("{} lacks functions of NVRTC 12", nvrtc.info_.path);
    return nvrtc;
  }
  nvrtc.info_.found = true;
  nvrtc.info_.version = fmt::format("{}.{}", major, minor);
  nvrtc.info_.remedy.clear();
  return nvrtc;
}

Expected<std::string> Nvrtc::compile(const std::string& source, Arch arch, Want want) const {
  if (!info_.found) return unavailable(fmt::format("NVRTC: {}. To get it: {}", info_.error, info_.remedy));
  std::string target(to_string(arch));
  if (want == Want::kPtx) target.replace(0, target.find('_'), "compute");
  std::string arch_option = "--gpu-architecture=" + target;
  std::vector<const char*> options = {arch_option.c_str(), "--std=c++17", "--device-as-default-execution-space",
                                      "--disable-warnings"};
  if (want == Want::kPtx) options.push_back("--generate-line-info");
  size_t required = options.size();
  // Newer releases only. The result depends on no state outside, and compiles faster.
  options.push_back("--no-cache");
  options.push_back("--minimal");

  int result = kInvalidOption;
  std::string log;
  for (size_t count = options.size(); result == kInvalidOption && count >= required; --count) {
    ProgramOwner owner{api_};
    result = api_.create(&owner.program, source.c_str(), "kernel.cu", 0, nullptr, nullptr);
    if (result != 0) break;
    result = api_.compile(owner.program, static_cast<int>(count), options.data());
    size_t size = 0;
    if (result != 0) {
      if (api_.log_size(owner.program, &size) == 0 && size > 1) {
        log.resize(size);
        api_.log(owner.program, log.data());
        log.resize(log.find('\0') == std::string::npos ? size : log.find('\0'));
      }
      continue;
    }
    std::string output;
    result = want == Want::kPtx ? api_.ptx_size(owner.program, &size) : api_.cubin_size(owner.program, &size);
    if (result != 0) break;
    output.resize(size);
    result = want == Want::kPtx ? api_.ptx(owner.program, output.data()) : api_.cubin(owner.program, output.data());
    if (result != 0) break;
    if (want == Want::kPtx && !output.empty() && output.back() == '\0') output.pop_back();
    return output;
  }
  return compiler_error(fmt::format("NVRTC {} for {}: {}: {}", info_.version, target, api_.error_string(result), log));
}

}  // namespace tailor::codegen::compile
