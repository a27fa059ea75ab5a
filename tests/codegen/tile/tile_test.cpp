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
  const Expected<Program> program = parse(kGather);
  ASSERT_TRUE(program.ok()) << program.status().to_string();
  EXPECT_TRUE(verify(*program).ok()) << verify(*program).to_string();
  EXPECT_EQ(print(*program), kGather);
  EXPECT_TRUE(parse(print(*program)).value() == *program);
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
  const std::string text = kGather;
  for (size_t n = 0; n < text.size(); ++n) EXPECT_FALSE(parse(text.substr(0, n)).ok() && n + 2 < text.size());
  std::mt19937 random(7);
  const std::string alphabet = "%@{}[],:=<+*-0123456789abz \n\"\xff";
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = text;
    for (int k = 0; k < 3; ++k) damaged[random() % damaged.size()] = alphabet[random() % alphabet.size()];
    const Expected<Program> program = parse(damaged);
    if (program.ok()) (void)verify(*program);
  }
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
        Refusal{"load @lengths[%q]", "load @packed[%q]", "not int32"},
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
