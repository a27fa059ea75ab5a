// Kernels as NVRTC compiles them, against the same computation on the host. Skipped where NVRTC is not installed.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include <dlfcn.h>

#include "tests/runtime/virtual_device/harness.h"

namespace tailor::virtual_device {
namespace {

// The functions of NVRTC that are needed, by their documented C signatures.
struct Nvrtc {
  int (*create)(void**, const char*, const char*, int, const char* const*, const char* const*) = nullptr;
  int (*compile)(void*, int, const char* const*) = nullptr;
  int (*ptx_size)(void*, size_t*) = nullptr;
  int (*ptx)(void*, char*) = nullptr;
  int (*log_size)(void*, size_t*) = nullptr;
  int (*log)(void*, char*) = nullptr;
  int (*destroy)(void**) = nullptr;

  static const Nvrtc* open() {
    static const Nvrtc* const opened = []() -> const Nvrtc* {
      void* library = nullptr;
      for (const char* name : {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so", "/usr/local/cuda/lib64/libnvrtc.so",
                               "/usr/local/cuda/lib/libnvrtc.so"}) {
        if ((library = dlopen(name, RTLD_NOW | RTLD_LOCAL))) break;
      }
      if (!library) return nullptr;
      static Nvrtc n;
      const auto get = [&](auto& f, const char* name) {
        f = reinterpret_cast<std::decay_t<decltype(f)>>(dlsym(library, name));
      };
      get(n.create, "nvrtcCreateProgram");
      get(n.compile, "nvrtcCompileProgram");
      get(n.ptx_size, "nvrtcGetPTXSize");
      get(n.ptx, "nvrtcGetPTX");
      get(n.log_size, "nvrtcGetProgramLogSize");
      get(n.log, "nvrtcGetProgramLog");
      get(n.destroy, "nvrtcDestroyProgram");
      return n.create && n.compile && n.ptx_size && n.ptx && n.log_size && n.log && n.destroy ? &n : nullptr;
    }();
    return opened;
  }
};

class NvrtcKernel : public testing::DeviceTest {
 protected:
  void SetUp() override {
    if (!Nvrtc::open()) GTEST_SKIP() << "NVRTC is not installed";
    DeviceTest::SetUp();
  }
  cu::CUfunction compile(const std::string& source, std::vector<const char*> options = {}) {
    const Nvrtc& n = *Nvrtc::open();
    void* program = nullptr;
    EXPECT_EQ(n.create(&program, source.c_str(), "test.cu", 0, nullptr, nullptr), 0);
    options.push_back("--gpu-architecture=compute_90a");
    options.push_back("-lineinfo");
    if (n.compile(program, static_cast<int>(options.size()), options.data()) != 0) {
      size_t size = 0;
      n.log_size(program, &size);
      std::string log(size, 0);
      n.log(program, log.data());
      ADD_FAILURE() << log;
      return nullptr;
    }
    size_t size = 0;
    n.ptx_size(program, &size);
    std::string ptx(size, 0);
    n.ptx(program, ptx.data());
    n.destroy(&program);
    return load(ptx.c_str());
  }
  std::mt19937 random{7};
  std::vector<float> floats(size_t count) {
    std::uniform_real_distribution<float> values(-2, 2);
    std::vector<float> v(count);
    for (float& x : v) x = values(random);
    return v;
  }
};

TEST_F(NvrtcKernel, RaggedRowsAreCopied) {
  const auto f = compile(R"(
    extern "C" __global__ void k(const unsigned char* in, unsigned char* out, const int* offsets, const int* lengths, int rows) {
      for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        const unsigned char* from = in + row * 256; unsigned char* to = out + offsets[row]; int n = lengths[row];
        int vectors = (offsets[row] % 16 == 0) ? n / 16 : 0;
        for (int i = threadIdx.x; i < vectors; i += blockDim.x) ((uint4*)to)[i] = ((const uint4*)from)[i];
        for (int i = vectors * 16 + threadIdx.x; i < n; i += blockDim.x) to[i] = from[i];
      }
    })");
  std::vector<int> offsets, lengths;
  int total = 0;
  for (int r = 0; r < 37; ++r) {
    offsets.push_back(total);
    lengths.push_back(static_cast<int>(random() % 257));
    total += lengths.back();
  }
  std::vector<uint8_t> in(37 * 256);
  for (auto& b : in) b = static_cast<uint8_t>(random());
  const auto out = allocate(static_cast<size_t>(total));
  run(f, {5, 64}, upload(in), out, upload(offsets), upload(lengths), 37);
  const auto got = download<uint8_t>(out, static_cast<size_t>(total));
  for (size_t r = 0; r < 37; ++r) {
    for (int i = 0; i < lengths[r]; ++i)
      ASSERT_EQ(got[static_cast<size_t>(offsets[r] + i)], in[r * 256 + static_cast<size_t>(i)]);
  }
}

TEST_F(NvrtcKernel, SoftmaxWithSharedMemoryAndShuffles) {
  const auto f = compile(R"(
    __device__ float reduce(float v, float* s, bool max) {
      for (int d = 16; d; d /= 2) { float o = __shfl_xor_sync(~0u, v, d); v = max ? fmaxf(v, o) : v + o; }
      if (threadIdx.x % 32 == 0) s[threadIdx.x / 32] = v;
      __syncthreads();
      float r = s[0];
      for (int i = 1; i < blockDim.x / 32; ++i) r = max ? fmaxf(r, s[i]) : r + s[i];
      __syncthreads();
      return r;
    }
    extern "C" __global__ void k(const float* in, float* out, int n) {
      __shared__ float s[32];
      const float* row = in + blockIdx.x * n;
      float m = -3.4e38f;
      for (int i = threadIdx.x; i < n; i += blockDim.x) m = fmaxf(m, row[i]);
      m = reduce(m, s, true);
      float sum = 0;
      for (int i = threadIdx.x; i < n; i += blockDim.x) sum += __expf(row[i] - m);
      sum = reduce(sum, s, false);
      for (int i = threadIdx.x; i < n; i += blockDim.x) out[blockIdx.x * n + i] = __expf(row[i] - m) / sum;
    })");
  const int n = 333;
  const auto in = floats(4 * n);
  const auto out = allocate(in.size() * 4);
  run(f, {4, 128}, upload(in), out, n);
  const auto got = download<float>(out, in.size());
  for (size_t r = 0; r < 4; ++r) {
    double sum = 0;
    for (int i = 0; i < n; ++i) sum += std::exp(in[r * n + static_cast<size_t>(i)]);
    for (int i = 0; i < n; ++i) {
      const double want = std::exp(in[r * n + static_cast<size_t>(i)]) / sum;
      ASSERT_NEAR(got[r * n + static_cast<size_t>(i)], want, 1e-5 * want + 1e-9);
    }
  }
}

TEST_F(NvrtcKernel, SwitchesLocalArraysDivisionsAndCalls) {
  const std::string body = R"(
      long long acc = 0; int digits[8];
      for (int i = 0; i < 8; ++i) digits[(i * 5 + x) & 7] = i * x;
      for (int i = 0; i < 8; ++i) acc = acc * 31 + digits[i];
      switch (x % 11) {
        case 0: acc += x / 7; break;
        case 1: acc -= x % 13; break;
        case 2: acc ^= (long long)x << 33; break;
        case 3: acc /= (x + 3); break;
        case 4: acc %= (x + 17); break;
        case 5: acc = (unsigned long long)acc / (unsigned)(x | 1); break;
        case 6: for (int j = 0; j < x % 9; ++j) acc += fib(j); break;
        case 9: acc = -acc; break;
        default: acc += 42;
      }
      return acc;)";
  const auto f = compile(R"(
    __device__ __noinline__ int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
    __device__ __noinline__ long long work(int x) {)" +
                         body + R"(}
    extern "C" __global__ void k(long long* out) { int x = blockIdx.x * blockDim.x + threadIdx.x; out[x] = work(x); })");
  struct Host {
    static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
    static long long work(int x) {
      long long acc = 0;
      int digits[8];
      for (int i = 0; i < 8; ++i) digits[(i * 5 + x) & 7] = i * x;
      for (int i = 0; i < 8; ++i) acc = static_cast<long long>(static_cast<unsigned long long>(acc) * 31u) + digits[i];
      switch (x % 11) {
        case 0:
          acc += x / 7;
          break;
        case 1:
          acc -= x % 13;
          break;
        case 2:
          acc ^= static_cast<long long>(x) << 33;
          break;
        case 3:
          acc /= (x + 3);
          break;
        case 4:
          acc %= (x + 17);
          break;
        case 5:
          acc = static_cast<long long>(static_cast<unsigned long long>(acc) / static_cast<unsigned>(x | 1));
          break;
        case 6:
          for (int j = 0; j < x % 9; ++j) acc += fib(j);
          break;
        case 9:
          acc = -acc;
          break;
        default:
          acc += 42;
      }
      return acc;
    }
  };
  const auto out = allocate(8 * 200);
  run(f, {2, 100}, out);
  const auto got = download<long long>(out, 200);
  for (int x = 0; x < 200; ++x) ASSERT_EQ(got[static_cast<size_t>(x)], Host::work(x)) << x;
}

