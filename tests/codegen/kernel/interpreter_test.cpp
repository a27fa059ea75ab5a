// The oracle against results computed by hand here.
#include "tests/codegen/kernel/interpreter.h"

#include <cstring>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/codegen/kernel/programs.h"

namespace tailor::codegen::kernel::testing {
namespace {

template <class T>
T at(const MemoryBlock& block, size_t offset) {
  T value;
  std::memcpy(&value, block.bytes.data() + offset, sizeof value);
  return value;
}

TEST(Interpreter, CopiesExactlyTheElementsOfTheExample) {
  std::vector<MemoryBlock> memory(2);
  memory[0] = {0x1000, std::vector<uint8_t>(16 * 300, 0xee)};
  memory[1] = {0x10000, std::vector<uint8_t>(16 * 300)};
  std::iota(memory[1].bytes.begin(), memory[1].bytes.end(), uint8_t{3});
  ASSERT_EQ(interpret(example(), {2, {0x1000, 0x10000, 299}}, memory), "");
  EXPECT_EQ(0, std::memcmp(memory[0].bytes.data(), memory[1].bytes.data(), 16 * 299));
  EXPECT_EQ(at<uint8_t>(memory[0], 16 * 299), 0xee);
  EXPECT_NE(interpret(example(), {2, {0x1000, 0x10000, 301}}, memory).find("lie in no block"), std::string::npos);
  EXPECT_NE(interpret(example(), {1, {0x1008, 0x10000, 1}}, memory).find("not a multiple of 16"), std::string::npos);
}

TEST(Interpreter, ControlMatchesTheClosedForms) {
  std::vector<MemoryBlock> memory{{0x1000, std::vector<uint8_t>(64 * kControlBytes)}};
  const int32_t n = 11;
  ASSERT_EQ(interpret(control(), {1, {0x1000, static_cast<uint64_t>(n)}}, memory), "");
  for (uint32_t tid = 0; tid < 64; ++tid) {
    size_t row = tid * kControlBytes;
    EXPECT_EQ(at<uint32_t>(memory[0], row), 89u);       // F(11)
    EXPECT_EQ(at<uint32_t>(memory[0], row + 8), 144u);  // F(12)
    EXPECT_EQ(at<uint32_t>(memory[0], row + 16), std::gcd(tid + 1, 12u));
    EXPECT_EQ(at<int64_t>(memory[0], row + 24), -3 - 1 + 1 + 3 + 5 + 7 + 9);
    EXPECT_EQ(at<uint32_t>(memory[0], row + 32), 1u);  // seven flips
    EXPECT_EQ(at<uint32_t>(memory[0], row + 40), tid % 3 == 0 && tid < 11 ? tid : 0u);
  }
}

TEST(Interpreter, ArithmeticMatchesTheHost) {
  std::vector<MemoryBlock> memory{{0x1000, std::vector<uint8_t>(32 * kArithmeticBytes)}};
  const uint32_t a = 0x80000005;
  const uint32_t b = 0xfffffff9;
  ASSERT_EQ(interpret(arithmetic(Type::kI32), {1, {0x1000, a, b, 0x80000001}}, memory), "");
  auto slot = [&](size_t k) { return at<uint32_t>(memory[0], 8 * k); };
  EXPECT_EQ(slot(0), a + b);
  EXPECT_EQ(slot(2), a * b);
  EXPECT_EQ(slot(3), static_cast<uint32_t>((uint64_t{a} * b) >> 32));
  EXPECT_EQ(slot(4), a);  // min.s
  EXPECT_EQ(slot(5), b);  // max.s
  EXPECT_EQ(slot(11), a << 5);
  EXPECT_EQ(slot(15), static_cast<uint32_t>(static_cast<int32_t>(a) >> 5));
}

TEST(Interpreter, HoldsEveryAccessToTheOperandThatItNames) {
  const Program program = example();
  const Memory good{{"dst", {0x1000, std::vector<uint8_t>(16 * 300), true}},
                    {"src", {0x10000, std::vector<uint8_t>(16 * 300, 7)}}};
  auto error = [&](Memory memory, uint64_t dst = 0x1000, uint64_t n = 300) {
    return interpret(program, {2, {dst, 0x10000, n}}, memory);
  };
  auto but = [&](auto change) {
    Memory memory = good;
    change(memory);
    return memory;
  };
  using ::testing::HasSubstr;
  EXPECT_EQ(error(good), "");
  EXPECT_THAT(error(good, 0x1000, 301),
              HasSubstr("block 1 thread 44: 16 bytes at src + 4800 (vector), which has 4800"));
  EXPECT_THAT(error(good, 0x10000), HasSubstr("16 bytes at dst + 61440"));  // inside src, which it does not name
  EXPECT_THAT(error(good, 0xff0), HasSubstr("16 bytes at dst + -16"));
  EXPECT_THAT(error(but([](Memory& m) { m["dst"].writable = false; })), HasSubstr("dst is not writable"));
  EXPECT_THAT(error(but([](Memory& m) { m["src"].writable = true; })), HasSubstr("the load read-only"));
  EXPECT_THAT(error(but([](Memory& m) { m.erase("src"); })), HasSubstr("no operand src"));
}

TEST(Interpreter, CountsWhatAChosenBlockDoesToSparseMemory) {
  const uint64_t size = uint64_t{16} << 30;
  Memory memory{{"dst", {uint64_t{1} << 40, {}, true, size}}, {"src", {uint64_t{1} << 41, {}, false, size}}};
  memory["src"].sparse[16 * 256 + 3] = 9;
  RunCounts counts;
  const Launch launch{1u << 20, {uint64_t{1} << 40, uint64_t{1} << 41, 300}, {1}};
  ASSERT_EQ(interpret(example(), launch, memory, &counts), "");
  uint8_t moved[16];
  memory["dst"].read(16 * 256, moved, 16);
  EXPECT_EQ(moved[3], 9);
  EXPECT_EQ(memory["dst"].sparse.size(), 16u * 44);
  EXPECT_EQ(counts.loads, 44u);
  EXPECT_EQ(counts.stores, 44u);
  EXPECT_EQ(counts.store_widths, (std::map<int, uint64_t>{{16, 44}}));
  EXPECT_EQ(counts.instructions, 256u * 6 + 44 * 5);
}

// Every guard of the program is true, false or that of an even thread: as often on as off.
TEST(Interpreter, CountsGuardsAndAtomics) {
  Memory memory{{"out", {0x100000, std::vector<uint8_t>(64 * kMemoryBytes), true}},
                {"in", {0x200000, std::vector<uint8_t>(64 * kMemoryBytes), false}}};
  RunCounts counts;
  ASSERT_EQ(interpret(testing::memory(true), {1, {0x100000, 0x200000}}, memory, &counts), "");
  EXPECT_EQ(counts.guarded % 6, 0u);
  EXPECT_GT(counts.guarded, 0u);
  EXPECT_EQ(counts.guarded_off, counts.guarded / 2);

  Builder b("join", 7);
  Value word = b.parameter(Type::kPtr, "word");
  b.atomic_max_u64(word, b.zero_extend(b.special(Special::kTidX)), {"word", "joined", 8, false});
  memory = {{"word", {8, {4, 0, 0, 0, 0, 0, 0, 0}, true}}};
  ASSERT_EQ(interpret(b.finish(), {1, {8}}, memory, &counts), "");
  EXPECT_EQ(counts.atomics, 7u);
  EXPECT_EQ(at<uint64_t>(memory["word"], 0), 6u);
}

// Thread t writes the byte pair t, waits if `together`, and reads the pair t ^ 1 or, with `broadcast`, the first.
Program exchange(bool together, bool broadcast, uint32_t bytes) {
  Builder b("exchange", 64);
  Value out = b.parameter(Type::kPtr, "out");
  Value tid = b.special(Special::kTidX);
  Value pairs = b.shared(bytes);
  auto at = [&](Value base, Value index) { return b.ptr_add(base, b.mul(index, b.i32(2))); };
  b.store(Type::kB16, at(pairs, tid), b.constant(Type::kB16, 0x1234), {"", "own", 2, false});
  if (together) b.barrier();
  Value other = broadcast ? b.i32(0) : b.binary(Op::kXor, tid, b.i32(1));
  b.store(Type::kB16, at(out, tid), b.load(Type::kB16, at(pairs, other), {"", "other", 2, false}),
          {"out", "other", 2, false});
  return b.finish();
}

TEST(Interpreter, SharedMemoryPassesValuesAcrossABarrierOnly) {
  using ::testing::HasSubstr;
  const Memory good{{"out", {0x1000, std::vector<uint8_t>(128), true}}};
  auto run = [&](const Program& program, RunCounts* counts = nullptr) {
    Memory memory = good;
    std::string error = interpret(program, {1, {0x1000}}, memory, counts);
    EXPECT_TRUE(!error.empty() || at<uint16_t>(memory["out"], 126) == 0x1234);
    return error;
  };
  RunCounts counts;
  EXPECT_EQ(run(exchange(true, false, 128), &counts), "");
  EXPECT_EQ(counts.shared_loads, 64u);
  EXPECT_EQ(counts.shared_stores, 64u);
  EXPECT_EQ(counts.stores, 64u);
  EXPECT_EQ(counts.barriers, 1u);
  EXPECT_EQ(run(exchange(true, true, 128)), "");
  EXPECT_THAT(run(exchange(false, false, 128)), HasSubstr("thread 0: shared + 2 was written by thread 1 since"));
  EXPECT_THAT(run(exchange(true, false, 126)), HasSubstr("2 bytes at shared + 126, which has 126 bytes"));

  Builder b("stale", 64);
  Value word = b.shared(4);
  b.load(Type::kB32, word, {"", "nothing", 4, false});
  EXPECT_THAT(run(b.finish()), HasSubstr("shared + 0 was never written"));

  Builder late("late", 64);
  Value slot = late.shared(1);
  Value first = late.compare(Compare::kEq, late.special(Special::kTidX), late.i32(0));
  late.store(Type::kB8, slot, late.constant(Type::kB8, 1), {"", "byte", 1, false}, first);
  late.barrier();
  late.load(Type::kB8, slot, {"", "byte", 1, false});
  late.store(Type::kB8, slot, late.constant(Type::kB8, 1), {"", "byte", 1, false}, first);
  EXPECT_THAT(run(late.finish()), HasSubstr("thread 0: shared + 0 was read by several threads since"));
}

TEST(Interpreter, StopsAtAWideShiftAndAnEndlessLoop) {
  Builder shift("shift", 1);
  shift.binary(Op::kShl, shift.i32(1), shift.i32(32));
  Builder loop("loop", 1);
  loop.while_loop(
      {},
      [&](const auto&) {
        return std::pair{loop.constant(Type::kPred, 1), Builder::Values{}};
      },
      [](const auto&) { return Builder::Values{}; });
  std::vector<MemoryBlock> memory;
  EXPECT_THAT(interpret(shift.finish(), {}, memory), ::testing::HasSubstr("shift by 32"));
  EXPECT_THAT(interpret(loop.finish(), {}, memory), ::testing::HasSubstr("on and on"));
}

}  // namespace
}  // namespace tailor::codegen::kernel::testing
