// The lowered program: what is left when nothing is left to decide. Structured control flow over SSA values, index
// arithmetic, typed memory operations. Both emitters (LLVM NVPTX, CUDA C++) print it one to one; proofs and
// certificates are about it.
//
// Example (text form; codegen/kernel/text.h prints and parses it):
//
//   kernel @tailor_copy(%dst: ptr, %src: ptr readonly, %n: i32) block 256 {
//     %tid = special tid.x
//     %cta = special ctaid.x
//     %t0 = const i32 256
//     %t1 = mul %cta, %t0
//     %i = add %t1, %tid
//     %p = cmp.ult %i, %n
//     if %p {
//       %t2 = const i32 16
//       %off = mul %i, %t2
//       %a = ptradd %src, %off
//       %v = load b128 %a align 16 access 1
//       %b = ptradd %dst, %off
//       store b128 %b, %v align 16 access 2
//     }
//   }
//
// Semantics. Integers are two's complement and wrap; a shift amount must be smaller than the width. Division does not
// exist: codegen/integer chooses multiply-high and shifts. `ptradd` takes an i32 offset as UNSIGNED bytes or an i64
// offset. A load or store touches exactly bytes_of(type) bytes at an address that is a multiple of `align`; with a
// guard (last operand, pred) it touches nothing when the guard is false and the load then yields zero. `for` iterates
// iv = lo, lo + step, … while iv < hi (signed), its body yields the carried values; `while` evaluates its first region,
// which ends in `condition p, values…`, and runs its second region on those values while p holds; `if` yields from both
// regions. Every value is defined before it is used and only seen inside its region and the regions within.
//
// Shared memory. A block has `shared_bytes` bytes of it, undefined at the start; `shared` is the address of the first,
// a multiple of 16, and `ptradd` adds an i32 to it. Its accesses name the operand "shared". All threads of a block
// wait at `barrier` for each other; what they did to memory before is seen by all after. Between two barriers no byte
// of shared memory that one thread writes is touched by another.
//
// Floats. f32 lives in registers only; memory holds bits. `fadd`, `fsub`, `fmul` and `fma` round to nearest even, keep
// subnormals, are never contracted, and yield 0x7fffffff where they yield a NaN. `decode` takes one or two values of a
// storage format out of their bits, the low one first, exactly; a NaN becomes 0x7fffffff, but one of bf16 keeps its
// bits. `encode` rounds to nearest even: beyond the largest value f16 and bf16 become infinity, e4m3 and e5m2 the
// largest value, infinity included; a NaN becomes 0x7fff (f16, bf16) or 0x7f. These are PTX's cvt.rn and
// cvt.rn.satfinite (ISA 9.7.9.21). `unpack` cuts bits into equal lanes, the lowest first; `pack` is its inverse;
// `bitcast` renames i32, b32 and f32, or i64 and b64; `zext` also takes b8 and b16 to i32.
//
// Ownership: a Program owns its instructions by value; ValueIds index Program::values. Thread-safety: values.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tailor/status.h"
#include "tailor/types.h"

