// The copies that control flow makes: what analyses of the lowered program propagate along. Internal to codegen/kernel.
//
// Example: `%r = for %i = %a to %b step %c carry %x = %init { … yield %next }` copies init → x, next → x and x → r.
#pragma once

#include "codegen/kernel/ir.h"

namespace tailor::codegen::kernel {

// flow(from, to) for every copy in `region`, those of the regions within included. PRE: every instruction has the
// operands, results and regions that its op wants.
template <class Flow>
void for_each_flow(const Region& region, const Instruction* parent, Flow&& flow) {
  for (const Instruction& i : region.body) {
    if (i.op == Op::kSelect) {
      flow(i.operands[1], i.results[0]);
      flow(i.operands[2], i.results[0]);
    }
    if (i.op == Op::kFor) {
      const std::vector<ValueId>& arguments = i.regions[0].arguments;
      for (size_t k = 0; k < i.results.size(); ++k) {
        flow(i.operands[3 + k], arguments[1 + k]);
        flow(arguments[1 + k], i.results[k]);
      }
    }
    if (i.op == Op::kWhile) {
      for (size_t k = 0; k < i.operands.size(); ++k) flow(i.operands[k], i.regions[0].arguments[k]);
    }
    for (const Region& inner : i.regions) for_each_flow(inner, &i, flow);
    if (i.op == Op::kCondition) {
      for (size_t k = 1; k < i.operands.size(); ++k) {
        flow(i.operands[k], parent->regions[1].arguments[k - 1]);
        flow(i.operands[k], parent->results[k - 1]);
      }
    }
    if (i.op == Op::kYield) {
      const size_t iv = parent->op == Op::kFor ? 1 : 0;
      for (size_t k = 0; k < i.operands.size(); ++k)
        flow(i.operands[k], parent->op == Op::kIf ? parent->results[k] : parent->regions[0].arguments[iv + k]);
    }
  }
}

}  // namespace tailor::codegen::kernel
