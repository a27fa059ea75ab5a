// Chooses among the compilations of the lane handlers at run time, and finds handlers by key.
#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include "runtime/virtual_device/context.h"

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

LaneSet choose() {
#ifdef TAILOR_HAVE_X86_64_V3
  // The features of x86-64-v3 that the compiler may use.
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&
      __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt")) {
    return isa_v3::make_lane_set();
  }
#endif
  return isa_baseline::make_lane_set();
}

using Index = std::unordered_map<std::string_view, LaneFn>;
Index make_index() {
  Index index;
  for (const LaneEntries& group : lane_set().groups) {
    for (uint32_t i = 0; i < group.count; ++i) index.emplace(group.first[i].key, group.first[i].run);
  }
  return index;
}

}  // namespace

const LaneSet& lane_set() {
  static const LaneSet set = choose();
  return set;
}

LaneFn find_lane_op(std::string_view key) {
  static const Index index = make_index();
  const auto found = index.find(key);
  return found == index.end() ? nullptr : found->second;
}

}  // namespace tailor::virtual_device
