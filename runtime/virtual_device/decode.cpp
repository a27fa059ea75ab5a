#include "runtime/virtual_device/decode.h"

#include <algorithm>
#include <cstring>

#include "runtime/virtual_device/decoder.h"

namespace tailor::virtual_device {
namespace {

using ptx::SymbolRef;

uint64_t round_up(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

// The functions that can run, entry first, in order of discovery. `indirect`: some call goes through a register.
std::vector<uint32_t> reachable_functions(const ptx::Module& m, uint32_t kernel, bool& indirect, bool& recursive) {
  std::vector<uint32_t> order{kernel};
  std::vector<bool> seen(m.functions.size());
  seen[kernel] = true;
  indirect = recursive = false;
  const auto add = [&](uint32_t f) {
    if (seen[f]) return;
    seen[f] = true;
    if (m.functions[f].defined) order.push_back(f);
  };
  for (size_t n = 0; n < order.size(); ++n) {
    const ptx::Function& f = m.functions[order[n]];
    for (const ptx::Instruction& i : f.instructions) {
      if (i.opcode != ptx::Opcode::kCall) continue;
      const ptx::Operand& callee = ptx::call_operands(f, i).callee;
      if (callee.kind == ptx::Operand::Kind::kSymbol) {
        // A call to something found earlier may close a cycle; treating it so only reserves more stack.
        recursive = recursive || (seen[callee.symbol.index] && m.functions[callee.symbol.index].defined);
        add(callee.symbol.index);
      } else if (!indirect) {
        indirect = recursive = true;
        for (uint32_t k = 0; k < m.functions.size(); ++k) {
          if (!m.functions[k].entry) add(k);
        }
      }
    }
  }
  return order;
}

// Static shared variables of the functions, in order; then the extern (dynamic) ones at one common address.
void lay_out_shared(DecodeContext& c, const std::vector<uint32_t>& functions) {
  Program& p = c.program;
  uint64_t next = kSharedBase, dynamic_align = 16;
  c.shared_module.assign(c.module.variables.size(), 0);
  std::vector<uint32_t> dynamic_module;
  const auto place = [&](const ptx::Variable& v) {
    next = round_up(next, v.align);
    const uint64_t at = next;
    next += v.bytes;
    p.shared_variables.push_back({v.name, static_cast<uint32_t>(at), static_cast<uint32_t>(next)});
    return at;
  };
  const auto shared = [](const ptx::Variable& v) { return ptx::is_shared_cta(v.space); };
  for (uint32_t f : functions) {
    const ptx::Function& function = c.module.functions[f];
    for (const ptx::Operand& o : function.operands) {
      if (o.symbol.kind != SymbolRef::Kind::kModuleVariable) continue;
      const ptx::Variable& v = c.module.variables[o.symbol.index];
      if (!shared(v) || c.shared_module[o.symbol.index] != 0) continue;
      if (v.unsized) {
        dynamic_module.push_back(o.symbol.index);
        dynamic_align = std::max<uint64_t>(dynamic_align, v.align);
        c.shared_module[o.symbol.index] = 1;
      } else {
        c.shared_module[o.symbol.index] = place(v);
      }
    }
    for (uint32_t v = 0; v < function.variables.size(); ++v) {
      if (shared(function.variables[v]) && !function.variables[v].unsized) {
        c.shared_function[{f, v}] = place(function.variables[v]);
      }
    }
  }
  p.static_shared_bytes = static_cast<uint32_t>(next - kSharedBase);
  const uint64_t dynamic = round_up(next, dynamic_align);
  p.dynamic_shared_offset = static_cast<uint32_t>(dynamic - kSharedBase);
  for (uint32_t v : dynamic_module) c.shared_module[v] = dynamic;
  for (uint32_t f : functions) {
    const auto& variables = c.module.functions[f].variables;
    for (uint32_t v = 0; v < variables.size(); ++v) {
      if (shared(variables[v]) && variables[v].unsized) c.shared_function[{f, v}] = dynamic;
    }
  }
}

}  // namespace

Width width_of(ptx::Type type) {
  const unsigned bits = ptx::bits_of(type);
  return type == ptx::Type::kPred ? Width::kPredicate : bits <= 32 ? Width::k32 : bits == 64 ? Width::k64 : Width::k128;
}

uint32_t slot_bytes(Width width) {
  switch (width) {
    case Width::kPredicate:
      return 8;  // keeps wider slots aligned
    case Width::k32:
      return 128;
    case Width::k64:
      return 256;
    case Width::k128:
      return 512;
  }
  return 128;
}

uint32_t DecodeContext::constant(Width width, uint64_t bits) {
  const auto [at, fresh] = constants.try_emplace({width, bits}, 0);
  if (!fresh) return at->second;
  std::vector<uint8_t>& bank = program.constants;
  const auto offset = static_cast<uint32_t>(bank.size());
  const uint32_t bytes = slot_bytes(width);
  bank.resize(bank.size() + bytes);
  const uint32_t unit = width == Width::kPredicate || width == Width::k32 ? 4 : 8;
  for (uint32_t k = 0; k < bytes; k += unit) {
    // The high half of a 128-bit immediate is zero.
    if (width == Width::k128 && (k / 8) % 2 == 1) continue;
    std::memcpy(bank.data() + offset + k, &bits, unit);
  }
  return at->second = offset | kConstantBank;
}

const ptx::Variable* DecodeContext::shared_variable(uint32_t f, const SymbolRef& symbol, uint64_t* address) const {
  if (symbol.kind == SymbolRef::Kind::kModuleVariable) {
    const ptx::Variable& v = module.variables[symbol.index];
    if (!ptx::is_shared_cta(v.space)) return nullptr;
    *address = shared_module[symbol.index];
    return &v;
  }
  if (symbol.kind == SymbolRef::Kind::kFunctionVariable) {
    const ptx::Variable& v = module.functions[f].variables[symbol.index];
    if (!ptx::is_shared_cta(v.space)) return nullptr;
    *address = shared_function.at({f, symbol.index});
    return &v;
  }
  return nullptr;
}

Expected<Program> decode(const ptx::Module& module, uint32_t kernel, const std::vector<uint64_t>& addresses,
                         const LaneTable& lanes) {
  DecodeContext c{module, addresses, lanes, kernel, {}, {}, {}, {}};
  const ptx::Function& entry = module.functions[kernel];
  Program& p = c.program;
  p.name = entry.name;
  p.run = lanes.run();
  p.parameters = entry.parameters;
  p.parameter_bytes = entry.parameter_bytes;
  const auto& d = entry.directives;
  p.required_block = d.reqntid;
  if (d.maxntid[0] != 0) p.max_threads = std::min(1024u, d.maxntid[0] * d.maxntid[1] * d.maxntid[2]);
  if (d.reqntid[0] != 0) p.max_threads = std::min(1024u, d.reqntid[0] * d.reqntid[1] * d.reqntid[2]);
  p.clusters = d.explicit_cluster && d.reqnctapercluster[0] * d.reqnctapercluster[1] * d.reqnctapercluster[2] > 1;
  if (p.clusters)
    return unsupported(fmt::format("line {}: kernel {} needs a cluster of blocks", entry.text_line, entry.name));

  bool indirect = false, recursive = false;
  const std::vector<uint32_t> functions = reachable_functions(module, kernel, indirect, recursive);
  p.function_of_module_index.assign(module.functions.size(), ptx::kNoIndex);
  for (uint32_t n = 0; n < functions.size(); ++n) p.function_of_module_index[functions[n]] = n;
  lay_out_shared(c, functions);
  c.constant(Width::k32, 0);

  p.functions.resize(functions.size());
  uint64_t callee_local = 0;
  for (uint32_t n = 0; n < functions.size(); ++n) {
    TAILOR_RETURN_IF_ERROR(FunctionDecoder(c, functions[n]).decode(p.functions[n]));
    p.registers = std::max(p.registers, p.functions[n].registers);
    if (n != 0) callee_local += round_up(p.functions[n].local_bytes, 16) + 16;
  }
  constexpr uint32_t kRecursionDepth = 32;
  const uint64_t local = round_up(p.functions[0].local_bytes, 16) + callee_local * (recursive ? kRecursionDepth : 1);
  constexpr uint64_t kLocalLimit = 512 << 10;  // bytes of local memory per thread on every architecture
  if (p.functions[0].local_bytes > kLocalLimit) {
    return unsupported(fmt::format("kernel {} needs {} bytes of local memory per thread; the limit is {}", p.name,
                                   p.functions[0].local_bytes, kLocalLimit));
  }
  p.local_bytes = static_cast<uint32_t>(std::min(local, kLocalLimit));
  return std::move(c.program);
}

}  // namespace tailor::virtual_device
