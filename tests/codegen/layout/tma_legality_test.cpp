// Every bound of the rules is met, and broken by one. The rules come from cuda.h's text at the three encoders.
#include "codegen/layout/tma_legality.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tailor::codegen::layout {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TmaTiled legal_tiled() {
  TmaTiled map;
  map.element = TmaElement::kUint16;
  map.rank = 3;
  map.address = 0x7f0000000000;
  map.dims = {64, 100, 7};
  map.strides = {128, 12800};
  map.box = {64, 8, 1};
  map.element_strides = {1, 1, 1};
  return map;
}

TmaIm2col legal_im2col() {
  TmaIm2col map;
  map.element = TmaElement::kFloat16;
  map.rank = 4;
  map.address = 256;
  map.dims = {64, 56, 56, 8};
  map.strides = {128, 7168, 401408};
  map.lower_corner = {-1, -1};
  map.upper_corner = {-1, -1};
  map.channels_per_pixel = 64;
  map.pixels_per_column = 128;
  map.element_strides = {1, 1, 1, 1};
  return map;
}

template <class Map>
std::vector<TmaRule> rules(const Map& map) {
  std::vector<TmaRule> out;
  for (const TmaViolation& v : tma_legality(map)) {
    out.push_back(v.rule);
    EXPECT_THAT(v.message, HasSubstr(std::string(rule_text(v.rule))));
  }
  return out;
}

// The change breaks exactly this rule (or, kLegal, none).
template <class Map>
struct Case {
  const char* name;
  std::vector<TmaRule> broken;
  std::function<void(Map&)> change;
};

template <class Map>
void hold(const Map& legal, const std::vector<Case<Map>>& cases) {
  EXPECT_THAT(rules(legal), IsEmpty());
  for (const Case<Map>& c : cases) {
    Map map = legal;
    c.change(map);
    EXPECT_EQ(rules(map), c.broken) << c.name;
  }
}

void set_rank(TmaTiled& m, int64_t rank) {
  const auto n = static_cast<size_t>(rank);
  m.rank = rank;
  m.dims.assign(n, 64);
  m.strides.assign(n == 0 ? 0 : n - 1, 128);
  m.box.assign(n, 8);
  m.element_strides.assign(n, 1);
}

constexpr uint64_t kTwo32 = uint64_t{1} << 32;
constexpr uint64_t kTwo40 = uint64_t{1} << 40;
using enum TmaRule;

TEST(TmaTiledRules, RankAndLists) {
  hold<TmaTiled>(
      legal_tiled(),
      {
          {"rank 0", {kRank, kListLength}, [](auto& m) { set_rank(m, 0); }},
          {"rank 1", {}, [](auto& m) { set_rank(m, 1); }},
          {"rank 5", {}, [](auto& m) { set_rank(m, 5); }},
          {"rank 6", {kRank}, [](auto& m) { set_rank(m, 6); }},
          {"interleaved rank 2",
           {kRankInterleaved},
           [](auto& m) { set_rank(m, 2), m.format.interleave = TmaInterleave::k16B; }},
          {"interleaved rank 3", {}, [](auto& m) { set_rank(m, 3), m.format.interleave = TmaInterleave::k16B; }},
          {"a dimension too many", {kListLength}, [](auto& m) { m.dims.push_back(1); }},
          {"a stride too few", {kListLength}, [](auto& m) { m.strides.pop_back(); }},
          {"a box extent too few", {kListLength}, [](auto& m) { m.box.pop_back(); }},
          {"an element stride too many", {kListLength}, [](auto& m) { m.element_strides.push_back(1); }},
      });
}

