// An engine's view of Tailor: a paged KV cache, one ragged prefill, a few decode steps, and a look at what arrived.
//
// The engine owns all memory; here it comes from the table of driver functions, elsewhere from cudaMalloc or torch.
// Runs on a GPU if one answers, else on the virtual device, and says which. Exit code 0: every row is where it belongs.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

#include "runtime/driver/driver.h"
#include "tailor/runtime.h"

using tailor::DType;
using tailor::Tensor;

constexpr int64_t kHeads = 4, kHeadDim = 64, kPageSize = 16, kPages = 32, kBatch = 3, kMaxPages = 8;
constexpr size_t kRow = kHeads * kHeadDim;  // elements of 2 bytes

using Row = std::vector<uint16_t>;

// The new keys of token `position` of sequence `s`; the values are the same plus one half of the range.
Row make_row(int64_t s, int64_t position, bool value) {
  Row row(kRow);
  for (size_t i = 0; i < kRow; ++i) row[i] = static_cast<uint16_t>(s * 8191 + position * 127 + static_cast<int64_t>(i));
  if (value) row[0] ^= 0x8000;
  return row;
}

struct Engine {
  const tailor::DriverTable* driver = nullptr;
  std::unique_ptr<tailor::Runtime> runtime;
  uint64_t k_pages = 0, v_pages = 0, block_table = 0, k = 0, v = 0, batch_index = 0, position = 0;
  int64_t lengths[kBatch] = {};

  uint64_t allocate(size_t bytes) {
    tailor::cu::CUdeviceptr address = 0;
    return driver->cuMemAlloc(&address, bytes) == tailor::cu::CUDA_SUCCESS ? address : 0;
  }
  template <class T>
  void upload(uint64_t to, const std::vector<T>& from) {
    if (!from.empty()) driver->cuMemcpyHtoD(to, from.data(), from.size() * sizeof(T));
  }

  // Appends `counts[s]` new tokens to every sequence s, in one launch.
  tailor::Status append(const int64_t (&counts)[kBatch]) {
    std::vector<uint16_t> keys, values;
    std::vector<int32_t> batch, positions;
    for (int64_t s = 0; s < kBatch; ++s) {
      for (int64_t i = 0; i < counts[s]; ++i, ++lengths[s]) {
        const Row key = make_row(s, lengths[s], false), value = make_row(s, lengths[s], true);
        keys.insert(keys.end(), key.begin(), key.end());
        values.insert(values.end(), value.begin(), value.end());
        batch.push_back(static_cast<int32_t>(s));
        positions.push_back(static_cast<int32_t>(lengths[s]));
      }
    }
    const auto tokens = static_cast<int64_t>(batch.size());
    upload(k, keys), upload(v, values), upload(batch_index, batch), upload(position, positions);
    tailor::PagedAppend op;
    op.k = Tensor::dense(k, DType::kBFloat16, {tokens, kHeads, kHeadDim});
    op.v = Tensor::dense(v, DType::kBFloat16, {tokens, kHeads, kHeadDim});
    op.batch_index = Tensor::dense(batch_index, DType::kInt32, {tokens});
    op.position = Tensor::dense(position, DType::kInt32, {tokens});
    op.k_pages = Tensor::dense(k_pages, DType::kBFloat16, {kPages, kPageSize, kHeads, kHeadDim});
    op.v_pages = Tensor::dense(v_pages, DType::kBFloat16, {kPages, kPageSize, kHeads, kHeadDim});
    op.block_table = Tensor::dense(block_table, DType::kInt32, {kBatch, kMaxPages});
    return runtime->launch(op);  // asynchronous on the stream; no length is read by the host
  }
};

int main() {
  Engine engine;
  tailor::RuntimeOptions options;
  auto runtime = tailor::Runtime::open(options);  // cuda
  auto driver = tailor::open_cuda_driver();
  if (!runtime.ok()) {
    std::printf("no GPU (%s): using the virtual device\n", runtime.status().message().c_str());
    options.device = "virtual";
    runtime = tailor::Runtime::open(options);
    driver = tailor::open_virtual_driver();
  }
  if (!runtime.ok() || !driver.ok()) return std::fprintf(stderr, "%s\n", runtime.status().to_string().c_str()), 1;
  engine.runtime = std::move(*runtime);
  engine.driver = *driver;
  tailor::cu::CUcontext context = nullptr;
  engine.driver->cuDevicePrimaryCtxRetain(&context, 0);
  engine.driver->cuCtxSetCurrent(context);

  const size_t pool_bytes = kPages * kPageSize * kRow * 2;
  for (uint64_t* operand : {&engine.k_pages, &engine.v_pages, &engine.k, &engine.v})
    *operand = engine.allocate(pool_bytes);
  for (uint64_t* operand : {&engine.block_table, &engine.batch_index, &engine.position})
    *operand = engine.allocate(4096);
  std::vector<int32_t> table(kBatch * kMaxPages);
  for (size_t i = 0; i < table.size(); ++i)
    table[i] = static_cast<int32_t>(i * 13 % kPages);  // scattered, no page twice
  engine.upload(engine.block_table, table);

  tailor::Status status = engine.append({5, 0, 37});  // a ragged prefill: one of the sequences is empty
  for (int step = 0; step < 20 && status.ok(); ++step) status = engine.append({1, 1, 1});
  if (status.ok()) status = tailor::check(*engine.driver, engine.driver->cuCtxSynchronize(), "cuCtxSynchronize");
  if (!status.ok()) return std::fprintf(stderr, "%s\n", status.to_string().c_str()), 1;

  int64_t wrong = 0, rows = 0;
  for (int64_t s = 0; s < kBatch; ++s) {
    for (int64_t t = 0; t < engine.lengths[s]; ++t, ++rows) {
      const uint64_t slot = static_cast<uint64_t>(table[s * kMaxPages + t / kPageSize] * kPageSize + t % kPageSize);
      Row key(kRow), value(kRow);
      engine.driver->cuMemcpyDtoH(key.data(), engine.k_pages + slot * kRow * 2, kRow * 2);
      engine.driver->cuMemcpyDtoH(value.data(), engine.v_pages + slot * kRow * 2, kRow * 2);
      wrong += key != make_row(s, t, false) || value != make_row(s, t, true);
    }
  }
  const tailor::RuntimeStats stats = engine.runtime->stats();
  std::printf("device %s: %lld rows, %lld wrong, %llu launches, %llu compiled\n", options.device.c_str(),
              static_cast<long long>(rows), static_cast<long long>(wrong),
              static_cast<unsigned long long>(stats.launches), static_cast<unsigned long long>(stats.kernels_compiled));
  return wrong == 0 && rows == 5 + 37 + 60 ? 0 : 1;
}
