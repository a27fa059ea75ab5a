// Key -> cubin in a warm process, phase by phase, for the two movement operations and both emitters; and the first miss
// of a process (a fresh generator), which pays for opening the compilers.
#include <map>
#include <memory>
#include <string>

#include <benchmark/benchmark.h>

#include "runtime/ops/kernel_generator.h"
#include "runtime/ops/problem.h"

extern "C" tailor::KernelGenerator* tailor_create_kernel_generator(uint64_t interface,
                                                                   const tailor::GeneratorOptions& options);

namespace {

using tailor::Arch;
using tailor::DType;
using tailor::Emitter;
using tailor::Lowering;
using tailor::Tensor;

constexpr uint64_t kPool = 0x7f0000000000, kApart = 0x100000000;

// bf16, 8 heads of 128, pages of 16: a Llama-3-8B cache. `misaligned` moves the bases by 2 bytes, so that rows end in
// element-wide pieces.
tailor::Key append_key(Emitter emitter, bool misaligned) {
  tailor::PagedAppend op;
  const uint64_t shift = misaligned ? 2 : 0;
  auto at = [&](int i) { return kPool + static_cast<uint64_t>(i) * kApart + shift; };
  op.k = Tensor::dense(at(0), DType::kBFloat16, {256, 8, 128});
  op.v = Tensor::dense(at(1), DType::kBFloat16, {256, 8, 128});
  op.k_pages = Tensor::dense(at(2), DType::kBFloat16, {1024, 16, 8, 128});
  op.v_pages = Tensor::dense(at(3), DType::kBFloat16, {1024, 16, 8, 128});
  op.batch_index = Tensor::dense(at(4) - shift, DType::kInt32, {256});
  op.position = Tensor::dense(at(5) - shift, DType::kInt32, {256});
  op.block_table = Tensor::dense(at(6) - shift, DType::kInt32, {8, 64});
  return make_key(tailor::make_problem(op).value(), Arch::kSm90a, emitter, Lowering::kTail);
}

tailor::Key gather_key(Emitter emitter, bool) {
  tailor::PagedGather op;
  auto at = [&](int i) { return kPool + static_cast<uint64_t>(i) * kApart; };
  op.pages = Tensor::dense(at(0), DType::kBFloat16, {1024, 16, 8, 128});
  op.packed = Tensor::dense(at(1), DType::kBFloat16, {4096, 8, 128});
  op.block_table = Tensor::dense(at(2), DType::kInt32, {8, 64});
  op.seq_lens = Tensor::dense(at(3), DType::kInt32, {8});
  op.cu_seqlens = Tensor::dense(at(4), DType::kInt32, {9});
  return make_key(tailor::make_problem(op).value(), Arch::kSm90a, emitter, Lowering::kTail);
}

void key_to_cubin(benchmark::State& state, tailor::Key (*make)(Emitter, bool), Emitter emitter, bool misaligned,
                  bool fresh) {
  std::unique_ptr<tailor::KernelGenerator> generator(tailor_create_kernel_generator(tailor::kGeneratorInterface, {}));
  const tailor::Key key = make(emitter, misaligned);
  std::map<std::string, double> phases;
  for (auto _ : state) {
    if (fresh) generator.reset(tailor_create_kernel_generator(tailor::kGeneratorInterface, {}));
    auto emitted = generator->emit(key);
    if (!emitted.ok()) return state.SkipWithError(emitted.status().to_string().c_str());
    auto compiled = generator->compile(*emitted, true);
    if (!compiled.ok()) return state.SkipWithError(compiled.status().to_string().c_str());
    for (const auto& [phase, ms] : emitted->phases) phases[phase] += ms;
    for (const auto& [phase, ms] : compiled->phases) phases[phase] += ms;
  }
  for (const auto& [phase, ms] : phases) {
    state.counters[phase + "_ms"] = benchmark::Counter(ms, benchmark::Counter::kAvgIterations);
  }
}

BENCHMARK_CAPTURE(key_to_cubin, first_miss_of_process, append_key, Emitter::kLlvm, false, true)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(key_to_cubin, append_llvm, append_key, Emitter::kLlvm, false, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(key_to_cubin, append_llvm_misaligned, append_key, Emitter::kLlvm, true, false)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(key_to_cubin, gather_llvm, gather_key, Emitter::kLlvm, false, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(key_to_cubin, append_nvrtc, append_key, Emitter::kNvrtc, false, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(key_to_cubin, gather_nvrtc, gather_key, Emitter::kNvrtc, false, false)->Unit(benchmark::kMillisecond);

}  // namespace
