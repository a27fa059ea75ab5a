#include "runtime/ptx/analysis.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "runtime/ptx/grammar.h"

namespace tailor::ptx {
namespace {

using Kind = Operand::Kind;

bool is_target(const Operand& o) {
  return o.kind == Kind::kRegister || o.kind == Kind::kSink || o.kind == Kind::kVector || o.kind == Kind::kPair;
}

// Kinds alone tell the alternatives of one opcode apart.
bool could_be(const Operand& o, OperandRole role) {
  switch (role) {
    case OperandRole::kWritten:
    case OperandRole::kUpdated:
      return is_target(o);
    case OperandRole::kRead:
      return o.kind != Kind::kAddress && o.kind != Kind::kTensor && o.kind != Kind::kSink;
    case OperandRole::kMemory:
      return o.kind == Kind::kAddress;
    case OperandRole::kTensor:
      return o.kind == Kind::kTensor;
    default:
      return true;
  }
}

void add_register(const Operand& o, std::vector<uint32_t>& list) {
  if (o.kind == Kind::kRegister) list.push_back(o.index);
}

// The registers that an operand holds, base and elements included.
void add_registers(const Function& f, const Operand& o, std::vector<uint32_t>& list) {
  add_register(o, list);
  if (o.has_register_base()) list.push_back(o.index);
  for (const Operand& e : f.elements(o)) add_register(e, list);
}

// Immediate post-dominators by Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm", on the reversed graph
// with one virtual exit. Blocks that reach no exit keep the exit.
class PostDominators {
 public:
  explicit PostDominators(std::vector<BasicBlock>& blocks)
      : blocks_(blocks),
        exit_(static_cast<uint32_t>(blocks.size())),
        number_(blocks.size() + 1, kNoIndex),
        parent_(blocks.size() + 1, kNoIndex) {}

  void run() {
    number_backwards();
    parent_[exit_] = exit_;
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t n = order_.size(); n-- > 0;) {
        const uint32_t b = order_[n];
        if (b == exit_) continue;
        uint32_t join = kNoIndex;
        for (uint32_t s : blocks_[b].successors)
          if (parent_[s] != kNoIndex) join = join == kNoIndex ? s : intersect(join, s);
        if (join != kNoIndex && parent_[b] != join) {
          parent_[b] = join;
          changed = true;
        }
      }
    }
    for (uint32_t b = 0; b < exit_; ++b) blocks_[b].post_dominator = parent_[b] == kNoIndex ? exit_ : parent_[b];
  }

 private:
  // Postorder numbers of a depth-first walk from the exit over predecessors.
  void number_backwards() {
    std::vector<uint32_t> exit_predecessors;
    for (uint32_t b = 0; b < exit_; ++b)
      for (uint32_t s : blocks_[b].successors)
        if (s == exit_) exit_predecessors.push_back(b);
    const auto predecessors = [&](uint32_t b) -> const std::vector<uint32_t>& {
      return b == exit_ ? exit_predecessors : blocks_[b].predecessors;
    };
    std::vector<bool> seen(exit_ + 1);
    std::vector<std::pair<uint32_t, size_t>> stack{{exit_, 0}};
    seen[exit_] = true;
    while (!stack.empty()) {
      auto& [b, next] = stack.back();
      if (next < predecessors(b).size()) {
        const uint32_t p = predecessors(b)[next++];
        if (!seen[p]) {
          seen[p] = true;
          stack.push_back({p, 0});
        }
      } else {
        number_[b] = static_cast<uint32_t>(order_.size());
        order_.push_back(b);
        stack.pop_back();
      }
    }
  }

  uint32_t intersect(uint32_t a, uint32_t b) const {
    while (a != b) {
      while (number_[a] < number_[b]) a = parent_[a];
      while (number_[b] < number_[a]) b = parent_[b];
    }
    return a;
  }

  std::vector<BasicBlock>& blocks_;
  uint32_t exit_;
  std::vector<uint32_t> number_;
  std::vector<uint32_t> parent_;
  std::vector<uint32_t> order_;
};

bool is_branch(const Instruction& i) { return i.opcode == Opcode::kBra || i.opcode == Opcode::kBrxIdx; }
bool leaves(const Instruction& i) {
  return i.opcode == Opcode::kRet || i.opcode == Opcode::kExit || i.opcode == Opcode::kTrap;
}

}  // namespace

bool ends_path(const Instruction& i) { return !i.guarded() && (is_branch(i) || leaves(i)); }

