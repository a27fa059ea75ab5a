// Operands of the largest extents, in sparse memory, of which only chosen blocks run: no 32-bit step may wrap where it
// matters. Rows of one byte.
#include <functional>
#include <random>

#include <gtest/gtest.h>

#include "codegen/movement/lower.h"
#include "codegen/ops/operations.h"
#include "runtime/bucket/key_space.h"
#include "runtime/ops/schema.h"
#include "tests/codegen/movement/scenario.h"

namespace tailor {
namespace {

using codegen::kernel::testing::interpret;

constexpr int64_t kTwo30 = int64_t{1} << 30, kTwo31 = int64_t{1} << 31;

// One launch: symbols by name, operands as sparse memory, rows of one loop that must be taken.
class Launch {
 public:
  Launch(OpId op, Lowering lowering, bool wide, int index_bytes = 4) : op_(op) {
    StaticConfiguration c{op, Arch::kSm90a, Emitter::kLlvm, lowering, 1, 0, 1, 1};
    c.index_bytes = index_bytes;
    const std::vector<Key> keys = enumerate_keys(c).value();
    for (const Key& key : keys) {
      if (key.get(KeyField::kIndex64) == (wide ? 1u : 0u)) key_ = key;
    }
    symbols_.assign(symbols_of(op).size(), 0);
    set("heads", 1), set("head_dim", 1), set("element_bytes", 1);
  }

  void set(const std::string& name, int64_t value) { symbols_[index(name)] = value; }
  test::MemoryBlock& place(const std::string& name, int64_t bytes, bool writable) {
    set(name, static_cast<int64_t>(next_));
    test::MemoryBlock& block = memory_[name];
    block = {next_, {}, writable, static_cast<uint64_t>(bytes), {}};
    next_ += uint64_t{1} << 40;
    return block;
  }
  template <class T>
  void place_entries(const std::string& name, int64_t count, const std::map<int64_t, T>& entries) {
    test::MemoryBlock& block = place(name, count * static_cast<int64_t>(sizeof(T)), false);
    for (const auto& [at, value] : entries) block.write(static_cast<uint64_t>(at) * sizeof(T), &value, sizeof(T));
  }
  test::MemoryBlock& operator[](const std::string& name) { return memory_.at(name); }

  // Runs the blocks that own the rows of every loop's list, in the order of the loops.
  void run(const std::vector<std::vector<int64_t>>& rows) {
    const auto tile = codegen::ops::build_tile(key_).value();
    ASSERT_TRUE(codegen::tile::verify(tile).ok());
    const auto lowered = codegen::movement::lower(tile, key_);
    ASSERT_TRUE(lowered.ok()) << lowered.status().to_string();
    ASSERT_TRUE(codegen::kernel::verify(lowered->program).ok());
    place("status_word", 8, true);
    for (const Fact& premise : lowered->premises) ASSERT_TRUE(holds(premise, symbols_));
    const DeviceNumbers device{1 << 16, 128};
    const auto grid = static_cast<uint32_t>(evaluate(lowered->plan.grid[0], symbols_, device));
    const std::vector<int64_t> parameters = test::parameter_values(lowered->plan, symbols_, device);
    std::vector<uint32_t> blocks{0, grid - 1};
    for (size_t loop = 0; loop < rows.size(); ++loop) {
      const std::string chunk = loop == 0 ? "chunk" : "chunk" + std::to_string(loop);
      for (size_t p = 0; p < lowered->program.parameters.size(); ++p) {
        if (lowered->program.values[lowered->program.parameters[p].value].name != chunk) continue;
        for (int64_t row : rows[loop]) blocks.push_back(static_cast<uint32_t>(row / parameters[p]));
      }
    }
    ASSERT_EQ(interpret(lowered->program, {grid, {parameters.begin(), parameters.end()}, blocks}, memory_), "");
  }

  uint8_t byte(const std::string& name, int64_t at) {
    uint8_t value = 0;
    memory_.at(name).read(static_cast<uint64_t>(at), &value, 1);
    return value;
  }
  DeviceFaultReport fault() {
    uint64_t word = 0;
    memory_.at("status_word").read(0, &word, 8);
    return decode_status_word(word);
  }

 private:
  size_t index(const std::string& name) const {
    const auto specs = symbols_of(op_);
    for (size_t s = 0; s < specs.size(); ++s) {
      if (specs[s].name == name) return s;
    }
    ADD_FAILURE() << "no symbol " << name;
    return 0;
  }

