// What the scenarios of the operations share: operands placed at addresses no better aligned than the key says, strides
// that satisfy what it says of a side and no more, faults, and the expected memory.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "runtime/bucket/key.h"
#include "tests/codegen/movement/scenario.h"

namespace tailor::test {

struct RowShape {
  int64_t heads, dim, element, page_size;
};

struct Strides {
  int64_t page = 0, slot = 0, head = 0, dim = 0, bytes = 0;
};

class ScenarioMaker {
 public:
  ScenarioMaker(const Key& key, const ScenarioOptions& options, std::mt19937& random);

  Scenario take() { return std::move(scenario_); }

  const ScenarioOptions& options() const { return options_; }
  const RowShape& shape() const { return shape_; }
  RowContiguity source() const { return source_; }
  RowContiguity target() const { return target_; }
  int64_t source_align() const { return source_align_; }
  int64_t target_align() const { return target_align_; }
  int64_t field(KeyField f) const { return static_cast<int64_t>(key_.get(f)); }

  int64_t pick(int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(random_); }
  std::mt19937& random() { return random_; }
  int32_t anything();  // INT_MIN and INT_MAX included

  // Strides of [pages, slots, H, D] (pages == 0: one row per slot), of elements of the key's size if no other is given.
  Strides strides(RowContiguity contiguity, int64_t align, int64_t pages, int64_t slots, int64_t element = 0) const;

  int64_t& symbol(uint16_t s) { return scenario_.symbols[s]; }
  // An operand of its own, far from the others, at an odd multiple of `align`.
  void place(uint16_t symbol, int64_t align, std::vector<uint8_t> bytes, bool writable);
  void place_ints(uint16_t symbol, const std::vector<int32_t>& values);
  void place_status(uint16_t symbol);
  std::vector<uint8_t> noise(int64_t bytes);
  // Noise of which every element of the rows is a number of `type` (elements.h).
  std::vector<uint8_t> numbers(DType type, const Strides& strides, int64_t rows);

  // What is expected starts as what is there.
  void expect_unchanged() { scenario_.expected = scenario_.memory; }
  void copy_row(const std::string& from, int64_t from_offset, const Strides& fs, const std::string& to,
                int64_t to_offset, const Strides& ts);
  // Every element of a row of one head comes from one of the source's rows.
  void choose_row(const std::string& from, const std::vector<int64_t>& from_offsets, const Strides& fs,
                  const std::string& to, int64_t to_offset, const Strides& ts);
  void fill_row(const std::vector<uint8_t>& element, const std::string& to, int64_t to_offset, const Strides& ts);
  const std::vector<uint8_t>& placed(const std::string& operand) const { return scenario_.memory.at(operand).bytes; }
  std::vector<uint8_t>& expected(const std::string& operand) { return scenario_.expected.at(operand).bytes; }
  void fault(DeviceFault kind, int64_t index);
  void leave_open() { scenario_.open = true; }
  bool open() const { return scenario_.open; }
  void finish_status();

 private:
  std::string name(uint16_t symbol) const;

  const Key& key_;
  const ScenarioOptions& options_;
  std::mt19937& random_;
  RowShape shape_{};
  RowContiguity source_, target_;
  int64_t source_align_ = 1, target_align_ = 1;
  uint64_t next_ = 0;
  Scenario scenario_;
};

// One per operation.
void make_paged_gather(ScenarioMaker& m);
void make_paged_append(ScenarioMaker& m);
void make_append_rope(ScenarioMaker& m);
void make_pack(ScenarioMaker& m);
void make_unpack(ScenarioMaker& m);
void make_concat(ScenarioMaker& m);
void make_split(ScenarioMaker& m);
void make_gather_rows(ScenarioMaker& m);
void make_scatter_rows(ScenarioMaker& m);
void make_convert(ScenarioMaker& m);
void make_ragged_transpose(ScenarioMaker& m);
void make_copy(ScenarioMaker& m);

}  // namespace tailor::test
