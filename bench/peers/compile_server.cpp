// tailor_compile_server: makes one cubin per line of stdin in a warm process and prints {"wall_ms", "cpu_ms", "bytes"}
// and the phases per line. Lines: "<op> <emitter>", as "paged_gather llvm". Processor time is of the whole process.
// The counterpart of compile_server.py; bench/peers/cold_start drives both.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include <sys/resource.h>

#include "runtime/cli/output.h"
#include "runtime/ops/kernel_generator.h"
#include "runtime/ops/problem.h"

extern "C" tailor::KernelGenerator* tailor_create_kernel_generator(uint64_t interface,
                                                                   const tailor::GeneratorOptions& options);

namespace {

using tailor::DType;
using tailor::Tensor;

constexpr int64_t kHeads = 8, kHeadDim = 128, kPageSize = 16;  // as in compile_server.py

Tensor operand(int i, DType dtype, std::initializer_list<int64_t> shape) {
  return Tensor::dense(0x7f0000000000 + static_cast<uint64_t>(i) * 0x100000000, dtype, shape);
}

tailor::Key gather_key(tailor::Emitter emitter) {
  tailor::PagedGather op;
  op.pages = operand(0, DType::kBFloat16, {1024, kPageSize, kHeads, kHeadDim});
  op.packed = operand(1, DType::kBFloat16, {4096, kHeads, kHeadDim});
  op.block_table = operand(2, DType::kInt32, {8, 64});
  op.seq_lens = operand(3, DType::kInt32, {8});
  op.cu_seqlens = operand(4, DType::kInt32, {9});
  return make_key(make_problem(op).value(), tailor::Arch::kSm90a, emitter, tailor::Lowering::kTail);
}

tailor::Key append_key(tailor::Emitter emitter) {
  tailor::PagedAppend op;
  op.k = operand(0, DType::kBFloat16, {256, kHeads, kHeadDim});
  op.v = operand(1, DType::kBFloat16, {256, kHeads, kHeadDim});
  op.k_pages = operand(2, DType::kBFloat16, {1024, kPageSize, kHeads, kHeadDim});
  op.v_pages = operand(3, DType::kBFloat16, {1024, kPageSize, kHeads, kHeadDim});
  op.batch_index = operand(4, DType::kInt32, {256});
  op.position = operand(5, DType::kInt32, {256});
  op.block_table = operand(6, DType::kInt32, {8, 64});
  return make_key(make_problem(op).value(), tailor::Arch::kSm90a, emitter, tailor::Lowering::kTail);
}

double processor_ms() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto ms = [](const timeval& t) {
    return 1e3 * static_cast<double>(t.tv_sec) + 1e-3 * static_cast<double>(t.tv_usec);
  };
  return ms(used.ru_utime) + ms(used.ru_stime);
}

tailor::Expected<tailor::cli::Json> make_cubin(tailor::KernelGenerator& generator, const std::string& op,
                                               tailor::Emitter emitter) {
  const auto wall = std::chrono::steady_clock::now();
  const double cpu = processor_ms();
  const tailor::Key key = op == "paged_append" ? append_key(emitter) : gather_key(emitter);
  TAILOR_ASSIGN_OR_RETURN(const auto emitted, generator.emit(key));
  TAILOR_ASSIGN_OR_RETURN(const auto compiled, generator.compile(emitted, true));
  tailor::cli::Json json{
      {"wall_ms", std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - wall).count()},
      {"cpu_ms", processor_ms() - cpu},
      {"bytes", compiled.cubin.size()}};
  for (const auto& [phase, ms] : emitted.phases) json["phases"][phase] = ms;
  for (const auto& [phase, ms] : compiled.phases) json["phases"][phase] = ms;
  return json;
}

}  // namespace

int main() {
  const std::unique_ptr<tailor::KernelGenerator> generator(
      tailor_create_kernel_generator(tailor::kGeneratorInterface, {}));
  std::puts("ready");
  std::fflush(stdout);
  std::string op, emitter;
  while (std::cin >> op >> emitter) {
    const auto parsed = tailor::parse_emitter(emitter);
    if (!parsed) {
      std::fprintf(stderr, "tailor_compile_server: no emitter '%s'\n", emitter.c_str());
      return 1;
    }
    const auto json = make_cubin(*generator, op, *parsed);
    if (!json.ok()) {
      std::fprintf(stderr, "tailor_compile_server: %s\n", json.status().to_string().c_str());
      return 1;
    }
    std::puts(json->dump().c_str());
    std::fflush(stdout);
  }
  return 0;
}
