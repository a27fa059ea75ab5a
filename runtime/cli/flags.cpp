#include "runtime/cli/flags.h"

#include <charconv>
#include <functional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace tailor::cli {
namespace {

#define COUNTED(name, text, ...) list += (list.empty() ? "" : ", ") + std::string(text);
template <class T>
std::string names_of();
template <>
std::string names_of<DType>() {
  std::string list;
  TAILOR_DTYPES(COUNTED)
  return list;
}
template <>
std::string names_of<Arch>() {
  std::string list;
  TAILOR_ARCHS(COUNTED)
  return list;
}
template <>
std::string names_of<Emitter>() {
  std::string list;
  TAILOR_EMITTERS(COUNTED)
  return list;
}
template <>
std::string names_of<Lowering>() {
  std::string list;
  TAILOR_LOWERINGS(COUNTED)
  return list;
}
template <>
std::string names_of<DeviceChoice>() {
  std::string list;
  TAILOR_DEVICE_CHOICES(COUNTED)
  return list;
}
#undef COUNTED

std::optional<DeviceChoice> parse_device(std::string_view s) {
#define X(name, text, meaning) \
  if (s == text) return DeviceChoice::name;
  TAILOR_DEVICE_CHOICES(X)
#undef X
  return std::nullopt;
}

std::string_view text_of(DeviceChoice choice) {
  switch (choice) {
#define X(name, text, meaning) \
  case DeviceChoice::name:     \
    return text;
    TAILOR_DEVICE_CHOICES(X)
#undef X
  }
  return "unknown";
}

std::optional<PageLayout> parse_layout(std::string_view s) {
  if (s == "nhd") return PageLayout::kSlotMajor;
  if (s == "hnd") return PageLayout::kHeadMajor;
  return std::nullopt;
}

// A check that says `rule` of a text that is not wholly one T.
template <class T>
std::function<std::string(const std::string&)> refusal_unless(std::string rule) {
  return [rule = std::move(rule)](const std::string& text) {
    T value{};
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc{} && stop == end ? std::string() : fmt::format("'{}' was given; {}", text, rule);
  };
}

}  // namespace

void add_dtype_flag(CLI::App& app, DType& dtype) {
  add_choice(app, "--dtype", dtype, parse_dtype, names_of<DType>(), "element type", to_string(dtype));
}

void add_layout_flag(CLI::App& app, PageLayout& layout) {
  add_choice(app, "--layout", layout, parse_layout, "nhd, hnd",
             "order of a page: nhd = [page_size, H, D], hnd = [H, page_size, D]",
             layout == PageLayout::kSlotMajor ? "nhd" : "hnd");
}

void add_target_flags(CLI::App& app, TargetFlags& flags, std::string_view arch) {
  add_choice(app, "--emitter", flags.emitter, parse_emitter, names_of<Emitter>(), "emitter", to_string(flags.emitter));
  add_choice(app, "--arch", flags.arch, parse_arch, names_of<Arch>(), "architecture", arch);
  add_choice(app, "--lowering", flags.lowering, parse_lowering, names_of<Lowering>(), "treatment of row tails",
             to_string(flags.lowering));
}

void add_cache_dir_flag(CLI::App& app, CacheFlags& flags) {
  app.add_option("--cache-dir", flags.directory, "root of the disk cache")->type_name("DIR");
}

void add_json_flag(CLI::App& app, bool& json) { app.add_flag("--json", json, "print the report as JSON"); }

void require_integers(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const std::string type = option->get_type_name();
    if (type == "UINT") {
      option->check(refusal_unless<uint64_t>("it must be a decimal integer in [0, 2^64)"));
    } else if (type == "INT" || type == "BYTES") {
      option->check(refusal_unless<int64_t>("it must be a decimal integer in [-2^63, 2^63)"));
    }
  }
  for (CLI::App* verb : app.get_subcommands({})) require_integers(*verb);
}

void show_defaults(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const bool list = option->get_items_expected_max() > 1, flag = option->get_type_size() == 0;
    if (!list && !flag && option->get_default_str().empty()) option->capture_default_str();
  }
  for (CLI::App* verb : app.get_subcommands({})) show_defaults(*verb);
}

Expected<CacheLocation> cache_location(const CacheFlags& flags, const Environment& environment) {
  const bool from_flag = !flags.directory.empty();
  const std::string& chosen = from_flag ? flags.directory : environment.cache_dir;
  if (!chosen.empty()) {
    std::error_code error;
    const std::filesystem::path absolute = std::filesystem::absolute(chosen, error);
    if (error) return invalid_argument(fmt::format("cache folder {}: {}", chosen, error.message()));
    return CacheLocation{absolute.lexically_normal().string(), from_flag ? "--cache-dir" : "TAILOR_CACHE_DIR"};
  }
  TAILOR_ASSIGN_OR_RETURN(std::string root, cache::default_root(environment.xdg_cache_home, environment.home));
  const bool xdg = environment.xdg_cache_home.starts_with('/');
  return CacheLocation{std::move(root), xdg ? "XDG_CACHE_HOME" : "HOME"};
}

Expected<std::unique_ptr<cache::Store>> open_store(const CacheLocation& location) {
  cache::StoreOptions options;
  options.root = location.root;
  return cache::Store::open(std::move(options));
}

void add_session_flags(CLI::App& app, SessionFlags& flags) {
  add_target_flags(app, flags.target, "the device's");
  add_choice(app, "--device", flags.device, parse_device, names_of<DeviceChoice>(), "device", text_of(flags.device));
  app.add_option("--ordinal", flags.ordinal, "number of the device");
  add_cache_dir_flag(app, flags.cache);
  app.add_flag("--no-cache", flags.cache.off, "run without a disk cache");
  app.add_option("--telemetry", flags.telemetry, "append events to this file, as JSON lines")->type_name("FILE");
  add_json_flag(app, flags.json);
}

Expected<Session> open_session(const SessionFlags& flags, const Invocation& invocation) {
  Session session;
  TAILOR_ASSIGN_OR_RETURN(session.device, Device::open(flags.device, flags.ordinal));
  RuntimeOptions options;
  options.device = session.device->kind();
  options.ordinal = session.device->ordinal();
  options.arch = flags.target.arch;
  options.emitter = flags.target.emitter;
  options.lowering = flags.target.lowering;
  options.library_folders = library_folders(invocation.environment, invocation.executable);
  options.telemetry_path = flags.telemetry;
  if (!flags.cache.off) {
    const auto location = cache_location(flags.cache, invocation.environment);
    if (location.ok()) {
      options.cache_root = location->root;
    } else {
      say_warning(fmt::format("no disk cache: {}", location.status().message()));
    }
  }
  TAILOR_ASSIGN_OR_RETURN(session.runtime, Runtime::open(options));
  if (const Status cache = session.runtime->cache_status(); !cache.ok()) {
    say_warning(fmt::format("no disk cache: {}", cache.message()));
  }
  return session;
}

Json describe(const Session& session, const SessionFlags& flags) {
  return Json{{"device", session.device->kind()},
              {"device_name", session.device->name()},
              {"arch", to_string(session.runtime->arch())},
              {"emitter", to_string(flags.target.emitter)},
              {"lowering", to_string(flags.target.lowering)}};
}

}  // namespace tailor::cli
