// The host's side of a proof: parameters as polynomials over the symbols of the schema, operands with their extents and
// strides, and what validation of a Problem guarantees.
//
// Invariants that are used, and where they come from:
//   every symbol satisfies the facts of the key                                              runtime/bucket
//   a parameter is its expression of the plan, and grid.x the plan's                         runtime/dispatch
//   an operand that has elements spans  element + Σ (extent - 1)*stride  bytes, at most 2^31  runtime/ops/problem.h
//   when the key says 32 bits, and ends below 2^63 always
//   1 <= sm_count, occupancy <= 2^20                                                         runtime/driver
//   symbols that are products of others                                                      runtime/ops/symbol.h
//   the high half of 2n times the multiplier of d, shifted right by the shift of d, is       runtime/ops/launch_plan.h
//   floor(n / d) for 0 <= n < 2^31 and 1 <= d < 2^31 (Granlund, Montgomery, theorem 4.2)
//
// Lemma (chunks). With  grid = min(ceil(Y / R), G)  and  chunk = max(ceil(X / G), R), X <= Y, of a grid with a block:
//   X <= grid*chunk <= max(Y + R - 1, X + grid - 1) <= Y + grid + R - 2.
// Below: chunk is at least R and at least ceil(X / G). Above: grid*R <= Y + R - 1, and G*ceil(X / G) <= X + G - 1 gives
// grid*ceil(X / G) <= X + grid - 1, because (G - grid)*(X - 1) >= 0 (if X = 0, the chunk is R). R >= 1 may depend on
// the host's numbers.
// Rounded up to a multiple of T <= R, a chunk that is not R is at most ceil(X / G) + T - 1 with X > G*R >= grid*T, so
//   X <= grid*chunk <= max(Y + R - 1, 2*X - 2).
//
// Ownership: refers to subject and knowledge, which must outlive it. Thread-safety: none.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/kernel/ir.h"
#include "codegen/prove/knowledge.h"
#include "codegen/tile/tile.h"
#include "runtime/bucket/facts.h"
#include "runtime/ops/launch_plan.h"
#include "runtime/ops/schema.h"

namespace tailor::codegen::prove {

// What is proved of what, under what.
struct Subject {
  const kernel::Program& program;
  const LaunchPlan& plan;
  std::span<const tile::View> views;
  std::string_view status;  // the operand of 8 bytes that is there when its address is not 0; empty: none
  std::span<const Fact> facts;
  std::span<const SymbolSpec> symbols;
  bool index64 = false;
  std::span<const SymbolProduct> products = {};  // runtime/ops/symbol.h
};

struct OperandDim {
  Polynomial extent, stride;  // bytes
};

struct Operand {
  std::string name;
  bool writable = false;
  bool is_shared = false;
  int element = 1;
  Polynomial base;
  std::vector<OperandDim> dims;
  Polynomial bytes;  // when no extent is 0
  Wide limit = 0;    // bytes <= limit
};

// Moves from `rest` to `index` what steps along dimension k, whose stride is a constant times a symbol. Less than a
// step is left for a later dimension whose stride has the same symbol, and so is what `is_finer`. False: there is none,
// or the stride is of another form.
//   strides 256*s, s and rest = 512*p*s + 64*s + 16:   index 2*p, rest 64*s + 16;   then index 64, rest 16
bool take_index(const Operand& operand, size_t k, Polynomial& rest, Polynomial& index,
                const std::function<bool(Monomial)>& is_finer);

class Host {
 public:
  Host(const Subject& subject, Knowledge& knowledge);

  const Polynomial& parameter(size_t i) const { return parameters_[i]; }
  const Polynomial& grid() const { return grid_; }
  bool one_dimensional() const { return one_dimensional_; }
  const std::vector<Operand>& operands() const { return operands_; }
  int find_operand(std::string_view name) const;  // -1: none

  // The d of which p is the multiplier or the shift; broken: p is neither.
  Polynomial divisor_of(const Polynomial& p, PlanOp op) const;

  // False if some extent may be 0 here.
  bool shows_not_empty(const Operand& operand);

 private:
  struct Computed {
    PlanOp op;
    Polynomial a, b, result;
  };
  Polynomial symbol(size_t index) const { return symbols_[index]; }
  int find_symbol(std::string_view name) const;
  void define_products();
  Polynomial evaluate(const PlanExpression& expression);
  Polynomial reciprocal(PlanOp op, const Polynomial& divisor);
  Polynomial apply(PlanOp op, const Polynomial& a, const Polynomial& b);
  const Computed* computed(const Polynomial& result, PlanOp op) const;
  void chunk_lemma(const Polynomial& chunk);
  bool at_least(const Polynomial& a, const Polynomial& b) const;
  Polynomial extent(const tile::Extent& e) const;
  Polynomial stride(const tile::Stride& s) const;

  const Subject& subject_;
  Knowledge& knowledge_;
  std::vector<Polynomial> symbols_, parameters_;
  std::vector<Computed> computed_;
  Polynomial sm_count_, blocks_per_sm_, grid_;
  bool one_dimensional_ = true;
  std::vector<Operand> operands_;
};

}  // namespace tailor::codegen::prove
