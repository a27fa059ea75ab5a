// The virtual device's counters and a Runtime's statistics as JSON with stable names.
#pragma once

#include "runtime/cli/output.h"
#include "runtime/virtual_device/virtual_device.h"
#include "tailor/runtime.h"

namespace tailor::cli {

// Every class that occurred, the traffic of every kind of access, lanes that did nothing.
Json counters_json(const virtual_device::Counters& counters);

// {"distinct_keys", "launches_by_tier", "misses_by_reason", "compile_ms": {"total", phases…}, …}
void add_runtime_stats(Json& report, const RuntimeStats& stats);

// A line on stderr when events of --telemetry could not be written: they are lost, and the launches are not.
void warn_of_lost_events(const Runtime& runtime);

// {"total": …, "derive": …, …}
Json phases_json(const NamedMilliseconds& phases);

}  // namespace tailor::cli
