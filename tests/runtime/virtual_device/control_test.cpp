// Divergence, loops, calls, barriers, warp operations and atomics.
#include <algorithm>
#include <numeric>
#include <thread>

#include "tests/runtime/virtual_device/harness.h"

namespace tailor::virtual_device {
namespace {

class Control : public testing::DeviceTest {
 protected:
  // A kernel k(out) whose `body` sets %v from %tid.x in %t and stores it to out[global thread].
  std::string kernel(const std::string& body, const std::string& before = "", const std::string& declarations = "") {
    return header() + before + ".visible .entry k(.param .u64 out) {\n" + declarations +
           ".reg .b32 %v, %t, %l, %n, %c, %r<16>; .reg .b64 %rd<16>; .reg .pred %p<8>; .reg .f32 %f<8>;\n"
           "ld.param.u64 %rd1, [out]; mov.u32 %t, %tid.x; mov.u32 %n, %ntid.x; mov.u32 %c, %ctaid.x;\n"
           "mov.u32 %l, %laneid; mad.lo.u32 %r1, %c, %n, %t; mul.wide.u32 %rd2, %r1, 4; add.s64 %rd2, %rd1, %rd2;\n" +
           body + "\nst.global.u32 [%rd2], %v; ret; }\n";
  }
  std::vector<uint32_t> results(const std::string& ptx, Shape shape = {}) {
    const size_t count = size_t{shape.grid} * shape.block;
    const auto out = upload(std::vector<uint32_t>(count, 0xEEEEEEEE));
    run(load(ptx), shape, out);
    return download<uint32_t>(out, count);
  }
};

TEST_F(Control, NestedDivergenceReconverges) {
  const auto v = results(kernel(R"(
    setp.lt.u32 %p1, %t, 16; @%p1 bra LOW;
    setp.lt.u32 %p2, %t, 24; @%p2 bra MID;
    mov.u32 %v, 3; bra JOIN_HIGH;
  MID: mov.u32 %v, 2;
  JOIN_HIGH: add.u32 %v, %v, 10; bra JOIN;
  LOW: mov.u32 %v, 1;
  JOIN: activemask.b32 %r2; popc.b32 %r2, %r2; mad.lo.u32 %v, %r2, 1000, %v;)"));
  for (uint32_t t = 0; t < 32; ++t) EXPECT_EQ(v[t], 32000u + (t < 16 ? 1 : t < 24 ? 12 : 13)) << t;
  EXPECT_EQ(counters().divergent_branches, 2u);
}

// Lane t runs t + 1 iterations; afterwards all lanes are together again.
TEST_F(Control, LanesLeaveALoopOneByOneAndMeet) {
  const auto v = results(kernel(R"(
    mov.u32 %r2, 0; mov.u32 %v, 0;
  L: add.u32 %v, %v, %r2; add.u32 %r2, %r2, 1; setp.le.u32 %p1, %r2, %t; @%p1 bra L;
    activemask.b32 %r3; setp.ne.u32 %p2, %r3, -1; @%p2 mov.u32 %v, 999999;)"));
  for (uint32_t t = 0; t < 32; ++t) EXPECT_EQ(v[t], t * (t + 1) / 2);
}

// The join lies at a lower address than the divergent path: layout order alone would not reconverge.
TEST_F(Control, JoinBeforeTheColdPathInLayoutStillReconverges) {
  const auto v = results(kernel(R"(
    mov.u32 %v, 1; setp.eq.u32 %p1, %t, 5; @%p1 bra COLD;
  JOIN: activemask.b32 %r2; mov.u32 %r3, %v; add.u32 %v, %r2, %r3; bra END;
  COLD: mov.u32 %v, 2; bra JOIN;
  END: )"));
  for (uint32_t t = 0; t < 32; ++t) EXPECT_EQ(v[t], (t == 5 ? 2u : 1u) - 1) << t;
}

TEST_F(Control, IndexedBranchSelectsTheTarget) {
  const auto v = results(kernel(R"(
    and.b32 %r2, %t, 3;
  TABLE: .branchtargets A, B, C, D;
    brx.idx %r2, TABLE;
  A: mov.u32 %v, 100; bra E;
  B: mov.u32 %v, 200; bra E;
  C: mov.u32 %v, 300; bra E;
  D: mov.u32 %v, 400;
  E: add.u32 %v, %v, %t;)"));
  for (uint32_t t = 0; t < 32; ++t) EXPECT_EQ(v[t], 100 * (t % 4 + 1) + t);
}

constexpr const char* kFunctions = R"(
.func (.param .b32 r) twice(.param .b32 a) {
  .reg .b32 %x; ld.param.b32 %x, [a]; add.u32 %x, %x, %x; st.param.b32 [r], %x; ret; }
.func (.param .b32 r) square(.param .b32 a) {
  .reg .b32 %x; .reg .pred %p; ld.param.b32 %x, [a];
  setp.gt.u32 %p, %x, 20; @%p bra BIG;
  mul.lo.u32 %x, %x, %x; st.param.b32 [r], %x; ret;
BIG: mov.u32 %x, 7; st.param.b32 [r], %x; ret; }
.func (.param .b32 r) factorial(.param .b32 a) {
  .reg .b32 %x, %y; .reg .pred %p; ld.param.b32 %x, [a];
  setp.gt.u32 %p, %x, 1; @%p bra MORE; mov.u32 %x, 1; st.param.b32 [r], %x; ret;
MORE: sub.u32 %y, %x, 1;
  { .param .b32 q; .param .b32 s; st.param.b32 [q], %y; call.uni (s), factorial, (q); ld.param.b32 %y, [s]; }
  mul.lo.u32 %x, %x, %y; st.param.b32 [r], %x; ret; }
.global .align 8 .u64 table[2] = {twice, square};
)";

TEST_F(Control, DirectAndRecursiveCallsReturnValues) {
  const auto v = results(kernel(R"(
    { .param .b32 q; .param .b32 s; st.param.b32 [q], %t; call.uni (s), square, (q); ld.param.b32 %v, [s]; }
    and.b32 %r2, %t, 7;
    { .param .b32 q; .param .b32 s; st.param.b32 [q], %r2; call (s), factorial, (q); ld.param.b32 %r3, [s]; }
    activemask.b32 %r4; setp.ne.u32 %p1, %r4, -1; @%p1 mov.u32 %r3, 0;
    add.u32 %v, %v, %r3;)",
                                kFunctions));
  const uint32_t factorials[] = {1, 1, 2, 6, 24, 120, 720, 5040};
  for (uint32_t t = 0; t < 32; ++t) EXPECT_EQ(v[t], (t > 20 ? 7 : t * t) + factorials[t % 8]) << t;
}

TEST_F(Control, IndirectCallsGoToEachLanesTarget) {
  const auto v = results(kernel(R"(
    and.b32 %r2, %t, 1; mul.wide.u32 %rd3, %r2, 8; mov.u64 %rd4, table; add.s64 %rd4, %rd4, %rd3; ld.global.u64 %rd5, [%rd4];
    { .param .b32 q; .param .b32 s; st.param.b32 [q], %t;
    PROTO: .callprototype (.param .b32 _) _ (.param .b32 _);
      call (s), %rd5, (q), PROTO; ld.param.b32 %v, [s]; })",
                                kFunctions));
  for (uint32_t t = 0; t < 32; ++t) EXPECT_EQ(v[t], t % 2 == 0 ? 2 * t : t > 20 ? 7 : t * t) << t;
}

TEST_F(Control, BarrierOrdersASharedReduction) {
  const auto v = results(kernel(R"(
    shl.b32 %r3, %t, 2; mov.u32 %r4, s; add.u32 %r3, %r4, %r3; st.shared.u32 [%r3], %t;
    shr.u32 %r5, %n, 1;
  L: bar.sync 0; setp.ge.u32 %p1, %t, %r5; @%p1 bra SKIP;
    shl.b32 %r6, %r5, 2; add.u32 %r6, %r3, %r6; ld.shared.u32 %r7, [%r6]; ld.shared.u32 %r8, [%r3];
    add.u32 %r8, %r7, %r8; st.shared.u32 [%r3], %r8;
  SKIP: shr.u32 %r5, %r5, 1; setp.ne.u32 %p2, %r5, 0; @%p2 bra L;
    bar.sync 0; ld.shared.u32 %v, [s];)",
                                "", ".shared .align 4 .b8 s[1024];"),
                         {3, 256});
  for (uint32_t x : v) ASSERT_EQ(x, 255u * 256 / 2);
}

TEST_F(Control, BarrierReductionAndNamedBarriersWork) {
  const auto v = results(kernel(R"(
    setp.lt.u32 %p1, %t, 40; bar.red.popc.u32 %v, 1, %p1;
    bar.red.or.pred %p2, 2, 64, %p1; selp.u32 %r2, 1000, 0, %p2; add.u32 %v, %v, %r2;
    bar.red.and.pred %p3, 2, 64, %p1; selp.u32 %r2, 1, 0, %p3; add.u32 %v, %v, %r2;)"),
                         {1, 64});
  for (uint32_t x : v) ASSERT_EQ(x, 1040u);
}

// Warp 0 produces and arrives without waiting; warp 1 consumes.
TEST_F(Control, ProducerArrivesConsumerWaits) {
  const auto v = results(kernel(R"(
    mov.u32 %v, 0; setp.ge.u32 %p1, %t, 32; @%p1 bra CONSUMER;
    shl.b32 %r3, %t, 2; mov.u32 %r4, s; add.u32 %r3, %r4, %r3; add.u32 %r5, %t, 500; st.shared.u32 [%r3], %r5;
    bar.arrive 3, 64; bra END;
  CONSUMER: bar.sync 3, 64; shl.b32 %r3, %l, 2; mov.u32 %r4, s; add.u32 %r3, %r4, %r3; ld.shared.u32 %v, [%r3];
  END: )",
                                "", ".shared .align 4 .b8 s[128];"),
                         {1, 64});
  for (uint32_t t = 0; t < 64; ++t) EXPECT_EQ(v[t], t < 32 ? 0 : 500 + t - 32);
}

TEST_F(Control, ExitedLanesDoNotHoldABarrier) {
  const auto out = upload(std::vector<uint32_t>(96, 0));
  run(load(header() + R"(.visible .entry k(.param .u64 out) {
    .reg .b32 %t; .reg .b64 %rd<4>; .reg .pred %p<3>;
    ld.param.u64 %rd1, [out]; mov.u32 %t, %tid.x; setp.ge.u32 %p1, %t, 40; @%p1 exit;
    bar.sync 0; mul.wide.u32 %rd2, %t, 4; add.s64 %rd1, %rd1, %rd2; st.global.u32 [%rd1], 1; ret; })"),
      {1, 96}, out);
  const auto v = download<uint32_t>(out, 96);
  EXPECT_EQ(std::accumulate(v.begin(), v.end(), 0u), 40u);
}

