// One launch on made-up data: the operands' bytes, and what must stand in them afterwards.
//
// Everything lives on the host; command_run.cpp places it on a device. The reference is written from the definitions in
// tailor/ops.h, element by element, and shares nothing with code generation. Thread-safety: plain functions, values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tailor/ops.h"
#include "tailor/status.h"

namespace tailor::cli {

// Overwrites one entry of an int32 operand after the data was made: "block_table:3=999999".
struct Corruption {
  std::string operand;
  int64_t index = 0;
  int32_t value = 0;
};
Expected<Corruption> parse_corruption(const std::string& text);

// "5,0,17"; an item that is empty or no number is an error that names its place. make_workload checks the range.
Expected<std::vector<int64_t>> parse_lengths(std::string_view text);

struct WorkloadOptions {
  OpId op = OpId::kPagedGather;
  int64_t heads = 4, head_dim = 64, page_size = 16;
  std::vector<int64_t>
      seq_lens;            // gather: lengths; append: lengths before the new tokens. Empty with batch > 0: random
  int64_t batch = 4;       // used when seq_lens is empty
  int64_t tokens = 32;     // append: new tokens, dealt to the sequences at random
  int64_t pool_pages = 0;  // 0: as many as needed and three more
  int64_t max_pages = 0;   // 0: as many as the longest sequence needs
  DType dtype = DType::kBFloat16;
  PageLayout layout = PageLayout::kSlotMajor;
  int64_t misalign_bytes = 0;  // offset of the moved operands' bases from a 256-byte boundary
  int64_t pad_row = 0;         // elements between the end of a packed (or new) row and the next
  uint64_t seed = 1;
  std::vector<Corruption> corruptions;
};

struct HostOperand {
  std::string name;
  Tensor view;  // address is set when the operand is placed
  std::vector<uint8_t> bytes;
  int64_t misalign_bytes = 0;
  bool written = false;
};

// A fault that the operands hold, as TAILOR_DEVICE_FAULTS defines kind and index.
struct ExpectedFault {
  DeviceFault kind = DeviceFault::kNone;
  int64_t index = 0;
};

struct Expectation {
  // By operand name; an operand that is not here must be as it was.
  std::map<std::string, std::vector<uint8_t>> bytes;
  // Where broken promises leave a choice: operand -> byte offset -> further values allowed at that byte.
  std::map<std::string, std::map<int64_t, std::vector<uint8_t>>> alternatives;
  std::vector<ExpectedFault> faults;
  // False when cu_seqlens is broken in a way that lets several rows of the launch see different faults.
  bool fault_is_exact = true;
  int64_t rows_moved = 0;  // rows whose place is beyond doubt
};

struct Workload {
  OpId op{};
  PageLayout layout{};
  std::vector<HostOperand> operands;

  HostOperand& operand(const std::string& name);
  const HostOperand& operand(const std::string& name) const;
  // The operands of tailor/ops.h with the addresses that the views hold now.
  PagedGather gather() const;
  PagedAppend append() const;
};

// Errors: kInvalidArgument naming the option, its value and the rule.
Expected<Workload> make_workload(const WorkloadOptions& options);

Expectation expect(const Workload& workload);

// True if the device may report `report` for these operands.
bool fault_is_expected(const Expectation& expectation, const DeviceFaultReport& report);

}  // namespace tailor::cli
