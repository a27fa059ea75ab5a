// What the checks passed so far show: difference constraints between scalars and host integers.
//
// Every fact is x - y <= c over mathematical integers, where x and y are a scalar, a symbol or zero; e.g.
// `check 0 <= %page < pool_pages` gives  zero - page <= 0  and  page - pool_pages <= -1. A question x - y <= c is
// answered by the shortest path from y to x in the graph of the facts, which is complete for such constraints over the
// integers. "No" means "not shown". Internal to codegen/tile and codegen/movement.
//
// Thread-safety: value type.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "codegen/tile/tile.h"

namespace tailor::codegen::tile {

// Constants and offsets in a program must stay within this, so that sums of path weights cannot overflow.
inline constexpr int64_t kConstantLimit = int64_t{1} << 40;
inline constexpr int64_t kScalarMax = (int64_t{1} << 31) - 1;

class Known {
 public:
  void assume(const Term& a, Relation relation, const Term& b);
  bool shows(const Term& a, Relation relation, const Term& b) const;
  // a + offset <= b
  void assume_at_most(const Term& a, int64_t offset, const Term& b);
  bool shows_at_most(const Term& a, int64_t offset, const Term& b) const;

  // What a node's success tells of its results and operands (not of loops: the caller opens those).
  void learn(const Program& program, const Node& node);
  // The induction variable of a loop over [0, extent).
  void learn_index(ValueId index, const Extent& extent);

  // Facts are scoped: forget(mark()) drops what was learnt in between.
  size_t mark() const { return edges_.size(); }
  void forget(size_t mark) { edges_.resize(mark); }

 private:
  struct Atom {
    int kind = 0;  // 0 zero, 1 symbol, 2 value
    ValueId value = 0;
    std::string symbol;
    auto operator<=>(const Atom&) const = default;
  };
  struct Place {
    uint32_t atom = 0;
    int64_t offset = 0;
  };
  struct Edge {
    uint32_t from, to;  // value(to) - value(from) <= weight
    int64_t weight;
  };
  static std::pair<Atom, int64_t> split(const Term& term);
  Place place(const Term& term);
  uint32_t atom(const Atom& a);

  std::map<Atom, uint32_t> atoms_{{Atom{}, 0}};
  std::vector<Edge> edges_;
};

}  // namespace tailor::codegen::tile
