#include "codegen/movement/launch.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "runtime/ops/schema.h"

namespace tailor::codegen::movement {
namespace {

enum class Use { kAddress, kStride, kExtent, kBits };

using Uses = std::map<std::string, Use>;

void visit_extent(const tile::Extent& e, Uses& uses, Use use = Use::kExtent) {
  if (!e.exact && !e.symbol.empty()) uses.emplace(e.symbol, use);
}

// The address of a view and the strides of its first `dims` dimensions.
void visit_view(const tile::View& view, size_t dims, Uses& uses) {
  uses.emplace(view.name, Use::kAddress);
  for (size_t i = 0; i < dims; ++i) {
    const tile::Dimension& d = view.dims[i];
    if (!d.stride.exact && d.extent.exact != int64_t{1}) uses.emplace(d.stride.symbol, Use::kStride);
  }
}

void visit_node(const tile::Program& program, const tile::Node& node, Uses& uses) {
  for (const tile::Term& t : node.chain) {
    if (t.value == tile::kNone) visit_extent(t.extent, uses);
  }
  visit_extent(node.extent, uses, node.op == tile::Op::kFill ? Use::kBits : Use::kExtent);
  if (!tile::is_memory(node.op)) return;
  const tile::View& view = program.views()[node.view];
  visit_view(view, node.indices.size(), uses);
  if (node.op == tile::Op::kSearch) visit_extent(tile::Extent::of(view.dims[0].extent.symbol), uses);
  for (tile::ViewId table : node.tables) visit_view(program.views()[table], node.table_indices.size(), uses);
  if (node.source == tile::kNone) return;
  const tile::View& source = program.views()[node.source];
  visit_view(source, node.source_indices.size(), uses);
}

Uses uses_of(const tile::Program& program, const RowPlan& rows) {
  Uses uses;
  tile::for_each_node(program.body(), [&](const tile::Node& node) { visit_node(program, node, uses); });
  for (const TransposePlan& plan : rows.transposes) {
    for (tile::ViewId view : {plan.node.source, plan.node.view}) {
      const tile::Stride& dim = program.views()[view].dims.back().stride;
      if (!dim.exact) uses.emplace(dim.symbol, Use::kStride);
    }
  }
  for (const CopyPlan& copy : rows.copies) {
    for (const Stream& stream : copy.streams) {
      for (const tile::Stride* stride :
           {&stream.source_start, &stream.target_start, &stream.source_apart, &stream.target_apart}) {
        if (!stride->exact) uses.emplace(stride->symbol, Use::kStride);
      }
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

// The extents of the rows loops, and the symbols that something is divided by.
std::vector<std::string> row_extents(const tile::Program& program) {
  std::vector<std::string> extents;
  for (const tile::Node& node : program.body()) {
    if (node.op == tile::Op::kRows) extents.push_back(node.extent.symbol);
  }
  return extents;
}

std::set<std::string> divisors(const tile::Program& program) {
  std::set<std::string> symbols;
  tile::for_each_node(program.body(), [&](const tile::Node& node) {
    if (node.op == tile::Op::kResolve && !node.extent.exact) symbols.insert(node.extent.symbol);
  });
  return symbols;
}

// The rows that a block takes at least: rows_per_block, more where half of the multiprocessors have that many.
PlanExpression block_rows(const RowPlan& rows, int symbol) {
  const auto constant = [](int64_t value) { return PlanTerm{PlanOp::kConstant, value}; };
  const ThreadMap& threads = rows.threads;
  if (threads.least_rows <= threads.rows_per_block) return {constant(threads.rows_per_block)};
  return {{PlanOp::kSymbol, symbol}, constant(2),
          {PlanOp::kMul, 0},         {PlanOp::kSmCount, 0},
          {PlanOp::kCeilDiv, 0},     constant(threads.least_rows),
          {PlanOp::kMin, 0},         constant(threads.rows_per_block),
          {PlanOp::kMax, 0}};
}

int find_symbol(const Key& key, const std::string& name) {
  const auto symbols = symbols_of(key.op());
  const auto found = std::find_if(symbols.begin(), symbols.end(), [&](const SymbolSpec& s) { return s.name == name; });
  return found == symbols.end() ? -1 : static_cast<int>(found - symbols.begin());
}

PlanTerm symbol_term(int symbol) { return {PlanOp::kSymbol, symbol}; }
PlanTerm constant_term(int64_t value) { return {PlanOp::kConstant, value}; }

}  // namespace

std::string chunk_name(size_t n) { return n == 0 ? "chunk" : fmt::format("chunk{}", n); }
std::string multiplier_name(const std::string& symbol) { return symbol + "_multiplier"; }
std::string shift_name(const std::string& symbol) { return symbol + "_shift"; }

Expected<std::vector<HostParameter>> host_parameters(const tile::Program& program, const RowPlan& rows,
                                                     const Key& key) {
  const bool wide = key.get(KeyField::kIndex64) != 0;
  std::vector<std::pair<int, HostParameter>> found;
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
    } else if (use == Use::kBits) {
      p.type = kernel::Type::kI64;
    }
    found.emplace_back(static_cast<int>(use) * 1000 + symbol, std::move(p));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<HostParameter> parameters;
  for (auto& [order, p] : found) parameters.push_back(std::move(p));
  const std::vector<std::string> extents = row_extents(program);
  for (size_t n = 0; n < extents.size(); ++n) {
    const int symbol = find_symbol(key, extents[n]);
    if (symbol < 0) return internal_error("tile program has a rows loop that is over no symbol");
    // ceil(ceil(rows / sm_count) / occupancy) = ceil(rows / (sm_count * occupancy))
    PlanExpression chunk = {symbol_term(symbol),
                            {PlanOp::kSmCount, 0},
                            {PlanOp::kCeilDiv, 0},
                            {PlanOp::kBlocksPerSm, 0},
                            {PlanOp::kCeilDiv, 0}};
    const PlanExpression least = block_rows(rows, symbol);
    chunk.insert(chunk.end(), least.begin(), least.end());
    chunk.push_back({PlanOp::kMax, 0});
    // Whole tiles, so that no group of rows is cut.
    const PlanTerm step = constant_term(rows.threads.rows_per_block);
    if (!rows.transposes.empty()) chunk.insert(chunk.end(), {step, {PlanOp::kCeilDiv, 0}, step, {PlanOp::kMul, 0}});
    parameters.push_back({chunk_name(n), kernel::Type::kI32, false, std::move(chunk)});
  }
  for (const std::string& divisor : divisors(program)) {
    const PlanTerm symbol = symbol_term(find_symbol(key, divisor));  // a parameter as well, so it exists
    parameters.push_back(
        {multiplier_name(divisor), kernel::Type::kI32, false, {symbol, {PlanOp::kMagicMultiplier, 0}}});
    parameters.push_back({shift_name(divisor), kernel::Type::kI32, false, {symbol, {PlanOp::kMagicShift, 0}}});
  }
  if (!program.status().empty()) {
    parameters.push_back({kReport,
                          kernel::Type::kI32,
                          false,
                          {symbol_term(find_symbol(key, program.status())), constant_term(1), {PlanOp::kMin, 0}}});
  }
  return parameters;
}

Expected<LaunchPlan> launch_plan(const tile::Program& program, const kernel::Program& kernel,
                                 const std::vector<HostParameter>& parameters, const RowPlan& rows, const Key& key) {
  LaunchPlan plan;
  PlanExpression& grid = plan.grid[0];
  for (const std::string& extent : row_extents(program)) {
    const bool first = grid.empty();
    const int symbol = find_symbol(key, extent);
    if (symbol < 0) return internal_error("tile program has a rows loop that is over no symbol");
    grid.push_back(symbol_term(symbol));
    if (!first) grid.push_back({PlanOp::kMax, 0});
  }
  if (grid.empty()) return internal_error("tile program has no rows loop");
  // Only a loop that is alone has least_rows: `grid` is its extent.
  const PlanExpression least = block_rows(rows, find_symbol(key, row_extents(program)[0]));
  grid.insert(grid.end(), least.begin(), least.end());
  const PlanExpression blocks = {
      {PlanOp::kCeilDiv, 0}, {PlanOp::kSmCount, 0}, {PlanOp::kBlocksPerSm, 0}, {PlanOp::kMul, 0}, {PlanOp::kMin, 0}};
  grid.insert(grid.end(), blocks.begin(), blocks.end());
  plan.grid[1] = plan.grid[2] = {constant_term(1)};
  plan.block = {kernel.block_threads, 1, 1};
  const std::vector<uint16_t> offsets = kernel::parameter_offsets(kernel);
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
  const auto moves = [&](const tile::Node& node) {
    for (tile::ViewId id : {node.view, node.source}) {
      if (id == tile::kNone) continue;
      const tile::View& view = program.views()[id];
      moved.insert(view.name);
      for (const tile::Dimension& d : view.dims) moved.insert(d.stride.symbol);
    }
  };
  for (const CopyPlan& copy : rows.copies) {
    for (const Stream& stream : copy.streams) widest = std::max(widest, stream.width);
    moves(copy.copy);
  }
  for (const TransposePlan& plan : rows.transposes) {
    widest = std::max<int64_t>({widest, plan.vector, int64_t{plan.group} * plan.element});
    moves(plan.node);
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
