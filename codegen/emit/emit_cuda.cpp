#include <string>
#include <vector>

#include <fmt/format.h>

#include "codegen/emit/address.h"
#include "codegen/emit/emit.h"
#include "codegen/emit/templates.h"
#include "codegen/kernel/expand_conversions.h"
#include "codegen/kernel/rules.h"

namespace tailor::codegen::emit {
namespace {

using kernel::Compare;
using kernel::Instruction;
using kernel::Op;
using kernel::Program;
using kernel::Region;
using kernel::Special;
using kernel::Type;
using kernel::ValueId;

// Lines of file "/access" up to this one are access ids; everything else stands behind. (An absolute name: NVRTC puts
// its working directory before others.)
constexpr int kFirstPlainLine = 65536;

// i32 and i64 are unsigned, so that arithmetic wraps as the program's does; pointers are addresses in integers.
std::string_view spelled(Type type) {
  switch (type) {
    case Type::kPred:
      return "bool";
    case Type::kI32:
    case Type::kB32:
    case Type::kSptr:
      return "unsigned int";
    case Type::kI64:
    case Type::kB64:
    case Type::kPtr:
      return "unsigned long long";
    case Type::kF32:
      return "float";
    case Type::kB8:  // zero-extended, as ld.u8 leaves it
    case Type::kB16:
      return "unsigned short";
    case Type::kB128:
      break;
  }
  return "tailor_b128";
}

class CudaPrinter {
 public:
  explicit CudaPrinter(Program program) : program_(std::move(program)), addresses_(fold_addresses(program_)) {}

  std::string run() {
    for (const Template& source : templates()) {
      print("#line 1 \"/tailor/{}\"\n{}", source.name, source.text);
      if (!source.text.ends_with('\n')) print("\n");
    }
    print("\n");
    plain_line();
    print("extern \"C\" __global__ void __launch_bounds__({}) {}(", program_.block_threads, program_.entry);
    for (size_t k = 0; k < program_.parameters.size(); ++k) {
      const kernel::Parameter& parameter = program_.parameters[k];
      std::string_view type = program_.type_of(parameter.value) != Type::kPtr
                                  ? spelled(program_.type_of(parameter.value))
                              : parameter.read_only ? "const void* __restrict__"
                                                    : "void*";
      print("{}{} {}_p", k ? ", " : "", type, name(parameter.value));
    }
    print(") {{\n");
    if (program_.shared_bytes != 0) {
      statement("__shared__ __align__({}) unsigned char tailor_shared[{}];", kernel::rules::kSharedAlign,
                program_.shared_bytes);
    }
    for (const kernel::Parameter& parameter : program_.parameters) {
      std::string_view type = spelled(program_.type_of(parameter.value));
      statement("const {} {} = ({}){}_p;", type, name(parameter.value), type, name(parameter.value));
    }
    region(program_.body);
    print("}}\n");
    return std::move(text_);
  }

 private:
  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void statement(fmt::format_string<Args...> format, Args&&... args) {
    text_.append(2 * static_cast<size_t>(depth_), ' ');
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    text_ += '\n';
    ++plain_lines_;
  }
  void open(const std::string& head) {
    statement("{}{{", head);
    ++depth_;
  }
  void close(const std::string& tail = "") {
    --depth_;
    statement("}}{}", tail);
  }
  void plain_line() { print("#line {} \"/access\"\n", kFirstPlainLine + plain_lines_); }

  // "row_12": never a keyword, never another value's.
  std::string name(ValueId v) const {
    std::string result = fmt::format("{}_{}", program_.values[v].name, v);
    for (char& c : result)
      if (c == '.') c = '_';
    return result;
  }
  std::string_view type(ValueId v) const { return spelled(program_.type_of(v)); }

  void region(const Region& r) {
    for (const Instruction& i : r.body) {
      if (i.op != Op::kYield && i.op != Op::kCondition) instruction(i);
    }
  }

