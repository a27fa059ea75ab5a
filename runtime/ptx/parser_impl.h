// Private: the parser's state, shared by parser.cpp (module), parse_declarations.cpp (variables, parameters, functions'
// heads), parse_body.cpp (statements, scopes, labels), parse_words.cpp (numbers,
// dotted words) and parse_operands.cpp (one instruction).
//
// Functions that parse return false once an error is recorded; callers return at once. `tok_` is the next token.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/ptx/grammar.h"
#include "runtime/ptx/lexer.h"
#include "runtime/ptx/module.h"
#include "runtime/ptx/parser.h"

namespace tailor::ptx {

class Parser {
 public:
  Parser(std::string_view text, const ParseLimits& limits) : text_(text), limits_(limits), lexer_(text) {}
  Status run();
  Module take() { return std::move(module_); }

 private:
  // A name visible in the body being parsed.
  struct Binding {
    enum class Kind : uint8_t { kRegister, kSymbol, kPrototype, kBranchTable, kCallTargets };
    Kind kind = Kind::kRegister;
    uint32_t index = 0;
    SymbolRef symbol;
    uint32_t depth = 0;  // of the scope that declared it; set by bind()
  };
  // A visible `%r<n>`. `outer` is the family of the same prefix that it hides, at most one per enclosing scope.
  struct FamilyBinding {
    std::string_view prefix;
    uint32_t first = 0;
    uint32_t count = 0;
    uint32_t depth = 0;
    uint32_t outer = kNoIndex;
  };
  struct LabelUse {
    std::string_view name;
    uint32_t operand = kNoIndex;  // in the pool; or
    uint32_t table = kNoIndex;    // branch table, with entry
    uint32_t entry = 0;
    Token at;
  };
  struct Scope {
    size_t undo_size = 0;    // undo_ beyond this is taken back at the end
    size_t family_size = 0;  // families_ beyond this go out of sight
    std::unordered_map<std::string_view, uint32_t> labels;
    std::vector<LabelUse> uses;  // of this scope and of closed inner ones, not resolved yet
  };
  struct DeclarationType {
    Type type = Type::kNone;
    uint8_t vector_width = 1;
    uint32_t align = 0;  // 0: not written
    bool managed = false;
    bool is_pointer = false;
    Space pointer_space = Space::kGeneric;
    uint32_t pointer_align = 0;
  };

  // Tokens and errors.
  void advance() { tok_ = lexer_.next(); }
  bool fail(const Token& at, std::string message, StatusCode code = StatusCode::kInvalidArgument);
  bool expected(std::string_view what);  // fails: "found X, expected what"
  bool expect(char punctuation);
  bool accept(char punctuation);
  bool skip_to_semicolon();

  // Module level (parser.cpp).
  bool parse_module();
  bool parse_version();
  bool parse_target();
  bool parse_file();
  bool parse_section();
  bool parse_alias();
  bool parse_pragma(std::vector<std::string>* pragmas);
  bool parse_linked(Linkage linkage);

  // Numbers (parse_words.cpp).
  bool parse_unsigned(uint64_t& value, std::string_view what);
  bool parse_small(uint32_t& value, std::string_view what);
  bool parse_integer(int64_t& value, std::string_view what);    // optional sign
  bool parse_literal(Operand& operand, std::string_view what);  // kInteger, kFloat or kFloat32; optional sign
  bool number_bits(const Token& at, Operand& operand);

  // Declarations (parse_declarations.cpp).
  bool parse_variables(Space space, Linkage linkage);
  bool parse_variable(Space space, Linkage linkage, const DeclarationType& type);
  bool parse_declaration_type(DeclarationType& type);
  bool parse_align(uint32_t& align);
  bool parse_attribute(bool& managed);
  bool parse_dimensions(Variable& variable, uint64_t& elements);
  bool parse_initialiser(Variable& variable);
  bool parse_initialiser_list(Variable& variable, const std::vector<uint64_t>& extents, size_t level, uint64_t base);
  bool parse_initialiser_scalar(Variable& variable, uint64_t offset);
  bool store_scalar(Variable& variable, uint64_t offset, const Operand& value, const Token& at);
  bool parse_relocation(Variable& variable, uint64_t offset, uint8_t bytes, uint8_t shift_bytes);
  bool parse_parameters(std::vector<Parameter>& list, char close);
  bool parse_parameter(Parameter& parameter);
  bool declare_module_variable(Variable variable, std::string_view name, const Token& at);
  bool parse_function(Linkage linkage, bool entry);
  bool parse_function_attributes(Directives& directives);
  bool parse_directive(Directives& directives, bool& handled);
  bool parse_dim3(std::array<uint32_t, 3>& dims);
  bool parse_registers();

