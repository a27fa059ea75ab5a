#include "codegen/kernel/expand_conversions.h"

#include <bit>
#include <unordered_set>

#include <fmt/format.h>

namespace tailor::codegen::kernel {
namespace {

bool has_fp8_instructions(Arch arch) {
  switch (arch) {
#define X(name, text, major, minor) \
  case Arch::name:                  \
    return 10 * (major) + (minor) >= 89;
    TAILOR_ARCHS(X)
#undef X
  }
  return false;
}

bool is_expanded(const Instruction& i) {
  return (i.op == Op::kDecode || i.op == Op::kEncode) && bytes_of(i.format) == 1;
}

bool any_expanded(const Region& r) {
  for (const Instruction& i : r.body) {
    if (is_expanded(i)) return true;
    for (const Region& inner : i.regions)
      if (any_expanded(inner)) return true;
  }
  return false;
}

constexpr uint32_t kMagnitude = 0x7fffffff;
constexpr uint32_t kInfinity = 0x7f800000;
constexpr uint32_t kNan = 0x7fffffff;

struct Fp8 {
  int fraction_bits;
  int bias;
  int64_t largest;  // code of the largest finite value
};
Fp8 fp8(Format format) { return format == Format::kE4M3 ? Fp8{3, 7, 0x7e} : Fp8{2, 15, 0x7b}; }

class Expansion {
 public:
  explicit Expansion(Program program) : p_(std::move(program)) {
    for (const ValueInfo& value : p_.values) names_.insert(value.name);
  }
  Program run() {
    region(p_.body);
    return std::move(p_);
  }

 private:
  void region(Region& r) {
    std::vector<Instruction> body;
    body.swap(r.body);
    for (Instruction& i : body) {
      for (Region& inner : i.regions) region(inner);
      if (is_expanded(i)) {
        i.op == Op::kDecode ? decode(i) : encode(i);
        for (Instruction& made : made_) r.body.push_back(std::move(made));
        made_.clear();
      } else {
        r.body.push_back(std::move(i));
      }
    }
  }

  // ---- appends to made_

  ValueId define(Type type) {
    std::string name;
    do {
      name = fmt::format("cvt{}", next_name_++);
    } while (!names_.insert(name).second);
    p_.values.push_back({type, std::move(name)});
    return static_cast<ValueId>(p_.values.size() - 1);
  }
  // Defines `result`, or a new value.
  ValueId append(Op op, Type type, std::vector<ValueId> operands, ValueId result = kNoValue) {
    if (result == kNoValue) result = define(type);
    Instruction& i = made_.emplace_back();
    i.op = op;
    i.results = {result};
    i.operands = std::move(operands);
    return result;
  }
  ValueId i32(uint32_t bits) {
    const ValueId result = append(Op::kConstant, Type::kI32, {});
    made_.back().immediate = static_cast<int32_t>(bits);
    return result;
  }
  ValueId f32(float value) {
    const ValueId result = append(Op::kConstant, Type::kF32, {});
    made_.back().immediate = std::bit_cast<uint32_t>(value);
    return result;
  }
  ValueId binary(Op op, ValueId a, uint32_t b) { return append(op, Type::kI32, {a, i32(b)}); }
  ValueId shifted(ValueId a, int left) {
    if (left == 0) return a;
    return binary(left > 0 ? Op::kShl : Op::kShrU, a, static_cast<uint32_t>(left > 0 ? left : -left));
  }
  ValueId compare(Compare relation, ValueId a, uint32_t b) {
    const ValueId constant = i32(b);
    const ValueId result = append(Op::kCompare, Type::kPred, {a, constant});
    made_.back().compare = relation;
    return result;
  }
  ValueId select(ValueId condition, ValueId if_true, ValueId if_false) {
    return append(Op::kSelect, p_.type_of(if_true), {condition, if_true, if_false});
  }
  ValueId bitcast(Type type, ValueId a, ValueId result = kNoValue) { return append(Op::kBitcast, type, {a}, result); }
  ValueId lowest(Type lane, ValueId bits, ValueId result = kNoValue) {
    const ValueId low = append(Op::kUnpack, lane, {bits}, result);
    const int count = bytes_of(p_.type_of(bits)) / bytes_of(lane);
    for (int k = 1; k < count; ++k) made_.back().results.push_back(define(lane));
    return low;
  }

  // ---- the two directions

