// Races in shared memory: what orders two accesses, and a random test against reachability in the graph of what
// synchronises.
#include <algorithm>
#include <random>
#include <set>

#include <gmock/gmock.h>

#include "tests/runtime/virtual_device/harness.h"

namespace tailor::virtual_device {
namespace {

using ::testing::HasSubstr;

class Race : public testing::DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    Options o;
    o.check_uninitialized = false;
    set_options(o);
  }
  // %t thread, %l lane, %w warp, %s address of s, %own address of the thread's word.
  std::string kernel(const std::string& body) {
    return header() +
           ".visible .entry k() {\n.shared .align 16 .b8 s[4096];\n.reg .b32 %t, %l, %w, %s, %own, %r<9>; "
           ".reg .pred %p<9>; .reg .b64 %rd<4>;\nmov.u32 %t, %tid.x; and.b32 %l, %t, 31; shr.u32 %w, %t, 5; "
           "mov.u32 %s, s; shl.b32 %own, %t, 2; add.u32 %own, %own, %s; setp.eq.u32 %p1, %t, 0; "
           "setp.eq.u32 %p2, %w, 0;\n" +
           body + "\nret; }\n";
  }
  // The report's message, or nothing.
  std::string race(const std::string& body, unsigned int block = 64) {
    const auto function = load(kernel(body));
    if (!function) return "does not load";
    const cu::CUresult result = launch(function, {2, block});
    const auto reports = take_reports();
    if (reports.empty()) {
      EXPECT_EQ(result, cu::CUDA_SUCCESS);
      return "";
    }
    EXPECT_EQ(reports[0].kind, ReportKind::kRace) << to_string(reports[0]);
    EXPECT_EQ(result, cu::CUDA_ERROR_LAUNCH_FAILED);
    return to_string(reports[0]);
  }
};

TEST_F(Race, NamesBothThreadsAndTheAccess) {
  const std::string text = race(
      ".file 1 \"x\"\n.loc 1 7 0\nst.shared.u32 [%own], %t; xor.b32 %r1, %t, 33;\n"
      "shl.b32 %r1, %r1, 2; add.u32 %r1, %r1, %s; .loc 1 9 0\nld.shared.u32 %r2, [%r1];");
  EXPECT_THAT(text, HasSubstr("race: kernel k, block (0,0,0), thread (32,0,0)"));
  EXPECT_THAT(text, HasSubstr("loc 1:7"));
  EXPECT_THAT(text, HasSubstr("4-byte shared store at 0x480 races with an earlier load by thread (1,0,0)"));
  EXPECT_THAT(text, HasSubstr("is in shared variable s"));
}

TEST_F(Race, BarriersOrderReadsAndWritesOfAllKinds) {
  const std::string next = "add.u32 %r1, %t, 1; and.b32 %r1, %r1, 63; shl.b32 %r1, %r1, 2; add.u32 %r1, %r1, %s; ";
  const std::string write = "st.shared.u32 [%own], %t; ", read = "ld.shared.u32 %r2, [%r1]; ",
                    overwrite = "st.shared.u32 [%r1], %t; ", barrier = "bar.sync 0; ";
  EXPECT_EQ(race(next + write + barrier + read), "");
  EXPECT_EQ(race(next + write + barrier + overwrite + barrier + write), "");
  EXPECT_EQ(race(next + write + barrier + read + barrier + write), "");
  EXPECT_THAT(race(next + write + read), HasSubstr("earlier store"));
  EXPECT_THAT(race(next + write + overwrite), HasSubstr("store at"));
  EXPECT_THAT(race(next + write + barrier + read + write), HasSubstr("earlier load"));
  EXPECT_EQ(race("ld.shared.u32 %r2, [%s]; ld.shared.v4.u32 {%r3, %r4, %r5, %r6}, [%s];"), "");
  EXPECT_THAT(race("st.shared.u32 [%s], 0;"), HasSubstr("thread (1,0,0)"));  // the same value, from all lanes at once
  EXPECT_THAT(race("ld.shared.u32 %r2, [%s]; @%p1 st.shared.u32 [%s], 0;"), HasSubstr("load by thread (1,0,0)"));
}

