#include "codegen/movement/launch.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "runtime/ops/schema.h"

namespace tailor::codegen::movement {
namespace {

enum class Use { kAddress, kStride, kExtent };

void visit_terms(const tile::Node& node, std::map<std::string, Use>& uses) {
  const auto extent = [&](const tile::Extent& e) {
    if (!e.exact) uses.emplace(e.symbol, Use::kExtent);
  };
  if (node.op == tile::Op::kEach || node.op == tile::Op::kRows) extent(node.extent);
  for (const tile::Term& t : node.chain) {
    if (t.value == tile::kNone) extent(t.extent);
  }
  for (const tile::Node& inner : node.body) visit_terms(inner, uses);
}

void visit_outer_strides(const tile::View& view, size_t dims, std::map<std::string, Use>& uses) {
  for (size_t i = 0; i < dims; ++i) {
    const tile::Dimension& d = view.dims[i];
    if (!d.stride.exact && !(d.extent.exact && *d.extent.exact == 1)) uses.emplace(d.stride.symbol, Use::kStride);
  }
}

void visit_accesses(const tile::Program& program, const std::vector<tile::Node>& nodes,
                    std::map<std::string, Use>& uses) {
  for (const tile::Node& node : nodes) {
    visit_accesses(program, node.body, uses);
    if (!tile::is_memory(node.op)) continue;
    const tile::View& view = program.views()[node.view];
    uses.emplace(view.name, Use::kAddress);
    const size_t whole = node.op == tile::Op::kCopy ? 2 : 0;
    visit_outer_strides(view, view.dims.size() - whole, uses);
    if (node.op == tile::Op::kSearch) uses.emplace(view.dims[0].extent.symbol, Use::kExtent);
    if (node.op != tile::Op::kCopy) continue;
    const tile::View& source = program.views()[node.source];
    uses.emplace(source.name, Use::kAddress);
    visit_outer_strides(source, source.dims.size() - whole, uses);
  }
}

std::map<std::string, Use> uses_of(const tile::Program& program, const RowPlan& rows) {
  std::map<std::string, Use> uses;
  for (const tile::Node& node : program.body()) visit_terms(node, uses);
  visit_accesses(program, program.body(), uses);
  for (const CopyPlan& copy : rows.copies) {
    for (const Stream& stream : copy.streams) {
      for (const Digit& digit : stream.digits) {
        for (const tile::Stride* stride : {&digit.source, &digit.target}) {
          if (!stride->exact) uses.emplace(stride->symbol, Use::kStride);
        }
      }
    }
  }
  if (!program.status().empty()) uses.emplace(program.status(), Use::kAddress);
  return uses;
}

int find_symbol(const Key& key, const std::string& name) {
  const auto symbols = symbols_of(key.op());
  const auto found = std::find_if(symbols.begin(), symbols.end(), [&](const SymbolSpec& s) { return s.name == name; });
  return found == symbols.end() ? -1 : static_cast<int>(found - symbols.begin());
}

PlanTerm symbol_term(int symbol) { return {PlanOp::kSymbol, symbol}; }
PlanTerm constant_term(int64_t value) { return {PlanOp::kConstant, value}; }

}  // namespace

Expected<std::vector<HostParameter>> host_parameters(const tile::Program& program, const RowPlan& rows,
                                                     const Key& key) {
  const bool wide = key.get(KeyField::kIndex64) != 0;
  std::vector<std::pair<int, HostParameter>> found;
  int rows_symbol = -1;
  for (const auto& [name, use] : uses_of(program, rows)) {
    const int symbol = find_symbol(key, name);
    if (symbol < 0)
      return internal_error(fmt::format("tile program names the symbol {}, which its schema lacks", name));
    HostParameter p{name, kernel::Type::kI32, false, {symbol_term(symbol)}};
    if (use == Use::kAddress) {
      p.type = kernel::Type::kPtr;
      const tile::ViewId view = program.find_view(name);
      p.read_only = view != tile::kNone && program.views()[view].role == tile::Role::kRead;
    } else if (use == Use::kStride) {
      p.type = wide ? kernel::Type::kI64 : kernel::Type::kI32;
    }
    found.emplace_back(static_cast<int>(use) * 1000 + symbol, std::move(p));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<HostParameter> parameters;
  for (auto& [order, p] : found) parameters.push_back(std::move(p));
  for (const tile::Node& node : program.body()) {
    if (node.op == tile::Op::kRows) rows_symbol = find_symbol(key, node.extent.symbol);
  }
  if (rows_symbol < 0) return internal_error("tile program has no rows loop over a symbol");
  // ceil(ceil(rows / sm_count) / occupancy) = ceil(rows / (sm_count * occupancy))
  parameters.push_back({kChunk,
                        kernel::Type::kI32,
                        false,
                        {symbol_term(rows_symbol),
                         {PlanOp::kSmCount, 0},
                         {PlanOp::kCeilDiv, 0},
                         {PlanOp::kBlocksPerSm, 0},
                         {PlanOp::kCeilDiv, 0},
                         constant_term(rows.threads.rows_per_block),
                         {PlanOp::kMax, 0}}});
  if (!program.status().empty()) {
    parameters.push_back({kReport,
                          kernel::Type::kI32,
                          false,
                          {symbol_term(find_symbol(key, program.status())), constant_term(1), {PlanOp::kMin, 0}}});
  }
  return parameters;
}

LaunchPlan launch_plan(const kernel::Program& program, const std::vector<HostParameter>& parameters,
                       const RowPlan& rows, uint16_t rows_symbol) {
  LaunchPlan plan;
  plan.grid[0] = {symbol_term(rows_symbol),  constant_term(rows.threads.rows_per_block),
                  {PlanOp::kCeilDiv, 0},     {PlanOp::kSmCount, 0},
                  {PlanOp::kBlocksPerSm, 0}, {PlanOp::kMul, 0},
                  {PlanOp::kMin, 0}};
  plan.grid[1] = plan.grid[2] = {constant_term(1)};
  plan.block = {program.block_threads, 1, 1};
  const std::vector<uint16_t> offsets = kernel::parameter_offsets(program);
  for (size_t i = 0; i < parameters.size(); ++i) {
    plan.parameters.push_back(
        {offsets[i], static_cast<uint8_t>(kernel::bytes_of(parameters[i].type)), parameters[i].value});
  }
  return plan;
}

FactSet premises(const tile::Program& program, const std::vector<HostParameter>& parameters, const RowPlan& rows,
                 const Key& key) {
  std::set<std::string> used;
  for (const HostParameter& p : parameters) used.insert(p.name);
  std::set<std::string> moved;  // operands of copies, and their strides
  int64_t widest = 1;
  for (const CopyPlan& copy : rows.copies) {
    for (const Stream& stream : copy.streams) widest = std::max(widest, stream.width);
    for (tile::ViewId id : {copy.copy.view, copy.copy.source}) {
      const tile::View& view = program.views()[id];
      moved.insert(view.name);
      for (const tile::Dimension& d : view.dims) moved.insert(d.stride.symbol);
    }
  }
  FactSet result;
  const auto symbols = symbols_of(key.op());
  for (Fact fact : facts_of(key)) {
    const std::string name(symbols[fact.symbol].name);
    switch (fact.kind) {
      case FactKind::kExact:
        result.push_back(fact);
        break;
      case FactKind::kRange:
        if (used.count(name)) result.push_back(fact);
        break;
      case FactKind::kDivisible:
      case FactKind::kResidue:
        if (!used.count(name)) break;
        if (moved.count(name) && fact.kind == FactKind::kDivisible) fact.a = std::min(fact.a, widest);
        if (fact.kind != FactKind::kDivisible || fact.a > 1) result.push_back(fact);
        break;
    }
  }
  return result;
}

}  // namespace tailor::codegen::movement
