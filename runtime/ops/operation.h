// What an operation brings to the schema: its symbols and the facts that its key asserts. Private to runtime/ops.
//
// Adding an operation: its line in TAILOR_OPS, its struct and its line in TAILOR_OPERANDS (tailor/ops.h), its line in
// TAILOR_KEY_DOMAINS (runtime/bucket/key_domain.h), its symbol table (*_symbols.h), and here operation_of and
// fill_problem in a file of runtime/ops. Thread-safety: constants and pure functions.
#pragma once

#include <initializer_list>
#include <limits>
#include <span>

#include "runtime/bucket/facts.h"
#include "runtime/bucket/key.h"
#include "runtime/ops/symbol.h"
#include "tailor/ops.h"

namespace tailor {

// Collects what a key asserts; one call per group of symbols.
class FactWriter {
 public:
  using Symbols = std::initializer_list<uint16_t>;

  explicit FactWriter(const Key& key)
      : key_(key),
        heads_(value(KeyField::kHeads)),
        head_dim_(value(KeyField::kHeadDim)),
        stride_max_(key.get(KeyField::kIndex64) ? kInt64Max : kExtentMax) {}

  int64_t value(KeyField field) const { return static_cast<int64_t>(key_.get(field)); }
  int64_t element() const { return int64_t{1} << value(KeyField::kElementLog2); }

  void add(const Fact& fact) { facts_.push_back(fact); }
  void exact(uint16_t symbol, int64_t number) { add(Fact::exact(symbol, number)); }
  void exact(uint16_t symbol, KeyField field) { exact(symbol, value(field)); }
  void extents(Symbols symbols) {
    for (uint16_t s : symbols) add(Fact::range(s, 0, kExtentMax));
  }
  void addresses(Symbols symbols, int64_t divisor) {
    for (uint16_t s : symbols) {
      add(Fact::range(s, 0, kInt64Max));
      add(Fact::divisible(s, divisor));
    }
  }
  // A kernel that reports takes any word, and none; one that does not must not be given one that it would ignore.
  void status_word(uint16_t symbol) {
    if (value(KeyField::kReports) == 0) return exact(symbol, 0);
    addresses({symbol}, 8);
  }
  // With 32-bit indices no stride reaches 2^31: every extent above 1 steps at least once.
  void strides(Symbols symbols, int64_t divisor) { strides(symbols, divisor, 0); }
  // Negative ones come with 64-bit indices only.
  void signed_strides(Symbols symbols, int64_t divisor) {
    strides(symbols, divisor, stride_max_ == kInt64Max ? -stride_max_ : 0);
  }

  // One side of rows [H, D]: addresses, outer strides, and the strides inside a row.
  void source(Symbols bases, Symbols outer, Symbols heads, Symbols dims) {
    side(KeyField::kSourceContiguity, KeyField::kSourceAlignLog2, element(), bases, outer, heads, dims);
  }
  void target(Symbols bases, Symbols outer, Symbols heads, Symbols dims) {
    target(element(), bases, outer, heads, dims);
  }
  void target(int64_t element, Symbols bases, Symbols outer, Symbols heads, Symbols dims) {
    side(KeyField::kTargetContiguity, KeyField::kTargetAlignLog2, element, bases, outer, heads, dims);
  }

  FactSet take() { return std::move(facts_); }

 private:
  static constexpr int64_t kExtentMax = (int64_t{1} << 31) - 1;
  static constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();

  void strides(Symbols symbols, int64_t divisor, int64_t least) {
    for (uint16_t s : symbols) {
      add(Fact::range(s, least, stride_max_));
      add(Fact::divisible(s, divisor));
    }
  }
  void side(KeyField contiguity_field, KeyField align_field, int64_t element, Symbols bases, Symbols outer,
            Symbols heads, Symbols dims);

  Key key_;
  int64_t heads_, head_dim_, stride_max_;
  FactSet facts_;
};

struct Operation {
  std::span<const SymbolSpec> symbols;
  void (*facts)(FactWriter& facts);
  std::span<const SymbolProduct> products = {};
};

template <class Operands>
const Operation& operation_of();
#define X(name, Operands) \
  template <>             \
  const Operation& operation_of<Operands>();
TAILOR_OPERANDS(X)
#undef X

}  // namespace tailor
