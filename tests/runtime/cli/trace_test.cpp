// The trace parser: what it accepts, and that every malformed text is refused with its line, column, value and rule.
#include "runtime/cli/serve/trace.h"

#include <cstdio>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tailor::cli {
namespace {

constexpr const char* kHeader = "TIMESTAMP,ContextTokens,GeneratedTokens\n";

TEST(Trace, KeepsOrderCountsAndArrivalTimes) {
  const auto trace = parse_trace(std::string(kHeader) +
                                     "2023-11-16 23:59:59.9999990,374,44\n"
                                     "2023-11-17 00:00:00.0000010,396,109\n"
                                     "2023-11-17 00:00:01,0,7\n",
                                 "t.csv");
  ASSERT_TRUE(trace.ok()) << trace.status().to_string();
  ASSERT_EQ(trace->size(), 3u);
  EXPECT_EQ((*trace)[0].arrival_us, 0);
  EXPECT_EQ((*trace)[0].context_tokens, 374);
  EXPECT_EQ((*trace)[0].generated_tokens, 44);
  EXPECT_EQ((*trace)[1].arrival_us, 2);
  EXPECT_EQ((*trace)[2].arrival_us, 1000001);
  EXPECT_EQ((*trace)[2].tokens(), 7);
}

TEST(Trace, CountsLeapDaysAsTheCalendarDoes) {
  const auto trace = parse_trace(std::string(kHeader) +
                                     "2024-02-28 12:00:00,1,1\n"
                                     "2024-03-01 12:00:00,1,1\n",
                                 "t.csv");
  ASSERT_TRUE(trace.ok());
  EXPECT_EQ((*trace)[1].arrival_us, int64_t{2} * 86400 * 1000000);
}

TEST(Trace, LineEndsDoNotMatter) {
  const std::string lf = std::string(kHeader) + "2023-11-16 18:15:46.5,374,44\n2023-11-16 18:15:47.5,1,2\n";
  std::string crlf, no_final = lf.substr(0, lf.size() - 1);
  for (char c : lf) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  for (const std::string& text : {crlf, no_final, "\xEF\xBB\xBF" + lf, lf + "\n", crlf.substr(0, crlf.size() - 2)}) {
    const auto trace = parse_trace(text, "t.csv");
    ASSERT_TRUE(trace.ok()) << trace.status().to_string();
    ASSERT_EQ(trace->size(), 2u);
    EXPECT_EQ((*trace)[1].arrival_us, 1000000);
    EXPECT_EQ((*trace)[1].generated_tokens, 2);
  }
}

struct Malformed {
  const char* what;
  std::string text;
  std::vector<std::string> says;  // parts of the message
};

TEST(Trace, MalformedTextIsRefusedWithLineColumnValueAndRule) {
  const std::string good = std::string(kHeader) + "2023-11-16 18:15:46.5,374,44\n";
  const Malformed table[] = {
      {"empty file", "", {"t.csv", "no request"}},
      {"header alone", kHeader, {"t.csv", "no request"}},
      {"other header", "a,b,c\n1,2,3\n", {"t.csv:1:", "'a,b,c'", "must be TIMESTAMP,ContextTokens,GeneratedTokens"}},
      {"letters", good + "2023-11-16 18:15:47.5,abc,44\n", {"t.csv:3:", "ContextTokens", "'abc'", "integer"}},
      {"negative", good + "2023-11-16 18:15:47.5,3,-4\n", {"t.csv:3:", "GeneratedTokens", "'-4'", "[0, 16777216]"}},
      {"overflow", good + "2023-11-16 18:15:47.5,99999999999999999999,4\n", {"t.csv:3:", "ContextTokens"}},
      {"too many", good + "2023-11-16 18:15:47.5,16777217,4\n", {"t.csv:3:", "ContextTokens", "'16777217'"}},
      {"fraction", good + "2023-11-16 18:15:47.5,1.5,4\n", {"t.csv:3:", "'1.5'"}},
      {"space", good + "2023-11-16 18:15:47.5, 15,4\n", {"t.csv:3:", "' 15'"}},
      {"empty field", good + "2023-11-16 18:15:47.5,,4\n", {"t.csv:3:", "ContextTokens", "''"}},
      {"two fields", good + "2023-11-16 18:15:47.5,4\n", {"t.csv:3:", "2 fields", "3"}},
      {"four fields", good + "2023-11-16 18:15:47.5,4,4,4\n", {"t.csv:3:", "4 fields"}},
      {"quotes", good + "\"2023-11-16 18:15:47.5\",4,4\n", {"t.csv:3:", "quoted"}},
      {"blank line", good + "\n2023-11-16 18:15:47.5,4,4\n", {"t.csv:3:", "1 fields"}},
      {"no such month", good + "2023-13-16 18:15:47.5,4,4\n", {"t.csv:3:", "TIMESTAMP", "'2023-13-16 18:15:47.5'"}},
      {"no such day", good + "2023-02-29 18:15:47.5,4,4\n", {"t.csv:3:", "TIMESTAMP"}},
      {"no such hour", good + "2023-11-16 24:15:47.5,4,4\n", {"t.csv:3:", "TIMESTAMP"}},
      {"seconds alone", good + "17.5,4,4\n", {"t.csv:3:", "TIMESTAMP", "2023-11-16 18:15:46.6805900"}},
      {"empty fraction", good + "2023-11-16 18:15:47.,4,4\n", {"t.csv:3:", "TIMESTAMP"}},
      {"letters in the fraction", good + "2023-11-16 18:15:47.5x,4,4\n", {"t.csv:3:", "TIMESTAMP"}},
      {"back in time", good + "2023-11-16 18:15:46.4,4,4\n", {"t.csv:3:", "TIMESTAMP", "line above"}},
      {"zero bytes", good + std::string("\0\0\0", 3) + "\n", {"t.csv:3:", "\\x00"}},
      {"cut off", good + "2023-11-16 18:1", {"t.csv:3:"}},
  };
  for (const Malformed& entry : table) {
    const auto trace = parse_trace(entry.text, "t.csv");
    ASSERT_FALSE(trace.ok()) << entry.what;
    EXPECT_EQ(trace.status().code(), StatusCode::kInvalidArgument) << entry.what;
    for (const std::string& part : entry.says) {
      EXPECT_THAT(trace.status().message(), testing::HasSubstr(part)) << entry.what;
    }
  }
}

TEST(Trace, EveryCutOfAGoodTraceIsReadOrRefusedButNeverMisread) {
  const std::string good = std::string(kHeader) + "2023-11-16 18:15:46.5,374,44\r\n2023-11-16 18:15:47.25,1155,209\r\n";
  const auto whole = parse_trace(good, "t.csv");
  ASSERT_TRUE(whole.ok());
  for (size_t size = 0; size < good.size(); ++size) {
    const auto cut = parse_trace(good.substr(0, size), "t.csv");
    if (!cut.ok()) continue;
    ASSERT_LE(cut->size(), whole->size());
    for (size_t i = 0; i < cut->size(); ++i) {
      EXPECT_EQ((*cut)[i].arrival_us, (*whole)[i].arrival_us);
      EXPECT_EQ((*cut)[i].context_tokens, (*whole)[i].context_tokens);
    }
  }
}

TEST(Trace, UnreadableFilesAreNamed) {
  const auto missing = load_trace("/nonexistent/trace.csv");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.status().code(), StatusCode::kNotFound);
  EXPECT_THAT(missing.status().message(), testing::HasSubstr("/nonexistent/trace.csv"));
  const auto folder = load_trace(TAILOR_BINARY_DIR);
  ASSERT_FALSE(folder.ok());
  EXPECT_EQ(folder.status().code(), StatusCode::kIo);
  EXPECT_THAT(folder.status().message(), testing::HasSubstr(TAILOR_BINARY_DIR));
}

}  // namespace
}  // namespace tailor::cli
