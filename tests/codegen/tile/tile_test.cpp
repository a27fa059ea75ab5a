#include "codegen/tile/tile.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codegen/tile/known.h"

namespace tailor::codegen::tile {
namespace {

using testing::HasSubstr;

// A program that verifies; tests below break one line of it at a time.
constexpr const char* kGather = R"(tile @tailor_test_gather {
  view @pages read element 2 base 16 [pool_pages: page_stride % 16, page_size = 48: slot_stride % 16, heads = 8: 256, head_dim = 128: 2]
  view @table read element 4 base 4 [batch: 4*table_stride, max_pages: 4]
  view @lengths read element 4 base 4 [batch: 4]
  view @offsets read element 4 base 4 [batch + 1: 4]
  view @packed write element 2 base 16 [rows: row_stride % 16, heads = 8: head_stride = 256, head_dim = 128: 2]
  status @status_word
  each %q in batch {
    %first, %m = load @offsets[%q]
    %next = add %q, 1
    %last, %m1 = load @offsets[%next]
    check 0 <= %first <= %last <= rows else CuSeqlensRange at %q
    %n = sub %last, %first
    %declared, %m2 = load @lengths[%q]
    check %n == %declared else SeqLenMismatch at %q
  }
  rows %row in rows {
    %s, %begin, %end, %m3 = search @offsets for %row
    check 0 <= %begin <= %row < %end else skip
    %t = sub %row, %begin
    %column, %slot = resolve %t by 48
    check %column < max_pages else BlockTableColumn at %row
    %page, %m4 = load @table[%s, %column]
    check 0 <= %page < pool_pages else PageIndexRange at %row
    %m5 = copy @packed[%row] <- @pages[%page, %slot]
  }
}
)";

// The rest of the language: two loops, int64 entries, a division by a symbol, a sum, a choice, a fill.
constexpr const char* kUnpack = R"(tile @tailor_test_unpack {
  view @packed read element 2 base 16 [rows: row_stride % 16, 1: 0, head_dim = 128: 2]
  view @offsets read element 4 base 4 [batch + 1: 4]
  view @index read element 8 base 8 [rows: 8]
  view @padded write element 2 base 16 [batch: batch_stride % 16, max_length: 256, 1: 0, head_dim = 128: 2]
  view @out write element 2 base 16 [out_rows: 256, 1: 0, head_dim = 128: 2]
  status @status_word
  rows %row in padded_rows {
    %s, %t = resolve %row by max_length
    check 0 <= %s < batch else skip
    check 0 <= %t < max_length else skip
    %next = add %s, 1
    %begin, %m = load @offsets[%s]
    %end, %m1 = load @offsets[%next]
    check 0 <= %begin <= %end <= rows else CuSeqlensRange at %s
    %n = sub %end, %begin
    when %t < %n {
      %from = sum %begin, %t below rows else CuSeqlensRange at %s
      %m2 = copy @padded[%s, %t] <- @packed[%from]
    } otherwise {
      %m3 = fill @padded[%s, %t] with fill
    }
  }
  rows %r in rows {
    %i, %m4 = load @index[%r]
    check 0 <= %i < out_rows else PageIndexRange at %r
    %m5 = copy @out[%i] <- @packed[%r]
  }
}
)";

// What computes: conversions with and without a scale, rotations.
constexpr const char* kCompute = R"(tile @tailor_test_compute {
  view @source read element 4 f32 base 16 [rows: row_stride % 16, heads = 2: 256, head_dim = 64: 4]
  view @target write element 1 fp8_e4m3 base 16 [rows: 128, heads = 2: 64, head_dim = 64: 1]
  view @half write element 2 bf16 base 16 [rows: 256, heads = 2: 128, head_dim = 64: 2]
  view @turned write element 4 f32 base 16 [rows: 512, heads = 2: 256, head_dim = 64: 4]
  view @scale read element 4 f32 base 4 [1: 0]
  view @position read element 4 base 4 [rows: 4]
  view @cos read element 4 f32 base 16 [max_positions: 64, 16: 4]
  view @sin read element 4 f32 base 16 [max_positions: sin_stride % 4, 16: 4]
  rows %row in rows {
    %m = convert @target[%row] <- @source[%row] by @scale
    %m1 = convert @half[%row] <- @source[%row]
    %at, %m2 = load @position[%row]
    check 0 <= %at < max_positions else skip
    %m3 = rotate @turned[%row] <- @source[%row] by @cos[%at], @sin[%at] interleaved
  }
}
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

