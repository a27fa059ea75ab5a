// The action file: what is written is read back, and nothing else is read at all.
#include "cache/format.h"

#include <set>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace tailor::cache {
namespace {

ActionImage sample() {
  ActionImage action;
  action.key = std::string_view("op\0key", 6);
  action.metadata = "plan";
  action.toolchain = "LLVM";
  action.minimum_driver = 12080;
  action.objects = {{"cubin", 70000, {0x0123456789abcdef, 0xfedcba9876543210}, 0x1122334455667788},
                    {"ptx", 1, {1, 2}, 3}};
  return action;
}

bool equal(const ActionImage& a, const ActionImage& b) {
  if (a.key != b.key || a.metadata != b.metadata || a.toolchain != b.toolchain ||
      a.minimum_driver != b.minimum_driver || a.objects.size() != b.objects.size()) {
    return false;
  }
  for (size_t i = 0; i < a.objects.size(); ++i) {
    const ObjectImage &x = a.objects[i], &y = b.objects[i];
    if (x.name != y.name || x.size != y.size || x.digest != y.digest || x.checksum != y.checksum) return false;
  }
  return true;
}

void append_little_endian(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

// Makes the trailer right again, so that the grammar is tested and not the checksum.
std::string resealed(std::string body) {
  const Digest digest = digest_of(body);
  append_little_endian(body, digest.low, 8);
  append_little_endian(body, digest.high, 8);
  return body;
}

TEST(Digest, AgreesWithThePublishedVectorsOfXxh3) {
  EXPECT_EQ(digest_of("").hex(), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(digest_of("a").hex(), "a96faf705af16834e6c632b61e964e1f");
}

TEST(Digest, KeepsLeadingBitsOnly) {
  const Digest whole = digest_of("key");
  EXPECT_EQ(digest_of("key", 128), whole);
  EXPECT_EQ(digest_of("key", 8), (Digest{whole.high & 0xff00000000000000, 0}));
  EXPECT_EQ(digest_of("key", 64), (Digest{whole.high, 0}));
  EXPECT_EQ(digest_of("key", 0), Digest{});
}

// FORMAT.md's grammar, written out by hand.
TEST(Format, BytesAreThoseOfTheGrammar) {
  std::string expected = "TLRACT\r\n";
  append_little_endian(expected, 1, 4);
  append_little_endian(expected, 6, 4);
  expected.append("op\0key", 6);
  append_little_endian(expected, 4, 4);
  expected += "plan";
  append_little_endian(expected, 4, 4);
  expected += "LLVM";
  append_little_endian(expected, 12080, 4);
  append_little_endian(expected, 2, 4);
  append_little_endian(expected, 5, 4);
  expected += "cubin";
  append_little_endian(expected, 70000, 8);
  append_little_endian(expected, 0xfedcba9876543210, 8);
  append_little_endian(expected, 0x0123456789abcdef, 8);
  append_little_endian(expected, 0x1122334455667788, 8);
  append_little_endian(expected, 3, 4);
  expected += "ptx";
  append_little_endian(expected, 1, 8);
  append_little_endian(expected, 2, 8);
  append_little_endian(expected, 1, 8);
  append_little_endian(expected, 3, 8);
  auto encoded = encode_action(sample());
  ASSERT_TRUE(encoded.ok());
  EXPECT_EQ(*encoded, resealed(expected));
}

TEST(Format, WhatIsEncodedIsDecoded) {
  EXPECT_TRUE(rc::check([] {
    const auto text = rc::gen::container<std::string>(rc::gen::arbitrary<char>());
    const std::string key = *rc::gen::nonEmpty(text), metadata = *text, toolchain = *text;
    ActionImage action;
    action.key = key;
    action.metadata = metadata;
    action.toolchain = toolchain;
    action.minimum_driver = *rc::gen::arbitrary<uint32_t>();
    const std::set<std::string> names = *rc::gen::container<std::set<std::string>>(rc::gen::nonEmpty(text));
    for (const std::string& name : names) {
      if (action.objects.size() == kMaxObjects) break;
      action.objects.push_back({name,
                                *rc::gen::inRange<uint64_t>(1, UINT64_MAX),
                                {*rc::gen::arbitrary<uint64_t>(), *rc::gen::arbitrary<uint64_t>()},
                                *rc::gen::arbitrary<uint64_t>()});
    }
    const auto encoded = encode_action(action);
    RC_ASSERT(encoded.ok());
    const auto decoded = decode_action(*encoded);
    RC_ASSERT(decoded.ok());
    RC_ASSERT(equal(action, *decoded));
  }));
}

TEST(Format, EveryBitFlipIsCorruption) {
  const std::string good = encode_action(sample()).value();
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    const auto decoded = decode_action(bad);
    ASSERT_FALSE(decoded.ok()) << "bit " << bit;
    ASSERT_EQ(decoded.status().code(), StatusCode::kCorruption) << "bit " << bit;
  }
}

TEST(Format, EveryTruncationAndEveryExtensionIsCorruption) {
  const std::string good = encode_action(sample()).value();
  for (size_t size = 0; size < good.size(); ++size) {
    ASSERT_EQ(decode_action(std::string_view(good).substr(0, size)).status().code(), StatusCode::kCorruption) << size;
  }
  ASSERT_EQ(decode_action(good + '\0').status().code(), StatusCode::kCorruption);
  ASSERT_EQ(decode_action(good + good).status().code(), StatusCode::kCorruption);
}

// Past the checksum stands the grammar itself: any body that it accepts is one that the writer makes.
TEST(Format, WithItsChecksumMadeRightAnyAcceptedMutantReencodesToItself) {
  const std::string good = encode_action(sample()).value();
  const std::string body = good.substr(0, good.size() - 16);
  size_t accepted = 0, refused = 0;
  const auto check = [&](const std::string& bytes) {
    const auto decoded = decode_action(bytes);
    if (!decoded.ok()) {
      ++refused;
      return;
    }
    ++accepted;
    const auto again = encode_action(*decoded);
    ASSERT_TRUE(again.ok());
    ASSERT_EQ(*again, bytes);
  };
  for (size_t i = 0; i < body.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string mutant = body;
      mutant[i] = static_cast<char>(value);
      check(resealed(mutant));
    }
  }
  for (size_t size = 0; size < body.size(); ++size) check(resealed(body.substr(0, size)));
  check(resealed(body + '\0'));
  EXPECT_GT(accepted, 0u);
  EXPECT_GT(refused, 0u);
}

TEST(Format, LengthsBeyondTheEndAreRefusedWithoutAllocating) {
  for (const uint32_t length : {0x7fffffffu, 0xffffffffu}) {
    std::string body = "TLRACT\r\n";
    append_little_endian(body, kFormatVersion, 4);
    append_little_endian(body, length, 4);  // the key's
    EXPECT_EQ(decode_action(resealed(body)).status().code(), StatusCode::kCorruption);
    body.resize(body.size() - 4);
    append_little_endian(body, 1, 4);
    body += "k";
    append_little_endian(body, 0, 8);       // metadata, toolchain
    append_little_endian(body, 0, 4);       // driver
    append_little_endian(body, length, 4);  // objects
    EXPECT_EQ(decode_action(resealed(body)).status().code(), StatusCode::kCorruption);
  }
}

TEST(Format, AnIntactRecordOfAnotherVersionIsToldFromCorruption) {
  const std::string good = encode_action(sample()).value();
  std::string body = good.substr(0, good.size() - 16);
  body[8] = 2;
  EXPECT_EQ(decode_action(resealed(body)).status().code(), StatusCode::kUnsupported);
}

TEST(Format, RulesOfTheWriter) {
  ActionImage action = sample();
  action.key = "";
  EXPECT_EQ(encode_action(action).status().code(), StatusCode::kInvalidArgument);
  action = sample();
  action.objects[0].size = 0;
  EXPECT_EQ(encode_action(action).status().code(), StatusCode::kInvalidArgument);
  action = sample();
  action.objects[0].name = "";
  EXPECT_EQ(encode_action(action).status().code(), StatusCode::kInvalidArgument);
  action = sample();
  action.objects[1].name = "cubin";
  EXPECT_EQ(encode_action(action).status().code(), StatusCode::kInvalidArgument);
  action = sample();
  std::vector<std::string> names;
  for (uint32_t i = 0; i <= kMaxObjects; ++i) names.push_back(std::to_string(i));
  action.objects.clear();
  for (const std::string& name : names) action.objects.push_back({name, 1, {}, 0});
  EXPECT_EQ(encode_action(action).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tailor::cache
