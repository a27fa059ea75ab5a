// Operands that fit a key exactly (no better aligned, no more contiguous than it says), random device arrays, and the
// plain reference for both operations: what the bytes and the status word must be.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "runtime/bucket/key.h"
#include "runtime/ops/launch_plan.h"
#include "runtime/ops/schema.h"
#include "tests/codegen/kernel/interpreter.h"

namespace tailor::test {

using codegen::kernel::testing::Memory;
using codegen::kernel::testing::MemoryBlock;

struct ScenarioOptions {
  int64_t rows = 13, batch = 4, pool_pages = 9, max_pages = 3;
  bool hostile = false;     // arrays hold anything, INT_MIN and INT_MAX included
  bool status = true;       // a status word is supplied
  bool head_major = false;  // [P, H, page_size, D], where the key leaves the head stride free
};

struct Scenario {
  std::vector<int64_t> symbols;  // by schema symbol
  Memory memory;
  // The whole memory after the launch. Rows whose fate the contract leaves open (a decreasing cu_seqlens) are in
  // `open`.
  Memory expected;
  bool open = false;
  uint64_t least_status = 0;  // the status word is this, or when open at least this
};

Scenario make_scenario(const Key& key, const ScenarioOptions& options, std::mt19937& random);

// Parameter values of a plan, as the kernel sees them.
std::vector<int64_t> parameter_values(const LaunchPlan& plan, const std::vector<int64_t>& symbols,
                                      const DeviceNumbers& device);

}  // namespace tailor::test