TEST_F(Race, BytesOfAWordAreApart) {
  const std::string own = "add.u32 %r1, %s, %t; ";
  EXPECT_EQ(race(own + "st.shared.u8 [%r1], %t; ld.shared.u8 %r2, [%r1]; bar.sync 0; ld.shared.u32 %r2, [%own];"), "");
  EXPECT_THAT(race(own + "st.shared.u8 [%r1], %t; ld.shared.u32 %r2, [%own];"), HasSubstr("earlier store"));
  EXPECT_THAT(race(own + "ld.shared.u32 %r2, [%own]; st.shared.u8 [%r1], %t;"), HasSubstr("earlier load"));
  EXPECT_THAT(race(own + "st.shared.u8 [%r1+1], %t; st.shared.u8 [%r1], %t;"), HasSubstr("1-byte shared store"));
}

TEST_F(Race, WarpsSynchroniseTheirLanes) {
  const std::string exchange =
      "st.shared.u32 [%own], %t; {} xor.b32 %r1, %t, 1; shl.b32 %r1, %r1, 2; "
      "add.u32 %r1, %r1, %s; ld.shared.u32 %r2, [%r1];";
  const auto with = [&](const std::string& between) {
    std::string body = exchange;
    return race(body.replace(body.find("{}"), 2, between));
  };
  EXPECT_EQ(with("bar.warp.sync -1;"), "");
  EXPECT_THAT(with(""), HasSubstr("races"));
  EXPECT_THAT(with("shfl.sync.idx.b32 %r3, %t, 0, 31, -1;"), HasSubstr("races"));  // orders no memory
  // One warp's synchronisation says nothing to another.
  EXPECT_THAT(race("@%p2 st.shared.u32 [%own], %t; bar.warp.sync -1; @!%p2 ld.shared.u32 %r2, [%own+-128];"),
              HasSubstr("races"));
}

TEST_F(Race, NamedBarriersOrderThoseWhoArriveBeforeThoseWhoSync) {
  const std::string produce = "st.shared.u32 [%own], %t; ", consume = "ld.shared.u32 %r2, [%own+-128]; ";
  const auto body = [&](const std::string& producer, const std::string& consumer) {
    return "@!%p2 bra C; " + producer + "bra D;\nC: " + consumer + "\nD:";
  };
  EXPECT_EQ(race(body(produce + "bar.arrive 1, 64;", "bar.sync 1, 64; " + consume)), "");
  EXPECT_THAT(race(body("bar.arrive 1, 64; " + produce, "bar.sync 1, 64; " + consume)), HasSubstr("races"));
  EXPECT_THAT(race(body(produce + "bar.arrive 1, 64; " + produce, "bar.sync 1, 64; " + consume)), HasSubstr("races"));
  EXPECT_EQ(race(body(produce + "bar.arrive 1, 64; bar.sync 2, 64; " + produce,
                      "bar.sync 1, 64; " + consume + "bar.arrive 2, 64;")),
            "");
  EXPECT_THAT(race(body(produce + "bar.arrive 1, 64; bar.sync 2, 64; " + produce,
                        "bar.sync 1, 64; bar.arrive 2, 64; " + consume)),
              HasSubstr("races"));
}