  // Bodies (parse_body.cpp).
  bool parse_body();
  bool parse_statement();
  bool parse_body_directive();
  bool parse_loc();
  bool parse_named_table(const Token& name);
  bool parse_prototype(const Token& name);
  bool define_label(std::string_view name, const Token& at);
  bool push_scope();
  bool pop_scope();
  bool resolve_labels(Scope& scope, Scope* outer);
  bool bind(std::string_view name, Binding binding, const Token& at);
  bool bind_family(std::string_view prefix, uint32_t first, uint32_t count, const Token& at);
  bool bind_parameters(std::vector<Parameter>& list, SymbolRef::Kind kind);
  const Binding* lookup(std::string_view name) const;
  uint32_t find_register(std::string_view name) const;  // kNoIndex: none
  uint32_t find_in_families(std::string_view name) const;
  std::string unique_name(std::string_view name);
  std::string unique_family(std::string_view prefix, uint32_t count);
  bool add_registers(std::string_view name, Type type, bool family, uint64_t count, const Token& at, uint32_t& first);
  void begin_function_names();

  // Instructions (parse_words.cpp, parse_operands.cpp).
  bool parse_instruction(const Token& first, Instruction instruction);
  bool parse_words(const Token& first, Instruction& instruction);
  bool place_word(std::string_view text, const Token& at, Instruction& instruction, uint32_t& filled,
                  unsigned& ordered);
  bool store_word(const Word& word, std::string_view text, const Token& at, Instruction& instruction);
  bool parse_operand(OperandRole hint, Operand& operand);
  bool parse_plain_operand(Operand& operand, bool allow_pair);
  bool parse_identifier_operand(Operand& operand);
  bool parse_address(Operand& operand);
  bool parse_vector(Operand& operand);
  bool parse_call();
  bool parse_call_list(Operand& list);
  bool resolve_symbol(const Token& at, SymbolRef& symbol);
  bool match_operands(const Token& first, const Instruction& instruction);
  bool operand_fits(const Operand& operand, OperandRole role) const;

  Function& function() { return module_.functions[function_index_]; }
  const Function& function() const { return module_.functions[function_index_]; }

  std::string_view text_;
  ParseLimits limits_;
  Lexer lexer_;
  Token tok_;
  Status status_;
  Module module_;
  std::unordered_map<std::string_view, SymbolRef> globals_;
  uint64_t module_registers_ = 0;
  uint64_t initialiser_bytes_ = 0;

  // The function being parsed. in_body_ is false at module level.
  bool in_body_ = false;
  size_t function_index_ = 0;
  std::vector<Scope> scopes_;
  std::unordered_map<std::string_view, Binding> names_;
  std::vector<std::pair<std::string_view, std::pair<bool, Binding>>> undo_;  // name, had a binding before, which
  std::vector<FamilyBinding> families_;
  std::unordered_map<std::string_view, uint32_t> family_of_prefix_;  // into families_
  // Names that the flattened function has taken, each with the next suffix to try for a homonym.
  std::unordered_map<std::string_view, uint32_t> used_names_;
  std::unordered_map<std::string_view, uint32_t> used_families_;
  std::unordered_map<std::string_view, uint32_t> numbered_names_;  // prefix of used names to their least number
  std::deque<std::string> made_names_;                             // storage behind made-up keys
  bool numbered_single_ = false;  // some single register's name ends in a digit, so families are not tried first
  SourceLocation location_;
  std::vector<Operand> operands_;  // of the instruction being parsed
};

}  // namespace tailor::ptx
