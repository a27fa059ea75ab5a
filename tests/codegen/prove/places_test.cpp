// Rows that are decoded, taken by tiles or in runs, or written down columns: small programs in text form that are
// proved, and faults in them that break the claim they are about.
#include <limits>

#include <gtest/gtest.h>

#include "codegen/kernel/text.h"
#include "codegen/prove/decide.h"
#include "codegen/prove/prove.h"

namespace tailor::codegen::prove::testing {
namespace {

struct Case {
  std::vector<tile::View> views;
  std::vector<SymbolSpec> symbols;
  std::vector<SymbolProduct> products;
  FactSet facts;
  LaunchPlan plan;
  kernel::Program program;

  Subject subject() const { return {program, plan, views, "", facts, symbols, false, products}; }
};

enum Symbol : uint16_t { kIn, kOut, kCu, kRows, kE0, kE1, kS0, kS1, kInStride, kSymbols };
constexpr uint16_t kExtents[] = {kE0, kE1};

PlanTerm symbol(int64_t n) { return {PlanOp::kSymbol, n}; }
PlanTerm constant(int64_t n) { return {PlanOp::kConstant, n}; }

// Blocks of 32 threads, at most sm_count of them, with chunks of at least 8 rows, whole eights of them.
Case make_case(std::vector<tile::View> views, std::string_view body) {
  Case c;
  for (const char* name : {"in", "out", "cu", "rows", "e0", "e1", "s0", "s1", "in_stride"}) {
    c.symbols.push_back({name, Binding::kLaunch, Side::kNeither, ""});
  }
  constexpr int64_t kMax = (int64_t{1} << 31) - 1;
  for (uint16_t s = 0; s < kSymbols; ++s) {
    c.facts.push_back(Fact::range(s, 0, s <= kCu ? std::numeric_limits<int64_t>::max() : kMax));
    if (s <= kCu || s >= kS0) c.facts.push_back(Fact::divisible(s, 16));
  }
  c.products = {{kRows, kExtents}};
  c.views = std::move(views);
  c.plan.grid[0] = {symbol(kRows), constant(8), {PlanOp::kCeilDiv, 0}, {PlanOp::kSmCount, 0}, {PlanOp::kMin, 0}};
  c.plan.grid[1] = c.plan.grid[2] = {constant(1)};
  c.plan.block = {32, 1, 1};
  uint16_t offset = 0;
  for (int64_t s : {kIn, kOut, kCu}) c.plan.parameters.push_back({offset, 8, {symbol(s)}}), offset += 8;
  const PlanExpression chunk = {symbol(kRows),         {PlanOp::kSmCount, 0}, {PlanOp::kCeilDiv, 0},
                                constant(8),           {PlanOp::kMax, 0},     constant(8),
                                {PlanOp::kCeilDiv, 0}, constant(8),           {PlanOp::kMul, 0}};
  for (const PlanExpression& value : {PlanExpression{symbol(kRows)},
                                      {symbol(kE0)},
                                      {symbol(kE1)},
                                      {symbol(kS0)},
                                      {symbol(kS1)},
                                      {symbol(kInStride)},
                                      chunk,
                                      {symbol(kE1), {PlanOp::kMagicMultiplier, 0}},
                                      {symbol(kE1), {PlanOp::kMagicShift, 0}},
                                      {symbol(kE0), {PlanOp::kMagicShift, 0}}}) {
    c.plan.parameters.push_back({offset, 4, value}), offset += 4;
  }
  std::string more_accesses;  // offsets, then further stores
  for (int id = 3; id <= 7; ++id) {
    if (body.find("access " + std::to_string(id)) == body.npos) continue;
    more_accesses += "  access " + std::to_string(id) + (id <= 4 ? " \"cu\" \"z\"\n" : " \"out\" \"y\"\n");
  }
  Expected<kernel::Program> parsed = kernel::parse(
      "kernel @small(%in: ptr readonly, %out: ptr, %cu: ptr readonly, %rows: i32, %e0: i32, %e1: i32, "
      "%s0: i32, %s1: i32, %in_stride: i32, %chunk: i32, %multiplier: i32, %shift: i32, %other_shift: i32) "
      "block 32 {\n  access 1 \"in\" \"x\"\n  access 2 \"out\" \"y\"\n" +
      more_accesses +
      "  %tid = special tid.x\n  %cta = special ctaid.x\n  %zero = const i32 0\n  %one = const i32 1\n"
      "  %two = const i32 2\n  %three = const i32 3\n  %four = const i32 4\n  %seven = const i32 7\n"
      "  %eight = const i32 8\n  %begin = mul %cta, %chunk\n  %next = add %begin, %chunk\n"
      "  %end = min.u %next, %rows\n" +
      std::string(body) + "}\n");
  EXPECT_TRUE(parsed.ok()) << parsed.status().to_string();
  if (!parsed.ok()) return c;
  c.program = std::move(*parsed);
  const Status verified = kernel::verify(c.program);
  EXPECT_TRUE(verified.ok()) << verified.to_string();
  return c;
}

std::string with(std::string_view text, std::string_view from, std::string_view to) {
  std::string result(text);
  const size_t at = result.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return result.replace(at, from.size(), to);
}

Verdict of(const Proof& proof, Claim claim) {
  Verdict worst = Verdict::kProved;
  for (const Obligation& o : proof.obligations) {
    if (o.claim == claim && o.verdict != Verdict::kProved) worst = o.verdict;
  }
  return worst;
}

void expect_proved(const Case& c) {
  const Proof proof = prove(c.subject(), {true, true}).value();
  for (const Obligation& o : proof.obligations) EXPECT_EQ(o.verdict, Verdict::kProved) << describe(o);
}

struct Fault {
  const char* name;
  const char *from, *to;
  Claim claim;
};

void expect_faults(const std::vector<tile::View>& views, std::string_view body, std::initializer_list<Fault> faults) {
  for (const Fault& fault : faults) {
    const Case c = make_case(views, with(body, fault.from, fault.to));
    EXPECT_NE(of(prove(c.subject()).value(), fault.claim), Verdict::kProved) << fault.name;
  }
}

tile::View view(const char* name, tile::Role role, std::vector<tile::Dimension> dims) {
  return {name, role, 4, 16, std::move(dims)};
}
const tile::Dimension kLine{tile::Extent::constant(16), tile::Stride::constant(4)};
const tile::View kSource =
    view("in", tile::Role::kRead, {{tile::Extent::of("rows"), tile::Stride::of("in_stride", 16)}, kLine});

// ---- rows [0, e0*e1), decoded by the host's reciprocal of e1; no index is checked

const std::vector<tile::View> kDecodedViews = {kSource, view("out", tile::Role::kWrite,
                                                             {{tile::Extent::of("e0"), tile::Stride::of("s0", 16)},
                                                              {tile::Extent::of("e1"), tile::Stride::of("s1", 16)},
                                                              kLine})};
constexpr std::string_view kDecoded = R"(
  %group = shr.u %tid, %two
  %lane = and %tid, %three
  %column = shl %lane, %four
  %first = add %begin, %group
  %done = while %at = %first {
    %more = cmp.ult %at, %end
    condition %more, %at
  } do %row {
    %twice = shl %row, %one
    %high = mulhi.u %twice, %multiplier
    %q = shr.u %high, %shift
    %back = mul %q, %e1
    %r = sub %row, %back
    %from = mul %row, %in_stride
    %a = ptradd %in, %from
    %a1 = ptradd %a, %column
    %v = load b128 %a1 align 16 access 1 readonly
    %outer = mul %q, %s0
    %inner = mul %r, %s1
    %to = add %outer, %inner
    %b = ptradd %out, %to
    %b1 = ptradd %b, %column
    store b128 %b1, %v align 16 access 2
    %following = add %row, %eight
    yield %following
  }
)";

TEST(Decoded, TheReciprocalGivesQuotientAndRemainder) { expect_proved(make_case(kDecodedViews, kDecoded)); }

TEST(Decoded, WithoutTheProductOfExtentsTheQuotientMayBeTooLarge) {
  Case c = make_case(kDecodedViews, kDecoded);
  c.products.clear();
  EXPECT_NE(of(prove(c.subject()).value(), Claim::kBounds), Verdict::kProved);
}

TEST(Decoded, FaultsBreakTheirClaims) {
  expect_faults(kDecodedViews, kDecoded,
                {{"the shift of another divisor", "shr.u %high, %shift", "shr.u %high, %other_shift", Claim::kBounds},
                 {"n where 2n belongs", "shl %row, %one", "shl %row, %zero", Claim::kBounds},
                 {"another dividend", "shl %row, %one", "shl %tid, %one", Claim::kBounds},
                 {"the other extent", "mul %q, %e1", "mul %q, %e0", Claim::kBounds},
                 {"strides exchanged", "mul %q, %s0", "mul %q, %s1", Claim::kBounds},
                 {"the quotient twice", "mul %r, %s1", "mul %q, %s1", Claim::kBounds},
                 {"a step over rows", "add %row, %eight", "add %row, %chunk", Claim::kRows}});
}

// A check that always holds changes nothing; one that may fail leaves rows out.
TEST(Decoded, ChecksOfHostValuesMustHold) {
  const auto checked = [](const char* condition) {
    return with(with(kDecoded, "    %from = mul",
                     std::string("    %in_time = ") + condition + "\n    if %in_time {\n    %from = mul"),
                "access 2\n", "access 2\n    }\n");
  };
  expect_proved(make_case(kDecodedViews, checked("cmp.ult %r, %e1")));
  expect_proved(make_case(kDecodedViews, checked("cmp.slt %q, %e0")));
  const Case some = make_case(kDecodedViews, checked("cmp.ult %r, %seven"));
  EXPECT_EQ(of(prove(some.subject()).value(), Claim::kBounds), Verdict::kProved);
  EXPECT_NE(of(prove(some.subject()).value(), Claim::kCoverage), Verdict::kProved);
}

// ---- tiles of eight rows; columns of a segment

const tile::View kOffsets{"cu", tile::Role::kRead, 4, 16, {{tile::Extent::constant(2), tile::Stride::constant(4)}}};
const std::vector<tile::View> kTiledViews = {
    kSource, kOffsets,
    view("out", tile::Role::kWrite, {{tile::Extent::of("rows"), tile::Stride::constant(64)}, kLine})};
constexpr std::string_view kTiled = R"(
  %within = and %tid, %seven
  %lane = shr.u %tid, %three
  %some = cmp.ult %begin, %end
  if %some {
    %done = while %at = %begin {
      %more = cmp.ult %at, %end
      condition %more, %at
    } do %first {
      %row = add %first, %within
      %own = cmp.ult %row, %end
      if %own {
        %column = shl %lane, %four
        %from = mul %row, %in_stride
        %a = ptradd %in, %from
        %a1 = ptradd %a, %column
        %v = load b128 %a1 align 16 access 1 readonly
        %six = const i32 6
        %to = shl %row, %six
        %b = ptradd %out, %to
        %b1 = ptradd %b, %column
        store b128 %b1, %v align 16 access 2
      }
      %following = add %first, %eight
      yield %following
    }
  }
)";

