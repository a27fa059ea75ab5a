// What a Runtime counts and tells: hot counters on the launch path, everything else under a mutex on the miss path, and
// an optional stream of events. Threads: any. Ownership: owns its sink. Nothing here fails a launch.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/telemetry/event_sink.h"
#include "runtime/telemetry/hot_counters.h"
#include "tailor/runtime.h"
#include "tailor/status.h"

namespace tailor {

// How a key that was not in the table was resolved: the facts of one miss, shared by everybody who waited for it.
struct MissReport {
  Tier tier = Tier::kCompiled;
  MissReason reason = MissReason::kNone;  // kNone: disk served it
  std::string detail;
  std::string new_component;
  FallbackSet fallbacks;
  std::vector<FallbackNote> fallback_notes;
  bool compiled = false;     // a compiler ran for this key
  bool text_shared = false;  // the emitted text had been compiled before
  NamedMilliseconds phases;

  // Of several of one kind the first is kept: it is the cause of later ones.
  void note(Fallback what, std::string why) {
    if (fallbacks.contains(what)) return;
    fallbacks.add(what);
    fallback_notes.push_back({what, std::move(why)});
  }
};

class Telemetry {
 public:
  explicit Telemetry(std::unique_ptr<EventSink> sink) : sink_(std::move(sink)) {}

  HotCounters hot;

  bool events_on() const { return sink_ != nullptr; }
  // One event per launch decision. `key` is its printed form; `miss` null on a hit or an empty launch.
  void launch_event(std::string_view key, std::string_view decision, const MissReport* miss, const Status& status);

  void count_resolved(const MissReport& report);  // once per key
  void count_launch(Tier tier);                   // not for Tier::kMemory hits, which are hot
  void count_fallback(Fallback fallback);         // one that no MissReport of count_resolved has
  void count_failed();

  // Everything but distinct_keys and cache_io_errors.
  RuntimeStats snapshot() const;

 private:
  std::unique_ptr<EventSink> sink_;
  mutable std::mutex mutex_;
  RuntimeStats cold_;                           // guarded by mutex_
  std::map<std::string, uint64_t> components_;  // guarded by mutex_
  std::map<std::string, double> phase_ms_;      // guarded by mutex_
};

}  // namespace tailor
