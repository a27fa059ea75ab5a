#include "codegen/kernel/text.h"

#include <random>
#include <set>

#include <gtest/gtest.h>

#include "tests/codegen/kernel/programs.h"

namespace tailor::codegen::kernel {
namespace {

using testing::all_programs;

void collect_ops(const Region& region, std::set<Op>& ops) {
  for (const Instruction& i : region.body) {
    ops.insert(i.op);
    for (const Region& inner : i.regions) collect_ops(inner, ops);
  }
}

TEST(Programs, HoldEveryOp) {
  std::set<Op> seen;
  for (const auto& [name, program] : all_programs()) collect_ops(program.body, seen);
#define X(name, text, operands, results) EXPECT_TRUE(seen.count(Op::name)) << text;
  TAILOR_KERNEL_OPS(X)
#undef X
}

TEST(Text, ParseOfPrintIsTheProgram) {
  for (const auto& [name, program] : all_programs()) {
    ASSERT_TRUE(verify(program).ok()) << name << ": " << verify(program).message();
    std::string text = print(program);
    Expected<Program> parsed = parse(text);
    ASSERT_TRUE(parsed.ok()) << name << ": " << parsed.status().message() << "\n" << text;
    EXPECT_TRUE(*parsed == program) << name << "\n" << text;
    EXPECT_EQ(print(*parsed), text) << name;
    EXPECT_TRUE(verify(*parsed).ok()) << name << ": " << verify(*parsed).message();
  }
}

TEST(Text, EqualityNoticesEveryField) {
  const Program original = testing::example();
  auto differs = [&](auto change) {
    Program changed = original;
    change(changed);
    return !(changed == original) && !(original == changed);
  };
  EXPECT_TRUE(original == testing::example());
  EXPECT_TRUE(differs([](Program& p) { p.entry += "x"; }));
  EXPECT_TRUE(differs([](Program& p) { p.block_threads = 128; }));
  EXPECT_TRUE(differs([](Program& p) { p.parameters[0].read_only = true; }));
  EXPECT_TRUE(differs([](Program& p) { p.accesses[1].what = "other"; }));
  EXPECT_TRUE(differs([](Program& p) { p.values[3].name = "other"; }));
  EXPECT_TRUE(differs([](Program& p) { p.values[3].type = Type::kI64; }));
  EXPECT_TRUE(differs([](Program& p) { p.body.body.pop_back(); }));
  EXPECT_TRUE(differs([](Program& p) { p.body.body[2].immediate = 1; }));
  EXPECT_TRUE(differs([](Program& p) { p.body.body[0].special = Special::kNtidX; }));
  EXPECT_TRUE(differs([](Program& p) { std::swap(p.body.body[3].operands[0], p.body.body[3].operands[1]); }));
  EXPECT_TRUE(differs([](Program& p) { p.body.body.back().regions[0].body.pop_back(); }));
}

TEST(Text, TheExampleOfTheHeaderReadsAsWritten) {
  constexpr const char* kText = R"(
    kernel @tailor_copy(%dst: ptr, %src: ptr readonly, %n: i32) block 256 {
      access 1 "src" "vector"
      access 2 "dst" "vector"
      %tid = special tid.x
      %cta = special ctaid.x      // comments end with the line
      %t0 = const i32 256
      %t1 = mul %cta, %t0
      %i = add %t1, %tid
      %p = cmp.ult %i, %n
      if %p {
        %t2 = const i32 16
        %off = mul %i, %t2
        %a = ptradd %src, %off
        %v = load b128 %a align 16 access 1
        %b = ptradd %dst, %off
        store b128 %b, %v align 16 access 2
      }
    })";
  Expected<Program> parsed = parse(kText);
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_TRUE(verify(*parsed).ok()) << verify(*parsed).message();
  EXPECT_EQ(parsed->body.body.size(), 7u);
  EXPECT_EQ(parsed->body.body[6].regions[0].body.size(), 6u);
  EXPECT_EQ(parsed->body.body[6].regions[0].body[5].align, 16);
}

TEST(Text, StringsKeepEveryByte) {
  Program program = testing::example();
  program.accesses[0].operand = std::string("a\"b\\c\n\x01\x7f é \0z", 15);
  Expected<Program> parsed = parse(print(program));
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(parsed->accesses[0].operand, program.accesses[0].operand);
}

TEST(Text, ErrorsNameLineAndColumn) {
  struct Case {
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"", "1:1: expected 'kernel', got the end of the text"},
      {"kernel tailor()", "1:8: expected an entry name"},
      {"kernel @k() block x {}", "1:19: expected an integer"},
      {"kernel @k() block 99999999999999999999 {}", "1:19: integer 99999999999999999999 is not in"},
      {"kernel @k(%a: float) block 1 {}", "1:15: expected a type, got 'float'"},
      {"kernel @k(%a: i32, %a: i32) block 1 {}", "1:20: %a is defined twice"},
      {"kernel @k() block 1 {", "1:22: expected an instruction, got the end"},
      {"kernel @k() block 1 {}\n}", "2:1: expected the end of the text after"},
      {"kernel @k() block 1 {\n  %x = frob %y\n}", "2:8: 'frob' is not an instruction"},
      {"kernel @k() block 1 {\n  %x = cmp %y\n}", "2:8: 'cmp' is not an instruction"},
      {"kernel @k() block 1 {\n  %x = cmp.lt %y\n}", "2:8: 'lt' is not a relation"},
      {"kernel @k() block 1 {\n  %x = not %y\n}", "2:12: %y is used before it is defined"},
      {"kernel @k() block 1 {\n  %x = const i32\n}", "3:1: expected an integer, got '}'"},
      {"kernel @k() block 1 {\n  %x = special tid.z\n}", "2:16: expected a special register"},
      {"kernel @k(%a: i32) block 1 {\n  %x = add %a\n}", "3:1: 'add' takes 2 operands, not 1"},
      {"kernel @k(%a: i32) block 1 {\n  add %a, %a\n}", "2:3: 'add' has 1 results, not 0"},
      {"kernel @k(%a: ptr) block 1 {\n  %x = load f64 %a align 4 access 1\n}", "2:13: expected a type"},
      {"kernel @k(%a: ptr) block 1 {\n  %x = load i32 %a align 4\n}", "3:1: expected 'access', got '}'"},
      {"kernel @k() block 1 {\n  access 2 \"a\" \"b\"\n}", "2:10: integer 2 is not in [1, 1]"},
      {"kernel @k() block 1 {\n  access 1 \"a\n", "2:12: expected a string"},
      {"kernel @k() block 1 {\n  access 1 \"\\q\" \"b\"\n}", "2:12: escapes in strings"},
      {"kernel @k(%p: pred) block 1 {\n  if %p { yield }\n else }\n}", "3:7: expected '{', got '}'"},
      {"kernel @k(%p: pred) block 1 {\n  %r = if %p { }\n}", "2:3: 'if' has 0 results, not 1"},
      {"kernel @k(%p: pred) block 1 {\n  while { yield } do { yield }\n}", "2:19: the first region of a while ends"},
      {"kernel @k() block 1 {\n  %x = decode.f8 %x\n}", "2:8: 'f8' is not a storage format"},
      {"kernel @k() block 1 {\n  %x = decode %x\n}", "2:8: 'decode' is not an instruction"},
      {"kernel @k(%a: i32) block 1 {\n  %x = bitcast %a\n}", "2:16: expected a type"},
      {"kernel @k(%a: i32) block 1 {\n  %x = unpack b8 %a\n}", "2:3: 'unpack' has 4 results, not 1"},
      {"kernel @k() block 1 {\n  %x = const f32 0x\n}", "2:18: integer 0x is not in"},
      {"kernel @k() block 1 {\n  %x = const f32 -0x1\n}", "2:20: 'x1' is not an instruction"},
      {"kernel @k() block 1 shared x {}", "1:28: expected an integer"},
      {"kernel @k() block 1 {\n  # }", "2:3: expected an instruction, got '#'"},
  };
  for (const Case& c : cases) {
    Expected<Program> parsed = parse(c.text);
    ASSERT_FALSE(parsed.ok()) << c.text;
    EXPECT_NE(parsed.status().message().find(c.message), std::string::npos)
        << c.text << "\n  gives " << parsed.status().message() << "\n  wants " << c.message;
  }
}

