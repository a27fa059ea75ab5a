// Options that fix a specialization key without a launch, for `emit` and `buckets`.
#pragma once

#include <optional>
#include <string>

#include "runtime/cli/flags.h"

namespace tailor::cli {

// What an operation has no use for is not looked at.
struct StaticFlags {
  std::string op;
  int64_t heads = 4, head_dim = 64, page_size = 16;
  DType dtype = DType::kBFloat16;
  DType other_dtype = DType::kFloat32;  // convert: of the target; append_rope: of cos and sin
  bool scale = false;                   // convert
  RopeStyle style = RopeStyle::kHalves;
  int64_t rotary_dim = 0;       // append_rope; 0: all of head_dim
  DType index = DType::kInt32;  // gather_rows, scatter_rows
  CopyMode mode = CopyMode::kRows;
  int64_t outer_rank = 0;  // copy
  bool reports = false;    // as `tailor run`, which gives a status word with --check only
  TargetFlags target;
};

struct KeyFlags {
  StaticFlags configuration;
  std::optional<std::string> key;  // printed form; decides alone if given, and must be of the operation if that is too
  PageLayout layout = PageLayout::kSlotMajor;
  int64_t misalign_bytes = 0, pad_row = 0;
  bool index64 = false;
  int64_t length_multiple = 1;                     // ragged_transpose
  int64_t matrix_rows = 128, matrix_columns = 64;  // copy, transposed
};

// The architecture where no device is at hand to ask.
inline constexpr Arch kDefaultArch = Arch::kSm90a;

void add_static_flags(CLI::App& app, StaticFlags& flags);
void add_key_flags(CLI::App& app, KeyFlags& flags);

// Refuses by the option's name what no kernel can be made for.
Expected<StaticConfiguration> static_configuration(const StaticFlags& flags);

// The key of a launch on dense operands of these shapes, as `tailor run` makes the paged ones. No memory is touched.
Expected<Key> static_key(const KeyFlags& flags);

}  // namespace tailor::cli
