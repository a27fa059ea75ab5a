// A swizzle or a padding that frees given accesses of bank conflicts, or the statement that the family holds none.
//
// Worked example: a tile of 64 rows of 128 bytes, written row by row (st.shared.b128, lane l at row l / 8, chunk l % 8)
// and read by ldmatrix.x4 (lane l at row l, the same chunk). Unswizzled the reads take 8 passes per row group. The
// search answers Sw<3,4,3>, the swizzle that TMA calls 128B, and 16 bytes of padding per row.
//
// Families, searched to the end:
//   swizzle  x ^ shift(x & mask) on byte addresses, every Swizzle<B,M,S> with B >= 1 that keeps each lane's bytes
//            together (2^M >= the widest access), has its bits within the tile's addresses, and maps the tile onto
//            itself
//   linear   x ^ F(x) with F linear over F2 from the bits that select a row of banks (log2(4 * banks) and above) to the
//            bits that select a bank: every such F; searched only where no Swizzle<B,M,S> is without conflict.
//            (Swizzles from row bits to bank bits are members. A linear bijection that also mixes bank bits among
//            themselves costs what a member costs: that renames banks.) Searched by branch and bound, bit by bit of the
//            source: a partial F is given up when the lanes it already places take as many passes as the best F found.
//            That is exhaustive, unless kMaxSearchNodes partial maps were looked at; then the answer is "not decided".
//   padding  row pitch = row bytes + p, p a multiple of the widest access up to max_padding_bytes
// None of them changes how many dwords a group of lanes names, so `ideal` is the same for all and cost = ideal is
// conflict freedom.
//
// Ownership: value types; bank models are constants of banks.h. Threads: pure functions. Errors: kInvalidArgument
// (empty or misaligned accesses, bytes outside the tile, a tile above kMaxTileBytes).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "codegen/layout/banks.h"
#include "codegen/layout/composed_layout.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

constexpr int64_t kMaxTileBytes = int64_t{1} << 20;
constexpr int64_t kMaxSearchNodes = int64_t{1} << 20;

// The first byte that a lane touches; row kInactiveLane for a lane that does not take part.
struct TileByte {
  int64_t row = 0;
  int64_t byte = 0;  // within the row
};

// One instruction, as often as it is issued; each time one entry per lane (per part).
struct TileAccess {
  const BankModel* model = nullptr;
  std::vector<std::vector<TileByte>> issues;
};

struct SwizzleRequest {
  int64_t rows = 0;
  int64_t row_bytes = 0;
  std::vector<TileAccess> accesses;  // reads and writes alike
  int64_t max_padding_bytes = 0;     // 0: padding is not searched
};

// What the search of one family came to.
// name, text
#define TAILOR_SEARCH_VERDICTS(X)                                          \
  X(kFound, "found", "a member is without conflict")                       \
  X(kNone, "none", "every member was tried or ruled out: none is")         \
  X(kUndecided, "undecided", "the bound on the search was reached before") \
  X(kNotSearched, "not searched", "nobody asked, or an earlier family has the answer")

enum class SearchVerdict : uint8_t {
#define X(name, text, meaning) name,
  TAILOR_SEARCH_VERDICTS(X)
#undef X
};
std::string_view to_string(SearchVerdict verdict);

struct SwizzleSearch {
  int64_t ideal = 0;  // passes over all accesses without any conflict
  int64_t plain_cost = 0;
  // Best of the family, the fewest bits first; Sw<0,0,0> and 0 when the plain tile is as good.
  Swizzle swizzle;
  int64_t swizzle_cost = 0;
  int64_t swizzles_tried = 0;
  // The best x ^ F(x), as an automorphism of byte addresses; the identity where nothing is better than the plain tile.
  integer::F2Map linear;
  int64_t linear_cost = 0;
  int linear_bits = 0;       // the family has 2^linear_bits members
  int64_t linear_nodes = 0;  // partial maps looked at
  SearchVerdict linear_verdict = SearchVerdict::kNotSearched;
  int64_t padding_bytes = 0;
  int64_t padding_cost = 0;
  int64_t paddings_tried = 0;

  bool swizzle_frees() const { return swizzle_cost == ideal; }
  bool linear_frees() const { return linear_cost == ideal; }
  bool padding_frees() const { return padding_cost == ideal; }
  // Says what was found; where nothing frees the accesses, names the family, its bounds and the number tried.
  std::string explanation;
};

Expected<SwizzleSearch> find_conflict_free(const SwizzleRequest& request);
// The linear family alone.
Expected<SwizzleSearch> find_linear_conflict_free(const SwizzleRequest& request);

}  // namespace tailor::codegen::layout
