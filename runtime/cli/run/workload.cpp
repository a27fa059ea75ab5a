#include "runtime/cli/run/workload.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <utility>

#include <fmt/format.h>

#include "runtime/cli/range.h"

namespace tailor::cli {
namespace {

constexpr int64_t kMaxOperandBytes = int64_t{1} << 33;
constexpr int64_t kMaxTableEntries = int64_t{1} << 28;

using Engine = std::mt19937_64;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Bytes from the first to behind the last element; 0 if any extent is 0; -1 beyond kMaxOperandBytes.
int64_t span_bytes(const Tensor& view) {
  __int128 last = 0;
  for (int d = 0; d < view.rank; ++d) {
    if (view.shape[d] == 0) return 0;
    last += static_cast<__int128>(view.shape[d] - 1) * view.stride[d];
  }
  const __int128 bytes = (last + 1) * element_bytes(view.dtype);
  return bytes > kMaxOperandBytes ? -1 : static_cast<int64_t>(bytes);
}

struct Maker {
  const WorkloadOptions& options;
  Engine engine;
  Workload workload;

  Status add(std::string name, Tensor view, bool written = false, int64_t misalign = 0) {
    const int64_t bytes = span_bytes(view);
    if (bytes < 0) {
      return invalid_argument(
          fmt::format("{}: {} x {} bytes are more than {}; make --heads, --head-dim, --page-size, "
                      "--pad-row or the number of tokens smaller",
                      name, view.shape[0], view.stride[0] * element_bytes(view.dtype), kMaxOperandBytes));
    }
    HostOperand operand{std::move(name), view, std::vector<uint8_t>(static_cast<size_t>(bytes)), misalign, written};
    for (size_t i = 0; i < operand.bytes.size(); i += 8) {
      const uint64_t word = engine();
      std::memcpy(operand.bytes.data() + i, &word, std::min<size_t>(8, operand.bytes.size() - i));
    }
    workload.operands.push_back(std::move(operand));
    return {};
  }

  Status add_indices(std::string name, std::initializer_list<int64_t> shape, const std::vector<int32_t>& values) {
    TAILOR_RETURN_IF_ERROR(add(std::move(name), Tensor::dense(0, DType::kInt32, shape)));
    HostOperand& operand = workload.operands.back();
    if (!operand.bytes.empty()) std::memcpy(operand.bytes.data(), values.data(), operand.bytes.size());
    return {};
  }

  Tensor pool_view(int64_t pages) const {
    return options.layout == PageLayout::kSlotMajor
               ? Tensor::dense(0, options.dtype, {pages, options.page_size, options.heads, options.head_dim})
               : Tensor::dense(0, options.dtype, {pages, options.heads, options.page_size, options.head_dim});
  }

