// Index arrays that published kernels take where Tailor takes a block table: made from the same workload.
//
// They are what the callers of those kernels prepare beforehand (slot mappings, page lists, one sequence number per
// token); making them is not counted. Thread-safety: plain functions, values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/cli/run/workload.h"

namespace tailor::bench {

// name -> bytes. Of an append: slots (int64 [T], page * page_size + slot), page_indptr (int32 [B + 1]), page_indices,
// last_page_len. Of a gather: token_to_sequence (int32 [N]), sequence_starts (int32 [B], zero), second (a copy of
// packed, for kernels that move two pools at once). Of both: one (float 1).
std::map<std::string, std::vector<uint8_t>> derived_operands(const cli::Workload& workload);

// The 32-byte sectors that hold the moved bytes, each once, read side and written side: what no kernel goes below
// without its indices. The views must have their addresses.
int64_t minimum_sectors(const cli::Workload& workload);

}  // namespace tailor::bench