  void instruction(const Instruction& i) {
    switch (i.op) {
      case Op::kUnpack:
        return define_all(i, unpack(i));
      case Op::kDecode:
        return define_all(i, decode(i));
      case Op::kBarrier:
        return statement("__syncthreads();");
      case Op::kFor:
        return for_loop(i);
      case Op::kWhile:
        return while_loop(i);
      case Op::kIf:
        return if_else(i);
      case Op::kLoad:
      case Op::kStore:
      case Op::kAtomicMaxU64:
        return memory(i);
      default:
        statement("const {} {} = {};", type(i.results[0]), name(i.results[0]), expression(i));
    }
  }

  std::string expression(const Instruction& i) {
    auto a = [&](size_t k) { return name(i.operands[k]); };
    auto infix = [&](const char* op) { return fmt::format("{} {} {}", a(0), op, a(1)); };
    bool is_i32 = !i.operands.empty() && program_.type_of(i.operands[0]) == Type::kI32;
    const char* as_signed = is_i32 ? "int" : "long long";
    auto choose = [&](const char* relation, bool is_signed) {
      if (!is_signed) return fmt::format("{0} {2} {1} ? {0} : {1}", a(0), a(1), relation);
      return fmt::format("({3}){0} {2} ({3}){1} ? {0} : {1}", a(0), a(1), relation, as_signed);
    };
    switch (i.op) {
      case Op::kConstant:
        return constant(i);
      case Op::kSpecial:
        return fmt::format("{}()", special(i.special));
      case Op::kAdd:
        return infix("+");
      case Op::kSub:
        return infix("-");
      case Op::kMul:
        return infix("*");
      case Op::kMulHighU:
        return fmt::format("tailor_mulhi_u({}, {})", a(0), a(1));
      case Op::kMinS:
        return choose("<", true);
      case Op::kMaxS:
        return choose(">", true);
      case Op::kMinU:
        return choose("<", false);
      case Op::kMaxU:
        return choose(">", false);
      case Op::kAnd:
        return infix("&");
      case Op::kOr:
        return infix("|");
      case Op::kXor:
        return infix("^");
      case Op::kNot:
        return fmt::format("{}{}", program_.type_of(i.operands[0]) == Type::kPred ? '!' : '~', a(0));
      case Op::kShl:
        return infix("<<");
      case Op::kShrU:
        return infix(">>");
      case Op::kShrS:
        return fmt::format("tailor_shr_s({}, {})", a(0), a(1));
      case Op::kCompare:
        return compare(i, as_signed);
      case Op::kSelect:
        return fmt::format("{} ? {} : {}", a(0), a(1), a(2));
      case Op::kSignExtend:
        return fmt::format("tailor_sext({})", a(0));
      case Op::kZeroExtend:
        return fmt::format("({}){}", type(i.results[0]), a(0));
      case Op::kTruncate:
        return fmt::format("(unsigned int){}", a(0));
      case Op::kFAdd:
      case Op::kFSub:
      case Op::kFMul:
        return fmt::format("tailor_{}({}, {})", kernel::to_string(i.op), a(0), a(1));
      case Op::kFma:
        return fmt::format("tailor_fma({}, {}, {})", a(0), a(1), a(2));
      case Op::kBitcast:
        return bitcast(i);
      case Op::kPack:
        return pack(i);
      case Op::kEncode:
        return encode(i);
      case Op::kShared:
        return "tailor_shared_address(tailor_shared)";
      case Op::kPtrAdd:
        return infix("+");  // an i32 offset is unsigned and widens with zeros
      default:
        return "";  // control flow and memory do not come here
    }
  }

  std::string constant(const Instruction& i) const {
    uint64_t bits = static_cast<uint64_t>(i.immediate);
    switch (program_.type_of(i.results[0])) {
      case Type::kPred:
        return bits ? "true" : "false";
      case Type::kI64:
      case Type::kB64:
        return fmt::format("{}ull", bits);
      case Type::kF32:
        return fmt::format("__uint_as_float({}u)", static_cast<uint32_t>(bits));
      case Type::kB128:
        return fmt::format("{{{}u, {}u, 0u, 0u}}", static_cast<uint32_t>(bits), static_cast<uint32_t>(bits >> 32));
      default:
        return fmt::format("{}u", static_cast<uint32_t>(bits));
    }
  }