TEST_F(Control, ShufflesFollowTheIsaFormula) {
  const auto v = results(kernel(R"(
    shfl.sync.bfly.b32 %r2, %t, 5, 0x1f, 0xffffffff;
    shfl.sync.up.b32 %r3|%p1, %t, 3, 0, 0xffffffff; selp.u32 %r4, 1, 0, %p1;
    shfl.sync.down.b32 %r5, %t, 4, 0x181f, 0xffffffff;
    shfl.sync.idx.b32 %r6, %t, 9, 0x1c03, 0xffffffff;
    mad.lo.u32 %v, %r3, 100, %r2; mad.lo.u32 %v, %r4, 10000, %v; mad.lo.u32 %v, %r5, 100000, %v; mad.lo.u32 %v, %r6, 10000000, %v;)"));
  for (uint32_t t = 0; t < 32; ++t) {
    const uint32_t bfly = t ^ 5, up = t >= 3 ? t - 3 : t, in = t >= 3;
    const uint32_t down = (t % 8) + 4 <= 7 ? t + 4 : t;  // segments of 8
    const uint32_t index = (t & ~3u) | (9 & 3);          // segments of 4
    EXPECT_EQ(v[t], up * 100 + bfly + in * 10000 + down * 100000 + index * 10000000) << t;
  }
}

TEST_F(Control, VotesMatchReduxAndElect) {
  const auto v = results(kernel(R"(
    and.b32 %r2, %t, 3; setp.eq.u32 %p1, %r2, 1;
    vote.sync.ballot.b32 %r3, %p1, -1; popc.b32 %r3, %r3;
    vote.sync.any.pred %p2, %p1, -1; selp.u32 %r4, 10, 0, %p2;
    vote.sync.all.pred %p3, !%p1, -1; selp.u32 %r5, 20, 0, %p3;
    match.any.sync.b32 %r6, %r2, -1; popc.b32 %r6, %r6;
    redux.sync.max.s32 %r7, %t, -1; redux.sync.add.s32 %r8, %t, -1;
    elect.sync %r9|%p4, -1; selp.u32 %r10, 1, 0, %p4;
    add.u32 %v, %r3, %r4; add.u32 %v, %v, %r5; mad.lo.u32 %v, %r6, 100, %v; mad.lo.u32 %v, %r7, 1000, %v;
    mad.lo.u32 %v, %r8, 100000, %v; add.u32 %v, %v, %r10;)"));
  for (uint32_t t = 0; t < 32; ++t) EXPECT_EQ(v[t], 8u + 10 + 0 + 8 * 100 + 31 * 1000 + 496 * 100000 + (t == 0)) << t;
}

// A .sync operation collects its lanes from two sides of a branch.
TEST_F(Control, RendezvousAcrossDivergence) {
  const auto v = results(kernel(R"(
    setp.lt.u32 %p1, %t, 16; @%p1 bra LOW;
    mov.u32 %r2, 1000; shfl.sync.bfly.b32 %v, %t, 16, 31, -1; add.u32 %v, %v, %r2; bra END;
  LOW: shfl.sync.bfly.b32 %v, %t, 16, 31, -1;
  END: bar.warp.sync -1;)"));
  for (uint32_t t = 0; t < 32; ++t) EXPECT_EQ(v[t], (t ^ 16) + (t < 16 ? 0 : 1000));
}

// Independent thread scheduling: each lane takes a lock that another lane of its warp may hold.
TEST_F(Control, SpinLockAmongLanesOfAWarpMakesProgress) {
  const auto out = upload(std::vector<uint32_t>{0, 0});
  run(load(header() + R"(.visible .entry k(.param .u64 out) {
    .reg .b32 %r<4>; .reg .b64 %rd<4>; .reg .pred %p<3>;
    ld.param.u64 %rd1, [out];
  SPIN: atom.global.cas.b32 %r1, [%rd1], 0, 1; setp.ne.u32 %p1, %r1, 0; @%p1 bra SPIN;
    ld.volatile.global.u32 %r2, [%rd1+4]; add.u32 %r2, %r2, 1; st.volatile.global.u32 [%rd1+4], %r2;
    membar.gl; atom.global.exch.b32 %r3, [%rd1], 0; ret; })"),
      {2, 64}, out);
  EXPECT_EQ(download<uint32_t>(out, 2), (std::vector<uint32_t>{0, 128}));
}

// Blocks wait for each other, as a grid barrier of co-resident blocks does.
TEST_F(Control, BlocksMayWaitForLaterBlocks) {
  const auto out = upload(std::vector<uint32_t>{0});
  run(load(header() + R"(.visible .entry k(.param .u64 out) {
    .reg .b32 %r<4>; .reg .b64 %rd<4>; .reg .pred %p<3>;
    ld.param.u64 %rd1, [out]; red.global.add.u32 [%rd1], 1;
  SPIN: nanosleep.u32 100; ld.acquire.gpu.global.u32 %r1, [%rd1]; setp.lt.u32 %p1, %r1, 5; @%p1 bra SPIN; ret; })"),
      {5, 1}, out);
  EXPECT_EQ(download<uint32_t>(out, 1)[0], 5u);
}

TEST_F(Control, AtomicsReturnOldValuesAndAccumulate) {
  // u32 add, s32 min, s32 max, exch-or-cas chain, f32 add, u64 add, inc, and, or, xor.
  std::vector<uint32_t> initial = {0, 100, 0x80000000, 0, 0, 0, 0, 0, 0xFFFFFFFF, 0, 0, 0};
  const auto out = upload(initial);
  run(load(header() + R"(.visible .entry k(.param .u64 out) {
    .reg .b32 %r<9>; .reg .b64 %rd<5>; .reg .f32 %f<3>;
    ld.param.u64 %rd1, [out]; mov.u32 %r1, %tid.x;
    atom.global.add.u32 %r2, [%rd1], %r1; sub.s32 %r3, 10, %r1; atom.global.min.s32 %r4, [%rd1+4], %r3;
    atom.global.max.s32 %r4, [%rd1+8], %r3; mov.f32 %f1, 0f3F000000; atom.global.add.f32 %f2, [%rd1+12], %f1;
    mov.u64 %rd2, 0x100000001; red.global.add.u64 [%rd1+16], %rd2; atom.global.inc.u32 %r5, [%rd1+24], 9;
    mov.u32 %r6, 1; shl.b32 %r6, %r6, %r1; red.global.or.b32 [%rd1+28], %r6; not.b32 %r7, %r6; red.global.and.b32 [%rd1+32], %r7;
    red.global.xor.b32 [%rd1+36], 3; atom.global.cas.b32 %r8, [%rd1+40], %r1, %r6; ret; })"),
      {1, 32}, out);
  const auto v = download<uint32_t>(out, 12);
  EXPECT_EQ(v[0], 496u);
  EXPECT_EQ(static_cast<int32_t>(v[1]), -21);
  EXPECT_EQ(static_cast<int32_t>(v[2]), 10);
  EXPECT_EQ(v[3], 0x41800000u);  // 16.0
  EXPECT_EQ(v[4], 32u);
  EXPECT_EQ(v[5], 32u);
  EXPECT_EQ(v[6], 32u % 10);
  EXPECT_EQ(v[7], 0xFFFFFFFFu);
  EXPECT_EQ(v[8], 0u);
  EXPECT_EQ(v[9], 0u);
  EXPECT_EQ(v[10], 65536u);  // lane t turns t into 1 << t: 0 → 1 → 2 → 4 → 16 → 65536
}

