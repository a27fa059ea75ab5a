// Keys: forms that round-trip, domains, hash quality.
#include "runtime/bucket/key.h"

#include <algorithm>
#include <bit>
#include <map>
#include <random>
#include <set>
#include <unordered_set>

#include <gtest/gtest.h>

#include "runtime/bucket/key_domain.h"
#include "runtime/bucket/key_space.h"
#include "runtime/ops/schema.h"

namespace tailor {
namespace {

Key good_key() {
  StaticConfiguration c{OpId::kPagedGather, Arch::kSm90a, Emitter::kLlvm, Lowering::kTail, 2, 16, 8, 128};
  return enumerate_keys(c).value().front();
}

// Of every operation, with every variant.
std::vector<Key> many_keys() {
  std::vector<Key> keys;
  const auto add = [&](const StaticConfiguration& c) {
    const auto space = enumerate_keys(c);
    if (space.ok()) keys.insert(keys.end(), space->begin(), space->end());
  };
  for (int op = 0; op < kOpCount; ++op) {
    const KeyDomain domain = key_domain(static_cast<OpId>(op));
    for (Lowering lowering : {Lowering::kPow2Mask, Lowering::kGuarded, Lowering::kTail}) {
      for (int element : {1, 2, 4, 8}) {
        for (int64_t page : domain.pages ? std::vector<int64_t>{1, 16, 17, 64} : std::vector<int64_t>{0}) {
          for (int64_t heads : domain.pages ? std::vector<int64_t>{1, 2, 8} : std::vector<int64_t>{1}) {
            for (int64_t dim : {1, 64, 80, 128}) {
              for (int variant = 0; variant < domain.variants; ++variant) {
                StaticConfiguration c{
                    static_cast<OpId>(op), Arch::kSm90a, Emitter::kLlvm, lowering, element, page, heads, dim};
                c.variant = variant;
                c.rotary_dim = 64;
                if (domain.computes != Computes::kNothing) {
                  c.source_type = element == 1 ? DType::kFloat8E5M2 : element == 2 ? DType::kFloat16 : DType::kFloat32;
                  if (element == 8) continue;
                }
                add(c);
              }
            }
          }
        }
      }
    }
  }
  return keys;
}

TEST(Key, TextParsesBack) {
  for (const Key& key : many_keys()) {
    const auto parsed = parse_key(to_string(key));
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    ASSERT_EQ(*parsed, key);
  }
  EXPECT_EQ(to_string(good_key()),
            "op=paged_gather schema=3 arch=sm_90a emitter=llvm lowering=tail element_log2=1 index64=0 "
            "source_contiguity=row target_contiguity=row source_align_log2=1 target_align_log2=1 source_type=u8 "
             "target_type=u8 index_log2=2 variant=0 page_size=16 heads=8 head_dim=128 rotary_dim=0 "
             "columns_residue=65535 outer_rank=0 length_multiple_log2=0 reports=1");
}

TEST(Key, MalformedTextIsRefusedByName) {
  const std::string good = to_string(good_key());
  const auto message = [](const std::string& text) { return parse_key(text).status().message(); };
  EXPECT_NE(message("").find("lacks the field op"), std::string::npos);
  EXPECT_NE(message(good + " heads=8").find("heads twice"), std::string::npos);
  EXPECT_NE(message(good + " colour=red").find("colour"), std::string::npos);
  EXPECT_NE(message("nonsense").find("field=value"), std::string::npos);
  for (const auto& [from, to] : {std::pair{"arch=sm_90a", "arch=sm_42"},
                                 {"heads=8", "heads=8x"},
                                 {"heads=8", "heads=-8"},
                                 {"heads=8", "heads=99999999999"},
                                 {"=tail", "="}}) {
    std::string text = good;
    text.replace(text.find(from), std::string(from).size(), to);
    EXPECT_FALSE(parse_key(text).ok()) << text;
  }
}

TEST(Key, CanonicalBytesAreInjectiveAndParseBack) {
  std::set<std::string> seen;
  const auto keys = many_keys();
  for (const Key& key : keys) {
    const std::string bytes = canonical_bytes(key) + "tail";
    std::string_view rest = bytes;
    const auto parsed = take_canonical(rest);
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    ASSERT_EQ(*parsed, key);
    ASSERT_EQ(rest, "tail");
    seen.insert(bytes);
  }
  EXPECT_EQ(seen.size(), keys.size());
}

// Every flip either leaves a key that prints differently, or is refused; truncation is always refused.
TEST(Key, DamagedCanonicalBytesAreRefusedOrOfAnotherKey) {
  const std::string bytes = canonical_bytes(good_key());
  for (size_t n = 0; n < bytes.size(); ++n) {
    std::string_view cut = std::string_view(bytes).substr(0, n);
    EXPECT_FALSE(take_canonical(cut).ok()) << n;
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = bytes;
      flipped[n] = static_cast<char>(flipped[n] ^ 1 << bit);
      std::string_view rest = flipped;
      const auto key = take_canonical(rest);
      if (key.ok()) {
        EXPECT_NE(*key, good_key());
      }
    }
  }
}

using Domain = std::pair<uint64_t, uint64_t>;  // inclusive
struct Shape {
  const char* name;
  StaticConfiguration configuration;
  std::map<KeyField, std::vector<Domain>> differing;  // from what is said of every operation
};

constexpr uint64_t kLast = 0x7fffffff;

StaticConfiguration configuration(OpId op) {
  StaticConfiguration c{op, Arch::kSm90a, Emitter::kLlvm, Lowering::kTail, 2, 16, 8, 128};
  c.source_type = DType::kBFloat16;
  c.rotary_dim = 64;
  return c;
}

// The declared domain of every field, by hand: the values that validate() takes while the others stay as they are.
std::vector<Shape> shapes() {
  const auto type = [](DType t) { return Domain{static_cast<uint64_t>(t), static_cast<uint64_t>(t)}; };
  const std::map<KeyField, std::vector<Domain>> paged = {{KeyField::kPageSize, {{1, kLast}}},
                                                         {KeyField::kHeads, {{1, kLast / 128}}},
                                                         {KeyField::kHeadDim, {{1, kLast / 8}}},
                                                         {KeyField::kSourceContiguity, {{0, 2}}},
                                                         {KeyField::kTargetContiguity, {{0, 2}}}};
  std::vector<Shape> list;
  const auto add = [&](const char* name, StaticConfiguration c, std::map<KeyField, std::vector<Domain>> differing) {
    if (c.op == OpId::kConvert || c.op == OpId::kCopy) differing[KeyField::kReports] = {{0, 0}};
    list.push_back({name, c, std::move(differing)});
  };
  add("gather", configuration(OpId::kPagedGather), paged);
  add("append", configuration(OpId::kPagedAppend), paged);
  auto rope = paged;
  rope[KeyField::kHeadDim] = {{64, kLast / 8}};
  rope[KeyField::kVariant] = {{0, 1}};
  rope[KeyField::kSourceType] = {type(DType::kBFloat16), type(DType::kFloat16)};
  rope[KeyField::kTargetType] = {type(DType::kFloat32), type(DType::kBFloat16)};
  rope[KeyField::kElementLog2] = {{1, 1}};
  rope[KeyField::kRotaryDim] = {};
  for (uint64_t r = 2; r <= 128; r += 2) rope[KeyField::kRotaryDim].push_back({r, r});
  add("rope", configuration(OpId::kAppendRope), rope);
  for (OpId op : {OpId::kPack, OpId::kUnpack, OpId::kConcat, OpId::kSplit}) add("ragged", configuration(op), {});
  for (OpId op : {OpId::kGatherRows, OpId::kScatterRows}) {
    add("indexed", configuration(op), {{KeyField::kIndexLog2, {{2, 3}}}});
  }
  const std::vector<Domain> floats = {type(DType::kFloat16), type(DType::kBFloat16)};
  StaticConfiguration convert = configuration(OpId::kConvert);
  convert.target_type = DType::kFloat16;
  add("convert", convert,
      {{KeyField::kVariant, {{0, 1}}},
       {KeyField::kElementLog2, {{1, 1}}},
       {KeyField::kSourceType, floats},
       {KeyField::kTargetType,
        {type(DType::kFloat16), type(DType::kBFloat16), type(DType::kFloat8E4M3), type(DType::kFloat8E5M2)}}});
  add("transpose", configuration(OpId::kRaggedTranspose),
      {{KeyField::kLengthMultipleLog2, {{0, 3}}}, {KeyField::kTargetContiguity, {{0, 0}}}});
  StaticConfiguration copy = configuration(OpId::kCopy);
  copy.outer_rank = 2;
  const Domain row = {0, 0}, none = {2, 2};
  add("rows", copy,
      {{KeyField::kHeadDim, {{0, 1024}}},
       {KeyField::kOuterRank, {{0, 8}}},
       {KeyField::kSourceContiguity, {row}},
       {KeyField::kTargetContiguity, {row}}});
  copy.head_dim = 0;
  std::vector<Domain> even = {{kUnknownColumnsResidue, kUnknownColumnsResidue}};
  for (uint64_t r = 0; r < 512; r += 2) even.push_back({r, r});
  add("long rows", copy,
      {{KeyField::kHeadDim, {{0, 0}}},
       {KeyField::kOuterRank, {{0, 8}}},
       {KeyField::kColumnsResidue, even},
       {KeyField::kSourceContiguity, {row}},
       {KeyField::kTargetContiguity, {row}}});
  copy.variant = static_cast<int>(CopyMode::kTransposed);
  copy.head_dim = 1;
  add("matrix", copy,
      {{KeyField::kVariant, {{1, 1}}},
       {KeyField::kHeadDim, {{1, 1}}},
       {KeyField::kOuterRank, {{0, 7}}},
       {KeyField::kColumnsResidue, {{0, 63}, {65535, 65535}}},
       {KeyField::kSourceContiguity, {row}},
       {KeyField::kTargetContiguity, {row}}});
  copy.variant = static_cast<int>(CopyMode::kElements);
  copy.head_dim = 7;
  add("elements", copy,
      {{KeyField::kVariant, {{2, 2}}},
       {KeyField::kHeadDim, {{0, 0}, {2, 1024}}},
       {KeyField::kOuterRank, {{0, 8}}},
       {KeyField::kSourceContiguity, {row, none}},
       {KeyField::kTargetContiguity, {row, none}}});
  return list;
}

// Of every operation, unless its shape says otherwise.
std::vector<Domain> common_domain(KeyField field) {
  switch (field) {
    case KeyField::kSchemaVersion:
      return {{kSchemaVersion, kSchemaVersion}};
    case KeyField::kArch:
    case KeyField::kEmitter:
    case KeyField::kIndex64:
    case KeyField::kReports:
      return {{0, 1}};
    case KeyField::kLowering:
    case KeyField::kSourceContiguity:
    case KeyField::kTargetContiguity:
      return {{0, 2}};
    case KeyField::kElementLog2:
      return {{0, 1}};  // the keys have an alignment of 2 bytes
    case KeyField::kSourceAlignLog2:
    case KeyField::kTargetAlignLog2:
      return {{1, 4}};
    case KeyField::kIndexLog2:
      return {{2, 2}};
    case KeyField::kHeads:
      return {{1, 1}};
    case KeyField::kHeadDim:
      return {{1, kLast}};
    case KeyField::kColumnsResidue:
      return {{65535, 65535}};
    default:
      return {{0, 0}};
  }
}

constexpr std::string_view kFieldNames[] = {
#define X(name, text, bits, word, meaning) text,
    TAILOR_KEY_FIELDS(X)
#undef X
};

TEST(Key, ValidateTakesExactlyTheDeclaredDomain) {
  for (const Shape& shape : shapes()) {
    const auto space = enumerate_keys(shape.configuration);
    ASSERT_TRUE(space.ok()) << shape.name << ": " << space.status().message();
    for (int i = 1; i < kKeyFieldCount; ++i) {  // the operation itself: below
      const auto field = static_cast<KeyField>(i);
      // A copy of elements needs one side without contiguity: leave it the other one.
      Key good = space->front();
      if (std::string_view(shape.name) == "elements") {
        const auto other =
            field == KeyField::kSourceContiguity ? KeyField::kTargetContiguity : KeyField::kSourceContiguity;
        good.set(KeyField::kSourceContiguity, 0);
        good.set(KeyField::kTargetContiguity, 0);
        good.set(other, 2);
      }
      ASSERT_TRUE(validate(good).ok()) << validate(good).message();
      const auto found = shape.differing.find(field);
      const auto domain = found != shape.differing.end() ? found->second : common_domain(field);
      const int bits = key_detail::kPlaces[static_cast<size_t>(i)].bits;
      std::vector<uint64_t> values;
      if (bits <= 16) {
        for (uint64_t v = 0; v >> bits == 0; ++v) values.push_back(v);
      } else {
        values = {0, 1, 2, 3, 63, 64, 100, 128, 129, 1000, 0x7fffffff, 0x80000000, 0xffffffff};
        for (const auto& [low, high] : domain)
          values.insert(values.end(), {low, high, high + 1, low == 0 ? 0 : low - 1});
      }
      for (const uint64_t v : values) {
        Key key = good;
        key.set(field, v);
        ASSERT_EQ(key.get(field), v);
        const Status s = validate(key);
        const bool inside =
            std::any_of(domain.begin(), domain.end(), [&](const Domain& d) { return d.first <= v && v <= d.second; });
        ASSERT_EQ(s.ok(), inside) << shape.name << " " << kFieldNames[i] << " = " << v << ": " << s.message();
        // Some fields bind others, which are named then.
        const bool binds = field == KeyField::kElementLog2 || field == KeyField::kHeads ||
                           field == KeyField::kSourceType || field == KeyField::kTargetType ||
                           field == KeyField::kHeadDim || field == KeyField::kSourceContiguity ||
                           field == KeyField::kVariant;
        if (!s.ok() && !binds) {
          ASSERT_NE(s.message().find(kFieldNames[i]), std::string::npos) << s.message();
        }
        if (s.ok()) {
          ASSERT_EQ(canonical_form(canonical_form(key)), canonical_form(key));
        }
      }
    }
  }
}

// A key is of one operation: what one of them takes, the others refuse, unless they use the same fields.
TEST(Key, OperationsOutsideTheTableAreRefused) {
  Key key = good_key();
  for (uint64_t op = static_cast<uint64_t>(kOpCount); op < 256; ++op) {
    key.set(KeyField::kOp, op);
    ASSERT_NE(validate(key).message().find("key field op is"), std::string::npos);
  }
  key.set(KeyField::kOp, static_cast<uint64_t>(OpId::kPack));
  EXPECT_NE(validate(key).message().find("page_size is 16; it must be 0 in a key of pack"), std::string::npos)
      << validate(key).message();
}

TEST(Key, UnusedBitsMustBeZero) {
  Key all;
  for (int i = 0; i < kKeyFieldCount; ++i) all.set(static_cast<KeyField>(i), ~uint64_t{0});
  int unused = 0;
  for (size_t w = 0; w < kKeyWords; ++w) {
    for (int bit = 0; bit < 64; ++bit) {
      if (all.words[w] >> bit & 1) continue;
      ++unused;
      Key key = good_key();
      key.words[w] |= uint64_t{1} << bit;
      EXPECT_FALSE(validate(key).ok()) << w << ":" << bit;
    }
  }
  EXPECT_GT(unused, 0);
}

TEST(KeyHash, SpreadsRealKeysLikeRandomOnes) {
  const auto keys = many_keys();
  std::unordered_set<uint64_t> hashes;
  const size_t buckets = std::bit_ceil(keys.size() * 2);
  std::vector<int> load(buckets);
  for (const Key& key : keys) {
    hashes.insert(key.hash());
    ++load[key.hash() & (buckets - 1)];
  }
  EXPECT_EQ(hashes.size(), keys.size());
  // Balls into bins at a load of at most 1/2: a bin with 12 has probability below 1e-10.
  EXPECT_LT(*std::max_element(load.begin(), load.end()), 12);
}

TEST(KeyHash, EveryInputBitReachesTheLowHalf) {
  for (int word = 0; word < kKeyWords; ++word) {
    for (int bit = 0; bit < 64; ++bit) {
      std::mt19937_64 rng(static_cast<uint64_t>(word * 64 + bit));
      int changed = 0;
      constexpr int kTrials = 64;
      for (int t = 0; t < kTrials; ++t) {
        Key a;
        for (uint64_t& w : a.words) w = rng();
        Key b = a;
        b.words[static_cast<size_t>(word)] ^= uint64_t{1} << bit;
        changed += std::popcount(static_cast<uint32_t>(a.hash() ^ b.hash()));
      }
      EXPECT_GT(changed, kTrials * 32 / 4) << word << ":" << bit;
    }
  }
}

}  // namespace
}  // namespace tailor
