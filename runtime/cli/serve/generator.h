// A made-up serving trace with the token counts of a real one: the quantiles of the conversation trace of the Azure
// Public Dataset (November 2023; Patel et al., "Splitwise", ISCA 2024; licence CC BY 4.0), without its requests.
//
// Token counts are drawn by the inverse of the piecewise linear distribution function through the quantiles; arrivals
// are a Poisson process. A seed gives the same trace on every machine. Thread-safety: plain functions.
#pragma once

#include <array>
#include <cstdint>

#include "runtime/cli/serve/trace.h"

namespace tailor::cli {

struct Quantile {
  double probability;  // 0 … 1
  double tokens;
};

// Percentiles 0, 1, 5, 10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90, 95, 99, 99.9, 100.
using QuantileTable = std::array<Quantile, 18>;
extern const QuantileTable kConversationContext;
extern const QuantileTable kConversationGenerated;

// The value below which a fraction `probability` in [0, 1] of the distribution lies.
double quantile(const QuantileTable& table, double probability);

struct TraceGeneratorOptions {
  int64_t requests = 1000;
  uint64_t seed = 1;
  double requests_per_second = 5.53;  // 19366 requests in 3502 s
};

Trace generate_trace(const TraceGeneratorOptions& options);

}  // namespace tailor::cli