TEST_F(Control, VectorAndSubWordAccessesKeepByteOrder) {
  std::vector<uint8_t> bytes(64 * 16);
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  const auto in = upload(bytes);
  const auto out = upload(std::vector<uint8_t>(bytes.size(), 0));
  run(load(header() + R"(.visible .entry k(.param .u64 in, .param .u64 out) {
    .reg .b32 %r<9>; .reg .b64 %rd<9>; .reg .b16 %h<9>; .reg .b128 %q; .reg .pred %p;
    ld.param.u64 %rd1, [in]; ld.param.u64 %rd2, [out]; mov.u32 %r1, %tid.x; mul.wide.u32 %rd3, %r1, 16;
    add.s64 %rd1, %rd1, %rd3; add.s64 %rd2, %rd2, %rd3; and.b32 %r2, %r1, 3;
  T: .branchtargets A, B, C, D; brx.idx %r2, T;
  A: ld.global.nc.v4.u32 {%r3, %r4, %r5, %r6}, [%rd1]; st.global.v4.u32 [%rd2], {%r3, %r4, %r5, %r6}; ret;
  B: ld.global.b128 %q, [%rd1]; st.global.b128 [%rd2], %q; ret;
  C: ld.global.v2.u64 {%rd4, %rd5}, [%rd1]; st.global.v2.u32 [%rd2], {%rd4, %rd4}; shr.u64 %rd6, %rd4, 32;
     st.global.u32 [%rd2+4], %rd6; st.global.u64 [%rd2+8], %rd5; ret;
  D: ld.global.v4.u16 {%h1, %h2, %h3, %h4}, [%rd1]; st.global.v4.u16 [%rd2], {%h1, %h2, %h3, %h4};
     ld.global.u8 %h5, [%rd1+8]; st.global.u8 [%rd2+8], %h5; ld.global.s8 %r7, [%rd1+9]; st.global.b8 [%rd2+9], %r7;
     ld.global.s16 %rd7, [%rd1+10]; st.global.u16 [%rd2+10], %rd7; ld.global.u32 %r8, [%rd1+12]; st.global.u32 [%rd2+12], %r8; ret; })"),
      {1, 64}, in, out);
  EXPECT_EQ(download<uint8_t>(out, bytes.size()), bytes);
}

