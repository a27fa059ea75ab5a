// The made-up trace has the quantiles of the real one. The expected numbers are copied from the published table here,
// independently of the generator's own.
#include "runtime/cli/serve/generator.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include <gtest/gtest.h>

namespace tailor::cli {
namespace {

constexpr double kProbabilities[] = {0,   .01, .05, .10, .20, .25, .30, .40,  .50,
                                     .60, .70, .75, .80, .90, .95, .99, .999, 1};
constexpr double kContext[] = {2,    29,   181,  207,  387,  396,  403,  703,  1020,
                               1071, 1130, 1189, 1315, 2735, 4083, 4142, 6212, 14050};
constexpr double kGenerated[] = {7, 16, 41, 54, 77, 85, 91, 103, 129, 177, 384, 395, 400, 424, 451, 601, 954, 1000};

std::vector<double> column(const Trace& trace, bool context) {
  std::vector<double> values;
  for (const TraceRequest& request : trace)
    values.push_back(context ? request.context_tokens : request.generated_tokens);
  std::sort(values.begin(), values.end());
  return values;
}

// P(X <= x) of the sample must be the table's probability at each of the table's values, within five standard
// deviations of a binomial proportion (the distribution function is compared, since quantiles are steep where the
// table is flat).
void expect_distribution(const std::vector<double>& sorted, const double* values) {
  const double n = static_cast<double>(sorted.size());
  for (size_t i = 0; i < std::size(kProbabilities); ++i) {
    const double p = kProbabilities[i];
    // A value is rounded to the nearest integer: half of what rounds to `values[i]` lies below it.
    const auto below = std::lower_bound(sorted.begin(), sorted.end(), values[i]) - sorted.begin();
    const auto up_to = std::upper_bound(sorted.begin(), sorted.end(), values[i]) - sorted.begin();
    const double slack = 5 * std::sqrt(p * (1 - p) / n) + 1e-9;
    EXPECT_LE(static_cast<double>(below) / n, p + slack) << values[i];
    EXPECT_GE(static_cast<double>(up_to) / n, p - slack) << values[i];
  }
  EXPECT_GE(sorted.front(), values[0]);
  EXPECT_LE(sorted.back(), values[std::size(kProbabilities) - 1]);
}

TEST(TraceGenerator, ReproducesTheQuantilesOfTheConversationTrace) {
  for (const uint64_t seed : {1u, 2u, 12345u}) {
    const Trace trace = generate_trace({.requests = 100000, .seed = seed});
    ASSERT_EQ(trace.size(), 100000u);
    expect_distribution(column(trace, true), kContext);
    expect_distribution(column(trace, false), kGenerated);
  }
}

TEST(TraceGenerator, QuantileFunctionPassesThroughTheTableAndIsMonotone) {
  for (size_t i = 0; i < std::size(kProbabilities); ++i) {
    EXPECT_DOUBLE_EQ(quantile(kConversationContext, kProbabilities[i]), kContext[i]);
    EXPECT_DOUBLE_EQ(quantile(kConversationGenerated, kProbabilities[i]), kGenerated[i]);
  }
  double previous = 0;
  for (int i = 0; i <= 10000; ++i) {
    const double value = quantile(kConversationContext, i / 10000.0);
    EXPECT_GE(value, previous);
    previous = value;
  }
}

TEST(TraceGenerator, ArrivalsAreAPoissonProcessOfTheGivenRate) {
  const Trace trace = generate_trace({.requests = 100000, .seed = 7, .requests_per_second = 5});
  std::vector<double> gaps;
  for (size_t i = 1; i < trace.size(); ++i) {
    ASSERT_GE(trace[i].arrival_us, trace[i - 1].arrival_us);
    gaps.push_back(static_cast<double>(trace[i].arrival_us - trace[i - 1].arrival_us) * 1e-6);
  }
  const double n = static_cast<double>(gaps.size());
  const double mean = std::accumulate(gaps.begin(), gaps.end(), 0.0) / n;
  double square = 0;
  for (double gap : gaps) square += (gap - mean) * (gap - mean);
  EXPECT_NEAR(mean, 0.2, 0.004);
  EXPECT_NEAR(std::sqrt(square / n), 0.2, 0.008);  // exponential: deviation = mean
  std::sort(gaps.begin(), gaps.end());
  EXPECT_NEAR(gaps[gaps.size() / 2], 0.2 * std::log(2), 0.004);
}

TEST(TraceGenerator, SeedDecides) {
  const auto key = [](const Trace& trace) {
    std::vector<int64_t> all;
    for (const auto& r : trace) all.insert(all.end(), {r.arrival_us, r.context_tokens, r.generated_tokens});
    return all;
  };
  const auto first = key(generate_trace({.requests = 100, .seed = 1}));
  EXPECT_EQ(first, key(generate_trace({.requests = 100, .seed = 1})));
  EXPECT_NE(first, key(generate_trace({.requests = 100, .seed = 2})));
}

// Where the real trace is at hand (it is not ours to ship), the made-up one is compared with it directly:
// Kolmogorov-Smirnov distance of both columns. Both distribution functions agree at the table's points and are
// monotone, so the distance is at most the largest step of its probabilities, 0.1, however the real one runs in
// between.
TEST(TraceGenerator, IsCloseToTheRealTraceWhereThatIsPresent) {
  const auto real = load_trace(std::string(TAILOR_TRACE_DIR) + "/azure_llm_conv_2023.csv");
  if (!real.ok()) GTEST_SKIP() << real.status().message();
  EXPECT_EQ(real->size(), 19366u);
  const Trace made = generate_trace({.requests = 200000, .seed = 3});
  for (const bool context : {true, false}) {
    const auto a = column(*real, context), b = column(made, context);
    double distance = 0;
    for (const double value : a) {
      const auto at = [value](const std::vector<double>& v) {
        return static_cast<double>(std::upper_bound(v.begin(), v.end(), value) - v.begin()) /
               static_cast<double>(v.size());
      };
      distance = std::max(distance, std::abs(at(a) - at(b)));
    }
    EXPECT_LT(distance, 0.1) << (context ? "ContextTokens" : "GeneratedTokens");
  }
}

}  // namespace
}  // namespace tailor::cli