  // ---- floats and bits

  void define_all(const Instruction& i, const std::vector<std::string>& results) {
    for (size_t k = 0; k < i.results.size(); ++k)
      statement("const {} {} = {};", type(i.results[k]), name(i.results[k]), results[k]);
  }

  std::string bitcast(const Instruction& i) const {
    const std::string value = name(i.operands[0]);
    const bool from_float = program_.type_of(i.operands[0]) == Type::kF32;
    const bool to_float = program_.type_of(i.results[0]) == Type::kF32;
    if (from_float == to_float) return value;
    return fmt::format("{}({})", from_float ? "__float_as_uint" : "__uint_as_float", value);
  }

  // Pieces of at most 4 bytes, the lowest first.
  std::vector<std::string> words_of(Type t, const std::string& bits) {
    if (t == Type::kB128) return {bits + ".x", bits + ".y", bits + ".z", bits + ".w"};
    if (t != Type::kB64) return {bits};
    const std::vector<std::string> words{fresh(), fresh()};
    statement("unsigned int {0}, {1}; tailor_words({2}, {0}, {1});", words[0], words[1], bits);
    return words;
  }
  std::vector<std::string> halves_of(const std::string& word) {
    const std::vector<std::string> halves{fresh(), fresh()};
    statement("unsigned short {0}, {1}; tailor_halves({2}, {0}, {1});", halves[0], halves[1], word);
    return halves;
  }
  std::string fresh() { return fmt::format("part_n{}", parts_++); }

  // Words, then their halves, then the bytes of these, as far down as the lanes are.
  std::vector<std::string> unpack(const Instruction& i) {
    const Type from = program_.type_of(i.operands[0]);
    const int lane_bytes = kernel::bytes_of(program_.type_of(i.results[0]));
    std::vector<std::string> parts = words_of(from, name(i.operands[0]));
    if (lane_bytes == 8) return {join("words", parts[0], parts[1]), join("words", parts[2], parts[3])};
    if (lane_bytes < 4 && from != Type::kB16) {
      std::vector<std::string> halves;
      for (const std::string& word : parts)
        for (std::string& half : halves_of(word)) halves.push_back(std::move(half));
      parts = std::move(halves);
    }
    if (lane_bytes > 1) return parts;
    std::vector<std::string> bytes;
    for (const std::string& half : parts) {
      bytes.push_back(fmt::format("{} & 0xff", half));
      bytes.push_back(fmt::format("{} >> 8", half));
    }
    return bytes;
  }
  static std::string join(const char* what, const std::string& low, const std::string& high) {
    return fmt::format("tailor_join_{}({}, {})", what, low, high);
  }
  std::string pack(const Instruction& i) {
    const Type to = program_.type_of(i.results[0]);
    const int lane_bytes = kernel::bytes_of(program_.type_of(i.operands[0]));
    std::vector<std::string> parts;
    for (ValueId v : i.operands) parts.push_back(name(v));
    const auto join_pairs = [&parts](const char* what) {
      for (size_t k = 0; 2 * k < parts.size(); ++k) parts[k] = join(what, parts[2 * k], parts[2 * k + 1]);
      parts.resize(parts.size() / 2);
    };
    if (lane_bytes == 1) join_pairs("bytes");
    if (lane_bytes < 4 && to != Type::kB16) join_pairs("halves");
    if (lane_bytes == 8) {
      std::vector<std::string> words;
      for (const std::string& part : parts)
        for (std::string& word : words_of(Type::kB64, part)) words.push_back(std::move(word));
      parts = std::move(words);
    }
    if (to == Type::kB128) return fmt::format("{{{}, {}, {}, {}}}", parts[0], parts[1], parts[2], parts[3]);
    return to == Type::kB64 ? join("words", parts[0], parts[1]) : parts[0];
  }

