#include "bench/peers/operands.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace tailor::bench {
namespace {

using Bytes = std::vector<uint8_t>;

template <class T>
Bytes bytes_of(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::vector<int32_t> integers(const cli::Workload& workload, const std::string& name) {
  const Bytes& bytes = workload.operand(name).bytes;
  std::vector<int32_t> values(bytes.size() / 4);
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * 4);
  return values;
}

void add_append(const cli::Workload& workload, std::map<std::string, Bytes>& out) {
  const Tensor& pool = workload.operand("k_pages").view;
  const int64_t page_size = pool.shape[workload.layout == PageLayout::kSlotMajor ? 1 : 2];
  const Tensor& table_view = workload.operand("block_table").view;
  const auto batch = static_cast<size_t>(table_view.shape[0]), columns = static_cast<size_t>(table_view.shape[1]);
  const std::vector<int32_t> table = integers(workload, "block_table"), sequence = integers(workload, "batch_index"),
                             position = integers(workload, "position");
  std::vector<int64_t> slots;
  for (size_t i = 0; i < sequence.size(); ++i) {
    const int64_t page =
        table[static_cast<size_t>(sequence[i]) * columns + static_cast<size_t>(position[i] / page_size)];
    slots.push_back(page * page_size + position[i] % page_size);
  }
  std::vector<int32_t> indptr{0}, indices;
  for (size_t b = 0; b < batch; ++b) {
    for (size_t c = 0; c < columns; ++c) {
      if (table[b * columns + c] >= 0) indices.push_back(table[b * columns + c]);
    }
    indptr.push_back(static_cast<int32_t>(indices.size()));
  }
  out["slots"] = bytes_of(slots);
  out["page_indptr"] = bytes_of(indptr);
  out["page_indices"] = bytes_of(indices);
  out["last_page_len"] = bytes_of(std::vector<int32_t>(batch, 1));
}

void add_gather(const cli::Workload& workload, std::map<std::string, Bytes>& out) {
  const std::vector<int32_t> lengths = integers(workload, "seq_lens");
  std::vector<int32_t> sequence;
  for (size_t s = 0; s < lengths.size(); ++s)
    sequence.insert(sequence.end(), static_cast<size_t>(lengths[s]), static_cast<int32_t>(s));
  out["token_to_sequence"] = bytes_of(sequence);
  out["sequence_starts"] = bytes_of(std::vector<int32_t>(lengths.size(), 0));
  out["second"] = workload.operand("packed").bytes;
}

// Rows [H, D] as runs of bytes, collected as ranges of sectors.
class Sectors {
 public:
  // `start` is the byte offset of element (…, 0, 0) of the row.
  void add(const Tensor& view, int64_t start, int64_t heads, int64_t head_stride, int64_t head_dim) {
    const int64_t size = element_bytes(view.dtype);
    for (int64_t h = 0; h < heads; ++h) {
      const uint64_t begin = view.address + static_cast<uint64_t>(start + h * head_stride * size);
      ranges_.emplace_back(begin / 32, (begin + static_cast<uint64_t>(head_dim * size) - 1) / 32);
    }
  }
  int64_t count() {
    std::sort(ranges_.begin(), ranges_.end());
    int64_t total = 0;
    uint64_t next = 0;  // the first sector not counted yet
    for (const auto& [first, last] : ranges_) {
      if (last < next) continue;
      total += static_cast<int64_t>(last - std::max(first, next)) + 1;
      next = last + 1;
    }
    return total;
  }

 private:
  std::vector<std::pair<uint64_t, uint64_t>> ranges_;
};

// (sequence, position) of every moved row, in the order of the packed rows.
std::vector<std::pair<int32_t, int32_t>> places(const cli::Workload& workload) {
  std::vector<std::pair<int32_t, int32_t>> result;
  if (workload.op == OpId::kPagedAppend) {
    const std::vector<int32_t> sequence = integers(workload, "batch_index"), position = integers(workload, "position");
    for (size_t i = 0; i < sequence.size(); ++i) result.emplace_back(sequence[i], position[i]);
  } else {
    const std::vector<int32_t> lengths = integers(workload, "seq_lens");
    for (size_t s = 0; s < lengths.size(); ++s) {
      for (int32_t t = 0; t < lengths[s]; ++t) result.emplace_back(static_cast<int32_t>(s), t);
    }
  }
  return result;
}

}  // namespace

int64_t minimum_sectors(const cli::Workload& workload) {
  const bool append = workload.op == OpId::kPagedAppend;
  const std::vector<std::pair<const char*, const char*>> moves =
      append ? std::vector<std::pair<const char*, const char*>>{{"k", "k_pages"}, {"v", "v_pages"}}
             : std::vector<std::pair<const char*, const char*>>{{"packed", "pages"}};
  const std::vector<int32_t> table = integers(workload, "block_table");
  const int64_t columns = workload.operand("block_table").view.shape[1];
  const auto rows = places(workload);
  int64_t total = 0;
  for (const auto& [dense, pool] : moves) {
    const Tensor &row = workload.operand(dense).view, &pages = workload.operand(pool).view;
    const bool slot_major = workload.layout == PageLayout::kSlotMajor;
    const int slot_dim = slot_major ? 1 : 2, head_dim = slot_major ? 2 : 1;
    const int64_t size = element_bytes(row.dtype), page_size = pages.shape[slot_dim];
    Sectors of_rows, of_pages;
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto [sequence, position] = rows[i];
      const int64_t page = table[static_cast<size_t>(sequence * columns + position / page_size)];
      of_rows.add(row, static_cast<int64_t>(i) * row.stride[0] * size, row.shape[1], row.stride[1], row.shape[2]);
      of_pages.add(pages, (page * pages.stride[0] + position % page_size * pages.stride[slot_dim]) * size, row.shape[1],
                   pages.stride[head_dim], row.shape[2]);
    }
    total += of_rows.count() + of_pages.count();
  }
  return total;
}

std::map<std::string, std::vector<uint8_t>> derived_operands(const cli::Workload& workload) {
  std::map<std::string, Bytes> out;
  out["one"] = bytes_of(std::vector<float>{1.0F});
  if (workload.op == OpId::kPagedAppend) add_append(workload, out);
  if (workload.op == OpId::kPagedGather) add_gather(workload, out);
  return out;
}

}  // namespace tailor::bench
