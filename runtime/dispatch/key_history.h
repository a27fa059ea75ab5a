// Which component of a key was new: what a miss is explained by. Not thread-safe; used under the caller's mutex.
#pragma once

#include <array>
#include <set>
#include <string>

#include "runtime/bucket/key.h"

namespace tailor {

class KeyHistory {
 public:
  // Remembers the key. "first" for the first one; otherwise the fields whose value no earlier key had, joined by '+';
  // "combination" if each value had been seen.
  std::string record(const Key& key);

 private:
  std::array<std::set<uint64_t>, kKeyFieldCount> seen_;
};

}  // namespace tailor