TEST_F(Control, GenericWindowsReachEverySpace) {
  const auto v = results(kernel(R"(
    mov.u64 %rd3, s; cvta.shared.u64 %rd4, %rd3; mul.wide.u32 %rd5, %t, 4; add.s64 %rd4, %rd4, %rd5;
    mov.u64 %rd6, loc; cvta.local.u64 %rd7, %rd6; add.u32 %r2, %t, 7; st.u32 [%rd7+4], %r2;
    add.u32 %r3, %t, 9; st.u32 [%rd4], %r3; bar.warp.sync -1; ld.shared.u32 %r4, [s+8];
    and.b32 %r5, %t, 1; setp.eq.u32 %p1, %r5, 0; selp.b64 %rd8, %rd4, %rd7, %p1; @!%p1 add.s64 %rd8, %rd8, 4;
    ld.u32 %v, [%rd8]; isspacep.shared %p2, %rd8; selp.u32 %r6, 1000, 0, %p2; add.u32 %v, %v, %r6;
    cvta.to.local.u64 %rd9, %rd7; ld.local.u32 %r7, [loc+4]; ld.local.u32 %r8, [%rd9+4]; sub.u32 %r9, %r7, %r8; add.u32 %v, %v, %r9;)",
                                "", ".shared .align 4 .b8 s[128]; .local .align 8 .b8 loc[16];"));
  for (uint32_t t = 0; t < 32; ++t) EXPECT_EQ(v[t], t % 2 == 0 ? t + 9 + 1000 : t + 7) << t;
}

