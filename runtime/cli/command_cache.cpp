// tailor cache ls | stat | verify.
#include <memory>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "runtime/cli/exit_code.h"
#include "runtime/cli/flags.h"
#include "runtime/dispatch/action_key.h"

namespace tailor::cli {
namespace {

struct CacheOptions {
  CacheFlags flags;
  bool json = false;
};

Json stat_json(const cache::StoreStat& stat) {
  return {{"actions", stat.actions},           {"action_bytes", stat.action_bytes}, {"objects", stat.objects},
          {"object_bytes", stat.object_bytes}, {"tmp_files", stat.tmp_files},       {"tmp_bytes", stat.tmp_bytes},
          {"disk_bytes", stat.disk_bytes}};
}

Expected<Json> list(cache::Store& store) {
  TAILOR_ASSIGN_OR_RETURN(const std::vector<cache::EntryInfo> entries, store.list());
  Json rows = Json::array();
  for (const cache::EntryInfo& entry : entries) {
    Json objects = Json::object();
    uint64_t bytes = 0;
    for (const cache::ObjectInfo& object : entry.objects) {
      objects[object.name] = object.size;
      bytes += object.size;
    }
    rows.push_back({{"digest", entry.digest},
                    {"bytes", entry.bytes},
                    {"object_bytes", bytes},
                    {"age_seconds", static_cast<int64_t>(entry.age_seconds)},
                    {"toolchain", entry.toolchain},
                    {"minimum_driver", entry.minimum_driver},
                    {"objects", std::move(objects)},
                    {"key", describe_action_key(entry.key)}});
  }
  return Json{{"count", entries.size()}, {"entries", std::move(rows)}};
}

Expected<Json> stat(cache::Store& store) {
  TAILOR_ASSIGN_OR_RETURN(const cache::StoreStat result, store.stat());
  return stat_json(result);
}

Expected<Json> verify(cache::Store& store) {
  TAILOR_ASSIGN_OR_RETURN(const cache::VerifyReport result, store.verify());
  Json problems = Json::array();
  for (const cache::Problem& problem : result.problems) {
    problems.push_back({{"path", problem.path}, {"reason", to_string(problem.reason)}, {"message", problem.message}});
  }
  return Json{{"intact", result.problems.empty()},       {"intact_actions", result.intact_actions},
              {"intact_objects", result.intact_objects}, {"unreferenced_objects", result.unreferenced_objects},
              {"problem_count", result.problems.size()}, {"problems", std::move(problems)}};
}

using Query = Expected<Json> (*)(cache::Store&);

int run_query(const CacheOptions& options, Query query, const Environment& environment) {
  const auto location = cache_location(options.flags, environment);
  if (!location.ok()) return fail(location.status(), options.json);
  // A question must not create what it asks about.
  std::error_code error;
  if (!std::filesystem::exists(location->root, error)) {
    return fail(not_found(fmt::format("there is no cache at {} (from {})", location->root, location->origin)),
                options.json);
  }
  auto store = open_store(*location);
  if (!store.ok()) return fail(store.status(), options.json);
  auto answer = query(**store);
  if (!answer.ok()) return fail(answer.status(), options.json);
  Json report{{"root", location->root}};
  report.update(*answer);
  if (const Status printed = print_report(report, options.json); !printed.ok()) return fail(printed, false);
  if (report.value("problem_count", 0) == 0) return kExitOk;
  say_error(fmt::format("{} entries are corrupt; they are misses, and the next compile replaces them",
                        report["problem_count"].get<int64_t>()));
  return kExitCorruption;
}

}  // namespace

void add_cache(CLI::App& app, Invocation& invocation) {
  app.require_subcommand(1);
  const auto add = [&](const char* verb, const char* what, Query query) {
    CLI::App& child = *app.add_subcommand(verb, what);
    auto options = std::make_shared<CacheOptions>();
    add_cache_dir_flag(child, options->flags);
    add_json_flag(child, options->json);
    child.callback([options, query, &invocation] {
      invocation.action = [options, query, &invocation] { return run_query(*options, query, invocation.environment); };
    });
  };
  add("ls", "Intact entries: digest, size, age, toolchain, key", &list);
  add("stat", "Numbers and sizes of files", &stat);
  add("verify", "Read everything and compare checksums; exit code 4 if something is corrupt", &verify);
}

}  // namespace tailor::cli