TEST(Text, DeepNestingIsAnErrorAndNotAnOverflow) {
  std::string text = "kernel @k(%p: pred) block 1 {";
  for (int k = 0; k < 100000; ++k) text += "if %p {";
  Expected<Program> parsed = parse(text);
  ASSERT_FALSE(parsed.ok());
  EXPECT_NE(parsed.status().message().find("nest deeper"), std::string::npos) << parsed.status().message();
}

// Bytes replaced, removed, doubled, tokens swapped: the parser answers, the verifier answers, and what both accept
// round-trips.
TEST(Text, MutatedTextNeverCrashesAndAcceptedTextRoundTrips) {
  std::mt19937 random(20261120);
  auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  const std::string alphabet = "%@{}(),:=\"\\ \n0123456789-abcdefgimnoprstux._/";
  size_t accepted = 0;
  for (const auto& [name, program] : all_programs()) {
    const std::string original = print(program);
    for (int round = 0; round < 1500; ++round) {
      std::string text = original;
      for (size_t edits = 1 + below(3); edits-- > 0 && !text.empty();) {
        size_t at = below(text.size());
        switch (below(5)) {
          case 0:
            text[at] = alphabet[below(alphabet.size())];
            break;
          case 1:
            text.erase(at, 1 + below(8));
            break;
          case 2:
            text.insert(at, 1, alphabet[below(alphabet.size())]);
            break;
          case 3:
            text.insert(below(text.size()), text.substr(at, below(40)));
            break;
          default:
            text.resize(at);
        }
      }
      Expected<Program> parsed = parse(text);
      if (!parsed.ok()) {
        EXPECT_EQ(parsed.status().code(), StatusCode::kInvalidArgument);
        continue;
      }
      if (!verify(*parsed).ok()) continue;
      ++accepted;
      Expected<Program> again = parse(print(*parsed));
      ASSERT_TRUE(again.ok()) << again.status().message() << "\n" << text;
      EXPECT_TRUE(*again == *parsed) << text;
    }
  }
  EXPECT_GT(accepted, 100u);  // comments, numbers and alignments leave valid programs
}

