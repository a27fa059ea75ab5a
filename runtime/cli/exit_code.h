// Exit codes of the command, one table for code and documentation.
#pragma once

#include "tailor/status.h"

namespace tailor::cli {

// name, code, meaning
#define TAILOR_EXIT_CODES(X)                                              \
  X(kExitOk, 0, "done")                                                   \
  X(kExitFailed, 1, "failed; a byte that differs from the reference too") \
  X(kExitUsage, 2, "the command line or an input file breaks a rule")     \
  X(kExitCorruption, 4, "stored bytes are corrupt")

enum ExitCode : int {
#define X(name, code, meaning) name = code,
  TAILOR_EXIT_CODES(X)
#undef X
};

inline ExitCode exit_code(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return kExitOk;
    case StatusCode::kInvalidArgument:
      return kExitUsage;
    case StatusCode::kCorruption:
      return kExitCorruption;
    default:
      return kExitFailed;
  }
}

}  // namespace tailor::cli
