// The key space: finite, closed under the normal form, and never claiming more than the key it replaces.
#include "runtime/bucket/key_space.h"

#include <set>

#include <gtest/gtest.h>

#include "runtime/bucket/key_domain.h"
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

// One per operation and variant, and for copy the exact and the launch-bound run.
std::vector<StaticConfiguration> configurations() {
  std::vector<StaticConfiguration> list;
  for (const Shape& shape : kShapes) {
    for (int op = 0; op < kOpCount; ++op) {
      const KeyDomain domain = key_domain(static_cast<OpId>(op));
      for (int variant = 0; variant < domain.variants; ++variant) {
        StaticConfiguration c = configuration(static_cast<OpId>(op), shape);
        c.variant = variant;
        c.rotary_dim = 2;
        c.outer_rank = 2;
        if (domain.computes == Computes::kRotate && shape.head_dim < 2) continue;
        if (domain.computes == Computes::kConvert) {
          c.source_type = shape.element == 1 ? DType::kFloat8E4M3 : DType::kFloat16;
          c.target_type = shape.element == 8 ? DType::kFloat8E5M2 : DType::kFloat32;
        }
        if (!domain.strided) {
          list.push_back(c);
        } else if (variant == static_cast<int>(CopyMode::kTransposed)) {
          c.head_dim = 1;
          list.push_back(c);
        } else {
          c.head_dim = 0;
          list.push_back(c);
          c.head_dim = 7;
          list.push_back(c);
        }
      }
    }
  }
  return list;
}

// Every combination of bucket fields that validate() takes, canonical or not; of residues, those of `base`.
std::vector<Key> raw_keys(const Key& base) {
  std::vector<Key> keys;
  for (uint64_t index64 : {0, 1}) {
    for (uint64_t source = 0; source < 3; ++source) {
      for (uint64_t target = 0; target < 3; ++target) {
        for (uint64_t sa = base.get(KeyField::kElementLog2); sa <= 4; ++sa) {
          for (uint64_t ta = target_element_log2(base); ta <= 4; ++ta) {
            for (uint64_t multiple = 0; multiple <= 4; ++multiple) {
              Key key = base;
              key.set(KeyField::kIndex64, index64);
              key.set(KeyField::kSourceContiguity, source);
              key.set(KeyField::kTargetContiguity, target);
              key.set(KeyField::kSourceAlignLog2, sa);
              key.set(KeyField::kTargetAlignLog2, ta);
              key.set(KeyField::kLengthMultipleLog2, multiple);
              if (validate(key).ok()) keys.push_back(key);
            }
          }
        }
      }
    }
  }
  return keys;
}

bool less(const Key& a, const Key& b) { return a.words < b.words; }
using KeySet = std::set<Key, decltype(&less)>;

TEST(KeySpace, IsTheImageOfTheNormalForm) {
  LearnedResidues learned;
  learned.add(ResidueKind::kMatrixColumns, 3);
  for (const StaticConfiguration& c : configurations()) {
    const auto space = enumerate_keys(c, &learned);
    ASSERT_TRUE(space.ok()) << space.status().message();
    KeySet listed(space->begin(), space->end(), &less), image(&less), residues(&less);
    EXPECT_EQ(listed.size(), space->size()) << "a key is listed twice";
    for (Key key : *space) {  // one base for each residue
      for (KeyField f : {KeyField::kIndex64, KeyField::kSourceContiguity, KeyField::kTargetContiguity,
                         KeyField::kSourceAlignLog2, KeyField::kTargetAlignLog2, KeyField::kLengthMultipleLog2}) {
        key.set(f, 0);
      }
      residues.insert(key);
    }
    for (const Key& base : residues) {
      for (const Key& key : raw_keys(base)) {
        const Key canonical = canonical_form(key);
        ASSERT_EQ(canonical_form(canonical), canonical);
        ASSERT_TRUE(validate(canonical).ok());
        image.insert(canonical);
      }
    }
    EXPECT_TRUE(std::equal(listed.begin(), listed.end(), image.begin(), image.end()))
        << to_string(c.op) << " variant " << c.variant << " head_dim " << c.head_dim << ": " << listed.size()
        << " listed, " << image.size() << " in the image";
  }
}