  void decode(const Instruction& i) {
    const ValueId bits = append(Op::kZeroExtend, Type::kI32, {i.operands[0]});
    if (i.format == Format::kE5M2) return decode_e5m2(i, bits);
    for (size_t k = 0; k < i.results.size(); ++k) {
      const int lane = 8 * static_cast<int>(k);
      const ValueId magnitude = binary(Op::kAnd, shifted(bits, 20 - lane), 0x7f << 20);
      const ValueId sign = binary(Op::kAnd, shifted(bits, 24 - lane), 1u << 31);
      const ValueId is_nan = compare(Compare::kEq, magnitude, 0x7f << 20);
      const ValueId scaled = append(Op::kFMul, Type::kF32,
                                    {bitcast(Type::kF32, magnitude), f32(std::bit_cast<float>((127u + 120) << 23))});
      const ValueId number = append(Op::kOr, Type::kI32, {bitcast(Type::kI32, scaled), sign});
      bitcast(Type::kF32, select(is_nan, i32(kNan), number), i.results[k]);
    }
  }

  // Both bytes, each the high one of a half.
  void decode_e5m2(const Instruction& i, ValueId bits) {
    ValueId halves = shifted(binary(Op::kAnd, bits, 0xff), 8);
    if (i.results.size() == 2)
      halves = append(Op::kOr, Type::kI32, {halves, shifted(binary(Op::kAnd, bits, 0xff00), 16)});
    ValueId f16s = bitcast(Type::kB32, halves);
    if (i.results.size() == 1) f16s = lowest(Type::kB16, f16s);
    Instruction& decoded = made_.emplace_back();
    decoded.op = Op::kDecode;
    decoded.format = Format::kF16;
    decoded.results = i.results;
    decoded.operands = {f16s};
  }

  void encode(const Instruction& i) {
    ValueId codes = code_of(i.operands[0], fp8(i.format));
    if (i.operands.size() == 2)
      codes = append(Op::kOr, Type::kI32, {codes, shifted(code_of(i.operands[1], fp8(i.format)), 8)});
    const ValueId word = bitcast(Type::kB32, codes);
    if (i.operands.size() == 2) {
      lowest(Type::kB16, word, i.results[0]);
    } else {
      lowest(Type::kB8, lowest(Type::kB16, word), i.results[0]);
    }
  }

  // The code of an f32 in the low byte of an i32.
  ValueId code_of(ValueId value, const Fp8& format) {
    const int dropped = 23 - format.fraction_bits;
    const uint32_t biases = static_cast<uint32_t>(127 - format.bias);
    const uint32_t counting = static_cast<uint32_t>(127 + 24 - format.bias - format.fraction_bits) << 23;
    const ValueId bits = bitcast(Type::kI32, value);
    const ValueId magnitude = binary(Op::kAnd, bits, kMagnitude);
    const ValueId sign = binary(Op::kAnd, shifted(bits, -24), 0x80);

    const ValueId odd = binary(Op::kAnd, shifted(magnitude, -dropped), 1);
    const ValueId half_less = binary(Op::kAdd, magnitude, (1u << (dropped - 1)) - 1);
    const ValueId rounded = shifted(append(Op::kAdd, Type::kI32, {half_less, odd}), -dropped);
    const ValueId normal = binary(Op::kSub, rounded, biases << format.fraction_bits);

    const ValueId counted =
        append(Op::kFAdd, Type::kF32, {bitcast(Type::kF32, magnitude), f32(std::bit_cast<float>(counting))});
    const ValueId subnormal = binary(Op::kSub, bitcast(Type::kI32, counted), counting);

    const ValueId is_subnormal = compare(Compare::kUlt, magnitude, (biases + 1) << 23);
    const ValueId unlimited = select(is_subnormal, subnormal, normal);
    const ValueId limited = binary(Op::kMinU, unlimited, static_cast<uint32_t>(format.largest));
    const ValueId is_nan = compare(Compare::kUgt, magnitude, kInfinity);
    return select(is_nan, i32(0x7f), append(Op::kOr, Type::kI32, {limited, sign}));
  }

  Program p_;
  std::vector<Instruction> made_;
  std::unordered_set<std::string> names_;
  int next_name_ = 0;
};

}  // namespace

Program expand_conversions(const Program& program, Arch arch) {
  if (has_fp8_instructions(arch) || !any_expanded(program.body)) return program;
  return Expansion(program).run();
}

}  // namespace tailor::codegen::kernel
