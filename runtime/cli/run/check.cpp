#include "runtime/cli/run/check.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace tailor::cli {
namespace {

// "packed[3, 0, 17]" for a byte of a strided operand; the byte alone where it lies between the elements.
std::string place_of(const HostOperand& operand, int64_t byte) {
  const Tensor& view = operand.view;
  int64_t rest = byte / element_bytes(view.dtype);
  std::string index;
  for (int d = 0; d < view.rank; ++d) {
    const int64_t stride = std::max<int64_t>(view.stride[d], 1);
    const int64_t i = std::min(rest / stride, view.shape[d] - 1);
    rest -= i * view.stride[d];
    index += fmt::format("{}{}", d ? ", " : "", i);
  }
  return rest == 0 ? fmt::format("{}[{}]", operand.name, index) : fmt::format("{}, between its rows", operand.name);
}

}  // namespace

CheckResult check_operand(const HostOperand& operand, const Expectation& expectation, std::span<const uint8_t> actual) {
  CheckResult result;
  result.bytes_checked = std::ssize(actual);
  const auto wanted = expectation.bytes.find(operand.name);
  const std::vector<uint8_t>& expected = wanted == expectation.bytes.end() ? operand.bytes : wanted->second;
  if (actual.empty() || std::memcmp(actual.data(), expected.data(), expected.size()) == 0) return result;
  const auto alternatives = expectation.alternatives.find(operand.name);
  for (size_t i = 0; i < expected.size(); ++i) {
    if (actual[i] == expected[i]) continue;
    if (alternatives != expectation.alternatives.end()) {
      const auto allowed = alternatives->second.find(static_cast<int64_t>(i));
      if (allowed != alternatives->second.end() &&
          std::find(allowed->second.begin(), allowed->second.end(), actual[i]) != allowed->second.end()) {
        continue;
      }
    }
    if (result.mismatches++ == 0) {
      result.first =
          fmt::format("{} (byte {}) is 0x{:02x}, must be 0x{:02x}{}", place_of(operand, static_cast<int64_t>(i)), i,
                      actual[i], expected[i], operand.written ? "" : " (the operand is only read)");
    }
  }
  return result;
}

CheckResult check_guard(const std::string& where, std::span<const uint8_t> expected, std::span<const uint8_t> actual) {
  CheckResult result;
  result.bytes_checked = std::ssize(actual);
  for (size_t i = 0; i < expected.size(); ++i) {
    if (actual[i] == expected[i]) continue;
    if (result.mismatches++ == 0) {
      result.first =
          fmt::format("{}, guard byte {} is 0x{:02x}, must still be 0x{:02x}", where, i, actual[i], expected[i]);
    }
  }
  return result;
}

}  // namespace tailor::cli
