#include "codegen/emit/emit.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "codegen/emit/templates.h"
#include "codegen/kernel/text.h"
#include "tests/codegen/emit/accesses.h"
#include "tests/codegen/kernel/conversions.h"
#include "tests/codegen/kernel/programs.h"

namespace tailor::codegen::emit {
namespace {

using kernel::testing::all_programs;
constexpr Arch kArchs[] = {Arch::kSm80, Arch::kSm90a};

// Empty, or ptxas's complaint.
std::string assemble(const std::string& name, const std::string& ptx, Arch arch) {
  std::string stem = ::testing::TempDir() + "tailor_emit_" + name + "_" + std::string(to_string(arch));
  std::ofstream(stem + ".ptx") << ptx;
  std::string command = std::string(TAILOR_PTXAS) + " -arch=" + std::string(to_string(arch)) + " " + stem + ".ptx -o " +
                        stem + ".cubin > " + stem + ".log 2>&1";
  int result = std::system(command.c_str());
  std::ifstream log(stem + ".log");
  std::string message((std::istreambuf_iterator<char>(log)), {});
  for (const char* suffix : {".ptx", ".cubin", ".log"}) std::remove((stem + suffix).c_str());
  return result == 0 ? "" : "ptxas failed: " + message;
}

TEST(EmitPtx, EveryAccessIsOneInstructionWithItsId) {
  for (Arch arch : kArchs) {
    for (const auto& [name, program] : all_programs()) {
      Expected<std::string> ptx = emit_ptx(program, arch);
      ASSERT_TRUE(ptx.ok()) << name << ": " << ptx.status().message();
      EXPECT_EQ(testing::check_accesses(program, *ptx), "") << name << "\n" << *ptx;
      EXPECT_EQ(testing::check_entry(program, *ptx), "") << name << "\n" << *ptx;
      EXPECT_NE(ptx->find(".target " + std::string(to_string(arch)) + "\n"), std::string::npos) << name;
    }
  }
}

TEST(EmitPtx, PtxasAcceptsEveryProgram) {
  if (std::string(TAILOR_PTXAS).empty()) GTEST_SKIP() << "no ptxas on this machine";
  EXPECT_NE(assemble("broken", "not ptx", Arch::kSm90a), "");
  for (Arch arch : kArchs) {
    for (const auto& [name, program] : all_programs()) {
      Expected<std::string> ptx = emit_ptx(program, arch);
      ASSERT_TRUE(ptx.ok()) << name << ": " << ptx.status().message();
      EXPECT_EQ(assemble(name, *ptx, arch), "") << name << "\n" << *ptx;
    }
  }
}

// The same text from any thread, at any time: text digests are cache keys.
TEST(EmitPtx, IsAFunctionOfItsArgumentsOnAllThreads) {
  const auto programs = all_programs();
  std::vector<std::string> expected;
  for (const auto& [name, program] : programs) expected.push_back(*emit_ptx(program, Arch::kSm90a));
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 3; ++round)
        for (size_t k = 0; k < programs.size(); ++k) {
          Expected<std::string> ptx = emit_ptx(programs[k].program, Arch::kSm90a);
          if (!ptx.ok() || *ptx != expected[k]) ++wrong[t];
        }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

void collect(kernel::Region& region, std::vector<kernel::Instruction*>& instructions) {
  for (kernel::Instruction& i : region.body) {
    instructions.push_back(&i);
    for (kernel::Region& inner : i.regions) collect(inner, instructions);
  }
}

// What the verifier accepts, both emitters print: operands, ops, relations, constants and alignments changed at random.
TEST(Emit, PrintsEveryMutantThatVerifies) {
  std::mt19937 random(11);
  auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  for (const auto& [name, original] : all_programs()) {
    int emitted = 0;
    int vanished = 0;
    for (int round = 0; round < 3000 && emitted < 30; ++round) {
      kernel::Program mutant = original;
      std::vector<kernel::Instruction*> instructions;
      collect(mutant.body, instructions);
      for (size_t edits = 1 + below(4); edits-- > 0;) {
        kernel::Instruction& i = *instructions[below(instructions.size())];
        switch (below(4)) {
          case 0:
            if (!i.operands.empty())
              i.operands[below(i.operands.size())] = static_cast<kernel::ValueId>(below(mutant.values.size()));
            break;
          case 1:
            if (kernel::operand_count(i.op) == 2 && i.results.size() == 1 && i.op != kernel::Op::kCompare)
              i.op = static_cast<kernel::Op>(static_cast<size_t>(kernel::Op::kAdd) + below(15));
            break;
          case 2:
            if (i.op == kernel::Op::kCompare) i.compare = static_cast<kernel::Compare>(below(10));
            if (i.op == kernel::Op::kConstant) i.immediate += static_cast<int64_t>(below(65)) - 32;
            break;
          default:
            if (i.access != 0) i.align = static_cast<uint16_t>(1u << below(8));
        }
      }
      if (!kernel::verify(mutant).ok() || mutant == original) continue;
      ++emitted;
      Expected<std::string> ptx = emit_ptx(mutant, Arch::kSm90a);
      ASSERT_TRUE(ptx.ok()) << ptx.status().message() << "\n" << kernel::print(mutant);
      std::string wrong = testing::check_accesses(mutant, *ptx);
      vanished += wrong.find("has no instruction") != std::string::npos;  // a condition became constant
      EXPECT_TRUE(wrong.empty() || wrong.find("has no instruction") != std::string::npos)
          << wrong << "\n"
          << kernel::print(mutant) << *ptx;
      ASSERT_TRUE(emit_cuda(mutant, Arch::kSm90a).ok()) << kernel::print(mutant);
    }
    EXPECT_EQ(emitted, 30) << name;
    EXPECT_LE(vanished, 5) << name;
  }
}

TEST(EmitPtx, FoldsConstantOffsetsIntoAddresses) {
  using namespace kernel;
  Builder b("k", 32);
  Value p = b.parameter(Type::kPtr, "p");
  auto load_at = [&](Value offset) {
    Value v = b.load(Type::kB32, b.ptr_add(b.ptr_add(p, b.i64(-16)), offset), {"p", "x", 4, false});
    b.store(Type::kB32, p, v, {"p", "y", 4, false});
  };
  load_at(b.i64(48));
  load_at(b.i64(-48));
  load_at(b.i32(-16));  // unsigned: 4294967280, which no immediate holds
  load_at(b.i64(int64_t{1} << 40));
  std::string ptx = *emit_ptx(b.finish(), Arch::kSm90a);
  EXPECT_NE(ptx.find("+32]"), std::string::npos) << ptx;
  EXPECT_NE(ptx.find("+-64]"), std::string::npos) << ptx;
  EXPECT_EQ(ptx.find("4294967"), ptx.find("4294967264")) << ptx;  // -16 + 4294967280 by an add
  EXPECT_NE(ptx.find("1099511627760"), std::string::npos) << ptx;
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// A product and a sum stay two roundings, a fused one stays one, and what multiplies by one or adds zero stays.
TEST(EmitPtx, StatesTheRoundingOfEveryFloatOperation) {
  using namespace kernel;
  Builder b("k", 32);
  Value p = b.parameter(Type::kPtr, "p");
  auto load = [&](int64_t at) {
    return b.bitcast(Type::kF32, b.load(Type::kB32, b.ptr_add(p, b.i64(at)), {"p", "x", 4, false}));
  };
  Value x = load(0);
  Value y = load(4);
  Value sum = b.binary(Op::kFAdd, b.binary(Op::kFMul, x, y), b.f32(0.0f));
  Value difference = b.binary(Op::kFSub, b.binary(Op::kFMul, sum, b.f32(1.0f)), y);
  Value fused = b.fma(difference, x, sum);
  b.store(Type::kB32, p, b.bitcast(Type::kB32, fused), {"p", "y", 4, false});
  const Program program = b.finish();
  for (Arch arch : kArchs) {
    const std::string ptx = *emit_ptx(program, arch);
    EXPECT_EQ(count_of(ptx, "mul.rn.f32"), 2u) << ptx;
    EXPECT_EQ(count_of(ptx, "add.rn.f32"), 1u) << ptx;
    EXPECT_EQ(count_of(ptx, "sub.rn.f32"), 1u) << ptx;
    EXPECT_EQ(count_of(ptx, "fma.rn.f32"), 1u) << ptx;
  }
}

TEST(EmitPtx, ConvertsFp8InPairsWhereTheArchHasInstructions) {
  for (kernel::Format format : {kernel::Format::kE4M3, kernel::Format::kE5M2}) {
    const std::string pair = std::string(to_string(format)) + "x2";
    const std::string encode = "cvt.rn.satfinite." + pair + ".f32";
    const std::string decode = "cvt.rn.f16x2." + pair;
    EXPECT_EQ(count_of(*emit_ptx(kernel::testing::encode_program(format, 2), Arch::kSm90a), encode), 1u);
    EXPECT_EQ(count_of(*emit_ptx(kernel::testing::decode_program(format, 2), Arch::kSm90a), decode), 1u);
    EXPECT_EQ(count_of(*emit_ptx(kernel::testing::encode_program(format, 2), Arch::kSm80), pair), 0u);
    EXPECT_EQ(count_of(*emit_ptx(kernel::testing::decode_program(format, 2), Arch::kSm80), pair), 0u);
  }
}

TEST(EmitPtx, SharedMemoryIsStaticAlignedAndNeedsNoMoreThanItsAddress) {
  using namespace kernel;
  Builder b("k", 32);
  Value first = b.shared(100);
  Value second = b.shared(16);
  Value value = b.constant(Type::kB32, 7);
  b.store(Type::kB32, b.ptr_add(first, b.i32(96)), value, {"", "x", 4, false});
  b.store(Type::kB32, second, value, {"", "y", 4, false});
  const std::string ptx = *emit_ptx(b.finish(), Arch::kSm80);
  EXPECT_NE(ptx.find(".shared .align 16 .b8 tailor_shared[128];"), std::string::npos) << ptx;
  EXPECT_EQ(count_of(ptx, "+96], "), 1u) << ptx;
  EXPECT_EQ(count_of(ptx, "+112], "), 1u) << ptx;
  EXPECT_EQ(count_of(ptx, "cvt"), 0u) << ptx;
}

TEST(EmitLlvm, PrintsTheModuleBeforeCodeGeneration) {
  Expected<std::string> text = emit_llvm_ir(kernel::testing::example(), Arch::kSm90a);
  ASSERT_TRUE(text.ok()) << text.status().message();
  for (const char* part : {"target triple = \"nvptx64-nvidia-cuda\"", "define void @tailor_copy(ptr addrspace(1) %dst",
                           "ld.global.nc.v4.u32", "!DILocation(line: 1", "!\"reqntidx\", i32 256"})
    EXPECT_NE(text->find(part), std::string::npos) << part << "\n" << *text;
}

TEST(EmitCuda, IncludesNothingAndPutsEveryAccessOnItsLine) {
  for (const auto& [name, program] : all_programs()) {
    Expected<std::string> source = emit_cuda(program, Arch::kSm90a);
    ASSERT_TRUE(source.ok()) << name << ": " << source.status().message();
    EXPECT_EQ(source->find("#include"), std::string::npos);
    for (size_t id = 1; id <= program.accesses.size(); ++id) {
      std::string line = "#line " + std::to_string(id) + " \"/access\"\n";
      size_t at = source->find(line);
      ASSERT_NE(at, std::string::npos) << name << " access " << id;
      EXPECT_EQ(source->find(line, at + 1), std::string::npos) << name << " access " << id;
      EXPECT_NE(source->substr(at + line.size(), 80).find("TAILOR_"), std::string::npos) << name << " access " << id;
    }
    EXPECT_EQ(*source, *emit_cuda(program, Arch::kSm90a));
  }
}

TEST(EmitCuda, WordsOfAnAccessCannotLeaveTheirComment) {
  kernel::Program program = kernel::testing::example();
  program.accesses[0].what = "a\n#error out\\";
  std::string source = *emit_cuda(program, Arch::kSm90a);
  EXPECT_EQ(source.find("\n#error"), std::string::npos);
  EXPECT_EQ(source.find("out\\"), std::string::npos);
}

TEST(Emit, RefusesAProgramThatDoesNotVerify) {
  kernel::Program program = kernel::testing::example();
  program.block_threads = 0;
  EXPECT_EQ(emit_ptx(program, Arch::kSm90a).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(emit_cuda(program, Arch::kSm90a).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(emit_llvm_ir(program, Arch::kSm90a).status().code(), StatusCode::kInvalidArgument);
}

TEST(Templates, AreEmbeddedWholeAndIncludeNothing) {
  ASSERT_FALSE(templates().empty());
  for (const Template& source : templates()) {
    std::ifstream file(std::string(TAILOR_SOURCE_DIR) + "/templates/" + std::string(source.name));
    EXPECT_EQ(std::string((std::istreambuf_iterator<char>(file)), {}), source.text) << source.name;
    EXPECT_EQ(source.text.find("#include"), std::string_view::npos) << source.name;
  }
}

TEST(Version, IsLlvm19) { EXPECT_EQ(llvm_version().substr(0, 3), "19."); }

}  // namespace
}  // namespace tailor::codegen::emit
