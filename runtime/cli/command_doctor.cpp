// tailor doctor and tailor version: what is here, and how to get the rest.
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "cache/format.h"
#include "runtime/cli/exit_code.h"
#include "runtime/cli/flags.h"
#include "runtime/dispatch/generator_digest.h"
#include "runtime/dispatch/generator_loader.h"
#include "runtime/ops/schema.h"

namespace tailor::cli {
namespace {

// One line of the report. `detail` is where it is or why it is not.
struct Part {
  std::string name;
  bool found = false;
  std::string version, detail, remedy;
};

Expected<std::string> first_device(const DriverTable& driver, int& version) {
  TAILOR_RETURN_IF_ERROR(check(driver, driver.cuInit(0), "cuInit"));
  TAILOR_RETURN_IF_ERROR(check(driver, driver.cuDriverGetVersion(&version), "cuDriverGetVersion"));
  int count = 0;
  TAILOR_RETURN_IF_ERROR(check(driver, driver.cuDeviceGetCount(&count), "cuDeviceGetCount"));
  if (count == 0) return unavailable("it reports no device");
  cu::CUdevice device = 0;
  TAILOR_RETURN_IF_ERROR(check(driver, driver.cuDeviceGet(&device, 0), "cuDeviceGet"));
  std::array<char, 256> name{};
  TAILOR_RETURN_IF_ERROR(
      check(driver, driver.cuDeviceGetName(name.data(), static_cast<int>(name.size()), device), "cuDeviceGetName"));
  return fmt::format("{} device(s), the first: {}", count, name.data());
}

Part driver_part(const char* name, const Expected<const DriverTable*>& driver, const char* remedy) {
  Part part{name, false, "", "", ""};
  int version = 0;
  const Expected<std::string> device = driver.ok() ? first_device(**driver, version) : driver.status();
  if (version > 0) part.version = fmt::format("{}.{}", version / 1000, version % 1000 / 10);
  part.found = device.ok();
  part.detail = device.ok() ? *device : device.status().message();
  if (!part.found) part.remedy = remedy;
  return part;
}

Part cache_part(const CacheFlags& flags, const Environment& environment) {
  Part part{"cache", false, fmt::format("format {}", cache::kFormatVersion), "", ""};
  const auto location = cache_location(flags, environment);
  const Status usable = [&] {
    if (!location.ok()) return location.status();
    const auto store = open_store(*location);
    if (!store.ok()) return store.status();
    const auto stat = (*store)->stat();
    if (stat.ok()) {
      part.detail = fmt::format("{} (from {}), {} actions, {} objects, {} bytes on disk", location->root,
                                location->origin, stat->actions, stat->objects, stat->disk_bytes);
    }
    return stat.status();
  }();
  part.found = usable.ok();
  if (!usable.ok()) {
    part.detail = usable.message();
    part.remedy = "name a private folder with --cache-dir or TAILOR_CACHE_DIR; until then every process compiles anew";
  }
  return part;
}

std::vector<Part> generator_parts(const Invocation& invocation) {
  const auto generator = load_generator("", {library_folders(invocation.environment, invocation.executable)});
  if (!generator.ok()) {
    return {{"code generator", false, "", generator.status().message(), "build the target tailor_codegen"}};
  }
  const std::string digest = (*generator)->digest();
  const bool same_build = digest == generator_digest();
  std::vector<Part> parts{{"code generator", true, digest.substr(0, 12),
                           same_build ? "same build as libtailor" : "of another build than libtailor; keys follow it",
                           ""}};
  for (ToolStatus& tool : (*generator)->tools()) {
    parts.push_back(
        {std::move(tool.name), tool.found, std::move(tool.version), std::move(tool.where), std::move(tool.remedy)});
  }
  return parts;
}

bool found(const std::vector<Part>& parts, std::string_view name) {
  return std::any_of(parts.begin(), parts.end(), [&](const Part& part) { return part.name == name && part.found; });
}

std::string parts_text(const std::vector<Part>& parts) {
  std::string text;
  for (const Part& part : parts) {
    text +=
        fmt::format("{:<15} {:<8} {:<13} {}\n", part.name, part.found ? "found" : "MISSING", part.version, part.detail);
    if (!part.found) text += fmt::format("{:<15} to get it: {}\n", "", part.remedy);
  }
  return text;
}

int doctor(const CacheFlags& flags, bool as_json, const Invocation& invocation) {
  std::vector<Part> parts{
      driver_part("driver", open_cuda_driver(), "install the NVIDIA driver; without a GPU the virtual device serves"),
      driver_part("virtual device", open_virtual_driver(), "build the target tailor_virtual")};
  for (Part& part : generator_parts(invocation)) parts.push_back(std::move(part));
  parts.push_back(cache_part(flags, invocation.environment));

  // What a launch cannot do without: some device, and some way from a key to PTX.
  const bool usable = (found(parts, "driver") || found(parts, "virtual device")) && found(parts, "code generator");
  Json rows = Json::array();
  for (const Part& part : parts) {
    Json row{{"part", part.name}, {"found", part.found}, {"version", part.version}, {"detail", part.detail}};
    if (!part.found) row["remedy"] = part.remedy;
    rows.push_back(std::move(row));
  }
  const Json report{{"usable", usable}, {"parts", std::move(rows)}};
  const Status printed = as_json ? print_report(report, true) : write_output(parts_text(parts), "");
  if (!printed.ok()) return fail(printed, false);
  if (!usable) say_error("neither a device nor a code generator may be missing");
  return usable ? kExitOk : kExitFailed;
}

int version(bool as_json) {
  const Json report{{"version", TAILOR_VERSION},
                    {"schema", kSchemaVersion},
                    {"cache_format", cache::kFormatVersion},
                    {"generator_digest", generator_digest()}};
  const Status printed = print_report(report, as_json);
  return printed.ok() ? kExitOk : fail(printed, false);
}

}  // namespace

void add_doctor(CLI::App& app, Invocation& invocation) {
  struct Options {
    CacheFlags cache;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  add_cache_dir_flag(app, options->cache);
  add_json_flag(app, options->json);
  app.callback([options, &invocation] {
    invocation.action = [options, &invocation] { return doctor(options->cache, options->json, invocation); };
  });
}

void add_version(CLI::App& app, Invocation& invocation) {
  auto as_json = std::make_shared<bool>(false);
  add_json_flag(app, *as_json);
  app.callback([as_json, &invocation] { invocation.action = [as_json] { return version(*as_json); }; });
}

}  // namespace tailor::cli
