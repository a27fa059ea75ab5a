// Oracle: enumeration of all words of a few bits.
#include "codegen/integer/f2.h"

#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

namespace tailor::codegen::integer {
namespace {

F2Map random_map(std::mt19937_64& rng, int inputs, int outputs) {
  std::vector<uint64_t> columns;
  for (int j = 0; j < inputs; ++j) columns.push_back(rng() & ((uint64_t{1} << outputs) - 1));
  return *F2Map::create(columns);
}

TEST(F2Map, RankKernelAndSolveAgreeWithEnumeration) {
  std::mt19937_64 rng(401);
  for (int round = 0; round < 3000; ++round) {
    const int inputs = static_cast<int>(rng() % 7);
    const F2Map map = random_map(rng, inputs, 1 + static_cast<int>(rng() % 7));
    std::set<uint64_t> image;
    std::set<uint64_t> zeros;
    for (uint64_t x = 0; x < uint64_t{1} << inputs; ++x) {
      uint64_t expected = 0;
      for (int j = 0; j < inputs; ++j) expected ^= ((x >> j) & 1) != 0 ? map.columns()[static_cast<size_t>(j)] : 0;
      ASSERT_EQ(map.apply(x), expected);
      image.insert(expected);
      if (expected == 0) zeros.insert(x);
    }
    EXPECT_EQ(image.size(), size_t{1} << map.rank()) << map.to_string();
    EXPECT_EQ(map.is_injective(), image.size() == size_t{1} << inputs);
    std::set<uint64_t> spanned{0};
    for (uint64_t k : map.kernel()) {
      std::set<uint64_t> more = spanned;
      for (uint64_t s : spanned) more.insert(s ^ k);
      EXPECT_EQ(more.size(), 2 * spanned.size()) << "the basis depends on itself";
      spanned = more;
    }
    EXPECT_EQ(spanned, zeros) << map.to_string();
    for (uint64_t y = 0; y < 128; ++y) {
      const auto x = map.solve(y);
      ASSERT_EQ(x.has_value(), image.contains(y)) << map.to_string() << " " << y;
      if (x) {
        EXPECT_EQ(map.apply(*x), y);
      }
    }
  }
}

TEST(F2Map, InversesUndoAndExistExactlyForPermutations) {
  std::mt19937_64 rng(402);
  int invertible = 0;
  for (int round = 0; round < 3000; ++round) {
    const int bits = 1 + static_cast<int>(rng() % 5);
    const F2Map map = random_map(rng, bits, 5).normalized();
    std::set<uint64_t> image;
    for (uint64_t x = 0; x < 32; ++x) image.insert(map.apply_extended(x));
    const auto inverse = map.inverse_extended();
    ASSERT_EQ(inverse.has_value(), image.size() == 32) << map.to_string();
    if (!inverse) continue;
    ++invertible;
    for (uint64_t x = 0; x < 128; ++x) {
      EXPECT_EQ(inverse->apply_extended(map.apply_extended(x)), x);
      EXPECT_EQ(map.apply_extended(inverse->apply_extended(x)), x);
    }
    EXPECT_EQ(map.compose_extended(*inverse), F2Map()) << "the identity has one normal form";
  }
  EXPECT_GT(invertible, 100);
}

TEST(F2Map, CompositionIsApplicationInTurn) {
  std::mt19937_64 rng(403);
  for (int round = 0; round < 2000; ++round) {
    const F2Map outer = random_map(rng, static_cast<int>(rng() % 6), 6);
    const F2Map inner = random_map(rng, static_cast<int>(rng() % 6), 6);
    const F2Map both = outer.compose_extended(inner);
    EXPECT_EQ(both, both.normalized());
    for (uint64_t x = 0; x < 256; ++x) {
      ASSERT_EQ(both.apply_extended(x), outer.apply_extended(inner.apply_extended(x)));
    }
  }
}

TEST(F2Map, RefusesWordsBeyond62Bits) {
  EXPECT_TRUE(F2Map::create(std::vector<uint64_t>(62, uint64_t{1} << 61)).ok());
  EXPECT_FALSE(F2Map::create(std::vector<uint64_t>(63, 1)).ok());
  EXPECT_FALSE(F2Map::create({uint64_t{1} << 62}).ok());
  EXPECT_EQ(F2Map::identity(62).apply_extended(~uint64_t{0}), ~uint64_t{0});
}

}  // namespace
}  // namespace tailor::codegen::integer
