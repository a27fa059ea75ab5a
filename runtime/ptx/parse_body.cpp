// The body of a function: scopes, names, labels and statements.
#include <algorithm>

#include <fmt/format.h>

#include "runtime/ptx/parser_impl.h"

namespace tailor::ptx {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "%r12" → {"%r", 12}. False when the digits are not the canonical form of a family member's number.
bool split_number(std::string_view name, std::string_view& prefix, uint32_t& number) {
  size_t at = name.size();
  while (at > 0 && is_digit(name[at - 1])) --at;
  const size_t digits = name.size() - at;
  if (digits == 0 || digits > 9 || (digits > 1 && name[at] == '0')) return false;
  prefix = name.substr(0, at);
  number = 0;
  for (char c : name.substr(at)) number = number * 10 + static_cast<uint32_t>(c - '0');
  return true;
}

}  // namespace

void Parser::begin_function_names() {
  scopes_.clear();
  names_.clear();
  undo_.clear();
  families_.clear();
  family_of_prefix_.clear();
  used_names_.clear();
  made_names_.clear();
  numbered_names_.clear();
  used_families_.clear();
  numbered_single_ = false;
  location_ = {};
}

bool Parser::push_scope() {
  if (scopes_.size() >= limits_.nesting)
    return fail(tok_, fmt::format("scopes are nested deeper than {}", limits_.nesting), StatusCode::kUnsupported);
  Scope s;
  s.undo_size = undo_.size();
  s.family_size = families_.size();
  scopes_.push_back(std::move(s));
  return true;
}

bool Parser::pop_scope() {
  Scope scope = std::move(scopes_.back());
  scopes_.pop_back();
  while (undo_.size() > scope.undo_size) {
    const auto& [name, before] = undo_.back();
    if (before.first)
      names_[name] = before.second;
    else
      names_.erase(name);
    undo_.pop_back();
  }
  while (families_.size() > scope.family_size) {
    const FamilyBinding& f = families_.back();
    if (f.outer == kNoIndex)
      family_of_prefix_.erase(f.prefix);
    else
      family_of_prefix_[f.prefix] = f.outer;
    families_.pop_back();
  }
  return resolve_labels(scope, scopes_.empty() ? nullptr : &scopes_.back());
}

// Branches to labels of this scope become indices; the rest is left to the scope outside, where it may still be
// declared.
bool Parser::resolve_labels(Scope& scope, Scope* outer) {
  Function& f = function();
  for (LabelUse& use : scope.uses) {
    const auto found = scope.labels.find(use.name);
    if (found == scope.labels.end()) {
      if (!outer) return fail(use.at, fmt::format("label '{}' is not declared in this scope or around it", use.name));
      outer->uses.push_back(std::move(use));
    } else if (use.operand != kNoIndex) {
      f.operands[use.operand].index = found->second;
      f.operands[use.operand].value = f.labels[found->second].instruction;
    } else {
      f.branch_tables[use.table].labels[use.entry] = found->second;
    }
  }
  return true;
}

bool Parser::bind(std::string_view name, Binding binding, const Token& at) {
  binding.depth = static_cast<uint32_t>(scopes_.size());
  const auto [entry, fresh] = names_.try_emplace(name, binding);
  if (!fresh && entry->second.depth == binding.depth)
    return fail(at, fmt::format("'{}' is declared twice in this scope", name));
  undo_.push_back({name, {!fresh, entry->second}});
  entry->second = binding;
  return true;
}

bool Parser::bind_family(std::string_view prefix, uint32_t first, uint32_t count, const Token& at) {
  FamilyBinding f{prefix, first, count, static_cast<uint32_t>(scopes_.size()), kNoIndex};
  const auto [entry, fresh] = family_of_prefix_.try_emplace(prefix, static_cast<uint32_t>(families_.size()));
  if (!fresh) {
    f.outer = entry->second;
    if (families_[f.outer].depth == f.depth)
      return fail(at, fmt::format("registers '{}<n>' are declared twice in this scope", prefix));
    entry->second = static_cast<uint32_t>(families_.size());
  }
  families_.push_back(f);
  return true;
}

const Parser::Binding* Parser::lookup(std::string_view name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : &found->second;
}

uint32_t Parser::find_in_families(std::string_view name) const {
  std::string_view prefix;
  uint32_t number = 0;
  if (!split_number(name, prefix, number)) return kNoIndex;
  const auto found = family_of_prefix_.find(prefix);
  if (found == family_of_prefix_.end()) return kNoIndex;
  for (uint32_t i = found->second; i != kNoIndex; i = families_[i].outer)
    if (number < families_[i].count) return families_[i].first + number;
  return kNoIndex;
}

uint32_t Parser::find_register(std::string_view name) const {
  if (!numbered_single_)
    if (const uint32_t r = find_in_families(name); r != kNoIndex) return r;
  if (const Binding* b = lookup(name)) return b->kind == Binding::Kind::kRegister ? b->index : kNoIndex;
  return numbered_single_ ? find_in_families(name) : kNoIndex;
}