TEST_F(Race, AtomicsAndFlagsAreFollowed) {
  EXPECT_EQ(race("atom.shared.add.u32 %r1, [%s], 1;"), "");
  EXPECT_THAT(race("@%p1 st.shared.u32 [%s], 0; @!%p1 atom.shared.add.u32 %r1, [%s], 1;"), HasSubstr("earlier store"));
  EXPECT_EQ(race("@%p1 st.shared.u32 [%s], 0; bar.sync 0; atom.shared.add.u32 %r1, [%s], 1; bar.sync 0; "
                 "ld.shared.u32 %r1, [%s];"),
            "");
  EXPECT_THAT(race("atom.shared.add.u32 %r1, [%s], 1; ld.shared.u32 %r1, [%s];"), HasSubstr("races"));
  // Thread 0 raises a flag after its data; the second warp waits for the flag.
  const std::string flag =
      "@%p1 st.shared.u32 [%s], 0; bar.sync 0; @!%p2 bra C; @!%p1 bra D; st.shared.u32 [%s+64], 7; "
      "st.volatile.shared.u32 [%s], 1; bra D;\nC: ld.volatile.shared.u32 %r1, [%s]; "
      "setp.eq.u32 %p3, %r1, 0; @%p3 bra C; ld.shared.u32 %r2, [%s+{}];\nD:";
  const auto with = [&](const std::string& offset) {
    std::string body = flag;
    return race(body.replace(body.find("{}"), 2, offset));
  };
  EXPECT_EQ(with("64"), "");
  EXPECT_THAT(race("@%p1 st.volatile.shared.u32 [%s], 1; @!%p1 st.shared.u32 [%own], 1; ld.shared.u32 %r1, [%s];"),
              HasSubstr("races"));
}

TEST_F(Race, EachBlockBeginsAnewAndTheCheckCanBeOff) {
  // 40 blocks follow each other in the same storage.
  const auto f = load(kernel("@%p1 st.shared.u32 [%s], 1; bar.sync 0; ld.shared.u32 %r1, [%s];"));
  run(f, {40, 64});
  const auto racy = load(kernel("st.shared.u32 [%s], 0;"));
  Options o;
  o.check_races = false;
  set_options(o);
  run(racy, {1, 64});
}

// ---- random programs

struct Step {
  enum Kind { kRead, kWrite, kWarpSync, kBarrier } kind = kRead;
  std::vector<uint32_t> arrive, sync;  // warps; accesses: arrive[0] alone
  uint32_t bytes = 4, stride = 0, base = 0, lanes = 32;
  uint32_t barrier = 0;

  std::set<uint32_t> bytes_of(uint32_t lane) const {
    std::set<uint32_t> touched;
    for (uint32_t k = 0; lane < lanes && k < bytes; ++k) touched.insert(base + lane * stride + k);
    return touched;
  }
};

// A node is a step and a warp, as it arrives or as it leaves. Edges lead from arrivals to the leaves of the same step,
// and from leaves to the warp's later arrivals.
bool reaches(const std::vector<Step>& steps, size_t from_step, uint32_t from_warp, size_t to_step, uint32_t to_warp) {
  std::set<std::pair<size_t, uint32_t>> left;  // (step, warp) whose leave has been reached
  std::vector<std::pair<size_t, uint32_t>> arrivals;
  const auto contains = [](const std::vector<uint32_t>& v, uint32_t w) {
    return std::find(v.begin(), v.end(), w) != v.end();
  };
  const auto arrive_after = [&](size_t step, uint32_t warp) {
    for (size_t k = step; k < to_step; ++k)
      if (steps[k].kind >= Step::kWarpSync && (contains(steps[k].arrive, warp) || contains(steps[k].sync, warp)))
        arrivals.emplace_back(k, warp);
  };
  arrive_after(from_step, from_warp);
  while (!arrivals.empty()) {
    const auto [step, warp] = arrivals.back();
    arrivals.pop_back();
    for (uint32_t v : steps[step].sync) {
      if (!left.emplace(step, v).second) continue;
      if (v == to_warp) return true;
      arrive_after(step + 1, v);
    }
  }
  return false;
}

bool has_race(const std::vector<Step>& steps) {
  for (size_t i = 0; i < steps.size(); ++i) {
    for (size_t j = i; j < steps.size(); ++j) {
      const Step &a = steps[i], &b = steps[j];
      if (a.kind > Step::kWrite || b.kind > Step::kWrite || (a.kind == Step::kRead && b.kind == Step::kRead)) continue;
      for (uint32_t x = 0; x < 32; ++x) {
        for (uint32_t y = 0; y < 32; ++y) {
          if (a.arrive[0] == b.arrive[0] && x == y) continue;
          const auto p = a.bytes_of(x), q = b.bytes_of(y);
          const bool meet = std::any_of(p.begin(), p.end(), [&](uint32_t byte) { return q.count(byte) != 0; });
          if (meet && !reaches(steps, i, a.arrive[0], j, b.arrive[0])) return true;
        }
      }
    }
  }
  return false;
}

