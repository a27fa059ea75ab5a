#include <algorithm>
#include <cstring>

#include "tests/codegen/movement/scenario_maker.h"

namespace tailor::test {
namespace {

// Offsets [batch + 1] of sequences of at most `longest` rows within `rows`; hostile ones may hold anything.
std::vector<int32_t> make_offsets(ScenarioMaker& m, int64_t rows, int64_t longest) {
  const ScenarioOptions& o = m.options();
  std::vector<int32_t> cu{static_cast<int32_t>(m.pick(0, 3) == 0 ? m.pick(0, std::min<int64_t>(rows, 2)) : 0)};
  for (int64_t s = 0; s < o.batch; ++s) {
    const int64_t room = std::min(rows - cu.back(), longest);
    cu.push_back(cu.back() + static_cast<int32_t>(m.pick(0, 3) == 0 ? 0 : m.pick(0, room)));
  }
  if (!o.hostile) return cu;
  switch (m.pick(0, 3)) {
    case 0:
      for (int32_t& c : cu) c = m.anything();
      break;
    case 1:
      cu[m.pick(0, o.batch)] = m.anything();
      break;
    case 2:  // a sequence that is longer than it may be, where it still lies in the rows
      cu.back() = static_cast<int32_t>(rows);
      break;
    default:
      break;
  }
  return cu;
}

bool in_range(const std::vector<int32_t>& cu, int64_t s, int64_t rows) {
  return 0 <= cu[s] && cu[s] <= cu[s + 1] && cu[s + 1] <= rows;
}

}  // namespace

void make_pack(ScenarioMaker& m) {
  using namespace pack;
  const ScenarioOptions& o = m.options();
  const auto v = [&](Symbol s) -> int64_t& { return m.symbol(s); };
  const Strides ps = m.strides(m.source(), m.source_align(), o.batch, o.max_length);
  const Strides ts = m.strides(m.target(), m.target_align(), 1, o.rows);
  v(kHeads) = 1, v(kHeadDim) = m.shape().dim, v(kElementBytes) = m.shape().element;
  v(kRows) = o.rows, v(kBatch) = o.batch, v(kPaddedRows) = o.max_length;
  v(kPaddedSequenceStride) = ps.page, v(kPaddedRowStride) = ps.slot, v(kPaddedDimStride) = ps.dim;
  v(kPackedRowStride) = ts.slot, v(kPackedDimStride) = ts.dim;
  m.place(kPadded, m.source_align(), m.noise(ps.bytes), false);
  m.place(kPacked, m.target_align(), m.noise(ts.bytes), true);
  const std::vector<int32_t> cu = make_offsets(m, o.rows, o.max_length);
  m.place_ints(kCuSeqlens, cu);
  m.place_status(kStatusWord);

  m.expect_unchanged();
  if (o.rows == 0) return;  // not launched: nothing is checked
  for (int64_t s = 0; s < o.batch; ++s) {
    if (!in_range(cu, s, o.rows)) {
      m.fault(DeviceFault::kCuSeqlensRange, s);
      m.leave_open();
    } else if (cu[s + 1] - cu[s] > o.max_length) {
      m.fault(DeviceFault::kSegmentTooLong, s);
    }
  }
  if (m.open()) return;
  for (int64_t s = 0; s < o.batch; ++s) {
    for (int64_t t = 0; t < std::min<int64_t>(cu[s + 1] - cu[s], o.max_length); ++t) {
      m.copy_row("padded", s * ps.page + t * ps.slot, ps, "packed", (cu[s] + t) * ts.slot, ts);
    }
  }
  m.finish_status();
}

void make_unpack(ScenarioMaker& m) {
  using namespace unpack;
  const ScenarioOptions& o = m.options();
  const auto v = [&](Symbol s) -> int64_t& { return m.symbol(s); };
  const Strides ps = m.strides(m.source(), m.source_align(), 1, o.rows);
  const Strides ts = m.strides(m.target(), m.target_align(), o.batch, o.max_length);
  v(kHeads) = 1, v(kHeadDim) = m.shape().dim, v(kElementBytes) = m.shape().element;
  v(kRows) = o.rows, v(kBatch) = o.batch, v(kPaddedRows) = o.max_length, v(kSlots) = o.batch * o.max_length;
  v(kPackedRowStride) = ps.slot, v(kPackedDimStride) = ps.dim;
  v(kPaddedSequenceStride) = ts.page, v(kPaddedRowStride) = ts.slot, v(kPaddedDimStride) = ts.dim;
  const std::vector<uint8_t> element = m.noise(m.shape().element);
  uint8_t fill[8];
  for (size_t i = 0; i < sizeof fill; ++i) fill[i] = element[i % element.size()];
  std::memcpy(&v(kFill), fill, sizeof fill);
  m.place(kPacked, m.source_align(), m.noise(ps.bytes), false);
  m.place(kPadded, m.target_align(), m.noise(ts.bytes), true);
  const std::vector<int32_t> cu = make_offsets(m, o.rows, o.max_length);
  m.place_ints(kCuSeqlens, cu);
  m.place_status(kStatusWord);

  m.expect_unchanged();
  if (o.max_length == 0) return;  // not launched: nothing is checked
  for (int64_t s = 0; s < o.batch; ++s) {
    if (!in_range(cu, s, o.rows)) {
      m.fault(DeviceFault::kCuSeqlensRange, s);
    } else if (cu[s + 1] - cu[s] > o.max_length) {
      m.fault(DeviceFault::kSegmentTooLong, s);
    } else {
      for (int64_t t = 0; t < o.max_length; ++t) {
        const int64_t to = s * ts.page + t * ts.slot;
        if (t < cu[s + 1] - cu[s]) {
          m.copy_row("packed", (cu[s] + t) * ps.slot, ps, "padded", to, ts);
        } else {
          m.fill_row(element, "padded", to, ts);
        }
      }
    }
  }
  m.finish_status();
}

namespace {

// Concat when `joins`, otherwise split: rows of two parts against the joined ones.
struct Joined {
  int64_t a_rows, b_rows, rows;
  std::vector<int32_t> cu_a, cu_b;
  Strides a, b, joined;
};

void expect_joined(ScenarioMaker& m, const Joined& j, const std::string& joined, bool joins) {
  const ScenarioOptions& o = m.options();
  m.expect_unchanged();
  if (j.a_rows == 0 && j.b_rows == 0) return;  // not launched: nothing is checked
  for (int64_t s = 0; s < o.batch; ++s) {
    if (in_range(j.cu_a, s, j.a_rows) && in_range(j.cu_b, s, j.b_rows)) continue;
    m.fault(DeviceFault::kCuSeqlensRange, s);
    m.leave_open();
  }
  if (m.open()) return;
  const auto move = [&](const std::string& part, const Strides& strides, int64_t row, int64_t place) {
    if (place >= j.rows) return m.fault(DeviceFault::kConcatRow, row);
    const int64_t at = row * strides.slot, joined_at = place * j.joined.slot;
    if (joins) {
      m.copy_row(part, at, strides, joined, joined_at, j.joined);
    } else {
      m.copy_row(joined, joined_at, j.joined, part, at, strides);
    }
  };
  for (int64_t s = 0; s < o.batch; ++s) {
    for (int64_t r = j.cu_a[s]; r < j.cu_a[s + 1]; ++r) move("a", j.a, r, r + j.cu_b[s]);
    for (int64_t r = j.cu_b[s]; r < j.cu_b[s + 1]; ++r) move("b", j.b, r, r + j.cu_a[s + 1]);
  }
  m.finish_status();
}

Joined make_parts(ScenarioMaker& m, bool joins) {
  const ScenarioOptions& o = m.options();
  Joined j;
  j.a_rows = o.rows, j.b_rows = o.other_rows;
  // Mostly room for all, sometimes too little.
  j.rows = m.pick(0, 3) == 0 ? m.pick(0, j.a_rows + j.b_rows) : j.a_rows + j.b_rows + m.pick(0, 2);
  j.cu_a = make_offsets(m, j.a_rows, j.a_rows);
  j.cu_b = make_offsets(m, j.b_rows, j.b_rows);
  const auto side = [&](bool read, int64_t rows) {
    return m.strides(read ? m.source() : m.target(), read ? m.source_align() : m.target_align(), 1, rows);
  };
  j.a = side(joins, j.a_rows);
  j.b = side(joins, j.b_rows);
  j.joined = side(!joins, j.rows);
  return j;
}

}  // namespace

void make_concat(ScenarioMaker& m) {
  using namespace concat;
  const auto v = [&](Symbol s) -> int64_t& { return m.symbol(s); };
  const Joined j = make_parts(m, true);
  v(kHeads) = 1, v(kHeadDim) = m.shape().dim, v(kElementBytes) = m.shape().element;
  v(kARows) = j.a_rows, v(kBRows) = j.b_rows, v(kRows) = j.rows, v(kBatch) = m.options().batch;
  v(kARowStride) = j.a.slot, v(kADimStride) = j.a.dim, v(kBRowStride) = j.b.slot, v(kBDimStride) = j.b.dim;
  v(kOutRowStride) = j.joined.slot, v(kOutDimStride) = j.joined.dim;
  m.place(kA, m.source_align(), m.noise(j.a.bytes), false);
  m.place(kB, m.source_align(), m.noise(j.b.bytes), false);
  m.place(kOut, m.target_align(), m.noise(j.joined.bytes), true);
  m.place_ints(kCuA, j.cu_a);
  m.place_ints(kCuB, j.cu_b);
  m.place_status(kStatusWord);
  expect_joined(m, j, "out", true);
}

void make_split(ScenarioMaker& m) {
  using namespace split;
  const auto v = [&](Symbol s) -> int64_t& { return m.symbol(s); };
  const Joined j = make_parts(m, false);
  v(kHeads) = 1, v(kHeadDim) = m.shape().dim, v(kElementBytes) = m.shape().element;
  v(kARows) = j.a_rows, v(kBRows) = j.b_rows, v(kRows) = j.rows, v(kBatch) = m.options().batch;
  v(kARowStride) = j.a.slot, v(kADimStride) = j.a.dim, v(kBRowStride) = j.b.slot, v(kBDimStride) = j.b.dim;
  v(kPackedRowStride) = j.joined.slot, v(kPackedDimStride) = j.joined.dim;
  m.place(kPacked, m.source_align(), m.noise(j.joined.bytes), false);
  m.place(kA, m.target_align(), m.noise(j.a.bytes), true);
  m.place(kB, m.target_align(), m.noise(j.b.bytes), true);
  m.place_ints(kCuA, j.cu_a);
  m.place_ints(kCuB, j.cu_b);
  m.place_status(kStatusWord);
  expect_joined(m, j, "packed", false);
}

}  // namespace tailor::test
