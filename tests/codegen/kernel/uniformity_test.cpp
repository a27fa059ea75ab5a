#include "codegen/kernel/uniformity.h"

#include <random>

#include <gtest/gtest.h>

#include "codegen/kernel/text.h"
#include "tests/codegen/kernel/interpreter.h"
#include "tests/codegen/kernel/programs.h"

namespace tailor::codegen::kernel {
namespace {

// %o: ptr, %r: ptr readonly, %n: i32, with %t = tid.x, %c = ctaid.x and %p = (n == c) before each body.
Expected<Program> with_preamble(const std::string& body, bool access) {
  const std::string text = std::string("kernel @k(%o: ptr, %r: ptr readonly, %n: i32) block 64 {\n") +
                           (access ? "access 1 \"x\" \"y\"\n" : "") +
                           "%t = special tid.x %c = special ctaid.x %p = cmp.eq %n, %c\n" + body + "\n}";
  return parse(text);
}

TEST(Uniformity, BarriersStandWhereTheBlockIsTogether) {
  struct Case {
    const char* body;
    bool access;
    bool accepted;
  };
  const Case cases[] = {
      {"barrier", false, true},
      {"if %p { barrier }", false, true},
      {"if %p { barrier } else { barrier }", false, true},
      {"%q = cmp.ult %t, %n if %q { } else { barrier }", false, false},
      {"%q = cmp.ult %t, %n if %q { if %p { barrier } }", false, false},
      {"%l = special laneid %q = cmp.eq %l, %l if %q { barrier }", false, false},
      {"%x = special nctaid.x %y = special ntid.x %z = add %x, %y %q = cmp.eq %z, %n if %q { barrier }", false, true},
      // Loads: read-only at an address that all threads share.
      {"%x = load i32 %r align 4 access 1 readonly %q = cmp.eq %x, %n if %q { barrier }", true, true},
      {"%x = load i32 %r align 4 access 1 %q = cmp.eq %x, %n if %q { barrier }", true, false},
      {"%x = load i32 %o align 4 access 1 %q = cmp.eq %x, %n if %q { barrier }", true, false},
      {"%a = ptradd %r, %t %x = load i32 %a align 4 access 1 readonly %q = cmp.eq %x, %n if %q { barrier }", true,
       false},
      {"%g = cmp.eq %t, %n %x = load i32 %r if %g align 4 access 1 readonly %q = cmp.eq %x, %n if %q { barrier }", true,
       false},
      // Loops: the trip count, and what a loop with another trip count carries out.
      {"for %i = %c to %n step %n { barrier yield }", false, true},
      {"for %i = %t to %n step %n { barrier yield }", false, false},
      {"for %i = %c to %t step %n { barrier yield }", false, false},
      {"%e = for %i = %c to %n step %n carry %x = %c { %y = add %x, %i yield %y } %q = cmp.eq %e, %n if %q { barrier }",
       false, true},
      {"%e = for %i = %c to %t step %n carry %x = %c { %y = add %x, %n yield %y } %q = cmp.eq %e, %n if %q { barrier }",
       false, false},
      {"%e = for %i = %c to %n step %n carry %x = %c { yield %t } %q = cmp.eq %e, %n if %q { barrier }", false, false},
      // The second iteration's condition is made of what the first carries.
      {"for %i = %c to %n step %n { yield } %e = for %j = %c to %n step %n carry %x = %c { %q = cmp.eq %x, %n "
       "if %q { barrier } yield %t }",
       false, false},
      {"%u = while %x = %c { %q = cmp.ult %x, %n condition %q, %x } do %y { barrier %z = add %y, %n yield %z }", false,
       true},
      {"%u = while %x = %c { barrier %q = cmp.ult %x, %n condition %q, %x } do %y { %z = add %y, %n yield %z }", false,
       true},
      {"%u = while %x = %c { %q = cmp.ult %x, %t condition %q, %x } do %y { barrier %z = add %y, %n yield %z }", false,
       false},
      {"%u = while %x = %c { barrier %q = cmp.ult %x, %t condition %q, %x } do %y { %z = add %y, %n yield %z }", false,
       false},
      {"%w = while %x = %c { %q = cmp.ult %x, %t condition %q, %n } do %y { %z = add %y, %n yield %z } "
       "%e = cmp.eq %w, %n if %e { barrier }",
       false, false},
      {"%s = select %p, %n, %t %q = cmp.eq %s, %n if %q { barrier }", false, false},
      {"%q = cmp.eq %t, %n %x = if %q { yield %n } else { yield %c } %e = cmp.eq %x, %n if %e { barrier }", false,
       false},
  };
  for (const Case& c : cases) {
    const Expected<Program> program = with_preamble(c.body, c.access);
    ASSERT_TRUE(program.ok()) << c.body << ": " << program.status().message();
    const Status status = verify(*program);
    EXPECT_EQ(status.ok(), c.accepted) << c.body << ": " << status.message();
    EXPECT_EQ(status.message().find("may differ between threads") != std::string::npos, !c.accepted) << c.body;
  }
}

void collect(Region& region, std::vector<Instruction*>& instructions) {
  for (Instruction& i : region.body) {
    instructions.push_back(&i);
    for (Region& inner : i.regions) collect(inner, instructions);
  }
}

// What the analysis calls uniform is, and every thread reaches the barriers that the verifier lets stand: on programs
// whose operands were exchanged at random.
TEST(Uniformity, HoldsWhenMutantsRun) {
  std::mt19937 random(5);
  auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  size_t ran = 0;
  size_t finished = 0;
  for (const Program& original : {testing::shared(), testing::control()}) {
    for (int round = 0; round < 2000; ++round) {
      Program mutant = original;
      std::vector<Instruction*> instructions;
      collect(mutant.body, instructions);
      for (size_t edits = 1 + below(3); edits-- > 0;) {
        Instruction& i = *instructions[below(instructions.size())];
        if (!i.operands.empty())
          i.operands[below(i.operands.size())] = static_cast<ValueId>(below(mutant.values.size()));
      }
      if (!verify(mutant).ok()) continue;
      std::vector<testing::MemoryBlock> memory{{0x10000, std::vector<uint8_t>(64 * testing::kSharedBytes)},
                                               {0x20000, std::vector<uint8_t>(64 * testing::kSharedBytes)},
                                               {0x30000, {1, 0, 0, 0}}};
      for (uint8_t& byte : memory[1].bytes) byte = static_cast<uint8_t>(random());
      testing::Launch launch{1, {0x10000, 0x20000, 0x30000, 2}};
      if (original.parameters.size() == 2) launch.arguments = {0x10000, 5};
      launch.uniform = uniform_values(mutant);
      launch.most_steps = 3000;
      ASSERT_GT(std::count(launch.uniform.begin(), launch.uniform.end(), true), 0);
      const std::string error = interpret(mutant, launch, memory);
      EXPECT_EQ(error.find("is not uniform"), std::string::npos) << error << "\n" << print(mutant);
      EXPECT_EQ(error.find("threads reach it"), std::string::npos) << error << "\n" << print(mutant);
      ++ran;
      finished += error.empty();
    }
  }
  EXPECT_GT(ran, 150u);
  EXPECT_GT(finished, 50u);
}

}  // namespace
}  // namespace tailor::codegen::kernel
