#include "tests/runtime/ops/random_operands.h"

#include <algorithm>
#include <numeric>

#include "tests/runtime/ops/operands.h"

namespace tailor::testing {
namespace {

uint64_t status(OperandGenerator& g) { return g.one_in(2) ? 0 : at(12); }

// Extents that are rarely 0.
int64_t count(OperandGenerator& g, int64_t most) { return g.one_in(12) ? 0 : g.pick(1, most); }

template <class Op>
void randomize_append(OperandGenerator& g, Op& op, DType dtype, int64_t dim) {
  const int64_t heads = g.extent(), page = g.extent(), pages = g.pick(0, 5), batch = g.pick(0, 4),
                columns = g.pick(0, 4), rows = count(g, 9);
  op.layout = g.one_in(2) ? PageLayout::kSlotMajor : PageLayout::kHeadMajor;
  const bool slot = op.layout == PageLayout::kSlotMajor;
  const std::vector<int64_t> pool = {pages, slot ? page : heads, slot ? heads : page, dim};
  op.k = g.tensor(at(0), dtype, {rows, heads, dim}, false);
  op.v = g.one_in(2) ? op.k : g.tensor(at(1), dtype, {rows, heads, dim}, false);
  op.batch_index = Tensor::dense(at(2), DType::kInt32, {rows});
  op.position = Tensor::dense(at(3), DType::kInt32, {rows});
  op.k_pages = g.tensor(at(4), dtype, pool, true);
  op.v_pages = g.tensor(at(5), dtype, pool, true);
  op.block_table = Tensor::dense(at(6), DType::kInt32, {batch, columns});
  op.status_word = status(g);
}

// One shape cut into dimensions in two ways that refine each other: factors, joined at random.
std::vector<int64_t> joined(OperandGenerator& g, const std::vector<int64_t>& factors, size_t most) {
  std::vector<int64_t> shape;
  for (const int64_t f : factors) {
    if (!shape.empty() && (shape.size() == most || g.one_in(2))) {
      shape.back() *= f;
    } else {
      shape.push_back(f);
    }
  }
  return shape;
}

// Some dimensions run backwards.
void flip(OperandGenerator& g, Tensor& t) {
  for (int d = 0; d < t.rank; ++d) {
    if (!g.one_in(4) || t.shape[d] == 0) continue;
    t.address += static_cast<uint64_t>((t.shape[d] - 1) * t.stride[d] * element_bytes(t.dtype));
    t.stride[d] = -t.stride[d];
  }
}

}  // namespace

Tensor OperandGenerator::tensor(uint64_t base, DType dtype, const std::vector<int64_t>& shape, bool written) {
  Tensor t;
  t.dtype = dtype;
  t.rank = static_cast<int>(shape.size());
  std::vector<int> order(shape.size());
  std::iota(order.rbegin(), order.rend(), 0);
  if (one_in(3)) {
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[static_cast<size_t>(pick(0, i - 1))]);
  }
  int64_t stride = one_in(6) ? pick(1, 5) : 1;
  for (int d : order) {
    t.shape[d] = shape[static_cast<size_t>(d)];
    t.stride[d] = t.shape[d] == 1 && one_in(2) ? pick(-3, 100) : stride;
    stride *= std::max<int64_t>(t.shape[d], 1);
    if (one_in(4)) stride += pick(0, 3) * (one_in(2) ? 1 : 8);
  }
  if (!written && one_in(8)) t.stride[pick(0, t.rank - 1)] = 0;
  t.address = base + static_cast<uint64_t>(pick(0, 4) * element_bytes(dtype)) * (one_in(2) ? 1 : 16);
  return t;
}

