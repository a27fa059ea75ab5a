#include "tests/codegen/emit/accesses.h"

#include <map>

#include <fmt/format.h>

#include "runtime/ptx/parser.h"

namespace tailor::codegen::emit::testing {
namespace {

void collect(const kernel::Region& region, std::map<uint32_t, const kernel::Instruction*>& accesses) {
  for (const kernel::Instruction& i : region.body) {
    if (i.access != 0) accesses[i.access] = &i;
    for (const kernel::Region& inner : i.regions) collect(inner, accesses);
  }
}

}  // namespace

std::string check_accesses(const kernel::Program& program, const std::string& text) {
  Expected<ptx::Module> module = ptx::parse(text);
  if (!module.ok()) return "our parser refuses the PTX: " + module.status().message();
  const ptx::Function* function = module->find_function(program.entry);
  if (!function) return "no entry " + program.entry;

  std::map<uint32_t, const kernel::Instruction*> wanted;
  collect(program.body, wanted);
  for (const ptx::Instruction& i : function->instructions) {
    bool is_memory = i.opcode == ptx::Opcode::kLd || i.opcode == ptx::Opcode::kSt || i.opcode == ptx::Opcode::kAtom ||
                     i.opcode == ptx::Opcode::kRed;
    if (!is_memory || i.space == ptx::Space::kParam) continue;
    std::string where = fmt::format("PTX line {}, file {} line {}", i.text_line, i.location.file, i.location.line);
    if (i.space != ptx::Space::kGlobal && i.space != ptx::Space::kShared)
      return where + ": neither a global nor a shared access";
    auto found = i.location.file == 1 ? wanted.find(i.location.line) : wanted.end();
    if (found == wanted.end()) return where + ": no such access, or a second instruction for it";
    const kernel::Instruction& access = *found->second;
    ptx::Opcode opcode = access.op == kernel::Op::kLoad    ? ptx::Opcode::kLd
                         : access.op == kernel::Op::kStore ? ptx::Opcode::kSt
                                                           : ptx::Opcode::kAtom;
    if (i.opcode != opcode) return where + ": another opcode";
    const bool is_shared = program.type_of(access.operands[0]) == kernel::Type::kSptr;
    if (is_shared != (i.space == ptx::Space::kShared)) return where + ": another space";
    if (static_cast<int>(ptx::bytes_of(i.type())) * i.vector_width != kernel::bytes_of(access.memory_type))
      return where + ": another width";
    if (i.has(ptx::Modifier::kNc) != access.read_only) return where + ": another cache";
    if (i.guarded() != access.guarded) return where + ": another guard";
    wanted.erase(found);
  }
  if (!wanted.empty()) return fmt::format("access {} has no instruction", wanted.begin()->first);
  return "";
}

std::string check_entry(const kernel::Program& program, const std::string& text) {
  Expected<ptx::Module> module = ptx::parse(text);
  if (!module.ok()) return "our parser refuses the PTX: " + module.status().message();
  const ptx::Function* function = module->find_function(program.entry);
  if (!function || !function->entry) return "no entry " + program.entry;
  std::array<uint32_t, 3> block{program.block_threads, 1, 1};
  if (function->directives.reqntid != block && function->directives.maxntid != block) return "another block size";
  std::vector<uint16_t> offsets = kernel::parameter_offsets(program);
  if (function->parameters.size() != offsets.size()) return "another number of parameters";
  for (size_t k = 0; k < offsets.size(); ++k) {
    if (function->parameters[k].offset != offsets[k]) return fmt::format("parameter {} at another offset", k);
    if (static_cast<int>(function->parameters[k].bytes) !=
        kernel::bytes_of(program.type_of(program.parameters[k].value)))
      return fmt::format("parameter {} of another size", k);
  }
  return "";
}

}  // namespace tailor::codegen::emit::testing
