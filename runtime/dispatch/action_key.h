// The two kinds of key under which the disk cache holds a kernel. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/bucket/key.h"
#include "runtime/ops/kernel_generator.h"
#include "runtime/ops/kernel_image.h"

namespace tailor {

// First level: canonical_bytes(key), then the generator's digest behind its length (u8). Needs no code generator.
std::string action_key(const Key& key, std::string_view generator_digest);

// Second level, after emission: "text:" and the XXH3-128 of text, options and toolchain in hex, each part behind its
// length. `toolchain` is KernelGenerator::toolchain(); what is missing counts as such, so that a text compiled without
// nvJitLink is compiled again where it is present.
std::string text_key(const EmittedKernel& emitted, std::string_view toolchain);

// For people (`tailor cache ls`): the printed key and digest, the text key as it is, or the bytes in hex if neither.
std::string describe_action_key(std::string_view bytes);

}  // namespace tailor