// The name itself when nothing in this function or at module level has it, otherwise name$1, name$2, …: bodies are
// flattened, so an inner declaration must not take the place of an outer one.
std::string Parser::unique_name(std::string_view name) {
  std::string_view prefix;
  uint32_t number = 0;
  const auto taken = [&](std::string_view candidate) {
    if (used_names_.contains(candidate) || globals_.contains(candidate)) return true;
    return split_number(candidate, prefix, number) && used_families_.contains(prefix);
  };
  const auto keep = [&](std::string_view kept) {
    used_names_.try_emplace(kept, 1);
    if (!split_number(kept, prefix, number)) return;
    const auto least = numbered_names_.try_emplace(prefix, number).first;
    least->second = std::min(least->second, number);
  };
  if (!taken(name)) {
    keep(name);
    return std::string(name);
  }
  const auto next = used_names_.try_emplace(name, 1).first;
  for (;;) {
    std::string candidate = fmt::format("{}${}", name, next->second++);
    if (taken(candidate)) continue;
    made_names_.push_back(candidate);
    keep(made_names_.back());
    return candidate;
  }
}

// As unique_name, for a prefix whose numbered members must all be free. The suffix ends in '_' so that a member's
// number stays apart from it.
std::string Parser::unique_family(std::string_view prefix, uint32_t count) {
  const auto taken = [&](std::string_view candidate) {
    if (used_families_.contains(candidate)) return true;
    const auto least = numbered_names_.find(candidate);
    return least != numbered_names_.end() && least->second < count;
  };
  if (!taken(prefix)) {
    used_families_.try_emplace(prefix, 1);
    return std::string(prefix);
  }
  const auto next = used_families_.try_emplace(prefix, 1).first;
  for (;;) {
    std::string candidate = fmt::format("{}${}_", prefix, next->second++);
    if (taken(candidate)) continue;
    made_names_.push_back(candidate);
    used_families_.try_emplace(made_names_.back(), 1);
    return candidate;
  }
}

bool Parser::add_registers(std::string_view name, Type type, bool family, uint64_t count, const Token& at,
                           uint32_t& first) {
  Function& f = function();
  if (count > limits_.registers_per_function || f.register_types.size() + count > limits_.registers_per_function)
    return fail(
        at,
        fmt::format("'{}' asks for {} registers; a function may have {}", name, count, limits_.registers_per_function),
        StatusCode::kUnsupported);
  module_registers_ += count;
  if (module_registers_ > limits_.registers_per_module)
    return fail(at, fmt::format("the module declares more than {} registers", limits_.registers_per_module),
                StatusCode::kUnsupported);
  RegisterFamily r;
  r.type = type;
  r.family = family;
  r.first = first = static_cast<uint32_t>(f.register_types.size());
  r.count = static_cast<uint32_t>(count);
  r.name = family ? unique_family(name, r.count) : unique_name(name);
  if (!family && is_digit(name.back())) numbered_single_ = true;
  if (count > 0) f.families.push_back(std::move(r));
  f.register_types.resize(f.register_types.size() + count, type);
  return true;
}

bool Parser::bind_parameters(std::vector<Parameter>& list, SymbolRef::Kind kind) {
  for (uint32_t i = 0; i < list.size(); ++i) {
    Parameter& p = list[i];
    const std::string_view name = made_names_.emplace_back(p.name);
    Binding binding{Binding::Kind::kSymbol, i, {kind, i}};
    if (p.is_register) {
      if (!add_registers(name, p.type, false, 1, tok_, p.register_index)) return false;
      p.name = function().families.back().name;
      binding = {Binding::Kind::kRegister, p.register_index, {}};
    } else {
      p.name = unique_name(name);
    }
    if (!bind(name, binding, tok_)) return false;
  }
  return true;
}

bool Parser::parse_body() {
  begin_function_names();
  in_body_ = true;
  advance();  // {
  if (!push_scope()) return false;
  if (!bind_parameters(function().returns, SymbolRef::Kind::kReturn) ||
      !bind_parameters(function().parameters, SymbolRef::Kind::kParameter))
    return false;
  while (!scopes_.empty())
    if (!parse_statement()) return false;
  in_body_ = false;
  return true;
}

bool Parser::parse_statement() {
  if (tok_.kind == Token::Kind::kIdentifier) {
    const Token first = tok_;
    advance();
    if (tok_.is(':')) {
      advance();
      if (tok_.is(".branchtargets") || tok_.is(".calltargets") || tok_.is(".callprototype"))
        return parse_named_table(first);
      return define_label(first.text, first);
    }
    return parse_instruction(first, {});
  }
  if (tok_.kind == Token::Kind::kDotted) return parse_body_directive();
  if (accept('{')) return push_scope();
  if (tok_.is('}')) {
    if (!pop_scope()) return false;
    advance();
    return true;
  }
  if (accept(';')) return true;
  if (accept('@')) {
    Instruction i;
    i.guard_negated = accept('!');
    if (tok_.kind != Token::Kind::kIdentifier) return expected("a predicate register");
    i.guard = find_register(tok_.text);
    if (i.guard == kNoIndex) return expected("a declared predicate register");
    if (function().register_types[i.guard] != Type::kPred)
      return fail(tok_, fmt::format("the guard '{}' is a .{} register; it must be .pred", tok_.text,
                                    to_string(function().register_types[i.guard])));
    advance();
    const Token first = tok_;
    if (tok_.kind != Token::Kind::kIdentifier) return expected("an instruction");
    advance();
    return parse_instruction(first, i);
  }
  return expected("a statement or '}'");
}