Status verify_text(const std::string& text) {
  const Expected<Program> program = parse(text);
  return program.ok() ? verify(*program) : program.status();
}

TEST(TileText, PrintsAndParsesToAFixedPoint) {
  for (const char* text : {kGather, kUnpack, kCompute}) {
    const Expected<Program> program = parse(text);
    ASSERT_TRUE(program.ok()) << program.status().to_string();
    EXPECT_TRUE(verify(*program).ok()) << verify(*program).to_string();
    EXPECT_EQ(print(*program), text);
    EXPECT_TRUE(parse(print(*program)).value() == *program);
  }
}

TEST(TileText, SpaceAndCommentsDoNotMatter) {
  std::string text = kGather;
  text = replaced(text, "status @status_word", "status // here\n\t@status_word // and there");
  EXPECT_EQ(print(parse(text).value()), kGather);
}

TEST(TileText, ErrorsNameThePlaceAndWhatWasExpected) {
  const auto error = [](const std::string& text) { return parse(text).status().message(); };
  EXPECT_THAT(error(""), HasSubstr("1:1: expected \"tile\", found the end"));
  EXPECT_THAT(error(replaced(kGather, "%next = add %q, 1", "%next = add %q, one")),
              HasSubstr("10:21: expected a 64-bit"));
  EXPECT_THAT(error(replaced(kGather, "%next = add %q, 1", "%next = mul %q, 1")), HasSubstr("an operation"));
  EXPECT_THAT(error(replaced(kGather, "else skip", "else stop")), HasSubstr("skip or the name of a device fault"));
  EXPECT_THAT(error(replaced(kGather, "load @lengths[%q]", "load @nothing[%q]")), HasSubstr("@nothing"));
  EXPECT_THAT(error(replaced(kGather, "%n = sub", "%n, %x = sub")), HasSubstr("1 results of \"sub\" (there are 2)"));
  EXPECT_THAT(error(replaced(kGather, "%next = add %q, 1", "%q = add %q, 1")), HasSubstr("%q is taken"));
  EXPECT_THAT(error(replaced(kGather, "view @lengths", "view @table")), HasSubstr("@table is taken"));
  EXPECT_THAT(error(std::string(kGather) + "}"), HasSubstr("expected the end"));
}

// Cut anywhere, garbled anywhere: an error or a program, never a crash.
TEST(TileText, SurvivesDamage) {
  std::mt19937 random(7);
  for (const std::string text : {kGather, kUnpack, kCompute}) {
    for (size_t n = 0; n < text.size(); ++n) EXPECT_FALSE(parse(text.substr(0, n)).ok() && n + 2 < text.size());
    const std::string alphabet = "%@{}[],:=<+*-0123456789abz \n\"\xff";
    for (int i = 0; i < 7000; ++i) {
      std::string damaged = text;
      for (int k = 0; k < 3; ++k) damaged[random() % damaged.size()] = alphabet[random() % alphabet.size()];
      const Expected<Program> program = parse(damaged);
      if (program.ok()) (void)verify(*program);
    }
  }
}

