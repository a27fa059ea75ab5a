// The parsed form of a PTX module: what the virtual device executes and the certificate checker reads.
//
// Everything is a plain value. A Module owns all of it, refers to nothing outside (not to the text it came from), and
// compares with ==. All names are resolved: registers, labels, variables and functions are indices. Nested `{}` scopes
// are gone; a name that was declared again in a nested scope carries a suffix ("p$1"), so names are unique in a
// function. Thread-safety: const access from any thread. Errors arise in parse() only (parser.h).
//
// Operands lie in one pool per function, so that an Instruction is a flat record:
//
//     for (const Instruction& i : f.instructions)
//       for (const Operand& o : f.operands_of(i))
//         if (o.kind == Operand::Kind::kVector) for (const Operand& e : f.elements(o)) ...
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/ptx/opcodes.h"
#include "runtime/ptx/special_registers.h"
#include "runtime/ptx/suffixes.h"

namespace tailor::ptx {

inline constexpr uint32_t kNoIndex = 0xFFFFFFFFu;

// What a name refers to.
struct SymbolRef {
  enum class Kind : uint8_t {
    kNone,
    kModuleVariable,    // Module::variables[index]
    kFunctionVariable,  // Function::variables[index]
    kParameter,         // Function::parameters[index]
    kReturn,            // Function::returns[index]
    kFunction,          // Module::functions[index]
  };
  Kind kind = Kind::kNone;
  uint32_t index = 0;
  bool operator==(const SymbolRef&) const = default;
};

struct Operand {
  enum class Kind : uint8_t {
    kNone,
    kRegister,     // index = register; negated for `!p`; selector for `%r1.b0` of the video instructions
    kInteger,      // value = the two's complement bits (immediate)
    kFloat,        // value = bits of an IEEE double (`0d…`, `1.5`)
    kFloat32,      // value = bits of an IEEE single in the low half (`0f…`)
    kSpecial,      // special
    kSymbol,       // address of `symbol`, plus `value` bytes: mov.u64 %rd1, table+8;
    kAddress,      // [base + value]: base is register `index`, or `symbol`, or neither (absolute)
    kTensor,       // [map, {c0, …}]: base as in kAddress; coordinates = elements()
    kVector,       // {a, b, …} = elements(); also the argument and result lists of call
    kPair,         // d|p = two elements(), each a register or a sink
    kSink,         // _
    kLabel,        // index = label, value = index of the instruction that it stands before (may equal the count: end)
    kBranchTable,  // index = Function::branch_tables (brx.idx)
    kPrototype,    // index = Function::prototypes (indirect call)
    kCallTargets,  // index = Function::call_targets (indirect call)
  };
  // Part of a 32-bit register that a video instruction reads or writes. kNone: all of it.
  enum class Selector : uint8_t { kNone, kB0, kB1, kB2, kB3, kH0, kH1 };

  Kind kind = Kind::kNone;
  bool negated = false;
  Selector selector = Selector::kNone;
  SpecialRegister special = SpecialRegister::kCount;
  uint32_t index = kNoIndex;
  SymbolRef symbol;
  uint32_t first = 0;  // elements: [first, first + count) in Function::operands
  uint32_t count = 0;
  int64_t value = 0;

  bool has_register_base() const { return (kind == Kind::kAddress || kind == Kind::kTensor) && index != kNoIndex; }
  bool operator==(const Operand&) const = default;
};

// Where an instruction came from in the source language (.loc); file 0: unknown. inlined_at is not kept.
struct SourceLocation {
  uint32_t line = 0;
  uint16_t file = 0;
  uint16_t column = 0;
  bool operator==(const SourceLocation&) const = default;
};

// Matrix shape of mma, wgmma, wmma, ldmatrix, stmatrix (`.m16n8k16`, `.m8n8`: k = 0). All zero: none.
struct Shape {
  uint16_t m = 0, n = 0, k = 0;
  bool operator==(const Shape&) const = default;
};

struct Instruction {
  Opcode opcode = Opcode::kTrap;
  // Types in the order written: cvt.rn.f16x2.e4m3x2 has {f16x2, e4m3x2}; mma has {d, a, b, c}. kNone beyond type_count.
  std::array<Type, 4> types{Type::kNone, Type::kNone, Type::kNone, Type::kNone};
  uint8_t type_count = 0;
  // First and second state space in the order written (cp.async.bulk: destination, source).
  Space space = Space::kGeneric;
  Space second_space = Space::kGeneric;
  uint8_t vector_width = 1;  // 1, 2, 4
  // Copies of the members of `modifiers` in these groups; kNone when absent.
  Modifier compare = Modifier::kNone;    // setp, set, vset
  Modifier operation = Modifier::kNone;  // atom/red/redux op, setp's bool op, vote/shfl/prmt mode, testp class
  Modifier rounding = Modifier::kNone;
  Modifier semantics = Modifier::kNone;
  Modifier scope = Modifier::kNone;  // membar.gl gives kGl, which means the same as kGpu
  ModifierSet modifiers;
  std::array<CacheHint, 4> hints{};  // ignorable; kNone beyond the last
  Shape shape;

