// Speed of the PTX parser over the sample texts of its tests: nvcc, NVRTC and LLVM output. Bytes per second; the target on
// an idle core is 50 MB/s.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "runtime/ptx/parser.h"

namespace {

void ptx_parse(benchmark::State& state) {
  std::vector<std::string> texts;
  size_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(TAILOR_SOURCE_DIR "/tests/runtime/ptx/samples")) {
    if (file.path().extension() != ".ptx") continue;
    std::ifstream in(file.path(), std::ios::binary);
    texts.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    bytes += texts.back().size();
  }
  for (auto _ : state) {
    for (const std::string& text : texts) {
      if (!tailor::ptx::parse(text).ok()) return state.SkipWithError("a sample was refused");
    }
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes));
}
BENCHMARK(ptx_parse)->Unit(benchmark::kMillisecond);

}  // namespace
