// A kernel::Builder that does not say the same thing twice: pure operations are numbered within a scope and the scopes
// around it, constants fold away where they vanish, and products and quotients by constants take their cheapest form.
//
// Index values ("index") are byte offsets: i32, read as unsigned, or i64 when some offset may reach 2^31.
//
// Ownership: refers to the Builder and to the enclosing scope, which must outlive it. A child scope belongs to the
// region that is open while it is used. Thread-safety: none. Errors: none; operands must be of the stated types.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>

#include "codegen/kernel/ir.h"
#include "tailor/status.h"

namespace tailor::codegen::movement {

using kernel::Value;

class Code {
 public:
  Code(kernel::Builder& builder, bool wide) : builder_(builder), wide_(wide) {}
  explicit Code(const Code& parent, int) : builder_(parent.builder_), wide_(parent.wide_), parent_(&parent) {}
  Code(const Code&) = delete;
  Code child() const { return Code(*this, 0); }

  kernel::Builder& builder() const { return builder_; }
  bool wide() const { return wide_; }
  kernel::Type index_type() const { return wide_ ? kernel::Type::kI64 : kernel::Type::kI32; }

  Value i32(int64_t value) { return constant(kernel::Type::kI32, value); }
  Value index(int64_t value) { return constant(index_type(), value); }
  Value constant(kernel::Type type, int64_t value);

  Value binary(kernel::Op op, Value a, Value b);
  Value add(Value a, Value b) { return binary(kernel::Op::kAdd, a, b); }
  Value sub(Value a, Value b) { return binary(kernel::Op::kSub, a, b); }
  Value mul(Value a, Value b) { return binary(kernel::Op::kMul, a, b); }
  Value both(Value a, Value b);  // pred and; a missing value is true
  Value compare(kernel::Compare relation, Value a, Value b);
  Value add_constant(Value a, int64_t c);
  Value times(Value a, int64_t factor);             // shift where that is one
  Value divide(Value n, int64_t d, int64_t bound);  // exact for unsigned n <= bound; i32
  Value modulo(Value n, int64_t d, int64_t bound);
  Value to_index(Value i32);                // zero-extends when wide
  Value pointer(Value base, Value offset);  // a missing offset is 0
  Value pointer(Value base, int64_t offset);

 private:
  using Name = std::tuple<int, int, int64_t, int64_t>;
  const Value* find(const Name& name) const;
  Value remember(const Name& name, Value value);

  kernel::Builder& builder_;
  bool wide_;
  const Code* parent_ = nullptr;
  std::map<Name, Value> values_;
};

}  // namespace tailor::codegen::movement