  uint32_t guard = kNoIndex;  // predicate register of @p / @!p
  bool guard_negated = false;

  uint16_t operand_count = 0;
  uint32_t first_operand = 0;
  uint32_t text_line = 0;  // 1-based line in the PTX text. Not compared.
  SourceLocation location;

  bool has(Modifier m) const { return modifiers.has(m); }
  bool has(CacheHint h) const { return hints[0] == h || hints[1] == h || hints[2] == h || hints[3] == h; }
  Type type() const { return types[0]; }
  bool guarded() const { return guard != kNoIndex; }
  // True when the last operand is a cache policy, which an executor may ignore.
  bool has_cache_policy() const;
  bool operator==(const Instruction& other) const;  // all but text_line
};

enum class Linkage : uint8_t { kInternal, kVisible, kExtern, kWeak, kCommon };

// An address inside an initialiser: at `offset` of the variable, `bytes` wide, the value (symbol + addend) >> (8 *
// shift_bytes). The space of the value is that of the symbol, or generic when `generic` is set (generic(x)). Functions
// have one address kind only.
struct Relocation {
  uint64_t offset = 0;
  uint8_t bytes = 8;
  uint8_t shift_bytes = 0;  // `0xFF00(x)` takes byte 1
  bool generic = false;
  SymbolRef symbol;  // kModuleVariable or kFunction
  int64_t addend = 0;
  bool operator==(const Relocation&) const = default;
};

struct Variable {
  std::string name;
  Space space = Space::kGlobal;  // kGlobal, kConst, kShared, kLocal, kParam (call arguments inside a body)
  Linkage linkage = Linkage::kInternal;
  Type type = Type::kB8;     // of an element
  uint8_t vector_width = 1;  // .v2 / .v4 elements
  bool managed = false;      // .attribute(.managed)
  bool unsized = false;      // `[]`: extern shared, sized at launch; bytes = 0
  uint32_t align = 1;        // bytes; natural alignment when none was written
  uint64_t bytes = 0;
  std::vector<uint64_t> dimensions;     // as written, outermost first; empty for a scalar
  std::vector<uint8_t> data;            // initial bytes, shorter than `bytes` when the rest is zero; empty: none given
  std::vector<Relocation> relocations;  // applied over data; ascending offsets
  bool operator==(const Variable&) const = default;
};

struct Parameter {
  std::string name;
  Type type = Type::kB32;
  uint8_t vector_width = 1;
  bool is_register = false;  // a .reg parameter of a .func; register_index in a body, kNoIndex in a declaration
  bool is_array = false;     // .b8 name[128]: passed by value, bytes = 128
  bool is_pointer = false;   // .ptr
  bool unsized = false;      // .b8 name[] in a .func: variable arguments
  Space pointer_space = Space::kGeneric;
  uint32_t pointer_align = 0;  // .ptr .align n; 0: not given
  uint32_t register_index = kNoIndex;
  uint32_t align = 1;  // bytes
  uint64_t bytes = 0;
  uint64_t offset = 0;  // in the parameter block (cuLaunchKernel's layout): each aligned, in order
  bool operator==(const Parameter&) const = default;
};

// A run of registers of one type. `.reg .b32 %r<31>;` is {"%r", family, 31}: %r0 … %r30. A single register has count 1
// and family = false.
struct RegisterFamily {
  std::string name;
  Type type = Type::kB32;
  bool family = false;
  uint32_t first = 0;  // index of its first register
  uint32_t count = 1;
  bool operator==(const RegisterFamily&) const = default;
};

struct Label {
  std::string name;
  uint32_t instruction = 0;  // the label stands before this one; == instructions.size() at the end of the body
  bool operator==(const Label&) const = default;
};

struct BranchTable {
  std::string name;
  std::vector<uint32_t> labels;
  bool operator==(const BranchTable&) const = default;
};

struct CallTargets {
  std::string name;
  std::vector<uint32_t> functions;  // Module::functions
  bool operator==(const CallTargets&) const = default;
};

struct Prototype {
  std::string name;
  std::vector<Parameter> returns;
  std::vector<Parameter> parameters;
  bool noreturn = false;
  bool operator==(const Prototype&) const = default;
};

// Performance-tuning directives (PTX ISA 11.4). Zero: not given.
struct Directives {
  std::array<uint32_t, 3> maxntid{};  // unwritten dimensions are 1 once the directive is given
  std::array<uint32_t, 3> reqntid{};
  std::array<uint32_t, 3> reqnctapercluster{};
  uint32_t minnctapersm = 0;
  uint32_t maxnctapersm = 0;
  uint32_t maxnreg = 0;
  uint32_t maxclusterrank = 0;
  bool explicit_cluster = false;
  bool blocks_are_clusters = false;
  bool noreturn = false;
  std::vector<std::string> pragmas;  // without the quotes
  bool operator==(const Directives&) const = default;
};

struct Function {
  std::string name;
  bool entry = false;
  bool defined = false;  // false: a declaration (.extern .func vprintf)
  Linkage linkage = Linkage::kInternal;
  std::vector<Parameter> parameters;
  std::vector<Parameter> returns;
  uint64_t parameter_bytes = 0;  // size of the parameter block, without tail padding
  Directives directives;