// Lane t uses its own word t: addresses lie in a row, memory does not.
TEST_F(Control, LocalMemoryBelongsToTheLane) {
  const auto v = results(kernel(R"(
    mov.u64 %rd3, loc; mul.wide.u32 %rd4, %t, 4; add.s64 %rd3, %rd3, %rd4; cvta.local.u64 %rd5, %rd3;
    st.local.u32 [%rd3], %t; ld.u32 %v, [%rd5]; add.u32 %r2, %v, 1; st.u32 [%rd5], %r2; ld.local.u32 %r3, [%rd3]; add.u32 %v, %v, %r3;)",
                                "", ".local .align 8 .b8 loc[128];"));
  for (uint32_t t = 0; t < 32; ++t) EXPECT_EQ(v[t], 2 * t + 1) << t;
}

TEST_F(Control, ModuleVariablesHoldTheirInitialisersAndConstantsAreReadable) {
  const auto v =
      results(kernel(R"(
    and.b32 %r2, %t, 3; mul.wide.u32 %rd3, %r2, 4; mov.u64 %rd4, values; add.s64 %rd5, %rd4, %rd3; ld.global.u32 %v, [%rd5];
    ld.const.u32 %r3, [weights+4]; mad.lo.u32 %v, %r3, 1000, %v; ld.global.u64 %rd6, [pointer]; ld.u32 %r4, [%rd6]; add.u32 %v, %v, %r4;)",
                     ".global .align 4 .u32 values[4] = {5, 6, 7, 8};\n.const .align 4 .u32 weights[2] = {1, 2};\n"
                     ".global .align 8 .u64 pointer = generic(values)+8;\n"));
  for (uint32_t t = 0; t < 32; ++t) EXPECT_EQ(v[t], 5 + t % 4 + 2000 + 7);
}

