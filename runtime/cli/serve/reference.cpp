#include "runtime/cli/serve/reference.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace tailor::cli {
namespace {

constexpr uint64_t kGolden = 0x9E3779B97F4A7C15ull;

// The finaliser of splitmix64: a bijection of 64-bit words.
constexpr uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

std::string describe(const ByteDifference& difference, std::span<const uint8_t> actual,
                     std::span<const uint8_t> expected, std::string_view where) {
  const auto at = static_cast<size_t>(difference.first);
  return fmt::format("{}, byte {} is 0x{:02x}, must be 0x{:02x}", where, at, actual[at], expected[at]);
}

constexpr std::string_view name_of(Side side) { return side == Side::kKey ? "K" : "V"; }

}  // namespace

void fill_row(std::span<uint8_t> row, RowOwner owner, Side side) {
  const uint64_t identity = uint64_t{owner.stream} << 32 | static_cast<uint32_t>(owner.position);
  const uint64_t seed = mix(mix(identity + kGolden) + static_cast<uint64_t>(side));
  const auto word = [seed](uint64_t index) {
    uint64_t x = seed + (index + 1) * kGolden;
    x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93ull;
    return x ^ (x >> 32);
  };
  const size_t whole = row.size() / 8;
  for (size_t i = 0; i < whole; ++i) {
    const uint64_t value = word(i);
    std::memcpy(row.data() + 8 * i, &value, 8);
  }
  if (row.size() % 8 != 0) {
    const uint64_t value = word(whole);
    std::memcpy(row.data() + 8 * whole, &value, row.size() % 8);
  }
}

ByteDifference compare_bytes(std::span<const uint8_t> actual, std::span<const uint8_t> expected) {
  ByteDifference difference;
  if (std::memcmp(actual.data(), expected.data(), expected.size()) == 0) return difference;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (actual[i] == expected[i]) continue;
    if (difference.count++ == 0) difference.first = static_cast<int64_t>(i);
  }
  return difference;
}

PoolReference::PoolReference(const PoolShape& shape)
    : shape_(shape), owners_(static_cast<size_t>(shape.pages * shape.page_size)) {
  for (size_t slot = 0; slot < owners_.size(); ++slot) owners_[slot] = {0, static_cast<int32_t>(slot)};
}

void PoolReference::record_append(const Segment& segment, std::span<const int32_t> pages) {
  for (int64_t position = segment.first; position < segment.first + segment.count; ++position) {
    const int64_t page = pages[static_cast<size_t>(position / shape_.page_size)];
    owners_[static_cast<size_t>(page * shape_.page_size + position % shape_.page_size)] = {
        segment.stream, static_cast<int32_t>(position)};
  }
}

int64_t PoolReference::offset_in_page(int64_t slot, int64_t head) const {
  const bool slot_major = shape_.layout == PageLayout::kSlotMajor;
  return (slot_major ? slot * shape_.heads + head : head * shape_.page_size + slot) * shape_.head_bytes;
}

void PoolReference::fill_pages(std::span<uint8_t> bytes, int64_t first, Side side) const {
  std::vector<uint8_t> row(static_cast<size_t>(shape_.row_bytes()));
  const int64_t slots = std::ssize(bytes) / shape_.row_bytes();
  for (int64_t i = 0; i < slots; ++i) {
    fill_row(row, owners_[static_cast<size_t>(first * shape_.page_size + i)], side);
    uint8_t* page = bytes.data() + i / shape_.page_size * shape_.page_bytes();
    for (int64_t head = 0; head < shape_.heads; ++head) {
      std::memcpy(page + offset_in_page(i % shape_.page_size, head), row.data() + head * shape_.head_bytes,
                  static_cast<size_t>(shape_.head_bytes));
    }
  }
}

Mismatches PoolReference::check_pages(std::span<const uint8_t> bytes, int64_t first, Side side) const {
  Mismatches found;
  std::vector<uint8_t> expected(static_cast<size_t>(shape_.page_bytes()));
  for (int64_t i = 0; i < std::ssize(bytes) / shape_.page_bytes(); ++i) {
    fill_pages(expected, first + i, side);
    const auto page = bytes.subspan(static_cast<size_t>(i * shape_.page_bytes()), expected.size());
    const ByteDifference difference = compare_bytes(page, expected);
    if (difference.count == 0) continue;
    found.add({difference.count,
               describe(difference, page, expected, fmt::format("{} pool, page {}", name_of(side), first + i))});
  }
  return found;
}

void PoolReference::fill_segment(std::span<uint8_t> rows, const Segment& segment, Side side) const {
  const auto bytes = static_cast<size_t>(shape_.row_bytes());
  for (int64_t i = 0; i < segment.count; ++i) {
    fill_row(rows.subspan(static_cast<size_t>(i) * bytes, bytes),
             {segment.stream, static_cast<int32_t>(segment.first + i)}, side);
  }
}

Mismatches PoolReference::check_segment(std::span<const uint8_t> rows, const Segment& segment, Side side) const {
  Mismatches found;
  const auto bytes = static_cast<size_t>(shape_.row_bytes());
  std::vector<uint8_t> expected(bytes);
  for (int64_t i = 0; i < segment.count; ++i) {
    fill_row(expected, {segment.stream, static_cast<int32_t>(segment.first + i)}, side);
    const auto row = rows.subspan(static_cast<size_t>(i) * bytes, bytes);
    const ByteDifference difference = compare_bytes(row, expected);
    if (difference.count == 0) continue;
    found.add({difference.count, describe(difference, row, expected,
                                          fmt::format("gathered {}, block table row {}, position {}", name_of(side),
                                                      segment.row, segment.first + i))});
  }
  return found;
}

}  // namespace tailor::cli
