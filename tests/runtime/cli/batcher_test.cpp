// Continuous batching: the invariants of a paged pool and of append order, held over random traces and pools that are
// too small, by a bookkeeper that trusts nothing but the plan's outputs.
#include "runtime/cli/serve/batcher.h"

#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "runtime/cli/serve/generator.h"

namespace tailor::cli {
namespace {

Trace random_trace(std::mt19937_64& engine, int requests, int max_tokens) {
  Trace trace;
  int64_t now = 0;
  for (int i = 0; i < requests; ++i) {
    now += static_cast<int64_t>(engine() % 100'000);
    trace.push_back({now, static_cast<int32_t>(engine() % static_cast<uint64_t>(max_tokens)),
                     static_cast<int32_t>(engine() % static_cast<uint64_t>(max_tokens))});
  }
  return trace;
}

struct Outcome {
  int64_t steps = 0, finished = 0, preemptions = 0, refused = 0, most_running = 0;
};

// Runs the trace to its end and checks every invariant after every step.
Outcome replay(const Trace& trace, const BatcherOptions& options) {
  Batcher batcher(trace, options);
  Outcome outcome;
  std::map<uint32_t, int64_t> appended;  // stream -> tokens
  std::map<uint32_t, int64_t> request_of;
  int64_t previous_us = -1;
  while (const auto segments = batcher.next()) {
    ++outcome.steps;
    EXPECT_LT(outcome.steps, 1'000'000) << "no end in sight";
    EXPECT_GT(batcher.simulated_us(), previous_us);
    previous_us = batcher.simulated_us();
    EXPECT_FALSE(segments->empty());
    int64_t tokens = 0;
    std::set<uint32_t> in_step;
    for (const Segment& segment : *segments) {
      EXPECT_TRUE(in_step.insert(segment.stream).second) << "two segments of one sequence";
      EXPECT_GT(segment.count, 0);
      EXPECT_EQ(segment.first, appended[segment.stream]) << "tokens enter once and in order";
      appended[segment.stream] += segment.count;
      tokens += segment.count;
    }
    EXPECT_LE(tokens, options.token_budget);
    EXPECT_LE(batcher.running().size(), static_cast<size_t>(options.max_batch));
    outcome.most_running = std::max<int64_t>(outcome.most_running, std::ssize(batcher.running()));

    std::set<int32_t> pages(batcher.free_pages().begin(), batcher.free_pages().end());
    EXPECT_EQ(pages.size(), batcher.free_pages().size()) << "a page is free twice";
    std::set<int32_t> rows;
    for (const Sequence& sequence : batcher.running()) {
      EXPECT_TRUE(rows.insert(sequence.row).second) << "a row has two sequences";
      EXPECT_EQ(sequence.length, appended[sequence.stream]);
      const auto known = request_of.emplace(sequence.stream, sequence.request);
      EXPECT_EQ(known.first->second, sequence.request);
      const TraceRequest& request = trace[static_cast<size_t>(sequence.request)];
      EXPECT_LE(sequence.length, request.tokens());
      EXPECT_LE(request.arrival_us, batcher.simulated_us() - options.step_us) << "served before it came";
      // Enough pages for its tokens, not one more, and the table says the same.
      EXPECT_EQ(std::ssize(sequence.pages), (sequence.length + options.page_size - 1) / options.page_size);
      const auto row =
          batcher.block_table().subspan(static_cast<size_t>(sequence.row) * static_cast<size_t>(options.max_pages),
                                        static_cast<size_t>(options.max_pages));
      for (size_t i = 0; i < row.size(); ++i) {
        EXPECT_EQ(row[i], i < sequence.pages.size() ? sequence.pages[i] : Batcher::kNoPage);
      }
      for (const int32_t page : sequence.pages) {
        EXPECT_TRUE(pages.insert(page).second) << "page " << page << " is used twice";
      }
    }
    EXPECT_EQ(pages.size(), static_cast<size_t>(options.pool_pages)) << "pages were lost or made";
    EXPECT_EQ(*pages.begin(), 0);
    EXPECT_EQ(*pages.rbegin(), options.pool_pages - 1);
    if (testing::Test::HasFailure()) return outcome;
  }
  outcome.finished = batcher.finished();
  outcome.preemptions = batcher.preemptions();
  outcome.refused = batcher.refused();
  EXPECT_EQ(std::ssize(batcher.free_pages()), options.pool_pages) << "pages stay taken after the end";
  EXPECT_EQ(outcome.finished + outcome.refused, std::ssize(trace));
  // Every request that fits was appended in full by its last stream.
  std::map<int64_t, int64_t> last;
  for (const auto& [stream, request] : request_of) last[request] = appended[stream];
  for (const auto& [request, tokens] : last) EXPECT_EQ(tokens, trace[static_cast<size_t>(request)].tokens());
  return outcome;
}

TEST(Batcher, InvariantsHoldOnRandomTracesAndPools) {
  int64_t preemptions = 0, refused = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    std::mt19937_64 engine(seed);
    BatcherOptions options;
    options.max_batch = 1 + static_cast<int32_t>(engine() % 8);
    options.page_size = 1 + static_cast<int32_t>(engine() % 9);
    options.pool_pages = 4 + static_cast<int32_t>(engine() % 60);
    options.max_pages = 4 + static_cast<int32_t>(engine() % 60);
    options.token_budget = 1 + static_cast<int32_t>(engine() % 64);
    options.seed = seed;
    const Outcome outcome = replay(random_trace(engine, 40, 80), options);
    preemptions += outcome.preemptions;
    refused += outcome.refused;
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
  EXPECT_GT(preemptions, 0) << "no pool was too small: the test tests nothing";
  EXPECT_GT(refused, 0);
}

TEST(Batcher, PreemptsWhenDecodingOutgrowsThePool) {
  const Trace trace{{0, 8, 40}, {0, 8, 40}, {0, 8, 40}};
  BatcherOptions options;
  options.page_size = 4;
  options.pool_pages = 13;  // one request needs 12
  options.max_pages = 13;
  const Outcome outcome = replay(trace, options);
  EXPECT_EQ(outcome.finished, 3);
  EXPECT_GT(outcome.preemptions, 0);
  EXPECT_GE(outcome.most_running, 2);
}

TEST(Batcher, EmptyRequestsFinishWithoutAStep) {
  const Trace trace{{0, 0, 0}, {10, 0, 3}, {20, 5, 0}, {30, 0, 0}};
  const Outcome outcome = replay(trace, {.max_batch = 2, .pool_pages = 8, .max_pages = 8});
  EXPECT_EQ(outcome.finished, 4);
  EXPECT_EQ(outcome.most_running, 2);
}

TEST(Batcher, TheDefaultPoolServesTheGeneratedTraceWithRaggedBatches) {
  const Trace trace = generate_trace({.requests = 200, .seed = 1});
  const Outcome outcome = replay(trace, {});
  EXPECT_EQ(outcome.finished, 200);
  EXPECT_EQ(outcome.most_running, 16);
}

}  // namespace
}  // namespace tailor::cli
