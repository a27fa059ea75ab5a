// Residues of host-known extents that keys tell apart beyond the common ones.
//
// A strided copy knows its extents on the host, and a kernel that knows an extent's residue has no guards on its tail.
// Every residue would be a kernel of its own, so keys carry the multiples of 16, which tiles and paddings give, and
// those that this set holds: residues that were launched often (runtime/dispatch/residue_counts.h). The others are
// unknown.
//
// Given the same set, make_key is pure. Thread-safety: any thread may call; contains() is one relaxed load. Two
// launches that race with a change may take different keys, both right.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace tailor {

// name, modulus, what it is the residue of
#define TAILOR_RESIDUE_KINDS(X)                                                        \
  X(kRunBytes, 512, "bytes of a run of more than 2048 bytes: columns_residue of runs") \
  X(kMatrixColumns, 64, "N of a transposed copy: columns_residue")

enum class ResidueKind : uint8_t {
#define X(name, modulus, meaning) name,
  TAILOR_RESIDUE_KINDS(X)
#undef X
};

constexpr int residue_modulus(ResidueKind kind) {
  switch (kind) {
#define X(name, modulus, meaning) \
  case ResidueKind::name:         \
    return modulus;
    TAILOR_RESIDUE_KINDS(X)
#undef X
  }
  return 1;
}

inline constexpr int kCommonResidueStep = 16;

// A residue of some kind as one number in [0, kResidueCount).
#define X(name, modulus, meaning) +modulus
inline constexpr int kResidueCount = 0 TAILOR_RESIDUE_KINDS(X);
#undef X
constexpr int residue_index(ResidueKind kind, int residue) {
  for (int k = 0; k < static_cast<int>(kind); ++k) residue += residue_modulus(static_cast<ResidueKind>(k));
  return residue;
}

class LearnedResidues {
 public:
  // `residue` in [0, residue_modulus(kind)).
  bool contains(ResidueKind kind, int residue) const { return contains(residue_index(kind, residue)); }
  bool contains(int index) const { return word(index).load(std::memory_order_relaxed) >> (index % 64) & 1; }
  void add(ResidueKind kind, int residue) { add(residue_index(kind, residue)); }
  void add(int index) { word(index).fetch_or(uint64_t{1} << (index % 64), std::memory_order_relaxed); }
  void remove(int index) { word(index).fetch_and(~(uint64_t{1} << (index % 64)), std::memory_order_relaxed); }

 private:
  const std::atomic<uint64_t>& word(int index) const { return words_[static_cast<size_t>(index) / 64]; }
  std::atomic<uint64_t>& word(int index) { return words_[static_cast<size_t>(index) / 64]; }

  std::array<std::atomic<uint64_t>, (kResidueCount + 63) / 64> words_{};
};

// True if a key carries this residue: a common one, or one of `learned`, which may be null.
constexpr bool is_common_residue(int residue) { return residue % kCommonResidueStep == 0; }
inline bool is_known_residue(ResidueKind kind, int residue, const LearnedResidues* learned) {
  return is_common_residue(residue) || (learned != nullptr && learned->contains(kind, residue));
}

}  // namespace tailor
