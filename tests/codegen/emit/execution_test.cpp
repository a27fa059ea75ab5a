// Every program, executed on the virtual device as emitted by LLVM and by NVRTC, against the interpreter of the lowered
// program: every byte of every buffer.
#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "codegen/compile/compile.h"
#include "codegen/emit/emit.h"
#include "runtime/virtual_device/virtual_device.h"
#include "tests/codegen/kernel/conversions.h"
#include "tests/codegen/kernel/interpreter.h"
#include "tests/codegen/kernel/programs.h"

namespace tailor::codegen::emit {
namespace {

using kernel::Program;
using kernel::Type;
using kernel::testing::Launch;
using kernel::testing::MemoryBlock;

class ExecutionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    device_ = virtual_device::driver_table();
    ASSERT_EQ(device_->cuInit(0), cu::CUDA_SUCCESS);
    cu::CUdevice ordinal = 0;
    cu::CUcontext context = nullptr;
    ASSERT_EQ(device_->cuDeviceGet(&ordinal, 0), cu::CUDA_SUCCESS);
    ASSERT_EQ(device_->cuDevicePrimaryCtxRetain(&context, ordinal), cu::CUDA_SUCCESS);
    ASSERT_EQ(device_->cuCtxSetCurrent(context), cu::CUDA_SUCCESS);
  }
  void TearDown() override {
    for (cu::CUdeviceptr address : allocations_) device_->cuMemFree(address);
  }

  // Device memory with these bytes; the block has its address.
  MemoryBlock allocate(std::vector<uint8_t> bytes) {
    cu::CUdeviceptr address = 0;
    EXPECT_EQ(device_->cuMemAlloc(&address, bytes.size()), cu::CUDA_SUCCESS);
    allocations_.push_back(address);
    return {address, std::move(bytes)};
  }
  std::vector<uint8_t> noise(size_t bytes) {
    std::vector<uint8_t> result(bytes);
    for (uint8_t& byte : result) byte = static_cast<uint8_t>(random_());
    return result;
  }

  // Empty, or the driver's complaint. `memory` goes to the device before and comes back after.
  std::string execute(const Program& program, const std::string& ptx, const Launch& launch,
                      std::vector<MemoryBlock>& memory) {
    virtual_device::take_reports();
    auto failed = [](const std::string& what) {
      std::string message = what;
      for (const virtual_device::Report& report : virtual_device::take_reports())
        message += "\n  " + virtual_device::to_string(report);
      return message;
    };
    for (const MemoryBlock& block : memory)
      if (device_->cuMemcpyHtoD(block.address, block.bytes.data(), block.bytes.size())) return failed("cuMemcpyHtoD");
    cu::CUlibrary library = nullptr;
    cu::CUkernel kernel = nullptr;
    cu::CUfunction function = nullptr;
    if (device_->cuLibraryLoadData(&library, ptx.c_str(), nullptr, nullptr, 0, nullptr, nullptr, 0))
      return failed("cuLibraryLoadData");
    if (device_->cuLibraryGetKernel(&kernel, library, program.entry.c_str())) return failed("cuLibraryGetKernel");
    if (device_->cuKernelGetFunction(&function, kernel)) return failed("cuKernelGetFunction");
    std::vector<uint64_t> arguments = launch.arguments;
    std::vector<void*> pointers;
    for (uint64_t& argument : arguments) pointers.push_back(&argument);
    cu::CUlaunchConfig config{};
    config.gridDimX = launch.grid;
    config.gridDimY = config.gridDimZ = 1;
    config.blockDimX = program.block_threads;
    config.blockDimY = config.blockDimZ = 1;
    if (device_->cuLaunchKernelEx(&config, function, pointers.data(), nullptr)) return failed("cuLaunchKernelEx");
    if (device_->cuCtxSynchronize()) return failed("cuCtxSynchronize");
    for (MemoryBlock& block : memory)
      if (device_->cuMemcpyDtoH(block.bytes.data(), block.address, block.bytes.size())) return failed("cuMemcpyDtoH");
    device_->cuLibraryUnload(library);
    return "";
  }

  // Both emitters against the interpreter.
  void check(const Program& program, const Launch& launch, const std::vector<MemoryBlock>& memory) {
    std::vector<MemoryBlock> expected = memory;
    ASSERT_EQ(kernel::testing::interpret(program, launch, expected), "");
    for (Arch arch : {Arch::kSm80, Arch::kSm90a}) {
      Expected<std::string> ptx = emit_ptx(program, arch);
      ASSERT_TRUE(ptx.ok()) << ptx.status().message();
      ASSERT_EQ(compare("llvm", program, *ptx, launch, memory, expected), "");
      if (!toolchain_->nvrtc().found) continue;
      Expected<compile::CudaOutput> cuda = toolchain_->compile_cuda(*emit_cuda(program, arch), arch, false);
      ASSERT_TRUE(cuda.ok()) << cuda.status().message();
      ASSERT_EQ(compare("nvrtc", program, cuda->ptx, launch, memory, expected), "");
    }
  }
  // Empty, or the first difference.
  std::string compare(const char* emitter, const Program& program, const std::string& ptx, const Launch& launch,
                      std::vector<MemoryBlock> memory, const std::vector<MemoryBlock>& expected) {
    std::string failure = execute(program, ptx, launch, memory);
    if (!failure.empty()) return std::string(emitter) + " " + program.entry + ": " + failure + "\n" + ptx;
    for (size_t k = 0; k < memory.size(); ++k) {
      for (size_t at = 0; at < memory[k].bytes.size(); ++at) {
        if (memory[k].bytes[at] == expected[k].bytes[at]) continue;
        return std::string(emitter) + " " + program.entry + ": buffer " + std::to_string(k) + " byte " +
               std::to_string(at) + " is " + std::to_string(memory[k].bytes[at]) + ", not " +
               std::to_string(expected[k].bytes[at]) + "\n" + ptx;
      }
    }
    return "";
  }

