#include "codegen/prove/prove.h"

#include <cstdio>
#include <random>

#include <gtest/gtest.h>

#include "codegen/kernel/text.h"
#include "codegen/prove/decide.h"
#include "runtime/ops/schema.h"
#include "tests/codegen/movement/configurations.h"
#include "tests/codegen/prove/subjects.h"

namespace tailor::codegen::prove::testing {
namespace {

constexpr Lowering kLowerings[] = {Lowering::kTail, Lowering::kGuarded, Lowering::kPow2Mask};

// The share of keys of every operation about which something is unknown, printed; nothing is refuted, and nothing about
// safety is unknown.
TEST(KeySpace, FewKeysAreUnknownAndNoneUnsafe) {
  size_t keys = 0, unknown = 0;
  for (int o = 0; o < kOpCount; ++o) {
    const auto op = static_cast<OpId>(o);
    size_t own = 0, own_unknown = 0;
    std::string first;
    for (const Lowering lowering : kLowerings) {
      for (const Key& key : test::sample_keys(op, Arch::kSm90a, Emitter::kLlvm, lowering, 40)) {
        const Expected<LoweredKey> lowered = lower_key(key);
        if (!lowered.ok()) continue;  // not every lowering is there for every operation
        const Expected<Proof> proof = prove(lowered->subject());
        ASSERT_TRUE(proof.ok()) << to_string(key) << ": " << proof.status().to_string();
        const Obligation* refuted = proof->first(Verdict::kRefuted);
        EXPECT_EQ(refuted, nullptr) << to_string(key) << ": " << describe(*refuted);
        EXPECT_EQ(proof->safety(), Verdict::kProved)
            << to_string(key) << ": " << describe(*proof->first(Verdict::kUnknown));
        ++own;
        if (proof->verdict() == Verdict::kProved) continue;
        ++own_unknown;
        if (first.empty()) first = describe(*proof->first(Verdict::kUnknown));
      }
    }
    std::printf("%-17s %4zu keys, %3zu unknown%s%s\n", std::string(to_string(op)).c_str(), own, own_unknown,
                first.empty() ? "" : ", e.g. ", first.c_str());
    keys += own;
    unknown += own_unknown;
  }
  const double share = 100.0 * static_cast<double>(unknown) / static_cast<double>(keys);
  std::printf("all operations: %zu of %zu keys, %.2f %%\n", unknown, keys, share);
  EXPECT_GT(keys, 400u);
  EXPECT_LE(share, 2.0);
}

// ---- programs in text form, over one operand of reads and one of writes

struct Small {
  std::vector<tile::View> views;
  std::vector<SymbolSpec> symbols;
  FactSet facts;
  LaunchPlan plan;
  kernel::Program program;

