// The swizzles that TMA uses are found for the tiles it uses them for; claims of "none" are checked by counting.
#include "codegen/layout/swizzle_search.h"

#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tailor::codegen::layout {
namespace {

using testing::HasSubstr;

const BankModel* model(std::string_view arch, std::string_view opcode) {
  const auto found = find_bank_model(arch, opcode);
  EXPECT_TRUE(found.ok()) << found.status().message();
  return *found;
}

// Lanes along the row: lane l at element l of the tile, `bytes` each.
TileAccess by_rows(const BankModel* m, int64_t row_bytes) {
  TileAccess access{m, {{}}};
  for (int64_t lane = 0; lane < m->lanes; ++lane) {
    const int64_t at = lane * m->bytes;
    access.issues[0].push_back({at / row_bytes, at % row_bytes});
  }
  return access;
}

// Lanes down a column, once for every column of the row.
TileAccess by_columns(const BankModel* m, int64_t row_bytes) {
  TileAccess access{m, {}};
  for (int64_t byte = 0; byte < row_bytes; byte += m->bytes) {
    auto& issue = access.issues.emplace_back();
    for (int64_t lane = 0; lane < m->lanes; ++lane) issue.push_back({lane, byte});
  }
  return access;
}

SwizzleSearch search(const SwizzleRequest& request) {
  const auto result = find_conflict_free(request);
  EXPECT_TRUE(result.ok()) << result.status().message();
  return *result;
}

int64_t cost_of(const SwizzleRequest& request, const Swizzle& swizzle) {
  int64_t cost = 0;
  for (const TileAccess& access : request.accesses) {
    for (const auto& issue : access.issues) {
      LaneAddresses addresses;
      for (const TileByte& at : issue) {
        const int64_t x = at.row * request.row_bytes + at.byte;
        const int64_t mask = ((int64_t{1} << swizzle.bits) - 1) << (swizzle.base + std::max(0, swizzle.shift));
        addresses.push_back(swizzle.shift >= 0 ? x ^ (x & mask) >> swizzle.shift : x ^ (x & mask) << -swizzle.shift);
      }
      cost += count_conflicts(*access.model, addresses)->cost;
    }
  }
  return cost;
}

TEST(SwizzleSearch, TheTmaSwizzlesAreFoundForTheirSpans) {
  const BankModel* store = model("nvidia", "st.shared.b128");
  const BankModel* load = model("nvidia", "ldmatrix.x4");
  for (const auto& [span, expected] : {std::pair<int64_t, Swizzle>{32, {1, 4, 3}}, {64, {2, 4, 3}}, {128, {3, 4, 3}}}) {
    const SwizzleRequest request{32, span, {by_rows(store, span), by_columns(load, span)}, 64};
    const SwizzleSearch found = search(request);
    EXPECT_TRUE(found.swizzle_frees()) << found.explanation;
    EXPECT_EQ(found.swizzle, expected) << found.explanation;
    EXPECT_EQ(cost_of(request, found.swizzle), found.ideal);
    // Padding splits the 128-byte run that eight lanes store into rows of 32 or 64 bytes: it frees the reads alone.
    EXPECT_EQ(found.padding_frees(), span == 128) << found.explanation;
    EXPECT_EQ(found.padding_bytes, 16);
  }
}

TEST(SwizzleSearch, AFreeTileNeedsNothing) {
  const SwizzleSearch found = search({8, 128, {by_rows(model("nvidia", "ld.shared.b32"), 128)}, 0});
  EXPECT_EQ(found.swizzle, Swizzle{});
  EXPECT_TRUE(found.swizzle_frees());
  EXPECT_THAT(found.explanation, HasSubstr("plain tile has no conflict"));
}

TEST(SwizzleSearch, AFloatTransposeIsFreed) {
  const BankModel* read = model("nvidia", "ld.shared.b32");
  const BankModel* write = model("nvidia", "st.shared.b32");
  const SwizzleRequest request{32, 128, {by_rows(write, 128), by_columns(read, 128)}, 16};
  const SwizzleSearch found = search(request);
  EXPECT_TRUE(found.swizzle_frees()) << found.explanation;
  EXPECT_EQ(found.swizzle, (Swizzle{5, 2, 5}));
  EXPECT_EQ(found.padding_bytes, 4);
}

// Stores of 16 bytes keep chunks whole, so a column of floats lies in 8 chunks per 128 bytes: 32 lanes, 8 banks of 32.
// Four passes per column are a lower bound for whatever moves whole chunks.
TEST(SwizzleSearch, WhereChunksMustStayWholeNoSwizzleFreesAFloatColumn) {
  const SwizzleRequest request{
      32,
      128,
      {by_rows(model("nvidia", "st.shared.b128"), 128), by_columns(model("nvidia", "ld.shared.b32"), 128)},
      256};
  const SwizzleSearch found = search(request);
  EXPECT_FALSE(found.swizzle_frees());
  EXPECT_FALSE(found.padding_frees());
  EXPECT_EQ(found.swizzle_cost, found.ideal + 32 * 3);
  EXPECT_EQ(cost_of(request, found.swizzle), found.swizzle_cost);
  EXPECT_THAT(found.explanation, HasSubstr(fmt::format("all {} of the family", found.swizzles_tried)));
  // B bits of [4, 12), twice, at distance >= B, both directions: Σ_B Σ_M (distances).
  int64_t expected = 0;
  for (int b = 1; 2 * b <= 8; ++b) {
    for (int m = 4; m + 2 * b <= 12; ++m) expected += 2 * (12 - m - 2 * b + 1);
  }
  EXPECT_EQ(found.swizzles_tried, expected);
  EXPECT_EQ(found.paddings_tried, 16);
}

// The claim of optimality: no member of the family is cheaper, by a second enumeration.
TEST(SwizzleSearch, TheBestIsTheMinimumOfTheFamily) {
  const BankModel* read = model("gfx942", "ds_read_b128");
  const BankModel* write = model("gfx942", "ds_write_b128");
  for (int64_t row_bytes : {64, 96, 128, 192, 256}) {
    const SwizzleRequest request{64, row_bytes, {by_rows(write, row_bytes), by_columns(read, row_bytes)}, 0};
    const SwizzleSearch found = search(request);
    const int64_t bytes = 64 * row_bytes;
    int64_t best = found.plain_cost;
    int64_t tried = 0;
    for (int b = 1; b < 16; ++b) {
      for (int m = 4; m < 16; ++m) {
        for (int s = -15; s <= 15; ++s) {
          const auto swizzle = Swizzle::create(b, m, s);
          if (!swizzle.ok() || s == 0 || (int64_t{1} << (m + b + std::abs(s) - 1)) >= bytes) continue;
          // Maps the tile onto itself, tried byte by byte.
          bool inside = true;
          for (int64_t x = 0; x < bytes && inside; x += 16) {
            inside = static_cast<int64_t>(swizzle->map().apply_extended(static_cast<uint64_t>(x))) < bytes;
          }
          if (!inside) continue;
          ++tried;
          best = std::min(best, cost_of(request, *swizzle));
        }
      }
    }
    EXPECT_EQ(found.swizzle_cost, best) << row_bytes << ": " << found.explanation;
    EXPECT_EQ(found.swizzles_tried, tried) << row_bytes;
  }
}

int64_t cost_of(const SwizzleRequest& request, const integer::F2Map& map) {
  int64_t cost = 0;
  for (const TileAccess& access : request.accesses) {
    for (const auto& issue : access.issues) {
      LaneAddresses addresses;
      for (const TileByte& at : issue) {
        const int64_t x = at.row * request.row_bytes + at.byte;
        addresses.push_back(at.row == kInactiveLane
                                ? kInactiveLane
                                : static_cast<int64_t>(map.apply_extended(static_cast<uint64_t>(x))));
      }
      cost += count_conflicts(*access.model, addresses)->cost;
    }
  }
  return cost;
}

// Every linear map from row bits to bank bits, counted the slow way.
TEST(LinearSearch, TheBestIsTheMinimumOfTheFamilyAndNoneMeansNone) {
  std::mt19937_64 rng(71);
  int found = 0;
  int none = 0;
  const std::vector<std::pair<const char*, const char*>> pairs = {
      {"nvidia", "ld.shared.b128"}, {"nvidia", "ld.shared.b64"},  {"nvidia", "ldmatrix.x4"},
      {"gfx942", "ds_read_b128"},   {"gfx950", "ds_read_b128"},   {"gfx950", "ds_write_b64"},
      {"nvidia", "ld.shared.b32"},  {"nvidia", "st.shared.b128"}, {"gfx942", "ds_read2_b64"}};
  for (int round = 0; round < 60; ++round) {
    SwizzleRequest request;
    request.row_bytes = int64_t{1} << (5 + rng() % 4);
    request.rows = 512 * (1 + static_cast<int64_t>(rng() % 3)) / request.row_bytes * 2;
    int granule = 2;
    int window = 6;
    int highest = 6;
    for (int n = 0; n < 2; ++n) {
      const auto& [arch, opcode] = pairs[rng() % pairs.size()];
      const BankModel* m = model(arch, opcode);
      granule = std::max(granule, m->bytes == 16 ? 4 : m->bytes == 8 ? 3 : 2);
      const int banks = m->banks == 64 ? 8 : 7;
      window = n == 0 ? banks : std::min(window, banks);
      highest = std::max(highest, banks);
      TileAccess access{m, {{}}};
      const bool regular = round % 3 != 0;  // lanes at a power of two apart, as rows and columns are
      const int64_t stride = regular ? 1 : 1 + static_cast<int64_t>(rng() % 8);
      const int64_t scale = int64_t{1} << rng() % 4;
      for (int64_t lane = 0; lane < m->lanes * m->parts; ++lane) {
        const bool active = regular || rng() % 16 != 0;
        const int64_t chunk = (lane * stride + (regular ? 0 : static_cast<int64_t>(rng() % 4 == 0))) * scale;
        const int64_t at = chunk * 16 % (request.rows * request.row_bytes);
        access.issues[0].push_back({active ? at / request.row_bytes : kInactiveLane, at % request.row_bytes});
      }
      request.accesses.push_back(access);
    }
    const auto searched = find_linear_conflict_free(request);
    ASSERT_TRUE(searched.ok()) << searched.status().message();
    const int64_t bytes = request.rows * request.row_bytes;
    highest = std::min(highest, __builtin_ctzll(static_cast<uint64_t>(bytes)));
    std::vector<std::pair<int, int>> bits;  // source, target
    for (int source = window; int64_t{1} << source < bytes; ++source) {
      for (int target = granule; target < std::min(source, highest); ++target) bits.emplace_back(source, target);
    }
    EXPECT_EQ(searched->linear_bits, static_cast<int>(bits.size()));
    EXPECT_EQ(cost_of(request, searched->linear), searched->linear_cost) << searched->explanation;
    for (int64_t x = 0; x < bytes; x += 4) {
      ASSERT_LT(static_cast<int64_t>(searched->linear.apply_extended(static_cast<uint64_t>(x))), bytes);
    }
    if (bits.size() > 12) continue;
    int64_t best = cost_of(request, integer::F2Map());
    for (uint64_t chosen = 0; chosen < uint64_t{1} << bits.size(); ++chosen) {
      std::vector<uint64_t> columns = integer::F2Map::identity(20).columns();
      for (size_t k = 0; k < bits.size(); ++k) {
        if ((chosen >> k & 1) != 0) columns[static_cast<size_t>(bits[k].first)] ^= uint64_t{1} << bits[k].second;
      }
      best = std::min(best, cost_of(request, *integer::F2Map::create(columns)));
    }
    ASSERT_EQ(searched->linear_cost, best) << searched->explanation;
    EXPECT_EQ(searched->linear_verdict, best == searched->ideal ? SearchVerdict::kFound : SearchVerdict::kNone);
    (best == searched->ideal ? found : none) += 1;
  }
  EXPECT_GT(found, 5);
  EXPECT_GT(none, 5);
}

TEST(LinearSearch, FindsWhatNoSwizzleNotationSays) {
  // Eight rows of 128 bytes, the rows that a ldmatrix reads being 0 1 2 3 8 9 10 11 … : the middle bit must stay out.
  const BankModel* load = model("nvidia", "ldmatrix.x4");
  TileAccess access{load, {{}}};
  for (int64_t lane = 0; lane < 32; ++lane) access.issues[0].push_back({(lane & 3) | (lane & 28) << 1, 0});
  TileAccess other{load, {{}}};
  for (int64_t lane = 0; lane < 32; ++lane)
    other.issues[0].push_back({(lane & 1) << 2 | (lane & 6) << 2 | lane >> 4, 16});
  const SwizzleRequest request{64, 128, {access, other}, 0};
  const SwizzleSearch searched = search(request);
  ASSERT_FALSE(searched.swizzle_frees()) << searched.explanation;
  EXPECT_TRUE(searched.linear_frees()) << searched.explanation;
  EXPECT_EQ(cost_of(request, searched.linear), searched.ideal);
  EXPECT_THAT(searched.explanation, HasSubstr("of the 2^18 maps x ^ F(x)"));
}

TEST(LinearSearch, SaysThatEveryMapWasRuledOut) {
  const SwizzleRequest request{
      32, 128, {by_rows(model("nvidia", "st.shared.b128"), 128), by_columns(model("nvidia", "ld.shared.b32"), 128)}, 0};
  const SwizzleSearch found = search(request);
  EXPECT_EQ(found.linear_verdict, SearchVerdict::kNone);
  EXPECT_EQ(found.linear_cost, found.swizzle_cost) << "four passes per column are a lower bound";
  EXPECT_THAT(found.explanation, HasSubstr("none of the 2^15 maps x ^ F(x)"));
  // The float transpose has 2^25 maps and is found at once.
  const SwizzleRequest transpose{
      32, 128, {by_rows(model("nvidia", "st.shared.b32"), 128), by_columns(model("nvidia", "ld.shared.b32"), 128)}, 0};
  const auto linear = find_linear_conflict_free(transpose);
  ASSERT_TRUE(linear.ok());
  EXPECT_EQ(linear->linear_verdict, SearchVerdict::kFound);
  EXPECT_EQ(as_swizzle(linear->linear), (Swizzle{5, 2, 5}));
  EXPECT_LT(linear->linear_nodes, 1000);
}

TEST(SwizzleSearch, BadRequestsAreRefused) {
  const BankModel* read = model("nvidia", "ld.shared.b128");
  EXPECT_FALSE(find_conflict_free({0, 128, {by_rows(read, 128)}, 0}).ok());
  EXPECT_FALSE(find_conflict_free({8, 128, {}, 0}).ok());
  EXPECT_FALSE(find_conflict_free({8, 128, {by_rows(read, 128)}, -1}).ok());
  EXPECT_FALSE(find_conflict_free({int64_t{1} << 40, int64_t{1} << 40, {by_rows(read, 128)}, 0}).ok());
  EXPECT_THAT(find_conflict_free({2, 128, {by_rows(read, 128)}, 0}).status().message(), HasSubstr("leaves the tile"));
  EXPECT_THAT(find_conflict_free({32, 40, {by_columns(model("nvidia", "ld.shared.b128"), 32)}, 0}).status().message(),
              HasSubstr("crosses a multiple of 16"));
  EXPECT_FALSE(find_conflict_free({8, 128, {{nullptr, {}}}, 0}).ok());
}

}  // namespace
}  // namespace tailor::codegen::layout
