#include <algorithm>
#include <cstring>
#include <map>

#include "tests/codegen/movement/elements.h"
#include "tests/codegen/movement/scenario_maker.h"

namespace tailor::test {
namespace {

// Entries of a block table with padding between its rows.
std::vector<int32_t> make_table(ScenarioMaker& m, int64_t stride, int64_t hostile_percent) {
  const ScenarioOptions& o = m.options();
  const int64_t entries = o.batch > 0 && o.max_pages > 0 ? (o.batch - 1) * stride + o.max_pages : 0;
  std::vector<int32_t> table;
  for (int64_t i = 0; i < entries; ++i) {
    const bool bad = o.pool_pages == 0 || m.pick(0, 99) < hostile_percent;
    table.push_back(bad ? m.anything() : static_cast<int32_t>(m.pick(0, o.pool_pages - 1)));
  }
  return table;
}

}  // namespace

void make_paged_gather(ScenarioMaker& m) {
  const ScenarioOptions& o = m.options();
  const RowShape& shape = m.shape();
  using namespace gather;
  const auto v = [&](Symbol s) -> int64_t& { return m.symbol(s); };
  const Strides ps = m.strides(m.source(), m.source_align(), o.pool_pages, shape.page_size);
  const Strides ts = m.strides(m.target(), m.target_align(), 1, o.rows);
  const int64_t table_stride = o.batch > 1 ? o.max_pages + 3 : 0;
  v(kPageSize) = shape.page_size, v(kHeads) = shape.heads, v(kHeadDim) = shape.dim;
  v(kElementBytes) = shape.element;
  v(kRows) = o.rows, v(kBatch) = o.batch, v(kPoolPages) = o.pool_pages, v(kMaxPages) = o.max_pages;
  v(kTableStride) = table_stride, v(kPageStride) = ps.page, v(kSlotStride) = ps.slot;
  v(kSourceHeadStride) = ps.head, v(kSourceDimStride) = ps.dim;
  v(kRowStride) = ts.slot, v(kTargetHeadStride) = ts.head, v(kTargetDimStride) = ts.dim;
  m.place(kPages, m.source_align(), m.noise(ps.bytes), false);
  m.place(kPacked, m.target_align(), m.noise(ts.bytes), true);
  const std::vector<int32_t> table = make_table(m, table_stride, o.hostile ? 30 : 0);

  std::vector<int32_t> cu{0}, lens;
  for (int64_t s = 0; s < o.batch; ++s) {
    const int64_t room = std::min(o.rows - cu.back(), o.max_pages * shape.page_size);
    lens.push_back(static_cast<int32_t>(m.pick(0, 3) == 0 ? 0 : m.pick(0, room)));
    cu.push_back(cu.back() + lens.back());
  }
  if (o.hostile) {
    if (m.pick(0, 1)) {
      for (int32_t& c : cu) c = m.anything();
    }
    for (int32_t& l : lens) l = m.pick(0, 2) ? l : m.anything();
  }
  m.place_ints(kBlockTable, table);
  m.place_ints(kSeqLens, lens);
  m.place_ints(kCuSeqlens, cu);
  m.place_status(kStatusWord);

  m.expect_unchanged();
  if (o.rows == 0) return;  // not launched: nothing is checked
  for (int64_t s = 0; s < o.batch; ++s) {
    if (!(0 <= cu[s] && cu[s] <= cu[s + 1] && cu[s + 1] <= o.rows)) {
      m.fault(DeviceFault::kCuSeqlensRange, s);
      m.leave_open();
    } else if (cu[s + 1] - cu[s] != lens[s]) {
      m.fault(DeviceFault::kSeqLenMismatch, s);
    }
  }
  if (m.open()) return;
  for (int64_t s = 0; s < o.batch; ++s) {
    for (int64_t row = cu[s]; row < cu[s + 1]; ++row) {
      const int64_t t = row - cu[s];
      if (t >= lens[s]) {
        m.fault(DeviceFault::kSeqLenMismatch, s);
      } else if (t / shape.page_size >= o.max_pages) {
        m.fault(DeviceFault::kBlockTableColumn, row);
      } else if (const int64_t page = table[s * table_stride + t / shape.page_size]; page < 0 || page >= o.pool_pages) {
        m.fault(DeviceFault::kPageIndexRange, row);
      } else {
        m.copy_row("pages", page * ps.page + t % shape.page_size * ps.slot, ps, "packed", row * ts.slot, ts);
      }
    }
  }
  m.finish_status();
}

namespace {

// cos and sin of an append_rope, and its rotation.
struct Rotation {
  DType type, table;
  RopeStyle style;
  int64_t half = 0, positions = 0, row_stride = 0;
  std::vector<uint8_t> cos, sin;
};

Rotation make_rotation(ScenarioMaker& m) {
  using namespace append_rope;
  Rotation r;
  r.type = static_cast<DType>(m.field(KeyField::kSourceType)),
  r.table = static_cast<DType>(m.field(KeyField::kTargetType));
  r.style = static_cast<RopeStyle>(m.field(KeyField::kVariant));
  r.half = m.field(KeyField::kRotaryDim) / 2;
  r.positions = m.pick(1, 12);
  const int64_t entry = element_bytes(r.table), align = std::max(entry, m.source_align());
  const int64_t row = (r.half * entry + align - 1) / align;
  r.row_stride = (row % 2 == 1 ? row : row + 1) * align;  // an odd multiple
  const auto make = [&] {
    std::vector<uint8_t> table = m.noise((r.positions - 1) * r.row_stride + r.half * entry);
    for (int64_t p = 0; p < r.positions; ++p) {
      for (int64_t i = 0; i < r.half; ++i) {
        const uint32_t bits = random_element(r.table, m.random());
        std::memcpy(table.data() + p * r.row_stride + i * entry, &bits, static_cast<size_t>(entry));
      }
    }
    return table;
  };
  r.cos = make();
  r.sin = make();
  m.symbol(kRotaryDim) = 2 * r.half, m.symbol(kTableBytes) = entry, m.symbol(kMaxPositions) = r.positions;
  m.symbol(kCosRowStride) = m.symbol(kSinRowStride) = r.positions > 1 ? r.row_stride : 0;
  m.place(kCos, align, r.cos, false);
  m.place(kSin, align, r.sin, false);
  return r;
}

// What a rotated row of k is, element by element, written over its plain copy.
void rotate_row(ScenarioMaker& m, const Rotation& r, int64_t position, int64_t from, const Strides& fs, int64_t to,
                const Strides& ts) {
  const std::vector<uint8_t>& source = m.placed("k");
  std::vector<uint8_t>& target = m.expected("k_pages");
  const auto read = [](const std::vector<uint8_t>& bytes, int64_t at, DType type) {
    uint32_t bits = 0;
    std::memcpy(&bits, bytes.data() + at, static_cast<size_t>(element_bytes(type)));
    return decode_element(type, bits);
  };
  const int64_t entry = element_bytes(r.table);
  for (int64_t h = 0; h < m.shape().heads; ++h) {
    for (int64_t i = 0; i < r.half; ++i) {
      const int64_t d1 = r.style == RopeStyle::kHalves ? i : 2 * i;
      const int64_t d2 = r.style == RopeStyle::kHalves ? i + r.half : 2 * i + 1;
      const uint32_t x1 = read(source, from + h * fs.head + d1 * fs.dim, r.type);
      const uint32_t x2 = read(source, from + h * fs.head + d2 * fs.dim, r.type);
      const uint32_t c = read(r.cos, position * r.row_stride + i * entry, r.table);
      const uint32_t s = read(r.sin, position * r.row_stride + i * entry, r.table);
      const auto write = [&](int64_t d, uint32_t value) {
        const uint32_t bits = encode_element(r.type, value);
        std::memcpy(target.data() + to + h * ts.head + d * ts.dim, &bits, static_cast<size_t>(element_bytes(r.type)));
      };
      write(d1, subtract(multiply(x1, c), multiply(x2, s)));
      write(d2, add(multiply(x2, c), multiply(x1, s)));
    }
  }
}

// paged_append, and append_rope, whose symbols begin as its.
void make_append(ScenarioMaker& m, bool rotates) {
  const ScenarioOptions& o = m.options();
  const RowShape& shape = m.shape();
  using namespace append;
  const auto v = [&](Symbol s) -> int64_t& { return m.symbol(s); };
  const Strides ks = m.strides(m.source(), m.source_align(), 1, o.rows);
  Strides vs = ks;
  const Strides kp = m.strides(m.target(), m.target_align(), o.pool_pages, shape.page_size);
  Strides vp = kp;
  if (o.rows > 1) vs.slot += 2 * m.source_align(), vs.bytes += (o.rows - 1) * 2 * m.source_align();
  if (o.head_major && shape.heads > 1 && m.source() != RowContiguity::kRow) vs = ks;
  if (o.pool_pages > 1) vp.page += 2 * m.target_align(), vp.bytes += (o.pool_pages - 1) * 2 * m.target_align();
  const int64_t table_stride = o.batch > 1 ? o.max_pages + 3 : 0;
  v(kPageSize) = shape.page_size, v(kHeads) = shape.heads, v(kHeadDim) = shape.dim;
  v(kElementBytes) = shape.element;
  v(kRows) = o.rows, v(kBatch) = o.batch, v(kPoolPages) = o.pool_pages, v(kMaxPages) = o.max_pages;
  v(kTableStride) = table_stride;
  v(kKRowStride) = ks.slot, v(kKHeadStride) = ks.head, v(kKDimStride) = ks.dim;
  v(kVRowStride) = vs.slot, v(kVHeadStride) = vs.head, v(kVDimStride) = vs.dim;
  v(kKPageStride) = kp.page, v(kKSlotStride) = kp.slot, v(kKPagesHeadStride) = kp.head, v(kKPagesDimStride) = kp.dim;
  v(kVPageStride) = vp.page, v(kVSlotStride) = vp.slot, v(kVPagesHeadStride) = vp.head, v(kVPagesDimStride) = vp.dim;
  const Rotation rotation = rotates ? make_rotation(m) : Rotation{};
  m.place(kK, m.source_align(), rotates ? m.numbers(rotation.type, ks, o.rows) : m.noise(ks.bytes), false);
  m.place(kV, m.source_align(), m.noise(vs.bytes), false);
  m.place(kKPages, m.target_align(), m.noise(kp.bytes), true);
  m.place(kVPages, m.target_align(), m.noise(vp.bytes), true);

  // Distinct slots: sequence b owns pages b, b + batch, …; tokens of a sequence take consecutive positions.
  std::vector<int32_t> table = make_table(m, table_stride, 100);
  for (int64_t b = 0; b < o.batch; ++b) {
    for (int64_t c = 0; c < o.max_pages; ++c) {
      const int64_t page = b + c * o.batch;
      if (page < o.pool_pages) table[b * table_stride + c] = static_cast<int32_t>(page);
    }
  }
  std::vector<int32_t> batch_index, position, next(static_cast<size_t>(o.batch), 0);
  for (int64_t i = 0; i < o.rows; ++i) {
    const int64_t b = o.batch > 0 ? m.pick(0, o.batch - 1) : 0;
    batch_index.push_back(static_cast<int32_t>(b));
    position.push_back(o.batch > 0 ? next[b]++ : 0);
    if (o.hostile && m.pick(0, 3) == 0) batch_index.back() = m.anything();
    if (o.hostile && m.pick(0, 3) == 0) position.back() = m.anything();
  }
  m.place_ints(kBatchIndex, batch_index);
  m.place_ints(kPosition, position);
  m.place_ints(kBlockTable, table);
  m.place_status(kStatusWord);

  m.expect_unchanged();
  std::map<std::pair<int64_t, int64_t>, int> written;
  for (int64_t i = 0; i < o.rows; ++i) {
    const int64_t b = batch_index[i], p = position[i];
    if (b < 0 || b >= o.batch) {
      m.fault(DeviceFault::kBatchIndexRange, i);
    } else if (p < 0) {
      m.fault(DeviceFault::kPositionRange, i);
    } else if (p / shape.page_size >= o.max_pages) {
      m.fault(DeviceFault::kBlockTableColumn, i);
    } else if (const int64_t page = table[b * table_stride + p / shape.page_size]; page < 0 || page >= o.pool_pages) {
      m.fault(DeviceFault::kPageIndexRange, i);
    } else if (rotates && p >= rotation.positions) {
      m.fault(DeviceFault::kRopePosition, i);
    } else {
      const int64_t slot = p % shape.page_size;
      if (written[{page, slot}]++ > 0) m.leave_open();  // two tokens in one slot: either may win
      m.copy_row("k", i * ks.slot, ks, "k_pages", page * kp.page + slot * kp.slot, kp);
      if (rotates) rotate_row(m, rotation, p, i * ks.slot, ks, page * kp.page + slot * kp.slot, kp);
      m.copy_row("v", i * vs.slot, vs, "v_pages", page * vp.page + slot * vp.slot, vp);
    }
  }
  m.finish_status();
}

}  // namespace

void make_paged_append(ScenarioMaker& m) { make_append(m, false); }
void make_append_rope(ScenarioMaker& m) { make_append(m, true); }

}  // namespace tailor::test