// Pruning only forgets: what the canonical key asserts follows from what the raw key asserted. Strides of an extent of
// 1 are 0 under both; the length multiple, which is declared and not measured, is pruned in the problem too.
TEST(KeySpace, TheNormalFormImpliesNothingNew) {
  for (const StaticConfiguration& c : configurations()) {
    for (const Key& key : raw_keys(enumerate_keys(c)->front())) {
      const FactSet known = facts_of(key);
      for (const Fact& fact : facts_of(canonical_form(key))) {
        const bool multiple =
            c.op == OpId::kRaggedTranspose && fact.symbol == static_cast<uint16_t>(ragged_transpose::kLengthMultiple);
        ASSERT_TRUE(multiple || implies(known, fact))
            << to_string(key) << ": " << to_string(fact, symbols_of(c.op)[fact.symbol].name);
      }
    }
  }
}

// Common residues for everyone: 32 and unknown of a run's bytes, 4 and unknown of a matrix's columns; a learned one
// comes in addition.
TEST(KeySpace, ListsTheResiduesThatKeysCarry) {
  StaticConfiguration c = configuration(OpId::kCopy, {2, 1, 0});
  const size_t with_each_alignment = 4 * 2;  // 2, 4, 8, 16 bytes, either index width
  EXPECT_EQ(enumerate_keys(c)->size(), with_each_alignment * 33);
  LearnedResidues learned;
  learned.add(ResidueKind::kRunBytes, 6);
  learned.add(ResidueKind::kMatrixColumns, 6);
  EXPECT_EQ(enumerate_keys(c, &learned)->size(), with_each_alignment * 34);
  learned.add(ResidueKind::kRunBytes, 7);  // no multiple of an element
  EXPECT_EQ(enumerate_keys(c, &learned)->size(), with_each_alignment * 34);
  c.variant = static_cast<int>(CopyMode::kTransposed);
  c.head_dim = 1;
  EXPECT_EQ(enumerate_keys(c)->size(), size_t{4 * 2 * 5});
  EXPECT_EQ(enumerate_keys(c, &learned)->size(), size_t{4 * 2 * 6});
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
  const auto refused = [](OpId op, auto spoil, const char* expected) {
    StaticConfiguration spoilt = configuration(op, {2, 8, 128});
    spoil(spoilt);
    const auto space = enumerate_keys(spoilt);
    ASSERT_FALSE(space.ok()) << expected;
    EXPECT_NE(space.status().message().find(expected), std::string::npos) << space.status().message();
  };
  refused(
      OpId::kPack, [](auto& x) { x.head_dim = 0; }, "head_dim is 0; it must be in [1, 2147483647]");
  refused(
      OpId::kPack, [](auto& x) { x.variant = 1; }, "variant is 1; it must be in [0, 1)");
  refused(
      OpId::kCopy, [](auto& x) { x.variant = 3; }, "variant is 3; it must be in [0, 3)");
  refused(
      OpId::kCopy, [](auto& x) { x.variant = -1; }, "variant is -1");
  refused(
      OpId::kCopy, [](auto& x) { x.outer_rank = 9; }, "outer_rank is 9");
  refused(
      OpId::kCopy, [](auto& x) { x.outer_rank = 4000; }, "outer_rank");
  refused(
      OpId::kCopy, [](auto& x) { x.head_dim = 1025; }, "more than 2048 bytes is given as 0");
  refused(
      OpId::kGatherRows, [](auto& x) { x.index_bytes = 2; }, "index size is 2 bytes; it must be 4 or 8");
  refused(
      OpId::kConvert, [](auto& x) { x.source_type = DType::kInt32; }, "source_type");
  refused(
      OpId::kAppendRope, [](auto& x) { x.rotary_dim = 130; }, "rotary_dim is 130");
  refused(
      OpId::kAppendRope, [](auto& x) { x.rotary_dim = 3; }, "rotary_dim is 3; it must be even");
  refused(
      OpId::kAppendRope, [](auto& x) { x.rotary_dim = 0; }, "rotary_dim is 0");
}

}  // namespace
}  // namespace tailor
