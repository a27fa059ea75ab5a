// pack, unpack, concat, split, ragged_transpose.
#include "tests/runtime/operations/maker.h"

namespace tailor::truth {
namespace {

// What a launch reports that checks every sequence: the first that breaks a rule.
std::set<uint64_t> words_of_sequences(const std::vector<int64_t>& cu, int64_t rows, int64_t longest) {
  for (int64_t s = 0; s + 1 < static_cast<int64_t>(cu.size()); ++s) {
    const auto at = static_cast<size_t>(s);
    const bool valid = is_range(cu, s, rows), fits = cu[at + 1] - cu[at] <= longest;
    if (valid && fits) continue;
    // Offsets out of range say nothing about the length.
    if (valid) return {status_word(DeviceFault::kSegmentTooLong, s)};
    return {status_word(DeviceFault::kCuSeqlensRange, s), status_word(DeviceFault::kSegmentTooLong, s)};
  }
  return {0};
}

}  // namespace

void make_pack(Maker& m) {
  const DType dtype = m.any_dtype();
  const int64_t width = m.dim(dtype, 600), batch = m.random.pick(0, 5);
  const int64_t longest = m.count(1500 / std::max<int64_t>(width, 1) + 1);
  // Too long is a broken promise that may stand beside good offsets.
  std::vector<int64_t> cu = m.offsets(batch, longest + (m.hostile() && m.random.one_in(2) ? 2 : 0));
  const int64_t rows = cu.back() + m.random.pick(0, 2);
  const bool spoiled = m.hostile() && m.random.one_in(2);
  if (spoiled) m.spoil(cu, rows);
  Operand& padded = m.tensor("padded", dtype, {batch, longest, width}, false);
  const Operand& offsets = m.numbers("cu_seqlens", DType::kInt32, {batch + 1}, cu);
  Operand& packed = m.tensor("packed", dtype, {rows, width}, true);
  m.launches(Pack{padded.view(), offsets.view(), packed.view(), m.status()});
  m.settle();
  for (int64_t s = 0; s < batch; ++s) {
    const int64_t begin = cu[static_cast<size_t>(s)], end = std::min(cu[static_cast<size_t>(s) + 1], rows);
    for (int64_t row = std::max<int64_t>(begin, 0); begin >= 0 && row < std::min(end, begin + longest); ++row) {
      (spoiled ? allow_row : move_row)(packed, row, padded, s * longest + row - begin, width);
    }
  }
  if (rows > 0 && width > 0) m.expect_words(words_of_sequences(cu, rows, longest));
}

void make_unpack(Maker& m) {
  const DType dtype = m.any_dtype();
  const int64_t width = m.dim(dtype, 600), batch = m.random.pick(0, 5);
  const int64_t longest = m.count(1500 / std::max<int64_t>(width, 1) + 1);
  std::vector<int64_t> cu = m.offsets(batch, longest + (m.hostile() && m.random.one_in(2) ? 2 : 0));
  const int64_t rows = cu.back() + m.random.pick(0, 2);
  if (m.hostile() && m.random.one_in(2)) m.spoil(cu, rows);
  const uint64_t fill = m.any_bits();
  Operand& packed = m.tensor("packed", dtype, {rows, width}, false);
  const Operand& offsets = m.numbers("cu_seqlens", DType::kInt32, {batch + 1}, cu);
  Operand& padded = m.tensor("padded", dtype, {batch, longest, width}, true);
  m.launches(Unpack{packed.view(), offsets.view(), padded.view(), fill, m.status()});
  m.settle();
  const int bytes = element_bytes(dtype);
  const uint64_t element = bytes == 8 ? fill : fill & ((uint64_t{1} << (8 * bytes)) - 1);
  for (int64_t s = 0; s < batch; ++s) {
    const int64_t begin = cu[static_cast<size_t>(s)], length = cu[static_cast<size_t>(s) + 1] - begin;
    if (!is_range(cu, s, rows) || length > longest) continue;
    for (int64_t t = 0; t < longest; ++t) {
      if (t < length) {
        move_row(padded, s * longest + t, packed, begin + t, width);
        continue;
      }
      for (int64_t d = 0; d < width; ++d) padded.expect((s * longest + t) * width + d, element);
    }
  }
  if (padded.size() > 0) m.expect_words(words_of_sequences(cu, rows, longest));
}

namespace {

// Two ragged operands and the joined one. Of every row: where it is in the joined one.
struct Joined {
  DType dtype;
  int64_t width, batch, a_rows, b_rows, rows;
  std::vector<int64_t> cu_a, cu_b;
  bool spoiled = false;

  explicit Joined(Maker& m) : dtype(m.any_dtype()), width(m.dim(dtype, 600)), batch(m.random.pick(0, 5)) {
    const int64_t longest = 700 / std::max<int64_t>(width, 1) + 1;
    cu_a = m.offsets(batch, longest);
    cu_b = m.offsets(batch, longest);
    a_rows = cu_a.back() + m.random.pick(0, 2);
    b_rows = cu_b.back() + m.random.pick(0, 2);
    rows = cu_a.back() + cu_b.back() + m.random.pick(0, 2);
    if (!m.hostile()) return;
    if (m.random.one_in(2)) {
      rows = m.random.pick(0, rows);  // too few
      return;
    }
    spoiled = true;
    m.spoil(m.random.one_in(2) ? cu_a : cu_b, m.random.one_in(2) ? a_rows : b_rows);
  }

  bool offsets_hold() const {
    for (int64_t s = 0; s < batch; ++s) {
      if (!is_range(cu_a, s, a_rows) || !is_range(cu_b, s, b_rows)) return false;
    }
    return true;
  }

