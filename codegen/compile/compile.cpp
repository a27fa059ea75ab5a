#include "codegen/compile/compile.h"

#include <mutex>

#include "codegen/compile/nvjitlink.h"
#include "codegen/compile/nvrtc.h"
#include "runtime/ptx/printer.h"

namespace tailor::codegen::compile {
namespace {

// Of the process, for two Toolchains may hold the same library.
std::mutex& nvrtc_mutex() {
  static std::mutex mutex;
  return mutex;
}
std::mutex& nvjitlink_mutex() {
  static std::mutex mutex;
  return mutex;
}

class DynamicToolchain : public Toolchain {
 public:
  DynamicToolchain(std::vector<std::string> folders, bool search_system)
      : folders_(std::move(folders)), search_system_(search_system) {}

  LibraryInfo nvrtc() const override { return opened_nvrtc().info(); }
  LibraryInfo nvjitlink() const override { return opened_nvjitlink().info(); }

  Expected<std::string> link_ptx(const std::string& ptx, Arch arch) override {
    const NvJitLink& linker = opened_nvjitlink();
    std::string stripped = ptx::strip_locations(ptx);
    std::lock_guard lock(nvjitlink_mutex());
    return linker.link(stripped, arch);
  }

  Expected<CudaOutput> compile_cuda(const std::string& source, Arch arch, bool want_cubin) override {
    const Nvrtc& nvrtc = opened_nvrtc();
    CudaOutput output;
    {
      std::lock_guard lock(nvrtc_mutex());
      TAILOR_ASSIGN_OR_RETURN(output.ptx, nvrtc.compile(source, arch, Nvrtc::Want::kPtx));
    }
    if (!want_cubin) return output;
    if (opened_nvjitlink().info().found) {
      TAILOR_ASSIGN_OR_RETURN(output.cubin, link_ptx(output.ptx, arch));
    } else {
      std::lock_guard lock(nvrtc_mutex());
      TAILOR_ASSIGN_OR_RETURN(output.cubin, nvrtc.compile(source, arch, Nvrtc::Want::kCubin));
    }
    return output;
  }

 private:
  const Nvrtc& opened_nvrtc() const {
    std::call_once(nvrtc_once_, [this] { nvrtc_ = Nvrtc::open(folders_, search_system_); });
    return nvrtc_;
  }
  const NvJitLink& opened_nvjitlink() const {
    std::call_once(nvjitlink_once_, [this] { nvjitlink_ = NvJitLink::open(folders_, search_system_); });
    return nvjitlink_;
  }

  std::vector<std::string> folders_;
  bool search_system_;
  mutable std::once_flag nvrtc_once_, nvjitlink_once_;
  mutable Nvrtc nvrtc_;
  mutable NvJitLink nvjitlink_;
};

}  // namespace

std::shared_ptr<Toolchain> Toolchain::open(const std::vector<std::string>& library_folders) {
  return std::make_shared<DynamicToolchain>(library_folders, true);
}

std::shared_ptr<Toolchain> Toolchain::open_only(const std::vector<std::string>& library_folders) {
  return std::make_shared<DynamicToolchain>(library_folders, false);
}

}  // namespace tailor::codegen::compile