  std::vector<std::string> decode(const Instruction& i) {
    const std::string bits = name(i.operands[0]);
    if (i.format == kernel::Format::kBF16) {
      return {fmt::format("__uint_as_float((unsigned int){} << 16)", bits),
              fmt::format("__uint_as_float({} & 0xffff0000u)", bits)};
    }
    const bool is_fp8 = kernel::bytes_of(i.format) == 1;
    std::vector<std::string> halves{bits};
    if (is_fp8) halves = halves_of(fmt::format("tailor_{}x2_to_f16x2({})", kernel::to_string(i.format), bits));
    if (!is_fp8 && i.results.size() == 2) halves = halves_of(bits);
    for (std::string& half : halves) half = fmt::format("tailor_decode_f16({})", half);
    return halves;
  }
  // A single fp8 value is the low one of a pair with zero.
  std::string encode(const Instruction& i) const {
    const bool is_single_fp8 = kernel::bytes_of(i.format) == 1 && i.operands.size() == 1;
    const std::string low = name(i.operands[0]);
    if (i.operands.size() == 1 && !is_single_fp8)
      return fmt::format("tailor_encode_{}({})", kernel::to_string(i.format), low);
    return fmt::format("tailor_encode_{}x2({}, {})", kernel::to_string(i.format), low,
                       is_single_fp8 ? "0.0f" : name(i.operands[1]));
  }

  static std::string special(Special which) {
    std::string result = "tailor_" + std::string(kernel::to_string(which));
    for (char& c : result)
      if (c == '.') c = '_';
    return result;
  }

  std::string compare(const Instruction& i, const char* as_signed) const {
    const char* relation = "==";
    bool is_signed = false;
    switch (i.compare) {
      case Compare::kEq:
        break;
      case Compare::kNe:
        relation = "!=";
        break;
      case Compare::kSlt:
      case Compare::kUlt:
        relation = "<";
        is_signed = i.compare == Compare::kSlt;
        break;
      case Compare::kSle:
      case Compare::kUle:
        relation = "<=";
        is_signed = i.compare == Compare::kSle;
        break;
      case Compare::kSgt:
      case Compare::kUgt:
        relation = ">";
        is_signed = i.compare == Compare::kSgt;
        break;
      case Compare::kSge:
      case Compare::kUge:
        relation = ">=";
        is_signed = i.compare == Compare::kSge;
        break;
    }
    std::string cast = is_signed ? fmt::format("({})", as_signed) : "";
    return fmt::format("{0}{1} {2} {0}{3}", cast, name(i.operands[0]), relation, name(i.operands[1]));
  }

  // ---- memory

  // The access stands alone on the line that is its id.
  void memory(const Instruction& i) {
    const kernel::Access& access = program_.accesses[i.access - 1];
    statement("// access {}: {}: {}", i.access, comment(access.operand), comment(access.what));
    if (i.op == Op::kLoad) statement("{} {}{};", type(i.results[0]), name(i.results[0]), i.guarded ? " = {}" : "");

    const Address& address = addresses_[i.operands[0]];
    std::string place = fmt::format("{}, {}", name(address.base), address.offset);
    const bool is_shared = program_.type_of(i.operands[0]) == Type::kSptr;
    const std::string path = fmt::format("\"{}{}\", \"{}\"", is_shared ? ".shared" : ".global",
                                         i.read_only ? ".nc" : "", is_shared ? "r" : "l");
    int bits = 8 * kernel::bytes_of(i.memory_type);
    std::string call;
    if (i.op == Op::kAtomicMaxU64) {
      call = fmt::format("TAILOR_ATOMIC_MAX_U64({}, {})", name(i.operands[0]), name(i.operands[1]));
    } else if (i.op == Op::kLoad) {
      call = i.guarded ? fmt::format("TAILOR_LOAD_GUARDED_B{}({}, {}, {}, {})", bits, path, name(i.results[0]), place,
                                     name(i.operands[1]))
                       : fmt::format("TAILOR_LOAD_B{}({}, {}, {})", bits, path, name(i.results[0]), place);
    } else {
      call = i.guarded ? fmt::format("TAILOR_STORE_GUARDED_B{}({}, {}, {}, {})", bits, path, place, name(i.operands[1]),
                                     name(i.operands[2]))
                       : fmt::format("TAILOR_STORE_B{}({}, {}, {})", bits, path, place, name(i.operands[1]));
    }
    print("#line {} \"/access\"\n", i.access);
    text_.append(2 * static_cast<size_t>(depth_), ' ');
    print("{};\n", call);
    plain_line();
  }