std::vector<uint32_t> branch_targets(const Function& f, const Instruction& i) {
  std::vector<uint32_t> targets;
  if (i.opcode == Opcode::kBra) targets.push_back(static_cast<uint32_t>(f.operands_of(i)[0].value));
  if (i.opcode == Opcode::kBrxIdx)
    for (uint32_t label : f.branch_tables[f.operands_of(i)[1].index].labels)
      targets.push_back(f.labels[label].instruction);
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  return targets;
}

ControlFlow control_flow(const Function& f) {
  ControlFlow flow;
  const auto count = static_cast<uint32_t>(f.instructions.size());
  flow.block_of.resize(count);
  std::vector<bool> leader(count + 1);
  leader[0] = true;
  for (uint32_t i = 0; i < count; ++i) {
    const Instruction& instruction = f.instructions[i];
    for (uint32_t t : branch_targets(f, instruction)) leader[t] = true;
    if (is_branch(instruction) || leaves(instruction)) leader[i + 1] = true;
  }
  for (uint32_t i = 0; i < count; ++i) {
    if (leader[i]) flow.blocks.emplace_back().first = i;
    flow.blocks.back().end = i + 1;
    flow.block_of[i] = static_cast<uint32_t>(flow.blocks.size()) - 1;
  }
  const uint32_t exit = flow.exit();
  const auto block_at = [&](uint32_t i) { return i < count ? flow.block_of[i] : exit; };
  for (uint32_t b = 0; b < exit; ++b) {
    BasicBlock& block = flow.blocks[b];
    const Instruction& last = f.instructions[block.end - 1];
    const auto add = [&](uint32_t successor) {
      if (std::find(block.successors.begin(), block.successors.end(), successor) == block.successors.end())
        block.successors.push_back(successor);
    };
    if (!ends_path(last)) add(block_at(block.end));
    if (leaves(last)) add(exit);
    for (uint32_t t : branch_targets(f, last)) block.successors.push_back(block_at(t));
    if (block.successors.size() > 1) {  // branch targets are unique; only the fall-through may repeat
      const uint32_t first = block.successors[0];
      block.successors.erase(std::remove(block.successors.begin() + 1, block.successors.end(), first),
                             block.successors.end());
    }
    for (uint32_t s : block.successors)
      if (s != exit) flow.blocks[s].predecessors.push_back(b);
  }
  PostDominators(flow.blocks).run();
  return flow;
}

uint32_t ControlFlow::reconvergence(uint32_t instruction) const {
  const uint32_t join = blocks[block_of[instruction]].post_dominator;
  return join == exit() ? static_cast<uint32_t>(block_of.size()) : blocks[join].first;
}

std::span<const OperandRole> operand_roles(const Function& f, const Instruction& i) {
  const auto operands = f.operands_of(i);
  const OpcodeGrammar& g = grammar(i.opcode);
  if (i.opcode == Opcode::kCall) return g.alternatives[0].roles;
  for (const OperandAlternative& a : g.alternatives) {
    if (operands.size() < a.required || operands.size() > a.roles.size()) continue;
    bool fits = true;
    for (size_t n = 0; n < operands.size() && fits; ++n) fits = could_be(operands[n], a.roles[n]);
    if (fits) return {a.roles.data(), operands.size()};
  }
  return {};
}

RegisterUse register_use(const Function& f, const Instruction& i) {
  RegisterUse use;
  if (i.guarded()) use.reads.push_back(i.guard);
  if (i.opcode == Opcode::kCall) {
    const CallOperands c = call_operands(f, i);
    add_registers(f, c.results, use.writes);
    add_registers(f, c.callee, use.reads);
    add_registers(f, c.arguments, use.reads);
    return use;
  }
  const auto operands = f.operands_of(i);
  const auto roles = operand_roles(f, i);
  for (size_t n = 0; n < roles.size(); ++n) {
    const bool writes = roles[n] == OperandRole::kWritten || roles[n] == OperandRole::kUpdated;
    if (writes) add_registers(f, operands[n], use.writes);
    // A video instruction that writes part of a register keeps the rest.
    if (!writes || roles[n] == OperandRole::kUpdated || operands[n].selector != Operand::Selector::kNone)
      add_registers(f, operands[n], use.reads);
  }
  return use;
}