namespace tailor::codegen::kernel {

// name, text, bytes in memory (0: not storable)
#define TAILOR_KERNEL_TYPES(X) \
  X(kPred, "pred", 0)          \
  X(kI32, "i32", 4)            \
  X(kI64, "i64", 8)            \
  X(kPtr, "ptr", 8)            \
  X(kSptr, "sptr", 0)          \
  X(kF32, "f32", 0)            \
  X(kB8, "b8", 1)              \
  X(kB16, "b16", 2)            \
  X(kB32, "b32", 4)            \
  X(kB64, "b64", 8)            \
  X(kB128, "b128", 16)

enum class Type : uint8_t {
#define X(name, text, bytes) name,
  TAILOR_KERNEL_TYPES(X)
#undef X
};
std::string_view to_string(Type type);
int bytes_of(Type type);
// kB8 … kB128 for 1, 2, 4, 8, 16 bytes.
Type bits_type(int bytes);
bool is_bits(Type type);

// name, text, operands (-1: varies), results (-1: varies)
#define TAILOR_KERNEL_OPS(X)               \
  X(kConstant, "const", 0, 1)              \
  X(kSpecial, "special", 0, 1)             \
  X(kAdd, "add", 2, 1)                     \
  X(kSub, "sub", 2, 1)                     \
  X(kMul, "mul", 2, 1)                     \
  X(kMulHighU, "mulhi.u", 2, 1)            \
  X(kMinS, "min.s", 2, 1)                  \
  X(kMaxS, "max.s", 2, 1)                  \
  X(kMinU, "min.u", 2, 1)                  \
  X(kMaxU, "max.u", 2, 1)                  \
  X(kAnd, "and", 2, 1)                     \
  X(kOr, "or", 2, 1)                       \
  X(kXor, "xor", 2, 1)                     \
  X(kNot, "not", 1, 1)                     \
  X(kShl, "shl", 2, 1)                     \
  X(kShrU, "shr.u", 2, 1)                  \
  X(kShrS, "shr.s", 2, 1)                  \
  X(kCompare, "cmp", 2, 1)                 \
  X(kSelect, "select", 3, 1)               \
  X(kSignExtend, "sext", 1, 1)             \
  X(kZeroExtend, "zext", 1, 1)             \
  X(kTruncate, "trunc", 1, 1)              \
  X(kPtrAdd, "ptradd", 2, 1)               \
  X(kFAdd, "fadd", 2, 1)                   \
  X(kFSub, "fsub", 2, 1)                   \
  X(kFMul, "fmul", 2, 1)                   \
  X(kFma, "fma", 3, 1)                     \
  X(kBitcast, "bitcast", 1, 1)             \
  X(kUnpack, "unpack", 1, -1)              \
  X(kPack, "pack", -1, 1)                  \
  X(kDecode, "decode", 1, -1)              \
  X(kEncode, "encode", -1, 1)              \
  X(kShared, "shared", 0, 1)               \
  X(kLoad, "load", -1, 1)                  \
  X(kStore, "store", -1, 0)                \
  X(kAtomicMaxU64, "atomic.max.u64", 2, 0) \
  X(kBarrier, "barrier", 0, 0)             \
  X(kFor, "for", -1, -1)                   \
  X(kWhile, "while", -1, -1)               \
  X(kIf, "if", 1, -1)                      \
  X(kYield, "yield", -1, 0)                \
  X(kCondition, "condition", -1, 0)

enum class Op : uint8_t {
#define X(name, text, operands, results) name,
  TAILOR_KERNEL_OPS(X)
#undef X
};
std::string_view to_string(Op op);
int operand_count(Op op);  // -1: varies
int result_count(Op op);   // -1: varies

// name, text
#define TAILOR_KERNEL_COMPARES(X) \
  X(kEq, "eq")                    \
  X(kNe, "ne")                    \
  X(kSlt, "slt")                  \
  X(kSle, "sle") X(kSgt, "sgt") X(kSge, "sge") X(kUlt, "ult") X(kUle, "ule") X(kUgt, "ugt") X(kUge, "uge")
enum class Compare : uint8_t {
#define X(name, text) name,
  TAILOR_KERNEL_COMPARES(X)
#undef X
};
std::string_view to_string(Compare relation);

// name, text; all are i32
#define TAILOR_KERNEL_SPECIALS(X) \
  X(kTidX, "tid.x") X(kCtaidX, "ctaid.x") X(kNctaidX, "nctaid.x") X(kNtidX, "ntid.x") X(kLaneId, "laneid")
enum class Special : uint8_t {
#define X(name, text) name,
  TAILOR_KERNEL_SPECIALS(X)
#undef X
};
std::string_view to_string(Special which);

// name, text, bytes. e4m3 has no infinity and one NaN (OCP FP8 "E4M3"); e5m2 is the high byte of f16.
#define TAILOR_KERNEL_FORMATS(X) \
  X(kF16, "f16", 2)              \
  X(kBF16, "bf16", 2)            \
  X(kE4M3, "e4m3", 1)            \
  X(kE5M2, "e5m2", 1)
enum class Format : uint8_t {
#define X(name, text, bytes) name,
  TAILOR_KERNEL_FORMATS(X)
#undef X
};
std::string_view to_string(Format format);
int bytes_of(Format format);

using ValueId = uint32_t;
inline constexpr ValueId kNoValue = ~ValueId{0};

struct Instruction;

struct Region {
  std::vector<ValueId> arguments;  // for: iv, carried…; while: carried… (both regions); if: none
  std::vector<Instruction> body;   // ends in yield or condition when the region must; `if` without results may omit it
};

struct Instruction {
  Op op = Op::kConstant;
  std::vector<ValueId> results;
  std::vector<ValueId> operands;
  int64_t immediate = 0;           // kConstant; of an f32, its bits
  Compare compare = Compare::kEq;  // kCompare
  Special special = Special::kTidX;
  Format format = Format::kF16;  // kDecode, kEncode
  // Memory operations:
  Type memory_type = Type::kB8;  // what is loaded or stored
  uint16_t align = 1;            // bytes; a power of two
  uint16_t access = 0;           // id into Program::accesses, 1-based; unique per memory instruction
  bool guarded = false;          // last operand is a pred
  bool read_only = false;        // load through the read-only path: nothing in this launch writes the operand
  std::vector<Region> regions;   // kFor: 1; kWhile: 2; kIf: 1 or 2
};

inline constexpr std::string_view kSharedOperand = "shared";

// What a memory access claims to be: the subject of a certificate.
struct Access {
  std::string operand;  // "k_pages"; of accesses to shared memory, and of no others, kSharedOperand
  std::string what;     // the layout term in words, e.g. "body vector 16 B", "block_table[b, page]"
};

struct ValueInfo {
  Type type = Type::kI32;
  std::string name;  // printed as %name; unique, never empty after `name_values`
};

struct Parameter {
  ValueId value = kNoValue;
  bool read_only = false;  // kPtr only: the kernel never writes through it, and nothing it writes overlaps it
};

struct Program {
  std::string entry;
  std::vector<Parameter> parameters;  // in order; sizes 4 or 8 bytes, naturally aligned
  uint32_t block_threads = 1;         // .reqntid; 1 … 1024
  uint32_t shared_bytes = 0;          // static shared memory of a block; 0 … 49152
  std::vector<ValueInfo> values;
  std::vector<Access> accesses;  // accesses[id - 1]
  Region body;

