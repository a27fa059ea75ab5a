#include "runtime/virtual_device/lane_set.h"

namespace tailor::virtual_device {

namespace isa_baseline {
LaneSet make_lane_set();
}
#ifdef TAILOR_HAVE_X86_64_V3
namespace isa_v3 {
LaneSet make_lane_set();
}
#endif

namespace {

LaneSet best() {
#ifdef TAILOR_HAVE_X86_64_V3
  // The features of x86-64-v3 that the compiler may use.
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&
      __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt")) {
    return isa_v3::make_lane_set();
  }
#endif
  return isa_baseline::make_lane_set();
}

}  // namespace

LaneTable::LaneTable(const LaneSet& set) : set_(set) {
  for (const LaneEntries& group : set_.groups) {
    for (uint32_t i = 0; i < group.count; ++i) index_.emplace(group.first[i].key, group.first[i].run);
  }
}

LaneFn LaneTable::find(std::string_view key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : found->second;
}

const LaneTable& lane_table(bool portable) {
  static const LaneTable chosen(best());
  static const LaneTable baseline(isa_baseline::make_lane_set());
  return portable ? baseline : chosen;
}

}  // namespace tailor::virtual_device
