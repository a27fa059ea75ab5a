#include <fmt/format.h>

#include "codegen/kernel/text.h"

namespace tailor::codegen::kernel {
namespace {

class Printer {
 public:
  explicit Printer(const Program& program) : program_(program) {}

  std::string program() {
    fmt::format_to(out(), "kernel @{}(", program_.entry);
    for (size_t i = 0; i < program_.parameters.size(); ++i) {
      const Parameter& parameter = program_.parameters[i];
      fmt::format_to(out(), "{}{}: {}{}", i ? ", " : "", name(parameter.value),
                     parameter.value < program_.values.size() ? to_string(program_.type_of(parameter.value)) : "?",
                     parameter.read_only ? " readonly" : "");
    }
    fmt::format_to(out(), ") block {}", program_.block_threads);
    if (program_.shared_bytes != 0) fmt::format_to(out(), " shared {}", program_.shared_bytes);
    text_ += " {\n";
    for (size_t i = 0; i < program_.accesses.size(); ++i) {
      fmt::format_to(out(), "  access {} {} {}\n", i + 1, quoted(program_.accesses[i].operand),
                     quoted(program_.accesses[i].what));
    }
    region(program_.body, 1);
    text_ += "}\n";
    return std::move(text_);
  }

  // The head of an instruction: everything up to its regions.
  std::string head(const Instruction& i) {
    list(i.results);
    if (!i.results.empty()) text_ += " = ";
    text_ += to_string(i.op);
    switch (i.op) {
      case Op::kConstant:
        if (!i.results.empty() && i.results[0] < program_.values.size() &&
            program_.type_of(i.results[0]) == Type::kF32 && i.immediate >= 0) {
          fmt::format_to(out(), " f32 {:#010x}", i.immediate);
        } else {
          fmt::format_to(out(), " {} {}", i.results.empty() ? "?" : type_text(i.results[0]), i.immediate);
        }
        break;
      case Op::kBitcast:
      case Op::kUnpack:
        fmt::format_to(out(), " {} ", i.results.empty() ? "?" : type_text(i.results[0]));
        list(i.operands);
        break;
      case Op::kDecode:
      case Op::kEncode:
        fmt::format_to(out(), ".{} ", to_string(i.format));
        list(i.operands);
        break;
      case Op::kSpecial:
        fmt::format_to(out(), " {}", to_string(i.special));
        break;
      case Op::kCompare:
        fmt::format_to(out(), ".{} ", to_string(i.compare));
        list(i.operands);
        break;
      case Op::kLoad:
      case Op::kStore:
      case Op::kAtomicMaxU64:
        memory(i);
        break;
      case Op::kFor:
        for_head(i);
        break;
      case Op::kWhile:
        if (!i.operands.empty()) text_ += ' ';
        inits(i, 0, 0);
        break;
      default:
        if (!i.operands.empty()) text_ += ' ';
        list(i.operands);
    }
    return std::move(text_);
  }

 private:
  std::back_insert_iterator<std::string> out() { return std::back_inserter(text_); }

  std::string name(ValueId v) const {
    return v < program_.values.size() ? "%" + program_.values[v].name : fmt::format("%?{}", v);
  }
  std::string_view type_text(ValueId v) const {
    return v < program_.values.size() ? to_string(program_.values[v].type) : "?";
  }
  static std::string quoted(std::string_view s) {
    std::string result = "\"";
    for (char c : s) {
      if (c == '"' || c == '\\') {
        result += '\\';
        result += c;
      } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
        result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
      } else {
        result += c;
      }
    }
    return result + "\"";
  }

  void list(const std::vector<ValueId>& values, size_t begin = 0, size_t end = ~size_t{0}) {
    for (size_t i = begin; i < values.size() && i < end; ++i) {
      if (i > begin) text_ += ", ";
      text_ += name(values[i]);
    }
  }

  void memory(const Instruction& i) {
    if (i.op != Op::kAtomicMaxU64) fmt::format_to(out(), " {}", to_string(i.memory_type));
    text_ += ' ';
    size_t plain = i.operands.size() - (i.guarded && !i.operands.empty() ? 1 : 0);
    list(i.operands, 0, plain);
    if (plain < i.operands.size()) fmt::format_to(out(), " if {}", name(i.operands.back()));
    fmt::format_to(out(), " align {} access {}{}", i.align, i.access, i.read_only ? " readonly" : "");
  }

  // "%argument = %initial, …" for region 0's arguments from `first_argument` and the operands from `first_operand`.
  void inits(const Instruction& i, size_t first_argument, size_t first_operand) {
    const std::vector<ValueId> none;
    const std::vector<ValueId>& arguments = i.regions.empty() ? none : i.regions[0].arguments;
    for (size_t k = 0; first_operand + k < i.operands.size(); ++k) {
      size_t argument = first_argument + k;
      fmt::format_to(out(), "{}{} = {}", k ? ", " : "", argument < arguments.size() ? name(arguments[argument]) : "%?",
                     name(i.operands[first_operand + k]));
    }
  }

  void for_head(const Instruction& i) {
    auto operand = [&](size_t k) { return k < i.operands.size() ? name(i.operands[k]) : std::string("%?"); };
    bool has_iv = !i.regions.empty() && !i.regions[0].arguments.empty();
    fmt::format_to(out(), " {} = {} to {} step {}", has_iv ? name(i.regions[0].arguments[0]) : "%?", operand(0),
                   operand(1), operand(2));
    if (i.operands.size() > 3) {
      text_ += " carry ";
      inits(i, 1, 3);
    }
  }

  void region(const Region& r, int depth) {
    std::string margin(2 * static_cast<size_t>(depth), ' ');
    for (const Instruction& i : r.body) {
      std::string line = Printer(program_).head(i);
      fmt::format_to(out(), "{}{}", margin, line);
      for (size_t k = 0; k < i.regions.size(); ++k) {
        if (k > 0) fmt::format_to(out(), "{}}} {}", margin, i.op == Op::kWhile ? "do" : "else");
        if (k > 0 && i.op == Op::kWhile && !i.regions[k].arguments.empty()) {
          text_ += ' ';
          list(i.regions[k].arguments);
        }
        text_ += " {\n";
        region(i.regions[k], depth + 1);
      }
      fmt::format_to(out(), "{}\n", i.regions.empty() ? "" : margin + "}");
    }
  }

  const Program& program_;
  std::string text_;
};

}  // namespace

std::string print(const Program& program) { return Printer(program).program(); }

std::string print_instruction(const Program& program, const Instruction& instruction) {
  return Printer(program).head(instruction);
}

}  // namespace tailor::codegen::kernel