TEST(TileText, ErrorsOfBodiesWithinBodies) {
  const auto error = [](const std::string& text) { return parse(text).status().message(); };
  EXPECT_THAT(error(replaced(kUnpack, "} otherwise {", "} else {")), HasSubstr("expected \"otherwise\""));
  EXPECT_THAT(error(replaced(kUnpack, "when %t < %n {", "when %t < %n else skip {")), HasSubstr("<, <=, == or {"));
  EXPECT_THAT(error(replaced(kUnpack, "below rows", "under rows")), HasSubstr("expected \"below\""));
  std::string deep = "tile @deep {\n  rows %r in n {\n";
  for (int i = 0; i < 9; ++i) deep += "when 0 <= %r {\n";
  EXPECT_THAT(error(deep), HasSubstr("at most 8 deep"));
}

struct Refusal {
  const char *from, *to, *rule;
};

class TileVerifier : public testing::TestWithParam<Refusal> {};

TEST_P(TileVerifier, Refuses) {
  const Status status = verify_text(replaced(kGather, GetParam().from, GetParam().to));
  EXPECT_FALSE(status.ok()) << GetParam().from << " -> " << GetParam().to;
  EXPECT_THAT(status.message(), HasSubstr(GetParam().rule));
}

INSTANTIATE_TEST_SUITE_P(
    Rules, TileVerifier,
    testing::Values(
        // Indices that nothing bounds.
        Refusal{"    check 0 <= %page < pool_pages else PageIndexRange at %row\n", "",
                "%page, which is not shown to be >= 0"},
        Refusal{"check 0 <= %page < pool_pages", "check 0 <= %page <= pool_pages",
                "%page, which is not shown to be < pool_pages"},
        Refusal{"check 0 <= %page < pool_pages", "check %page < pool_pages", "%page, which is not shown to be >= 0"},
        Refusal{"    check %column < max_pages else BlockTableColumn at %row\n", "",
                "%column, which is not shown to be < max_pages"},
        Refusal{"check %column < max_pages", "check %column < batch", "%column, which is not shown to be < max_pages"},
        Refusal{"load @table[%s, %column]", "load @table[%row, %column]", "%row, which is not shown to be < batch"},
        Refusal{"load @lengths[%q]", "load @lengths[%next]", "%next, which is not shown to be < batch"},
        Refusal{"%next = add %q, 1", "%next = add %q, 2", "may overflow 32 bits"},
        Refusal{"resolve %t by 48", "resolve %t by 49", "%slot, which is not shown to be < page_size = 48"},
        Refusal{"copy @packed[%row] <- @pages[%page, %slot]", "copy @packed[%row] <- @pages[%slot, %page]",
                "%slot, which"},
        // Arithmetic.
        Refusal{"%next = add %q, 1", "%next = add %q, 2147483647", "may overflow"},
        Refusal{"    check 0 <= %begin <= %row < %end else skip\n", "", "is not shown to have 0 <= b <= a"},
        Refusal{"check 0 <= %begin <= %row < %end", "check %begin <= %row < %end", "is not shown to have 0 <= b <= a"},
        Refusal{"resolve %t by 48", "resolve %begin by 0", "divides by a number outside"},
        Refusal{"    %t = sub %row, %begin\n    %column, %slot = resolve %t by 48",
                "    %t, %m9 = load @lengths[%s]\n    %column, %slot = resolve %t by 48", "not shown to be >= 0"},
        // Types, scopes, arities.
        Refusal{"search @offsets for %row", "search @offsets for %row after %m", "not defined before it here"},
        Refusal{"check %n == %declared", "check %m2 == %declared", "to be a scalar"},
        Refusal{"load @lengths[%q]", "load @lengths[%q] after %n", "to be a token"},
        Refusal{"load @lengths[%q]", "load @lengths[%q, %q]", "2 indices; it has 1"},
        Refusal{"load @lengths[%q]", "load @packed[%q]", "not int32 or int64"},
        Refusal{"copy @packed[%row] <-", "copy @packed[%row, %slot] <-", "2 indices; it has 3 dimensions, two of them"},
        Refusal{"search @offsets", "search @lengths", "symbol + 1 offsets"},
        Refusal{"  status @status_word\n", "", "status word"},
        Refusal{"    check 0 <= %first <= %last",
                "    %x, %y, %z, %w = search @offsets for %q\n    check 0 <= %first <= %last",
                "first node of a rows loop"},
        // Views and what they allow.
        Refusal{"@packed write", "@packed read", "writes a view declared read"},
        Refusal{"@pages read", "@pages write", "reads a view declared write"},
        Refusal{"view @pages read element 2", "view @pages read element 1", "elements of different size"},
        Refusal{"head_dim = 128: 2]\n  view @table", "head_dim = 64: 2]\n  view @table", "same exact, positive [H, D]"},
        Refusal{"view @pages read element 2 base 16", "view @pages read element 2 base 12", "power of two"},
        Refusal{"view @pages read element 2 base 16", "view @pages read element 3 base 16", "1, 2, 4 or 8"},
        Refusal{"slot_stride % 16", "slot_stride % 1", "multiple of the element"},
        Refusal{"head_dim = 128: 2]\n  status", "head_dim = 128: 3]\n  status", "multiple of the element"},
        Refusal{"%n = sub %last, %first", "%n = sub %last, %first\n    %c = copy @packed[%q] <- @pages[%q, %q]",
                "writes in a loop over promises"},
        // Order: two writes of one view in one iteration.
        Refusal{
            "%m5 = copy @packed[%row] <- @pages[%page, %slot]",
            "%m5 = copy @packed[%row] <- @pages[%page, %slot]\n    %m6 = copy @packed[%row] <- @pages[%page, %slot]",
            "no token orders them"}));

