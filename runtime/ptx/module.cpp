#include "runtime/ptx/module.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

namespace tailor::ptx {

bool Instruction::has_cache_policy() const { return has(CacheHint::kL2CacheHint); }

bool Instruction::operator==(const Instruction& o) const {
  const auto key = [](const Instruction& i) {
    return std::tie(i.opcode, i.types, i.type_count, i.space, i.second_space, i.vector_width, i.compare, i.operation,
                    i.rounding, i.semantics, i.scope, i.modifiers, i.hints, i.shape, i.guard, i.guard_negated,
                    i.operand_count, i.first_operand, i.location);
  };
  return key(*this) == key(o);
}

bool Function::operator==(const Function& o) const {
  const auto key = [](const Function& f) {
    return std::tie(f.name, f.entry, f.defined, f.linkage, f.parameters, f.returns, f.parameter_bytes, f.directives,
                    f.families, f.register_types, f.variables, f.labels, f.branch_tables, f.call_targets, f.prototypes,
                    f.instructions, f.operands);
  };
  return key(*this) == key(o);
}

const RegisterFamily& Function::family_of(uint32_t reg) const {
  auto after = std::upper_bound(families.begin(), families.end(), reg,
                                [](uint32_t r, const RegisterFamily& f) { return r < f.first; });
  return *(after - 1);
}

std::string Function::register_name(uint32_t reg) const {
  if (reg >= register_types.size()) return fmt::format("<register {}>", reg);
  const RegisterFamily& f = family_of(reg);
  return f.family ? fmt::format("{}{}", f.name, reg - f.first) : f.name;
}

CallOperands call_operands(const Function& f, const Instruction& call) {
  const Operand* o = f.operands.data() + call.first_operand;
  return {o[0], o[1], o[2], call.operand_count > 3 ? o + 3 : nullptr};
}

const Function* Module::find_function(std::string_view name) const {
  for (const Function& f : functions)
    if (f.name == name) return &f;
  return nullptr;
}

const Variable* Module::find_variable(std::string_view name) const {
  for (const Variable& v : variables)
    if (v.name == name) return &v;
  return nullptr;
}

}  // namespace tailor::ptx