TEST(Tiles, EveryThreadTakesItsOwnRow) { expect_proved(make_case(kTiledViews, kTiled)); }

TEST(Tiles, FaultsBreakTheirClaims) {
  expect_faults(kTiledViews, kTiled,
                {{"tiles that overlap", "add %first, %eight", "add %first, %four", Claim::kRows},
                 {"a gap between tiles", "%within = and %tid, %seven", "%within = and %tid, %three", Claim::kRows},
                 {"the first row is checked", "cmp.ult %row, %end", "cmp.ult %first, %end", Claim::kBounds},
                 {"one row too many", "cmp.ult %row, %end", "cmp.ule %row, %end", Claim::kBounds},
                 {"the same lane", "shr.u %tid, %three", "and %tid, %three", Claim::kCoverage},
                 {"another place", "shl %row, %six", "shl %first, %six", Claim::kCoverage}});
}

// out[begin*16 + d*(end - begin) + (row - begin)], 16 columns of four bytes, four lanes.
constexpr std::string_view kColumns = R"(
  %within = and %tid, %seven
  %lane = shr.u %tid, %three
  %some = cmp.ult %begin, %end
  if %some {
    %cu1 = ptradd %cu, %four
    %first_of = load i32 %cu align 4 access 3 readonly
    %end_of = load i32 %cu1 align 4 access 4 readonly
    %done = while %at = %begin {
      %more = cmp.ult %at, %end
      condition %more, %at
    } do %first {
      %row = add %first, %within
      %own = cmp.ult %row, %end
      if %own {
        %c1 = cmp.sge %first_of, %zero
        %c2 = cmp.sle %first_of, %row
        %c3 = cmp.slt %row, %end_of
        %c4 = cmp.sle %end_of, %rows
        %c12 = and %c1, %c2
        %c34 = and %c3, %c4
        %inside = and %c12, %c34
        if %inside {
          %from = mul %row, %in_stride
          %a = ptradd %in, %from
          %v = load b32 %a align 4 access 1 readonly
          %length = sub %end_of, %first_of
          %six = const i32 6
          %start = shl %first_of, %six
          %after = sub %row, %first_of
          %bytes = shl %after, %two
          %place = add %start, %bytes
          %lane4 = shl %lane, %two
          %across = mul %lane4, %length
          %to = add %place, %across
          %b = ptradd %out, %to
          store b32 %b, %v align 4 access 2
          %step = shl %length, %four
          %to1 = add %to, %step
          %b1 = ptradd %out, %to1
          store b32 %b1, %v align 4 access 5
          %to2 = add %to1, %step
          %b2 = ptradd %out, %to2
          store b32 %b2, %v align 4 access 6
          %to3 = add %to2, %step
          %b3 = ptradd %out, %to3
          store b32 %b3, %v align 4 access 7
        }
      }
      %following = add %first, %eight
      yield %following
    }
  }
)";

