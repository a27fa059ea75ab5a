// Random problems: the key is in the listed space, its facts hold for the problem, and its alignment and contiguity
// are what enumeration of the rows' addresses says.
#include <algorithm>
#include <bit>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "runtime/bucket/key_space.h"
#include "runtime/ops/problem.h"
#include "tests/runtime/ops/operands.h"

namespace tailor {
namespace {

using testing::at;

class Generator {
 public:
  explicit Generator(uint32_t seed) : rng_(seed) {}
  int64_t pick(int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(rng_); }
  bool one_in(int n) { return pick(1, n) == 1; }

  DType dtype() {
    constexpr DType kTypes[] = {DType::kUInt8, DType::kBFloat16, DType::kFloat32, DType::kInt64};
    return kTypes[pick(0, 3)];
  }
  // A tensor laid out in a random order of its dimensions with random padding; rarely a dimension of stride 0.
  Tensor tensor(uint64_t base, DType dtype, std::vector<int64_t> shape, bool written) {
    Tensor t;
    t.dtype = dtype;
    t.rank = static_cast<int>(shape.size());
    std::vector<int> order(shape.size());
    std::iota(order.rbegin(), order.rend(), 0);
    if (one_in(3)) std::shuffle(order.begin(), order.end(), rng_);
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
  std::mt19937& rng() { return rng_; }

 private:
  std::mt19937 rng_;
};

int64_t extent(Generator& g) { return g.one_in(4) ? 1 : g.pick(1, 9); }

PagedGather random_gather(Generator& g) {
  PagedGather op;
  const DType dtype = g.dtype();
  const int64_t heads = extent(g), dim = g.one_in(6) ? 1 : g.pick(1, 40), page = extent(g), pages = g.pick(0, 5),
                batch = g.pick(1, 4), columns = g.pick(0, 4), rows = g.pick(1, 9);
  op.layout = g.one_in(2) ? PageLayout::kSlotMajor : PageLayout::kHeadMajor;
  const bool slot = op.layout == PageLayout::kSlotMajor;
  op.pages = g.tensor(at(0), dtype, {pages, slot ? page : heads, slot ? heads : page, dim}, false);
  op.block_table = Tensor::dense(at(1), DType::kInt32, {batch, columns});
  op.block_table.stride[0] += g.pick(0, 3);
  op.seq_lens = Tensor::dense(at(2), DType::kInt32, {batch});
  op.cu_seqlens = Tensor::dense(at(3), DType::kInt32, {batch + 1});
  op.packed = g.tensor(at(4), dtype, {rows, heads, dim}, true);
  return op;
}

PagedAppend random_append(Generator& g) {
  PagedAppend op;
  const DType dtype = g.dtype();
  const int64_t heads = extent(g), dim = g.one_in(6) ? 1 : g.pick(1, 40), page = extent(g), pages = g.pick(0, 5),
                batch = g.pick(0, 4), columns = g.pick(0, 4), rows = g.pick(1, 9);
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
  return op;
}

// Addresses at which a side's runs of contiguous elements begin, by enumeration: every outer index, every head unless
// rows are whole, every element if not even heads are.
struct Runs {
  int64_t gcd = 0;
  void tensor(const Tensor& t, int head, int dim, RowContiguity contiguity) {
    for (int d = 0; d < t.rank; ++d) {
      if (t.shape[d] == 0) return;
    }
    std::array<int64_t, kMaxRank> index{};
    const int bytes = element_bytes(t.dtype);
    for (;;) {
      int64_t address = static_cast<int64_t>(t.address);
      for (int d = 0; d < t.rank; ++d) address += index[d] * t.stride[d] * bytes;
      gcd = std::gcd(gcd, address);
      int d = t.rank - 1;
      for (; d >= 0; --d) {
        const bool inner =
            (d == dim && contiguity != RowContiguity::kNone) || (d == head && contiguity == RowContiguity::kRow);
        if (!inner && ++index[d] < t.shape[d]) break;
        index[d] = 0;
      }
      if (d < 0) return;
    }
  }
  int align_log2() const { return gcd == 0 ? 4 : std::min(4, std::countr_zero(static_cast<uint64_t>(gcd))); }
};

// The strongest contiguity that element addresses show.
RowContiguity shown(const Tensor& t, int head, int dim) {
  for (int d = 0; d < t.rank; ++d) {
    if (t.shape[d] == 0) return RowContiguity::kRow;
  }
  bool row = true, heads = true;
  for (int64_t h = 0; h < t.shape[head]; ++h) {
    for (int64_t x = 0; x < t.shape[dim]; ++x) {
      const int64_t place = h * t.stride[head] + x * t.stride[dim];
      row &= place == h * t.shape[dim] + x;
      heads &= place == h * t.stride[head] + x;
    }
  }
  return row ? RowContiguity::kRow : heads ? RowContiguity::kHead : RowContiguity::kNone;
}

template <class Op>
void check(const Op& op, Generator& g, int round, RowContiguity source, RowContiguity target, int source_align,
           int target_align) {
  const auto problem = make_problem(op);
  ASSERT_TRUE(problem.ok()) << round << ": " << problem.status().message();
  ASSERT_EQ(problem->source_contiguity, source) << round;
  ASSERT_EQ(problem->target_contiguity, target) << round;
  ASSERT_EQ(problem->source_align_log2, source_align) << round;
  ASSERT_EQ(problem->target_align_log2, target_align) << round;

  const auto arch = static_cast<Arch>(g.pick(0, 1));
  const auto emitter = static_cast<Emitter>(g.pick(0, 1));
  const auto lowering = static_cast<Lowering>(g.pick(0, 2));
  const Key key = make_key(*problem, arch, emitter, lowering);
  ASSERT_TRUE(validate(key).ok()) << validate(key).message();
  ASSERT_EQ(make_key(*problem, arch, emitter, lowering), key);
  const auto symbol = [&](int s) { return problem->values[static_cast<size_t>(s)]; };
  const auto space =
      enumerate_keys({problem->op, arch, emitter, lowering, static_cast<int>(symbol(gather::kElementBytes)),
                      symbol(gather::kPageSize), symbol(gather::kHeads), symbol(gather::kHeadDim)});
  ASSERT_TRUE(space.ok());
  ASSERT_NE(std::find(space->begin(), space->end(), key), space->end()) << round << ": " << to_string(key);
  for (const Fact& fact : facts_of(key)) {
    ASSERT_TRUE(holds(fact, problem->symbols()))
        << round << ": " << to_string(fact, symbols_of(problem->op)[fact.symbol].name) << " but it is "
        << symbol(fact.symbol);
  }
}

TEST(RandomGather, KeyIsListedAndItsFactsHold) {
  Generator g(11);
  for (int round = 0; round < 8000; ++round) {
    const PagedGather op = random_gather(g);
    const int head = op.layout == PageLayout::kSlotMajor ? 2 : 1;
    const RowContiguity source = shown(op.pages, head, 3), target = shown(op.packed, 1, 2);
    Runs read, written;
    read.tensor(op.pages, head, 3, source);
    written.tensor(op.packed, 1, 2, target);
    check(op, g, round, source, target, read.align_log2(), written.align_log2());
    if (HasFatalFailure()) return;
  }
}

TEST(RandomAppend, KeyIsListedAndItsFactsHold) {
  Generator g(12);
  for (int round = 0; round < 8000; ++round) {
    const PagedAppend op = random_append(g);
    const int head = op.layout == PageLayout::kSlotMajor ? 2 : 1;
    const RowContiguity source = std::max(shown(op.k, 1, 2), shown(op.v, 1, 2));
    const RowContiguity target = std::max(shown(op.k_pages, head, 3), shown(op.v_pages, head, 3));
    Runs read, written;
    read.tensor(op.k, 1, 2, source);
    read.tensor(op.v, 1, 2, source);
    written.tensor(op.k_pages, head, 3, target);
    written.tensor(op.v_pages, head, 3, target);
    check(op, g, round, source, target, read.align_log2(), written.align_log2());
    if (HasFatalFailure()) return;
  }
}

// Garbage in every field: a Status or a problem whose key is valid, and nothing undefined.
TEST(RandomGarbage, NeverDoesAnythingUndefined) {
  std::mt19937_64 rng(13);
  const auto number = [&]() -> int64_t {
    switch (rng() % 6) {
      case 0:
        return static_cast<int64_t>(rng());
      case 1:
        return static_cast<int64_t>(rng() % 5) - 1;
      case 2:
        return (int64_t{1} << (rng() % 63)) - static_cast<int64_t>(rng() % 2);
      case 3:
        return -static_cast<int64_t>(rng() % 1000);
      default:
        return static_cast<int64_t>(rng() % 64);
    }
  };
  int taken = 0;
  for (int round = 0; round < 200000; ++round) {
    PagedGather op = testing::gather_operands();
    Tensor* tensors[] = {&op.pages, &op.block_table, &op.seq_lens, &op.cu_seqlens, &op.packed};
    for (unsigned n = rng() % 3 + 1; n > 0; --n) {
      Tensor& t = *tensors[rng() % 5];
      switch (rng() % 5) {
        case 0:
          t.shape[rng() % kMaxRank] = number();
          break;
        case 1:
          t.stride[rng() % kMaxRank] = number();
          break;
        case 2:
          t.address = static_cast<uint64_t>(number());
          break;
        case 3:
          t.dtype = static_cast<DType>(rng() % 16);
          break;
        default:
          t.rank = static_cast<int>(number());
          break;
      }
    }
    const auto problem = make_problem(op);
    if (!problem.ok()) {
      ASSERT_FALSE(problem.status().message().empty());
      continue;
    }
    ++taken;
    const Key key = make_key(*problem, Arch::kSm80, Emitter::kLlvm, Lowering::kTail);
    if (!problem->empty) {
      ASSERT_TRUE(validate(key).ok()) << validate(key).message();
      for (const Fact& fact : facts_of(key)) ASSERT_TRUE(holds(fact, problem->symbols())) << round;
    }
  }
  EXPECT_GT(taken, 1000);
}

}  // namespace
}  // namespace tailor
