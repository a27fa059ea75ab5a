#include "codegen/ops/operations.h"

#include <set>

#include <gtest/gtest.h>

#include "runtime/bucket/key_space.h"
#include "tests/codegen/movement/configurations.h"

namespace tailor::codegen::ops {
namespace {

std::vector<Key> keys(OpId op, int element, int64_t page_size, int64_t heads, int64_t dim) {
  return enumerate_keys({op, Arch::kSm90a, Emitter::kLlvm, Lowering::kTail, element, page_size, heads, dim}).value();
}

struct Operation {
  OpId op;
  std::vector<DeviceFault> faults;
};

const Operation kOps[] = {
    {OpId::kPagedGather,
     {DeviceFault::kCuSeqlensRange, DeviceFault::kSeqLenMismatch, DeviceFault::kBlockTableColumn,
      DeviceFault::kPageIndexRange}},
    {OpId::kPagedAppend,
     {DeviceFault::kBlockTableColumn, DeviceFault::kPageIndexRange, DeviceFault::kBatchIndexRange,
      DeviceFault::kPositionRange}},
    {OpId::kPack, {DeviceFault::kCuSeqlensRange, DeviceFault::kSegmentTooLong}},
    {OpId::kUnpack, {DeviceFault::kCuSeqlensRange, DeviceFault::kSegmentTooLong}},
    {OpId::kGatherRows, {DeviceFault::kRowIndexRange}},
    {OpId::kScatterRows, {DeviceFault::kRowIndexRange}},
    {OpId::kConcat, {DeviceFault::kCuSeqlensRange, DeviceFault::kConcatRow}},
    {OpId::kSplit, {DeviceFault::kCuSeqlensRange, DeviceFault::kConcatRow}},
    {OpId::kConvert, {}},
    {OpId::kAppendRope,
     {DeviceFault::kBlockTableColumn, DeviceFault::kPageIndexRange, DeviceFault::kBatchIndexRange,
      DeviceFault::kPositionRange, DeviceFault::kRopePosition}},
};

std::vector<Key> sample(OpId op, size_t count) {
  return test::sample_keys(op, Arch::kSm90a, Emitter::kLlvm, Lowering::kTail, count);
}

void expect_verifies_and_reads_back(const Key& key) {
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

TEST(Operations, EveryKeyGivesAProgramThatVerifiesAndReadsBack) {
  for (const Operation& o : kOps) {
    for (const Key& key : sample(o.op, 500)) expect_verifies_and_reads_back(key);
  }
}

// The entry symbol is constant per operation, so that equal objects are shared between keys.
TEST(Operations, TheEntryIsTheOperations) {
  for (const Operation& o : kOps) {
    std::set<std::string> entries;
    for (const Key& key : sample(o.op, 20)) entries.insert(build_tile(key).value().entry());
    EXPECT_EQ(entries, std::set<std::string>{std::string(entry_symbol(o.op))});
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
  for (const Operation& o : kOps) {
    const std::string text = tile::print(build_tile(sample(o.op, 1).front()).value());
    for (DeviceFault fault : o.faults) {
      EXPECT_NE(text.find("else " + std::string(tile::fault_name(fault))), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace tailor::codegen::ops
