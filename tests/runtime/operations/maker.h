// What the problem makers of this folder share: random extents, operands, offsets and faults.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/runtime/operations/problem.h"
#include "tests/runtime/ops/random_operands.h"

namespace tailor::truth {

// The violations that a launch meets; what its status word may be.
class Faults {
 public:
  void add(DeviceFault fault, int64_t index) { add(std::vector<DeviceFault>{fault}, index); }
  // One of several faults of one row, or what was added for the same index before.
  void add(const std::vector<DeviceFault>& faults, int64_t index) {
    const uint64_t here = status_word(DeviceFault::kNone, index) >> 8, before = *words_.begin() >> 8;
    if (before > here) return;
    if (before < here) words_.clear();
    for (const DeviceFault fault : faults) words_.insert(status_word(fault, index));
  }
  const std::set<uint64_t>& words() const { return words_; }

 private:
  std::set<uint64_t> words_ = {0};
};

class Maker {
 public:
  Maker(Kind kind, uint32_t seed, Problem& problem) : random(seed), kind_(kind), seed_(seed), problem_(problem) {}

  testing::OperandGenerator random;

  bool hostile() const { return kind_ == Kind::kHostile; }
  bool wide() const { return kind_ == Kind::kWide; }
  DType any_dtype();
  uint64_t any_bits() {
    const int64_t high = random.pick(0, UINT32_MAX), low = random.pick(0, UINT32_MAX);
    return static_cast<uint64_t>(high) << 32 | static_cast<uint64_t>(low);
  }

  // Rows, tokens, lengths: at most `most`.
  int64_t count(int64_t most);
  // Elements of a row, around the bytes of vectors and of warps of vectors; at most `most`.
  int64_t dim(DType dtype, int64_t most);

  Operand& tensor(const char* name, DType dtype, const std::vector<int64_t>& shape, bool written);
  Operand& place(const char* name, const Tensor& view, bool written);
  Operand& numbers(const char* name, DType dtype, const std::vector<int64_t>& shape, const std::vector<int64_t>& values,
                   int64_t row_gap = 0);

  // B + 1 offsets of sequences of up to `longest` rows, the first at 0 or a little later.
  std::vector<int64_t> offsets(int64_t batch, int64_t longest, int64_t multiple = 1);
  // Some of them replaced by what is negative, decreasing, or beyond `rows`.
  void spoil(std::vector<int64_t>& offsets, int64_t rows);

  // A status word in half of the problems, always in hostile ones. Its address.
  uint64_t status();
  void expect_word(const Faults& faults) { problem_.words = faults.words(); }
  void expect_words(std::set<uint64_t> words) { problem_.words = std::move(words); }
  // No fault or any.
  void expect_any() { problem_.open = true; }

  // Takes the operands' memory as it stands for the state before the launch; expectations come after.
  void settle();
  template <class Op>
  void launches(const Op& op) {
    problem_.launch = [op](Runtime& runtime, const LaunchOptions& options) { return runtime.launch(op, options); };
  }

 private:
  Kind kind_;
  uint32_t seed_;
  uint64_t placed_ = 0;
  Problem& problem_;
};

// True if offsets[s] … offsets[s + 1] is a range of rows.
inline bool is_range(const std::vector<int64_t>& offsets, int64_t s, int64_t rows) {
  const auto at = static_cast<size_t>(s);
  return 0 <= offsets[at] && offsets[at] <= offsets[at + 1] && offsets[at + 1] <= rows;
}

// Row `to` of one operand becomes row `from` of another, both of `width` elements.
inline void move_row(Operand& target, int64_t to, const Operand& source, int64_t from, int64_t width) {
  for (int64_t d = 0; d < width; ++d) target.expect(to * width + d, source.bits(from * width + d));
}
inline void allow_row(Operand& target, int64_t to, const Operand& source, int64_t from, int64_t width) {
  for (int64_t d = 0; d < width; ++d) target.allow(to * width + d, source.bits(from * width + d));
}

void make_paged_gather(Maker& m);
void make_paged_append(Maker& m);
void make_append_rope(Maker& m);
void make_pack(Maker& m);
void make_unpack(Maker& m);
void make_gather_rows(Maker& m);
void make_scatter_rows(Maker& m);
void make_concat(Maker& m);
void make_split(Maker& m);
void make_convert(Maker& m);
void make_ragged_transpose(Maker& m);
void make_copy(Maker& m);

}  // namespace tailor::truth
