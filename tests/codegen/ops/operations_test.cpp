#include "codegen/ops/operations.h"

#include <set>

#include <gtest/gtest.h>

#include "runtime/bucket/key_space.h"

namespace tailor::codegen::ops {
namespace {

std::vector<Key> keys(OpId op, int element, int64_t page_size, int64_t heads, int64_t dim) {
  return enumerate_keys({op, Arch::kSm90a, Emitter::kLlvm, Lowering::kTail, element, page_size, heads, dim}).value();
}

constexpr OpId kOps[] = {OpId::kPagedGather, OpId::kPagedAppend};

TEST(Operations, EveryKeyGivesAProgramThatVerifiesAndReadsBack) {
  for (OpId op : kOps) {
    for (int element : {1, 2, 4, 8}) {
      for (int64_t page_size : {1, 48, 64}) {
        for (auto [heads, dim] : {std::pair<int64_t, int64_t>{1, 1}, {1, 64}, {8, 1}, {3, 5}, {8, 128}}) {
          for (const Key& key : keys(op, element, page_size, heads, dim)) {
            const Expected<tile::Program> program = build_tile(key);
            ASSERT_TRUE(program.ok()) << to_string(key) << ": " << program.status().to_string();
            const Status verified = tile::verify(*program);
            ASSERT_TRUE(verified.ok()) << to_string(key) << ": " << verified.to_string();
            const std::string text = tile::print(*program);
            const Expected<tile::Program> again = tile::parse(text);
            ASSERT_TRUE(again.ok()) << again.status().to_string() << "\n" << text;
            EXPECT_TRUE(*again == *program);
            EXPECT_EQ(tile::print(*again), text);
          }
        }
      }
    }
  }
}

// The entry symbol is constant per operation, so that equal objects are shared between keys.
TEST(Operations, TheEntryIsTheOperations) {
  for (OpId op : kOps) {
    std::set<std::string> entries;
    for (const Key& key : keys(op, 2, 16, 8, 128)) entries.insert(build_tile(key).value().entry());
    EXPECT_EQ(entries, std::set<std::string>{std::string(entry_symbol(op))});
  }
}

TEST(Operations, ViewsSayNoMoreThanTheKey) {
  for (const Key& key : keys(OpId::kPagedGather, 2, 16, 8, 128)) {
    const tile::Program program = build_tile(key).value();
    const tile::View& pages = program.views()[program.find_view("pages")];
    EXPECT_EQ(pages.base_align, int64_t{1} << key.get(KeyField::kSourceAlignLog2));
    const auto contiguity = static_cast<RowContiguity>(key.get(KeyField::kSourceContiguity));
    EXPECT_EQ(pages.dims[2].stride.exact.has_value(), contiguity == RowContiguity::kRow);
    EXPECT_EQ(pages.dims[3].stride.exact.has_value(), contiguity != RowContiguity::kNone);
    EXPECT_FALSE(pages.dims[0].stride.exact || pages.dims[1].stride.exact);
  }
}

TEST(Operations, AForgedKeyIsRefused) {
  Key key = keys(OpId::kPagedGather, 2, 16, 8, 128).front();
  key.set(KeyField::kHeads, 0);
  EXPECT_EQ(build_tile(key).status().code(), StatusCode::kInvalidArgument);
  key = keys(OpId::kPagedGather, 2, 16, 8, 128).front();
  key.set(KeyField::kOp, 77);
  EXPECT_EQ(build_tile(key).status().code(), StatusCode::kInvalidArgument);
}

// What is promised about device data appears as a check with its fault; safety needs no promise.
TEST(Operations, ChecksNameEveryFaultOfTheOperation) {
  const auto text = [](OpId op) { return tile::print(build_tile(keys(op, 2, 16, 8, 128).front()).value()); };
  for (DeviceFault fault : {DeviceFault::kCuSeqlensRange, DeviceFault::kSeqLenMismatch, DeviceFault::kBlockTableColumn,
                            DeviceFault::kPageIndexRange}) {
    EXPECT_NE(text(OpId::kPagedGather).find(tile::fault_name(fault)), std::string::npos);
  }
  for (DeviceFault fault : {DeviceFault::kBlockTableColumn, DeviceFault::kPageIndexRange, DeviceFault::kBatchIndexRange,
                            DeviceFault::kPositionRange}) {
    EXPECT_NE(text(OpId::kPagedAppend).find(tile::fault_name(fault)), std::string::npos);
  }
}

}  // namespace
}  // namespace tailor::codegen::ops
