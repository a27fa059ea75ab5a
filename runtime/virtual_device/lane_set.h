// The compilations of the lane handlers, and the choice among them.
#pragma once

#include <string_view>
#include <unordered_map>

#include "runtime/virtual_device/context.h"

namespace tailor::virtual_device {

class LaneTable {
 public:
  explicit LaneTable(const LaneSet& set);
  // The handler with this key, or nullptr.
  LaneFn find(std::string_view key) const;
  RunFn run() const { return set_.run; }
  const char* name() const { return set_.name; }

 private:
  LaneSet set_;
  std::unordered_map<std::string_view, LaneFn> index_;
};

// The best compilation that this machine runs; `portable`: the one that every machine of the architecture runs.
const LaneTable& lane_table(bool portable);

}  // namespace tailor::virtual_device
