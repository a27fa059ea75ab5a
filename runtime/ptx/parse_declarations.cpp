// Variables, initialisers, parameters and the heads of functions.
#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "runtime/ptx/parser_impl.h"

namespace tailor::ptx {
namespace {

constexpr uint32_t kMaxAlign = 1u << 16;

uint64_t align_up(uint64_t value, uint64_t align) { return (value + align - 1) / align * align; }

}  // namespace

bool Parser::parse_align(uint32_t& align) {
  advance();
  const Token at = tok_;
  if (!parse_small(align, "an alignment")) return false;
  if (!std::has_single_bit(align) || align > kMaxAlign)
    return fail(at, fmt::format("alignment {} is not a power of two up to {}", align, kMaxAlign));
  return true;
}

// .attribute(.managed) or .attribute(.unified(a, b))
bool Parser::parse_attribute(bool& managed) {
  advance();
  if (!expect('(')) return false;
  uint32_t depth = 1;
  while (depth > 0) {
    if (tok_.kind == Token::Kind::kEnd) return expected("')' at the end of .attribute");
    if (tok_.is(".managed")) managed = true;
    if (tok_.is('(')) ++depth;
    if (tok_.is(')')) --depth;
    advance();
  }
  return true;
}

// The dotted words between the space and the name: .align n, .attribute(…), .v4, .f32, .ptr .global .align n.
bool Parser::parse_declaration_type(DeclarationType& out) {
  while (tok_.kind == Token::Kind::kDotted) {
    if (tok_.is(".align")) {
      if (!parse_align(out.is_pointer ? out.pointer_align : out.align)) return false;
      continue;
    }
    if (tok_.is(".attribute")) {
      if (!parse_attribute(out.managed)) return false;
      continue;
    }
    if (tok_.is(".ptr")) {
      out.is_pointer = true;
      advance();
      continue;
    }
    Word word;
    if (!find_word(tok_.text.substr(1), word)) {
      if (tok_.is(".texref") || tok_.is(".surfref") || tok_.is(".samplerref"))
        return fail(tok_, fmt::format("'{}': textures and surfaces are not read", tok_.text), StatusCode::kUnsupported);
      return expected("a type");
    }
    if (word.kind == WordKind::kType && out.type == Type::kNone) {
      out.type = static_cast<Type>(word.value);
    } else if (word.kind == WordKind::kVector && out.vector_width == 1) {
      out.vector_width = word.value;
    } else if (word.kind == WordKind::kSpace && out.is_pointer && out.pointer_space == Space::kGeneric) {
      out.pointer_space = static_cast<Space>(word.value);
    } else {
      return expected("a type, .align, .v2, .v4 or a name");
    }
    advance();
  }
  if (out.type == Type::kNone) return expected("a type");
  if (bits_of(out.type) < 8 && out.type != Type::kPred)
    return expected(fmt::format("a name after a type of whole bytes; .{} is for matrix operands", to_string(out.type)));
  return true;
}

bool Parser::parse_variables(Space space, Linkage linkage) {
  DeclarationType type;
  if (!parse_declaration_type(type)) return false;
  if (type.type == Type::kPred || type.type == Type::kB1024)
    return fail(tok_, fmt::format("a .{} variable cannot lie in memory", to_string(type.type)));
  do {
    if (!parse_variable(space, linkage, type)) return false;
  } while (accept(','));
  return expect(';');
}

// [16][4], [] or nothing. `elements` is their product.
bool Parser::parse_dimensions(Variable& variable, uint64_t& elements) {
  elements = 1;
  uint64_t product = 1;  // without zero extents, so that no stride can overflow
  while (tok_.is('[')) {
    advance();
    if (variable.dimensions.empty() && accept(']')) {
      variable.unsized = true;
      variable.dimensions.push_back(0);
      continue;
    }
    const Token at = tok_;
    uint64_t extent = 0;
    if (!parse_unsigned(extent, "an array extent")) return false;
    if (variable.dimensions.size() >= limits_.nesting)
      return fail(at, fmt::format("more than {} array dimensions", limits_.nesting), StatusCode::kUnsupported);
    if (extent != 0 && product > limits_.variable_bytes / extent)
      return fail(at, fmt::format("the array has more than {} elements", limits_.variable_bytes),
                  StatusCode::kUnsupported);
    if (extent != 0) product *= extent;
    elements *= extent;
    variable.dimensions.push_back(extent);
    if (!expect(']')) return false;
  }
  return true;
}

bool Parser::parse_variable(Space space, Linkage linkage, const DeclarationType& type) {
  if (tok_.kind != Token::Kind::kIdentifier || tok_.text == "_") return expected("a variable name");
  const Token at = tok_;
  advance();
  Variable variable;
  variable.space = space;
  variable.linkage = linkage;
  variable.type = type.type;
  variable.vector_width = type.vector_width;
  variable.managed = type.managed;
  const uint64_t element = uint64_t{bytes_of(type.type)} * type.vector_width;
  variable.align = type.align ? type.align : static_cast<uint32_t>(element);
  uint64_t elements = 1;
  if (!parse_dimensions(variable, elements)) return false;
  if (elements > limits_.variable_bytes / element)
    return fail(at,
                fmt::format("'{}' has {} elements of {} bytes; the limit is {} bytes", at.text, elements, element,
                            limits_.variable_bytes),
                StatusCode::kUnsupported);
  variable.bytes = variable.unsized ? 0 : elements * element;
  // Bound before its initialiser is read, so that a table may hold its own address.
  SymbolRef self;
  if (in_body_) {
    Function& f = function();
    variable.name = unique_name(at.text);
    self = {SymbolRef::Kind::kFunctionVariable, static_cast<uint32_t>(f.variables.size())};
    if (!bind(at.text, {Binding::Kind::kSymbol, self.index, self}, at)) return false;
    if (tok_.is('=')) return fail(tok_, "an initialiser inside a function body is not read", StatusCode::kUnsupported);
    f.variables.push_back(std::move(variable));
    return true;
  }
  if (!declare_module_variable(std::move(variable), at.text, at)) return false;
  if (!tok_.is('=')) return true;
  Variable& stored = module_.variables[globals_[at.text].index];
  if (space == Space::kShared) return fail(tok_, "a .shared variable cannot have an initialiser");
  return parse_initialiser(stored);
}

// A second declaration is legal when one of the two is extern (or weak/common); the definition wins.
bool Parser::declare_module_variable(Variable variable, std::string_view name, const Token& at) {
  variable.name = name;
  const auto [entry, fresh] = globals_.try_emplace(
      name, SymbolRef{SymbolRef::Kind::kModuleVariable, static_cast<uint32_t>(module_.variables.size())});
  if (fresh) {
    module_.order.push_back(entry->second);
    module_.variables.push_back(std::move(variable));
    return true;
  }
  if (entry->second.kind != SymbolRef::Kind::kModuleVariable)
    return fail(at, fmt::format("'{}' is already the name of a function", name));
  Variable& old = module_.variables[entry->second.index];
  if (old.linkage != Linkage::kExtern && variable.linkage != Linkage::kExtern)
    return fail(at, fmt::format("'{}' is declared twice", name));
  if (old.linkage == Linkage::kExtern) {
    module_.order.push_back(entry->second);
    old = std::move(variable);
  }
  return true;
}

bool Parser::parse_initialiser(Variable& variable) {
  advance();
  std::vector<uint64_t> extents = variable.dimensions;
  if (variable.vector_width > 1) extents.push_back(variable.vector_width);
  if (extents.empty()) return parse_initialiser_scalar(variable, 0);
  if (!parse_initialiser_list(variable, extents, 0, 0)) return false;
  if (variable.unsized) {
    const uint64_t row = [&] {
      uint64_t bytes = bytes_of(variable.type);
      for (size_t i = 1; i < extents.size(); ++i) bytes *= extents[i];
      return bytes;
    }();
    if (row == 0) return fail(tok_, "an initialised array cannot have rows of zero bytes");
    variable.bytes = align_up(variable.data.size(), row);
    variable.dimensions[0] = variable.bytes / row;
    variable.unsized = false;
  }
  return true;
}

// One brace level. Items are scalars, filling the innermost positions in order, or lists, one per row of this level.
bool Parser::parse_initialiser_list(Variable& variable, const std::vector<uint64_t>& extents, size_t level,
                                    uint64_t base) {
  if (!expect('{')) return false;
  const uint64_t scalar = bytes_of(variable.type);
  uint64_t row = scalar;  // bytes of one item of this level
  for (size_t i = level + 1; i < extents.size(); ++i) row *= extents[i];
  const bool open = variable.unsized && level == 0;
  const uint64_t end = open ? limits_.variable_bytes : base + row * extents[level];
  uint64_t position = base;
  while (!tok_.is('}')) {
    const bool list = tok_.is('{');
    if (list) position = base + (row ? align_up(position - base, row) : 0);
    if (position + (list ? row : scalar) > end)
      return fail(tok_, fmt::format("'{}' has more initial values than elements", variable.name));
    if (list) {
      if (level + 1 >= extents.size()) return fail(tok_, fmt::format("'{}' has too many braces", variable.name));
      if (!parse_initialiser_list(variable, extents, level + 1, position)) return false;
    } else if (!parse_initialiser_scalar(variable, position)) {
      return false;
    }
    position += list ? row : scalar;
    if (!accept(',')) break;
  }
  return expect('}');
}

// number, -number, 0f…, symbol, symbol+n, generic(symbol)+n, 0xFF00(symbol), 0xFF(generic(symbol))
bool Parser::parse_initialiser_scalar(Variable& variable, uint64_t offset) {
  const auto width = static_cast<uint8_t>(bytes_of(variable.type));
  if (tok_.kind == Token::Kind::kIdentifier) return parse_relocation(variable, offset, width, 0);
  const Token at = tok_;
  Operand value;
  if (!parse_literal(value, "an initial value")) return false;
  if (!tok_.is('(')) return store_scalar(variable, offset, value, at);
  const auto mask = static_cast<uint64_t>(value.value);
  const int shift = mask == 0 ? 0 : std::countr_zero(mask);
  if (mask == 0 || shift % 8 != 0 || mask >> shift != 0xFF)
    return fail(at, "an address mask must select one byte, such as 0xFF00(name)");
  if (width != 1) return fail(at, "an address mask initialises elements of one byte");
  advance();
  return parse_relocation(variable, offset, 1, static_cast<uint8_t>(shift / 8)) && expect(')');
}

bool Parser::parse_relocation(Variable& variable, uint64_t offset, uint8_t bytes, uint8_t shift_bytes) {
  Relocation r;
  r.offset = offset;
  r.bytes = bytes;
  r.shift_bytes = shift_bytes;
  if (tok_.is("generic")) {
    r.generic = true;
    advance();
    if (!expect('(')) return false;
  }
  if (tok_.kind != Token::Kind::kIdentifier) return expected("the name of a variable or function");
  const auto found = globals_.find(tok_.text);
  if (found == globals_.end()) return expected("the name of a declared variable or function");
  r.symbol = found->second;
  advance();
  if (r.generic && !expect(')')) return false;
  if (tok_.is('+') || tok_.is('-')) {
    accept('+');
    if (!parse_integer(r.addend, "an offset in bytes")) return false;
  }
  Operand zero;
  zero.kind = Operand::Kind::kInteger;
  if (!store_scalar(variable, offset, zero, tok_)) return false;
  variable.relocations.push_back(r);
  return true;
}

bool Parser::store_scalar(Variable& variable, uint64_t offset, const Operand& value, const Token& at) {
  const uint64_t width = bytes_of(variable.type);
  const uint64_t end = offset + width;
  if (variable.data.size() < end) {
    initialiser_bytes_ += end - variable.data.size();
    if (initialiser_bytes_ > limits_.initialiser_bytes)
      return fail(at, fmt::format("initialisers take more than {} bytes", limits_.initialiser_bytes),
                  StatusCode::kUnsupported);
    variable.data.resize(end);
  }
  uint64_t bits = static_cast<uint64_t>(value.value);
  if (value.kind == Operand::Kind::kFloat || value.kind == Operand::Kind::kFloat32) {
    const double number = value.kind == Operand::Kind::kFloat
                              ? std::bit_cast<double>(value.value)
                              : std::bit_cast<float>(static_cast<uint32_t>(value.value));
    if (variable.type == Type::kF64)
      bits = std::bit_cast<uint64_t>(number);
    else if (variable.type == Type::kF32)
      bits = value.kind == Operand::Kind::kFloat32 ? bits : std::bit_cast<uint32_t>(static_cast<float>(number));
    else
      return fail(at, fmt::format("a floating-point value cannot initialise .{}", to_string(variable.type)));
  }
  for (uint64_t i = 0; i < width; ++i) {
    const uint64_t byte = i < 8 ? bits >> (8 * i) & 0xFF : (static_cast<int64_t>(bits) < 0 ? 0xFF : 0);
    variable.data[offset + i] = static_cast<uint8_t>(byte);
  }
  return true;
}

// One parameter of a function, prototype or result list, from .param or .reg on.
bool Parser::parse_parameter(Parameter& p) {
  if (tok_.is(".reg"))
    p.is_register = true;
  else if (!tok_.is(".param"))
    return expected("'.param' or '.reg'");
  advance();
  DeclarationType type;
  if (!parse_declaration_type(type)) return false;
  if (type.type == Type::kPred && !p.is_register) return fail(tok_, "a .pred parameter must be a register");
  if (tok_.kind != Token::Kind::kIdentifier) return expected("a parameter name");
  const Token at = tok_;
  p.name = tok_.text;
  advance();
  p.type = type.type;
  p.vector_width = type.vector_width;
  p.is_pointer = type.is_pointer;
  p.pointer_space = type.pointer_space;
  p.pointer_align = type.pointer_align;
  const uint64_t element = uint64_t{bytes_of(type.type)} * type.vector_width;
  p.align = type.align ? type.align : static_cast<uint32_t>(element);
  p.bytes = element;
  Variable array;
  uint64_t elements = 1;
  if (!parse_dimensions(array, elements)) return false;
  if (array.dimensions.empty()) return true;
  p.is_array = true;
  p.unsized = array.unsized;
  if (elements > limits_.variable_bytes / element)
    return fail(at, fmt::format("parameter '{}' has {} elements of {} bytes", at.text, elements, element),
                StatusCode::kUnsupported);
  p.bytes = array.unsized ? 0 : elements * element;
  return true;
}

bool Parser::parse_parameters(std::vector<Parameter>& list, char close) {
  uint64_t offset = 0;
  while (!tok_.is(close)) {
    Parameter p;
    if (!parse_parameter(p)) return false;
    p.offset = align_up(offset, p.align);
    offset = p.offset + p.bytes;
    if (offset > limits_.variable_bytes)
      return fail(tok_, fmt::format("the parameters take more than {} bytes", limits_.variable_bytes),
                  StatusCode::kUnsupported);
    list.push_back(std::move(p));
    if (!accept(',')) break;
  }
  return expect(close);
}

bool Parser::parse_dim3(std::array<uint32_t, 3>& dims) {
  advance();
  dims = {1, 1, 1};
  for (int i = 0; i < 3; ++i) {
    if (!parse_small(dims[static_cast<size_t>(i)], "a dimension")) return false;
    if (i == 2 || !accept(',')) break;
  }
  return true;
}

// A performance-tuning directive between a function's head and its body. handled is false when tok_ is none.
bool Parser::parse_directive(Directives& d, bool& handled) {
  handled = true;
  const auto number = [&](uint32_t& value) {
    advance();
    return parse_small(value, "a number");
  };
  const auto flag = [&](bool& value) {
    value = true;
    advance();
    return true;
  };
  if (tok_.is(".maxntid")) return parse_dim3(d.maxntid);
  if (tok_.is(".reqntid")) return parse_dim3(d.reqntid);
  if (tok_.is(".reqnctapercluster")) return parse_dim3(d.reqnctapercluster);
  if (tok_.is(".minnctapersm")) return number(d.minnctapersm);
  if (tok_.is(".maxnctapersm")) return number(d.maxnctapersm);
  if (tok_.is(".maxnreg")) return number(d.maxnreg);
  if (tok_.is(".maxclusterrank")) return number(d.maxclusterrank);
  if (tok_.is(".explicitcluster")) return flag(d.explicit_cluster);
  if (tok_.is(".blocksareclusters")) return flag(d.blocks_are_clusters);
  if (tok_.is(".noreturn")) return flag(d.noreturn);
  if (tok_.is(".pragma")) return parse_pragma(&d.pragmas);
  if (tok_.is(".attribute")) {
    bool ignored = false;
    return parse_attribute(ignored);
  }
  if (tok_.is(".abi_preserve") || tok_.is(".abi_preserve_control")) {
    uint32_t ignored = 0;
    return number(ignored);
  }
  handled = false;
  return true;
}

bool Parser::parse_function_attributes(Directives& directives) {
  for (bool handled = true; handled && status_.ok();)
    if (!parse_directive(directives, handled)) return false;
  return true;
}

bool Parser::parse_function(Linkage linkage, bool entry) {
  Function f;
  f.entry = entry;
  f.linkage = linkage;
  f.text_line = tok_.line;
  if (!parse_function_attributes(f.directives)) return false;
  if (!entry && accept('(') && !parse_parameters(f.returns, ')')) return false;
  if (tok_.kind != Token::Kind::kIdentifier || tok_.text == "_") return expected("a function name");
  const Token at = tok_;
  f.name = tok_.text;
  advance();
  if (accept('(') && !parse_parameters(f.parameters, ')')) return false;
  if (!f.parameters.empty()) f.parameter_bytes = f.parameters.back().offset + f.parameters.back().bytes;
  if (!parse_function_attributes(f.directives)) return false;
  f.defined = tok_.is('{');
  if (!f.defined && !tok_.is(';')) return expected("a directive, '{' or ';'");

  const auto [named, fresh] = globals_.try_emplace(
      at.text, SymbolRef{SymbolRef::Kind::kFunction, static_cast<uint32_t>(module_.functions.size())});
  if (!fresh) {
    if (named->second.kind != SymbolRef::Kind::kFunction)
      return fail(at, fmt::format("'{}' is already the name of a variable", at.text));
    Function& old = module_.functions[named->second.index];
    if (old.defined && f.defined) return fail(at, fmt::format("function '{}' is defined twice", at.text));
    if (old.entry != f.entry) return fail(at, fmt::format("'{}' is declared both .entry and .func", at.text));
    if (!f.defined) {
      advance();
      return true;  // a declaration again, or after the definition: nothing new
    }
    old = std::move(f);
  } else {
    module_.functions.push_back(std::move(f));
  }
  module_.order.push_back(named->second);
  function_index_ = named->second.index;
  if (function().defined) return parse_body();
  function().directives.pragmas.clear();
  advance();
  return true;
}

// .reg .b32 %r<31>, %x;
bool Parser::parse_registers() {
  advance();
  DeclarationType type;
  if (!parse_declaration_type(type)) return false;
  if (type.vector_width != 1)
    return fail(tok_, "vector registers (.reg .v2/.v4) are not read", StatusCode::kUnsupported);
  do {
    if (tok_.kind != Token::Kind::kIdentifier || tok_.text == "_") return expected("a register name");
    const Token at = tok_;
    advance();
    uint32_t first = 0;
    if (accept('<')) {
      uint64_t count = 0;
      if (!parse_unsigned(count, "a number of registers") || !expect('>')) return false;
      if (!add_registers(at.text, type.type, true, count, at, first)) return false;
      if (!bind_family(at.text, first, static_cast<uint32_t>(count), at)) return false;
    } else {
      if (!add_registers(at.text, type.type, false, 1, at, first)) return false;
      if (!bind(at.text, {Binding::Kind::kRegister, first, {}}, at)) return false;
    }
  } while (accept(','));
  return expect(';');
}

}  // namespace tailor::ptx
