// Image metadata: what is written is read; nothing else is accepted unless it is a whole, valid image of its own.
#include "runtime/ops/image_codec.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/ops/schema.h"

namespace tailor {
namespace {

using ::testing::HasSubstr;

StoredImage random_image(std::mt19937& rng) {
  StoredImage image;
  image.op = static_cast<OpId>(rng() % 2);
  image.arch = static_cast<Arch>(rng() % 2);
  image.emitter = static_cast<Emitter>(rng() % 2);
  image.entry = entry_symbol(image.op);
  const auto symbols = static_cast<uint32_t>(symbols_of(image.op).size());
  const auto number = [&] { return static_cast<int64_t>(uint64_t{rng()} << 32 | rng()); };
  for (unsigned n = rng() % 20; n > 0; --n) {
    image.premises.push_back(
        {static_cast<uint16_t>(rng() % symbols), static_cast<FactKind>(rng() % 4), number(), number()});
  }
  const auto expression = [&]() -> PlanExpression {
    if (rng() % 2) return {{PlanOp::kSymbol, static_cast<int64_t>(rng() % symbols)}};
    return {{PlanOp::kConstant, number()}, {PlanOp::kSmCount, 0}, {PlanOp::kCeilDiv, 0}};
  };
  for (auto& g : image.plan.grid) g = expression();
  image.plan.block = {static_cast<uint32_t>(rng() % 256 + 1), static_cast<uint32_t>(rng() % 4 + 1), 1};
  image.plan.dynamic_shared_bytes = static_cast<uint32_t>(rng() % 1000);
  uint16_t offset = 0;
  for (unsigned n = rng() % 30; n > 0; --n) {
    const uint8_t width = rng() % 2 ? 4 : 8;
    offset = static_cast<uint16_t>((offset + width - 1) / width * width);
    image.plan.parameters.push_back({offset, width, expression()});
    offset = static_cast<uint16_t>(offset + width);
  }
  if (rng() % 2) image.cubin_missing = std::string(rng() % 50, 'x');
  if (rng() % 2) image.unproved = std::string(rng() % 50, 'y');
  return image;
}

void expect_equal(const StoredImage& a, const StoredImage& b) {
  EXPECT_EQ(a.op, b.op);
  EXPECT_EQ(a.arch, b.arch);
  EXPECT_EQ(a.emitter, b.emitter);
  EXPECT_EQ(a.entry, b.entry);
  EXPECT_EQ(a.premises, b.premises);
  EXPECT_EQ(a.plan, b.plan);
  EXPECT_EQ(a.cubin_missing, b.cubin_missing);
  EXPECT_EQ(a.unproved, b.unproved);
}

TEST(ImageCodec, ReadsWhatItWrote) {
  std::mt19937 rng(19);
  for (int round = 0; round < 500; ++round) {
    const StoredImage image = random_image(rng);
    ASSERT_TRUE(validate(image.plan, static_cast<int>(symbols_of(image.op).size())).ok());
    const auto decoded = decode_image(encode_image(image));
    ASSERT_TRUE(decoded.ok()) << decoded.status().message();
    expect_equal(*decoded, image);
  }
}

// A valid answer to damaged bytes must be an image in its own right: a valid plan, known symbols, its own encoding.
void expect_corruption_or_valid(const std::string& bytes) {
  const auto decoded = decode_image(bytes);
  if (!decoded.ok()) {
    ASSERT_EQ(decoded.status().code(), StatusCode::kCorruption) << decoded.status().message();
    return;
  }
  const auto symbols = static_cast<int>(symbols_of(decoded->op).size());
  ASSERT_TRUE(validate(decoded->plan, symbols).ok());
  for (const Fact& f : decoded->premises) ASSERT_LT(f.symbol, symbols);
  ASSERT_EQ(encode_image(*decoded), bytes);
}

TEST(ImageCodec, EveryTruncationIsCorruption) {
  std::mt19937 rng(23);
  for (int round = 0; round < 20; ++round) {
    const std::string bytes = encode_image(random_image(rng));
    for (size_t n = 0; n < bytes.size(); ++n) {
      EXPECT_EQ(decode_image(std::string_view(bytes).substr(0, n)).status().code(), StatusCode::kCorruption) << n;
    }
    EXPECT_EQ(decode_image(bytes + '\0').status().code(), StatusCode::kCorruption);
  }
}

TEST(ImageCodec, EveryBitFlipIsCorruptionOrAnotherValidImage) {
  std::mt19937 rng(29);
  for (int round = 0; round < 10; ++round) {
    const std::string bytes = encode_image(random_image(rng));
    for (size_t n = 0; n < bytes.size() * 8; ++n) {
      std::string flipped = bytes;
      flipped[n / 8] = static_cast<char>(flipped[n / 8] ^ 1 << (n % 8));
      expect_corruption_or_valid(flipped);
    }
  }
}

TEST(ImageCodec, RandomBytesAreCorruption) {
  std::mt19937 rng(31);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = "TIMG";
    bytes += '\x01';
    bytes += '\0';
    for (unsigned n = rng() % 80; n > 0; --n) bytes += static_cast<char>(rng());
    expect_corruption_or_valid(bytes);
  }
}

TEST(ImageCodec, NamesTheRule) {
  std::mt19937 rng(37);
  const auto message = [&](auto spoil) {
    StoredImage image = random_image(rng);
    spoil(image);
    return decode_image(encode_image(image)).status().message();
  };
  EXPECT_THAT(message([](auto& i) { i.entry = "main"; }), HasSubstr("entry is not tailor_paged_"));
  EXPECT_THAT(message([](auto& i) { i.premises = {Fact::exact(40, 1)}; }), HasSubstr("symbol 40"));
  EXPECT_THAT(message([](auto& i) { i.premises = {{0, static_cast<FactKind>(7), 0, 0}}; }), HasSubstr("unknown kind"));
  EXPECT_THAT(message([](auto& i) { i.plan.block = {0, 1, 1}; }), HasSubstr("block[0] is 0"));
  EXPECT_THAT(message([](auto& i) { i.arch = static_cast<Arch>(9); }), HasSubstr("unknown"));
  EXPECT_THAT(decode_image("").status().message(), HasSubstr("TIMG"));
  std::string old = encode_image(random_image(rng));
  old[4] = 7;
  EXPECT_THAT(decode_image(old).status().message(), HasSubstr("version is 7"));
}

}  // namespace
}  // namespace tailor
