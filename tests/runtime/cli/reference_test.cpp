// The reference notices what a wrong kernel does: rows in the wrong place, cut short, stale, swapped, or beside the
// pool; and it accepts what a right one does.
#include "runtime/cli/serve/reference.h"

#include <algorithm>
#include <cstring>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tailor::cli {
namespace {

constexpr PoolShape kShapes[] = {{6, 4, 2, 16, PageLayout::kSlotMajor},
                                 {6, 4, 2, 16, PageLayout::kHeadMajor},
                                 {6, 1, 3, 7, PageLayout::kSlotMajor},
                                 {6, 5, 3, 7, PageLayout::kHeadMajor},
                                 {6, 4, 1, 1024, PageLayout::kSlotMajor}};

// A plain model of the pool: moves rows element by element, by the definition in tailor/ops.h.
struct ModelPool {
  PoolShape shape;
  std::vector<uint8_t> bytes;

  uint8_t& at(int64_t page, int64_t slot, int64_t head, int64_t byte) {
    const int64_t index = shape.layout == PageLayout::kSlotMajor
                              ? ((page * shape.page_size + slot) * shape.heads + head) * shape.head_bytes + byte
                              : ((page * shape.heads + head) * shape.page_size + slot) * shape.head_bytes + byte;
    return bytes[static_cast<size_t>(index)];
  }
  void append(const Segment& segment, const std::vector<int32_t>& pages, const std::vector<uint8_t>& rows) {
    for (int64_t i = 0; i < segment.count; ++i) {
      const int64_t position = segment.first + i;
      for (int64_t h = 0; h < shape.heads; ++h) {
        for (int64_t b = 0; b < shape.head_bytes; ++b) {
          at(pages[static_cast<size_t>(position / shape.page_size)], position % shape.page_size, h, b) =
              rows[static_cast<size_t>((i * shape.heads + h) * shape.head_bytes + b)];
        }
      }
    }
  }
};

struct Fixture {
  explicit Fixture(const PoolShape& shape) : reference(shape), pool{shape, {}} {
    pool.bytes.resize(static_cast<size_t>(shape.pages * shape.page_bytes()));
    reference.fill_pages(pool.bytes, 0, Side::kKey);
    segment = {0, 7, 0, 2 * shape.page_size - (shape.page_size > 1 ? 1 : 0)};
    rows.resize(static_cast<size_t>(segment.count * shape.row_bytes()));
    reference.fill_segment(rows, segment, Side::kKey);
    reference.record_append(segment, pages);
  }
  PoolReference reference;
  ModelPool pool;
  Segment segment;
  std::vector<int32_t> pages{4, 1};
  std::vector<uint8_t> rows;
};

TEST(PoolReference, AcceptsTheDefinition) {
  for (const PoolShape& shape : kShapes) {
    Fixture f(shape);
    f.pool.append(f.segment, f.pages, f.rows);
    EXPECT_EQ(f.reference.check_pages(f.pool.bytes, 0, Side::kKey).bytes, 0);
    EXPECT_EQ(f.reference.check_segment(f.rows, f.segment, Side::kKey).bytes, 0);
  }
}

TEST(PoolReference, NoticesAnAppendThatDidNotHappen) {
  for (const PoolShape& shape : kShapes) {
    Fixture f(shape);
    const Mismatches found = f.reference.check_pages(f.pool.bytes, 0, Side::kKey);
    EXPECT_GT(found.bytes, f.segment.count * shape.row_bytes() * 9 / 10);
    EXPECT_THAT(found.first, testing::HasSubstr("K pool, page 1, byte "));
  }
}

TEST(PoolReference, NoticesMisplacedRows) {
  for (const PoolShape& shape : kShapes) {
    Fixture wrong_page(shape);  // through the wrong table entries
    wrong_page.pool.append(wrong_page.segment, {1, 4}, wrong_page.rows);
    EXPECT_GT(wrong_page.reference.check_pages(wrong_page.pool.bytes, 0, Side::kKey).bytes, 0);

    Fixture beside(shape);  // right rows, and one that nobody asked for
    beside.pool.append(beside.segment, beside.pages, beside.rows);
    beside.pool.append({0, 7, 0, 1}, {5, 5}, beside.rows);
    EXPECT_GT(beside.reference.check_pages(beside.pool.bytes, 0, Side::kKey).bytes, 0);

    Fixture rotated(shape);  // off by one token
    auto rows = rotated.rows;
    std::rotate(rows.begin(), rows.begin() + shape.row_bytes(), rows.end());
    rotated.pool.append(rotated.segment, rotated.pages, rows);
    EXPECT_GT(rotated.reference.check_pages(rotated.pool.bytes, 0, Side::kKey).bytes, 0);
    EXPECT_GT(rotated.reference.check_segment(rows, rotated.segment, Side::kKey).bytes, 0);

    Fixture sides(shape);  // K where V belongs
    sides.pool.append(sides.segment, sides.pages, sides.rows);
    EXPECT_GT(sides.reference.check_segment(sides.rows, sides.segment, Side::kValue).bytes, 0);
    EXPECT_GT(sides.reference.check_pages(sides.pool.bytes, 0, Side::kValue).bytes, 0);
  }
}

TEST(PoolReference, NoticesEverySingleFlippedByteAndSaysWhere) {
  for (const PoolShape& shape : kShapes) {
    Fixture f(shape);
    f.pool.append(f.segment, f.pages, f.rows);
    for (size_t i = 0; i < f.pool.bytes.size(); i += 1 + f.pool.bytes.size() / 500) {
      f.pool.bytes[i] ^= 0x10;
      const Mismatches found = f.reference.check_pages(f.pool.bytes, 0, Side::kKey);
      EXPECT_EQ(found.bytes, 1);
      const auto page_bytes = static_cast<size_t>(shape.page_bytes());
      EXPECT_THAT(found.first, testing::HasSubstr("page " + std::to_string(i / page_bytes) + ", byte " +
                                                  std::to_string(i % page_bytes) + " is"));
      f.pool.bytes[i] ^= 0x10;
    }
    for (size_t i = 0; i < f.rows.size(); ++i) {
      f.rows[i] ^= 1;
      EXPECT_EQ(f.reference.check_segment(f.rows, f.segment, Side::kKey).bytes, 1);
      f.rows[i] ^= 1;
    }
  }
}

TEST(PoolReference, KeepsWhatAFreedSlotHeldUntilItIsWrittenAgain) {
  for (const PoolShape& shape : kShapes) {
    Fixture f(shape);
    f.pool.append(f.segment, f.pages, f.rows);
    // Page 4 is given to stream 8, which writes one token; the other slots keep stream 7's rows.
    const Segment next{0, 8, 0, 1};
    std::vector<uint8_t> row(static_cast<size_t>(shape.row_bytes()));
    f.reference.fill_segment(row, next, Side::kKey);
    f.reference.record_append(next, std::vector<int32_t>{4});
    EXPECT_GT(f.reference.check_pages(f.pool.bytes, 0, Side::kKey).bytes, 0) << "the stale row passed";
    f.pool.append(next, {4}, row);
    EXPECT_EQ(f.reference.check_pages(f.pool.bytes, 0, Side::kKey).bytes, 0);
  }
}

TEST(PoolReference, RowsOfDifferentOwnersDiffer) {
  std::set<std::vector<uint8_t>> seen;
  size_t made = 0;
  for (uint32_t stream : {0u, 1u, 2u, 1000u, 0xFFFFFFFFu}) {
    for (int32_t position : {0, 1, 2, 15, 16, 1 << 20, -1}) {
      for (Side side : {Side::kKey, Side::kValue}) {
        std::vector<uint8_t> row(24);
        fill_row(row, {stream, position}, side);
        seen.insert(row);
        // Words within the row differ as well: a row that is shifted by a vector is seen.
        EXPECT_NE(std::memcmp(row.data(), row.data() + 8, 8), 0);
        ++made;
      }
    }
  }
  EXPECT_EQ(seen.size(), made);
}

}  // namespace
}  // namespace tailor::cli
