#include "runtime/cli/counters_json.h"

#include <array>
#include <cstdint>
#include <numeric>
#include <string>

#include <fmt/format.h>

namespace tailor::cli {
namespace {

Json traffic_json(const virtual_device::GlobalTraffic& traffic) {
  return {{"requests", traffic.requests}, {"sectors", traffic.sectors}, {"bytes", traffic.bytes}};
}

uint64_t sum(const std::array<uint64_t, virtual_device::kClassCount>& counts) {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

double rounded(double milliseconds) {
  return static_cast<double>(static_cast<int64_t>(milliseconds * 1000 + 0.5)) / 1000;
}

}  // namespace

Json counters_json(const virtual_device::Counters& counters) {
  Json classes = Json::object();
  for (size_t i = 0; i < virtual_device::kClassCount; ++i) {
    if (counters.warp_instructions[i] == 0) continue;
    classes[std::string(to_string(static_cast<virtual_device::Class>(i)))] = counters.warp_instructions[i];
  }
  Json json{{"warp_instructions", sum(counters.warp_instructions)},
            {"thread_instructions", sum(counters.thread_instructions)},
            {"warp_instructions_by_class", std::move(classes)},
            {"predicated_off_lanes", counters.predicated_off_lanes},
            {"inactive_lanes", counters.inactive_lanes},
            {"divergent_branches", counters.divergent_branches},
            {"global_load", traffic_json(counters.global_load)},
            {"global_store", traffic_json(counters.global_store)}};
  if (counters.global_atomic.requests > 0) json["global_atomic"] = traffic_json(counters.global_atomic);
  return json;
}

Json phases_json(const NamedMilliseconds& phases) {
  double total = 0;
  Json json{{"total", 0.0}};
  for (const auto& [name, milliseconds] : phases) {
    total += milliseconds;
    json[name] = rounded(milliseconds);
  }
  json["total"] = rounded(total);
  return json;
}

void warn_of_lost_events(const Runtime& runtime) {
  const uint64_t lost = runtime.stats().lost_events;
  if (lost > 0) say_warning(fmt::format("--telemetry: {} events could not be written", lost));
}

void add_runtime_stats(Json& report, const RuntimeStats& stats) {
  report["distinct_keys"] = stats.distinct_keys;
  report["launches"] = stats.launches;
  Json tiers = Json::object(), misses = Json::object(), fallbacks = Json::object();
  for (size_t i = 0; i < kTierCount; ++i) {
    tiers[std::string(to_string(static_cast<Tier>(i)))] = stats.launches_by_tier[i];
  }
  for (size_t i = 0; i < kMissReasonCount; ++i) {
    if (stats.misses[i] > 0) misses[std::string(to_string(static_cast<MissReason>(i)))] = stats.misses[i];
  }
  for (size_t i = 0; i < kFallbackCount; ++i) {
    if (stats.fallbacks[i] > 0) fallbacks[std::string(to_string(static_cast<Fallback>(i)))] = stats.fallbacks[i];
  }
  report["launches_by_tier"] = std::move(tiers);
  report["misses_by_reason"] = std::move(misses);
  report["fallbacks"] = std::move(fallbacks);
  report["kernels_compiled"] = stats.kernels_compiled;
  report["compile_ms"] = phases_json(stats.phase_ms);
}

}  // namespace tailor::cli