TEST_F(Control, AsyncCopiesArriveAndZeroFill) {
  std::vector<uint32_t> values(128);
  std::iota(values.begin(), values.end(), 1u);
  const auto in = upload(values), out = upload(std::vector<uint32_t>(128, 0));
  run(load(header() + R"(.visible .entry k(.param .u64 in, .param .u64 out) {
    .reg .b32 %r<9>; .reg .b64 %rd<5>; .reg .pred %p; .shared .align 16 .b8 s[512];
    ld.param.u64 %rd1, [in]; ld.param.u64 %rd2, [out]; mov.u32 %r1, %tid.x; mul.wide.u32 %rd3, %r1, 16;
    add.s64 %rd1, %rd1, %rd3; add.s64 %rd2, %rd2, %rd3; shl.b32 %r2, %r1, 4; mov.u32 %r3, s; add.u32 %r2, %r2, %r3;
    setp.lt.u32 %p, %r1, 20; selp.u32 %r4, 16, 8, %p;
    cp.async.cg.shared.global [%r2], [%rd1], 16, %r4; cp.async.commit_group; cp.async.wait_group 0; bar.sync 0;
    ld.shared.v4.u32 {%r5, %r6, %r7, %r8}, [%r2]; st.global.v4.u32 [%rd2], {%r5, %r6, %r7, %r8}; ret; })"),
      {1, 32}, in, out);
  const auto v = download<uint32_t>(out, 128);
  for (uint32_t k = 0; k < 128; ++k) EXPECT_EQ(v[k], k / 4 < 20 || k % 4 < 2 ? k + 1 : 0) << k;
}