  OpId op_;
  Key key_;
  std::vector<int64_t> symbols_;
  test::Memory memory_;
  uint64_t next_ = uint64_t{1} << 40;
};

constexpr Lowering kLowerings[] = {Lowering::kTail, Lowering::kGuarded, Lowering::kPow2Mask};

uint8_t value_of(int64_t row) { return static_cast<uint8_t>(1 + row % 251); }

void each_case(const std::function<void(Lowering lowering, bool wide)>& f) {
  for (Lowering lowering : kLowerings) {
    for (bool wide : {false, true}) {
      SCOPED_TRACE(std::string(to_string(lowering)) + (wide ? ", 64-bit" : ", 32-bit"));
      f(lowering, wide);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

// Slots up to 2^31 - 2, divided by a length that the host knows.
TEST(Extremes, UnpackDividesTheLargestSlots) {
  each_case([](Lowering lowering, bool wide) {
    for (const int64_t length : {int64_t{715827882}, int64_t{1}, int64_t{3}, kTwo30 - 1, kTwo31 - 2}) {
      const int64_t batch = (kTwo31 - 2) / length, slots = batch * length, stride = wide ? 3 : 1;
      if (!wide && 4 * batch >= kTwo31) continue;  // offsets into cu_seqlens need 64 bits then
      const int64_t rows = kTwo31 - 2;
      Launch launch(OpId::kUnpack, lowering, wide);
      launch.set("rows", rows), launch.set("batch", batch), launch.set("padded_rows", length);
      launch.set("slots", slots), launch.set("fill", 0x7777777777777777);
      launch.set("packed_row_stride", 1);
      launch.set("padded_sequence_stride", batch > 1 ? length * stride : 0);
      launch.set("padded_row_stride", length > 1 ? stride : 0);
      test::MemoryBlock& packed = launch.place("packed", rows, false);
      launch.place("padded", (slots - 1) * stride + 1, true);
      // Sequence 0 is full; the last has one row, and fills but for length 1.
      const int64_t last = batch - 1, last_row = last == 1 ? length : rows - 1;
      std::map<int64_t, int32_t> cu{{1, static_cast<int32_t>(length)}};
      if (last > 0) cu[last] = static_cast<int32_t>(last_row), cu[batch] = static_cast<int32_t>(last_row + 1);
      launch.place_entries("cu_seqlens", batch + 1, cu);
      for (int64_t row : {int64_t{0}, length - 1, last_row}) packed.sparse[static_cast<uint64_t>(row)] = value_of(row);
      launch.run({{0, length - 1, last * length, slots - 1}});
      EXPECT_EQ(launch.byte("padded", 0), value_of(0)) << length;
      EXPECT_EQ(launch.byte("padded", (length - 1) * stride), value_of(length - 1)) << length;
      if (last == 0) continue;
      EXPECT_EQ(launch.byte("padded", last * length * stride), value_of(last_row)) << length;
      if (length > 1) {
        EXPECT_EQ(launch.byte("padded", (slots - 1) * stride), 0x77) << length;
      }
    }
  });
}

// Places up to 2^31 - 2, and sums that would be negative as signed numbers.
TEST(Extremes, ConcatAddsTheLargestOffsets) {
  each_case([](Lowering lowering, bool wide) {
    for (const bool fits : {true, false}) {
      const int64_t a = kTwo30, b = kTwo30 - 1, rows = fits ? a + b : kTwo30, stride = wide ? 3 : 1;
      Launch launch(OpId::kConcat, lowering, wide);
      launch.set("a_rows", a), launch.set("b_rows", b), launch.set("rows", rows), launch.set("batch", 2);
      launch.set("a_row_stride", 1), launch.set("b_row_stride", 1), launch.set("out_row_stride", stride);
      test::MemoryBlock& first = launch.place("a", a, false);
      test::MemoryBlock& second = launch.place("b", b, false);
      launch.place("out", (rows - 1) * stride + 1, true);
      launch.place_entries<int32_t>("cu_a", 3, {{1, 5}, {2, static_cast<int32_t>(a)}});
      launch.place_entries<int32_t>("cu_b", 3, {{1, static_cast<int32_t>(b - 9)}, {2, static_cast<int32_t>(b)}});
      struct Row {
        int64_t row, place;
      };
      const std::vector<Row> from_a = {{4, 4}, {5, 5 + b - 9}, {a - 1, a - 1 + b - 9}};
      const std::vector<Row> from_b = {{0, 5}, {b - 10, b - 10 + 5}, {b - 9, b - 9 + a}, {b - 1, b - 1 + a}};
      std::vector<std::vector<int64_t>> taken(2);
      for (const Row& r : from_a)
        first.sparse[static_cast<uint64_t>(r.row)] = value_of(r.row), taken[0].push_back(r.row);
      for (const Row& r : from_b)
        second.sparse[static_cast<uint64_t>(r.row)] = value_of(r.row), taken[1].push_back(r.row);
      launch.run(taken);
      for (const auto& list : {from_a, from_b}) {
        for (const Row& r : list) {
          if (r.place < rows) {
            EXPECT_EQ(launch.byte("out", r.place * stride), value_of(r.row)) << r.row;
          }
        }
      }
      EXPECT_EQ(launch.fault().kind, fits ? DeviceFault::kNone : DeviceFault::kConcatRow);
    }
  });
}

// Entries of 64 bits whose low halves are in range, and the last row that an index can name.
TEST(Extremes, GatherRowsReadsTheWholeEntry) {
  each_case([](Lowering lowering, bool wide) {
    const int64_t rows = 7, last = kTwo31 - 2, stride = wide ? 3 : 1;
    Launch launch(OpId::kGatherRows, lowering, wide, 8);
    launch.set("rows", rows), launch.set("source_rows", last + 1);
    launch.set("source_row_stride", stride), launch.set("target_row_stride", 1);
    test::MemoryBlock& source = launch.place("source", last * stride + 1, false);
    launch.place("target", rows, true);
    launch.place_entries<int64_t>(
        "index", rows,
        {{0, last}, {1, last + 1}, {2, int64_t{1} << 32}, {3, -1}, {4, kTwo31}, {5, INT64_MIN}, {6, last - 1}});
    source.sparse[static_cast<uint64_t>(last * stride)] = 11;
    source.sparse[static_cast<uint64_t>((last - 1) * stride)] = 12;
    source.sparse[0] = 13;
    launch.run({{0}});
    const std::vector<int> expected = {11, 0, 0, 0, 0, 0, 12};
    for (int64_t i = 0; i < rows; ++i) EXPECT_EQ(launch.byte("target", i), expected[static_cast<size_t>(i)]) << i;
    EXPECT_EQ(launch.fault().kind, DeviceFault::kRowIndexRange);
    EXPECT_EQ(launch.fault().index, 1);
  });
}

}  // namespace
}  // namespace tailor