TEST(Columns, OfASegmentAreProved) { expect_proved(make_case(kTiledViews, kColumns)); }

TEST(Columns, FaultsBreakTheirClaims) {
  expect_faults(
      kTiledViews, kColumns,
      {{"a segment beyond the rows", "and %c3, %c4", "and %c3, %c3", Claim::kBounds},
       {"a segment below zero", "and %c1, %c2", "and %c2, %c2", Claim::kBounds},
       {"a row before its segment", "and %c1, %c2", "and %c1, %c1", Claim::kBounds},
       {"a row after its segment", "and %c3, %c4", "and %c4, %c4", Claim::kBounds},
       {"every second column", "shl %lane, %two", "shl %lane, %three", Claim::kCoverage},
       {"columns twice", "shl %length, %four", "shl %length, %three", Claim::kCoverage},
       {"an end of which nothing is promised", "sub %end_of, %first_of", "sub %rows, %first_of", Claim::kCoverage}});
}

// ---- runs of rows through a page of sixteen slots, two rows of eight groups at once

const tile::Dimension kSlots{tile::Extent::constant(16), tile::Stride::of("s1", 16)};
const std::vector<tile::View> kRunViews = {
    view("in", tile::Role::kRead, {{tile::Extent::of("e0"), tile::Stride::of("s0", 16)}, kSlots, kLine}), kOffsets,
    view("out", tile::Role::kWrite, {{tile::Extent::of("rows"), tile::Stride::of("in_stride", 16)}, kLine})};