TEST(TmaTiledRules, AddressesAndStrides) {
  const auto interleave_32 = [](TmaTiled& m) {
    m.format.interleave = TmaInterleave::k32B;
    m.format.swizzle = TmaSwizzle::k32B;
  };
  hold<TmaTiled>(legal_tiled(),
                 {
                     {"address + 1", {kAddressAlignment}, [](auto& m) { m.address += 1; }},
                     {"address + 15", {kAddressAlignment}, [](auto& m) { m.address += 15; }},
                     {"address + 16", {}, [](auto& m) { m.address += 16; }},
                     {"32B: address + 16", {kAddressAlignment32}, [&](auto& m) { interleave_32(m), m.address += 16; }},
                     {"32B: address + 31", {kAddressAlignment32}, [&](auto& m) { interleave_32(m), m.address += 31; }},
                     {"32B: address + 32", {}, [&](auto& m) { interleave_32(m), m.address += 32; }},
                     {"stride - 1", {kStrideMultiple}, [](auto& m) { m.strides[0] -= 1; }},
                     {"stride + 1", {kStrideMultiple}, [](auto& m) { m.strides[1] += 1; }},
                     {"stride + 16", {}, [](auto& m) { m.strides[0] += 16; }},
                     {"32B: stride + 16", {kStrideMultiple32}, [&](auto& m) { interleave_32(m), m.strides[0] += 16; }},
                     {"32B: stride + 32", {}, [&](auto& m) { interleave_32(m), m.strides[0] += 32; }},
                     {"stride 2^40 - 16", {}, [](auto& m) { m.strides[1] = kTwo40 - 16; }},
                     {"stride 2^40", {kStrideRange}, [](auto& m) { m.strides[1] = kTwo40; }},
                     {"stride 2^40 - 1", {kStrideMultiple}, [](auto& m) { m.strides[1] = kTwo40 - 1; }},
                 });
}

TEST(TmaTiledRules, ExtentsAndBoxes) {
  hold<TmaTiled>(
      legal_tiled(),
      {
          {"dimension 0", {kDimRange}, [](auto& m) { m.dims[1] = 0; }},
          {"dimension 1", {}, [](auto& m) { m.dims[1] = 1; }},
          {"dimension 2^32", {}, [](auto& m) { m.dims[2] = kTwo32; }},
          {"dimension 2^32 + 1", {kDimRange}, [](auto& m) { m.dims[2] = kTwo32 + 1; }},
          {"box 0", {kBoxRange}, [](auto& m) { m.box[1] = 0; }},
          {"box 256", {}, [](auto& m) { m.box[1] = 256; }},
          {"box 257", {kBoxRange}, [](auto& m) { m.box[1] = 257; }},
          {"inner box 7 (14 bytes)", {kBoxInnerMultiple}, [](auto& m) { m.box[0] = 7; }},
          {"inner box 8 (16 bytes)", {}, [](auto& m) { m.box[0] = 8; }},
          {"inner box 9 (18 bytes)", {kBoxInnerMultiple}, [](auto& m) { m.box[0] = 9; }},
          {"interleaved: inner box 9", {}, [](auto& m) { m.box[0] = 9, m.format.interleave = TmaInterleave::k16B; }},
          {"element stride 0", {kElementStride}, [](auto& m) { m.element_strides[2] = 0; }},
          {"element stride 8", {}, [](auto& m) { m.element_strides[2] = 8; }},
          {"element stride 9", {kElementStride}, [](auto& m) { m.element_strides[2] = 9; }},
          {"element stride 0 of dimension 0 is ignored", {}, [](auto& m) { m.element_strides[0] = 0; }},
          {"but not with interleave",
           {kElementStride},
           [](auto& m) { m.element_strides[0] = 9, m.format.interleave = TmaInterleave::k16B; }},
      });
}

TEST(TmaTiledRules, SwizzleSpans) {
  const auto with = [](TmaSwizzle swizzle, uint32_t inner) {
    return [=](TmaTiled& m) { m.format.swizzle = swizzle, m.box[0] = inner; };
  };
  hold<TmaTiled>(legal_tiled(),
                 {
                     {"32B, 32 bytes", {}, with(TmaSwizzle::k32B, 16)},
                     {"32B, 48 bytes", {kSwizzleSpan}, with(TmaSwizzle::k32B, 24)},
                     {"32B, 34 bytes", {kBoxInnerMultiple, kSwizzleSpan}, with(TmaSwizzle::k32B, 17)},
                     {"64B, 64 bytes", {}, with(TmaSwizzle::k64B, 32)},
                     {"64B, 80 bytes", {kSwizzleSpan}, with(TmaSwizzle::k64B, 40)},
                     {"128B, 128 bytes", {}, with(TmaSwizzle::k128B, 64)},
                     {"128B, 144 bytes", {kSwizzleSpan}, with(TmaSwizzle::k128B, 72)},
                     {"128B, 112 bytes", {}, with(TmaSwizzle::k128B, 56)},
                     {"atom 32B, 144 bytes", {kSwizzleSpan}, with(TmaSwizzle::k128BAtom32B, 72)},
                     {"atom 64B, 144 bytes", {kSwizzleSpan}, with(TmaSwizzle::k128BAtom64B, 72)},
                     {"flip 8B, 144 bytes", {kSwizzleSpan}, with(TmaSwizzle::k128BAtom32BFlip8B, 72)},
                     {"none, 512 bytes", {}, with(TmaSwizzle::kNone, 256)},
                     {"interleave 32B needs swizzle 32B",
                      {kInterleave32Swizzle},
                      [](auto& m) { m.format.interleave = TmaInterleave::k32B, m.format.swizzle = TmaSwizzle::k64B; }},
                     {"interleave 16B takes any",
                      {},
                      [](auto& m) { m.format.interleave = TmaInterleave::k16B, m.format.swizzle = TmaSwizzle::k64B; }},
                 });
}

