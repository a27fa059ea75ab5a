// vprintf and __assertfail of device code (host call-outs in PTX).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "runtime/virtual_device/warp.h"

namespace tailor::virtual_device {

// Op::a, Op::b: planes of the format and of the argument buffer; Op::d: plane of the result, or kNoSlot. One text per
// lane of `lanes`, in ascending order. Returns what was unreadable, if something was.
std::optional<std::string> print(ExecContext& x, Frame& frame, const Op& op, uint32_t lanes, std::string& text);

// "assertion `a > b' failed at file.cu:12 in f": Op::a, b, c: planes of message, file, line; aux[0]: of the function.
std::string assertion_text(ExecContext& x, Frame& frame, const Op& op, uint32_t lanes);

}  // namespace tailor::virtual_device
