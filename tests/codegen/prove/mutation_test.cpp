// Planted faults: what the proofs refuse, what only a run sees, and what makes no difference.
//
// A mutant is run on the host interpreter for several scenarios, next to the program it was made from; `observed` is an
// access out of bounds or misaligned, or a byte that differs. No mutant may be proved safe and go out of bounds, nor be
// proved to cover its rows and write part of one. What is proved and makes no difference in the first runs is run for
// many more scenarios; what makes none then is listed.
#include <array>
#include <cstdio>
#include <random>

#include <gtest/gtest.h>

#include "runtime/bucket/key_space.h"
#include "tests/codegen/movement/scenario.h"
#include "tests/codegen/prove/mutate.h"
#include "tests/codegen/prove/subjects.h"

namespace tailor::codegen::prove::testing {
namespace {

using kernel::testing::interpret;
using kernel::testing::Launch;
using kernel::testing::RunCounts;

constexpr int kMutantsPerPaged = 32, kMutantsPerOther = 14;  // of one program
constexpr int kLeastKilled = 200;
constexpr int kRuns = 4, kMoreRuns = 24;

struct Run {
  test::Scenario scenario;
  Launch launch;
  test::Memory after;                                  // of the program itself
  uint64_t bytes = 0;                                  // that it writes
  std::map<std::string, std::vector<bool>> untouched;  // of a copy: bytes that it does not write
};

struct Observation {
  bool out_of_bounds = false;  // or misaligned
  bool part_of_row = false;    // bytes written are no multiple of a row; of a copy: not each byte once
  bool differs = false;
  bool any() const { return out_of_bounds || part_of_row || differs; }
};

// Where each mutant went.
struct Tally {
  int refuted = 0, unknown = 0, run = 0, equivalent = 0;
  int also_observed = 0;  // of those that the proofs refuse
  int needless = 0;       // refused, although no run shows a difference
};

class Campaign {
 public:
  explicit Campaign(const LoweredKey& key) : key_(key), random_(17), whole_(key.key.op() == OpId::kCopy) {
    while (runs_.size() < kRuns) add_run();
    row_bytes_ = key.key.get(KeyField::kHeads) * key.key.get(KeyField::kHeadDim) << key.key.get(KeyField::kElementLog2);
  }

  // In the first scenarios; where they show nothing and `thorough` asks for it, in more.
  Observation observe(const kernel::Program& program, bool thorough) {
    Observation seen = observe(program, 0, kRuns);
    if (seen.any() || !thorough) return seen;
    while (runs_.size() < kRuns + kMoreRuns) add_run();
    for (size_t n = kRuns; n < runs_.size() && !seen.any(); ++n) seen = observe(program, n, n + 1);
    return seen;
  }

 private:
  void add_run() {
    const size_t n = runs_.size();
    test::ScenarioOptions options;
    options.rows = n == 1 ? 3 : 21;
    options.hostile = n % 4 >= 2;
    options.status = n != 1;
    options.batch = n % 3 == 0 ? 1 : 4;
    options.max_pages = n % 5 == 4 ? 1 : 3;
    options.pool_pages = n % 7 == 5 ? 1 : 9;
    test::Scenario scenario = test::make_scenario(key_.key, options, random_);
    const DeviceNumbers device{n % 2 ? 1 : 3, 1};
    const auto values = test::parameter_values(key_.lowered.plan, scenario.symbols, device);
    Launch launch;
    launch.grid = static_cast<uint32_t>(evaluate(key_.lowered.plan.grid[0], scenario.symbols, device));
    launch.arguments.assign(values.begin(), values.end());
    launch.most_steps = 20'000;
    Run run;
    run.scenario = std::move(scenario);
    run.launch = launch;
    run.after = run.scenario.memory;
    RunCounts counts;
    EXPECT_EQ(interpret(key_.lowered.program, run.launch, run.after, &counts), "");
    run.bytes = bytes_stored(counts);
    if (whole_) {
      EXPECT_FALSE(test::differ(run.after, run.scenario.expected));
      run.untouched = untouched(key_.lowered.program, run, run.after);
    }
    runs_.push_back(std::move(run));
  }