TEST(TmaTiledRules, PackedElements) {
  TmaTiled packed = legal_tiled();
  packed.element = TmaElement::k16U6Align16B;
  packed.dims[0] = 256;
  packed.box[0] = 128;
  hold<TmaTiled>(
      packed,
      {
          {"dimension 0 + 1", {kDimPacked16}, [](auto& m) { m.dims[0] += 1; }},
          {"dimension 0 - 1", {kDimPacked16}, [](auto& m) { m.dims[0] -= 1; }},
          {"dimension 0 + 128", {}, [](auto& m) { m.dims[0] += 128; }},
          {"box 127", {kBoxPacked16}, [](auto& m) { m.box[0] = 127; }},
          {"box 129", {kBoxPacked16}, [](auto& m) { m.box[0] = 129; }},
          {"stride % 32", {kStrideMultiple32}, [](auto& m) { m.strides[0] += 16; }},
          {"address % 32", {kAddressAlignment32}, [](auto& m) { m.address += 16; }},
          {"interleaved", {kPacked6Interleave}, [](auto& m) { m.format.interleave = TmaInterleave::k16B; }},
          {"swizzle 128B", {}, [](auto& m) { m.format.swizzle = TmaSwizzle::k128B; }},
          {"swizzle atom 32B", {}, [](auto& m) { m.format.swizzle = TmaSwizzle::k128BAtom32B; }},
          {"swizzle 64B", {kSwizzleSpan, kPacked6Swizzle}, [](auto& m) { m.format.swizzle = TmaSwizzle::k64B; }},
          {"swizzle atom 64B to load", {kPacked6Swizzle}, [](auto& m) { m.format.swizzle = TmaSwizzle::k128BAtom64B; }},
          {"swizzle atom 64B to store",
           {},
           [](auto& m) { m.format.swizzle = TmaSwizzle::k128BAtom64B, m.format.use = TmaUse::kStore; }},
          {"NaN fill", {kNanFill}, [](auto& m) { m.format.fill = TmaFill::kNan; }},
      });
  packed.element = TmaElement::k16U4Align16B;
  hold<TmaTiled>(
      packed, {
                  {"swizzle 128B", {}, [](auto& m) { m.format.swizzle = TmaSwizzle::k128B; }},
                  {"swizzle atom 64B", {kPacked4Swizzle}, [](auto& m) { m.format.swizzle = TmaSwizzle::k128BAtom64B; }},
                  {"store", {kPacked4Store}, [](auto& m) { m.format.use = TmaUse::kStore; }},
                  {"load and store", {kPacked4Store}, [](auto& m) { m.format.use = TmaUse::kLoadAndStore; }},
              });
  TmaTiled narrow = legal_tiled();
  narrow.element = TmaElement::k16U4Align8B;
  narrow.box[0] = 32;
  hold<TmaTiled>(narrow, {
                             {"dimension 0 odd", {kDimPacked8}, [](auto& m) { m.dims[0] = 63; }},
                             {"31 values", {kBoxInnerMultiple}, [](auto& m) { m.box[0] = 31; }},
                             {"33 values", {kBoxInnerMultiple}, [](auto& m) { m.box[0] = 33; }},
                             {"64 values (32 bytes), swizzle 32B",
                              {},
                              [](auto& m) { m.box[0] = 64, m.format.swizzle = TmaSwizzle::k32B; }},
                             {"96 values (48 bytes), swizzle 32B",
                              {kSwizzleSpan},
                              [](auto& m) { m.box[0] = 96, m.format.swizzle = TmaSwizzle::k32B; }},
                         });
}