  Tensor row_view(int64_t rows) const {
    Tensor view = Tensor::dense(0, options.dtype, {rows, options.heads, options.head_dim});
    view.stride[0] += options.pad_row;
    return view;
  }
};

// What made the sequences as long as they are.
std::string origin_of_lengths(const WorkloadOptions& o) {
  if (!o.seq_lens.empty()) return "--seq-lens";
  return fmt::format("--batch {} with --page-size {}", o.batch, o.page_size);
}

Status check_options(const WorkloadOptions& o) {
  TAILOR_RETURN_IF_ERROR(check_range("--heads", o.heads, 1));
  TAILOR_RETURN_IF_ERROR(check_range("--head-dim", o.head_dim, 1));
  TAILOR_RETURN_IF_ERROR(check_range("--page-size", o.page_size, 1));
  TAILOR_RETURN_IF_ERROR(check_range("--batch", o.batch, 0, 1 << 20));
  TAILOR_RETURN_IF_ERROR(check_range("--tokens", o.tokens, 0, 1 << 24));
  TAILOR_RETURN_IF_ERROR(check_range("--pool-pages", o.pool_pages, 0, kMaxTableEntries));
  TAILOR_RETURN_IF_ERROR(check_range("--max-pages", o.max_pages, 0, kMaxTableEntries));
  TAILOR_RETURN_IF_ERROR(check_range("--pad-row", o.pad_row, 0));
  TAILOR_RETURN_IF_ERROR(check_range("--misalign", o.misalign_bytes, 0, 4096));
  for (const int64_t length : o.seq_lens) TAILOR_RETURN_IF_ERROR(check_range("--seq-lens", length, 0));
  // From here on strides fit in 64 bits.
  const __int128 page_bytes = static_cast<__int128>(o.page_size * o.heads) * o.head_dim * element_bytes(o.dtype);
  if (page_bytes <= kMaxOperandBytes) return {};
  return invalid_argument(fmt::format(
      "a page of --page-size {} x --heads {} x --head-dim {} would take more than {} bytes; make the shapes "
      "smaller",
      o.page_size, o.heads, o.head_dim, kMaxOperandBytes));
}

// Ragged on purpose: about one in eight is empty, one in eight is a single token, the rest spread over four pages.
std::vector<int64_t> random_lengths(const WorkloadOptions& o, Engine& engine) {
  std::vector<int64_t> lengths;
  for (int64_t b = 0; b < o.batch; ++b) {
    const uint64_t kind = engine() % 8;
    const auto spread = static_cast<int64_t>(engine() % static_cast<uint64_t>(4 * std::max<int64_t>(o.page_size, 8)));
    lengths.push_back(kind == 0 ? 0 : kind == 1 ? 1 : spread);
  }
  return lengths;
}

// Rows of a block table over shuffled pages; entries that no token needs are -1.
struct Table {
  int64_t pool_pages = 0, max_pages = 0;
  std::vector<int32_t> entries;
};

Expected<Table> make_table(const WorkloadOptions& o, const std::vector<int64_t>& lengths, Engine& engine) {
  Table table;
  int64_t pages = 0, longest = 0;
  for (const int64_t length : lengths) {
    pages += ceil_div(length, o.page_size);
    longest = std::max(longest, ceil_div(length, o.page_size));
  }
  table.pool_pages = o.pool_pages > 0 ? o.pool_pages : pages + 3;
  table.max_pages = o.max_pages > 0 ? o.max_pages : std::max<int64_t>(longest, 1);
  if (table.pool_pages < pages) {
    return invalid_argument(fmt::format("--pool-pages is {}; the sequences need {} pages", o.pool_pages, pages));
  }
  if (table.max_pages < longest) {
    return invalid_argument(
        fmt::format("--max-pages is {}; the longest sequence needs {} pages", o.max_pages, longest));
  }
  if (table.pool_pages > kMaxTableEntries) {
    return invalid_argument(fmt::format("{} needs {} pages; they must be at most {}", origin_of_lengths(o),
                                        table.pool_pages, kMaxTableEntries));
  }
  if (table.max_pages * std::ssize(lengths) > kMaxTableEntries) {
    return invalid_argument(fmt::format("{} sequences x {} pages of {}: a block table must have at most {} entries",
                                        lengths.size(), table.max_pages,
                                        o.max_pages > 0 ? "--max-pages" : "the longest one", kMaxTableEntries));
  }
  std::vector<int32_t> order(static_cast<size_t>(table.pool_pages));
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[engine() % i]);
  table.entries.assign(lengths.size() * static_cast<size_t>(table.max_pages), -1);
  size_t next = 0;
  for (size_t b = 0; b < lengths.size(); ++b) {
    for (int64_t p = 0; p < ceil_div(lengths[b], o.page_size); ++p) {
      table.entries[b * static_cast<size_t>(table.max_pages) + static_cast<size_t>(p)] = order[next++];
    }
  }
  return table;
}

Status make_gather(Maker& maker, const std::vector<int64_t>& lengths) {
  const WorkloadOptions& o = maker.options;
  const int64_t batch = std::ssize(lengths);
  std::vector<int32_t> seq_lens, cu_seqlens{0};
  int64_t rows = 0;
  for (const int64_t length : lengths) {
    rows += length;
    if (rows > INT32_MAX) {
      return invalid_argument(
          fmt::format("{} makes {} rows or more; they must be at most {}", origin_of_lengths(o), rows, INT32_MAX));
    }
    seq_lens.push_back(static_cast<int32_t>(length));
    cu_seqlens.push_back(static_cast<int32_t>(rows));
  }
  TAILOR_ASSIGN_OR_RETURN(const Table table, make_table(o, lengths, maker.engine));
  TAILOR_RETURN_IF_ERROR(maker.add("pages", maker.pool_view(table.pool_pages), false, o.misalign_bytes));
  TAILOR_RETURN_IF_ERROR(maker.add_indices("block_table", {batch, table.max_pages}, table.entries));
  TAILOR_RETURN_IF_ERROR(maker.add_indices("seq_lens", {batch}, seq_lens));
  TAILOR_RETURN_IF_ERROR(maker.add_indices("cu_seqlens", {batch + 1}, cu_seqlens));
  // Three rows more than needed: they must stay as they are.
  return maker.add("packed", maker.row_view(rows + 3), true, o.misalign_bytes);
}

Status make_append(Maker& maker, std::vector<int64_t> lengths) {
  const WorkloadOptions& o = maker.options;
  const int64_t batch = std::ssize(lengths);
  if (batch == 0 && o.tokens > 0) {
    return invalid_argument(fmt::format("--tokens is {}; it must be 0 for an empty batch", o.tokens));
  }
  std::vector<std::pair<int32_t, int32_t>> places;  // (batch index, position), in no order
  for (int64_t i = 0; i < o.tokens; ++i) {
    const auto b = static_cast<size_t>(maker.engine() % static_cast<uint64_t>(batch));
    if (lengths[b] >= INT32_MAX) {
      return invalid_argument(fmt::format("{} makes a sequence of {} tokens; with the new ones it must have at most {}",
                                          origin_of_lengths(o), lengths[b], INT32_MAX));
    }
    places.emplace_back(static_cast<int32_t>(b), static_cast<int32_t>(lengths[b]++));
  }
  for (size_t i = places.size(); i > 1; --i) std::swap(places[i - 1], places[maker.engine() % i]);
  std::vector<int32_t> batch_index, position;
  for (const auto& [b, p] : places) {
    batch_index.push_back(b);
    position.push_back(p);
  }
  TAILOR_ASSIGN_OR_RETURN(const Table table, make_table(o, lengths, maker.engine));
  TAILOR_RETURN_IF_ERROR(maker.add("k", maker.row_view(o.tokens), false, o.misalign_bytes));
  TAILOR_RETURN_IF_ERROR(maker.add("v", maker.row_view(o.tokens), false, o.misalign_bytes));
  TAILOR_RETURN_IF_ERROR(maker.add_indices("batch_index", {o.tokens}, batch_index));
  TAILOR_RETURN_IF_ERROR(maker.add_indices("position", {o.tokens}, position));
  TAILOR_RETURN_IF_ERROR(maker.add("k_pages", maker.pool_view(table.pool_pages), true, o.misalign_bytes));
  TAILOR_RETURN_IF_ERROR(maker.add("v_pages", maker.pool_view(table.pool_pages), true, o.misalign_bytes));
  return maker.add_indices("block_table", {batch, table.max_pages}, table.entries);
}

Status apply(const Corruption& corruption, Workload& workload) {
  std::string known;
  for (HostOperand& operand : workload.operands) {
    if (operand.view.dtype != DType::kInt32 || operand.written) continue;
    known += (known.empty() ? "" : ", ") + operand.name;
    if (operand.name != corruption.operand) continue;
    const int64_t entries = std::ssize(operand.bytes) / 4;
    if (corruption.index < 0 || corruption.index >= entries) {
      return invalid_argument(
          fmt::format("--corrupt {}:{}: the operand has {} entries", corruption.operand, corruption.index, entries));
    }
    std::memcpy(operand.bytes.data() + 4 * corruption.index, &corruption.value, 4);
    return {};
  }
  return invalid_argument(fmt::format("--corrupt {}: it must name one of {}", corruption.operand, known));
}

// Reads and byte offsets by the definitions in tailor/ops.h.
struct Reader {
  const HostOperand& operand;

