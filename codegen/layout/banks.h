// Bank conflicts in shared memory (LDS): how many passes an access of a whole warp (wavefront) takes.
//
// Model: memory is `banks` banks of 4 bytes, bank(address) = (address / 4) mod banks. An instruction is served group by
// group; a group is a fixed set of lanes. One group takes as many passes as the most crowded bank has distinct dwords
// (lanes that name the same dword share it):
//     cost = Σ over groups of max over banks of #distinct dwords
// Banks and groups belong to architecture and instruction, not to the width alone: gfx950 reads b128 over 64 banks, but
// b96 over 32. They are rows of bank_tables.cpp, each with its source.
//
// Worked example: 64 lanes of a gfx942 read 16 bytes each at lane * 128. All lie in banks 0-3; each of the 8 groups has
// 8 lanes and takes 8 passes: cost 64, of which 8 are unavoidable; 56 conflicts, the number AMD publishes as measured.
//
// Ownership: the tables are constants; results are values. Threads: pure functions. Errors: kNotFound for an
// instruction without a table row, kInvalidArgument for addresses that are misaligned, negative or too few.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tailor/status.h"

namespace tailor::codegen::layout {

// Lanes [first, last].
struct LaneRange {
  int first = 0;
  int last = 0;
};
using LaneGroup = std::vector<LaneRange>;

struct BankModel {
  std::string_view arch;    // "nvidia", "gfx942", …
  std::string_view opcode;  // "ld.shared.b128", "ds_read_b128", …
  int lanes = 0;            // addresses per access
  int bytes = 0;            // per address
  int banks = 0;
  // Accesses that one instruction makes one after the other, each with its own address per lane: 2 for ds_read2_b64.
  int parts = 1;
  std::vector<LaneGroup> groups;  // disjoint, together all lanes
  std::string_view source;
};

// Every row, grouped by architecture.
const std::vector<BankModel>& bank_models();
// kNotFound names the rows there are; for an architecture that is known but has no published groups it says so.
Expected<const BankModel*> find_bank_model(std::string_view arch, std::string_view opcode);
// The read (or, with `write`, the write) of `bytes` per lane; nvidia: ld/st.shared; AMD: ds_read/ds_write.
Expected<const BankModel*> find_bank_model(std::string_view arch, int bytes, bool write);

// One byte address per lane (then per part: all lanes of part 0 first); kInactiveLane takes no part.
constexpr int64_t kInactiveLane = -1;
using LaneAddresses = std::vector<int64_t>;

struct BankConflicts {
  int64_t cost = 0;  // passes
  // Passes that any placement of the same dwords would need: Σ over groups of ⌈distinct dwords / banks⌉.
  int64_t ideal = 0;
  std::vector<int64_t> group_cost;  // parts × groups
  // The first group that takes more than its share: its bank, and two lanes that meet there in different dwords.
  struct Witness {
    size_t group = 0;
    int bank = 0;
    int64_t dwords = 0;
    int lane_a = 0;
    int lane_b = 0;
  };
  std::optional<Witness> witness;

  int64_t conflicts() const { return cost - ideal; }
};

Expected<BankConflicts> count_conflicts(const BankModel& model, std::span<const int64_t> addresses);

}  // namespace tailor::codegen::layout
