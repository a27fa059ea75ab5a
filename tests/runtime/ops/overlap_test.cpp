// The overlap test against enumeration of all elements.
#include "runtime/ops/overlap.h"

#include <random>
#include <unordered_set>
#include <vector>

#include <gtest/gtest.h>

namespace tailor {
namespace {

using Dims = std::vector<StridedDim>;

bool enumerated_overlap(const Dims& dims) {
  std::unordered_set<int64_t> places;
  std::vector<int64_t> index(dims.size());
  int64_t count = 1;
  for (const StridedDim& d : dims) count *= d.extent;
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, place = 0;
    for (const StridedDim& d : dims) {
      place += rest % d.extent * d.stride;
      rest /= d.extent;
    }
    if (!places.insert(place).second) return true;
  }
  return false;
}

TEST(Overlap, EqualsEnumeration) {
  std::mt19937 rng(3);
  int overlapping = 0, intricate = 0;
  for (int round = 0; round < 40000; ++round) {
    Dims dims(rng() % 6 + 1);
    const int64_t most = dims.size() <= 3 ? 9 : 4;
    for (StridedDim& d : dims) {
      d = {static_cast<int64_t>(rng() % static_cast<uint64_t>(most) + (rng() % 20 != 0)),
           static_cast<int64_t>(rng() % (round % 2 ? 40 : 400))};
    }
    const bool expected = enumerated_overlap(dims);
    ASSERT_EQ(self_overlap(dims), expected ? Overlap::kOverlapping : Overlap::kDisjoint)
        << testing::PrintToString(round);
    overlapping += expected;
    // Disjoint though not nested: what a sort by stride alone would refuse.
    Dims sorted = dims;
    std::sort(sorted.begin(), sorted.end(), [](auto a, auto b) { return a.stride < b.stride; });
    int64_t span = 0;
    bool nested = true;
    for (const StridedDim& d : sorted) {
      if (d.extent > 1) nested &= d.stride > span, span += (d.extent - 1) * d.stride;
    }
    intricate += !expected && !nested;
  }
  EXPECT_GT(overlapping, 1000);
  EXPECT_GT(intricate, 100);
}

TEST(Overlap, LargeLayoutsOfTheFieldAreDecided) {
  const int64_t pages = int64_t{1} << 30;
  // [P, page_size, H, D] slot major, head major, padded, and K and V interleaved.
  EXPECT_EQ(self_overlap(Dims{{pages, 16384}, {16, 1024}, {8, 128}, {128, 1}}), Overlap::kDisjoint);
  EXPECT_EQ(self_overlap(Dims{{pages, 16384}, {16, 128}, {8, 2048}, {128, 1}}), Overlap::kDisjoint);
  EXPECT_EQ(self_overlap(Dims{{pages, 20000}, {16, 1030}, {8, 128}, {127, 1}}), Overlap::kDisjoint);
  EXPECT_EQ(self_overlap(Dims{{pages, 32768}, {16, 1024}, {8, 128}, {128, 1}, {2, 16384}}), Overlap::kDisjoint);
  EXPECT_EQ(self_overlap(Dims{{pages, 16383}, {16, 1024}, {8, 128}, {128, 1}}), Overlap::kOverlapping);
  EXPECT_EQ(self_overlap(Dims{{pages, 0}, {2, 1}}), Overlap::kOverlapping);
  EXPECT_EQ(self_overlap(Dims{{0, 0}, {2, 0}}), Overlap::kDisjoint);
  // Two dimensions are decided exactly whatever their size: overlap iff both reduced strides are in range.
  EXPECT_EQ(self_overlap(Dims{{(1 << 20) + 1, (1 << 20) + 7}, {(1 << 20) + 8, 1 << 20}}), Overlap::kOverlapping);
  EXPECT_EQ(self_overlap(Dims{{(1 << 20) + 1, (1 << 20) + 7}, {(1 << 20) + 7, 1 << 20}}), Overlap::kDisjoint);
}

// An unbounded search would run into the test's time-out.
TEST(Overlap, TheSearchIsBounded) {
  std::mt19937_64 rng(5);
  for (int round = 0; round < 20; ++round) {
    Dims dims(5);
    for (StridedDim& d : dims) d = {static_cast<int64_t>(rng() % 200 + 2), static_cast<int64_t>(rng() >> 20)};
    static_cast<void>(self_overlap(dims));
  }
}

}  // namespace
}  // namespace tailor