  const DriverTable* device_ = nullptr;
  std::shared_ptr<compile::Toolchain> toolchain_ = compile::Toolchain::open({});
  std::mt19937_64 random_{7};
  std::vector<cu::CUdeviceptr> allocations_;
};

TEST_F(ExecutionTest, ArithmeticOfEveryOp) {
  const uint64_t edges[] = {0,    1, 31, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff, 0x8000000000000000,
                            ~0ull};
  for (Type type : {Type::kI32, Type::kI64}) {
    Program program = kernel::testing::arithmetic(type);
    const uint32_t grid = 2;
    MemoryBlock out = allocate(noise(grid * program.block_threads * kernel::testing::kArithmeticBytes));
    for (int round = 0; round < 12; ++round) {
      uint64_t a = round < 9 ? edges[round] : random_();
      uint64_t b = round < 9 ? edges[random_() % 9] : random_();
      check(program, {grid, {out.address, a, b, random_() & 0xffffffff}}, {out});
    }
  }
}

TEST_F(ExecutionTest, MemoryOfEveryTypeAndGuard) {
  for (bool read_only : {false, true}) {
    Program program = kernel::testing::memory(read_only);
    size_t bytes = program.block_threads * kernel::testing::kMemoryBytes;
    MemoryBlock out = allocate(noise(bytes));
    MemoryBlock in = allocate(noise(bytes));
    check(program, {1, {out.address, in.address}}, {out, in});
  }
}

TEST_F(ExecutionTest, SharedMemoryOfEveryType) {
  Program program = kernel::testing::shared();
  size_t bytes = program.block_threads * kernel::testing::kSharedBytes;
  MemoryBlock out = allocate(noise(bytes));
  MemoryBlock in = allocate(noise(bytes));
  MemoryBlock flag = allocate({2, 0, 0, 0});
  for (uint64_t n : {0, 1, 2, 3}) check(program, {1, {out.address, in.address, flag.address, n}}, {out, in, flag});
}

TEST_F(ExecutionTest, FloatsAndConversionsOfEveryFormat) {
  Program program = kernel::testing::floats();
  const uint32_t grid = 4;
  const size_t threads = size_t{grid} * program.block_threads;
  const uint32_t edges[] = {0,          0x80000000, 1,          0x007fffff, 0x00800000, 0x3f800000, 0xbf800000,
                            0x7f7fffff, 0x7f800000, 0xff800000, 0x7f800001, 0xffc12345, 0x43e00000, 0x43e80000,
                            0x477ff000, 0x38800000, 0x33000000, 0x33000001, 0x3b000000, 0x3a800000, 0x47600000};
  MemoryBlock out = allocate(noise(threads * kernel::testing::kFloatsBytes));
  for (int round = 0; round < 12; ++round) {
    MemoryBlock in = allocate(noise(threads * 64));
    for (size_t t = 0; t < threads; ++t) {
      for (size_t k = 0; k < 3; ++k) {
        // An edge, a neighbour of one, or a value around the range of the 8-bit formats.
        uint32_t bits = edges[random_() % std::size(edges)];
        if (random_() % 3 == 1) bits += static_cast<uint32_t>(random_() % 3) - 1;
        if (random_() % 3 == 2) bits = 0x38000000u + static_cast<uint32_t>(random_() % 0x10000000u) * 4 / 3;
        std::memcpy(in.bytes.data() + 64 * t + 4 * k, &bits, 4);
      }
    }
    check(program, {grid, {out.address, in.address, edges[random_() % std::size(edges)]}}, {out, in});
  }
}

