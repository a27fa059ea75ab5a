// Keys: forms that round-trip, domains, hash quality.
#include "runtime/bucket/key.h"

#include <bit>
#include <random>
#include <set>
#include <unordered_set>

#include <gtest/gtest.h>

#include "runtime/bucket/key_space.h"
#include "runtime/ops/schema.h"

namespace tailor {
namespace {

Key good_key() {
  StaticConfiguration c{OpId::kPagedGather, Arch::kSm90a, Emitter::kLlvm, Lowering::kTail, 2, 16, 8, 128};
  return enumerate_keys(c).value().front();
}

std::vector<Key> many_keys() {
  std::vector<Key> keys;
  for (OpId op : {OpId::kPagedGather, OpId::kPagedAppend}) {
    for (Lowering lowering : {Lowering::kPow2Mask, Lowering::kGuarded, Lowering::kTail}) {
      for (int element : {1, 2, 4, 8}) {
        for (int64_t page : {1, 16, 17, 64}) {
          for (int64_t heads : {1, 2, 8}) {
            for (int64_t dim : {1, 64, 80, 128}) {
              const auto space =
                  enumerate_keys({op, Arch::kSm90a, Emitter::kLlvm, lowering, element, page, heads, dim});
              keys.insert(keys.end(), space->begin(), space->end());
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
            "op=paged_gather schema=1 arch=sm_90a emitter=llvm lowering=tail element_log2=1 index64=0 "
            "source_contiguity=row target_contiguity=row source_align_log2=1 target_align_log2=1 page_size=16 heads=8 "
            "head_dim=128");
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

struct Domain {
  KeyField field;
  const char* name;
  uint64_t low, high;
};

// The declared domain of every field, by hand: the values that validate() takes while the others stay good.
constexpr Domain kDomains[] = {
    {KeyField::kOp, "op", 0, 1},
    {KeyField::kSchemaVersion, "schema", kSchemaVersion, kSchemaVersion},
    {KeyField::kArch, "arch", 0, 1},
    {KeyField::kEmitter, "emitter", 0, 1},
    {KeyField::kLowering, "lowering", 0, 2},
    {KeyField::kElementLog2, "element_log2", 0, 1},  // alignment of the good key is 2 bytes
    {KeyField::kIndex64, "index64", 0, 1},
    {KeyField::kSourceContiguity, "source_contiguity", 0, 2},
    {KeyField::kTargetContiguity, "target_contiguity", 0, 2},
    {KeyField::kSourceAlignLog2, "source_align_log2", 1, 4},
    {KeyField::kTargetAlignLog2, "target_align_log2", 1, 4},
    {KeyField::kPageSize, "page_size", 1, 0x7fffffff},
    {KeyField::kHeads, "heads", 1, 0x7fffffff / 128},
    {KeyField::kHeadDim, "head_dim", 1, 0x7fffffff / 8},
};

TEST(Key, ValidateTakesExactlyTheDeclaredDomain) {
  static_assert(std::size(kDomains) == static_cast<size_t>(kKeyFieldCount));
  for (const Domain& d : kDomains) {
    const int bits = key_detail::kPlaces[static_cast<int>(d.field)].bits;
    std::vector<uint64_t> values;
    if (bits <= 8) {
      for (uint64_t v = 0; v >> bits == 0; ++v) values.push_back(v);
    } else {
      values = {0, 1, 2, 1000, d.high, d.high + 1, 0x7fffffff, 0x80000000, 0xffffffff};
    }
    for (uint64_t v : values) {
      Key key = good_key();
      key.set(d.field, v);
      ASSERT_EQ(key.get(d.field), v);
      const Status s = validate(key);
      EXPECT_EQ(s.ok(), d.low <= v && v <= d.high) << d.name << " = " << v << ": " << s.message();
      if (!s.ok() && d.field != KeyField::kElementLog2 && d.field != KeyField::kHeads) {
        EXPECT_NE(s.message().find(d.name), std::string::npos) << s.message();
      }
    }
  }
}

TEST(Key, UnusedBitsMustBeZero) {
  Key all;
  for (int i = 0; i < kKeyFieldCount; ++i) all.set(static_cast<KeyField>(i), ~uint64_t{0});
  int unused = 0;
  for (size_t w = 0; w < 3; ++w) {
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
  for (int word = 0; word < 3; ++word) {
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