TEST_F(NvrtcKernel, MathFunctionsAgreeWithTheHost) {
  const auto f = compile(R"(
    extern "C" __global__ void k(const float* in, float* out, double* wide) {
      int i = threadIdx.x; float v = in[i];
      out[8 * i] = sinf(v) + cosf(v); out[8 * i + 1] = expf(v); out[8 * i + 2] = logf(fabsf(v) + 0.5f); out[8 * i + 3] = v / 3.0f;
      out[8 * i + 4] = powf(fabsf(v), 1.5f); out[8 * i + 5] = rintf(v * 10); out[8 * i + 6] = fmodf(v * 10, 3); out[8 * i + 7] = tanhf(v);
      wide[i] = sqrt((double)v * v + 1) / 3.0 + exp((double)v);
    })");
  const auto in = floats(256);
  const auto out = allocate(256 * 32), wide = allocate(256 * 8);
  run(f, {1, 256}, upload(in), out, wide);
  const auto got = download<float>(out, 256 * 8);
  const auto doubles = download<double>(wide, 256);
  for (size_t i = 0; i < 256; ++i) {
    const float v = in[i];
    const float want[] = {std::sin(v) + std::cos(v),    std::exp(v),       std::log(std::fabs(v) + 0.5f), v / 3.0f,
                          std::pow(std::fabs(v), 1.5f), std::rint(v * 10), std::fmod(v * 10, 3.0f),       std::tanh(v)};
    for (size_t k = 0; k < 8; ++k)
      ASSERT_NEAR(got[8 * i + k], want[k], 4e-6 * (1 + std::fabs(want[k]))) << v << " " << k;
    ASSERT_NEAR(doubles[i], std::sqrt(static_cast<double>(v) * v + 1) / 3.0 + std::exp(static_cast<double>(v)), 1e-13);
  }
}

