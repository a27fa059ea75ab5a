// paged_gather, paged_append, append_rope.
#include <cmath>
#include <functional>

#include "tests/runtime/operations/formats.h"
#include "tests/runtime/operations/maker.h"

namespace tailor::truth {
namespace {

// The shape of a pool of pages and where its rows [H, D] are.
struct Pool {
  int64_t pages, page_size, heads, dim;
  PageLayout layout;

  std::vector<int64_t> shape() const {
    if (layout == PageLayout::kSlotMajor) return {pages, page_size, heads, dim};
    return {pages, heads, page_size, dim};
  }
  // Row-major number of an element.
  int64_t at(int64_t page, int64_t slot, int64_t h, int64_t d) const {
    const int64_t middle = layout == PageLayout::kSlotMajor ? slot * heads + h : h * page_size + slot;
    return (page * page_size * heads + middle) * dim + d;
  }
};

Pool random_pool(Maker& m, int64_t dim) {
  const int64_t heads = dim > 200 ? 1 : m.random.any_of<int64_t>({1, 1, 2, 3, 8});
  const int64_t page_size = m.random.any_of<int64_t>({1, 2, 3, 7, 16, 17});
  const int64_t pages = std::clamp<int64_t>(12000 / (std::max<int64_t>(dim, 1) * heads * page_size), 1, 9);
  return {m.random.one_in(20) ? 0 : m.random.pick(1, pages), page_size, heads, dim,
          m.random.one_in(2) ? PageLayout::kSlotMajor : PageLayout::kHeadMajor};
}

// Entries that name a page; hostile ones now and then do not.
std::vector<int64_t> random_table(Maker& m, int64_t entries, int64_t pages, bool spoiled) {
  std::vector<int64_t> table;
  for (int64_t i = 0; i < entries; ++i) {
    const bool bad = spoiled && m.random.one_in(5);
    table.push_back(bad ? m.random.any_of<int64_t>({-1, pages, INT32_MIN, INT32_MAX})
                        : m.random.pick(0, std::max<int64_t>(pages - 1, 0)));
  }
  return table;
}

}  // namespace

void make_paged_gather(Maker& m) {
  const DType dtype = m.any_dtype();
  const Pool pool = random_pool(m, m.dim(dtype, 600));
  const int64_t batch = m.random.pick(0, 4), columns = m.random.pick(0, 5), width = pool.heads * pool.dim;
  const int64_t longest =
      pool.pages == 0 ? 0 : std::min(columns * pool.page_size, 3000 / std::max<int64_t>(width, 1) + 1);
  enum { kTable, kLengths, kOffsets } broken = m.random.any_of({kTable, kLengths, kOffsets});
  std::vector<int64_t> cu = m.offsets(batch, longest), lengths;
  for (size_t s = 0; s + 1 < cu.size(); ++s) lengths.push_back(cu[s + 1] - cu[s]);
  const int64_t rows = cu.back() + m.random.pick(0, 2);
  if (m.hostile() && broken == kOffsets) m.spoil(cu, rows);
  if (m.hostile() && broken == kLengths && batch > 0) {
    int64_t& length = lengths[static_cast<size_t>(m.random.pick(0, batch - 1))];
    length = m.random.any_of<int64_t>({-1, INT32_MIN, length / 2, length - 1});
  }
  const auto table = random_table(m, batch * columns, pool.pages, m.hostile() && broken == kTable);
  Operand& pages = m.tensor("pages", dtype, pool.shape(), false);
  PagedGather op;
  op.pages = pages.view();
  op.layout = pool.layout;
  op.block_table = m.numbers("block_table", DType::kInt32, {batch, columns}, table, m.random.pick(0, 3)).view();
  op.seq_lens = m.numbers("seq_lens", DType::kInt32, {batch}, lengths).view();
  op.cu_seqlens = m.numbers("cu_seqlens", DType::kInt32, {batch + 1}, cu).view();
  Operand& packed = m.tensor("packed", dtype, {rows, pool.heads, pool.dim}, true);
  op.packed = packed.view();
  op.status_word = m.status();
  m.launches(op);
  m.settle();
  Faults faults;
  bool offsets_hold = true;
  for (int64_t s = 0; s < batch; ++s) {
    const auto at = static_cast<size_t>(s);
    const bool valid = is_range(cu, s, rows);
    offsets_hold = offsets_hold && valid;
    if (valid && cu[at + 1] - cu[at] != lengths[at]) faults.add(DeviceFault::kSeqLenMismatch, s);
    for (int64_t row = std::max<int64_t>(cu[at], 0); row < std::min(cu[at + 1], rows); ++row) {
      const int64_t t = row - cu[at], column = t / pool.page_size;
      if (cu[at] < 0 || t >= lengths[at]) continue;
      if (column >= columns) {
        faults.add(DeviceFault::kBlockTableColumn, row);
        continue;
      }
      const int64_t page = table[static_cast<size_t>(s * columns + column)];
      if (page < 0 || page >= pool.pages) {
        faults.add(DeviceFault::kPageIndexRange, row);
        continue;
      }
      for (int64_t h = 0; h < pool.heads; ++h) {
        for (int64_t d = 0; d < pool.dim; ++d) {
          const int64_t to = (row * pool.heads + h) * pool.dim + d;
          const uint64_t bits = pages.bits(pool.at(page, t % pool.page_size, h, d));
          // Offsets that break their promise leave open which sequence has a row, or if one has.
          if (m.hostile() && broken == kOffsets) {
            packed.allow(to, bits);
          } else {
            packed.expect(to, bits);
          }
        }
      }
    }
  }
  if (rows == 0 || width == 0) return;
  if (offsets_hold && !(m.hostile() && broken == kOffsets)) {
    m.expect_word(faults);
  } else if (!offsets_hold) {
    m.expect_words({});
  } else {
    m.expect_any();
  }
}

namespace {

// k of one token as it is stored: as it is, or rotated.
using Stored = std::function<void(int64_t token, int64_t h, int64_t d, Operand& target, int64_t element, bool first)>;

struct Append {
  Pool pool;
  int64_t tokens, batch, columns, positions;  // positions: rows of cos; no rotation: no limit
  Operand *k, *v, *k_pages, *v_pages;
  std::vector<int64_t> batch_index, position, table;
};

// Fields that paged_append and append_rope share. A token breaks at most one promise.
template <class Op>
Append make_append(Maker& m, Op& op, DType dtype, int64_t dim, int64_t positions) {
  Append a{random_pool(m, dim), 0, m.random.pick(1, 4), m.random.pick(1, 5), positions, {}, {}, {}, {}, {}, {}, {}};
  const Pool& pool = a.pool;
  const int64_t width = std::max<int64_t>(pool.heads * dim, 1), slots = a.columns * pool.page_size;
  a.tokens = pool.pages == 0 && !m.hostile() ? 0 : m.count(std::max<int64_t>(2000 / width, 1));
  for (int64_t i = 0; i < a.tokens; ++i) {
    a.batch_index.push_back(m.random.pick(0, a.batch - 1));
    a.position.push_back(m.random.pick(0, std::min(slots, positions) - 1));
    if (!m.hostile() || !m.random.one_in(6)) continue;
    switch (m.random.pick(0, 2)) {
      case 0:
        a.batch_index.back() = m.random.any_of<int64_t>({-1, a.batch, INT32_MIN, INT32_MAX});
        break;
      case 1:
        a.position.back() = m.random.any_of<int64_t>({-1, INT32_MIN});
        break;
      default:
        a.position.back() = std::min(slots, positions);
        break;
    }
  }
  a.table = random_table(m, a.batch * a.columns, pool.pages, m.hostile() && m.random.one_in(2));
  op.layout = pool.layout;
  a.k = &m.tensor("k", dtype, {a.tokens, pool.heads, dim}, false);
  a.v = m.random.one_in(4) ? a.k : &m.tensor("v", dtype, {a.tokens, pool.heads, dim}, false);
  op.k = a.k->view();
  op.v = a.v->view();
  op.batch_index = m.numbers("batch_index", DType::kInt32, {a.tokens}, a.batch_index).view();
  op.position = m.numbers("position", DType::kInt32, {a.tokens}, a.position).view();
  a.k_pages = &m.tensor("k_pages", dtype, pool.shape(), true);
  a.v_pages = &m.tensor("v_pages", dtype, pool.shape(), true);
  op.k_pages = a.k_pages->view();
  op.v_pages = a.v_pages->view();
  op.block_table = m.numbers("block_table", DType::kInt32, {a.batch, a.columns}, a.table, m.random.pick(0, 3)).view();
  op.status_word = m.status();
  return a;
}

void expect_append(Maker& m, const Append& a, const Stored& stored) {
  const Pool& pool = a.pool;
  Faults faults;
  std::set<std::pair<int64_t, int64_t>> taken;  // several tokens may name a slot: one of them wins
  for (int64_t i = 0; i < a.tokens; ++i) {
    const int64_t sequence = a.batch_index[static_cast<size_t>(i)], position = a.position[static_cast<size_t>(i)];
    const auto fault = [&](DeviceFault kind) { faults.add(kind, i); };
    if (sequence < 0 || sequence >= a.batch) {
      fault(DeviceFault::kBatchIndexRange);
      continue;
    }
    if (position < 0) {
      fault(DeviceFault::kPositionRange);
      continue;
    }
    // Of several faults of one token any may be the one that is reported.
    std::vector<DeviceFault> met;
    if (position >= a.positions) met.push_back(DeviceFault::kRopePosition);
    const int64_t column = position / pool.page_size;
    const int64_t page = column < a.columns ? a.table[static_cast<size_t>(sequence * a.columns + column)] : 0;
    if (column >= a.columns) {
      met.push_back(DeviceFault::kBlockTableColumn);
    } else if (page < 0 || page >= pool.pages) {
      met.push_back(DeviceFault::kPageIndexRange);
    }
    if (!met.empty()) {
      faults.add(met, i);
      continue;
    }
    const int64_t slot = position % pool.page_size;
    const bool first = taken.emplace(page, slot).second;
    for (int64_t h = 0; h < pool.heads; ++h) {
      for (int64_t d = 0; d < pool.dim; ++d) {
        const int64_t element = pool.at(page, slot, h, d);
        stored(i, h, d, *a.k_pages, element, first);
        const uint64_t v = a.v->bits((i * pool.heads + h) * pool.dim + d);
        first ? a.v_pages->expect(element, v) : a.v_pages->allow(element, v);
      }
    }
  }
  if (pool.heads * pool.dim > 0) m.expect_word(faults);
}

}  // namespace

void make_paged_append(Maker& m) {
  const DType dtype = m.any_dtype();
  PagedAppend op;
  const Append a = make_append(m, op, dtype, m.dim(dtype, 600), INT32_MAX);
  m.launches(op);
  m.settle();
  expect_append(m, a, [&](int64_t token, int64_t h, int64_t d, Operand& target, int64_t element, bool first) {
    const uint64_t k = a.k->bits((token * a.pool.heads + h) * a.pool.dim + d);
    first ? target.expect(element, k) : target.allow(element, k);
  });
}

void make_append_rope(Maker& m) {
  const DType dtype = m.random.any_of({DType::kFloat16, DType::kBFloat16, DType::kFloat32});
  const DType table = m.random.one_in(2) ? DType::kFloat32 : dtype;
  const int64_t dim = std::max<int64_t>(m.dim(dtype, 300), 2);
  const int64_t half = m.random.one_in(2) ? dim / 2 : m.random.pick(1, dim / 2), positions = m.random.pick(1, 40);
  AppendRope op;
  op.style = m.random.one_in(2) ? RopeStyle::kHalves : RopeStyle::kInterleaved;
  const Append a = make_append(m, op, dtype, dim, positions);
  std::vector<Operand*> angles;
  for (const char* name : {"cos", "sin"}) {
    Tensor view = Tensor::dense(0, table, {positions, half});
    view.stride[0] += m.random.one_in(3) ? m.random.pick(1, 9) : 0;
    view.address = static_cast<uint64_t>(m.random.pick(0, 5) * element_bytes(table));
    Operand& operand = m.place(name, view, false);
    if (!m.random.one_in(8)) {  // otherwise any bits: NaN, infinities, subnormals
      for (int64_t i = 0; i < operand.size(); ++i) {
        operand.set_bits(i, encode(table, static_cast<double>(m.random.pick(-4096, 4096)) / 4096));
      }
    }
    angles.push_back(&operand);
  }
  op.cos = angles[0]->view();
  op.sin = angles[1]->view();
  if (!m.random.one_in(8)) {
    for (int64_t i = 0; i < a.k->size(); ++i) {
      a.k->set_bits(i, encode(dtype, static_cast<double>(m.random.pick(-100000, 100000)) / 4096));
    }
  }
  m.launches(op);
  m.settle();
  expect_append(m, a, [&](int64_t token, int64_t h, int64_t d, Operand& target, int64_t element, bool first) {
    const int64_t row = (token * a.pool.heads + h) * dim;
    uint64_t bits = a.k->bits(row + d);
    bool nan = false;
    if (d < 2 * half) {
      const bool halves = op.style == RopeStyle::kHalves, second = halves ? d >= half : d % 2 == 1;
      const int64_t i = halves ? d % half : d / 2, other = halves ? (second ? d - half : d + half) : d ^ 1;
      const int64_t angle = a.position[static_cast<size_t>(token)] * half + i;
      const double c = decode(table, angles[0]->bits(angle)), s = decode(table, angles[1]->bits(angle));
      const double x = decode(dtype, bits), y = decode(dtype, a.k->bits(row + other));
      // A sum of two f32 rounded to double and then to f32 is the sum rounded to f32 (53 >= 2 * 24 + 2).
      const double along = round_to_f32(x * c), across = round_to_f32(y * s);
      const double turned = round_to_f32(second ? along + across : along - across);
      nan = std::isnan(turned);
      bits = encode(dtype, turned);
    }
    if (first && nan) {
      target.expect_nan(element);
    } else if (nan) {
      target.allow_nan(element);
    } else {
      first ? target.expect(element, bits) : target.allow(element, bits);
    }
  });
}

}  // namespace tailor::truth