TEST_F(Control, PrintfFormatsEachLane) {
  run(load(header() + R"(
.extern .func (.param .b32 r) vprintf(.param .b64 a, .param .b64 b);
.global .align 1 .b8 text[14] = {116, 61, 37, 100, 32, 120, 61, 37, 46, 50, 102, 10, 0, 0};
.visible .entry k(.param .u64 out) {
  .local .align 8 .b8 buffer[16]; .reg .b64 %rd<4>; .reg .b32 %r<3>; .reg .f64 %d;
  mov.u32 %r1, %tid.x; st.local.u32 [buffer], %r1; mov.f64 %d, 0d3FF8000000000000; st.local.f64 [buffer+8], %d;
  mov.u64 %rd1, buffer; cvta.local.u64 %rd1, %rd1; mov.u64 %rd2, text; cvta.global.u64 %rd2, %rd2;
  { .param .b64 p0; .param .b64 p1; .param .b32 q; st.param.b64 [p0], %rd2; st.param.b64 [p1], %rd1;
    call.uni (q), vprintf, (p0, p1); ld.param.b32 %r2, [q]; } ret; })"),
      {1, 2}, uint64_t{0});
  EXPECT_EQ(take_output(), "t=0 x=1.50\nt=1 x=1.50\n");
}

TEST_F(Control, ManyHostThreadsMayLaunch) {
  const auto out = upload(std::vector<uint32_t>{0});
  const auto function = load(header() + R"(.visible .entry k(.param .u64 out) {
    .reg .b64 %rd1; ld.param.u64 %rd1, [out]; red.global.add.u32 [%rd1], 1; ret; })");
  cu::CUcontext context = nullptr;
  driver.cuCtxGetCurrent(&context);
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([&] {
      driver.cuCtxSetCurrent(context);
      for (int k = 0; k < 50; ++k) ASSERT_EQ(launch(function, {2, 32}, out), cu::CUDA_SUCCESS);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(download<uint32_t>(out, 1)[0], 4u * 50 * 64);
}

}  // namespace
}  // namespace tailor::virtual_device
