// Does a set of stores write every byte of a row exactly once? By enumeration of lanes and inner loops.
//
// A row is a product of axes (dimensions whose stride is a parameter: their index is enumerated as such) and bytes
// (dimensions whose strides are constants: Σ index*stride + byte of the element).
//
// Thread-safety: none. Errors: none; RowTiling::verdict says unknown where something has no value or is too large.
#pragma once

#include <string>
#include <vector>

#include "codegen/prove/coverage.h"
#include "codegen/prove/evaluate.h"

namespace tailor::codegen::prove {

struct RowShape {
  std::vector<int64_t> axes;  // extents
  struct Bytes {
    int64_t extent, stride;
  };
  std::vector<Bytes> bytes;
  int64_t element = 1;
};

// One store of a row: where each lane puts it, and under what.
struct RowStore {
  uint16_t access = 0;
  int width = 0;
  std::vector<Polynomial> axes;  // indices, by RowShape::axes
  Polynomial offset;             // bytes
  std::vector<int> loops;        // outermost first, of Execution::loops
  // A condition of the lane, and how many of `loops` are entered where it stands.
  struct Condition {
    PredicateId predicate;
    bool holds;
    size_t depth;
  };
  std::vector<Condition> conditions;
};

struct RowTiling {
  Verdict verdict = Verdict::kUnknown;
  std::string reason;  // unknown: why; refuted: the byte and who writes it
  int64_t bytes = 0;   // of a row
  int64_t stores = 0;  // executed for a row
};

RowTiling tile_row(const Knowledge& knowledge, const Execution& execution, const RowShape& shape,
                   const std::vector<RowStore>& stores, Atom lane, int64_t lanes);

}  // namespace tailor::codegen::prove