std::string ptx_of(const std::vector<Step>& steps, uint32_t warp) {
  std::string text;
  for (const Step& s : steps) {
    const bool arrives = std::find(s.arrive.begin(), s.arrive.end(), warp) != s.arrive.end();
    const bool syncs = std::find(s.sync.begin(), s.sync.end(), warp) != s.sync.end();
    const std::string type = "u" + std::to_string(8 * s.bytes);
    const std::string threads = std::to_string(32 * (s.arrive.size() + s.sync.size()));
    if (s.kind == Step::kWarpSync && syncs) text += "bar.warp.sync -1; ";
    if (s.kind == Step::kBarrier && syncs) text += "bar.sync " + std::to_string(s.barrier) + ", " + threads + "; ";
    if (s.kind == Step::kBarrier && arrives) text += "bar.arrive " + std::to_string(s.barrier) + ", " + threads + "; ";
    if (s.kind > Step::kWrite || !arrives) continue;
    text += "setp.lt.u32 %p3, %l, " + std::to_string(s.lanes) + "; mad.lo.u32 %r1, %l, " + std::to_string(s.stride) +
            ", %s; @%p3 " + (s.kind == Step::kRead ? "ld.shared." + type + " %r2, " : "st.shared." + type + " ") +
            "[%r1+" + std::to_string(s.base) + "]" + (s.kind == Step::kRead ? "; " : ", %t; ");
  }
  return text;
}

TEST_F(Race, AgreesWithReachabilityOnRandomPrograms) {
  std::mt19937 random(3);
  const auto below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  uint32_t racy = 0;
  constexpr uint32_t kRounds = 300;
  for (uint32_t round = 0; round < kRounds; ++round) {
    const uint32_t warps = 1 + below(3);
    uint32_t named = 1;
    std::vector<Step> steps;
    for (uint32_t count = 2 + below(7); count > 0; --count) {
      Step s;
      const uint32_t choice = below(10);
      if (choice < 6) {
        s.kind = choice % 2 == 0 ? Step::kRead : Step::kWrite;
        s.arrive = {below(warps)};
        s.bytes = 1u << below(3);
        s.stride = s.kind == Step::kRead && below(3) == 0 ? 0 : s.bytes << below(2);
        s.base = s.bytes * below(8) + 256 * below(2);
        s.lanes = below(2) == 0 ? 32 : 1 + below(3);
      } else if (choice < 7) {
        s.kind = Step::kWarpSync;
        s.sync = {below(warps)};
      } else {
        s.kind = Step::kBarrier;
        s.barrier = named++;
        for (uint32_t w = 0; w < warps; ++w) {
          const uint32_t part = choice == 7 ? 1 : below(3);
          if (part == 0) s.arrive.push_back(w);
          if (part == 1) s.sync.push_back(w);
        }
        if (s.sync.empty()) continue;
      }
      steps.push_back(s);
    }
    std::string body;
    for (uint32_t w = 0; w < warps; ++w) {
      const std::string label = "N" + std::to_string(w);
      body += "setp.ne.u32 %p4, %w, " + std::to_string(w) + "; @%p4 bra " + label + "; " + ptx_of(steps, w) + "\n" +
              label + ":\n";
    }
    const bool expected = has_race(steps);
    racy += expected;
    const std::string text = race(body, 32 * warps);
    EXPECT_EQ(!text.empty(), expected) << text << "\n" << body;
    EXPECT_EQ(race(body, 32 * warps), text);
  }
  EXPECT_GT(racy, kRounds / 5);
  EXPECT_LT(racy, kRounds * 4 / 5);
}

}  // namespace
}  // namespace tailor::virtual_device
