// Private: a fixed-size map keyed by text that outlives it (string literals). Open addressing, load at most one half.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace tailor::ptx {

template <class Value, unsigned kSlots>
class TextMap {
 public:
  // Keeps the first value of a key.
  void insert(std::string_view key, Value value) {
    Slot& s = slot(key);
    if (!s.key.empty()) return;
    s = {key, value};
    if (++size_ * 2 > kSlots) std::abort();  // a table of ours outgrew its constant
  }
  Value* find(std::string_view key) {
    if (key.empty()) return nullptr;
    Slot& s = slot(key);
    return s.key.empty() ? nullptr : &s.value;
  }
  const Value* find(std::string_view key) const { return const_cast<TextMap*>(this)->find(key); }

 private:
  struct Slot {
    std::string_view key;
    Value value{};
  };
  Slot& slot(std::string_view key) {
    static_assert(std::has_single_bit(kSlots));
    uint64_t h = 1469598103934665603ull;  // FNV-1a
    for (char c : key) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
    for (h ^= h >> 29;; ++h) {
      Slot& s = slots_[h & (kSlots - 1)];
      if (s.key.empty() || s.key == key) return s;
    }
  }
  std::array<Slot, kSlots> slots_{};
  unsigned size_ = 0;
};

}  // namespace tailor::ptx