  int64_t integer(int64_t index) const {
    int32_t value;
    std::memcpy(&value, operand.bytes.data() + 4 * index, 4);
    return value;
  }
};

struct PoolView {
  const Tensor& view;
  PageLayout layout;

  int64_t pages() const { return view.shape[0]; }
  int64_t page_size() const { return view.shape[layout == PageLayout::kSlotMajor ? 1 : 2]; }
  int64_t offset(int64_t page, int64_t slot, int64_t head, int64_t dim) const {
    const bool slot_major = layout == PageLayout::kSlotMajor;
    return (page * view.stride[0] + slot * view.stride[slot_major ? 1 : 2] + head * view.stride[slot_major ? 2 : 1] +
            dim * view.stride[3]) *
           element_bytes(view.dtype);
  }
};

int64_t row_offset(const Tensor& view, int64_t row, int64_t head, int64_t dim) {
  return (row * view.stride[0] + head * view.stride[1] + dim * view.stride[2]) * element_bytes(view.dtype);
}

// Visits every element of one row: f(offset in the packed rows, offset in the pool), in bytes.
template <class F>
void for_each_element(const Tensor& rows, int64_t row, const PoolView& pool, int64_t page, int64_t slot, F&& f) {
  for (int64_t h = 0; h < rows.shape[1]; ++h) {
    for (int64_t d = 0; d < rows.shape[2]; ++d) f(row_offset(rows, row, h, d), pool.offset(page, slot, h, d));
  }
}

void allow(Expectation& expectation, const std::string& operand, int64_t offset, const uint8_t* from, int bytes) {
  auto& allowed = expectation.alternatives[operand];
  for (int i = 0; i < bytes; ++i) allowed[offset + i].push_back(from[i]);
}

Expectation expect_gather(const Workload& workload) {
  Expectation expectation;
  const HostOperand& pages = workload.operand("pages");
  const HostOperand& packed = workload.operand("packed");
  const Reader table{workload.operand("block_table")}, lens{workload.operand("seq_lens")},
      cu{workload.operand("cu_seqlens")};
  const PoolView pool{pages.view, workload.layout};
  const int64_t batch = table.operand.view.shape[0], max_pages = table.operand.view.shape[1];
  const int64_t rows = packed.view.shape[0];
  const int size = element_bytes(packed.view.dtype);
  std::vector<uint8_t>& out = expectation.bytes["packed"] = packed.bytes;

  bool ordered = true;
  for (int64_t s = 0; s < batch; ++s) {
    const int64_t begin = cu.integer(s), end = cu.integer(s + 1);
    if (begin < 0 || end < begin || end > rows) {
      expectation.faults.push_back({DeviceFault::kCuSeqlensRange, s});
      ordered = false;
    } else if (end - begin != lens.integer(s)) {
      expectation.faults.push_back({DeviceFault::kSeqLenMismatch, s});
    }
  }
  expectation.fault_is_exact = ordered;
  for (int64_t s = 0; s < batch; ++s) {
    for (int64_t row = std::max<int64_t>(cu.integer(s), 0); row < std::min(cu.integer(s + 1), rows); ++row) {
      const int64_t t = row - cu.integer(s), column = t / pool.page_size();
      if (t >= lens.integer(s)) continue;
      if (column >= max_pages) {
        expectation.faults.push_back({DeviceFault::kBlockTableColumn, row});
        continue;
      }
      const int64_t page = table.integer(s * max_pages + column);
      if (page < 0 || page >= pool.pages()) {
        expectation.faults.push_back({DeviceFault::kPageIndexRange, row});
        continue;
      }
      for_each_element(packed.view, row, pool, page, t % pool.page_size(), [&](int64_t to, int64_t from) {
        if (ordered) {
          std::memcpy(out.data() + to, pages.bytes.data() + from, static_cast<size_t>(size));
        } else {
          allow(expectation, "packed", to, pages.bytes.data() + from, size);
        }
      });
      if (ordered) ++expectation.rows_moved;
    }
  }
  return expectation;
}

Expectation expect_append(const Workload& workload) {
  Expectation expectation;
  const HostOperand& k = workload.operand("k");
  const Reader table{workload.operand("block_table")}, batch_index{workload.operand("batch_index")},
      position{workload.operand("position")};
  const int64_t batch = table.operand.view.shape[0], max_pages = table.operand.view.shape[1];
  const PoolView pool{workload.operand("k_pages").view, workload.layout};
  const int size = element_bytes(k.view.dtype);
  for (const char* name : {"k_pages", "v_pages"}) expectation.bytes[name] = workload.operand(name).bytes;
  std::map<std::pair<int64_t, int64_t>, int64_t> taken;  // (page, slot) -> token
  for (int64_t i = 0; i < k.view.shape[0]; ++i) {
    const int64_t b = batch_index.integer(i), p = position.integer(i);
    bool skipped = false;
    const auto fault = [&](bool broken, DeviceFault kind) {
      if (broken) expectation.faults.push_back({kind, i});
      skipped = skipped || broken;
    };
    fault(b < 0 || b >= batch, DeviceFault::kBatchIndexRange);
    fault(p < 0, DeviceFault::kPositionRange);
    fault(p >= 0 && p / pool.page_size() >= max_pages, DeviceFault::kBlockTableColumn);
    if (skipped) continue;
    const int64_t page = table.integer(b * max_pages + p / pool.page_size()), slot = p % pool.page_size();
    fault(page < 0 || page >= pool.pages(), DeviceFault::kPageIndexRange);
    if (skipped) continue;
    const bool first = taken.emplace(std::pair{page, slot}, i).second;
    for (const auto& [from_name, to_name] : {std::pair{"k", "k_pages"}, std::pair{"v", "v_pages"}}) {
      const HostOperand& from = workload.operand(from_name);
      for_each_element(from.view, i, pool, page, slot, [&](int64_t source, int64_t target) {
        if (first) {
          std::memcpy(expectation.bytes[to_name].data() + target, from.bytes.data() + source,
                      static_cast<size_t>(size));
        } else {
          allow(expectation, to_name, target, from.bytes.data() + source, size);
        }
      });
    }
    ++expectation.rows_moved;
  }
  return expectation;
}

}  // namespace

