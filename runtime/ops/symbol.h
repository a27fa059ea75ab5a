// What a symbol is: one int64 host value of an operation, an extent, a stride or an address.
//
// Each operation lists its symbols in one table, from which the validator, the bucket function, the launch plan, the
// documentation and `tailor buckets` are made: paged_symbols.h, row_symbols.h, ragged_symbols.h, copy_symbols.h.
// Strides are in BYTES here (the public API has them in elements) except table_stride, which counts int32 entries.
// Thread-safety: constants.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace tailor {

enum class Binding : uint8_t {
  kStatic,  // exact in the key; a constant of the code
  kBucket,  // a coarsened fact in the key (divisibility, contiguity); the exact value is a parameter
  kLaunch,  // exact host value; a parameter
};

// Address alignment and stride divisibility are facts of a whole side: every symbol of the side shares one power of
// two, the smallest of its members', because the code depends on nothing finer.
enum class Side : uint8_t { kNeither, kSource, kTarget };

struct SymbolSpec {
  std::string_view name;
  Binding binding;
  Side side;
  std::string_view meaning;
};

// An invariant of every Problem: a symbol is the product of others, where `unless_zero`, if it is one, is not 0.
struct SymbolProduct {
  uint16_t product;
  std::span<const uint16_t> factors;
  int unless_zero = -1;
};

// TAILOR_SYMBOLS(space, TABLE): namespace space { enum Symbol … kSymbolCount }, from X(name, text, binding, side,
// meaning), and kSymbols, the table itself.
#define TAILOR_SYMBOL_NAME(name, text, binding, side, meaning) name,
#define TAILOR_SYMBOL_SPEC(name, text, binding, side, meaning) \
  ::tailor::SymbolSpec{text, ::tailor::Binding::binding, ::tailor::Side::side, meaning},
#define TAILOR_SYMBOLS(space, TABLE)                                                            \
  namespace space {                                                                             \
  enum Symbol : uint16_t { TABLE(TAILOR_SYMBOL_NAME) kSymbolCount };                            \
  inline constexpr std::array<SymbolSpec, kSymbolCount> kSymbols = {TABLE(TAILOR_SYMBOL_SPEC)}; \
  }

}  // namespace tailor
