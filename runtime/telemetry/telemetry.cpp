#include "runtime/telemetry/telemetry.h"

#include <chrono>

namespace tailor {

void Telemetry::launch_event(std::string_view key, std::string_view decision, const MissReport* miss,
                             const Status& status) {
  if (!sink_) return;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  JsonLine line;
  line.text("event", "launch")
      .integer("time_ns", std::chrono::duration_cast<std::chrono::nanoseconds>(now).count())
      .text("decision", decision)
      .text("key", key);
  if (miss) {
    line.text("miss_reason", to_string(miss->reason));
    if (!miss->detail.empty()) line.text("miss_detail", miss->detail);
    line.text("new_component", miss->new_component);
    std::vector<std::pair<std::string_view, std::string_view>> notes;
    for (const FallbackNote& note : miss->fallback_notes) notes.emplace_back(to_string(note.fallback), note.detail);
    line.texts("fallbacks", notes);
    line.boolean("text_shared", miss->text_shared).numbers("phase_ms", miss->phases);
  }
  line.text("status", to_string(status.code()));
  if (!status.ok()) line.text("message", status.message());
  sink_->write(std::move(line));
}

void Telemetry::count_resolved(const MissReport& report) {
  const std::lock_guard lock(mutex_);
  if (report.reason != MissReason::kNone) ++cold_.misses[static_cast<size_t>(report.reason)];
  for (const FallbackNote& note : report.fallback_notes) ++cold_.fallbacks[static_cast<size_t>(note.fallback)];
  cold_.kernels_compiled += report.compiled;
  cold_.texts_shared += report.text_shared;
  ++components_[report.new_component];
  for (const auto& [phase, ms] : report.phases) phase_ms_[phase] += ms;
}

void Telemetry::count_launch(Tier tier) {
  const std::lock_guard lock(mutex_);
  ++cold_.launches_by_tier[static_cast<size_t>(tier)];
}

void Telemetry::count_fallback(Fallback fallback) {
  const std::lock_guard lock(mutex_);
  ++cold_.fallbacks[static_cast<size_t>(fallback)];
}

void Telemetry::count_failed() {
  const std::lock_guard lock(mutex_);
  ++cold_.failed_launches;
}

RuntimeStats Telemetry::snapshot() const {
  RuntimeStats stats;
  {
    const std::lock_guard lock(mutex_);
    stats = cold_;
    stats.new_components.assign(components_.begin(), components_.end());
    stats.phase_ms.assign(phase_ms_.begin(), phase_ms_.end());
  }
  stats.launches_by_tier[static_cast<size_t>(Tier::kMemory)] += hot.total(HotCounter::kMemoryLaunches);
  stats.empty_launches = hot.total(HotCounter::kEmptyLaunches);
  stats.launches = stats.empty_launches;
  for (uint64_t n : stats.launches_by_tier) stats.launches += n;
  if (sink_) stats.lost_events = sink_->failed_writes();
  return stats;
}

}  // namespace tailor
