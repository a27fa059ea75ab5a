// Every refusal names its place, what was found, and what was expected.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ptx_testing.h"

namespace tailor::ptx {
namespace {

using namespace testing;

struct Refusal {
  const char* text;     // a whole module, or a body when it does not begin with '.version'
  const char* message;  // contained in the message
};

std::string whole(const Refusal& r) {
  return std::string_view(r.text).starts_with(".version") || r.text[0] == '\0' || r.text[0] == '#'
             ? std::string(r.text)
             : module_of_body(std::string(".reg .pred %p<4>; .reg .b32 %r<8>; .reg .b64 %rd<8>;\n") + r.text);
}

class ParseErrors : public ::testing::TestWithParam<Refusal> {};

TEST_P(ParseErrors, NamesPlaceFoundAndExpected) {
  const Expected<Module> m = parse(whole(GetParam()));
  ASSERT_FALSE(m.ok());
  const std::string said = m.status().message();
  EXPECT_NE(said.find(GetParam().message), std::string::npos) << said;
  EXPECT_TRUE(m.status().code() == StatusCode::kInvalidArgument || m.status().code() == StatusCode::kUnsupported);
  unsigned line = 0, column = 0;
  EXPECT_EQ(std::sscanf(said.c_str(), "%u:%u: ", &line, &column), 2) << said;
}

#define HEAD ".version 8.3\n.target sm_90a\n.address_size 64\n"

const Refusal kRefusals[] = {
    {"", "1:1: found the end of the text, expected '.version'"},
    {"#include", "1:1: found '#', expected '.version'"},
    {".version x", "1:10: found 'x', expected a version such as 8.3"},
    {".version 8.3\n.target 7", "2:9: found '7', expected a target such as sm_90a"},
    {".version 8.3\n.target sm_80\n.address_size 32", ".address_size is 32; only 64 is read"},
    {HEAD "global .u32 x;", "4:1: found 'global', expected a module directive"},
    {HEAD ".global .u32;", "found ';', expected a variable name"},
    {HEAD ".global .align 3 .u32 x;", "alignment 3 is not a power of two"},
    {HEAD ".global .pred x;", "a .pred variable cannot lie in memory"},
    {HEAD ".global .texref t;", "textures and surfaces are not read"},
    {HEAD ".global .u32 x; .global .u32 x;", "'x' is declared twice"},
    {HEAD ".global .u32 x[2] = {1, 2, 3};", "more initial values than elements"},
    {HEAD ".global .u32 x[2] = {1, {2}};", "too many braces"},
    {HEAD ".global .u32 x = 0f3F800000;", "a floating-point value cannot initialise .u32"},
    {HEAD ".global .u64 x = y;", "found 'y', expected the name of a declared variable or function"},
    {HEAD ".global .u8 x = 0xF0F(y);", "an address mask must select one byte"},
    {HEAD ".global .b8 x[1099511627777];", "the array has more than 1099511627776 elements"},
    {HEAD ".global .b8 x[0][1099511627776][1099511627776];", "the array has more than"},
    {HEAD ".shared .u32 x = 1;", "a .shared variable cannot have an initialiser"},
    {HEAD ".func f() { ret; } .func f() { ret; }", "function 'f' is defined twice"},
    {HEAD ".func f(); .entry f() { ret; }", "declared both .entry and .func"},
    {HEAD ".entry k(.param .u32 a, .param .u32 a) { ret; }", "'a' is declared twice"},
    {HEAD ".entry k() .maxntid x { ret; }", "found 'x', expected a dimension"},
    {HEAD ".entry k() { ret; ", "found the end of the text, expected a statement or '}'"},
    {HEAD ".section .debug { .b8 1", "expected '}' at the end of the section"},
    {HEAD ".alias a, b;", "expected the name of a declared function"},
    {"add.s32 %r1, %r2;", "7:1: add was given 2 operands that do not match; it takes destination, source, source"},
    {"add.s32 %r1, %r2, %r3 %r4;", "7:23: found '%r4', expected ',' or ';'"},
    {"add.s32 %r1, %r2, %x3;", "7:19: '%x3' is not declared"},
    {"add.s32 %r1, %r2, %r8;", "7:19: '%r8' is not declared"},
    {"add.s32 %r1, %r2, %r01;", "'%r01' is not declared"},
    {"add.s32 5, %r2, %r3;", "operands that do not match"},
    {"add.s32 %r1, %r2, [%r3];", "operands that do not match"},
    {"frobnicate.u32 %r1;", "7:1: 'frobnicate.u32' is not an instruction known here"},
    {"tcgen05.alloc.sync.aligned.b32 [%r1], 32;", "'tcgen05.alloc' is not an instruction known here"},
    {"add.rn.f32x2 %rd1, %rd2, %rd3;", "'.f32x2' is not a word of PTX for sm_80 to sm_90a"},
    {"cvt.rn.satfinite.e2m1x2.f32 %r1, %r2, %r3;", "'.e2m1x2' is not a word of PTX"},
    {"mma.sync.aligned.m16n8k0.row.col.f32.f16.f16.f32 %r1, %r1, %r1, %r1;", "'.m16n8k0' is not a word of PTX"},
    {"ld.global.u32 %r1, [%rd1;", "7:25: found ';', expected ']'"},
    {"ld.global.u32 %r1, [%rd1, %r1];", "expected '{' and the tensor coordinates"},
    {"ld.global.v2.u32 {%r1, {%r2}}, [%rd1];", "found '{', expected a vector element"},
    {"mov.u32 %tid.x, %r1;", "operands that do not match"},
    {"mov.u32 %r1, 0x1FFFFFFFFFFFFFFFF;", "does not fit 64 bits"},
    {"mov.u32 %r1, 0f3F80;", "a 0f value has 8 hexadecimal digits"},
    {"mov.u32 %r1, 12ab;", "'12ab' is not a number"},
    {"mov.u32 %r1, 09;", "'09' is not a number"},
    {"mov.u32 %r1, 0x;", "'0x' is not a number"},
    {"@%r1 ret;", "the guard '%r1' is a .b32 register; it must be .pred"},
    {"@%q ret;", "found '%q', expected a declared predicate register"},
    {"and.pred %p1, %p2, !%r1;", "only a predicate register can be negated"},
    {"bra NOWHERE;", "7:5: label 'NOWHERE' is not declared in this scope or around it"},
    {"{ INNER: ret; } bra INNER;", "label 'INNER' is not declared"},
    {"L: L: ret;", "7:4: label 'L' is declared twice in this scope"},
    {".reg .b32 %r<3>;", "registers '%r<n>' are declared twice in this scope"},
    {".reg .b32 a; .reg .b64 a;", "'a' is declared twice in this scope"},
    {".reg .b32 %z<4000000000>;", "asks for 4000000000 registers; a function may have 1048576"},
    {".reg .b32 %z<99999999999999999999>;", "does not fit 64 bits"},
    {".reg .v4 .f32 v;", "vector registers"},
    {".loc 1 x 3", "found 'x', expected a number (file, line, column)"},
    {"call nobody;", "'nobody' is not declared"},
    {"call %rd1, (%r1);", "the call is indirect"},
    {"t: .branchtargets GONE; ret;", "label 'GONE' is not declared"},
    {"ret", "8:1: found '}', expected an operand"},
    {".pragma nounroll;", "expected a quoted pragma"},
    {"mov.u32 %r1, \"text\";", "expected an operand"},
};

INSTANTIATE_TEST_SUITE_P(Table, ParseErrors, ::testing::ValuesIn(kRefusals));

TEST(ParseLimits, NestingOfScopesIsLimited) {
  const std::string deep = module_of_body(std::string(100000, '{') + std::string(100000, '}'));
  const Expected<Module> m = parse(deep);
  ASSERT_FALSE(m.ok());
  EXPECT_EQ(m.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(m.status().message().find("scopes are nested deeper than 64"), std::string::npos);
  EXPECT_TRUE(parse(module_of_body(std::string(60, '{') + "ret;" + std::string(60, '}'))).ok());
}

TEST(ParseLimits, InitialiserBracesAreLimited) {
  EXPECT_FALSE(parse(std::string(HEAD) + ".global .u32 x[1] = " + std::string(1000000, '{')).ok());
  std::string dimensions;
  for (int i = 0; i < 100; ++i) dimensions += "[1]";
  EXPECT_FALSE(parse(std::string(HEAD) + ".global .u32 x" + dimensions + " = 1;").ok());
}

TEST(ParseLimits, RegistersOfAModuleAreLimited) {
  std::string text = HEAD;
  for (int i = 0; i < 40; ++i) text += fmt::format(".func f{}() {{ .reg .b32 %r<1000000>; ret; }}\n", i);
  const Expected<Module> m = parse(text);
  ASSERT_FALSE(m.ok());
  EXPECT_NE(m.status().message().find("the module declares more than"), std::string::npos);
}

TEST(ParseLimits, TextAndInitialisersAreLimited) {
  ParseLimits limits;
  limits.text_bytes = 10;
  EXPECT_EQ(parse(HEAD, limits).status().code(), StatusCode::kUnsupported);
  limits = {};
  limits.initialiser_bytes = 100;
  EXPECT_FALSE(parse(std::string(HEAD) + ".global .b8 x[2][4096] = {{1}, {2}};", limits).ok());
}

// Names are made unique in constant time each, however often one is declared again.
TEST(ParseLimits, ManyHomonymsAndFamiliesTakeLinearTime) {
  std::string body;
  for (int i = 0; i < 100000; ++i) body += "{.reg .b32 %r<2>;.reg .b32 x;L:}\n";
  for (int i = 0; i < 100000; ++i) body += fmt::format(".reg .b32 a{}_<2>;", i);
  const Expected<Module> m = parse(module_of_body(body + "ret;"));
  ASSERT_TRUE(m.ok()) << m.status().message();
  EXPECT_EQ(m->functions[0].labels.size(), 100000u);
}

}  // namespace
}  // namespace tailor::ptx
