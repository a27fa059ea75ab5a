#include <cstring>
#include <map>

#include "tests/codegen/movement/scenario_maker.h"

namespace tailor::test {
namespace {

// `count` indices into [0, rows), of which hostile ones may be anything, entries whose low half is in range included.
std::vector<int64_t> make_index(ScenarioMaker& m, int64_t count, int64_t rows, bool distinct) {
  const ScenarioOptions& o = m.options();
  const bool wide = m.field(KeyField::kIndexLog2) == 3;
  std::vector<int64_t> index;
  for (int64_t i = 0; i < count; ++i) {
    int64_t entry = distinct ? i : m.pick(0, std::max<int64_t>(rows - 1, 0));
    if (distinct && i > 0 && m.pick(0, 1)) std::swap(entry, index[m.pick(0, i - 1)]);
    if (o.hostile && m.pick(0, 2) == 0) {
      entry = m.anything();
      if (wide && m.pick(0, 1)) entry += m.pick(-2, 2) << 32;
      if (wide && m.pick(0, 3) == 0) entry = int64_t{1} << 31;
    }
    index.push_back(entry);
  }
  return index;
}

void place_index(ScenarioMaker& m, uint16_t symbol, const std::vector<int64_t>& index) {
  if (m.field(KeyField::kIndexLog2) == 2) {
    return m.place_ints(symbol, std::vector<int32_t>(index.begin(), index.end()));
  }
  std::vector<uint8_t> bytes(index.size() * 8);
  if (!bytes.empty()) std::memcpy(bytes.data(), index.data(), bytes.size());
  m.place(symbol, 8, std::move(bytes), false);
}

}  // namespace

void make_gather_rows(ScenarioMaker& m) {
  using namespace gather_rows;
  const ScenarioOptions& o = m.options();
  const auto v = [&](Symbol s) -> int64_t& { return m.symbol(s); };
  Strides ss = m.strides(m.source(), m.source_align(), 1, o.other_rows);
  if (o.other_rows > 1 && m.pick(0, 7) == 0) ss.slot = 0;  // one row for all
  const Strides ts = m.strides(m.target(), m.target_align(), 1, o.rows);
  v(kHeads) = 1, v(kHeadDim) = m.shape().dim, v(kElementBytes) = m.shape().element;
  v(kRows) = o.rows, v(kSourceRows) = o.other_rows;
  v(kSourceRowStride) = ss.slot, v(kSourceDimStride) = ss.dim;
  v(kTargetRowStride) = ts.slot, v(kTargetDimStride) = ts.dim;
  m.place(kSource, m.source_align(), m.noise(ss.bytes), false);
  m.place(kTarget, m.target_align(), m.noise(ts.bytes), true);
  const std::vector<int64_t> index = make_index(m, o.rows, o.other_rows, false);
  place_index(m, kIndex, index);
  m.place_status(kStatusWord);

  m.expect_unchanged();
  for (int64_t i = 0; i < o.rows; ++i) {
    if (index[i] < 0 || index[i] >= o.other_rows) {
      m.fault(DeviceFault::kRowIndexRange, i);
    } else {
      m.copy_row("source", index[i] * ss.slot, ss, "target", i * ts.slot, ts);
    }
  }
  m.finish_status();
}

void make_scatter_rows(ScenarioMaker& m) {
  using namespace scatter_rows;
  const ScenarioOptions& o = m.options();
  const auto v = [&](Symbol s) -> int64_t& { return m.symbol(s); };
  const Strides ss = m.strides(m.source(), m.source_align(), 1, o.rows);
  const Strides ts = m.strides(m.target(), m.target_align(), 1, o.other_rows);
  v(kHeads) = 1, v(kHeadDim) = m.shape().dim, v(kElementBytes) = m.shape().element;
  v(kRows) = o.rows, v(kTargetRows) = o.other_rows;
  v(kSourceRowStride) = ss.slot, v(kSourceDimStride) = ss.dim;
  v(kTargetRowStride) = ts.slot, v(kTargetDimStride) = ts.dim;
  m.place(kSource, m.source_align(), m.noise(ss.bytes), false);
  m.place(kTarget, m.target_align(), m.noise(ts.bytes), true);
  const std::vector<int64_t> index = make_index(m, o.rows, o.other_rows, o.other_rows >= o.rows);
  place_index(m, kIndex, index);
  m.place_status(kStatusWord);

  m.expect_unchanged();
  std::map<int64_t, std::vector<int64_t>> sources;  // of every target row that is named
  for (int64_t i = 0; i < o.rows; ++i) {
    if (index[i] < 0 || index[i] >= o.other_rows) {
      m.fault(DeviceFault::kRowIndexRange, i);
    } else {
      sources[index[i]].push_back(i * ss.slot);
      m.copy_row("source", i * ss.slot, ss, "target", index[i] * ts.slot, ts);
    }
  }
  for (const auto& [row, offsets] : sources) {
    if (offsets.size() > 1) m.choose_row("source", offsets, ss, "target", row * ts.slot, ts);
  }
  m.finish_status();
}

}  // namespace tailor::test
