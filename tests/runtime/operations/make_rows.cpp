// gather_rows, scatter_rows, convert, copy.
#include <cmath>
#include <cstdlib>

#include "tests/runtime/operations/formats.h"
#include "tests/runtime/operations/maker.h"

namespace tailor::truth {
namespace {

// Indices below `rows`; hostile ones now and then name no row, some only in 64 bits.
std::vector<int64_t> row_indices(Maker& m, DType type, int64_t count, int64_t rows) {
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t good = m.random.pick(0, std::max<int64_t>(rows - 1, 0));
    const bool bad = m.hostile() && m.random.one_in(8);
    if (bad && type == DType::kInt64) {
      indices.push_back(m.random.any_of<int64_t>({-1, rows, (int64_t{1} << 32) + good, (int64_t{1} << 31) + good,
                                                  -(int64_t{1} << 32) + good, INT64_MIN, INT64_MAX}));
    } else if (bad) {
      indices.push_back(m.random.any_of<int64_t>({-1, rows, INT32_MIN, INT32_MAX}));
    } else {
      indices.push_back(good);
    }
  }
  return indices;
}

constexpr DType kConvertible[] = {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kFloat8E4M3,
                                  DType::kFloat8E5M2};

// What converts with difficulty: halves between two targets and their neighbours, subnormals, NaN and infinities.
uint64_t difficult(Maker& m, DType source, DType target) {
  const uint64_t any = m.any_bits();
  if (m.random.one_in(3)) return any;
  const uint64_t near = any % (uint64_t{1} << (8 * element_bytes(target)));
  const double low = decode(target, near), high = decode(target, near + 1);
  const double half = std::isfinite(low) && std::isfinite(high) ? (low + high) / 2 : low;
  return encode(source, half) + static_cast<uint64_t>(m.random.pick(-1, 1));
}

}  // namespace

void make_gather_rows(Maker& m) {
  const DType dtype = m.any_dtype(), type = m.random.one_in(2) ? DType::kInt32 : DType::kInt64;
  const int64_t width = m.dim(dtype, 600), rows = m.count(33), most = width == 0 ? 64 : 4000 / width,
                count = rows == 0 && !m.hostile() ? 0 : m.count(most);
  const auto indices = row_indices(m, type, count, rows);
  Operand& source = m.tensor("source", dtype, {rows, width}, false);
  Operand& index = m.numbers("index", type, {count}, indices);
  Operand& target = m.tensor("target", dtype, {count, width}, true);
  m.launches(GatherRows{source.view(), index.view(), target.view(), m.status()});
  m.settle();
  Faults faults;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t from = indices[static_cast<size_t>(i)];
    if (from < 0 || from >= rows) {
      faults.add(DeviceFault::kRowIndexRange, i);
    } else {
      move_row(target, i, source, from, width);
    }
  }
  if (width > 0) m.expect_word(faults);
}

void make_scatter_rows(Maker& m) {
  const DType dtype = m.any_dtype(), type = m.random.one_in(2) ? DType::kInt32 : DType::kInt64;
  const int64_t width = m.dim(dtype, 600), most = width == 0 ? 64 : 4000 / width,
                rows = m.count(std::min<int64_t>(most, 129));
  const int64_t count = rows == 0 && !m.hostile() ? 0 : m.count(most);
  auto indices = row_indices(m, type, count, rows);
  const bool unique = !m.hostile() && m.random.one_in(2);
  if (unique) {  // an order of the rows of target, as far as there are rows in source
    indices.resize(static_cast<size_t>(std::min(count, rows)));
    std::vector<int64_t> all(static_cast<size_t>(rows));
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
    for (size_t i = 0; i < indices.size(); ++i) {
      std::swap(all[i], all[static_cast<size_t>(m.random.pick(static_cast<int64_t>(i), rows - 1))]);
      indices[i] = all[i];
    }
  }
  const auto moved = static_cast<int64_t>(indices.size());
  Operand& source = m.tensor("source", dtype, {moved, width}, false);
  Operand& index = m.numbers("index", type, {moved}, indices);
  Operand& target = m.tensor("target", dtype, {rows, width}, true);
  m.launches(ScatterRows{source.view(), index.view(), target.view(), unique, m.status()});
  m.settle();
  Faults faults;
  std::set<int64_t> named;
  for (int64_t i = 0; i < moved; ++i) {
    const int64_t to = indices[static_cast<size_t>(i)];
    if (to < 0 || to >= rows) {
      faults.add(DeviceFault::kRowIndexRange, i);
    } else if (named.insert(to).second) {
      move_row(target, to, source, i, width);
    } else {
      allow_row(target, to, source, i, width);
    }
  }
  if (width > 0) m.expect_word(faults);
}