namespace {

// Rows of bits, one per block.
class BitRows {
 public:
  BitRows(size_t rows, size_t bits) : words_((bits + 63) / 64), data_(rows * words_) {}
  uint64_t* row(size_t r) { return data_.data() + r * words_; }
  size_t words() const { return words_; }
  static void set(uint64_t* row, uint32_t bit) { row[bit / 64] |= uint64_t{1} << (bit % 64); }
  static bool test(const uint64_t* row, uint32_t bit) { return row[bit / 64] >> (bit % 64) & 1; }

 private:
  size_t words_;
  std::vector<uint64_t> data_;
};

constexpr uint64_t kMaxLivenessBits = uint64_t{1} << 31;  // per bit set family: 256 MiB

}  // namespace

Expected<Liveness> liveness(const Function& f, const ControlFlow& flow) {
  Liveness result;
  result.spans.resize(f.register_types.size());
  // Only registers that occur get a bit.
  std::vector<uint32_t> dense(f.register_types.size(), kNoIndex);
  std::vector<uint32_t> registers;
  std::vector<RegisterUse> uses;
  uses.reserve(f.instructions.size());
  for (uint32_t n = 0; n < f.instructions.size(); ++n) {
    uses.push_back(register_use(f, f.instructions[n]));
    const auto touch = [&](uint32_t r) {
      if (dense[r] == kNoIndex) {
        dense[r] = static_cast<uint32_t>(registers.size());
        registers.push_back(r);
      }
      LiveSpan& s = result.spans[r];
      s.first = std::min(s.first, n);
      s.last = std::max(s.last, n);
    };
    for (uint32_t r : uses.back().reads) touch(r);
    for (uint32_t r : uses.back().writes) touch(r);
  }
  const size_t blocks = flow.blocks.size();
  if (uint64_t{blocks} * registers.size() > kMaxLivenessBits)
    return unsupported(fmt::format("function '{}': liveness of {} registers over {} basic blocks is beyond the limit",
                                   f.name, registers.size(), blocks));
  BitRows read_first(blocks, registers.size()), killed(blocks, registers.size()), live_in(blocks, registers.size());
  const size_t words = live_in.words();
  for (size_t b = 0; b < blocks; ++b)
    for (uint32_t n = flow.blocks[b].first; n < flow.blocks[b].end; ++n) {
      for (uint32_t r : uses[n].reads)
        if (!BitRows::test(killed.row(b), dense[r])) BitRows::set(read_first.row(b), dense[r]);
      for (uint32_t r : uses[n].writes) {
        if (!f.instructions[n].guarded())
          BitRows::set(killed.row(b), dense[r]);
        else if (!BitRows::test(killed.row(b), dense[r]))
          BitRows::set(read_first.row(b), dense[r]);
      }
    }
  std::vector<uint64_t> live_out(words);
  const auto collect_out = [&](size_t b) {
    std::fill(live_out.begin(), live_out.end(), 0);
    for (uint32_t s : flow.blocks[b].successors)
      if (s != flow.exit())
        for (size_t w = 0; w < words; ++w) live_out[w] |= live_in.row(s)[w];
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t b = blocks; b-- > 0;) {
      collect_out(b);
      uint64_t* in = live_in.row(b);
      for (size_t w = 0; w < words; ++w) {
        const uint64_t next = read_first.row(b)[w] | (live_out[w] & ~killed.row(b)[w]);
        changed |= next != in[w];
        in[w] = next;
      }
    }
  }
  result.live_in.resize(blocks);
  const auto for_each = [&](const uint64_t* row, auto&& visit) {
    for (size_t w = 0; w < words; ++w)
      for (uint64_t bits = row[w]; bits; bits &= bits - 1)
        visit(registers[w * 64 + static_cast<size_t>(std::countr_zero(bits))]);
  };
  for (size_t b = 0; b < blocks; ++b) {
    for_each(live_in.row(b), [&](uint32_t r) {
      result.live_in[b].push_back(r);
      result.spans[r].first = std::min(result.spans[r].first, flow.blocks[b].first);
      result.spans[r].last = std::max(result.spans[r].last, flow.blocks[b].first);
    });
    std::sort(result.live_in[b].begin(), result.live_in[b].end());
    collect_out(b);
    for_each(live_out.data(), [&](uint32_t r) {
      result.spans[r].first = std::min(result.spans[r].first, flow.blocks[b].end - 1);
      result.spans[r].last = std::max(result.spans[r].last, flow.blocks[b].end - 1);
    });
  }
  return result;
}

}  // namespace tailor::ptx
