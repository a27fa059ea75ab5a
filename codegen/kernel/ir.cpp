#include "codegen/kernel/ir.h"

#include <unordered_map>

namespace tailor::codegen::kernel {

std::string_view to_string(Type type) {
  switch (type) {
#define X(name, text, bytes) \
  case Type::name:           \
    return text;
    TAILOR_KERNEL_TYPES(X)
#undef X
  }
  return "?";
}

int bytes_of(Type type) {
  switch (type) {
#define X(name, text, bytes) \
  case Type::name:           \
    return bytes;
    TAILOR_KERNEL_TYPES(X)
#undef X
  }
  return 0;
}

Type bits_type(int bytes) {
  switch (bytes) {
    case 1:
      return Type::kB8;
    case 2:
      return Type::kB16;
    case 4:
      return Type::kB32;
    case 8:
      return Type::kB64;
    default:
      return Type::kB128;
  }
}

bool is_bits(Type type) {
  return type == Type::kB8 || type == Type::kB16 || type == Type::kB32 || type == Type::kB64 || type == Type::kB128;
}

std::string_view to_string(Format format) {
  switch (format) {
#define X(name, text, bytes) \
  case Format::name:         \
    return text;
    TAILOR_KERNEL_FORMATS(X)
#undef X
  }
  return "?";
}

int bytes_of(Format format) {
  switch (format) {
#define X(name, text, bytes) \
  case Format::name:         \
    return bytes;
    TAILOR_KERNEL_FORMATS(X)
#undef X
  }
  return 0;
}

std::string_view to_string(Op op) {
  switch (op) {
#define X(name, text, operands, results) \
  case Op::name:                         \
    return text;
    TAILOR_KERNEL_OPS(X)
#undef X
  }
  return "?";
}

int operand_count(Op op) {
  switch (op) {
#define X(name, text, operands, results) \
  case Op::name:                         \
    return operands;
    TAILOR_KERNEL_OPS(X)
#undef X
  }
  return -1;
}

int result_count(Op op) {
  switch (op) {
#define X(name, text, operands, results) \
  case Op::name:                         \
    return results;
    TAILOR_KERNEL_OPS(X)
#undef X
  }
  return -1;
}

std::string_view to_string(Compare relation) {
  switch (relation) {
#define X(name, text) \
  case Compare::name: \
    return text;
    TAILOR_KERNEL_COMPARES(X)
#undef X
  }
  return "?";
}

std::string_view to_string(Special which) {
  switch (which) {
#define X(name, text) \
  case Special::name: \
    return text;
    TAILOR_KERNEL_SPECIALS(X)
#undef X
  }
  return "?";
}

std::vector<uint16_t> parameter_offsets(const Program& program) {
  std::vector<uint16_t> offsets;
  offsets.reserve(program.parameters.size());
  uint32_t end = 0;
  for (const Parameter& parameter : program.parameters) {
    uint32_t size = static_cast<uint32_t>(bytes_of(program.type_of(parameter.value)));
    end = (end + size - 1) / size * size;
    offsets.push_back(static_cast<uint16_t>(end));
    end += size;
  }
  return offsets;
}

namespace {

// Walks two programs in step and keeps the bijection between their values.
class Comparison {
 public:
  Comparison(const Program& a, const Program& b) : a_(a), b_(b) {}

  bool same() {
    if (a_.entry != b_.entry || a_.block_threads != b_.block_threads || a_.shared_bytes != b_.shared_bytes ||
        a_.values.size() != b_.values.size() || a_.parameters.size() != b_.parameters.size() ||
        a_.accesses.size() != b_.accesses.size())
      return false;
    for (size_t i = 0; i < a_.parameters.size(); ++i) {
      if (a_.parameters[i].read_only != b_.parameters[i].read_only) return false;
      if (!same_value(a_.parameters[i].value, b_.parameters[i].value)) return false;
    }
    for (size_t i = 0; i < a_.accesses.size(); ++i) {
      if (a_.accesses[i].operand != b_.accesses[i].operand || a_.accesses[i].what != b_.accesses[i].what) return false;
    }
    return same_region(a_.body, b_.body);
  }

 private:
  bool same_value(ValueId x, ValueId y) {
    auto forward = to_b_.try_emplace(x, y);
    auto backward = to_a_.try_emplace(y, x);
    if (forward.first->second != y || backward.first->second != x) return false;
    if (!forward.second) return true;
    if (x >= a_.values.size() || y >= b_.values.size()) return x == y;
    return a_.values[x].type == b_.values[y].type && a_.values[x].name == b_.values[y].name;
  }
  bool same_values(const std::vector<ValueId>& x, const std::vector<ValueId>& y) {
    if (x.size() != y.size()) return false;
    for (size_t i = 0; i < x.size(); ++i)
      if (!same_value(x[i], y[i])) return false;
    return true;
  }
  bool same_region(const Region& x, const Region& y) {
    if (!same_values(x.arguments, y.arguments) || x.body.size() != y.body.size()) return false;
    for (size_t i = 0; i < x.body.size(); ++i)
      if (!same_instruction(x.body[i], y.body[i])) return false;
    return true;
  }
  bool same_instruction(const Instruction& x, const Instruction& y) {
    if (x.op != y.op || x.immediate != y.immediate || x.compare != y.compare || x.special != y.special ||
        x.format != y.format || x.memory_type != y.memory_type || x.align != y.align || x.access != y.access ||
        x.guarded != y.guarded || x.read_only != y.read_only || x.regions.size() != y.regions.size())
      return false;
    if (!same_values(x.operands, y.operands) || !same_values(x.results, y.results)) return false;
    for (size_t i = 0; i < x.regions.size(); ++i)
      if (!same_region(x.regions[i], y.regions[i])) return false;
    return true;
  }

  const Program& a_;
  const Program& b_;
  std::unordered_map<ValueId, ValueId> to_b_, to_a_;
};

}  // namespace

bool operator==(const Program& a, const Program& b) { return Comparison(a, b).same(); }

}  // namespace tailor::codegen::kernel