TEST(TmaTiledRules, FillAndPromotion) {
  const auto promote = [](int64_t bytes) { return [bytes](TmaTiled& m) { m.format.l2_promotion_bytes = bytes; }; };
  hold<TmaTiled>(legal_tiled(),
                 {
                     {"NaN fill of an integer", {kNanFill}, [](auto& m) { m.format.fill = TmaFill::kNan; }},
                     {"NaN fill of a float",
                      {},
                      [](auto& m) { m.format.fill = TmaFill::kNan, m.element = TmaElement::kBfloat16; }},
                     {"64", {}, promote(64)},
                     {"128", {}, promote(128)},
                     {"256", {}, promote(256)},
                     {"63", {kL2Promotion}, promote(63)},
                     {"65", {kL2Promotion}, promote(65)},
                     {"512", {kL2Promotion}, promote(512)},
                 });
}

TEST(TmaTiledRules, EveryBrokenRuleIsReportedOnce) {
  TmaTiled map = legal_tiled();
  map.address = 8;
  map.strides = {130, kTwo40};
  map.box = {9, 300, 1};
  EXPECT_THAT(rules(map), ElementsAre(kAddressAlignment, kStrideMultiple, kStrideRange, kBoxRange, kBoxInnerMultiple));
  EXPECT_EQ(tma_legality(map)[1].message, "globalStrides[0] is 130 bytes; a stride must be a multiple of 16 bytes");
}

TEST(TmaIm2colRules, BoundsByOne) {
  const auto corners = [](int64_t rank, int32_t lower, int32_t upper) {
    return [=](TmaIm2col& m) {
      m.rank = rank;
      m.dims.assign(static_cast<size_t>(rank), 100000);
      m.dims[0] = 64;
      m.strides.assign(static_cast<size_t>(rank - 1), 128);
      m.element_strides.assign(static_cast<size_t>(rank), 1);
      m.lower_corner.assign(static_cast<size_t>(rank - 2), 0);
      m.upper_corner.assign(static_cast<size_t>(rank - 2), 0);
      m.lower_corner.back() = lower;
      m.upper_corner.back() = upper;
    };
  };
  hold<TmaIm2col>(legal_im2col(),
                  {
                      {"rank 3", {}, corners(3, -32768, 32767)},
                      {"rank 3, lower - 1", {kCornerRange}, corners(3, -32769, 0)},
                      {"rank 3, upper + 1", {kCornerRange}, corners(3, 0, 32768)},
                      {"rank 4", {}, corners(4, -128, 127)},
                      {"rank 4, lower - 1", {kCornerRange}, corners(4, -129, 0)},
                      {"rank 4, upper + 1", {kCornerRange}, corners(4, 0, 128)},
                      {"rank 5", {}, corners(5, -16, 15)},
                      {"rank 5, lower - 1", {kCornerRange}, corners(5, -17, 0)},
                      {"rank 5, upper + 1", {kCornerRange}, corners(5, 0, 16)},
                      {"one pixel",
                       {},
                       [](auto& m) {
                         m.dims[1] = 1, m.lower_corner = {0, 0}, m.upper_corner = {0, 0};
                       }},
                      {"no pixel",
                       {kPixelBoxEmpty},
                       [](auto& m) {
                         m.dims[1] = 1, m.lower_corner = {1, 0}, m.upper_corner = {0, 0};
                       }},
                      {"channels 0", {kChannels}, [](auto& m) { m.channels_per_pixel = 0; }},
                      {"channels 256", {}, [](auto& m) { m.channels_per_pixel = 256; }},
                      {"channels 264", {kChannels}, [](auto& m) { m.channels_per_pixel = 264; }},
                      {"channels 257", {kBoxInnerMultiple, kChannels}, [](auto& m) { m.channels_per_pixel = 257; }},
                      {"channels 65", {kBoxInnerMultiple}, [](auto& m) { m.channels_per_pixel = 65; }},
                      {"channels 72, swizzle 128B",
                       {kSwizzleSpan},
                       [](auto& m) { m.channels_per_pixel = 72, m.format.swizzle = TmaSwizzle::k128B; }},
                      {"pixels 0", {kPixels}, [](auto& m) { m.pixels_per_column = 0; }},
                      {"pixels 1024", {}, [](auto& m) { m.pixels_per_column = 1024; }},
                      {"pixels 1025", {kPixels}, [](auto& m) { m.pixels_per_column = 1025; }},
                      {"a corner too many", {kListLength}, [](auto& m) { m.lower_corner.push_back(0); }},
                  });
  TmaIm2col flat = legal_im2col();
  flat.rank = 2;
  EXPECT_THAT(rules(flat), testing::Contains(kRankIm2col));
  flat.rank = 6;
  EXPECT_THAT(rules(flat), testing::Contains(kRankIm2col));
}

