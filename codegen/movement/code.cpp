#include "codegen/movement/code.h"

#include <bit>

#include "codegen/integer/magic.h"

namespace tailor::codegen::movement {

using kernel::Compare;
using kernel::Op;
using kernel::Type;

namespace {

// Kinds of names beyond kernel operations.
constexpr int kConstantName = 1000, kZextName = 1001, kDivideName = 1002;

bool commutes(Op op) { return op == Op::kAdd || op == Op::kMul || op == Op::kAnd || op == Op::kOr; }

}  // namespace

const Value* Code::find(const Name& name) const {
  for (const Code* scope = this; scope; scope = scope->parent_) {
    const auto found = scope->values_.find(name);
    if (found != scope->values_.end()) return &found->second;
  }
  return nullptr;
}

Value Code::remember(const Name& name, Value value) { return values_[name] = value; }

Value Code::constant(Type type, int64_t value) {
  const Name name{kConstantName, static_cast<int>(type), value, 0};
  if (const Value* known = find(name)) return *known;
  return remember(name, builder_.constant(type, value));
}

Value Code::binary(Op op, Value a, Value b) {
  if (commutes(op) && b.id < a.id) std::swap(a, b);
  const Name name{static_cast<int>(op), 0, a.id, b.id};
  if (const Value* known = find(name)) return *known;
  return remember(name, builder_.binary(op, a, b));
}

Value Code::both(Value a, Value b) {
  if (a.id == kernel::kNoValue) return b;
  if (b.id == kernel::kNoValue) return a;
  return binary(Op::kAnd, a, b);
}

Value Code::compare(Compare relation, Value a, Value b) {
  const Name name{static_cast<int>(Op::kCompare), static_cast<int>(relation), a.id, b.id};
  if (const Value* known = find(name)) return *known;
  return remember(name, builder_.compare(relation, a, b));
}

Value Code::add_constant(Value a, int64_t c) { return c == 0 ? a : add(a, constant(builder_.type_of(a), c)); }

Value Code::times(Value a, int64_t factor) {
  if (factor == 1) return a;
  const Type type = builder_.type_of(a);
  const int width = 8 * kernel::bytes_of(type);
  if (factor > 0 && std::has_single_bit(static_cast<uint64_t>(factor))) {
    const int shift = std::countr_zero(static_cast<uint64_t>(factor));
    if (shift < width) return binary(Op::kShl, a, constant(type, shift));
  }
  return mul(a, constant(type, factor));
}

Value Code::divide(Value n, int64_t d, int64_t bound) {
  if (d == 1) return n;
  const Name name{kDivideName, 0, n.id, d};
  if (const Value* known = find(name)) return *known;
  // 1 <= d, bound < 2^32: magic_division cannot refuse.
  const auto magic = integer::magic_division(static_cast<uint64_t>(d), static_cast<uint64_t>(bound), 32);
  const integer::MagicDivision& m = magic.value();
  Value q{};
  const auto shift_right = [&](Value v, int by) { return by == 0 ? v : binary(Op::kShrU, v, i32(by)); };
  switch (m.kind) {
    case integer::MagicKind::kZero:
      q = i32(0);
      break;
    case integer::MagicKind::kShift:
      q = shift_right(n, m.shift);
      break;
    case integer::MagicKind::kMulHigh: {
      const Value multiplier = i32(static_cast<int32_t>(static_cast<uint32_t>(m.multiplier)));
      q = shift_right(binary(Op::kMulHighU, shift_right(n, m.pre_shift), multiplier), m.shift);
      break;
    }
    case integer::MagicKind::kMulHighAdd: {
      const Value multiplier = i32(static_cast<int32_t>(static_cast<uint32_t>(m.multiplier)));
      const Value t = binary(Op::kMulHighU, n, multiplier);
      q = shift_right(add(shift_right(sub(n, t), 1), t), m.shift - 1);
      break;
    }
  }
  return remember(name, q);
}

Value Code::modulo(Value n, int64_t d, int64_t bound) {
  if (bound < d) return n;
  if (std::has_single_bit(static_cast<uint64_t>(d))) return binary(Op::kAnd, n, i32(d - 1));
  return sub(n, times(divide(n, d, bound), d));
}

Value Code::to_index(Value v) {
  if (!wide_) return v;
  const Name name{kZextName, 0, v.id, 0};
  if (const Value* known = find(name)) return *known;
  return remember(name, builder_.zero_extend(v));
}

Value Code::pointer(Value base, Value offset) {
  if (offset.id == kernel::kNoValue) return base;
  const Name name{static_cast<int>(Op::kPtrAdd), 0, base.id, offset.id};
  if (const Value* known = find(name)) return *known;
  return remember(name, builder_.ptr_add(base, offset));
}

Value Code::pointer(Value base, int64_t offset) { return offset == 0 ? base : pointer(base, index(offset)); }

}  // namespace tailor::codegen::movement