constexpr std::string_view kRuns = R"(
  %group = shr.u %tid, %two
  %lane = and %tid, %three
  %column = shl %lane, %four
  %some = cmp.ult %begin, %end
  if %some {
    %done = while %at = %begin {
      %more = cmp.ult %at, %end
      condition %more, %at
    } do %row {
      %fifteen = const i32 15
      %sixteen = const i32 16
      %left = sub %end, %row
      %slot = and %row, %fifteen
      %room = sub %sixteen, %slot
      %run = min.u %left, %room
      %page = load i32 %cu align 4 access 3 readonly
      %skipped = load i32 %cu align 4 access 4 readonly
      %in_pool = cmp.ult %page, %e0
      %wanted = cmp.ne %skipped, %page
      %known = and %in_pool, %wanted
      %taken = if %known {
        %page_at = mul %page, %s0
        %slot_at = mul %slot, %s1
        %from = add %page_at, %slot_at
        %to = mul %row, %in_stride
        %a0 = ptradd %in, %column
        %a = ptradd %a0, %from
        %b0 = ptradd %out, %column
        %b = ptradd %b0, %to
        %limit = sub %run, %eight
        %reached = while %x = %group {
          %two_more = cmp.slt %x, %limit
          condition %two_more, %x
        } do %r {
          %a_on = mul %r, %s1
          %a1 = ptradd %a, %a_on
          %v = load b128 %a1 align 16 access 1 readonly
          %b_on = mul %r, %in_stride
          %b1 = ptradd %b, %b_on
          store b128 %b1, %v align 16 access 2
          %second = shl %in_stride, %three
          %b2 = ptradd %b1, %second
          store b128 %b2, %v align 16 access 5
          %r_on = add %r, %sixteen
          yield %r_on
        }
        %ended = while %y = %reached {
          %one_more = cmp.slt %y, %run
          condition %one_more, %y
        } do %z {
          %c_on = mul %z, %in_stride
          %b3 = ptradd %b, %c_on
          %w = const b32 0
          %w4 = pack %w, %w, %w, %w
          store b128 %b3, %w4 align 16 access 6
          %z_on = add %z, %eight
          yield %z_on
        }
        yield %run
      } else {
        yield %one
      }
      %following = add %row, %taken
      yield %following
    }
  }
)";