TEST(TmaIm2colRules, WideMapsHaveOneOffsetAndFewSwizzles) {
  TmaIm2col wide = legal_im2col();
  wide.mode = TmaIm2colMode::kWideW;
  wide.lower_corner = {-32768};
  wide.upper_corner = {32767};
  wide.format.swizzle = TmaSwizzle::k128B;
  hold<TmaIm2col>(wide, {
                            {"no swizzle", {kWideSwizzle}, [](auto& m) { m.format.swizzle = TmaSwizzle::kNone; }},
                            {"atom 64B", {kWideSwizzle}, [](auto& m) { m.format.swizzle = TmaSwizzle::k128BAtom64B; }},
                            {"atom 32B", {}, [](auto& m) { m.format.swizzle = TmaSwizzle::k128BAtom32B; }},
                            {"W: pixels 1025", {kPixels}, [](auto& m) { m.pixels_per_column = 1025; }},
                            {"W128: pixels are ignored",
                             {},
                             [](auto& m) { m.pixels_per_column = 1025, m.mode = TmaIm2colMode::kWideW128; }},
                            {"two offsets",
                             {kListLength},
                             [](auto& m) {
                               m.lower_corner = {0, 0};
                             }},
                            {"lower - 1", {kCornerRange}, [](auto& m) { m.lower_corner = {-32769}; }},
                            {"upper + 1", {kCornerRange}, [](auto& m) { m.upper_corner = {32768}; }},
                        });
}

TmaView view(const char* text, const Facts& facts = {}, int64_t elem = 2, BaseAlignment base = {16, 0}) {
  const auto layout = GuardedAffineLayout::parse(text);
  EXPECT_TRUE(layout.ok()) << layout.status().message();
  const auto result = tma_view(*layout, base, elem, facts);
  EXPECT_TRUE(result.ok()) << result.status().message();
  return *result;
}

std::vector<TmaRule> rules_of(const TmaView& v) {
  std::vector<TmaRule> out;
  for (const TmaViolation& broken : v.broken) out.push_back(broken.rule);
  return out;
}

TEST(TmaView, AMatrixWithPaddedRowsIsATensor) {
  const TmaView v = view("layout [] (i: 100, j: 129) -> 1 { : (136*i + j); }");
  EXPECT_TRUE(v.legal());
  ASSERT_EQ(v.axes.size(), 2u);
  EXPECT_EQ(v.axes[0].name, "j");
  EXPECT_EQ(v.axes[1].stride, integer::Residue::constant(272));
}

TEST(TmaView, PackedRowsOfOddLengthAreNot) {
  const TmaView v = view("layout [] (i: 100, j: 129) -> 1 { : (129*i + j); }");
  EXPECT_THAT(rules_of(v), ElementsAre(kStrideMultiple));
  EXPECT_THAT(v.broken[0].message, HasSubstr("stride of i is 258 bytes"));
}

TEST(TmaView, NoDimensionOfStrideOneIsNamed) {
  EXPECT_THAT(rules_of(view("layout [] (i: 8, j: 8) -> 1 { : (64*i + 2*j); }")), testing::Contains(kLayoutInnerStride));
  EXPECT_THAT(rules_of(view("layout [] (i: 8, j: 8) -> 1 { : (i + j); }")), testing::Contains(kLayoutInnerStride));
}

