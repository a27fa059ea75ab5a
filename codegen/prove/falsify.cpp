#include "codegen/prove/falsify.h"

#include <algorithm>
#include <optional>
#include <random>

#include "codegen/prove/sample_launch.h"
#include "codegen/prove/thread_run.h"

namespace tailor::codegen::prove {
namespace {

constexpr int kLaunches = 48;
constexpr int kThreads = 6;  // per launch

}  // namespace

void find_counterexamples(const Subject& subject, std::vector<Obligation>& obligations, uint32_t seed) {
  const auto open = [](const Obligation& o) {
    return o.verdict == Verdict::kUnknown && (o.claim == Claim::kBounds || o.claim == Claim::kAlignment);
  };
  size_t left = static_cast<size_t>(std::count_if(obligations.begin(), obligations.end(), open));
  std::mt19937 random(seed);
  for (int n = 0; n < kLaunches && left > 0; ++n) {
    const std::optional<SampledLaunch> launch = sample_launch(subject, n, random);
    if (!launch) continue;
    for (int t = 0; t < kThreads && left > 0; ++t) {
      const Violation violation = run_thread(subject, *launch, t, random);
      if (violation.access == 0) continue;
      for (Obligation& o : obligations) {
        if (!open(o) || o.access != violation.access || o.claim != violation.claim) continue;
        o.verdict = Verdict::kRefuted;
        o.counterexample = violation.text;
        --left;
      }
    }
  }
}

}  // namespace tailor::codegen::prove