  Observation observe(const kernel::Program& program, size_t first, size_t last) const {
    Observation seen;
    for (size_t n = first; n < last; ++n) {
      const Run& run = runs_[n];
      test::Memory memory = run.scenario.memory;
      RunCounts counts;
      const std::string wrong = interpret(program, run.launch, memory, &counts);
      seen.out_of_bounds = seen.out_of_bounds || wrong.find(" bytes at ") != std::string::npos ||
                           wrong.find("is not a multiple") != std::string::npos;
      seen.differs = seen.differs || !wrong.empty() || test::differ(memory, run.after);
      const uint64_t bytes = bytes_stored(counts);
      if (!wrong.empty()) continue;
      const bool part =
          whole_ ? bytes != run.bytes || untouched(program, run, memory) != run.untouched : bytes % row_bytes_ != 0;
      seen.part_of_row = seen.part_of_row || part;
    }
    return seen;
  }

  // Bytes of what may be written that a second run, on their complement, leaves different from the first one's `after`.
  static std::map<std::string, std::vector<bool>> untouched(const kernel::Program& program, const Run& run,
                                                            const test::Memory& after) {
    test::Memory memory = run.scenario.memory;
    for (auto& [name, block] : memory) {
      for (uint8_t& byte : block.bytes) byte = block.writable ? static_cast<uint8_t>(~byte) : byte;
    }
    EXPECT_EQ(interpret(program, run.launch, memory), "");
    std::map<std::string, std::vector<bool>> result;
    for (const auto& [name, block] : memory) {
      if (!block.writable) continue;
      for (size_t i = 0; i < block.bytes.size(); ++i) result[name].push_back(block.bytes[i] != after.at(name).bytes[i]);
    }
    return result;
  }

  static uint64_t bytes_stored(const RunCounts& counts) {
    uint64_t bytes = 0;
    for (const auto& [width, count] : counts.store_widths) bytes += static_cast<uint64_t>(width) * count;
    return bytes;
  }

