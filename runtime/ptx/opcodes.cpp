#include "runtime/ptx/opcodes.h"

namespace tailor::ptx {
namespace {

constexpr OpcodeInfo kOpcodes[] = {
#define X(name, mnemonic, operands, words) {mnemonic, operands, words},
    TAILOR_PTX_OPCODES(X)
#undef X
        {"none", "", ""}};

}  // namespace

const OpcodeInfo& info(Opcode opcode) { return kOpcodes[static_cast<unsigned>(opcode)]; }
std::string_view to_string(Opcode opcode) { return info(opcode).mnemonic; }

}  // namespace tailor::ptx
