// The bits of one element of a torch type that holds a number: element_bits(-1.0, Half) is 0xbc00.
#pragma once

#include <cstdint>
#include <optional>

#include <torch/headeronly/core/ScalarType.h>

namespace tailor::pytorch {

// In the low bytes. Floating types round to nearest even, as torch does; integers and bool must hold the value exactly,
// otherwise nullopt. Complex types have no imaginary part. nullopt also for types that Tailor does not move.
std::optional<uint64_t> element_bits(double value, torch::headeronly::ScalarType type);

}  // namespace tailor::pytorch