  std::vector<RegisterFamily> families;
  std::vector<Type> register_types;  // by register index; size() is the number of declared registers
  std::vector<Variable>
      variables;  // .local, .shared, .param (and .const/.global) declared in the body, scopes flattened
  std::vector<Label> labels;
  std::vector<BranchTable> branch_tables;
  std::vector<CallTargets> call_targets;
  std::vector<Prototype> prototypes;
  std::vector<Instruction> instructions;
  std::vector<Operand> operands;  // the pool: see operands_of, elements
  uint32_t text_line = 0;         // of the declaration. Not compared.

  std::span<const Operand> operands_of(const Instruction& i) const {
    return {operands.data() + i.first_operand, i.operand_count};
  }
  std::span<const Operand> elements(const Operand& o) const { return {operands.data() + o.first, o.count}; }
  const RegisterFamily& family_of(uint32_t reg) const;
  std::string register_name(uint32_t reg) const;  // "%r7"
  bool operator==(const Function& other) const;   // all but text_line
};

// The operands of call are always: results (kVector, may be empty), callee (kSymbol of a function, or kRegister),
// arguments (kVector, may be empty), and for an indirect call a kPrototype or kCallTargets. Results and arguments are
// kSymbol of .param variables or parameters, or registers, or immediates.
struct CallOperands {
  const Operand& results;
  const Operand& callee;
  const Operand& arguments;
  const Operand* prototype;  // nullptr for a direct call
};
CallOperands call_operands(const Function& f, const Instruction& call);

struct SourceFile {
  uint32_t index = 0;
  std::string path;
  bool operator==(const SourceFile&) const = default;
};

struct Module {
  std::array<uint16_t, 2> version{};        // {8, 3}
  std::string target;                       // "sm_90a"
  std::vector<std::string> target_options;  // "texmode_independent"; `debug` is dropped with the DWARF sections
  uint32_t address_size = 64;
  std::vector<Variable> variables;  // .global, .const, .shared (extern or not) at module scope
  std::vector<Function> functions;  // declarations and definitions, in order of first appearance
  // Variables (kModuleVariable) and functions (kFunction) in the order of their declarations. One that is declared
  // before it is defined stands here more than once; the last mention is the definition.
  std::vector<SymbolRef> order;
  std::vector<SourceFile> files;     // .file
  std::vector<std::string> aliases;  // `.alias a, b;` as "a=b"

  const Function* find_function(std::string_view name) const;
  const Variable* find_variable(std::string_view name) const;
  bool operator==(const Module&) const = default;
};

}  // namespace tailor::ptx