  Subject subject() const { return {program, plan, views, "", facts, symbols, false}; }
};

// rows x 64 bytes each, from `in` to `out`; a block of 32 threads, four lanes of 16 bytes per row.
Small small(std::string_view body) {
  Small s;
  s.symbols = {{"in", Binding::kLaunch, Side::kNeither, ""},
               {"out", Binding::kLaunch, Side::kNeither, ""},
               {"rows", Binding::kLaunch, Side::kNeither, ""},
               {"in_stride", Binding::kLaunch, Side::kNeither, ""},
               {"out_stride", Binding::kLaunch, Side::kNeither, ""}};
  constexpr int64_t kMax = (int64_t{1} << 31) - 1;
  for (uint16_t symbol : {0, 1}) {
    s.facts.push_back(Fact::range(symbol, 0, std::numeric_limits<int64_t>::max()));
    s.facts.push_back(Fact::divisible(symbol, 16));
  }
  s.facts.push_back(Fact::range(2, 0, kMax));
  for (uint16_t symbol : {3, 4}) {
    s.facts.push_back(Fact::range(symbol, 0, kMax));
    s.facts.push_back(Fact::divisible(symbol, 16));
  }
  const auto view = [](const char* name, tile::Role role, const char* stride) {
    return tile::View{name,
                      role,
                      4,
                      16,
                      {{tile::Extent::of("rows"), tile::Stride::of(stride, 16)},
                       {tile::Extent::constant(16), tile::Stride::constant(4)}}};
  };
  s.views = {view("in", tile::Role::kRead, "in_stride"), view("out", tile::Role::kWrite, "out_stride")};
  const auto symbol = [](int64_t n) { return PlanTerm{PlanOp::kSymbol, n}; };
  const auto constant = [](int64_t n) { return PlanTerm{PlanOp::kConstant, n}; };
  s.plan.grid[0] = {symbol(2), constant(8), {PlanOp::kCeilDiv, 0}, {PlanOp::kSmCount, 0}, {PlanOp::kMin, 0}};
  s.plan.grid[1] = s.plan.grid[2] = {constant(1)};
  s.plan.block = {32, 1, 1};
  uint16_t offset = 0;
  for (int64_t n : {0, 1}) s.plan.parameters.push_back({offset, 8, {symbol(n)}}), offset += 8;
  for (int64_t n : {2, 3, 4}) s.plan.parameters.push_back({offset, 4, {symbol(n)}}), offset += 4;
  s.program = kernel::parse(
                  "kernel @small(%in: ptr readonly, %out: ptr, %rows: i32, %in_stride: i32, %out_stride: i32) "
                  "block 32 {\n  access 1 \"in\" \"x\"\n  access 2 \"out\" \"y\"\n" +
                  std::string(body) + "}\n")
                  .value();
  const Status verified = kernel::verify(s.program);
  EXPECT_TRUE(verified.ok()) << verified.to_string();
  return s;
}

// A grid stride over rows, eight per block.
constexpr std::string_view kRowsByGridStride = R"(
  %tid = special tid.x
  %cta = special ctaid.x
  %grid = special nctaid.x
  %two = const i32 2
  %group = shr.u %tid, %two
  %three = const i32 3
  %lane = and %tid, %three
  %eight = const i32 8
  %begin = mul %cta, %eight
  %first = add %begin, %group
  %step = mul %grid, %eight
  %four = const i32 4
  %column = shl %lane, %four
  %end = while %at = %first {
    %more = cmp.ult %at, %rows
    condition %more, %at
  } do %row {
    %from = mul %row, %in_stride
    %a = ptradd %in, %from
    %a1 = ptradd %a, %column
    %v = load b128 %a1 align 16 access 1 readonly
    %to = mul %row, %out_stride
    %b = ptradd %out, %to
    %b1 = ptradd %b, %column
    store b128 %b1, %v align 16 access 2
    %next = add %row, %step
    yield %next
  }
)";

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

TEST(Claims, AGridStrideCopyIsProved) {
  const Small s = small(kRowsByGridStride);
  const Proof proof = prove(s.subject(), {true, true}).value();
  for (const Obligation& o : proof.obligations) EXPECT_EQ(o.verdict, Verdict::kProved) << describe(o);
  EXPECT_EQ(proof.obligations.size(), 8u);
  for (const Obligation& o : proof.obligations) {
    EXPECT_FALSE(o.statement.empty());
    EXPECT_FALSE(o.method.empty());
  }
}

struct Fault {
  const char* name;
  const char *from, *to;
  Claim claim;
};

const Fault kFaults[] = {
    {"the last row and one more", "cmp.ult %at, %rows", "cmp.ule %at, %rows", Claim::kBounds},
    {"lanes too far apart", "shl %lane, %four", "shl %lane, %eight", Claim::kBounds},
    {"the stride of the other operand", "mul %row, %in_stride", "mul %row, %out_stride", Claim::kBounds},
    {"vectors half a vector apart", "%four = const i32 4", "%four = const i32 3", Claim::kAlignment},
    {"half a row", "%two = const i32 2", "%two = const i32 3", Claim::kRows},
    {"a step that is too short", "%step = mul %grid, %eight", "%step = mul %grid, %three", Claim::kRows},
    {"blocks that overlap", "%begin = mul %cta, %eight", "%begin = mul %cta, %two", Claim::kRows},
    {"one place for all rows", "mul %row, %out_stride", "mul %cta, %out_stride", Claim::kCoverage},
    {"every second vector twice", "%lane = and %tid, %three", "%lane = and %tid, %two", Claim::kCoverage},
};

TEST(Claims, AFaultBreaksTheClaimThatItIsAbout) {
  for (const Fault& fault : kFaults) {
    const Small s = small(with(kRowsByGridStride, fault.from, fault.to));
    const Proof proof = prove(s.subject()).value();
    EXPECT_NE(of(proof, fault.claim), Verdict::kProved) << fault.name;
  }
}

TEST(Claims, RefutedOnesComeWithALaunchAndAThread) {
  const Small s = small(with(kRowsByGridStride, "cmp.ult %at, %rows", "cmp.ule %at, %rows"));
  const Proof proof = prove(s.subject()).value();
  ASSERT_EQ(proof.verdict(), Verdict::kRefuted);
  const std::string& text = proof.first(Verdict::kRefuted)->counterexample;
  EXPECT_NE(text.find("rows="), std::string::npos) << text;
  EXPECT_NE(text.find("thread"), std::string::npos) << text;
  Proof unsearched = prove(s.subject(), {false, false}).value();
  EXPECT_EQ(unsearched.verdict(), Verdict::kUnknown);
}

// A load may return anything: what it bounds is not bounded.
TEST(Claims, AnUncheckedIndexIsRefuted) {
  const Small s = small(R"(
  %v = load i32 %in align 4 access 1 readonly
  %to = mul %v, %out_stride
  %b = ptradd %out, %to
  store i32 %b, %v align 4 access 2
)");
  const Proof proof = prove(s.subject()).value();
  EXPECT_EQ(of(proof, Claim::kBounds), Verdict::kRefuted);
}

// n / 3 of the 31-bit rows by one multiply-high: with the magic number the quotient is below rows, with the next one
// down it is not known to be a quotient at all.
TEST(Claims, MagicDivisionIsRecognisedByItsCriterion) {
  constexpr std::string_view kBody = R"(
  %cta = special ctaid.x
  %magic = const i32 1431655766
  %third = mulhi.u %cta, %magic
  %three = const i32 3
  %back = mul %third, %three
  %rest = sub %cta, %back
  %four = const i32 4
  %column = shl %rest, %four
  %from = mul %cta, %in_stride
  %inside = cmp.ult %cta, %rows
  if %inside {
    %a = ptradd %in, %from
    %a1 = ptradd %a, %column
    %v = load b128 %a1 align 16 access 1 readonly
    %b = ptradd %out, %column
    store b128 %b, %v align 16 access 2
  }
)";
  EXPECT_EQ(of(prove(small(kBody).subject()).value(), Claim::kBounds), Verdict::kProved);
  const std::string wrong = with(kBody, "1431655766", "1431655700");
  EXPECT_NE(of(prove(small(wrong).subject()).value(), Claim::kBounds), Verdict::kProved);
}

