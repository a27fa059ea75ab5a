// The comparison of what came back with what had to come back.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "runtime/cli/run/workload.h"

namespace tailor::cli {

struct CheckResult {
  int64_t bytes_checked = 0;
  int64_t mismatches = 0;  // bytes
  std::string first;       // in words; empty if there is none

  void add(const CheckResult& other) {
    if (mismatches == 0) first = other.first;
    bytes_checked += other.bytes_checked;
    mismatches += other.mismatches;
  }
};

// One operand's bytes after the launch. `actual` has the operand's size.
CheckResult check_operand(const HostOperand& operand, const Expectation& expectation, std::span<const uint8_t> actual);

// Bytes beside an operand, which must be as they were. `where` completes "before", "behind".
CheckResult check_guard(const std::string& where, std::span<const uint8_t> expected, std::span<const uint8_t> actual);

}  // namespace tailor::cli
