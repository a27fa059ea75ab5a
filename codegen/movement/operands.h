// Where the operands of a tile program lie in a kernel: host symbols as kernel values, addresses of view entries, loads
// of single entries.
//
//   @block_table[%s, %column]  ->  block_table + 4 * (s * table_stride + column)
//
// Ownership: refers to the program, which must outlive it. Thread-safety: none. Errors: none; the program must be one
// that tile::verify accepts and the parameters those that host_parameters lists for it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/movement/code.h"
#include "codegen/movement/launch.h"
#include "codegen/tile/tile.h"

namespace tailor::codegen::movement {

// Kernel values of host symbols: addresses ptr, strides of the index type, extents i32.
using Parameters = std::map<std::string, Value, std::less<>>;

class Operands {
 public:
  // Declares the parameters of the kernel, in order.
  Operands(const tile::Program& program, kernel::Builder& builder, const std::vector<HostParameter>& host);

  const tile::Program& program() const { return program_; }
  const Parameters& parameters() const { return parameters_; }
  Value parameter(const std::string& name) const { return parameters_.at(name); }
  Value extent(Code& code, const tile::Extent& extent) const;

  // sum of index * stride bytes over the first indices.size() dimensions; missing: 0. Indices are shown to be >= 0. The
  // common factor of the strides is multiplied last: 4 * (s * table_stride + column).
  Value offset(Code& code, tile::ViewId view, const std::vector<Value>& indices) const;

  // An entry of an int32 view; of an int64 view the entry where it lies in [0, 2^31), otherwise -1.
  Value load(Code& code, tile::ViewId view, const std::vector<Value>& indices, std::string what) const;

  // Quotient and remainder of 0 <= n < 2^31: by a constant exactly; by a symbol with the host's reciprocal, of which
  // the code presumes nothing.
  struct Division {
    Value quotient, remainder;
  };
  Division divide(Code& code, Value n, const tile::Extent& divisor) const;

 private:
  const tile::Program& program_;
  Parameters parameters_;
};

}  // namespace tailor::codegen::movement
