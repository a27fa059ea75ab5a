// GuardedAffineLayout: affine pieces over the integers, each under a guard, with parameters.
//
// Worked example. Two ragged tensors of n and 5 rows, 8 columns each, stored one after the other but the second with a
// padded row of 12 elements; the concatenation as one layout over i (rows) and j (columns):
//
//     layout [n] (i: n + 5, j: 8) -> 1 {
//       when -i + n - 1 >= 0: (8*i + j);
//       when i - n >= 0: (12*i + j - 4*n);
//     }
//
// With n = 3: (2, 7) -> 23 by the first piece, (3, 0) -> 24 by the second, (8, 0) is outside the domain.
//
// Meaning. Dimensions x_1…x_r with 0 <= x_k < extent_k, extents affine in the parameters. A piece is (guard, A, b): a
// conjunction of affine (in)equalities in dimensions and parameters, floor terms allowed, and the map x ↦ A x + b.
// Entries of A and b are affine in the parameters, so a symbolic stride is an entry like any other. Outputs are
// whatever the caller counts in (elements here, usually). Invariant: at most one guard holds at any point of the
// domain; a layout that comes from the constructors and operations below has it whenever its inputs have it (pieces
// from a caller are checked by `check_disjoint` in isl_bridge.h).
//
// Text form (printed and parsed back; == is preserved):
//     layout     := 'layout' '[' names? ']' '(' dims? ')' '->' rank '{' piece* '}'
//     dims       := name ':' affine (',' name ':' affine)*
//     piece      := ('when' constraint ('and' constraint)*)? ':' '(' outputs? ')' ';'
//     constraint := affine ('<=' | '<' | '>=' | '>' | '=') affine
//     affine     := sums and integer multiples of names, floor(affine / integer), affine 'mod' integer, parentheses
//     outputs    := comma-separated sums that may also hold products of a parameter expression and a dimension: s*i
//
// What acts on one layout and stays affine is a member. Composition of two layouts, complement, divisions, products,
// reshapes and casts are in guarded_algebra.h, inverses and common vectors in guarded_inverse.h.
//
// Ownership: value type. Threads: const access from any thread. Errors: kInvalidArgument for overflow, unknown names,
// wrong ranks and unparsable text; kUnsupported where a result would not be affine (the message names the product).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/integer/matrix.h"
#include "codegen/layout/affine.h"
#include "codegen/layout/facts.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

struct Dim {
  std::string name;
  AffineExpr extent;  // over parameters
  friend bool operator==(const Dim&, const Dim&) = default;
};

struct Piece {
  std::vector<Constraint> guard;
  std::vector<std::vector<AffineExpr>> a;  // [output][dimension], over parameters
  std::vector<AffineExpr> b;               // [output], over parameters
  friend bool operator==(const Piece&, const Piece&) = default;
};

// y ↦ C y + d: old dimension k becomes Σ_j C[k][j] y_j + d[k].
struct AffineMap {
  std::vector<Dim> dims;      // the new dimensions y
  integer::Matrix c;          // old rank × new rank
  std::vector<AffineExpr> d;  // old rank, over parameters
};

class GuardedAffineLayout;

// A dimension bound to a page found at run time: see GuardedAffineLayout::page.
struct PagedLayout;

class GuardedAffineLayout {
 public:
  // Empty layout of rank 0: no dimensions, no pieces.
  GuardedAffineLayout() = default;
  // Checks names (unique, valid, every symbol a dimension or a parameter) and ranks.
  static Expected<GuardedAffineLayout> create(std::vector<std::string> parameters, std::vector<Dim> dims,
                                              size_t outputs, std::vector<Piece> pieces);
  // As create, with whatever other symbols occur as parameters: those of `known` first, in that order, then by name.
  static Expected<GuardedAffineLayout> of_pieces(std::vector<Dim> dims, size_t outputs, std::vector<Piece> pieces,
                                                 const std::vector<std::string>& known = {});
  // One piece without a guard: x ↦ Σ stride_k x_k + offset. Parameters are whatever symbols occur.
  static Expected<GuardedAffineLayout> strided(std::vector<Dim> dims, std::vector<AffineExpr> strides,
                                               AffineExpr offset = {});
  static Expected<GuardedAffineLayout> parse(std::string_view text);
  std::string to_string() const;

  const std::vector<std::string>& parameters() const { return parameters_; }
  const std::vector<Dim>& dims() const { return dims_; }
  size_t rank() const { return dims_.size(); }
  size_t outputs() const { return outputs_; }
  const std::vector<Piece>& pieces() const { return pieces_; }
  std::optional<size_t> find_dim(std::string_view name) const;
  // One piece without a guard, constant A, constant or parametric b: what the fast paths handle.
  bool is_plain_strided() const;

  // The value at a point (one coordinate per dimension); nullopt outside the domain or under no guard.
  Expected<std::optional<std::vector<int64_t>>> evaluate(const std::vector<int64_t>& point,
                                                         const Assignment& parameters = {}) const;

  // L ∘ (y ↦ C y + d). Points that leave the old domain are guarded away.
  Expected<GuardedAffineLayout> compose(const AffineMap& map) const;
  // Neighbouring dimensions (slow, fast) become one, "slow*fast" flattened under the name of the fast one, where that
  // is exact: the fast extent is a constant e, A_slow = e * A_fast in every piece, and no guard mentions either except
  // as the combination e*slow + fast. Dimensions of extent 1 disappear.
  Expected<GuardedAffineLayout> coalesce() const;
  // Fixes a dimension to a value (affine in parameters); 0 <= value < extent becomes a guard unless it is decided.
  Expected<GuardedAffineLayout> slice(std::string_view dim, const AffineExpr& value) const;
  // x_dim counted from `offset`: the new dimension has extent - offset points; below zero is guarded away.
  Expected<GuardedAffineLayout> domain_offset(std::string_view dim, const AffineExpr& offset) const;
  // Every piece under these constraints as well.
  Expected<GuardedAffineLayout> intersect(const std::vector<Constraint>& constraints) const;
  // This layout for x_dim < extent, `next` (same dimension names, same other extents) shifted behind it.
  Expected<GuardedAffineLayout> concatenate(const GuardedAffineLayout& next, std::string_view dim) const;
  // Binds the dimension `page_dim` (the page of a pool [P, page_size, …]) to whatever a block table yields: the
  // dimension goes, and its contribution stride*page becomes the parameter `base` (one output; the stride may be
  // symbolic). The facts that hold of `base` because 0 <= page < P come with it.
  Expected<PagedLayout> page(std::string_view page_dim, const std::string& base, const Facts& facts = {}) const;
  // A parameter replaced by an expression over parameters (an exact fact: by its value).
  Expected<GuardedAffineLayout> bind(const std::string& parameter, const AffineExpr& value) const;

  friend bool operator==(const GuardedAffineLayout&, const GuardedAffineLayout&) = default;

 private:
  std::vector<std::string> parameters_;
  std::vector<Dim> dims_;
  size_t outputs_ = 0;
  std::vector<Piece> pieces_;
};

struct PagedLayout {
  GuardedAffineLayout layout;
  std::string base;
  integer::Residue base_fact;  // e.g. a multiple of the page stride, at most (P - 1) pages
};

}  // namespace tailor::codegen::layout
