#include "tests/codegen/movement/scenario.h"

#include <algorithm>
#include <climits>
#include <cstring>

namespace tailor::test {
namespace {

int64_t round_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

struct RowShape {
  int64_t heads, dim, element, page_size;
};

struct Strides {
  int64_t page = 0, slot = 0, head = 0, dim = 0, bytes = 0;
};

// Strides of [pages, slots, H, D] (pages == 0: one row per slot) that satisfy what the key says of its side and no
// more.
Strides strides_for(const RowShape& s, RowContiguity contiguity, int64_t align, bool head_major, int64_t pages,
                    int64_t slots) {
  Strides r;
  const auto loose = [&](int64_t at_least) {  // an odd multiple of align
    const int64_t x = round_up(at_least, align);
    return (x / align) % 2 == 1 ? x : x + align;
  };
  r.dim = s.dim == 1 ? 0 : contiguity == RowContiguity::kNone ? loose(2 * s.element) : s.element;
  const int64_t head_bytes = (s.dim - 1) * r.dim + s.element;
  if (s.heads == 1) {
    r.slot = loose(head_bytes);
    r.page = loose(slots * r.slot);
  } else if (contiguity == RowContiguity::kRow) {
    r.head = s.dim * s.element;
    r.slot = loose(s.heads * r.head);
    r.page = loose(slots * r.slot);
  } else if (head_major) {
    r.slot = loose(head_bytes);
    r.head = loose(slots * r.slot);
    r.page = loose(s.heads * r.head);
  } else {
    r.head = loose(head_bytes);
    r.slot = loose(s.heads * r.head);
    r.page = loose(slots * r.slot);
  }
  if (pages > 0 && slots > 0) {
    r.bytes = (pages - 1) * r.page + (slots - 1) * r.slot + (s.heads - 1) * r.head + head_bytes;
  }
  // Strides of extents of 1 are 0 in a Problem.
  if (pages <= 1) r.page = 0;
  if (slots <= 1) r.slot = 0;
  return r;
}

class Maker {
 public:
  Maker(const Key& key, const ScenarioOptions& o, std::mt19937& random) : key_(key), o_(o), random_(random) {
    const auto get = [&](KeyField f) { return static_cast<int64_t>(key.get(f)); };
    shape_ = {get(KeyField::kHeads), get(KeyField::kHeadDim), int64_t{1} << get(KeyField::kElementLog2),
              get(KeyField::kPageSize)};
    source_align_ = int64_t{1} << get(KeyField::kSourceAlignLog2);
    target_align_ = int64_t{1} << get(KeyField::kTargetAlignLog2);
    scenario_.symbols.assign(symbols_of(key.op()).size(), 0);
  }

  Scenario make() {
    if (key_.op() == OpId::kPagedGather) {
      gather();
    } else {
      append();
    }
    return std::move(scenario_);
  }

 private:
  int64_t pick(int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(random_); }

  int32_t anything() {
    switch (pick(0, 5)) {
      case 0:
        return INT_MIN;
      case 1:
        return INT_MAX;
      case 2:
        return static_cast<int32_t>(pick(-3, 3));
      case 3:
        return static_cast<int32_t>(pick(INT_MIN, INT_MAX));
      default:
        return static_cast<int32_t>(pick(0, 12));
    }
  }

  // An operand of its own, far from the others, at an odd multiple of `align`.
  void place(uint16_t symbol, int64_t align, std::vector<uint8_t> bytes, bool writable) {
    next_ += uint64_t{1} << 40;
    const uint64_t address = next_ + static_cast<uint64_t>(align);
    scenario_.symbols[symbol] = static_cast<int64_t>(address);
    scenario_.memory[std::string(symbols_of(key_.op())[symbol].name)] = {address, std::move(bytes), writable, 0, {}};
  }
  void place_ints(uint16_t symbol, const std::vector<int32_t>& values) {
    std::vector<uint8_t> bytes(values.size() * 4);
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    place(symbol, 4, std::move(bytes), false);
  }
  std::vector<uint8_t> noise(int64_t bytes) {
    std::vector<uint8_t> result(static_cast<size_t>(bytes));
    for (uint8_t& b : result) b = static_cast<uint8_t>(random_());
    return result;
  }
  void place_status(uint16_t symbol) {
    if (o_.status) {
      place(symbol, 8, std::vector<uint8_t>(8, 0), true);
    } else {
      scenario_.memory["status_word"] = {};
    }
  }
  void fault(DeviceFault kind, int64_t index) {
    const uint64_t word = static_cast<uint64_t>(kStatusIndexLimit - index) << 8 | static_cast<uint64_t>(kind);
    scenario_.least_status = std::max(scenario_.least_status, word);
  }

  void copy_row(const std::string& from, int64_t from_offset, const Strides& fs, const std::string& to,
                int64_t to_offset, const Strides& ts) {
    const auto& source = scenario_.memory.at(from).bytes;
    auto& target = scenario_.expected.at(to).bytes;
    for (int64_t h = 0; h < shape_.heads; ++h) {
      for (int64_t d = 0; d < shape_.dim; ++d) {
        std::memcpy(target.data() + to_offset + h * ts.head + d * ts.dim,
                    source.data() + from_offset + h * fs.head + d * fs.dim, static_cast<size_t>(shape_.element));
      }
    }
  }