TEST_F(NvrtcKernel, HistogramWithAtomicsAndPrintf) {
  const auto f = compile(R"(
    extern "C" int printf(const char*, ...);
    extern "C" __global__ void k(const unsigned char* in, unsigned* bins, int n) {
      __shared__ unsigned local[256];
      for (int i = threadIdx.x; i < 256; i += blockDim.x) local[i] = 0;
      __syncthreads();
      for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&local[in[i]], 1u);
      __syncthreads();
      for (int i = threadIdx.x; i < 256; i += blockDim.x) if (local[i]) atomicAdd(&bins[i], local[i]);
      if (threadIdx.x == 0) printf("block %d of %s %5.2f\n", blockIdx.x, "k", 1.25);
    })");
  std::vector<uint8_t> in(5000);
  std::vector<uint32_t> want(256, 0);
  for (auto& b : in) ++want[b = static_cast<uint8_t>(random() * random())];
  const auto bins = upload(std::vector<uint32_t>(256, 0));
  run(f, {3, 96}, upload(in), bins, 5000);
  EXPECT_EQ(download<uint32_t>(bins, 256), want);
  EXPECT_EQ(take_output(), "block 0 of k  1.25\nblock 1 of k  1.25\nblock 2 of k  1.25\n");
}

TEST_F(NvrtcKernel, AnOutOfBoundsAccessNamesTheSourceLine) {
  const auto f = compile(
      "extern \"C\" __global__ void k(int* p, int n) {\n  int i = threadIdx.x;\n  if (i <= n)\n    p[i] = i;\n}");
  const auto p = allocate(40);
  ASSERT_EQ(launch(f, {1, 32}, p, 10), cu::CUDA_ERROR_ILLEGAL_ADDRESS);
  const auto reports = take_reports();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].location_line, 4u);
  EXPECT_EQ(reports[0].thread[0], 10u);
}

}  // namespace
}  // namespace tailor::virtual_device