void randomize(OperandGenerator& g, PagedGather& op) {
  const DType dtype = g.dtype();
  const int64_t heads = g.extent(), dim = g.row(), page = g.extent(), pages = g.pick(0, 5), batch = g.pick(1, 4),
                columns = g.pick(0, 4), rows = count(g, 9);
  op.layout = g.one_in(2) ? PageLayout::kSlotMajor : PageLayout::kHeadMajor;
  const bool slot = op.layout == PageLayout::kSlotMajor;
  op.pages = g.tensor(at(0), dtype, {pages, slot ? page : heads, slot ? heads : page, dim}, false);
  op.block_table = Tensor::dense(at(1), DType::kInt32, {batch, columns});
  op.block_table.stride[0] += g.pick(0, 3);
  op.seq_lens = Tensor::dense(at(2), DType::kInt32, {batch});
  op.cu_seqlens = Tensor::dense(at(3), DType::kInt32, {batch + 1});
  op.packed = g.tensor(at(4), dtype, {rows, heads, dim}, true);
  op.status_word = status(g);
}

void randomize(OperandGenerator& g, PagedAppend& op) { randomize_append(g, op, g.dtype(), g.row()); }

void randomize(OperandGenerator& g, AppendRope& op) {
  const DType dtype = g.any_of({DType::kFloat16, DType::kBFloat16, DType::kFloat32});
  const int64_t dim = g.pick(2, 40), half = g.one_in(2) ? dim / 2 : g.pick(1, dim / 2), positions = count(g, 30);
  randomize_append(g, op, dtype, dim);
  const DType table = g.one_in(2) ? DType::kFloat32 : dtype;
  op.cos = Tensor::dense(at(7) + static_cast<uint64_t>(g.pick(0, 4) * element_bytes(table)), table, {positions, half});
  op.sin = Tensor::dense(at(8), table, {positions, half});
  if (g.one_in(3)) op.cos.stride[0] += g.pick(0, 8);
  op.style = g.one_in(2) ? RopeStyle::kHalves : RopeStyle::kInterleaved;
}

void randomize(OperandGenerator& g, Pack& op) {
  const DType dtype = g.dtype();
  const int64_t batch = count(g, 4), longest = count(g, 6), rows = count(g, 9), dim = g.row();
  op.padded = g.tensor(at(0), dtype, {batch, longest, dim}, false);
  op.cu_seqlens = Tensor::dense(at(1), DType::kInt32, {batch + 1});
  op.packed = g.tensor(at(2), dtype, {rows, dim}, true);
  op.status_word = status(g);
}

void randomize(OperandGenerator& g, Unpack& op) {
  const DType dtype = g.dtype();
  const int64_t batch = count(g, 4), longest = count(g, 6), rows = count(g, 9), dim = g.row();
  op.packed = g.tensor(at(0), dtype, {rows, dim}, false);
  op.cu_seqlens = Tensor::dense(at(1), DType::kInt32, {batch + 1});
  op.padded = g.tensor(at(2), dtype, {batch, longest, dim}, true);
  op.fill = static_cast<uint64_t>(g.pick(0, int64_t{1} << 62));
  op.status_word = status(g);
}

void randomize(OperandGenerator& g, GatherRows& op) {
  const DType dtype = g.dtype();
  const int64_t rows = count(g, 9), dim = g.row();
  op.source = g.tensor(at(0), dtype, {count(g, 9), dim}, false);
  op.index = Tensor::dense(at(1), g.one_in(2) ? DType::kInt32 : DType::kInt64, {rows});
  op.target = g.tensor(at(2), dtype, {rows, dim}, true);
  op.status_word = status(g);
}

void randomize(OperandGenerator& g, ScatterRows& op) {
  const DType dtype = g.dtype();
  const int64_t rows = count(g, 9), dim = g.row();
  op.source = g.tensor(at(0), dtype, {rows, dim}, false);
  op.index = Tensor::dense(at(1), g.one_in(2) ? DType::kInt32 : DType::kInt64, {rows});
  op.target = g.tensor(at(2), dtype, {count(g, 9), dim}, true);
  op.unique = g.one_in(2);
  op.status_word = status(g);
}