Expected<Corruption> parse_corruption(const std::string& text) {
  const size_t colon = text.find(':'), equals = text.find('=', colon == std::string::npos ? 0 : colon);
  Corruption corruption;
  const auto number = [](std::string_view digits, auto& value) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc{} && end == digits.data() + digits.size() && !digits.empty();
  };
  if (colon == std::string::npos || equals == std::string::npos ||
      !number(std::string_view(text).substr(colon + 1, equals - colon - 1), corruption.index) ||
      !number(std::string_view(text).substr(equals + 1), corruption.value)) {
    return invalid_argument(fmt::format(
        "--corrupt is '{}'; it must be OPERAND:INDEX=VALUE with a 32-bit VALUE, as block_table:3=999999", text));
  }
  corruption.operand = text.substr(0, colon);
  return corruption;
}

HostOperand& Workload::operand(const std::string& name) {
  return const_cast<HostOperand&>(std::as_const(*this).operand(name));
}

const HostOperand& Workload::operand(const std::string& name) const {
  for (const HostOperand& operand : operands) {
    if (operand.name == name) return operand;
  }
  std::abort();  // a name that is not one of the operation's is our own bug
}

PagedGather Workload::gather() const {
  return {
      operand("pages").view,  layout, operand("block_table").view, operand("seq_lens").view, operand("cu_seqlens").view,
      operand("packed").view, 0};
}

