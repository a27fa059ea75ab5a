// The image metadata that the disk cache keeps beside a kernel's objects: what the runtime needs to launch it without
// any code generation, and what it must check before it does.
//
// Grammar (integers little-endian; counts and lengths are bounds-checked before anything is allocated):
//
//   image      = "TIMG" version:u16 op:u8 arch:u8 emitter:u8 entry premises plan cubin_missing unproved
//   entry      = text                          must be the entry symbol of `op`
//   premises   = count:u16 { symbol:u16 kind:u8 a:i64 b:i64 }
//   plan       = expression*3 block:u32*3 dynamic_shared:u32 count:u8 { offset:u16 width:u8 expression }
//   expression = count:u8 { op:u8 operand:i64 }
//   cubin_missing = text                       empty when the record has a cubin
//   unproved   = text                          what was not proved of the kernel; empty: everything was
//   text       = length:u16 bytes
//
// Version history: 1, the first; 2, unproved. Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "runtime/ops/kernel_image.h"
#include "tailor/ops.h"
#include "tailor/status.h"

namespace tailor {

inline constexpr uint16_t kImageVersion = 2;

struct StoredImage {
  OpId op{};
  Arch arch{};
  Emitter emitter{};
  std::string entry;
  FactSet premises;
  LaunchPlan plan;
  std::string cubin_missing;
  std::string unproved;
};

// Text beyond 65535 bytes (cubin_missing, unproved) is cut.
std::string encode_image(const StoredImage& image);

// kCorruption naming the rule for anything but a complete image: truncation, trailing bytes, unknown enumerators, a
// plan that validate() refuses, premises about symbols that the operation does not have.
Expected<StoredImage> decode_image(std::string_view bytes);

}  // namespace tailor
