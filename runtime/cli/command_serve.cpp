// tailor run serve: continuous batching over a trace, every byte checked.
#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "runtime/cli/counters_json.h"
#include "runtime/cli/exit_code.h"
#include "runtime/cli/flags.h"
#include "runtime/cli/progress.h"
#include "runtime/cli/range.h"
#include "runtime/cli/serve/generator.h"
#include "runtime/cli/serve/simulation.h"

namespace tailor::cli {
namespace {

struct ServeOptions {
  std::string trace_path;
  int64_t requests = 400;
  uint64_t seed = 1;
  SimulationOptions simulation;
  // Of BatcherOptions, which gets them once they are known to fit.
  int64_t max_batch = 16, page_size = 16, token_budget = 512, pool_pages = 0;
  SessionFlags session;
};

// Enough pages for the longest request, and otherwise for about as many tokens as the batch has when it is full.
constexpr int64_t kTypicalTokens = 1536;

// Bounds that keep every product below in 63 bits and every index in 31.
Status check_options(const ServeOptions& options) {
  const SimulationOptions& s = options.simulation;
  constexpr int64_t kMany = int64_t{1} << 40;
  TAILOR_RETURN_IF_ERROR(check_range("--max-batch", options.max_batch, 1, 4096));
  TAILOR_RETURN_IF_ERROR(check_range("--page-size", options.page_size, 1, 1 << 16));
  TAILOR_RETURN_IF_ERROR(check_range("--token-budget", options.token_budget, 1, 1 << 20));
  TAILOR_RETURN_IF_ERROR(check_range("--step-us", s.batcher.step_us, 1, 1'000'000'000));
  TAILOR_RETURN_IF_ERROR(check_range("--kv-heads", s.heads, 1, 1 << 12));
  TAILOR_RETURN_IF_ERROR(check_range("--head-dim", s.head_dim, 1, 1 << 14));
  TAILOR_RETURN_IF_ERROR(check_range("--gather-every", s.gather_every, 1, kMany));
  TAILOR_RETURN_IF_ERROR(check_range("--check-pool-every", s.check_pool_every, 1, kMany));
  TAILOR_RETURN_IF_ERROR(check_range("--max-steps", s.max_steps, 0, kMany));
  TAILOR_RETURN_IF_ERROR(check_range("--pool-pages", options.pool_pages, 0, 1 << 26));
  return check_range("--requests", options.requests, 1, 10'000'000);
}

// Pool and block table as large as the trace asks for.
Status size_pool(const Trace& trace, int64_t pool_pages, BatcherOptions& batcher) {
  int64_t longest = 1;
  for (const TraceRequest& request : trace) longest = std::max(longest, request.tokens());
  const int64_t page_size = batcher.page_size;
  const int64_t longest_pages = (longest + page_size - 1) / page_size;
  const int64_t typical_pages = batcher.max_batch * ((kTypicalTokens + page_size - 1) / page_size);
  const int64_t pages = pool_pages > 0 ? pool_pages : std::max(longest_pages, typical_pages);
  if (pages * page_size > INT32_MAX) {
    return invalid_argument(
        fmt::format("{} pages of {} tokens: a pool must have fewer than 2^31 slots", pages, page_size));
  }
  batcher.pool_pages = static_cast<int32_t>(pages);
  batcher.max_pages = static_cast<int32_t>(std::min(longest_pages, pages));
  return {};
}

// What to say of a trace of which no request fits the pool.
Status refusal_of_all(const Trace& trace, const BatcherOptions& batcher) {
  const auto smallest = std::min_element(
      trace.begin(), trace.end(), [](const TraceRequest& a, const TraceRequest& b) { return a.tokens() < b.tokens(); });
  return unsupported(
      fmt::format("none of the {} requests was served: the pool has {} pages of {} tokens, and the smallest request "
                  "has {} tokens; raise --pool-pages",
                  trace.size(), batcher.pool_pages, batcher.page_size, smallest->tokens()));
}

Json summary(const ServeOptions& options, const Session& session, const SimulationResult& result, double seconds) {
  Json report = describe(session, options.session);
  report["trace"] = options.trace_path.empty() ? "generated" : options.trace_path;
  report["verified"] = result.verified();
  report["mismatches"] = result.mismatches.bytes;
  if (!result.verified()) report["first_mismatch"] = result.mismatches.first;
  report["faults"] = result.faults;
  report["steps"] = result.steps;
  report["tokens"] = result.appended_tokens;
  report["gathered_tokens"] = result.gathered_tokens;
  report["requests_finished"] = result.requests_finished;
  report["requests_refused"] = result.requests_refused;
  report["preemptions"] = result.preemptions;
  report["appends"] = result.appends;
  report["gathers"] = result.gathers;
  add_runtime_stats(report, session.runtime->stats());
  warn_of_lost_events(*session.runtime);
  report["bytes_moved"] = result.bytes_moved;
  report["bytes_padded_layout"] = result.bytes_padded_layout;
  report["bytes_checked"] = result.bytes_checked;
  report["simulated_seconds"] = result.simulated_seconds;
  report["check_seconds"] = result.check_seconds;
  report["seconds"] = seconds;
  return report;
}

int serve(ServeOptions options, const Invocation& invocation) {
  const bool as_json = options.session.json;
  const auto start = std::chrono::steady_clock::now();
  if (const Status status = check_options(options); !status.ok()) return fail(status, as_json);
  Expected<Trace> trace = options.trace_path.empty()
                              ? generate_trace({.requests = options.requests, .seed = options.seed})
                              : load_trace(options.trace_path);
  if (!trace.ok()) return fail(trace.status(), as_json);
  BatcherOptions& batcher = options.simulation.batcher;
  batcher.seed = options.seed;
  batcher.max_batch = static_cast<int32_t>(options.max_batch);
  batcher.page_size = static_cast<int32_t>(options.page_size);
  batcher.token_budget = static_cast<int32_t>(options.token_budget);
  if (const Status status = size_pool(*trace, options.pool_pages, batcher); !status.ok()) {
    return fail(status, as_json);
  }
  auto session = open_session(options.session, invocation);
  if (!session.ok()) return fail(session.status(), as_json);
  const int64_t requests = std::ssize(*trace);
  const Status all_refused = refusal_of_all(*trace, batcher);
  auto simulation = Simulation::prepare(*session->device, *session->runtime, std::move(*trace), options.simulation);
  if (!simulation.ok()) return fail(simulation.status(), as_json);

  const int64_t max_steps = options.simulation.max_steps;
  auto result = [&] {
    Progress progress("serve", max_steps > 0 ? max_steps : requests);
    return simulation->run([&](const SimulationResult& so_far) {
      progress.update(max_steps > 0 ? so_far.steps : so_far.requests_finished,
                      fmt::format("{} tokens", so_far.appended_tokens));
    });
  }();
  if (!result.ok()) return fail(result.status(), as_json);
  if (result->requests_refused == requests) return fail(all_refused, as_json);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!result->verified()) {
    say_error(fmt::format("{} bytes differ from the reference, {} device faults; the first: {}",
                          result->mismatches.bytes, result->faults, result->mismatches.first));
  }
  if (result->requests_refused > 0) {
    say_warning(fmt::format("{} requests need more pages than the pool has ({}); raise --pool-pages",
                            result->requests_refused, batcher.pool_pages));
  }
  if (const Status status = print_report(summary(options, *session, *result, seconds), as_json); !status.ok()) {
    return fail(status, false);
  }
  return result->verified() ? kExitOk : kExitFailed;
}

}  // namespace

void add_run_serve(CLI::App& run, Invocation& invocation) {
  auto options = std::make_shared<ServeOptions>();
  options->simulation.max_steps = 400;
  CLI::App& app = *run.add_subcommand("serve", "Continuous batching over a trace: prefill and decode appends, gathers");
  SimulationOptions& s = options->simulation;
  app.add_option("--trace", options->trace_path, "CSV with TIMESTAMP,ContextTokens,GeneratedTokens; default: generated")
      ->type_name("FILE");
  app.add_option("--requests", options->requests, "requests to generate without --trace");
  app.add_option("--seed", options->seed, "of the generated trace and of the order of pages");
  app.add_option("--max-steps", s.max_steps, "stop after this many steps; 0: at the end of the trace");
  app.add_option("--max-batch", options->max_batch, "sequences at a time");
  app.add_option("--page-size", options->page_size, "tokens per page");
  app.add_option("--pool-pages", options->pool_pages, "pages of each pool; 0: what a typical batch needs");
  app.add_option("--token-budget", options->token_budget, "tokens appended per step");
  app.add_option("--step-us", s.batcher.step_us, "simulated duration of a step");
  app.add_option("--kv-heads", s.heads, "H");
  app.add_option("--head-dim", s.head_dim, "D");
  add_dtype_flag(app, s.dtype);
  add_layout_flag(app, s.layout);
  app.add_option("--gather-every", s.gather_every, "gather the whole batch every so many steps");
  app.add_option("--check-pool-every", s.check_pool_every, "compare the whole pool every so many steps");
  add_session_flags(app, options->session);
  app.callback(
      [options, &invocation] { invocation.action = [options, &invocation] { return serve(*options, invocation); }; });
}

}  // namespace tailor::cli
