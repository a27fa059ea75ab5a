#include "runtime/cli/serve/simulation.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace tailor::cli {
namespace {

constexpr int64_t kGuardRows = 4;       // rows before and behind the packed ones
constexpr size_t kPoolChunk = 8 << 20;  // bytes of pool compared at a time

// Adds the time of its life to a sum.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds) {}
  ~Stopwatch() { seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

int64_t pow2_ceil(int64_t value) { return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(value))); }

// What a layout that pads every sequence of the batch to a power of two of the longest would move, in rows.
int64_t padded_rows(const std::vector<Segment>& segments) {
  int64_t longest = 0;
  for (const Segment& segment : segments) longest = std::max(longest, segment.count);
  return longest == 0 ? 0 : std::ssize(segments) * pow2_ceil(longest);
}

PoolShape pool_shape(const SimulationOptions& o) {
  return {o.batcher.pool_pages, o.batcher.page_size, o.heads, o.head_dim * element_bytes(o.dtype), o.layout};
}

}  // namespace

Simulation::Simulation(const Device& device, Runtime& runtime, Trace trace, const SimulationOptions& options)
    : device_(&device),
      runtime_(&runtime),
      options_(options),
      batcher_(std::move(trace), options.batcher),
      reference_(pool_shape(options)) {}

Expected<Simulation> Simulation::prepare(const Device& device, Runtime& runtime, Trace trace,
                                         const SimulationOptions& options) {
  Simulation simulation(device, runtime, std::move(trace), options);
  TAILOR_RETURN_IF_ERROR(simulation.allocate());
  return simulation;
}

Status Simulation::allocate() {
  const PoolShape& shape = reference_.shape();
  const auto row_bytes = static_cast<size_t>(shape.row_bytes());
  const auto pool_bytes = static_cast<size_t>(shape.pages * shape.page_bytes());
  const auto budget = static_cast<size_t>(options_.batcher.token_budget);
  const auto batch = static_cast<size_t>(options_.batcher.max_batch);
  // Sequences never hold more tokens than the pool has slots.
  const size_t packed_rows = static_cast<size_t>(shape.pages * shape.page_size + 2 * kGuardRows);
  struct Want {
    DeviceBuffer& buffer;
    size_t bytes;
  };
  for (const Want& want : {Want{k_pool_, pool_bytes}, Want{v_pool_, pool_bytes}, Want{fused_, budget * 2 * row_bytes},
                           Want{packed_, packed_rows * row_bytes}, Want{batch_index_, budget * 4},
                           Want{position_, budget * 4}, Want{table_, batcher_.block_table().size() * 4},
                           Want{seq_lens_, batch * 4}, Want{cu_seqlens_, (batch + 1) * 4}, Want{status_word_, 8}}) {
    TAILOR_ASSIGN_OR_RETURN(want.buffer, DeviceBuffer::allocate(*device_, want.bytes));
  }
  TAILOR_RETURN_IF_ERROR(status_word_.fill(0, 0, 8));
  for (const Side side : {Side::kKey, Side::kValue}) {
    host_.resize(pool_bytes);
    reference_.fill_pages(host_, 0, side);
    TAILOR_RETURN_IF_ERROR(pool(side).upload(host_));
  }
  return {};
}

Tensor Simulation::pool_tensor(Side side) const {
  const PoolShape& shape = reference_.shape();
  const uint64_t address = (side == Side::kKey ? k_pool_ : v_pool_).address();
  return shape.layout == PageLayout::kSlotMajor
             ? Tensor::dense(address, options_.dtype, {shape.pages, shape.page_size, shape.heads, options_.head_dim})
             : Tensor::dense(address, options_.dtype, {shape.pages, shape.heads, shape.page_size, options_.head_dim});
}

const std::vector<int32_t>& Simulation::pages_of(uint32_t stream) const {
  return std::find_if(batcher_.running().begin(), batcher_.running().end(),
                      [&](const Sequence& sequence) { return sequence.stream == stream; })
      ->pages;
}

void Simulation::note(const Mismatches& found, int64_t bytes_checked) {
  result_.mismatches.add(found);
  result_.bytes_checked += bytes_checked;
}

Status Simulation::finish_launch(Status launched) const {
  if (launched.ok()) launched = device_->synchronize();
  return device_->explain(std::move(launched));
}

