// One thread of a lowered program on the host, with loads that return whatever may break it: the concrete counterpart
// of the walk in execute.h. Accesses are checked, memory is not kept: a load returns one value per address, drawn once.
//
// Thread-safety: pure functions of their arguments. Errors: none; a thread that runs on too long ends without a
// violation.
#pragma once

#include <random>
#include <string>

#include "codegen/prove/prove.h"
#include "codegen/prove/sample_launch.h"

namespace tailor::codegen::prove {

struct Violation {
  uint16_t access = 0;  // 0: none
  Claim claim = Claim::kBounds;
  std::string text;
};

// `t` steers the choice of block and thread: first, last, any.
Violation run_thread(const Subject& subject, const SampledLaunch& launch, int t, std::mt19937& random);

}  // namespace tailor::codegen::prove
