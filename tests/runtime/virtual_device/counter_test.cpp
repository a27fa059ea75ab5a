// Counters on kernels small enough to count by hand.
#include "tests/runtime/virtual_device/harness.h"

namespace tailor::virtual_device {
namespace {

class Count : public testing::DeviceTest {
 protected:
  // k(p): %rd1 = p, %t = lane: 1 param load, 1 move.
  Counters measure(const std::string& body, const std::string& declarations = "", Shape shape = {}) {
    const auto p = upload(std::vector<uint32_t>(4096, 1));
    const auto f =
        load(header() + ".visible .entry k(.param .u64 p) {\n" + declarations +
             ".reg .b32 %t, %r<9>; .reg .b64 %rd<9>; .reg .pred %p<4>;\nld.param.u64 %rd1, [p]; mov.u32 %t, %tid.x;\n" +
             body + " ret; }\n");
    reset_counters();
    run(f, shape, p);
    const Counters c = counters();
    EXPECT_EQ(32 * c.total_warp_instructions(),
              c.total_thread_instructions() + c.predicated_off_lanes + c.inactive_lanes);
    const auto last = last_launch();
    EXPECT_TRUE(last && last->kernel == "k" && last->counters == c);
    return c;
  }
  GlobalTraffic load_traffic(const std::string& address, const std::string& load = "ld.global.u32 %r8, [%rd3];") {
    return measure(address + " add.s64 %rd3, %rd1, %rd2; " + load).global_load;
  }
};

TEST_F(Count, ClassesOfAStraightKernel) {
  const Counters c = measure(
      "add.u32 %r1, %t, 1; mul.lo.u32 %r2, %r1, %r1; cvt.rn.f32.u32 %r3, %r2; add.f32 %r4, %r3, %r3; "
      "mul.wide.u32 %rd2, %t, 4; add.s64 %rd3, %rd1, %rd2; st.global.u32 [%rd3], %r4;");
  EXPECT_EQ(issued(c, Class::kParam), 1u);
  EXPECT_EQ(issued(c, Class::kMove), 1u);
  EXPECT_EQ(issued(c, Class::kInteger), 4u);
  EXPECT_EQ(issued(c, Class::kConvert), 1u);
  EXPECT_EQ(issued(c, Class::kFloat), 1u);
  EXPECT_EQ(issued(c, Class::kGlobalStore), 1u);
  EXPECT_EQ(issued(c, Class::kBranch), 1u);
  EXPECT_EQ(c.total_warp_instructions(), 10u);
  EXPECT_EQ(c.total_thread_instructions(), 320u);
  EXPECT_EQ(c.warps, 1u);
}

TEST_F(Count, GuardsAndPartialWarps) {
  // 40 threads: two warps, the second with 8 lanes.
  const Counters c = measure("setp.lt.u32 %p1, %t, 4; @%p1 add.u32 %r1, %t, 1;", "", {1, 40});
  EXPECT_EQ(c.total_warp_instructions(), 2u * 5);
  EXPECT_EQ(lanes(c, Class::kInteger), 4u);
  EXPECT_EQ(issued(c, Class::kInteger), 2u);
  EXPECT_EQ(c.predicated_off_lanes, 28u + 8);
  EXPECT_EQ(c.inactive_lanes, 5u * 24);
}

TEST_F(Count, DivergenceIssuesBothSides) {
  const Counters c = measure(
      "setp.lt.u32 %p1, %t, 4; @%p1 bra A; add.u32 %r1, %t, 1; bra B;\nA: sub.u32 %r1, %t, 1; sub.u32 %r1, %t, 2;\nB: "
      "not.b32 %r1, %r1;");
  EXPECT_EQ(c.divergent_branches, 1u);
  EXPECT_EQ(issued(c, Class::kInteger), 4u);
  EXPECT_EQ(lanes(c, Class::kInteger), 28u + 4 + 4 + 32);
  EXPECT_EQ(issued(c, Class::kBranch), 3u);
  EXPECT_EQ(c.inactive_lanes, 4u + 4 + 28 + 28);  // add and bra without 4 lanes, two subs without 28
}

TEST_F(Count, SectorsAndLinesOfGlobalAccesses) {
  EXPECT_EQ(load_traffic("mul.wide.u32 %rd2, %t, 4;"), (GlobalTraffic{1, 4, 1, 128}));
  EXPECT_EQ(load_traffic("mul.wide.u32 %rd2, %t, 4; add.s64 %rd2, %rd2, 4;"), (GlobalTraffic{1, 5, 2, 128}));
  EXPECT_EQ(load_traffic("mul.wide.u32 %rd2, %t, 32;"), (GlobalTraffic{1, 32, 8, 128}));
  EXPECT_EQ(load_traffic("mul.wide.u32 %rd2, %t, 0;"), (GlobalTraffic{1, 1, 1, 128}));
  EXPECT_EQ(load_traffic("mul.wide.u32 %rd2, %t, 128;"), (GlobalTraffic{1, 32, 32, 128}));
  // Descending: order does not matter.
  EXPECT_EQ(load_traffic("sub.u32 %r1, 31, %t; mul.wide.u32 %rd2, %r1, 4;"), (GlobalTraffic{1, 4, 1, 128}));
  EXPECT_EQ(load_traffic("mul.wide.u32 %rd2, %t, 16;", "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd3];"),
            (GlobalTraffic{1, 16, 4, 512}));
  EXPECT_EQ(load_traffic("mul.wide.u32 %rd2, %t, 1;", "ld.global.u8 %r1, [%rd3];"), (GlobalTraffic{1, 1, 1, 32}));
  // Two far halves and a repeat inside each.
  EXPECT_EQ(load_traffic("and.b32 %r1, %t, 1; mul.wide.u32 %rd2, %r1, 4096;"), (GlobalTraffic{1, 2, 2, 128}));
  EXPECT_EQ(load_traffic("setp.lt.u32 %p1, %t, 3; mul.wide.u32 %rd2, %t, 64;", "@%p1 ld.global.u64 %rd4, [%rd3];"),
            (GlobalTraffic{1, 3, 2, 24}));
}

TEST_F(Count, SharedWavefrontsFollowTheBankModel) {
  Options o;
  o.check_races = false;  // all lanes store to one word below
  set_options(o);
  const auto traffic = [&](const std::string& address, const std::string& access) {
    return measure(address + " mov.u32 %r2, s; add.u32 %r1, %r1, %r2; " + access, ".shared .align 128 .b8 s[8192];")
        .shared_store;
  };
  EXPECT_EQ(traffic("shl.b32 %r1, %t, 2;", "st.shared.u32 [%r1], %t;"), (SharedTraffic{1, 1, 128}));
  EXPECT_EQ(traffic("shl.b32 %r1, %t, 3;", "st.shared.u32 [%r1], %t;"), (SharedTraffic{1, 2, 128, 1}));
  EXPECT_EQ(traffic("shl.b32 %r1, %t, 7;", "st.shared.u32 [%r1], %t;"), (SharedTraffic{1, 32, 128, 31}));
  EXPECT_EQ(traffic("mov.u32 %r1, 0;", "st.shared.u32 [%r1], %t;"), (SharedTraffic{1, 1, 128}));
  EXPECT_EQ(traffic("mul.lo.u32 %r1, %t, 132;", "st.shared.u32 [%r1], %t;"), (SharedTraffic{1, 1, 128}));
  EXPECT_EQ(traffic("shl.b32 %r1, %t, 3;", "st.shared.v2.u32 [%r1], {%t, %t};"), (SharedTraffic{1, 2, 256}));
  EXPECT_EQ(traffic("shl.b32 %r1, %t, 4;", "st.shared.v4.u32 [%r1], {%t, %t, %t, %t};"), (SharedTraffic{1, 4, 512}));
  EXPECT_EQ(traffic("shl.b32 %r1, %t, 7;", "st.shared.v4.u32 [%r1], {%t, %t, %t, %t};"),
            (SharedTraffic{1, 32, 512, 28}));
}

TEST_F(Count, GenericAccessesCountUnderTheirSpace) {
  Options o;
  o.check_races = false;
  set_options(o);
  const Counters c =
      measure("mov.u64 %rd2, s; cvta.shared.u64 %rd2, %rd2; st.u32 [%rd2], %t; ld.u32 %r1, [%rd2]; ld.u32 %r2, [%rd1];",
              ".shared .align 4 .b8 s[4];");
  EXPECT_EQ(issued(c, Class::kSharedStore), 1u);
  EXPECT_EQ(issued(c, Class::kSharedLoad), 1u);
  EXPECT_EQ(issued(c, Class::kGlobalLoad), 1u);
  EXPECT_EQ(c.shared_load.requests, 1u);
  EXPECT_EQ(c.global_load.requests, 1u);
}

TEST_F(Count, RunsRepeatExactly) {
  const std::string body =
      "mul.wide.u32 %rd2, %t, 4; add.s64 %rd3, %rd1, %rd2; mov.u32 %r1, 0;\nL: atom.global.add.u32 %r2, [%rd3], %r1; "
      "add.u32 %r1, %r1, 1; setp.lt.u32 %p1, %r1, %t; @%p1 bra L;";
  EXPECT_EQ(measure(body, "", {4, 96}), measure(body, "", {4, 96}));
}

TEST_F(Count, ExecuteOffRunsNothing) {
  const auto f = load(header() + ".visible .entry k(.param .u64 p) { trap; }");
  Options o;
  o.execute = false;
  set_options(o);
  EXPECT_EQ(launch(f, {}, uint64_t{0}), cu::CUDA_SUCCESS);
  EXPECT_EQ(counters(), Counters{});
}

}  // namespace
}  // namespace tailor::virtual_device
