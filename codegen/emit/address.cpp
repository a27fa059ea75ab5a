#include "codegen/emit/address.h"

#include <optional>

namespace tailor::codegen::emit {
namespace {

struct Folder {
  const kernel::Program& program;
  std::vector<std::optional<int64_t>> constants;
  std::vector<Address> addresses;

  void region(const kernel::Region& r) {
    for (const kernel::Instruction& i : r.body) {
      if (i.op == kernel::Op::kConstant) {
        bool is_i32 = program.type_of(i.results[0]) == kernel::Type::kI32;
        // An i32 offset counts unsigned bytes.
        constants[i.results[0]] = is_i32 ? static_cast<int64_t>(static_cast<uint32_t>(i.immediate)) : i.immediate;
      } else if (i.op == kernel::Op::kPtrAdd && constants[i.operands[1]]) {
        Address base = addresses[i.operands[0]];
        __int128 offset = static_cast<__int128>(base.offset) + *constants[i.operands[1]];
        if (offset >= INT32_MIN && offset <= INT32_MAX)
          addresses[i.results[0]] = {base.base, static_cast<int32_t>(offset)};
      }
      for (const kernel::Region& inner : i.regions) region(inner);
    }
  }
};

}  // namespace

std::vector<Address> fold_addresses(const kernel::Program& program) {
  Folder folder{program, {}, {}};
  folder.constants.resize(program.values.size());
  folder.addresses.resize(program.values.size());
  for (kernel::ValueId v = 0; v < program.values.size(); ++v) folder.addresses[v].base = v;
  folder.region(program.body);
  return std::move(folder.addresses);
}

}  // namespace tailor::codegen::emit
