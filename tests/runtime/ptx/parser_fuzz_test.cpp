// No input crashes, hangs or is accepted with a module that does not print back. Seeds are fixed.
#include <random>

#include <gtest/gtest.h>

#include "ptx_testing.h"
#include "runtime/ptx/analysis.h"
#include "runtime/ptx/printer.h"

namespace tailor::ptx {
namespace {

using namespace testing;

// Parses anything; a module that is accepted must survive printing, stripping and analysis.
bool try_text(const std::string& text) {
  (void)strip_locations(text);
  const Expected<Module> m = parse(text);
  if (!m.ok()) {
    unsigned line = 0, column = 0;
    EXPECT_EQ(std::sscanf(m.status().message().c_str(), "%u:%u: ", &line, &column), 2) << m.status().message();
    return false;
  }
  for (const Function& f : m->functions) {
    const ControlFlow flow = control_flow(f);
    (void)liveness(f, flow);
  }
  const std::string printed = print(*m);
  const Expected<Module> again = parse(printed);
  EXPECT_TRUE(again.ok()) << again.status().message() << "\n" << printed;
  if (again.ok()) {
    EXPECT_TRUE(*again == *m) << text << "\n----\n" << printed;
  }
  return true;
}

// Small inputs that between them have every construct.
std::vector<std::string> seeds() {
  std::vector<std::string> out;
  for (const Sample& s : samples())
    if (s.text.size() < 9000) out.push_back(s.text);
  return out;
}

TEST(ParserFuzz, TruncationAtEveryLength) {
  for (const Sample& s : samples()) {
    if (s.name != "hand_syntax.sm_90a" && s.name != "nvcc_ragged.sm_90a") continue;
    for (size_t n = 0; n < s.text.size(); ++n) {
      try_text(s.text.substr(0, n));
      if (::testing::Test::HasFailure()) FAIL() << s.name << " cut at " << n;
    }
  }
  const std::string lines = module_of_lines(opcode_lines());
  for (size_t n = 0; n < lines.size(); n += 7) (void)parse(std::string_view(lines).substr(0, n));
}

TEST(ParserFuzz, ByteFlipsDeletionsAndDuplications) {
  std::mt19937 random(5);
  const std::vector<std::string> all = seeds();
  int accepted = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string text = all[random() % all.size()];
    for (unsigned edits = 1 + random() % 4; edits > 0; --edits) {
      const size_t at = random() % text.size(), length = std::min<size_t>(1 + random() % 12, text.size() - at);
      switch (random() % 5) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text[at] = static_cast<char>(text[at] ^ (1 << random() % 7));
          break;
        case 2:
          text.erase(at, length);
          break;
        case 3:
          text.insert(at, text.substr(random() % text.size(), length));
          break;
        case 4:
          text[at] = "{}()[]<>,;:@!|.%-0x\"/*\n"[random() % 23];
          break;
      }
      if (text.empty()) text.assign(1, ' ');
    }
    accepted += try_text(text);
    if (::testing::Test::HasFailure()) FAIL() << "round " << round;
  }
  EXPECT_GT(accepted, 100) << "the mutations should leave some texts valid";
}

TEST(ParserFuzz, WholeLinesDeletedSwappedAndRepeated) {
  std::mt19937 random(6);
  const std::vector<std::string> all = seeds();
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> lines(1);
    for (char c : all[random() % all.size()])
      if (c == '\n')
        lines.emplace_back();
      else
        lines.back() += c;
    for (unsigned edits = 1 + random() % 3; edits > 0; --edits) {
      const size_t a = random() % lines.size(), b = random() % lines.size();
      switch (random() % 3) {
        case 0:
          lines[a].clear();
          break;
        case 1:
          std::swap(lines[a], lines[b]);
          break;
        case 2:
          lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(a), lines[b]);
          break;
      }
    }
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    try_text(text);
    if (::testing::Test::HasFailure()) FAIL() << "round " << round;
  }
}

TEST(ParserFuzz, TokenSoup) {
  static const char* const kTokens[] = {".version",
                                        "8.3",
                                        ".target",
                                        "sm_90a",
                                        ".address_size",
                                        "64",
                                        ".global",
                                        ".shared",
                                        ".param",
                                        ".reg",
                                        ".func",
                                        ".entry",
                                        ".visible",
                                        ".extern",
                                        ".align",
                                        "16",
                                        ".b32",
                                        ".u64",
                                        ".v4",
                                        ".pred",
                                        "%r<9>",
                                        "%r1",
                                        "x",
                                        "y",
                                        "{",
                                        "}",
                                        "(",
                                        ")",
                                        "[",
                                        "]",
                                        ",",
                                        ";",
                                        ":",
                                        "@",
                                        "!",
                                        "|",
                                        "<",
                                        ">",
                                        "=",
                                        "+",
                                        "-",
                                        "0x10",
                                        "0f3F800000",
                                        "1.5",
                                        "_",
                                        "add.s32",
                                        "ld.global.u32",
                                        "bra",
                                        "call",
                                        "mov.u32",
                                        "setp.lt.s32",
                                        "ret",
                                        ".loc",
                                        ".file",
                                        ".section",
                                        "\"s\"",
                                        ".callprototype",
                                        ".branchtargets",
                                        "generic",
                                        "0xFF(",
                                        ".maxntid",
                                        ".pragma",
                                        ".ptr",
                                        "%tid.x",
                                        "99999999999999999999",
                                        "brx.idx",
                                        "mma.sync.aligned.m16n8k16",
                                        ".m1n1k1",
                                        "\xff",

                                        "/*",
                                        "//",
                                        "\n"};
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    std::string text(random() % 8 ? ".version 8.3\n.target sm_90a\n" : "");
    if (random() % 2) text += ".visible .entry k() {\n.reg .b32 %r<9>; .reg .pred x;\n";
    for (unsigned n = random() % 60; n > 0; --n) {
      text += kTokens[random() % std::size(kTokens)];
      if (random() % 6) text += ' ';
    }
    if (random() % 2) text += "; }";
    try_text(text);
    if (::testing::Test::HasFailure()) FAIL() << "round " << round << "\n" << text;
  }
}

TEST(ParserFuzz, RandomBytes) {
  std::mt19937 random(8);
  for (int round = 0; round < 5000; ++round) {
    std::string text(random() % 200, '\0');
    for (char& c : text) c = static_cast<char>(random());
    try_text(text);
    text.insert(0, ".version 8.3\n.target sm_90a\n");
    try_text(text);
  }
}

}  // namespace
}  // namespace tailor::ptx