TEST(Runs, EveryRowOfARunIsTakenOnce) { expect_proved(make_case(kRunViews, kRuns)); }

TEST(Runs, FaultsBreakTheirClaims) {
  expect_faults(
      kRunViews, kRuns,
      {{"past the rows of the block", "min.u %left, %room", "min.u %room, %room", Claim::kBounds},
       {"past the page", "min.u %left, %room", "min.u %left, %left", Claim::kBounds},
       {"a step past the run", "add %row, %taken", "add %row, %sixteen", Claim::kRows},
       {"the same row for ever", "yield %one\n", "yield %zero\n", Claim::kRows},
       {"rows again from the first", "while %y = %reached", "while %y = %group", Claim::kRows},
       {"rows left out between", "while %y = %reached", "while %y = %eight", Claim::kRows},
       {"a step of one row for two", "add %r, %sixteen", "add %r, %eight", Claim::kRows},
       {"a step that is no group's", "add %z, %eight", "add %z, %seven", Claim::kRows},
       {"two rows where one is left", "sub %run, %eight", "sub %run, %four", Claim::kRows},
       {"the last rows left out", "cmp.slt %y, %run", "cmp.slt %y, %limit", Claim::kRows},
       {"a run that starts elsewhere", "%group = shr.u %tid, %two", "%group = and %tid, %seven", Claim::kRows},
       {"the second row in the place of another", "shl %in_stride, %three", "shl %in_stride, %two", Claim::kCoverage},
       {"lanes that write the same", "%lane = and %tid, %three", "%lane = and %tid, %one", Claim::kCoverage}});
}

// What was known where a branch was taken says nothing where it was not.
constexpr std::string_view kAfterABranch = R"(
  %cu1 = ptradd %cu, %four
  %row = load i32 %cu align 4 access 3 readonly
  %limit = load i32 %cu1 align 4 access 4 readonly
  %c1 = cmp.sge %row, %zero
  %c2 = cmp.sle %limit, %rows
  %c3 = cmp.sge %limit, %one
  %c12 = and %c1, %c2
  %c123 = and %c12, %c3
  if %c123 {
    %below = cmp.slt %row, %limit
    %sixteen = const i32 16
    %moved = if %below {
      %room = sub %limit, %row
      %some = min.u %room, %sixteen
      %half = shr.u %room, %one
      %both = add %some, %half
      yield %both
    } else {
      yield %one
    }
    %from = mul %row, %in_stride
    %a = ptradd %in, %from
    %v = load b32 %a align 4 access 1 readonly
    %b = ptradd %out, %zero
    store b32 %b, %v align 4 access 2
  }
)";

TEST(Branches, WhatHoldsInOneSideIsNotKnownAfterIt) {
  const std::vector<tile::View> views = {kSource, kOffsets, kRunViews[2]};
  const Case c = make_case(views, kAfterABranch);
  const Proof proof = prove(c.subject(), {true, true}).value();
  for (const Obligation& o : proof.obligations) {
    const bool after = o.claim == Claim::kBounds && o.access == 1;
    EXPECT_TRUE(!after || o.verdict != Verdict::kProved) << describe(o);
  }
}

}  // namespace
}  // namespace tailor::codegen::prove::testing