bool Parser::parse_body_directive() {
  if (tok_.is(".loc")) return parse_loc();
  if (tok_.is(".reg")) return parse_registers();
  static constexpr std::pair<std::string_view, Space> kSpaces[] = {{".param", Space::kParam},
                                                                   {".shared", Space::kShared},
                                                                   {".local", Space::kLocal},
                                                                   {".global", Space::kGlobal},
                                                                   {".const", Space::kConst}};
  for (const auto& [word, space] : kSpaces)
    if (tok_.is(word)) {
      advance();
      return parse_variables(space, Linkage::kInternal);
    }
  if (tok_.is(".pragma")) return parse_pragma(&function().directives.pragmas);
  if (tok_.is(".file")) return parse_file();
  if (tok_.is(".section")) return parse_section();
  return expected("a directive of a function body (.reg, .param, .local, .shared, .loc, .pragma)");
}

// .loc file line column[, function_name label[+n], inlined_at file line column]
bool Parser::parse_loc() {
  advance();
  uint32_t numbers[3] = {};
  for (uint32_t& n : numbers)
    if (!parse_small(n, "a number (file, line, column)")) return false;
  location_.file = static_cast<uint16_t>(std::min(numbers[0], 0xFFFFu));
  location_.line = numbers[1];
  location_.column = static_cast<uint16_t>(std::min(numbers[2], 0xFFFFu));
  while (accept(',')) {
    if (tok_.is("function_name")) {
      advance();
      if (tok_.kind != Token::Kind::kIdentifier) return expected("a label in .debug_str");
      advance();
      uint32_t ignored = 0;
      if (accept('+') && !parse_small(ignored, "an offset")) return false;
    } else if (tok_.is("inlined_at")) {
      advance();
      uint32_t ignored = 0;
      for (int i = 0; i < 3; ++i)
        if (!parse_small(ignored, "a number (file, line, column)")) return false;
    } else {
      return expected("'function_name' or 'inlined_at'");
    }
  }
  return true;
}

bool Parser::define_label(std::string_view name, const Token& at) {
  Function& f = function();
  const auto index = static_cast<uint32_t>(f.labels.size());
  if (!scopes_.back().labels.try_emplace(name, index).second)
    return fail(at, fmt::format("label '{}' is declared twice in this scope", name));
  f.labels.push_back({unique_name(name), static_cast<uint32_t>(f.instructions.size())});
  return true;
}

// name: .branchtargets a, b;   name: .calltargets f, g;   name: .callprototype (results) _ (parameters);
bool Parser::parse_named_table(const Token& name) {
  Function& f = function();
  if (tok_.is(".callprototype")) return parse_prototype(name);
  const bool branches = tok_.is(".branchtargets");
  const auto index = static_cast<uint32_t>(branches ? f.branch_tables.size() : f.call_targets.size());
  BranchTable table;
  CallTargets targets;
  do {
    advance();
    if (tok_.kind != Token::Kind::kIdentifier) return expected(branches ? "a label" : "a function name");
    if (branches) {
      LabelUse use;
      use.name = tok_.text;
      use.table = index;
      use.entry = static_cast<uint32_t>(table.labels.size());
      use.at = tok_;
      scopes_.back().uses.push_back(use);
      table.labels.push_back(kNoIndex);
    } else {
      const auto found = globals_.find(tok_.text);
      if (found == globals_.end() || found->second.kind != SymbolRef::Kind::kFunction)
        return expected("the name of a declared function");
      targets.functions.push_back(found->second.index);
    }
    advance();
  } while (tok_.is(','));
  if (!bind(name.text, {branches ? Binding::Kind::kBranchTable : Binding::Kind::kCallTargets, index, {}}, name))
    return false;
  if (branches) {
    table.name = unique_name(name.text);
    f.branch_tables.push_back(std::move(table));
  } else {
    targets.name = unique_name(name.text);
    f.call_targets.push_back(std::move(targets));
  }
  return expect(';');
}

bool Parser::parse_prototype(const Token& name) {
  Prototype p;
  advance();
  if (accept('(') && !parse_parameters(p.returns, ')')) return false;
  if (tok_.kind != Token::Kind::kIdentifier) return expected("'_' or a name");
  advance();
  if (accept('(') && !parse_parameters(p.parameters, ')')) return false;
  Directives directives;
  if (!parse_function_attributes(directives)) return false;
  p.noreturn = directives.noreturn;
  Function& f = function();
  if (!bind(name.text, {Binding::Kind::kPrototype, static_cast<uint32_t>(f.prototypes.size()), {}}, name)) return false;
  p.name = unique_name(name.text);
  f.prototypes.push_back(std::move(p));
  return expect(';');
}

}  // namespace tailor::ptx