TEST(Builder, NamesAreUniqueAndValid) {
  Builder b("k", 1);
  Value x = b.parameter(Type::kI32, "x");
  Value first = b.binary(Op::kAdd, x, x, "x");
  Value second = b.binary(Op::kAdd, x, first, "t0");
  b.binary(Op::kAdd, first, second, "3 spaces");
  b.add(x, x);
  Program program = b.finish();
  EXPECT_TRUE(verify(program).ok()) << verify(program).message();
  EXPECT_EQ(program.values[0].name, "x");
  EXPECT_EQ(program.values[1].name, "x.1");
  EXPECT_EQ(program.values[2].name, "t0");
  EXPECT_EQ(program.values[3].name, "_3_spaces");
  EXPECT_EQ(program.values[4].name, "t1");
}

TEST(Parameters, OffsetsAreNaturallyAligned) {
  Builder b("k", 1);
  b.parameter(Type::kI32, "a");
  b.parameter(Type::kPtr, "b");
  b.parameter(Type::kI32, "c");
  b.parameter(Type::kI32, "d");
  b.parameter(Type::kI64, "e");
  EXPECT_EQ(parameter_offsets(b.finish()), (std::vector<uint16_t>{0, 8, 16, 20, 24}));
}

}  // namespace
}  // namespace tailor::codegen::kernel
