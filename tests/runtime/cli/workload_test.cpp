// The made-up launch and its reference: the expectation agrees with a second reading of the definitions, broken
// promises are foreseen, and the comparison notices every planted difference.
#include "runtime/cli/run/workload.h"

#include <cstring>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/cli/run/check.h"

namespace tailor::cli {
namespace {

int32_t entry(const HostOperand& operand, int64_t index) {
  int32_t value;
  std::memcpy(&value, operand.bytes.data() + 4 * index, 4);
  return value;
}

// Element [i, j, k, l] of a dense or padded operand.
std::vector<uint8_t> element(const Tensor& view, const std::vector<uint8_t>& bytes,
                             std::initializer_list<int64_t> index) {
  int64_t offset = 0;
  int d = 0;
  for (const int64_t i : index) offset += i * view.stride[d++];
  const auto size = static_cast<size_t>(element_bytes(view.dtype));
  const uint8_t* at = bytes.data() + static_cast<size_t>(offset) * size;
  return {at, at + size};
}

std::vector<uint8_t> pool_element(const Workload& w, const HostOperand& pool, const std::vector<uint8_t>& bytes,
                                  int64_t page, int64_t slot, int64_t h, int64_t d) {
  return w.layout == PageLayout::kSlotMajor ? element(pool.view, bytes, {page, slot, h, d})
                                            : element(pool.view, bytes, {page, h, slot, d});
}

WorkloadOptions options_for(OpId op, PageLayout layout, DType dtype) {
  WorkloadOptions options;
  options.op = op;
  options.heads = 3;
  options.head_dim = 5;
  options.page_size = 3;
  options.layout = layout;
  options.dtype = dtype;
  options.pad_row = 2;
  options.seq_lens = {5, 0, 1, 9, 3};
  return options;
}

TEST(Workload, GatherExpectationIsTheDefinition) {
  for (const auto layout : {PageLayout::kSlotMajor, PageLayout::kHeadMajor}) {
    for (const auto dtype : {DType::kUInt8, DType::kBFloat16, DType::kFloat32, DType::kInt64}) {
      const auto options = options_for(OpId::kPagedGather, layout, dtype);
      const auto workload = make_workload(options);
      ASSERT_TRUE(workload.ok());
      const Expectation expectation = expect(*workload);
      EXPECT_TRUE(expectation.faults.empty());
      EXPECT_EQ(expectation.rows_moved, 18);
      const HostOperand& packed = workload->operand("packed");
      const HostOperand& pages = workload->operand("pages");
      const HostOperand& table = workload->operand("block_table");
      const auto& out = expectation.bytes.at("packed");
      std::set<std::pair<int64_t, int64_t>> slots;
      int64_t row = 0, differing = 0;
      for (int64_t s = 0; s < 5; ++s) {
        for (int64_t t = 0; t < options.seq_lens[static_cast<size_t>(s)]; ++t, ++row) {
          const int64_t page = entry(table, s * table.view.shape[1] + t / 3);
          EXPECT_TRUE(slots.emplace(page, t % 3).second) << "two tokens share a slot";
          for (int64_t h = 0; h < 3; ++h) {
            for (int64_t d = 0; d < 5; ++d) {
              ASSERT_EQ(element(packed.view, out, {row, h, d}),
                        pool_element(*workload, pages, pages.bytes, page, t % 3, h, d));
              differing += element(packed.view, out, {row, h, d}) != element(packed.view, packed.bytes, {row, h, d});
            }
          }
        }
      }
      EXPECT_GT(differing, 200) << "the operand held its result before the launch";
      // Behind the last row, and between rows, nothing changes.
      const auto size = static_cast<size_t>(element_bytes(dtype));
      for (int64_t r = 0; r < packed.view.shape[0]; ++r) {
        const size_t begin = static_cast<size_t>(r * packed.view.stride[0] + (r < row ? 15 : 0)) * size;
        const size_t end = std::min(static_cast<size_t>((r + 1) * packed.view.stride[0]) * size, out.size());
        ASSERT_LE(begin, end);
        EXPECT_EQ(std::memcmp(out.data() + begin, packed.bytes.data() + begin, end - begin), 0);
      }
    }
  }
}

TEST(Workload, AppendExpectationIsTheDefinition) {
  for (const auto layout : {PageLayout::kSlotMajor, PageLayout::kHeadMajor}) {
    auto options = options_for(OpId::kPagedAppend, layout, DType::kFloat16);
    options.tokens = 23;
    const auto workload = make_workload(options);
    ASSERT_TRUE(workload.ok());
    const Expectation expectation = expect(*workload);
    EXPECT_TRUE(expectation.faults.empty());
    EXPECT_TRUE(expectation.alternatives.empty()) << "two tokens share a slot";
    EXPECT_EQ(expectation.rows_moved, 23);
    const HostOperand& table = workload->operand("block_table");
    for (const auto& [from_name, to_name] : {std::pair{"k", "k_pages"}, std::pair{"v", "v_pages"}}) {
      const HostOperand& from = workload->operand(from_name);
      const HostOperand& to = workload->operand(to_name);
      auto rebuilt = to.bytes;  // what must stand there, written by this test
      std::vector<int64_t> next = options.seq_lens;
      std::set<std::pair<int64_t, int64_t>> places;
      for (int64_t i = 0; i < 23; ++i) {
        const int64_t b = entry(workload->operand("batch_index"), i), p = entry(workload->operand("position"), i);
        EXPECT_GE(p, options.seq_lens[static_cast<size_t>(b)]) << "an old token is overwritten";
        EXPECT_TRUE(places.emplace(b, p).second);
        const int64_t page = entry(table, b * table.view.shape[1] + p / 3), slot = p % 3;
        for (int64_t h = 0; h < 3; ++h) {
          for (int64_t d = 0; d < 5; ++d) {
            const int64_t offset = layout == PageLayout::kSlotMajor ? ((page * 3 + slot) * 3 + h) * 5 + d
                                                                    : ((page * 3 + h) * 3 + slot) * 5 + d;
            const auto value = element(from.view, from.bytes, {i, h, d});
            std::memcpy(rebuilt.data() + 2 * offset, value.data(), 2);
          }
        }
      }
      EXPECT_EQ(rebuilt, expectation.bytes.at(to_name));
      EXPECT_NE(rebuilt, to.bytes);
    }
  }
}

TEST(Workload, EmptyBatchesAndLengthsAreValid) {
  for (const OpId op : {OpId::kPagedGather, OpId::kPagedAppend}) {
    WorkloadOptions options;
    options.op = op;
    options.tokens = 0;
    options.batch = 0;
    const auto nothing = make_workload(options);
    ASSERT_TRUE(nothing.ok()) << nothing.status().to_string();
    EXPECT_EQ(expect(*nothing).rows_moved, 0);
    options.seq_lens = {0, 0, 0};
    options.page_size = 1;
    const auto zeros = make_workload(options);
    ASSERT_TRUE(zeros.ok()) << zeros.status().to_string();
    EXPECT_EQ(expect(*zeros).rows_moved, 0);
  }
}

struct Broken {
  OpId op;
  const char* corruption;
  DeviceFault kind;
};

TEST(Workload, BrokenPromisesAreForeseen) {
  const Broken table[] = {
      {OpId::kPagedGather, "block_table:0=999999", DeviceFault::kPageIndexRange},
      {OpId::kPagedGather, "block_table:0=-1", DeviceFault::kPageIndexRange},
      {OpId::kPagedGather, "seq_lens:3=2", DeviceFault::kSeqLenMismatch},
      {OpId::kPagedGather, "seq_lens:0=-7", DeviceFault::kSeqLenMismatch},
      {OpId::kPagedGather, "cu_seqlens:2=2147483647", DeviceFault::kCuSeqlensRange},
      {OpId::kPagedGather, "cu_seqlens:2=-5", DeviceFault::kCuSeqlensRange},
      {OpId::kPagedAppend, "block_table:0=-2147483648", DeviceFault::kNone},  // no new token looks at it
      {OpId::kPagedAppend, "batch_index:4=5", DeviceFault::kBatchIndexRange},
      {OpId::kPagedAppend, "batch_index:4=-1", DeviceFault::kBatchIndexRange},
      {OpId::kPagedAppend, "position:4=-1", DeviceFault::kPositionRange},
      {OpId::kPagedAppend, "position:4=2147483647", DeviceFault::kBlockTableColumn},
  };
  for (const Broken& broken : table) {
    auto options = options_for(broken.op, PageLayout::kSlotMajor, DType::kBFloat16);
    options.tokens = 10;
    const auto corruption = parse_corruption(broken.corruption);
    ASSERT_TRUE(corruption.ok());
    options.corruptions = {*corruption};
    const auto workload = make_workload(options);
    ASSERT_TRUE(workload.ok()) << broken.corruption;
    const Expectation expectation = expect(*workload);
    if (broken.kind == DeviceFault::kNone) {
      EXPECT_TRUE(expectation.faults.empty()) << broken.corruption;
      EXPECT_TRUE(fault_is_expected(expectation, {}));
      EXPECT_FALSE(fault_is_expected(expectation, {DeviceFault::kPageIndexRange, 0}));
      continue;
    }
    ASSERT_FALSE(expectation.faults.empty()) << broken.corruption;
    EXPECT_EQ(expectation.faults.front().kind, broken.kind) << broken.corruption;
    EXPECT_TRUE(fault_is_expected(expectation, {expectation.faults.front().kind, expectation.faults.front().index}));
    EXPECT_FALSE(fault_is_expected(expectation, {})) << "a fault that is not reported passes";
  }
}

TEST(Workload, TwoTokensForOneSlotMayEndEitherWay) {
  auto options = options_for(OpId::kPagedAppend, PageLayout::kSlotMajor, DType::kInt32);
  options.seq_lens = {4};
  options.tokens = 2;
  auto workload = make_workload(options);
  ASSERT_TRUE(workload.ok());
  HostOperand& position = workload->operand("position");
  std::memcpy(position.bytes.data() + 4, position.bytes.data(), 4);
  const Expectation expectation = expect(*workload);
  const HostOperand& pool = workload->operand("k_pages");
  const HostOperand& k = workload->operand("k");
  const int64_t p = entry(position, 0);
  const int64_t page = entry(workload->operand("block_table"), p / 3);
  for (int64_t winner : {0, 1}) {
    auto actual = pool.bytes;
    for (int64_t h = 0; h < 3; ++h) {
      for (int64_t d = 0; d < 5; ++d) {
        const auto value = element(k.view, k.bytes, {winner, h, d});
        std::memcpy(actual.data() + 4 * (((page * 3 + p % 3) * 3 + h) * 5 + d), value.data(), 4);
      }
    }
    EXPECT_EQ(check_operand(pool, expectation, actual).mismatches, 0) << "winner " << winner;
    actual[static_cast<size_t>(4 * (page * 3 + p % 3) * 15)] ^= 0x80;
    EXPECT_EQ(check_operand(pool, expectation, actual).mismatches, 1);
  }
}

TEST(Check, NoticesEveryFlippedByteAndNamesItsPlace) {
  const auto workload = make_workload(options_for(OpId::kPagedGather, PageLayout::kSlotMajor, DType::kInt16));
  ASSERT_TRUE(workload.ok());
  const Expectation expectation = expect(*workload);
  const HostOperand& packed = workload->operand("packed");
  auto actual = expectation.bytes.at("packed");
  EXPECT_EQ(check_operand(packed, expectation, actual).mismatches, 0);
  EXPECT_EQ(check_operand(packed, expectation, actual).bytes_checked, std::ssize(actual));
  for (size_t i = 0; i < actual.size(); ++i) {
    actual[i] ^= 1;
    EXPECT_EQ(check_operand(packed, expectation, actual).mismatches, 1);
    actual[i] ^= 1;
  }
  actual[static_cast<size_t>((2 * packed.view.stride[0] + 5 + 3) * 2)] ^= 1;
  EXPECT_THAT(check_operand(packed, expectation, actual).first, testing::StartsWith("packed[2, 1, 3] (byte "));
  actual = expectation.bytes.at("packed");
  actual[15 * 2] ^= 1;
  EXPECT_THAT(check_operand(packed, expectation, actual).first, testing::StartsWith("packed, between its rows"));
  const HostOperand& pages = workload->operand("pages");
  auto read_only = pages.bytes;
  read_only[0] ^= 1;
  EXPECT_THAT(check_operand(pages, expectation, read_only).first, testing::HasSubstr("only read"));
}

TEST(Workload, BadOptionsAreNamedWithValueAndRule) {
  const auto message = [](auto change) {
    WorkloadOptions options;
    change(options);
    const auto workload = make_workload(options);
    EXPECT_EQ(workload.status().code(), StatusCode::kInvalidArgument);
    return workload.status().message();
  };
  EXPECT_THAT(message([](auto& o) { o.heads = -1; }), testing::HasSubstr("--heads is -1; it must be in [1, "));
  EXPECT_THAT(message([](auto& o) { o.head_dim = 0; }), testing::HasSubstr("--head-dim is 0"));
  EXPECT_THAT(message([](auto& o) { o.page_size = 0; }), testing::HasSubstr("--page-size is 0"));
  EXPECT_THAT(message([](auto& o) { o.seq_lens = {3, -1}; }), testing::HasSubstr("--seq-lens is -1"));
  EXPECT_THAT(message([](auto& o) { o.misalign_bytes = -1; }), testing::HasSubstr("--misalign is -1"));
  EXPECT_THAT(message([](auto& o) { o.heads = o.head_dim = 1 << 30; }), testing::HasSubstr("make the shapes smaller"));
  EXPECT_THAT(message([](auto& o) { o.seq_lens = {100}, o.pool_pages = 2; }), testing::HasSubstr("need 7 pages"));
  EXPECT_THAT(message([](auto& o) { o.seq_lens = {100}, o.max_pages = 2; }), testing::HasSubstr("needs 7 pages"));
  EXPECT_THAT(message([](auto& o) { o.op = OpId::kPagedAppend, o.batch = 0; }), testing::HasSubstr("--tokens is 32"));
  EXPECT_THAT(message([](auto& o) {
                o.corruptions = {{"pages", 0, 1}};
              }),
              testing::HasSubstr("one of block_table, seq_lens, cu_seqlens"));
  EXPECT_THAT(message([](auto& o) { o.corruptions = {{"seq_lens", 4, 1}}; }), testing::HasSubstr("4 entries"));
  for (const char* text : {"", "block_table", "block_table:1", "block_table=1", "block_table:x=1",
                           "block_table:1=", "block_table:1=2147483648", "block_table:1=1x"}) {
    EXPECT_EQ(parse_corruption(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace tailor::cli
