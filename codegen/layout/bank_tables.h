// The rows of banks.h, written as lists; banks.cpp expands them. Private.
#pragma once

#include <string_view>
#include <vector>

#include "codegen/layout/banks.h"

namespace tailor::codegen::layout {

std::vector<BankModel> make_bank_models();

// Architectures whose lane groups nobody has published; a question about them gets this answer.
struct UnknownArch {
  std::string_view arch;
  std::string_view reason;
};
const std::vector<UnknownArch>& unknown_bank_archs();

}  // namespace tailor::codegen::layout