TEST(TmaView, ASymbolicStrideNeedsAFact) {
  const char* text = "layout [s, M] (i: M, j: 64) -> 1 { : (s*i + j); }";
  const TmaView unknown = view(text);
  EXPECT_THAT(rules_of(unknown), ElementsAre(kDimRange, kStrideMultiple));
  EXPECT_THAT(unknown.broken[1].message, HasSubstr("a multiple of 8 elements would settle it"));
  Facts facts;
  ASSERT_TRUE(facts.divisible("s", 8).ok());
  ASSERT_TRUE(facts.range("M", 1, 4096).ok());
  EXPECT_TRUE(view(text, facts).legal());
}

TEST(TmaView, AnUpperBoundShortensTheDimensionAndOtherGuardsDoNotFit) {
  const TmaView shortened = view("layout [] (i: 128, j: 64) -> 1 { when 99 - i >= 0: (64*i + j); }");
  EXPECT_TRUE(shortened.legal());
  EXPECT_EQ(shortened.axes[1].extent, integer::Residue::constant(100));
  EXPECT_THAT(rules_of(view("layout [] (i: 128, j: 64) -> 1 { when 99 - i - j >= 0: (64*i + j); }")),
              ElementsAre(kLayoutGuard));
  EXPECT_THAT(rules_of(view("layout [] (i: 128, j: 64) -> 1 { when i - 3 >= 0: (64*i + j); }")),
              ElementsAre(kLayoutGuard));
}

TEST(TmaView, NegativeStridesUnalignedBasesAndManyDimensionsAreNamed) {
  EXPECT_THAT(rules_of(view("layout [] (i: 8, j: 64) -> 1 { : (-64*i + j); }")), ElementsAre(kLayoutStrideSign));
  EXPECT_THAT(rules_of(view("layout [] (i: 8, j: 64) -> 1 { : (64*i + j + 4); }")), ElementsAre(kAddressAlignment));
  EXPECT_TRUE(view("layout [] (i: 8, j: 64) -> 1 { : (64*i + j + 8); }").legal());
  EXPECT_THAT(rules_of(view("layout [] (a: 2, b: 2, c: 2, d: 2, e: 2, f: 8) -> 1 "
                            "{ : (4096*a + 1024*b + 256*c + 64*d + 24*e + f); }")),
              ElementsAre(kRank));
  EXPECT_TRUE(view("layout [] (a: 2, b: 2, c: 2, d: 2, e: 2, f: 8) -> 1 "
                   "{ : (128*a + 64*b + 32*c + 16*d + 8*e + f); }")
                  .legal());
}

std::vector<TmaRule> rules_of(const char* text, const TmaLayoutQuestion& question) {
  const auto broken = tma_legality(*GuardedAffineLayout::parse(text), question);
  EXPECT_TRUE(broken.ok()) << broken.status().message();
  std::vector<TmaRule> out;
  for (const TmaViolation& v : *broken) out.push_back(v.rule);
  return out;
}

TEST(TmaLayout, LayoutBoxAndFormatAreAnsweredTogether) {
  const char* text = "layout [] (i: 100, j: 129) -> 1 { : (136*i + j); }";
  TmaLayoutQuestion q{TmaElement::kBfloat16, {128, 0}, {64, 128}, {}, {}};
  q.format.swizzle = TmaSwizzle::k128B;
  EXPECT_THAT(rules_of(text, q), IsEmpty());
  q.box = {72, 257};
  EXPECT_THAT(rules_of(text, q), ElementsAre(kBoxRange, kSwizzleSpan));
  q.box = {64};
  EXPECT_THAT(rules_of(text, q), ElementsAre(kListLength));
  q.box = {64, 64};
  q.format.swizzle = TmaSwizzle::k32B;
  q.format.interleave = TmaInterleave::k32B;
  EXPECT_THAT(rules_of(text, q), ElementsAre(kStrideMultiple32, kRankInterleaved));
  q.base = {16, 0};
  EXPECT_THAT(rules_of(text, q), ElementsAre(kAddressAlignment32, kStrideMultiple32, kRankInterleaved));
  q.element = TmaElement::k16U4Align8B;
  EXPECT_FALSE(tma_legality(*GuardedAffineLayout::parse(text), q).ok());
}

}  // namespace
}  // namespace tailor::codegen::layout
