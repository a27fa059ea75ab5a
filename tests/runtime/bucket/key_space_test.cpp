// The key space: finite, closed under the normal form, and never claiming more than the key it replaces.
#include "runtime/bucket/key_space.h"

#include <set>

#include <gtest/gtest.h>

#include "runtime/ops/schema.h"

namespace tailor {
namespace {

struct Shape {
  int element;
  int64_t heads, head_dim;
};
constexpr Shape kShapes[] = {{2, 8, 128}, {1, 1, 1}, {1, 3, 1}, {4, 1, 7}, {8, 2, 3}, {2, 3, 37}, {1, 2, 3}, {8, 1, 1}};

StaticConfiguration configuration(OpId op, const Shape& s) {
  return {op, Arch::kSm80, Emitter::kNvrtc, Lowering::kGuarded, s.element, 16, s.heads, s.head_dim};
}

// Every combination of bucket fields that validate() takes, canonical or not.
std::vector<Key> raw_keys(const Key& base) {
  std::vector<Key> keys;
  for (uint64_t index64 : {0, 1}) {
    for (uint64_t source = 0; source < 3; ++source) {
      for (uint64_t target = 0; target < 3; ++target) {
        for (uint64_t sa = base.get(KeyField::kElementLog2); sa <= 4; ++sa) {
          for (uint64_t ta = base.get(KeyField::kElementLog2); ta <= 4; ++ta) {
            Key key = base;
            key.set(KeyField::kIndex64, index64);
            key.set(KeyField::kSourceContiguity, source);
            key.set(KeyField::kTargetContiguity, target);
            key.set(KeyField::kSourceAlignLog2, sa);
            key.set(KeyField::kTargetAlignLog2, ta);
            keys.push_back(key);
          }
        }
      }
    }
  }
  return keys;
}

bool less(const Key& a, const Key& b) { return a.words < b.words; }

TEST(KeySpace, IsTheImageOfTheNormalForm) {
  for (OpId op : {OpId::kPagedGather, OpId::kPagedAppend}) {
    for (const Shape& shape : kShapes) {
      const auto space = enumerate_keys(configuration(op, shape));
      ASSERT_TRUE(space.ok());
      std::set<Key, decltype(&less)> listed(space->begin(), space->end(), &less), image(&less);
      EXPECT_EQ(listed.size(), space->size()) << "a key is listed twice";
      for (const Key& key : raw_keys(space->front())) {
        ASSERT_TRUE(validate(key).ok());
        const Key canonical = canonical_form(key);
        ASSERT_EQ(canonical_form(canonical), canonical);
        image.insert(canonical);
      }
      EXPECT_TRUE(std::equal(listed.begin(), listed.end(), image.begin(), image.end()))
          << shape.heads << "x" << shape.head_dim;
    }
  }
}

// Pruning only forgets: what the canonical key asserts follows from what the raw key asserted. Strides of an extent of
// 1 are 0 under both.
TEST(KeySpace, TheNormalFormImpliesNothingNew) {
  for (OpId op : {OpId::kPagedGather, OpId::kPagedAppend}) {
    for (const Shape& shape : kShapes) {
      for (const Key& key : raw_keys(enumerate_keys(configuration(op, shape))->front())) {
        const FactSet known = facts_of(key);
        for (const Fact& fact : facts_of(canonical_form(key))) {
          ASSERT_TRUE(implies(known, fact))
              << to_string(key) << ": " << to_string(fact, symbols_of(op)[fact.symbol].name);
        }
      }
    }
  }
}

// Counted by hand: {row, row} run of 2048 bytes: 4 alignments; the 3 pairs with head but without none: run of 256
// bytes, 4 alignments each; the 5 pairs with none: 1 alignment each. (4 + 12 + 5) * 2 index widths.
TEST(KeySpace, SizeOfTheUsualConfiguration) {
  EXPECT_EQ(enumerate_keys(configuration(OpId::kPagedGather, {2, 8, 128}))->size(), 42u);
  EXPECT_EQ(enumerate_keys(configuration(OpId::kPagedGather, {8, 1, 1}))->size(), 2u);
  // One head of 7 floats: {row, row} 28 bytes: 4, 8, 16; {row|none, none}, {none, row}: 4.
  EXPECT_EQ(enumerate_keys(configuration(OpId::kPagedGather, {4, 1, 7}))->size(), 12u);
}

TEST(KeySpace, RefusesExtentsOutsideTheirDomain) {
  auto c = configuration(OpId::kPagedGather, {2, 8, 128});
  c.page_size = 0;
  EXPECT_NE(enumerate_keys(c).status().message().find("page_size is 0"), std::string::npos);
  c.page_size = 16, c.heads = int64_t{1} << 31;
  EXPECT_NE(enumerate_keys(c).status().message().find("heads"), std::string::npos);
  c.heads = 1 << 20, c.head_dim = 1 << 20;
  EXPECT_NE(enumerate_keys(c).status().message().find("2^31"), std::string::npos);
  c.heads = 8, c.head_dim = 128, c.element_bytes = 3;
  EXPECT_NE(enumerate_keys(c).status().message().find("3 bytes"), std::string::npos);
}

}  // namespace
}  // namespace tailor
