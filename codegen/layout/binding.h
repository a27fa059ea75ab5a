// Binding times: when the value of a symbol is known, and so when a guard over it can be decided.
//
// Worked example: in  M - 128*t - r - 1 >= 0  with M in the key, t the tile and r the lane, M is bucket, t and r are
// thread: the guard is decided by a predicate of each thread. At its worst r, M - 128*t - 128 >= 0, it is one test per
// tile. Were t a page read from a block table, both would be device.
//
// Ownership: value types. Threads: const access from any thread. Errors: none; a symbol without an entry has the
// default of its kind.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/layout/affine.h"
#include "codegen/layout/facts.h"
#include "codegen/layout/layout.h"

namespace tailor::codegen::layout {

// name, text, meaning; from the earliest to the latest
#define TAILOR_BINDING_TIMES(X)                                                                             \
  X(kStatic, "static", "while the kernel is generated: a constant, or a symbol that the facts fix")         \
  X(kBucket, "bucket", "with the key: a premise of the kernel")                                             \
  X(kLaunch, "launch", "with the arguments of a launch: the size of the grid, or a branch that is uniform") \
  X(kThread, "thread", "in each thread, from registers: a lane, wave or loop index; a predicate")           \
  X(kDevice, "device", "from device memory: checked by device code, and never trusted for the safety of it")

enum class BindingTime : uint8_t {
#define X(name, text, meaning) name,
  TAILOR_BINDING_TIMES(X)
#undef X
};

std::string_view to_string(BindingTime time);
std::optional<BindingTime> find_binding_time(std::string_view text);

// Dimensions run on the device, so they are thread unless something else is said; parameters are launch.
struct Bindings {
  std::map<std::string, BindingTime, std::less<>> times;

  BindingTime of_parameter(std::string_view name) const;
  BindingTime of_dimension(std::string_view name) const;
};

// The latest of the symbols' times. Symbols that the facts fix, and dimensions of extent 1, are static.
BindingTime binding_of(const AffineExpr& expr, const std::vector<Dim>& dims, const Facts& facts,
                       const Bindings& bindings);

}  // namespace tailor::codegen::layout
