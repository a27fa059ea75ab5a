// Validation: each rule refuses its violation and names operand, value and rule; legal layouts are taken.
#include "runtime/ops/problem.h"

#include <functional>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/runtime/ops/operands.h"

namespace tailor {
namespace {

using testing::append_operands;
using testing::at;
using testing::gather_operands;
using ::testing::HasSubstr;

template <class Op>
struct Case {
  const char* expected;  // part of the message
  std::function<void(Op&)> spoil;
};

template <class Op>
void expect_refused(const std::vector<Case<Op>>& cases, const Op& good) {
  ASSERT_TRUE(make_problem(good).ok()) << make_problem(good).status().message();
  for (const auto& c : cases) {
    Op op = good;
    c.spoil(op);
    const auto problem = make_problem(op);
    ASSERT_FALSE(problem.ok()) << c.expected;
    EXPECT_EQ(problem.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(problem.status().message(), HasSubstr(c.expected));
  }
}

constexpr int64_t kBig = int64_t{1} << 31;
constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

TEST(PagedGatherProblem, RefusesWithOperandValueAndRule) {
  using C = Case<PagedGather>;
  expect_refused<PagedGather>(
      {
          C{"pages.rank is 3; it must be 4", [](auto& o) { o.pages.rank = 3; }},
          C{"packed.rank is -1", [](auto& o) { o.packed.rank = -1; }},
          C{"block_table.rank is 1", [](auto& o) { o.block_table.rank = 1; }},
          C{"seq_lens.rank is 2", [](auto& o) { o.seq_lens.rank = 2; }},
          C{"pages.dtype is 77", [](auto& o) { o.pages.dtype = static_cast<DType>(77); }},
          C{"packed.dtype is f16; it must equal that of pages (bf16)",
            [](auto& o) { o.packed.dtype = DType::kFloat16; }},
          C{"block_table.dtype is i64; it must be i32", [](auto& o) { o.block_table.dtype = DType::kInt64; }},
          C{"cu_seqlens.dtype is f32", [](auto& o) { o.cu_seqlens.dtype = DType::kFloat32; }},
          C{"pages.shape[0] is -1", [](auto& o) { o.pages.shape[0] = -1; }},
          C{"packed.shape[0] is 2147483648; an extent must be in [0, 2^31)", [](auto& o) { o.packed.shape[0] = kBig; }},
          C{"block_table.shape[1] is 9223372036854775807", [](auto& o) { o.block_table.shape[1] = kHuge; }},
          C{"pages.shape[1] is 0; a page must hold", [](auto& o) { o.pages.shape[1] = 0; }},
          C{"seq_lens.shape[0] is 3; it must equal block_table.shape[0] (4)", [](auto& o) { o.seq_lens.shape[0] = 3; }},
          C{"cu_seqlens.shape[0] is 4; it must equal block_table.shape[0] + 1 (5)",
            [](auto& o) { o.cu_seqlens.shape[0] = 4; }},
          C{"packed.shape[1] is 7; it must equal H of pages (8)", [](auto& o) { o.packed.shape[1] = 7; }},
          C{"packed.shape[2] is 64; it must equal D of pages (128)", [](auto& o) { o.packed.shape[2] = 64; }},
          C{"pages.stride[0] is -1; a stride must not be negative", [](auto& o) { o.pages.stride[0] = -1; }},
          C{"packed.stride[2] is -1", [](auto& o) { o.packed.stride[2] = -1; }},
          C{"block_table.stride[1] is 2; it must be 1", [](auto& o) { o.block_table.stride[1] = 2; }},
          C{"seq_lens.stride[0] is 0; it must be 1", [](auto& o) { o.seq_lens.stride[0] = 0; }},
          C{"pages.address is 0x0 (element of 2 bytes); a null pointer", [](auto& o) { o.pages.address = 0; }},
          C{"packed.address is 0x0", [](auto& o) { o.packed.address = 0; }},
          C{"cu_seqlens.address is 0x0", [](auto& o) { o.cu_seqlens.address = 0; }},
          C{"pages.address is 0x7f0000000001 (element of 2 bytes); it must be a multiple of the element size",
            [](auto& o) { o.pages.address += 1; }},
          C{"block_table.address", [](auto& o) { o.block_table.address += 2; }},
          C{"status_word.address", [](auto& o) { o.status_word += 4; }},
          C{"pages.address is 0x7f0000000000 (element of 2 bytes); the byte range",
            [](auto& o) { o.pages.stride[0] = kHuge; }},
          C{"the byte range", [](auto& o) { o.pages.stride[0] = kHuge / 63 / 2; }},
          C{"packed.address is 0xfffffffffffff000", [](auto& o) { o.packed.address = 0xfffffffffffff000; }},
          C{"status_word.address is 0xfffffffffffffff8", [](auto& o) { o.status_word = 0xfffffffffffffff8; }},
          C{"pages.row is 2147483648",
            [](auto& o) { o.pages.shape[2] = 1 << 16, o.pages.shape[3] = 1 << 15, o.pages.shape[0] = 0; }},
          C{"packed (extent:stride 300:1023, 8:128, 128:1) names some element twice",
            [](auto& o) { o.packed.stride[0] = 1023; }},
          C{"names some element twice", [](auto& o) { o.packed.stride[1] = 0; }},
          C{"layout is 9", [](auto& o) { o.layout = static_cast<PageLayout>(9); }},
          C{"packed [0x7f0000000000, 0x7f0000096000) overlaps pages", [](auto& o) { o.packed.address = at(0); }},
          C{"overlaps pages", [](auto& o) { o.packed.address = o.pages.address + 64 * 16 * 8 * 128 * 2 - 2; }},
          C{"packed [", [](auto& o) { o.packed.address = at(1) - 64; }},
          C{"overlaps seq_lens", [](auto& o) { o.seq_lens.address = o.packed.address + 4096; }},
          C{"overlaps cu_seqlens", [](auto& o) { o.cu_seqlens.address = o.packed.address + 4096; }},
          C{"overlaps status_word", [](auto& o) { o.status_word = o.packed.address + 8; }},
          C{"status_word [0x7f0020000008, 0x7f0020000010) overlaps seq_lens",
            [](auto& o) { o.status_word = o.seq_lens.address + 8; }},
      },
      gather_operands());
}

TEST(PagedAppendProblem, RefusesWithOperandValueAndRule) {
  using C = Case<PagedAppend>;
  expect_refused<PagedAppend>(
      {
          C{"k.rank is 4", [](auto& o) { o.k.rank = 4; }},
          C{"v.shape[0] is 39; it must equal k.shape[0] (40)", [](auto& o) { o.v.shape[0] = 39; }},
          C{"position.shape[0] is 41", [](auto& o) { o.position.shape[0] = 41; }},
          C{"batch_index.shape[0] is 0", [](auto& o) { o.batch_index.shape[0] = 0; }},
          C{"v.dtype is f16", [](auto& o) { o.v.dtype = DType::kFloat16; }},
          C{"v_pages.dtype is i16", [](auto& o) { o.v_pages.dtype = DType::kInt16; }},
          C{"v_pages.shape[0] is 63; it must equal that of k_pages (64)", [](auto& o) { o.v_pages.shape[0] = 63; }},
          C{"k.shape[1] is 4; it must equal H of k_pages (8)", [](auto& o) { o.k.shape[1] = 4; }},
          C{"v.shape[2] is 127", [](auto& o) { o.v.shape[2] = 127; }},
          C{"k.address is 0x0", [](auto& o) { o.k.address = 0; }},
          C{"v_pages.address is 0x0", [](auto& o) { o.v_pages.address = 0; }},
          C{"k_pages (extent:stride 64:0, 16:1024, 8:128, 128:1) names some element twice",
            [](auto& o) { o.k_pages.stride[0] = 0; }},
          C{"v_pages (extent", [](auto& o) { o.v_pages.stride[3] = 0; }},
          C{"k_pages [0x7f0000000000, 0x7f0000200000) overlaps k ", [](auto& o) { o.k_pages.address = at(0); }},
          C{"overlaps k_pages", [](auto& o) { o.v_pages.address = o.k_pages.address; }},
          C{"overlaps k_pages", [](auto& o) { o.v_pages.address = o.k_pages.address + 1024; }},
          C{"v_pages [", [](auto& o) { o.v_pages.address = o.v.address; }},
          C{"overlaps block_table", [](auto& o) { o.block_table.address = o.v_pages.address + 64; }},
          C{"overlaps status_word", [](auto& o) { o.status_word = o.k_pages.address; }},
          C{"status_word [", [](auto& o) { o.status_word = o.position.address; }},
      },
      append_operands());
}

// One allocation [P, 2, page_size, H, D]: byte ranges interleave, elements do not.
TEST(PagedAppendProblem, InterleavedPoolsAreTaken) {
  PagedAppend op = append_operands();
  const int64_t page = 16 * 8 * 128;
  op.k_pages.stride[0] = op.v_pages.stride[0] = 2 * page;
  op.v_pages.address = op.k_pages.address + static_cast<uint64_t>(page) * 2;
  EXPECT_TRUE(make_problem(op).ok()) << make_problem(op).status().message();
  std::swap(op.k_pages, op.v_pages);
  EXPECT_TRUE(make_problem(op).ok());
  op.k_pages.address -= 2;  // the last element of a K page is now the first of the next V page
  EXPECT_FALSE(make_problem(op).ok());
  op.k_pages.address += 1;
  EXPECT_FALSE(make_problem(op).ok());
}

TEST(PagedGatherProblem, LegalLayoutsAreTaken) {
  const auto taken = [](auto spoil) {
    PagedGather op = gather_operands();
    spoil(op);
    const auto problem = make_problem(op);
    EXPECT_TRUE(problem.ok()) << problem.status().message();
    return problem.ok() ? *problem : Problem{};
  };
  // Head-major pages.
  Problem p = taken([](auto& o) {
    o.layout = PageLayout::kHeadMajor;
    o.pages = Tensor::dense(at(0), DType::kBFloat16, {64, 8, 16, 128});
  });
  EXPECT_EQ(p.source_contiguity, RowContiguity::kHead);
  EXPECT_EQ(p.values[gather::kSlotStride], 256);
  EXPECT_EQ(p.values[gather::kSourceHeadStride], 16 * 256);
  // The same memory seen as [P, page_size, H, D] by permuting strides.
  Problem q = taken([](auto& o) { o.pages.stride = {8 * 16 * 128, 128, 16 * 128, 1}; });
  EXPECT_EQ(p.values, q.values);
  // Packed rows padded to 1030 elements; heads permuted; dims innermost-first.
  EXPECT_EQ(taken([](auto& o) { o.packed.stride = {1030, 128, 1}; }).target_align_log2, 2);
  EXPECT_EQ(taken([](auto& o) { o.packed.stride = {128, 300 * 128, 1}; }).target_contiguity, RowContiguity::kHead);
  p = taken([](auto& o) { o.packed.stride = {1024, 1, 8}; });
  EXPECT_EQ(p.target_contiguity, RowContiguity::kNone);
  EXPECT_EQ(p.target_align_log2, 1);  // the head stride is one element
  // Read-only operands may overlap themselves and each other.
  taken([](auto& o) { o.pages.stride[0] = 0; });
  taken([](auto& o) { o.block_table.stride[0] = 0; });
  taken([](auto& o) { o.seq_lens.address = o.cu_seqlens.address; });
  // Touching ranges do not overlap.
  taken([](auto& o) { o.packed.address = o.pages.address + 64 * 16 * 8 * 128 * 2; });
  // Strides of an extent of 1 are never used.
  p = taken([](auto& o) {
    o.pages.shape = {1, 1, 8, 128};
    o.pages.stride[0] = -77;
    o.pages.stride[1] = kHuge;
  });
  EXPECT_EQ(p.values[gather::kPageStride], 0);
  EXPECT_EQ(p.values[gather::kSlotStride], 0);
  taken([](auto& o) { o.status_word = 0; });
}

TEST(PagedGatherProblem, EmptyExtentsAreValid) {
  const auto made = [](auto spoil) {
    PagedGather op = gather_operands();
    spoil(op);
    const auto problem = make_problem(op);
    EXPECT_TRUE(problem.ok()) << problem.status().message();
    return problem.ok() ? *problem : Problem{};
  };
  EXPECT_TRUE(made([](auto& o) { o.packed = Tensor::dense(0, DType::kBFloat16, {0, 8, 128}); }).empty);
  EXPECT_TRUE(made([](auto& o) {
                o.block_table = Tensor::dense(0, DType::kInt32, {0, 8});
                o.seq_lens = Tensor::dense(0, DType::kInt32, {0});
                o.cu_seqlens = Tensor::dense(at(3), DType::kInt32, {1});
              }).empty);
  for (int d : {2, 3}) {
    EXPECT_TRUE(made([&](auto& o) {
                  o.pages.shape[d] = 0;
                  o.packed.shape[d - 1] = 0;
                }).empty);
  }
  // No pages, or no columns: every table entry is out of range, which the kernel must report.
  Problem p = made([](auto& o) { o.pages = Tensor::dense(0, DType::kBFloat16, {0, 16, 8, 128}); });
  EXPECT_FALSE(p.empty);
  EXPECT_EQ(p.values[gather::kPoolPages], 0);
  EXPECT_EQ(p.source_contiguity, RowContiguity::kRow);
  p = made([](auto& o) { o.block_table = Tensor::dense(0, DType::kInt32, {4, 0}); });
  EXPECT_FALSE(p.empty);
  EXPECT_EQ(p.values[gather::kTableStride], 0);
}

TEST(PagedAppendProblem, EmptyExtentsAreValid) {
  PagedAppend op = append_operands();
  for (Tensor* t : {&op.k, &op.v, &op.batch_index, &op.position}) t->shape[0] = 0, t->address = 0;
  auto problem = make_problem(op);
  ASSERT_TRUE(problem.ok()) << problem.status().message();
  EXPECT_TRUE(problem->empty);
  op = append_operands();
  op.block_table = Tensor::dense(0, DType::kInt32, {0, 0});
  problem = make_problem(op);
  ASSERT_TRUE(problem.ok()) << problem.status().message();
  EXPECT_FALSE(problem->empty) << "every batch index is out of range, which the kernel must report";
}

TEST(Index64, IsSetFromTheByteThatInt32CannotReach) {
  PagedGather op = gather_operands();
  op.pages = Tensor::dense(at(0) - (uint64_t{1} << 40), DType::kUInt8, {(1 << 20), 16, 8, 16});
  op.packed = Tensor::dense(at(4), DType::kUInt8, {300, 8, 16});
  EXPECT_FALSE(make_problem(op)->index64);  // 2^31 bytes: offsets up to 2^31 - 1
  op.pages.shape[0] += 1;
  EXPECT_TRUE(make_problem(op)->index64);
  // A broadcast source spans little, but the work does not fit int32.
  PagedAppend append = append_operands();
  append.k.shape[0] = append.v.shape[0] = append.batch_index.shape[0] = append.position.shape[0] = 1 << 20;
  append.k.stride[0] = append.v.stride[0] = 0;
  EXPECT_TRUE(make_problem(append)->index64);
}

TEST(PagedAppendProblem, KeyAndValueShareTheWeakerFacts) {
  PagedAppend op = append_operands();
  EXPECT_EQ(make_problem(op)->source_align_log2, 4);
  op.v.address += 4;
  EXPECT_EQ(make_problem(op)->source_align_log2, 2);
  EXPECT_EQ(make_problem(op)->target_align_log2, 4);
  op.v.stride = {1032, 129, 1};
  EXPECT_EQ(make_problem(op)->source_contiguity, RowContiguity::kHead);
  EXPECT_EQ(make_problem(op)->source_align_log2, 1);  // v's head stride is 258 bytes
}

// DESIGN "Bucket": launches that differ in residues of the row give keys that differ where the code differs.
TEST(MakeKey, AlignmentIsWhatTheCodeCanUse) {
  const auto key = [](int64_t row_elements, uint64_t shift) {
    PagedGather op = gather_operands();
    op.packed.stride[0] = row_elements;
    op.packed.address += shift;
    return make_key(*make_problem(op), Arch::kSm90a, Emitter::kLlvm, Lowering::kTail);
  };
  EXPECT_EQ(key(1024, 0), key(1032, 0)) << "16-byte alignment either way";
  EXPECT_EQ(key(1024, 0), key(2048, 4096));
  EXPECT_NE(key(1024, 0), key(1028, 0));
  EXPECT_NE(key(1024, 0), key(1024, 8));
  EXPECT_EQ(key(1024, 8), key(1028, 0));
}

}  // namespace
}  // namespace tailor