class TileUnpackVerifier : public testing::TestWithParam<Refusal> {};

TEST_P(TileUnpackVerifier, Refuses) {
  const Status status = verify_text(replaced(kUnpack, GetParam().from, GetParam().to));
  EXPECT_FALSE(status.ok()) << GetParam().from << " -> " << GetParam().to;
  EXPECT_THAT(status.message(), HasSubstr(GetParam().rule));
}

INSTANTIATE_TEST_SUITE_P(
    Rules, TileUnpackVerifier,
    testing::Values(
        // Nothing is known of a quotient by a symbol, nor of its remainder.
        Refusal{"    check 0 <= %s < batch else skip\n", "", "may overflow"},
        Refusal{"check 0 <= %s < batch", "check %s < batch", "%s, which is not shown to be >= 0"},
        Refusal{"    check 0 <= %t < max_length else skip\n", "", "adds %t, which is not shown to be >= 0"},
        Refusal{"check 0 <= %t < max_length", "check 0 <= %t", "%t, which is not shown to be < max_length"},
        Refusal{"resolve %row by max_length", "resolve %row by max_length + 1", "by no plain symbol"},
        Refusal{"resolve %row by max_length", "resolve %row by 0", "outside [1, 2^31)"},
        // What a choice shows holds on its side only, and what it defines is seen there only.
        Refusal{"when %t < %n {\n", "when %t < %n {\n      %z = sub %t, %n\n", "0 <= b <= a"},
        Refusal{"} otherwise {\n", "} otherwise {\n      %z = sub %n, %t\n", "0 <= b <= a"},
        Refusal{"} otherwise {\n", "} otherwise {\n      %z = add %from, 0\n", "not defined before it here"},
        Refusal{"fill @padded[%s, %t] with fill\n    }", "fill @padded[%s, %t] with fill\n    }\n    %z = add %s, 0",
                "must be the last node"},
        // Sums.
        Refusal{"sum %begin, %t below rows", "sum %begin, %t below padded_rows",
                "%from, which is not shown to be < rows"},
        Refusal{"sum %begin, %t below rows else CuSeqlensRange at %s", "sum %begin, %t below 4294967296 else skip",
                "must be a symbol or in [0, 2^31)"},
        Refusal{"  status @status_word\n", "", "status word"},
        // Entries of an int64 view are havoced too.
        Refusal{"    check 0 <= %i < out_rows else PageIndexRange at %r\n", "", "%i, which is not shown to be >= 0"},
        Refusal{"view @index read element 8 base 8 [rows: 8]", "view @index read element 2 base 8 [rows: 2]",
                "not int32 or int64"},
        // Fills write.
        Refusal{"with fill", "with 7", "from a plain symbol"},
        Refusal{"fill @padded[%s, %t]", "fill @packed[%t]", "writes a view declared read"},
        Refusal{"fill @padded[%s, %t]", "fill @padded[%t, %s]", "%t, which is not shown to be < batch"},
        Refusal{"fill @padded[%s, %t] with fill",
                "fill @padded[%s, %t] with fill\n      %m9 = fill @padded[%s, %t] with fill", "no token orders them"},
        Refusal{"    when %t < %n {", "    %m9 = fill @padded[%s, %t] with fill\n    when %t < %n {",
                "no token orders them"}));

