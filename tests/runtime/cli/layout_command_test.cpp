// layout eval, explain, draw: the command answers every line of stdin and says why where it cannot.
#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "command_line.h"

namespace tailor::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// What `layout eval --json` prints for these bytes on stdin, line by line.
std::vector<json> answers(const std::string& input) {
  const TemporaryFolder folder;
  const std::string path = folder / "questions";
  std::ofstream(path, std::ios::binary) << input;
  std::string command = TAILOR_COMMAND;
  command.append(" layout eval --json < ").append(path);
  std::FILE* pipe = popen(command.c_str(), "r");
  EXPECT_NE(pipe, nullptr);
  std::string text;
  std::array<char, 4096> buffer{};
  for (size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) text.append(buffer.data(), n);
  EXPECT_EQ(pclose(pipe), 0);
  std::vector<json> lines;
  for (size_t start = 0; start < text.size();) {
    const size_t end = text.find('\n', start);
    EXPECT_NE(end, std::string::npos) << "the last line has no end";
    lines.push_back(json::parse(text.substr(start, end - start), nullptr, false));
    start = end + 1;
  }
  return lines;
}

TEST(LayoutCommand, AnswersEveryLineInOrder) {
  const auto lines = answers(
      "{\"op\":\"composition\",\"a\":\"(6,2):(8,2)\",\"b\":\"(4,3):(3,1)\"}\n"
      "\n"
      "{\"op\":\n" +
      std::string(3 << 20, 'x') +
      "\n"
      "{\"op\":\"complement\",\"a\":\"6:4\",\"b\":24}\r\n"
      "{\"op\":\"left_inverse\",\"a\":\"(2,2):(1,1)\"}");
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_EQ(lines[0]["layout"], "((2,2),3):((24,2),8)");
  EXPECT_EQ(lines[0]["size"], 12);
  EXPECT_EQ(lines[0]["cosize"], 43);
  EXPECT_EQ(lines[0]["values"], (json{0, 24, 2, 26, 8, 32, 10, 34, 16, 40, 18, 42}));
  for (const size_t k : {1, 2, 3}) EXPECT_EQ(lines[k]["ok"], false);
  EXPECT_EQ(lines[4]["layout"], "4:1");
  EXPECT_THAT(lines[5].value("reason", ""), HasSubstr("indices 1 and 2 both have the value 1"));
  EXPECT_TRUE(answers("").empty());
  EXPECT_EQ(answers("\n\n\n").size(), 3u);
  EXPECT_EQ(answers(std::string("\0{}\n\xff\n", 6)).size(), 2u);
}

TEST(LayoutCommand, AnswersOneQuestionFromItsArguments) {
  const Outcome good = run_tailor({"layout", "eval", "--json", "logical_product", "(2,2):(4,1)", "6:1"});
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_EQ(good.json()["layout"], "((2,2),(2,3)):((4,1),(2,8))");
  const Outcome text = run_tailor({"layout", "eval", "coalesce", "(2,(1,6)):(1,(6,2))"});
  EXPECT_THAT(text.out, HasSubstr("12:1"));
  const Outcome bad = run_tailor({"layout", "eval", "coalesce", "(4,2:1"});
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_THAT(bad.err, HasSubstr("position 4: expected ',' or ')', found ':'"));
  for (const std::vector<std::string>& words : {std::vector<std::string>{"frobnicate", "4:1"},
                                                {"coalesce"},
                                                {"coalesce", "4:1", "2:1"},
                                                {"complement", "4:1", "99999999999999999999"}}) {
    std::vector<std::string> line{"layout", "eval"};
    line.insert(line.end(), words.begin(), words.end());
    EXPECT_EQ(run_tailor(line).exit_code, 2) << testing::PrintToString(words);
  }
}

// A question that is understood and has no answer is no misuse: the answer of a line, and the code of a failure.
TEST(LayoutCommand, AnOperationWithoutAnswerIsAFailureNotAMisuse) {
  const Outcome json = run_tailor({"layout", "eval", "--json", "left_inverse", "(2,2):(1,1)"});
  EXPECT_EQ(json.exit_code, 1);
  EXPECT_EQ(json.json()["ok"], false);
  EXPECT_THAT(json.json()["reason"].get<std::string>(), HasSubstr("indices 1 and 2 both have the value 1"));
  EXPECT_EQ(json.json(), answers("{\"op\":\"left_inverse\",\"a\":\"(2,2):(1,1)\"}")[0]);
  const Outcome text = run_tailor({"layout", "eval", "left_inverse", "(2,2):(1,1)"});
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_TRUE(text.out.empty());
  EXPECT_THAT(text.err, HasSubstr("indices 1 and 2 both have the value 1"));
}

TEST(LayoutCommand, ExplainsAndDraws) {
  const Outcome explained = run_tailor({"layout", "explain", "(100,37):(40,1)", "--set", "element_bytes=2", "--json"});
  EXPECT_EQ(explained.exit_code, 0) << explained.err;
  EXPECT_EQ(explained.json()["vector_bytes"], 16);
  const TemporaryFolder folder;
  const Outcome drawn = run_tailor({"layout", "draw", "(8,8):(8,1)", "-o", folder / "layout.svg"});
  EXPECT_EQ(drawn.exit_code, 0) << drawn.err;
  std::ifstream in(folder / "layout.svg");
  const std::string svg{std::istreambuf_iterator<char>(in), {}};
  EXPECT_THAT(svg, HasSubstr("<svg"));
  EXPECT_THAT(svg, HasSubstr("</svg>"));
  EXPECT_EQ(run_tailor({"layout", "explain", "(100,37"}).exit_code, 2);
  EXPECT_EQ(run_tailor({"layout", "explain", "8:1", "--set", "nonsense"}).exit_code, 2);
  EXPECT_EQ(run_tailor({"layout", "draw", "{]"}).exit_code, 2);
  const Outcome banks = run_tailor({"layout", "draw", "8:1", "--set", "banks=foo"});
  EXPECT_EQ(banks.exit_code, 2);
  EXPECT_THAT(banks.err, HasSubstr("'banks': no bank model of architecture 'foo'"));
  EXPECT_EQ(run_tailor({"layout"}).exit_code, 2);
}

}  // namespace
}  // namespace tailor::cli
