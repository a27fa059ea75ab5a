#include "runtime/cli/serve/generator.h"

#include <cmath>
#include <random>

namespace tailor::cli {

const QuantileTable kConversationContext{{{0, 2},
                                          {0.01, 29},
                                          {0.05, 181},
                                          {0.10, 207},
                                          {0.20, 387},
                                          {0.25, 396},
                                          {0.30, 403},
                                          {0.40, 703},
                                          {0.50, 1020},
                                          {0.60, 1071},
                                          {0.70, 1130},
                                          {0.75, 1189},
                                          {0.80, 1315},
                                          {0.90, 2735},
                                          {0.95, 4083},
                                          {0.99, 4142},
                                          {0.999, 6212},
                                          {1, 14050}}};
const QuantileTable kConversationGenerated{{{0, 7},
                                            {0.01, 16},
                                            {0.05, 41},
                                            {0.10, 54},
                                            {0.20, 77},
                                            {0.25, 85},
                                            {0.30, 91},
                                            {0.40, 103},
                                            {0.50, 129},
                                            {0.60, 177},
                                            {0.70, 384},
                                            {0.75, 395},
                                            {0.80, 400},
                                            {0.90, 424},
                                            {0.95, 451},
                                            {0.99, 601},
                                            {0.999, 954},
                                            {1, 1000}}};

double quantile(const QuantileTable& table, double probability) {
  size_t above = 1;
  while (above + 1 < table.size() && table[above].probability < probability) ++above;
  const Quantile& low = table[above - 1];
  const Quantile& high = table[above];
  const double t = (probability - low.probability) / (high.probability - low.probability);
  return low.tokens + t * (high.tokens - low.tokens);
}

Trace generate_trace(const TraceGeneratorOptions& options) {
  // The engine's output is fixed by the standard; the library's distributions are not, so they are written out.
  std::mt19937_64 engine(options.seed);
  const auto uniform = [&] { return static_cast<double>(engine() >> 11) * 0x1p-53; };  // [0, 1)
  Trace trace;
  trace.reserve(static_cast<size_t>(options.requests));
  double seconds = 0;
  for (int64_t i = 0; i < options.requests; ++i) {
    if (i > 0) seconds -= std::log1p(-uniform()) / options.requests_per_second;
    const double context = quantile(kConversationContext, uniform());
    const double generated = quantile(kConversationGenerated, uniform());
    trace.push_back({static_cast<int64_t>(seconds * 1e6), static_cast<int32_t>(std::lround(context)),
                     static_cast<int32_t>(std::lround(generated))});
  }
  return trace;
}

}  // namespace tailor::cli
