// Operands that fit a key exactly (no better aligned, no more contiguous than it says), random device arrays, and the
// plain reference of every operation: what the bytes and the status word must be.
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
  int64_t max_length = 5;   // pack, unpack
  int64_t other_rows = 11;  // gather_rows: of source; scatter_rows: of target; concat, split: of b
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
  // Elements that come whole from one of several: operand, offset, what they may be. Elsewhere `expected` says it all.
  struct Choice {
    std::string operand;
    int64_t offset = 0;
    std::vector<std::vector<uint8_t>> elements;
  };
  std::vector<Choice> choices;
  uint64_t least_status = 0;  // the status word is this, or when open at least this
};

Scenario make_scenario(const Key& key, const ScenarioOptions& options, std::mt19937& random);

bool differ(const Memory& a, const Memory& b);

// Makes what memory holds the expectation where it is one of its choices.
void settle(Scenario& scenario);

// Parameter values of a plan, as the kernel sees them.
std::vector<int64_t> parameter_values(const LaunchPlan& plan, const std::vector<int64_t>& symbols,
                                      const DeviceNumbers& device);

}  // namespace tailor::test