  // Entries of a block table with padding between its rows.
  std::vector<int32_t> make_table(int64_t stride, int64_t hostile_percent) {
    const int64_t entries = o_.batch > 0 && o_.max_pages > 0 ? (o_.batch - 1) * stride + o_.max_pages : 0;
    std::vector<int32_t> table;
    for (int64_t i = 0; i < entries; ++i) {
      const bool bad = o_.pool_pages == 0 || pick(0, 99) < hostile_percent;
      table.push_back(bad ? anything() : static_cast<int32_t>(pick(0, o_.pool_pages - 1)));
    }
    return table;
  }

  void gather() {
    using namespace gather;
    auto& v = scenario_.symbols;
    const auto source = static_cast<RowContiguity>(key_.get(KeyField::kSourceContiguity));
    const auto target = static_cast<RowContiguity>(key_.get(KeyField::kTargetContiguity));
    const Strides ps = strides_for(shape_, source, source_align_, o_.head_major, o_.pool_pages, shape_.page_size);
    const Strides ts = strides_for(shape_, target, target_align_, o_.head_major, 1, o_.rows);
    const int64_t table_stride = o_.batch > 1 ? o_.max_pages + 3 : 0;
    v[kPageSize] = shape_.page_size, v[kHeads] = shape_.heads, v[kHeadDim] = shape_.dim;
    v[kElementBytes] = shape_.element;
    v[kRows] = o_.rows, v[kBatch] = o_.batch, v[kPoolPages] = o_.pool_pages, v[kMaxPages] = o_.max_pages;
    v[kTableStride] = table_stride, v[kPageStride] = ps.page, v[kSlotStride] = ps.slot;
    v[kSourceHeadStride] = ps.head, v[kSourceDimStride] = ps.dim;
    v[kRowStride] = ts.slot, v[kTargetHeadStride] = ts.head, v[kTargetDimStride] = ts.dim;
    place(kPages, source_align_, noise(ps.bytes), false);
    place(kPacked, target_align_, noise(ts.bytes), true);
    const std::vector<int32_t> table = make_table(table_stride, o_.hostile ? 30 : 0);

    std::vector<int32_t> cu{0}, lens;
    for (int64_t s = 0; s < o_.batch; ++s) {
      const int64_t room = std::min(o_.rows - cu.back(), o_.max_pages * shape_.page_size);
      lens.push_back(static_cast<int32_t>(pick(0, 3) == 0 ? 0 : pick(0, room)));
      cu.push_back(cu.back() + lens.back());
    }
    if (o_.hostile) {
      if (pick(0, 1)) {
        for (int32_t& c : cu) c = anything();
      }
      for (int32_t& l : lens) l = pick(0, 2) ? l : anything();
    }
    place_ints(kBlockTable, table);
    place_ints(kSeqLens, lens);
    place_ints(kCuSeqlens, cu);
    place_status(kStatusWord);

    scenario_.expected = scenario_.memory;
    if (o_.rows == 0) return;  // not launched: nothing is checked
    for (int64_t s = 0; s < o_.batch; ++s) {
      if (!(0 <= cu[s] && cu[s] <= cu[s + 1] && cu[s + 1] <= o_.rows)) {
        fault(DeviceFault::kCuSeqlensRange, s);
        scenario_.open = true;
      } else if (cu[s + 1] - cu[s] != lens[s]) {
        fault(DeviceFault::kSeqLenMismatch, s);
      }
    }
    if (scenario_.open) return;
    for (int64_t s = 0; s < o_.batch; ++s) {
      for (int64_t row = cu[s]; row < cu[s + 1]; ++row) {
        const int64_t t = row - cu[s];
        if (t >= lens[s]) {
          fault(DeviceFault::kSeqLenMismatch, s);
        } else if (t / shape_.page_size >= o_.max_pages) {
          fault(DeviceFault::kBlockTableColumn, row);
        } else if (const int64_t page = table[s * table_stride + t / shape_.page_size];
                   page < 0 || page >= o_.pool_pages) {
          fault(DeviceFault::kPageIndexRange, row);
        } else {
          copy_row("pages", page * ps.page + t % shape_.page_size * ps.slot, ps, "packed", row * ts.slot, ts);
        }
      }
    }
    finish_status();
  }

