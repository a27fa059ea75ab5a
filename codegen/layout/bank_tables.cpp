// Sources:
//   NVIDIA  CUDA C++ Programming Guide (32 banks of 4 bytes; lanes in one dword share it); half-warps for 64 bits and
//           quarter-warps for 128 bits: GTC 2019 S9593, CUTLASS issue 328, and Triton's bank model. On compute
//           capability 7.x pairs of lanes with equal addresses can need fewer requests; the rows are upper bounds
//           there. ldmatrix: each 8 × 16-byte row group is one pass of 128 bytes (PTX ISA, ldmatrix).
//   AMD     ROCm composable_kernel, docs/conceptual/ck_tile/hardware/lds_bank_conflicts.rst; amd-shark-ai
//           docs/empirical-lds (measured); HipKittens analysis/paper_experiments/phases (measured on gfx950).
#include "codegen/layout/bank_tables.h"

namespace tailor::codegen::layout {
namespace {

constexpr std::string_view kNvidia = "S9593; CUDA C++ Programming Guide, shared memory";
constexpr std::string_view kLdmatrix = "PTX ISA, ldmatrix: one row group is 8 rows of 16 bytes";
constexpr std::string_view kCdna3 = "composable_kernel lds_bank_conflicts.rst; amd-shark-ai empirical-lds, measured";
constexpr std::string_view kCdna4 = "HipKittens phases, measured on gfx950; composable_kernel lds_bank_conflicts.rst";
constexpr std::string_view kRdna = "amd-shark-ai empirical-lds; composable_kernel lds_bank_conflicts.rst";

// `lanes` in groups of `size` consecutive ones.
std::vector<LaneGroup> consecutive(int lanes, int size) {
  std::vector<LaneGroup> groups;
  for (int first = 0; first < lanes; first += size) groups.push_back({{first, first + size - 1}});
  return groups;
}

// The groups given for the first `period` lanes, again for the lanes after them.
std::vector<LaneGroup> repeated(const std::vector<LaneGroup>& groups, int period, int lanes) {
  std::vector<LaneGroup> all;
  for (int base = 0; base < lanes; base += period) {
    for (const LaneGroup& group : groups) {
      LaneGroup& shifted = all.emplace_back();
      for (const LaneRange& range : group) shifted.push_back({range.first + base, range.last + base});
    }
  }
  return all;
}

// b128 reads of gfx942 and gfx1100, and b96 reads of gfx950.
const std::vector<LaneGroup> kInterleaved8 = {
    {{0, 3}, {20, 23}}, {{4, 7}, {16, 19}}, {{8, 11}, {28, 31}}, {{12, 15}, {24, 27}}};
// b128 reads of gfx950.
const std::vector<LaneGroup> kInterleaved16 = {{{0, 3}, {12, 15}, {20, 27}}, {{4, 11}, {16, 19}, {28, 31}}};

void add_nvidia(std::vector<BankModel>& rows) {
  struct Width {
    std::string_view read, write;
    int bytes, group;
  };
  constexpr Width kWidths[] = {{"ld.shared.b8", "st.shared.b8", 1, 32},
                               {"ld.shared.b16", "st.shared.b16", 2, 32},
                               {"ld.shared.b32", "st.shared.b32", 4, 32},
                               {"ld.shared.b64", "st.shared.b64", 8, 16},
                               {"ld.shared.b128", "st.shared.b128", 16, 8}};
  for (const Width& w : kWidths)
    rows.push_back({"nvidia", w.read, 32, w.bytes, 32, 1, consecutive(32, w.group), kNvidia});
  for (const Width& w : kWidths) {
    rows.push_back({"nvidia", w.write, 32, w.bytes, 32, 1, consecutive(32, w.group), kNvidia});
  }
  rows.push_back({"nvidia", "ldmatrix.x1", 8, 16, 32, 1, consecutive(8, 8), kLdmatrix});
  rows.push_back({"nvidia", "ldmatrix.x2", 16, 16, 32, 1, consecutive(16, 8), kLdmatrix});
  rows.push_back({"nvidia", "ldmatrix.x4", 32, 16, 32, 1, consecutive(32, 8), kLdmatrix});
}

void add_amd(std::vector<BankModel>& rows) {
  rows.push_back({"gfx942", "ds_read_b32", 64, 4, 32, 1, consecutive(64, 32), kCdna3});
  rows.push_back({"gfx942", "ds_read_b64", 64, 8, 32, 1, consecutive(64, 16), kCdna3});
  rows.push_back({"gfx942", "ds_read2_b64", 64, 8, 32, 2, consecutive(64, 16), kCdna3});
  rows.push_back({"gfx942", "ds_read_b128", 64, 16, 32, 1, repeated(kInterleaved8, 32, 64), kCdna3});
  rows.push_back({"gfx942", "ds_write_b128", 64, 16, 32, 1, consecutive(64, 8), kCdna3});
  rows.push_back({"gfx950", "ds_read_b32", 64, 4, 64, 1, consecutive(64, 64), kCdna4});
  rows.push_back({"gfx950", "ds_read_b64", 64, 8, 64, 1, consecutive(64, 32), kCdna4});
  rows.push_back({"gfx950", "ds_read_b96", 64, 12, 32, 1, repeated(kInterleaved8, 32, 64), kCdna4});
  rows.push_back({"gfx950", "ds_read_b128", 64, 16, 64, 1, repeated(kInterleaved16, 32, 64), kCdna4});
  rows.push_back({"gfx950", "ds_write_b64", 64, 8, 32, 1, consecutive(64, 16), kCdna4});
  rows.push_back({"gfx1100", "ds_read_b32", 32, 4, 32, 1, consecutive(32, 32), kRdna});
  rows.push_back({"gfx1100", "ds_read_b64", 32, 8, 32, 1, consecutive(32, 16), kRdna});
  rows.push_back({"gfx1100", "ds_read_b128", 32, 16, 32, 1, kInterleaved8, kRdna});
  rows.push_back({"gfx1201", "ds_read_b128", 32, 16, 32, 1, consecutive(32, 8), kRdna});
}

}  // namespace

std::vector<BankModel> make_bank_models() {
  std::vector<BankModel> rows;
  add_nvidia(rows);
  add_amd(rows);
  return rows;
}

const std::vector<UnknownArch>& unknown_bank_archs() {
  static const std::vector<UnknownArch> archs = {
      {"gfx90a", "its lane groups are neither published nor measured; a guess would be no model"}};
  return archs;
}

}  // namespace tailor::codegen::layout
