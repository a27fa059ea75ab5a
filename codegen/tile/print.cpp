#include <fmt/format.h>

#include "codegen/tile/tile.h"

namespace tailor::codegen::tile {

std::string to_string(const Extent& extent) {
  if (extent.exact) {
    return extent.symbol.empty() ? std::to_string(*extent.exact) : fmt::format("{} = {}", extent.symbol, *extent.exact);
  }
  return extent.offset == 0 ? extent.symbol : fmt::format("{} + {}", extent.symbol, extent.offset);
}

std::string to_string(const Stride& stride) {
  if (stride.exact) {
    return stride.symbol.empty() ? std::to_string(*stride.exact) : fmt::format("{} = {}", stride.symbol, *stride.exact);
  }
  std::string text = stride.factor == 1 ? stride.symbol : fmt::format("{}*{}", stride.factor, stride.symbol);
  if (stride.divisor != 1) text += fmt::format(" % {}", stride.divisor);
  return text;
}

namespace {

// A program that does not verify may hold ids that mean nothing: they print as %?.
std::string name(const Program& program, ValueId v) {
  return v < program.value_count() ? "%" + program.name_of(v) : "%?";
}

std::string names(const Program& program, const std::vector<ValueId>& values) {
  std::string text;
  for (ValueId v : values) text += (text.empty() ? "" : ", ") + name(program, v);
  return text;
}

std::string place(const Program& program, ViewId view, const std::vector<ValueId>& indices) {
  const std::string operand = view < program.views().size() ? program.views()[view].name : "?";
  return fmt::format("@{}[{}]", operand, names(program, indices));
}

// " by @cos[%at], @sin[%at]"; a table without indices is moved whole.
std::string tables(const Program& program, const Node& node) {
  std::string text;
  for (ViewId table : node.tables) {
    std::string at = place(program, table, node.table_indices);
    if (node.table_indices.empty()) at.resize(at.size() - 2);
    text += (text.empty() ? " by " : ", ") + at;
  }
  return text;
}

std::string chain(const Program& program, const Node& node) {
  std::string text;
  for (size_t i = 0; i < node.chain.size(); ++i) {
    if (i > 0) {
      text +=
          i - 1 < node.relations.size() ? fmt::format(" {} ", to_string(node.relations[i - 1])) : std::string(" ? ");
    }
    const Term& t = node.chain[i];
    text += t.value != kNone ? name(program, t.value) : to_string(t.extent);
  }
  return text;
}

std::string failure(const Program& program, const Node& node) {
  if (node.fault == DeviceFault::kNone) return "skip";
  return fmt::format("{} at {}", fault_name(node.fault), name(program, node.fault_index));
}

void print_nodes(const Program& program, const std::vector<Node>& nodes, int depth, std::string& out) {
  const std::string indent(static_cast<size_t>(depth) * 2, ' ');
  for (const Node& node : nodes) {
    out += indent + print_node(program, node);
    if (is_loop(node.op) || node.op == Op::kWhen) {
      out += " {\n";
      print_nodes(program, node.body, depth + 1, out);
      out += indent + "}";
    }
    if (node.op == Op::kWhen) {
      out += " otherwise {\n";
      print_nodes(program, node.otherwise, depth + 1, out);
      out += indent + "}";
    }
    out += '\n';
  }
}

}  // namespace

std::string print_node(const Program& program, const Node& node) {
  const std::string after = node.after == kNone ? "" : " after " + name(program, node.after);
  const std::string lhs = names(program, node.results) + " = " + std::string(to_string(node.op));
  switch (node.op) {
    case Op::kToken:
      return lhs;
    case Op::kJoin:
    case Op::kSub:
      return fmt::format("{} {}", lhs, names(program, node.operands));
    case Op::kLoad:
      return fmt::format("{} {}{}", lhs, place(program, node.view, node.indices), after);
    case Op::kSearch: {
      const std::string operand = node.view < program.views().size() ? program.views()[node.view].name : "?";
      return fmt::format("{} @{} for {}{}", lhs, operand, names(program, node.operands), after);
    }
    case Op::kAdd:
      return fmt::format("{} {}, {}", lhs, names(program, node.operands), node.immediate);
    case Op::kSum:
      return fmt::format("{} {} below {} else {}", lhs, names(program, node.operands), to_string(node.extent),
                         failure(program, node));
    case Op::kResolve:
      return fmt::format("{} {} by {}", lhs, names(program, node.operands), to_string(node.extent));
    case Op::kCheck:
      return fmt::format("check {} else {}", chain(program, node), failure(program, node));
    case Op::kWhen:
      return fmt::format("when {}", chain(program, node));
    case Op::kTranspose:
      return fmt::format("{} {} <- {} by {}{}", lhs, place(program, node.view, node.indices),
                         place(program, node.source, node.source_indices), node.immediate, after);
    case Op::kCopy:
      return fmt::format("{} {} <- {}{}", lhs, place(program, node.view, node.indices),
                         place(program, node.source, node.source_indices), after);
    case Op::kConvert:
    case Op::kRotate:
      return fmt::format("{} {} <- {}{}{}{}", lhs, place(program, node.view, node.indices),
                         place(program, node.source, node.source_indices), tables(program, node),
                         node.op == Op::kRotate ? fmt::format(" {}", to_string(node.style)) : "", after);
    case Op::kFill:
      return fmt::format("{} {} with {}{}", lhs, place(program, node.view, node.indices), to_string(node.extent),
                         after);
    case Op::kEach:
    case Op::kRows:
      return fmt::format("{} {} in {}", to_string(node.op), names(program, node.results), to_string(node.extent));
  }
  return "?";
}

std::string print(const Program& program) {
  std::string out = fmt::format("tile @{} {{\n", program.entry());
  for (const View& view : program.views()) {
    out += fmt::format("  view @{} {} element {}{} base {} [", view.name, to_string(view.role), view.element_bytes,
                       view.type ? fmt::format(" {}", to_string(*view.type)) : "", view.base_align);
    for (size_t i = 0; i < view.dims.size(); ++i) {
      out += fmt::format("{}{}: {}", i > 0 ? ", " : "", to_string(view.dims[i].extent), to_string(view.dims[i].stride));
    }
    out += "]\n";
  }
  if (!program.status().empty()) out += fmt::format("  status @{}\n", program.status());
  print_nodes(program, program.body(), 1, out);
  return out + "}\n";
}

}  // namespace tailor::codegen::tile