PagedAppend Workload::append() const {
  return {operand("k").view,
          operand("v").view,
          operand("batch_index").view,
          operand("position").view,
          operand("k_pages").view,
          operand("v_pages").view,
          layout,
          operand("block_table").view,
          0};
}

Expected<std::vector<int64_t>> parse_lengths(std::string_view text) {
  std::vector<int64_t> lengths;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view item = text.substr(begin, end - begin);
    int64_t value = 0;
    const auto [stop, error] = std::from_chars(item.data(), item.data() + item.size(), value);
    if (item.empty() || error != std::errc{} || stop != item.data() + item.size()) {
      return invalid_argument(fmt::format("item {} of '{}' is {}; it must be a decimal integer, as in 5,0,17",
                                          lengths.size() + 1, text,
                                          item.empty() ? "empty" : fmt::format("'{}'", item)));
    }
    lengths.push_back(value);
    begin = end + 1;
  }
  return lengths;
}

Expected<Workload> make_workload(const WorkloadOptions& options) {
  TAILOR_RETURN_IF_ERROR(check_options(options));
  Maker maker{options, Engine(options.seed), {options.op, options.layout, {}}};
  std::vector<int64_t> lengths = options.seq_lens.empty() ? random_lengths(options, maker.engine) : options.seq_lens;
  TAILOR_RETURN_IF_ERROR(options.op == OpId::kPagedGather ? make_gather(maker, lengths)
                                                          : make_append(maker, std::move(lengths)));
  for (const Corruption& corruption : options.corruptions) TAILOR_RETURN_IF_ERROR(apply(corruption, maker.workload));
  return std::move(maker.workload);
}

Expectation expect(const Workload& workload) {
  return workload.op == OpId::kPagedGather ? expect_gather(workload) : expect_append(workload);
}

bool fault_is_expected(const Expectation& expectation, const DeviceFaultReport& report) {
  if (expectation.faults.empty()) return report.kind == DeviceFault::kNone;
  if (!expectation.fault_is_exact) return report.kind != DeviceFault::kNone;
  int64_t first = kStatusIndexLimit;
  for (const ExpectedFault& fault : expectation.faults) first = std::min(first, fault.index);
  return report.index == first &&
         std::any_of(expectation.faults.begin(), expectation.faults.end(),
                     [&](const ExpectedFault& fault) { return fault.index == first && fault.kind == report.kind; });
}

}  // namespace tailor::cli