void randomize(OperandGenerator& g, Concat& op) {
  const DType dtype = g.dtype();
  const int64_t batch = count(g, 4), dim = g.row();
  op.a = g.tensor(at(0), dtype, {count(g, 9), dim}, false);
  op.cu_a = Tensor::dense(at(1), DType::kInt32, {batch + 1});
  op.b = g.tensor(at(2), dtype, {count(g, 9), dim}, false);
  op.cu_b = Tensor::dense(at(3), DType::kInt32, {batch + 1});
  op.out = g.tensor(at(4), dtype, {count(g, 18), dim}, true);
  op.status_word = status(g);
}

void randomize(OperandGenerator& g, Split& op) {
  const DType dtype = g.dtype();
  const int64_t batch = count(g, 4), dim = g.row();
  op.packed = g.tensor(at(0), dtype, {count(g, 18), dim}, false);
  op.cu_a = Tensor::dense(at(1), DType::kInt32, {batch + 1});
  op.a = g.tensor(at(2), dtype, {count(g, 9), dim}, true);
  op.cu_b = Tensor::dense(at(3), DType::kInt32, {batch + 1});
  op.b = g.tensor(at(4), dtype, {count(g, 9), dim}, true);
  op.status_word = status(g);
}

void randomize(OperandGenerator& g, Convert& op) {
  const auto type = [&] {
    return g.any_of({DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kFloat8E4M3, DType::kFloat8E5M2});
  };
  const int64_t rows = count(g, 9), dim = g.row();
  op.source = g.tensor(at(0), type(), {rows, dim}, false);
  op.target = g.tensor(at(1), type(), {rows, dim}, true);
  op.scale = g.one_in(2) ? Tensor{} : Tensor::dense(at(2), DType::kFloat32, {1});
}

void randomize(OperandGenerator& g, RaggedTranspose& op) {
  const DType dtype = g.dtype();
  const int64_t rows = count(g, 40), dim = g.row(), batch = count(g, 4);
  op.source = g.tensor(at(0), dtype, {rows, dim}, false);
  op.cu_seqlens = Tensor::dense(at(1), DType::kInt32, {batch + 1});
  op.target = Tensor::dense(at(2) + static_cast<uint64_t>(g.pick(0, 4) * element_bytes(dtype)) * (g.one_in(2) ? 1 : 16),
                            dtype, {rows * dim});
  op.length_multiple = g.one_in(2) ? g.pick(1, 3) : int64_t{1} << g.pick(0, 8);
  op.status_word = status(g);
}

void randomize(OperandGenerator& g, StridedCopy& op) {
  const DType dtype = g.dtype();
  std::vector<int64_t> factors;
  for (int64_t n = g.pick(1, 6); n > 0; --n) factors.push_back(g.one_in(5) ? 1 : g.pick(2, 5));
  if (g.one_in(4)) factors.back() *= g.any_of<int64_t>({16, 64, 129, 512});
  if (g.one_in(30)) factors.front() = 0;
  const auto shape = joined(g, factors, kMaxRank);
  op.source = g.tensor(at(0), dtype, shape, false);
  op.target = g.tensor(at(1), dtype, g.one_in(2) ? shape : joined(g, factors, kMaxRank), true);
  flip(g, op.source);
  flip(g, op.target);
}

StaticConfiguration configuration_of(const Problem& problem, Arch arch, Emitter emitter, Lowering lowering) {
  StaticConfiguration c;
  c.op = problem.op;
  c.arch = arch;
  c.emitter = emitter;
  c.lowering = lowering;
  c.element_bytes = 1 << problem.element_log2;
  c.page_size = problem.page_size;
  c.heads = problem.heads;
  c.head_dim = problem.head_dim;
  c.source_type = problem.source_type;
  c.target_type = problem.target_type;
  c.index_bytes = 1 << problem.index_log2;
  c.variant = problem.variant;
  c.rotary_dim = problem.rotary_dim;
  c.outer_rank = problem.outer_rank;
  c.reports = problem.reports;
  return c;
}

}  // namespace tailor::testing
