// Host values that a key admits: what find_counterexamples runs a program with.
//
// Thread-safety: pure functions of their arguments. Errors: nullopt when the draw breaks a fact or an invariant.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "codegen/prove/host.h"

namespace tailor::codegen::prove {

struct SampledOperand {
  std::string name;
  uint64_t address = 0, bytes = 0;
};

struct SampledLaunch {
  std::vector<int64_t> symbols;
  DeviceNumbers device;
  std::vector<SampledOperand> operands;
  std::vector<int64_t> parameters;
  int64_t grid = 0;
  std::string text;  // "rows=5 batch=2 … sm_count=3"
};

// `n` steers the draw: every fourth launch is as large as 32-bit offsets or the facts allow.
std::optional<SampledLaunch> sample_launch(const Subject& subject, int n, std::mt19937& random);

}  // namespace tailor::codegen::prove
