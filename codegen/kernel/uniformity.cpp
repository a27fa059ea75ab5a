#include "codegen/kernel/uniformity.h"

#include "codegen/kernel/value_flow.h"

namespace tailor::codegen::kernel {
namespace {

// A least fixed point over "varies": loops carry values round.
class Analysis {
 public:
  explicit Analysis(const Program& program) : p_(program), varies_(program.values.size(), false) {}

  std::vector<bool> run() {
    do {
      changed_ = false;
      region(p_.body);
      for_each_flow(p_.body, nullptr, [this](ValueId from, ValueId to) {
        if (varies_[from]) mark(to);
      });
    } while (changed_);
    varies_.flip();
    return std::move(varies_);
  }

 private:
  void mark(ValueId v) {
    changed_ |= !varies_[v];
    varies_[v] = true;
  }
  void mark(const std::vector<ValueId>& values) {
    for (ValueId v : values) mark(v);
  }
  bool any_varies(const std::vector<ValueId>& values, size_t first, size_t end) const {
    for (size_t k = first; k < end; ++k)
      if (varies_[values[k]]) return true;
    return false;
  }

  void region(const Region& r) {
    for (const Instruction& i : r.body) {
      instruction(i);
      for (const Region& inner : i.regions) region(inner);
    }
  }

  // Threads that leave a loop after different iterations, or take different sides, differ in what it yields.
  void instruction(const Instruction& i) {
    switch (i.op) {
      case Op::kSpecial:
        if (i.special == Special::kTidX || i.special == Special::kLaneId) mark(i.results);
        return;
      case Op::kLoad:
        if (!i.read_only || any_varies(i.operands, 0, i.operands.size())) mark(i.results);
        return;
      case Op::kFor:
        if (any_varies(i.operands, 0, 3)) {
          mark(i.regions[0].arguments);
          mark(i.results);
        }
        return;
      case Op::kWhile:
        if (varies_[i.regions[0].body.back().operands[0]]) {
          for (const Region& inner : i.regions) mark(inner.arguments);
          mark(i.results);
        }
        return;
      default:
        if (!i.results.empty() && any_varies(i.operands, 0, i.operands.size())) mark(i.results);
    }
  }

  const Program& p_;
  std::vector<bool> varies_;
  bool changed_ = false;
};

bool has_barrier(const Region& r) {
  for (const Instruction& i : r.body) {
    if (i.op == Op::kBarrier) return true;
    for (const Region& inner : i.regions)
      if (has_barrier(inner)) return true;
  }
  return false;
}

bool reached_together(const Instruction& i, const std::vector<bool>& uniform) {
  switch (i.op) {
    case Op::kFor:
      return uniform[i.operands[0]] && uniform[i.operands[1]] && uniform[i.operands[2]];
    case Op::kWhile:
      return uniform[i.regions[0].body.back().operands[0]];
    default:
      return uniform[i.operands[0]];
  }
}

const Instruction* find(const Region& r, bool together, const std::vector<bool>& uniform) {
  for (const Instruction& i : r.body) {
    if (i.op == Op::kBarrier && !together) return &i;
    if (i.regions.empty()) continue;
    const bool inside = together && reached_together(i, uniform);
    for (const Region& inner : i.regions)
      if (const Instruction* found = find(inner, inside, uniform)) return found;
  }
  return nullptr;
}

}  // namespace

std::vector<bool> uniform_values(const Program& program) { return Analysis(program).run(); }

const Instruction* find_divergent_barrier(const Program& program) {
  if (!has_barrier(program.body)) return nullptr;
  return find(program.body, true, uniform_values(program));
}

}  // namespace tailor::codegen::kernel