  const LoweredKey& key_;
  std::mt19937 random_;
  const bool whole_;  // all rows are written, whatever the device holds
  std::vector<Run> runs_;
  uint64_t row_bytes_ = 1;
};

bool proved(const Proof& proof, Claim claim) {
  for (const Obligation& o : proof.obligations) {
    if (o.claim == claim && o.verdict != Verdict::kProved) return false;
  }
  return true;
}

std::vector<Key> campaign_keys() {
  std::vector<Key> keys;
  for (const Lowering lowering : {Lowering::kTail, Lowering::kGuarded, Lowering::kPow2Mask}) {
    for (const OpId op : {OpId::kPagedGather, OpId::kPagedAppend}) {
      const int64_t page_size = op == OpId::kPagedGather ? 48 : 16;
      StaticConfiguration c{op, Arch::kSm90a, Emitter::kLlvm, lowering, 2, page_size, 3, 40};
      const std::vector<Key> all = enumerate_keys(c).value();
      keys.push_back(all[3]);                   // one run, aligned
      keys.push_back(all[all.size() / 2 - 1]);  // strides of heads and elements are parameters
    }
    if (lowering == Lowering::kPow2Mask) continue;
    StaticConfiguration transpose{OpId::kRaggedTranspose, Arch::kSm90a, Emitter::kLlvm, lowering, 2, 0, 1, 72};
    const std::vector<Key> segments = enumerate_keys(transpose).value();
    keys.push_back(segments[segments.size() / 2 - 1]);
    struct Copy {
      CopyMode mode;
      int64_t run;
      int rank, element;
    };
    for (const Copy& copy : {Copy{CopyMode::kRows, 20, 2, 2}, Copy{CopyMode::kRows, 0, 1, 4},
                             Copy{CopyMode::kElements, 5, 1, 4}, Copy{CopyMode::kTransposed, 1, 1, 4}}) {
      StaticConfiguration c{OpId::kCopy, Arch::kSm90a, Emitter::kLlvm, lowering, copy.element, 0, 1, copy.run};
      c.variant = static_cast<int>(copy.mode), c.outer_rank = copy.rank;
      const std::vector<Key> all = enumerate_keys(c).value();
      keys.push_back(copy.rank == 2 ? all.back() : all[all.size() / 3]);  // the last one reads backwards
    }
  }
  return keys;
}

TEST(Mutants, AreRefusedByTheProofsOrSeenByARun) {
  std::array<Tally, kMutationCount> tallies{};
  std::mt19937 random(20240607);
  std::vector<std::string> equivalent;
  int rejected = 0;
  for (const Key& key : campaign_keys()) {
    SCOPED_TRACE(to_string(key));
    const Expected<LoweredKey> lowered = lower_key(key);
    ASSERT_TRUE(lowered.ok()) << lowered.status().to_string();
    const Expected<Proof> original = prove(lowered->subject());
    ASSERT_TRUE(original.ok());
    ASSERT_EQ(original->verdict(), Verdict::kProved);
    Campaign campaign(*lowered);
    const bool paged = key.get(KeyField::kPageSize) != 0;
    for (int made = 0; made < (paged ? kMutantsPerPaged : kMutantsPerOther);) {
      const auto mutation = static_cast<Mutation>(std::uniform_int_distribution<int>(0, kMutationCount - 1)(random));
      const std::optional<Mutant> mutant = mutate(lowered->lowered.program, mutation, random);
      if (!mutant) continue;
      if (!kernel::verify(mutant->program).ok()) {
        ++rejected;
        continue;
      }
      ++made;
      const Expected<Proof> proof = prove(lowered->subject(mutant->program), {false, true});
      ASSERT_TRUE(proof.ok()) << mutant->text;
      const bool all_proved = proof->verdict() == Verdict::kProved;
      const Observation seen = campaign.observe(mutant->program, all_proved);
      const bool bounds = proved(*proof, Claim::kBounds) && proved(*proof, Claim::kOverflow);
      EXPECT_FALSE(seen.out_of_bounds && bounds && proved(*proof, Claim::kAlignment)) << mutant->text;
      EXPECT_FALSE(seen.part_of_row && bounds && proved(*proof, Claim::kRows) && proved(*proof, Claim::kCoverage))
          << mutant->text;
      Tally& tally = tallies[static_cast<size_t>(mutation)];
      if (all_proved) {
        ++(seen.any() ? tally.run : tally.equivalent);
        if (!seen.any()) equivalent.push_back(mutant->text);
        continue;
      }
      ++(proof->verdict() == Verdict::kRefuted ? tally.refuted : tally.unknown);
      ++(seen.any() ? tally.also_observed : tally.needless);
    }
  }
  Tally sum;
  std::printf("%-10s %8s %8s %8s %11s   %s\n", "mutation", "refuted", "unknown", "by run", "no change",
              "refused: seen by a run / not");
  const auto row = [](const char* name, const Tally& t) {
    std::printf("%-10s %8d %8d %8d %11d   %d / %d\n", name, t.refuted, t.unknown, t.run, t.equivalent, t.also_observed,
                t.needless);
  };
  for (int m = 0; m < kMutationCount; ++m) {
    const Tally& t = tallies[static_cast<size_t>(m)];
    row(std::string(to_string(static_cast<Mutation>(m))).c_str(), t);
    sum.refuted += t.refuted, sum.unknown += t.unknown, sum.run += t.run, sum.equivalent += t.equivalent;
    sum.also_observed += t.also_observed, sum.needless += t.needless;
  }
  row("all", sum);
  std::printf("%d mutants that the verifier rejects are not counted; no change in any run:\n", rejected);
  for (const std::string& text : equivalent) std::printf("  %s\n", text.c_str());
  EXPECT_GE(sum.refuted + sum.unknown + sum.run, kLeastKilled);
}

// Every kind of claim is refuted with a counterexample by some fault.
TEST(Mutants, OfEveryKindHaveCounterexamples) {
  StaticConfiguration c{OpId::kPagedGather, Arch::kSm90a, Emitter::kLlvm, Lowering::kTail, 2, 16, 2, 64};
  const Expected<LoweredKey> lowered = lower_key(enumerate_keys(c).value()[3]);
  ASSERT_TRUE(lowered.ok());
  std::mt19937 random(5);
  bool refuted[3] = {};
  for (int n = 0; n < 400; ++n) {
    const auto mutation = static_cast<Mutation>(n % kMutationCount);
    const std::optional<Mutant> mutant = mutate(lowered->lowered.program, mutation, random);
    if (!mutant || !kernel::verify(mutant->program).ok()) continue;
    const Expected<Proof> proof = prove(lowered->subject(mutant->program), {false, true});
    ASSERT_TRUE(proof.ok());
    for (const Obligation& o : proof->obligations) {
      if (o.verdict != Verdict::kRefuted) continue;
      EXPECT_FALSE(o.counterexample.empty());
      if (o.claim == Claim::kBounds) refuted[0] = true;
      if (o.claim == Claim::kAlignment) refuted[1] = true;
      if (o.claim == Claim::kCoverage) refuted[2] = true;
    }
  }
  EXPECT_TRUE(refuted[0]) << "bounds";
  EXPECT_TRUE(refuted[1]) << "alignment";
  EXPECT_TRUE(refuted[2]) << "coverage";
}

}  // namespace
}  // namespace tailor::codegen::prove::testing
