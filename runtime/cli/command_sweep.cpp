// tailor sweep: every kernel of every operation's key space, emitted and compiled.
#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "runtime/cli/exit_code.h"
#include "runtime/cli/flags.h"
#include "runtime/cli/progress.h"
#include "runtime/cli/range.h"
#include "runtime/cli/sweep/sweep.h"
#include "runtime/dispatch/generator_loader.h"

namespace tailor::cli {
namespace {

constexpr size_t kFailuresShown = 20;  // per group

struct SweepOptions {
  std::optional<OpId> op;
  std::optional<Arch> arch;
  std::optional<Emitter> emitter;
  Lowering lowering = Lowering::kTail;
  int64_t limit = 0, jobs = 0;
  bool text_only = false, json = false;
};

#define LISTED(name, text, ...) list += (list.empty() ? "" : ", ") + std::string(text);
std::string op_names() {
  std::string list;
  TAILOR_OPS(LISTED)
  return list;
}
std::string arch_names() {
  std::string list;
  TAILOR_ARCHS(LISTED)
  return list;
}
std::string emitter_names() {
  std::string list;
  TAILOR_EMITTERS(LISTED)
  return list;
}
std::string lowering_names() {
  std::string list;
  TAILOR_LOWERINGS(LISTED)
  return list;
}
#undef LISTED

// Without a linker, and NVRTC where it is asked for, nothing could be compiled.
Status tools_for(KernelGenerator& generator, const SweepOptions& options) {
  if (options.text_only) return {};
  for (const ToolStatus& tool : generator.tools()) {
    const bool needed = tool.name == "nvJitLink" ||
                        (tool.name == "NVRTC" && options.emitter.value_or(Emitter::kNvrtc) == Emitter::kNvrtc);
    if (needed && !tool.found) {
      return unavailable(fmt::format("{} was not found: {}; --text-only does without, and --emitter=llvm without NVRTC",
                                     tool.name, tool.remedy));
    }
  }
  return {};
}

Expected<std::vector<SweepGroup>> groups_of(const SweepOptions& options) {
  std::vector<OpId> ops;
  std::vector<Arch> archs;
  std::vector<Emitter> emitters;
#define X(name, ...) \
  if (options.op.value_or(OpId::name) == OpId::name) ops.push_back(OpId::name);
  TAILOR_OPS(X)
#undef X
#define X(name, ...) \
  if (options.arch.value_or(Arch::name) == Arch::name) archs.push_back(Arch::name);
  TAILOR_ARCHS(X)
#undef X
#define X(name, ...) \
  if (options.emitter.value_or(Emitter::name) == Emitter::name) emitters.push_back(Emitter::name);
  TAILOR_EMITTERS(X)
#undef X
  std::vector<SweepGroup> groups;
  for (const OpId op : ops) {
    for (const Arch arch : archs) {
      for (const Emitter emitter : emitters) {
        TAILOR_ASSIGN_OR_RETURN(SweepGroup group, sweep_group(op, arch, emitter, options.lowering, options.limit));
        groups.push_back(std::move(group));
      }
    }
  }
  return groups;
}

double share(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

Json describe(const SweepGroup& group, const SweepResult& result) {
  return Json{{"op", to_string(group.op)},
              {"arch", to_string(group.arch)},
              {"emitter", to_string(group.emitter)},
              {"keys", result.keys},
              {"distinct_texts", result.distinct_texts},
              {"distinct_cubins", result.distinct_cubins},
              {"unproved", result.unproved},
              {"failures", result.failures.size()},
              {"seconds", result.seconds}};
}

// Adds what went wrong in one group to the report, and says it.
void add_troubles(const SweepResult& result, Json& failures, Json& unproved) {
  for (size_t i = 0; i < result.failures.size(); ++i) {
    const SweepFailure& failure = result.failures[i];
    if (i == kFailuresShown) {
      say_error(fmt::format("{} more", result.failures.size() - i));
      break;
    }
    say_error(fmt::format("{} of {}: {}", failure.stage, to_string(failure.key), failure.status.message()));
    failures.push_back({{"key", to_string(failure.key)},
                        {"stage", failure.stage},
                        {"code", to_string(failure.status.code())},
                        {"message", failure.status.message()}});
  }
  if (result.unproved > 0) unproved.push_back(result.first_unproved);
}

Expected<int> run(const SweepOptions& options, const Invocation& invocation) {
  TAILOR_RETURN_IF_ERROR(check_range("--limit", options.limit, 0));
  TAILOR_RETURN_IF_ERROR(check_range("--jobs", options.jobs, 0, 1024));
  TAILOR_ASSIGN_OR_RETURN(const auto generator,
                          load_generator("", {library_folders(invocation.environment, invocation.executable)}));
  TAILOR_RETURN_IF_ERROR(tools_for(*generator, options));
  TAILOR_ASSIGN_OR_RETURN(const std::vector<SweepGroup> groups, groups_of(options));
  const int jobs = options.jobs != 0 ? static_cast<int>(options.jobs)
                                     : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  SweepResult total;
  int64_t failed = 0;
  for (const SweepGroup& group : groups) total.keys += static_cast<int64_t>(group.keys.size());
  Json rows = Json::array(), failures = Json::array(), unproved = Json::array();
  {
    Progress bar("sweep", total.keys);
    int64_t before = 0;
    for (const SweepGroup& group : groups) {
      const std::string note =
          fmt::format("{} {} {}", to_string(group.op), to_string(group.arch), to_string(group.emitter));
      const SweepResult result =
          sweep(group, *generator, !options.text_only, jobs, [&](int64_t done) { bar.update(before + done, note); });
      before += result.keys;
      total.distinct_texts += result.distinct_texts;
      total.distinct_cubins += result.distinct_cubins;
      total.unproved += result.unproved;
      total.seconds += result.seconds;
      failed += static_cast<int64_t>(result.failures.size());
      rows.push_back(describe(group, result));
      add_troubles(result, failures, unproved);
    }
  }
  const bool unproved_too_often = too_many_unproved(total.unproved, total.keys);
  if (unproved_too_often) {
    say_error(fmt::format("of {} keys {} ({:.2f} %) have something that is not proved; it may be 2 %", total.keys,
                          total.unproved, 100 * share(total.unproved, total.keys)));
  }
  // Groups have no text in common: their entry, target or language differs.
  const Json report{{"lowering", to_string(options.lowering)},
                    {"compiled", !options.text_only},
                    {"groups", std::move(rows)},
                    {"keys", total.keys},
                    {"distinct_texts", total.distinct_texts},
                    {"distinct_cubins", total.distinct_cubins},
                    {"unproved", total.unproved},
                    {"unproved_share", share(total.unproved, total.keys)},
                    {"first_unproved", std::move(unproved)},
                    {"failures", failed},
                    {"first_failures", std::move(failures)},
                    {"seconds", total.seconds}};
  TAILOR_RETURN_IF_ERROR(print_report(report, options.json));
  return static_cast<int>(failed == 0 && !unproved_too_often ? kExitOk : kExitFailed);
}

}  // namespace

void add_sweep(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<SweepOptions>();
  add_choice(app, "--op", options->op, parse_op, op_names(), "only this operation", "all");
  add_choice(app, "--arch", options->arch, parse_arch, arch_names(), "only this architecture", "all");
  add_choice(app, "--emitter", options->emitter, parse_emitter, emitter_names(), "only this emitter", "all");
  add_choice(app, "--lowering", options->lowering, parse_lowering, lowering_names(), "treatment of row tails",
             to_string(options->lowering));
  app.add_option("--limit", options->limit, "keys per operation, architecture and emitter: a sample; 0: all");
  app.add_option("--jobs", options->jobs, "threads; 0: one per processor");
  app.add_flag("--text-only", options->text_only, "emit, but do not compile");
  add_json_flag(app, options->json);
  app.callback([options, &invocation] {
    invocation.action = [options, &invocation] {
      const Expected<int> code = run(*options, invocation);
      return code.ok() ? *code : fail(code.status(), options->json);
    };
  });
}

}  // namespace tailor::cli