  Type type_of(ValueId v) const { return values[v].type; }
};

// Equal up to the numbering of values: entry, sizes, parameters, accesses, every instruction and every value's name and
// type.
bool operator==(const Program& a, const Program& b);

// Byte offset of every parameter, in order, and the size of the block: natural alignment, as both emitters lay them
// out.
std::vector<uint16_t> parameter_offsets(const Program& program);

// The specification of a well-formed program (see the semantics above): types, dominance, terminators, access ids,
// alignments, what may be written. Names the instruction and the rule; the rules stand in verify.cpp, one per message.
Status verify(const Program& program);

// ---------------------------------------------------------------------------------------------------------------
// Builder: appends to the innermost open region. Folds nothing and checks types by assertion in debug builds; the
// verifier is the judge.

struct Value {
  ValueId id = kNoValue;
};

class Builder {
 public:
  Builder(std::string entry, uint32_t block_threads);

  Value parameter(Type type, std::string name, bool read_only = false);

  Value constant(Type type, int64_t value);
  Value i32(int64_t value) { return constant(Type::kI32, value); }
  Value i64(int64_t value) { return constant(Type::kI64, value); }
  Value special(Special which);

  // Two operands of one type (kI32, kI64; kAnd/kOr/kXor also kPred; kFAdd/kFSub/kFMul kF32).
  Value binary(Op op, Value a, Value b, std::string name = "");
  Value add(Value a, Value b) { return binary(Op::kAdd, a, b); }
  Value sub(Value a, Value b) { return binary(Op::kSub, a, b); }
  Value mul(Value a, Value b) { return binary(Op::kMul, a, b); }
  Value bit_and(Value a, Value b) { return binary(Op::kAnd, a, b); }
  Value bit_or(Value a, Value b) { return binary(Op::kOr, a, b); }
  Value logical_not(Value a);
  Value compare(Compare relation, Value a, Value b);
  Value select(Value condition, Value if_true, Value if_false);
  Value sign_extend(Value a);                       // i32 -> i64
  Value zero_extend(Value a);                       // i32 -> i64; b8, b16 -> i32
  Value truncate(Value a);                          // i64 -> i32
  Value ptr_add(Value pointer, Value byte_offset);  // of a ptr: i32 or i64; of an sptr: i32

  Value f32(float value);
  Value fma(Value a, Value b, Value c);              // a · b + c; fadd, fsub, fmul are `binary`
  Value bitcast(Type type, Value a);                 // i32, b32, f32; i64, b64
  std::vector<Value> unpack(Type lane, Value bits);  // lowest first
  Value pack(const std::vector<Value>& lanes);
  std::vector<Value> decode(Format format, Value bits);         // bits of one value or of two
  Value encode(Format format, const std::vector<Value>& f32s);  // of one or two values

  // Reserves the next `bytes` bytes of shared memory, from a multiple of 16 on, and gives the address of the first.
  Value shared(uint32_t bytes);
  void barrier() { append(Op::kBarrier); }

  struct AccessInfo {
    std::string operand;  // through an sptr: left empty
    std::string what;
    int align = 1;
    bool read_only = false;
  };
  Value load(Type type, Value pointer, const AccessInfo& info, Value guard = {});
  void store(Type type, Value pointer, Value value, const AccessInfo& info, Value guard = {});
  void atomic_max_u64(Value pointer, Value value_i64, const AccessInfo& info);

  using Values = std::vector<Value>;
  // Body gets the induction variable and the carried values and returns the next ones.
  Values for_loop(Value lo, Value hi, Value step, const Values& init,
                  const std::function<Values(Value iv, const Values& carried)>& body);
  // `condition` gets the carried values and returns (pred, values to pass on); `body` returns the next ones.
  Values while_loop(const Values& init, const std::function<std::pair<Value, Values>(const Values&)>& condition,
                    const std::function<Values(const Values&)>& body);
  void if_then(Value condition, const std::function<void()>& then);
  Values if_else(Value condition, const std::function<Values()>& then, const std::function<Values()>& otherwise);

  void set_name(Value value, std::string name);
  Type type_of(Value v) const { return program_.type_of(v.id); }

  // Gives every value a unique name and returns the program. The builder is empty afterwards.
  Program finish();

 private:
  Value define(Type type, std::string name = "");
  Instruction& append(Op op);
  Instruction& last();
  // An instruction of one operand with `count` results of a type.
  std::vector<Value> define_all(Op op, Type type, int count, Value operand);
  void claim(Value pointer, const AccessInfo& info);
  Program program_;
  std::vector<Region*> open_;
};

}  // namespace tailor::codegen::kernel
