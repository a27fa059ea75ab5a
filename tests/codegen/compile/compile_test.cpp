#include "codegen/compile/compile.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include <elf.h>
#include <gtest/gtest.h>

#include "codegen/emit/emit.h"
#include "tests/codegen/emit/accesses.h"
#include "tests/codegen/kernel/programs.h"

namespace tailor::codegen::compile {
namespace {

using kernel::testing::all_programs;
constexpr Arch kArchs[] = {Arch::kSm80, Arch::kSm90a};

// Section names of a cubin (an ELF64 file); empty when it is not one.
std::set<std::string> sections(const std::string& cubin) {
  std::set<std::string> names;
  Elf64_Ehdr header;
  if (cubin.size() < sizeof header) return names;
  std::memcpy(&header, cubin.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_machine != 190 /* EM_CUDA */) return names;
  auto section = [&](size_t k) {
    Elf64_Shdr s{};
    size_t at = header.e_shoff + k * sizeof s;
    if (at + sizeof s <= cubin.size()) std::memcpy(&s, cubin.data() + at, sizeof s);
    return s;
  };
  Elf64_Shdr strings = section(header.e_shstrndx);
  for (size_t k = 0; k < header.e_shnum; ++k) {
    size_t at = strings.sh_offset + section(k).sh_name;
    if (at < cubin.size()) names.insert(cubin.c_str() + at);
  }
  return names;
}

bool has_line_information(const std::string& cubin) {
  for (const std::string& name : sections(cubin))
    if (name.find("debug_line") != std::string::npos) return true;  // .debug_frame is in every cubin
  return cubin.find("/access") != std::string::npos;
}

class ToolchainTest : public ::testing::Test {
 protected:
  std::shared_ptr<Toolchain> toolchain_ = Toolchain::open({});
  bool has_nvrtc_ = toolchain_->nvrtc().found;
  bool has_nvjitlink_ = toolchain_->nvjitlink().found;
};

TEST_F(ToolchainTest, NamesVersionAndPathOfWhatItFound) {
  for (const LibraryInfo& info : {toolchain_->nvrtc(), toolchain_->nvjitlink()}) {
    if (info.found) {
      EXPECT_NE(info.version.find('.'), std::string::npos) << info.version;
      EXPECT_TRUE(std::filesystem::exists(info.path)) << info.path;
      EXPECT_EQ(info.error + info.remedy, "");
    } else {
      EXPECT_NE(info.error, "");
      EXPECT_NE(info.remedy.find("pip install"), std::string::npos);
    }
  }
}

TEST_F(ToolchainTest, LinksEveryProgramOfTheLlvmEmitter) {
  if (!has_nvjitlink_) GTEST_SKIP() << toolchain_->nvjitlink().error;
  for (Arch arch : kArchs) {
    for (const auto& [name, program] : all_programs()) {
      Expected<std::string> ptx = emit::emit_ptx(program, arch);
      ASSERT_TRUE(ptx.ok()) << ptx.status().message();
      Expected<std::string> cubin = toolchain_->link_ptx(*ptx, arch);
      ASSERT_TRUE(cubin.ok()) << name << ": " << cubin.status().message();
      EXPECT_EQ(sections(*cubin).count(".text." + program.entry), 1u) << name;
      EXPECT_FALSE(has_line_information(*cubin)) << name;
      EXPECT_EQ(*toolchain_->link_ptx(*ptx, arch), *cubin) << name << ": not deterministic";
    }
  }
}

TEST_F(ToolchainTest, CompilesEveryProgramOfTheCudaEmitterAndKeepsItsAccesses) {
  if (!has_nvrtc_) GTEST_SKIP() << toolchain_->nvrtc().error;
  for (Arch arch : kArchs) {
    for (const auto& [name, program] : all_programs()) {
      Expected<std::string> source = emit::emit_cuda(program, arch);
      ASSERT_TRUE(source.ok()) << source.status().message();
      Expected<CudaOutput> output = toolchain_->compile_cuda(*source, arch, true);
      ASSERT_TRUE(output.ok()) << name << ": " << output.status().message() << "\n" << *source;
      EXPECT_EQ(emit::testing::check_accesses(program, output->ptx), "") << name << "\n" << output->ptx;
      EXPECT_EQ(emit::testing::check_entry(program, output->ptx), "") << name << "\n" << output->ptx;
      EXPECT_NE(output->ptx.find(".target " + std::string(to_string(arch)) + "\n"), std::string::npos) << name;
      EXPECT_EQ(sections(output->cubin).count(".text." + program.entry), 1u) << name;
      EXPECT_FALSE(has_line_information(output->cubin)) << name;
      Expected<CudaOutput> again = toolchain_->compile_cuda(*source, arch, false);
      ASSERT_TRUE(again.ok());
      EXPECT_EQ(again->ptx, output->ptx) << name << ": not deterministic";
      EXPECT_EQ(again->cubin, "");
    }
  }
}

TEST_F(ToolchainTest, ErrorsCarryTheCompilersLog) {
  if (has_nvrtc_) {
    Status status = toolchain_->compile_cuda("__global__ void k() { frobnicate(); }", Arch::kSm90a, true).status();
    EXPECT_EQ(status.code(), StatusCode::kCompiler);
    EXPECT_NE(status.message().find("frobnicate"), std::string::npos) << status.message();
  }
  if (has_nvjitlink_) {
    for (const char* text : {"", "not ptx", ".version 8.0\n.target sm_90a\n.address_size 64\n.entry k() { frob; }\n"}) {
      Status status = toolchain_->link_ptx(text, Arch::kSm90a).status();
      EXPECT_EQ(status.code(), StatusCode::kCompiler) << text;
      EXPECT_NE(status.message().find("nvJitLink"), std::string::npos) << status.message();
    }
    // For another architecture than asked for.
    std::string ptx = *emit::emit_ptx(kernel::testing::example(), Arch::kSm90a);
    EXPECT_EQ(toolchain_->link_ptx(ptx, Arch::kSm80).status().code(), StatusCode::kCompiler);
    // An error leaves the toolchain usable.
    EXPECT_TRUE(toolchain_->link_ptx(ptx, Arch::kSm90a).ok());
  }
}

TEST_F(ToolchainTest, AnswersOnManyThreads) {
  if (!has_nvrtc_ || !has_nvjitlink_) GTEST_SKIP() << "NVRTC or nvJitLink is missing";
  const kernel::Program program = kernel::testing::example();
  const std::string ptx = *emit::emit_ptx(program, Arch::kSm90a);
  const std::string source = *emit::emit_cuda(program, Arch::kSm90a);
  const std::string expected = *toolchain_->link_ptx(ptx, Arch::kSm90a);
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::shared_ptr<Toolchain> own = t % 2 ? Toolchain::open({}) : toolchain_;
      for (int round = 0; round < 3; ++round) {
        Expected<std::string> cubin = own->link_ptx(ptx, Arch::kSm90a);
        if (!cubin.ok() || *cubin != expected) ++wrong[t];
        if (!own->compile_cuda(source, Arch::kSm90a, true).ok()) ++wrong[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

TEST_F(ToolchainTest, WithoutNvJitLinkNvrtcMakesTheCubin) {
  if (!has_nvrtc_) GTEST_SKIP() << toolchain_->nvrtc().error;
  std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "tailor_only_nvrtc";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::filesystem::create_symlink(toolchain_->nvrtc().path, folder / "libnvrtc.so.13");
  std::shared_ptr<Toolchain> only = Toolchain::open_only({folder.string() + "/"});
  EXPECT_TRUE(only->nvrtc().found) << only->nvrtc().error;
  EXPECT_FALSE(only->nvjitlink().found);
  kernel::Program program = kernel::testing::example();
  Expected<CudaOutput> output = only->compile_cuda(*emit::emit_cuda(program, Arch::kSm90a), Arch::kSm90a, true);
  ASSERT_TRUE(output.ok()) << output.status().message();
  EXPECT_EQ(sections(output->cubin).count(".text." + program.entry), 1u);
  EXPECT_FALSE(has_line_information(output->cubin));
  std::filesystem::remove_all(folder);
}

TEST(MissingToolchain, IsUnavailableWithTheRemedy) {
  std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "tailor_no_libraries";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "libnvrtc.so.13") << std::string(4096, 'x');
  for (const std::vector<std::string>& folders :
       {std::vector<std::string>{}, {"/nonexistent/a", "/nonexistent/b"}, {folder.string()}}) {
    std::shared_ptr<Toolchain> toolchain = Toolchain::open_only(folders);
    EXPECT_FALSE(toolchain->nvrtc().found);
    EXPECT_FALSE(toolchain->nvjitlink().found);
    Status compiled = toolchain->compile_cuda("", Arch::kSm90a, true).status();
    EXPECT_EQ(compiled.code(), StatusCode::kUnavailable);
    EXPECT_NE(compiled.message().find("pip install nvidia-cuda-nvrtc"), std::string::npos) << compiled.message();
    Status linked = toolchain->link_ptx("", Arch::kSm90a).status();
    EXPECT_EQ(linked.code(), StatusCode::kUnavailable);
    EXPECT_NE(linked.message().find("pip install nvidia-nvjitlink"), std::string::npos) << linked.message();
    for (const std::string& tried : folders) EXPECT_NE(linked.message().find(tried), std::string::npos);
  }
  std::shared_ptr<Toolchain> broken = Toolchain::open_only({folder.string()});
  EXPECT_NE(broken->nvrtc().error.find("invalid ELF header"), std::string::npos) << broken->nvrtc().error;
  std::filesystem::remove_all(folder);
}

// A library that opens and is something else.
TEST(MissingToolchain, RefusesALibraryWithoutTheFunctions) {
  std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "tailor_wrong_libraries";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::string libc;
  for (const char* path : {"/lib/x86_64-linux-gnu/libm.so.6", "/lib64/libm.so.6", "/usr/lib/libm.so.6"})
    if (libc.empty() && std::filesystem::exists(path)) libc = path;
  if (libc.empty()) GTEST_SKIP() << "no libm in the usual places";
  std::filesystem::create_symlink(libc, folder / "libnvrtc.so.12");
  std::filesystem::create_symlink(libc, folder / "libnvJitLink.so.12");
  std::shared_ptr<Toolchain> toolchain = Toolchain::open_only({folder.string()});
  EXPECT_NE(toolchain->nvrtc().error.find("lacks functions"), std::string::npos);
  EXPECT_EQ(toolchain->compile_cuda("", Arch::kSm90a, false).status().code(), StatusCode::kUnavailable);
  EXPECT_NE(toolchain->nvjitlink().error.find("lacks functions"), std::string::npos);
  EXPECT_EQ(toolchain->link_ptx("", Arch::kSm90a).status().code(), StatusCode::kUnavailable);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tailor::codegen::compile