class TileComputeVerifier : public testing::TestWithParam<Refusal> {};

TEST_P(TileComputeVerifier, Refuses) {
  const Status status = verify_text(replaced(kCompute, GetParam().from, GetParam().to));
  EXPECT_FALSE(status.ok()) << GetParam().from << " -> " << GetParam().to;
  EXPECT_THAT(status.message(), HasSubstr(GetParam().rule));
}

INSTANTIATE_TEST_SUITE_P(
    Rules, TileComputeVerifier,
    testing::Values(
        Refusal{"element 4 f32 base 16 [rows: row", "element 4 i32 base 16 [rows: row", "converts between f32"},
        Refusal{"element 4 f32 base 16 [rows: row", "element 4 base 16 [rows: row", "converts between f32"},
        Refusal{"element 4 f32 base 16 [rows: row", "element 4 bf16 base 16 [rows: row", "elements of bf16 have 2"},
        Refusal{"element 4 f32 base 16 [rows: row", "element 4 f33 base 16 [rows: row", "the type of the elements"},
        Refusal{"by @scale", "by @scale[%row]", "one scale at most"},
        Refusal{"by @scale", "by @cos", "a view of one f32"}, Refusal{"by @scale", "by @position", "a view of one f32"},
        Refusal{"by @scale", "by @scale, @scale", "one scale at most"},
        Refusal{"@source[%row] by @scale", "@half[%row] by @scale", "reads a view declared write"},
        Refusal{"[1: 0]", "[2: 4]", "a view of one f32"},
        Refusal{"rotate @turned[%row] <- @source[%row]", "rotate @half[%row] <- @source[%row]",
                "the same on both sides"},
        Refusal{"by @cos[%at], @sin[%at]", "by @cos[%at]", "one row of cos and sin"},
        Refusal{"by @cos[%at], @sin[%at]", "by @cos[%at], @sin[%row]", "tables at the same indices"},
        Refusal{"by @cos[%at], @sin[%at]", "by @cos[%row], @sin[%row]",
                "%row, which is not shown to be < max_positions"},
        Refusal{"    check 0 <= %at < max_positions else skip\n", "", "%at, which is not shown to be >= 0"},
        Refusal{"view @sin read element 4 f32 base 16 [max_positions: sin_stride % 4, 16: 4]",
                "view @sin read element 4 f32 base 16 [max_positions: sin_stride % 4, 8: 4]", "the same exact length"},
        Refusal{"view @sin read element 4 f32 base 16 [max_positions: sin_stride % 4, 16: 4]",
                "view @sin read element 4 f32 base 16 [max_positions: sin_stride % 4, 16: 8]", "dense rows"},
        Refusal{"view @sin read element 4 f32", "view @sin read element 2 bf16", "rows of f32, or of the elements'"},
        Refusal{"@sin[%at] interleaved", "@sin[%at] quarters", "halves or interleaved"},
        Refusal{"%m3 = rotate",
                "%m9 = rotate @turned[%row] <- @source[%row] by @cos[%at], @sin[%at] halves\n    %m3 = "
                "rotate",
                "no token orders them"}));