  // Calls move(first, row, place) for every row of a (first) and of b, and records those that have no place.
  template <class Move>
  void each(Faults& faults, const Move& move) const {
    for (const bool first : {true, false}) {
      const std::vector<int64_t>&own = first ? cu_a : cu_b, &other = first ? cu_b : cu_a;
      for (int64_t s = 0; s < batch; ++s) {
        const auto at = static_cast<size_t>(s);
        const int64_t before = first ? other[at] : other[at + 1];
        if (own[at] < 0 || before < 0) continue;
        for (int64_t row = own[at]; row < std::min(own[at + 1], first ? a_rows : b_rows); ++row) {
          if (row + before < rows) {
            move(first, row, row + before);
          } else {
            faults.add(DeviceFault::kConcatRow, row);
          }
        }
      }
    }
  }

  void expect_words(Maker& m, const Faults& faults) const {
    if (width == 0) return;
    if (!offsets_hold()) {
      m.expect_words({});
    } else if (spoiled) {
      m.expect_any();
    } else {
      m.expect_word(faults);
    }
  }
};

}  // namespace

void make_concat(Maker& m) {
  const Joined j(m);
  Operand& a = m.tensor("a", j.dtype, {j.a_rows, j.width}, false);
  const Operand& cu_a = m.numbers("cu_a", DType::kInt32, {j.batch + 1}, j.cu_a);
  Operand& b = m.tensor("b", j.dtype, {j.b_rows, j.width}, false);
  const Operand& cu_b = m.numbers("cu_b", DType::kInt32, {j.batch + 1}, j.cu_b);
  Operand& out = m.tensor("out", j.dtype, {j.rows, j.width}, true);
  m.launches(Concat{a.view(), cu_a.view(), b.view(), cu_b.view(), out.view(), m.status()});
  m.settle();
  Faults faults;
  j.each(faults, [&](bool first, int64_t row, int64_t place) {
    (j.spoiled ? allow_row : move_row)(out, place, first ? a : b, row, j.width);
  });
  if (a.size() + b.size() > 0) j.expect_words(m, faults);
}

void make_split(Maker& m) {
  const Joined j(m);
  Operand& packed = m.tensor("packed", j.dtype, {j.rows, j.width}, false);
  const Operand& cu_a = m.numbers("cu_a", DType::kInt32, {j.batch + 1}, j.cu_a);
  Operand& a = m.tensor("a", j.dtype, {j.a_rows, j.width}, true);
  const Operand& cu_b = m.numbers("cu_b", DType::kInt32, {j.batch + 1}, j.cu_b);
  Operand& b = m.tensor("b", j.dtype, {j.b_rows, j.width}, true);
  m.launches(Split{packed.view(), cu_a.view(), a.view(), cu_b.view(), b.view(), m.status()});
  m.settle();
  Faults faults;
  j.each(faults, [&](bool first, int64_t row, int64_t place) {
    (j.spoiled ? allow_row : move_row)(first ? a : b, row, packed, place, j.width);
  });
  if (a.size() + b.size() > 0) j.expect_words(m, faults);
}

void make_ragged_transpose(Maker& m) {
  const DType dtype = m.any_dtype();
  const int64_t width = m.random.one_in(3) ? m.random.pick(30, 35) : m.dim(dtype, 300), batch = m.random.pick(0, 5);
  const int64_t multiple = m.random.any_of<int64_t>({1, 1, 2, 3, 4, 8, 16, 24});
  std::vector<int64_t> cu = m.offsets(batch, std::max(3000 / std::max<int64_t>(width, 1), multiple), multiple);
  const int64_t rows = cu.back() + m.random.pick(0, 2);
  enum { kNothing, kOffsets, kMultiple } broken = kNothing;
  if (m.hostile()) broken = multiple > 1 && m.random.one_in(2) ? kMultiple : kOffsets;
  if (broken == kOffsets) m.spoil(cu, rows);
  if (broken == kMultiple && cu.back() > 0) {
    // One offset moves between its neighbours.
    const auto s = static_cast<size_t>(m.random.pick(0, batch));
    const int64_t low = s == 0 ? 0 : cu[s - 1], high = s + 1 < cu.size() ? cu[s + 1] : rows;
    cu[s] = m.random.pick(low, high);
  }
  Operand& source = m.tensor("source", dtype, {rows, width}, false);
  const Operand& offsets = m.numbers("cu_seqlens", DType::kInt32, {batch + 1}, cu);
  Tensor dense = Tensor::dense(0, dtype, {rows * width});
  dense.address = static_cast<uint64_t>(m.random.pick(0, 4) * (m.random.one_in(2) ? 16 : element_bytes(dtype)));
  Operand& target = m.place("target", dense, true);
  m.launches(RaggedTranspose{source.view(), offsets.view(), target.view(), multiple, m.status()});
  m.settle();
  bool offsets_hold = true;
  for (int64_t s = 0; s < batch; ++s) {
    const int64_t begin = cu[static_cast<size_t>(s)], length = cu[static_cast<size_t>(s) + 1] - begin;
    if (!is_range(cu, s, rows)) {
      offsets_hold = false;
      continue;
    }
    for (int64_t t = 0; t < length; ++t) {
      for (int64_t d = 0; d < width; ++d) {
        const int64_t to = begin * width + d * length + t;
        const uint64_t bits = source.bits((begin + t) * width + d);
        broken == kNothing ? target.expect(to, bits) : target.allow(to, bits);
      }
    }
  }
  if (rows == 0 || width == 0) return;
  if (broken == kOffsets) {
    offsets_hold ? m.expect_any() : m.expect_words({});
  } else if (broken == kMultiple) {
    m.expect_any();  // what is checked is what the kernel builds on, which may be less than was promised
  }
}

}  // namespace tailor::truth
