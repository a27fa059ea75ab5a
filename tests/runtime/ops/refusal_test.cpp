// Every field of every operand of every operation, broken in every way that its contract names: refused, with a message
// that names operand and value. And what the contract allows, beside each violation, is taken.
#include <cstring>
#include <limits>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/ops/problem.h"
#include "tests/runtime/ops/operand_fields.h"
#include "tests/runtime/ops/operands.h"

namespace tailor {
namespace {

using namespace tailor::testing;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

template <class Op>
class EveryOperation : public ::testing::Test {
 protected:
  // For each operand: `spoil` breaks it, or returns an empty string when it has nothing to break there; otherwise it
  // returns what the message must hold beside the operand's name.
  template <class Spoil>
  void refused(const char* what, Spoil spoil) {
    Op good = good_operands<Op>();
    ASSERT_TRUE(make_problem(good).ok()) << make_problem(good).status().message();
    for (size_t i = 0; i < fields_of(good).size(); ++i) {
      Op op = good_operands<Op>();
      OperandField field = fields_of(op)[i];
      const std::string expected = spoil(field);
      if (expected.empty()) continue;
      const auto problem = make_problem(op);
      ASSERT_FALSE(problem.ok()) << what << " of " << field.name << " was taken: " << expected;
      EXPECT_EQ(problem.status().code(), StatusCode::kInvalidArgument);
      EXPECT_THAT(problem.status().message(), AllOf(HasSubstr(field.name), HasSubstr(expected))) << what;
    }
  }
  template <class Change>
  void taken(const char* what, Change change) {
    Op good = good_operands<Op>();
    for (size_t i = 0; i < fields_of(good).size(); ++i) {
      Op op = good_operands<Op>();
      OperandField field = fields_of(op)[i];
      change(field);
      const auto problem = make_problem(op);
      EXPECT_TRUE(problem.ok()) << what << " of " << field.name << ": " << problem.status().message();
    }
  }
};

using AllOperands = ::testing::Types<PagedGather, PagedAppend, Pack, Unpack, GatherRows, ScatterRows, Concat, Split,
                                     Convert, AppendRope, RaggedTranspose, StridedCopy>;
TYPED_TEST_SUITE(EveryOperation, AllOperands);

TYPED_TEST(EveryOperation, Ranks) {
  for (int rank : {-1, 0, 6, 1 << 30}) {
    this->refused("rank", [&](OperandField& f) {
      f.tensor->rank = rank;
      return fmt::format("rank is {}", rank);
    });
  }
  if constexpr (!std::is_same_v<TypeParam, StridedCopy>) {
    this->refused("rank", [&](OperandField& f) {
      ++f.tensor->rank;
      return fmt::format("rank is {}", f.tensor->rank);
    });
    this->refused("rank", [&](OperandField& f) {
      --f.tensor->rank;
      return fmt::format("rank is {}", f.tensor->rank);
    });
  }
}

TYPED_TEST(EveryOperation, Types) {
  this->refused("dtype", [](OperandField& f) {
    f.tensor->dtype = static_cast<DType>(77);
    return std::string("dtype is 77");
  });
  // A type of the same size, which no operand has: addresses and ranges stay right.
  this->refused("dtype", [](OperandField& f) {
    constexpr DType kOther[] = {DType::kInt8, DType::kInt16, DType::kFloat64};
    const int bytes = element_bytes(f.tensor->dtype);
    f.tensor->dtype = bytes == 1 ? kOther[0] : bytes == 2 ? kOther[1] : bytes == 4 ? DType::kFloat32 : kOther[2];
    if (bytes == 4 && !f.index) f.tensor->dtype = DType::kInt32;
    return std::string(to_string(f.tensor->dtype));
  });
}

TYPED_TEST(EveryOperation, Extents) {
  for (int d = 0; d < kMaxRank; ++d) {
    for (int64_t extent : {int64_t{-1}, int64_t{1} << 31, kHuge, std::numeric_limits<int64_t>::min()}) {
      this->refused("extent", [&](OperandField& f) {
        if (d >= f.tensor->rank) return std::string();
        f.tensor->shape[d] = extent;
        return fmt::format("shape[{}] is {}", d, extent);
      });
    }
    // One more or one less than the other operands have.
    for (int64_t change : {1, -1}) {
      TypeParam good = good_operands<TypeParam>();
      for (size_t i = 0; i < fields_of(good).size(); ++i) {
        TypeParam op = good_operands<TypeParam>();
        OperandField f = fields_of(op)[i];
        if (d >= f.tensor->rank) continue;
        f.tensor->shape[d] += change;
        const bool free = f.free_extents.find(static_cast<char>('0' + d)) != std::string::npos;
        const auto problem = make_problem(op);
        ASSERT_EQ(problem.ok(), free) << f.name << ".shape[" << d << "] " << change << ": "
                                      << problem.status().message();
        if (!free) {
          EXPECT_THAT(problem.status().message(), HasSubstr("must")) << f.name;
        }
      }
    }
  }
}

TYPED_TEST(EveryOperation, Strides) {
  for (int d = 0; d < kMaxRank; ++d) {
    this->refused("negative stride", [&](OperandField& f) {
      if (d >= f.tensor->rank || f.any_sign || f.tensor->shape[d] == 1) return std::string();
      f.tensor->stride[d] = -1;
      return fmt::format("stride[{}] is -1", d);
    });
    this->refused("stride beyond the address space", [&](OperandField& f) {
      if (d >= f.tensor->rank || f.tensor->shape[d] == 1) return std::string();
      f.tensor->stride[d] = kHuge;
      return std::string(f.index || d + 1 == f.tensor->rank ? f.name : "the byte range");
    });
    this->refused("elements that overlap", [&](OperandField& f) {
      if (d >= f.tensor->rank || !f.written) return std::string();
      f.tensor->stride[d] = 0;
      return std::string(f.tensor->rank == 1 ? "stride[0] is 0" : "names some element twice");
    });
    // The stride of an extent of 1 is not looked at.
    if constexpr (std::is_same_v<TypeParam, StridedCopy>) continue;
    this->taken("stride of one", [&](OperandField& f) {
      if (f.free_extents.find(static_cast<char>('0' + d)) == std::string::npos) return;
      f.tensor->shape[d] = 1;
      f.tensor->stride[d] = -77;
    });
  }
  this->refused("stride inside an index", [](OperandField& f) {
    if (!f.index) return std::string();
    f.tensor->stride[f.tensor->rank - 1] = 2;
    return std::string("is 2; it must be 1");
  });
  this->taken("padding", [](OperandField& f) {
    int outermost = 0;
    for (int d = 1; d < f.tensor->rank; ++d) {
      if (f.tensor->stride[d] > f.tensor->stride[outermost]) outermost = d;
    }
    if (f.tensor->rank > 1) f.tensor->stride[outermost] += 3;
  });
  this->taken("overlap of what is read", [](OperandField& f) {
    if (!f.written && f.tensor->rank > 1) f.tensor->stride[0] = 0;
  });
}

TYPED_TEST(EveryOperation, Addresses) {
  this->refused("null", [](OperandField& f) {
    if (std::strcmp(f.name, "scale") == 0) return std::string();  // means that there is none
    f.tensor->address = 0;
    return std::string("0x0");
  });
  this->refused("misaligned", [](OperandField& f) {
    if (element_bytes(f.tensor->dtype) == 1) return std::string();
    f.tensor->address += 1;
    return std::string("multiple of the element size");
  });
  for (uint64_t address : {0xfffffffffffffff8u, 0x7ffffffffffffff8u, 0x8000000000000000u}) {
    this->refused("beyond", [&](OperandField& f) {
      f.tensor->address = address;
      if (address == 0x7ffffffffffffff8u && f.tensor->shape[0] * element_bytes(f.tensor->dtype) < 8)
        return std::string();
      return fmt::format("{:#x}", address);
    });
  }
  this->taken("aligned to the element only",
              [](OperandField& f) { f.tensor->address += static_cast<uint64_t>(element_bytes(f.tensor->dtype)); });
}

// What is written, the status word too, is apart from every other operand; what is only read may coincide.
TYPED_TEST(EveryOperation, Overlap) {
  TypeParam good = good_operands<TypeParam>();
  const size_t count = fields_of(good).size();
  for (size_t i = 0; i < count; ++i) {
    for (size_t j = 0; j < count; ++j) {
      if (i == j) continue;
      TypeParam op = good_operands<TypeParam>();
      auto fields = fields_of(op);
      fields[i].tensor->address = fields[j].tensor->address;
      const auto problem = make_problem(op);
      ASSERT_EQ(problem.ok(), !fields[i].written && !fields[j].written) << fields[i].name << " on " << fields[j].name;
      if (!problem.ok()) {
        EXPECT_THAT(problem.status().message(),
                    AllOf(HasSubstr("overlaps"), HasSubstr(fields[i].name), HasSubstr(fields[j].name)));
      }
    }
    if constexpr (requires { good.status_word; }) {
      TypeParam op = good_operands<TypeParam>();
      op.status_word = fields_of(op)[i].tensor->address;
      const auto problem = make_problem(op);
      ASSERT_FALSE(problem.ok()) << "status word on " << fields_of(op)[i].name;
      EXPECT_THAT(problem.status().message(), AllOf(HasSubstr("status_word"), HasSubstr(fields_of(op)[i].name)));
    }
  }
}

TYPED_TEST(EveryOperation, StatusWord) {
  if constexpr (requires(TypeParam op) { op.status_word; }) {
    for (uint64_t address : {at(12) + 1, at(12) + 4, uint64_t{0xfffffffffffffff8}, uint64_t{0x7ffffffffffffffc}}) {
      TypeParam op = good_operands<TypeParam>();
      op.status_word = address;
      ASSERT_FALSE(make_problem(op).ok());
      EXPECT_THAT(make_problem(op).status().message(), HasSubstr(fmt::format("status_word.address is {:#x}", address)));
    }
    TypeParam op = good_operands<TypeParam>();
    op.status_word = 0;
    EXPECT_TRUE(make_problem(op).ok());
    op.status_word = at(12) + 8;
    EXPECT_TRUE(make_problem(op).ok());
  }
}

template <class Op>
void expect_refused(Op op, const std::string& expected) {
  const auto problem = make_problem(op);
  ASSERT_FALSE(problem.ok()) << expected;
  EXPECT_EQ(problem.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(problem.status().message(), HasSubstr(expected));
}
template <class Op, class Change>
void expect_refused(const std::string& expected, Change change) {
  Op op = good_operands<Op>();
  change(op);
  expect_refused(op, expected);
}

// The rules of single operations.
TEST(Refusals, OfOneOperation) {
  expect_refused<PagedGather>("layout is 9", [](auto& o) { o.layout = static_cast<PageLayout>(9); });
  expect_refused<PagedGather>("a page must hold", [](auto& o) { o.pages.shape[1] = 0; });
  expect_refused<AppendRope>("style is 2; it must be kHalves (0) or kInterleaved (1)",
                             [](auto& o) { o.style = static_cast<RopeStyle>(2); });
  expect_refused<AppendRope>("k.dtype is i16; it must be f32, f16 or bf16", [](auto& o) {
    for (Tensor* t : {&o.k, &o.v, &o.k_pages, &o.v_pages}) t->dtype = DType::kInt16;
  });
  expect_refused<AppendRope>("cos.dtype is f16; it must be f32 or that of k (bf16)",
                             [](auto& o) { o.cos.dtype = o.sin.dtype = DType::kFloat16; });
  expect_refused<AppendRope>("cos.shape[1] is 65; it must be in [1, D / 2]",
                             [](auto& o) { o.cos.shape[1] = o.sin.shape[1] = 65; });
  expect_refused<AppendRope>("cos.shape[1] is 0", [](auto& o) { o.cos.shape[1] = o.sin.shape[1] = 0; });
  expect_refused<AppendRope>("sin.stride[1] is 2; it must be 1", [](auto& o) { o.sin.stride[1] = 2; });
  expect_refused<Unpack>("padded.shape[0] * padded.shape[1] is 2147483648; the rows of padded must be below 2^31",
                         [](auto& o) {
                           o.padded = Tensor::dense(at(2), DType::kFloat16, {1 << 16, 1 << 15, 96});
                           o.cu_seqlens.shape[0] = (1 << 16) + 1;
                           o.status_word = 0;
                         });
  expect_refused<Concat>("cu_a.shape[0] is 0; it must be the number of sequences + 1",
                         [](auto& o) { o.cu_a.shape[0] = o.cu_b.shape[0] = 0; });
  expect_refused<Split>("cu_a.shape[0] is 0", [](auto& o) { o.cu_a.shape[0] = o.cu_b.shape[0] = 0; });
  expect_refused<RaggedTranspose>("cu_seqlens.shape[0] is 0", [](auto& o) { o.cu_seqlens.shape[0] = 0; });
  for (int64_t multiple : {int64_t{0}, int64_t{-4}, std::numeric_limits<int64_t>::min()}) {
    expect_refused<RaggedTranspose>(fmt::format("length_multiple is {}; it must be at least 1", multiple),
                                    [&](auto& o) { o.length_multiple = multiple; });
  }
  expect_refused<RaggedTranspose>("target.stride[0] is 2; it must be 1", [](auto& o) { o.target.stride[0] = 2; });
  expect_refused<Convert>("source.dtype is i16; it must be f32, f16, bf16, fp8_e4m3 or fp8_e5m2",
                          [](auto& o) { o.source.dtype = DType::kInt16; });
  expect_refused<Convert>("target.dtype is u8", [](auto& o) { o.target.dtype = DType::kUInt8; });
  expect_refused<Convert>("scale.dtype is i32; it must be f32", [](auto& o) { o.scale.dtype = DType::kInt32; });
  expect_refused<Convert>("scale.shape[0] is 2; it must equal the number of scales (1)",
                          [](auto& o) { o.scale.shape[0] = 2; });
  expect_refused<StridedCopy>("target has 6144 elements; it must have as many as source (7680)",
                              [](auto& o) { o.target.shape[1] = 8; });
  expect_refused<StridedCopy>("common refinement", [](auto& o) {
    o.source = Tensor::dense(at(0), DType::kFloat32, {2, 3});
    o.source.stride[0] = 4;
    o.target = Tensor::dense(at(1), DType::kFloat32, {3, 2});
    o.target.stride[0] = 4;
  });
  expect_refused<StridedCopy>("2^63", [](auto& o) {
    for (Tensor* t : {&o.source, &o.target}) *t = Tensor::dense(at(0), DType::kUInt8, {1 << 30, 1 << 30, 1 << 30});
    o.source.stride = o.target.stride = {};
  });
}

// What the contracts allow and the tables above do not reach.
TEST(Taken, OfOneOperation) {
  const auto ok = [](const auto& op) { return make_problem(op).status(); };
  Convert convert = good_operands<Convert>();
  convert.scale = Tensor{};
  EXPECT_TRUE(ok(convert).ok());
  EXPECT_EQ(make_problem(convert)->variant, 0);
  convert.target = Tensor::dense(at(3), DType::kBFloat16, {40, 96});
  EXPECT_TRUE(ok(convert).ok()) << "source and target may have one type";
  AppendRope rope = good_operands<AppendRope>();
  for (Tensor* t : {&rope.cos, &rope.sin}) *t = Tensor::dense(t->address, DType::kBFloat16, {128, 64});
  EXPECT_TRUE(ok(rope).ok()) << ok(rope).message();
  EXPECT_EQ(make_problem(rope)->rotary_dim, 128);
  rope.sin.address = rope.cos.address;
  EXPECT_TRUE(ok(rope).ok());
  GatherRows gather = good_operands<GatherRows>();
  gather.index = Tensor::dense(at(1), DType::kInt32, {40});
  EXPECT_EQ(make_problem(gather)->index_log2, 2);
  // More elements than an extent can say.
  RaggedTranspose transpose = good_operands<RaggedTranspose>();
  transpose.source = Tensor::dense(at(0), DType::kUInt8, {1 << 20, 1 << 12});
  transpose.target = Tensor::dense(uint64_t{1} << 60, DType::kUInt8, {1});
  transpose.target.shape[0] = int64_t{1} << 32;
  transpose.cu_seqlens.address = at(200), transpose.status_word = 0;
  EXPECT_TRUE(ok(transpose).ok()) << ok(transpose).message();
  EXPECT_TRUE(make_problem(transpose)->index64);
}

// An extent of 0 is valid everywhere but in a page; nothing is launched when there is nothing to write, and a problem
// whose every index would break a promise is launched, so that it is reported.
TEST(Taken, ExtentsOfZero) {
  const auto expect = [](const auto& op, bool nothing, const char* what) {
    const auto problem = make_problem(op);
    ASSERT_TRUE(problem.ok()) << what << ": " << problem.status().message();
    EXPECT_EQ(problem->empty, nothing) << what;
  };
  const auto none = [](std::initializer_list<int64_t> shape, DType dtype = DType::kFloat16) {
    return Tensor::dense(0, dtype, shape);
  };
  const Tensor one_offset = Tensor::dense(at(1), DType::kInt32, {1});

  Pack pack = pack_operands();
  pack.packed = none({0, 96});
  expect(pack, true, "pack to no rows");
  pack = pack_operands(), pack.padded = none({4, 0, 96});
  expect(pack, false, "sequences longer than Lmax = 0");
  pack = pack_operands(), pack.padded = none({0, 32, 96}), pack.cu_seqlens = one_offset;
  expect(pack, true, "no sequence to pack");
  pack = pack_operands(), pack.padded = none({4, 32, 0}), pack.packed = none({100, 0});
  expect(pack, true, "rows of nothing");

  Unpack unpack = unpack_operands();
  unpack.packed = none({0, 96});
  expect(unpack, false, "only filling");
  unpack = unpack_operands(), unpack.padded = none({4, 0, 96});
  expect(unpack, true, "Lmax = 0");
  unpack = unpack_operands(), unpack.padded = none({0, 32, 96}), unpack.cu_seqlens = one_offset;
  expect(unpack, true, "no sequence to unpack");

  GatherRows gather = gather_rows_operands();
  gather.source = none({0, 96}, DType::kFloat32);
  expect(gather, false, "every index is out of range");
  gather.target = none({0, 96}, DType::kFloat32), gather.index = none({0}, DType::kInt64);
  expect(gather, true, "no index");
  ScatterRows scatter = scatter_rows_operands();
  scatter.target = none({0, 96}, DType::kFloat32);
  expect(scatter, false, "every index is out of range");
  scatter.source = none({0, 96}, DType::kFloat32), scatter.index = none({0}, DType::kInt64);
  expect(scatter, true, "no index");

  Concat concat = concat_operands();
  concat.a = none({0, 96}, DType::kBFloat16);
  expect(concat, false, "b alone");
  concat.b = concat.a;
  expect(concat, true, "neither");
  concat = concat_operands(), concat.out = none({0, 96}, DType::kBFloat16);
  expect(concat, false, "no row fits");
  concat = concat_operands(), concat.cu_a = concat.cu_b = one_offset;
  expect(concat, true, "no sequence");
  Split split = split_operands();
  split.a = none({0, 96}, DType::kBFloat16);
  expect(split, false, "b alone");
  split.b = split.a;
  expect(split, true, "neither");

  Convert convert = convert_operands();
  convert.source = none({0, 96}, DType::kBFloat16), convert.target = none({0, 96}, DType::kFloat8E4M3);
  expect(convert, true, "no rows");

  AppendRope rope = append_rope_operands();
  for (Tensor* t : {&rope.cos, &rope.sin}) *t = none({0, 32}, DType::kFloat32);
  expect(rope, false, "every position is beyond the table");
  for (Tensor* t : {&rope.k, &rope.v, &rope.batch_index, &rope.position}) t->shape[0] = 0, t->address = 0;
  expect(rope, true, "no tokens");
  rope = append_rope_operands();
  for (Tensor* t : {&rope.k, &rope.v}) *t = none({40, 8, 0}, DType::kBFloat16);
  for (Tensor* t : {&rope.k_pages, &rope.v_pages}) *t = none({64, 16, 8, 0}, DType::kBFloat16);
  for (Tensor* t : {&rope.cos, &rope.sin}) *t = none({128, 0}, DType::kFloat32);
  expect(rope, true, "D = 0");

  RaggedTranspose transpose = ragged_transpose_operands();
  transpose.source = none({0, 96}), transpose.target = none({0});
  expect(transpose, true, "no rows");
  transpose = ragged_transpose_operands(), transpose.cu_seqlens = one_offset;
  expect(transpose, true, "no sequence");

  StridedCopy copy = copy_operands();
  copy.source = none({0, 7}, DType::kFloat32), copy.target = none({3, 0, 2}, DType::kFloat32);
  expect(copy, true, "no elements, whatever the shapes");
}

// What stands in the fields that an operation does not look at is of no account.
TEST(Taken, TheBytesOfFillBeyondTheElement) {
  for (const auto& [dtype, expected] : {std::pair{DType::kUInt8, uint64_t{0x7878787878787878}},
                                        {DType::kFloat16, uint64_t{0x5678567856785678}},
                                        {DType::kFloat32, uint64_t{0x1234567812345678}},
                                        {DType::kInt64, uint64_t{0xabcdef0112345678}}}) {
    Unpack op;
    op.packed = Tensor::dense(at(0), dtype, {9, 3});
    op.cu_seqlens = Tensor::dense(at(1), DType::kInt32, {3});
    op.padded = Tensor::dense(at(2), dtype, {2, 5, 3});
    op.fill = 0xabcdef0112345678;
    EXPECT_EQ(static_cast<uint64_t>(make_problem(op)->values[unpack::kFill]), expected);
  }
}

TEST(LengthMultiple, IsTheGreatestCommonDivisorOfTheOffsets) {
  EXPECT_EQ(length_multiple(std::array<int32_t, 4>{0, 12, 20, 60}), 4);
  EXPECT_EQ(length_multiple(std::array<int32_t, 3>{0, 7, 7}), 7);
  EXPECT_EQ(length_multiple(std::array<int32_t, 3>{0, 0, 0}), 1);
  EXPECT_EQ(length_multiple({}), 1);
}

}  // namespace
}  // namespace tailor
