// print and strip_locations on everything that compilers gave us.
#include <cctype>
#include <sstream>

#include <gtest/gtest.h>

#include "ptx_testing.h"
#include "runtime/ptx/printer.h"

namespace tailor::ptx {
namespace {

using namespace testing;

TEST(RoundTrip, SamplesAreThere) { EXPECT_GE(samples().size(), 13u); }

TEST(RoundTrip, PrintedModuleParsesToTheSameModule) {
  for (const Sample& s : samples()) {
    SCOPED_TRACE(s.name);
    const Module m = parse_or_fail(s.text);
    const std::string printed = print(m);
    EXPECT_TRUE(parse_or_fail(printed) == m);
    EXPECT_EQ(print(parse_or_fail(printed)), printed);
    EXPECT_EQ(m.target, s.arch);
  }
}

TEST(RoundTrip, PtxasAcceptsThePrintedModule) {
  if (!have_ptxas()) GTEST_SKIP() << "skipped: ptxas was not found";
  for (const Sample& s : samples()) {
    SCOPED_TRACE(s.name);
    EXPECT_EQ(ptxas_complaint(print(parse_or_fail(s.text)), s.arch), "");
  }
}

// The text without comments, without .loc and .file lines, and without the sections, which end every sample.
std::string without_debug(const std::string& text) {
  std::string out;
  std::istringstream lines(text.substr(0, text.find(".section")));
  bool comment = false;
  for (std::string line; std::getline(lines, line);) {
    comment = comment || line.find("/*") != std::string::npos;
    const size_t first = line.find_first_not_of(" \t");
    const bool debug =
        first != std::string::npos && (line.compare(first, 5, ".loc ") == 0 || line.compare(first, 5, ".loc\t") == 0 ||
                                       line.compare(first, 5, ".file") == 0);
    if (!comment && !debug) out += line.substr(0, line.find("//")) + "\n";
    if (line.find("*/") != std::string::npos) comment = false;
  }
  return out;
}

// Statements that begin with a word in lower case, guarded or not, which is neither a label nor a vector element.
size_t count_statements(const std::string& t) {
  size_t count = 0;
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n'; };
  for (size_t i = 1; i < t.size(); ++i) {
    const char before = t[i - 1];
    if (before != ';' && before != '{' && before != '}' && !(before == ':' && blank(t[i]))) continue;
    size_t at = i;
    const auto skip_blanks = [&] {
      while (at < t.size() && blank(t[at])) ++at;
    };
    skip_blanks();
    if (t[at] == '@') {
      while (!blank(t[at])) ++at;
      skip_blanks();
    }
    if (at >= t.size() || t[at] < 'a' || t[at] > 'z') continue;
    while (std::isalnum(static_cast<unsigned char>(t[at])) || t[at] == '_') ++at;
    if (t[at] == '(') continue;  // generic(x)
    skip_blanks();
    count += t[at] != ':' && t[at] != ',' && t[at] != '}';
  }
  return count;
}

TEST(RoundTrip, EveryStatementOfTheTextIsAnInstruction) {
  for (const Sample& s : samples()) {
    SCOPED_TRACE(s.name);
    size_t instructions = 0;
    for (const Function& f : parse_or_fail(s.text).functions) instructions += f.instructions.size();
    EXPECT_EQ(instructions, count_statements(without_debug(s.text)));
  }
}

TEST(StripLocations, RemovesDebugLinesAndNothingElse) {
  for (const Sample& s : samples()) {
    SCOPED_TRACE(s.name);
    const std::string stripped = strip_locations(s.text);
    Module expected = parse_or_fail(s.text);
    expected.files.clear();
    for (Function& f : expected.functions)
      for (Instruction& i : f.instructions) i.location = {};
    EXPECT_TRUE(parse_or_fail(stripped) == expected);
    EXPECT_EQ(strip_locations(stripped), stripped);
    for (const char* word : {".loc ", ".loc\t", ".file", ".section", ".cu\""})
      EXPECT_EQ(stripped.find(std::string("\n\t") + word), std::string::npos) << word;
    if (have_ptxas()) {
      EXPECT_EQ(ptxas_complaint(stripped, s.arch), "");
    }
  }
}

TEST(StripLocations, RespectsCommentsAndStringsAndSharedLines) {
  EXPECT_EQ(strip_locations("// .loc 1 2 3\n.pragma \".loc 1 2 3\";\n"), "// .loc 1 2 3\n.pragma \".loc 1 2 3\";\n");
  EXPECT_EQ(strip_locations("a;\n\t.loc 1 2 3\nb;\n"), "a;\nb;\n");
  EXPECT_EQ(strip_locations("a; .loc 1 2 3, function_name $L+4, inlined_at 1 2 3 b;\n"), "a;  b;\n");
  EXPECT_EQ(strip_locations(".target sm_80, debug\n"), ".target sm_80\n");
  EXPECT_EQ(strip_locations("x, debug\n"), "x, debug\n");
  EXPECT_EQ(strip_locations(".section .s { { } \"}\" // }\n }\n.file 1 \"a\", 3, 4\nrest"), "rest");
  for (const char* torn :
       {".loc", ".loc 1", ".section", ".section .x {", ".file", ".loc 1 2 3,", ".file 1 \"", "", ","})
    EXPECT_LE(strip_locations(torn).size(), std::string(torn).size());
}

}  // namespace
}  // namespace tailor::ptx
