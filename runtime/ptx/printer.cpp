#include "runtime/ptx/printer.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "runtime/ptx/grammar.h"

namespace tailor::ptx {
namespace {

class Printer {
 public:
  explicit Printer(const Module& module) : module_(module) {}

  std::string take() { return std::move(out_); }
  void module();
  void instruction(const Function& f, const Instruction& i);

 private:
  template <class... Args>
  void put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }
  void linkage(Linkage l);
  void variable(const Variable& v, bool extern_only);
  void initialiser(const Variable& v);
  void initialiser_level(const Variable& v, const std::vector<uint64_t>& extents, size_t level, uint64_t base);
  void initial_value(const Variable& v, uint64_t offset);
  void parameter(const Parameter& p);
  void parameters(const std::vector<Parameter>& list, const char* open, const char* separator, const char* close);
  void directives(const Directives& d);
  void dim3(const char* name, const std::array<uint32_t, 3>& dims);
  void function(const Function& f, bool body);
  void tables(const Function& f);
  void words(const Instruction& i);
  void operand(const Function& f, const Operand& o);
  void elements(const Function& f, const Operand& o, const char* separator);
  void offset(int64_t value);
  void symbol(const Function* f, const SymbolRef& s);
  void call(const Function& f, const Instruction& i);

  const Module& module_;
  std::string out_;
  size_t next_relocation_ = 0;
};

void Printer::linkage(Linkage l) {
  static constexpr const char* kWords[] = {"", ".visible ", ".extern ", ".weak ", ".common "};
  put("{}", kWords[static_cast<unsigned>(l)]);
}

void Printer::symbol(const Function* f, const SymbolRef& s) {
  switch (s.kind) {
    case SymbolRef::Kind::kModuleVariable:
      put("{}", module_.variables[s.index].name);
      break;
    case SymbolRef::Kind::kFunction:
      put("{}", module_.functions[s.index].name);
      break;
    case SymbolRef::Kind::kFunctionVariable:
      put("{}", f->variables[s.index].name);
      break;
    case SymbolRef::Kind::kParameter:
      put("{}", f->parameters[s.index].name);
      break;
    case SymbolRef::Kind::kReturn:
      put("{}", f->returns[s.index].name);
      break;
    case SymbolRef::Kind::kNone:
      break;
  }
}

void Printer::offset(int64_t value) {
  if (value != 0) put("+{}", value);
}

// ---- variables

void Printer::initial_value(const Variable& v, uint64_t at) {
  if (next_relocation_ < v.relocations.size() && v.relocations[next_relocation_].offset == at) {
    const Relocation& r = v.relocations[next_relocation_++];
    const bool mask = bytes_of(v.type) == 1;
    if (mask) put("0x{:X}(", uint64_t{0xFF} << (8 * r.shift_bytes));
    if (r.generic) put("generic(");
    symbol(nullptr, r.symbol);
    if (r.generic) put(")");
    offset(r.addend);
    if (mask) put(")");
    return;
  }
  uint64_t bits = 0;
  const unsigned width = std::min(bytes_of(v.type), 8u);
  for (unsigned i = 0; i < width; ++i)
    if (at + i < v.data.size()) bits |= uint64_t{v.data[at + i]} << (8 * i);
  if (v.type == Type::kF32)
    put("0f{:08X}", bits);
  else if (v.type == Type::kF64)
    put("0d{:016X}", bits);
  else
    put("{}", bits);
}

void Printer::initialiser_level(const Variable& v, const std::vector<uint64_t>& extents, size_t level, uint64_t base) {
  uint64_t row = bytes_of(v.type);
  for (size_t i = level + 1; i < extents.size(); ++i) row *= extents[i];
  put("{{");
  for (uint64_t n = 0, at = base; n < extents[level] && at < v.data.size(); ++n, at += row) {
    if (n) put(", ");
    if (level + 1 < extents.size())
      initialiser_level(v, extents, level + 1, at);
    else
      initial_value(v, at);
  }
  put("}}");
}

void Printer::initialiser(const Variable& v) {
  next_relocation_ = 0;
  std::vector<uint64_t> extents = v.dimensions;
  if (v.vector_width > 1) extents.push_back(v.vector_width);
  put(" = ");
  if (extents.empty())
    initial_value(v, 0);
  else
    initialiser_level(v, extents, 0, 0);
}

void Printer::variable(const Variable& v, bool extern_only) {
  linkage(extern_only ? Linkage::kExtern : v.linkage);
  put(".{} ", to_string(v.space));
  if (v.managed) put(".attribute(.managed) ");
  put(".align {} ", v.align);
  if (v.vector_width > 1) put(".v{} ", v.vector_width);
  put(".{} {}", to_string(v.type), v.name);
  for (size_t i = 0; i < v.dimensions.size(); ++i) {
    if (v.unsized && i == 0)
      put("[]");
    else
      put("[{}]", v.dimensions[i]);
  }
  if (!extern_only && !v.data.empty()) initialiser(v);
  put(";\n");
}

// ---- functions

void Printer::parameter(const Parameter& p) {
  put(".{} ", p.is_register ? "reg" : "param");
  const unsigned natural = bytes_of(p.type) * p.vector_width;
  if (!p.is_register && (p.is_array || p.align != natural)) put(".align {} ", p.align);
  if (p.vector_width > 1) put(".v{} ", p.vector_width);
  put(".{} ", to_string(p.type));
  if (p.is_pointer) {
    put(".ptr ");
    if (p.pointer_space != Space::kGeneric) put(".{} ", to_string(p.pointer_space));
    if (p.pointer_align) put(".align {} ", p.pointer_align);
  }
  put("{}", p.name);
  if (p.unsized)
    put("[]");
  else if (p.is_array)
    put("[{}]", p.bytes / natural);
}

void Printer::parameters(const std::vector<Parameter>& list, const char* open, const char* separator,
                         const char* close) {
  put("{}", open);
  for (size_t i = 0; i < list.size(); ++i) {
    if (i) put("{}", separator);
    parameter(list[i]);
  }
  put("{}", close);
}

void Printer::dim3(const char* name, const std::array<uint32_t, 3>& dims) {
  if (dims != std::array<uint32_t, 3>{}) put(".{} {}, {}, {}\n", name, dims[0], dims[1], dims[2]);
}

void Printer::directives(const Directives& d) {
  if (d.noreturn) put(".noreturn\n");
  dim3("maxntid", d.maxntid);
  dim3("reqntid", d.reqntid);
  if (d.minnctapersm) put(".minnctapersm {}\n", d.minnctapersm);
  if (d.maxnctapersm) put(".maxnctapersm {}\n", d.maxnctapersm);
  if (d.maxnreg) put(".maxnreg {}\n", d.maxnreg);
  if (d.explicit_cluster) put(".explicitcluster\n");
  dim3("reqnctapercluster", d.reqnctapercluster);
  if (d.maxclusterrank) put(".maxclusterrank {}\n", d.maxclusterrank);
  if (d.blocks_are_clusters) put(".blocksareclusters\n");
}

void Printer::tables(const Function& f) {
  for (const BranchTable& t : f.branch_tables) {
    put("{}: .branchtargets ", t.name);
    for (size_t i = 0; i < t.labels.size(); ++i) put("{}{}", i ? ", " : "", f.labels[t.labels[i]].name);
    put(";\n");
  }
  for (const CallTargets& t : f.call_targets) {
    put("{}: .calltargets ", t.name);
    for (size_t i = 0; i < t.functions.size(); ++i) put("{}{}", i ? ", " : "", module_.functions[t.functions[i]].name);
    put(";\n");
  }
  for (const Prototype& p : f.prototypes) {
    put("{}: .callprototype ", p.name);
    parameters(p.returns, "(", ", ", ") _ ");
    parameters(p.parameters, "(", ", ", ")");
    put("{};\n", p.noreturn ? " .noreturn" : "");
  }
}

void Printer::function(const Function& f, bool body) {
  linkage(f.linkage);
  put(".{} ", f.entry ? "entry" : "func");
  if (!f.returns.empty()) parameters(f.returns, "(", ", ", ") ");
  put("{}", f.name);
  parameters(f.parameters, "(\n\t", ",\n\t", "\n)\n");
  directives(f.directives);
  if (!body) {
    put(";\n\n");
    return;
  }
  put("{{\n");
  for (const std::string& p : f.directives.pragmas) put("\t.pragma \"{}\";\n", p);
  for (const RegisterFamily& r : f.families) {
    const auto owns = [&](const Parameter& p) { return p.is_register && p.register_index == r.first; };
    if (!r.family && (std::any_of(f.returns.begin(), f.returns.end(), owns) ||
                      std::any_of(f.parameters.begin(), f.parameters.end(), owns)))
      continue;
    put("\t.reg .{} {}", to_string(r.type), r.name);
    if (r.family) put("<{}>", r.count);
    put(";\n");
  }
  for (const Variable& v : f.variables) {
    put("\t");
    variable(v, false);
  }
  tables(f);
  size_t next_label = 0;  // labels are in ascending order of instruction
  SourceLocation location;
  for (uint32_t i = 0; i <= f.instructions.size(); ++i) {
    for (; next_label < f.labels.size() && f.labels[next_label].instruction == i; ++next_label)
      put("{}:\n", f.labels[next_label].name);
    if (i == f.instructions.size()) break;
    if (f.instructions[i].location != location) {
      location = f.instructions[i].location;
      put("\t.loc {} {} {}\n", location.file, location.line, location.column);
    }
    put("\t");
    instruction(f, f.instructions[i]);
    put("\n");
  }
  put("}}\n\n");
}

// ---- instructions

// The words group by group, as the table orders them.
void Printer::words(const Instruction& i) {
  unsigned type = 0, space = 0, hint = 0;
  const Space spaces[2] = {i.space, i.second_space};
  const auto present = [&](const Word& w) {
    switch (w.kind) {
      case WordKind::kType:
        return type < i.type_count && w.value == static_cast<uint8_t>(i.types[type]) && ++type;
      case WordKind::kSpace:
        return space < 2 && w.value == static_cast<uint8_t>(spaces[space]) && ++space;
      case WordKind::kHint:
        return hint < i.hints.size() && w.value == static_cast<uint8_t>(i.hints[hint]) && ++hint;
      case WordKind::kVector:
        return w.value == i.vector_width;
      case WordKind::kModifier:
        return i.has(static_cast<Modifier>(w.value));
      case WordKind::kShape:
        return i.shape.m != 0;
    }
    return false;
  };
  for (const auto& group : grammar(i.opcode).groups)
    for (uint16_t id : group) {
      const Word w = word_from_id(id);
      if (!present(w)) continue;
      if (w.kind == WordKind::kShape) {
        put(".m{}n{}", i.shape.m, i.shape.n);
        if (i.shape.k) put("k{}", i.shape.k);
      } else {
        put(".{}", text_of(w));
      }
      break;
    }
}

void Printer::elements(const Function& f, const Operand& o, const char* separator) {
  bool first = true;
  for (const Operand& e : f.elements(o)) {
    if (!first) put("{}", separator);
    first = false;
    operand(f, e);
  }
}

void Printer::operand(const Function& f, const Operand& o) {
  using Kind = Operand::Kind;
  switch (o.kind) {
    case Kind::kNone:
      break;
    case Kind::kRegister: {
      static constexpr const char* kSelectors[] = {"", ".b0", ".b1", ".b2", ".b3", ".h0", ".h1"};
      const RegisterFamily& r = f.family_of(o.index);
      put("{}{}", o.negated ? "!" : "", r.name);
      if (r.family) put("{}", o.index - r.first);
      put("{}", kSelectors[static_cast<unsigned>(o.selector)]);
      break;
    }
    case Kind::kInteger:
      put("{}", o.value);
      break;
    case Kind::kFloat:
      put("0d{:016X}", static_cast<uint64_t>(o.value));
      break;
    case Kind::kFloat32:
      put("0f{:08X}", static_cast<uint32_t>(o.value));
      break;
    case Kind::kSpecial:
      put("{}", to_string(o.special));
      break;
    case Kind::kSymbol:
      symbol(&f, o.symbol);
      offset(o.value);
      break;
    case Kind::kAddress:
    case Kind::kTensor:
      put("[");
      if (o.index != kNoIndex) {
        put("{}", f.register_name(o.index));
        offset(o.value);
      } else if (o.symbol.kind != SymbolRef::Kind::kNone) {
        symbol(&f, o.symbol);
        offset(o.value);
      } else {
        put("{}", o.value);
      }
      if (o.kind == Kind::kTensor) {
        put(", {{");
        elements(f, o, ", ");
        put("}}");
      }
      put("]");
      break;
    case Kind::kVector:
      put("{{");
      elements(f, o, ", ");
      put("}}");
      break;
    case Kind::kPair:
      elements(f, o, "|");
      break;
    case Kind::kSink:
      put("_");
      break;
    case Kind::kLabel:
      put("{}", f.labels[o.index].name);
      break;
    case Kind::kBranchTable:
      put("{}", f.branch_tables[o.index].name);
      break;
    case Kind::kPrototype:
      put("{}", f.prototypes[o.index].name);
      break;
    case Kind::kCallTargets:
      put("{}", f.call_targets[o.index].name);
      break;
  }
}

void Printer::call(const Function& f, const Instruction& i) {
  const CallOperands c = call_operands(f, i);
  if (c.results.count) {
    put("(");
    elements(f, c.results, ", ");
    put("), ");
  }
  operand(f, c.callee);
  if (c.arguments.count || c.prototype) {
    put(", (");
    elements(f, c.arguments, ", ");
    put(")");
  }
  if (c.prototype) {
    put(", ");
    operand(f, *c.prototype);
  }
}

void Printer::instruction(const Function& f, const Instruction& i) {
  if (i.guarded()) put("@{}{} ", i.guard_negated ? "!" : "", f.register_name(i.guard));
  put("{}", to_string(i.opcode));
  words(i);
  if (i.opcode == Opcode::kCall) {
    put(" ");
    call(f, i);
  } else {
    const char* separator = " ";
    for (const Operand& o : f.operands_of(i)) {
      put("{}", separator);
      separator = ", ";
      operand(f, o);
    }
  }
  put(";");
}

void Printer::module() {
  put(".version {}.{}\n.target {}", module_.version[0], module_.version[1], module_.target);
  for (const std::string& option : module_.target_options) put(", {}", option);
  put("\n.address_size {}\n\n", module_.address_size);
  for (const SourceFile& file : module_.files) put(".file {} \"{}\"\n", file.index, file.path);
  std::vector<size_t> last_variable(module_.variables.size()), last_function(module_.functions.size());
  for (size_t n = 0; n < module_.order.size(); ++n) {
    const SymbolRef& s = module_.order[n];
    (s.kind == SymbolRef::Kind::kFunction ? last_function : last_variable)[s.index] = n;
  }
  for (size_t n = 0; n < module_.order.size(); ++n) {
    const SymbolRef& s = module_.order[n];
    if (s.kind == SymbolRef::Kind::kFunction) {
      const Function& f = module_.functions[s.index];
      function(f, f.defined && last_function[s.index] == n);
    } else {
      variable(module_.variables[s.index], last_variable[s.index] != n);
    }
  }
  for (const std::string& alias : module_.aliases) {
    const size_t at = alias.find('=');
    put(".alias {}, {};\n", alias.substr(0, at), alias.substr(at + 1));
  }
}

}  // namespace

std::string print(const Module& module) {
  Printer p(module);
  p.module();
  return p.take();
}

std::string print(const Module& module, const Function& function, const Instruction& instruction) {
  Printer p(module);
  p.instruction(function, instruction);
  return p.take();
}

}  // namespace tailor::ptx
