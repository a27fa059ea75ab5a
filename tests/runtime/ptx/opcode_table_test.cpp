// The opcode table against ptxas: every mnemonic has a line that ptxas accepts, printed back in a form that it accepts.
#include <algorithm>
#include <random>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ptx_testing.h"
#include "runtime/ptx/grammar.h"
#include "runtime/ptx/printer.h"

namespace tailor::ptx {
namespace {

using namespace testing;

const Function& kernel(const Module& m) { return *m.find_function("lines"); }

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (char c : text)
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

TEST(OpcodeTable, EveryMnemonicHasALine) {
  std::set<Opcode> covered;
  for (const std::string& line : opcode_lines()) {
    const Expected<Module> m = parse(module_of_lines({line}));
    ASSERT_TRUE(m.ok()) << line << "\n" << m.status().message();
    for (const Instruction& i : kernel(*m).instructions) covered.insert(i.opcode);
  }
  for (unsigned o = 0; o < static_cast<unsigned>(Opcode::kCount); ++o)
    EXPECT_TRUE(covered.contains(static_cast<Opcode>(o))) << to_string(static_cast<Opcode>(o));
}

TEST(OpcodeTable, PtxasAcceptsTheLinesAndTheirCanonicalForm) {
  if (!have_ptxas()) GTEST_SKIP() << "skipped: ptxas was not found";
  const std::string text = module_of_lines(opcode_lines());
  EXPECT_EQ(ptxas_complaint(text, "sm_90a"), "");
  EXPECT_EQ(ptxas_complaint(print(parse_or_fail(text)), "sm_90a"), "");
  // The judge can say no.
  EXPECT_NE(ptxas_complaint(module_of_lines({"ldu.global.gpu.u32 %r1, [%rd1];"}), "sm_90a"), "");
}

TEST(OpcodeTable, CanonicalFormParsesToTheSameModule) {
  const Module m = parse_or_fail(module_of_lines(opcode_lines()));
  EXPECT_TRUE(parse_or_fail(print(m)) == m);
}

// Words that carry no order of their own (neither type, space, layout nor createpolicy's priorities) may stand
// anywhere.
TEST(OpcodeTable, ModifierOrderDoesNotMatter) {
  std::mt19937 random(1);
  int shuffled = 0;
  for (const std::string& line : opcode_lines()) {
    if (line.starts_with("createpolicy")) continue;
    const size_t begin = line.starts_with("@") ? line.find(' ') + 1 : 0;
    const size_t end = std::min(line.find(' ', begin), line.find(';'));
    const std::vector<std::string> words = split(line.substr(begin, end - begin), '.');
    std::vector<std::string_view> views;
    std::string joined = line.substr(begin, end - begin);
    for (size_t at = 0; at <= joined.size();) {
      const size_t dot = std::min(joined.find('.', at), joined.size());
      views.emplace_back(joined.data() + at, dot - at);
      at = dot + 1;
    }
    const unsigned head = find_mnemonic(views.data(), static_cast<unsigned>(views.size())).words;
    if (views.size() < head + 2) continue;
    std::vector<std::string> ordered, free;
    for (size_t w = head; w < words.size(); ++w) {
      Word word;
      const bool known = find_word(words[w], word);
      const bool keeps = known && (word.kind == WordKind::kType || word.kind == WordKind::kSpace || words[w] == "row" ||
                                   words[w] == "col");
      (keeps ? ordered : free).push_back(words[w]);
    }
    std::shuffle(free.begin(), free.end(), random);
    // Interleave at random, keeping `ordered` in order.
    std::string text = line.substr(0, begin) + words[0];
    for (unsigned w = 1; w < head; ++w) text += "." + words[w];
    size_t o = 0, f = 0;
    while (o < ordered.size() || f < free.size()) {
      const bool take = f == free.size() || (o < ordered.size() && random() % 2);
      text += "." + (take ? ordered[o++] : free[f++]);
    }
    text += line.substr(end);
    const Module a = parse_or_fail(module_of_lines({line})), b = parse_or_fail(module_of_lines({text}));
    ASSERT_FALSE(::testing::Test::HasFailure()) << text;
    EXPECT_TRUE(a == b) << line << "\n" << text;
    shuffled += text != line;
  }
  EXPECT_GT(shuffled, 50);
}

TEST(OpcodeTable, TypeAndSpaceOrderMatters) {
  const auto types = [](const char* line) {
    const Module m = parse_or_fail(module_of_lines({line}));
    const Instruction& i = kernel(m).instructions[0];
    return std::make_pair(i.types[0], i.types[1]);
  };
  EXPECT_EQ(types("cvt.s64.s32 %rd1, %r1;"), std::make_pair(Type::kS64, Type::kS32));
  EXPECT_EQ(types("cvt.s32.s64 %r1, %rd1;"), std::make_pair(Type::kS32, Type::kS64));
  const Module m = parse_or_fail(module_of_lines(
      {"cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%rd1], 128, [%r2];"}));
  EXPECT_EQ(kernel(m).instructions[0].space, Space::kSharedCluster);
  EXPECT_EQ(kernel(m).instructions[0].second_space, Space::kGlobal);
}

TEST(OpcodeTable, AnIllegalWordIsNamedWithItsPlace) {
  // `.bogus` is no word at all; `.sp` words and `.a` are words of other opcodes.
  for (const std::string& line : opcode_lines()) {
    const size_t begin = line.starts_with("@") ? line.find(' ') + 1 : 0;
    const size_t end = std::min(line.find(' ', begin), line.find(';'));
    std::string text = line;
    text.insert(end, ".bogus");
    const std::string module = module_of_lines({text});
    const Expected<Module> m = parse(module);
    ASSERT_FALSE(m.ok()) << text;
    const size_t at = module.find(".bogus");
    const auto row = 1 + std::count(module.begin(), module.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    const size_t column = at - module.rfind('\n', at);
    EXPECT_TRUE(m.status().message().starts_with(fmt::format("{}:{}: '.bogus'", row, column))) << m.status().message();
  }
  const Expected<Module> m = parse(module_of_lines({"add.volatile.s32 %r1, %r2, %r3;"}));
  ASSERT_FALSE(m.ok());
  EXPECT_NE(m.status().message().find("add does not take '.volatile'; it takes"), std::string::npos);
}

TEST(OpcodeTable, AMissingRequiredWordIsRefused) {
  const Expected<Module> m = parse(module_of_lines({"add %r1, %r2, %r3;"}));
  ASSERT_FALSE(m.ok());
  EXPECT_NE(m.status().message().find("add lacks one of .u16"), std::string::npos) << m.status().message();
  EXPECT_FALSE(parse(module_of_lines({"setp.s32 %p1, %r2, %r3;"})).ok());
}

TEST(OpcodeTable, WordsThatExcludeEachOtherAreRefused) {
  for (const char* line :
       {"ld.acquire.relaxed.gpu.global.u32 %r1, [%rd1];", "ld.gpu.sys.acquire.global.u32 %r1, [%rd1];",
        "add.rn.rz.f32 %f1, %f2, %f3;", "add.s32.s32 %r1, %r2, %r3;", "ld.global.v2.v4.u32 {%r1, %r2}, [%rd1];",
        "mul.lo.hi.s32 %r1, %r2, %r3;", "mma.sync.aligned.m16n8k16.row.row.row.f32.f16.f16.f32 %r1, %r1, %r1, %r1;"})
    EXPECT_FALSE(parse(module_of_lines({line})).ok()) << line;
}

TEST(OpcodeTable, FieldsMirrorTheModifierSet) {
  const Module m = parse_or_fail(module_of_lines(
      {"setp.lt.and.ftz.f32 %p1|%p2, %f1, %f2, !%p3;", "atom.global.acq_rel.gpu.exch.b32 %r1, [%rd1], %r2;",
       "mul.lo.s32 %r1, %r2, %r3;", "cvt.rzi.s32.f32 %r1, %f2;",
       "ld.global.nc.L1::no_allocate.L2::128B.v4.b32 {%r1, %r2, %r3, %r4}, [%rd1];"}));
  const auto& i = kernel(m).instructions;
  EXPECT_EQ(i[0].compare, Modifier::kLt);
  EXPECT_EQ(i[0].operation, Modifier::kAndOp);
  EXPECT_TRUE(i[0].has(Modifier::kFtz));
  EXPECT_EQ(i[1].operation, Modifier::kExchOp);
  EXPECT_EQ(i[1].semantics, Modifier::kAcqRel);
  EXPECT_EQ(i[1].scope, Modifier::kGpu);
  EXPECT_EQ(i[2].compare, Modifier::kNone) << "`.lo` of mul is not a comparison";
  EXPECT_TRUE(i[2].has(Modifier::kLo));
  EXPECT_EQ(i[3].rounding, Modifier::kRzi);
  EXPECT_TRUE(i[4].has(CacheHint::kL1NoAllocate));
  EXPECT_TRUE(i[4].has(CacheHint::kL2Fetch128B));
  EXPECT_EQ(i[4].vector_width, 4);
}

}  // namespace
}  // namespace tailor::ptx