void make_convert(Maker& m) {
  const DType from = kConvertible[m.random.pick(0, 4)], to = kConvertible[m.random.pick(0, 4)];
  const int64_t width = m.dim(m.random.one_in(2) ? from : to, 700), rows = m.count(width == 0 ? 9 : 3000 / width);
  const bool scaled = m.random.one_in(2);
  Operand& source = m.tensor("source", from, {rows, width}, false);
  Operand& target = m.tensor("target", to, {rows, width}, true);
  for (int64_t i = 0; i < source.size(); ++i) source.set_bits(i, difficult(m, from, to));
  Convert op{source.view(), target.view(), {}};
  double scale = 1;
  if (scaled) {
    const uint64_t bits = m.random.one_in(2)
                              ? m.any_bits() >> 32
                              : encode(DType::kFloat32, std::ldexp(static_cast<double>(m.random.pick(1, 1000)),
                                                                   static_cast<int>(m.random.pick(-12, 4))));
    scale = decode(DType::kFloat32, bits);
    op.scale = m.numbers("scale", DType::kFloat32, {1}, {static_cast<int64_t>(bits)}).view();
  }
  m.launches(op);
  m.settle();
  for (int64_t i = 0; i < source.size(); ++i) {
    double value = decode(from, source.bits(i));
    if (scaled) value = round_to_f32(value * scale);  // the product of two f32 is exact in double
    if (std::isnan(value)) {
      target.expect_nan(i);
    } else {
      target.expect(i, encode(to, value));
    }
  }
}

namespace {

// Both sides in one shape, the target's dimensions in another order in memory, some backwards: permutes and slices with
// rows of more than 2048 bytes and matrices around the tile of a transpose.
StridedCopy large_copy(Maker& m, DType dtype) {
  StridedCopy op;
  std::vector<int64_t> shape;
  const int64_t long_side = m.count(257) + 1, other = m.random.pick(1, std::max<int64_t>(1, 9000 / long_side));
  shape = {m.random.pick(1, 3), std::min<int64_t>(other, 140), long_side};
  if (m.random.one_in(3)) shape = {m.random.pick(1, 3), 2100 / element_bytes(dtype) + m.random.pick(0, 700)};
  op.source = m.random.tensor(0, dtype, shape, false);
  op.target = m.random.tensor(0, dtype, shape, true);
  if (m.random.one_in(2) && shape.size() == 3) {
    // Contiguous along different dimensions.
    const int64_t gap = m.random.one_in(2) ? 0 : m.random.pick(0, 17);
    op.target.stride = {shape[1] * (shape[2] + gap), shape[2] + gap, 1};
    op.source.stride = {shape[2] * (shape[1] + gap), 1, shape[1] + gap};
  }
  return op;
}

void flip(Maker& m, Tensor& view) {
  for (int d = 0; d < view.rank; ++d) {
    if (!m.random.one_in(6) || view.shape[d] == 0) continue;
    view.address += static_cast<uint64_t>((view.shape[d] - 1) * view.stride[d] * element_bytes(view.dtype));
    view.stride[d] = -view.stride[d];
  }
}

void widen(Maker& m, Tensor& view) {
  int outer = 0;
  for (int d = 1; d < view.rank; ++d) {
    if (view.shape[d] > 1 && (view.shape[outer] <= 1 || std::abs(view.stride[d]) > std::abs(view.stride[outer]))) {
      outer = d;
    }
  }
  if (view.shape[outer] <= 1 || view.stride[outer] == 0) return;
  const int64_t sign = view.stride[outer] < 0 ? -1 : 1;
  const int64_t stride = (int64_t{1} << m.random.pick(30, 32)) / element_bytes(view.dtype) / (view.shape[outer] - 1);
  view.stride[outer] = sign * std::max(std::abs(view.stride[outer]), stride + m.random.pick(-20, 20));
}

}  // namespace

void make_copy(Maker& m) {
  StridedCopy op;
  if (m.random.one_in(2)) {
    testing::randomize(m.random, op);
  } else {
    op = large_copy(m, m.any_dtype());
    flip(m, op.source);
    flip(m, op.target);
  }
  // Merged dimensions of a reshape would no longer lie as one.
  if (m.wide() && op.source.rank == op.target.rank && op.source.shape == op.target.shape) {
    widen(m, op.source);
    widen(m, op.target);
  }
  Operand& source = m.place("source", op.source, false);
  Operand& target = m.place("target", op.target, true);
  m.launches(StridedCopy{source.view(), target.view()});
  m.settle();
  for (int64_t i = 0; i < source.size(); ++i) target.expect(i, source.bits(i));
}

}  // namespace tailor::truth
