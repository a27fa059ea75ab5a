// Options that several verbs share, and what they open.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cache/store.h"
#include "runtime/bucket/key_space.h"
#include "runtime/cli/command.h"
#include "runtime/cli/device.h"
#include "runtime/cli/run/workload.h"
#include "tailor/runtime.h"

namespace tailor::cli {

// Sets `value` by `parse`, one of parse_dtype, parse_arch …; `allowed` is the list that help and errors show, `initial`
// the default as help shows it.
template <class T, class Parse>
void add_choice(CLI::App& app, const std::string& name, T& value, Parse parse, const std::string& allowed,
                const std::string& what, std::string_view initial) {
  app.add_option_function<std::string>(
         name,
         [&value, parse, allowed, name](const std::string& text) {
           const auto parsed = parse(text);
           if (!parsed) throw CLI::ValidationError(name, "'" + text + "' is unknown; it must be one of " + allowed);
           value = *parsed;
         },
         what + " (" + allowed + ")")
      ->type_name("NAME")
      ->default_str(std::string(initial));
}

void add_dtype_flag(CLI::App& app, DType& dtype);
void add_layout_flag(CLI::App& app, PageLayout& layout);

// --emitter, --arch, --lowering.
struct TargetFlags {
  Emitter emitter = Emitter::kLlvm;
  std::optional<Arch> arch;
  Lowering lowering = Lowering::kTail;
};
// `arch` is what help shows as the default architecture.
void add_target_flags(CLI::App& app, TargetFlags& flags, std::string_view arch);

// --cache-dir, --no-cache. Flag, then TAILOR_CACHE_DIR, then XDG_CACHE_HOME, then HOME.
struct CacheFlags {
  std::string directory;
  bool off = false;
};
void add_cache_dir_flag(CLI::App& app, CacheFlags& flags);
struct CacheLocation {
  std::string root;    // absolute
  std::string origin;  // which flag or variable decided
};
Expected<std::unique_ptr<cache::Store>> open_store(const CacheLocation& location);
Expected<CacheLocation> cache_location(const CacheFlags& flags, const Environment& environment);

void add_json_flag(CLI::App& app, bool& json);

// Makes every integer option of `app` and of its verbs refuse what is no decimal integer of 64 bits: CLI11 by itself
// reads an empty text as 0 and clamps what does not fit.
void require_integers(CLI::App& app);

// Makes the help of `app` and of its verbs show what every option is when it is not given.
void show_defaults(CLI::App& app);

// A device, a Runtime on it, and what both were asked to be.
struct SessionFlags {
  TargetFlags target;
  CacheFlags cache;
  DeviceChoice device = DeviceChoice::kAuto;
  int64_t ordinal = 0;
  std::string telemetry;
  bool json = false;
};
void add_session_flags(CLI::App& app, SessionFlags& flags);

struct Session {
  std::unique_ptr<Device> device;
  std::unique_ptr<Runtime> runtime;  // destroyed first
};
// A cache root that cannot be used is a warning; the session then runs without a disk tier.
Expected<Session> open_session(const SessionFlags& flags, const Invocation& invocation);

// {"device", "device_name", "arch", "emitter", "lowering", "cache"}: the head of every report of `run`.
Json describe(const Session& session, const SessionFlags& flags);

}  // namespace tailor::cli
