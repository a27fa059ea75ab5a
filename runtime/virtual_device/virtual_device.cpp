#include "runtime/virtual_device/virtual_device.h"

#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "runtime/virtual_device/device.h"

namespace tailor::virtual_device {

std::string_view to_string(Class value) {
  switch (value) {
#define X(name, text, meaning) \
  case Class::name:            \
    return text;
    TAILOR_VIRTUAL_CLASSES(X)
#undef X
    case Class::kCount:
      break;
  }
  return "unknown";
}

std::string_view to_string(ReportKind kind) {
  switch (kind) {
#define X(name, text, result) \
  case ReportKind::name:      \
    return text;
    TAILOR_VIRTUAL_REPORTS(X)
#undef X
  }
  return "unknown";
}

std::string to_string(const Report& r) {
  std::string text(to_string(r.kind));
  text += ": ";
  if (!r.kernel.empty()) text += fmt::format("kernel {}, ", r.kernel);
  if (r.ptx_line != 0) {
    text += fmt::format("block ({},{},{}), thread ({},{},{}), PTX line {}, ", r.block[0], r.block[1], r.block[2],
                        r.thread[0], r.thread[1], r.thread[2], r.ptx_line);
  }
  if (r.location_line != 0) text += fmt::format("loc {}:{}, ", r.location_file, r.location_line);
  return text + r.message;
}

uint64_t Counters::total_warp_instructions() const {
  return std::accumulate(warp_instructions.begin(), warp_instructions.end(), uint64_t{0});
}
uint64_t Counters::total_thread_instructions() const {
  return std::accumulate(thread_instructions.begin(), thread_instructions.end(), uint64_t{0});
}

namespace {

// Visits every counter once, so that sum and text cannot miss one.
template <class C, class F>
void for_each_counter(C& c, F f) {
  for (size_t k = 0; k < kClassCount; ++k) {
    const std::string name(to_string(static_cast<Class>(k)));
    f("warp_instructions." + name, c.warp_instructions[k]);
    f("thread_instructions." + name, c.thread_instructions[k]);
  }
  f("predicated_off_lanes", c.predicated_off_lanes);
  f("inactive_lanes", c.inactive_lanes);
  f("divergent_branches", c.divergent_branches);
  const auto global = [&](const std::string& name, auto& t) {
    f(name + ".requests", t.requests);
    f(name + ".sectors", t.sectors);
    f(name + ".lines", t.lines);
    f(name + ".bytes", t.bytes);
  };
  const auto shared = [&](const std::string& name, auto& t) {
    f(name + ".requests", t.requests);
    f(name + ".wavefronts", t.wavefronts);
    f(name + ".conflicts", t.conflicts);
    f(name + ".bytes", t.bytes);
  };
  global("global_load", c.global_load);
  global("global_store", c.global_store);
  global("global_atomic", c.global_atomic);
  shared("shared_load", c.shared_load);
  shared("shared_store", c.shared_store);
  shared("shared_atomic", c.shared_atomic);
  f("launches", c.launches);
  f("blocks", c.blocks);
  f("warps", c.warps);
  f("dropped_reports", c.dropped_reports);
}

}  // namespace

Counters& operator+=(Counters& into, const Counters& more) {
  std::vector<uint64_t> values;
  for_each_counter(more, [&](const std::string&, uint64_t v) { values.push_back(v); });
  size_t k = 0;
  for_each_counter(into, [&](const std::string&, uint64_t& v) { v += values[k++]; });
  return into;
}

std::string to_string(const Counters& counters) {
  std::string text;
  for_each_counter(counters, [&](const std::string& name, uint64_t v) {
    if (v != 0) text += fmt::format("{} {}\n", name, v);
  });
  return text;
}

Options options() {
  Device& d = device();
  const std::lock_guard<std::mutex> lock(d.mutex);
  return d.options;
}
void set_options(const Options& options) {
  Device& d = device();
  const std::lock_guard<std::mutex> lock(d.mutex);
  d.options = options;
}
Counters counters() {
  Device& d = device();
  const std::lock_guard<std::mutex> lock(d.mutex);
  return d.counters;
}
void reset_counters() {
  Device& d = device();
  const std::lock_guard<std::mutex> lock(d.mutex);
  d.counters = Counters{};
}
std::optional<LaunchRecord> last_launch() {
  Device& d = device();
  const std::lock_guard<std::mutex> lock(d.mutex);
  return d.last_launch;
}
std::vector<Report> take_reports() {
  Device& d = device();
  const std::lock_guard<std::mutex> lock(d.mutex);
  return std::exchange(d.reports, {});
}
std::string take_output() {
  Device& d = device();
  const std::lock_guard<std::mutex> lock(d.mutex);
  return std::exchange(d.output, {});
}

}  // namespace tailor::virtual_device