Status Simulation::append(const std::vector<Segment>& segments) {
  const auto row_bytes = static_cast<size_t>(reference_.shape().row_bytes());
  std::vector<int32_t> batch_index, position;
  for (const Segment& segment : segments) {
    for (int64_t i = 0; i < segment.count; ++i) {
      batch_index.push_back(segment.row);
      position.push_back(static_cast<int32_t>(segment.first + i));
    }
    reference_.record_append(segment, pages_of(segment.stream));
  }
  const int64_t tokens = std::ssize(position);
  host_.resize(static_cast<size_t>(tokens) * 2 * row_bytes);
  uint8_t* row = host_.data();
  for (const Segment& segment : segments) {
    for (int64_t i = 0; i < segment.count; ++i) {
      for (const Side side : {Side::kKey, Side::kValue}) {
        fill_row({row, row_bytes}, {segment.stream, static_cast<int32_t>(segment.first + i)}, side);
        row += row_bytes;
      }
    }
  }
  TAILOR_RETURN_IF_ERROR(fused_.upload(host_));
  TAILOR_RETURN_IF_ERROR(batch_index_.upload(bytes_of(std::span<const int32_t>(batch_index))));
  TAILOR_RETURN_IF_ERROR(position_.upload(bytes_of(std::span<const int32_t>(position))));
  TAILOR_RETURN_IF_ERROR(table_.upload(bytes_of(batcher_.block_table())));

  PagedAppend operands;
  operands.k = Tensor::dense(fused_.address(), options_.dtype, {tokens, options_.heads, options_.head_dim});
  operands.k.stride[0] *= 2;
  operands.v = operands.k;
  operands.v.address += row_bytes;
  operands.batch_index = Tensor::dense(batch_index_.address(), DType::kInt32, {tokens});
  operands.position = Tensor::dense(position_.address(), DType::kInt32, {tokens});
  operands.k_pages = pool_tensor(Side::kKey);
  operands.v_pages = pool_tensor(Side::kValue);
  operands.layout = options_.layout;
  operands.block_table =
      Tensor::dense(table_.address(), DType::kInt32, {options_.batcher.max_batch, options_.batcher.max_pages});
  operands.status_word = status_word_.address();
  TAILOR_RETURN_IF_ERROR(finish_launch(runtime_->launch(operands)));
  ++result_.appends;
  result_.appended_tokens += tokens;
  const int64_t bytes_per_token = 4 * static_cast<int64_t>(row_bytes);  // K and V, read and written
  result_.bytes_moved += tokens * bytes_per_token;
  result_.bytes_padded_layout += padded_rows(segments) * bytes_per_token;
  return {};
}

Status Simulation::check_touched(const std::vector<Segment>& segments) {
  const Stopwatch stopwatch(result_.check_seconds);
  const int64_t page_size = reference_.shape().page_size;
  const auto page_bytes = static_cast<size_t>(reference_.shape().page_bytes());
  host_.resize(page_bytes);
  for (const Segment& segment : segments) {
    const std::vector<int32_t>& pages = pages_of(segment.stream);
    for (int64_t p = segment.first / page_size; p <= (segment.first + segment.count - 1) / page_size; ++p) {
      const int64_t page = pages[static_cast<size_t>(p)];
      for (const Side side : {Side::kKey, Side::kValue}) {
        TAILOR_RETURN_IF_ERROR(pool(side).download(host_, static_cast<size_t>(page) * page_bytes));
        note(reference_.check_pages(host_, page, side), std::ssize(host_));
      }
    }
  }
  return {};
}

Status Simulation::gather() {
  const auto batch = static_cast<size_t>(options_.batcher.max_batch);
  std::vector<int32_t> seq_lens(batch, 0), cu_seqlens(batch + 1, 0);
  std::vector<Segment> rows;  // whole sequences, in the order of the block table
  for (const Sequence& sequence : batcher_.running()) {
    seq_lens[static_cast<size_t>(sequence.row)] = static_cast<int32_t>(sequence.length);
    if (sequence.length > 0) rows.push_back({sequence.row, sequence.stream, 0, sequence.length});
  }
  std::sort(rows.begin(), rows.end(), [](const Segment& a, const Segment& b) { return a.row < b.row; });
  for (size_t i = 0; i < batch; ++i) cu_seqlens[i + 1] = cu_seqlens[i] + seq_lens[i];
  TAILOR_RETURN_IF_ERROR(seq_lens_.upload(bytes_of(std::span<const int32_t>(seq_lens))));
  TAILOR_RETURN_IF_ERROR(cu_seqlens_.upload(bytes_of(std::span<const int32_t>(cu_seqlens))));
  TAILOR_RETURN_IF_ERROR(table_.upload(bytes_of(batcher_.block_table())));
  for (const Side side : {Side::kKey, Side::kValue}) {
    TAILOR_RETURN_IF_ERROR(gather_side(side, rows, cu_seqlens[batch]));
  }
  const int64_t bytes_per_token = 4 * reference_.shape().row_bytes();
  result_.gathered_tokens += cu_seqlens[batch];
  result_.bytes_moved += cu_seqlens[batch] * bytes_per_token;
  result_.bytes_padded_layout += padded_rows(rows) * bytes_per_token;
  return {};
}

