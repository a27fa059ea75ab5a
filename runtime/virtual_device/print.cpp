#include "runtime/virtual_device/print.h"

#include <bit>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

#include "runtime/virtual_device/memory.h"

namespace tailor::virtual_device {
namespace {

uint32_t plane32(Frame& frame, uint32_t slot, uint32_t lane) {
  uint32_t value;
  std::memcpy(&value, frame.registers() + slot + 4 * lane, 4);
  return value;
}
uint64_t plane64(Frame& frame, uint32_t slot, uint32_t lane) {
  return plane32(frame, slot, lane) | (uint64_t{plane32(frame, slot + 128, lane)} << 32);
}

// Bytes at a generic address of one lane.
bool read_generic(ExecContext& x, uint32_t lane, uint64_t address, void* to, uint32_t bytes) {
  if (address - kLocalWindow < kWindowBytes) {
    const uint64_t local = address - kLocalWindow;
    if (local < kLocalBase || local + bytes > x.local_end) return false;
    std::memcpy(to, x.local + uint64_t{lane} * x.local_stride + (local - kLocalBase), bytes);
    return true;
  }
  if (address - kSharedWindow < kWindowBytes) {
    const uint64_t shared = address - kSharedWindow;
    if (shared < kSharedBase || shared + bytes > x.shared_end) return false;
    std::memcpy(to, x.shared + (shared - kSharedBase), bytes);
    return true;
  }
  SiteCache cache;
  if (!find_allocation(*x.memory, address, bytes, cache)) return false;
  std::memcpy(to, cache.at(address), bytes);
  return true;
}
bool read_string(ExecContext& x, uint32_t lane, uint64_t address, std::string& to) {
  constexpr size_t kLimit = 1 << 16;
  for (char c = 1; to.size() < kLimit; ++address) {
    if (!read_generic(x, lane, address, &c, 1)) return false;
    if (c == 0) return true;
    to.push_back(c);
  }
  return true;
}

// One conversion: `spec` is "%-08.3" (flags, width and precision without length and letter).
template <class T>
std::string convert(const std::string& spec, const char* length, char letter, T value) {
  const std::string format = spec + length + letter;
  char buffer[512];
  std::snprintf(buffer, sizeof(buffer), format.c_str(), value);
  return buffer;
}

struct ArgumentReader {
  ExecContext& x;
  uint32_t lane;
  uint64_t base;
  uint64_t offset = 0;
  bool ok = true;

  template <class T>
  T next() {
    offset = (offset + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    T value{};
    ok = ok && read_generic(x, lane, base + offset, &value, sizeof(T));
    offset += sizeof(T);
    return value;
  }
};

bool format_lane(const std::string& format, ArgumentReader& arguments, std::string& text) {
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      text.push_back(format[i]);
      continue;
    }
    if (i + 1 < format.size() && format[i + 1] == '%') {
      text.push_back('%');
      ++i;
      continue;
    }
    std::string spec = "%";
    size_t k = i + 1;
    while (k < format.size() && std::strchr("-+ #0123456789.*", format[k])) {
      if (format[k] == '*') {
        spec += std::to_string(arguments.next<int32_t>());
      } else if (spec.size() < 32) {
        spec.push_back(format[k]);
      }
      ++k;
    }
    bool wide = false;
    while (k < format.size() && std::strchr("hlzjt", format[k])) wide = wide || format[k++] != 'h';
    const char letter = k < format.size() ? format[k] : 0;
    switch (letter) {
      case 'd':
      case 'i':
        text += wide ? convert(spec, "ll", letter, static_cast<long long>(arguments.next<int64_t>()))
                     : convert(spec, "", letter, arguments.next<int32_t>());
        break;
      case 'u':
      case 'x':
      case 'X':
      case 'o':
        text += wide ? convert(spec, "ll", letter, static_cast<unsigned long long>(arguments.next<uint64_t>()))
                     : convert(spec, "", letter, arguments.next<uint32_t>());
        break;
      case 'c':
        text += convert(spec, "", letter, arguments.next<int32_t>());
        break;
      case 'p':
        text += fmt::format("{:#x}", arguments.next<uint64_t>());
        break;
      case 'f':
      case 'F':
      case 'e':
      case 'E':
      case 'g':
      case 'G':
      case 'a':
      case 'A':
        text += convert(spec, "", letter, arguments.next<double>());
        break;
      case 's': {
        std::string value;
        if (!read_string(arguments.x, arguments.lane, arguments.next<uint64_t>(), value)) return false;
        text += convert(spec, "", 's', value.c_str());
        break;
      }
      default:
        text += format.substr(i, k - i + 1);
        break;
    }
    if (!arguments.ok) return false;
    i = k;
  }
  return true;
}

}  // namespace

std::optional<std::string> print(ExecContext& x, Frame& frame, const Op& op, uint32_t lanes, std::string& text) {
  for (uint32_t m = lanes; m != 0; m &= m - 1) {
    const auto lane = static_cast<uint32_t>(std::countr_zero(m));
    const uint64_t address = plane64(frame, op.a, lane);
    std::string format;
    if (!read_string(x, lane, address, format)) return fmt::format("printf's format at {:#x} is not readable", address);
    ArgumentReader arguments{x, lane, plane64(frame, op.b, lane)};
    if (!format_lane(format, arguments, text)) {
      return fmt::format("an argument of printf(\"{}\") at {:#x} is not readable", format, arguments.base);
    }
    if (op.d != kNoSlot) {
      const auto count = static_cast<uint32_t>(arguments.offset != 0);
      std::memcpy(frame.registers() + op.d + 4 * lane, &count, 4);
    }
  }
  return std::nullopt;
}

std::string assertion_text(ExecContext& x, Frame& frame, const Op& op, uint32_t lanes) {
  const auto lane = static_cast<uint32_t>(std::countr_zero(lanes));
  std::string message, file, function;
  read_string(x, lane, plane64(frame, op.a, lane), message);
  read_string(x, lane, plane64(frame, op.b, lane), file);
  read_string(x, lane, plane64(frame, frame.function->aux[op.aux], lane), function);
  return fmt::format("assertion `{}' failed at {}:{} in {}", message, file, plane32(frame, op.c, lane), function);
}

}  // namespace tailor::virtual_device
