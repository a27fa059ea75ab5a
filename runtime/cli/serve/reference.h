// What the KV cache must contain, without a second copy of it.
//
// The content of a row (one token, all heads, of K or of V) is a hash of who it belongs to: stream, position, side and
// place in the row. Two different rows differ in about 255 of 256 bytes, so a row that lands in the wrong place, is cut
// short, is stale or is half of another is seen. Beside that only the owner of every slot of the pool is kept: what a
// freed slot held must still be there until the slot is written again.
//
// Thread-safety: none for PoolReference; plain functions otherwise. No I/O, no device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "runtime/cli/serve/batcher.h"
#include "tailor/ops.h"

namespace tailor::cli {

enum class Side : uint8_t { kKey, kValue };

// Stream 0 is what a slot holds before its first write; its position is the slot's index in the pool.
struct RowOwner {
  uint32_t stream = 0;
  int32_t position = 0;
};

// Writes the content of a row.
void fill_row(std::span<uint8_t> row, RowOwner owner, Side side);

struct Mismatches {
  int64_t bytes = 0;
  std::string first;  // the first one in words; empty if there is none

  void add(const Mismatches& other) {
    if (bytes == 0) first = other.first;
    bytes += other.bytes;
  }
};

struct PoolShape {
  int64_t pages = 0, page_size = 0, heads = 0;
  int64_t head_bytes = 0;  // head_dim * element bytes
  PageLayout layout = PageLayout::kSlotMajor;

  int64_t row_bytes() const { return heads * head_bytes; }
  int64_t page_bytes() const { return page_size * row_bytes(); }
};

class PoolReference {
 public:
  explicit PoolReference(const PoolShape& shape);

  const PoolShape& shape() const { return shape_; }

  // The segment's tokens have been appended through `pages`, the sequence's page list.
  void record_append(const Segment& segment, std::span<const int32_t> pages);

  // Content of the pages first, first + 1, … as they must be now; `bytes` is a whole number of pages.
  void fill_pages(std::span<uint8_t> bytes, int64_t first, Side side) const;
  Mismatches check_pages(std::span<const uint8_t> bytes, int64_t first, Side side) const;

  // Rows of a segment, densely packed as [count, heads, head_dim].
  void fill_segment(std::span<uint8_t> rows, const Segment& segment, Side side) const;
  Mismatches check_segment(std::span<const uint8_t> rows, const Segment& segment, Side side) const;

 private:
  int64_t offset_in_page(int64_t slot, int64_t head) const;

  PoolShape shape_;
  std::vector<RowOwner> owners_;  // by page * page_size + slot
};

// Bytes of `actual` that differ from `expected`; `first` is the index of the first. Spans of equal size.
struct ByteDifference {
  int64_t count = 0;
  int64_t first = -1;
};
ByteDifference compare_bytes(std::span<const uint8_t> actual, std::span<const uint8_t> expected);

}  // namespace tailor::cli
