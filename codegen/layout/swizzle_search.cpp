#include "codegen/layout/swizzle_search.h"

#include <algorithm>
#include <bit>
#include <functional>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/swizzle_linear.h"

namespace tailor::codegen::layout {
namespace {

// Every access' lanes as addresses under one placement of the tile's bytes.
using Placement = std::function<int64_t(const TileByte&)>;

Expected<BankConflicts> total(const SwizzleRequest& request, const Placement& place) {
  BankConflicts sum;
  LaneAddresses addresses;
  for (const TileAccess& access : request.accesses) {
    for (const std::vector<TileByte>& issue : access.issues) {
      addresses.clear();
      for (const TileByte& at : issue) addresses.push_back(at.row == kInactiveLane ? kInactiveLane : place(at));
      TAILOR_ASSIGN_OR_RETURN(const BankConflicts one, count_conflicts(*access.model, addresses));
      sum.cost += one.cost;
      sum.ideal += one.ideal;
    }
  }
  return sum;
}

// log2 of the smallest power of two that holds the widest access.
int granule_bits(const SwizzleRequest& request) {
  int bits = 0;
  for (const TileAccess& access : request.accesses) {
    bits = std::max(bits, static_cast<int>(std::bit_width(static_cast<unsigned>(access.model->bytes) - 1)));
  }
  return bits;
}

Status check(const SwizzleRequest& request) {
  if (request.rows < 1 || request.row_bytes < 1 || request.rows > kMaxTileBytes ||
      request.row_bytes > kMaxTileBytes / request.rows) {
    return invalid_argument(fmt::format("a tile of {} rows of {} bytes; it must have at least one byte and at most {}",
                                        request.rows, request.row_bytes, kMaxTileBytes));
  }
  if (request.max_padding_bytes < 0 || request.max_padding_bytes > kMaxTileBytes) {
    return invalid_argument(
        fmt::format("at most {} bytes of padding; it must be 0 to {}", request.max_padding_bytes, kMaxTileBytes));
  }
  if (request.accesses.empty()) return invalid_argument("no access is given; a search needs at least one");
  for (const TileAccess& access : request.accesses) {
    if (access.model == nullptr) return invalid_argument("an access has no bank model");
    for (const std::vector<TileByte>& issue : access.issues) {
      for (const TileByte& at : issue) {
        if (at.row == kInactiveLane) continue;
        const bool inside =
            at.row >= 0 && at.row < request.rows && at.byte >= 0 && at.byte <= request.row_bytes - access.model->bytes;
        if (!inside) {
          return invalid_argument(fmt::format("{} at row {}, byte {} leaves the tile of {} rows of {} bytes",
                                              access.model->opcode, at.row, at.byte, request.rows, request.row_bytes));
        }
      }
    }
  }
  const int64_t granule = int64_t{1} << granule_bits(request);
  for (const TileAccess& access : request.accesses) {
    for (const std::vector<TileByte>& issue : access.issues) {
      for (const TileByte& at : issue) {
        if (at.row == kInactiveLane) continue;
        if ((at.row * request.row_bytes + at.byte) % granule + access.model->bytes > granule) {
          return invalid_argument(fmt::format(
              "{} at row {}, byte {} crosses a multiple of {} bytes; no swizzle of the families keeps it together",
              access.model->opcode, at.row, at.byte, granule));
        }
      }
    }
  }
  return {};
}

struct Family {
  std::vector<Swizzle> swizzles;  // fewest bits first
  int base = 0;                   // the smallest M
  int address_bits = 0;
};

Family family(const SwizzleRequest& request) {
  const int64_t bytes = request.rows * request.row_bytes;
  Family all{{}, granule_bits(request), static_cast<int>(std::bit_width(static_cast<uint64_t>(bytes - 1)))};
  const int n = all.address_bits;
  for (int bits = 1; 2 * bits <= n; ++bits) {
    for (int base = all.base; base + 2 * bits <= n; ++base) {
      for (int shift = bits; base + shift + bits <= n; ++shift) {
        // Changed bits are the low ones of a right shift, the high ones of a left shift; the tile is mapped onto
        // itself when it is made of whole blocks of them.
        if (bytes % (int64_t{1} << (base + bits)) == 0) all.swizzles.push_back({bits, base, shift});
        if (bytes % (int64_t{1} << (base + shift + bits)) == 0) all.swizzles.push_back({bits, base, -shift});
      }
    }
  }
  return all;
}

std::string describe_swizzle(const SwizzleSearch& s, const Family& all) {
  const std::string bounds =
      fmt::format("Swizzle<B,M,S> with B >= 1, M >= {}, bits below {}", all.base, all.address_bits);
  if (s.plain_cost == s.ideal) return fmt::format("the plain tile has no conflict: {} passes", s.ideal);
  if (s.swizzle_frees()) {
    return fmt::format("{} has no conflict: {} passes instead of {} (plain)", s.swizzle.to_string(), s.ideal,
                       s.plain_cost);
  }
  if (s.swizzles_tried == 0) {
    return fmt::format("plain: {} passes, {} would do; the family {} is empty for this tile", s.plain_cost, s.ideal,
                       bounds);
  }
  return fmt::format(
      "no swizzle frees it: all {} of the family {} were tried; plain takes {} passes, the best, {}, {}; {} "
      "would be without conflict",
      s.swizzles_tried, bounds, s.plain_cost, s.swizzle.to_string(), s.swizzle_cost, s.ideal);
}

std::string describe_linear(const SwizzleSearch& s, const SwizzleRequest& request) {
  if (s.linear_verdict == SearchVerdict::kNotSearched || s.plain_cost == s.ideal) return "";
  const std::string family = fmt::format("the 2^{} maps x ^ F(x) from row bits to bank bits of a tile of {} bytes",
                                         s.linear_bits, request.rows * request.row_bytes);
  const auto named = ComposedLayout::create(s.linear, 0, StridedLayout());
  const std::string best = named.ok() && named->has_factor()
                               ? named->to_string().substr(0, named->to_string().find(" o "))
                               : std::string("the plain tile");
  switch (s.linear_verdict) {
    case SearchVerdict::kFound:
      return fmt::format("; {}, of {}, has no conflict: {} passes", best, family, s.ideal);
    case SearchVerdict::kNone:
      return fmt::format("; none of {} frees it, all are ruled out in {} steps; the best, {}, takes {}", family,
                         s.linear_nodes, best, s.linear_cost);
    default:
      return fmt::format("; of {} not all were ruled out within {} steps; the best seen, {}, takes {}", family,
                         s.linear_nodes, best, s.linear_cost);
  }
}

std::string describe_padding(const SwizzleSearch& s, const SwizzleRequest& request) {
  if (s.paddings_tried == 0 || s.plain_cost == s.ideal) return "";
  if (s.padding_frees()) {
    return fmt::format("; {} bytes of padding per row have none either, for {} bytes more", s.padding_bytes,
                       s.padding_bytes * request.rows);
  }
  return fmt::format("; no padding up to {} bytes frees it: all {} were tried; the best, {}, takes {}",
                     request.max_padding_bytes, s.paddings_tried, s.padding_bytes, s.padding_cost);
}

// The request checked, and the costs of the plain tile.
Expected<SwizzleSearch> begin(const SwizzleRequest& request) {
  TAILOR_RETURN_IF_ERROR(check(request));
  SwizzleSearch search;
  TAILOR_ASSIGN_OR_RETURN(const BankConflicts plain, total(request, [&request](const TileByte& at) {
                            return at.row * request.row_bytes + at.byte;
                          }));
  search.ideal = plain.ideal;
  search.plain_cost = search.swizzle_cost = search.linear_cost = search.padding_cost = plain.cost;
  return search;
}

}  // namespace

std::string_view to_string(SearchVerdict verdict) {
  switch (verdict) {
#define X(name, text, meaning) \
  case SearchVerdict::name:    \
    return text;
    TAILOR_SEARCH_VERDICTS(X)
#undef X
  }
  return "undecided";
}

Expected<SwizzleSearch> find_linear_conflict_free(const SwizzleRequest& request) {
  TAILOR_ASSIGN_OR_RETURN(SwizzleSearch search, begin(request));
  search_linear(request, granule_bits(request), search);
  search.explanation = fmt::format("plain: {} passes, {} without conflict", search.plain_cost, search.ideal) +
                       describe_linear(search, request);
  return search;
}

Expected<SwizzleSearch> find_conflict_free(const SwizzleRequest& request) {
  TAILOR_ASSIGN_OR_RETURN(SwizzleSearch search, begin(request));
  const auto linear = [&request](const TileByte& at) { return at.row * request.row_bytes + at.byte; };

  const Family all = family(request);
  for (const Swizzle& swizzle : all.swizzles) {
    const integer::F2Map map = swizzle.map();
    TAILOR_ASSIGN_OR_RETURN(const BankConflicts cost, total(request, [&](const TileByte& at) {
                              return static_cast<int64_t>(map.apply_extended(static_cast<uint64_t>(linear(at))));
                            }));
    ++search.swizzles_tried;
    if (cost.cost >= search.swizzle_cost) continue;
    search.swizzle_cost = cost.cost;
    search.swizzle = swizzle;
  }

  if (!search.swizzle_frees()) search_linear(request, all.base, search);

  const int64_t step = int64_t{1} << all.base;
  for (int64_t padding = step; padding <= request.max_padding_bytes; padding += step) {
    const int64_t pitch = request.row_bytes + padding;
    TAILOR_ASSIGN_OR_RETURN(const BankConflicts cost,
                            total(request, [&](const TileByte& at) { return at.row * pitch + at.byte; }));
    ++search.paddings_tried;
    if (cost.cost >= search.padding_cost) continue;
    search.padding_cost = cost.cost;
    search.padding_bytes = padding;
  }
  search.explanation =
      describe_swizzle(search, all) + describe_linear(search, request) + describe_padding(search, request);
  return search;
}

}  // namespace tailor::codegen::layout