  // A comment ends with its line and does not continue on the next.
  static std::string comment(std::string_view words) {
    std::string result;
    for (char c : words) result += c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    return result;
  }

  // ---- control flow

  void declare(const std::vector<ValueId>& values) {
    for (ValueId v : values) statement("{} {};", type(v), name(v));
  }

  // All of `to` at once: a yield may permute the carried values.
  void assign(const std::vector<ValueId>& to, const std::vector<ValueId>& from, size_t first_to, size_t first_from) {
    size_t count = to.size() - first_to;
    if (count == 1) return statement("{} = {};", name(to[first_to]), name(from[first_from]));
    for (size_t k = 0; k < count; ++k)
      statement("const {} {}_n = {};", type(to[first_to + k]), name(to[first_to + k]), name(from[first_from + k]));
    for (size_t k = 0; k < count; ++k) statement("{0} = {0}_n;", name(to[first_to + k]));
  }

  // Not unrolled: an access of the program stays one access of the PTX.
  void for_loop(const Instruction& i) {
    const std::vector<ValueId>& arguments = i.regions[0].arguments;
    for (size_t k = 1; k < arguments.size(); ++k)
      statement("{} {} = {};", type(arguments[k]), name(arguments[k]), name(i.operands[2 + k]));
    const char* as_signed = program_.type_of(arguments[0]) == Type::kI32 ? "int" : "long long";
    statement("#pragma unroll 1");
    open(fmt::format("for ({0} {1} = {2}; ({3}){1} < ({3}){4}; {1} += {5}) ", type(arguments[0]), name(arguments[0]),
                     name(i.operands[0]), as_signed, name(i.operands[1]), name(i.operands[2])));
    region(i.regions[0]);
    assign(arguments, i.regions[0].body.back().operands, 1, 0);
    close();
    for (size_t k = 0; k < i.results.size(); ++k)
      statement("const {} {} = {};", type(i.results[k]), name(i.results[k]), name(arguments[1 + k]));
  }

  void while_loop(const Instruction& i) {
    const Region& test = i.regions[0];
    const Region& inside = i.regions[1];
    for (size_t k = 0; k < test.arguments.size(); ++k)
      statement("{} {} = {};", type(test.arguments[k]), name(test.arguments[k]), name(i.operands[k]));
    declare(i.results);
    statement("#pragma unroll 1");
    open("for (;;) ");
    region(test);
    const std::vector<ValueId>& passed = test.body.back().operands;
    for (size_t k = 0; k < i.results.size(); ++k) statement("{} = {};", name(i.results[k]), name(passed[1 + k]));
    statement("if (!{}) break;", name(passed[0]));
    for (size_t k = 0; k < inside.arguments.size(); ++k)
      statement("const {} {} = {};", type(inside.arguments[k]), name(inside.arguments[k]), name(i.results[k]));
    region(inside);
    assign(test.arguments, inside.body.back().operands, 0, 0);
    close();
  }

  void if_else(const Instruction& i) {
    declare(i.results);
    open(fmt::format("if ({}) ", name(i.operands[0])));
    for (size_t side = 0; side < i.regions.size(); ++side) {
      if (side == 1) {
        close(" else {");
        ++depth_;
      }
      region(i.regions[side]);
      for (size_t k = 0; k < i.results.size(); ++k)
        statement("{} = {};", name(i.results[k]), name(i.regions[side].body.back().operands[k]));
    }
    close();
  }

  const Program program_;
  std::vector<Address> addresses_;  // by ValueId
  std::string text_;
  int depth_ = 1;
  int plain_lines_ = 0;
  int parts_ = 0;
};

}  // namespace

Expected<std::string> emit_cuda(const Program& program, Arch arch) {
  TAILOR_RETURN_IF_ERROR(kernel::verify(program));
  return CudaPrinter(kernel::expand_conversions(program, arch)).run();
}

}  // namespace tailor::codegen::emit