TEST(TileProofs, ChoicesOrderTheirOwnSide) {
  // The same view on both sides of a choice needs no order; after an access before the choice, a token gives it.
  const std::string before =
      replaced(kUnpack, "    when %t < %n {", "    %m9 = fill @padded[%s, %t] with fill\n    when %t < %n {");
  const std::string ordered =
      replaced(replaced(before, "<- @packed[%from]", "<- @packed[%from] after %m9"),
               "%m3 = fill @padded[%s, %t] with fill", "%m3 = fill @padded[%s, %t] with fill after %m9");
  EXPECT_TRUE(verify_text(ordered).ok()) << verify_text(ordered).to_string();
}

TEST(TileProofs, BoundsFollowThroughSubtraction) {
  // t = row - begin with 0 <= begin <= row, so t < rows.
  EXPECT_TRUE(verify_text(replaced(kGather, "copy @packed[%row]", "copy @packed[%t]")).ok());
}

TEST(TileProofs, TokensOrderWhatConflicts) {
  const std::string copy = "%m5 = copy @packed[%row] <- @pages[%page, %slot]";
  const std::string again = "\n    %m6 = copy @packed[%row] <- @pages[%page, %slot] after ";
  EXPECT_TRUE(verify_text(replaced(kGather, copy, copy + again + "%m5")).ok());
  EXPECT_TRUE(
      verify_text(replaced(kGather, copy, copy + "\n    %o = token\n    %j = join %o, %m5" + again + "%j")).ok());
  EXPECT_FALSE(verify_text(replaced(kGather, copy, copy + "\n    %o = token" + again + "%o")).ok());
  EXPECT_FALSE(verify_text(replaced(kGather, copy, copy + "\n    %j = join %m5" + again + "%j")).ok());
}

// Difference constraints against brute force over a small box.
TEST(Known, ShowsExactlyWhatHoldsOfEveryAssignment) {
  std::mt19937 random(11);
  int shown = 0;
  for (int round = 0; round < 400; ++round) {
    Known known;
    struct Edge {
      uint32_t a, b;
      int64_t c;
    };
    std::vector<Edge> edges;  // value a + c <= value b
    constexpr int kBox = 6;
    for (uint32_t v = 0; v < 3; ++v) {
      known.assume(constant(0), Relation::kLessEqual, term(v));
      known.assume(term(v), Relation::kLess, constant(kBox));
    }
    for (int i = 0; i < 3; ++i) {
      const Edge e{static_cast<uint32_t>(random() % 3), static_cast<uint32_t>(random() % 3),
                   static_cast<int64_t>(random() % 7) - 3};
      edges.push_back(e);
      known.assume_at_most(term(e.a), e.c, term(e.b));
    }
    const Edge q{static_cast<uint32_t>(random() % 3), static_cast<uint32_t>(random() % 3),
                 static_cast<int64_t>(random() % 9) - 4};
    bool always = true, possible = false;
    for (int x = 0; x < kBox * kBox * kBox; ++x) {
      const int64_t v[] = {x % kBox, x / kBox % kBox, x / kBox / kBox};
      bool fits = true;
      for (const Edge& e : edges) fits &= v[e.a] + e.c <= v[e.b];
      possible |= fits;
      always &= !fits || v[q.a] + q.c <= v[q.b];
    }
    if (!possible) continue;
    EXPECT_EQ(known.shows_at_most(term(q.a), q.c, term(q.b)), always) << "round " << round;
    shown += always;
  }
  EXPECT_GT(shown, 20);
}

}  // namespace
}  // namespace tailor::codegen::tile
