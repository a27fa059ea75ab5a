// Control flow, post-dominators and liveness against brute force on random programs.
#include "runtime/ptx/analysis.h"

#include <algorithm>
#include <functional>
#include <random>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ptx_testing.h"

namespace tailor::ptx {
namespace {

using namespace testing;

// A program of `size` instructions over 6 registers and 2 predicates with random branches.
std::string random_program(std::mt19937& random, unsigned size) {
  std::string body = ".reg .pred %p<2>; .reg .b32 %r<6>;\nt: .branchtargets L0, L1, L2;\n";
  const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  for (unsigned i = 0; i < size; ++i) {
    body += fmt::format("L{}: ", i);
    const std::string guard = pick(2) ? fmt::format("@{}%p{} ", pick(2) ? "!" : "", pick(2)) : "";
    switch (pick(9)) {
      case 0:
      case 1:
        body += guard + fmt::format("bra L{};\n", pick(size));
        break;
      case 2:
        body += guard + (pick(4) ? fmt::format("bra L{};\n", pick(size)) : "ret;\n");
        break;
      case 3:
        body += pick(4) ? fmt::format("setp.lt.s32 %p{}, %r{}, %r{};\n", pick(2), pick(6), pick(6))
                        : fmt::format("brx.idx %r{}, t;\n", pick(6));
        break;
      case 4:
        body += guard + fmt::format("mov.b32 %r{}, %r{};\n", pick(6), pick(6));
        break;
      default:
        body += guard + fmt::format("add.s32 %r{}, %r{}, %r{};\n", pick(6), pick(6), pick(6));
    }
  }
  return module_of_body(body);
}

// Successors of an instruction, from its meaning alone; size() stands for the end.
std::vector<uint32_t> next_of(const Function& f, uint32_t i) {
  const Instruction& x = f.instructions[i];
  const auto end = static_cast<uint32_t>(f.instructions.size());
  std::set<uint32_t> next;
  if (x.opcode == Opcode::kBra) next.insert(f.labels[f.operands_of(x)[0].index].instruction);
  if (x.opcode == Opcode::kBrxIdx)
    for (uint32_t l : f.branch_tables[0].labels) next.insert(f.labels[l].instruction);
  if (x.opcode == Opcode::kRet) next.insert(end);
  if (next.empty() || x.guarded()) next.insert(i + 1);
  return {next.begin(), next.end()};
}

// Can `to` be reached from the successors of `from` without passing `avoid`?
bool reaches(const Function& f, uint32_t from, const std::function<bool(uint32_t)>& to, uint32_t avoid) {
  std::set<uint32_t> seen;
  std::vector<uint32_t> work = next_of(f, from);
  while (!work.empty()) {
    const uint32_t i = work.back();
    work.pop_back();
    if (i == avoid || !seen.insert(i).second) continue;
    if (to(i)) return true;
    if (i < f.instructions.size())
      for (uint32_t n : next_of(f, i)) work.push_back(n);
  }
  return false;
}

TEST(ControlFlow, BlocksTileTheFunctionAndEdgesAreThoseOfTheInstructions) {
  std::mt19937 random(2);
  for (int round = 0; round < 300; ++round) {
    const Module m = parse_or_fail(random_program(random, 3 + round % 20));
    const Function& f = m.functions[0];
    const ControlFlow flow = control_flow(f);
    uint32_t at = 0;
    for (uint32_t b = 0; b < flow.blocks.size(); ++b) {
      const BasicBlock& block = flow.blocks[b];
      ASSERT_EQ(block.first, at);
      ASSERT_LT(block.first, block.end);
      at = block.end;
      for (uint32_t i = block.first; i + 1 < block.end; ++i) EXPECT_EQ(next_of(f, i), std::vector<uint32_t>{i + 1});
      std::set<uint32_t> expected, got(block.successors.begin(), block.successors.end());
      for (uint32_t n : next_of(f, block.end - 1))
        expected.insert(n == f.instructions.size() ? flow.exit() : flow.block_of[n]);
      EXPECT_EQ(got, expected);
      EXPECT_EQ(got.size(), block.successors.size());
      for (uint32_t s : got)
        if (s != flow.exit()) {
          const auto& p = flow.blocks[s].predecessors;
          EXPECT_EQ(std::count(p.begin(), p.end(), b), 1);
        }
    }
    EXPECT_EQ(at, f.instructions.size());
  }
}

// The join of a branch is an instruction that every path to the end passes, and no nearer one is: all other such
// instructions lie behind it.
TEST(ControlFlow, ReconvergenceIsTheNearestInstructionOnEveryPathToTheEnd) {
  std::mt19937 random(3);
  int inner = 0;
  for (int round = 0; round < 300; ++round) {
    const Module m = parse_or_fail(random_program(random, 3 + round % 20));
    const Function& f = m.functions[0];
    const ControlFlow flow = control_flow(f);
    const auto end = static_cast<uint32_t>(f.instructions.size());
    const auto is_end = [&](uint32_t i) { return i == end; };
    for (uint32_t i = 0; i < end; ++i) {
      if (next_of(f, i).size() < 2 || !reaches(f, i, is_end, kNoIndex)) continue;
      const uint32_t join = flow.reconvergence(i);
      std::vector<uint32_t> common;
      for (uint32_t j = 0; j < end; ++j)
        if (!reaches(f, i, is_end, j)) common.push_back(j);
      // The branch itself may be on every path (a loop): post-dominance is of blocks other than its own.
      std::erase_if(common, [&](uint32_t j) { return flow.block_of[j] == flow.block_of[i]; });
      if (common.empty()) {
        EXPECT_EQ(join, end);
        continue;
      }
      ++inner;
      ASSERT_NE(std::find(common.begin(), common.end(), join), common.end());
      for (uint32_t j : common)
        EXPECT_FALSE(j != join && reaches(
                                      f, i, [&](uint32_t x) { return x == j; }, join))
            << "nearer: " << j;
    }
  }
  EXPECT_GT(inner, 100);
}

// A register is live into a block when some path from there reads it before an unguarded write.
TEST(Liveness, LiveInIsPathsToAReadBeforeAWrite) {
  std::mt19937 random(4);
  for (int round = 0; round < 200; ++round) {
    const Module m = parse_or_fail(random_program(random, 3 + round % 20));
    const Function& f = m.functions[0];
    const ControlFlow flow = control_flow(f);
    const auto live = liveness(f, flow);
    ASSERT_TRUE(live.ok());
    const auto live_at = [&](uint32_t start, uint32_t r) {
      std::set<uint32_t> seen;
      std::vector<uint32_t> work{start};
      while (!work.empty()) {
        const uint32_t i = work.back();
        work.pop_back();
        if (i == f.instructions.size() || !seen.insert(i).second) continue;
        const RegisterUse use = register_use(f, f.instructions[i]);
        const bool writes = std::count(use.writes.begin(), use.writes.end(), r) > 0;
        if (std::count(use.reads.begin(), use.reads.end(), r) || (writes && f.instructions[i].guarded())) return true;
        if (!writes)
          for (uint32_t n : next_of(f, i)) work.push_back(n);
      }
      return false;
    };
    for (uint32_t r = 0; r < f.register_types.size(); ++r) {
      for (uint32_t b = 0; b < flow.blocks.size(); ++b) {
        const auto& in = live->live_in[b];
        EXPECT_EQ(std::binary_search(in.begin(), in.end(), r), live_at(flow.blocks[b].first, r));
      }
      // Wherever it is live or touched lies inside its span.
      const LiveSpan& span = live->spans[r];
      for (uint32_t i = 0; i < f.instructions.size(); ++i)
        if (live_at(i, r)) {
          EXPECT_LE(span.first, i);
          EXPECT_GE(span.last, i);
        }
    }
  }
}

TEST(RegisterUse, FollowsTheOperandRoles) {
  const Module m = parse_or_fail(module_of_body(R"(
    .reg .pred %p<4>; .reg .b32 %r<8>; .reg .b64 %rd<8>; .reg .f32 %f<4>;
    @%p3 ld.global.v2.u32 {%r1, _}, [%rd1];
    st.global.u32 [%rd2], %r2;
    setp.eq.and.s32 %p0|%p1, %r3, 1, !%p2;
    wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f0, %f1, %f2, %f3}, %rd1, %rd2, %p1, 1, 1, 0, 0;
    cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%rd3, {%r4, %r5}], [%r6];
    ret;)"));
  const Function& f = m.functions[0];
  const auto names = [&](const std::vector<uint32_t>& list) {
    std::set<std::string> out;
    for (uint32_t r : list) out.insert(f.register_name(r));
    return out;
  };
  const auto check = [&](size_t i, std::set<std::string> reads, std::set<std::string> writes) {
    const RegisterUse use = register_use(f, f.instructions[i]);
    EXPECT_EQ(names(use.reads), reads) << i;
    EXPECT_EQ(names(use.writes), writes) << i;
  };
  check(0, {"%p3", "%rd1"}, {"%r1"});
  check(1, {"%rd2", "%r2"}, {});
  check(2, {"%r3", "%p2"}, {"%p0", "%p1"});
  check(3, {"%f0", "%f1", "%f2", "%f3", "%rd1", "%rd2", "%p1"}, {"%f0", "%f1", "%f2", "%f3"});
  check(4, {"%rd3", "%r4", "%r5", "%r6"}, {});
}

// What slot compaction rests on: spans that overlap at one place are far fewer than the declared registers.
TEST(Liveness, SpansOfLargeSamplesOverlapLittle) {
  int large = 0;
  for (const Sample& s : samples()) {
    const Module m = parse_or_fail(s.text);
    for (const Function& f : m.functions) {
      const auto live = liveness(f, control_flow(f));
      ASSERT_TRUE(live.ok());
      if (f.register_types.size() < 200) continue;
      ++large;
      size_t most = 0;
      for (uint32_t i = 0; i < f.instructions.size(); ++i)
        most = std::max<size_t>(most, std::count_if(live->spans.begin(), live->spans.end(), [&](const LiveSpan& span) {
                                  return span.used() && span.first <= i && i <= span.last;
                                }));
      EXPECT_LT(2 * most, f.register_types.size()) << s.name;
    }
  }
  EXPECT_GT(large, 0);
}

TEST(ControlFlow, EmptyAndEndlessFunctions) {
  EXPECT_TRUE(control_flow(parse_or_fail(module_of_body("")).functions[0]).blocks.empty());
  const ControlFlow loop = control_flow(parse_or_fail(module_of_body("L: bra L;")).functions[0]);
  EXPECT_EQ(loop.blocks[0].post_dominator, loop.exit());
}

}  // namespace
}  // namespace tailor::ptx
