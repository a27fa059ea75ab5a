// Polynomials and predicates at concrete values of a few atoms: the enumeration of lanes and waves.
//
// Example: with lane = 5, `16*lane + 128` is 208 and `((lane + 64) mod 65)` is 4. An atom that is neither given nor
// defined by atoms that are has no value.
//
// Ownership: refers to the knowledge, which must outlive it and not grow. Thread-safety: none.
#pragma once

#include <optional>
#include <vector>

#include "codegen/prove/knowledge.h"

namespace tailor::codegen::prove {

class Evaluation {
 public:
  explicit Evaluation(const Knowledge& knowledge) : knowledge_(knowledge), cells_(knowledge.atom_count()) {}

  // Forgets what was computed, and the values that were set.
  void clear() { ++now_; }
  void set(Atom a, Wide value) { cells_[a] = {now_, true, value}; }

  std::optional<Wide> value(const Polynomial& p);
  std::optional<bool> value(PredicateId p);

 private:
  struct Cell {
    uint32_t when = 0;
    bool known = false;
    Wide value = 0;
  };
  const Cell& cell(Atom a);

  const Knowledge& knowledge_;
  std::vector<Cell> cells_;
  uint32_t now_ = 1;
};

}  // namespace tailor::codegen::prove