  void append() {
    using namespace append;
    auto& v = scenario_.symbols;
    const auto source = static_cast<RowContiguity>(key_.get(KeyField::kSourceContiguity));
    const auto target = static_cast<RowContiguity>(key_.get(KeyField::kTargetContiguity));
    const Strides ks = strides_for(shape_, source, source_align_, o_.head_major, 1, o_.rows);
    Strides vs = ks;
    const Strides kp = strides_for(shape_, target, target_align_, o_.head_major, o_.pool_pages, shape_.page_size);
    Strides vp = kp;
    if (o_.rows > 1) vs.slot += 2 * source_align_, vs.bytes += (o_.rows - 1) * 2 * source_align_;
    if (o_.head_major && shape_.heads > 1 && source != RowContiguity::kRow) vs = ks;
    if (o_.pool_pages > 1) vp.page += 2 * target_align_, vp.bytes += (o_.pool_pages - 1) * 2 * target_align_;
    const int64_t table_stride = o_.batch > 1 ? o_.max_pages + 3 : 0;
    v[kPageSize] = shape_.page_size, v[kHeads] = shape_.heads, v[kHeadDim] = shape_.dim;
    v[kElementBytes] = shape_.element;
    v[kRows] = o_.rows, v[kBatch] = o_.batch, v[kPoolPages] = o_.pool_pages, v[kMaxPages] = o_.max_pages;
    v[kTableStride] = table_stride;
    v[kKRowStride] = ks.slot, v[kKHeadStride] = ks.head, v[kKDimStride] = ks.dim;
    v[kVRowStride] = vs.slot, v[kVHeadStride] = vs.head, v[kVDimStride] = vs.dim;
    v[kKPageStride] = kp.page, v[kKSlotStride] = kp.slot, v[kKPagesHeadStride] = kp.head, v[kKPagesDimStride] = kp.dim;
    v[kVPageStride] = vp.page, v[kVSlotStride] = vp.slot, v[kVPagesHeadStride] = vp.head, v[kVPagesDimStride] = vp.dim;
    place(kK, source_align_, noise(ks.bytes), false);
    place(kV, source_align_, noise(vs.bytes), false);
    place(kKPages, target_align_, noise(kp.bytes), true);
    place(kVPages, target_align_, noise(vp.bytes), true);

    // Distinct slots: sequence b owns pages b, b + batch, …; tokens of a sequence take consecutive positions.
    std::vector<int32_t> table = make_table(table_stride, 100);
    for (int64_t b = 0; b < o_.batch; ++b) {
      for (int64_t c = 0; c < o_.max_pages; ++c) {
        const int64_t page = b + c * o_.batch;
        if (page < o_.pool_pages) table[b * table_stride + c] = static_cast<int32_t>(page);
      }
    }
    std::vector<int32_t> batch_index, position, next(static_cast<size_t>(o_.batch), 0);
    for (int64_t i = 0; i < o_.rows; ++i) {
      const int64_t b = o_.batch > 0 ? pick(0, o_.batch - 1) : 0;
      batch_index.push_back(static_cast<int32_t>(b));
      position.push_back(o_.batch > 0 ? next[b]++ : 0);
      if (o_.hostile && pick(0, 3) == 0) batch_index.back() = anything();
      if (o_.hostile && pick(0, 3) == 0) position.back() = anything();
    }
    place_ints(kBatchIndex, batch_index);
    place_ints(kPosition, position);
    place_ints(kBlockTable, table);
    place_status(kStatusWord);

    scenario_.expected = scenario_.memory;
    std::map<std::pair<int64_t, int64_t>, int> written;
    for (int64_t i = 0; i < o_.rows; ++i) {
      const int64_t b = batch_index[i], p = position[i];
      if (b < 0 || b >= o_.batch) {
        fault(DeviceFault::kBatchIndexRange, i);
      } else if (p < 0) {
        fault(DeviceFault::kPositionRange, i);
      } else if (p / shape_.page_size >= o_.max_pages) {
        fault(DeviceFault::kBlockTableColumn, i);
      } else if (const int64_t page = table[b * table_stride + p / shape_.page_size];
                 page < 0 || page >= o_.pool_pages) {
        fault(DeviceFault::kPageIndexRange, i);
      } else {
        const int64_t slot = p % shape_.page_size;
        if (written[{page, slot}]++ > 0) scenario_.open = true;  // two tokens in one slot: either may win
        copy_row("k", i * ks.slot, ks, "k_pages", page * kp.page + slot * kp.slot, kp);
        copy_row("v", i * vs.slot, vs, "v_pages", page * vp.page + slot * vp.slot, vp);
      }
    }
    finish_status();
  }

  void finish_status() {
    auto& bytes = scenario_.expected["status_word"].bytes;
    if (!bytes.empty()) std::memcpy(bytes.data(), &scenario_.least_status, 8);
  }

  const Key& key_;
  const ScenarioOptions& o_;
  std::mt19937& random_;
  RowShape shape_{};
  int64_t source_align_ = 1, target_align_ = 1;
  uint64_t next_ = 0;
  Scenario scenario_;
};

}  // namespace

Scenario make_scenario(const Key& key, const ScenarioOptions& options, std::mt19937& random) {
  return Maker(key, options, random).make();
}

std::vector<int64_t> parameter_values(const LaunchPlan& plan, const std::vector<int64_t>& symbols,
                                      const DeviceNumbers& device) {
  std::vector<int64_t> values;
  for (const PlanParameter& p : plan.parameters) values.push_back(evaluate(p.value, symbols, device));
  return values;
}

}  // namespace tailor::test