Status Simulation::gather_side(Side side, const std::vector<Segment>& rows, int64_t total) {
  const auto row_bytes = static_cast<size_t>(reference_.shape().row_bytes());
  const size_t guard_bytes = static_cast<size_t>(kGuardRows) * row_bytes;
  const size_t bytes = static_cast<size_t>(total) * row_bytes + 2 * guard_bytes;
  // What the last gather left here would hide a row that this one does not write.
  const auto stale = static_cast<uint8_t>(0xA0 + result_.gathers % 16);
  TAILOR_RETURN_IF_ERROR(packed_.fill(stale, 0, bytes));

  PagedGather operands;
  operands.pages = pool_tensor(side);
  operands.layout = options_.layout;
  operands.block_table =
      Tensor::dense(table_.address(), DType::kInt32, {options_.batcher.max_batch, options_.batcher.max_pages});
  operands.seq_lens = Tensor::dense(seq_lens_.address(), DType::kInt32, {options_.batcher.max_batch});
  operands.cu_seqlens = Tensor::dense(cu_seqlens_.address(), DType::kInt32, {options_.batcher.max_batch + 1});
  operands.packed = Tensor::dense(packed_.address() + guard_bytes, options_.dtype,
                                  {total + kGuardRows, options_.heads, options_.head_dim});
  operands.status_word = status_word_.address();
  TAILOR_RETURN_IF_ERROR(finish_launch(runtime_->launch(operands)));
  ++result_.gathers;

  const Stopwatch stopwatch(result_.check_seconds);
  host_.resize(bytes);
  TAILOR_RETURN_IF_ERROR(packed_.download(host_));
  const std::span<const uint8_t> packed = host_;
  const std::vector<uint8_t> untouched(guard_bytes, stale);
  for (const auto& [where, guard] :
       {std::pair{"before", packed.first(guard_bytes)}, std::pair{"behind", packed.last(guard_bytes)}}) {
    const ByteDifference difference = compare_bytes(guard, untouched);
    if (difference.count > 0) {
      result_.mismatches.add(
          {difference.count, fmt::format("{} the packed rows, byte {} was written", where, difference.first)});
    }
  }
  size_t offset = guard_bytes;
  for (const Segment& segment : rows) {
    const size_t size = static_cast<size_t>(segment.count) * row_bytes;
    result_.mismatches.add(reference_.check_segment(packed.subspan(offset, size), segment, side));
    offset += size;
  }
  result_.bytes_checked += std::ssize(packed);
  return {};
}

Status Simulation::check_pools() {
  const Stopwatch stopwatch(result_.check_seconds);
  const PoolShape& shape = reference_.shape();
  const int64_t chunk = std::clamp<int64_t>(static_cast<int64_t>(kPoolChunk) / shape.page_bytes(), 1, shape.pages);
  for (const Side side : {Side::kKey, Side::kValue}) {
    for (int64_t first = 0; first < shape.pages; first += chunk) {
      host_.resize(static_cast<size_t>(std::min(chunk, shape.pages - first) * shape.page_bytes()));
      TAILOR_RETURN_IF_ERROR(pool(side).download(host_, static_cast<size_t>(first * shape.page_bytes())));
      note(reference_.check_pages(host_, first, side), std::ssize(host_));
    }
  }
  return {};
}

Status Simulation::read_status_word() {
  uint64_t word = 0;
  std::vector<uint8_t> bytes(8);
  TAILOR_RETURN_IF_ERROR(status_word_.download(bytes));
  std::memcpy(&word, bytes.data(), 8);
  if (word == 0) return {};
  const DeviceFaultReport fault = decode_status_word(word);
  result_.mismatches.add(
      {0, fmt::format("step {}: the device reports: {}, index {}", result_.steps, to_string(fault.kind), fault.index)});
  ++result_.faults;
  return status_word_.fill(0, 0, 8);
}

Expected<SimulationResult> Simulation::run(const std::function<void(const SimulationResult&)>& progress) {
  while (options_.max_steps == 0 || result_.steps < options_.max_steps) {
    const auto segments = batcher_.next();
    if (!segments) break;
    TAILOR_RETURN_IF_ERROR(append(*segments));
    TAILOR_RETURN_IF_ERROR(check_touched(*segments));
    if (result_.steps % options_.gather_every == 0) TAILOR_RETURN_IF_ERROR(gather());
    if (result_.steps % options_.check_pool_every == options_.check_pool_every - 1)
      TAILOR_RETURN_IF_ERROR(check_pools());
    TAILOR_RETURN_IF_ERROR(read_status_word());
    ++result_.steps;
    result_.requests_finished = batcher_.finished();
    progress(result_);
  }
  TAILOR_RETURN_IF_ERROR(check_pools());
  result_.requests_finished = batcher_.finished();
  result_.requests_refused = batcher_.refused();
  result_.preemptions = batcher_.preemptions();
  result_.simulated_seconds = static_cast<double>(batcher_.simulated_us()) * 1e-6;
  return result_;
}

}  // namespace tailor::cli