TEST_F(ExecutionTest, EveryCodeAndEveryTieOfEveryFormat) {
  std::vector<uint32_t> inputs = kernel::testing::f32_inputs();
  std::vector<uint8_t> f32s(4 * inputs.size());
  std::memcpy(f32s.data(), inputs.data(), f32s.size());
#define X(name, text, bytes) kernel::Format::name,
  for (kernel::Format format : {TAILOR_KERNEL_FORMATS(X)}) {
#undef X
    const size_t bytes = static_cast<size_t>(kernel::bytes_of(format));
    const uint32_t lanes = bytes == 1 ? 2 : 1;
    const uint32_t threads = static_cast<uint32_t>(inputs.size()) / lanes;
    MemoryBlock in = allocate(f32s);
    MemoryBlock out = allocate(std::vector<uint8_t>(bytes * inputs.size()));
    check(kernel::testing::encode_program(format, static_cast<int>(lanes)), {threads / 256, {out.address, in.address}},
          {out, in});

    const uint32_t count = bytes == 1 ? 512 : 1u << 16;
    MemoryBlock codes = allocate(std::vector<uint8_t>(bytes * count));
    for (uint32_t code = 0; code < count; ++code) std::memcpy(codes.bytes.data() + bytes * code, &code, bytes);
    MemoryBlock values = allocate(std::vector<uint8_t>(4 * count));
    check(kernel::testing::decode_program(format, static_cast<int>(lanes)),
          {count / lanes / 256, {values.address, codes.address}}, {values, codes});
  }
}

TEST_F(ExecutionTest, ControlFlow) {
  Program program = kernel::testing::control();
  MemoryBlock out = allocate(noise(program.block_threads * kernel::testing::kControlBytes));
  for (uint64_t n : {0, 1, 2, 11, 40}) check(program, {1, {out.address, n}}, {out});
  // A negative bound runs no iteration; gcd by subtraction needs n + 1 > 0 and stays out.
}

TEST_F(ExecutionTest, TheExampleCopiesARaggedTail) {
  Program program = kernel::testing::example();
  MemoryBlock dst = allocate(noise(16 * 300));
  MemoryBlock src = allocate(noise(16 * 300));
  for (uint64_t n : {0, 1, 255, 256, 257, 300}) check(program, {2, {dst.address, src.address, n}}, {dst, src});
}

TEST_F(ExecutionTest, GatherWithHostileTables) {
  Program program = kernel::testing::gather();
  const uint32_t batch = 3, max_pages = 4, pages = 10, rows = 50;
  const uint64_t stride = 12 * 656;
  std::vector<int32_t> cu = {0, 7, 7, static_cast<int32_t>(rows)};
  std::vector<int32_t> table = {3, 1, -1, 99, 0, 0, 0, 0, 9, 8, 7, 10};
  auto bytes_of = [](const std::vector<int32_t>& values) {
    const uint8_t* data = reinterpret_cast<const uint8_t*>(values.data());
    return std::vector<uint8_t>(data, data + 4 * values.size());
  };
  MemoryBlock dst = allocate(noise(rows * 656));
  MemoryBlock src = allocate(noise(pages * stride));
  MemoryBlock tables = allocate(bytes_of(table));
  MemoryBlock offsets = allocate(bytes_of(cu));
  MemoryBlock status = allocate(std::vector<uint8_t>(8));
  check(program,
        {3,
         {dst.address, src.address, tables.address, offsets.address, status.address, rows, batch, max_pages, pages,
          stride}},
        {dst, src, tables, offsets, status});
}

// What the virtual device runs, the assembler takes too: inline assembly of every kind, for both architectures.
TEST_F(ExecutionTest, CubinsComeOfBothEmitters) {
  if (!toolchain_->nvrtc().found || !toolchain_->nvjitlink().found) GTEST_SKIP() << "no NVRTC and nvJitLink here";
  for (const Program& program : {kernel::testing::shared(), kernel::testing::floats()}) {
    for (Arch arch : {Arch::kSm80, Arch::kSm90a}) {
      Expected<std::string> linked = toolchain_->link_ptx(*emit_ptx(program, arch), arch);
      EXPECT_TRUE(linked.ok()) << linked.status().message();
      Expected<compile::CudaOutput> compiled = toolchain_->compile_cuda(*emit_cuda(program, arch), arch, true);
      EXPECT_TRUE(compiled.ok()) << compiled.status().message();
    }
  }
}

// The comparison can fail: another program's PTX gives another byte, and a wrong bound is reported with its access.
TEST_F(ExecutionTest, NoticesAWrongByteAndAWrongAccess) {
  Program program = kernel::testing::example();
  std::string ptx = *emit_ptx(program, Arch::kSm90a);
  MemoryBlock dst = allocate(noise(16 * 300));
  MemoryBlock src = allocate(noise(16 * 300));
  std::vector<MemoryBlock> expected{dst, src};
  ASSERT_EQ(kernel::testing::interpret(program, {2, {dst.address, src.address, 300}}, expected), "");
  EXPECT_EQ(compare("llvm", program, ptx, {2, {dst.address, src.address, 300}}, {dst, src}, expected), "");
  EXPECT_NE(compare("llvm", program, ptx, {2, {dst.address, src.address, 299}}, {dst, src}, expected)
                .find("buffer 0 byte 4784 is"),
            std::string::npos);
  EXPECT_NE(compare("llvm", program, ptx, {2, {dst.address, src.address, 301}}, {dst, src}, expected).find("loc 1:1"),
            std::string::npos);
}

}  // namespace
}  // namespace tailor::codegen::emit
