#include "runtime/dispatch/key_history.h"

namespace tailor {
namespace {

constexpr std::array<std::string_view, kKeyFieldCount> kNames = {
#define X(name, text, bits, word, meaning) text,
    TAILOR_KEY_FIELDS(X)
#undef X
};

}  // namespace

std::string KeyHistory::record(const Key& key) {
  const bool first = seen_[0].empty();
  std::string fresh;
  for (int i = 0; i < kKeyFieldCount; ++i) {
    if (!seen_[i].insert(key.get(static_cast<KeyField>(i))).second) continue;
    if (!fresh.empty()) fresh += '+';
    fresh += kNames[i];
  }
  if (first) return "first";
  return fresh.empty() ? "combination" : fresh;
}

}  // namespace tailor
