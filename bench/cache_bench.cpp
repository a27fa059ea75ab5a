// Disk hit: key -> verified record and objects in memory, before the driver's load. Warm page cache, 64 KiB of objects.
#include <cstdlib>
#include <filesystem>
#include <string>

#include <benchmark/benchmark.h>

#include "cache/store.h"

namespace {

void disk_hit_verified(benchmark::State& state) {
  std::string root = (std::filesystem::temp_directory_path() / "tailor-bench.XXXXXX").string();
  if (!mkdtemp(root.data())) return state.SkipWithError("mkdtemp failed");
  {
    tailor::cache::StoreOptions options;
    options.root = root + "/cache";
    auto store = tailor::cache::Store::open(std::move(options));
    if (!store.ok()) return state.SkipWithError(store.status().to_string().c_str());
    std::string bytes(static_cast<size_t>(state.range(0)), '\0');
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 2654435761u >> 13);
    tailor::cache::ActionRecord record;
    record.metadata = std::string(700, 'm');
    record.objects = {{"cubin", bytes}};
    const std::string key(400, 'k');
    if (auto status = (*store)->publish(key, record); !status.ok())
      return state.SkipWithError(status.message().c_str());
    for (auto _ : state) {
      auto found = (*store)->lookup(key);
      if (!found.hit()) return state.SkipWithError(found.detail.c_str());
      benchmark::DoNotOptimize(found);
    }
  }
  std::error_code ignored;
  std::filesystem::remove_all(root, ignored);
}
BENCHMARK(disk_hit_verified)->Arg(8 << 10)->Arg(64 << 10)->Unit(benchmark::kMicrosecond);

}  // namespace
