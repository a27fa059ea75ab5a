// print and strip_locations on everything that compilers gave us.
#include <chrono>

#include <gtest/gtest.h>

#include "ptx_testing.h"
#include "runtime/ptx/analysis.h"
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

// The instructions themselves, in order, must survive: counted in the text independently of the parser.
TEST(RoundTrip, EveryStatementOfTheTextIsAnInstruction) {
  for (const Sample& s : samples()) {
    SCOPED_TRACE(s.name);
    size_t statements = 0;
    for (size_t at = 0; at < s.text.size();) {
      size_t end = s.text.find('\n', at);
      if (end == std::string::npos) end = s.text.size();
      std::string line = s.text.substr(at, end - at);
      at = end + 1;
      line = line.substr(0, line.find("//"));
      for (size_t from = 0, semicolon; (semicolon = line.find(';', from)) != std::string::npos; from = semicolon + 1) {
        size_t first = line.find_first_not_of(" \t{}", from);
        std::string head = line.substr(first, 8);
        const bool letter = (head[0] >= 'a' && head[0] <= 'z') || head[0] == '@';
        // Continuation lines of parameters and call operands begin with a letter too, but not with a mnemonic.
        const std::string word = head[0] == '@' ? head : head.substr(0, head.find_first_of(".; \t"));
        const bool continuation = word.starts_with("param") || word.starts_with("prototy") || word.starts_with("vprintf") ||
                                  word.find(':') != std::string::npos || word.starts_with("_");
        if (letter && !continuation && s.name.rfind("hand", 0) != 0) ++statements;
      }
    }
    const Module m = parse_or_fail(s.text);
    size_t instructions = 0, calls = 0;
    for (const Function& f : m.functions) {
      instructions += f.instructions.size();
      for (const Instruction& i : f.instructions) calls += i.opcode == Opcode::kCall;
    }
    // A call that spans lines ends on a line that does not begin with its mnemonic.
    if (s.name.rfind("hand", 0) != 0) {
      EXPECT_LE(statements, instructions);
      EXPECT_GE(statements + 2 * calls, instructions);
    }
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
    for (const char* word : {".loc", ".file", ".section", ".cu\""})
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
  for (const char* torn : {".loc", ".loc 1", ".section", ".section .x {", ".file", ".loc 1 2 3,", ".file 1 \"", "", ","})
    EXPECT_LE(strip_locations(torn).size(), std::string(torn).size());
}

// Speed is printed, and only an order of magnitude is asserted: the machine is shared. Target: 50 MB/s.
TEST(ParserSpeed, ReadsMoreThanTenMegabytesPerSecond) {
  size_t bytes = 0;
  const auto begin = std::chrono::steady_clock::now();
  double seconds = 0;
  while (seconds < 0.3) {
    for (const Sample& s : samples()) {
      if (!parse(s.text).ok()) FAIL() << s.name;
      bytes += s.text.size();
    }
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  const double rate = static_cast<double>(bytes) / seconds / 1e6;
  printf("parser: %.0f MB/s over %zu samples\n", rate, samples().size());
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_GT(rate, 10);
#endif
}

}  // namespace
}  // namespace tailor::ptx