TEST(Claims, APlanWithoutTheParametersIsRefused) {
  Small s = small(kRowsByGridStride);
  s.plan.parameters.pop_back();
  EXPECT_EQ(prove(s.subject()).status().code(), StatusCode::kInvalidArgument);
}

// ---- what is emitted

Proof proof_of(std::vector<std::pair<Claim, Verdict>> claims) {
  Proof proof;
  for (const auto& [claim, verdict] : claims) {
    Obligation o;
    o.claim = claim;
    o.verdict = verdict;
    proof.obligations.push_back(std::move(o));
  }
  return proof;
}

TEST(Decision, PrefersWhatIsProvedAndRefusesWhatIsRefuted) {
  using Emit = Decision::Emit;
  const Proof proved = proof_of({{Claim::kBounds, Verdict::kProved}, {Claim::kCoverage, Verdict::kProved}});
  const Proof uncovered = proof_of({{Claim::kBounds, Verdict::kProved}, {Claim::kCoverage, Verdict::kUnknown}});
  const Proof unsafe = proof_of({{Claim::kBounds, Verdict::kUnknown}, {Claim::kCoverage, Verdict::kProved}});
  const Proof refuted = proof_of({{Claim::kBounds, Verdict::kProved}, {Claim::kCoverage, Verdict::kRefuted}});
  const struct {
    const Proof &own, *generic;
    Emit emit;
    bool counted;
  } rows[] = {
      {proved, nullptr, Emit::kSpecialised, false},   {proved, &proved, Emit::kSpecialised, false},
      {uncovered, &proved, Emit::kGeneric, true},     {uncovered, &uncovered, Emit::kSpecialised, true},
      {uncovered, nullptr, Emit::kSpecialised, true}, {unsafe, &proved, Emit::kGeneric, true},
      {unsafe, &uncovered, Emit::kGeneric, true},     {unsafe, &unsafe, Emit::kGeneric, true},
      {unsafe, nullptr, Emit::kSpecialised, true},    {unsafe, &refuted, Emit::kSpecialised, true},
      {refuted, &proved, Emit::kNothing, true},
  };
  for (const auto& row : rows) {
    const Decision decision = decide(row.own, row.generic);
    EXPECT_EQ(decision.emit, row.emit);
    EXPECT_EQ(!decision.unproved.empty(), row.counted);
  }
}

TEST(Report, HasAnObjectPerObligation) {
  const Proof proof = prove(small(kRowsByGridStride).subject(), {true, true}).value();
  const std::string json = to_json(proof);
  size_t count = 0;
  for (size_t at = 0; (at = json.find("\"claim\"", at)) != std::string::npos; ++at) ++count;
  EXPECT_EQ(count, proof.obligations.size());
}

}  // namespace
}  // namespace tailor::codegen::prove::testing
